/* SPDX-License-Identifier: MIT */
/* sim_net.c - the simulator's face: struct lai_net_ops over simulated sockets. */
#include "io/sim/sim_internal.h"

#include <errno.h>
#include <string.h>

#define RTO_MAX_LOWEST_NS (1 * LAI_S) /* what TCP_RTO_MAX_MS takes */
#define RTO_MAX_HIGHEST_NS (120 * LAI_S)
#define WINDOW_SCALE 7u /* Linux's for a receive buffer of up to 8 MiB */

struct sim_net *sim_net_of(const struct lai_net *net)
{
	return container_of(net, struct sim_net, base);
}

/* NULL: no such socket of this net. */
static struct sim_socket *net_socket(struct lai_net *base, int number)
{
	struct sim_net *net = sim_net_of(base);
	struct sim_socket *socket;

	if (number < 0 || (size_t)number >= net->host->fd_count)
		return NULL;
	socket = net->host->fds[number];
	return socket && socket->net == net ? socket : NULL;
}

/* ---- clock and resolver ------------------------------------------------------------------ */

static uint64_t net_now(struct lai_net *net)
{
	return sim_host_now(sim_net_of(net)->host);
}

static uint64_t net_slept(struct lai_net *net)
{
	return sim_net_of(net)->host->slept_ns;
}

static int net_resolve(struct lai_net *net, const char *host, uint16_t port)
{
	return sim_dns_ask(sim_net_of(net), host, port);
}

static int net_resolved(struct lai_net *base, struct lai_address addresses[LAI_ADDRESSES_MAX])
{
	struct sim_net *net = sim_net_of(base);

	if (!net->answered)
		return -EINPROGRESS;
	for (int i = 0; i < net->answer_result; i++)
		addresses[i] = net->answers[i];
	sim_dns_cancel(net);
	return net->answer_result;
}

static void net_resolve_cancel(struct lai_net *net)
{
	sim_dns_cancel(sim_net_of(net));
}

/* ---- connecting -------------------------------------------------------------------------- */

static int device_check(const char *device)
{
	return !device || strcmp(device, "lo") == 0 || strcmp(device, "eth0") == 0 ? 0 : -ENODEV;
}

/* The tuple of a pinned port must be free, or in TIME_WAIT, which then ends early. */
static int connect_tuple(struct sim_socket *socket)
{
	struct sim_socket *other = sim_socket_find(socket->host, &socket->local, &socket->remote);
	bool waiting;

	if (!other)
		return 0;
	waiting = other->state == LAI_TCP_TIME_WAIT ||
		  (other->state == LAI_TCP_FIN_WAIT2 && other->fd < 0); /* kept the same way */
	if (!waiting || socket->host->no_timestamps)
		return -EADDRNOTAVAIL;
	/* tcp_twsk_unique(): timestamps tell old segments from new, whatever their numbers. */
	socket->iss = other->snd_nxt + UINT16_MAX + 2;
	sim_close_done(other, 0);
	return 0;
}

/* bind(), and the choice of source address and port. */
static int connect_name(struct sim_socket *socket, const struct lai_address *wish)
{
	uint16_t port = wish->length ? lai_address_port(wish) : 0;
	struct lai_address source;
	int error;

	socket->reuse = port != 0;
	if (wish->length) {
		if (lai_address_family(wish) != lai_address_family(&socket->remote))
			return -EINVAL;
		if (!sim_address_any(wish) && !sim_host_owns(socket->host, wish))
			return -ENODEV;
		socket->local = *wish;
		if (port && (error = sim_socket_bind(socket)) < 0)
			return error;
	}
	error = sim_host_source(socket->host, &socket->remote, &source);
	if (error < 0)
		return error;
	if (!wish->length || sim_address_any(wish))
		socket->local = source;
	if (!port)
		return sim_socket_draw_port(socket);
	lai_address_set_port(&socket->local, port);
	return connect_tuple(socket);
}

