/* SPDX-License-Identifier: MIT */
/*
 * grades_test.c - the table of lastack-close(1): what each grade does on the wire, to unread data,
 * to the ports, the descriptor, the backlog, and to the owner and the peer. On the real kernel, in
 * a network namespace of our own; a packet socket sees what is sent.
 *
 * This process is owner and mender at once: mend takes its descriptor in the same way as another's.
 */
#include "mend/mend.h"
#include "observe/process.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define UNREAD "seventeen bytes.." /* 17 */
#define WAIT_MS 20000		   /* an event that takes longer will not come */

/* A connection over lo: the owner's end, and the peer's. */
struct pair {
	int listener, owner, peer;
	uint16_t owner_port, peer_port;
	struct lai_mend_target target; /* the owner's end */
};

static int wire = -1; /* packet socket */

/* ---- the wire -------------------------------------------------------------------------------- */

/*
 * Appends to log what was sent from that port since the last call: F and R with whatever else is
 * set, D with data. A pure ACK says nothing here: it may be a delayed one.
 */
static void wire_read(uint16_t port, char *log, size_t size)
{
	unsigned char bytes[256];
	struct sockaddr_ll from;
	socklen_t length = sizeof(from);
	ssize_t got;

	while ((got = recvfrom(wire, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC,
			       (struct sockaddr *)&from, &length)) >= 0) {
		const struct iphdr *ip = (const void *)bytes;
		const struct tcphdr *tcp = (const void *)(bytes + sizeof(*ip));
		size_t used = strlen(log);

		length = sizeof(from);
		if (from.sll_pkttype != PACKET_OUTGOING ||
		    got < (ssize_t)(sizeof(*ip) + sizeof(*tcp)) || ip->protocol != IPPROTO_TCP ||
		    ntohs(tcp->source) != port || used + 2 > size)
			continue;
		if (tcp->rst || tcp->fin)
			log[used] = tcp->rst ? 'R' : 'F';
		else if ((size_t)got > sizeof(*ip) + (size_t)tcp->doff * 4)
			log[used] = 'D';
		else
			continue;
		log[used + 1] = '\0';
	}
}

static void wire_forget(void)
{
	char nothing[1] = "";

	wire_read(0, nothing, sizeof(nothing));
}

static void assert_sent(uint16_t port, const char *wanted)
{
	char log[64] = "";

	wire_read(port, log, sizeof(log));
	assert_string_equal(log, wanted);
}

/* ---- a connection ---------------------------------------------------------------------------- */

static uint16_t port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	return ntohs(address.sin_port);
}

