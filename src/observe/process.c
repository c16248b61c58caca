/* SPDX-License-Identifier: MIT */
/* process.c - reads the facts of one process from the files of /proc/PID. */
#include "observe/process.h"

#include "observe/container.h"
#include "observe/procfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* stat has a name of 64 bytes and 50 numbers, limits 16 lines of 80, cgroup 14 lines of v1. */
#define FILE_BYTES 4096
#define LINK_BYTES 64

static int read_stat(int directory, struct lai_process_stat *stat)
{
	char text[FILE_BYTES];
	ssize_t length = lai_procfs_peek(directory, "stat", text, sizeof(text));

	if (length < 0)
		return (int)length;
	return lai_process_parse_stat(text, stat) ? 0 : -ESRCH;
}

/* The effective user: whatever the process may hide, its directory is that user's. */
static uint32_t read_uid(int directory)
{
	struct stat status;

	return fstat(directory, &status) == 0 ? status.st_uid : 0;
}

static uint32_t read_fd_limit(int directory)
{
	char text[FILE_BYTES];

	if (lai_procfs_peek(directory, "limits", text, sizeof(text)) < 0)
		return 0;
	return lai_process_parse_fd_limit(text);
}

/* Not even root may see that of every process (a kernel with a lockdown of its own: EACCES). */
static uint64_t read_namespace(int directory)
{
	char text[LINK_BYTES];
	ssize_t length = readlinkat(directory, "ns/net", text, sizeof(text) - 1);
	uint64_t inode = 0;

	if (length < 0)
		return 0;
	text[length] = '\0';
	return lai_procfs_parse_link(text, "net", &inode) ? inode : 0;
}

/* NULL for kernel threads and zombies, which have none. */
static int read_command_line(int directory, char **command_line)
{
	char text[LAI_COMMAND_LINE_MAX + 1];
	ssize_t length = lai_procfs_peek(directory, "cmdline", text, sizeof(text));
	size_t kept = length > 0 ? lai_process_parse_command_line(text, (size_t)length) : 0;

	if (kept == 0)
		return 0;
	*command_line = strndup(text, kept);
	return *command_line ? 0 : -ENOMEM;
}

static int read_cgroup(int directory, char **cgroup)
{
	char text[FILE_BYTES];
	size_t length = 0;
	const char *path;

	if (lai_procfs_peek(directory, "cgroup", text, sizeof(text)) < 0)
		return 0;
	path = lai_process_parse_cgroup(text, &length);
	if (!path)
		return 0;
	*cgroup = strndup(path, length);
	return *cgroup ? 0 : -ENOMEM;
}

static void take_stat(struct lai_process *process, const struct lai_process_stat *stat)
{
	memcpy(process->comm, stat->comm, sizeof(process->comm));
	process->parent = stat->parent;
	process->start_ticks = stat->start_ticks;
	/* A first thread that has ended is a zombie beside threads that live on. */
	process->zombie = stat->state == 'X' || (stat->state == 'Z' && stat->threads <= 1);
}

/* What a first thread that has ended cannot tell any more: another directory, one open more. */
static int read_files(int directory, const struct lai_process_stat *stat,
		      struct lai_process *process, char **command_line)
{
	bool apart = stat->state == 'Z' && stat->threads > 1;
	int files = apart ? lai_procfs_open_files(process->pid) : directory, error;

	if (files < 0)
		return files;
	process->namespace_inode = read_namespace(files);
	error = read_command_line(files, command_line);
	if (apart)
		(void)close(files);
	return error;
}

int lai_process_read(pid_t pid, struct lai_process *process)
{
	struct lai_process result = {.pid = pid};
	char *command_line = NULL, *cgroup = NULL;
	struct lai_process_stat stat;
	int directory = lai_procfs_open(pid), error;

	if (directory < 0)
		return directory;
	error = read_stat(directory, &stat);
	if (error)
		goto out;
	take_stat(&result, &stat);
	result.uid = read_uid(directory);
	result.fd_limit = read_fd_limit(directory);
	error = read_files(directory, &stat, &result, &command_line);
	if (!error)
		error = read_cgroup(directory, &cgroup);
	if (error)
		goto out;
	if (cgroup)
		lai_process_container(cgroup, result.container, sizeof(result.container));
	*process = result;
	process->command_line = command_line;
	process->cgroup = cgroup;
	command_line = cgroup = NULL;
out:
	free(command_line);
	free(cgroup);
	(void)close(directory);
	return error;
}

void lai_process_done(struct lai_process *process)
{
	free(process->command_line);
	free(process->cgroup);
	process->command_line = process->cgroup = NULL;
}

int lai_process_start(pid_t pid, uint64_t *start_ticks)
{
	struct lai_process_stat stat;
	int directory = lai_procfs_open(pid), error;

	if (directory < 0)
		return directory;
	error = read_stat(directory, &stat);
	(void)close(directory);
	if (!error)
		*start_ticks = stat.start_ticks;
	return error;
}
