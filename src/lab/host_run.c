/* SPDX-License-Identifier: MIT */
/*
 * host_run.c - other programs in a host, and a place for their files.
 *
 * What goes into and comes out of a program are files in memory: nobody waits for the other one to
 * read, and nothing has a name.
 */
#include "lab/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where a program may be; PATH of a user often lacks the directories of system programs. */
#define PLACES "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PATH_BYTES 4096

#define RUN_NS (10 * LAI_S)  /* longer than anything here takes on a busy machine */
#define COMPLAINT_BYTES 512  /* of a program's standard error */
#define EXIT_NOT_STARTED 126 /* as shells say it */

/* Descriptors that become standard input, output and error. */
struct streams {
	int in, out, error;
};

static bool look_in(const char *places, const char *name, char path[PATH_BYTES])
{
	while (places && *places) {
		size_t length = strcspn(places, ":");

		if (length &&
		    (size_t)snprintf(path, PATH_BYTES, "%.*s/%s", (int)length, places, name) <
			    PATH_BYTES &&
		    access(path, X_OK) == 0)
			return true;
		places += length + (places[length] == ':');
	}
	return false;
}

static void program_find(struct lai_trial *trial, const char *name, char path[PATH_BYTES])
{
	if (strchr(name, '/') && access(name, X_OK) == 0 && strlen(name) < PATH_BYTES)
		memcpy(path, name, strlen(name) + 1);
	else if (!look_in(getenv("PATH"), name, path) && !look_in(PLACES, name, path))
		lai_trial_lacks(trial, "there is no program %s here", name);
}

/* In the child: nothing of it comes back. */
__attribute__((noreturn)) static void become(const struct lai_host *host,
					     const struct streams *streams, const char *path,
					     const char *const *args, pid_t parent)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have died before that. */
	if (getppid() == parent && setns(host->netns, CLONE_NEWNET) == 0 &&
	    dup2(streams->in, STDIN_FILENO) >= 0 && dup2(streams->out, STDOUT_FILENO) >= 0 &&
	    dup2(streams->error, STDERR_FILENO) >= 0) {
		/* libpcap's sockets are not close-on-exec. */
		(void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
		(void)execv(path, (char *const *)args);
	}
	_exit(EXIT_NOT_STARTED);
}

static pid_t program_start(struct lai_trial *trial, const struct lai_host *host,
			   const struct streams *streams, const char *const *args)
{
	char path[PATH_BYTES];
	pid_t parent = getpid(), pid;

	program_find(trial, args[0], path);
	pid = fork();
	if (pid < 0)
		lai_trial_fail(trial, "%s is not started: %s", args[0], strerror(errno));
	if (pid == 0)
		become(host, streams, path, args, parent);
	return pid;
}

/* In memory, with this in it; above the standard streams, whatever the trial has closed. */
static int file_new(struct lai_trial *trial, const char *text)
{
	int made = memfd_create("lastack-lab", MFD_CLOEXEC);
	int fd = made < 0 ? -1 : fcntl(made, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	size_t size = text ? strlen(text) : 0;

	if (fd < 0 || (size && write(fd, text, size) != (ssize_t)size) ||
	    lseek(fd, 0, SEEK_SET) != 0)
		lai_trial_fail(trial, "no file in memory: %s", strerror(errno));
	(void)close(made);
	return fd;
}

/* What stands in it, cut to size-1 bytes. */
static void file_read(int fd, char *text, size_t size)
{
	ssize_t got = pread(fd, text, size - 1, 0);

	text[got > 0 ? got : 0] = '\0';
}

/* Its exit status; 128 and the signal if it was killed. */
static int program_wait(struct lai_trial *trial, pid_t pid, const char *name)
{
	int pidfd = pidfd_open(pid, 0), status = 0;
	struct pollfd wait = {.fd = pidfd, .events = POLLIN};
	uint64_t deadline_ns = lai_clock_now() + RUN_NS;
	int ready = pidfd < 0 ? 1 : 0;

	while (!ready && lai_clock_now() < deadline_ns)
		ready = poll(&wait, 1, lai_clock_timeout_ms(deadline_ns)) > 0;
	if (!ready)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pidfd >= 0)
		(void)close(pidfd);
	if (!ready)
		lai_trial_fail(trial, "%s does not end", name);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A line of evidence each. */
static void complain(struct lai_trial *trial, const char *name, int status, char *text)
{
	char *rest = NULL;

	lai_trial_say(trial, "%s ended with status %d", name, status);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		lai_trial_say(trial, "%s: %s", name, line);
}

int lai_host_run(struct lai_trial *trial, const struct lai_host *host, const char *const *args,
		 const char *input, char *output, size_t size)
{
	struct streams streams = {file_new(trial, input), file_new(trial, NULL),
				  file_new(trial, NULL)};
	int status = program_wait(trial, program_start(trial, host, &streams, args), args[0]);
	char complaint[COMPLAINT_BYTES];

	if (output && size)
		file_read(streams.out, output, size);
	file_read(streams.error, complaint, sizeof(complaint));
	if (status != 0)
		complain(trial, args[0], status, complaint);
	(void)close(streams.in);
	(void)close(streams.out);
	(void)close(streams.error);
	return status;
}

pid_t lai_host_start(struct lai_trial *trial, const struct lai_host *host, const char *const *args)
{
	int in = file_new(trial, NULL);
	struct streams streams = {in, STDERR_FILENO, STDERR_FILENO};
	pid_t pid = program_start(trial, host, &streams, args);

	(void)close(in);
	return pid;
}

/* One that every system has, with nothing in it that a trial needs. */
static const char *const mount_points[] = {"/mnt", "/media", "/srv", "/tmp"};

/*
 * In a mount namespace of its own, from which nothing goes to any other: so a kill -9 takes the
 * mount away, and what is in it. One that the runner has made already is only copied.
 */
static bool mounts_own(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

const char *lai_trial_directory(struct lai_trial *trial)
{
	static const char *directory;

	if (directory)
		return directory;
	if (!mounts_own())
		lai_trial_lacks(trial, "no mount namespace can be made: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(mount_points) / sizeof(*mount_points) && !directory; i++)
		if (mount("lastack-lab", mount_points[i], "tmpfs", MS_NOSUID | MS_NODEV,
			  "mode=0755,size=64m") == 0)
			directory = mount_points[i];
	if (!directory)
		lai_trial_lacks(trial, "no directory in memory can be mounted: %s",
				strerror(errno));
	return directory;
}
