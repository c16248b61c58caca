/* SPDX-License-Identifier: MIT */
/* descriptor.c - reads the links of /proc/PID/fd. */
#include "observe/descriptor.h"

#include "base/text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* As much as glibc takes for a DIR: a thousand entries, so few calls. */
#define ENTRIES_BYTES 32768

/* The longest text of interest is "socket:[18446744073709551615]"; paths may be cut off. */
#define LINK_BYTES 64

#define SOCKET_PREFIX "socket:["

enum lai_descriptor_kind lai_descriptor_parse(const char *link, uint64_t *inode)
{
	const char *digit = link + sizeof(SOCKET_PREFIX) - 1;
	uint64_t value = 0;

	if (!strcmp(link, "anon_inode:[eventpoll]"))
		return LAI_DESCRIPTOR_EPOLL;
	if (!strcmp(link, "anon_inode:[io_uring]"))
		return LAI_DESCRIPTOR_RING;
	if (strncmp(link, SOCKET_PREFIX, sizeof(SOCKET_PREFIX) - 1) != 0)
		return LAI_DESCRIPTOR_OTHER;
	for (; isdigit((unsigned char)*digit); digit++)
		value = value * 10 + (uint64_t)(*digit - '0');
	if (strcmp(digit, "]") != 0)
		return LAI_DESCRIPTOR_OTHER;
	*inode = value;
	return LAI_DESCRIPTOR_SOCKET;
}

static int entry_read(int directory, const struct dirent64 *entry, lai_descriptor_each *each,
		      void *arg)
{
	struct lai_descriptor descriptor = {0};
	char link[LINK_BYTES];
	ssize_t length;

	if (!lai_number_parse(entry->d_name, &descriptor.fd)) /* "." and ".." */
		return 0;
	length = readlinkat(directory, entry->d_name, link, sizeof(link) - 1);
	if (length < 0)
		return errno == ENOENT ? 0 : -errno;
	link[length] = '\0';
	descriptor.kind = lai_descriptor_parse(link, &descriptor.inode);
	return each(arg, &descriptor);
}

int lai_descriptors_read(int directory, lai_descriptor_each *each, void *arg)
{
	_Alignas(struct dirent64) char entries[ENTRIES_BYTES];
	ssize_t size;
	int error = 0;

	while (!error && (size = getdents64(directory, entries, sizeof(entries))) != 0) {
		if (size < 0)
			return errno == ENOENT ? -ESRCH : -errno;
		for (ssize_t at = 0; !error && at < size;) {
			const void *entry = entries + at;

			error = entry_read(directory, entry, each, arg);
			at += ((const struct dirent64 *)entry)->d_reclen;
		}
	}
	return error;
}
