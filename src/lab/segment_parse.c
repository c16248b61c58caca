/* SPDX-License-Identifier: MIT */
/*
 * segment_parse.c - an IP packet of any content becomes a segment, or a sentence about it.
 *
 *	packet --ip4/ip6--> whereabouts of TCP --tcp--> header, payload --options--> options
 */
#include "lab/segment_wire.h"

#include <errno.h>
#include <string.h>

#define IP4_FRAGMENT_MASK 0x3fffu /* more fragments, or not the first one */
#define IP6_FRAGMENT_MASK 0xfff9u
#define IP6_FRAGMENT_BYTES 8u
/* RFC 8200 4.1 knows seven extension headers; a chain that goes on is nobody's. */
#define IP6_EXTENSIONS_MAX 16

/* What the IP header says. Offsets are into the packet. */
struct whereabouts {
	size_t addresses, addresses_bytes; /* source and destination, in a row */
	size_t tcp;
	size_t end; /* of the packet: behind it Ethernet may have filled up; or beyond what is
		       there, if it was cut off */
};

static int malformed(const char **why, const char *sentence)
{
	*why = sentence;
	return -EBADMSG;
}

static void address_set(struct lai_address *address, const uint8_t *bytes, int family,
			uint16_t port)
{
	memset(address, 0, sizeof(*address));
	if (family == AF_INET) {
		address->v4.sin_family = AF_INET;
		memcpy(&address->v4.sin_addr, bytes, 4);
		address->length = sizeof(address->v4);
	} else {
		address->v6.sin6_family = AF_INET6;
		memcpy(&address->v6.sin6_addr, bytes, 16);
		address->length = sizeof(address->v6);
	}
	lai_address_set_port(address, port);
}

static int ip4_parse(const uint8_t *packet, size_t size, struct whereabouts *where,
		     struct lai_segment *segment, const char **why)
{
	size_t header_bytes;

	if (size < LAI_IP4_BYTES)
		return malformed(why, "the packet is shorter than an IPv4 header");
	header_bytes = (size_t)(packet[0] & 0xf) * 4;
	where->end = lai_wire_get16(packet + 2);
	if (header_bytes < LAI_IP4_BYTES)
		return malformed(why, "the IPv4 header says that it is shorter than 20 bytes");
	if (where->end < header_bytes)
		return malformed(why, "the IPv4 header is longer than the packet that it heads");
	if (header_bytes > size)
		return malformed(why, "the packet ends within its IPv4 header");
	if (packet[9] != IPPROTO_TCP || lai_wire_get16(packet + 6) & IP4_FRAGMENT_MASK)
		return -ENOMSG;
	where->addresses = 12;
	where->addresses_bytes = 8;
	where->tcp = header_bytes;
	segment->hops = packet[8];
	segment->bad_ip_checksum = lai_wire_sum_fold(lai_wire_sum(0, packet, header_bytes)) != 0;
	return 0;
}

/* Length of the extension header at bytes, of which 8 are there; 0: it is none that we pass over.
   Authentication counts in units of four. */
static size_t extension_bytes(uint8_t kind, const uint8_t *bytes)
{
	switch (kind) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS: return ((size_t)bytes[1] + 1) * 8;
	case IPPROTO_AH: return ((size_t)bytes[1] + 2) * 4;
	case IPPROTO_FRAGMENT: return IP6_FRAGMENT_BYTES;
	default: return 0;
	}
}

static bool is_extension(uint8_t kind)
{
	static const uint8_t eight[8];

	return extension_bytes(kind, eight) != 0;
}

/* Passes over extension headers to TCP. */
static int ip6_extensions(const uint8_t *packet, size_t size, struct whereabouts *where,
			  const char **why)
{
	size_t there = size < where->end ? size : where->end;
	uint8_t kind = packet[6];

	where->tcp = LAI_IP6_BYTES;
	for (unsigned i = 0; kind != IPPROTO_TCP; i++) {
		const uint8_t *header = packet + where->tcp;

		if (!is_extension(kind))
			return -ENOMSG;
		if (i == IP6_EXTENSIONS_MAX)
			return malformed(why, "the chain of IPv6 extension headers does not end");
		if (there < where->tcp + 8 || there < where->tcp + extension_bytes(kind, header))
			return malformed(why, "the packet ends within an IPv6 extension header");
		if (kind == IPPROTO_FRAGMENT && lai_wire_get16(header + 2) & IP6_FRAGMENT_MASK)
			return -ENOMSG;
		where->tcp += extension_bytes(kind, header);
		kind = header[0];
	}
	return 0;
}

static int ip6_parse(const uint8_t *packet, size_t size, struct whereabouts *where,
		     struct lai_segment *segment, const char **why)
{
	if (size < LAI_IP6_BYTES)
		return malformed(why, "the packet is shorter than an IPv6 header");
	where->addresses = 8;
	where->addresses_bytes = 32;
	where->end = LAI_IP6_BYTES + (size_t)lai_wire_get16(packet + 4);
	segment->hops = packet[7];
	return ip6_extensions(packet, size, where, why);
}

