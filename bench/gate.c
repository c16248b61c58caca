/* SPDX-License-Identifier: MIT */
/*
 * gate.c - a server that dies once and comes back: how long until its client is there again?
 *
 *     gate --port-file FILE DOWN_MS
 *
 * Listens, accepts, reads until 100 bytes have come, resets the connection and stops listening;
 * DOWN_MS later it listens on the same port again. Prints the time from that listen() to the first
 * byte read, and the connections that asked in vain meanwhile in this network namespace:
 *     {"back_to_first_byte_ms":N,"refused":N}
 * Exit: 0 done, 1 a system call failed or nobody came in 90 seconds, 2 bad usage.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FIRST_BYTES 100
#define PATIENCE_MS 90000

static struct sockaddr_in address;

static void check(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* RSTs that this namespace has sent: a refused SYN is answered by one. */
static uint64_t resets_sent(void)
{
	FILE *file = fopen("/proc/net/snmp", "r");
	char line[1024];
	uint64_t sent = 0;

	check(file != NULL, "/proc/net/snmp");
	while (fgets(line, sizeof(line), file))
		/* RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails ...
		 * OutRsts */
		(void)sscanf(line,
			     "Tcp: %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %" SCNu64,
			     &sent);
	fclose(file);
	return sent;
}

static int open_gate(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	socklen_t length = sizeof(address);

	check(fd >= 0, "socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	check(bind(fd, (struct sockaddr *)&address, length) == 0, "bind");
	check(listen(fd, 16) == 0, "listen");
	check(getsockname(fd, (struct sockaddr *)&address, &length) == 0, "getsockname");
	return fd;
}

/* Somebody may connect and go again without a word (nc -z does): the next one counts. */
static int accept_talker(int listener, size_t wanted)
{
	uint64_t by_ns = now_ns() + PATIENCE_MS * 1000000ull;
	struct pollfd slot = {.fd = listener, .events = POLLIN};
	static char data[65536];

	while (now_ns() < by_ns && poll(&slot, 1, PATIENCE_MS) > 0) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		size_t got = 0;
		ssize_t n = 1;

		check(fd >= 0, "accept");
		while (got < wanted && (n = recv(fd, data, sizeof(data), 0)) > 0)
			got += (size_t)n;
		if (got >= wanted)
			return fd;
		close(fd);
	}
	fputs("gate: nobody came\n", stderr);
	exit(1);
}

static void announce(const char *path)
{
	char other[4096];
	FILE *file;

	snprintf(other, sizeof(other), "%s.new", path);
	file = fopen(other, "w");
	check(file && fprintf(file, "%d\n", ntohs(address.sin_port)) > 0 && fclose(file) == 0 &&
		      rename(other, path) == 0,
	      path);
}

int main(int argc, char **argv)
{
	const struct linger abort = {.l_onoff = 1, .l_linger = 0};
	struct timespec down;
	uint64_t began_ns, down_ms, refused;
	int listener, fd;

	if (argc != 4 || strcmp(argv[1], "--port-file") ||
	    (down_ms = strtoull(argv[3], NULL, 10)) == 0) {
		fputs("usage: gate --port-file FILE DOWN_MS\n", stderr);
		return 2;
	}
	address = (struct sockaddr_in){.sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	listener = open_gate();
	announce(argv[2]);
	fd = accept_talker(listener, FIRST_BYTES);
	close(listener);
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	close(fd);

	refused = resets_sent();
	down = (struct timespec){(time_t)(down_ms / 1000), (long)(down_ms % 1000) * 1000000};
	nanosleep(&down, NULL);
	refused = resets_sent() - refused;
	listener = open_gate();
	began_ns = now_ns();
	fd = accept_talker(listener, 1);
	printf("{\"back_to_first_byte_ms\":%.3f,\"refused\":%" PRIu64 "}\n",
	       (double)(now_ns() - began_ns) / 1e6, refused);
	close(fd);
	return 0;
}
