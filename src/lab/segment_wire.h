/* SPDX-License-Identifier: MIT */
/*
 * segment_wire.h - how a segment lies in a packet, for the two files that write and read it.
 *
 *	IPv4: 20 bytes and options     TCP: 20 bytes, options up to 40     payload
 *	IPv6: 40 bytes and extensions
 */
#ifndef LAI_LAB_SEGMENT_WIRE_H
#define LAI_LAB_SEGMENT_WIRE_H

#include "lab/segment.h"

#define LAI_IP4_BYTES 20u
#define LAI_IP6_BYTES 40u
#define LAI_TCP_BYTES 20u
#define LAI_TCP_OPTIONS_MAX 40u

/* Kinds of TCP options: RFC 9293 3.2, 7323, 2018. */
enum lai_tcp_option {
	LAI_OPTION_END,
	LAI_OPTION_NOP,
	LAI_OPTION_MSS,
	LAI_OPTION_SCALE,
	LAI_OPTION_SACK_PERMITTED,
	LAI_OPTION_SACK,
	LAI_OPTION_TIMESTAMP = 8,
};

/* Their lengths, with the two bytes for kind and length. */
#define LAI_OPTION_MSS_BYTES 4u
#define LAI_OPTION_SCALE_BYTES 3u
#define LAI_OPTION_SACK_PERMITTED_BYTES 2u
#define LAI_OPTION_TIMESTAMP_BYTES 10u
#define LAI_OPTION_SACK_BYTES(blocks) (2u + 8u * (blocks))

static inline uint16_t lai_wire_get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t lai_wire_get32(const uint8_t *bytes)
{
	return (uint32_t)lai_wire_get16(bytes) << 16 | lai_wire_get16(bytes + 2);
}

static inline uint8_t *lai_wire_put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
	return bytes + 2;
}

static inline uint8_t *lai_wire_put32(uint8_t *bytes, uint32_t value)
{
	return lai_wire_put16(lai_wire_put16(bytes, (uint16_t)(value >> 16)), (uint16_t)value);
}

/* The Internet checksum (RFC 1071), not yet folded: sums of several pieces add up, if all but the
   last are of even length. A packet of 64 KiB does not overflow it. */
static inline uint32_t lai_wire_sum(uint32_t sum, const uint8_t *bytes, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size; i += 2)
		sum += lai_wire_get16(bytes + i);
	return i < size ? sum + (uint32_t)(bytes[i] << 8) : sum;
}

/* What goes into the header; over a header with a right sum in it it is 0. */
static inline uint16_t lai_wire_sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The pseudo-header (RFC 9293 3.1, RFC 8200 8.1) and what TCP has written: not folded.
   addresses: source and destination as they lie in the packet, 8 or 32 bytes. */
static inline uint32_t lai_wire_tcp_sum(const uint8_t *addresses, size_t addresses_bytes,
					const uint8_t *tcp, size_t tcp_bytes)
{
	uint32_t sum = IPPROTO_TCP + (uint32_t)(tcp_bytes >> 16) + (uint32_t)(tcp_bytes & 0xffff);

	sum = lai_wire_sum(sum, addresses, addresses_bytes);
	return lai_wire_sum(sum, tcp, tcp_bytes);
}

#endif
