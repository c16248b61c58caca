/* SPDX-License-Identifier: MIT */
/* facts.c - looking things up in a snapshot. Pure, so that the judge's tests need nothing else. */
#include "observe/facts.h"

#include <stdlib.h>

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
