/* SPDX-License-Identifier: MIT */
/* shared_login.c - many rejected logins, and how many of their clients saw the text. */
#include "lab/claims/shared_login.h"
#include "lab/call.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS (5 * LAI_S)
/* A login has few bytes or many, as it comes. */
#define LOGIN_BYTES_MAX 400
#define CHUNK_BYTES_MAX 200
/* How long the server looks at a login, and a client that writes before it reads at each of its
   words: either of them may be first. */
#define CHECK_NS_MAX LAI_MS
#define WORD_NS_MAX (400 * LAI_US)
#define WORDS 2
/* Between what a client sends that just goes on. The timer's slack adds 50 us. */
#define CHUNK_NS_MAX (100 * LAI_US)
/* So much it still sends when the server has closed, unless an error stops it: the answer to the
   first of it needs a moment to come. */
#define CHUNKS_AFTER_CLOSE 16

static const char *const client_names[LAI_LOGIN_CLIENT_COUNT] = {
#define X(name, text) text,
	LAI_LOGIN_CLIENTS(X)
#undef X
};

/* Shared by the two threads. Each waits for the other through the connection; `rejected` tells the
   client that the server is done with the login of this number. */
struct logins {
	struct lai_trial *trial;
	struct lai_address to;
	enum lai_login_server server;
	enum lai_login_client client;
	struct lai_random random; /* the client's own */
	struct lai_login_score score;
	_Atomic size_t rejected;
};

/* A number of bytes, at least one. */
static size_t some(struct lai_random *random, size_t max)
{
	return 1 + (size_t)lai_random_below(random, max);
}

static void pause_some(struct lai_random *random, uint64_t ns_max)
{
	struct timespec time = {.tv_nsec = (long)lai_random_below(random, ns_max)};

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/* --- the client --- */

/* False: a write failed. */
static bool write_twice(struct logins *logins, int fd)
{
	for (int i = 0; i < WORDS; i++) {
		pause_some(&logins->random, WORD_NS_MAX);
		if (lai_call_send(fd, some(&logins->random, CHUNK_BYTES_MAX), WAIT_NS).error)
			return false;
	}
	return true;
}

/* Sends on until well after the server has closed. False: a write failed. */
static bool send_on(struct logins *logins, int fd, size_t number)
{
	for (int left = CHUNKS_AFTER_CLOSE; left > 0;) {
		if (lai_call_send(fd, some(&logins->random, CHUNK_BYTES_MAX), WAIT_NS).error)
			return false;
		left -= atomic_load(&logins->rejected) > number;
		pause_some(&logins->random, CHUNK_NS_MAX);
	}
	return true;
}

static bool go_on(struct logins *logins, int fd, size_t number)
{
	switch (logins->client) {
	case LAI_LOGIN_WRITES_FIRST: return write_twice(logins, fd);
	case LAI_LOGIN_KEEPS_SENDING:
	case LAI_LOGIN_READS_ON: return send_on(logins, fd, number);
	default: return true;
	}
}

static void log_in(struct logins *logins, size_t number)
{
	struct lai_login_score *score = &logins->score;
	int fd = lai_call_socket(logins->trial, logins->trial->client);
	struct lai_call call = lai_call_connect(fd, &logins->to, WAIT_NS);

	if (call.error)
		lai_trial_fail(logins->trial, "a login could not connect: %s",
			       lai_call_errno(call.error));
	(void)lai_call_send(fd, some(&logins->random, LOGIN_BYTES_MAX), WAIT_NS);
	score->count++;
	if (!go_on(logins, fd, number)) {
		score->send_failed++;
		if (logins->client != LAI_LOGIN_READS_ON)
			goto out;
	}
	call = lai_call_receive_all(fd, WAIT_NS);
	score->seen += call.bytes == LAI_LOGIN_TEXT_BYTES;
	score->reset += call.error != 0;
out:
	(void)close(fd);
}

static void *client_run(void *arg)
{
	struct logins *logins = arg;

	lai_host_enter(logins->trial, logins->trial->client);
	for (size_t i = 0; i < LAI_LOGIN_COUNT; i++)
		log_in(logins, i);
	return NULL;
}

/* --- the server --- */

static void reject(struct logins *logins, int fd)
{
	struct lai_trial *trial = logins->trial;

	(void)lai_call_receive(fd, NULL, LOGIN_BYTES_MAX, WAIT_NS);
	pause_some(&trial->random, CHECK_NS_MAX);
	(void)lai_call_send(fd, LAI_LOGIN_TEXT_BYTES, WAIT_NS);
	if (logins->server == LAI_LOGIN_LINGER_ZERO)
		lai_call_linger(trial, fd, true, 0);
	else
		(void)shutdown(fd, SHUT_WR);
	if (logins->server == LAI_LOGIN_LINGERING) {
		/* The client learns that it is rejected by the text, not by the end of this. */
		atomic_fetch_add(&logins->rejected, 1);
		(void)lai_call_receive_all(fd, WAIT_NS);
		(void)close(fd);
		return;
	}
	(void)close(fd);
	atomic_fetch_add(&logins->rejected, 1);
}

/* --- both --- */

static void say(struct lai_trial *trial, const struct lai_login_score *score,
		enum lai_login_client client, const char *label)
{
	double share = (double)score->seen / (double)score->count;
	char name[48]; /* as long as a number's name may be */

	lai_trial_say(trial,
		      "%s, client %s: %zu of %zu saw the text (95 %% interval %.1f to %.1f %%); "
		      "%zu had a write fail, %zu a read",
		      label, client_names[client], score->seen, score->count,
		      100 * score->interval.low, 100 * score->interval.high, score->send_failed,
		      score->reset);
	(void)snprintf(name, sizeof(name), "%s: %s", label, client_names[client]);
	lai_trial_number(trial, name, "% seen", 100 * share);
}

static struct lai_login_score try_one(struct lai_trial *trial, enum lai_login_server server,
				      enum lai_login_client client, const char *label)
{
	struct logins logins = {
		.trial = trial,
		.server = server,
		.client = client,
		.random = {lai_random_next(&trial->random)},
	};
	int listener = lai_call_listen(trial, trial->server, 0, false, &logins.to);
	pthread_t thread;

	if (pthread_create(&thread, NULL, client_run, &logins) != 0)
		lai_trial_fail(trial, "no thread could be made");
	for (size_t i = 0; i < LAI_LOGIN_COUNT; i++)
		reject(&logins, lai_call_accept(trial, listener, WAIT_NS));
	(void)pthread_join(thread, NULL);
	(void)close(listener);
	logins.score.interval = lai_proportion(logins.score.seen, logins.score.count);
	say(trial, &logins.score, client, label);
	return logins.score;
}

struct lai_login_scores lai_login_try(struct lai_trial *trial, enum lai_login_server server,
				      const char *label)
{
	struct lai_login_scores scores = {0};

	for (int i = 0; i < LAI_LOGIN_CLIENT_COUNT; i++) {
		enum lai_login_client client = (enum lai_login_client)i;
		struct lai_login_score control;

		scores.by_client[i] = try_one(trial, server, client, label);
		control = try_one(trial, LAI_LOGIN_LINGERING, client, "lingering");
		scores.control_seen += control.seen;
		scores.control_count += control.count;
	}
	return scores;
}
