/* SPDX-License-Identifier: MIT */
/*
 * call.c - what a thread waits for, told by its system call or by the place where it sleeps.
 *
 * Two sources, since the first needs more privilege: /proc/PID/task/TID/syscall has the number and
 * the arguments; wchan has the name of a kernel function, which differs between kernels and
 * compilers. Pure, both of them.
 */
#include "observe/thread.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* Numbers that these headers may lack; they are the same for all architectures. */
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_futex_wait
#define SYS_futex_wait 455
#endif

/* Whether the first argument is a descriptor that it waits for. */
enum { NO_FD, FD };

static const struct row {
	int call;
	enum lai_wait wait;
	int has_fd;
} rows[] = {
	{SYS_futex, LAI_WAIT_LOCK, NO_FD},
	{SYS_futex_waitv, LAI_WAIT_LOCK, NO_FD},
	{SYS_futex_wait, LAI_WAIT_LOCK, NO_FD},
	{SYS_semtimedop, LAI_WAIT_LOCK, NO_FD},
	{SYS_semop, LAI_WAIT_LOCK, NO_FD},

	{SYS_read, LAI_WAIT_READ, FD},
	{SYS_readv, LAI_WAIT_READ, FD},
	{SYS_pread64, LAI_WAIT_READ, FD},
	{SYS_preadv, LAI_WAIT_READ, FD},
	{SYS_preadv2, LAI_WAIT_READ, FD},
	{SYS_recvfrom, LAI_WAIT_READ, FD},
	{SYS_recvmsg, LAI_WAIT_READ, FD},
	{SYS_recvmmsg, LAI_WAIT_READ, FD},
	{SYS_splice, LAI_WAIT_READ, FD}, /* or the third argument's: thread.c looks which */
	{SYS_tee, LAI_WAIT_FILE, FD},

	{SYS_write, LAI_WAIT_WRITE, FD},
	{SYS_writev, LAI_WAIT_WRITE, FD},
	{SYS_pwrite64, LAI_WAIT_WRITE, FD},
	{SYS_pwritev, LAI_WAIT_WRITE, FD},
	{SYS_pwritev2, LAI_WAIT_WRITE, FD},
	{SYS_sendto, LAI_WAIT_WRITE, FD},
	{SYS_sendmsg, LAI_WAIT_WRITE, FD},
	{SYS_sendmmsg, LAI_WAIT_WRITE, FD},
	{SYS_sendfile, LAI_WAIT_WRITE, FD}, /* the first is where to; where from is a file */
	{SYS_vmsplice, LAI_WAIT_FILE, FD},

	{SYS_accept, LAI_WAIT_ACCEPT, FD},
	{SYS_accept4, LAI_WAIT_ACCEPT, FD},
	{SYS_connect, LAI_WAIT_CONNECT, FD},

	{SYS_epoll_pwait, LAI_WAIT_EVENTS, FD},
	{SYS_epoll_pwait2, LAI_WAIT_EVENTS, FD},
	{SYS_ppoll, LAI_WAIT_EVENTS, NO_FD},
	{SYS_pselect6, LAI_WAIT_EVENTS, NO_FD},
	{SYS_io_uring_enter, LAI_WAIT_EVENTS, FD},
#ifdef SYS_poll /* older architectures have these as well */
	{SYS_poll, LAI_WAIT_EVENTS, NO_FD},
	{SYS_select, LAI_WAIT_EVENTS, NO_FD},
	{SYS_epoll_wait, LAI_WAIT_EVENTS, FD},
	{SYS_pause, LAI_WAIT_SLEEP, NO_FD},
	{SYS_open, LAI_WAIT_FILE, NO_FD},
	{SYS_creat, LAI_WAIT_FILE, NO_FD},
	{SYS_stat, LAI_WAIT_FILE, NO_FD},
	{SYS_lstat, LAI_WAIT_FILE, NO_FD},
	{SYS_unlink, LAI_WAIT_FILE, NO_FD},
	{SYS_rename, LAI_WAIT_FILE, NO_FD},
	{SYS_getdents, LAI_WAIT_FILE, FD},
#endif

	{SYS_nanosleep, LAI_WAIT_SLEEP, NO_FD},
	{SYS_clock_nanosleep, LAI_WAIT_SLEEP, NO_FD},
	{SYS_rt_sigsuspend, LAI_WAIT_SLEEP, NO_FD},
	{SYS_rt_sigtimedwait, LAI_WAIT_SLEEP, NO_FD},
	/* After SIGSTOP and SIGCONT a sleep goes on as this; so does poll(), see wait_of_place. */
	{SYS_restart_syscall, LAI_WAIT_SLEEP, NO_FD},

	{SYS_wait4, LAI_WAIT_CHILD, NO_FD},
	{SYS_waitid, LAI_WAIT_CHILD, NO_FD},

	{SYS_fsync, LAI_WAIT_FILE, FD},
	{SYS_fdatasync, LAI_WAIT_FILE, FD},
	{SYS_sync_file_range, LAI_WAIT_FILE, FD},
	{SYS_syncfs, LAI_WAIT_FILE, FD},
	{SYS_sync, LAI_WAIT_FILE, NO_FD},
	{SYS_msync, LAI_WAIT_FILE, NO_FD},
	{SYS_flock, LAI_WAIT_FILE, FD},
	{SYS_fcntl, LAI_WAIT_FILE, FD}, /* F_SETLKW; nothing else of it waits */
	{SYS_ftruncate, LAI_WAIT_FILE, FD},
	{SYS_fallocate, LAI_WAIT_FILE, FD},
	{SYS_copy_file_range, LAI_WAIT_FILE, FD},
	{SYS_getdents64, LAI_WAIT_FILE, FD},
	{SYS_fstat, LAI_WAIT_FILE, FD},
	{SYS_newfstatat, LAI_WAIT_FILE, NO_FD},
	{SYS_statx, LAI_WAIT_FILE, NO_FD},
	{SYS_openat, LAI_WAIT_FILE, NO_FD},
	{SYS_openat2, LAI_WAIT_FILE, NO_FD},
	{SYS_unlinkat, LAI_WAIT_FILE, NO_FD},
	{SYS_renameat2, LAI_WAIT_FILE, NO_FD},
	{SYS_io_getevents, LAI_WAIT_FILE, NO_FD},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

enum lai_wait lai_wait_of_call(int call, uint64_t first_argument, int32_t *fd)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (rows[i].call != call)
			continue;
		/* The kernel takes the lower half alone, so whatever stands above is no matter. */
		*fd = rows[i].has_fd ? (int32_t)(uint32_t)first_argument : -1;
		return rows[i].wait;
	}
	*fd = -1;
	return LAI_WAIT_UNKNOWN;
}