static void connect_options(struct sim_socket *socket, const struct lai_socket_options *options)
{
	socket->no_delay = options->no_delay;
	socket->keepalive_ns = options->keepalive_ns;
	socket->unsent_bytes_max = options->unsent_max_bytes;
	socket->user_timeout_ns = options->user_timeout_ns / LAI_MS * LAI_MS;
	if (options->rto_max_ns >= RTO_MAX_LOWEST_NS && options->rto_max_ns <= RTO_MAX_HIGHEST_NS)
		socket->rto_max_ns = options->rto_max_ns;
}

static int connect_try(struct sim_net *net, const struct lai_address *remote,
		       const struct lai_socket_options *options)
{
	struct lai_sim_host *host = net->host;
	struct sim_socket *socket;
	int error;

	if (!host->powered)
		return -ENETDOWN;
	if (host->connect_errors_left) {
		host->connect_errors_left--;
		return host->connect_error;
	}
	error = device_check(options->device);
	if (error < 0)
		return error;
	socket = sim_socket_new(host);
	if (!socket)
		return -ENOMEM;
	socket->remote = *remote;
	socket->connector = true;
	socket->watch = LAI_WRITABLE;
	error = connect_name(socket, &options->local);
	if (error == 0)
		error = sim_socket_attach(socket, net);
	if (error < 0) {
		sim_socket_bury(socket);
		return error;
	}
	connect_options(socket, options);
	sim_socket_insert(socket);
	sim_output_connect(socket);
	return socket->fd;
}

static int net_connect(struct lai_net *base, const struct lai_address *remote,
		       const struct lai_socket_options *options)
{
	struct sim_net *net = sim_net_of(base);
	struct lai_sim_attempt attempt = {net_now(base), *remote, 0};

	attempt.result = connect_try(net, remote, options);
	(void)sim_queue_push(&net->attempts, &attempt, sizeof(attempt));
	return attempt.result;
}

static int listen_name(struct sim_socket *socket, const struct lai_address *local)
{
	socket->local = *local;
	socket->reuse = true;
	if (!sim_address_any(local) && !sim_host_owns(socket->host, local))
		return -EADDRNOTAVAIL;
	if (lai_address_port(local) == 0) {
		int error = sim_socket_draw_port(socket);

		if (error < 0)
			return -EADDRINUSE;
	}
	return sim_socket_bind(socket);
}

static int net_listen(struct lai_net *base, struct lai_address *local, int backlog)
{
	struct sim_net *net = sim_net_of(base);
	struct sim_socket *socket;
	int error;

	if (!net->host->powered)
		return -ENETDOWN;
	socket = sim_socket_new(net->host);
	if (!socket)
		return -ENOMEM;
	error = listen_name(socket, local);
	if (error == 0)
		error = sim_socket_attach(socket, net);
	if (error < 0) {
		sim_socket_bury(socket);
		return error;
	}
	socket->state = LAI_TCP_LISTEN;
	socket->backlog = backlog > 0 ? (unsigned)backlog : 0;
	sim_socket_insert(socket);
	*local = socket->local;
	return socket->fd;
}

/* ::ffff:192.0.2.1, as a socket of IPv6 calls a peer that came by IPv4. */
static struct lai_address name_shown(const struct sim_socket *socket,
				     const struct lai_address *name)
{
	struct lai_address shown = {.length = sizeof(shown.v6)};

	if (!socket->mapped)
		return *name;
	shown.v6.sin6_family = AF_INET6;
	shown.v6.sin6_port = name->v4.sin_port;
	shown.v6.sin6_addr.s6_addr16[5] = UINT16_MAX;
	shown.v6.sin6_addr.s6_addr32[3] = name->v4.sin_addr.s_addr;
	return shown;
}

