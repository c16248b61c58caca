/* SPDX-License-Identifier: MIT */
/* procfs.c - open, read and readlink below /proc/PID. */
#include "observe/procfs.h"

#include "observe/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What is read first of a file of unknown length; then twice as much, and so on. */
#define READ_FIRST_BYTES 8192
/* An epoll set of a million rows has 80 MB; what is longer is no file of /proc/PID. */
#define READ_BYTES_MAX (512u << 20)
#define LINK_BYTES 64
#define STAT_BYTES 4096
#define PATH_BYTES 32 /* "/proc/" and a number of 10 digits */

int lai_procfs_error(int error)
{
	switch (error) {
	case ENOENT:
	case ESRCH: return -ESRCH;
	case EPERM:
	case EACCES: return -EACCES;
	default: return -error;
	}
}

int lai_procfs_is_ours(void)
{
	char self[16] = "", wanted[16]; /* a pid has at most 10 digits */
	struct statfs fs;

	if (statfs("/proc", &fs) < 0)
		return -errno;
	if (fs.f_type != PROC_SUPER_MAGIC)
		return -ENODEV;
	(void)snprintf(wanted, sizeof(wanted), "%d", (int)getpid());
	return readlink("/proc/self", self, sizeof(self) - 1) > 0 && !strcmp(self, wanted);
}

int lai_procfs_open(pid_t pid)
{
	char path[PATH_BYTES];
	int fd;

	if (pid <= 0)
		return -ESRCH;
	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	/* hidepid=2 hides by ENOENT. Signal 0 sends nothing, and says whether there is somebody. */
	if (errno == ENOENT && (kill(pid, 0) == 0 || errno == EPERM))
		return -EACCES;
	return lai_procfs_error(errno);
}

/* Of /proc/PID, or of a thread's directory: has it ended, and do others of the process live? */
static bool thread_has_ended(int directory)
{
	char text[STAT_BYTES];
	struct lai_process_stat stat;

	return lai_procfs_peek(directory, "stat", text, sizeof(text)) > 0 &&
	       lai_process_parse_stat(text, &stat) && stat.state == 'Z' && stat.threads > 1;
}

/* The directory of the first thread that lives. */
static int open_living(DIR *tasks)
{
	struct dirent *entry;

	while ((entry = readdir(tasks))) {
		int thread;

		if (entry->d_name[0] == '.')
			continue;
		thread = openat(dirfd(tasks), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (thread >= 0 && !thread_has_ended(thread))
			return thread;
		if (thread >= 0)
			(void)close(thread);
	}
	return -ESRCH;
}

int lai_procfs_open_files(pid_t pid)
{
	int directory = lai_procfs_open(pid), living;
	DIR *tasks;

	if (directory < 0 || !thread_has_ended(directory))
		return directory;
	tasks = lai_procfs_list(directory, "task");
	living = tasks ? open_living(tasks) : lai_procfs_error(errno);
	if (tasks)
		(void)closedir(tasks);
	(void)close(directory);
	return living;
}

DIR *lai_procfs_list(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;
	DIR *list;

	if (fd < 0)
		return NULL;
	list = fdopendir(fd);
	if (!list) {
		error = errno;
		(void)close(fd);
		errno = error;
	}
	return list;
}

bool lai_procfs_exists(int directory)
{
	struct stat status;

	return fstatat(directory, "stat", &status, 0) == 0;
}

/* As many bytes as fit or there are. */
static ssize_t read_up_to(int fd, char *buffer, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t got = read(fd, buffer + length, size - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return lai_procfs_error(errno);
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

ssize_t lai_procfs_peek(int directory, const char *name, char *buffer, size_t size)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t length;

	if (fd < 0)
		return lai_procfs_error(errno);
	length = read_up_to(fd, buffer, size - 1);
	(void)close(fd);
	if (length >= 0)
		buffer[length] = '\0';
	return length;
}

int lai_procfs_read(int directory, const char *name, char **text, size_t *size)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t room = READ_FIRST_BYTES, length = 0;
	char *data = NULL;
	ssize_t got = 0;

	if (fd < 0)
		return lai_procfs_error(errno);
	do {
		char *more = room <= READ_BYTES_MAX ? realloc(data, room) : NULL;

		if (!more) {
			got = -ENOMEM;
			goto out;
		}
		data = more;
		got = read_up_to(fd, data + length, room - 1 - length);
		if (got < 0)
			goto out;
		length += (size_t)got;
		room *= 2;
	} while (length + 1 == room / 2); /* it was full: there may be more */
	data[length] = '\0';
	*text = data;
	*size = length;
	data = NULL;
	got = 0;
out:
	free(data);
	(void)close(fd);
	return (int)got;
}

bool lai_procfs_parse_link(const char *text, const char *kind, uint64_t *number)
{
	size_t length = strlen(kind);
	uint64_t value = 0;

	if (strncmp(text, kind, length) != 0 || strncmp(text + length, ":[", 2) != 0)
		return false;
	text += length + 2;
	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	if (strcmp(text, "]") != 0)
		return false;
	*number = value;
	return true;
}

int lai_procfs_socket(int directory, const char *name, uint64_t *inode)
{
	char link[LINK_BYTES];
	ssize_t length = readlinkat(directory, name, link, sizeof(link) - 1);

	if (length < 0)
		return lai_procfs_error(errno);
	link[length] = '\0';
	return lai_procfs_parse_link(link, "socket", inode) ? 0 : 1;
}

int lai_procfs_protocol(const char *path, char name[LAI_PROTOCOL_MAX])
{
	ssize_t length = getxattr(path, "system.sockprotoname", name, LAI_PROTOCOL_MAX - 1);
	int error = length < 0 ? -errno : 0;

	name[length > 0 ? length : 0] = '\0';
	return error;
}
