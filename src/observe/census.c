/* SPDX-License-Identifier: MIT */
/* census.c - joins the kernel's socket table with what processes hold, and counts. */
#include "observe/census.h"

#include "observe/owner.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct process_count {
	const struct lai_owner *owner;
	bool *seen; /* per owner->tcp_inodes */
	struct lai_census census;
};

static int process_each(void *arg, const struct lai_socket_fact *fact)
{
	struct process_count *count = arg;
	const struct lai_owner *owner = count->owner;
	size_t low = 0, high = owner->tcp_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (owner->tcp_inodes[middle] < fact->inode)
			low = middle + 1;
		else
			high = middle;
	}
	/* A socket that moves within the table during the dump may be listed twice. */
	if (low == owner->tcp_count || owner->tcp_inodes[low] != fact->inode || count->seen[low])
		return 0;
	count->seen[low] = true;
	count->census.by_state[fact->state]++;
	return 0;
}

/* 0, or -EXDEV: what the process holds is not in the tables that our netlink socket sees. */
static int namespace_check(pid_t pid)
{
	struct stat ours, theirs;
	char path[64]; /* "/proc/PID/ns/net" */

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	if (stat(pid ? path : "/proc/self/ns/net", &theirs) < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (stat("/proc/thread-self/ns/net", &ours) < 0)
		return -errno;
	return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino ? 0 : -EXDEV;
}

/* TCP sockets in no table. Looked up again, since one may have been closed after the first look. */
static int ghosts_count(pid_t pid, struct process_count *count)
{
	struct lai_owner again;
	int error = lai_owner_read(pid, &again);

	if (error)
		return error;
	for (size_t i = 0; i < count->owner->tcp_count; i++)
		if (!count->seen[i] &&
		    lai_owner_has(again.tcp_inodes, again.tcp_count, count->owner->tcp_inodes[i]))
			count->census.by_state[LAI_TCP_CLOSE]++;
	lai_owner_done(&again);
	return 0;
}

int lai_census_of_process(pid_t pid, struct lai_census *census)
{
	struct lai_owner owner = {0};
	struct process_count count = {.owner = &owner};
	int error = namespace_check(pid);

	if (!error)
		error = lai_owner_read(pid, &owner);
	if (error)
		return error;
	count.census.fds = owner.fds;
	count.seen = calloc(owner.tcp_count + 1, sizeof(*count.seen));
	error = count.seen ? lai_sockdiag_dump(LAI_SOCKDIAG_ALL, process_each, &count) : -ENOMEM;
	if (!error)
		error = ghosts_count(pid, &count);
	if (!error)
		*census = count.census;
	free(count.seen);
	lai_owner_done(&owner);
	return error;
}

struct port_count {
	uint16_t local_port, remote_port;
	struct lai_census census;
};

static int port_each(void *arg, const struct lai_socket_fact *fact)
{
	struct port_count *count = arg;

	if ((count->local_port && count->local_port != lai_address_port(&fact->local)) ||
	    (count->remote_port && count->remote_port != lai_address_port(&fact->remote)))
		return 0;
	count->census.by_state[fact->state]++;
	count->census.fds += fact->inode != 0;
	return 0;
}

int lai_census_of_port(uint16_t local_port, uint16_t remote_port, struct lai_census *census)
{
	struct port_count count = {.local_port = local_port, .remote_port = remote_port};
	int error = lai_sockdiag_dump(LAI_SOCKDIAG_ALL, port_each, &count);

	if (!error)
		*census = count.census;
	return error;
}