static int listen_anywhere(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

struct search {
	uint16_t local, remote;
	struct lai_socket_fact found;
	int count;
};

static int search_each(void *arg, const struct lai_socket_fact *fact)
{
	struct search *search = arg;

	if (lai_address_port(&fact->local) == search->local &&
	    lai_address_port(&fact->remote) == search->remote) {
		search->found = *fact;
		search->count++;
	}
	return 0;
}

/* LAI_TCP_CLOSE: it is in none of the kernel's tables. */
static enum lai_tcp_state kernel_state(uint16_t local, uint16_t remote,
				       struct lai_socket_fact *fact)
{
	struct search search = {.local = local, .remote = remote};
	int error;

	do {
		search.count = 0;
		error = lai_sockdiag_dump(LAI_SOCKDIAG_ALL, search_each, &search);
	} while (error == -EAGAIN);
	assert_int_equal(error, 0);
	if (search.count && fact)
		*fact = search.found;
	return search.count ? search.found.state : LAI_TCP_CLOSE;
}

static enum lai_tcp_state owner_state(const struct pair *pair)
{
	return kernel_state(pair->owner_port, pair->peer_port, NULL);
}

static enum lai_tcp_state peer_state(const struct pair *pair)
{
	return kernel_state(pair->peer_port, pair->owner_port, NULL);
}

/* The ACK of a FIN may be delayed. */
static void await_fin_wait2(const struct pair *pair)
{
	while (owner_state(pair) == LAI_TCP_FIN_WAIT1)
		(void)sched_yield();
	assert_int_equal(owner_state(pair), LAI_TCP_FIN_WAIT2);
}

/* What a snapshot would say of the owner's end now. */
static void aim(struct pair *pair)
{
	pair->target = (struct lai_mend_target){.name_space = {.ours = true}, .fd = -1};
	assert_int_not_equal(kernel_state(pair->owner_port, pair->peer_port, &pair->target.socket),
			     LAI_TCP_CLOSE);
	if (pair->owner >= 0) {
		pair->target.pid = getpid();
		pair->target.fd = pair->owner;
		assert_int_equal(lai_process_start(getpid(), &pair->target.start_ticks), 0);
	}
	wire_forget();
}

static struct pair pair_open(bool accepted)
{
	struct pair pair = {.listener = listen_anywhere(), .owner = -1};

	pair.owner_port = port_of(pair.listener);
	pair.peer = connect_to(pair.owner_port);
	pair.peer_port = port_of(pair.peer);
	if (accepted) {
		pair.owner = accept4(pair.listener, NULL, NULL, SOCK_CLOEXEC);
		assert_true(pair.owner >= 0);
	}
	return pair;
}

static struct pair pair_in_close_wait(bool accepted)
{
	struct pair pair = pair_open(accepted);

	assert_int_equal(send(pair.peer, UNREAD, strlen(UNREAD), 0), strlen(UNREAD));
	assert_int_equal(shutdown(pair.peer, SHUT_WR), 0);
	aim(&pair);
	assert_int_equal(pair.target.socket.state, LAI_TCP_CLOSE_WAIT);
	return pair;
}

static void pair_done(struct pair *pair)
{
	(void)close(pair->owner);
	(void)close(pair->peer);
	(void)close(pair->listener);
}

static void mend(struct pair *pair, enum lai_mend_how how)
{
	struct lai_mend_result result = lai_mend(&pair->target, how, NULL);

	assert_string_equal(lai_mend_outcome_name(result.outcome), "mended");
}

/* ---- what owner and peer notice -------------------------------------------------------------- */

static short events_of(int fd)
{
	struct pollfd events = {.fd = fd, .events = POLLIN | POLLOUT};

	assert_true(poll(&events, 1, 0) >= 0);
	return events.revents;
}

/* recv() of all that is there, then how it goes on: 0 for EOF, or an errno. */
static void assert_reads(int fd, const char *wanted, int then)
{
	char data[64] = "";
	ssize_t got = 0, size = (ssize_t)strlen(wanted);

	if (size) {
		got = recv(fd, data, sizeof(data) - 1, MSG_DONTWAIT);
		assert_int_equal(got, size);
		assert_string_equal(data, wanted);
	}
	got = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	assert_int_equal(got < 0 ? errno : 0, then);
	assert_int_equal(got, then ? -1 : 0);
}

static int send_errno(int fd)
{
	return send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* A thread that sleeps in recv(). */
struct sleeper {
	pthread_t thread;
	int fd;
	ssize_t got;
	int error;
	pid_t tid;
};

static void *sleeper_run(void *arg)
{
	struct sleeper *sleeper = arg;
	char byte;

	__atomic_store_n(&sleeper->tid, gettid(), __ATOMIC_RELEASE);
	sleeper->got = recv(sleeper->fd, &byte, 1, 0);
	sleeper->error = sleeper->got < 0 ? errno : 0;
	return NULL;
}

static bool asleep(pid_t tid)
{
	char path[64], line[512] = "";
	const char *end;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	file = fopen(path, "re");
	assert_non_null(file);
	(void)!fgets(line, sizeof(line), file);
	(void)fclose(file);
	end = strrchr(line, ')');
	return end && end[2] == 'S';
}

static void sleeper_start(struct sleeper *sleeper, int fd)
{
	*sleeper = (struct sleeper){.fd = fd};
	assert_int_equal(pthread_create(&sleeper->thread, NULL, sleeper_run, sleeper), 0);
	while (!__atomic_load_n(&sleeper->tid, __ATOMIC_ACQUIRE) || !asleep(sleeper->tid))
		(void)sched_yield();
}

static void sleeper_join(struct sleeper *sleeper)
{
	struct timespec until;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &until), 0);
	until.tv_sec += WAIT_MS / 1000;
	assert_int_equal(pthread_timedjoin_np(sleeper->thread, NULL, &until), 0);
}

/* ---- fin ------------------------------------------------------------------------------------- */

