/* SPDX-License-Identifier: MIT */
/*
 * A client that waits for an answer with a receive timeout, and tries again when recv() fails:
 *
 *	connect() -> recv(): EAGAIN -> connect() -> recv(): EAGAIN -> ...
 *
 * The server gives each connection up some time later. What becomes of the sockets before?
 */
#include "lab/claims/shared_talk.h"
#include "lab/gauge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* In place of the 30 s of the story. */
#define TIMEOUT_NS (20 * LAI_MS)
#define TIMEOUT_LONG_S 30
#define TRIES_MIN 8
#define TRIES_MAX 16
#define WAIT_NS (5 * LAI_S)

struct retries {
	bool closes; /* the client closes what failed */
	unsigned tries, timed_out;
	int clients[TRIES_MAX], servers[TRIES_MAX];
	struct lai_ends ends[TRIES_MAX]; /* of the clients */
	/* When the server had given up. */
	size_t close_waits, descriptors, timers;
};

static size_t descriptors_count(struct lai_trial *trial)
{
	DIR *directory = opendir("/proc/thread-self/fd");
	size_t count = 0;

	if (!directory)
		lai_trial_fail(trial, "/proc/thread-self/fd: %s", lai_call_errno(errno));
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count;
}

static void timeout_set(struct lai_trial *trial, int fd, uint64_t ns)
{
	struct timeval time = {.tv_sec = (time_t)(ns / LAI_S),
			       .tv_usec = (suseconds_t)(ns % LAI_S / LAI_US)};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) < 0)
		lai_trial_fail(trial, "SO_RCVTIMEO: %s", lai_call_errno(errno));
}

/* recv() as such a program calls it: blocking. Returns its errno, 0 if there was none. */
static int receive_blocking(struct lai_trial *trial, int fd)
{
	uint64_t began_ns = lai_clock_now();
	char byte;
	ssize_t count;
	int error;

	if (fcntl(fd, F_SETFL, 0) < 0)
		lai_trial_fail(trial, "fcntl(): %s", lai_call_errno(errno));
	timeout_set(trial, fd, TIMEOUT_NS);
	count = recv(fd, &byte, sizeof(byte), 0);
	error = count < 0 ? errno : 0;
	lai_trial_say(trial, "recv() gives %zd, %s after %.1f ms", count, lai_call_errno(error),
		      (double)(lai_clock_now() - began_ns) / LAI_MS);
	return error;
}

static void retry(struct lai_trial *trial, int listener, struct retries *retries, unsigned i)
{
	struct lai_pair_plan plan = {.listener = listener};
	struct lai_pair pair = lai_pair_open(trial, &plan);

	retries->ends[i] = pair.at_client;
	retries->servers[i] = pair.server;
	if (receive_blocking(trial, pair.client) == EAGAIN)
		retries->timed_out++;
	if (retries->closes) {
		(void)lai_call_close(pair.client);
		pair.client = -1;
	}
	retries->clients[i] = pair.client;
}

/* Both kernels are done with it, as far as the programs let them. */
static void retry_await(struct lai_trial *trial, const struct retries *retries, unsigned i)
{
	const struct lai_ends *ends = &retries->ends[i];
	struct lai_ends at_server = lai_ends_turned(ends);

	if (retries->closes)
		(void)lai_gauge_await(trial, trial->server, &at_server, LAI_TCP_NONE, WAIT_NS);
	else
		(void)lai_gauge_await(trial, trial->client, ends, LAI_TCP_CLOSE_WAIT, WAIT_NS);
}

/* And with that it has no descriptors left: the rest are the client's. */
static void server_gives_up(struct lai_trial *trial, struct retries *retries)
{
	struct lai_socket_fact fact;

	for (unsigned i = 0; i < retries->tries; i++)
		(void)lai_call_close(retries->servers[i]);
	for (unsigned i = 0; i < retries->tries; i++) {
		retry_await(trial, retries, i);
		if (lai_gauge_find(trial, trial->client, &retries->ends[i], &fact) &&
		    fact.state == LAI_TCP_CLOSE_WAIT && fact.timer != LAI_TIMER_NONE)
			retries->timers++;
	}
}

static void retries_run(struct lai_trial *trial, struct retries *retries)
{
	struct lai_address address;
	int listener = lai_call_listen(trial, trial->server, 0, false, &address);
	size_t before = descriptors_count(trial);

	for (unsigned i = 0; i < retries->tries; i++)
		retry(trial, listener, retries, i);
	server_gives_up(trial, retries);
	retries->descriptors = descriptors_count(trial) - before;
	retries->close_waits =
		lai_gauge_count(trial, trial->client, LAI_SOCKDIAG_STATE(LAI_TCP_CLOSE_WAIT));
	lai_trial_say(trial, "%u tries, %u timed out; %zu CLOSE_WAIT, %zu descriptors left",
		      retries->tries, retries->timed_out, retries->close_waits,
		      retries->descriptors);
	(void)close(listener);
}

