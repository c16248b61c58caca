/* SPDX-License-Identifier: MIT */
/* owner.c - reads the links "socket:[INODE]" of /proc/PID/fd. */
#include "observe/owner.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PATH_BYTES 64 /* "/proc/PID/fd/FD" with two numbers of 10 digits */
#define INODES_FIRST 64

static int inode_add(uint64_t **inodes, size_t *count, uint64_t inode)
{
	uint64_t *list = *inodes;

	/* Room doubles whenever the count is a power of two from INODES_FIRST on. */
	if (*count == 0 || (*count >= INODES_FIRST && (*count & (*count - 1)) == 0)) {
		size_t room = *count ? 2 * *count : INODES_FIRST;

		list = reallocarray(list, room, sizeof(*list));
		if (!list)
			return -ENOMEM;
		*inodes = list;
	}
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

/* sockfs keeps the protocol's name as an attribute, also when the connection is dead. */
static bool is_tcp(const char *path)
{
	char name[16] = "";

	return getxattr(path, "system.sockprotoname", name, sizeof(name) - 1) > 0 &&
	       (!strcmp(name, "TCP") || !strcmp(name, "TCPv6"));
}

/* One descriptor; one that was closed meanwhile is passed over. */
static int descriptor_read(const char *directory, const char *fd, struct lai_owner *owner)
{
	char path[PATH_BYTES], link[PATH_BYTES] = "";
	unsigned long long inode;
	int error;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, fd) >= sizeof(path))
		return 0;
	if (readlink(path, link, sizeof(link) - 1) < 0)
		return errno == ENOENT ? 0 : -errno;
	owner->fds++;
	if (sscanf(link, "socket:[%llu]", &inode) != 1)
		return 0;
	error = inode_add(&owner->inodes, &owner->count, inode);
	if (!error && is_tcp(path))
		error = inode_add(&owner->tcp_inodes, &owner->tcp_count, inode);
	return error;
}

int lai_owner_read(pid_t pid, struct lai_owner *owner)
{
	struct lai_owner result = {0};
	char directory[PATH_BYTES] = "/proc/self/fd";
	struct dirent *entry;
	DIR *dir;
	int error = 0;

	if (pid != 0)
		snprintf(directory, sizeof(directory), "/proc/%d/fd", (int)pid);
	dir = opendir(directory);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!error && (errno = 0, entry = readdir(dir))) {
		bool ours = (pid == 0 || pid == getpid()) && atoi(entry->d_name) == dirfd(dir);

		if (entry->d_name[0] != '.' && !ours)
			error = descriptor_read(directory, entry->d_name, &result);
	}
	if (!error && errno) /* the process ended under our hands, say */
		error = errno == ENOENT ? -ESRCH : -errno;
	closedir(dir);
	if (error) {
		lai_owner_done(&result);
		return error;
	}
	inodes_sort(result.inodes, &result.count);
	inodes_sort(result.tcp_inodes, &result.tcp_count);
	*owner = result;
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

int lai_owner_inodes(pid_t pid, uint64_t **inodes, size_t *count)
{
	struct lai_owner owner = {0};
	int error = lai_owner_read(pid, &owner);

	if (error)
		return error;
	*inodes = owner.inodes;
	*count = owner.count;
	free(owner.tcp_inodes);
	return 0;
}
