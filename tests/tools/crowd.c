/* SPDX-License-Identifier: MIT */
/*
 * crowd.c - thousands of logged-in STOMP senders on one server, and beside them clients that mean it
 * harm: what the ones notice of the others.
 *
 *     crowd PORT SENDERS SECONDS USER PASSCODE FAILURES
 *
 * Each sender logs in, sends a record a second with a receipt, and keeps its heart-beats; one that is
 * closed, refused, or hears nothing for two heart-beats is dropped. Meanwhile: 50 connections that say
 * one byte in half a second (slowloris), 10 that send a header without end, and FAILURES logins with
 * a wrong password, 32 at a time. Ends when SECONDS are over and all failures have happened.
 *
 * One line on standard output: "name value" pairs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ull
#define S 1000000000ull
#define BEAT_NS (4 * S)
#define RECORD_EVERY_NS (1 * S)
#define DRIP_EVERY_NS (500 * MS)
#define SLOW_COUNT 50
#define ENDLESS_COUNT 10
#define FAILING_COUNT 32
/* So many connects under way: more would only fill the server's backlog. */
#define CONNECTING_MAX 64
/* Without an end for so long something hangs. */
#define PATIENCE_NS (600 * S)

enum kind { SENDER, SLOW, ENDLESS, FAILING };

struct client {
	enum kind kind;
	int fd; /* -1: none */
	bool connecting, logged_in, dropped, waits; /* for a receipt */
	uint64_t next_ns, heard_ns, sent_ns;
	unsigned dripped;
	uint64_t seq;
};

static struct {
	uint16_t port;
	unsigned senders, failures, connecting;
	const char *user, *passcode;
	unsigned failures_begun, failures_over, told, not_told;
	unsigned logged_in, logged_in_max, dropped, slow_closed, endless_closed;
	uint64_t records, receipts, slowest_ns, until_ns;
	int epoll;
} crowd;

static uint64_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * S + (uint64_t)time.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Failed logins come from a few addresses of their own, so that they can be told from the others. */
static void bind_failing(int fd)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	address.sin_addr.s_addr = htonl(0x7f010001u + crowd.failures_begun % 16);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die("bind");
}

