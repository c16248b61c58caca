/* SPDX-License-Identifier: MIT */
/* mend.c - the three grades, and what a session keeps between two deeds. */
#include "mend/mend.h"
#include "mend/mend_inside.h"
#include "observe/namespace.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

const char *const lai_mend_names[LAI_MEND_COUNT + 1] = {"keepalive", "fin", "rst", NULL};
const struct lai_mend_keepalive lai_mend_keepalive_default = {
	.idle_s = 10,
	.interval_s = 5,
	.probes = 4,
};

const char *lai_mend_outcome_name(enum lai_mend_outcome outcome)
{
	static const char *const names[LAI_MEND_OUTCOME_COUNT] = {
		[LAI_MENDED] = "mended",
		[LAI_MEND_GONE] = "gone",
		[LAI_MEND_CHANGED] = "changed",
		[LAI_MEND_DENIED] = "denied",
		[LAI_MEND_IMPOSSIBLE] = "impossible",
		[LAI_MEND_FAILED] = "failed",
	};

	return names[outcome];
}

struct lai_mend_result lai_mend_fail_of_errno(int error)
{
	switch (error) {
	case -ESRCH:
	case -EBADF:
	case -ENOENT: return lai_mend_fail(LAI_MEND_GONE, 0);
	case -EPERM:
	case -EACCES: return lai_mend_fail(LAI_MEND_DENIED, error);
	case -ENOSYS:
	case -EOPNOTSUPP:
	case -EPROTONOSUPPORT: return lai_mend_fail(LAI_MEND_IMPOSSIBLE, error);
	default: return lai_mend_fail(LAI_MEND_FAILED, error);
	}
}

static bool is_one_of(enum lai_tcp_state state, uint32_t states)
{
	return (1u << state) & states;
}

#define BIT(state) (1u << LAI_TCP_##state)

const char *lai_mend_possible(const struct lai_socket_fact *socket, bool held,
			      enum lai_mend_how how)
{
	if (how == LAI_MEND_RST) {
		if (socket->state == LAI_TCP_CLOSE)
			return "its connection is gone already; only its owner can close it";
		if (socket->state == LAI_TCP_BOUND_INACTIVE)
			return "it has no connection; only its owner can close it";
		return socket->cookie ? NULL : "it has no cookie to identify it by";
	}
	if (socket->inode == 0)
		return "no process has a descriptor of it";
	if (!held)
		return "no process was found that holds it";
	switch (socket->state) {
	case LAI_TCP_CLOSE: return "its connection is gone already; only its owner can close it";
	case LAI_TCP_BOUND_INACTIVE: return "it has no connection; only its owner can close it";
	case LAI_TCP_LAST_ACK:
	case LAI_TCP_CLOSING:
	case LAI_TCP_TIME_WAIT: return "its FIN has been sent";
	default: break;
	}
	if (how == LAI_MEND_KEEPALIVE &&
	    !is_one_of(socket->state,
		       BIT(ESTABLISHED) | BIT(CLOSE_WAIT) | BIT(FIN_WAIT1) | BIT(FIN_WAIT2)))
		return "it has no connection to probe";
	return NULL;
}

static int integer_get(int fd, int level, int option, uint32_t *value)
{
	socklen_t length = sizeof(*value);

	return getsockopt(fd, level, option, value, &length) == 0 ? 0 : -errno;
}

static int integer_set(int fd, int level, int option, uint32_t value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* Armed, and finds a silent peer at least as soon. */
static bool armed(int fd, const struct lai_mend_keepalive *wanted)
{
	uint32_t on = 0, idle_s = 0, interval_s = 0, probes = 0;

	if (integer_get(fd, SOL_SOCKET, SO_KEEPALIVE, &on) || !on ||
	    integer_get(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s) ||
	    integer_get(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s) ||
	    integer_get(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes))
		return false;
	return idle_s + (uint64_t)interval_s * probes <=
	       wanted->idle_s + (uint64_t)wanted->interval_s * wanted->probes;
}

/*
 * The idle time comes last: set on a socket that has keepalive on, it is counted from the last
 * segment that came (tcp_sock_set_keepidle_locked()); otherwise it would begin now.
 */
static int keepalive_arm(int fd, const struct lai_mend_keepalive *wanted)
{
	int error;

	if (armed(fd, wanted))
		return 0;
	error = integer_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (!error)
		error = integer_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, wanted->interval_s);
	if (!error)
		error = integer_set(fd, IPPROTO_TCP, TCP_KEEPCNT, wanted->probes);
	if (!error)
		error = integer_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, wanted->idle_s);
	return error;
}

struct look {
	const struct lai_mend_target *target;
	bool there; /* the same socket, in the same state */
};

static int look_inside(void *arg)
{
	struct look *look = arg;
	struct lai_socket_fact found;
	int error = lai_sockdiag_find(&look->target->socket, &found);

	look->there = error == 0 && found.state == look->target->socket.state;
	return error;
}

/*
 * The way to it is gone, but is the socket? It is not where another process holds it too, or where
 * its process has lost its first thread, with which goes what /proc shows of it.
 */
static struct lai_mend_result gone_or_not(const struct lai_mend_target *target)
{
	struct look look = {.target = target};

	(void)lai_namespace_run(&target->name_space, look_inside, &look);
	return lai_mend_fail(look.there ? LAI_MEND_CHANGED : LAI_MEND_GONE, 0);
}

static struct lai_mend_result descriptor_mend(struct lai_mend_session *session,
					      const struct lai_mend_target *target,
					      enum lai_mend_how how,
					      const struct lai_mend_keepalive *keepalive)
{
	struct lai_mend_result result;
	int fd = -1, error;

	result = lai_grip_take(session, target, &fd);
	if (result.outcome == LAI_MEND_GONE)
		return gone_or_not(target);
	if (result.outcome != LAI_MENDED)
		return result;
	if (how == LAI_MEND_FIN)
		error = shutdown(fd, SHUT_RDWR) == 0 ? 0 : -errno;
	else
		error = keepalive_arm(fd, keepalive ? keepalive : &lai_mend_keepalive_default);
	if (error == -ENOTCONN) /* it ended after we looked */
		result = lai_mend_fail(LAI_MEND_GONE, 0);
	else if (error)
		result = lai_mend_fail_of_errno(error);
	else
		result.state = lai_grip_state(fd);
	(void)close(fd);
	return result;
}

int lai_mend_session_new(struct lai_mend_session **session)
{
	struct lai_mend_session *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->pidfd = -1;
	*session = made;
	return 0;
}

void lai_mend_session_free(struct lai_mend_session *session)
{
	if (!session)
		return;
	lai_grip_drop(session);
	lai_destroy_drop(session);
	free(session);
}

struct lai_mend_result lai_mend_in(struct lai_mend_session *session,
				   const struct lai_mend_target *target, enum lai_mend_how how,
				   const struct lai_mend_keepalive *keepalive)
{
	if (lai_mend_possible(&target->socket, target->pid != 0, how))
		return lai_mend_fail(LAI_MEND_IMPOSSIBLE, 0);
	if (how == LAI_MEND_RST)
		return lai_destroy(session, target);
	return descriptor_mend(session, target, how, keepalive);
}

struct lai_mend_result lai_mend(const struct lai_mend_target *target, enum lai_mend_how how,
				const struct lai_mend_keepalive *keepalive)
{
	struct lai_mend_session session = {.pidfd = -1};
	struct lai_mend_result result = lai_mend_in(&session, target, how, keepalive);

	lai_grip_drop(&session);
	lai_destroy_drop(&session);
	return result;
}
