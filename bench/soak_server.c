/* SPDX-License-Identifier: MIT */
/*
 * soak_server.c - a server that ends every connection soon, in rotation:
 *
 *     1. close()          FIN, or RST if something was left unread
 *     2. reset            SO_LINGER{1, 0} and close()
 *     3. half-close       shutdown(SHUT_WR), reads on until the client's FIN (or HALF_MS), close()
 *
 *     soak_server --port-file FILE COUNT EVERY
 *
 * Before that it reads once, if something comes in READ_MS. After each EVERY connections it prints
 * a line "connections N", after COUNT of them "last N": from then on it reads to EOF and closes
 * properly, until it is killed. Exit: 1 a system call failed, 2 bad usage.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_MS 20
/* A client that never answers our FIN must not stop the soak. */
#define HALF_MS 20
#define READ_BYTES 4096

static void check(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

/* One read of what comes within the time; false: EOF, an error or nothing. */
static bool take(int fd, int within_ms)
{
	struct pollfd slot = {.fd = fd, .events = POLLIN};
	static char data[READ_BYTES];

	return poll(&slot, 1, within_ms) > 0 && recv(fd, data, sizeof(data), MSG_DONTWAIT) > 0;
}

static void finish(int fd)
{
	while (take(fd, -1))
		;
	close(fd);
}

static void end_early(int fd, uint64_t serial)
{
	const struct linger abort = {.l_onoff = 1, .l_linger = 0};

	(void)take(fd, READ_MS);
	switch (serial % 3) {
	case 1: (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)); break;
	case 2:
		(void)shutdown(fd, SHUT_WR);
		while (take(fd, HALF_MS))
			;
		break;
	default: break;
	}
	close(fd);
}

static void announce(const char *path, const struct sockaddr_in *address)
{
	char other[4096];
	FILE *file;

	snprintf(other, sizeof(other), "%s.new", path);
	file = fopen(other, "w");
	check(file && fprintf(file, "%d\n", ntohs(address->sin_port)) > 0 && fclose(file) == 0 &&
		      rename(other, path) == 0,
	      path);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	uint64_t count, every;
	int listener;

	if (argc != 5 || strcmp(argv[1], "--port-file") || !(count = strtoull(argv[3], NULL, 10)) ||
	    !(every = strtoull(argv[4], NULL, 10))) {
		fputs("usage: soak_server --port-file FILE COUNT EVERY\n", stderr);
		return 2;
	}
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(listener >= 0 && bind(listener, (struct sockaddr *)&address, length) == 0 &&
		      listen(listener, SOMAXCONN) == 0 &&
		      getsockname(listener, (struct sockaddr *)&address, &length) == 0,
	      "cannot listen");
	announce(argv[2], &address);
	for (uint64_t serial = 1;; serial++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		check(fd >= 0, "accept");
		if (serial > count) {
			finish(fd);
			continue;
		}
		end_early(fd, serial);
		if (serial % every == 0 || serial == count) {
			printf("%s %" PRIu64 "\n", serial == count ? "last" : "connections",
			       serial);
			fflush(stdout);
		}
	}
}