static void dial(struct client *client)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(crowd.port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLOUT, .data.ptr = client};

	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		die("socket");
	if (client->kind == FAILING) {
		bind_failing(client->fd);
		crowd.failures_begun++;
	}
	client->connecting = true;
	client->logged_in = client->waits = false;
	client->dripped = 0;
	crowd.connecting++;
	if (connect(client->fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
	    errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(crowd.epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
		die("epoll_ctl");
}

static void watch(const struct client *client, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = (void *)client};

	(void)epoll_ctl(crowd.epoll, EPOLL_CTL_MOD, client->fd, &event);
}

/* The server has closed it, or it is no use any more. */
static void hang_up(struct client *client)
{
	if (client->connecting)
		crowd.connecting--;
	client->connecting = false;
	(void)close(client->fd);
	client->fd = -1;
	switch (client->kind) {
	case SENDER:
		crowd.logged_in -= client->logged_in;
		client->logged_in = false;
		client->dropped = true;
		crowd.dropped++;
		break;
	case SLOW: crowd.slow_closed++; break;
	case ENDLESS: crowd.endless_closed++; break;
	case FAILING: crowd.failures_over++; break;
	}
}

static void say(struct client *client, const char *text, size_t size)
{
	if (send(client->fd, text, size, MSG_NOSIGNAL) != (ssize_t)size && client->kind == SENDER)
		hang_up(client);
	client->sent_ns = now();
}

static void greet(struct client *client)
{
	char text[512];
	int size;

	crowd.connecting--;
	client->connecting = false;
	client->heard_ns = client->next_ns = now();
	watch(client, client->kind == ENDLESS ? EPOLLIN | EPOLLOUT : EPOLLIN);
	if (client->kind == SLOW)
		return;
	if (client->kind == ENDLESS) {
		say(client, "CONNECT\nx:", 10);
		return;
	}
	size = snprintf(text, sizeof(text),
			"CONNECT\naccept-version:1.2\nhost:crowd\nlogin:%s\npasscode:%s\n"
			"heart-beat:%u,%u\n\n",
			crowd.user, client->kind == FAILING ? "not the password" : crowd.passcode,
			(unsigned)(BEAT_NS / MS), (unsigned)(BEAT_NS / MS));
	say(client, text, (size_t)size + 1); /* the NUL ends the frame */
}

static void send_record(struct client *client, uint64_t now_ns)
{
	char text[512];
	int size = snprintf(text, sizeof(text),
			    "SEND\ndestination:/queue/crowd\nreceipt:%llu\n\nrecord %llu of sender %p",
			    (unsigned long long)client->seq, (unsigned long long)client->seq,
			    (void *)client);

	client->seq++;
	client->waits = true;
	crowd.records++;
	client->next_ns = now_ns + RECORD_EVERY_NS;
	say(client, text, (size_t)size + 1);
}

static void on_answer(struct client *client, const char *data, size_t size, uint64_t now_ns)
{
	client->heard_ns = now_ns;
	if (client->kind == FAILING) {
		bool error = memmem(data, size, "ERROR", 5) != NULL;

		crowd.told += error;
		crowd.not_told += !error;
		hang_up(client);
		return;
	}
	if (client->kind != SENDER)
		return;
	if (memmem(data, size, "ERROR", 5)) {
		fprintf(stderr, "crowd: a sender was refused: %.*s\n", (int)size, data);
		hang_up(client);
	} else if (!client->logged_in && memmem(data, size, "CONNECTED", 9)) {
		client->logged_in = true;
		crowd.logged_in++;
		if (crowd.logged_in > crowd.logged_in_max)
			crowd.logged_in_max = crowd.logged_in;
		/* Spread over the second. */
		client->next_ns = now_ns + (uint64_t)(client->fd % 1000) * MS;
	} else if (client->waits && memmem(data, size, "RECEIPT", 7)) {
		uint64_t took_ns = now_ns - client->sent_ns;

		client->waits = false;
		crowd.receipts++;
		if (took_ns > crowd.slowest_ns)
			crowd.slowest_ns = took_ns;
	}
}

static void on_ready(struct client *client, uint32_t events)
{
	static const char filler[4096] = {[0 ... sizeof(filler) - 1] = 'a'};
	char data[4096];
	ssize_t size;

	if (client->connecting) {
		int error = 0;
		socklen_t length = sizeof(error);

		(void)getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &length);
		if (error != 0)
			hang_up(client);
		else
			greet(client);
		return;
	}
	if (events & EPOLLOUT && client->kind == ENDLESS)
		(void)send(client->fd, filler, sizeof(filler), MSG_NOSIGNAL);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	size = recv(client->fd, data, sizeof(data), 0);
	if (size > 0)
		on_answer(client, data, (size_t)size, now());
	else if (size == 0 || errno != EAGAIN)
		hang_up(client);
}

static void tend_sender(struct client *client, uint64_t now_ns)
{
	if (client->fd < 0 || client->connecting)
		return;
	if (now_ns - client->heard_ns > 2 * BEAT_NS + S) {
		fprintf(stderr, "crowd: a sender heard nothing for %llu ms\n",
			(unsigned long long)((now_ns - client->heard_ns) / MS));
		hang_up(client);
	} else if (client->logged_in && !client->waits && now_ns >= client->next_ns) {
		send_record(client, now_ns);
	} else if (client->logged_in && now_ns - client->sent_ns > BEAT_NS / 2) {
		say(client, "\n", 1);
	}
}

