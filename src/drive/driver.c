/* SPDX-License-Identifier: MIT */
#include "drive/driver.h"

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

/* ---- the connection's events ------------------------------------------------------------ */

static struct lai_link *link_of(void *driver)
{
	return ((struct lai_driver *)driver)->link;
}

static void on_view(void *driver, const struct lai_view *view, uint64_t now_ns)
{
	lai_link_on_view(link_of(driver), view, now_ns);
}

static void on_fin(void *driver, uint64_t now_ns)
{
	lai_link_on_fin(link_of(driver), now_ns);
}

static void on_error(void *driver, int error, uint64_t now_ns)
{
	lai_link_note_why(link_of(driver), ((struct lai_driver *)driver)->hands.why);
	lai_link_on_error(link_of(driver), error, now_ns);
}

static void on_why_silent(void *driver, int error, uint64_t now_ns)
{
	lai_link_on_why_silent(link_of(driver), error, now_ns);
}

/* Reads until nothing is there; what recv() says then. */
static ssize_t read_all(struct lai_driver *driver)
{
	char data[READ_BYTES];

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t size = LAI_NET(driver, recv, driver->hands.socket, data, sizeof(data));

		if (size <= 0)
			return size;
		lai_link_on_received(driver->link, data, (size_t)size, lai_net_now(driver->net));
	}
	return -EAGAIN;
}

/* The EOF behind an error is not the peer's FIN. */
static void read_rest(void *arg)
{
	struct lai_driver *driver = arg;

	(void)read_all(driver);
	lai_link_on_rest_read(driver->link, lai_net_now(driver->net));
}

static void end(void *driver, unsigned how)
{
	lai_hands_end(&((struct lai_driver *)driver)->hands, how);
}

static const struct lai_hands_ops hands_ops = {
	.on_view = on_view,
	.on_fin = on_fin,
	.on_error = on_error,
	.on_why_silent = on_why_silent,
	.read_rest = read_rest,
	.end = end,
};

void lai_driver_init(struct lai_driver *driver, struct lai_net *net, struct lai_link *link,
		     const struct lai_socket_options *options)
{
	*driver = (struct lai_driver){.net = net, .link = link, .options = *options};
	lai_hands_init(&driver->hands, net, &link->conn, &hands_ops, driver);
	driver->hands.linger_ns = link->config.linger_ns;
	driver->hands.device = driver->options.device;
	for (int i = 0; i < LAI_ADDRESSES_MAX; i++)
		driver->racing[i] = -1;
	driver->slept_ns = LAI_NET(driver, slept);
}

int lai_driver_sockets(const struct lai_driver *driver)
{
	int count = driver->hands.socket >= 0;

	for (int i = 0; i < LAI_ADDRESSES_MAX; i++)
		count += driver->racing[i] >= 0;
	return count;
}

void lai_driver_look(struct lai_driver *driver)
{
	if (driver->hands.socket >= 0)
		lai_hands_look(&driver->hands);
}

static void on_connection_ready(struct lai_driver *driver, uint32_t events)
{
	const struct lai_link *link = driver->link;

	if (events & LAI_ACKED) {
		driver->ack_asked = false;
		lai_driver_look(driver);
	}
	if (events & LAI_WRITABLE) {
		driver->hands.send_blocked = false;
		if (lai_cargo_crowded(&link->cargo))
			lai_driver_look(driver);
	}
	if (link->connected && (events & (LAI_READABLE | LAI_PEER_FIN)))
		lai_hands_on_no_bytes(&driver->hands, read_all(driver));
	lai_hands_on_ready(&driver->hands, events);
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

static void attempt_decided(struct lai_driver *driver, int attempt, int error)
{
	struct lai_address local = {0}, remote = driver->link->race.addresses[attempt];
	int socket = driver->racing[attempt];
	bool reset;

	if (error == 0)
		error = -LAI_NET(driver, names, socket, &local, &remote);
	reset = reset_already(driver, socket, error);
	if (error != 0 && !reset) {
		lai_link_note_why(driver->link, LAI_NET(driver, why, socket));
		LAI_NET(driver, close, socket);
		driver->racing[attempt] = -1;
	}
	lai_link_on_attempt(driver->link, attempt, reset ? 0 : error, &local, &remote,
			    lai_net_now(driver->net));
	if (!driver->link->connected || driver->hands.socket >= 0)
		return;
	driver->racing[attempt] = -1;
	driver->ack_asked = false;
	lai_hands_connected(&driver->hands, socket, &local, &driver->link->last_good);
	if (reset)
		lai_hands_fail(&driver->hands, ECONNRESET);
}

static void connect_attempt(struct lai_driver *driver, const struct lai_link_action *action)
{
	struct lai_socket_options options = driver->options;
	struct lai_address none = {0};
	int socket;

	assert(driver->racing[action->attempt] < 0 && driver->hands.socket < 0);
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
				    lai_net_now(driver->net));
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
		lai_link_on_resolved(driver->link, addresses, count, lai_net_now(driver->net));
}

/* ---- actions ---------------------------------------------------------------------------- */

static void carry_out(struct lai_driver *driver, const struct lai_link_action *action)
{
	struct lai_link *link = driver->link;
	int error;

	switch (action->kind) {
	case LAI_LINK_RESOLVE:
		error = LAI_NET(driver, resolve, action->endpoint->host, action->endpoint->port);
		if (error < 0)
			lai_link_on_resolved(link, NULL, error, lai_net_now(driver->net));
		break;
	case LAI_LINK_RESOLVE_CANCEL: LAI_NET(driver, resolve_cancel); break;
	case LAI_LINK_CONNECT: connect_attempt(driver, action); break;
	case LAI_LINK_DISCARD: discard_attempt(driver, action->attempt); break;
	case LAI_LINK_CONN: lai_hands_carry_out(&driver->hands, action->conn); break;
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
		uint64_t now_ns = lai_net_now(driver->net);
		size_t size;

		count = driver->hands.send_blocked ? 0
						   : lai_link_to_send(driver->link, iov, now_ns);
		if (count == 0)
			return;
		size = lai_hands_send(&driver->hands, iov, count, send_flags(driver, now_ns));
		if (size > 0)
			lai_link_on_written(driver->link, size, now_ns);
		lai_driver_act(driver);
	}
}

static void update_watch(struct lai_driver *driver)
{
	uint32_t wanted = 0;

	if (driver->link->conn.recv.state == LAI_RECV_OPEN)
		wanted |= LAI_READABLE;
	if (driver->hands.send_blocked &&
	    lai_link_wants_write(driver->link, lai_net_now(driver->net)))
		wanted |= LAI_WRITABLE;
	lai_hands_watch(&driver->hands, wanted);
}

/* ---- the step --------------------------------------------------------------------------- */

static void on_ready(struct lai_driver *driver, const struct lai_ready *ready)
{
	if (ready->socket == LAI_RESOLVER) {
		resolved(driver);
	} else if (ready->socket == driver->hands.socket) {
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
		lai_link_on_resumed(driver->link, lai_net_now(driver->net));
	for (int i = 0; i < count; i++)
		on_ready(driver, &ready[i]);
	lai_driver_act(driver);
	if (lai_net_now(driver->net) >= lai_link_deadline(driver->link))
		lai_link_on_timer(driver->link, lai_net_now(driver->net));
	lai_driver_act(driver);
	write_all(driver);
	update_watch(driver);
}
