/* SPDX-License-Identifier: MIT */
#include "cli/demo_space.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A new namespace's loopback device is down. */
static bool raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool done = false;

	if (sock < 0)
		return false;
	if (ioctl(sock, SIOCGIFFLAGS, &request) == 0) {
		request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
		done = ioctl(sock, SIOCSIFFLAGS, &request) == 0;
	}
	(void)close(sock);
	return done;
}

static bool write_proc(const char *path, const char *text)
{
	size_t length = strlen(text);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, text, length) == (ssize_t)length;
	(void)close(fd);
	return done;
}

/* Without a map we would be nobody in there, and could not open what is ours. */
static void map_ids(uid_t uid, gid_t gid)
{
	char map[64]; /* "UID UID 1" */

	(void)snprintf(map, sizeof(map), "%u %u 1", (unsigned)uid, (unsigned)uid);
	(void)write_proc("/proc/self/uid_map", map);
	/* The kernel's condition for an unprivileged map of groups. */
	(void)write_proc("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "%u %u 1", (unsigned)gid, (unsigned)gid);
	(void)write_proc("/proc/self/gid_map", map);
}

static bool enter(int flags)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(flags) < 0)
		return false;
	if (flags & CLONE_NEWUSER)
		map_ids(uid, gid);
	return raise_loopback();
}

/*
 * A child tries it first: some systems let unshare() succeed and forbid what is needed afterwards,
 * and out of a user namespace there is no way back.
 */
static bool try_enter(int flags)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(enter(flags) ? 0 : 1);
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 && enter(flags);
}

enum lai_demo_space lai_demo_space_enter(void)
{
	if (try_enter(CLONE_NEWNET))
		return LAI_DEMO_SPACE_OWN;
	if (try_enter(CLONE_NEWUSER | CLONE_NEWNET))
		return LAI_DEMO_SPACE_OWN_USER;
	return LAI_DEMO_SPACE_DENIED;
}

const char *lai_demo_space_name(enum lai_demo_space space)
{
	static const char *const names[LAI_DEMO_SPACE_COUNT] = {"own", "own-user", "present",
								"present"};

	return names[space];
}

const char *lai_demo_space_sentence(enum lai_demo_space space)
{
	static const char *const sentences[LAI_DEMO_SPACE_COUNT] = {
		"in a network namespace of its own",
		"in a user and network namespace of its own",
		"in the present namespace: no new one is allowed here",
		"in the present network namespace",
	};

	return sentences[space];
}
