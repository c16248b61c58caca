/* SPDX-License-Identifier: MIT */
/*
 * runner_probe.c - what would stop every trial is found out once, before the first one: whether
 * there may be namespaces here, and whether a new network namespace takes the settings.
 */
#include "lab/runner_inside.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The longest name of a sysctl is far below. */
#define PATH_BYTES 256

static const char root[] = "/proc/sys/";

struct probe {
	struct lai_space_report report;
	const char *const *settings;
	/* What the space found: which setting it could not make, and the errno of what. */
	bool refused, absent;
	size_t index;
	int error;
};

/* In a new namespace, of which nothing but this process knows. False: errno says why. */
static bool setting_try(const char *setting, bool *absent)
{
	char path[PATH_BYTES];
	const char *value = strchr(setting, '=');
	int fd, error, length;
	bool written;

	*absent = true;
	errno = EINVAL;
	if (!value)
		return false;
	length = snprintf(path, sizeof(path), "%s%.*s", root, (int)(value - setting), setting);
	if (length < 0 || (size_t)length >= sizeof(path))
		return false;
	for (char *at = path + sizeof(root) - 1; *at; at++)
		if (*at == '.')
			*at = '/';
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	*absent = false;
	value++;
	written = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	error = errno;
	(void)close(fd);
	errno = error;
	return written;
}

static void run(void *arg)
{
	struct probe *probe = arg;

	for (size_t i = 0; probe->settings && probe->settings[i]; i++) {
		if (setting_try(probe->settings[i], &probe->absent))
			continue;
		probe->error = errno;
		probe->index = i;
		probe->refused = true;
		return;
	}
}

static int judge(const struct probe *probe, bool user, char **error)
{
	const char *setting;
	int name;

	if (probe->report.step != LAI_SPACE_DONE) {
		char *why = lai_space_refusal(&probe->report, user);

		return lai_error_pass(error, -EPERM, &why);
	}
	if (!probe->refused)
		return 0;
	setting = probe->settings[probe->index];
	name = (int)strcspn(setting, "=");
	if (probe->absent && probe->error == ENOENT)
		return lai_error(error, -EINVAL,
				 "a new network namespace of this kernel has no sysctl '%.*s'",
				 name, setting);
	if (probe->absent)
		return lai_error(error, -EINVAL,
				 "the sysctl '%.*s' cannot be written in a network namespace: %s",
				 name, setting, strerror(probe->error));
	return lai_error(error, -EINVAL, "the kernel does not take the value of '%s': %s", setting,
			 strerror(probe->error));
}

/* Of captures and of what trials print. */
static int file_probe(char **error)
{
	int file = memfd_create("probe", MFD_CLOEXEC);

	if (file < 0 && (errno == ENOSYS || errno == EPERM))
		return lai_error(error, -EPERM, "an experiment needs memfd_create(2): %s",
				 strerror(errno));
	if (file >= 0)
		(void)close(file);
	return 0;
}

int lai_run_probe(bool user, const char *const *settings, char **error)
{
	struct lai_space space = {0};
	struct lai_space_plan plan = {.user = user, .run = run};
	struct probe *probe = mmap(NULL, sizeof(*probe), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int result;

	if (probe == MAP_FAILED)
		return -errno;
	probe->settings = settings;
	plan.arg = probe;
	plan.report = &probe->report;
	result = file_probe(error);
	if (result == 0) {
		if (lai_space_start(&space, &plan) == 0)
			(void)lai_space_wait(&space);
		result = judge(probe, user, error);
	}
	(void)munmap(probe, sizeof(*probe));
	return result;
}
