/* SPDX-License-Identifier: MIT */
/*
 * linger_waits.c - what close() waits for under SO_LINGER {1, n}, and what its return tells.
 *
 *	close() ... FIN behind the queue ... ACK of the FIN    returns 0
 *	        ... n seconds are over                         returns 0, goes on without us
 *	        ... RST                                        returns 0
 */
#include "lab/capture.h"
#include "lab/claims/shared_queue.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#define WAIT_NS (10 * LAI_S)
/* So long that it does not end before what a case waits for, also on a busy machine. */
#define LONG_S 8
#define SHORT_S 1
/* The kernel counts the time in jiffies, two of which at 100 Hz this is. */
#define EARLY_NS (20 * LAI_MS)
/* How long the client lets the server wait. */
#define READER_LATE_NS (300 * LAI_MS)
#define SMALL_BYTES 10000

/* A close() in a thread of its own, which may block. */
struct closing {
	pthread_t thread;
	int fd;
	struct lai_call call;
};

static void *closing_run(void *arg)
{
	struct closing *closing = arg;

	closing->call = lai_call_close(closing->fd);
	return NULL;
}

/* Begins close(), and returns when the kernel has begun with it. */
static void closing_start(struct lai_trial *trial, struct closing *closing, struct lai_pair *pair)
{
	closing->fd = pair->server;
	pair->server = -1;
	if (pthread_create(&closing->thread, NULL, closing_run, closing) != 0)
		lai_trial_fail(trial, "no thread could be made");
	lai_gauge_need(trial, trial->server, &pair->at_server, LAI_TCP_FIN_WAIT1);
}

static struct lai_call closing_end(struct closing *closing)
{
	(void)pthread_join(closing->thread, NULL);
	return closing->call;
}

/* What a case showed. */
struct wait_case {
	struct lai_backlog backlog;
	struct lai_call close, read;
	size_t left_bytes; /* not acknowledged when close() returned */
};

static double took_ms(const struct lai_call *call)
{
	return (double)call->took_ns / LAI_MS;
}

static void say(struct lai_trial *trial, const char *what, const struct wait_case *seen)
{
	lai_trial_say(trial,
		      "%s: close() returned %s after %.1f ms; %zu bytes not acknowledged then; "
		      "the client read %zu of %zu, then %s",
		      what, lai_call_errno(seen->close.error), took_ms(&seen->close),
		      seen->left_bytes, seen->read.bytes, seen->backlog.written,
		      lai_queue_end(&seen->read));
}

static size_t unacked(struct lai_trial *trial, const struct lai_pair *pair)
{
	struct lai_socket_fact fact = {0};

	if (!lai_gauge_find(trial, trial->server, &pair->at_server, &fact))
		return 0;
	/* Behind the data stands the FIN, which counts as one byte. */
	return fact.wqueue_bytes > 0 ? fact.wqueue_bytes - 1 : 0;
}

/* A queue that is full, and the client does not read. seconds 0: without SO_LINGER. */
static struct lai_pair full(struct lai_trial *trial, int seconds, struct wait_case *seen)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);

	if (seconds)
		lai_call_linger(trial, pair.server, true, seconds);
	seen->backlog = lai_queue_fill(trial, trial->server, pair.server, &pair.at_server);
	return pair;
}

/* Nobody reads while close() runs, and everything is read afterwards. */
static struct wait_case expires(struct lai_trial *trial, int seconds)
{
	struct wait_case seen = {0};
	struct lai_pair pair = full(trial, seconds, &seen);

	seen.close = lai_call_close(pair.server);
	pair.server = -1;
	seen.left_bytes = unacked(trial, &pair);
	seen.read = lai_call_receive_all(pair.client, WAIT_NS);
	say(trial, seconds ? "SO_LINGER {1, 1}, nobody reads" : "without SO_LINGER", &seen);
	lai_pair_close(&pair);
	return seen;
}

/* The client reads later, or resets, while close() waits. */
static struct wait_case ends_early(struct lai_trial *trial, bool reset)
{
	struct wait_case seen = {0};
	struct lai_pair pair = full(trial, LONG_S, &seen);
	struct closing closing = {0};

	closing_start(trial, &closing, &pair);
	lai_trial_pass(trial, READER_LATE_NS);
	if (reset) {
		lai_call_linger(trial, pair.client, true, 0);
		(void)lai_call_close(pair.client);
		pair.client = -1;
		seen.read.error = ECONNRESET; /* its own */
	} else {
		seen.read = lai_call_receive_all(pair.client, WAIT_NS);
	}
	seen.close = closing_end(&closing);
	seen.left_bytes = unacked(trial, &pair);
	say(trial, reset ? "SO_LINGER {1, 8}, reset by the client" : "SO_LINGER {1, 8}, read late",
	    &seen);
	lai_pair_close(&pair);
	return seen;
}

/* The client's kernel has it all, the client's program nothing. */
static struct wait_case never_read(struct lai_trial *trial)
{
	struct wait_case seen = {0};
	struct lai_pair pair = lai_pair_open(trial, NULL);

	lai_call_linger(trial, pair.server, true, LONG_S);
	seen.backlog.written = lai_call_send(pair.server, SMALL_BYTES, WAIT_NS).bytes;
	seen.close = lai_call_close(pair.server);
	pair.server = -1;
	seen.left_bytes = unacked(trial, &pair);
	say(trial, "SO_LINGER {1, 8}, 10000 bytes that fit the window, closed unread", &seen);
	lai_pair_close(&pair);
	return seen;
}