/* Beginnings of names, as compilers append ".constprop.0" and kernels "_queue". Only functions that
   serve one purpose; wait_woken and schedule_timeout serve many. */
static const struct {
	const char *begin;
	enum lai_wait wait;
} places[] = {
	{"futex_", LAI_WAIT_LOCK},
	{"do_semtimedop", LAI_WAIT_LOCK},
	{"ep_poll", LAI_WAIT_EVENTS},
	{"do_epoll_", LAI_WAIT_EVENTS},
	{"poll_schedule_timeout", LAI_WAIT_EVENTS},
	{"do_poll", LAI_WAIT_EVENTS},
	{"do_sys_poll", LAI_WAIT_EVENTS},
	{"do_select", LAI_WAIT_EVENTS},
	{"io_cqring_wait", LAI_WAIT_EVENTS},
	{"inet_csk_accept", LAI_WAIT_ACCEPT},
	{"inet_csk_wait_for_connect", LAI_WAIT_ACCEPT},
	{"sk_wait_data", LAI_WAIT_READ},
	{"unix_stream_read_generic", LAI_WAIT_READ},
	{"unix_stream_data_wait", LAI_WAIT_READ},
	{"__skb_wait_for_more_packets", LAI_WAIT_READ},
	{"sk_stream_wait_memory", LAI_WAIT_WRITE},
	{"sock_alloc_send_pskb", LAI_WAIT_WRITE},
	{"inet_wait_for_connect", LAI_WAIT_CONNECT},
	{"hrtimer_nanosleep", LAI_WAIT_SLEEP},
	{"do_nanosleep", LAI_WAIT_SLEEP},
	{"__do_sys_pause", LAI_WAIT_SLEEP},
	{"sigsuspend", LAI_WAIT_SLEEP},
	{"do_sigtimedwait", LAI_WAIT_SLEEP},
	{"do_wait", LAI_WAIT_CHILD},
	{"pipe_", LAI_WAIT_FILE},
	{"anon_pipe_", LAI_WAIT_FILE},
	{"fifo_pipe_", LAI_WAIT_FILE},
	{"locks_lock_inode_wait", LAI_WAIT_FILE},
};

#define PLACE_COUNT (sizeof(places) / sizeof(places[0]))

enum lai_wait lai_wait_of_place(const char *place)
{
	for (size_t i = 0; i < PLACE_COUNT; i++)
		if (strncmp(place, places[i].begin, strlen(places[i].begin)) == 0)
			return places[i].wait;
	return LAI_WAIT_UNKNOWN;
}

/* The next number of the line; *at goes behind it. */
static bool next_number(const char **at, int base, long long unsigned *value)
{
	char *end;

	*value = strtoull(*at, &end, base);
	if (end == *at)
		return false;
	*at = end;
	return true;
}

/* "NUMBER ARGUMENT*6 STACK PLACE", "-1 STACK PLACE" or "running". */
#define ARGUMENTS 6

bool lai_call_parse(const char *text, struct lai_call *call)
{
	unsigned long long number, values[ARGUMENTS + 2] = {0};
	struct lai_call result = {.number = -1};

	if (strncmp(text, "running", strlen("running")) == 0) {
		result.running = true;
		*call = result;
		return true;
	}
	if (!next_number(&text, 10, &number))
		return false;
	for (size_t i = 0; i < (number == -1ull ? 2 : ARGUMENTS + 2); i++)
		if (!next_number(&text, 16, &values[i]))
			return false;
	/* Stack and code both below 4 GiB: a 32-bit program on a 64-bit kernel. */
	if (number <= INT32_MAX &&
	    (sizeof(long) == 4 || (values[ARGUMENTS] | values[ARGUMENTS + 1]) > UINT32_MAX)) {
		result.number = (int32_t)number;
		for (size_t i = 0; i < sizeof(result.arguments) / sizeof(uint64_t); i++)
			result.arguments[i] = values[i];
	}
	*call = result;
	return true;
}
