/* SPDX-License-Identifier: MIT */
#include "drive/driver.h"
#include "conn/cause.h"

#include <assert.h>
#include <errno.h>

#define READY_MAX 32
#define READ_BYTES 65536
/* How much of a peer's last words is read before close(): it could talk for ever. */
#define READS_MAX 64
/* At most this often is the kernel asked to tell of an ACK. */
#define ASK_EVERY_NS (1 * LAI_MS)
/* An answer that does not come in this time was lost. */
#define ASK_LOST_NS (1 * LAI_S)

static uint64_t now_of(const struct lai_driver *driver)
{
	return LAI_NET(driver, now);
}

void lai_driver_init(struct lai_driver *driver, struct lai_net *net, struct lai_link *link,
		     const struct lai_socket_options *options)
{
	*driver = (struct lai_driver){.net = net, .link = link, .options = *options, .socket = -1};
	for (int i = 0; i < LAI_ADDRESSES_MAX; i++)
		driver->racing[i] = -1;
	driver->slept_ns = LAI_NET(driver, slept);
}

int lai_driver_sockets(const struct lai_driver *driver)
{
	int count = driver->socket >= 0;

	for (int i = 0; i < LAI_ADDRESSES_MAX; i++)
		count += driver->racing[i] >= 0;
	return count;
}

/* ---- the connection's events ------------------------------------------------------------ */

void lai_driver_look(struct lai_driver *driver)
{
	struct lai_view view;
	int status;

	if (driver->socket < 0)
		return;
	status = LAI_NET(driver, view, driver->socket, &view);
	if (status == 0)
		lai_link_on_view(driver->link, &view, now_of(driver));
	else /* blind: no deadline could ever be judged */
		lai_link_on_error(driver->link, -status, now_of(driver));
}

/* What the kernel knows of acknowledged bytes is final now: first the view, then the error. */
static void fail(struct lai_driver *driver, int error)
{
	struct lai_view view = {.tcp_state = LAI_TCP_CLOSE};

	if (LAI_NET(driver, view, driver->socket, &view) == 0)
		lai_link_on_view(driver->link, &view, now_of(driver));
	if (driver->link->connected && !lai_cause_is_soft(error, view.tcp_state))
		lai_link_on_error(driver->link, error, now_of(driver));
}

/* Reads until nothing is there; the EOF behind an error is not the peer's FIN. */
static void read_all(struct lai_driver *driver, bool rest)
{
	char data[READ_BYTES];

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t size = LAI_NET(driver, recv, driver->socket, data, sizeof(data));

		if (size > 0) {
			lai_link_on_received(driver->link, data, (size_t)size, now_of(driver));
			continue;
		}
		if (rest || size == -EAGAIN || size == -EINTR)
			return;
		if (size < 0) {
			fail(driver, (int)-size);
			return;
		}
		lai_driver_look(driver);
		if (driver->link->connected)
			lai_link_on_fin(driver->link, now_of(driver));
		return;
	}
}

/* Both directions are over, without an error to fetch: proper if our FIN is acknowledged. */
static void hang_up(struct lai_driver *driver)
{
	struct lai_view view;

	if (LAI_NET(driver, view, driver->socket, &view) != 0)
		return;
	lai_link_on_view(driver->link, &view, now_of(driver));
	if (driver->link->connected && view.tcp_state == LAI_TCP_CLOSE)
		lai_link_on_error(driver->link, ECONNRESET, now_of(driver));
}

static void on_connection_ready(struct lai_driver *driver, uint32_t events)
{
	const struct lai_link *link = driver->link;
	int error;

	if (events & LAI_ACKED) {
		driver->ack_asked = false;
		lai_driver_look(driver);
	}
	if (events & LAI_WRITABLE) {
		driver->blocked = false;
		if (lai_cargo_crowded(&link->cargo))
			lai_driver_look(driver);
	}
	if (link->connected && (events & (LAI_READABLE | LAI_PEER_FIN)))
		read_all(driver, false);
	/* The error that recv() brought is gone: what hangs up now is its consequence. */
	if (!link->connected || link->conn.report.error || !(events & (LAI_ERROR | LAI_HANGUP)))
		return;
	error = LAI_NET(driver, error, driver->socket);
	if (error != 0)
		fail(driver, error);
	else if (events & LAI_HANGUP)
		hang_up(driver);
}

/* ---- attempts --------------------------------------------------------------------------- */

/*
 * A peer may reset the connection before we have looked at it. It was one all the same, and what the
 * peer said in it can be read.
 */
