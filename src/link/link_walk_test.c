/* SPDX-License-Identifier: MIT */
/*
 * Every state of a link meets every pair of events, and long random walks meet everything else.
 * The test is the driver: it carries out the actions, one event at a time or after a batch of them,
 * and holds the link to its laws:
 *
 *   one socket outside a race; no attempt before the back-off is over; the drawn transitions only;
 *   every attempt leaves one report; accepted = delivered + waiting + dropped + abandoned; nothing
 * is delivered that has not reached its proof; a deadline in every state; finishing ends in time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "conn/cause.h"
#include "link/link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS (1000 * LAI_S)
#define DEAD_NS (20 * LAI_S)
#define STALL_NS (30 * LAI_S)
#define FINISH_NS (10 * LAI_S)
#define SLACK_NS (2 * LAI_S)
#define SERVERS 2
#define ADDRESSES 3
#define WALKS 10000
#define WALK_EVENTS 80
#define BATCH_MAX 3
#define STEPS_MAX 100000
#define TRACE_MAX 8192
#define SEED 7

/* The link, its owner, its driver, and the kernel under it. */
struct world {
	struct lai_link link;
	struct lai_endpoint servers[SERVERS];
	uint64_t now_ns;
	enum la_link_state seen;
	uint64_t wait_until_ns;
	uint64_t reports;
	bool silent_death; /* an aftermath is owed */
	bool resolving, racing[LAI_ADDRESSES_MAX], socket;
	uint64_t written_bytes, acked_bytes, heard_ns; /* of this connection */
	bool fin_sent, fin_acked, closed;
	uint32_t window_bytes, unanswered;
	bool idle_kernel; /* nothing in flight: the window is closed */
	uint64_t written_total, acked_total, consumed_total;
	bool batch;
	char trace[TRACE_MAX];
};

static struct world *current;

static void fail_law(const char *law)
{
	fail_msg("%s\n  after:%s\n  state %s (%s/%s)", law, current->trace,
		 la_link_state_name(current->link.state),
		 lai_half_name(&lai_half_send, current->link.conn.send.state),
		 lai_half_name(&lai_half_recv, current->link.conn.recv.state));
}

void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
	char text[512];

	snprintf(text, sizeof(text), "%s:%u: %s: assertion %s", file, line, function, assertion);
	fail_law(text);
	abort();
}

#define LAW(condition, text)                                                                       \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_law(text);                                                            \
	} while (0)

static void note(struct world *world, const char *text)
{
	size_t used = strlen(world->trace);

	snprintf(world->trace + used, sizeof(world->trace) - used, " %s", text);
}

/* ---- the owner ----------------------------------------------------------------------------- */

/* link.h in words: a state, and all that may follow it. UP is always left through CLOSING or
 * STALLED. */
static const char *const drawn[LA_LINK_COUNT] = {
	[LA_LINK_IDLE] = "resolving connecting done",
	[LA_LINK_RESOLVING] = "connecting waiting done",
	[LA_LINK_CONNECTING] = "resolving login up waiting done",
	[LA_LINK_LOGIN] = "up closing",
	[LA_LINK_UP] = "stalled closing",
	[LA_LINK_STALLED] = "up closing",
	[LA_LINK_CLOSING] = "resolving connecting waiting done",
	[LA_LINK_WAITING] = "resolving connecting done",
	[LA_LINK_DONE] = "",
};

static void on_state(struct world *world, const struct la_event *event)
{
	LAW(event->from == world->seen, "states follow each other without a gap");
	LAW(event->to != event->from, "a state event is a change");
	LAW(strstr(drawn[event->from], la_link_state_name(event->to)),
	    "a transition that is not drawn");
	world->seen = event->to;
}

static void on_report(struct world *world, const struct la_report *report)
{
	world->reports++;
	LAW(report->serial == world->reports, "each attempt leaves one report, in order");
	LAW(report->cause != LA_CAUSE_ALIVE, "a report has a cause");
	LAW(report->began_ns <= report->ended_ns && report->ended_ns == world->now_ns,
	    "times in order");
	if (report->connected && report->proof == LA_PROOF_CONSUMED)
		world->consumed_total += report->written_bytes;
	world->silent_death |= lai_cause_is_silence(report->cause);
}