static int net_accept(struct lai_net *base, int number, struct lai_address *remote)
{
	struct sim_socket *listener = net_socket(base, number);
	struct sim_socket *child;
	int result;

	if (!listener)
		return -EBADF;
	if (listener->state != LAI_TCP_LISTEN)
		return -EINVAL;
	child = listener->accept_first;
	if (!child)
		return -EAGAIN;
	result = sim_socket_attach(child, sim_net_of(base));
	if (result < 0)
		return result;
	listener->accept_first = child->accept_next;
	if (!listener->accept_first)
		listener->accept_last = NULL;
	listener->accept_count--;
	child->accept_next = NULL;
	child->listener = NULL;
	*remote = name_shown(child, &child->remote);
	sim_socket_notify(child);
	return result;
}

/* ---- bytes ------------------------------------------------------------------------------- */

/* Why tcp_sendmsg() takes nothing, whatever the room: 0 or a negative errno. */
static ssize_t send_check(struct sim_socket *socket)
{
	int error = sim_socket_error(socket);

	if (error)
		return -error;
	if (socket->state == LAI_TCP_SYN_SENT || socket->state == LAI_TCP_SYN_RECV)
		return -EAGAIN;
	if (socket->no_write || socket->state == LAI_TCP_LISTEN)
		return -EPIPE;
	return 0;
}

/* What may be written now: the buffer's limit, and how far one may write ahead of what was sent. */
static size_t send_room(const struct sim_socket *socket)
{
	size_t room = socket->send_bytes_max > socket->queue.used
			      ? socket->send_bytes_max - socket->queue.used
			      : 0;
	size_t ahead = (size_t)lai_time_since(sim_output_unsent(socket), socket->unsent_bytes_max);

	return socket->unsent_bytes_max && ahead < room ? ahead : room;
}

/* Takes bytes until nothing more fits, sending where that makes room. */
static size_t send_take(struct sim_socket *socket, const struct iovec *iov)
{
	size_t taken = 0, bytes;

	while ((bytes = send_room(socket)) > 0 && taken < iov->iov_len) {
		if (bytes > iov->iov_len - taken)
			bytes = iov->iov_len - taken;
		if (sim_queue_push(&socket->queue, (char *)iov->iov_base + taken, bytes) < 0)
			break;
		taken += bytes;
		if (send_room(socket) == 0)
			sim_output_push(socket);
	}
	return taken;
}

static ssize_t net_send(struct lai_net *net, int number, const struct iovec *iov, int count,
			unsigned flags)
{
	struct sim_socket *socket = net_socket(net, number);
	ssize_t taken = socket ? send_check(socket) : -EBADF;
	uint64_t end;

	if (taken < 0)
		return taken;
	if (send_room(socket) == 0)
		return -EAGAIN;
	for (int i = 0; i < count; i++)
		taken += (ssize_t)send_take(socket, &iov[i]);
	sim_output_push(socket);
	end = sim_output_end(socket);
	if ((flags & LAI_ASK_ACK) && taken > 0)
		(void)sim_queue_push(&socket->marks, &end, sizeof(end));
	return taken;
}

/* As tcp_recvmsg(): bytes first, then the end if a FIN brought it, then the error, then the end.
   data NULL: MSG_TRUNC. */
static ssize_t recv_take(struct sim_socket *socket, void *data, size_t size)
{
	int error;

	if (!socket)
		return -EBADF;
	if (socket->state == LAI_TCP_LISTEN)
		return -ENOTCONN;
	if (socket->received.used) {
		size_t bytes = size < socket->received.used ? size : socket->received.used;

		if (data)
			memcpy(data, sim_queue_front(&socket->received), bytes);
		sim_queue_drop(&socket->received, bytes);
		sim_output_window(socket);
		return (ssize_t)bytes;
	}
	if (socket->got_fin)
		return 0;
	error = sim_socket_error(socket);
	if (error)
		return -error;
	return socket->no_read ? 0 : -EAGAIN;
}

static ssize_t net_recv(struct lai_net *net, int number, void *data, size_t size)
{
	return recv_take(net_socket(net, number), data, size);
}