static bool reset_already(struct lai_driver *driver, int socket, int error)
{
	struct lai_view view;

	return (error == ECONNRESET || error == ENOTCONN) &&
	       LAI_NET(driver, view, socket, &view) == 0 && view.tcp_state == LAI_TCP_CLOSE;
}

static void adopt(struct lai_driver *driver, int attempt, const struct lai_address *local)
{
	driver->socket = driver->racing[attempt];
	driver->racing[attempt] = -1;
	driver->local = *local;
	driver->watched = LAI_WRITABLE;
	driver->blocked = driver->ack_asked = false;
}

static void attempt_decided(struct lai_driver *driver, int attempt, int error)
{
	struct lai_address local = {0}, remote = driver->link->race.addresses[attempt];
	int socket = driver->racing[attempt];
	bool reset;

	if (error == 0)
		error = -LAI_NET(driver, names, socket, &local, &remote);
	reset = reset_already(driver, socket, error);
	if (error != 0 && !reset) {
		LAI_NET(driver, close, socket);
		driver->racing[attempt] = -1;
	}
	lai_link_on_attempt(driver->link, attempt, reset ? 0 : error, &local, &remote,
			    now_of(driver));
	if (!driver->link->connected || driver->socket >= 0)
		return;
	adopt(driver, attempt, &local);
	if (reset)
		fail(driver, ECONNRESET);
}

static void connect_attempt(struct lai_driver *driver, const struct lai_link_action *action)
{
	struct lai_socket_options options = driver->options;
	struct lai_address none = {0};
	int socket;

	assert(driver->racing[action->attempt] < 0 && driver->socket < 0);
	options.server_name = driver->link->endpoints[driver->link->endpoint].host;
	/* A pinned port without an address still needs the family of this peer. */
	if (options.local.length == 0 && driver->link->config.local_port) {
		options.local.sa.sa_family = (sa_family_t)lai_address_family(&action->address);
		options.local.length = action->address.length;
		lai_address_set_port(&options.local, driver->link->config.local_port);
	}
	socket = LAI_NET(driver, connect, &action->address, &options);
	if (socket < 0)
		lai_link_on_attempt(driver->link, action->attempt, -socket, &none, &none,
				    now_of(driver));
	else
		driver->racing[action->attempt] = socket;
}

static void discard_attempt(struct lai_driver *driver, int attempt)
{
	if (driver->racing[attempt] >= 0)
		LAI_NET(driver, abort, driver->racing[attempt]);
	driver->racing[attempt] = -1;
}

static void resolved(struct lai_driver *driver)
{
	struct lai_address addresses[LAI_ADDRESSES_MAX];
	int count = LAI_NET(driver, resolved, addresses);

	if (count != -EINPROGRESS)
		lai_link_on_resolved(driver->link, addresses, count, now_of(driver));
}

/* ---- actions ---------------------------------------------------------------------------- */

static void why_silent(struct lai_driver *driver)
{
	int error = LAI_NET(driver, why_silent, &driver->local, &driver->link->last_good,
			    driver->options.device);

	lai_link_on_why_silent(driver->link, -error, now_of(driver));
}

/* A connection that an RST has just ended says ENOTCONN here, and the reason only when asked. */
static void send_fin(struct lai_driver *driver)
{
	int status = LAI_NET(driver, shutdown, driver->socket);
	int error = status < 0 ? LAI_NET(driver, error, driver->socket) : 0;

	if (status < 0)
		fail(driver, error ? error : -status);
}

static void end_socket(struct lai_driver *driver, enum lai_link_action_kind how)
{
	if (how == LAI_LINK_CLOSE)
		LAI_NET(driver, close, driver->socket);
	else if (how == LAI_LINK_ABORT)
		LAI_NET(driver, abort, driver->socket);
	else
		LAI_NET(driver, linger, driver->socket, driver->link->config.linger_ns);
	driver->socket = -1;
}

