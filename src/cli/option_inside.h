/* SPDX-License-Identifier: MIT */
/* option_inside.h - what the files of the option parser share; nobody else includes it. */
#ifndef LAI_CLI_OPTION_INSIDE_H
#define LAI_CLI_OPTION_INSIDE_H

#include "cli/option.h"

static inline bool lai_option_is_heading(const struct lai_option *option)
{
	return option->type == LAI_OPTION_HEADING;
}

static inline void *lai_option_field(const struct lai_option *option, void *settings)
{
	return (char *)settings + option->offset;
}

/* Names this far apart are not confused by anybody. */
#define LAI_OPTION_FAR 100u

/* How far text is from name, in letters; LAI_OPTION_FAR or less. */
unsigned lai_option_distance(const char *text, const char *name);

/* Size of the field a value of this type is kept in. */
size_t lai_option_value_bytes(enum lai_option_type type);

/*
 * Reads text into *field. Not for flags.
 * 0; -ENOMEM; -EINVAL: not such a value; -ERANGE: too large. *field is written only on success.
 */
int lai_option_value_read(const struct lai_option *option, const char *text, void *field);

/* Appends why text was refused with error; label is the option as the user wrote it. */
void lai_option_value_refuse(struct lai_text *sentence, const struct lai_option *option,
			     const char *label, const char *text, int error);

/* Appends length bytes of an argument as errors show them: quoted, short, without controls. */
void lai_option_echo(struct lai_text *sentence, const char *argument, size_t length);

#endif
