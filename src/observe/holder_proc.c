/* SPDX-License-Identifier: MIT */
/*
 * holder_proc.c - finds holders by /proc/PID/fd, and /proc/PID/task/TID/fd of those threads that
 * have left their process's table: unshare(CLONE_FILES), or a leader that has ended before the
 * others.
 */
#include "base/text.h"
#include "observe/descriptor.h"
#include "observe/holder_inside.h"
#include "observe/process.h"
#include "observe/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_BYTES 48	/* "PID/task/TID/fd" with two numbers of 10 digits */
#define STAT_BYTES 4096 /* a name of 64 bytes at most and 50 numbers */
#define LINKS_OF_TASK 2 /* st_nlink of /proc/PID/task, besides one for each thread */
#define INIT_PID 1
/* Threads of one process with tables of their own that are told from one another. */
#define TABLES_MAX 8

struct proc_walk {
	struct lai_holders_draft draft;
	int proc;	   /* /proc */
	bool ours;	   /* it numbers processes as system calls do */
	uint32_t self;	   /* our own id, which is costly to ask for each time */
	uint32_t pid;	   /* of the process in work */
	int directory;	   /* of the table in work */
	uint32_t fd_count; /* in that table */
};

static int descriptor_each(void *arg, const struct lai_descriptor *descriptor)
{
	struct proc_walk *walk = arg;
	const struct lai_holder holder = {
		.inode = descriptor->inode, .pid = walk->pid, .fd = descriptor->fd};

	/* What this very reading has opened. */
	if (walk->ours && walk->pid == walk->self &&
	    (descriptor->fd == (uint32_t)walk->proc || descriptor->fd == (uint32_t)walk->directory))
		return 0;
	walk->fd_count++;
	switch (descriptor->kind) {
	case LAI_DESCRIPTOR_SOCKET: return lai_holders_add(&walk->draft, &holder);
	case LAI_DESCRIPTOR_EPOLL:
		return lai_holders_add_set(&walk->draft, LAI_DESCRIPTOR_EPOLL, walk->pid,
					   descriptor->fd);
	case LAI_DESCRIPTOR_RING:
		return lai_holders_add_set(&walk->draft, LAI_DESCRIPTOR_RING, walk->pid,
					   descriptor->fd);
	case LAI_DESCRIPTOR_OTHER: break;
	}
	return 0;
}

