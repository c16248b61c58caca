/* SPDX-License-Identifier: MIT */
/* stash.c - rings and UNIX sockets that hold files which no table of descriptors shows. */
#include "observe/stash.h"

#include "base/text.h"
#include "observe/procfs.h"
#include "observe/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel only tries to lock a ring for its fdinfo; a busy one is free again in microseconds. */
#define RING_TRIES 20

#define PATH_BYTES 64
#define FDINFO_BYTES 1024 /* of a socket: five short lines */

/* --- rings --- */

struct ring {
	struct lai_stash row; /* the fields that all its rows share */
	struct lai_rows rows;
	struct lai_ring_facts facts;
};

static int add_row(struct ring *ring, uint64_t inode, uint32_t count)
{
	struct lai_stash row = ring->row;

	row.inode = inode;
	row.count = count;
	return lai_rows_add(&ring->rows, &row);
}

static int add_file(void *arg, uint64_t inode)
{
	return add_row(arg, inode, 1);
}

static int read_ring(int directory, struct ring *ring)
{
	char name[LAI_PROCFS_NAME_MAX], *text = NULL;
	size_t size;
	int error;

	(void)snprintf(name, sizeof(name), "fdinfo/%d", ring->row.fd);
	for (int i = 0; i < RING_TRIES && !ring->facts.told; i++) {
		lai_rows_done(&ring->rows);
		error = lai_procfs_read(directory, name, &text, &size);
		if (error)
			return error == -ESRCH && lai_procfs_exists(directory) ? 0 : error;
		error = lai_ring_parse(text, add_file, ring, &ring->facts);
		free(text);
		if (error)
			return error;
	}
	return 0;
}

int lai_stashes_of_ring(pid_t pid, int32_t ring_fd, struct lai_stash **stashes, size_t *count)
{
	struct ring ring = {.row = {.hold = LAI_HOLD_RING, .pid = pid, .fd = ring_fd},
			    .rows = LAI_ROWS_INIT(struct lai_stash)};
	int directory = lai_procfs_open_files(pid), error;
	uint32_t unnamed;

	if (directory < 0)
		return directory;
	error = read_ring(directory, &ring);
	unnamed = ring.facts.nameless + ring.facts.pending;
	if (!error && unnamed > 0)
		error = add_row(&ring, 0, unnamed);
	if (!error)
		error = lai_rows_join(&ring.rows, stashes, count);
	lai_rows_done(&ring.rows);
	(void)close(directory);
	return error;
}

/* --- in flight --- */

/* "UNIX" or "UNIX-STREAM" */
static bool is_unix(int directory, int32_t fd)
{
	char path[PATH_BYTES], name[LAI_PROTOCOL_MAX];

	/* There is no getxattrat() before Linux 6.13. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/fd/%d", directory, fd);
	return lai_procfs_protocol(path, name) == 0 && strncmp(name, "UNIX", strlen("UNIX")) == 0;
}

static bool has_inode(const struct lai_rows *rows, uint64_t inode)
{
	const struct lai_stash *list = (const void *)rows->data;

	for (size_t i = 0; i < rows->count; i++)
		if (list[i].inode == inode)
			return true;
	return false;
}

/*
 * While the rows are gathered their inode is the UNIX socket's own, to know it again. The link is
 * read first, as that touches no file system; what is no UNIX socket costs two calls.
 */
static int look_at(int directory, pid_t pid, int32_t fd, struct lai_rows *rows)
{
	struct lai_stash row = {.hold = LAI_HOLD_FLIGHT, .pid = pid, .fd = fd};
	char name[LAI_PROCFS_NAME_MAX], text[FDINFO_BYTES];
	int kind;

	(void)snprintf(name, sizeof(name), "fd/%d", fd);
	kind = lai_procfs_socket(directory, name, &row.inode);
	if (kind == -EACCES)
		return kind;
	if (kind != 0 || !is_unix(directory, fd))
		return 0;
	(void)snprintf(name, sizeof(name), "fdinfo/%d", fd);
	if (lai_procfs_peek(directory, name, text, sizeof(text)) < 0)
		return 0;
	row.count = lai_flight_parse(text);
	if (row.count == 0 || has_inode(rows, row.inode))
		return 0;
	return lai_rows_add(rows, &row);
}

static int look_at_all(int directory, DIR *descriptors, pid_t pid, struct lai_rows *rows)
{
	struct dirent *entry;
	int error = 0;
	uint32_t fd;

	while (!error && (errno = 0, entry = readdir(descriptors)))
		if (lai_number_parse(entry->d_name, &fd))
			error = look_at(directory, pid, (int32_t)fd, rows);
	if (!error && errno)
		error = lai_procfs_error(errno);
	for (size_t i = 0; i < rows->count; i++)
		((struct lai_stash *)(void *)rows->data)[i].inode = 0;
	return error;
}

int lai_stashes_in_flight(pid_t pid, struct lai_stash **stashes, size_t *count)
{
	struct lai_rows rows = LAI_ROWS_INIT(struct lai_stash);
	int directory = lai_procfs_open_files(pid), error;
	DIR *descriptors;

	if (directory < 0)
		return directory;
	descriptors = lai_procfs_list(directory, "fd");
	error = descriptors ? look_at_all(directory, descriptors, pid, &rows)
			    : lai_procfs_error(errno);
	if (!error)
		error = lai_rows_join(&rows, stashes, count);
	lai_rows_done(&rows);
	if (descriptors)
		(void)closedir(descriptors);
	(void)close(directory);
	return error;
}
