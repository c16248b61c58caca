/* SPDX-License-Identifier: MIT */
/*
 * grip.c - takes hold of another process's descriptor and makes sure that it is the right one.
 *
 *	pidfd_open(pid)            from now on the pid cannot mean another process to us
 *	start time == target's     it was the same process when the snapshot was taken
 *	readlink /proc/PID/fd/FD   a look before, so that a stranger is not even duplicated
 *	pidfd_getfd(fd)            from now on the descriptor cannot mean another socket to us
 *	inode, cookie, family, protocol, state, addresses of the duplicate == target's
 *
 * Each step fixes what the next one looks at, so nothing can change behind a check but the state
 * of the very socket that was chosen.
 */
#include "mend/mend_inside.h"
#include "observe/process.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define LINK_PREFIX "socket:["

void lai_grip_drop(struct lai_mend_session *session)
{
	if (session->pidfd >= 0)
		(void)close(session->pidfd);
	session->pidfd = -1;
	session->pid = 0;
}

/* Holds the process of the target, or knows why that is not possible. */
static struct lai_mend_result process_take(struct lai_mend_session *session,
					   const struct lai_mend_target *target)
{
	uint64_t start_ticks = 0;
	int error;

	if (session->pid == target->pid && session->start_ticks == target->start_ticks)
		return session->pid_result;
	lai_grip_drop(session);
	session->pid = target->pid;
	session->start_ticks = target->start_ticks;
	session->pidfd = pidfd_open(target->pid, 0);
	if (session->pidfd < 0) {
		session->pid_result = lai_mend_fail_of_errno(-errno);
		return session->pid_result;
	}
	/* After the pidfd: if the process ended in between and another has its number by now, this
	   is that one's start time. */
	error = lai_process_start(target->pid, &start_ticks);
	if (error)
		session->pid_result = lai_mend_fail_of_errno(error);
	else if (start_ticks != target->start_ticks)
		session->pid_result = lai_mend_fail(LAI_MEND_GONE, 0);
	else
		session->pid_result = lai_mend_fail(LAI_MENDED, 0);
	return session->pid_result;
}

/*
 * What /proc says of the descriptor. It proves nothing, but spares strangers: a duplicate of an
 * innocent listener would keep its port busy for the moment in which its owner closes it.
 */
static struct lai_mend_result descriptor_look(const struct lai_mend_target *target)
{
	char path[64], link[64];
	ssize_t length;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)target->pid, (int)target->fd);
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0) /* no /proc, or not allowed to look: the duplicate will tell */
		return lai_mend_fail(errno == ENOENT ? LAI_MEND_GONE : LAI_MENDED, 0);
	link[length] = '\0';
	if (strncmp(link, LINK_PREFIX, strlen(LINK_PREFIX)) != 0 ||
	    strtoull(link + strlen(LINK_PREFIX), NULL, 10) != target->socket.inode)
		return lai_mend_fail(LAI_MEND_CHANGED, 0);
	return lai_mend_fail(LAI_MENDED, 0);
}

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

static bool same_cookie(int fd, uint64_t cookie)
{
	uint64_t found = 0;
	socklen_t length = sizeof(found);

	return cookie == 0 ||
	       (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &found, &length) == 0 && found == cookie);
}

enum lai_tcp_state lai_grip_state(int fd)
{
	uint8_t state = LAI_TCP_NONE; /* the first byte of struct tcp_info is tcpi_state */
	socklen_t length = sizeof(state);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &length) != 0 || state >= LAI_TCP_COUNT)
		return LAI_TCP_NONE;
	return (enum lai_tcp_state)state;
}

static bool same_end(int fd, int (*ask)(int, struct sockaddr *, socklen_t *),
		     const struct lai_address *wanted)
{
	struct lai_address found = {.length = sizeof(found.v6)};

	return ask(fd, &found.sa, &found.length) == 0 && lai_identity_address(&found, wanted);
}

static int ask_local(int fd, struct sockaddr *address, socklen_t *length)
{
	return getsockname(fd, address, length);
}

static int ask_remote(int fd, struct sockaddr *address, socklen_t *length)
{
	return getpeername(fd, address, length);
}

/* The kernel tells no peer of these. */
static bool has_peer(enum lai_tcp_state state)
{
	return state != LAI_TCP_LISTEN && state != LAI_TCP_SYN_SENT &&
	       state != LAI_TCP_BOUND_INACTIVE && state != LAI_TCP_CLOSE;
}

static bool same_ends(int fd, const struct lai_socket_fact *target)
{
	return same_end(fd, ask_local, &target->local) &&
	       (!has_peer(target->state) || same_end(fd, ask_remote, &target->remote));
}

/*
 * Is the duplicate the target? Mended: yes. The state comes last, since it alone can still change:
 * only an owner that disconnects the socket and connects it anew in the microsecond that is left
 * could make something else of it.
 */
static struct lai_mend_result duplicate_compare(int fd, const struct lai_socket_fact *target)
{
	enum lai_mend_outcome outcome;
	struct stat status;

	if (fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode) || status.st_ino != target->inode)
		return lai_mend_fail(LAI_MEND_CHANGED, 0);
	/* Its subflows are TCP sockets in the kernel's tables; the program holds what is above. */
	if (option_of(fd, SO_PROTOCOL) == IPPROTO_MPTCP)
		return lai_mend_fail(LAI_MEND_IMPOSSIBLE, -EPROTONOSUPPORT);
	if (option_of(fd, SO_PROTOCOL) != IPPROTO_TCP || option_of(fd, SO_DOMAIN) != target->family)
		return lai_mend_fail(LAI_MEND_CHANGED, 0);
	if (!same_cookie(fd, target->cookie))
		return lai_mend_fail(LAI_MEND_CHANGED, 0);
	/* A connection that is over has no ends to compare. */
	if (!same_ends(fd, target))
		return lai_mend_fail(
			lai_grip_state(fd) == LAI_TCP_CLOSE ? LAI_MEND_GONE : LAI_MEND_CHANGED, 0);
	outcome = lai_identity_state(target->state, lai_grip_state(fd));
	return lai_mend_fail(outcome, 0);
}

struct lai_mend_result lai_grip_take(struct lai_mend_session *session,
				     const struct lai_mend_target *target, int *fd)
{
	struct lai_mend_result result = process_take(session, target);
	int duplicate;

	if (result.outcome == LAI_MENDED)
		result = descriptor_look(target);
	if (result.outcome != LAI_MENDED)
		return result;
	duplicate = pidfd_getfd(session->pidfd, target->fd, 0);
	if (duplicate < 0)
		return lai_mend_fail_of_errno(-errno);
	result = duplicate_compare(duplicate, &target->socket);
	if (result.outcome == LAI_MENDED)
		*fd = duplicate;
	else
		(void)close(duplicate);
	return result;
}
