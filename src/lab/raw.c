/* SPDX-License-Identifier: MIT */
/*
 * raw.c - the raw peer's way to the wire and back.
 *
 *	to's kernel ---- wire ---- interface of at --> packet socket --> waiting --> who asks for it
 *	     ^                                '--> at's kernel: nobody's address, dropped
 *	     '--- a permanent neighbour: our address has the MAC of that interface
 *
 * What has come for another port than the one that is asked for stays waiting.
 */
#include "lab/raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RAW_NUMBER_MIN 16
#define RAW_NUMBER_MAX 254
/* More than any claim leaves unheard; beyond it the oldest go. */
#define WAITING_MAX 256
/* What a veth device may hand over in one piece. */
#define PACKET_ROOM 65536

struct lai_raw {
	struct lai_trial *trial;
	int sock;
	struct sockaddr_ll other; /* the interface, and to's MAC */
	struct lai_address address;
	/* Segments for us, oldest at first; payload NULL. */
	struct lai_segment waiting[WAITING_MAX];
	size_t first, count;
};

/* The two ports that are the ends of one wire. */
static void ports_find(struct lai_trial *trial, struct lai_host *at, struct lai_host *to,
		       const struct lai_host_port **ours, const struct lai_host_port **theirs)
{
	for (unsigned i = 0; i < LAI_HOST_PORTS_MAX; i++)
		for (unsigned j = 0; j < LAI_HOST_PORTS_MAX; j++)
			if (at->ports[i].index && to->ports[j].index &&
			    at->ports[i].wire == to->ports[j].wire) {
				*ours = &at->ports[i];
				*theirs = &to->ports[j];
				return;
			}
	lai_trial_fail(trial, "there is no wire between %s and %s for a raw peer", at->name,
		       to->name);
}

/* .n of the port's network. */
static struct lai_address address_of(const struct lai_trial *trial,
				     const struct lai_host_port *port, unsigned n)
{
	struct lai_address address = trial->family == AF_INET6 ? port->v6 : port->v4;

	if (trial->family == AF_INET6)
		address.v6.sin6_addr.s6_addr[15] = (uint8_t)n;
	else
		address.v4.sin_addr.s_addr =
			htonl((ntohl(address.v4.sin_addr.s_addr) & ~0xffu) | n);
	return address;
}

/* A packet socket at this port, for one family; SOCK_DGRAM: the kernel writes Ethernet's header. */
static int sock_open(struct lai_trial *trial, const struct sockaddr_ll *at)
{
	int sock = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (sock < 0 && (errno == EPERM || errno == EAFNOSUPPORT))
		lai_trial_lacks(trial, "packet sockets (AF_PACKET): %s", strerror(errno));
	if (sock < 0 || bind(sock, (const struct sockaddr *)at, sizeof(*at)) < 0)
		lai_trial_fail(trial, "cannot open a packet socket: %s", strerror(errno));
	return sock;
}

struct lai_raw *lai_raw_new(struct lai_trial *trial, struct lai_host *at, struct lai_host *to,
			    unsigned n)
{
	const struct lai_host_port *ours = NULL, *theirs = NULL;
	struct lai_raw *raw = calloc(1, sizeof(*raw));

	if (!raw)
		lai_trial_fail(trial, "no memory for a raw peer");
	if (n < RAW_NUMBER_MIN || n > RAW_NUMBER_MAX)
		lai_trial_fail(trial, "a raw peer cannot be number %u, but %d to %d", n,
			       RAW_NUMBER_MIN, RAW_NUMBER_MAX);
	if (at == trial->router)
		lai_trial_fail(trial, "a raw peer cannot sit at the router, which forwards");
	ports_find(trial, at, to, &ours, &theirs);
	raw->trial = trial;
	raw->address = address_of(trial, ours, n);
	raw->other = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol = htons(trial->family == AF_INET6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP),
		.sll_ifindex = ours->index,
		.sll_halen = ETH_ALEN,
	};
	memcpy(raw->other.sll_addr, theirs->mac, ETH_ALEN);
	lai_host_enter(trial, at);
	raw->sock = sock_open(trial, &raw->other);
	lai_host_neighbour(trial, to, &raw->address, ours->mac);
	return raw;
}

