/* SPDX-License-Identifier: MIT */
/*
 * demo_serving.c - what the demo's server does with its connections.
 *
 *	reading --FIN--> lingering --client's FIN, or LINGER_NS--> closed
 *	reading --filter, drain, RST--> closed
 *	reading --client's FIN or RST--> closed
 *
 * It closes as a good server does: never with something unread, since that would turn a FIN into an
 * RST and throw away what the client was told had arrived. So what the clients do is their doing.
 */
#include "base/clock.h"
#include "cli/demo_server.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a client may owe us its FIN. After that our socket is an orphan in FIN_WAIT2. */
#define LINGER_NS (1 * LAI_S)
/* More than 25 a second times LINGER_NS; beyond it the longest lingering one has to go. */
#define CONNECTIONS_MAX 64

struct connection {
	int fd; /* -1: free */
	bool lingering;
	uint64_t until_ns; /* when lingering ends */
	uint32_t records;  /* read on this connection */
	size_t used;	   /* of an unfinished record */
	char record[LAI_DEMO_RECORD_MAX];
};

struct serving {
	struct lai_demo_order order;
	struct lai_demo_tally *tally;
	int orders, listener; /* listener -1: vanished */
	uint16_t port;
	struct connection connections[CONNECTIONS_MAX];
};

static void connection_close(struct serving *serving, struct connection *connection)
{
	if (connection->used > 0)
		serving->tally->torn++;
	(void)close(connection->fd);
	connection->fd = -1;
}

/* ---- reading ------------------------------------------------------------------------------ */

static void count_record(struct serving *serving, const char *record, size_t length)
{
	struct lai_demo_tally *tally = serving->tally;
	uint32_t sequence;

	if (lai_demo_record_check(record, length, &sequence) != 0) {
		tally->damaged++;
		return;
	}
	if (tally->arrived[sequence] < UINT8_MAX)
		tally->arrived[sequence]++;
	if (sequence >= tally->end)
		tally->end = sequence + 1;
}

static void take_records(struct serving *serving, struct connection *connection)
{
	char *record = connection->record, *end = record + connection->used, *newline;

	while ((newline = memchr(record, '\n', (size_t)(end - record)))) {
		count_record(serving, record, (size_t)(newline - record));
		connection->records++;
		record = newline + 1;
	}
	connection->used = (size_t)(end - record);
	if (connection->used == sizeof(connection->record)) {
		serving->tally->damaged++; /* longer than any record */
		connection->used = 0;
	}
	memmove(connection->record, record, connection->used);
}

/* Reads what is there; false: the client's FIN or RST was, and the connection is closed. */
static bool connection_read(struct serving *serving, struct connection *connection)
{
	ssize_t got;

	do {
		got = recv(connection->fd, connection->record + connection->used,
			   sizeof(connection->record) - connection->used, MSG_DONTWAIT);
		if (got > 0) {
			connection->used += (size_t)got;
			take_records(serving, connection);
		}
	} while (got > 0 || (got < 0 && errno == EINTR));
	if (got < 0 && errno == EAGAIN)
		return true;
	connection_close(serving, connection);
	return false;
}

/* ---- ending ------------------------------------------------------------------------------- */

static void connection_finish(struct connection *connection)
{
	(void)shutdown(connection->fd, SHUT_WR);
	connection->lingering = true;
	connection->until_ns = lai_time_after(lai_clock_now(), LINGER_NS);
}

/*
 * From now on nothing reaches this socket, and so nothing more is acknowledged: what is to be read
 * can be read to its end. Without it a record could come in between the last read and the RST.
 */
static void deafen(int sock)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &drop};

	(void)setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static void connection_reset(struct serving *serving, struct connection *connection)
{
	struct linger abort = {.l_onoff = 1, .l_linger = 0};

	deafen(connection->fd);
	if (!connection_read(serving, connection))
		return;
	(void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	connection_close(serving, connection);
}

static void connection_serve(struct serving *serving, struct connection *connection)
{
	bool enough;

	if (!connection_read(serving, connection) || connection->lingering)
		return;
	enough = connection->records >= serving->order.after_records;
	if (serving->order.fault == LAI_DEMO_CLOSE && enough)
		connection_finish(connection);
	else if (serving->order.fault == LAI_DEMO_RESET && enough)
		connection_reset(serving, connection);
}

/* Those whose time is over, read to the end once more: we may have been frozen meanwhile. */
static void expire(struct serving *serving)
{
	uint64_t now_ns = lai_clock_now();

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &serving->connections[i];

		if (connection->fd >= 0 && connection->lingering &&
		    now_ns >= connection->until_ns && connection_read(serving, connection))
			connection_close(serving, connection);
	}
}

