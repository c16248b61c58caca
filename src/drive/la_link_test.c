/* SPDX-License-Identifier: MIT */
/*
 * The public link on the real kernel, over loopback, against a server in a thread of this process.
 * Each claim ends with as many descriptors as it began with.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/time.h"

#include <lastack/link.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4
#define KEPT_MAX (2u << 20)
#define BIG_BYTES (1u << 20)
#define URL_MAX 64
/* Everything here takes milliseconds; what takes this long hangs. */
#define BOUND_NS (20 * LAI_S)
#define BOUND_MS 20000

/* ---- the server ---------------------------------------------------------------------------- */

enum ending {
	READ_TO_EOF, /* then close: everything was read */
	FIN_AFTER,   /* so many bytes, then close() with nothing unread */
	RST_AFTER,   /* so many bytes, then RST */
	SAY_AND_RST, /* so many bytes, then some words, then RST */
	HALF_CLOSE,  /* FIN at once, and read to EOF all the same */
};

static const char last_words[] = "450 mailbox busy";

struct script {
	enum ending ending;
	size_t after_bytes;
};

struct server {
	int listener, stop[2];
	pthread_t thread;
	char url[URL_MAX];
	const struct script *scripts;
	int count;
	uint8_t *bytes[CONNECTIONS_MAX];
	size_t size[CONNECTIONS_MAX];
	int error[CONNECTIONS_MAX]; /* what recv() said at the end, 0: EOF */
};

