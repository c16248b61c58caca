/* SPDX-License-Identifier: MIT */
/*
 * process.h - what /proc tells about one process, its threads, and what they wait for.
 *
 * Each function may meet a process that ends under its hands: -ESRCH. -EACCES: another user's, or
 * hidden (hidepid). -ENOMEM. Or a negative errno of open(): -EMFILE.
 *
 * Reading (process.c, thread.c) is apart from understanding: the parsers take any text, ended by
 * NUL, allocate nothing and are pure (process_parse.c, container.c, call.c).
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

/*
 * Appends to an array of *count that grows by realloc. 0; 1: appended, but what they wait for may
 * not be seen (/proc/PID/task/TID/syscall needs PTRACE_MODE_ATTACH): call is -1, and wait is what
 * state and place tell; -ESRCH, ... as above.
 */
int lai_threads_read(pid_t pid, struct lai_thread **threads, size_t *count);

/*
 * The system call of one thread, read again: is it still in the one it was in? Between reading its
 * arguments and what they point to it may have moved on.
 */
bool lai_thread_is_still(const struct lai_thread *thread);

/* --- pure --- */

/* What of /proc/PID/stat, or of a thread's, matters. */
struct lai_process_stat {
	char comm[LAI_COMM_MAX]; /* bytes as they are, cut */
	char state;
	pid_t parent;
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

/*
 * The name of the container that a cgroup's path belongs to, "" if it belongs to none: the
 * innermost one, "docker:", "podman:", "containerd:", "cri-o:", "kubepods:" or "container:" (a
 * runtime that the path does not name) with 12 digits of the id; "lxc:" or "nspawn:" with a name.
 * What watches over a container (conmon, lxc.monitor) is not inside it.
 */
void lai_process_container(const char *path, char *name, size_t size);

/* One system call as /proc/PID/syscall tells it. */
struct lai_call {
	int32_t number; /* -1: in none (a page fault), or of a program with other numbers */
	uint64_t arguments[3];
	bool running;
};

/* False: it is no such text. A 32-bit program has other numbers than ours: number is -1 then. */
bool lai_call_parse(const char *text, struct lai_call *call);

/* What a system call with these arguments waits for; *fd is its descriptor or -1. */
enum lai_wait lai_wait_of_call(int call, uint64_t first_argument, int32_t *fd);

/* What a thread waits for that sleeps in this function of the kernel (wchan); LAI_WAIT_UNKNOWN for
   most: the names differ between kernels, and several calls share one. */
enum lai_wait lai_wait_of_place(const char *place);

#endif
