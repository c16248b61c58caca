/* SPDX-License-Identifier: MIT */
/* owner.c - the sockets among one process's descriptors. */
#include "observe/owner.h"

#include "observe/descriptor.h"
#include "observe/procfs.h"
#include "observe/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIRECTORY_BYTES 32		  /* "/proc/PID/fd" with a number of 10 digits */
#define PATH_BYTES (DIRECTORY_BYTES + 16) /* and "/FD" */

static int inode_add(uint64_t **inodes, size_t *count, size_t *room, uint64_t inode)
{
	uint64_t *list = lai_rows_grow(*inodes, *count, room, sizeof(*list));

	if (!list)
		return -ENOMEM;
	*inodes = list;
	list[(*count)++] = inode;
	return 0;
}

static int inode_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Sorts, and keeps one of each. */
static void inodes_sort(uint64_t *inodes, size_t *count)
{
	size_t kept = 0;

	if (*count > 1)
		qsort(inodes, *count, sizeof(*inodes), inode_compare);
	for (size_t i = 0; i < *count; i++)
		if (kept == 0 || inodes[kept - 1] != inodes[i])
			inodes[kept++] = inodes[i];
	*count = kept;
}

static bool is_tcp(const char *path)
{
	char name[LAI_PROTOCOL_MAX];

	return lai_procfs_protocol(path, name) == 0 &&
	       (!strcmp(name, "TCP") || !strcmp(name, "TCPv6"));
}

struct reading {
	char path[DIRECTORY_BYTES]; /* of the directory */
	int directory;
	bool ours; /* the directory's descriptor is in it */
	struct lai_owner owner;
	size_t room, tcp_room; /* of its arrays */
};

static int descriptor_each(void *arg, const struct lai_descriptor *descriptor)
{
	struct reading *reading = arg;
	struct lai_owner *owner = &reading->owner;
	char path[PATH_BYTES];
	int error;

	if (reading->ours && descriptor->fd == (uint32_t)reading->directory)
		return 0;
	owner->fds++;
	if (descriptor->kind != LAI_DESCRIPTOR_SOCKET)
		return 0;
	error = inode_add(&owner->inodes, &owner->count, &reading->room, descriptor->inode);
	if (error)
		return error;
	snprintf(path, sizeof(path), "%s/%u", reading->path, descriptor->fd);
	if (!is_tcp(path))
		return 0;
	return inode_add(&owner->tcp_inodes, &owner->tcp_count, &reading->tcp_room,
			 descriptor->inode);
}

int lai_owner_read(pid_t pid, struct lai_owner *owner)
{
	struct reading reading = {.path = "/proc/self/fd", .ours = pid == 0 || pid == getpid()};
	int error;

	if (pid != 0)
		snprintf(reading.path, sizeof(reading.path), "/proc/%d/fd", (int)pid);
	reading.directory = open(reading.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (reading.directory < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	error = lai_descriptors_read(reading.directory, descriptor_each, &reading);
	close(reading.directory);
	if (error) {
		lai_owner_done(&reading.owner);
		return error;
	}
	inodes_sort(reading.owner.inodes, &reading.owner.count);
	inodes_sort(reading.owner.tcp_inodes, &reading.owner.tcp_count);
	*owner = reading.owner;
	return 0;
}

void lai_owner_done(struct lai_owner *owner)
{
	free(owner->inodes);
	free(owner->tcp_inodes);
	*owner = (struct lai_owner){0};
}

bool lai_owner_has(const uint64_t *inodes, size_t count, uint64_t inode)
{
	return count && bsearch(&inode, inodes, count, sizeof(inode), inode_compare);
}
