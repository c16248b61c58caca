/* SPDX-License-Identifier: MIT */
/*
 * cc server.c $(pkg-config --cflags --libs lastack)
 *
 * One idea: a server in the caller's own loop. Records of many senders go into an SQLite file, each
 * confirmed once it is there. SIGINT ends it properly: what has come is stored and confirmed, then
 * everybody is told.
 *
 *     ./server stomp://127.0.0.1:61613 records.db [USERS]
 */
#include <lastack/server.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

static void on_event(void *arg, const struct la_server_event *event)
{
	const struct la_session *session = event->session;

	(void)arg;
	if (event->kind == LA_SERVER_LISTENS)
		printf("listening on %s\n", event->text);
	else if (event->kind == LA_SERVER_ENDED)
		printf("%s from %s: %s, %llu records, the text of a refusal: %s\n", session->user,
		       session->client, la_session_end_name(session->end),
		       (unsigned long long)session->records, la_words_name(session->words));
	else if (event->text)
		printf("%s\n", event->text);
	(void)fflush(stdout);
}

/* Milliseconds until a point in time of CLOCK_MONOTONIC, for poll(). */
static int timeout_ms(uint64_t deadline_ns)
{
	struct timespec now;
	uint64_t now_ns;

	if (deadline_ns == LA_NEVER)
		return -1;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return deadline_ns <= now_ns ? 0 : (int)((deadline_ns - now_ns) / 1000000 + 1);
}

int main(int count, char **args)
{
	struct la_server_config config;
	struct la_server *server;
	char *error;

	if (count < 3) {
		(void)fprintf(stderr, "usage: server URL FILE.db [USERS]\n");
		return 2;
	}
	la_server_config_default(&config);
	config.url = args[1];
	config.into = args[2];
	config.users = args[3]; /* NULL: everybody may send */
	config.on_event = on_event;
	if (la_server_new(&server, &config, &error) != 0) {
		(void)fprintf(stderr, "server: %s\n", error ? error : "out of memory");
		free(error);
		return 1;
	}
	(void)signal(SIGINT, on_signal);
	(void)signal(SIGTERM, on_signal);
	for (;;) {
		struct pollfd ready = {.fd = la_server_fd(server), .events = POLLIN};

		(void)poll(&ready, 1, timeout_ms(la_server_deadline(server)));
		if (interrupted) {
			interrupted = 0;
			la_server_stop(server, 5000000000); /* five seconds */
		}
		if (la_server_dispatch(server) == 1)
			break;
	}
	la_server_free(server);
	return 0;
}
