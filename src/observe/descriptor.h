/* SPDX-License-Identifier: MIT */
/* descriptor.h - the open descriptors of one table, as /proc/PID/fd shows them. */
#ifndef LAI_OBSERVE_DESCRIPTOR_H
#define LAI_OBSERVE_DESCRIPTOR_H

#include <stdint.h>

enum lai_descriptor_kind {
	LAI_DESCRIPTOR_OTHER,
	LAI_DESCRIPTOR_SOCKET, /* of any family */
	LAI_DESCRIPTOR_EPOLL,
	LAI_DESCRIPTOR_RING,
};

struct lai_descriptor {
	uint32_t fd;
	enum lai_descriptor_kind kind;
	uint64_t inode; /* LAI_DESCRIPTOR_SOCKET only */
};

/* Called once per descriptor; a value other than 0 ends the reading, which then returns it. */
typedef int lai_descriptor_each(void *arg, const struct lai_descriptor *descriptor);

/*
 * Reads the directory (of an open descriptor, at its beginning), in the order of descriptors. One
 * that is closed meanwhile is passed over. In our own table the directory's descriptor is there,
 * too. No memory is allocated.
 *
 * 0; what each() returned; -ESRCH: the process ended; -EACCES: it became another user's, by
 * exec(), say; another negative errno of reading.
 */
int lai_descriptors_read(int directory, lai_descriptor_each *each, void *arg);

/* The kind that a link's text names; *inode is written for sockets. Pure. */
enum lai_descriptor_kind lai_descriptor_parse(const char *link, uint64_t *inode);

#endif
