/* SPDX-License-Identifier: MIT */
/*
 * unread_input_resets.c - which segment close() sends, by what the program has left unread.
 *
 *	nothing unread    F.        the peer's FIN alone unread    F.
 *	a byte unread     R.        a byte that comes later        F., then R
 */
#include "lab/capture.h"
#include "lab/claims/shared_queue.h"
#include "lab/claims/shared_talk.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_NS (5 * LAI_S)
#define INPUT_BYTES_MAX 4000
#define WORD_BYTES 10

/* What the server sent first when it closed, and what its peer saw of it. */
struct ending {
	uint8_t flags; /* FIN or RST, with the other flags of the segment */
	struct lai_call peer;
	uint64_t aborts; /* by TcpExt: TCPAbortOnClose */
};

struct experiment {
	struct lai_pair pair;
	struct lai_counters *before;
	size_t next; /* of the capture, where this case begins */
};

static struct experiment open_pair(struct lai_trial *trial, size_t input_bytes)
{
	struct experiment experiment = {.pair = lai_pair_open(trial, NULL)};

	if (input_bytes > 0) {
		(void)lai_call_send(experiment.pair.client, input_bytes, WAIT_NS);
		lai_queue_await_unread(trial, trial->server, &experiment.pair.at_server,
				       input_bytes);
	}
	experiment.before = lai_counters_read(trial, trial->server);
	experiment.next = lai_talk_mark(trial);
	return experiment;
}

/* The first segment of the server's from here on that ends something. */
static struct lai_segment await_end(struct lai_trial *trial, struct experiment *experiment)
{
	struct lai_captured found;

	do {
		if (!lai_capture_await(trial->captures[0], &experiment->next,
				       &experiment->pair.at_server.local, 0, 0, WAIT_NS, &found))
			lai_trial_fail(trial, "neither FIN nor RST was on the wire");
	} while (!(found.segment.flags & (LAI_FLAG_FIN | LAI_FLAG_RST)));
	return found.segment;
}

static struct ending finish(struct lai_trial *trial, struct experiment *experiment,
			    const char *what)
{
	struct ending ending = {.flags = await_end(trial, experiment).flags};
	char flags[LAI_FLAGS_TEXT_MAX];

	/* For the record of states: what the server's end has become. */
	(void)lai_gauge_state(trial, trial->server, &experiment->pair.at_server);
	ending.peer = lai_call_receive_all(experiment->pair.client, WAIT_NS);
	ending.aborts =
		lai_counters_since(trial, trial->server, experiment->before, "TCPAbortOnClose");
	lai_trial_say(trial, "%s: [%s] on the wire, TCPAbortOnClose +%u, the peer reads %s", what,
		      lai_segment_flags(ending.flags, flags), (unsigned)ending.aborts,
		      lai_queue_end(&ending.peer));
	lai_counters_free(experiment->before);
	lai_pair_close(&experiment->pair);
	return ending;
}

static void close_server(struct experiment *experiment)
{
	(void)lai_call_close(experiment->pair.server);
	experiment->pair.server = -1;
}

/* input_bytes came, the server read all but unread_bytes of them, and closes. */
static struct ending closed(struct lai_trial *trial, size_t input_bytes, size_t unread_bytes)
{
	struct experiment experiment = open_pair(trial, input_bytes);
	size_t read_bytes = input_bytes - unread_bytes;
	char what[64]; /* the sentence below */

	while (read_bytes > 0)
		read_bytes -=
			lai_call_receive(experiment.pair.server, NULL, read_bytes, WAIT_NS).bytes;
	(void)snprintf(what, sizeof(what), "%zu bytes came, %zu of them unread", input_bytes,
		       unread_bytes);
	close_server(&experiment);
	return finish(trial, &experiment, what);
}

/* The peer's FIN is all that waits to be read. */
static struct ending closed_fin_unread(struct lai_trial *trial)
{
	struct experiment experiment = open_pair(trial, 0);

	(void)shutdown(experiment.pair.client, SHUT_WR);
	lai_gauge_need(trial, trial->server, &experiment.pair.at_server, LAI_TCP_CLOSE_WAIT);
	close_server(&experiment);
	return finish(trial, &experiment, "the peer's FIN came, EOF not read");
}

/* A process ends and leaves its socket to the kernel. */
static struct ending exited(struct lai_trial *trial)
{
	struct experiment experiment = open_pair(trial, WORD_BYTES);
	int gate[2];
	pid_t child;
	char byte;

	if (pipe(gate) < 0 || (child = fork()) < 0)
		lai_trial_fail(trial, "no process could be made");
	if (child == 0) {
		(void)close(gate[1]);
		(void)!read(gate[0], &byte, 1); /* until we have given the socket up */
		_exit(0);
	}
	(void)close(gate[0]);
	close_server(&experiment);
	(void)close(gate[1]);
	(void)waitpid(child, NULL, 0);
	return finish(trial, &experiment, "10 bytes unread, its process ends");
}

