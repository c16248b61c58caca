/* SPDX-License-Identifier: MIT */
#include "cli/demo_server.h"

#include "base/address.h"
#include "cli/demo_child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The receive buffer, small so that a frozen server's window is closed within a second, but room
 * for some records of the longest kind. The listener's value is inherited by its connections.
 */
#define RECEIVE_BYTES (4 * LAI_DEMO_RECORD_MAX)
#define BACKLOG 64
/* How long it may take to end. It never waits for anything else than its orders. */
#define STOP_MS 1000

int lai_demo_bind(uint16_t *port)
{
	struct lai_address address;
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, bytes = RECEIVE_BYTES;

	if (sock < 0)
		return -errno;
	(void)lai_address_parse("127.0.0.1", *port, &address);
	if (setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0 ||
	    bind(sock, &address.sa, address.length) < 0 ||
	    getsockname(sock, &address.sa, &address.length) < 0) {
		int error = -errno;

		(void)close(sock);
		return error;
	}
	*port = lai_address_port(&address);
	return sock;
}

int lai_demo_listen(uint16_t *port)
{
	int sock = lai_demo_bind(port);

	if (sock >= 0 && listen(sock, BACKLOG) < 0) {
		int error = -errno;

		(void)close(sock);
		return error;
	}
	return sock;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

int lai_demo_server_start(struct lai_demo_server *server)
{
	struct lai_demo_server made = {.orders = -1, .keeper = -1};
	int pair[2] = {-1, -1}, listener = -1, error = 0;
	pid_t parent = getpid();

	made.tally = mmap(NULL, sizeof(*made.tally), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (made.tally == MAP_FAILED)
		return -errno;
	made.keeper = lai_demo_bind(&made.port);
	listener = made.keeper < 0 ? made.keeper : lai_demo_listen(&made.port);
	if (listener < 0)
		error = listener;
	else if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
		 (made.pid = fork()) < 0)
		error = -errno;
	if (!error && made.pid == 0) {
		(void)close(pair[0]);
		lai_demo_child_begin(parent);
		lai_demo_serve(pair[1], listener, made.port, made.tally);
	}
	close_if_open(listener);
	close_if_open(pair[1]);
	made.orders = pair[0];
	if (!error) {
		*server = made;
		return 0;
	}
	close_if_open(made.keeper);
	close_if_open(made.orders);
	(void)munmap(made.tally, sizeof(*made.tally));
	return error;
}

void lai_demo_server_order(struct lai_demo_server *server, enum lai_demo_fault fault,
			   uint32_t after_records)
{
	struct lai_demo_order order = {.fault = fault, .after_records = after_records};

	if (fault == LAI_DEMO_FREEZE) {
		(void)kill(server->pid, SIGSTOP);
		return;
	}
	(void)send(server->orders, &order, sizeof(order), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)kill(server->pid, SIGCONT);
}

void lai_demo_server_stop(struct lai_demo_server *server)
{
	if (server->pid <= 0)
		return;
	lai_demo_server_order(server, LAI_DEMO_END, 0);
	(void)lai_demo_child_end(server->pid, STOP_MS);
	(void)close(server->orders);
	(void)close(server->keeper);
	server->pid = 0;
	server->orders = server->keeper = -1;
}

void lai_demo_server_done(struct lai_demo_server *server)
{
	if (server->tally)
		(void)munmap(server->tally, sizeof(*server->tally));
	server->tally = NULL;
}