static void retries_close(struct retries *retries)
{
	for (unsigned i = 0; i < retries->tries; i++)
		if (retries->clients[i] >= 0)
			(void)close(retries->clients[i]);
}

/* The same with the 30 s: is there a timer that could end the socket? */
static bool long_timeout_has_timer(struct lai_trial *trial, const struct retries *retries)
{
	struct lai_socket_fact fact = {0};

	timeout_set(trial, retries->clients[0], TIMEOUT_LONG_S * LAI_S);
	(void)lai_gauge_find(trial, trial->client, &retries->ends[0], &fact);
	lai_trial_say(trial, "with a receive timeout of %d s: %s, timer %s", TIMEOUT_LONG_S,
		      lai_gauge_state_name(fact.state), lai_gauge_timer(&fact));
	return fact.timer != LAI_TIMER_NONE;
}

/* timer: some socket has one. */
static void conclude(struct lai_trial *trial, const struct retries *leaking, bool timer)
{
	bool timed_out = leaking->timed_out == leaking->tries;
	bool all = leaking->close_waits == leaking->tries && leaking->descriptors == leaking->tries;
	bool none = leaking->close_waits == 0 && leaking->descriptors == 0;
	enum lai_lab_verdict verdict = LAI_LAB_INCONCLUSIVE;

	if (timed_out && all && !timer)
		verdict = LAI_LAB_REFUTED;
	else if (timed_out && none)
		verdict = LAI_LAB_CONFIRMED;
	lai_trial_conclude(
		trial, verdict,
		"%u of %u recv() ended by EAGAIN after the timeout, and left %zu sockets in "
		"CLOSE_WAIT and %zu descriptors, %s a timer in the kernel%s",
		leaking->timed_out, leaking->tries, leaking->close_waits, leaking->descriptors,
		timer ? "with" : "without",
		verdict == LAI_LAB_REFUTED ? ": the timeout ends the call, not the socket" : "");
}

static void run(struct lai_trial *trial)
{
	struct retries leaking = {0}, closing = {.closes = true};
	struct lai_talk talk;
	size_t mark = lai_talk_mark(trial);
	bool timer;

	leaking.tries = closing.tries = lai_trial_port(trial, TRIES_MIN, TRIES_MAX);
	retries_run(trial, &closing);
	retries_run(trial, &leaking);
	timer = long_timeout_has_timer(trial, &leaking) || leaking.timers > 0;
	lai_trial_say(trial, "the first of those that were not closed:");
	lai_talk_read(trial, mark, &leaking.ends[0], &talk);
	lai_talk_say(trial, &talk);
	lai_trial_number(trial, "tries", "", leaking.tries);
	lai_trial_number(trial, "CLOSE_WAITs left", "", (double)leaking.close_waits);
	lai_trial_number(trial, "descriptors left", "", (double)leaking.descriptors);
	lai_trial_control(trial,
			  closing.close_waits == 0 && closing.descriptors == 0 &&
				  closing.timed_out == closing.tries,
			  "closing the socket after each of %u timeouts leaves %zu CLOSE_WAITs and "
			  "%zu descriptors",
			  closing.timed_out, closing.close_waits, closing.descriptors);
	conclude(trial, &leaking, timer);
	retries_close(&leaking);
	retries_close(&closing);
}

const struct lai_claim lai_claim_receive_timeout_leak = {
	.id = "receive-timeout-leak",
	.claim = "A receive timeout (SO_RCVTIMEO of 30 s, say) protects a client from leaking "
		 "sockets.",
	.said = "requests for such timeouts in order \"to avoid memory leaks from dead connections "
		"that never close\" (vapor-community/sockets#48); against it, "
		"sneako/finch#254: a socket leaked by each receive timeout",
	.decides = "socket(7), SO_RCVTIMEO; RFC 9293 knows no such timeout; sock_rcvtimeo() and "
		   "tcp_recvmsg_locked() in net/ipv4/tcp.c: the time bounds a sleep of the call",
	.setup = "client ---- server; kernel defaults; a server that accepts and does not answer",
	.procedure = "8 to 16 times: connect, recv() until it fails with EAGAIN, try again with a "
		     "new socket. Then the server gives up and closes all of them. How many "
		     "sockets and descriptors has the client left?",
	.outcome = "One CLOSE_WAIT and one descriptor for each try: the timeout ends recv() and "
		   "leaves the socket as it was. No timer runs that would end it later.",
	.control = "The same client closing the socket after the error leaves none.",
	.shortened = "the receive timeout is 20 ms instead of 30 s; for 30 s the kernel is asked "
		     "whether a timer runs",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL}},
	.both_families = true,
	.run = run,
};
