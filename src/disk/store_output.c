/* SPDX-License-Identifier: MIT */
#include "disk/store_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int lai_store_output_note(struct lai_store_output *output, int error, const char *format, ...)
{
	char *why = NULL;
	va_list list;

	va_start(list, format);
	if (vasprintf(&why, format, list) < 0)
		why = NULL;
	va_end(list);
	free(output->why);
	output->why = why;
	return error;
}

static char *lock_name(const char *path)
{
	char *name;

	return asprintf(&name, "%s-lock", path) < 0 ? NULL : name;
}

/* Whether the name still leads to the file that we have open: its last owner removes it. */
static bool is_still(int fd, const char *name)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && stat(name, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

static int lock_once(int *fd, const char *name)
{
	int error = 0;

	*fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return -errno;
	if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
		error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else if (!is_still(*fd, name))
		error = -EAGAIN;
	if (error)
		(void)close(*fd);
	return error;
}

/*
 * A file of its own, since SQLite locks the database with fcntl(): closing any other descriptor of
 * the database would take those locks away from this process.
 */
int lai_store_lock(int *fd, const char *path)
{
	char *name = lock_name(path);
	int error = name ? -EAGAIN : -ENOMEM, got = -1;

	while (error == -EAGAIN)
		error = lock_once(&got, name);
	free(name);
	if (!error)
		*fd = got;
	return error;
}

void lai_store_unlock(int fd, const char *path)
{
	char *name = lock_name(path);

	if (fd < 0) {
		free(name);
		return;
	}
	if (name)
		(void)unlink(name);
	free(name);
	(void)close(fd);
}