static void close_with_rst(int socket)
{
	const struct linger none = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(socket, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	(void)close(socket);
}

/* Reads up to so many bytes, or to the end; false: there was one. */
static bool read_some(struct server *server, int n, int socket, size_t bytes)
{
	while (server->size[n] < bytes) {
		struct pollfd ready[2] = {{.fd = socket, .events = POLLIN},
					  {.fd = server->stop[0], .events = POLLIN}};
		size_t room = bytes - server->size[n];
		ssize_t got;

		(void)poll(ready, 2, BOUND_MS);
		if (ready[1].revents)
			return false;
		got = recv(socket, server->bytes[n] + server->size[n], room, 0);
		if (got < 0)
			server->error[n] = errno;
		if (got <= 0)
			return false;
		server->size[n] += (size_t)got;
	}
	return true;
}

static void serve(struct server *server, int n, int socket)
{
	const struct script *script = &server->scripts[n];

	if (script->ending == HALF_CLOSE)
		(void)shutdown(socket, SHUT_WR);
	if (script->ending == READ_TO_EOF || script->ending == HALF_CLOSE) {
		(void)read_some(server, n, socket, KEPT_MAX);
		(void)close(socket);
		return;
	}
	(void)read_some(server, n, socket, script->after_bytes);
	if (script->ending == SAY_AND_RST)
		(void)!write(socket, last_words, strlen(last_words));
	if (script->ending == FIN_AFTER)
		(void)close(socket);
	else
		close_with_rst(socket);
}

static void *run_server(void *arg)
{
	struct server *server = arg;

	for (int n = 0; n < server->count; n++) {
		struct pollfd ready[2] = {{.fd = server->listener, .events = POLLIN},
					  {.fd = server->stop[0], .events = POLLIN}};

		(void)poll(ready, 2, BOUND_MS);
		if (ready[1].revents)
			break;
		serve(server, n, accept4(server->listener, NULL, NULL, SOCK_CLOEXEC));
	}
	return NULL;
}

static int listen_on_loopback(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, CONNECTIONS_MAX), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void server_start(struct server *server, const char *scheme, const struct script *scripts,
			 int count)
{
	uint16_t port;

	*server = (struct server){.scripts = scripts, .count = count};
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		server->bytes[i] = malloc(KEPT_MAX);
	server->listener = listen_on_loopback(&port);
	assert_int_equal(pipe2(server->stop, O_CLOEXEC), 0);
	snprintf(server->url, sizeof(server->url), "%s://127.0.0.1:%u", scheme, port);
	assert_int_equal(pthread_create(&server->thread, NULL, run_server, server), 0);
}

/* Everything that the server's program has read is in server->bytes afterwards. */
static void server_join(struct server *server)
{
	pthread_join(server->thread, NULL);
}

static void server_free(struct server *server)
{
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		free(server->bytes[i]);
	(void)close(server->listener);
	(void)close(server->stop[0]);
	(void)close(server->stop[1]);
}

static void server_stop(struct server *server)
{
	assert_int_equal(write(server->stop[1], "", 1), 1);
	server_join(server);
}

/* ---- the link ------------------------------------------------------------------------------ */

#define REPORTS_MAX 8

/* What the link told. */
struct log {
	struct la_report reports[REPORTS_MAX];
	size_t count;
	uint8_t received[256];
	size_t received_bytes;
};

static void on_event(void *arg, const struct la_event *event)
{
	struct log *log = arg;

	if (event->kind == LA_EVENT_REPORT && log->count < REPORTS_MAX)
		log->reports[log->count++] = *event->report;
	if (event->kind == LA_EVENT_RECEIVED &&
	    event->size <= sizeof(log->received) - log->received_bytes) {
		memcpy(log->received + log->received_bytes, event->data, event->size);
		log->received_bytes += event->size;
	}
}

static const char *url_of_config; /* one URL is enough for most claims */

static struct la_link_config config_for(const char *url, struct log *log)
{
	struct la_link_config config;

	url_of_config = url;
	la_link_config_default(&config);
	config.urls = &url_of_config;
	config.url_count = 1;
	config.backoff_min_ns = config.backoff_max_ns = LAI_MS;
	config.seed = 1;
	config.on_event = log ? on_event : NULL;
	config.arg = log;
	return config;
}

static struct la_link *link_new(const struct la_link_config *config)
{
	struct la_link *link = NULL;
	char *error = NULL;

	if (la_link_new(&link, config, &error) != 0)
		fail_msg("%s", error);
	return link;
}

/* Blocks as long as it takes to hand everything over. */
static void submit_all(struct la_link *link, const void *data, size_t size)
{
	const uint8_t *from = data;
	struct pollfd ready = {.fd = la_link_fd(link), .events = POLLIN};

	while (size > 0) {
		ssize_t took = la_link_submit(link, from, size);

		if (took == -EAGAIN) {
			(void)la_link_dispatch(link);
			(void)poll(&ready, 1, 1);
			continue;
		}
		assert_true(took > 0);
		from += took;
		size -= (size_t)took;
	}
}

static void expect_totals(const struct la_link *link, uint64_t accepted, uint64_t delivered)
{
	struct la_totals totals;

	la_link_totals(link, &totals);
	assert_int_equal(totals.accepted_bytes, accepted);
	assert_int_equal(totals.delivered_bytes, delivered);
	assert_int_equal(totals.accepted_bytes, totals.delivered_bytes + totals.waiting_bytes +
							totals.dropped_bytes +
							totals.abandoned_bytes);
}

static void expect_report(const struct la_report *report, const char *cause,
			  const char *closed_first, const char *proof)
{
	assert_string_equal(la_cause_name(report->cause), cause);
	assert_string_equal(la_side_name(report->closed_first), closed_first);
	assert_string_equal(la_proof_name(report->proof), proof);
}

static uint8_t *big_data(void)
{
	uint8_t *data = malloc(BIG_BYTES);

	assert_non_null(data);
	for (size_t i = 0; i < BIG_BYTES; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	return data;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * LAI_S + (uint64_t)ts.tv_nsec;
}

/* ---- use -------------------------------------------------------------------------------- */

static void test_blocking(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	struct server server;
	struct log log = {.count = 0};
	struct la_link_config config;
	struct la_link *link;
	uint8_t *data = big_data();

	(void)state;
	server_start(&server, "tcp", scripts, 1);
	config = config_for(server.url, &log);
	link = link_new(&config);
	assert_int_equal(la_link_state(link), LA_LINK_IDLE);
	assert_int_equal(la_link_socket(link), -1);
	submit_all(link, data, BIG_BYTES);
	la_link_finish(link, LA_NEVER);
	assert_int_equal(la_link_submit(link, "x", 1), -EPIPE);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	assert_int_equal(la_link_wait(link, 0), 0);
	server_join(&server);
	assert_int_equal(server.size[0], BIG_BYTES);
	assert_memory_equal(server.bytes[0], data, BIG_BYTES);
	assert_int_equal(la_link_state(link), LA_LINK_DONE);
	assert_int_equal(la_link_socket(link), -1);
	assert_true(la_link_deadline(link) == LA_NEVER);
	expect_totals(link, BIG_BYTES, BIG_BYTES);
	assert_int_equal(log.count, 1);
	expect_report(&log.reports[0], "finished", "us", "consumed");
	assert_int_equal(log.reports[0].acked_bytes, BIG_BYTES);
	assert_int_equal(log.reports[0].lost.max_bytes, 0);
	la_link_free(link);
	server_free(&server);
	free(data);
}

static void test_own_loop(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	struct server server;
	struct la_link_config config;
	struct la_link *link;
	uint8_t *data = big_data();
	size_t given = 0;
	int done = 0;

	(void)state;
	server_start(&server, "tcp", scripts, 1);
	config = config_for(server.url, NULL);
	config.buffer_bytes = config.record_bytes_max = 65536;
	link = link_new(&config);
	while (!done) {
		struct pollfd ready = {.fd = la_link_fd(link), .events = POLLIN};
		uint64_t deadline_ns = la_link_deadline(link), now = now_ns();
		ssize_t took;
		int timeout_ms = deadline_ns == LA_NEVER ? BOUND_MS
				 : deadline_ns <= now	 ? 0
							 : (int)((deadline_ns - now) / LAI_MS) + 1;

		/* The promise of la_link_deadline(): with nothing to read before it, nothing is
		 * missed. */
		if (poll(&ready, 1, timeout_ms) == 0 && timeout_ms == BOUND_MS)
			fail_msg("nothing happened for %d ms", BOUND_MS);
		done = la_link_dispatch(link);
		took = given < BIG_BYTES ? la_link_submit(link, data + given, BIG_BYTES - given)
					 : 0;
		given += took > 0 ? (size_t)took : 0;
		if (given == BIG_BYTES)
			la_link_finish(link, BOUND_NS);
	}
	server_join(&server);
	assert_int_equal(server.size[0], BIG_BYTES);
	assert_memory_equal(server.bytes[0], data, BIG_BYTES);
	expect_totals(link, BIG_BYTES, BIG_BYTES);
	la_link_free(link);
	server_free(&server);
	free(data);
}

/* submit from elsewhere, then the loop as link.h says: poll until the deadline, then dispatch. */
static void test_deadline_after_submit(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	struct server server;
	struct la_link_config config;
	struct la_link *link;

	(void)state;
	server_start(&server, "tcp", scripts, 1);
	config = config_for(server.url, NULL);
	link = link_new(&config);
	assert_true(la_link_deadline(link) <= now_ns());
	while (la_link_state(link) != LA_LINK_UP)
		(void)la_link_dispatch(link);
	assert_true(la_link_socket(link) >= 0);
	while (la_link_deadline(link) != LA_NEVER)
		(void)la_link_dispatch(link);
	assert_int_equal(la_link_submit(link, "x", 1), 1);
	assert_true(la_link_deadline(link) <= now_ns());
	assert_int_equal(la_link_flush(link, BOUND_NS), 0);
	la_link_finish(link, BOUND_NS);
	assert_true(la_link_deadline(link) <= now_ns() + LAI_S);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	server_join(&server);
	la_link_free(link);
	server_free(&server);
}

static void test_reserve(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	struct server server;
	struct la_link_config config;
	struct la_link *link;
	void *room;

	(void)state;
	server_start(&server, "lines", scripts, 1);
	config = config_for(server.url, NULL);
	link = link_new(&config);
	assert_true(la_link_reserve(link, &room) >= 12);
	memcpy(room, "one\ntwo\nthre", 12);
	assert_int_equal(la_link_commit(link, 12), 12);
	assert_int_equal(la_link_submit(link, "e", 1), 1);
	la_link_finish(link, BOUND_NS);
	assert_int_equal(la_link_reserve(link, &room), 0);
	assert_int_equal(la_link_commit(link, 1), -EPIPE);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	server_join(&server);
	/* The last line has got its newline. */
	assert_int_equal(server.size[0], 14);
	assert_memory_equal(server.bytes[0], "one\ntwo\nthree\n", 14);
	la_link_free(link);
	server_free(&server);
}

static void test_flush(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	struct server server;
	struct la_link_config config;
	struct la_link *link;

	(void)state;
	server_start(&server, "tcp", scripts, 1);
	config = config_for(server.url, NULL);
	link = link_new(&config);
	assert_int_equal(la_link_flush(link, BOUND_NS), 0);
	for (int i = 0; i < 100; i++) {
		submit_all(link, "0123456789", 10);
		assert_int_equal(la_link_flush(link, BOUND_NS), 0);
		expect_totals(link, 10u * ((unsigned)i + 1), 10u * ((unsigned)i + 1));
	}
	assert_int_equal(la_link_state(link), LA_LINK_UP);
	la_link_finish(link, BOUND_NS);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	server_join(&server);
	assert_int_equal(server.size[0], 1000);
	la_link_free(link);
	server_free(&server);
}

/* What was dropped will never be delivered: flush must not wait for it. */
static void test_flush_after_drops(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	static const enum la_full_policy policies[] = {LA_FULL_DROP_NEW, LA_FULL_DROP_OLDEST};

	(void)state;
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		struct server server;
		struct la_link_config config;
		struct la_totals totals;
		struct la_link *link;

		server_start(&server, "lines", scripts, 1);
		config = config_for(server.url, NULL);
		config.on_full = policies[i];
		config.buffer_bytes = config.record_bytes_max = 4096;
		link = link_new(&config);
		for (int line = 0; line < 1000; line++)
			assert_int_equal(la_link_submit(link, "0123456789\n", 11), 11);
		assert_int_equal(la_link_flush(link, BOUND_NS), -EPIPE);
		la_link_totals(link, &totals);
		assert_true(totals.dropped_bytes > 0);
		assert_true(totals.delivered_bytes > 0);
		assert_int_equal(totals.waiting_bytes, 0);
		assert_int_equal(totals.accepted_bytes,
				 totals.delivered_bytes + totals.dropped_bytes);
		assert_int_equal(la_link_state(link), LA_LINK_UP);
		la_link_finish(link, BOUND_NS);
		assert_int_equal(la_link_wait(link, BOUND_NS), -EIO);
		server_join(&server);
		assert_int_equal(server.size[0], totals.delivered_bytes);
		la_link_free(link);
		server_free(&server);
	}
}

/* The proof costs a connection, and is asked for before there is one. */
static void test_flush_consumed(void **state)
{
	static const struct script scripts[] = {
		{READ_TO_EOF, 0}, {READ_TO_EOF, 0}, {READ_TO_EOF, 0}};
	struct server server;
	struct log log = {.count = 0};
	struct la_link_config config;
	struct la_link *link;

	(void)state;
	server_start(&server, "lines", scripts, 3);
	config = config_for(server.url, &log);
	config.proof = LA_PROOF_CONSUMED;
	link = link_new(&config);
	submit_all(link, "one\n", 4);
	assert_int_equal(la_link_flush(link, BOUND_NS), 0);
	expect_totals(link, 4, 4);
	submit_all(link, "two\nrest", 8);
	assert_int_equal(la_link_flush(link, 100 * LAI_MS), -ETIMEDOUT);
	submit_all(link, "\n", 1);
	la_link_finish(link, BOUND_NS);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	server_stop(&server);
	expect_totals(link, 13, 13);
	assert_memory_equal(server.bytes[0], "one\n", 4);
	for (size_t i = 0; i < log.count; i++)
		assert_int_equal(log.reports[i].lost.max_bytes, 0);
	la_link_free(link);
	server_free(&server);
}

static void test_by_name(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	struct server server;
	struct la_link_config config;
	struct la_link *link;
	char url[URL_MAX];

	(void)state;
	server_start(&server, "tcp", scripts, 1);
	snprintf(url, sizeof(url), "tcp://localhost%s", strrchr(server.url, ':'));
	config = config_for(url, NULL);
	link = link_new(&config);
	submit_all(link, "by name", 7);
	la_link_finish(link, BOUND_NS);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	server_join(&server);
	assert_int_equal(server.size[0], 7);
	la_link_free(link);
	server_free(&server);
}

/* ---- ends of connections ------------------------------------------------------------------- */

static void test_resets(void **state)
{
	static const struct script scripts[] = {
		{RST_AFTER, 100000}, {SAY_AND_RST, 5}, {FIN_AFTER, 70000}, {READ_TO_EOF, 0}};
	struct server server;
	struct log log = {.count = 0};
	struct la_link_config config;
	struct la_link *link;
	uint8_t *data = big_data();

	(void)state;
	server_start(&server, "tcp", scripts, 4);
	config = config_for(server.url, &log);
	link = link_new(&config);
	submit_all(link, data, BIG_BYTES);
	la_link_finish(link, LA_NEVER);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	server_join(&server);
	expect_totals(link, BIG_BYTES, BIG_BYTES);
	assert_true(log.count >= 4);
	for (size_t i = 0; i + 1 < log.count; i++)
		assert_string_equal(la_side_name(log.reports[i].closed_first), "peer");
	/* The first connection began at the first byte, the last one ends with the last. */
	assert_memory_equal(server.bytes[0], data, server.size[0]);
	assert_memory_equal(server.bytes[3], data + BIG_BYTES - server.size[3], server.size[3]);
	la_link_free(link);
	server_free(&server);
	free(data);
}

static void test_last_words(void **state)
{
	static const struct script scripts[] = {{SAY_AND_RST, 4}};
	struct server server;
	struct log log = {.count = 0};
	struct la_link_config config;
	struct la_link *link;

	(void)state;
	server_start(&server, "tcp", scripts, 1);
	config = config_for(server.url, &log);
	config.retries_max = 0;
	link = link_new(&config);
	submit_all(link, "mail", 4);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	server_join(&server);
	assert_int_equal(log.count, 1);
	expect_report(&log.reports[0], "peer-reset", "peer", "acked");
	assert_int_equal(log.reports[0].error, ECONNRESET);
	assert_int_equal(log.reports[0].last_words_bytes, strlen(last_words));
	assert_memory_equal(log.reports[0].last_words, last_words, strlen(last_words));
	assert_int_equal(log.received_bytes, strlen(last_words));
	la_link_free(link);
	server_free(&server);
}

static void test_peer_fin(void **state)
{
	static const struct script scripts[] = {{FIN_AFTER, 4}};
	struct server server;
	struct log log = {.count = 0};
	struct la_link_config config;
	struct la_link *link;

	(void)state;
	server_start(&server, "tcp", scripts, 1);
	config = config_for(server.url, &log);
	config.retries_max = 0;
	link = link_new(&config);
	submit_all(link, "four", 4);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	server_join(&server);
	assert_int_equal(log.count, 1);
	expect_report(&log.reports[0], "peer-closed", "peer", "acked");
	assert_string_equal(la_tcp_state_name(log.reports[0].tcp_state), "CLOSE_WAIT");
	la_link_free(link);
	server_free(&server);
}

static void test_half_closed_peer(void **state)
{
	static const struct script scripts[] = {{HALF_CLOSE, 0}};
	struct server server;
	struct log log = {.count = 0};
	struct la_report report;
	struct la_link_config config;
	struct la_link *link;
	uint8_t *data = big_data();

	(void)state;
	server_start(&server, "tcp", scripts, 1);
	config = config_for(server.url, &log);
	config.on_peer_fin = LA_PEER_FIN_KEEP_SENDING;
	link = link_new(&config);
	for (report.closed_first = LA_SIDE_NOBODY; report.closed_first == LA_SIDE_NOBODY;
	     la_link_report(link, &report))
		(void)la_link_dispatch(link);
	submit_all(link, data, BIG_BYTES);
	la_link_finish(link, LA_NEVER);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	server_join(&server);
	assert_int_equal(server.size[0], BIG_BYTES);
	assert_int_equal(log.count, 1);
	expect_report(&log.reports[0], "finished", "peer", "acked");
	la_link_free(link);
	server_free(&server);
	free(data);
}

static void test_refused(void **state)
{
	struct log log = {.count = 0};
	struct la_link_config config;
	struct la_link *link;
	char url[URL_MAX];
	uint16_t port;
	int listener = listen_on_loopback(&port);

	(void)state;
	(void)close(listener); /* nobody listens there now */
	snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", port);
	config = config_for(url, &log);
	config.retries_max = 2;
	link = link_new(&config);
	submit_all(link, "lost", 4);
	assert_int_equal(la_link_flush(link, BOUND_NS), -EPIPE);
	assert_int_equal(la_link_wait(link, BOUND_NS), -EIO);
	assert_int_equal(la_link_submit(link, "x", 1), -EPIPE);
	expect_totals(link, 4, 0);
	assert_int_equal(log.count, 3);
	for (size_t i = 0; i < log.count; i++) {
		expect_report(&log.reports[i], "connect-refused", "nobody", "written");
		assert_int_equal(log.reports[i].error, ECONNREFUSED);
		assert_int_equal(log.reports[i].serial, i + 1);
		assert_false(log.reports[i].connected);
	}
	la_link_free(link);
}

/* ---- closing policies ---------------------------------------------------------------------- */

static const struct policy_row {
	const char *sentence;
	enum la_close_policy policy;
	const char *cause, *first;
	int error; /* what the server's recv() said; the linger's FIN is a proper one */
	int status;
} policies[] = {
	{"policy graceful: the server reads EOF, all delivered", LA_CLOSE_GRACEFUL, "finished",
	 "us", 0, 0},
	{"policy linger: the server reads EOF, all that was acknowledged is delivered",
	 LA_CLOSE_LINGER, "lingered", "us", 0, 0},
	{"policy abort: the server gets RST", LA_CLOSE_ABORT, "aborted", "us", ECONNRESET, 0},
};

#define POLICIES (sizeof(policies) / sizeof(policies[0]))

static void test_policy(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	const struct policy_row *row = *state;
	struct server server;
	struct log log = {.count = 0};
	struct la_link_config config;
	struct la_link *link;

	server_start(&server, "tcp", scripts, 1);
	config = config_for(server.url, &log);
	config.close_policy = row->policy;
	config.linger_ns = LAI_S;
	link = link_new(&config);
	submit_all(link, "hello", 5);
	assert_int_equal(la_link_flush(link, BOUND_NS), 0);
	la_link_finish(link, BOUND_NS);
	assert_int_equal(la_link_wait(link, BOUND_NS), row->status);
	server_join(&server);
	assert_int_equal(server.size[0], 5);
	assert_int_equal(server.error[0], row->error);
	assert_string_equal(la_cause_name(log.reports[0].cause), row->cause);
	assert_string_equal(la_side_name(log.reports[0].closed_first), row->first);
	assert_int_equal(log.reports[0].destroyed_bytes, 0);
	expect_totals(link, 5, 5);
	la_link_free(link);
	server_free(&server);
}

static void test_abort(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	struct server server;
	struct log log = {.count = 0};
	struct la_link_config config;
	struct la_link *link;
	struct la_report report;

	(void)state;
	server_start(&server, "lines", scripts, 1);
	config = config_for(server.url, &log);
	link = link_new(&config);
	submit_all(link, "one\n", 4);
	assert_int_equal(la_link_flush(link, BOUND_NS), 0);
	submit_all(link, "unfinished", 10);
	la_link_report(link, &report);
	assert_int_equal(report.cause, LA_CAUSE_ALIVE);
	assert_int_equal(report.written_bytes, 4);
	la_link_abort(link);
	assert_int_equal(la_link_state(link), LA_LINK_DONE);
	assert_int_equal(la_link_wait(link, BOUND_NS), -EIO);
	server_join(&server);
	assert_int_equal(server.error[0], ECONNRESET);
	expect_totals(link, 14, 4);
	la_link_report(link, &report);
	expect_report(&report, "aborted", "us", "acked");
	assert_int_equal(log.count, 1);
	la_link_abort(link);
	la_link_free(link);
	server_free(&server);
}

static void test_free_alone(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	struct server server;
	struct la_link_config config;
	struct la_link *link;

	(void)state;
	server_start(&server, "tcp", scripts, 1);
	config = config_for(server.url, NULL);
	link = link_new(&config);
	submit_all(link, "hello", 5);
	while (la_link_state(link) != LA_LINK_UP)
		(void)la_link_dispatch(link);
	la_link_free(link);
	server_join(&server);
	assert_int_equal(server.error[0], ECONNRESET);
	/* Not even started, and NULL. */
	link = link_new(&config);
	la_link_free(link);
	la_link_free(NULL);
	server_free(&server);
}

/* A server that never accepts and a full queue: nothing ends but the patience. */
static void test_timeouts(void **state)
{
	struct la_link_config config;
	struct la_link *link;
	char url[URL_MAX];
	uint16_t port;
	int listener = listen_on_loopback(&port);
	uint64_t began_ns = now_ns();

	(void)state;
	snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", port);
	config = config_for(url, NULL);
	config.read_ns = 100 * LAI_MS;
	link = link_new(&config);
	submit_all(link, "hello", 5);
	assert_int_equal(la_link_flush(link, BOUND_NS), 0); /* its kernel acknowledges */
	assert_int_equal(la_link_wait(link, 50 * LAI_MS), -ETIMEDOUT);
	la_link_finish(link, LA_NEVER);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	assert_true(now_ns() - began_ns < BOUND_NS);
	la_link_free(link);
	(void)close(listener);
}

/* ---- input -------------------------------------------------------------------------------- */

static void test_full(void **state)
{
	struct la_link_config config = config_for("tcp://127.0.0.1:1", NULL);
	struct la_link *link;
	uint8_t *data = big_data();

	(void)state;
	config.buffer_bytes = 100000;
	config.record_bytes_max = 1000;
	link = link_new(&config);
	assert_int_equal(la_link_submit(link, data, 0), 0);
	assert_int_equal(la_link_submit(link, data, BIG_BYTES), 100000);
	assert_int_equal(la_link_submit(link, data, 1), -EAGAIN);
	expect_totals(link, 100000, 0);
	la_link_abort(link);
	expect_totals(link, 100000, 0);
	la_link_free(link);
	free(data);
}

/* The record that is too long lies across the end of the ring: of neither part anything is
 * accepted. */
static void test_too_long_across_the_wrap(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	char record[600];
	struct server server;
	struct la_link_config config;
	struct la_link *link;

	(void)state;
	memset(record, 'x', sizeof(record));
	server_start(&server, "lines", scripts, 1);
	config = config_for(server.url, NULL);
	config.buffer_bytes = 1024;
	config.record_bytes_max = 300;
	link = link_new(&config);
	/* The place moves on to 800 of 1024, with something kept, or the ring would begin anew. */
	for (int i = 0; i < 4; i++) {
		record[199] = '\n';
		submit_all(link, record, 200);
		if (i < 3)
			assert_int_equal(la_link_flush(link, BOUND_NS), 0);
	}
	record[199] = 'x';
	assert_int_equal(la_link_submit(link, record, 500), -EMSGSIZE);
	expect_totals(link, 800, 600);
	assert_int_equal(la_link_submit(link, "good\n", 5), 5);
	la_link_finish(link, BOUND_NS);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	server_join(&server);
	assert_int_equal(server.size[0], 805);
	assert_memory_equal(server.bytes[0] + 800, "good\n", 5);
	la_link_free(link);
	server_free(&server);
}

/* ---- the socket's options ------------------------------------------------------------------ */

static int option_of(const struct la_link *link, int level, int name)
{
	socklen_t length = sizeof(int);
	int value = -1;

	assert_int_equal(getsockopt(la_link_socket(link), level, name, &value, &length), 0);
	return value;
}

static uint16_t local_port_of(const struct la_link *link)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	assert_int_equal(getsockname(la_link_socket(link), (struct sockaddr *)&address, &length),
			 0);
	return ntohs(address.sin_port);
}