static void on_event(void *arg, const struct la_event *event)
{
	struct world *world = arg;

	LAW(event->now_ns == world->now_ns, "an event has its time");
	if (event->kind == LA_EVENT_STATE)
		on_state(world, event);
	else if (event->kind == LA_EVENT_REPORT)
		on_report(world, event->report);
	else if (event->kind == LA_EVENT_WAIT)
		world->wait_until_ns = world->now_ns + event->delay_ns;
	if (event->kind == LA_EVENT_WAIT)
		LAW(event->delay_ns <= world->link.config.backoff_max_ns,
		    "no wait over the maximum");
	if (event->kind != LA_EVENT_AFTERMATH)
		return;
	LAW(world->silent_death, "an aftermath explains a silent death, once");
	LAW(event->report->aftermath != LA_AFTERMATH_UNKNOWN, "an aftermath says something");
	world->silent_death = false;
}

/* ---- the driver ---------------------------------------------------------------------------- */

static void look(struct world *world)
{
	bool flying =
		world->written_bytes > world->acked_bytes || (world->fin_sent && !world->fin_acked);
	const struct lai_view view = {
		.acked_bytes = world->acked_bytes,
		.ack_age_ns = world->now_ns - world->heard_ns,
		.in_flight = flying && !world->idle_kernel && !world->closed,
		.unanswered = world->unanswered,
		.window_bytes = world->window_bytes,
		.window_scale = 7,
		.tcp_state = world->closed ? LAI_TCP_CLOSE : LAI_TCP_ESTABLISHED,
		.fin_acked = world->fin_acked,
	};

	lai_link_on_view(&world->link, &view, world->now_ns);
}

static int sockets_open(const struct world *world)
{
	int count = world->socket;

	for (int i = 0; i < LAI_ADDRESSES_MAX; i++)
		count += world->racing[i];
	return count;
}

static void carry_out_conn(struct world *world, unsigned actions)
{
	LAW(world->socket, "whatever a connection asks for is done on a socket");
	if ((actions & LAI_CONN_LOOK) && world->link.connected)
		look(world);
	if (actions & LAI_CONN_WHY_SILENT)
		lai_link_on_why_silent(&world->link, 0, world->now_ns);
	if (actions & LAI_CONN_READ_REST)
		lai_link_on_rest_read(&world->link, world->now_ns);
	if (actions & LAI_CONN_SEND_FIN)
		world->fin_sent = true;
	if (actions & (LAI_CONN_CLOSE | LAI_CONN_LINGER | LAI_CONN_ABORT))
		world->socket = false;
}

static void carry_out(struct world *world, const struct lai_link_action *action)
{
	switch (action->kind) {
	case LAI_LINK_RESOLVE:
		LAW(world->now_ns >= world->wait_until_ns, "no look-up before the wait is over");
		LAW(sockets_open(world) == 0, "no look-up beside a connection");
		world->resolving = true;
		break;
	case LAI_LINK_RESOLVE_CANCEL: world->resolving = false; break;
	case LAI_LINK_CONNECT:
		LAW(world->now_ns >= world->wait_until_ns, "no connect before the wait is over");
		LAW(!world->socket && !world->racing[action->attempt], "one socket per attempt");
		LAW(lai_address_family(&action->address) != AF_UNSPEC, "an address to connect to");
		world->racing[action->attempt] = true;
		break;
	case LAI_LINK_DISCARD: world->racing[action->attempt] = false; break;
	case LAI_LINK_CONN: carry_out_conn(world, action->conn); break;
	}
}