static int sack_parse(const uint8_t *option, struct lai_segment *segment)
{
	size_t blocks = ((size_t)option[1] - 2) / 8;

	if (blocks == 0 || blocks > LAI_SEGMENT_SACK_MAX ||
	    option[1] != LAI_OPTION_SACK_BYTES(blocks))
		return -EBADMSG;
	segment->sack_count = (uint8_t)blocks;
	for (size_t i = 0; i < blocks; i++) {
		segment->sacks[i].from = lai_wire_get32(option + 2 + 8 * i);
		segment->sacks[i].to = lai_wire_get32(option + 6 + 8 * i);
	}
	return 0;
}

/* An option with its length byte checked against what is there. -EBADMSG: not the length that its
   kind has. */
static int option_parse(const uint8_t *option, struct lai_segment *segment)
{
	switch ((enum lai_tcp_option)option[0]) {
	case LAI_OPTION_MSS:
		if (option[1] != LAI_OPTION_MSS_BYTES)
			return -EBADMSG;
		segment->mss = lai_wire_get16(option + 2);
		return 0;
	case LAI_OPTION_SCALE:
		if (option[1] != LAI_OPTION_SCALE_BYTES)
			return -EBADMSG;
		segment->has_scale = true;
		segment->scale = option[2];
		return 0;
	case LAI_OPTION_SACK_PERMITTED:
		segment->sack_permitted = true;
		return option[1] == LAI_OPTION_SACK_PERMITTED_BYTES ? 0 : -EBADMSG;
	case LAI_OPTION_TIMESTAMP:
		if (option[1] != LAI_OPTION_TIMESTAMP_BYTES)
			return -EBADMSG;
		segment->has_timestamp = true;
		segment->ts_value = lai_wire_get32(option + 2);
		segment->ts_echo = lai_wire_get32(option + 6);
		return 0;
	case LAI_OPTION_SACK: return sack_parse(option, segment);
	default: return 0;
	}
}

static int options_parse(const uint8_t *bytes, size_t size, struct lai_segment *segment,
			 const char **why)
{
	for (size_t i = 0; i < size && bytes[i] != LAI_OPTION_END;) {
		if (bytes[i] == LAI_OPTION_NOP) {
			i++;
			continue;
		}
		if (size - i < 2 || bytes[i + 1] < 2 || bytes[i + 1] > size - i)
			return malformed(why, "a TCP option goes beyond the TCP header");
		if (option_parse(bytes + i, segment) != 0)
			return malformed(why, "a TCP option has not the length of its kind");
		i += bytes[i + 1];
	}
	return 0;
}

static void tcp_fields(const uint8_t *tcp, struct lai_segment *segment)
{
	segment->seq = lai_wire_get32(tcp + 4);
	segment->ack = lai_wire_get32(tcp + 8);
	segment->flags = tcp[13];
	segment->window = lai_wire_get16(tcp + 14);
	segment->urgent = lai_wire_get16(tcp + 18);
}

static int tcp_parse(const uint8_t *packet, size_t size, const struct whereabouts *where,
		     struct lai_segment *segment, const char **why)
{
	size_t there = size < where->end ? size : where->end, header_bytes;
	const uint8_t *tcp = packet + where->tcp, *ends = packet + where->addresses;
	int family = where->addresses_bytes == 8 ? AF_INET : AF_INET6;

	if (there < where->tcp + LAI_TCP_BYTES)
		return malformed(why, "the packet ends within its TCP header");
	header_bytes = (size_t)(tcp[12] >> 4) * 4;
	if (header_bytes < LAI_TCP_BYTES)
		return malformed(why, "the TCP header says that it is shorter than 20 bytes");
	if (there < where->tcp + header_bytes)
		return malformed(why, "the packet ends within its TCP options");
	address_set(&segment->from, ends, family, lai_wire_get16(tcp));
	address_set(&segment->to, ends + where->addresses_bytes / 2, family,
		    lai_wire_get16(tcp + 2));
	tcp_fields(tcp, segment);
	segment->payload_bytes = where->end - where->tcp - header_bytes;
	if (where->end <= size) {
		segment->payload = segment->payload_bytes ? tcp + header_bytes : NULL;
		segment->bad_tcp_checksum =
			lai_wire_sum_fold(lai_wire_tcp_sum(ends, where->addresses_bytes, tcp,
							   where->end - where->tcp)) != 0;
	}
	return options_parse(tcp + LAI_TCP_BYTES, header_bytes - LAI_TCP_BYTES, segment, why);
}

int lai_segment_parse_cut(const uint8_t *packet, size_t size, struct lai_segment *segment,
			  const char **why)
{
	struct lai_segment parsed = {0};
	struct whereabouts where = {0};
	int error;

	if (size == 0)
		return malformed(why, "the packet is empty");
	if (packet[0] >> 4 == 4)
		error = ip4_parse(packet, size, &where, &parsed, why);
	else if (packet[0] >> 4 == 6)
		error = ip6_parse(packet, size, &where, &parsed, why);
	else
		return malformed(why, "the packet is neither IPv4 nor IPv6");
	if (error == 0)
		error = tcp_parse(packet, size, &where, &parsed, why);
	if (error == 0)
		*segment = parsed;
	return error;
}

int lai_segment_parse(const uint8_t *packet, size_t size, struct lai_segment *segment,
		      const char **why)
{
	struct lai_segment parsed;
	int error = lai_segment_parse_cut(packet, size, &parsed, why);

	if (error != 0)
		return error;
	if (parsed.payload_bytes && !parsed.payload)
		return malformed(why, "the packet is shorter than its IP header says");
	*segment = parsed;
	return 0;
}
