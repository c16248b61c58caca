/* SPDX-License-Identifier: MIT */
/*
 * nat_limit.c - how many connections a second one address, a host's or a NAT's, can make to one
 * server, by the way its ports are chosen and closed.
 *
 * A port is free again when the kernel lets the same four-tuple be used once more. So the rate is
 * ports divided by that time; the time is what the rows of this table differ in, and it can be
 * measured with ten ports as well as with all of them.
 */
#include "base/text.h"
#include "lab/call.h"
#include "lab/claim.h"
#include "lab/claims/shared_dial.h"
#include "lab/claims/shared_nat.h"
#include "lab/gauge.h"
#include "lab/rules.h"
#include "lab/trial.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PORTS 10	      /* of each row */
#define CONNECTS (10 * PORTS) /* without a refusal: nothing there limits it */
/* Through the NAT a SYN may be dropped by chance, when the router's draw finds no port that it may
   take although there are some (Linux 6.5). Only ports that never come back make so many in vain
   before each of them has come back once. */
#define SILENT_MAX 3
#define RANGE_FIRST 20000 /* of the first row's ports; each row has its own */
#define RANGE_STEP 100
#define RANGE_WIDE 2000 /* of the row whose ports the router chooses */
#define ROUTER_FIRST 41000

#define PORT_RANGE "net.ipv4.ip_local_port_range"
#define TW_REUSE "net.ipv4.tcp_tw_reuse"
#define TIMESTAMPS "net.ipv4.tcp_timestamps"
#define TRACKED "net.netfilter.nf_conntrack_tcp_timeout_time_wait"

#define WAIT_NS (2 * LAI_S)
/* The last segments of a close may still be on their way, on a busy machine for a while. */
#define REFUSED_NS (100 * LAI_MS)
#define RETRY_NS (5 * LAI_MS)
/* tcp_tw_reuse_delay is 1 s by default; before Linux 4.19 it took two ticks of a second. */
#define RECOVERY_NS (2200 * LAI_MS)
#define SYN_NS (300 * LAI_MS) /* the second SYN by the clock comes after 1 s */

struct row {
	const char *key;		   /* of its numbers */
	const char *name;		   /* for people */
	const char *tw_reuse, *timestamps; /* on the client; NULL: as they are */
	bool bound;			   /* to one port after the other, with SO_REUSEADDR */
	bool linger_zero;		   /* the client closes with RST */
	bool server_first;		   /* closes */
	bool routed;			   /* the router chooses the port */
	bool drawn;			   /* one of the six curves that a plot has */
};

static const struct row rows[] = {
	{.key = "automatic", .name = "automatic port", .drawn = true},
	{.key = "reuse_0", .name = "automatic port with tcp_tw_reuse=0", .tw_reuse = "0"},
	{.key = "reuse_1",
	 .name = "automatic port with tcp_tw_reuse=1",
	 .drawn = true,
	 .tw_reuse = "1"},
	{.key = "reuse_1_no_timestamps",
	 .name = "the same without timestamps",
	 .tw_reuse = "1",
	 .timestamps = "0"},
	{.key = "bound", .name = "bind() with SO_REUSEADDR", .drawn = true, .bound = true},
	{.key = "bound_no_timestamps",
	 .name = "bind() without timestamps",
	 .timestamps = "0",
	 .bound = true},
	{.key = "linger_zero", .name = "SO_LINGER 0", .drawn = true, .linger_zero = true},
	{.key = "server_first", .name = "server closes first", .drawn = true, .server_first = true},
	{.key = "snat", .name = "source NAT to ten ports", .drawn = true, .routed = true},
};

#define ROWS (sizeof(rows) / sizeof(*rows))

/* What came out of a row. */
struct outcome {
	unsigned connects;  /* until one was refused, or CONNECTS */
	unsigned silent;    /* with NAT: SYNs that the router dropped */
	bool refused;	    /* no port came back; with NAT: SILENT_MAX, and no port twice */
	double seconds;	    /* for these connects */
	double time_wait_s; /* how long the first one's port is in TIME_WAIT; 0: it is not */
	double recovery_s;  /* from the first connect to the one after the refusal; 0: none */
};

/* What was set on the client. */
struct former {
	long tw_reuse, timestamps;
};

/* One row on its way. */
struct course {
	const struct row *row;
	unsigned index;
	int listener;
	struct lai_address to;
	uint32_t series;
	uint64_t began_ns;
	struct lai_ends last;
	bool recovers; /* sooner than TIME_WAIT ends */
};

