/* SPDX-License-Identifier: MIT */
/*
 * badwire.c - a cable that loses, doubles, delays, reorders, corrupts, and now and then kills.
 *
 *     badwire [--NAME VALUE]...
 *
 *     left: the caller's network namespace               right: one that badwire makes for itself,
 *                                                         /proc/PID/ns/net for nsenter(1)
 *     10.7.0.1 tun ------- read, faults, queue by due time, write ------- tun 10.7.0.2
 *
 * A packet goes through these in turn: black hole, loss, corruption, duplication, delay. Delay with
 * jitter keeps the order of a direction; a packet that is held back does not. Nothing here needs a
 * kernel module but tun. TUN without IFF_VNET_HDR carries whole packets with complete checksums.
 *
 * A forged RST takes a passing segment of a connection and writes to one end or both what the other
 * end's kernel would send. Only the exact next number kills (RFC 5961 3.2): that is what the victim
 * last acknowledged, unless its acknowledgement is late; then it is the end of what it was given.
 * Both are tried.
 *
 * Options, with their defaults: --seed 1, --loss 0, --duplicate 0, --corrupt 0, --hold 0 (packets
 * out of 1000), --delay 0, --jitter 0, --hold-for 20 (ms, at most), --reset-every 0, --hole-every 0
 * (ms on average, 0: never), --hole-for 500 (ms, at most), --say-every 0 (ms, 0: at the end alone).
 *
 * Standard output: "ready left ADDRESS right ADDRESS", then lines of "name value" pairs, what
 * happened so far; the last one at SIGTERM. Exit 0; 2 bad usage; 77 there can be no such wire here
 * (the reason on standard error).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ull
#define NEVER UINT64_MAX
#define EXIT_SKIP 77
/* A TUN device's MTU is 1500; nothing longer comes. */
#define PACKET_ROOM 1536
/* Seconds of a fast stream; what does not fit is dropped, as in any router. */
#define QUEUE_MAX 4096
#define FLOWS_MAX 64
/* One forged RST in so many is followed by another soon: it meets the handshake or the login. */
#define SOON_ONE_IN 6
#define SOON_NS (60 * MS)
#define RST_BYTES (sizeof(struct iphdr) + sizeof(struct tcphdr))

enum side { LEFT, RIGHT, SIDE_COUNT };

static const char *const address_of[SIDE_COUNT] = {"10.7.0.1", "10.7.0.2"};

enum count {
	PACKETS,
	LOST,
	CORRUPTED,
	DUPLICATED,
	HELD,
	OUT_OF_ORDER, /* left after one that had come later */
	RESETS,	      /* connections, not packets */
	RESETS_LEFT,
	RESETS_RIGHT,
	RESETS_BOTH,
	HOLES,
	SWALLOWED,
	OVERFLOWED,
	COUNT_COUNT
};

static const char *const count_name[COUNT_COUNT] = {
	[PACKETS] = "packets",
	[LOST] = "lost",
	[CORRUPTED] = "corrupted",
	[DUPLICATED] = "duplicated",
	[HELD] = "held_back",
	[OUT_OF_ORDER] = "out_of_order",
	[RESETS] = "resets",
	[RESETS_LEFT] = "resets_left",
	[RESETS_RIGHT] = "resets_right",
	[RESETS_BOTH] = "resets_both",
	[HOLES] = "holes",
	[SWALLOWED] = "swallowed",
	[OVERFLOWED] = "overflowed",
};

enum option {
	SEED,
	LOSS,
	DUPLICATE,
	CORRUPT,
	HOLD,
	DELAY,
	JITTER,
	HOLD_FOR,
	RESET_EVERY,
	HOLE_EVERY,
	HOLE_FOR,
	SAY_EVERY,
	OPTION_COUNT
};

static const char *const option_name[OPTION_COUNT] = {
	"seed",	  "loss",     "duplicate",   "corrupt",	   "hold",     "delay",
	"jitter", "hold-for", "reset-every", "hole-every", "hole-for", "say-every",
};

struct packet {
	struct packet *next;
	uint64_t due_ns;
	uint64_t serial; /* in the order of arrival */
	enum side to;
	size_t size;
	unsigned char bytes[PACKET_ROOM];
};

