/* SPDX-License-Identifier: MIT */
/*
 * process.h - what /proc tells about one process, its threads, and what they wait for.
 *
 * Each function may meet a process that ends under its hands: -ESRCH. -EACCES: another user's, or
 * hidden (hidepid). -ENOMEM.
 */
#ifndef LAI_OBSERVE_PROCESS_H
#define LAI_OBSERVE_PROCESS_H

#include "observe/facts.h"

/* Everything but fd_count, fds_seen, detailed, rings. Fields that may not be read stay 0. */
int lai_process_read(pid_t pid, struct lai_process *process);
void lai_process_done(struct lai_process *process);

/* The start time alone, to tell whether a pid is still the same process. */
int lai_process_start(pid_t pid, uint64_t *start_ticks);

/* Appends to an array of *count that grows by realloc; wait, fd and fd_inode are filled as far as
   permitted (/proc/PID/task/TID/syscall needs PTRACE_MODE_ATTACH). */
int lai_threads_read(pid_t pid, struct lai_thread **threads, size_t *count);

/* What a system call with these arguments waits for; *fd is its descriptor or -1. Pure. */
enum lai_wait lai_wait_of_call(int call, uint64_t first_argument, int32_t *fd);

#endif
