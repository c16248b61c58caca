/* SPDX-License-Identifier: MIT */
/*
 * process.h - what /proc tells about one process.
 *
 * Each function may meet a process that ends under its hands: -ESRCH. -EACCES: another user's, or
 * hidden (hidepid). -ENOMEM. Or a negative errno of open(): -EMFILE.
 *
 * Reading (process.c) is apart from understanding: the parsers take any text, ended by NUL,
 * allocate nothing and are pure (process_parse.c).
 */
#ifndef LAI_OBSERVE_PROCESS_H
#define LAI_OBSERVE_PROCESS_H

#include "observe/facts.h"

/* A command line is cut here: class paths of Java run to 100 kB, and nobody reads them. */
#define LAI_COMMAND_LINE_MAX 4096

/* Everything but fd_count, fds_seen, detailed, rings, which become 0. Fields that may not be read
   stay 0. command_line and cgroup are the caller's, for lai_process_done(). */
int lai_process_read(pid_t pid, struct lai_process *process);
void lai_process_done(struct lai_process *process);

/* The start time alone, to tell whether a pid is still the same process. */
int lai_process_start(pid_t pid, uint64_t *start_ticks);

/* --- pure --- */

/* What of /proc/PID/stat, or of a thread's, matters. */
struct lai_process_stat {
	char comm[LAI_COMM_MAX]; /* bytes as they are, cut */
	char state;
	pid_t parent;
	bool kernels; /* a thread of the kernel, which is no process */
	uint32_t threads;
	uint64_t cpu_ticks;
	uint64_t start_ticks;
};

/* False: it is no such text, and *stat is untouched. */
bool lai_process_parse_stat(const char *text, struct lai_process_stat *stat);

/* The soft limit "Max open files" of /proc/PID/limits; UINT32_MAX: unlimited. 0: not there. */
uint32_t lai_process_parse_fd_limit(const char *text);

/*
 * Where the path begins that /proc/PID/cgroup tells, and its length: that of cgroup v2, or of the
 * first hierarchy of v1 whose path is not "/", since with both mounted v2's may be "/". NULL: none.
 */
const char *lai_process_parse_cgroup(const char *text, size_t *length);

/* Ends the arguments' text: their NULs become spaces, those at the end go. Returns the length. */
size_t lai_process_parse_command_line(char *text, size_t length);

#endif
