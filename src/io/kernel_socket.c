/* SPDX-License-Identifier: MIT */
/* The Linux network: sockets and what TCP_INFO says of them. */
#include "io/kernel_internal.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/tcp.h>
#include <string.h>
#include <unistd.h>

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 /* Linux 6.15, include/uapi/linux/tcp.h */
#endif

/* Keepalive spends the first half of the time waiting and the other half on five probes. */
#define KEEPALIVE_PROBES 5

/* What discard() reads at once where the kernel cannot discard. */
#define DISCARD_BYTES 16384

/* tcpi_last_ack_recv counts the kernel's ticks: 10 ms at CONFIG_HZ=100, and as much
   for rounding. */
#define TICK_NS (20 * LAI_MS)

static int set_int(int socket, int level, int name, int value)
{
	return setsockopt(socket, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

static int whole_seconds(uint64_t duration_ns)
{
	uint64_t seconds = (duration_ns + LAI_S - 1) / LAI_S;

	return seconds == 0 ? 1 : seconds > INT16_MAX ? INT16_MAX : (int)seconds;
}

static int milliseconds(uint64_t duration_ns)
{
	uint64_t ms = duration_ns / LAI_MS;

	return ms == 0 ? 1 : ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* The kernel counts keepalive in whole seconds: the sum is at most a few seconds over idle_ns. */
static int set_keepalive(int socket, uint64_t dead_ns)
{
	int interval_s = whole_seconds(dead_ns / (KEEPALIVE_PROBES * 2));
	int probes = (int)(dead_ns / 2 / LAI_S) / interval_s;
	int status;

	if (dead_ns == 0)
		return 0;
	probes = probes < 1 ? 1 : probes > KEEPALIVE_PROBES ? KEEPALIVE_PROBES : probes;
	status = set_int(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (status == 0)
		status = set_int(socket, IPPROTO_TCP, TCP_KEEPIDLE, whole_seconds(dead_ns / 2));
	if (status == 0)
		status = set_int(socket, IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
	return status == 0 ? set_int(socket, IPPROTO_TCP, TCP_KEEPCNT, probes) : status;
}

static int set_local(int socket, const struct lai_address *local)
{
	int status;

	if (local->length == 0)
		return 0;
	if (lai_address_port(local) != 0) {
		status = set_int(socket, SOL_SOCKET, SO_REUSEADDR, 1);
	} else {
		/* The port is chosen at connect(), when the whole four-tuple is known. */
		status = set_int(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	}
	if (status != 0)
		return status;
	if (bind(socket, &local->sa, local->length) == 0)
		return 0;
	return errno == EADDRNOTAVAIL ? -ENODEV : -errno;
}

static int set_tos(int socket, int family, int tos)
{
	if (tos < 0)
		return 0;
	return family == AF_INET6 ? set_int(socket, IPPROTO_IPV6, IPV6_TCLASS, tos)
				  : set_int(socket, IPPROTO_IP, IP_TOS, tos);
}

static int set_options(int socket, int family, const struct lai_socket_options *options)
{
	int status;

	if (options->device && setsockopt(socket, SOL_SOCKET, SO_BINDTODEVICE, options->device,
					  (socklen_t)strlen(options->device)) != 0)
		return -errno;
	status = set_tos(socket, family, options->tos);
	if (status == 0 && options->no_delay)
		status = set_int(socket, IPPROTO_TCP, TCP_NODELAY, 1);
	if (status == 0)
		status = set_keepalive(socket, options->keepalive_ns);
	if (status == 0 && options->user_timeout_ns)
		status = set_int(socket, IPPROTO_TCP, TCP_USER_TIMEOUT,
				 milliseconds(options->user_timeout_ns));
	if (status == 0 && options->unsent_max_bytes)
		status = set_int(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
				 (int)options->unsent_max_bytes);
	/* Without it probes of a closed window come up to two minutes apart; older kernels
	   lack it. */
	if (status == 0 && options->rto_max_ns)
		(void)set_int(socket, IPPROTO_TCP, TCP_RTO_MAX_MS,
			      milliseconds(options->rto_max_ns));
	return status == 0 ? set_local(socket, &options->local) : status;
}

int lai_kernel_connect(struct lai_net *net, const struct lai_address *remote,
		       const struct lai_socket_options *options)
{
	struct lai_kernel *kernel = lai_kernel_of(net);
	int family = lai_address_family(remote), status;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return -errno;
	status = set_options(fd, family, options);
	if (status == 0 && connect(fd, &remote->sa, remote->length) != 0 && errno != EINPROGRESS)
		status = -errno;
	if (status == 0)
		status = lai_kernel_add(kernel, fd, LAI_WRITABLE);
	if (status != 0) {
		(void)close(fd);
		return status;
	}
	kernel->sockets[fd].connecting = true;
	kernel->sockets[fd].keepalive_ns = options->keepalive_ns;
	return fd;
}

int lai_kernel_listen(struct lai_net *net, struct lai_address *local, int backlog)
{
	int family = lai_address_family(local), status = 0;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	socklen_t length = sizeof(local->v6);

	if (fd < 0)
		return -errno;
	/* A restarted server must not wait for its own TIME_WAITs; [::] serves IPv4 as well. */
	status = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (status == 0 && family == AF_INET6)
		status = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (status == 0 && (bind(fd, &local->sa, local->length) != 0 || listen(fd, backlog) != 0 ||
			    getsockname(fd, &local->sa, &length) != 0))
		status = -errno;
	if (status == 0)
		status = lai_kernel_add(lai_kernel_of(net), fd, LAI_READABLE);
	if (status != 0) {
		(void)close(fd);
		return status;
	}
	local->length = length;
	return fd;
}

int lai_kernel_accept(struct lai_net *net, int listener, struct lai_address *remote)
{
	struct lai_address from = {.length = sizeof(from.v6)};
	int fd = accept4(listener, &from.sa, &from.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int status;

	if (fd < 0)
		return -errno;
	status = lai_kernel_add(lai_kernel_of(net), fd, LAI_READABLE);
	if (status != 0) {
		(void)close(fd);
		return status;
	}
	lai_kernel_of(net)->sockets[fd].heard_ns = lai_net_now(net);
	lai_kernel_of(net)->sockets[fd].keepalive_ns =
		lai_kernel_of(net)->sockets[listener].keepalive_ns;
	*remote = from;
	return fd;
}

int lai_kernel_adopt(struct lai_net *net, int listener, struct lai_address *local)
{
	int flags = fcntl(listener, F_GETFL), listening = 0, family, status;
	struct lai_address name = {.length = sizeof(name.v6)};
	socklen_t length = sizeof(listening);

	if (flags < 0 ||
	    getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0 ||
	    getsockname(listener, &name.sa, &name.length) != 0)
		return -errno;
	family = lai_address_family(&name);
	if (!listening || (family != AF_INET && family != AF_INET6))
		return -EINVAL;
	if (fcntl(listener, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(listener, F_SETFD, FD_CLOEXEC) != 0)
		return -errno;
	status = lai_kernel_add(lai_kernel_of(net), listener, LAI_READABLE);
	if (status != 0)
		return status;
	*local = name;
	return listener;
}

int lai_kernel_keepalive(struct lai_net *net, int listener, uint64_t keepalive_ns)
{
	int status = set_keepalive(listener, keepalive_ns);

	if (status == 0)
		lai_kernel_of(net)->sockets[listener].keepalive_ns = keepalive_ns;
	return status;
}

/* The news of an ACK comes by the error queue: Documentation/networking/timestamping.rst, 1.3.4. */
static void add_ack_request(struct msghdr *message, void *control, size_t size)
{
	struct cmsghdr *header;
	uint32_t flags = SOF_TIMESTAMPING_TX_ACK;

	memset(control, 0, size);
	message->msg_control = control;
	message->msg_controllen = size;
	header = CMSG_FIRSTHDR(message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SO_TIMESTAMPING;
	header->cmsg_len = CMSG_LEN(sizeof(flags));
	memcpy(CMSG_DATA(header), &flags, sizeof(flags));
}

ssize_t lai_kernel_send(struct lai_net *net, int socket, const struct iovec *iov, int count,
			unsigned flags)
{
	struct lai_kernel_socket *state = &lai_kernel_of(net)->sockets[socket];
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint32_t))];
	ssize_t size;

	if ((flags & LAI_ASK_ACK) && state->asks_acks)
		add_ack_request(&message, control, sizeof(control));
	size = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (size < 0)
		return -errno;
	state->written_bytes += (uint64_t)size;
	return size;
}

ssize_t lai_kernel_recv(struct lai_net *net, int socket, void *data, size_t size)
{
	ssize_t got = recv(socket, data, size, MSG_DONTWAIT);

	(void)net;
	return got < 0 ? -errno : got;
}

/* MSG_TRUNC throws TCP's bytes away inside the kernel; where that is not so, it looks for a buffer. */
ssize_t lai_kernel_discard(struct lai_net *net, int socket, size_t size)
{
	char scratch[DISCARD_BYTES];
	ssize_t got = recv(socket, NULL, size, MSG_TRUNC | MSG_DONTWAIT);

	if (got >= 0 || errno != EFAULT)
		return got < 0 ? -errno : got;
	return lai_kernel_recv(net, socket, scratch,
			       size < sizeof(scratch) ? size : sizeof(scratch));
}

bool lai_kernel_take_acks(const struct lai_kernel *kernel, int socket)
{
	bool found = false;

	/* While connecting, the queue holds ICMP errors, and taking one clears SO_ERROR with it. */
	if (!kernel->sockets[socket].asks_acks)
		return false;
	for (;;) {
		char control[256];
		struct msghdr message = {.msg_control = control, .msg_controllen = sizeof(control)};

		if (recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return found;
		found = true;
	}
}

static int read_info(int socket, struct tcp_info *info)
{
	socklen_t length = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return getsockopt(socket, IPPROTO_TCP, TCP_INFO, info, &length) == 0 ? 0 : -errno;
}

/* The handshake is over: from here on bytes are counted. */
static void begin_counting(struct lai_kernel_socket *state, int socket, uint64_t now_ns)
{
	struct tcp_info info;

	if (read_info(socket, &info) != 0 || info.tcpi_state == LAI_TCP_SYN_SENT)
		return;
	state->connecting = false;
	state->heard_ns = now_ns;
	/* Linux counts the SYN of the connecting side as one acknowledged byte. */
	state->ack_base_bytes = info.tcpi_bytes_acked;
	state->asks_acks = set_int(socket, SOL_SOCKET, SO_TIMESTAMPING,
				   SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
					   SOF_TIMESTAMPING_OPT_TSONLY) == 0;
}

int lai_kernel_error(struct lai_net *net, int socket)
{
	struct lai_kernel_socket *state = &lai_kernel_of(net)->sockets[socket];
	socklen_t length = sizeof(int);
	int error = 0;

	if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
		return errno;
	/* ECONNRESET (never of a SYN, that is ECONNREFUSED): there was a connection. */
	if ((error == 0 || error == ECONNRESET) && state->connecting)
		begin_counting(state, socket, lai_net_now(net));
	return error;
}

/*
 * Retransmissions and probes since the last ACK. tcpi_probes begins anew with each ACK, but
 * tcpi_retransmits only with one that acknowledges something: a full peer answers each
 * retransmission and is alive.
 */
static uint32_t unanswered(struct lai_kernel_socket *state, const struct tcp_info *info,
			   uint64_t now_ns)
{
	uint64_t heard_ns = lai_time_since(info->tcpi_last_ack_recv * LAI_MS, now_ns);

	if (heard_ns > state->heard_ns + TICK_NS) {
		state->heard_ns = heard_ns;
		state->retransmits = info->tcpi_total_retrans;
	}
	return info->tcpi_probes + (uint32_t)(info->tcpi_total_retrans - state->retransmits);
}

int lai_kernel_view(struct lai_net *net, int socket, struct lai_view *view)
{
	struct lai_kernel_socket *state = &lai_kernel_of(net)->sockets[socket];
	struct tcp_info info;
	uint64_t acked;
	int status = read_info(socket, &info);

	if (status != 0)
		return status;
	acked = info.tcpi_bytes_acked - state->ack_base_bytes;
	*view = (struct lai_view){
		/* Our FIN counts as one byte more than we wrote. */
		.acked_bytes = acked < state->written_bytes ? acked : state->written_bytes,
		.fin_acked = acked > state->written_bytes,
		.ack_age_ns = info.tcpi_last_ack_recv * LAI_MS,
		.retransmits = info.tcpi_total_retrans,
		.in_flight = info.tcpi_unacked,
		.unanswered = unanswered(state, &info, lai_net_now(net)),
		.window_bytes = info.tcpi_snd_wnd,
		.window_scale = info.tcpi_snd_wscale,
		.tcp_state = info.tcpi_state,
	};
	return 0;
}

int lai_kernel_names(struct lai_net *net, int socket, struct lai_address *local,
		     struct lai_address *remote)
{
	struct lai_address ours = {.length = sizeof(ours.v6)},
			   theirs = {.length = sizeof(theirs.v6)};

	(void)net;
	if (getsockname(socket, &ours.sa, &ours.length) != 0 ||
	    getpeername(socket, &theirs.sa, &theirs.length) != 0)
		return -errno;
	*local = ours;
	*remote = theirs;
	return 0;
}

int lai_kernel_shutdown(struct lai_net *net, int socket)
{
	(void)net;
	return shutdown(socket, SHUT_WR) == 0 ? 0 : -errno;
}

void lai_kernel_close(struct lai_net *net, int socket)
{
	(void)net;
	(void)close(socket);
}

static void close_lingering(int socket, int seconds)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = seconds};

	(void)setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	(void)close(socket);
}

void lai_kernel_abort(struct lai_net *net, int socket)
{
	(void)net;
	close_lingering(socket, 0);
}

void lai_kernel_linger(struct lai_net *net, int socket, uint64_t linger_ns)
{
	(void)net;
	close_lingering(socket, whole_seconds(linger_ns));
}

void lai_kernel_hurry(struct lai_net *net, int socket, uint64_t within_ns)
{
	uint64_t usual_ns = lai_kernel_of(net)->sockets[socket].keepalive_ns;

	if (usual_ns == 0)
		return;
	if (within_ns == 0) {
		(void)set_keepalive(socket, usual_ns);
		return;
	}
	/* Less than the time it has been idle already: the timer fires at once. */
	(void)set_int(socket, IPPROTO_TCP, TCP_KEEPCNT, whole_seconds(within_ns));
	(void)set_int(socket, IPPROTO_TCP, TCP_KEEPINTVL, 1);
	(void)set_int(socket, IPPROTO_TCP, TCP_KEEPIDLE, 1);
}

/* A UDP connect() asks the routing table and sends nothing. */
int lai_kernel_why_silent(struct lai_net *net, const struct lai_address *local,
			  const struct lai_address *remote, const char *device)
{
	struct lai_address from = *local;
	int fd = socket(lai_address_family(remote), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int status = 0;

	(void)net;
	if (fd < 0)
		return 0;
	lai_address_set_port(&from, 0);
	if (device)
		(void)setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
				 (socklen_t)strlen(device));
	if (bind(fd, &from.sa, from.length) != 0 && errno == EADDRNOTAVAIL)
		status = -EADDRNOTAVAIL;
	else if (connect(fd, &remote->sa, remote->length) != 0)
		status = errno == EADDRNOTAVAIL ? -EADDRNOTAVAIL : -ENETUNREACH;
	(void)close(fd);
	return status;
}
