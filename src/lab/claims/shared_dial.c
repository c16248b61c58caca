/* SPDX-License-Identifier: MIT */
/* shared_dial.c - connections of the client from chosen ports. */
#include "lab/claims/shared_dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* linux/in.h of Linux 6.3; the headers of glibc 2.36 have it not. */
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

/* For what takes microseconds on an idle host. */
#define WAIT_NS (5 * LAI_S)
/* Between two looks at a state. */
#define LOOK_NS (50 * LAI_US)
#define REUSE_DELAY "net.ipv4.tcp_tw_reuse_delay"
#define REUSE_TICK_MS 1000 /* of the clock that older kernels compare by */
/* Of a listener whose connections nobody accepts. */
#define BACKLOG 4096

static int open_socket(struct lai_trial *trial, const struct lai_dial_way *way)
{
	int fd = lai_call_socket(trial, trial->client);

	if (!way)
		return fd;
	if (way->reuse)
		lai_call_option(trial, fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (way->without_port)
		lai_call_option(trial, fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (way->low)
		lai_call_option(trial, fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE,
				(int)((uint32_t)way->high << 16 | way->low));
	return fd;
}

bool lai_dial_has_range(struct lai_trial *trial)
{
	int fd = lai_call_socket(trial, trial->client);
	uint32_t none = 0;
	bool has = setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &none, sizeof(none)) == 0;

	(void)close(fd);
	return has;
}

struct lai_dial_try lai_dial_try(struct lai_trial *trial, const struct lai_dial_way *way,
				 const struct lai_address *to)
{
	struct lai_dial_try try = {.fd = open_socket(trial, way)};
	uint64_t busy_ns = lai_clock_read(CLOCK_THREAD_CPUTIME_ID);
	struct lai_call call = {0};
	const char *name = "bind()";

	if (way && way->from) {
		call = lai_call_bind(try.fd, way->from);
		try.took_ns = call.took_ns;
	}
	if (call.error == 0) {
		name = "connect()";
		call = lai_call_connect(try.fd, to, WAIT_NS);
		try.took_ns += call.took_ns;
	}
	try.busy_ns = lai_time_since(busy_ns, lai_clock_read(CLOCK_THREAD_CPUTIME_ID));
	if (call.error == 0) {
		struct lai_ends ends = lai_call_ends(trial, try.fd);

		try.port = lai_address_port(&ends.local);
		return try;
	}
	try.refused = name;
	try.error = call.error;
	(void)close(try.fd);
	try.fd = -1;
	return try;
}

const char *lai_dial_try_text(char text[LAI_DIAL_TEXT_MAX], const struct lai_dial_try *try)
{
	if (try->refused)
		(void)snprintf(text, LAI_DIAL_TEXT_MAX, "%s: %s", try->refused,
			       lai_call_errno(try->error));
	else
		(void)snprintf(text, LAI_DIAL_TEXT_MAX, "connected from port %u",
			       (unsigned)try->port);
	return text;
}

bool lai_dial_try_was(const struct lai_dial_try *try, const char *call, int error)
{
	return try->refused && strcmp(try->refused, call) == 0 && try->error == error;
}

size_t lai_dial_hold(struct lai_trial *trial, struct lai_dial_held *held,
		     const struct lai_dial_way *way, const struct lai_address *to, size_t count,
		     struct lai_dial_try *last)
{
	size_t made = 0;

	while (made < count && held->count < LAI_DIAL_HELD_MAX) {
		*last = lai_dial_try(trial, way, to);
		if (last->refused)
			break;
		held->fds[held->count] = last->fd;
		held->ports[held->count] = last->port;
		held->count++;
		made++;
	}
	return made;
}

size_t lai_dial_different(const struct lai_dial_held *held)
{
	uint64_t seen[(UINT16_MAX + 1) / 64] = {0};
	size_t count = 0;

	for (size_t i = 0; i < held->count; i++) {
		uint64_t *word = &seen[held->ports[i] / 64];
		uint64_t bit = 1ull << held->ports[i] % 64;

		count += !(*word & bit);
		*word |= bit;
	}
	return count;
}

void lai_dial_drop(struct lai_trial *trial, struct lai_dial_held *held)
{
	for (size_t i = 0; i < held->count; i++) {
		lai_call_linger(trial, held->fds[i], true, 0);
		(void)close(held->fds[i]);
	}
	held->count = 0;
}

void lai_dial_range(struct lai_trial *trial, uint16_t low, uint16_t count)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%u %u", (unsigned)low, low + count - 1u);
	lai_host_set(trial, trial->client, "net.ipv4.ip_local_port_range", text);
}

