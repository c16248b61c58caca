/* SPDX-License-Identifier: MIT */
/* watch.c - the rows of epoll sets, and the arrays that poll() and select() were given. */
#include "observe/watch.h"

#include "observe/thread.h"
#include "observe/procfs.h"
#include "observe/rows.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* As many descriptors as a process can have by default (fs.nr_open); also what is read at most. */
#define POLL_MAX (1u << 20)
#define WORD_BITS (8 * sizeof(unsigned long))

/* --- epoll --- */

/* The one file system that all sockets are on, in every network namespace. */
static int sockfs_device(dev_t *device)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct stat status;
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) == 0)
		*device = status.st_dev;
	else
		error = -errno;
	(void)close(fd);
	return error;
}

static int take_rows(const char *text, pid_t pid, int32_t epoll_fd, struct lai_rows *rows)
{
	dev_t sockets = 0, device;
	int error = sockfs_device(&sockets);

	while (!error && *text) {
		struct lai_watch watch = {.pid = pid, .set_fd = epoll_fd};

		if (lai_watch_parse(text, &watch, &device) && device == sockets)
			error = lai_rows_add(rows, &watch);
		text = strchrnul(text, '\n');
		text += *text == '\n';
	}
	return error;
}

int lai_watches_of_epoll(pid_t pid, int32_t epoll_fd, struct lai_watch **watches, size_t *count)
{
	struct lai_rows rows = LAI_ROWS_INIT(struct lai_watch);
	char name[LAI_PROCFS_NAME_MAX], *text = NULL;
	int directory = lai_procfs_open_files(pid), error;
	size_t size;

	if (directory < 0)
		return directory;
	(void)snprintf(name, sizeof(name), "fdinfo/%d", epoll_fd);
	error = lai_procfs_read(directory, name, &text, &size);
	if (!error)
		error = take_rows(text, pid, epoll_fd, &rows);
	else if (error == -ESRCH && lai_procfs_exists(directory))
		error = 0; /* the descriptor alone is gone */
	if (!error)
		error = lai_rows_join(&rows, watches, count);
	lai_rows_done(&rows);
	free(text);
	(void)close(directory);
	return error;
}

/* --- poll and select --- */

/* What the thread waits for, as its arguments have it: a poll() goes on as restart_syscall after
   SIGCONT, with the same arguments. */
static bool is_poll(const struct lai_thread *thread)
{
	switch (thread->call) {
	case SYS_ppoll: return true;
#ifdef SYS_poll
	case SYS_poll: return true;
#endif
	case SYS_restart_syscall: return thread->wait == LAI_WAIT_EVENTS;
	default: return false;
	}
}

static bool is_select(const struct lai_thread *thread)
{
	switch (thread->call) {
	case SYS_pselect6: return true;
#ifdef SYS_select
	case SYS_select: return true;
#endif
	default: return false;
	}
}

/* Reads exactly size bytes of the thread's memory. -EFAULT: they are not all there. */
static int read_memory(pid_t tid, uint64_t address, void *buffer, size_t size)
{
	struct iovec here = {.iov_base = buffer, .iov_len = size};
	struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};
	ssize_t got = process_vm_readv(tid, &here, 1, &there, 1, 0);

	if (got < 0)
		return lai_procfs_error(errno);
	return (size_t)got == size ? 0 : -EFAULT;
}

/* Where one thread's rows go. */
struct polled {
	const struct lai_thread *thread;
	int directory;
	struct lai_rows rows;
};

/* A descriptor that is a socket gets a row. */
static int add_polled(struct polled *polled, int32_t fd, uint32_t events)
{
	struct lai_watch watch = {
		.pid = polled->thread->pid, .set_fd = -1, .fd = fd, .events = events};
	char name[LAI_PROCFS_NAME_MAX];
	int error;

	(void)snprintf(name, sizeof(name), "task/%d/fd/%d", (int)polled->thread->tid, fd);
	error = lai_procfs_socket(polled->directory, name, &watch.inode);
	if (error == 1 || error == -ESRCH)
		return 0;
	return error ? error : lai_rows_add(&polled->rows, &watch);
}

static int read_pollfds(struct polled *polled)
{
	const struct lai_thread *thread = polled->thread;
	size_t count = (uint32_t)thread->arguments[1];
	struct pollfd *list;
	int error;

	if (count == 0 || count > POLL_MAX)
		return 0;
	list = calloc(count, sizeof(*list));
	if (!list)
		return -ENOMEM;
	error = read_memory(thread->tid, thread->arguments[0], list, count * sizeof(*list));
	for (size_t i = 0; i < count && !error; i++)
		if (list[i].fd >= 0)
			error = add_polled(polled, list[i].fd, (uint16_t)list[i].events);
	free(list);
	return error;
}

static bool has_bit(const unsigned long *set, size_t bit)
{
	return set[bit / WORD_BITS] >> (bit % WORD_BITS) & 1;
}

/* One of select()'s sets; an address of 0 is an empty one. */
static int read_set(const struct lai_thread *thread, uint64_t address, unsigned long *set,
		    size_t words)
{
	return address ? read_memory(thread->tid, address, set, words * sizeof(*set)) : 0;
}

static int read_fd_sets(struct polled *polled)
{
	const struct lai_thread *thread = polled->thread;
	size_t count = (uint32_t)thread->arguments[0];
	size_t words = (count + WORD_BITS - 1) / WORD_BITS;
	unsigned long *sets;
	int error;

	if (count == 0 || count > POLL_MAX)
		return 0;
	sets = calloc(2 * words, sizeof(*sets));
	if (!sets)
		return -ENOMEM;
	error = read_set(thread, thread->arguments[1], sets, words);
	if (!error)
		error = read_set(thread, thread->arguments[2], sets + words, words);
	for (size_t fd = 0; fd < count && !error; fd++) {
		uint32_t events = (has_bit(sets, fd) ? EPOLLIN : 0u) |
				  (has_bit(sets + words, fd) ? EPOLLOUT : 0u);

		if (events)
			error = add_polled(polled, (int32_t)fd, events);
	}
	free(sets);
	return error;
}

int lai_watches_of_poll(const struct lai_thread *thread, struct lai_watch **watches, size_t *count)
{
	struct polled polled = {.thread = thread, .rows = LAI_ROWS_INIT(struct lai_watch)};
	bool is_array = is_poll(thread);
	int error;

	if (!is_array && !is_select(thread))
		return 0;
	polled.directory = lai_procfs_open(thread->pid);
	if (polled.directory < 0)
		return polled.directory;
	error = is_array ? read_pollfds(&polled) : read_fd_sets(&polled);
	/* What it has been told meanwhile overwrites the arrays, and it may have freed them. */
	if (error == -EFAULT || (!error && !lai_thread_is_still(thread))) {
		lai_rows_done(&polled.rows);
		error = 0;
	}
	if (!error)
		error = lai_rows_join(&polled.rows, watches, count);
	lai_rows_done(&polled.rows);
	(void)close(polled.directory);
	return error;
}
