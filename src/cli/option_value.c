/* SPDX-License-Identifier: MIT */
/* option_value.c - the types of values: one row each in the table below. */
#include "base/size.h"
#include "base/time.h"
#include "cli/option_inside.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest text of the lower end of a range; "0.000001ms" and the like fit. */
#define RANGE_END_MAX 32

static int read_text(const struct lai_option *option, const char *text, void *field)
{
	(void)option;
	if (*text == '\0')
		return -EINVAL;
	*(const char **)field = text;
	return 0;
}

static uint32_t max_of(const struct lai_option *option)
{
	return option->max ? option->max : UINT32_MAX;
}

static int read_u32(const struct lai_option *option, const char *text, void *field)
{
	bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hexadecimal ? text + 2 : text;
	unsigned long long value;
	char *end = NULL;

	if (!(hexadecimal ? isxdigit((unsigned char)*digits) : isdigit((unsigned char)*digits)))
		return -EINVAL;
	errno = 0;
	value = strtoull(digits, &end, hexadecimal ? 16 : 10);
	if (*end != '\0' || errno == ERANGE || value < option->min || value > max_of(option))
		return -EINVAL;
	*(uint32_t *)field = (uint32_t)value;
	return 0;
}

static int read_port(const struct lai_option *option, const char *text, void *field)
{
	static const struct lai_option port = {.min = 1, .max = UINT16_MAX};
	uint32_t value;

	(void)option;
	if (text[strspn(text, "0123456789")] != '\0' || read_u32(&port, text, &value) != 0)
		return -EINVAL;
	*(uint16_t *)field = (uint16_t)value;
	return 0;
}

static int read_size(const struct lai_option *option, const char *text, void *field)
{
	(void)option;
	return lai_size_parse(text, field);
}

static int read_time(const struct lai_option *option, const char *text, void *field)
{
	(void)option;
	return lai_time_parse(text, field);
}

static int read_enum(const struct lai_option *option, const char *text, void *field)
{
	for (unsigned i = 0; option->names[i]; i++) {
		if (strcmp(text, option->names[i]) != 0)
			continue;
		memcpy(field, &i, sizeof(i)); /* an enum of any name has this size and layout */
		return 0;
	}
	return -EINVAL;
}

static int read_range(const struct lai_option *option, const char *text, void *field)
{
	const char *dots = strstr(text, "..");
	struct lai_option_range range;
	char least[RANGE_END_MAX];
	int error;

	(void)option;
	if (!dots || (size_t)(dots - text) >= sizeof(least))
		return -EINVAL;
	memcpy(least, text, (size_t)(dots - text));
	least[dots - text] = '\0';
	error = lai_time_parse(least, &range.min_ns);
	if (error == 0)
		error = lai_time_parse(dots + 2, &range.max_ns);
	if (error)
		return error;
	if (range.min_ns > range.max_ns)
		return -EINVAL;
	*(struct lai_option_range *)field = range;
	return 0;
}

static int read_list(const struct lai_option *option, const char *text, void *field)
{
	(void)option;
	return *text == '\0' ? -EINVAL : lai_option_list_add(field, text);
}

/* One row per type: how it is read, and how an error names what is accepted. */
static const struct {
	int (*read)(const struct lai_option *option, const char *text, void *field);
	const char *accepted; /* NULL: depends on the option */
	const char *limit;    /* what -ERANGE exceeds */
	size_t field_bytes;
} types[LAI_OPTION_TYPE_COUNT] = {
	[LAI_OPTION_FLAG] = {.field_bytes = sizeof(bool)},
	[LAI_OPTION_TEXT] = {read_text, "a value that is not empty", NULL, sizeof(const char *)},
	[LAI_OPTION_U32] = {read_u32, NULL, NULL, sizeof(uint32_t)},
	[LAI_OPTION_PORT] = {read_port, "a port number from 1 to 65535", NULL, sizeof(uint16_t)},
	[LAI_OPTION_SIZE] = {read_size, "a size in bytes such as 4096, 64k, 8M or 1G",
			     "2^63 - 1 bytes", sizeof(uint64_t)},
	[LAI_OPTION_TIME] = {read_time, "a time such as 500ms, 30s, 5m, 2h, 1d or never",
			     "100 years, or never", sizeof(uint64_t)},
	[LAI_OPTION_ENUM] = {read_enum, NULL, NULL, sizeof(unsigned)},
	[LAI_OPTION_RANGE] = {read_range,
			      "two times MIN..MAX such as 500ms..60s, the smaller first",
			      "100 years, or never", sizeof(struct lai_option_range)},
	[LAI_OPTION_LIST] = {read_list, "a value that is not empty", NULL,
			     sizeof(struct lai_option_list)},
};

size_t lai_option_value_bytes(enum lai_option_type type)
{
	return types[type].field_bytes;
}

int lai_option_value_read(const struct lai_option *option, const char *text, void *field)
{
	return types[option->type].read(option, text, field);
}

static void refuse_number(struct lai_text *sentence, const struct lai_option *option,
			  const char *label, const char *text)
{
	char accepted[64];

	(void)snprintf(accepted, sizeof(accepted), "a whole number from %u to %u", option->min,
		       max_of(option));
	lai_option_refuse(sentence, label, accepted, text);
}

void lai_option_value_refuse(struct lai_text *sentence, const struct lai_option *option,
			     const char *label, const char *text, int error)
{
	size_t count = 0;

	if (error == -ERANGE) {
		lai_text_append(sentence, "%s: ", label);
		lai_option_echo(sentence, text, strlen(text));
		lai_text_append(sentence, " is too large; the most is %s",
				types[option->type].limit);
	} else if (option->type == LAI_OPTION_ENUM) {
		while (option->names[count])
			count++;
		lai_option_refuse_name(sentence, label, option->names, count, text);
	} else if (option->type == LAI_OPTION_U32) {
		refuse_number(sentence, option, label, text);
	} else {
		lai_option_refuse(sentence, label, types[option->type].accepted, text);
	}
}
