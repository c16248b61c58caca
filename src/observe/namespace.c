/* SPDX-License-Identifier: MIT */
/*
 * namespace.c - finds network namespaces by the files that lead to them.
 *
 * A namespace has no list and no name of its own: it is an inode of the nsfs file system, reached
 * by /proc/PID/ns/net of a process in it or by a bind mount, which is what a name in /run/netns is.
 * Two paths lead to the same namespace if device and inode are the same.
 */
#include "observe/namespace.h"

#include "base/text.h"
#include "observe/process.h"
#include "observe/procfs.h"
#include "observe/rows.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUR_PATH "/proc/thread-self/ns/net"
#define NAMES_FOLDER "/run/netns"

#define STAT_BYTES 4096 /* of /proc/PID/stat: a name of 64 bytes and 50 numbers */

struct list {
	struct lai_namespace *entries;
	size_t count, room;
	dev_t nsfs;
};

static struct lai_namespace *list_find(struct list *list, uint64_t inode)
{
	/* Neighbours in /proc are often in the same namespace: the last one found comes first. */
	for (size_t i = list->count; i-- > 0;)
		if (list->entries[i].inode == inode)
			return &list->entries[i];
	return NULL;
}

static struct lai_namespace *list_add(struct list *list, uint64_t inode)
{
	struct lai_namespace *entries =
		lai_rows_grow(list->entries, list->count, &list->room, sizeof(*entries));

	if (!entries)
		return NULL;
	list->entries = entries;
	list->entries[list->count] = (struct lai_namespace){.inode = inode};
	return &list->entries[list->count++];
}

static int list_ours(struct list *list)
{
	struct lai_namespace *ours;
	struct stat stat_ours;

	if (stat(OUR_PATH, &stat_ours) < 0)
		return -errno;
	list->nsfs = stat_ours.st_dev;
	ours = list_add(list, stat_ours.st_ino);
	if (!ours)
		return -ENOMEM;
	ours->ours = true;
	memcpy(ours->path, OUR_PATH, sizeof(OUR_PATH));
	return 0;
}

/* The namespace that this path leads to, as an entry of the list. 0 also if it leads to none or is
   gone; -EACCES: it may not be seen; -ENOMEM. */
static int list_path(struct list *list, const char *path, const char *name)
{
	struct lai_namespace *entry;
	struct stat stat_path;

	if (stat(path, &stat_path) < 0)
		return errno == EACCES || errno == EPERM ? -EACCES : 0;
	if (stat_path.st_dev != list->nsfs)
		return 0;
	entry = list_find(list, stat_path.st_ino);
	if (!entry) {
		entry = list_add(list, stat_path.st_ino);
		if (!entry)
			return -ENOMEM;
		(void)snprintf(entry->path, sizeof(entry->path), "%s", path);
	}
	if (name && !entry->name[0])
		(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
	return 0;
}

/* Names first, as the better path of two: a process ends, a name rarely goes. */
static int list_names(struct list *list)
{
	char path[sizeof(list->entries->path)];
	struct dirent *entry;
	DIR *folder = opendir(NAMES_FOLDER);
	int error = 0;

	if (!folder) /* it comes into being with the first name */
		return 0;
	while (!error && (entry = readdir(folder))) {
		int length = snprintf(path, sizeof(path), "%s/%s", NAMES_FOLDER, entry->d_name);

		/* A longer name cannot be kept; a process will lead to that namespace. */
		if (length > 0 && (size_t)length < sizeof(path) &&
		    list_path(list, path, entry->d_name) == -ENOMEM)
			error = -ENOMEM;
	}
	(void)closedir(folder);
	return error;
}

static bool is_of_the_kernel(DIR *proc, uint32_t pid)
{
	char name[LAI_PROCFS_NAME_MAX], text[STAT_BYTES];
	struct lai_process_stat facts;

	(void)snprintf(name, sizeof(name), "%" PRIu32 "/stat", pid);
	return lai_procfs_peek(dirfd(proc), name, text, sizeof(text)) > 0 &&
	       lai_process_parse_stat(text, &facts) && facts.kernels;
}

static int list_processes(struct list *list, uint32_t *unplaced)
{
	char path[sizeof(list->entries->path)];
	struct dirent *entry;
	DIR *folder = opendir("/proc");
	uint32_t pid;
	int error = 0;

	if (!folder)
		return -errno;
	while (!error && (entry = readdir(folder))) {
		if (!lai_number_parse(entry->d_name, &pid))
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%" PRIu32 "/ns/net", pid);
		error = list_path(list, path, NULL);
		if (error == -EACCES) {
			*unplaced += !is_of_the_kernel(folder, pid);
			error = 0;
		}
	}
	(void)closedir(folder);
	return error;
}

int lai_namespaces_list(bool all, struct lai_namespace **entries, size_t *count, uint32_t *unplaced)
{
	struct list list = {0};
	uint32_t hidden = 0;
	int error = list_ours(&list);

	if (!error && all)
		error = list_names(&list);
	if (!error && all)
		error = list_processes(&list, &hidden);
	if (error) {
		free(list.entries);
		return error;
	}
	*entries = list.entries;
	*count = list.count;
	*unplaced = hidden;
	return 0;
}

uint64_t lai_namespace_of_process(pid_t pid)
{
	char path[sizeof("/proc//ns/net") + 10]; /* digits of a pid */
	struct stat status;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat(path, &status) == 0 ? status.st_ino : 0;
}

struct visit {
	int fd; /* of the namespace */
	int (*work)(void *arg);
	void *arg;
	int result;
};

static void *visit_run(void *arg)
{
	struct visit *visit = arg;

	visit->result = setns(visit->fd, CLONE_NEWNET) < 0 ? -errno : visit->work(visit->arg);
	return NULL;
}

/* The thread leaves with its namespace, so nobody has to find the way back. */
static int visit_in_thread(struct visit *visit)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	/* Signals are for the caller's threads: their handlers know nothing of this one. */
	(void)sigfillset(&all);
	error = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (error)
		return -error;
	error = pthread_create(&thread, NULL, visit_run, visit);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return -error;
	error = pthread_join(thread, NULL);
	return error ? -error : visit->result;
}

int lai_namespace_run(const struct lai_namespace *name_space, int (*work)(void *arg), void *arg)
{
	struct visit visit = {.work = work, .arg = arg};
	struct stat stat_now;
	int result;

	if (name_space->ours)
		return work(arg);
	/* O_NONBLOCK: whatever has taken the path's place may not make us wait. */
	visit.fd = open(name_space->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (visit.fd < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	if (fstat(visit.fd, &stat_now) < 0)
		result = -errno;
	else if (stat_now.st_ino != name_space->inode)
		result = -ENOENT;
	else
		result = visit_in_thread(&visit);
	(void)close(visit.fd);
	return result;
}
