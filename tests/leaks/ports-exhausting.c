/* SPDX-License-Identifier: MIT */
/*
 * ports-exhausting.c - the source ports to one address run out.
 *
 * Each connection to one server takes a local port, and the one who closes first keeps it for 60 s
 * in TIME_WAIT. A client that opens a connection per request, or whose pool keeps too few of them
 * (Go's MaxIdleConnsPerHost of 2, CloseIdleConnections() at each retry), uses up the 28,000 ports of
 * the default range at 470 connections a second; then connect() says EADDRNOTAVAIL.
 *
 * So as not to make thousands of connections, the program narrows ip_local_port_range, in a network
 * namespace of its own: "nsenter -t PID -n lastack doctor" looks there. here: in the one it was
 * started in, which must have no device but lo. Both need root. TIME_WAIT on loopback may be reused
 * after a second, elsewhere it may not; tcp_tw_reuse is set to 0 to be like elsewhere.
 */
#include "leak.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>

#define PORT_RANGE "40000 40127"
#define POOLED 2     /* kept open by the client, as a small pool does */
#define MOST 1000    /* connections that are tried before it is said not to work */
#define RETRY_MS 500 /* such clients go on trying */

enum { OWN, HERE };

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		leak_skip("%s cannot be set: %s", path, strerror(errno));
	(void)close(fd);
}

/* A namespace with another device that is up is somebody's host. */
static bool is_somebodys(void)
{
	struct ifaddrs *list = NULL;
	bool other = false;

	leak_check(getifaddrs(&list) == 0, "getifaddrs");
	for (const struct ifaddrs *one = list; one; one = one->ifa_next)
		other |= (one->ifa_flags & IFF_UP) && !(one->ifa_flags & IFF_LOOPBACK);
	freeifaddrs(list);
	return other;
}

static void raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	leak_check(fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0, "lo");
	(void)close(fd);
}

static void prepare(int variant)
{
	if (variant == OWN && unshare(CLONE_NEWNET) != 0)
		leak_skip("no network namespace can be made: %s", strerror(errno));
	if (variant == HERE && is_somebodys())
		leak_skip("this network namespace has devices: its ports are not ours to narrow");
	if (variant == OWN)
		raise_loopback();
	set("/proc/sys/net/ipv4/ip_local_port_range", PORT_RANGE);
	set("/proc/sys/net/ipv4/tcp_tw_reuse", "0");
}

/* Reads until the client closes, and closes. */
static void server(void)
{
	int listener = leak_listen();
	int pooled = 0;

	for (;;) {
		int fd = leak_accept(listener);

		if (pooled++ < POOLED)
			continue; /* in use for ever, in good order */
		leak_read_eof(fd);
		(void)close(fd);
	}
}

/* False: there is no port left. */
static bool request(int *kept)
{
	struct sockaddr_in address = leak_loopback(leak_board->ports[0]);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result;

	leak_check(fd >= 0, "socket");
	result = connect(fd, (struct sockaddr *)&address, sizeof(address));
	leak_check(result == 0 || errno == EADDRNOTAVAIL, "connect");
	if (result == 0 && *kept < POOLED)
		(*kept)++;
	else
		(void)close(fd); /* the bug: a new connection for each request */
	return result == 0;
}

static void client(void)
{
	int kept = 0, made = 0;

	LEAK_UNTIL(leak_board->ports[0] != 0);
	while (made < MOST && request(&kept))
		made++;
	if (made == MOST)
		leak_skip("ip_local_port_range is not obeyed here");
	leak_ready();
	for (;;) {
		(void)request(&kept);
		(void)poll(NULL, 0, RETRY_MS);
	}
}

int main(int count, char **args)
{
	pid_t guilty;

	prepare(leak_begin(count, args, "own here"));
	guilty = leak_start(NULL, client);
	(void)leak_start("server", server);
	return leak_tell(guilty);
}