static void check(const struct world *world)
{
	const struct lai_link *link = &world->link;
	const struct la_totals *totals = &link->cargo.replay.totals;
	uint64_t waiting = lai_ring_used(&link->cargo.replay.ring),
		 deadline_ns = lai_link_deadline(link);
	uint64_t proven = link->config.proof == LA_PROOF_WRITTEN ? world->written_total
			  : link->config.proof == LA_PROOF_ACKED
				  ? world->acked_total + world->consumed_total
				  : world->consumed_total;

	LAW(totals->accepted_bytes == totals->delivered_bytes + waiting + totals->dropped_bytes +
					      totals->abandoned_bytes,
	    "accepted = delivered + waiting + dropped + abandoned");
	LAW(totals->delivered_bytes <= proven, "delivered is what has reached its proof");
	LAW(world->socket == link->connected, "a socket exactly while connected");
	LAW(sockets_open(world) <= 1 || link->state == LA_LINK_CONNECTING,
	    "one socket outside a race");
	LAW(world->seen == link->state, "each change of state was said");
	LAW(world->resolving == (link->state == LA_LINK_RESOLVING),
	    "a look-up exactly while resolving");
	if (link->state == LA_LINK_DONE) {
		LAW(deadline_ns == LA_NEVER && waiting == 0 && sockets_open(world) == 0,
		    "DONE is done");
		LAW(world->reports == link->report.serial, "every attempt has left its report");
	} else if (deadline_ns == LA_NEVER) {
		LAW(link->state == LA_LINK_UP || link->state == LA_LINK_CLOSING,
		    "a deadline is missing");
		LAW(link->conn.send.state <= LAI_SEND_DRAINING &&
			    link->conn.report.written_bytes == link->conn.report.acked_bytes,
		    "something is owed, and there is no deadline");
	}
}

static void pump(struct world *world)
{
	struct lai_link_action action;

	while (lai_link_next(&world->link, &action))
		carry_out(world, &action);
	check(world);
}

/* ---- events -------------------------------------------------------------------------------- */

static void addresses_of(struct lai_address addresses[ADDRESSES])
{
	assert_int_equal(lai_address_parse("2001:db8::1", 80, &addresses[0]), 0);
	assert_int_equal(lai_address_parse("2001:db8::2", 80, &addresses[1]), 0);
	assert_int_equal(lai_address_parse("192.0.2.1", 80, &addresses[2]), 0);
}

static void resolved(struct world *world)
{
	struct lai_address addresses[ADDRESSES];

	addresses_of(addresses);
	world->resolving = false;
	lai_link_on_resolved(&world->link, addresses, ADDRESSES, world->now_ns);
}

static void not_resolved(struct world *world)
{
	world->resolving = false;
	lai_link_on_resolved(&world->link, NULL, -ENOENT, world->now_ns);
}

static void decide(struct world *world, int attempt, int error, bool self)
{
	struct lai_address local, remote = world->link.race.addresses[attempt];
	bool was_connected = world->link.connected;

	assert_int_equal(lai_address_parse("192.0.2.9", 40000, &local), 0);
	if (error)
		world->racing[attempt] = false;
	lai_link_on_attempt(&world->link, attempt, error, self ? &remote : &local, &remote,
			    world->now_ns);
	if (was_connected || !world->link.connected)
		return;
	world->racing[attempt] = false;
	world->socket = true;
	world->written_bytes = world->acked_bytes = 0;
	world->fin_sent = world->fin_acked = world->closed = world->idle_kernel = false;
	world->unanswered = 0;
	world->window_bytes = 65536;
	world->heard_ns = world->now_ns;
}

static int first_racing(const struct world *world)
{
	int i = 0;

	while (i < LAI_ADDRESSES_MAX && !world->racing[i])
		i++;
	return i;
}

static int last_racing(const struct world *world)
{
	int i = LAI_ADDRESSES_MAX - 1;

	while (i > 0 && !world->racing[i])
		i--;
	return i;
}

static void connected(struct world *world)
{
	decide(world, first_racing(world), 0, false);
}

static void last_connected(struct world *world)
{
	decide(world, last_racing(world), 0, false);
}

static void refused(struct world *world)
{
	decide(world, first_racing(world), ECONNREFUSED, false);
}

static void reached_itself(struct world *world)
{
	decide(world, first_racing(world), 0, true);
}

