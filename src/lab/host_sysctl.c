/* SPDX-License-Identifier: MIT */
/*
 * host_sysctl.c - the settings of one host's kernel.
 *
 * A file below /proc/sys/net means the network namespace of the thread that opens it. So before
 * each write two things are sure: the name is one of net., and the thread is in the host's namespace,
 * as the kernel itself says, not only as we remember.
 */
#include "lab/host.h"

#include "lab/host_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 256
#define VALUE_BYTES 128
#define PREFIX "net."

/* False: it could be a file of anything else. */
static bool path_of(const char *name, char path[PATH_BYTES])
{
	int length = snprintf(path, PATH_BYTES, "/proc/sys/%s", name);

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || strchr(name, '/') || strstr(name, "..") ||
	    length >= PATH_BYTES)
		return false;
	for (char *at = path + strlen("/proc/sys/"); *at; at++)
		if (*at == '.')
			*at = '/';
	return true;
}

/* The host's namespace is the one that /proc/sys/net will mean. */
static void enter_surely(struct lai_trial *trial, const struct lai_host *host)
{
	lai_host_enter(trial, host);
	if (!lai_host_is_here(host))
		lai_trial_fail(trial, "a setting of the %s would have gone to another host",
			       host->name);
}

/* -1 with errno. */
static int sysctl_open(struct lai_trial *trial, const struct lai_host *host, const char *name,
		       int flags)
{
	char path[PATH_BYTES];

	if (!path_of(name, path))
		lai_trial_fail(trial, "\"%s\" is no setting of a network: only net.* is", name);
	enter_surely(trial, host);
	return open(path, flags | O_CLOEXEC);
}

void lai_host_set(struct lai_trial *trial, const struct lai_host *host, const char *name,
		  const char *value)
{
	int fd = sysctl_open(trial, host, name, O_WRONLY);
	ssize_t size;

	if (fd < 0 && (errno == ENOENT || errno == EACCES || errno == EROFS || errno == EPERM))
		lai_trial_lacks(trial, "the setting %s cannot be written here: %s", name,
				strerror(errno));
	if (fd < 0)
		lai_trial_fail(trial, "the setting %s: %s", name, strerror(errno));
	size = write(fd, value, strlen(value));
	if (size < 0 && (errno == EPERM || errno == EACCES || errno == EROFS))
		lai_trial_lacks(trial, "%s=%s is not permitted: %s", name, value, strerror(errno));
	if (size != (ssize_t)strlen(value))
		lai_trial_fail(trial, "%s=%s is refused: %s", name, value, strerror(errno));
	(void)close(fd);
}

void lai_host_set_number(struct lai_trial *trial, const struct lai_host *host, const char *name,
			 long value)
{
	char text[VALUE_BYTES];

	(void)snprintf(text, sizeof(text), "%ld", value);
	lai_host_set(trial, host, name, text);
}

long lai_host_get(struct lai_trial *trial, const struct lai_host *host, const char *name)
{
	int fd = sysctl_open(trial, host, name, O_RDONLY);
	char text[VALUE_BYTES], *end;
	ssize_t size;
	long value;

	if (fd < 0)
		lai_trial_lacks(trial, "the setting %s cannot be read here: %s", name,
				strerror(errno));
	size = read(fd, text, sizeof(text) - 1);
	if (size <= 0)
		lai_trial_fail(trial, "the setting %s is not read: %s", name, strerror(errno));
	(void)close(fd);
	text[size] = '\0';
	errno = 0;
	value = strtol(text, &end, 10);
	if (end == text || errno)
		lai_trial_fail(trial, "the setting %s is no number", name);
	return value;
}

bool lai_host_has(struct lai_trial *trial, const struct lai_host *host, const char *name)
{
	int fd = sysctl_open(trial, host, name, O_RDONLY);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}