static void connect_link(struct la_link *link)
{
	uint64_t until_ns = now_ns() + BOUND_NS;

	while (la_link_state(link) != LA_LINK_UP && now_ns() < until_ns)
		(void)la_link_dispatch(link);
	assert_int_equal(la_link_state(link), LA_LINK_UP);
}

static void test_options(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	struct server server;
	struct la_link_config config;
	struct la_link *link;

	(void)state;
	server_start(&server, "tcp", scripts, 1);
	config = config_for(server.url, NULL);
	config.no_delay = true;
	config.tos = 0x10;
	config.dead_ns = 40 * LAI_S;
	config.user_timeout_ns = 5 * LAI_S;
	config.device = "lo";
	config.on_full = LA_FULL_DROP_OLDEST;
	config.buffer_bytes = config.record_bytes_max = 65536;
	link = link_new(&config);
	connect_link(link);
	assert_int_equal(option_of(link, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(link, IPPROTO_IP, IP_TOS), 0x10);
	assert_int_equal(option_of(link, SOL_SOCKET, SO_KEEPALIVE), 1);
	/* Half the time waiting, the other half for the probes. */
	assert_int_equal(option_of(link, IPPROTO_TCP, TCP_KEEPIDLE), 20);
	assert_int_equal(option_of(link, IPPROTO_TCP, TCP_KEEPINTVL) *
				 option_of(link, IPPROTO_TCP, TCP_KEEPCNT),
			 20);
	assert_int_equal(option_of(link, IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);
	assert_int_equal(option_of(link, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 65536 / 4);
	la_link_free(link);
	server_join(&server);
	server_free(&server);
}

static void test_no_keepalive(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}, {READ_TO_EOF, 0}};
	struct server server;

	(void)state;
	server_start(&server, "tcp", scripts, 2);
	for (int i = 0; i < 2; i++) {
		struct la_link_config config = config_for(server.url, NULL);
		struct la_link *link;

		config.no_keepalive = i == 0;
		config.dead_ns = i == 0 ? config.dead_ns : LA_NEVER;
		link = link_new(&config);
		connect_link(link);
		assert_int_equal(option_of(link, SOL_SOCKET, SO_KEEPALIVE), 0);
		assert_int_equal(option_of(link, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
		la_link_free(link);
	}
	server_join(&server);
	server_free(&server);
}

/* Our own TIME_WAIT does not stand in the way of the same port, with an address and without. */
static void test_pinned_port(void **state)
{
	static const struct script scripts[] = {
		{READ_TO_EOF, 0}, {READ_TO_EOF, 0}, {READ_TO_EOF, 0}};
	static const char *const addresses[] = {NULL, "127.0.0.1", NULL};
	struct server server;
	uint16_t port;
	int holder = listen_on_loopback(&port);

	(void)state;
	(void)close(holder); /* a port that was free a moment ago */
	server_start(&server, "tcp", scripts, 3);
	for (int i = 0; i < 3; i++) {
		struct la_link_config config = config_for(server.url, NULL);
		struct la_link *link;

		config.local_port = port;
		config.local_address = addresses[i];
		link = link_new(&config);
		connect_link(link);
		assert_int_equal(local_port_of(link), port);
		submit_all(link, "hello", 5);
		la_link_finish(link, BOUND_NS);
		assert_int_equal(la_link_wait(link, BOUND_NS), 0);
		la_link_free(link);
	}
	server_join(&server);
	server_free(&server);
}

static void test_port_held(void **state)
{
	struct log log = {.count = 0};
	struct la_link_config config = config_for("tcp://127.0.0.1:1", &log);
	struct la_link *link;
	uint16_t port;
	int holder = listen_on_loopback(&port);

	(void)state;
	config.local_address = "127.0.0.1";
	config.local_port = port;
	config.retries_max = 0;
	link = link_new(&config);
	submit_all(link, "x", 1);
	assert_int_equal(la_link_wait(link, BOUND_NS), -EIO);
	assert_int_equal(log.count, 1);
	assert_string_equal(la_cause_name(log.reports[0].cause), "port-in-use");
	assert_int_equal(log.reports[0].error, EADDRINUSE);
	la_link_free(link);
	(void)close(holder);
}

/* ---- bad settings -------------------------------------------------------------------------- */

static const char *const two_schemes[] = {"tcp://127.0.0.1:1", "lines://127.0.0.1:2"};
static const char *const two_families[] = {"tcp://127.0.0.1:1", "tcp://[::1]:1"};
static const char *const bad_url[] = {"tcp://127.0.0.1:1", "nonsense"};

static void no_url(struct la_link_config *config)
{
	config->url_count = 0;
}

static void nonsense_url(struct la_link_config *config)
{
	config->urls = bad_url;
	config->url_count = 2;
}

static void mixed_schemes(struct la_link_config *config)
{
	config->urls = two_schemes;
	config->url_count = 2;
}

static void mixed_families(struct la_link_config *config)
{
	config->urls = two_families;
	config->url_count = 2;
	config->local_address = "127.0.0.1";
}

static void bad_policy(struct la_link_config *config)
{
	config->close_policy = LA_CLOSE_COUNT;
}

static void bad_proof(struct la_link_config *config)
{
	config->proof = LA_PROOF_COUNT;
}

static void unprovable(struct la_link_config *config)
{
	config->proof = LA_PROOF_CONSUMED;
	config->close_policy = LA_CLOSE_ABORT;
}

static void huge_buffer(struct la_link_config *config)
{
	config->buffer_bytes = SIZE_MAX;
}

static void small_buffer(struct la_link_config *config)
{
	static const char *const lines[] = {"lines://127.0.0.1:1"};

	config->urls = lines; /* raw bytes have no record that must fit */
	config->buffer_bytes = 100;
	config->record_bytes_max = 101;
}

static void upside_down_backoff(struct la_link_config *config)
{
	config->backoff_min_ns = 2 * LAI_S;
	config->backoff_max_ns = LAI_S;
}

static void large_tos(struct la_link_config *config)
{
	config->tos = 256;
}

static void hasty_death(struct la_link_config *config)
{
	config->dead_ns = LAI_S - 1;
}

static void named_local(struct la_link_config *config)
{
	config->local_address = "localhost";
}

static const struct {
	void (*spoil)(struct la_link_config *config);
	const char *says;
} refusals[] = {
	{no_url, "no server"},
	{nonsense_url, "'nonsense' is not a URL"},
	{mixed_schemes, "same scheme"},
	{mixed_families, "one family"},
	{bad_policy, "policy"},
	{bad_proof, "policy"},
	{unprovable, "graceful"},
	{huge_buffer, "64 GiB"},
	{small_buffer, "smaller than the largest record"},
	{upside_down_backoff, "back-off"},
	{large_tos, "0 to 255"},
	{hasty_death, "less than 1 s"},
	{named_local, "local address"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct la_link_config config = config_for("tcp://127.0.0.1:1", NULL);
		struct la_link *link = (void *)&config;
		char *error = NULL;

		refusals[i].spoil(&config);
		assert_int_equal(la_link_new(&link, &config, &error), -EINVAL);
		assert_non_null(error);
		if (!strstr(error, refusals[i].says))
			fail_msg("'%s' does not say '%s'", error, refusals[i].says);
		assert_ptr_equal(link, &config);
		free(error);
		assert_int_equal(la_link_new(&link, &config, NULL), -EINVAL);
	}
}

/* The seed is of the back-off's jitter; two senders of one id would be one to the server. */
static void test_senders(void **state)
{
	char folder[] = "/tmp/lastack-link.XXXXXX", paths[4][64];
	struct la_link *links[4];

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (int i = 0; i < 4; i++) {
		struct la_link_config config = config_for("stomp://127.0.0.1:1/queue/a", NULL);

		snprintf(paths[i], sizeof(paths[i]), "%s/%d.db", folder, i);
		config.spool.path = i < 2 ? paths[i] : NULL;
		links[i] = link_new(&config);
		assert_int_equal(strlen(la_link_sender(links[i])), 16);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(la_link_sender(links[i]), la_link_sender(links[k]));
	}
	for (int i = 0; i < 4; i++) {
		la_link_free(links[i]);
		(void)unlink(paths[i]);
	}
	assert_int_equal(rmdir(folder), 0);
}

/* Zero means the default for these; the strings are copied. */
static void test_zero_config(void **state)
{
	static const struct script scripts[] = {{READ_TO_EOF, 0}};
	struct server server;
	char url[URL_MAX], local[] = "127.0.0.1";
	const char *urls[] = {url};
	struct la_link_config config = {
		.urls = urls, .url_count = 1, .local_address = local, .tos = -1};
	struct la_link *link;

	(void)state;
	server_start(&server, "tcp", scripts, 1);
	memcpy(url, server.url, sizeof(url));
	link = link_new(&config);
	memset(url, 0, sizeof(url));
	memset(local, 0, sizeof(local));
	urls[0] = NULL;
	submit_all(link, "hello", 5);
	la_link_finish(link, BOUND_NS);
	assert_int_equal(la_link_wait(link, BOUND_NS), 0);
	server_join(&server);
	assert_int_equal(server.size[0], 5);
	la_link_free(link);
	server_free(&server);
}

/* ---- descriptors --------------------------------------------------------------------------- */

static int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static int descriptors_before;

static int setup(void **state)
{
	(void)state;
	descriptors_before = count_descriptors();
	return 0;
}

/* A resolver's thread may need a moment more. */
static int teardown(void **state)
{
	int now = 0;

	(void)state;
	for (int i = 0; i < BOUND_MS && (now = count_descriptors()) > descriptors_before; i++)
		(void)poll(NULL, 0, 1);
	if (now == descriptors_before)
		return 0;
	print_error("%d descriptors before, %d after\n", descriptors_before, now);
	return -1;
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
#define CLAIM(sentence, function)                                                                  \
	{.name = sentence, .test_func = function, .setup_func = setup, .teardown_func = teardown}
		CLAIM("blocking: submit, finish, wait: a megabyte, byte for byte", test_blocking),
		CLAIM("in one's own loop: poll until the deadline, dispatch", test_own_loop),
		CLAIM("the deadline is now after a submit", test_deadline_after_submit),
		CLAIM("reserve and commit; the last line gets its newline", test_reserve),
		CLAIM("flush: acknowledged, a hundred times", test_flush),
		CLAIM("flush ends though some was dropped, and says so", test_flush_after_drops),
		CLAIM("flush with proof consumed, before there is a connection",
		      test_flush_consumed),
		CLAIM("a server by its name", test_by_name),
		CLAIM("reset, reset with words, FIN: the fourth connection completes it",
		      test_resets),
		CLAIM("the last words before an RST are read", test_last_words),
		CLAIM("the peer's FIN first: peer-closed, seen in CLOSE_WAIT", test_peer_fin),
		CLAIM("a half-closed peer gets everything", test_half_closed_peer),
		CLAIM("refused: so many retries, a report each, nothing delivered", test_refused),
		CLAIM("abort: RST, and what was abandoned", test_abort),
		CLAIM("free alone aborts", test_free_alone),
		CLAIM("waits are bounded", test_timeouts),
		CLAIM("a full buffer takes no more", test_full),
		CLAIM("a record too long is refused whole, across the ring's end too",
		      test_too_long_across_the_wrap),
		CLAIM("the socket has the options that were asked for", test_options),
		CLAIM("no keepalive where it is not wanted", test_no_keepalive),
		CLAIM("a pinned port, again and again", test_pinned_port),
		CLAIM("a pinned port that another socket holds: port-in-use", test_port_held),
		CLAIM("bad settings are refused with a sentence", test_refusals),
		CLAIM("two senders of one seed have two ids, with a spool and without",
		      test_senders),
		CLAIM("zeroes mean the defaults, texts are copied", test_zero_config),
#undef CLAIM
	};
	const size_t count = sizeof(claims) / sizeof(claims[0]);
	struct CMUnitTest tests[sizeof(claims) / sizeof(claims[0]) + POLICIES];

	memcpy(tests, claims, sizeof(claims));
	for (size_t i = 0; i < POLICIES; i++)
		tests[count + i] = (struct CMUnitTest){.name = policies[i].sentence,
						       .test_func = test_policy,
						       .setup_func = setup,
						       .teardown_func = teardown,
						       .initial_state = (void *)&policies[i]};
	return cmocka_run_group_tests_name("drive.la_link", tests, NULL, NULL);
}
