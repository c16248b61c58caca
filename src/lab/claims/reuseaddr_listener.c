/* SPDX-License-Identifier: MIT */
/*
 * reuseaddr_listener.c - may a server start again on its port? By what its last run left behind,
 * and by who of the two had set SO_REUSEADDR.
 */
#include "base/text.h"
#include "lab/gauge.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* A state that is kept is there long before. */
#define KEPT_NS LAI_S
#define LISTEN_BACKLOG 8
#define NAMES_MAX 128 /* of all states, with commas */

/* What is left of the last run. */
#define LEFTOVERS(X)                                                                               \
	X(NOTHING, "nothing")                                                                      \
	X(TIME_WAIT, "TIME_WAIT")                                                                  \
	X(FIN_WAIT2, "FIN_WAIT2")                                                                  \
	X(CLOSE_WAIT, "CLOSE_WAIT")                                                                \
	X(ESTABLISHED, "ESTABLISHED")                                                              \
	X(LISTEN, "LISTEN")
enum leftover {
#define X(name, text) LEFT_##name,
	LEFTOVERS(X)
#undef X
		LEFT_COUNT
};
static const char *const leftover_names[LEFT_COUNT] = {
#define X(name, text) text,
	LEFTOVERS(X)
#undef X
};

/* Brings a connection into what is left of it. False: this kernel keeps none of it (its settings
   may forbid TIME_WAIT, and FIN_WAIT2 without a program, which is a mini-socket as well). */
static bool leave(struct lai_trial *trial, struct lai_pair *pair, enum leftover leftover)
{
	bool server_first = leftover == LEFT_TIME_WAIT || leftover == LEFT_FIN_WAIT2;

	if (leftover == LEFT_ESTABLISHED || leftover == LEFT_LISTEN)
		return true;
	if (server_first) {
		(void)close(pair->server);
		pair->server = -1;
		if (!lai_gauge_await(trial, trial->server, &pair->at_server, LAI_TCP_FIN_WAIT2,
				     KEPT_NS))
			return false;
	}
	if (leftover == LEFT_FIN_WAIT2)
		return true;
	(void)close(pair->client);
	pair->client = -1;
	if (leftover == LEFT_TIME_WAIT)
		return lai_gauge_await(trial, trial->server, &pair->at_server, LAI_TCP_TIME_WAIT,
				       KEPT_NS);
	lai_gauge_need(trial, trial->server, &pair->at_server, LAI_TCP_CLOSE_WAIT);
	if (leftover == LEFT_NOTHING) {
		(void)close(pair->server);
		pair->server = -1;
		lai_gauge_need(trial, trial->server, &pair->at_server, LAI_TCP_NONE);
	}
	return true;
}

/* The new server: 0, or the errno of bind() or listen(). */
static int start_again(struct lai_trial *trial, const struct lai_address *address, bool reuse)
{
	int fd = lai_call_socket(trial, trial->server), error;

	if (reuse)
		lai_call_option(trial, fd, SOL_SOCKET, SO_REUSEADDR, 1);
	error = lai_call_bind(fd, address).error;
	if (!error && listen(fd, LISTEN_BACKLOG) < 0)
		error = errno;
	(void)close(fd);
	return error;
}

/* What the new server gets; [old][new]: with SO_REUSEADDR. */
struct row {
	bool tried;
	int error[2][2];
};

static bool cell(struct lai_trial *trial, enum leftover leftover, bool old_reuse, bool new_reuse,
		 int *error)
{
	struct lai_address address;
	int listener = lai_call_listen(trial, trial->server, 0, old_reuse, &address);
	struct lai_pair_plan plan = {.listener = listener};
	struct lai_pair pair = lai_pair_open(trial, &plan);
	bool left = leave(trial, &pair, leftover);

	if (leftover != LEFT_LISTEN)
		(void)close(listener);
	if (left)
		*error = start_again(trial, &address, new_reuse);
	if (leftover == LEFT_LISTEN)
		(void)close(listener);
	lai_pair_close(&pair);
	return left;
}

static struct row try_row(struct lai_trial *trial, enum leftover leftover)
{
	struct row row = {.tried = true};

	for (int i = 0; i < 4 && row.tried; i++)
		row.tried = cell(trial, leftover, i / 2, i % 2, &row.error[i / 2][i % 2]);
	if (!row.tried) {
		lai_trial_say(trial, "%s: this kernel keeps none", leftover_names[leftover]);
		return row;
	}
	lai_trial_say(trial,
		      "%s left: new one without SO_REUSEADDR %s; only the new one has it %s; only "
		      "the old one had it %s; both %s",
		      leftover_names[leftover], lai_call_errno(row.error[0][0]),
		      lai_call_errno(row.error[0][1]), lai_call_errno(row.error[1][0]),
		      lai_call_errno(row.error[1][1]));
	return row;
}