static void write_bytes(struct world *world, bool all)
{
	struct iovec iov[2] = {{0}};
	int count = lai_link_to_send(&world->link, iov, world->now_ns);
	size_t size = count == 2 ? iov[0].iov_len + iov[1].iov_len : iov[0].iov_len;

	if (count == 0)
		return;
	size = all ? size : (size + 1) / 2;
	world->written_bytes += size;
	world->written_total += size;
	lai_link_on_written(&world->link, size, world->now_ns);
}

static void write_all(struct world *world)
{
	write_bytes(world, true);
}

static void write_some(struct world *world)
{
	write_bytes(world, false);
}

static void received(struct world *world)
{
	lai_link_on_received(&world->link, "hello", 5, world->now_ns);
}

static void peer_fin(struct world *world)
{
	lai_link_on_fin(&world->link, world->now_ns);
}

static void die(struct world *world, int error)
{
	world->closed = true;
	look(world);
	if (world->link.connected)
		lai_link_on_error(&world->link, error, world->now_ns);
}

static void reset(struct world *world)
{
	die(world, ECONNRESET);
}

static void timed_out(struct world *world)
{
	die(world, ETIMEDOUT);
}

static void acked(struct world *world, uint64_t bytes)
{
	world->acked_bytes += bytes;
	world->acked_total += bytes;
	world->heard_ns = world->now_ns;
	world->unanswered = 0;
	world->idle_kernel = false;
	look(world);
}

static void all_acked(struct world *world)
{
	acked(world, world->written_bytes - world->acked_bytes);
}

static void some_acked(struct world *world)
{
	acked(world, (world->written_bytes - world->acked_bytes) / 2);
}

static void fin_acked(struct world *world)
{
	world->fin_acked = true;
	all_acked(world);
}

static void silence(struct world *world)
{
	world->now_ns += DEAD_NS;
	world->unanswered = world->written_bytes > world->acked_bytes ? 6 : 0;
	look(world);
}

static void window_closed(struct world *world)
{
	world->now_ns += STALL_NS;
	world->heard_ns = world->now_ns;
	world->idle_kernel = true;
	world->unanswered = world->window_bytes = 0;
	look(world);
}

static void resumed(struct world *world)
{
	lai_link_on_resumed(&world->link, world->now_ns);
}

static void timer(struct world *world)
{
	uint64_t deadline_ns = lai_link_deadline(&world->link);

	if (deadline_ns != LA_NEVER && deadline_ns > world->now_ns)
		world->now_ns = deadline_ns;
	lai_link_on_timer(&world->link, world->now_ns);
}

static void tick(struct world *world)
{
	world->now_ns += 100 * LAI_MS;
	lai_link_on_timer(&world->link, world->now_ns);
}

static void start(struct world *world)
{
	lai_link_start(&world->link, world->now_ns);
}

static void submit(struct world *world)
{
	void *room;

	if (world->link.finishing || world->link.state == LA_LINK_DONE ||
	    lai_replay_room(&world->link.cargo.replay, &room) < 8)
		return;
	memcpy(room, "record\nh", 8);
	(void)lai_replay_commit(&world->link.cargo.replay, 8);
}

static void finish_by(struct world *world, uint64_t by_ns)
{
	if (!lai_replay_terminate(&world->link.cargo.replay))
		return;
	lai_link_finish(&world->link, by_ns, world->now_ns);
}

static void finish(struct world *world)
{
	finish_by(world, LA_NEVER);
}

static void finish_soon(struct world *world)
{
	finish_by(world, world->now_ns + FINISH_NS);
}

static void abort_link(struct world *world)
{
	lai_link_abort(&world->link, world->now_ns);
}

static void checkpoint(struct world *world)
{
	lai_link_checkpoint(&world->link, world->now_ns);
}

static void crowd(struct world *world)
{
	lai_link_crowd(&world->link, world->now_ns);
}

static bool is_resolving(const struct world *world)
{
	return world->resolving;
}

static bool is_racing(const struct world *world)
{
	return first_racing(world) < LAI_ADDRESSES_MAX;
}

static bool is_up(const struct world *world)
{
	return world->link.connected;
}

