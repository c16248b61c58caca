/* SPDX-License-Identifier: MIT */
/* call_pair.c - sockets, listeners and connections made for a trial; what is refused ends it. */
#include "lab/call.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

/* More than any trial opens before it accepts; net.core.somaxconn may lower it. */
#define BACKLOG 4096
/* For what takes microseconds on an idle host. */
#define PAIR_WAIT_NS (5 * LAI_S)

int lai_call_socket(struct lai_trial *trial, const struct lai_host *host)
{
	int fd;

	lai_host_enter(trial, host);
	fd = socket(trial->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 && errno == EAFNOSUPPORT)
		lai_trial_lacks(trial, "this kernel has no %s",
				trial->family == AF_INET6 ? "IPv6" : "IPv4");
	if (fd < 0)
		lai_trial_fail(trial, "socket() in %s: %s", host->name, lai_call_errno(errno));
	return fd;
}

static void option_set(struct lai_trial *trial, int fd, int level, int name, const void *value,
		       socklen_t length)
{
	if (setsockopt(fd, level, name, value, length) == 0)
		return;
	if (errno == ENOPROTOOPT)
		lai_trial_lacks(trial, "this kernel has no socket option %d of level %d", name,
				level);
	lai_trial_fail(trial, "setsockopt(level %d, option %d): %s", level, name,
		       lai_call_errno(errno));
}

void lai_call_option(struct lai_trial *trial, int fd, int level, int name, int value)
{
	option_set(trial, fd, level, name, &value, sizeof(value));
}

void lai_call_linger(struct lai_trial *trial, int fd, bool on, int seconds)
{
	struct linger linger = {.l_onoff = on, .l_linger = seconds};

	option_set(trial, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static struct lai_address name_of(struct lai_trial *trial, int fd, const char *call,
				  int get(int fd, struct sockaddr *name, socklen_t *length))
{
	struct lai_address address = {.length = sizeof(address.v6)};

	if (get(fd, &address.sa, &address.length) < 0)
		lai_trial_fail(trial, "%s: %s", call, lai_call_errno(errno));
	return address;
}

static int local_name(int fd, struct sockaddr *name, socklen_t *length)
{
	return getsockname(fd, name, length);
}

static int remote_name(int fd, struct sockaddr *name, socklen_t *length)
{
	return getpeername(fd, name, length);
}

struct lai_ends lai_call_ends(struct lai_trial *trial, int fd)
{
	return (struct lai_ends){
		.local = name_of(trial, fd, "getsockname()", local_name),
		.remote = name_of(trial, fd, "getpeername()", remote_name),
	};
}

struct lai_ends lai_ends_turned(const struct lai_ends *ends)
{
	return (struct lai_ends){.local = ends->remote, .remote = ends->local};
}

static void bind_to(struct lai_trial *trial, int fd, const struct lai_address *address)
{
	struct lai_call call = lai_call_bind(fd, address);
	char text[LA_ADDRESS_TEXT_MAX];

	if (call.error)
		lai_trial_fail(trial, "bind(%s): %s", lai_address_format(text, address),
			       lai_call_errno(call.error));
}

int lai_call_listen(struct lai_trial *trial, const struct lai_host *host, uint16_t port, bool reuse,
		    struct lai_address *address)
{
	struct lai_address own = lai_host_address(trial, host, port);
	int fd = lai_call_socket(trial, host);

	if (reuse)
		lai_call_option(trial, fd, SOL_SOCKET, SO_REUSEADDR, 1);
	bind_to(trial, fd, &own);
	if (listen(fd, BACKLOG) < 0)
		lai_trial_fail(trial, "listen() in %s: %s", host->name, lai_call_errno(errno));
	if (address)
		*address = name_of(trial, fd, "getsockname()", local_name);
	return fd;
}

int lai_call_accept(struct lai_trial *trial, int listener, uint64_t wait_ns)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), wait_ns);
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};

	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			return fd;
		/* The last one: the connection was reset before it was accepted. */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			lai_trial_fail(trial, "accept(): %s", lai_call_errno(errno));
		if (poll(&poll_fd, 1, lai_clock_timeout_ms(deadline_ns)) == 0)
			lai_trial_fail(trial, "no connection came to the listener");
	}
}

struct lai_pair lai_pair_open(struct lai_trial *trial, const struct lai_pair_plan *plan)
{
	static const struct lai_pair_plan plain = {0};
	struct lai_pair pair = {.listener = -1};
	struct lai_address to;
	struct lai_call call;
	int listener;

	if (!plan)
		plan = &plain;
	if (plan->listener) {
		listener = plan->listener;
		to = name_of(trial, listener, "getsockname()", local_name);
	} else {
		listener = pair.listener = lai_call_listen(trial, trial->server, 0, false, &to);
	}
	pair.client = lai_call_socket(trial, trial->client);
	if (plan->reuse)
		lai_call_option(trial, pair.client, SOL_SOCKET, SO_REUSEADDR, 1);
	if (plan->client_port) {
		struct lai_address from = lai_host_address(trial, trial->client, plan->client_port);

		bind_to(trial, pair.client, &from);
	}
	call = lai_call_connect(pair.client, &to, PAIR_WAIT_NS);
	if (call.error)
		lai_trial_fail(trial, "connect(): %s", lai_call_errno(call.error));
	pair.server = lai_call_accept(trial, listener, PAIR_WAIT_NS);
	pair.at_client = lai_call_ends(trial, pair.client);
	/* Asked, not turned: there may be a NAT between them. */
	pair.at_server = lai_call_ends(trial, pair.server);
	return pair;
}

static void close_once(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

void lai_pair_close(struct lai_pair *pair)
{
	close_once(&pair->client);
	close_once(&pair->server);
	close_once(&pair->listener);
}
