/* SPDX-License-Identifier: MIT */
/* The loop: one turn of it. */
#include "drive/server.h"

#include "base/clock.h"

#include <sys/epoll.h>

#define READY_MAX 64
/* The loop's own sources: the network, the store, the password check. */
#define SOURCES 3

void lai_server_say(struct la_server *server, enum la_server_event_kind kind,
		    const struct lai_client *client, const char *text)
{
	struct la_server_event event = {.kind = kind, .text = text};
	struct la_session said;

	if (!server->config.on_event)
		return;
	if (client) {
		const struct lai_stomp_session *session = &client->session;

		said = (struct la_session){
			.serial = session->serial,
			.user = client->logged_in ? session->user : "",
			.claimed = session->user,
			.client = session->conn.report.remote,
			.end = session->end,
			.words = session->words,
			.message = session->message,
			.why = client->hands.why,
			.reclaimed = client->reclaimed,
			.records = session->records,
			.received_bytes = session->conn.report.received_bytes,
			.receipts = session->receipts,
			.report = kind == LA_SERVER_ENDED ? &session->conn.report : NULL,
		};
		event.session = &said;
	}
	server->config.on_event(server->config.arg, &event);
}

void lai_server_note(struct la_server *server, struct lai_client *client)
{
	lai_list_add(&server->news, &client->news);
}

uint64_t lai_server_deadline(const struct la_server *server)
{
	const struct lai_heap_item *first = lai_heap_first(&server->timers);
	uint64_t deadline_ns = lai_time_min(server->retry_ns, lai_server_accept_deadline(server));

	if (server->news.count > 0 || server->hungry.count > 0 ||
	    (server->stopping && !server->stop_told))
		return 0;
	if (server->stopping)
		deadline_ns = lai_time_min(deadline_ns, server->stop_by_ns);
	if (!first || first->key_ns == LAI_CLIENT_NEVER_NS)
		return deadline_ns;
	return lai_time_min(deadline_ns, first->key_ns);
}

/* ---- the parts of a turn ------------------------------------------------------------------ */

/* false: the network has no news. */
static bool wait_for_news(struct la_server *server, uint64_t until_ns)
{
	struct epoll_event events[SOURCES];
	bool network = false;
	int count;

	if (server->epoll < 0)
		return true;
	count = epoll_wait(server->epoll, events, SOURCES,
			   until_ns == 0 ? 0 : lai_clock_timeout_ms(until_ns));
	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == lai_store_fd(server->store))
			lai_store_take_news(server->store);
		else if (events[i].data.fd == LAI_NET(server, fd))
			network = true;
		else
			server->answers_came = true;
	}
	return network;
}

static void take_ready(struct la_server *server, uint64_t until_ns)
{
	struct lai_ready ready[READY_MAX];
	int count = LAI_NET(server, wait, ready, READY_MAX, server->epoll < 0 ? until_ns : 0);

	for (int i = 0; i < count; i++) {
		size_t socket = (size_t)ready[i].socket;

		if (ready[i].socket == server->listener) {
			server->callers_came = true; /* after the others: their ends make room */
			continue;
		}
		if (ready[i].socket >= 0 && socket < server->by_socket_room &&
		    server->by_socket[socket])
			lai_client_on_ready(server, server->by_socket[socket], ready[i].events);
	}
}

/* Those that were not done in the last turn. */
static void read_hungry(struct la_server *server)
{
	for (size_t count = server->hungry.count; count > 0; count--) {
		struct lai_client *client =
			LAI_LIST_OWNER(lai_list_first(&server->hungry), struct lai_client, hungry);

		lai_list_remove(&server->hungry, &client->hungry);
		lai_client_read(server, client);
	}
}

static void check_sleep(struct la_server *server)
{
	struct lai_list_link *link;

	if (!lai_net_has_slept(server->net, &server->slept_ns))
		return;
	for (link = lai_list_first(&server->open); link;
	     link = lai_list_next(&server->open, link)) {
		struct lai_client *client = LAI_LIST_OWNER(link, struct lai_client, open);

		lai_stomp_session_on_resumed(&client->session, lai_net_now(server->net));
		lai_server_note(server, client);
	}
}

static void run_timers(struct la_server *server)
{
	uint64_t now_ns = lai_net_now(server->net);
	struct lai_heap_item *first;

	while ((first = lai_heap_first(&server->timers)) && first->key_ns <= now_ns) {
		struct lai_client *client = LAI_LIST_OWNER(first, struct lai_client, timer);

		lai_stomp_session_on_timer(&client->session, now_ns);
		lai_server_note(server, client);
		/* Tending sets it anew; it stays in the heap, so that this cannot fail. */
		(void)lai_heap_set(&server->timers, first, LAI_CLIENT_NEVER_NS);
	}
}

/* What is noted while tending (a login that was let in at once) is tended as well. */
static void tend(struct la_server *server)
{
	struct lai_list_link *link;

	while ((link = lai_list_first(&server->news))) {
		struct lai_client *client = LAI_LIST_OWNER(link, struct lai_client, news);

		lai_list_remove(&server->news, link);
		lai_client_tend(server, client);
	}
}

/* Those in the backlog are connected: closing the listener before would reset them. */
static void begin_stop(struct la_server *server)
{
	struct lai_list_link *link;

	if (!server->stopping || server->stop_told)
		return;
	server->callers_came = true;
	lai_server_accept(server);
	lai_server_unlisten(server);
	server->stop_told = true;
	for (link = lai_list_first(&server->open); link;
	     link = lai_list_next(&server->open, link)) {
		struct lai_client *client = LAI_LIST_OWNER(link, struct lai_client, open);

		lai_stomp_session_stop(&client->session, server->stop_by_ns,
				       lai_net_now(server->net));
		lai_client_sort(server, client);
		lai_server_note(server, client);
	}
}

static void end_stop(struct la_server *server)
{
	bool late;

	if (!server->stop_told)
		return;
	late = lai_net_now(server->net) >= server->stop_by_ns;
	while (late && server->open.count > 0)
		lai_client_abort(server, LAI_LIST_OWNER(lai_list_first(&server->open),
							struct lai_client, open));
	server->over = server->open.count == 0 && (late || lai_server_all_stored(server));
}

/* Wall clock, in the kernel's world; the simulator has no other clock than the network's. */
static uint64_t wall_us(struct la_server *server)
{
	return (server->epoll < 0 ? lai_net_now(server->net) : lai_clock_read(CLOCK_REALTIME)) /
	       LAI_US;
}

int lai_server_step(struct la_server *server, uint64_t until_ns)
{
	server->turning = true;
	server->turn++;
	if (until_ns > 0)
		until_ns = lai_time_min(until_ns, lai_server_deadline(server));
	if (wait_for_news(server, until_ns)) {
		server->received_us = wall_us(server);
		take_ready(server, until_ns);
	}
	check_sleep(server);
	read_hungry(server);
	begin_stop(server);
	if (server->answers_came || server->no_threads)
		lai_server_take_answers(server);
	server->answers_came = false;
	lai_server_store(server);
	run_timers(server);
	tend(server);
	/* Let in just now, with records behind the login. */
	if (server->unsubmitted) {
		lai_server_store(server);
		tend(server);
	}
	end_stop(server);
	if (!server->stopping)
		lai_server_accept(server);
	server->turning = false;
	return server->over;
}
