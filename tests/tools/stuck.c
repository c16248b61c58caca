/* SPDX-License-Identifier: MIT */
/*
 * stuck.c - connections that do not end, for the tests of lastack close: an owner that is told of
 * the peer's FIN and does nothing, and the peers.
 *
 *	stuck own [backlog]   listens at an ephemeral port; with "backlog" never accepts
 *	stuck peer ADDRESS PORT COUNT BYTES [open]  connects, says BYTES bytes and FIN (or no FIN)
 *
 * What own says on standard output: "port N"; "held N" whenever it has accepted; and as soon as
 * epoll has noticed the end of a connection (EPOLLHUP, EPOLLERR): "woken N exact M errors E", where
 * M counts those whose unread bytes were all there, byte for byte, and E those with an error behind
 * them instead of EOF. Descriptors stay open.
 * What it takes on standard input: "accept" (one connection; tells what recv() gives) and "close"
 * (all); it ends at EOF. peer says "connected COUNT", and ends at EOF of its input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define BYTES_MAX 65536

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Byte number i that the peer at this port says. */
static unsigned char byte_of(uint16_t port, size_t i)
{
	return (unsigned char)(port * 31u + i * 7u + (i >> 8));
}

static void limits_up(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* ---- own ------------------------------------------------------------------------------------- */

static unsigned long held, woken, exact, errors;
static size_t bytes_wanted = SIZE_MAX; /* whatever the first one has */
static int epoll_fd, listener;

static uint16_t peer_port(int fd)
{
	static struct sockaddr_in6 address;
	socklen_t length = sizeof(address);

	/* An ended connection has no peer any more: kept by descriptor. */
	if (getpeername(fd, (struct sockaddr *)&address, &length) != 0)
		return 0;
	return ntohs(address.sin6_port);
}

static uint16_t *ports; /* by descriptor */
static int ports_count;

static void remember(int fd)
{
	if (fd >= ports_count) {
		int count = fd + 1024;

		ports = realloc(ports, (size_t)count * sizeof(*ports));
		if (!ports)
			die("realloc");
		memset(ports + ports_count, 0, (size_t)(count - ports_count) * sizeof(*ports));
		ports_count = count;
	}
	ports[fd] = peer_port(fd);
}

static void look(int fd)
{
	unsigned char data[BYTES_MAX];
	size_t size = 0;
	ssize_t got;
	bool same = true;

	while ((got = recv(fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
		for (ssize_t i = 0; i < got; i++, size++)
			same = same && data[i] == byte_of(ports[fd], size);
	if (bytes_wanted == SIZE_MAX)
		bytes_wanted = size;
	woken++;
	errors += got < 0;
	exact += same && size == bytes_wanted;
}

static void take_all(void)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		/* No interest in anything: EPOLLHUP and EPOLLERR come all the same. */
		struct epoll_event event = {.events = EPOLLONESHOT, .data.fd = fd};

		remember(fd);
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
			die("epoll_ctl");
		held++;
	}
	if (errno == EINVAL) { /* it does not listen any more */
		(void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, listener, NULL);
		printf("deaf\n");
	} else if (errno != EAGAIN) {
		die("accept");
	}
	printf("held %lu\n", held);
}

static void take_one(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	char data[BYTES_MAX];
	ssize_t got;

	if (fd < 0) {
		printf("accepted none: %s\n", strerror(errno));
		return;
	}
	got = recv(fd, data, sizeof(data), 0);
	printf("accepted, recv %zd%s%s", got, got < 0 ? " " : "", got < 0 ? strerror(errno) : "");
	got = recv(fd, data, sizeof(data), 0);
	printf(", then %zd%s%s\n", got, got < 0 ? " " : "", got < 0 ? strerror(errno) : "");
}

static bool obey(void)
{
	static char line[64];
	ssize_t got = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (got <= 0)
		return false;
	line[got] = '\0';
	if (strncmp(line, "accept", 6) == 0)
		take_one();
	if (strncmp(line, "close", 5) == 0) {
		for (int fd = 0; fd < ports_count; fd++)
			if (ports[fd])
				(void)close(fd);
		printf("closed\n");
	}
	return true;
}

static void watch(int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
}

static int own(bool backlog)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	struct epoll_event events[EVENTS_MAX];
	socklen_t length = sizeof(any);

	listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (listener < 0 || bind(listener, (struct sockaddr *)&any, sizeof(any)) != 0 ||
	    listen(listener, 4096) != 0 ||
	    getsockname(listener, (struct sockaddr *)&any, &length) != 0)
		die("listen");
	printf("port %d\n", ntohs(any.sin6_port));
	if (!backlog)
		watch(listener, EPOLLIN);
	watch(STDIN_FILENO, EPOLLIN);
	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
		unsigned long before = woken;

		if (count < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				take_all();
			else if (events[i].data.fd != STDIN_FILENO)
				look(events[i].data.fd);
			else if (!obey())
				return 0;
		}
		if (woken != before)
			printf("woken %lu exact %lu errors %lu\n", woken, exact, errors);
	}
}

/* ---- peer ------------------------------------------------------------------------------------ */

static int connect_once(const struct sockaddr_storage *to, socklen_t length)
{
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, length) != 0)
		die("connect");
	return fd;
}

static socklen_t address_of(const char *text, int port, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (void *)to;
	struct sockaddr_in6 *v6 = (void *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
		die(text);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	return sizeof(*v6);
}

static int peer(char **args, int arg_count)
{
	static unsigned char data[BYTES_MAX];
	struct sockaddr_storage to;
	struct sockaddr_in6 local = {0}; /* the port of an IPv4 address is at the same place */
	socklen_t to_length = address_of(args[0], atoi(args[1]), &to), length;
	unsigned long count = strtoul(args[2], NULL, 10);
	size_t size = strtoul(args[3], NULL, 10);
	bool open = arg_count > 4;
	char byte;

	if (size > sizeof(data))
		die("BYTES");
	for (unsigned long i = 0; i < count; i++) {
		int fd = connect_once(&to, to_length);

		length = sizeof(local);
		if (getsockname(fd, (struct sockaddr *)&local, &length) != 0)
			die("getsockname");
		for (size_t k = 0; k < size; k++)
			data[k] = byte_of(ntohs(local.sin6_port), k);
		if (size && send(fd, data, size, 0) != (ssize_t)size)
			die("send");
		if (!open && shutdown(fd, SHUT_WR) != 0)
			die("shutdown");
	}
	printf("connected %lu\n", count);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	return 0;
}

int main(int count, char **args)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	limits_up();
	if (count >= 2 && strcmp(args[1], "own") == 0)
		return own(count > 2);
	if (count >= 6 && strcmp(args[1], "peer") == 0)
		return peer(args + 2, count - 2);
	fprintf(stderr,
		"usage: stuck own [backlog] | stuck peer ADDRESS PORT COUNT BYTES [open]\n");
	return 2;
}