/* How many ports the client has as it is. */
static unsigned range_ports(struct lai_trial *trial)
{
	unsigned first = 0, last = 0;
	FILE *file;

	lai_host_enter(trial, trial->client);
	file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	if (!file || fscanf(file, "%u %u", &first, &last) != 2)
		lai_trial_lacks(trial, "%s cannot be read here", PORT_RANGE);
	(void)fclose(file);
	return last - first + 1;
}

/* The row's value, or the former one. */
static void set_for(struct lai_trial *trial, const char *name, const char *value, long former)
{
	if (value)
		lai_host_set(trial, trial->client, name, value);
	else
		lai_host_set_number(trial, trial->client, name, former);
}

static uint16_t range_first(const struct course *course)
{
	return (uint16_t)(RANGE_FIRST + course->index * RANGE_STEP);
}

/* A connection, or -1 if there was no port for it. */
static int connect_try(struct lai_trial *trial, const struct course *course, unsigned number)
{
	int fd = lai_call_socket(trial, trial->client);
	struct lai_call call = {0};

	if (course->row->bound) {
		uint16_t port = (uint16_t)(range_first(course) + number % PORTS);
		struct lai_address from = lai_host_address(trial, trial->client, port);

		lai_call_option(trial, fd, SOL_SOCKET, SO_REUSEADDR, 1);
		call = lai_call_bind(fd, &from);
	}
	if (call.error == 0)
		call = lai_call_connect(fd, &course->to, course->row->routed ? SYN_NS : WAIT_NS);
	if (call.error == 0)
		return fd;
	(void)close(fd);
	if (call.error != EADDRNOTAVAIL && !(course->row->routed && call.error == EINPROGRESS))
		lai_trial_fail(trial, "connect(): %s", lai_call_errno(call.error));
	return -1;
}

/* The same for a while: a close that is not over yet is no refusal. */
static int connect_patient(struct lai_trial *trial, const struct course *course, unsigned number,
			   uint64_t wait_ns)
{
	uint64_t deadline_ns = lai_clock_now() + wait_ns;
	int fd;

	while ((fd = connect_try(trial, course, number)) < 0 && !course->row->routed &&
	       lai_clock_now() < deadline_ns)
		lai_trial_pass(trial, RETRY_NS);
	return fd;
}

/* Opens, closes in the row's way, and waits until both know it. False: no port. */
static bool connection(struct lai_trial *trial, struct course *course, unsigned number,
		       uint64_t wait_ns)
{
	const struct row *row = course->row;
	int client = connect_patient(trial, course, number, wait_ns), server;

	if (client < 0)
		return false;
	server = lai_call_accept(trial, course->listener, WAIT_NS);
	course->last = lai_call_ends(trial, client);
	if (row->routed)
		lai_nat_need(trial, server, ROUTER_FIRST, ROUTER_FIRST + PORTS - 1);
	if (row->linger_zero)
		lai_call_linger(trial, client, true, 0);
	(void)close(row->server_first ? server : client);
	(void)lai_call_receive_all(row->server_first ? client : server, WAIT_NS);
	(void)close(row->server_first ? client : server);
	if (row->drawn)
		lai_trial_point(trial, course->series,
				(double)lai_time_since(course->began_ns, lai_clock_now()) / LAI_MS,
				number + 1);
	return true;
}

/* Of the latest connection, on the client's side; 0: there is none. */
static double time_wait_left(struct lai_trial *trial, const struct course *course)
{
	struct lai_socket_fact fact;

	if (course->row->server_first || course->row->linger_zero ||
	    !lai_gauge_await(trial, trial->client, &course->last, LAI_TCP_TIME_WAIT, REFUSED_NS) ||
	    !lai_gauge_find(trial, trial->client, &course->last, &fact))
		return 0;
	return fact.timer_ms / 1000.0;
}

/* Whether a connect in vain means that there are no ports. */
static bool is_refused(const struct course *course, struct outcome *outcome)
{
	if (!course->row->routed)
		return true;
	outcome->silent++;
	return outcome->silent >= SILENT_MAX && outcome->connects < 2 * PORTS;
}

static void row_measure(struct lai_trial *trial, struct course *course, struct outcome *outcome)
{
	course->began_ns = lai_clock_now();
	while (outcome->connects < CONNECTS && outcome->silent < SILENT_MAX) {
		if (!connection(trial, course, outcome->connects, REFUSED_NS)) {
			outcome->refused = is_refused(course, outcome);
			if (outcome->refused)
				break;
			continue;
		}
		outcome->seconds =
			(double)lai_time_since(course->began_ns, lai_clock_now()) / LAI_S;
		outcome->connects++;
		if (outcome->connects == 1)
			outcome->time_wait_s = time_wait_left(trial, course);
	}
	if (!outcome->refused || !course->recovers ||
	    !connection(trial, course, outcome->connects, RECOVERY_NS))
		return;
	outcome->recovery_s = (double)lai_time_since(course->began_ns, lai_clock_now()) / LAI_S;
	for (unsigned i = 1; i < PORTS; i++)
		(void)connection(trial, course, outcome->connects + i, 0);
}

