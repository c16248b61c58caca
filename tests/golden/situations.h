/* SPDX-License-Identifier: MIT */
/*
 * situations.h - situations of TCP sockets: how to bring each about on lo in an empty network
 * namespace, and what sock_diag has to say of it then. For sockdiag_golden_test.c.
 */
#ifndef T_SITUATIONS_H
#define T_SITUATIONS_H

#include "base/clock.h"
#include "observe/sockdiag.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define FDS_MAX 8
#define FACTS_MAX 16
#define PATIENCE_NS (20 * LAI_S) /* for what must happen; nothing measures itself by it */
#define TICK_MS 2
#define BACKLOG 5

/* The sockets of one situation. */
struct stage {
	int fds[FDS_MAX];
	size_t fd_count;
	struct lai_address at; /* of the listener */
	int listener, client, server;
};

struct facts {
	struct lai_socket_fact list[FACTS_MAX];
	size_t count;
};

/* ---- building ---- */

static int stage_keep(struct stage *stage, int fd)
{
	assert_true(fd >= 0);
	assert_true(stage->fd_count < FDS_MAX);
	stage->fds[stage->fd_count++] = fd;
	return fd;
}

static void stage_drop(struct stage *stage, int fd)
{
	for (size_t i = 0; i < stage->fd_count; i++)
		if (stage->fds[i] == fd)
			stage->fds[i] = stage->fds[--stage->fd_count];
	assert_int_equal(close(fd), 0);
}

static int stage_socket(struct stage *stage, int family)
{
	return stage_keep(stage, socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* Bound to a port that the kernel chooses. */
static int stage_bound(struct stage *stage, const char *address)
{
	socklen_t length = sizeof(stage->at.v6);
	int fd;

	assert_int_equal(lai_address_parse(address, 0, &stage->at), 0);
	fd = socket(stage->at.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (stage->at.sa.sa_family == AF_INET6 &&
	    (fd < 0 || bind(fd, &stage->at.sa, stage->at.length) < 0)) {
		print_message("# no IPv6 here: %s\n", strerror(errno));
		skip();
	}
	(void)stage_keep(stage, fd);
	if (stage->at.sa.sa_family == AF_INET)
		assert_int_equal(bind(fd, &stage->at.sa, stage->at.length), 0);
	assert_int_equal(getsockname(fd, &stage->at.sa, &length), 0);
	return fd;
}

static void stage_listen(struct stage *stage, const char *address)
{
	stage->listener = stage_bound(stage, address);
	assert_int_equal(listen(stage->listener, BACKLOG), 0);
}

static void stage_connect(struct stage *stage)
{
	stage->client = stage_socket(stage, stage->at.sa.sa_family);
	assert_int_equal(connect(stage->client, &stage->at.sa, stage->at.length), 0);
}

static void stage_accept(struct stage *stage)
{
	stage->server = stage_keep(stage, accept4(stage->listener, NULL, NULL, SOCK_CLOEXEC));
}

static void stage_pair(struct stage *stage, const char *address)
{
	stage_listen(stage, address);
	stage_connect(stage);
	stage_accept(stage);
	stage_drop(stage, stage->listener);
}

/* A listener for both families, and a client that comes by IPv4. */
static void stage_mapped(struct stage *stage)
{
	uint16_t port;

	stage_listen(stage, "::");
	port = lai_address_port(&stage->at);
	assert_int_equal(lai_address_parse("127.0.0.1", port, &stage->at), 0);
	stage_connect(stage);
	stage_accept(stage);
	stage_drop(stage, stage->listener);
}

static void stage_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Waits for the peer's FIN and reads up to it. */
static void stage_read_eof(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLRDHUP};
	char bytes[64];

	assert_int_equal(poll(&wait, 1, (int)(PATIENCE_NS / LAI_MS)), 1);
	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		continue;
}

/* From now on nothing reaches this socket. */
static void stage_deafen(int fd)
{
	struct sock_filter refuse = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {1, &refuse};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)),
			 0);
}