static bool fin_is_out(const struct world *world)
{
	return world->link.connected && world->fin_sent;
}

enum event {
	START,
	RESOLVED,
	NOT_RESOLVED,
	CONNECTED,
	LAST_CONNECTED,
	REFUSED,
	SELF,
	WRITE_ALL,
	WRITE_SOME,
	RECEIVED,
	PEER_FIN,
	RESET,
	TIMED_OUT,
	LOOK,
	ALL_ACKED,
	SOME_ACKED,
	FIN_ACKED,
	SILENCE,
	WINDOW_CLOSED,
	RESUMED,
	TIMER,
	TICK,
	SUBMIT,
	FINISH,
	FINISH_SOON,
	ABORT,
	CHECKPOINT,
	CROWD,
	EVENTS,
	NONE = EVENTS,
};

static const struct {
	const char *name;
	void (*happen)(struct world *world);
	bool (*possible)(const struct world *world); /* NULL: anywhere */
} events[EVENTS] = {
	[START] = {"start", start, NULL},
	[RESOLVED] = {"resolved", resolved, is_resolving},
	[NOT_RESOLVED] = {"not-resolved", not_resolved, is_resolving},
	[CONNECTED] = {"connected", connected, is_racing},
	[LAST_CONNECTED] = {"last-connected", last_connected, is_racing},
	[REFUSED] = {"refused", refused, is_racing},
	[SELF] = {"self-connect", reached_itself, is_racing},
	[WRITE_ALL] = {"write-all", write_all, is_up},
	[WRITE_SOME] = {"write-some", write_some, is_up},
	[RECEIVED] = {"received", received, is_up},
	[PEER_FIN] = {"FIN", peer_fin, is_up},
	[RESET] = {"ECONNRESET", reset, is_up},
	[TIMED_OUT] = {"ETIMEDOUT", timed_out, is_up},
	[LOOK] = {"look", look, is_up},
	[ALL_ACKED] = {"all-acked", all_acked, is_up},
	[SOME_ACKED] = {"some-acked", some_acked, is_up},
	[FIN_ACKED] = {"fin-acked", fin_acked, fin_is_out},
	[SILENCE] = {"silence", silence, is_up},
	[WINDOW_CLOSED] = {"window-closed", window_closed, is_up},
	[RESUMED] = {"resumed", resumed, NULL},
	[TIMER] = {"timer", timer, NULL},
	[TICK] = {"tick", tick, NULL},
	[SUBMIT] = {"submit", submit, NULL},
	[FINISH] = {"finish", finish, NULL},
	[FINISH_SOON] = {"finish-soon", finish_soon, NULL},
	[ABORT] = {"abort", abort_link, NULL},
	[CHECKPOINT] = {"checkpoint", checkpoint, NULL},
	[CROWD] = {"crowd", crowd, NULL},
};

/* What the kernel says comes in batches; actions are carried out before a timer and after a wish.
 */
static bool comes_in_batches(enum event event)
{
	return event >= RESOLVED && event <= RESUMED;
}

static void happen(struct world *world, enum event event)
{
	if (!comes_in_batches(event))
		pump(world);
	if (events[event].possible && !events[event].possible(world))
		return;
	note(world, events[event].name);
	world->now_ns += LAI_MS;
	events[event].happen(world);
	if (!world->batch || !comes_in_batches(event))
		pump(world);
}

/* ---- running it ---------------------------------------------------------------------------- */

/* The settings that change what a link does, drawn from one number. */
static struct la_link_config config_of(struct world *world, unsigned kind)
{
	return (struct la_link_config){
		.proof = kind % LA_PROOF_COUNT,
		.close_policy = kind / 3 % LA_CLOSE_COUNT,
		.on_peer_fin = kind / 9 % LA_PEER_FIN_COUNT,
		.on_stall = kind / 18 % LA_STALL_COUNT,
		.on_full = kind / 36 % LA_FULL_COUNT,
		.buffer_bytes = 64,
		.record_bytes_max = 32,
		.resolve_ns = 5 * LAI_S,
		.connect_ns = 5 * LAI_S,
		.dead_ns = DEAD_NS,
		.stall_ns = STALL_NS,
		.read_ns = 40 * LAI_S,
		.stable_ns = 10 * LAI_S,
		.backoff_min_ns = 500 * LAI_MS,
		.backoff_max_ns = 60 * LAI_S,
		.give_up_ns = kind / 108 % 2 ? 300 * LAI_S : LA_NEVER,
		.retries_max = kind / 216 % 2 ? 3 : UINT32_MAX,
		.seed = kind + 1,
		.on_event = on_event,
		.arg = world,
	};
}