/* The fields of a TCP segment that forging needs; from one side's point of view. */
struct segment {
	uint32_t from_address, to_address; /* network order, as in the packet */
	uint16_t from_port, to_port;
	uint32_t seq, end, ack; /* host order */
	bool syn, fin, rst, has_ack;
};

struct flow {
	uint32_t address[SIDE_COUNT];
	uint16_t port[SIDE_COUNT];
	uint32_t given_end[SIDE_COUNT]; /* end of the newest data written to this side */
	uint32_t acked[SIDE_COUNT];	/* what this side acknowledged last */
	bool given[SIDE_COUNT], has_acked[SIDE_COUNT];
	uint64_t used_ns;
};

static struct {
	uint64_t options[OPTION_COUNT];
	uint64_t counts[COUNT_COUNT];
	int tun[SIDE_COUNT];
	uint64_t random, serial;
	struct packet pool[QUEUE_MAX];
	struct packet *unused, *queue; /* the queue by due_ns */
	uint64_t order_ns[SIDE_COUNT]; /* due_ns of the newest packet that was not held back */
	uint64_t newest[SIDE_COUNT];   /* highest serial written */
	struct flow flows[FLOWS_MAX];
	uint64_t reset_ns, hole_ns, hole_until_ns, say_ns;
} wire = {.options = {[SEED] = 1, [HOLD_FOR] = 20, [HOLE_FOR] = 500}};

static uint64_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000 * MS + (uint64_t)time.tv_nsec;
}

static void skip(const char *what)
{
	fprintf(stderr, "badwire: %s: %s\n", what, strerror(errno));
	exit(EXIT_SKIP);
}

/* ---- chance ----------------------------------------------------------------------------- */

/* splitmix64: any seed will do. */
static uint64_t draw(void)
{
	uint64_t value = wire.random += 0x9e3779b97f4a7c15ull;

	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
	return value ^ (value >> 31);
}

static uint64_t below(uint64_t limit)
{
	return limit == 0 ? 0 : draw() % limit;
}

static bool chance(enum option per_mille)
{
	return below(1000) < wire.options[per_mille];
}

/* From half to one and a half of the average. */
static uint64_t next_after(uint64_t now_ns, enum option every)
{
	uint64_t average_ns = wire.options[every] * MS;

	return average_ns == 0 ? NEVER : now_ns + average_ns / 2 + below(average_ns);
}

/* ---- the devices ------------------------------------------------------------------------ */

static void set_address(int socket_fd, struct ifreq *request, unsigned long what, const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET};

	(void)inet_pton(AF_INET, text, &address.sin_addr);
	memcpy(&request->ifr_addr, &address, sizeof(address));
	if (ioctl(socket_fd, what, request) < 0)
		skip("an address for the device");
}

/* In the namespace that is current: a device belongs to where /dev/net/tun was opened. */
static int open_end(enum side side)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int ip = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (tun < 0)
		skip("/dev/net/tun");
	if (ip < 0)
		skip("a socket");
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "badwire%%d");
	if (ioctl(tun, TUNSETIFF, &request) < 0)
		skip("a TUN device");
	set_address(ip, &request, SIOCSIFADDR, address_of[side]);
	set_address(ip, &request, SIOCSIFDSTADDR, address_of[!side]);
	if (ioctl(ip, SIOCGIFFLAGS, &request) < 0)
		skip("the device's flags");
	request.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (ioctl(ip, SIOCSIFFLAGS, &request) < 0)
		skip("the device cannot be set up");
	(void)close(ip);
	return tun;
}

/* The other namespace begins with its loopback down; programs expect one. */
static void raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int ip = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ip < 0 || ioctl(ip, SIOCSIFFLAGS, &request) < 0)
		skip("loopback");
	(void)close(ip);
}

/* ---- TCP -------------------------------------------------------------------------------- */

