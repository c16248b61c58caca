/* SPDX-License-Identifier: MIT */
/* facts.c - what facts alone tell. Pure, so that the judge's tests need nothing else. */
#include "observe/facts.h"

#include <stdlib.h>

bool lai_socket_is_suspect(const struct lai_socket_fact *socket)
{
	switch (socket->state) {
	case LAI_TCP_CLOSE_WAIT: return true;
	case LAI_TCP_FIN_WAIT2: return socket->inode != 0;
	case LAI_TCP_CLOSE: return socket->inode != 0 && socket->past != LAI_PAST_NONE;
	default: return false;
	}
}

bool lai_socket_is_unheld(const struct lai_socket_fact *socket)
{
	return socket->inode != 0 && socket->holder_count == 0 && socket->state != LAI_TCP_CLOSE &&
	       socket->state != LAI_TCP_LISTEN && socket->state != LAI_TCP_BOUND_INACTIVE;
}

static int pid_compare(const void *key, const void *element)
{
	pid_t pid = *(const pid_t *)key, other = ((const struct lai_process *)element)->pid;

	return (pid > other) - (pid < other);
}

const struct lai_process *lai_snapshot_process(const struct lai_snapshot *snapshot, pid_t pid)
{
	if (snapshot->process_count == 0)
		return NULL;
	return bsearch(&pid, snapshot->processes, snapshot->process_count,
		       sizeof(*snapshot->processes), pid_compare);
}
