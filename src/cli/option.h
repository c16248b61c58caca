/* SPDX-License-Identifier: MIT */
/*
 * option.h - command line options as data: one const table per command, read by one parser.
 *
 *	--name=VALUE  --name VALUE  -n VALUE  -nVALUE  --flag  -f  -fg (two flags)  --
 *
 * Options stand before or after operands; "--" ends them; "-" alone is an operand. An option given
 * twice: the last one counts, except lists, which collect. Names must be written in full, since
 * an abbreviation that is unique today breaks scripts tomorrow. A value after a space must not
 * begin with "--" (that is a forgotten value much more often); after "=" it may.
 * Every command has --help (-h) and --version (-V) without a row; a row may take their letters.
 */
#ifndef LAI_CLI_OPTION_H
#define LAI_CLI_OPTION_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the value is, and the type of the field at the row's offset that receives it. */
enum lai_option_type {
	LAI_OPTION_HEADING, /* no option: .help heads the rows that follow in the help text */
	LAI_OPTION_FLAG,    /* bool: no value, sets true */
	LAI_OPTION_TEXT,    /* const char *: any but the empty one; points into the arguments */
	LAI_OPTION_U32,	    /* uint32_t: decimal or 0x hexadecimal, from .min to .max */
	LAI_OPTION_PORT,    /* uint16_t: 1 to 65535 */
	LAI_OPTION_SIZE,    /* uint64_t: bytes, as in base/size.h */
	LAI_OPTION_TIME,    /* uint64_t: nanoseconds, as in base/time.h */
	LAI_OPTION_ENUM,    /* an enum: the value's index in .names */
	LAI_OPTION_RANGE,   /* struct lai_option_range: "MIN..MAX", two times, MIN <= MAX */
	LAI_OPTION_LIST,    /* struct lai_option_list: a text, may be given again */
	LAI_OPTION_TYPE_COUNT
};

struct lai_option_range {
	uint64_t min_ns;
	uint64_t max_ns;
};

/* The texts point into the arguments, the array is the list's. Zero: empty. */
struct lai_option_list {
	const char **texts;
	size_t count;
};

/* Longest name of an option, so that names can be compared in fixed room. */
#define LAI_OPTION_NAME_MAX 32

struct lai_option {
	const char *name; /* without dashes; NULL only in a heading */
	char letter;	  /* short form, 0: none */
	enum lai_option_type type;
	size_t offset;		  /* offsetof(struct ..._settings, field) */
	const char *metavar;	  /* the value in the help text; NULL for an enum: its names */
	const char *help;	  /* wrapped into the help text */
	const char *const *names; /* ENUM: in the order of the enum, NULL at the end */
	uint32_t min, max;	  /* U32: bounds; max 0 means UINT32_MAX */
};

/*
 * Rows of a table. After the metavar: the help sentence, then the names of an enum, then bounds.
 * A command whose settings are one struct says its type once:
 *
 *	#define ROW(...) LAI_OPTION(struct settings, __VA_ARGS__)
 *
 *	LAI_OPTION_HEAD("What is sent"),
 *	ROW("file", 'f', LIST, files, "FILE", "send this file instead of standard input"),
 *	ROW("on-full", 0, ENUM, on_full, NULL, "what to do then", full_names),
 *	ROW("tos", 0, U32, tos, "N", "type of service", NULL, 0, 255),
 */
#define LAI_OPTION(struct_type, ...) LAI_OPTION_AT(0, struct_type, __VA_ARGS__)
#define LAI_OPTION_HEAD(text)                                                                      \
	{                                                                                          \
		.type = LAI_OPTION_HEADING, .help = text                                           \
	}

/* The same for a struct inside of the settings, base bytes behind their beginning. */
#define LAI_OPTION_AT(base, struct_type, row, key, kind, field, value, ...)                        \
	{                                                                                          \
		.name = row, .letter = key, .type = LAI_OPTION_##kind,                             \
		.offset = (base) + offsetof(struct_type, field), .metavar = value,                 \
		.help = __VA_ARGS__                                                                \
	}

/* What people type who know another program, and what to say to it. */
struct lai_option_hint {
	const char *given; /* "-u", "--udp", or the first word of an operand */
	const char *hint;
};

struct lai_option_command {
	const char *name;     /* "lastack send" */
	const char *operands; /* for the usage line: "URL..."; NULL: none are taken */
	const char *summary;  /* first paragraph of the help text, wrapped */
	const char *epilog;   /* last part of it, printed as it is (examples); NULL: none */
	const struct lai_option *options;
	size_t option_count;
	size_t settings_bytes; /* sizeof(struct ..._settings) */
	size_t operands_min;
	size_t operands_max;		     /* ignored if operands is NULL; SIZE_MAX: no bound */
	const struct lai_option_hint *hints; /* NULL: none */
	size_t hint_count;
};

enum {
	LAI_OPTION_HELP = 1,	/* --help was given: print lai_option_help(), exit 0 */
	LAI_OPTION_VERSION = 2, /* --version was given */
};

/*
 * Reads args[0] to args[count - 1], the arguments after the command's name; they must outlive
 * *settings and *operands. *settings holds the defaults; its lists must be empty.
 *
 * 0: *settings has all values, *operands the rest in order; release both with lai_option_done().
 * LAI_OPTION_HELP, LAI_OPTION_VERSION: that option was met before any mistake; nothing is written.
 * -EINVAL: *error is a sentence without a full stop, saying what is wrong and what is accepted, to
 * be released with free(). -ENOMEM: *error is NULL. After either nothing else is written.
 */
int lai_option_parse(const struct lai_option_command *command, int count, char *const *args,
		     void *settings, struct lai_option_list *operands, char **error);

/* Releases the lists in *settings and *operands (which may be NULL) and empties them. */
void lai_option_done(const struct lai_option_command *command, void *settings,
		     struct lai_option_list *operands);

/*
 * Makes the text that --help prints, wrapped at 80 columns, with a newline at its end.
 * 0: *help is the caller's, to be released with free(). -ENOMEM.
 */
int lai_option_help(const struct lai_option_command *command, char **help);

/* 0, or -ENOMEM. text must outlive the list. For what other options mean the same as. */
int lai_option_list_add(struct lai_option_list *list, const char *text);

/*
 * Calls each(arg, part) for every part of every text of the list, which commas separate (an empty
 * part is one). The first result that is not 0 ends it and is returned; -ENOMEM. part lives as long
 * as the call.
 */
int lai_option_list_each(const struct lai_option_list *list,
			 int (*each)(void *arg, const char *part), void *arg);

/* Room for a sentence with the names of an enum and a few arguments. */
#define LAI_OPTION_SENTENCE_MAX 4096

/* Appends "--x needs ACCEPTED, not 'given'": given is cut if it is long, and made harmless. */
void lai_option_refuse(struct lai_text *sentence, const char *label, const char *accepted,
		       const char *given);

/* Appends "--x needs a, b or c, not 'd'; did you mean 'c'?", of count names. A name is also near
   that differs in its case, or has an underscore for a dash. */
void lai_option_refuse_name(struct lai_text *sentence, const char *label, const char *const *names,
			    size_t count, const char *given);

/*
 * The one of count names that text was probably meant to be (a letter missing, added, changed or
 * swapped, or the rest left off); NULL: none is near. For the names of commands as well.
 */
const char *lai_option_nearest(const char *text, const char *const *names, size_t count);

#endif
