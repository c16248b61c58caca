/* SPDX-License-Identifier: MIT */
#include "cli/demo_records.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The files are a few KiB; /proc/stat grows with the processors, but begins with "cpu ". */
#define FILE_BYTES_MAX 32768

/* A group of counters. In /proc/net they are a line of names above a line of values. */
static const struct {
	const char *path, *group;
} sources[] = {
	{"/proc/net/snmp", "Tcp:"}, {"/proc/loadavg", NULL},   {"/proc/net/netstat", "TcpExt:"},
	{"/proc/stat", "cpu "},	    {"/proc/net/snmp", "Ip:"}, {"/proc/net/netstat", "IpExt:"},
	{"/proc/net/snmp", "Udp:"},
};

#define SOURCE_COUNT (sizeof(sources) / sizeof(sources[0]))
_Static_assert(SOURCE_COUNT <= LAI_DEMO_SOURCES_MAX, "room for all sources");

/* Separates the checksum, and stands in no counter's name. */
#define CHECK_MARK " ~"
#define CHECK_BYTES (sizeof(CHECK_MARK) - 1 + 8)

int lai_demo_records_open(struct lai_demo_records *records)
{
	int error = -ENOENT, count = 0;

	*records = (struct lai_demo_records){0};
	for (size_t i = 0; i < LAI_DEMO_SOURCES_MAX; i++) {
		records->fds[i] =
			i < SOURCE_COUNT ? open(sources[i].path, O_RDONLY | O_CLOEXEC) : -1;
		if (records->fds[i] >= 0)
			count++;
		else if (i < SOURCE_COUNT)
			error = -errno;
	}
	return count > 0 ? 0 : error;
}

void lai_demo_records_close(struct lai_demo_records *records)
{
	for (size_t i = 0; i < LAI_DEMO_SOURCES_MAX; i++) {
		if (records->fds[i] >= 0)
			(void)close(records->fds[i]);
		records->fds[i] = -1;
	}
}

/* FNV-1a: enough to notice what was not sent like this. */
static uint32_t checksum(const char *bytes, size_t size)
{
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ (uint8_t)bytes[i]) * 16777619u;
	return sum;
}

/* The line that begins like this, in a text of lines; NULL: there is none. */
static char *line_find(char *text, const char *beginning)
{
	size_t length = strlen(beginning);

	while (text && strncmp(text, beginning, length) != 0) {
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return text;
}

/* "Tcp: A B" above "Tcp: 1 2" becomes " Tcp: A=1 B=2"; returns how long it is. */
static size_t join_pairs(char *names, char *values, char *out, size_t room)
{
	char *name_rest, *value_rest;
	char *name = strtok_r(names, " ", &name_rest), *value = strtok_r(values, " ", &value_rest);
	size_t length;

	/* The first word of both is the group. */
	length = (size_t)snprintf(out, room, " %s", name ? name : "");
	while (name && value && (name = strtok_r(NULL, " ", &name_rest)) &&
	       (value = strtok_r(NULL, " ", &value_rest))) {
		int wrote = snprintf(out + length, room - length, " %s=%s", name, value);

		if (wrote < 0 || (size_t)wrote >= room - length)
			break;
		length += (size_t)wrote;
	}
	out[length] = '\0';
	return length;
}

static void cut_line(char *line)
{
	line[strcspn(line, "\n")] = '\0';
}

/* Writes the counters of a source, "" if there are none now; returns how long that is. */
static size_t read_counters(int fd, const char *group, char *out, size_t room)
{
	char text[FILE_BYTES_MAX];
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
	char *line, *second;
	int wrote;

	out[0] = '\0';
	if (got <= 0)
		return 0;
	text[got] = '\0';
	line = group ? line_find(text, group) : text;
	if (!line)
		return 0;
	second = strchr(line, '\n');
	second = group && second ? line_find(second + 1, group) : NULL;
	cut_line(line);
	if (second) {
		cut_line(second);
		return join_pairs(line, second, out, room);
	}
	wrote = snprintf(out, room, " %s", line);
	return wrote < 0 ? 0 : (size_t)wrote < room ? (size_t)wrote : room - 1;
}

size_t lai_demo_records_next(struct lai_demo_records *records, double now_s,
			     char record[LAI_DEMO_RECORD_MAX])
{
	const size_t room = LAI_DEMO_RECORD_MAX - CHECK_BYTES - sizeof("\n");
	size_t source = records->next % SOURCE_COUNT, length;

	while (records->fds[source] < 0)
		source = (source + 1) % SOURCE_COUNT;
	length = (size_t)snprintf(record, room, "%" PRIu32 " %.3f %s", records->next++, now_s,
				  sources[source].path);
	length += read_counters(records->fds[source], sources[source].group, record + length,
				room - length);
	length += (size_t)sprintf(record + length, CHECK_MARK "%08" PRIx32 "\n",
				  checksum(record, length));
	return length;
}

int lai_demo_record_check(const char *record, size_t length, uint32_t *sequence)
{
	char expected[CHECK_BYTES + 1];
	unsigned long number;
	size_t body = length - CHECK_BYTES;

	if (length <= CHECK_BYTES)
		return -EBADMSG;
	(void)snprintf(expected, sizeof(expected), CHECK_MARK "%08" PRIx32, checksum(record, body));
	if (memcmp(record + body, expected, CHECK_BYTES) != 0)
		return -EBADMSG;
	/* It ends at the space at the latest. */
	number = strtoul(record, NULL, 10);
	if (number >= LAI_DEMO_RECORDS_MAX)
		return -EBADMSG;
	*sequence = (uint32_t)number;
	return 0;
}