/* Input that the server has not read: close() is a reset, and does not wait at all. */
static struct wait_case input_unread(struct lai_trial *trial)
{
	struct wait_case seen = {0};
	struct lai_pair pair = lai_pair_open(trial, NULL);

	lai_call_linger(trial, pair.server, true, LONG_S);
	(void)lai_call_send(pair.client, 1, WAIT_NS);
	lai_queue_await_unread(trial, trial->server, &pair.at_server, 1);
	seen.backlog = lai_queue_fill(trial, trial->server, pair.server, &pair.at_server);
	seen.close = lai_call_close(pair.server);
	pair.server = -1;
	lai_gauge_need(trial, trial->client, &pair.at_client, LAI_TCP_NONE);
	seen.read = lai_call_receive_all(pair.client, WAIT_NS);
	say(trial, "SO_LINGER {1, 8}, a byte of input unread", &seen);
	lai_pair_close(&pair);
	return seen;
}

static void numbers(struct lai_trial *trial, const struct wait_case *expired,
		    const struct wait_case *late, const struct wait_case *plain)
{
	lai_trial_number(trial, "close(), 1 s, nobody reads", "ms", took_ms(&expired->close));
	lai_trial_number(trial, "undelivered when it returned", "bytes",
			 (double)expired->left_bytes);
	lai_trial_number(trial, "close(), 8 s, read after 300 ms", "ms", took_ms(&late->close));
	lai_trial_number(trial, "close() without SO_LINGER", "ms", took_ms(&plain->close));
}

static void run(struct lai_trial *trial)
{
	struct wait_case expired = expires(trial, SHORT_S);
	struct wait_case late = ends_early(trial, false);
	struct wait_case reset = ends_early(trial, true);
	struct wait_case unread = never_read(trial);
	struct wait_case input = input_unread(trial);
	struct wait_case plain = expires(trial, 0);
	bool waited = expired.close.took_ns >= SHORT_S * LAI_S - EARLY_NS &&
		      late.close.took_ns >= READER_LATE_NS &&
		      late.close.took_ns < LONG_S * LAI_S - LAI_S;
	/* Returned 0, and not all had arrived. Of the reset, nothing was read. */
	bool untrue = (!expired.close.error && expired.left_bytes > 0) || !reset.close.error ||
		      (!input.close.error && input.read.bytes < input.backlog.written);
	enum lai_lab_verdict verdict = LAI_LAB_INCONCLUSIVE;

	numbers(trial, &expired, &late, &plain);
	lai_trial_control(trial,
			  plain.close.took_ns < SHORT_S * LAI_S / 2 && plain.left_bytes > 0 &&
				  plain.read.bytes == plain.backlog.written,
			  "without SO_LINGER the same close() returns after %.1f ms with %zu bytes "
			  "undelivered, which arrive all the same",
			  took_ms(&plain.close), plain.left_bytes);
	if (untrue)
		verdict = LAI_LAB_REFUTED;
	else if (waited)
		verdict = LAI_LAB_CONFIRMED;
	lai_trial_conclude(
		trial, verdict,
		"it %s, on a non-blocking socket too: %.0f ms for a reader that began after "
		"300. {1, 1} ends after %.0f ms with return %s and %zu bytes undelivered (%zu "
		"of %zu arrived afterwards), a reset while it waits returns %s after %.0f ms, "
		"{1, 8} returns %s after %.1f ms with %zu bytes that no program ever read, and "
		"with a byte of input unread it resets: %zu of %zu arrived",
		waited ? "does wait" : "did not wait as long as it should", took_ms(&late.close),
		took_ms(&expired.close), lai_call_errno(expired.close.error), expired.left_bytes,
		expired.read.bytes, expired.backlog.written, lai_call_errno(reset.close.error),
		took_ms(&reset.close), lai_call_errno(unread.close.error), took_ms(&unread.close),
		unread.backlog.written, input.read.bytes, input.backlog.written);
}

const struct lai_claim lai_claim_linger_waits = {
	.id = "linger-waits",
	.claim = "SO_LINGER with a time makes close() wait until the data has arrived, so that its "
		 "return of 0 tells that it has.",
	.said = "socket(7): \"will not return until all queued messages for the socket have been "
		"successfully sent or the linger timeout has been reached\"; read as a promise in "
		"many tutorials",
	.decides = "RFC 9293 3.9.1 (CLOSE) promises nothing of the kind; inet_release() in "
		   "net/ipv4/af_inet.c takes the time, sk_stream_wait_close() in net/core/stream.c "
		   "waits for the FIN's ACK, whatever O_NONBLOCK says, and has no result",
	.setup = "client ---- server; the server sends and closes, its sockets are non-blocking",
	.procedure =
		"The server fills the client's window and its own queue and closes: with {1, 1} "
		"while nobody reads; with {1, 8} while the client begins to read 300 ms later; "
		"with {1, 8} while the client resets 300 ms later; with {1, 8} and 10000 bytes "
		"that fit the window and are never read; with {1, 8} and a byte of input that it "
		"has not read.",
	.outcome =
		"{1, n} is {l_onoff, l_linger}, in seconds. close() waits for the ACK of the FIN, which is the other kernel's and not its "
		"program's (and may be delayed, by 40 ms as a rule), or for the time to be over, or for a reset. It returns 0 in each "
		"case; and with unread input it resets without waiting.",
	.control =
		"Without SO_LINGER the same close() returns at once, and the data arrives all the "
		"same.",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.both_families = true,
	.run = run,
};
