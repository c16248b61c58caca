/* SPDX-License-Identifier: MIT */
/*
 * login_text_linger_zero.c - a login is rejected with a text, and the server closes with SO_LINGER
 * {1, 0}. Who sees the text depends on what the client does, and on the line.
 */
#include "lab/call.h"
#include "lab/claims/shared_login.h"
#include "lab/claims/shared_queue.h"
#include "lab/claims/shared_talk.h"

#include <poll.h>
#include <unistd.h>

#define WAIT_NS (5 * LAI_S)

/* The server has read the login. */
static struct lai_pair logged_in(struct lai_trial *trial)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);

	(void)lai_call_send(pair.client, LAI_LOGIN_BYTES, WAIT_NS);
	(void)lai_call_receive(pair.server, NULL, LAI_LOGIN_BYTES, WAIT_NS);
	return pair;
}

static void reject_hard(struct lai_trial *trial, struct lai_pair *pair)
{
	(void)lai_call_send(pair->server, LAI_LOGIN_TEXT_BYTES, WAIT_NS);
	lai_call_linger(trial, pair->server, true, 0);
	(void)close(pair->server);
	pair->server = -1;
	/* For the record of states: it is in no table any more. */
	(void)lai_gauge_state(trial, trial->server, &pair->at_server);
}

/* In each order that there is, once: what an event loop is told, what reads and writes get. */
static void say_orders(struct lai_trial *trial)
{
	size_t mark = lai_talk_mark(trial);
	struct lai_pair pair = logged_in(trial);
	struct pollfd poll_fd = {.fd = pair.client, .events = POLLIN | POLLOUT | POLLRDHUP};
	struct lai_call written, read;

	reject_hard(trial, &pair);
	lai_gauge_need(trial, trial->client, &pair.at_client, LAI_TCP_NONE);
	(void)poll(&poll_fd, 1, 0);
	read = lai_call_receive_all(pair.client, WAIT_NS);
	lai_trial_say(trial,
		      "reset before the client looks: poll() gives%s%s%s, reading gives %zu bytes, "
		      "then %s",
		      poll_fd.revents & POLLIN ? " POLLIN" : "",
		      poll_fd.revents & POLLERR ? " POLLERR" : "",
		      poll_fd.revents & POLLHUP ? " POLLHUP" : "", read.bytes,
		      lai_queue_end(&read));
	lai_queue_say(trial, &pair, mark);
	lai_pair_close(&pair);

	mark = lai_talk_mark(trial);
	pair = logged_in(trial);
	reject_hard(trial, &pair);
	lai_gauge_need(trial, trial->client, &pair.at_client, LAI_TCP_NONE);
	written = lai_call_send(pair.client, LAI_LOGIN_BYTES, WAIT_NS);
	read = lai_call_receive_all(pair.client, WAIT_NS);
	lai_trial_say(trial,
		      "reset before the client writes: send() gives %s; reading on gives %zu "
		      "bytes, then %s%s",
		      lai_call_errno(written.error), read.bytes, lai_queue_end(&read),
		      read.error ? "" : ", since the error has been told already");
	lai_queue_say(trial, &pair, mark);
	lai_pair_close(&pair);
}

/* The text's segment is lost once. Returns what the client read of it. */
static struct lai_call text_lost(struct lai_trial *trial, bool hard)
{
	size_t mark = lai_talk_mark(trial);
	struct lai_pair pair = logged_in(trial);
	struct lai_call read;

	lai_queue_deafen(trial, pair.client, true);
	if (hard) {
		reject_hard(trial, &pair);
		lai_gauge_need(trial, trial->client, &pair.at_client, LAI_TCP_NONE);
	} else {
		(void)lai_call_send(pair.server, LAI_LOGIN_TEXT_BYTES, WAIT_NS);
		(void)shutdown(pair.server, SHUT_WR);
	}
	lai_queue_deafen(trial, pair.client, false);
	read = lai_call_receive_all(pair.client, WAIT_NS);
	lai_trial_say(trial, "the text's segment lost once, %s: %zu bytes read, then %s",
		      hard ? "SO_LINGER {1, 0}" : "lingering close", read.bytes,
		      lai_queue_end(&read));
	lai_queue_say(trial, &pair, mark);
	lai_pair_close(&pair);
	return read;
}