/* All four are refused, or with both only it is not. */
static bool needs_both(const struct row *row)
{
	return row->error[0][0] == EADDRINUSE && row->error[0][1] == EADDRINUSE &&
	       row->error[1][0] == EADDRINUSE && row->error[1][1] == 0;
}

static bool always(const struct row *row, int error)
{
	return row->error[0][0] == error && row->error[0][1] == error &&
	       row->error[1][0] == error && row->error[1][1] == error;
}

/* The connections' states that were there, and over how many of them a new server starts. */
struct tally {
	unsigned tried;
	unsigned needs_both; /* if both have set it, and only then */
	unsigned new_alone;  /* if only the new one has */
	unsigned refused;    /* not even if both have */
};

static struct tally tally_of(const struct row rows[LEFT_COUNT], struct lai_text *names)
{
	struct tally tally = {0};

	for (int i = LEFT_TIME_WAIT; i <= LEFT_ESTABLISHED; i++) {
		if (!rows[i].tried)
			continue;
		lai_text_append(names, "%s%s", tally.tried ? ", " : "", leftover_names[i]);
		tally.tried++;
		tally.needs_both += needs_both(&rows[i]);
		tally.new_alone += rows[i].error[0][1] == 0;
		tally.refused += rows[i].error[1][1] != 0;
	}
	return tally;
}

static void run(struct lai_trial *trial)
{
	struct row rows[LEFT_COUNT];
	struct lai_text names = LAI_TEXT_INIT(NAMES_MAX);
	enum lai_lab_verdict verdict = LAI_LAB_INCONCLUSIVE;
	struct tally tally;

	for (int i = 0; i < LEFT_COUNT; i++)
		rows[i] = try_row(trial, (enum leftover)i);
	tally = tally_of(rows, &names);
	lai_trial_number(trial, "states left behind", "", tally.tried);
	lai_trial_number(trial, "started over, set by both", "", tally.needs_both);
	lai_trial_number(trial, "started over, set by the new one", "", tally.new_alone);
	lai_trial_control(trial,
			  always(&rows[LEFT_NOTHING], 0) &&
				  rows[LEFT_CLOSE_WAIT].error[0][0] == EADDRINUSE,
			  "where the last run left nothing (its clients closed first, it closed "
			  "all) a server starts without the option; over CLOSE_WAIT without it: %s",
			  lai_call_errno(rows[LEFT_CLOSE_WAIT].error[0][0]));
	if (tally.needs_both == tally.tried)
		verdict = LAI_LAB_DEPENDS;
	else if (tally.new_alone == tally.tried)
		verdict = LAI_LAB_CONFIRMED;
	else if (tally.refused == tally.tried)
		verdict = LAI_LAB_REFUTED;
	lai_trial_conclude(
		trial, verdict,
		"%sof %u states of its last connections (%s) a server starts over %u if its last "
		"run and this one have set it and not otherwise, over %u if this one alone has, "
		"over %u not even with both: %s if only the new one has it. Over a listener that "
		"lives it gets %s if both have",
		verdict == LAI_LAB_DEPENDS ? "on the last run having set it too: " : "",
		tally.tried, lai_text_string(&names), tally.needs_both, tally.new_alone,
		tally.refused, lai_call_errno(rows[LEFT_CLOSE_WAIT].error[0][1]),
		lai_call_errno(rows[LEFT_LISTEN].error[1][1]));
	lai_text_done(&names);
}

const struct lai_claim lai_claim_reuseaddr_listener = {
	.id = "reuseaddr-listener",
	.claim = "SO_REUSEADDR lets a server start again at once on the port of its last run.",
	.said = "every text on socket servers (\"bind: Address already in use\"); socket(7): \"a "
		"socket may bind, except when there is an active listening socket bound to the "
		"address\"",
	.decides = "RFC 9293 3.6.1; inet_csk_bind_conflict() and inet_bind_conflict() in "
		   "net/ipv4/inet_connection_sock.c: no conflict if both sockets have sk_reuse and "
		   "neither listens; an accepted socket has its listener's",
	.setup = "client ---- server; kernel defaults",
	.procedure =
		"A listener accepts a connection, which is brought into TIME_WAIT, FIN_WAIT2, "
		"CLOSE_WAIT, ESTABLISHED, or closed without a trace; the listener is closed, or "
		"lives. Then bind() and listen() on its address again: SO_REUSEADDR set by "
		"neither, by the new one, by the old one, by both.",
	.outcome =
		"It works over every state that is no listener, if the last run had set it too: a "
		"connection inherits it from its listener. Setting it only now does not help.",
	.control = "Nothing left: the server starts without the option. Something left and no "
		   "option: EADDRINUSE.",
	.expected = {{0, 0, LAI_LAB_DEPENDS, NULL}},
	.both_families = true,
	.run = run,
};
