/* SPDX-License-Identifier: MIT */
/*
 * thread.h - the threads of a process, and what each waits for.
 *
 * A process may end under one's hands: -ESRCH. -EACCES: another user's, or hidden (hidepid).
 * -ENOMEM. Or a negative errno of open(): -EMFILE.
 */
#ifndef LAI_OBSERVE_THREAD_H
#define LAI_OBSERVE_THREAD_H

#include "observe/facts.h"

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

/* --- pure, call.c: any text ended by NUL --- */

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
