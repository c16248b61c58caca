/* SPDX-License-Identifier: MIT */
/*
 * nats_publish.c - publishes records into a JetStream stream of nats-server and counts the acknowledgements.
 *
 *     nats_publish PORT USER PASSWORD memory|file RECORDS SIZE WINDOW
 *
 *     CONNECT, SUB inbox, create the stream, named as its storage (what was in it goes)
 *     PUB memory inbox SIZE ...  as long as fewer than WINDOW are unanswered
 *     <- MSG inbox 1 N {"stream":"memory","seq":K}            one for each record
 *
 * The clock runs from the first PUB to the last answer. One line to stdout: seconds. Debian has no
 * client of its own for it; this one does nothing but that, so that the server sets the pace.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OUT_BYTES (256 * 1024) /* of one send() */
#define IN_BYTES (256 * 1024)
#define SILENCE_MS 30000 /* then something is wrong */

static int fd;
static char in[IN_BYTES + 1];
static size_t in_bytes;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list list;

	fputs("nats_publish: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	exit(1);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void await(short events, short *ready)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	if (poll(&poll_fd, 1, SILENCE_MS) <= 0)
		die("nothing for %d s", SILENCE_MS / 1000);
	*ready = poll_fd.revents;
}

static void say_all(const char *data, size_t size)
{
	while (size > 0) {
		ssize_t put = send(fd, data, size, MSG_NOSIGNAL);

		if (put < 0)
			die("send: %s", strerror(errno));
		data += put;
		size -= (size_t)put;
	}
}

static void hear(void)
{
	ssize_t got = recv(fd, in + in_bytes, IN_BYTES - in_bytes, 0);

	if (got <= 0)
		die("the server closed: %.*s", (int)in_bytes, in);
	in_bytes += (size_t)got;
	in[in_bytes] = '\0';
}

/* Whole answers are taken from the buffer and counted. PING is answered, an error ends us. */
static uint64_t answers_take(void)
{
	uint64_t count = 0;
	size_t at = 0;

	for (;;) {
		char *line = in + at, *end = memchr(line, '\n', in_bytes - at);
		size_t body = 0;

		if (!end)
			break;
		if (!strncmp(line, "MSG ", 4)) {
			char *last = memrchr(line, ' ', (size_t)(end - line));

			body = strtoul(last, NULL, 10) + 2;
			if (in_bytes - (size_t)(end + 1 - in) < body)
				break;
			if (memmem(end, body, "\"error\"", 7))
				die("refused: %.*s", (int)body, end + 1);
			count++;
		} else if (!strncmp(line, "PING", 4)) {
			say_all("PONG\r\n", 6);
		} else if (!strncmp(line, "-ERR", 4)) {
			die("%.*s", (int)(end - line), line);
		}
		at = (size_t)(end + 1 - in) + body;
	}
	memmove(in, in + at, in_bytes - at);
	in_bytes -= at;
	return count;
}

__attribute__((format(printf, 2, 3))) static void request(const char *subject, const char *format,
							  ...)
{
	char body[512], head[256];
	uint64_t answers = 0;
	va_list list;
	int size;

	va_start(list, format);
	size = vsnprintf(body, sizeof(body), format, list);
	va_end(list);
	say_all(head, (size_t)snprintf(head, sizeof(head), "PUB %s inbox %d\r\n", subject, size));
	say_all(body, (size_t)size);
	say_all("\r\n", 2);
	while (answers == 0) {
		hear();
		answers = answers_take();
	}
}

/* Empty. One that is there already, of an earlier run, is fine. */
static void stream_make(const char *storage)
{
	char subject[64];

	snprintf(subject, sizeof(subject), "$JS.API.STREAM.CREATE.%s", storage);
	request(subject,
		"{\"name\":\"%s\",\"subjects\":[\"%s\"],\"storage\":\"%s\",\"num_replicas\":1}",
		storage, storage, storage);
	snprintf(subject, sizeof(subject), "$JS.API.STREAM.PURGE.%s", storage);
	request(subject, "{}");
}

static void open_session(uint16_t port, const char *user, const char *password)
{
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
	char login[512];

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const void *)&server, sizeof(server)) < 0)
		die("connect: %s", strerror(errno));
	say_all(login,
		(size_t)snprintf(login, sizeof(login),
				 "CONNECT {\"user\":\"%s\",\"pass\":\"%s\",\"verbose\":false}\r\n"
				 "SUB inbox 1\r\n",
				 user, password));
}

/* Publishes all; returns when all are acknowledged. */
static void publish(const char *subject, uint64_t records, size_t size, uint64_t window)
{
	static char out[OUT_BYTES];
	char head[64];
	const size_t head_bytes =
		(size_t)snprintf(head, sizeof(head), "PUB %s inbox %zu\r\n", subject, size);
	const size_t each = head_bytes + size + 2;
	uint64_t sent = 0, acked = 0;
	size_t out_bytes = 0, out_at = 0;

	while (acked < records) {
		short ready;

		if (out_at == out_bytes) {
			out_at = out_bytes = 0;
			for (; sent < records && sent - acked < window &&
			       out_bytes + each <= OUT_BYTES;
			     sent++) {
				memcpy(out + out_bytes, head, head_bytes);
				memset(out + out_bytes + head_bytes, 'r', size);
				memcpy(out + out_bytes + head_bytes + size, "\r\n", 2);
				out_bytes += each;
			}
		}
		await((short)(POLLIN | (out_at < out_bytes ? POLLOUT : 0)), &ready);
		if (ready & POLLOUT) {
			ssize_t put = send(fd, out + out_at, out_bytes - out_at,
					   MSG_DONTWAIT | MSG_NOSIGNAL);

			if (put < 0 && errno != EAGAIN)
				die("send: %s", strerror(errno));
			out_at += put > 0 ? (size_t)put : 0;
		}
		if (ready & ~POLLOUT) {
			hear();
			acked += answers_take();
		}
	}
}

int main(int argc, char **argv)
{
	uint64_t records, window;
	double began_s;
	size_t size;

	if (argc != 8)
		die("usage: nats_publish PORT USER PASSWORD memory|file RECORDS SIZE WINDOW");
	records = strtoull(argv[5], NULL, 10);
	size = strtoul(argv[6], NULL, 10);
	window = strtoull(argv[7], NULL, 10);
	if (size == 0 || size > OUT_BYTES / 2 || window == 0)
		die("SIZE is 1 to %d, WINDOW not 0", OUT_BYTES / 2);
	open_session((uint16_t)atoi(argv[1]), argv[2], argv[3]);
	stream_make(argv[4]);
	began_s = now_s();
	publish(argv[4], records, size, window);
	printf("%.6f\n", now_s() - began_s);
	return 0;
}
