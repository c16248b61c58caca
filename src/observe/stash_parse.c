/* SPDX-License-Identifier: MIT */
/*
 * stash_parse.c - texts of /proc/PID/fdinfo/FD -> values. Pure.
 *
 *	ring	UserFiles:	3
 *		    0: socket:[4178873]
 *		    1: <none>
 *		UserBufs:	0
 *		PollList:
 *		  op=27, task_works=0
 *		CqOverflowList:
 *	UNIX	scm_fds: 2
 */
#include "observe/procfs.h"
#include "observe/stash.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define LINK_BYTES 64

/* The lines of a ring's fdinfo mean what the heading before them says. */
enum section { OTHER, FILES, REQUESTS };

static bool begins(const char *line, const char *text)
{
	return strncmp(line, text, strlen(text)) == 0;
}

/* Headings begin at the margin. */
static enum section section_of(const char *heading, struct lai_ring_facts *facts)
{
	if (begins(heading, "UserFiles:")) {
		facts->told = true;
		return FILES;
	}
	return begins(heading, "PollList:") ? REQUESTS : OTHER;
}

/* "    0: socket:[4178873]", or "    0: TCP" of older kernels. 0 for other files. */
static uint64_t file_inode(const char *line, size_t length, struct lai_ring_facts *facts)
{
	const char *colon = memchr(line, ':', length);
	char link[LINK_BYTES];
	uint64_t inode = 0;
	size_t size;

	if (!colon || colon[1] != ' ')
		return 0;
	size = length - (size_t)(colon + 2 - line);
	if (size >= sizeof(link))
		return 0;
	memcpy(link, colon + 2, size);
	link[size] = '\0';
	if (strcmp(link, "TCP") == 0 || strcmp(link, "TCPv6") == 0)
		facts->nameless++;
	return lai_procfs_parse_link(link, "socket", &inode) ? inode : 0;
}

int lai_ring_parse(const char *text, int (*each)(void *arg, uint64_t inode), void *arg,
		   struct lai_ring_facts *facts)
{
	struct lai_ring_facts result = {0};
	enum section section = OTHER;

	while (*text) {
		size_t length = strcspn(text, "\n");
		uint64_t inode = 0;
		int answer;

		if (*text != ' ')
			section = section_of(text, &result);
		else if (section == FILES)
			inode = file_inode(text, length, &result);
		else if (section == REQUESTS)
			result.pending += begins(text, "  op=");
		answer = inode ? each(arg, inode) : 0;
		if (answer)
			return answer;
		text += length;
		text += *text == '\n';
	}
	*facts = result;
	return 0;
}

uint32_t lai_flight_parse(const char *text)
{
	static const char name[] = "scm_fds:";
	const char *line = strstr(text, name);
	unsigned long long value;

	if (!line || (line != text && line[-1] != '\n'))
		return 0;
	line += strlen(name);
	line += strspn(line, " \t");
	if (!isdigit((unsigned char)*line))
		return 0;
	value = strtoull(line, NULL, 10);
	return value <= UINT32_MAX ? (uint32_t)value : 0;
}