long lai_dial_reuse_delay_ms(struct lai_trial *trial)
{
	return lai_host_has(trial, trial->client, REUSE_DELAY)
		       ? lai_host_get(trial, trial->client, REUSE_DELAY)
		       : REUSE_TICK_MS;
}

int lai_dial_listen(struct lai_trial *trial, struct lai_address *address)
{
	int fd = lai_call_socket(trial, trial->server);
	struct lai_call call = lai_call_bind(fd, address);
	socklen_t length = sizeof(address->v6);

	/* 128 before Linux 5.4. */
	if (lai_host_has(trial, trial->server, "net.core.somaxconn") &&
	    lai_host_get(trial, trial->server, "net.core.somaxconn") < BACKLOG)
		lai_host_set_number(trial, trial->server, "net.core.somaxconn", BACKLOG);
	if (call.error || listen(fd, BACKLOG) < 0 || getsockname(fd, &address->sa, &length) < 0)
		lai_trial_fail(trial, "no listener: %s",
			       lai_call_errno(call.error ? call.error : errno));
	return fd;
}

enum lai_tcp_state lai_dial_settle(struct lai_trial *trial, const struct lai_host *host,
				   const struct lai_ends *ends)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), WAIT_NS);
	enum lai_tcp_state state = lai_gauge_peek(trial, host, ends);

	while (state != LAI_TCP_NONE && state != LAI_TCP_TIME_WAIT) {
		if (lai_clock_now() > deadline_ns)
			lai_trial_fail(trial, "a closed connection stays in its %s's tables",
				       host->name);
		lai_trial_pass(trial, LOOK_NS);
		state = lai_gauge_peek(trial, host, ends);
	}
	return state;
}

static void receive_end(struct lai_trial *trial, int fd)
{
	struct lai_call call = lai_call_receive_all(fd, WAIT_NS);

	if (call.error)
		lai_trial_fail(trial, "no end of file after the other end closed: %s",
			       lai_call_errno(call.error));
}

enum lai_tcp_state lai_dial_close_first_at(struct lai_trial *trial, const struct lai_host *at,
					   int client, int listener)
{
	struct lai_ends ends = lai_call_ends(trial, client), turned = lai_ends_turned(&ends);
	int server = lai_call_accept(trial, listener, WAIT_NS);

	(void)close(client);
	receive_end(trial, server);
	(void)close(server);
	(void)lai_dial_settle(trial, at, &turned);
	return lai_dial_settle(trial, trial->client, &ends);
}

enum lai_tcp_state lai_dial_close_first(struct lai_trial *trial, int client, int listener)
{
	return lai_dial_close_first_at(trial, trial->server, client, listener);
}

enum lai_tcp_state lai_dial_close_second(struct lai_trial *trial, int client, int listener)
{
	struct lai_ends ends = lai_call_ends(trial, client), turned = lai_ends_turned(&ends);
	int server = lai_call_accept(trial, listener, WAIT_NS);

	(void)close(server);
	receive_end(trial, client);
	(void)close(client);
	(void)lai_dial_settle(trial, trial->client, &ends);
	return lai_dial_settle(trial, trial->server, &turned);
}