static void fin_in_close_wait(void **state)
{
	struct pair pair = pair_in_close_wait(true);

	(void)state;
	mend(&pair, LAI_MEND_FIN);
	assert_sent(pair.owner_port, "F");
	assert_int_equal(owner_state(&pair), LAI_TCP_CLOSE); /* the ports are free */
	assert_int_equal(peer_state(&pair), LAI_TCP_TIME_WAIT);
	assert_true(is_open(pair.owner)); /* the descriptor is not */
	assert_true(events_of(pair.owner) & POLLHUP);
	assert_false(events_of(pair.owner) & POLLERR);
	assert_reads(pair.owner, UNREAD, 0);
	assert_int_equal(send_errno(pair.owner), EPIPE);
	assert_reads(pair.peer, "", 0); /* a proper end */
	pair_done(&pair);
	assert_sent(pair.owner_port, ""); /* nor does the owner's close() disturb it */
}

static void fin_in_established(void **state)
{
	struct pair pair = pair_open(true);
	struct sleeper sleeper;

	(void)state;
	aim(&pair);
	sleeper_start(&sleeper, pair.owner);
	mend(&pair, LAI_MEND_FIN);
	sleeper_join(&sleeper);
	assert_int_equal(sleeper.got, 0); /* a blocked recv() sees EOF */
	assert_sent(pair.owner_port, "F");
	await_fin_wait2(&pair);
	assert_true(events_of(pair.owner) & POLLHUP);
	/* What the peer says now is answered by RST: nobody will read it. */
	assert_int_equal(send_errno(pair.peer), 0);
	assert_sent(pair.owner_port, "R");
	assert_int_equal(owner_state(&pair), LAI_TCP_CLOSE);
	assert_reads(pair.peer, "", 0); /* it had our FIN */
	assert_int_equal(send_errno(pair.peer), EPIPE);
	pair_done(&pair);
}

static void fin_in_established_keeps_unread(void **state)
{
	struct pair pair = pair_open(true);

	(void)state;
	assert_int_equal(send(pair.peer, UNREAD, strlen(UNREAD), 0), strlen(UNREAD));
	aim(&pair);
	mend(&pair, LAI_MEND_FIN);
	assert_sent(pair.owner_port, "F");
	assert_reads(pair.owner, UNREAD, 0);
	pair_done(&pair);
}

static void fin_in_fin_wait2(void **state)
{
	struct pair pair = pair_open(true);
	struct sleeper sleeper;

	(void)state;
	assert_int_equal(shutdown(pair.owner, SHUT_WR), 0);
	await_fin_wait2(&pair);
	aim(&pair);
	sleeper_start(&sleeper, pair.owner);
	mend(&pair, LAI_MEND_FIN);
	sleeper_join(&sleeper);
	assert_int_equal(sleeper.got, 0); /* the owner is woken, and that is all */
	assert_true(events_of(pair.owner) & POLLHUP);
	assert_sent(pair.owner_port, "");
	assert_int_equal(owner_state(&pair), LAI_TCP_FIN_WAIT2);
	assert_int_equal(peer_state(&pair), LAI_TCP_CLOSE_WAIT);
	pair_done(&pair);
}

static void fin_on_a_listener(void **state)
{
	struct pair pair = pair_open(false);
	struct pair listener = {.owner = pair.listener, .owner_port = pair.owner_port};

	(void)state;
	aim(&listener);
	assert_int_equal(listener.target.socket.state, LAI_TCP_LISTEN);
	mend(&listener, LAI_MEND_FIN);
	assert_sent(pair.owner_port, "R"); /* those that wait for accept() */
	assert_int_equal(kernel_state(pair.owner_port, 0, NULL), LAI_TCP_CLOSE);
	assert_true(is_open(pair.listener));
	pair_done(&pair);
}

/* ---- rst ------------------------------------------------------------------------------------- */

static void rst_in_close_wait(void **state)
{
	struct pair pair = pair_in_close_wait(true);

	(void)state;
	mend(&pair, LAI_MEND_RST);
	assert_sent(pair.owner_port, "R");
	assert_int_equal(owner_state(&pair), LAI_TCP_CLOSE);
	assert_int_equal(peer_state(&pair), LAI_TCP_CLOSE);
	assert_true(is_open(pair.owner));
	assert_true(events_of(pair.owner) & POLLHUP);
	assert_reads(pair.owner, UNREAD, 0);
	assert_reads(pair.peer, "", ECONNRESET);
	pair_done(&pair);
}

