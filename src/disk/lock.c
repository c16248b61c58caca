/* SPDX-License-Identifier: MIT */
#include "disk/lock.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The absolute path of a file in a folder that exists; to be released with free(), NULL: none. */
static char *absolute(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	char *real = folder ? realpath(folder, NULL) : NULL, *whole = NULL;

	if (real && asprintf(&whole, "%s/%s", real, slash ? slash + 1 : path) < 0)
		whole = NULL;
	free(folder);
	free(real);
	return whole;
}

/* The same for all symbolic links to one file, wherever this process goes. */
static char *lock_path(const char *path)
{
	char *real = realpath(path, NULL), *lock = NULL;

	if (!real)
		real = absolute(path);
	if (asprintf(&lock, "%s.lock", real ? real : path) < 0)
		lock = NULL;
	free(real);
	return lock;
}

static int read_holder(int fd)
{
	char text[16] = "";
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

	return size > 0 ? atoi(text) : 0;
}

/* Whether path still is the file that was locked: its last holder may have removed it meanwhile. */
static bool is_same(int fd, const char *path)
{
	struct stat ours, theirs;

	return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
	       ours.st_dev == theirs.st_dev;
}

/* The whole file, for as long as this descriptor is open. */
static struct flock whole(void)
{
	return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static int try_lock(const char *path, int *holder)
{
	struct flock lock = whole();
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error;

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
		if (is_same(fd, path))
			return fd;
		error = -EAGAIN;
	} else {
		error = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
		*holder = read_holder(fd);
	}
	(void)close(fd);
	return error;
}

static void write_holder(int fd)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	/* For people's eyes: without it the lock is as good. */
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)length, 0);
}

static int refuse(int result, const char *path, int holder, const char *what, char **error)
{
	if (result != -EBUSY)
		return lai_error(error, result, "%s: its lock file cannot be opened: %s", path,
				 strerror(-result));
	if (holder <= 0)
		return lai_error(error, result, "%s: another process %s", path, what);
	return lai_error(error, result, "%s: process %d %s", path, holder, what);
}

int lai_lock_take(struct lai_lock *lock, const char *path, const char *what, char **error)
{
	char *name = lock_path(path);
	int fd, holder = 0;

	if (!name)
		return -ENOMEM;
	do
		fd = try_lock(name, &holder);
	while (fd == -EAGAIN);
	if (fd < 0) {
		free(name);
		return refuse(fd, path, holder, what, error);
	}
	*lock = (struct lai_lock){.path = name, .fd = fd};
	write_holder(fd);
	return 0;
}

bool lai_lock_is_ours(const struct lai_lock *lock)
{
	return is_same(lock->fd, lock->path);
}

void lai_lock_release(struct lai_lock *lock)
{
	if (!lock->path)
		return;
	/* While it is still locked: who has opened it meanwhile sees that it is not the one any
	   more. */
	if (lai_lock_is_ours(lock))
		(void)unlink(lock->path);
	(void)close(lock->fd);
	free(lock->path);
	*lock = (struct lai_lock){0};
}

bool lai_lock_is_held(const char *path)
{
	struct flock lock = whole();
	char *name = lock_path(path);
	int fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	/* Asked, not tried: a process that begins right now must not find it taken. */
	bool held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;

	if (fd >= 0)
		(void)close(fd);
	free(name);
	return held;
}
