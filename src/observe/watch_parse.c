/* SPDX-License-Identifier: MIT */
/*
 * watch_parse.c - rows of an epoll set, as /proc/PID/fdinfo/FD has them. Pure.
 *
 *	tfd:        6 events: 40000019 data:                6  pos:0 ino:3ca24d sdev:9
 */
#include "observe/watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* The kernel's own dev_t, which is printed: 12 bits for the major number, 20 for the minor one. */
#define KERNEL_MINOR_BITS 20
#define KERNEL_MINOR_MASK ((1u << KERNEL_MINOR_BITS) - 1)

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
