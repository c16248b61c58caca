/* SPDX-License-Identifier: MIT */
/* thread.c - the threads of a process, what each waits for, and on which socket. */
#include "observe/thread.h"

#include "base/text.h"
#include "observe/process.h"
#include "observe/procfs.h"
#include "observe/rows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_BYTES 4096 /* of stat; syscall and wchan are shorter */

/* task/TID/FILE below the process's directory. */
static ssize_t peek(int directory, pid_t tid, const char *file, char text[FILE_BYTES])
{
	char name[LAI_PROCFS_NAME_MAX];

	(void)snprintf(name, sizeof(name), "task/%d/%s", (int)tid, file);
	return lai_procfs_peek(directory, name, text, FILE_BYTES);
}

static int read_stat(int directory, struct lai_thread *thread)
{
	struct lai_process_stat stat;
	char text[FILE_BYTES];
	ssize_t length = peek(directory, thread->tid, "stat", text);

	if (length < 0)
		return (int)length;
	if (!lai_process_parse_stat(text, &stat))
		return -ESRCH;
	thread->state = stat.state;
	thread->cpu_ticks = stat.cpu_ticks;
	return 0;
}

/* "0": it does not sleep, or we may not see where. */
static void read_place(int directory, struct lai_thread *thread)
{
	char text[FILE_BYTES];

	if (peek(directory, thread->tid, "wchan", text) > 0 && strcmp(text, "0") != 0)
		(void)snprintf(thread->place, sizeof(thread->place), "%.*s",
			       (int)sizeof(thread->place) - 1, text);
}

/* 0; -ESRCH; -EACCES. */
static int read_call(int directory, pid_t tid, struct lai_call *call)
{
	char text[FILE_BYTES];
	ssize_t length = peek(directory, tid, "syscall", text);

	if (length < 0)
		return (int)length;
	return lai_call_parse(text, call) ? 0 : -ESRCH;
}

/* As this thread has it: it may have a table of descriptors of its own. 0: a socket; 1: none. */
static int read_socket(int directory, const struct lai_thread *thread, int32_t fd, uint64_t *inode)
{
	char name[LAI_PROCFS_NAME_MAX];

	(void)snprintf(name, sizeof(name), "task/%d/fd/%d", (int)thread->tid, fd);
	return lai_procfs_socket(directory, name, inode);
}

/* A splice has two ends, one of which is a pipe. It waits for the pipe if it sleeps there, and
   otherwise for the socket, reading if that is where it reads from. */
static void look_at_splice(int directory, struct lai_thread *thread)
{
	int32_t out = (int32_t)(uint32_t)thread->arguments[2];
	bool at_pipe = lai_wait_of_place(thread->place) == LAI_WAIT_FILE;
	bool from_socket = read_socket(directory, thread, thread->fd, &thread->fd_inode) == 0;

	if (from_socket && !at_pipe)
		return;
	thread->wait = LAI_WAIT_FILE;
	if (from_socket) {
		thread->fd = out;
		thread->fd_inode = 0;
	} else if (!at_pipe && read_socket(directory, thread, out, &thread->fd_inode) == 0) {
		thread->wait = LAI_WAIT_WRITE;
		thread->fd = out;
	}
}

static void look_at_fd(int directory, struct lai_thread *thread)
{
	int kind;

	if (thread->fd < 0)
		return;
	if (thread->call == SYS_splice) {
		look_at_splice(directory, thread);
		return;
	}
	kind = read_socket(directory, thread, thread->fd, &thread->fd_inode);
	if (kind == 1 && (thread->wait == LAI_WAIT_READ || thread->wait == LAI_WAIT_WRITE))
		thread->wait = LAI_WAIT_FILE;
}

static void take_call(struct lai_thread *thread, const struct lai_call *call)
{
	thread->call = call->number;
	memcpy(thread->arguments, call->arguments, sizeof(thread->arguments));
	thread->wait = lai_wait_of_call(call->number, call->arguments[0], &thread->fd);
	/* A restarted call has the arguments of what it was, and sleeps where that slept. */
	if (call->number == SYS_restart_syscall || thread->wait == LAI_WAIT_UNKNOWN) {
		enum lai_wait at = lai_wait_of_place(thread->place);

		if (at != LAI_WAIT_UNKNOWN)
			thread->wait = at;
	}
}

/* The call was read after the state, so it is the later truth, but for a thread that is stopped. */
static int read_wait(int directory, struct lai_thread *thread)
{
	struct lai_call call = {.number = -1};
	int error = 0;

	if (thread->state == 'Z' || thread->state == 'X')
		return 0;
	error = read_call(directory, thread->tid, &call);
	if (error && error != -EACCES)
		return error;
	take_call(thread, &call);
	look_at_fd(directory, thread);
	if (thread->state == 'T' || thread->state == 't')
		thread->wait = LAI_WAIT_STOPPED;
	else if (call.running || (error && thread->state == 'R'))
		thread->wait = LAI_WAIT_RUNNING;
	return error;
}

/* 0; 1: its call may not be seen; -ESRCH: it has ended. */
static int read_thread(int directory, struct lai_thread *thread)
{
	int error = read_stat(directory, thread);

	if (error)
		return error;
	read_place(directory, thread);
	error = read_wait(directory, thread);
	return error == -EACCES ? 1 : error;
}

/* Every number in task/. 0, 1 or an error as of lai_threads_read(). */
static int read_all(int directory, DIR *tasks, pid_t pid, struct lai_rows *rows)
{
	struct dirent *entry;
	int result = 0;
	uint32_t tid;

	while ((errno = 0, entry = readdir(tasks))) {
		struct lai_thread thread = {.pid = pid, .fd = -1, .call = -1};
		int error;

		if (!lai_number_parse(entry->d_name, &tid))
			continue;
		thread.tid = (pid_t)tid;
		error = read_thread(directory, &thread);
		if (error == -ESRCH) /* the thread alone, maybe */
			continue;
		if (error == 1)
			result = 1;
		else if (error)
			return error;
		error = lai_rows_add(rows, &thread);
		if (error)
			return error;
	}
	if (errno)
		return lai_procfs_error(errno);
	return rows->count > 0 ? result : -ESRCH;
}

int lai_threads_read(pid_t pid, struct lai_thread **threads, size_t *count)
{
	struct lai_rows rows = LAI_ROWS_INIT(struct lai_thread);
	int directory = lai_procfs_open(pid), result;
	DIR *tasks;

	if (directory < 0)
		return directory;
	tasks = lai_procfs_list(directory, "task");
	result = tasks ? read_all(directory, tasks, pid, &rows) : lai_procfs_error(errno);
	if (result >= 0 && lai_rows_join(&rows, threads, count) != 0)
		result = -ENOMEM;
	lai_rows_done(&rows);
	if (tasks)
		(void)closedir(tasks);
	(void)close(directory);
	return result;
}

bool lai_thread_is_still(const struct lai_thread *thread)
{
	int directory = lai_procfs_open(thread->pid);
	struct lai_call call;
	bool same;

	if (directory < 0)
		return false;
	same = read_call(directory, thread->tid, &call) == 0 && call.number == thread->call &&
	       memcmp(call.arguments, thread->arguments, sizeof(call.arguments)) == 0;
	(void)close(directory);
	return same;
}