#define KINDS 432
#define KINDS_OF_PRODUCT 36

/* SEEDS=n in the environment: so many walks, and a tenth of it of the settings; for valgrind. */
static unsigned at_most(unsigned usual, unsigned part)
{
	const char *text = getenv("SEEDS");
	unsigned wanted = text ? (unsigned)strtoul(text, NULL, 10) / part + 1 : usual;

	return wanted < usual ? wanted : usual;
}

static void begin(struct world *world, unsigned kind)
{
	static const char *const urls[SERVERS] = {"lines://name.example:80",
						  "lines://192.0.2.7:81"};
	struct la_link_config config;
	char *error = NULL;

	memset(world, 0, offsetof(struct world, trace));
	snprintf(world->trace, sizeof(world->trace), " [settings %u]", kind);
	current = world;
	world->now_ns = START_NS;
	config = config_of(world, kind);
	for (int i = 0; i < SERVERS; i++)
		assert_int_equal(lai_endpoint_parse(&world->servers[i], urls[i], false, &error), 0);
	assert_int_equal(lai_link_init(&world->link, &config, world->servers, SERVERS), 0);
}

/* Nobody answers any more: no resolver, no server, no peer. Finishing ends it all the same. */
static void run_to_end(struct world *world)
{
	uint64_t bound_ns = world->now_ns + FINISH_NS + SLACK_NS;

	world->batch = false;
	pump(world);
	happen(world, START);
	/* With the queue full even the last newline waits; then only an abort is left. */
	happen(world, FINISH_SOON);
	if (!world->link.finishing)
		happen(world, ABORT);
	for (int i = 0; i < STEPS_MAX && world->link.state != LA_LINK_DONE; i++) {
		happen(world, TIMER);
		world->trace[TRACE_MAX / 2] = '\0';
	}
	LAW(world->link.state == LA_LINK_DONE, "whatever happened, finishing ends it");
	LAW(world->now_ns <= bound_ns, "whatever happened, finishing ends it in time");
	lai_link_done(&world->link);
}

static const struct place {
	const char *sentence;
	enum la_link_state state;
	enum event path[8];
} places[] = {
	{"idle", LA_LINK_IDLE, {NONE}},
	{"idle, something to send", LA_LINK_IDLE, {SUBMIT, NONE}},
	{"resolving", LA_LINK_RESOLVING, {SUBMIT, START, NONE}},
	{"connecting, a race of three",
	 LA_LINK_CONNECTING,
	 {SUBMIT, START, RESOLVED, TIMER, TIMER, NONE}},
	{"connecting, the second server", LA_LINK_CONNECTING, {START, NOT_RESOLVED, NONE}},
	{"up, idle", LA_LINK_UP, {START, RESOLVED, CONNECTED, NONE}},
	{"up, in flight", LA_LINK_UP, {SUBMIT, START, RESOLVED, CONNECTED, WRITE_ALL, NONE}},
	{"stalled",
	 LA_LINK_STALLED,
	 {SUBMIT, START, RESOLVED, CONNECTED, WRITE_ALL, LOOK, WINDOW_CLOSED, NONE}},
	{"closing, draining", LA_LINK_CLOSING, {SUBMIT, START, RESOLVED, CONNECTED, FINISH, NONE}},
	{"closing, a checkpoint",
	 LA_LINK_CLOSING,
	 {SUBMIT, START, RESOLVED, CONNECTED, WRITE_ALL, CHECKPOINT, NONE}},
	{"closing, the peer's FIN came first",
	 LA_LINK_CLOSING,
	 {SUBMIT, START, RESOLVED, CONNECTED, WRITE_ALL, PEER_FIN, NONE}},
	{"waiting", LA_LINK_WAITING, {SUBMIT, START, NOT_RESOLVED, REFUSED, NONE}},
	{"waiting after a silent death",
	 LA_LINK_WAITING,
	 {SUBMIT, START, RESOLVED, CONNECTED, WRITE_ALL, SILENCE, NONE}},
	{"done", LA_LINK_DONE, {SUBMIT, START, ABORT, NONE}},
};