/* ---- beginning ---------------------------------------------------------------------------- */

static struct connection *slot_take(struct serving *serving)
{
	struct connection *oldest = NULL;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &serving->connections[i];

		if (connection->fd < 0)
			return connection;
		if (connection->lingering && (!oldest || connection->until_ns < oldest->until_ns))
			oldest = connection;
	}
	if (oldest && connection_read(serving, oldest))
		connection_close(serving, oldest);
	return oldest;
}

static void accept_all(struct serving *serving)
{
	int sock;

	while ((sock = accept4(serving->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct connection *connection = slot_take(serving);

		if (!connection) {
			(void)close(sock);
			continue;
		}
		connection->fd = sock;
		connection->lingering = false;
		connection->records = 0;
		connection->used = 0;
		serving->tally->connections++;
		if (serving->order.fault == LAI_DEMO_VANISH)
			connection_finish(connection);
	}
}

static void vanish(struct serving *serving)
{
	if (serving->listener >= 0) {
		/* A connection that waits for accept() is not to be reset with what it brought. */
		deafen(serving->listener);
		accept_all(serving);
		(void)close(serving->listener);
		serving->listener = -1;
	}
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (serving->connections[i].fd >= 0 && !serving->connections[i].lingering)
			connection_finish(&serving->connections[i]);
}

/* The port is still ours: the demo has another socket bound to it, which does not listen. */
static void appear(struct serving *serving)
{
	if (serving->listener >= 0)
		return;
	serving->listener = lai_demo_listen(&serving->port);
	if (serving->listener < 0)
		_exit(EXIT_FAILURE);
}

static _Noreturn void leave(struct serving *serving)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (serving->connections[i].fd >= 0)
			(void)connection_read(serving, &serving->connections[i]);
	_exit(EXIT_SUCCESS);
}

static void take_order(struct serving *serving)
{
	struct lai_demo_order order;

	if (recv(serving->orders, &order, sizeof(order), 0) != sizeof(order) ||
	    order.fault == LAI_DEMO_END)
		leave(serving);
	serving->order = order;
	if (order.fault == LAI_DEMO_VANISH)
		vanish(serving);
	else
		appear(serving);
}

/* ---- the loop ----------------------------------------------------------------------------- */

enum { ORDERS, LISTENER, FIRST_CONNECTION, SLOT_COUNT = FIRST_CONNECTION + CONNECTIONS_MAX };

/* poll() passes over a descriptor that is negative. */
static uint64_t prepare(const struct serving *serving, struct pollfd slots[SLOT_COUNT])
{
	uint64_t deadline_ns = LA_NEVER;

	slots[ORDERS] = (struct pollfd){.fd = serving->orders, .events = POLLIN};
	slots[LISTENER] = (struct pollfd){.fd = serving->listener, .events = POLLIN};
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *connection = &serving->connections[i];

		slots[FIRST_CONNECTION + i] =
			(struct pollfd){.fd = connection->fd, .events = POLLIN};
		if (connection->fd >= 0 && connection->lingering)
			deadline_ns = lai_time_min(deadline_ns, connection->until_ns);
	}
	return deadline_ns;
}

_Noreturn void lai_demo_serve(int orders, int listener, uint16_t port, struct lai_demo_tally *tally)
{
	static struct serving serving;
	struct pollfd slots[SLOT_COUNT];

	serving.orders = orders;
	serving.listener = listener;
	serving.port = port;
	serving.tally = tally;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		serving.connections[i].fd = -1;
	for (;;) {
		uint64_t deadline_ns = prepare(&serving, slots);

		(void)poll(slots, SLOT_COUNT, lai_clock_timeout_ms(deadline_ns));
		/* Orders first: after a freeze the connections are served by the new one. */
		if (slots[ORDERS].revents)
			take_order(&serving);
		for (size_t i = 0; i < CONNECTIONS_MAX; i++)
			if (slots[FIRST_CONNECTION + i].revents &&
			    serving.connections[i].fd == slots[FIRST_CONNECTION + i].fd)
				connection_serve(&serving, &serving.connections[i]);
		if (slots[LISTENER].revents && slots[LISTENER].fd == serving.listener)
			accept_all(&serving);
		expire(&serving);
	}
}