static void tend(struct client *client, uint64_t now_ns)
{
	bool over = now_ns >= crowd.until_ns;

	if (client->fd < 0) {
		bool wanted = client->kind == SENDER	? !client->dropped
			      : client->kind == FAILING ? crowd.failures_begun < crowd.failures
							: !over;

		if (wanted && crowd.connecting < CONNECTING_MAX)
			dial(client);
		return;
	}
	if (client->kind == SENDER)
		tend_sender(client, now_ns);
	if (client->kind == SLOW && !client->connecting && now_ns >= client->next_ns) {
		static const char text[] = "CONNECT\naccept-version:1.2\nhost:slow\nlogin:ann\n";

		say(client, &text[client->dripped++ % (sizeof(text) - 1)], 1);
		client->next_ns = now_ns + DRIP_EVERY_NS;
	}
}

static bool is_over(uint64_t now_ns)
{
	return now_ns >= crowd.until_ns && crowd.failures_over >= crowd.failures;
}

int main(int count, char **args)
{
	struct rlimit limit = {20000, 20000};
	struct client *clients;
	uint64_t begun_ns = now(), now_ns;
	size_t total, turn = 0;

	if (count != 7) {
		fprintf(stderr, "crowd PORT SENDERS SECONDS USER PASSCODE FAILURES\n");
		return 2;
	}
	crowd.port = (uint16_t)atoi(args[1]);
	crowd.senders = (unsigned)atoi(args[2]);
	crowd.user = args[4];
	crowd.passcode = args[5];
	crowd.failures = (unsigned)atoi(args[6]);
	crowd.until_ns = UINT64_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	crowd.epoll = epoll_create1(EPOLL_CLOEXEC);
	total = crowd.senders + SLOW_COUNT + ENDLESS_COUNT + FAILING_COUNT;
	clients = calloc(total, sizeof(*clients));
	if (crowd.epoll < 0 || !clients)
		die("cannot begin");
	for (size_t i = 0; i < total; i++) {
		size_t k = i < crowd.senders ? 0 : i - crowd.senders;

		clients[i].fd = -1;
		clients[i].kind = i < crowd.senders	       ? SENDER
				  : k < SLOW_COUNT	       ? SLOW
				  : k < SLOW_COUNT + ENDLESS_COUNT ? ENDLESS
							       : FAILING;
	}
	do {
		struct epoll_event ready[256];
		int got = epoll_wait(crowd.epoll, ready, 256, 1);

		for (int i = 0; i < got; i++) {
			struct client *client = ready[i].data.ptr;

			if (client->fd >= 0)
				on_ready(client, ready[i].events);
		}
		now_ns = now();
		/* An eighth of them each turn; the attackers, which are few, every time. */
		for (size_t i = turn++ % 8; i < crowd.senders; i += 8)
			tend(&clients[i], now_ns);
		for (size_t i = crowd.senders; i < total; i++)
			tend(&clients[i], now_ns);
		/* The time runs from the moment at which all are logged in. */
		if (crowd.until_ns == UINT64_MAX &&
		    (crowd.logged_in == crowd.senders || crowd.dropped > 0)) {
			crowd.until_ns = now_ns + (uint64_t)atoi(args[3]) * S;
			fprintf(stderr, "crowd: logged in %u after %llu ms\n", crowd.logged_in,
				(unsigned long long)((now_ns - begun_ns) / MS));
		}
	} while (!is_over(now_ns) && now_ns - begun_ns < PATIENCE_NS);
	printf("logged_in %u dropped %u records %llu receipts %llu slowest_ms %llu failures %u told %u "
	       "not_told %u slow_closed %u endless_closed %u\n",
	       crowd.logged_in_max, crowd.dropped, (unsigned long long)crowd.records,
	       (unsigned long long)crowd.receipts, (unsigned long long)(crowd.slowest_ns / MS),
	       crowd.failures_over, crowd.told, crowd.not_told, crowd.slow_closed,
	       crowd.endless_closed);
	return !is_over(now_ns);
}