static struct outcome row_run(struct lai_trial *trial, unsigned index, const struct former *former)
{
	struct course course = {.row = &rows[index], .index = index};
	struct outcome outcome = {0};

	course.listener = lai_call_listen(trial, trial->server, 0, false, &course.to);
	if (course.row->drawn)
		course.series =
			lai_trial_series(trial, course.row->name, "time, ms", "connections made");
	set_for(trial, TW_REUSE, course.row->tw_reuse, former->tw_reuse);
	set_for(trial, TIMESTAMPS, course.row->timestamps, former->timestamps);
	course.recovers = lai_host_get(trial, trial->client, TW_REUSE) == 1 &&
			  lai_host_get(trial, trial->client, TIMESTAMPS) != 0;
	lai_dial_range(trial, range_first(&course), course.row->routed ? RANGE_WIDE : PORTS);
	if (course.row->routed)
		lai_nat_source(trial, lai_address_port(&course.to), ROUTER_FIRST,
			       ROUTER_FIRST + PORTS - 1);
	row_measure(trial, &course, &outcome);
	set_for(trial, TW_REUSE, NULL, former->tw_reuse);
	set_for(trial, TIMESTAMPS, NULL, former->timestamps);
	if (course.row->routed)
		lai_rules_clear(trial, trial->router);
	(void)close(course.listener);
	return outcome;
}

/* Of one port: by what keeps it from being used again, or else by what was reached. */
static double rate_per_port(const struct row *row, const struct outcome *outcome, double tracked_s)
{
	double wait_s = row->routed ? tracked_s : outcome->time_wait_s;

	if (!outcome->refused)
		return outcome->connects / outcome->seconds / PORTS;
	if (outcome->recovery_s > 0)
		return 1 / outcome->recovery_s;
	return wait_s > 0 ? 1 / wait_s : 0;
}

static void row_say(struct lai_trial *trial, const struct row *row, const struct outcome *outcome,
		    double rate)
{
	char name[48], silent[48];

	(void)snprintf(silent, sizeof(silent), "%u SYNs dropped by the router", outcome->silent);
	lai_trial_say(trial, "%s: %u connections with %d ports, %s%s; %.3f per port and second",
		      row->name, outcome->connects, PORTS,
		      row->routed	 ? silent
		      : outcome->refused ? "then EADDRNOTAVAIL"
					 : "none refused",
		      outcome->recovery_s > 0 ? " for a while" : "", rate);
	(void)snprintf(name, sizeof(name), "%s_connects_per_port", row->key);
	lai_trial_number(trial, name, "connections", (double)outcome->connects / PORTS);
	(void)snprintf(name, sizeof(name), "%s_rate_per_port", row->key);
	lai_trial_number(trial, name, "/s", rate);
}

/*
 * The ports are what is used up, and not the processor or the server: ten connections that stay
 * open leave none for an eleventh, and all of them for another listener of the same server.
 */
static void control(struct lai_trial *trial)
{
	static struct lai_dial_held held;
	struct lai_address to, other;
	struct lai_dial_try last, elsewhere;
	size_t open;

	(void)lai_call_listen(trial, trial->server, 0, false, &to);
	(void)lai_call_listen(trial, trial->server, 0, false, &other);
	lai_dial_range(trial, RANGE_FIRST + ROWS * RANGE_STEP + RANGE_WIDE, PORTS);
	open = lai_dial_hold(trial, &held, NULL, &to, PORTS + 1, &last);
	elsewhere = lai_dial_try(trial, NULL, &other);
	lai_trial_control(trial,
			  open == PORTS && lai_dial_try_was(&last, "connect()", EADDRNOTAVAIL) &&
				  !elsewhere.refused,
			  "%d ports held by %zu open connections: one more gets %s, and one to "
			  "another port of the server %s",
			  PORTS, open, lai_call_errno(last.error),
			  elsewhere.refused ? lai_call_errno(elsewhere.error) : "succeeds");
	lai_dial_drop(trial, &held);
}