/* An ACK may be 40 ms late. */
static void stage_await(int fd, enum lai_tcp_state state)
{
	uint64_t deadline_ns = lai_clock_now() + PATIENCE_NS;
	struct tcp_info info = {0};
	socklen_t size;

	while (info.tcpi_state != state) {
		assert_true(lai_clock_now() < deadline_ns);
		(void)poll(NULL, 0, TICK_MS);
		size = sizeof(info);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	}
}

/* ---- looking ---- */

static const struct lai_socket_fact *in_state(const struct facts *facts, enum lai_tcp_state state,
					      bool held)
{
	for (size_t i = 0; i < facts->count; i++)
		if (facts->list[i].state == state && (facts->list[i].inode != 0) == held)
			return &facts->list[i];
	return NULL;
}

/* In a check: returns the text of what does not hold. */
#define WANT(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return #condition;                                                         \
	} while (0)

static bool opposite(const struct lai_socket_fact *a, const struct lai_socket_fact *b)
{
	return lai_address_equal(&a->local, &b->remote) && lai_address_equal(&a->remote, &b->local);
}

/* ---- the situations ---- */

static void established_v4(struct stage *stage)
{
	stage_pair(stage, "127.0.0.1");
	stage_send(stage->client, "hello");
}

static const char *check_established(const struct facts *facts, int family)
{
	const struct lai_socket_fact *client = &facts->list[0], *server = &facts->list[1];

	WANT(facts->count == 2);
	if (client->rqueue_bytes) {
		client = &facts->list[1];
		server = &facts->list[0];
	}
	WANT(client->family == family && server->family == family);
	WANT(client->state == LAI_TCP_ESTABLISHED && server->state == LAI_TCP_ESTABLISHED);
	WANT(opposite(client, server));
	WANT(client->inode && server->inode && client->inode != server->inode);
	WANT(client->cookie && server->cookie && client->cookie != server->cookie);
	WANT(server->rqueue_bytes == 5 && client->rqueue_bytes == 0);
	WANT(client->wqueue_bytes == 0); /* acknowledged by now */
	WANT(client->has_info && server->has_info);
	WANT(server->received_bytes == 5 && server->sent_bytes == 0);
	WANT(client->sent_bytes == 5 && client->received_bytes == 0);
	WANT(client->acked_bytes == 5 + 1); /* the SYN counts */
	WANT(client->rtt_us > 0);
	WANT(server->memory_bytes > 0);
	WANT(client->shutdown == 0 && server->shutdown == 0);
	WANT(client->timer == LAI_TIMER_NONE);
	return NULL;
}

static const char *check_established_v4(const struct facts *facts)
{
	return check_established(facts, AF_INET);
}

static void established_v6(struct stage *stage)
{
	stage_pair(stage, "::1");
	stage_send(stage->client, "hello");
}

static const char *check_established_v6(const struct facts *facts)
{
	return check_established(facts, AF_INET6);
}

static const char *check_mapped(const struct facts *facts)
{
	const struct lai_socket_fact *client = &facts->list[0], *server = &facts->list[1];
	char text[LA_ADDRESS_TEXT_MAX];

	WANT(facts->count == 2);
	if (client->family == AF_INET6) {
		client = &facts->list[1];
		server = &facts->list[0];
	}
	WANT(client->family == AF_INET && server->family == AF_INET6);
	WANT(IN6_IS_ADDR_V4MAPPED(&server->local.v6.sin6_addr));
	WANT(IN6_IS_ADDR_V4MAPPED(&server->remote.v6.sin6_addr));
	WANT(lai_address_port(&server->local) == lai_address_port(&client->remote));
	WANT(strncmp(lai_address_format(text, &server->local), "[::ffff:127.0.0.1]:", 19) == 0);
	WANT(server->has_info && client->has_info);
	return NULL;
}

static void listen_queue(struct stage *stage)
{
	stage_listen(stage, "127.0.0.1");
	stage_connect(stage);
	stage_connect(stage);
}