static bool parse(const unsigned char *bytes, size_t size, struct segment *segment)
{
	size_t ip_bytes, all_bytes, tcp_bytes;
	struct tcphdr tcp;
	struct iphdr ip;

	if (size < RST_BYTES)
		return false;
	memcpy(&ip, bytes, sizeof(ip));
	ip_bytes = (size_t)ip.ihl * 4;
	all_bytes = ntohs(ip.tot_len);
	if (ip.version != 4 || ip.protocol != IPPROTO_TCP || ip_bytes < sizeof(ip) ||
	    all_bytes > size || all_bytes < ip_bytes + sizeof(tcp))
		return false;
	memcpy(&tcp, bytes + ip_bytes, sizeof(tcp));
	tcp_bytes = (size_t)tcp.doff * 4;
	if (tcp_bytes < sizeof(tcp) || all_bytes < ip_bytes + tcp_bytes)
		return false;
	*segment = (struct segment){
		.from_address = ip.saddr,
		.to_address = ip.daddr,
		.from_port = tcp.source,
		.to_port = tcp.dest,
		.seq = ntohl(tcp.seq),
		.ack = ntohl(tcp.ack_seq),
		.syn = tcp.syn,
		.fin = tcp.fin,
		.rst = tcp.rst,
		.has_ack = tcp.ack,
	};
	/* SYN and FIN take a number each. */
	segment->end =
		segment->seq + (uint32_t)(all_bytes - ip_bytes - tcp_bytes) + tcp.syn + tcp.fin;
	return true;
}

/* The flow of a segment that FROM sent; a new one takes the place of the one unused longest. */
static struct flow *flow_of(const struct segment *segment, enum side from, uint64_t now_ns)
{
	struct flow *oldest = &wire.flows[0];

	for (struct flow *flow = wire.flows; flow < wire.flows + FLOWS_MAX; flow++) {
		if (flow->address[from] == segment->from_address &&
		    flow->address[!from] == segment->to_address &&
		    flow->port[from] == segment->from_port &&
		    flow->port[!from] == segment->to_port) {
			flow->used_ns = now_ns;
			return flow;
		}
		if (flow->used_ns < oldest->used_ns)
			oldest = flow;
	}
	*oldest = (struct flow){.used_ns = now_ns};
	oldest->address[from] = segment->from_address;
	oldest->address[!from] = segment->to_address;
	oldest->port[from] = segment->from_port;
	oldest->port[!from] = segment->to_port;
	return oldest;
}

/* In network order, which this sum does not mind (RFC 1071 2.B); size is even. */
static uint32_t sum_of(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i < size; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	return sum;
}

