/* SPDX-License-Identifier: MIT */
#include "lab/space.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The user namespace owns the others, so the kernel makes it first, in whatever order they are
   asked for. */
#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET)

/* How long a keeper has for killing and clearing: it takes milliseconds. */
#define GRACE_MS 5000

/* ---- privilege ------------------------------------------------------------------------------ */

bool lai_space_needs_user(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	static const unsigned needed[] = {CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW};

	if (syscall(SYS_capget, &header, data) < 0)
		return true;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!(data[CAP_TO_INDEX(needed[i])].effective & CAP_TO_MASK(needed[i])))
			return true;
	return false;
}

/* ---- inside of the space -------------------------------------------------------------------- */

static void __attribute__((noreturn))
give_up(const struct lai_space_plan *plan, enum lai_space_step step)
{
	plan->report->error = errno;
	plan->report->step = step;
	_exit(EXIT_FAILURE);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Above all our own ends of all lifelines, which must be held by nobody else. */
static void close_others(const struct lai_space_plan *plan, int lifeline)
{
	int kept[LAI_SPACE_KEEP_MAX + 2] = {lifeline, plan->output};
	unsigned from = STDERR_FILENO + 1;

	memcpy(kept + 2, plan->keep, sizeof(plan->keep));
	qsort(kept, LAI_SPACE_KEEP_MAX + 2, sizeof(kept[0]), compare);
	for (size_t i = 0; i < LAI_SPACE_KEEP_MAX + 2; i++) {
		unsigned fd = (unsigned)kept[i];

		if (fd < from)
			continue;
		if (fd > from)
			(void)close_range(from, fd - 1, 0);
		from = fd + 1;
	}
	(void)close_range(from, UINT_MAX, 0);
}

/* Hears neither the terminal nor our handlers, and does not write core files where we stand. */
static void forget_signals(void)
{
	static const struct rlimit no_core = {0};
	sigset_t none;

	for (int signal_number = 1; signal_number < SIGRTMIN; signal_number++)
		if (signal_number != SIGPIPE)
			(void)signal(signal_number, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)setsid();
}

static void use_own_output(int output)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		(void)dup2(null, STDIN_FILENO);
	(void)dup2(output > 0 ? output : null, STDOUT_FILENO);
	(void)dup2(output > 0 ? output : null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		(void)close(null);
}

static bool write_file(const char *path, const char *text)
{
	size_t length = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return false;
	written = write(fd, text, length);
	(void)close(fd);
	return written == (ssize_t)length;
}

/* user_namespaces(7): one line, one id; the group needs setgroups to be denied first. */
static bool map_ids(uid_t uid, gid_t gid)
{
	char map[64]; /* "0 UID 1" */

	(void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	if (!write_file("/proc/self/uid_map", map))
		return false;
	/* Kernels before 3.19 have no such file, and do not ask for it. */
	(void)write_file("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
	return write_file("/proc/self/gid_map", map);
}

/*
 * After chroot(2) the root is not a mount, so that what is mounted cannot be kept from others. A
 * copy of it, which is one, becomes the root; /proc is a mount, and serves as the place.
 */
static bool leave_chroot(void)
{
	static const char place[] = "/proc";

	return mount(NULL, place, NULL, MS_PRIVATE, NULL) == 0 &&
	       mount("/", place, NULL, MS_BIND | MS_REC, NULL) == 0 &&
	       mount(NULL, place, NULL, MS_PRIVATE | MS_REC, NULL) == 0 && chdir(place) == 0 &&
	       chroot(".") == 0 && chdir("/") == 0;
}

static bool take_mounts(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 &&
	    (errno != EINVAL || !leave_chroot()))
		return false;
	/* Shows our processes alone, and sysctls may be written where a container forbids it in
	   its own. Where it may not be mounted, the present one does. */
	(void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	return true;
}

/* Until our end of the lifeline is closed, or process 2 has ended. */
static void wait_for_end(int lifeline, pid_t pid)
{
	struct pollfd ends[] = {{.fd = lifeline, .events = POLLIN},
				{.fd = pidfd_open(pid, 0), .events = POLLIN}};

	/* Nothing is ever said on the lifeline. Without a pidfd there is no telling when to end. */
	while (ends[1].fd >= 0 && poll(ends, 2, -1) < 0 && errno == EINTR)
		;
}

/* Process 1 is exempt from its own kill(-1). Daemons of the trial have become our children. */
static void end_all(struct lai_space_report *report, pid_t pid)
{
	int status;
	pid_t ended;

	(void)kill(-1, SIGKILL);
	while ((ended = waitpid(-1, &status, 0)) > 0 || errno == EINTR)
		if (ended == pid)
			report->status = status;
}

static void __attribute__((noreturn))
be_keeper(const struct lai_space_plan *plan, int lifeline, uid_t uid, gid_t gid)
{
	pid_t pid;
	int own;

	close_others(plan, lifeline);
	forget_signals();
	use_own_output(plan->output);
	if (plan->user && !map_ids(uid, gid))
		give_up(plan, LAI_SPACE_MAP);
	if (!take_mounts())
		give_up(plan, LAI_SPACE_MOUNTS);
	if (plan->prepare)
		plan->prepare(plan->arg);
	/* Linux 5.3; without it a keeper would not see the end of process 2. */
	own = pidfd_open(getpid(), 0);
	if (own < 0)
		give_up(plan, LAI_SPACE_WATCH);
	(void)close(own);
	pid = fork();
	if (pid < 0)
		give_up(plan, LAI_SPACE_CLONE);
	if (pid == 0) {
		(void)close(lifeline);
		plan->run(plan->arg);
		_exit(EXIT_SUCCESS);
	}
	wait_for_end(lifeline, pid);
	end_all(plan->report, pid);
	if (plan->clear)
		plan->clear(plan->arg);
	_exit(EXIT_SUCCESS);
}

/* ---- outside of it -------------------------------------------------------------------------- */

/* As fork(), with namespaces. The C library has no function for it; a process of one thread may do
   without. *process becomes a pidfd. */
static pid_t fork_into(int namespaces, int *process)
{
	unsigned long flags = (unsigned)namespaces | CLONE_PIDFD | SIGCHLD;

#if defined(__s390__) || defined(__CRIS__)
	return (pid_t)syscall(SYS_clone, NULL, flags, process, NULL, NULL);
#else
	return (pid_t)syscall(SYS_clone, flags, NULL, process, NULL, NULL);
#endif
}

static int refuse(const struct lai_space_plan *plan, int error)
{
	*plan->report = (struct lai_space_report){.step = LAI_SPACE_CLONE, .error = error};
	return -error;
}

int lai_space_start(struct lai_space *space, const struct lai_space_plan *plan)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int lifeline[2], process = -1, error;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lifeline) != 0)
		return refuse(plan, errno);
	(void)fflush(NULL); /* what is in buffers must not be written twice */
	pid = fork_into(NAMESPACES | (plan->user ? CLONE_NEWUSER : 0), &process);
	if (pid == 0)
		be_keeper(plan, lifeline[1], uid, gid);
	error = errno;
	(void)close(lifeline[1]);
	if (pid < 0) {
		(void)close(lifeline[0]);
		return refuse(plan, error);
	}
	*space = (struct lai_space){.pid = pid, .process = process, .lifeline = lifeline[0]};
	return 0;
}

void lai_space_end(struct lai_space *space)
{
	if (space->pid > 0 && space->lifeline >= 0) {
		(void)close(space->lifeline);
		space->lifeline = -1;
	}
}

int lai_space_wait(struct lai_space *space)
{
	int status = 0;
	struct pollfd end = {.fd = space->process, .events = POLLIN};

	/* A keeper does nothing that could keep it; but if it does, the kernel ends all of it. */
	if (space->lifeline < 0 && poll(&end, 1, GRACE_MS) == 0)
		(void)pidfd_send_signal(space->process, SIGKILL, NULL, 0);
	while (waitpid(space->pid, &status, 0) < 0 && errno == EINTR)
		;
	lai_space_end(space);
	(void)close(space->process);
	*space = (struct lai_space){0};
	return status;
}
