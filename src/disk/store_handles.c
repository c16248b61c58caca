/* SPDX-License-Identifier: MIT */
#include "disk/store_handles.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void lai_store_handles_init(struct lai_store_handles *handles, int directory_fd)
{
	handles->directory_fd = directory_fd;
	handles->clock = 0;
	for (int i = 0; i < LAI_STORE_HANDLE_COUNT; i++)
		handles->handles[i] = (struct lai_store_handle){.fd = -1};
}

static void close_handle(struct lai_store_handle *handle)
{
	if (handle->fd >= 0)
		(void)close(handle->fd);
	handle->fd = -1;
	handle->used = 0;
}

void lai_store_handles_close(struct lai_store_handles *handles)
{
	for (int i = 0; i < LAI_STORE_HANDLE_COUNT; i++)
		close_handle(&handles->handles[i]);
}

static struct lai_store_handle *find(struct lai_store_handles *handles, const char *name)
{
	for (int i = 0; i < LAI_STORE_HANDLE_COUNT; i++)
		if (handles->handles[i].fd >= 0 && strcmp(handles->handles[i].name, name) == 0)
			return &handles->handles[i];
	return NULL;
}

static struct lai_store_handle *oldest(struct lai_store_handles *handles)
{
	struct lai_store_handle *handle = &handles->handles[0];

	for (int i = 1; i < LAI_STORE_HANDLE_COUNT; i++)
		if (handles->handles[i].used < handle->used)
			handle = &handles->handles[i];
	return handle;
}

/* A file of ours is a regular one: not a link to elsewhere, nor a pipe that would let us wait. */
static int open_regular(int directory_fd, const char *name, int *fd)
{
	struct stat status;
	int new = openat(directory_fd, name,
			 O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (new < 0)
		return -errno;
	if (fstat(new, &status) != 0 || !S_ISREG(status.st_mode)) {
		(void)close(new);
		return -EINVAL;
	}
	*fd = new;
	return 0;
}

int lai_store_handles_open(struct lai_store_handles *handles, const char *name, int *fd)
{
	struct lai_store_handle *handle = find(handles, name);
	int error;

	if (!handle) {
		handle = oldest(handles);
		close_handle(handle);
		error = open_regular(handles->directory_fd, name, &handle->fd);
		if (error)
			return error;
		memcpy(handle->name, name, strlen(name) + 1);
	}
	handle->used = ++handles->clock;
	*fd = handle->fd;
	return 0;
}

int lai_store_handles_find(struct lai_store_handles *handles, const char *name)
{
	struct lai_store_handle *handle = find(handles, name);

	return handle ? handle->fd : -1;
}

void lai_store_handles_drop(struct lai_store_handles *handles, const char *name)
{
	struct lai_store_handle *handle = find(handles, name);

	if (handle)
		close_handle(handle);
}
