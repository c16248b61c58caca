/* SPDX-License-Identifier: MIT */
/*
 * login_text_plain_close.c - a login is rejected with a text, shutdown() and close(). The FIN would
 * bring it; but what the client sends later, or the server has not read, turns it into a RST.
 *
 *	text, FIN ----->  in the client's queue
 *	<----- more       the server has closed
 *	RST ----->        the client's next write fails: does it still read?
 */
#include "lab/call.h"
#include "lab/claims/shared_login.h"
#include "lab/claims/shared_queue.h"
#include "lab/claims/shared_talk.h"

#include <unistd.h>

#define WAIT_NS (5 * LAI_S)

/* The text is in the client's queue and the server has closed, with these bytes unread. */
static struct lai_pair rejected(struct lai_trial *trial, size_t unread_bytes)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);

	(void)lai_call_send(pair.client, LAI_LOGIN_BYTES + unread_bytes, WAIT_NS);
	lai_queue_await_unread(trial, trial->server, &pair.at_server,
			       LAI_LOGIN_BYTES + unread_bytes);
	(void)lai_call_receive(pair.server, NULL, LAI_LOGIN_BYTES, WAIT_NS);
	(void)lai_call_send(pair.server, LAI_LOGIN_TEXT_BYTES, WAIT_NS);
	(void)shutdown(pair.server, SHUT_WR);
	(void)lai_gauge_state(trial, trial->server, &pair.at_server); /* for the record of states */
	(void)close(pair.server);
	pair.server = -1;
	(void)lai_gauge_state(trial, trial->server, &pair.at_server);
	lai_gauge_need(trial, trial->client, &pair.at_client,
		       unread_bytes ? LAI_TCP_NONE : LAI_TCP_CLOSE_WAIT);
	return pair;
}

/* The client writes twice, then reads on although it was refused. */
static void say_writes_late(struct lai_trial *trial)
{
	size_t mark = lai_talk_mark(trial);
	struct lai_pair pair = rejected(trial, 0);
	struct lai_call first, second, read;

	first = lai_call_send(pair.client, LAI_LOGIN_BYTES, WAIT_NS);
	lai_gauge_need(trial, trial->client, &pair.at_client, LAI_TCP_NONE);
	second = lai_call_send(pair.client, LAI_LOGIN_BYTES, WAIT_NS);
	read = lai_call_receive_all(pair.client, WAIT_NS);
	lai_trial_say(trial,
		      "text and FIN are there: the first send() gives %s and is answered by RST, "
		      "the second %s; a client that reads on all the same gets %zu bytes, then %s",
		      lai_call_errno(first.error), lai_call_errno(second.error), read.bytes,
		      lai_queue_end(&read));
	lai_queue_say(trial, &pair, mark);
	lai_pair_close(&pair);
}

/* The server has not read everything: its close() is a RST behind the text. */
static void say_unread(struct lai_trial *trial, bool write_first)
{
	size_t mark = lai_talk_mark(trial);
	struct lai_pair pair = rejected(trial, LAI_LOGIN_BYTES);
	struct lai_call written = {0}, read;

	if (write_first)
		written = lai_call_send(pair.client, LAI_LOGIN_BYTES, WAIT_NS);
	read = lai_call_receive_all(pair.client, WAIT_NS);
	lai_trial_say(
		trial,
		"the server leaves %d bytes unread, so that a RST follows the FIN: %s%s%s%zu bytes "
		"are read, then %s",
		LAI_LOGIN_BYTES, write_first ? "send() gives " : "",
		write_first ? lai_call_errno(written.error) : "", write_first ? ", then " : "",
		read.bytes, lai_queue_end(&read));
	lai_queue_say(trial, &pair, mark);
	lai_pair_close(&pair);
}

static void run(struct lai_trial *trial)
{
	struct lai_login_scores scores;
	const struct lai_login_score *plain = scores.by_client;
	const struct lai_interval *reads, *writes, *sends;
	enum lai_lab_verdict verdict = LAI_LAB_INCONCLUSIVE;

	say_writes_late(trial);
	say_unread(trial, false);
	say_unread(trial, true);
	scores = lai_login_try(trial, LAI_LOGIN_SHUT_CLOSE, "close");
	reads = &plain[LAI_LOGIN_READS_FIRST].interval;
	writes = &plain[LAI_LOGIN_WRITES_FIRST].interval;
	sends = &plain[LAI_LOGIN_KEEPS_SENDING].interval;
	/* Sometimes: not never, and not always. */
	if (reads->low > LAI_LOGIN_NEARLY_ALL && sends->high < LAI_LOGIN_NEARLY_NONE)
		verdict = LAI_LAB_CONFIRMED;
	else if (reads->high < LAI_LOGIN_NEARLY_NONE || sends->low > LAI_LOGIN_NEARLY_ALL)
		verdict = LAI_LAB_REFUTED;
	lai_trial_control(trial, scores.control_seen == scores.control_count,
			  "with a lingering close (shutdown(SHUT_WR), read to EOF, close()) %zu of "
			  "%zu clients of all kinds saw it",
			  scores.control_seen, scores.control_count);
	lai_trial_conclude(
		trial, verdict,
		"by client: reads at once %zu of %zu (%.0f-%.0f %%); writes twice and then "
		"reads %zu (%.0f-%.0f %%); goes on sending and gives up at the first error %zu "
		"(%.0f-%.0f %%); the same, but reads after the error %zu",
		plain[LAI_LOGIN_READS_FIRST].seen, plain[LAI_LOGIN_READS_FIRST].count,
		100 * reads->low, 100 * reads->high, plain[LAI_LOGIN_WRITES_FIRST].seen,
		100 * writes->low, 100 * writes->high, plain[LAI_LOGIN_KEEPS_SENDING].seen,
		100 * sends->low, 100 * sends->high, plain[LAI_LOGIN_READS_ON].seen);
}

const struct lai_claim lai_claim_login_text_plain_close = {
	.id = "login-text-plain-close",
	.claim = "With send(), shutdown() and close() a rejected client sees the error text only "
		 "sometimes.",
	.said = "the lingering_close of nginx and Apache exists for it; \"The ultimate SO_LINGER "
		"page\" (B. Hubert, 2009); RFC 9112 9.6 tells servers to close in stages",
	.decides =
		"RFC 9293 3.6.1, RFC 2525 2.17; __tcp_close() in net/ipv4/tcp.c sends RST if "
		"input is unread; data that comes after close() is answered with RST by "
		"tcp_rcv_state_process() in net/ipv4/tcp_input.c (RCV_SHUTDOWN) while the socket "
		"is a full one, by tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c "
		"later; tcp_sendmsg_locked() gives the error to whoever writes first",
	.setup = "client ---- server; the client is a thread of its own",
	.procedure =
		"100 logins of each kind of client, with random pauses up to 1 ms and random "
		"lengths: it reads at once; writes twice and then reads; sends on and gives up at "
		"the first error; sends on and reads after the error. The server reads the login, "
		"sends 200 bytes, calls shutdown(SHUT_WR) and close(). Intervals are Wilson's.",
	.outcome = "A client that reads sees it. One that is sending gets EPIPE or ECONNRESET; the "
		   "text waits in its queue, and on Linux it would still see it if it read.",
	.control = "The same logins with a lingering close, which reads to EOF before it closes: "
		   "every client sees the text.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.both_families = true,
	.run = run,
};
