/* SPDX-License-Identifier: MIT */
/* robust_tcp.h - TCP connections for robust_hold and robust_storm: whatever fails ends the process. */
#ifndef ROBUST_TCP_H
#define ROBUST_TCP_H

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROBUST_LOOK_US 1000  /* between two looks at what is waited for */
#define ROBUST_LOOKS 120000L /* two minutes: 5,000 processes on a loaded machine */
#define ROBUST_BACKLOG 128

static inline void check(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	_exit(1);
}

static inline void address_read(const char *text, struct sockaddr_storage *address,
				socklen_t *length)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *info;
	int error = getaddrinfo(text, NULL, &hints, &info);

	if (error) {
		(void)fprintf(stderr, "robust: %s: %s\n", text, gai_strerror(error));
		_exit(1);
	}
	*length = info->ai_addrlen;
	memcpy(address, info->ai_addr, info->ai_addrlen);
	freeaddrinfo(info);
}

static inline int tcp_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	check(fd >= 0, "socket");
	return fd;
}

/* A listener at this address; *port is its port, in network order. */
static inline int listener_open(const char *text, in_port_t *port)
{
	struct sockaddr_storage address;
	struct sockaddr *any = (struct sockaddr *)&address;
	socklen_t length;
	int fd;

	address_read(text, &address, &length);
	fd = tcp_socket(address.ss_family);
	check(bind(fd, any, length) == 0 && listen(fd, ROBUST_BACKLOG) == 0, "listen");
	check(getsockname(fd, any, &length) == 0, "getsockname");
	/* The port is at the same place in both families. */
	*port = ((struct sockaddr_in *)&address)->sin_port;
	return fd;
}

static inline int client_open(const char *text, in_port_t port)
{
	struct sockaddr_storage address;
	socklen_t length;
	int fd;

	address_read(text, &address, &length);
	((struct sockaddr_in *)&address)->sin_port = port;
	fd = tcp_socket(address.ss_family);
	check(connect(fd, (struct sockaddr *)&address, length) == 0, "connect");
	return fd;
}

static inline bool in_state(int fd, int state)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);

	check(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0, "TCP_INFO");
	return info.tcpi_state == state;
}

static inline void await_state(int fd, int state)
{
	for (long i = 0; !in_state(fd, state); i++) {
		check(i < ROBUST_LOOKS, "a state that does not come");
		(void)usleep(ROBUST_LOOK_US);
	}
}

#endif