struct lai_address lai_raw_address(const struct lai_raw *raw, uint16_t port)
{
	struct lai_address address = raw->address;

	lai_address_set_port(&address, port);
	return address;
}

void lai_raw_send(struct lai_raw *raw, const struct lai_segment *segment)
{
	uint8_t packet[LAI_PACKET_BYTES_MAX];
	int size = lai_segment_build(segment, packet, sizeof(packet));

	if (size < 0)
		lai_trial_fail(raw->trial, "cannot build a segment: %s", strerror(-size));
	if (sendto(raw->sock, packet, (size_t)size, 0, (const struct sockaddr *)&raw->other,
		   sizeof(raw->other)) != size)
		lai_trial_fail(raw->trial, "cannot send a packet: %s", strerror(errno));
}

static bool is_for(const struct lai_segment *segment, struct lai_address address, uint16_t port)
{
	lai_address_set_port(&address, port ? port : lai_address_port(&segment->to));
	return lai_address_equal(&segment->to, &address);
}

static void waiting_put(struct lai_raw *raw, const struct lai_segment *segment)
{
	if (raw->count == WAITING_MAX) {
		raw->first = (raw->first + 1) % WAITING_MAX;
		raw->count--;
	}
	raw->waiting[(raw->first + raw->count++) % WAITING_MAX] = *segment;
}

/* The oldest for this port, which then no longer waits. */
static bool waiting_take(struct lai_raw *raw, uint16_t port, struct lai_segment *segment)
{
	for (size_t i = 0; i < raw->count; i++) {
		struct lai_segment *found = &raw->waiting[(raw->first + i) % WAITING_MAX];

		if (!is_for(found, raw->address, port))
			continue;
		*segment = *found;
		for (; i + 1 < raw->count; i++)
			raw->waiting[(raw->first + i) % WAITING_MAX] =
				raw->waiting[(raw->first + i + 1) % WAITING_MAX];
		raw->count--;
		return true;
	}
	return false;
}

/* Takes in what has come by now. Neighbours' talk and what is malformed is not for us. */
static void pull(struct lai_raw *raw)
{
	static uint8_t packet[PACKET_ROOM];
	struct sockaddr_ll from = {0};
	struct lai_segment segment;
	const char *why;

	for (;;) {
		socklen_t from_bytes = sizeof(from);
		ssize_t size = recvfrom(raw->sock, packet, sizeof(packet), 0,
					(struct sockaddr *)&from, &from_bytes);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno != EAGAIN)
			lai_trial_fail(raw->trial, "cannot receive packets: %s", strerror(errno));
		if (size < 0)
			return;
		if (from.sll_pkttype == PACKET_OUTGOING ||
		    lai_segment_parse(packet, (size_t)size, &segment, &why) != 0 ||
		    !is_for(&segment, raw->address, 0))
			continue;
		segment.payload = NULL;
		waiting_put(raw, &segment);
	}
}

bool lai_raw_receive(struct lai_raw *raw, uint16_t port, struct lai_segment *segment,
		     uint64_t wait_ns)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), wait_ns);

	for (;;) {
		struct pollfd ready = {.fd = raw->sock, .events = POLLIN};

		pull(raw);
		if (waiting_take(raw, port, segment))
			return true;
		if (lai_clock_now() >= deadline_ns)
			return false;
		(void)poll(&ready, 1, lai_clock_timeout_ms(deadline_ns));
	}
}

void lai_raw_forget(struct lai_raw *raw)
{
	pull(raw);
	raw->first = raw->count = 0;
}