static int directory_open(const struct proc_walk *walk, const char *path)
{
	int directory = openat(walk->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (directory >= 0)
		return directory;
	return errno == ENOENT ? -ESRCH : -errno;
}

/* Reads one table; its number of descriptors is walk->fd_count then. */
static int table_read(struct proc_walk *walk, const char *path)
{
	int error;

	walk->fd_count = 0;
	walk->directory = directory_open(walk, path);
	if (walk->directory < 0)
		return walk->directory;
	error = lai_descriptors_read(walk->directory, descriptor_each, walk);
	close(walk->directory);
	return error;
}

/* Tables seen in a process, each by a thread that has it. */
struct tables {
	uint32_t tids[TABLES_MAX];
	size_t count;
};

enum sameness {
	SAME,
	DIFFERENT,
	UNTOLD, /* kcmp(2) is not there or not permitted */
};

static enum sameness table_compare(const struct tables *tables, uint32_t tid)
{
	for (size_t i = 0; i < tables->count; i++) {
		long order = syscall(SYS_kcmp, tables->tids[i], tid, KCMP_FILES, 0, 0);

		if (order < 0)
			return UNTOLD;
		if (order == 0)
			return SAME;
	}
	return DIFFERENT;
}

/* Where it is untold the table is read, as repeats do no harm, but not counted. */
static int thread_read(struct proc_walk *walk, struct tables *tables, uint32_t tid)
{
	enum sameness same = walk->ours ? table_compare(tables, tid) : UNTOLD;
	char path[PATH_BYTES];
	int error;

	if (same == SAME)
		return 0;
	if (same == DIFFERENT && tables->count < TABLES_MAX)
		tables->tids[tables->count++] = tid;
	snprintf(path, sizeof(path), "%u/task/%u/fd", walk->pid, tid);
	error = table_read(walk, path);
	if (error == -ESRCH) /* the thread alone has ended */
		return 0;
	if (!error && same == DIFFERENT)
		error = lai_holders_add_read(&walk->draft, walk->pid, walk->fd_count);
	return error;
}

static int threads_read(struct proc_walk *walk)
{
	struct tables tables = {.tids = {walk->pid}, .count = 1};
	struct dirent *entry;
	char path[PATH_BYTES];
	int directory, error = 0;
	uint32_t tid;
	DIR *dir;

	snprintf(path, sizeof(path), "%u/task", walk->pid);
	directory = directory_open(walk, path);
	if (directory < 0)
		return directory;
	dir = fdopendir(directory);
	if (!dir) {
		close(directory);
		return -ENOMEM;
	}
	while (!error && (entry = readdir(dir)))
		if (lai_number_parse(entry->d_name, &tid) && tid != walk->pid)
			error = thread_read(walk, &tables, tid);
	closedir(dir);
	return error;
}

static bool has_threads(const struct proc_walk *walk)
{
	struct stat stat;
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%u/task", walk->pid);
	return fstatat(walk->proc, path, &stat, 0) == 0 && stat.st_nlink > LINKS_OF_TASK + 1;
}

enum nature {
	PROGRAM,
	ZOMBIE,
	KERNELS, /* a thread of the kernel: no process, and it has no descriptors */
	GONE,
};

static enum nature nature_read(const struct proc_walk *walk)
{
	char path[PATH_BYTES], text[STAT_BYTES];
	struct lai_process_stat facts;
	ssize_t length;

	snprintf(path, sizeof(path), "%u/stat", walk->pid);
	length = lai_procfs_peek(walk->proc, path, text, sizeof(text));
	if (length < 0)
		return length == -ESRCH ? GONE : PROGRAM;
	if (!lai_process_parse_stat(text, &facts))
		return GONE;
	if (facts.kernels)
		return KERNELS;
	return facts.state == 'Z' ? ZOMBIE : PROGRAM;
}

/* The process's own table, then those of threads that have others. */
static int tables_read(struct proc_walk *walk, uint32_t *fd_count, enum nature *nature)
{
	char path[PATH_BYTES];
	int error;

	snprintf(path, sizeof(path), "%u/fd", walk->pid);
	error = table_read(walk, path);
	*fd_count = walk->fd_count;
	/* A few have no descriptors, or none that we are shown. */
	*nature = *fd_count ? PROGRAM : nature_read(walk);
	if (*nature == ZOMBIE)
		error = 0;
	if (!error && *nature != KERNELS && has_threads(walk))
		error = threads_read(walk);
	return error;
}

/* 0, also if the process is gone or not to be seen. */
static int process_read(struct proc_walk *walk)
{
	struct lai_holders *found = &walk->draft.found;
	enum nature nature;
	uint32_t fd_count;
	int error = tables_read(walk, &fd_count, &nature);

	if (nature == KERNELS)
		return 0;
	found->processes++;
	if (!error)
		return lai_holders_add_read(&walk->draft, walk->pid, fd_count);
	if (error == -ESRCH || nature == GONE)
		found->vanished++;
	else if (error == -EACCES || error == -EPERM)
		lai_holders_add_unreadable(&walk->draft, walk->pid);
	else
		return error;
	return 0;
}

static int processes_read(struct proc_walk *walk, DIR *dir)
{
	struct dirent *entry;
	int error = 0;

	while (!error && (errno = 0, entry = readdir(dir))) {
		if (!lai_number_parse(entry->d_name, &walk->pid))
			continue;
		walk->draft.init_seen = walk->draft.init_seen || walk->pid == INIT_PID;
		error = process_read(walk);
	}
	if (!error && errno)
		error = -errno;
	return error;
}

int lai_holders_read_proc(struct lai_holders *holders)
{
	struct proc_walk walk = {0};
	int ours = lai_procfs_is_ours(), error;
	DIR *dir;

	if (ours < 0)
		return ours;
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	walk.proc = dirfd(dir);
	walk.ours = ours;
	walk.self = (uint32_t)getpid();
	error = processes_read(&walk, dir);
	closedir(dir);
	if (!error)
		error = lai_holders_finish(&walk.draft, holders);
	lai_holders_done(&walk.draft.found);
	return error;
}