/* A row is limited if its ports do not come back before TIME_WAIT, or the router's entry, ends. */
static void conclude(struct lai_trial *trial, const struct outcome outcomes[ROWS], unsigned ports,
		     double rate)
{
	struct lai_text limited = LAI_TEXT_INIT(LAI_RESULT_WORDS_MAX),
			unlimited = LAI_TEXT_INIT(LAI_RESULT_WORDS_MAX);
	unsigned count_limited = 0, count_free = 0;

	for (unsigned i = 0; i < ROWS; i++) {
		struct lai_text *text = outcomes[i].refused ? &limited : &unlimited;

		count_free += !outcomes[i].refused || outcomes[i].recovery_s > 0;
		count_limited += outcomes[i].refused && outcomes[i].recovery_s == 0;
		lai_text_append(text, "%s%s", text->length ? ", " : "", rows[i].name);
		if (outcomes[i].recovery_s > 0)
			lai_text_append(text, " (again after %.1f s)", outcomes[i].recovery_s);
	}
	if (count_limited && count_free)
		lai_trial_conclude(
			trial, LAI_LAB_DEPENDS,
			"on how ports are chosen and who closes first. As configured: %.3f "
			"per port and second, %.0f/s with %u ports. One connection per "
			"port, then none: %s. Each port again at once: %s",
			rate, rate * ports, ports, lai_text_string(&limited),
			lai_text_string(&unlimited));
	else if (count_free)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "no way of choosing ports and closing was limited by "
				   "TIME_WAIT: every port came back at once or after "
				   "tcp_tw_reuse_delay");
	else
		lai_trial_conclude(trial, LAI_LAB_CONFIRMED,
				   "%.3f connections per port and second whatever is done: %.0f/s "
				   "with %u ports",
				   rate, rate * ports, ports);
	lai_text_done(&limited);
	lai_text_done(&unlimited);
}

static void run(struct lai_trial *trial)
{
	unsigned ports = range_ports(trial);
	struct former former = {lai_host_get(trial, trial->client, TW_REUSE),
				lai_host_get(trial, trial->client, TIMESTAMPS)};
	struct outcome outcomes[ROWS];
	double tracked_s, rates[ROWS];

	for (unsigned i = 0; i < ROWS; i++) {
		outcomes[i] = row_run(trial, i, &former);
		tracked_s =
			rows[i].routed ? (double)lai_host_get(trial, trial->router, TRACKED) : 0;
		rates[i] = rate_per_port(&rows[i], &outcomes[i], tracked_s);
		row_say(trial, &rows[i], &outcomes[i], rates[i]);
	}
	control(trial);
	if (outcomes[0].time_wait_s > 0)
		lai_trial_number(trial, "predicted", "connections/s",
				 ports / outcomes[0].time_wait_s);
	conclude(trial, outcomes, ports, rates[0]);
}

const struct lai_claim lai_claim_nat_limit = {
	.id = "nat-limit",
	.claim = "From one source address, a host's own or that of a NAT, only 300 to 500 "
		 "connections a second to one server are possible.",
	.said = "sizing rules of load balancers and proxies: (60999 - 32768 + 1) ports / 60 s of "
		"TIME_WAIT = 470/s; haproxy/haproxy#1520 and #2050, envoyproxy/envoy#44747, "
		"cilium/cilium#23604",
	.decides = "RFC 9293 3.6.1 (2 MSL) against RFC 6191 2 (sooner with timestamps); "
		   "__inet_hash_connect() in net/ipv4/inet_hashtables.c, and tcp_twsk_unique() in "
		   "net/ipv4/tcp_ipv4.c, which lets a TIME_WAIT with timestamps be used again: at "
		   "once if the port was bound, after tcp_tw_reuse_delay if it is automatic and "
		   "tcp_tw_reuse=1",
	.setup = "client ---- router ---- server; ten ports for each way, by ip_local_port_range; "
		 "tcp_tw_reuse and tcp_timestamps as each row says",
	.procedure = "One connection after the other to one port of the server, for each way of "
		     "choosing the port and of closing, until connect() says EADDRNOTAVAIL or ten "
		     "connections per port were made. With tcp_tw_reuse=1, until it works again. "
		     "Then through a source NAT of ten ports, until three SYNs were dropped.",
	.outcome =
		"The limit is that of automatic ports whose TIME_WAIT is on this side. A port "
		"that is bound with SO_REUSEADDR is used again at once (with timestamps), so is "
		"one whose connection the server closed first or that ended by RST; with "
		"tcp_tw_reuse=1 after a second. A source NAT of ten ports has a table of its own, "
		"whose entries of ended connections it may take away since Linux 6.5: its ports "
		"come back as well, though now and then it drops a SYN.",
	.control = "Ten open connections on ten ports leave none for the eleventh (EADDRNOTAVAIL), "
		   "while one to another port of the same server succeeds at once.",
	.shortened = "TIME_WAIT (60 s): ten ports instead of 28,232, and the rest of its time as "
		     "sock_diag tells it; the router's timeout as its sysctl tells it",
	.expected = {{0, 0, LAI_LAB_DEPENDS, NULL}},
	.network = LAI_NETWORK_ROUTER,
	.lane = LAI_LANE_ALONE,
	.run = run,
};