#define PLACES (sizeof(places) / sizeof(places[0]))

static void test_place(void **state)
{
	const struct place *place = *state;
	static struct world world;
	unsigned reached = 0;

	for (unsigned kind = 0; kind < at_most(KINDS_OF_PRODUCT, 10); kind++) {
		for (enum event first = 0; first < EVENTS; first++) {
			for (enum event second = 0; second < EVENTS; second++) {
				begin(&world, kind);
				for (int i = 0; place->path[i] != NONE; i++)
					happen(&world, place->path[i]);
				reached += world.link.state == place->state;
				world.batch = kind & 1;
				happen(&world, first);
				happen(&world, second);
				run_to_end(&world);
			}
		}
	}
	assert_true(reached > 0);
}

/* Events that bring a link forward come more often, or most walks would die young. */
static enum event draw(struct lai_random *random)
{
	static const enum event forward[] = {START,	RESOLVED,  CONNECTED, WRITE_ALL,
					     ALL_ACKED, FIN_ACKED, SUBMIT,    TIMER};

	if (lai_random_below(random, 2))
		return forward[lai_random_below(random, sizeof(forward) / sizeof(forward[0]))];
	/* An abort ends everything: one in ten of its turns. */
	if (lai_random_below(random, EVENTS * 10) == 0)
		return ABORT;
	return (enum event)lai_random_below(random, ABORT);
}

static void test_walks(void **state)
{
	struct lai_random random = {.state = SEED};
	static struct world world;
	bool batches = *state != NULL;

	for (unsigned walk = 0; walk < at_most(WALKS, 1); walk++) {
		begin(&world, (unsigned)lai_random_below(&random, KINDS));
		for (int i = 0; i < WALK_EVENTS; i++) {
			world.batch = batches;
			for (uint64_t n = lai_random_below(&random, BATCH_MAX); batches && n > 0;
			     n--)
				happen(&world, draw(&random));
			happen(&world, lai_random_below(&random, 20)  ? draw(&random)
				       : lai_random_below(&random, 2) ? CHECKPOINT
								      : CROWD);
			if (batches)
				note(&world, ";");
			pump(&world);
		}
		run_to_end(&world);
	}
}

static void test_table(void **state)
{
	(void)state;
	/* The table may allow more than is ever seen (and does); nothing drawn may be forbidden. */
	for (enum la_link_state from = 0; from < LA_LINK_COUNT; from++)
		for (enum la_link_state to = 0; to < LA_LINK_COUNT; to++)
			if (strstr(drawn[from], la_link_state_name(to)))
				assert_true(lai_link_allows(from, to));
	for (enum la_link_state to = 0; to < LA_LINK_COUNT; to++) {
		assert_false(lai_link_allows(LA_LINK_DONE, to));
		assert_false(lai_link_allows(to, LA_LINK_IDLE));
	}
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		{.name = "random walks, one event at a time", .test_func = test_walks},
		{.name = "random walks, events in batches",
		 .test_func = test_walks,
		 .initial_state = (void *)1},
		{.name = "the table has every drawn transition, and nothing after done",
		 .test_func = test_table},
	};
	struct CMUnitTest tests[PLACES + 3];

	for (size_t i = 0; i < PLACES; i++)
		tests[i] = (struct CMUnitTest){.name = places[i].sentence,
					       .test_func = test_place,
					       .initial_state = (void *)&places[i]};
	memcpy(tests + PLACES, others, sizeof(others));
	return cmocka_run_group_tests_name("link.link, every state x event x event", tests, NULL,
					   NULL);
}
