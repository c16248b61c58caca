/* SPDX-License-Identifier: MIT */
/*
 * Waiting. The inner network does not know what OpenSSL holds: decrypted bytes, a handshake that has
 * come to its end, an end that came inside TLS. Sockets with such news are on a list, and while that
 * is not empty wait() does not sleep and fd() polls readable:
 *
 *     fd() = epoll { the inner fd, an eventfd that rings while the list is not empty }
 */
#include "io/tls_inside.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- the list ------------------------------------------------------------------------------ */

static void ring(const struct lai_tls *tls, bool on)
{
	uint64_t one = 1;

	if (tls->bell < 0)
		return;
	if (on)
		(void)!write(tls->bell, &one, sizeof(one));
	else
		(void)!read(tls->bell, &one, sizeof(one));
}

static void append(struct lai_tls_socket *socket)
{
	struct lai_tls *tls = socket->tls;

	socket->previous = tls->last;
	socket->next = NULL;
	*(tls->last ? &tls->last->next : &tls->first) = socket;
	tls->last = socket;
}

static void take_off(struct lai_tls_socket *socket)
{
	struct lai_tls *tls = socket->tls;

	*(socket->previous ? &socket->previous->next : &tls->first) = socket->next;
	*(socket->next ? &socket->next->previous : &tls->last) = socket->previous;
}

void lai_tls_list(struct lai_tls_socket *socket)
{
	if (socket->listed)
		return;
	if (!socket->tls->first)
		ring(socket->tls, true);
	append(socket);
	socket->listed = true;
}

void lai_tls_unlist(struct lai_tls_socket *socket)
{
	if (!socket->listed)
		return;
	take_off(socket);
	socket->listed = false;
	if (!socket->tls->first)
		ring(socket->tls, false);
}

/* ---- waiting ------------------------------------------------------------------------------- */

/* What the socket has to say now; what is said once is then said. */
static uint32_t say(struct lai_tls_socket *socket)
{
	uint32_t events = lai_tls_socket_events(socket);

	socket->round = socket->tls->round;
	socket->news = 0;
	(void)lai_tls_socket_settle(socket);
	return events;
}

/* From the inner network's news to ours, in place; how many are left. */
static int translate(struct lai_tls *tls, struct lai_ready *ready, int count)
{
	int kept = 0;

	for (int i = 0; i < count; i++) {
		struct lai_tls_socket *socket = lai_tls_socket_find(tls, ready[i].socket);
		struct lai_ready one = ready[i];

		if (socket) {
			one.events = lai_tls_socket_on_ready(socket, one.events);
			one.events |= say(socket);
		}
		if (one.events)
			ready[kept++] = one;
	}
	return kept;
}

/* Those on the list that have not been said in this round; they go to its end. */
static int take_listed(struct lai_tls *tls, struct lai_ready *ready, int max)
{
	const struct lai_tls_socket *last = tls->last;
	struct lai_tls_socket *socket = tls->first, *next;
	int count = 0;

	for (; socket && count < max; socket = next) {
		next = socket == last ? NULL : socket->next;
		if (socket->round == tls->round)
			continue;
		take_off(socket);
		append(socket);
		ready[count].socket = socket->number;
		ready[count++].events = say(socket);
	}
	return count;
}

int lai_tls_wait(struct lai_net *net, struct lai_ready *ready, int max, uint64_t deadline_ns)
{
	struct lai_tls *tls = lai_tls_of(net);
	struct lai_net *inner = tls->inner;

	for (;;) {
		/* Both the inner network and the list get their turn. */
		int room = tls->first ? (max + 1) / 2 : max;
		int got = inner->ops->wait(inner, ready, room, tls->first ? 0 : deadline_ns);
		int count;

		tls->round++;
		count = got > 0 ? translate(tls, ready, got) : 0;
		count += take_listed(tls, ready + count, max - count);
		if (count > 0 || got <= 0 || deadline_ns <= lai_net_now(inner))
			return count;
	}
}

int lai_tls_wait_init(struct lai_tls *tls)
{
	struct epoll_event event = {.events = EPOLLIN};
	int inner_fd = tls->inner->ops->fd(tls->inner);

	if (inner_fd < 0) /* the simulator: nobody polls */
		return 0;
	tls->epoll = epoll_create1(EPOLL_CLOEXEC);
	tls->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (tls->epoll < 0 || tls->bell < 0 ||
	    epoll_ctl(tls->epoll, EPOLL_CTL_ADD, inner_fd, &event) != 0 ||
	    epoll_ctl(tls->epoll, EPOLL_CTL_ADD, tls->bell, &event) != 0)
		return -errno;
	return 0;
}

void lai_tls_wait_done(struct lai_tls *tls)
{
	if (tls->epoll >= 0)
		(void)close(tls->epoll);
	if (tls->bell >= 0)
		(void)close(tls->bell);
}