static void rst_in_established(void **state)
{
	struct pair pair = pair_open(true);

	(void)state;
	assert_int_equal(send(pair.peer, UNREAD, strlen(UNREAD), 0), strlen(UNREAD));
	aim(&pair);
	mend(&pair, LAI_MEND_RST);
	assert_sent(pair.owner_port, "R");
	assert_int_equal(owner_state(&pair), LAI_TCP_CLOSE);
	assert_true(is_open(pair.owner));
	assert_true(events_of(pair.owner) & POLLERR);
	assert_reads(pair.owner, UNREAD, ECONNABORTED);
	assert_reads(pair.peer, "", ECONNRESET);
	pair_done(&pair);
}

/* Fills both buffers between the owner and a peer that does not read; returns how many bytes. */
static size_t fill(int owner)
{
	static const char data[65536];
	size_t written = 0;
	ssize_t got;

	while ((got = send(owner, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		written += (size_t)got;
	assert_int_equal(errno, EAGAIN);
	return written;
}

/* All that comes, and then EOF or an error. */
static size_t drain(int peer, int then)
{
	static char data[65536];
	struct timeval wait = {.tv_sec = WAIT_MS / 1000};
	size_t read_bytes = 0;
	ssize_t got;

	assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	while ((got = recv(peer, data, sizeof(data), 0)) > 0)
		read_bytes += (size_t)got;
	assert_int_equal(got < 0 ? errno : 0, then);
	return read_bytes;
}

static void fin_sends_all_that_was_written(void **state)
{
	struct pair pair = pair_in_close_wait(true);
	size_t written = fill(pair.owner);

	(void)state;
	aim(&pair);
	mend(&pair, LAI_MEND_FIN);
	assert_int_equal(drain(pair.peer, 0), written);
	pair_done(&pair);
}

static void rst_destroys_what_was_written(void **state)
{
	struct pair pair = pair_in_close_wait(true);
	size_t written = fill(pair.owner);

	(void)state;
	aim(&pair);
	assert_true(pair.target.socket.wqueue_bytes > 0);
	mend(&pair, LAI_MEND_RST);
	assert_true(drain(pair.peer, ECONNRESET) < written);
	pair_done(&pair);
}

static void rst_in_fin_wait2(void **state)
{
	struct pair pair = pair_open(true);

	(void)state;
	assert_int_equal(shutdown(pair.owner, SHUT_WR), 0);
	await_fin_wait2(&pair);
	aim(&pair);
	mend(&pair, LAI_MEND_RST);
	assert_sent(pair.owner_port, "R");
	assert_int_equal(owner_state(&pair), LAI_TCP_CLOSE);
	assert_int_equal(peer_state(&pair), LAI_TCP_CLOSE);
	pair_done(&pair);
}

static uint32_t waiting(const struct pair *pair)
{
	struct lai_socket_fact listener;

	assert_int_equal(kernel_state(pair->owner_port, 0, &listener), LAI_TCP_LISTEN);
	return listener.rqueue_bytes;
}

static void rst_never_accepted(void **state)
{
	struct pair pair = pair_in_close_wait(false);

	(void)state;
	assert_int_equal(pair.target.socket.inode, 0);
	assert_int_equal(waiting(&pair), 1);
	mend(&pair, LAI_MEND_RST);
	assert_sent(pair.owner_port, "R");
	assert_int_equal(owner_state(&pair), LAI_TCP_CLOSE);
	assert_int_equal(waiting(&pair), 1); /* its place in the backlog is not free */
	pair.owner = accept4(pair.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(pair.owner >= 0); /* until somebody accepts it, dead as it is */
	assert_int_equal(waiting(&pair), 0);
	assert_reads(pair.owner, UNREAD, 0);
	pair_done(&pair);
}

static void fin_never_accepted(void **state)
{
	struct pair pair = pair_in_close_wait(false);
	struct lai_mend_result result = lai_mend(&pair.target, LAI_MEND_FIN, NULL);

	(void)state;
	assert_string_equal(lai_mend_outcome_name(result.outcome), "impossible");
	assert_sent(pair.owner_port, "");
	assert_int_equal(owner_state(&pair), LAI_TCP_CLOSE_WAIT);
	pair_done(&pair);
}

/* TIME_WAIT, and FIN_WAIT2 whose program has closed: the kernel's own. */
static void rst_on_what_the_kernel_holds(void **state)
{
	struct pair pair = pair_open(true);

	(void)state;
	assert_int_equal(close(pair.owner), 0);
	pair.owner = -1;
	await_fin_wait2(&pair);
	aim(&pair);
	mend(&pair, LAI_MEND_RST);
	assert_sent(pair.owner_port, "");
	assert_int_equal(owner_state(&pair), LAI_TCP_CLOSE);
	pair_done(&pair);

	pair = pair_open(true);
	assert_int_equal(close(pair.owner), 0);
	pair.owner = -1;
	assert_int_equal(close(pair.peer), 0);
	pair.peer = -1;
	aim(&pair);
	assert_int_equal(pair.target.socket.state, LAI_TCP_TIME_WAIT);
	mend(&pair, LAI_MEND_RST);
	assert_sent(pair.owner_port, "");
	assert_int_equal(owner_state(&pair), LAI_TCP_CLOSE);
	pair_done(&pair);
}

/* ---- keepalive ------------------------------------------------------------------------------- */

static const struct lai_mend_keepalive quick = {.idle_s = 1, .interval_s = 1, .probes = 2};

static void mend_keepalive(struct pair *pair)
{
	struct lai_mend_result result = lai_mend(&pair->target, LAI_MEND_KEEPALIVE, &quick);

	assert_string_equal(lai_mend_outcome_name(result.outcome), "mended");
}

/* How many probes this namespace has sent. */
static unsigned long probes(void)
{
	static char names[8192], numbers[8192];
	char *name, *number, *names_rest, *numbers_rest;
	FILE *file = fopen("/proc/net/netstat", "re");
	unsigned long count = 0;

	assert_non_null(file);
	while (fgets(names, sizeof(names), file) && fgets(numbers, sizeof(numbers), file)) {
		name = strtok_r(names, " \n", &names_rest);
		number = strtok_r(numbers, " \n", &numbers_rest);
		while (name && number) {
			if (strcmp(name, "TCPKeepAlive") == 0)
				count = strtoul(number, NULL, 10);
			name = strtok_r(NULL, " \n", &names_rest);
			number = strtok_r(NULL, " \n", &numbers_rest);
		}
	}
	(void)fclose(file);
	return count;
}

/* A live peer answers, and nothing changes. */
static void keepalive_with_a_live_peer(void **state)
{
	struct pair pair = pair_in_close_wait(true);
	unsigned long before = probes();

	(void)state;
	mend_keepalive(&pair);
	/* As many as would prove a dead one dead, and one more. */
	for (int waited_ms = 0; probes() < before + quick.probes + 1; waited_ms += 20) {
		assert_true(waited_ms < WAIT_MS);
		assert_int_equal(poll(NULL, 0, 20), 0);
	}
	assert_sent(pair.owner_port, "");
	assert_int_equal(owner_state(&pair), LAI_TCP_CLOSE_WAIT);
	assert_reads(pair.owner, UNREAD, 0);
	pair_done(&pair);
}

/* The peer's host has forgotten the connection, without a word: it answers the probe by RST. */
static void keepalive_with_a_peer_that_forgot(void **state)
{
	struct pair pair = pair_in_close_wait(true);
	struct pollfd events = {.fd = pair.owner, .events = 0};
	int on = 1;

	(void)state;
	if (setsockopt(pair.peer, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) != 0) {
		pair_done(&pair);
		print_message("# no TCP_REPAIR here\n");
		skip();
	}
	assert_int_equal(close(pair.peer), 0);
	pair.peer = -1;
	mend_keepalive(&pair);
	assert_int_equal(poll(&events, 1, WAIT_MS), 1);
	assert_true(events.revents & POLLERR);
	assert_int_equal(owner_state(&pair), LAI_TCP_CLOSE);
	assert_reads(pair.owner, UNREAD, 0);
	assert_int_equal(send_errno(pair.owner), EPIPE);
	pair_done(&pair);
}

static uint32_t option_of(int fd, int level, int option)
{
	uint32_t value = 0;
	socklen_t length = sizeof(value);

	assert_int_equal(getsockopt(fd, level, option, &value, &length), 0);
	return value;
}

static void keepalive_that_is_quicker_stays(void **state)
{
	struct pair pair = pair_in_close_wait(true);
	int on = 1, idle_s = 3;
	struct lai_mend_result result;

	(void)state;
	assert_int_equal(setsockopt(pair.owner, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s)),
			 0);
	assert_int_equal(setsockopt(pair.owner, IPPROTO_TCP, TCP_KEEPINTVL, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(pair.owner, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), 0);
	result = lai_mend(&pair.target, LAI_MEND_KEEPALIVE, NULL);
	assert_string_equal(lai_mend_outcome_name(result.outcome), "mended");
	assert_int_equal(option_of(pair.owner, IPPROTO_TCP, TCP_KEEPIDLE), 3);
	assert_int_equal(option_of(pair.owner, IPPROTO_TCP, TCP_KEEPINTVL), 1);
	/* A slower one does not. */
	result = lai_mend(&pair.target, LAI_MEND_KEEPALIVE, &quick);
	assert_string_equal(lai_mend_outcome_name(result.outcome), "mended");
	assert_int_equal(option_of(pair.owner, IPPROTO_TCP, TCP_KEEPIDLE), 1);
	pair_done(&pair);
}

/* ---- the room -------------------------------------------------------------------------------- */

static int enter(void **state)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	(void)state;
	fd = pidfd_open(getpid(), 0);
	if (fd < 0) { /* valgrind does not know it either */
		printf("1..0 # SKIP pidfd_open: %s\n", strerror(errno));
		exit(77);
	}
	(void)close(fd);
	if (unshare(CLONE_NEWNET) != 0) {
		printf("1..0 # SKIP needs root: no network namespace of our own\n");
		exit(77);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	wire = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (fd < 0 || wire < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		return -1;
	return close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "fin, CLOSE_WAIT: one FIN, ports free, unread data stays, owner woken",
		 .test_func = fin_in_close_wait},
		{.name = "fin: all that the owner has written arrives first",
		 .test_func = fin_sends_all_that_was_written},
		{.name = "fin, ESTABLISHED: FIN, a blocked recv() returns, later data meets RST",
		 .test_func = fin_in_established},
		{.name = "fin, ESTABLISHED: unread data stays",
		 .test_func = fin_in_established_keeps_unread},
		{.name = "fin, FIN_WAIT2: nothing is sent, the owner is woken",
		 .test_func = fin_in_fin_wait2},
		{.name = "fin, LISTEN: stops listening, those that wait get RST",
		 .test_func = fin_on_a_listener},
		{.name = "fin, never accepted: impossible, and nothing changes",
		 .test_func = fin_never_accepted},
		{.name = "rst, CLOSE_WAIT: RST, unread data stays, then EOF",
		 .test_func = rst_in_close_wait},
		{.name = "rst, ESTABLISHED: RST, unread data stays, then ECONNABORTED",
		 .test_func = rst_in_established},
		{.name = "rst: what the peer has not acknowledged is destroyed",
		 .test_func = rst_destroys_what_was_written},
		{.name = "rst, FIN_WAIT2: RST, the peer's CLOSE_WAIT ends too",
		 .test_func = rst_in_fin_wait2},
		{.name = "rst, never accepted: RST, its place in the backlog stays until accept()",
		 .test_func = rst_never_accepted},
		{.name = "rst, TIME_WAIT and orphaned FIN_WAIT2: forgotten without a word",
		 .test_func = rst_on_what_the_kernel_holds},
		{.name = "keepalive, a live peer: a probe, and nothing changes",
		 .test_func = keepalive_with_a_live_peer},
		{.name = "keepalive, a peer that forgot: its RST ends it, unread data stays",
		 .test_func = keepalive_with_a_peer_that_forgot},
		{.name = "keepalive: a quicker one of the owner's stays, a slower one does not",
		 .test_func = keepalive_that_is_quicker_stays},
	};

	return cmocka_run_group_tests_name("close.grades", tests, enter, NULL);
}
