/* SPDX-License-Identifier: MIT */
/* segment_build.c - a segment becomes an IP packet. */
#include "lab/segment_wire.h"

#include <errno.h>
#include <string.h>

#define HOPS_DEFAULT 64
#define IP_LENGTH_MAX UINT16_MAX
#define IP4_DONT_FRAGMENT 0x4000u

/* Bytes of options, without what fills up to a multiple of four. */
static size_t options_bytes(const struct lai_segment *segment)
{
	return (segment->mss ? LAI_OPTION_MSS_BYTES : 0) +
	       (segment->sack_permitted ? LAI_OPTION_SACK_PERMITTED_BYTES : 0) +
	       (segment->has_timestamp ? LAI_OPTION_TIMESTAMP_BYTES : 0) +
	       (segment->has_scale ? LAI_OPTION_SCALE_BYTES : 0) +
	       (segment->sack_count ? LAI_OPTION_SACK_BYTES(segment->sack_count) : 0);
}

static uint8_t *option_begin(uint8_t *at, enum lai_tcp_option kind, size_t bytes)
{
	at[0] = (uint8_t)kind;
	at[1] = (uint8_t)bytes;
	return at + 2;
}

static uint8_t *sack_put(uint8_t *at, const struct lai_segment *segment)
{
	at = option_begin(at, LAI_OPTION_SACK, LAI_OPTION_SACK_BYTES(segment->sack_count));
	for (uint8_t i = 0; i < segment->sack_count; i++) {
		at = lai_wire_put32(at, segment->sacks[i].from);
		at = lai_wire_put32(at, segment->sacks[i].to);
	}
	return at;
}

/* The filling comes first: a lone timestamp then lies as RFC 7323 appendix A recommends, which is
   where Linux looks for it first. */
static uint8_t *options_put(uint8_t *at, const struct lai_segment *segment)
{
	for (size_t size = options_bytes(segment); size % 4 != 0; size++)
		*at++ = LAI_OPTION_NOP;
	if (segment->mss)
		at = lai_wire_put16(option_begin(at, LAI_OPTION_MSS, LAI_OPTION_MSS_BYTES),
				    segment->mss);
	if (segment->sack_permitted)
		at = option_begin(at, LAI_OPTION_SACK_PERMITTED, LAI_OPTION_SACK_PERMITTED_BYTES);
	if (segment->has_timestamp) {
		at = option_begin(at, LAI_OPTION_TIMESTAMP, LAI_OPTION_TIMESTAMP_BYTES);
		at = lai_wire_put32(at, segment->ts_value);
		at = lai_wire_put32(at, segment->ts_echo);
	}
	if (segment->has_scale) {
		at = option_begin(at, LAI_OPTION_SCALE, LAI_OPTION_SCALE_BYTES);
		*at++ = segment->scale;
	}
	return segment->sack_count ? sack_put(at, segment) : at;
}

static void ip4_put(uint8_t *packet, const struct lai_segment *segment, size_t size)
{
	memset(packet, 0, LAI_IP4_BYTES);
	packet[0] = 4 << 4 | LAI_IP4_BYTES / 4;
	lai_wire_put16(packet + 2, (uint16_t)size);
	lai_wire_put16(packet + 6, IP4_DONT_FRAGMENT);
	packet[8] = segment->hops ? segment->hops : HOPS_DEFAULT;
	packet[9] = IPPROTO_TCP;
	memcpy(packet + 12, &segment->from.v4.sin_addr, 4);
	memcpy(packet + 16, &segment->to.v4.sin_addr, 4);
	lai_wire_put16(packet + 10, lai_wire_sum_fold(lai_wire_sum(0, packet, LAI_IP4_BYTES)));
}

static void ip6_put(uint8_t *packet, const struct lai_segment *segment, size_t size)
{
	memset(packet, 0, LAI_IP6_BYTES);
	packet[0] = 6 << 4;
	lai_wire_put16(packet + 4, (uint16_t)(size - LAI_IP6_BYTES));
	packet[6] = IPPROTO_TCP;
	packet[7] = segment->hops ? segment->hops : HOPS_DEFAULT;
	memcpy(packet + 8, &segment->from.v6.sin6_addr, 16);
	memcpy(packet + 24, &segment->to.v6.sin6_addr, 16);
}

/* All but the sum. */
static void tcp_put(uint8_t *tcp, const struct lai_segment *segment, size_t header_bytes)
{
	lai_wire_put16(tcp, lai_address_port(&segment->from));
	lai_wire_put16(tcp + 2, lai_address_port(&segment->to));
	lai_wire_put32(tcp + 4, segment->seq);
	lai_wire_put32(tcp + 8, segment->ack);
	tcp[12] = (uint8_t)(header_bytes / 4 << 4);
	tcp[13] = segment->flags;
	lai_wire_put16(tcp + 14, segment->window);
	lai_wire_put16(tcp + 16, 0);
	lai_wire_put16(tcp + 18, segment->urgent);
	(void)options_put(tcp + LAI_TCP_BYTES, segment);
	if (segment->payload && segment->payload_bytes)
		memcpy(tcp + header_bytes, segment->payload, segment->payload_bytes);
	else
		memset(tcp + header_bytes, 0, segment->payload_bytes);
}

int lai_segment_build(const struct lai_segment *segment, uint8_t *packet, size_t size)
{
	int family = lai_address_family(&segment->from);
	size_t ip_bytes = family == AF_INET ? LAI_IP4_BYTES : LAI_IP6_BYTES;
	size_t options = options_bytes(segment), header_bytes, total;
	uint8_t *tcp, *addresses;

	if ((family != AF_INET && family != AF_INET6) ||
	    family != lai_address_family(&segment->to) ||
	    segment->sack_count > LAI_SEGMENT_SACK_MAX || options > LAI_TCP_OPTIONS_MAX)
		return -EINVAL;
	header_bytes = LAI_TCP_BYTES + (options + 3) / 4 * 4;
	if (segment->payload_bytes > IP_LENGTH_MAX)
		return -EMSGSIZE;
	total = ip_bytes + header_bytes + segment->payload_bytes;
	/* IPv6 counts what follows its header, IPv4 that too. */
	if (total > size || total - (family == AF_INET ? 0 : ip_bytes) > IP_LENGTH_MAX)
		return -EMSGSIZE;
	tcp = packet + ip_bytes;
	if (family == AF_INET)
		ip4_put(packet, segment, total);
	else
		ip6_put(packet, segment, total);
	tcp_put(tcp, segment, header_bytes);
	addresses = packet + (family == AF_INET ? 12 : 8);
	lai_wire_put16(tcp + 16, lai_wire_sum_fold(lai_wire_tcp_sum(
					 addresses, (size_t)(family == AF_INET ? 8 : 32), tcp,
					 total - ip_bytes)));
	return (int)total;
}
