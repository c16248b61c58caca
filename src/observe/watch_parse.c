/* SPDX-License-Identifier: MIT */
/*
 * watch_parse.c - texts of /proc/PID/fdinfo/FD -> values. Pure.
 *
 *	epoll	tfd:        6 events: 40000019 data:                6  pos:0 ino:3ca24d sdev:9
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
#include "observe/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* The kernel's own dev_t, which is printed: 12 bits for the major number, 20 for the minor one. */
#define KERNEL_MINOR_BITS 20
#define KERNEL_MINOR_MASK ((1u << KERNEL_MINOR_BITS) - 1)

#define LINK_BYTES 64

/* Goes behind a word, which spaces may precede. */
static bool skip_word(const char **at, const char *word)
{
	const char *text = *at + strspn(*at, " ");
	size_t length = strlen(word);

	if (strncmp(text, word, length) != 0)
		return false;
	*at = text + length;
	return true;
}

/* Sets of 10,000 rows are read: strtoull() takes half the time of one sscanf(). */
static bool take_number(const char **at, int base, unsigned long long *value)
{
	char *end;

	*at += strspn(*at, " ");
	if (**at == '\n')
		return false;
	*value = strtoull(*at, &end, base);
	if (end == *at)
		return false;
	*at = end;
	return true;
}

bool lai_watch_parse(const char *line, struct lai_watch *watch, dev_t *device)
{
	unsigned long long fd, events, ignored, inode, sdev;

	if (!skip_word(&line, "tfd:") || !take_number(&line, 10, &fd) ||
	    !skip_word(&line, "events:") || !take_number(&line, 16, &events) ||
	    !skip_word(&line, "data:") || !take_number(&line, 16, &ignored) ||
	    !skip_word(&line, "pos:") || !take_number(&line, 10, &ignored) ||
	    !skip_word(&line, "ino:") || !take_number(&line, 16, &inode) ||
	    !skip_word(&line, "sdev:") || !take_number(&line, 16, &sdev))
		return false;
	if (fd > INT32_MAX || events > UINT32_MAX || sdev > UINT32_MAX)
		return false;
	watch->fd = (int32_t)fd;
	watch->events = (uint32_t)events;
	watch->inode = inode;
	*device = makedev((unsigned)sdev >> KERNEL_MINOR_BITS, (unsigned)sdev & KERNEL_MINOR_MASK);
	return true;
}

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
	return take_number(&line, 10, &value) && value <= UINT32_MAX ? (uint32_t)value : 0;
}