static void carry_out(struct lai_driver *driver, const struct lai_link_action *action)
{
	struct lai_link *link = driver->link;
	int error;

	switch (action->kind) {
	case LAI_LINK_RESOLVE:
		error = LAI_NET(driver, resolve, action->endpoint->host, action->endpoint->port);
		if (error < 0)
			lai_link_on_resolved(link, NULL, error, now_of(driver));
		break;
	case LAI_LINK_RESOLVE_CANCEL: LAI_NET(driver, resolve_cancel); break;
	case LAI_LINK_CONNECT: connect_attempt(driver, action); break;
	case LAI_LINK_DISCARD: discard_attempt(driver, action->attempt); break;
	case LAI_LINK_LOOK:
		if (link->connected)
			lai_driver_look(driver);
		break;
	case LAI_LINK_WHY_SILENT: why_silent(driver); break;
	case LAI_LINK_READ_REST:
		read_all(driver, true);
		lai_link_on_rest_read(link, now_of(driver));
		break;
	case LAI_LINK_HURRY:
		LAI_NET(driver, hurry, driver->socket, link->config.dead_ns / 4);
		break;
	case LAI_LINK_CALM: LAI_NET(driver, hurry, driver->socket, 0); break;
	case LAI_LINK_SEND_FIN: send_fin(driver); break;
	case LAI_LINK_CLOSE:
	case LAI_LINK_LINGER:
	case LAI_LINK_ABORT: end_socket(driver, action->kind); break;
	}
}

void lai_driver_act(struct lai_driver *driver)
{
	struct lai_link_action action;

	while (lai_link_next(driver->link, &action))
		carry_out(driver, &action);
	assert(driver->link->state == LA_LINK_CONNECTING || lai_driver_sockets(driver) <= 1);
}

/* ---- writing ---------------------------------------------------------------------------- */

/* Ask for news of an ACK with the last bytes that wait, unless the last question is still open. */
static unsigned send_flags(struct lai_driver *driver, uint64_t now_ns)
{
	uint64_t age_ns = lai_time_since(driver->asked_ns, now_ns);
	bool full = lai_cargo_full(&driver->link->cargo);

	/* Receipts say more than ACKs. */
	if (driver->link->cargo.courier)
		return 0;
	/* With the buffer full, nothing but an ACK lets us go on. */
	if (driver->ack_asked ? age_ns < ASK_LOST_NS : age_ns < ASK_EVERY_NS && !full)
		return 0;
	driver->ack_asked = true;
	driver->asked_ns = now_ns;
	return LAI_ASK_ACK;
}

static void write_all(struct lai_driver *driver)
{
	struct iovec iov[2];
	int count;

	for (;;) {
		uint64_t now_ns = now_of(driver);
		ssize_t size;

		count = driver->blocked ? 0 : lai_link_to_send(driver->link, iov, now_ns);
		if (count == 0)
			return;
		size = LAI_NET(driver, send, driver->socket, iov, count,
			       send_flags(driver, now_ns));

		if (size == -EAGAIN) {
			driver->blocked = true;
		} else if (size < 0) {
			if (size != -EINTR)
				fail(driver, (int)-size);
		} else {
			lai_link_on_written(driver->link, (size_t)size, now_ns);
		}
		lai_driver_act(driver);
	}
}

static void update_watch(struct lai_driver *driver)
{
	uint32_t wanted = 0;

	if (driver->socket < 0)
		return;
	if (driver->link->conn.recv.state == LAI_RECV_OPEN)
		wanted |= LAI_READABLE;
	if (driver->blocked && lai_link_wants_write(driver->link, now_of(driver)))
		wanted |= LAI_WRITABLE;
	if (wanted != driver->watched && LAI_NET(driver, watch, driver->socket, wanted) == 0)
		driver->watched = wanted;
}

/* ---- the step --------------------------------------------------------------------------- */

static void on_ready(struct lai_driver *driver, const struct lai_ready *ready)
{
	if (ready->socket == LAI_RESOLVER) {
		resolved(driver);
	} else if (ready->socket == driver->socket) {
		if (driver->link->connected)
			on_connection_ready(driver, ready->events);
	} else {
		for (int i = 0; i < LAI_ADDRESSES_MAX; i++)
			if (driver->racing[i] == ready->socket)
				attempt_decided(driver, i, LAI_NET(driver, error, ready->socket));
	}
}

void lai_driver_step(struct lai_driver *driver, uint64_t until_ns)
{
	struct lai_ready ready[READY_MAX];
	int count = LAI_NET(driver, wait, ready, READY_MAX, until_ns);

	if (lai_net_has_slept(driver->net, &driver->slept_ns))
		lai_link_on_resumed(driver->link, now_of(driver));
	for (int i = 0; i < count; i++)
		on_ready(driver, &ready[i]);
	lai_driver_act(driver);
	if (now_of(driver) >= lai_link_deadline(driver->link))
		lai_link_on_timer(driver->link, now_of(driver));
	lai_driver_act(driver);
	write_all(driver);
	update_watch(driver);
}