static uint16_t checksum(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* As if the end opposite of VICTIM had sent it. */
static void write_rst(const struct flow *flow, enum side victim, uint32_t seq)
{
	unsigned char bytes[RST_BYTES];
	struct iphdr ip = {.version = 4,
			   .ihl = 5,
			   .tot_len = htons(RST_BYTES),
			   .ttl = 64,
			   .protocol = IPPROTO_TCP,
			   .saddr = flow->address[!victim],
			   .daddr = flow->address[victim]};
	struct tcphdr tcp = {.source = flow->port[!victim],
			     .dest = flow->port[victim],
			     .seq = htonl(seq),
			     .doff = sizeof(tcp) / 4,
			     .rst = 1};

	ip.check = checksum(sum_of(&ip, sizeof(ip)));
	/* With the pseudo header: addresses, protocol, length. */
	tcp.check = checksum(sum_of(&tcp, sizeof(tcp)) + sum_of(&ip.saddr, sizeof(ip.saddr)) +
			     sum_of(&ip.daddr, sizeof(ip.daddr)) + htons(IPPROTO_TCP) +
			     htons(sizeof(tcp)));
	memcpy(bytes, &ip, sizeof(ip));
	memcpy(bytes + sizeof(ip), &tcp, sizeof(tcp));
	(void)!write(wire.tun[victim], bytes, sizeof(bytes));
}

static void reset_end(const struct flow *flow, enum side victim)
{
	write_rst(flow, victim, flow->acked[victim]);
	if (flow->given[victim] && flow->given_end[victim] != flow->acked[victim])
		write_rst(flow, victim, flow->given_end[victim]);
}

/*
 * An end that acknowledged nothing yet has no number to aim at. After an RST both must say something
 * again: then it missed, as it does when the newest data went astray.
 */
static bool can_reset(const struct flow *flow)
{
	return flow->has_acked[LEFT] && flow->has_acked[RIGHT];
}

static void kill_flow(struct flow *flow, uint64_t now_ns)
{
	static const enum count kinds[] = {RESETS_LEFT, RESETS_RIGHT, RESETS_BOTH};
	enum count kind = kinds[below(3)];

	if (kind != RESETS_RIGHT)
		reset_end(flow, LEFT);
	if (kind != RESETS_LEFT)
		reset_end(flow, RIGHT);
	flow->has_acked[LEFT] = flow->has_acked[RIGHT] = false;
	wire.counts[RESETS]++;
	wire.counts[kind]++;
	wire.reset_ns =
		below(SOON_ONE_IN) == 0 ? now_ns + below(SOON_NS) : next_after(now_ns, RESET_EVERY);
}

/* What a segment that FROM has just sent says of its connection; it may be the last one. */
static void watch(const unsigned char *bytes, size_t size, enum side from, uint64_t now_ns)
{
	struct segment segment;
	struct flow *flow;

	if (!parse(bytes, size, &segment))
		return;
	flow = flow_of(&segment, from, now_ns);
	if (segment.syn && !segment.has_ack)
		flow->given[LEFT] = flow->given[RIGHT] = flow->has_acked[LEFT] =
			flow->has_acked[RIGHT] = false;
	if (segment.has_ack && !segment.rst) {
		flow->acked[from] = segment.ack;
		flow->has_acked[from] = true;
	}
	if (now_ns >= wire.reset_ns && !segment.rst && can_reset(flow))
		kill_flow(flow, now_ns);
}

/* The end of what TO was given; a retransmission does not take it back. */
static void note_given(const struct packet *packet, uint64_t now_ns)
{
	struct segment segment;
	struct flow *flow;

	if (!parse(packet->bytes, packet->size, &segment) || segment.rst)
		return;
	flow = flow_of(&segment, !packet->to, now_ns);
	if (!flow->given[packet->to] || (int32_t)(segment.end - flow->given_end[packet->to]) > 0)
		flow->given_end[packet->to] = segment.end;
	flow->given[packet->to] = true;
}

/* ---- packets ---------------------------------------------------------------------------- */

static void enqueue(struct packet *packet)
{
	struct packet **place = &wire.queue;

	while (*place && (*place)->due_ns <= packet->due_ns)
		place = &(*place)->next;
	packet->next = *place;
	*place = packet;
}

static uint64_t due_at(enum side to, uint64_t now_ns)
{
	uint64_t due_ns = now_ns + wire.options[DELAY] * MS + below(wire.options[JITTER] * MS);

	if (chance(HOLD)) {
		wire.counts[HELD]++;
		return due_ns + below(wire.options[HOLD_FOR] * MS);
	}
	if (due_ns < wire.order_ns[to])
		due_ns = wire.order_ns[to];
	wire.order_ns[to] = due_ns;
	return due_ns;
}

static struct packet *copy_of(const struct packet *original)
{
	struct packet *packet = wire.unused;

	if (!packet) {
		wire.counts[OVERFLOWED]++;
		return NULL;
	}
	wire.unused = packet->next;
	packet->to = original->to;
	packet->serial = original->serial;
	packet->size = original->size;
	memcpy(packet->bytes, original->bytes, original->size);
	return packet;
}

static void send_on(const struct packet *original, uint64_t now_ns)
{
	struct packet *packet = copy_of(original);

	if (!packet)
		return;
	packet->due_ns = due_at(packet->to, now_ns);
	/* The receiver's kernel finds it out by the checksum: one bit never goes unnoticed. */
	if (chance(CORRUPT)) {
		wire.counts[CORRUPTED]++;
		packet->bytes[below(packet->size)] ^= (unsigned char)(1u << below(8));
	}
	enqueue(packet);
}

static void pass(struct packet *packet, uint64_t now_ns)
{
	wire.counts[PACKETS]++;
	packet->serial = ++wire.serial;
	if (now_ns < wire.hole_until_ns) {
		wire.counts[SWALLOWED]++;
		return;
	}
	watch(packet->bytes, packet->size, !packet->to, now_ns);
	if (chance(LOSS)) {
		wire.counts[LOST]++;
		return;
	}
	send_on(packet, now_ns);
	if (chance(DUPLICATE)) {
		wire.counts[DUPLICATED]++;
		send_on(packet, now_ns);
	}
}

static void read_end(enum side from)
{
	static struct packet packet;
	ssize_t size;

	while ((size = read(wire.tun[from], packet.bytes, sizeof(packet.bytes))) > 0) {
		packet.size = (size_t)size;
		packet.to = !from;
		pass(&packet, now());
	}
}

static void write_due(uint64_t now_ns)
{
	while (wire.queue && wire.queue->due_ns <= now_ns) {
		struct packet *packet = wire.queue;

		wire.queue = packet->next;
		if (packet->serial < wire.newest[packet->to])
			wire.counts[OUT_OF_ORDER]++;
		else
			wire.newest[packet->to] = packet->serial;
		note_given(packet, now_ns);
		/* A kernel that does not take it has lost it: one more loss. */
		(void)!write(wire.tun[packet->to], packet->bytes, packet->size);
		packet->next = wire.unused;
		wire.unused = packet;
	}
}

/* ---- the whole -------------------------------------------------------------------------- */

static void say(void)
{
	for (int i = 0; i < COUNT_COUNT; i++)
		printf("%s%s %llu", i ? " " : "", count_name[i],
		       (unsigned long long)wire.counts[i]);
	printf("\n");
	(void)fflush(stdout);
}

static void keep_time(uint64_t now_ns)
{
	if (now_ns >= wire.hole_ns) {
		wire.counts[HOLES]++;
		wire.hole_until_ns = now_ns + below(wire.options[HOLE_FOR] * MS);
		wire.hole_ns = next_after(wire.hole_until_ns, HOLE_EVERY);
	}
	if (now_ns >= wire.say_ns) {
		say();
		wire.say_ns = now_ns + wire.options[SAY_EVERY] * MS;
	}
}

static void wait_for_events(struct pollfd *fds, nfds_t count)
{
	uint64_t next_ns = wire.hole_ns < wire.say_ns ? wire.hole_ns : wire.say_ns, now_ns = now();
	struct timespec pause, *timeout = &pause;

	if (wire.queue && wire.queue->due_ns < next_ns)
		next_ns = wire.queue->due_ns;
	if (next_ns == NEVER)
		timeout = NULL;
	else
		next_ns = next_ns > now_ns ? next_ns - now_ns : 0;
	pause = (struct timespec){.tv_sec = (time_t)(next_ns / (1000 * MS)),
				  .tv_nsec = (long)(next_ns % (1000 * MS))};
	if (ppoll(fds, count, timeout, NULL) < 0)
		for (nfds_t i = 0; i < count; i++)
			fds[i].revents = 0;
}

static void carry(int signals)
{
	struct pollfd fds[] = {{.fd = wire.tun[LEFT], .events = POLLIN},
			       {.fd = wire.tun[RIGHT], .events = POLLIN},
			       {.fd = signals, .events = POLLIN}};

	while (fds[2].revents == 0) {
		wait_for_events(fds, 3);
		keep_time(now());
		write_due(now());
		for (int side = 0; side < SIDE_COUNT; side++)
			if (fds[side].revents)
				read_end((enum side)side);
	}
}

static void take_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		int option = 0;
		char *rest = NULL;

		while (option < OPTION_COUNT &&
		       (strncmp(argv[i], "--", 2) || strcmp(argv[i] + 2, option_name[option])))
			option++;
		if (option < OPTION_COUNT && i + 1 < argc)
			wire.options[option] = strtoull(argv[i + 1], &rest, 10);
		if (!rest || rest == argv[i + 1] || *rest) {
			fprintf(stderr, "badwire: '%s': accepted is --NAME NUMBER of:", argv[i]);
			for (option = 0; option < OPTION_COUNT; option++)
				fprintf(stderr, " %s", option_name[option]);
			fprintf(stderr, "\n");
			exit(2);
		}
	}
}

static int signals_to_end(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
	int signals = signals_to_end();

	take_options(argc, argv);
	wire.random = wire.options[SEED];
	for (int i = 0; i < QUEUE_MAX; i++) {
		wire.pool[i].next = wire.unused;
		wire.unused = &wire.pool[i];
	}
	wire.tun[LEFT] = open_end(LEFT);
	if (unshare(CLONE_NEWNET) < 0)
		skip("a network namespace");
	raise_loopback();
	wire.tun[RIGHT] = open_end(RIGHT);
	wire.reset_ns = next_after(now(), RESET_EVERY);
	wire.hole_ns = next_after(now(), HOLE_EVERY);
	wire.say_ns = wire.options[SAY_EVERY] ? now() : NEVER;
	printf("ready left %s right %s\n", address_of[LEFT], address_of[RIGHT]);
	(void)fflush(stdout);
	carry(signals);
	say();
	return 0;
}