static void run(struct lai_trial *trial)
{
	struct lai_login_scores scores;
	const struct lai_login_score *hard = scores.by_client;
	struct lai_call lost, lost_good;
	const struct lai_interval *reads, *sends;
	enum lai_lab_verdict verdict = LAI_LAB_INCONCLUSIVE;

	say_orders(trial);
	lost = text_lost(trial, true);
	lost_good = text_lost(trial, false);
	scores = lai_login_try(trial, LAI_LOGIN_LINGER_ZERO, "{1, 0}");
	reads = &hard[LAI_LOGIN_READS_FIRST].interval;
	sends = &hard[LAI_LOGIN_KEEPS_SENDING].interval;
	if (reads->low > LAI_LOGIN_NEARLY_ALL &&
	    (sends->high < LAI_LOGIN_NEARLY_NONE || lost.bytes == 0))
		verdict = LAI_LAB_DEPENDS;
	else if (reads->high < LAI_LOGIN_NEARLY_NONE && sends->high < LAI_LOGIN_NEARLY_NONE)
		verdict = LAI_LAB_CONFIRMED;
	else if (reads->low > LAI_LOGIN_NEARLY_ALL && sends->low > LAI_LOGIN_NEARLY_ALL)
		verdict = LAI_LAB_REFUTED;
	lai_trial_control(trial,
			  scores.control_seen == scores.control_count &&
				  lost_good.bytes == LAI_LOGIN_TEXT_BYTES,
			  "with a lingering close (shutdown(SHUT_WR), read to EOF) %zu of %zu "
			  "clients of all kinds saw it, and the one whose segment was lost read "
			  "%zu bytes of it",
			  scores.control_seen, scores.control_count, lost_good.bytes);
	lai_trial_conclude(
		trial, verdict,
		"%sReads at once: %zu of %zu saw it (%.0f-%.0f %%); writes "
		"twice before it reads: %zu; goes on sending and gives up at the first "
		"error: %zu (%.0f-%.0f %%); the same, but reads after the error: %zu. Of a "
		"text whose segment is lost once %zu of %u bytes were read",
		verdict == LAI_LAB_DEPENDS ? "on the client and on the line. " : "",
		hard[LAI_LOGIN_READS_FIRST].seen, hard[LAI_LOGIN_READS_FIRST].count,
		100 * reads->low, 100 * reads->high, hard[LAI_LOGIN_WRITES_FIRST].seen,
		hard[LAI_LOGIN_KEEPS_SENDING].seen, 100 * sends->low, 100 * sends->high,
		hard[LAI_LOGIN_READS_ON].seen, lost.bytes, LAI_LOGIN_TEXT_BYTES);
}

const struct lai_claim lai_claim_login_text_linger_zero = {
	.id = "login-text-linger-zero",
	.claim = "A client whose login is rejected with a text and SO_LINGER {1, 0} never sees the "
		 "text.",
	.said = "those who warn of SO_LINGER {1, 0} in servers: the client gets \"Connection "
		"reset by peer\" instead of the reason",
	.decides =
		"RFC 9293 3.10.5 (ABORT), 3.10.7.4 (RST); tcp_disconnect() in net/ipv4/tcp.c "
		"forgets the send queue; tcp_reset() in net/ipv4/tcp_input.c leaves the client's "
		"receive queue, tcp_sendmsg_locked() gives the error to whoever writes first",
	.setup = "client ---- server; the client is a thread of its own; a lost segment is made by "
		 "a socket filter at the client that lets only RSTs through",
	.procedure =
		"100 logins of each kind of client, with random pauses up to 1 ms and random "
		"lengths: it reads at once; writes twice and then reads; sends on and gives up at "
		"the first error; sends on and reads after the error. The server reads the login, "
		"sends 200 bytes and closes. Once more with the text's segment lost. Intervals "
		"are Wilson's.",
	.outcome = "Linux keeps what was received before the RST, so that a client that reads sees "
		   "the text. One that only looks at the error of its next write never does; nor "
		   "does anyone if the segment is lost.",
	.control =
		"The same logins with a lingering close: every client sees the text, also after a "
		"loss.",
	.expected = {{0, 0, LAI_LAB_DEPENDS, NULL}},
	.both_families = true,
	.run = run,
};