static const char *check_listen_queue(const struct facts *facts)
{
	const struct lai_socket_fact *listener = in_state(facts, LAI_TCP_LISTEN, true);
	size_t waiting = 0;

	WANT(facts->count == 5);
	WANT(listener);
	WANT(listener->rqueue_bytes == 2 && listener->wqueue_bytes == BACKLOG);
	WANT(lai_address_port(&listener->remote) == 0);
	WANT(!listener->has_info);
	for (size_t i = 0; i < facts->count; i++)
		waiting += facts->list[i].state == LAI_TCP_ESTABLISHED && !facts->list[i].inode &&
			   lai_address_equal(&facts->list[i].local, &listener->local);
	WANT(waiting == 2);
	return NULL;
}

static void never_accepted(struct stage *stage)
{
	stage_listen(stage, "127.0.0.1");
	stage_connect(stage);
	stage_send(stage->client, "hey");
	stage_drop(stage, stage->client);
}

static const char *check_never_accepted(const struct facts *facts)
{
	const struct lai_socket_fact *listener = in_state(facts, LAI_TCP_LISTEN, true);
	const struct lai_socket_fact *waiting = in_state(facts, LAI_TCP_CLOSE_WAIT, false);
	const struct lai_socket_fact *orphan = in_state(facts, LAI_TCP_FIN_WAIT2, false);

	WANT(facts->count == 3 && listener && waiting && orphan);
	WANT(listener->rqueue_bytes == 1);
	WANT(opposite(waiting, orphan));
	WANT(waiting->rqueue_bytes == 3 + 1);
	WANT(waiting->has_info && waiting->received_bytes == 3 + 1);
	WANT(waiting->shutdown == LAI_SHUT_RECEIVE);
	return NULL;
}

static void fin_wait2_orphan(struct stage *stage)
{
	stage_pair(stage, "127.0.0.1");
	stage_drop(stage, stage->client);
}

/* A mini-socket: all that is left of it are addresses and a timer. */
static bool is_mini(const struct lai_socket_fact *fact)
{
	return fact->inode == 0 && fact->uid == 0 && fact->timer == LAI_TIMER_TIME_WAIT &&
	       fact->timer_ms <= 60000 && fact->retransmits == 0 && !fact->has_info &&
	       fact->memory_bytes == 0 && fact->shutdown == 0 && fact->rqueue_bytes == 0 &&
	       fact->wqueue_bytes == 0 && fact->cookie != 0;
}

static const char *check_fin_wait2_orphan(const struct facts *facts)
{
	const struct lai_socket_fact *orphan = in_state(facts, LAI_TCP_FIN_WAIT2, false);
	const struct lai_socket_fact *held = in_state(facts, LAI_TCP_CLOSE_WAIT, true);

	WANT(facts->count == 2 && orphan && held);
	WANT(is_mini(orphan));
	WANT(opposite(orphan, held));
	WANT(held->rqueue_bytes == 1); /* the FIN */
	WANT(held->shutdown == LAI_SHUT_RECEIVE);
	WANT(held->timer == LAI_TIMER_NONE);
	return NULL;
}

static void fin_wait2_held(struct stage *stage)
{
	stage_pair(stage, "127.0.0.1");
	assert_int_equal(shutdown(stage->client, SHUT_WR), 0);
	stage_read_eof(stage->server);
	stage_await(stage->client, LAI_TCP_FIN_WAIT2);
}

static const char *check_fin_wait2_held(const struct facts *facts)
{
	const struct lai_socket_fact *held = in_state(facts, LAI_TCP_FIN_WAIT2, true);
	const struct lai_socket_fact *peer = in_state(facts, LAI_TCP_CLOSE_WAIT, true);

	WANT(facts->count == 2 && held && peer);
	WANT(held->timer == LAI_TIMER_NONE);
	WANT(held->shutdown == LAI_SHUT_SEND);
	WANT(held->has_info);
	WANT(peer->rqueue_bytes == 0); /* was told */
	return NULL;
}

static void fin_wait2_long(struct stage *stage)
{
	int fd = open("/proc/sys/net/ipv4/tcp_fin_timeout", O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, "120", 3) == 3;

	if (fd >= 0)
		close(fd);
	if (!written) {
		print_message("# /proc/sys/net/ipv4/tcp_fin_timeout cannot be written here\n");
		skip();
	}
	fin_wait2_orphan(stage);
}

