/* SPDX-License-Identifier: MIT */
/*
 * flow.c - the ends of a pipe for the benches: a producer that is no bottleneck, a steady one, and
 * a reader that throws everything away.
 *
 *     flow bytes COUNT        that many bytes to stdout, in pieces of 128 KiB
 *     flow lines COUNT        that many lines of 100 bytes, in pieces of 64 KB
 *     flow single COUNT       the same, with one write() for each line
 *     flow steady RATE        RATE such lines a second, numbered, for ever; a line is written when
 * it is due and the pipe has room, so that a blocked reader is not flooded later flow sink reads
 * stdin to its end flow port               prints a TCP port that was free a moment ago
 *
 * Exit: 0 done (also when the reader has gone), 2 bad usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE_BYTES (128 * 1024)
#define LINE_BYTES 100
#define LINES_PER_PIECE 640

static char piece[PIECE_BYTES];

static int put(const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, size);

		if (n < 0)
			return -1;
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

static void bytes(uint64_t left)
{
	memset(piece, 'x', sizeof(piece));
	while (left > 0) {
		size_t size = left < sizeof(piece) ? left : sizeof(piece);

		if (put(piece, size) < 0)
			return;
		left -= size;
	}
}

static void write_line(char *line, uint64_t number)
{
	int digits = snprintf(line, LINE_BYTES, "%016" PRIu64 " ", number);

	memset(line + digits, 'a' + (int)(number % 26), (size_t)(LINE_BYTES - 1 - digits));
	line[LINE_BYTES - 1] = '\n';
}

/* The numbers of a piece repeat in the next: formatting would be the bottleneck. */
static void lines(uint64_t left, uint64_t at_once)
{
	for (uint64_t i = 0; i < LINES_PER_PIECE; i++)
		write_line(piece + i * LINE_BYTES, i);
	for (uint64_t first = 0; left > 0; left -= at_once) {
		if (at_once > left)
			at_once = left;
		if (put(piece + first * LINE_BYTES, at_once * LINE_BYTES) < 0)
			return;
		first = (first + at_once) % LINES_PER_PIECE;
		if (first + at_once > LINES_PER_PIECE)
			first = 0;
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void steady(uint64_t rate)
{
	struct pollfd gone = {.fd = STDOUT_FILENO};
	uint64_t step_ns = 1000000000 / rate, due_ns = now_ns();
	char line[LINE_BYTES];

	for (uint64_t number = 0;; number++) {
		uint64_t now = now_ns();

		/* A pipe whose reader has gone says so without being written to. */
		if (poll(&gone, 1, 0) > 0 && (gone.revents & POLLERR))
			return;
		if (now < due_ns) {
			struct timespec pause = {(time_t)((due_ns - now) / 1000000000),
						 (long)((due_ns - now) % 1000000000)};

			(void)nanosleep(&pause, NULL);
		}
		write_line(line, number);
		if (put(line, sizeof(line)) < 0)
			return;
		due_ns += step_ns;
		now = now_ns();
		/* Small delays are made good, a long stop is not. */
		if (now > due_ns + 100000000)
			due_ns = now;
	}
}

static void sink(void)
{
	static char dust[256 * 1024];

	while (read(STDIN_FILENO, dust, sizeof(dust)) > 0)
		;
}

static void port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 &&
	    getsockname(fd, (struct sockaddr *)&address, &length) == 0)
		printf("%d\n", ntohs(address.sin_port));
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	uint64_t number = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;

	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(verb, "bytes") && number)
		bytes(number);
	else if (!strcmp(verb, "lines") && number)
		lines(number, LINES_PER_PIECE);
	else if (!strcmp(verb, "single") && number)
		lines(number, 1);
	else if (!strcmp(verb, "steady") && number)
		steady(number);
	else if (!strcmp(verb, "sink"))
		sink();
	else if (!strcmp(verb, "port"))
		port();
	else {
		fputs("usage: flow bytes|lines|single COUNT | steady RATE | sink | port\n", stderr);
		return 2;
	}
	return 0;
}
