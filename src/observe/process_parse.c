/* SPDX-License-Identifier: MIT */
/* process_parse.c - texts of /proc/PID -> values. Pure: any text will do. */
#include "observe/process.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Fields of /proc/PID/stat as proc(5) counts them; the state is the first after the name. */
#define FIELD_STATE 3
#define FIELD_PARENT 4
#define FIELD_FLAGS 9
#define FIELD_USER_TICKS 14
#define FIELD_SYSTEM_TICKS 15
#define FIELD_THREADS 20
#define FIELD_START 22

#define FLAG_KERNELS 0x00200000u /* PF_KTHREAD of the kernel's linux/sched.h */

#define LIMIT_NAME "Max open files"
#define DELETED " (deleted)" /* behind the path of a cgroup that was removed */

/* The name may contain anything, ")" too: it ends at the last one, as no later field has any. */
static const char *parse_comm(const char *text, char comm[LAI_COMM_MAX])
{
	const char *start = strchr(text, '('), *end = strrchr(text, ')');
	size_t length;

	if (!start || !end || end < start)
		return NULL;
	length = (size_t)(end - ++start);
	if (length > LAI_COMM_MAX - 1)
		length = LAI_COMM_MAX - 1;
	memcpy(comm, start, length);
	comm[length] = '\0';
	return end + 1;
}

bool lai_process_parse_stat(const char *text, struct lai_process_stat *stat)
{
	uint64_t fields[FIELD_START + 1] = {0};
	struct lai_process_stat result = {0};
	const char *at = parse_comm(text, result.comm);

	if (!at || at[0] != ' ' || !isalpha((unsigned char)at[1]) || at[2] != ' ')
		return false;
	result.state = at[1];
	at += 2;
	for (int i = FIELD_STATE + 1; i <= FIELD_START; i++) {
		char *end;

		fields[i] = strtoull(at, &end, 10); /* some are negative; none of ours is */
		if (end == at)
			return false;
		at = end;
	}
	result.parent = (pid_t)(fields[FIELD_PARENT] & INT32_MAX);
	result.kernels = fields[FIELD_FLAGS] & FLAG_KERNELS;
	result.threads = (uint32_t)fields[FIELD_THREADS];
	result.cpu_ticks = fields[FIELD_USER_TICKS] + fields[FIELD_SYSTEM_TICKS];
	result.start_ticks = fields[FIELD_START];
	*stat = result;
	return true;
}

uint32_t lai_process_parse_fd_limit(const char *text)
{
	const char *line = strstr(text, LIMIT_NAME);
	unsigned long long value;
	char *end;

	if (!line)
		return 0;
	line += strlen(LIMIT_NAME);
	line += strspn(line, " ");
	if (strncmp(line, "unlimited", strlen("unlimited")) == 0)
		return UINT32_MAX;
	if (!isdigit((unsigned char)*line))
		return 0;
	value = strtoull(line, &end, 10);
	return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* "NUMBER:CONTROLLERS:PATH"; v2 has the number 0 and no controllers. */
static const char *cgroup_line(const char *line, size_t length, bool *is_v2)
{
	const char *first = memchr(line, ':', length), *second = NULL;

	if (first)
		second = memchr(first + 1, ':', length - (size_t)(first + 1 - line));
	if (!second || second + 1 == line + length || second[1] != '/')
		return NULL;
	*is_v2 = first == line + 1 && *line == '0' && second == first + 1;
	return second + 1;
}

/* Without the note that the cgroup is gone. */
static size_t path_length(const char *path, const char *end)
{
	size_t length = (size_t)(end - path), note = strlen(DELETED);

	if (length > note && memcmp(end - note, DELETED, note) == 0)
		length -= note;
	return length;
}

const char *lai_process_parse_cgroup(const char *text, size_t *length)
{
	const char *best = NULL;
	size_t best_length = 0;

	while (*text) {
		size_t line_length = strcspn(text, "\n");
		bool is_v2 = false;
		const char *path = cgroup_line(text, line_length, &is_v2);
		size_t size = path ? path_length(path, text + line_length) : 0;

		/* Any path rather than none, a longer one than "/", v2's rather than v1's. */
		if (path && (!best || best_length == 1 || (is_v2 && size > 1))) {
			best = path;
			best_length = size;
		}
		text += line_length;
		text += *text == '\n';
	}
	if (best)
		*length = best_length;
	return best;
}

size_t lai_process_parse_command_line(char *text, size_t length)
{
	while (length > 0 && text[length - 1] == '\0')
		length--;
	for (size_t i = 0; i < length; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	return length;
}