static const char *check_fin_wait2_long(const struct facts *facts)
{
	const struct lai_socket_fact *orphan = in_state(facts, LAI_TCP_FIN_WAIT2, false);

	WANT(facts->count == 2 && orphan);
	WANT(orphan->timer == LAI_TIMER_KEEPALIVE);
	WANT(orphan->timer_ms <= 60000);
	WANT(orphan->has_info);
	WANT(orphan->shutdown == (LAI_SHUT_RECEIVE | LAI_SHUT_SEND));
	return NULL;
}

static void time_wait(struct stage *stage)
{
	stage_pair(stage, "127.0.0.1");
	stage_drop(stage, stage->server);
	stage_read_eof(stage->client);
	stage_drop(stage, stage->client);
}

static const char *check_time_wait(const struct facts *facts)
{
	const struct lai_socket_fact *left = in_state(facts, LAI_TCP_TIME_WAIT, false);

	WANT(facts->count == 1 && left);
	WANT(left->family == AF_INET);
	WANT(is_mini(left));
	return NULL;
}

static void time_wait_mapped(struct stage *stage)
{
	stage_mapped(stage);
	stage_drop(stage, stage->server);
	stage_read_eof(stage->client);
	stage_drop(stage, stage->client);
}

static const char *check_time_wait_mapped(const struct facts *facts)
{
	const struct lai_socket_fact *left = in_state(facts, LAI_TCP_TIME_WAIT, false);

	WANT(facts->count == 1 && left);
	WANT(left->family == AF_INET6);
	WANT(IN6_IS_ADDR_V4MAPPED(&left->remote.v6.sin6_addr));
	WANT(is_mini(left));
	return NULL;
}

static void bound_inactive(struct stage *stage)
{
	struct utsname system;
	int major = 0, minor = 0;

	assert_int_equal(uname(&system), 0);
	assert_int_equal(sscanf(system.release, "%d.%d", &major, &minor), 2);
	if (major < 6 || (major == 6 && minor < 8)) {
		print_message("# before Linux 6.8 sockets that are only bound are not listed\n");
		skip();
	}
	(void)stage_bound(stage, "127.0.0.1");
	(void)stage_bound(stage, "::1");
}

static const char *check_bound_inactive(const struct facts *facts)
{
	WANT(facts->count == 2);
	for (size_t i = 0; i < 2; i++) {
		WANT(facts->list[i].state == LAI_TCP_BOUND_INACTIVE);
		WANT(facts->list[i].inode && facts->list[i].cookie);
		WANT(lai_address_port(&facts->list[i].local) != 0);
		WANT(facts->list[i].timer == LAI_TIMER_NONE);
	}
	WANT(facts->list[0].family != facts->list[1].family);
	return NULL;
}