static ssize_t net_discard(struct lai_net *net, int number, size_t size)
{
	return recv_take(net_socket(net, number), NULL, size);
}

static int net_error(struct lai_net *net, int number)
{
	struct sim_socket *socket = net_socket(net, number);
	int error = socket ? sim_socket_error(socket) : EBADF;

	if (error == 0) { /* SO_ERROR hands out the soft error if there is no other */
		error = socket->soft_error;
		socket->soft_error = 0;
	}
	return error;
}

static int net_view(struct lai_net *net, int number, struct lai_view *view)
{
	const struct sim_socket *socket = net_socket(net, number);
	struct lai_view result = {0};

	if (!socket)
		return -EBADF;
	if (socket->snd_una > socket->iss && socket->state != LAI_TCP_LISTEN)
		result.acked_bytes = socket->snd_una - socket->iss - 1 - socket->fin_acked;
	result.ack_age_ns = lai_time_since(socket->heard_ack_ns, net_now(net));
	result.retransmits = socket->retransmits_total;
	result.in_flight = (uint32_t)(socket->sent.used / sizeof(struct sim_sent));
	if (socket->state == LAI_TCP_SYN_SENT || socket->state == LAI_TCP_SYN_RECV)
		result.in_flight = 1;
	result.unanswered = socket->retransmits + socket->probes;
	result.window_bytes = (uint32_t)socket->snd_wnd;
	result.window_scale = socket->irs ? WINDOW_SCALE : 0;
	result.tcp_state = socket->state;
	result.fin_acked = socket->fin_acked;
	*view = result;
	return 0;
}

static int net_names(struct lai_net *net, int number, struct lai_address *local,
		     struct lai_address *remote)
{
	const struct sim_socket *socket = net_socket(net, number);

	if (!socket)
		return -EBADF;
	/* inet_getname(): there is no peer yet, or no more. */
	if (socket->state == LAI_TCP_LISTEN || socket->state == LAI_TCP_SYN_SENT ||
	    socket->state == LAI_TCP_CLOSE)
		return -ENOTCONN;
	*local = name_shown(socket, &socket->local);
	*remote = name_shown(socket, &socket->remote);
	return 0;
}

/* ---- ending ------------------------------------------------------------------------------ */

static int net_shutdown(struct lai_net *net, int number)
{
	struct sim_socket *socket = net_socket(net, number);

	return socket ? sim_close_write(socket) : -EBADF;
}

static void net_close(struct lai_net *net, int number)
{
	struct sim_socket *socket = net_socket(net, number);

	if (socket)
		sim_close_socket(socket);
	if (!sim_net_of(net)->host->sim->in_program)
		sim_sockets_free(sim_net_of(net)->host->sim);
}

static void net_abort(struct lai_net *net, int number)
{
	struct sim_socket *socket = net_socket(net, number);

	if (socket)
		sim_close_abort(socket);
	if (!sim_net_of(net)->host->sim->in_program)
		sim_sockets_free(sim_net_of(net)->host->sim);
}

/* Blocks as the kernel does: the clock goes on until our FIN is acknowledged or the time is over.
 */
static void net_linger(struct lai_net *net, int number, uint64_t linger_ns)
{
	struct sim_socket *socket = net_socket(net, number);
	struct lai_sim *sim = sim_net_of(net)->host->sim;
	uint64_t deadline_ns = lai_time_after(sim->now_ns, sim_timer_whole_seconds(linger_ns));
	bool gone = false;

	if (!socket)
		return;
	socket->gone = &gone;
	sim_close_socket(socket);
	while (!gone && !sim->in_program && sim_close_lingering(socket)) {
		if (lai_sim_next(sim) > deadline_ns) {
			lai_sim_advance(sim, deadline_ns);
			break;
		}
		sim_step(sim);
	}
	if (!gone)
		socket->gone = NULL;
	if (!sim->in_program)
		sim_sockets_free(sim);
}