/* Half closed first: a FIN, which says nothing of what is unread; then closed. */
static struct ending shut(struct lai_trial *trial, uint8_t *first)
{
	struct experiment experiment = open_pair(trial, WORD_BYTES);

	(void)shutdown(experiment.pair.server, SHUT_WR);
	*first = await_end(trial, &experiment).flags;
	close_server(&experiment);
	return finish(trial, &experiment, "10 bytes unread, after shutdown(SHUT_WR) and its FIN");
}

/* Nothing is unread at close(), but the peer goes on: what comes for nobody is answered by RST. */
static struct ending closed_then_input(struct lai_trial *trial, uint8_t *first)
{
	struct experiment experiment = open_pair(trial, 0);

	close_server(&experiment);
	*first = await_end(trial, &experiment).flags;
	(void)lai_call_send(experiment.pair.client, WORD_BYTES, WAIT_NS);
	return finish(trial, &experiment, "nothing unread, 10 bytes come after close()");
}

static bool fin(uint8_t flags)
{
	return (flags & LAI_FLAG_FIN) && !(flags & LAI_FLAG_RST);
}

static bool reset(const struct ending *ending)
{
	return (ending->flags & LAI_FLAG_RST) != 0;
}

static const char *name(const struct ending *ending)
{
	return reset(ending) ? "RST" : "FIN";
}

static void run(struct lai_trial *trial)
{
	enum lai_lab_verdict verdict = LAI_LAB_INCONCLUSIVE;
	size_t some = 2 + lai_random_below(&trial->random, INPUT_BYTES_MAX);
	uint8_t first_shut = 0, first_later = 0;
	struct ending none, all, one, eof, child, half, later;

	none = closed(trial, some, 0);
	all = closed(trial, some, some);
	one = closed(trial, some, 1);
	eof = closed_fin_unread(trial);
	child = exited(trial);
	half = shut(trial, &first_shut);
	later = closed_then_input(trial, &first_later);

	lai_trial_number(trial, "input", "bytes", (double)some);
	lai_trial_number(trial, "TCPAbortOnClose, unread", "", (double)all.aborts);
	lai_trial_number(trial, "TCPAbortOnClose, all read", "", (double)none.aborts);
	lai_trial_control(trial,
			  fin(none.flags) && !none.peer.error && none.aborts == 0 && fin(eof.flags),
			  "with the same %zu bytes read before, close() sends FIN and the peer "
			  "reads %s; also if only the peer's FIN is unread",
			  some, lai_queue_end(&none.peer));
	if (reset(&all) && reset(&one) && reset(&child))
		verdict = LAI_LAB_DEPENDS;
	else if (!reset(&all) && !reset(&one) && !reset(&child))
		verdict = LAI_LAB_CONFIRMED;
	lai_trial_conclude(
		trial, verdict,
		"%swith nothing unread %s; with all of %zu bytes unread %s, with one of them %s "
		"and the peer reads %s; when the process just ends %s. shutdown(SHUT_WR) sends %s "
		"whatever is unread, and the close() after it %s. What comes after close() has "
		"sent its %s is answered by %s",
		verdict == LAI_LAB_DEPENDS ? "on what is unread: " : "", name(&none), some,
		name(&all), name(&one), lai_queue_end(&one.peer), name(&child),
		fin(first_shut) ? "FIN" : "RST", name(&half), fin(first_later) ? "FIN" : "RST",
		name(&later));
}

const struct lai_claim lai_claim_unread_input_resets = {
	.id = "unread-input-resets",
	.claim = "close() ends a connection with a FIN.",
	.said = "every drawing of the TCP state machine: \"CLOSE / snd FIN\" (RFC 9293 figure 5)",
	.decides =
		"RFC 9293 3.6.1 (a host that closes with data unread SHOULD send a RST), RFC 2525 "
		"2.17; __tcp_close() in net/ipv4/tcp.c calls tcp_send_active_reset() and counts "
		"TCPAbortOnClose if the receive queue holds data",
	.setup = "client ---- server; the client sends, the server closes",
	.procedure =
		"The server closes when all of some bytes is read; when none is; when one byte is "
		"left; when only the peer's FIN is unread; by the end of its process; after "
		"shutdown(SHUT_WR). And bytes come after it has closed. The first segment with "
		"FIN or RST on the wire counts.",
	.outcome = "One unread byte makes it a RST: the peer reads ECONNRESET instead of EOF. What "
		   "comes after close() is answered by RST as well.",
	.control = "The same bytes, read before close(): FIN, EOF.",
	.expected = {{0, 0, LAI_LAB_DEPENDS, NULL}},
	.both_families = true,
	.run = run,
};