static void handshake(struct stage *stage)
{
	stage_listen(stage, "127.0.0.1");
	stage->client =
		stage_keep(stage, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	stage_deafen(stage->client);
	assert_int_equal(connect(stage->client, &stage->at.sa, stage->at.length), -1);
	assert_int_equal(errno, EINPROGRESS);
}

static const char *check_handshake(const struct facts *facts)
{
	const struct lai_socket_fact *client = in_state(facts, LAI_TCP_SYN_SENT, true);
	const struct lai_socket_fact *request = in_state(facts, LAI_TCP_SYN_RECV, false);

	WANT(facts->count == 3 && client && request);
	WANT(opposite(client, request));
	WANT(client->timer == LAI_TIMER_RETRANSMIT && request->timer == LAI_TIMER_RETRANSMIT);
	WANT(!client->has_info && !request->has_info);
	WANT(request->memory_bytes == 0 && request->uid == 0);
	return NULL;
}

static void unanswered(struct stage *stage)
{
	stage_pair(stage, "127.0.0.1");
	stage_deafen(stage->server);
	stage_send(stage->client, "anybody?");
}

static const char *check_unanswered(const struct facts *facts)
{
	const struct lai_socket_fact *client = &facts->list[0];

	WANT(facts->count == 2);
	if (!client->wqueue_bytes)
		client = &facts->list[1];
	WANT(client->wqueue_bytes == 8);
	WANT(client->timer == LAI_TIMER_RETRANSMIT);
	WANT(client->retransmits >= 1);
	WANT(client->has_info && client->sent_bytes >= 2 * 8 && client->acked_bytes == 1);
	WANT(client->memory_bytes > 0);
	return NULL;
}

static void zero_window(struct stage *stage)
{
	static const char bytes[4096];

	stage_pair(stage, "127.0.0.1");
	while (send(stage->client, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		continue;
	assert_int_equal(errno, EAGAIN);
}

static const char *check_zero_window(const struct facts *facts)
{
	const struct lai_socket_fact *client = &facts->list[0];

	WANT(facts->count == 2);
	if (!client->wqueue_bytes)
		client = &facts->list[1];
	WANT(client->wqueue_bytes > 0);
	WANT(client->timer == LAI_TIMER_PROBE);
	return NULL;
}

static void keepalive(struct stage *stage)
{
	int on = 1;

	stage_pair(stage, "127.0.0.1");
	assert_int_equal(setsockopt(stage->client, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), 0);
}

static const char *check_keepalive(const struct facts *facts)
{
	const struct lai_socket_fact *client = &facts->list[0];

	WANT(facts->count == 2);
	if (client->timer == LAI_TIMER_NONE)
		client = &facts->list[1];
	WANT(client->timer == LAI_TIMER_KEEPALIVE);
	WANT(client->timer_ms > 0);
	return NULL;
}

static void last_ack(struct stage *stage)
{
	fin_wait2_held(stage);
	stage_deafen(stage->client);
	stage_drop(stage, stage->server);
}

static const char *check_last_ack(const struct facts *facts)
{
	const struct lai_socket_fact *closed = in_state(facts, LAI_TCP_LAST_ACK, false);

	WANT(facts->count == 2 && closed && in_state(facts, LAI_TCP_FIN_WAIT2, true));
	WANT(closed->timer == LAI_TIMER_RETRANSMIT);
	WANT(closed->wqueue_bytes == 1); /* our FIN */
	WANT(closed->shutdown == (LAI_SHUT_RECEIVE | LAI_SHUT_SEND));
	WANT(closed->has_info);
	return NULL;
}

static void fin_wait1(struct stage *stage)
{
	stage_pair(stage, "127.0.0.1");
	stage_deafen(stage->server);
	stage_drop(stage, stage->client);
}

static const char *check_fin_wait1(const struct facts *facts)
{
	const struct lai_socket_fact *closed = in_state(facts, LAI_TCP_FIN_WAIT1, false);

	WANT(facts->count == 2 && closed && in_state(facts, LAI_TCP_ESTABLISHED, true));
	WANT(closed->timer == LAI_TIMER_RETRANSMIT);
	WANT(closed->wqueue_bytes == 1);
	WANT(closed->has_info);
	return NULL;
}

/* The name of a situation is the name of its file. */
static const struct situation {
	const char *name;
	void (*build)(struct stage *stage);
	const char *(*check)(const struct facts *facts);
} situations[] = {
	{"established-v4", established_v4, check_established_v4},
	{"established-v6", established_v6, check_established_v6},
	{"established-mapped", stage_mapped, check_mapped},
	{"listen-queue", listen_queue, check_listen_queue},
	{"close-wait-never-accepted", never_accepted, check_never_accepted},
	{"fin-wait2-orphan", fin_wait2_orphan, check_fin_wait2_orphan},
	{"fin-wait2-held", fin_wait2_held, check_fin_wait2_held},
	{"fin-wait2-long", fin_wait2_long, check_fin_wait2_long},
	{"time-wait", time_wait, check_time_wait},
	{"time-wait-mapped", time_wait_mapped, check_time_wait_mapped},
	{"bound-inactive", bound_inactive, check_bound_inactive},
	{"handshake", handshake, check_handshake},
	{"unanswered", unanswered, check_unanswered},
	{"zero-window", zero_window, check_zero_window},
	{"keepalive", keepalive, check_keepalive},
	{"last-ack", last_ack, check_last_ack},
	{"fin-wait1", fin_wait1, check_fin_wait1},
};

#define SITUATIONS (sizeof(situations) / sizeof(*situations))

#endif