static int net_keepalive(struct lai_net *net, int number, uint64_t keepalive_ns)
{
	struct sim_socket *socket = net_socket(net, number);

	if (!socket)
		return -EBADF;
	socket->keepalive_ns = keepalive_ns;
	return 0;
}

static void net_hurry(struct lai_net *net, int number, uint64_t within_ns)
{
	struct sim_socket *socket = net_socket(net, number);

	if (!socket || !socket->keepalive_ns || socket->state == LAI_TCP_CLOSE ||
	    socket->state == LAI_TCP_SYN_SENT)
		return;
	if (within_ns)
		sim_timer_hurry(socket, within_ns);
	else
		sim_timer_pace(socket);
}

static int net_why_silent(struct lai_net *net, const struct lai_address *local,
			  const struct lai_address *remote, const char *device)
{
	(void)device; /* each host has one way out */
	return sim_host_why_silent(sim_net_of(net)->host, local, remote);
}

/* No TLS here, and nobody outside who could have made a socket. */
static const char *net_no_text(struct lai_net *net, int number)
{
	(void)net;
	(void)number;
	return NULL;
}

static int net_adopt(struct lai_net *net, int listener, struct lai_address *local)
{
	(void)net;
	(void)listener;
	(void)local;
	return -EOPNOTSUPP;
}

/* ---- waiting ----------------------------------------------------------------------------- */

static int net_watch(struct lai_net *net, int number, uint32_t events)
{
	struct sim_socket *socket = net_socket(net, number);

	if (!socket)
		return -EBADF;
	socket->watch = events;
	socket->told = 0;
	sim_socket_notify(socket);
	return 0;
}

static int net_collect(struct sim_net *net, struct lai_ready *ready, int max)
{
	int count = 0;

	if (net->frozen || !sim_host_up(net->host))
		return 0;
	if (net->answered && max > 0)
		ready[count++] = (struct lai_ready){LAI_RESOLVER, LAI_READABLE};
	return count + sim_socket_collect(net, ready + count, max - count);
}

static int net_wait(struct lai_net *base, struct lai_ready *ready, int max, uint64_t deadline_ns)
{
	struct sim_net *net = sim_net_of(base);
	struct lai_sim *sim = net->host->sim;

	for (;;) {
		int count = net_collect(net, ready, max);
		uint64_t until_ns = lai_sim_host_when(net->host, deadline_ns);
		uint64_t next_ns = lai_sim_next(sim);

		if (count > 0 || until_ns <= sim->now_ns || sim->in_program ||
		    deadline_ns <= sim_host_now(net->host))
			return count;
		if (next_ns > until_ns)
			next_ns = until_ns;
		if (next_ns == LA_NEVER)
			return 0; /* nothing will ever happen again: Linux would hang */
		if (sim->heap_count && sim->heap[0]->at_ns == next_ns)
			sim_step(sim);
		else
			lai_sim_advance(sim, next_ns);
	}
}

static int net_fd(struct lai_net *net)
{
	(void)net;
	return -1;
}

static void net_free(struct lai_net *net)
{
	sim_net_free(sim_net_of(net));
}

const struct lai_net_ops sim_net_ops = {
	.now = net_now,
	.slept = net_slept,
	.resolve = net_resolve,
	.resolved = net_resolved,
	.resolve_cancel = net_resolve_cancel,
	.connect = net_connect,
	.listen = net_listen,
	.accept = net_accept,
	.keepalive = net_keepalive,
	.send = net_send,
	.recv = net_recv,
	.discard = net_discard,
	.error = net_error,
	.view = net_view,
	.names = net_names,
	.shutdown = net_shutdown,
	.close = net_close,
	.abort = net_abort,
	.linger = net_linger,
	.hurry = net_hurry,
	.peer_name = net_no_text,
	.why = net_no_text,
	.adopt = net_adopt,
	.why_silent = net_why_silent,
	.watch = net_watch,
	.wait = net_wait,
	.fd = net_fd,
	.free = net_free,
};
