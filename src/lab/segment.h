/* SPDX-License-Identifier: MIT */
/*
 * segment.h - one TCP segment in an IPv4 or IPv6 packet, as a value; bytes from it and it from
 * bytes (RFC 791, 8200, 9293, 7323, 2018). Pure.
 *
 *	segment --lai_segment_build--> IP packet --lai_segment_parse--> the same segment
 */
#ifndef LAI_LAB_SEGMENT_H
#define LAI_LAB_SEGMENT_H

#include "base/address.h"
#include "base/text.h"

/* Flags as they stand in the header (RFC 9293 3.1). */
#define LAI_FLAG_FIN 0x01u
#define LAI_FLAG_SYN 0x02u
#define LAI_FLAG_RST 0x04u
#define LAI_FLAG_PSH 0x08u
#define LAI_FLAG_ACK 0x10u
#define LAI_FLAG_URG 0x20u
#define LAI_FLAG_ECE 0x40u
#define LAI_FLAG_CWR 0x80u

#define LAI_SEGMENT_SACK_MAX 4
/* The longest packet that is built: a jumbo-free Ethernet frame's. */
#define LAI_PACKET_BYTES_MAX 1500

struct lai_segment_sack {
	uint32_t from, to;
};

struct lai_segment {
	struct lai_address from, to; /* of one family, with port numbers */
	uint32_t seq, ack;	     /* ack as it stands in the header, whatever the flag says */
	uint8_t flags;
	uint16_t window; /* unscaled, as in the header */
	uint16_t urgent;
	uint8_t hops; /* TTL, hop limit; 0 is built as 64 */
	/* Options; each is there or not. */
	uint16_t mss; /* 0: none */
	bool has_scale;
	uint8_t scale;
	bool sack_permitted;
	bool has_timestamp;
	uint32_t ts_value, ts_echo;
	uint8_t sack_count;
	struct lai_segment_sack sacks[LAI_SEGMENT_SACK_MAX];
	/* build: the caller's bytes, or NULL for that many zeros; parse: inside the packet. */
	const uint8_t *payload;
	size_t payload_bytes;
	/* parse: sums that were wrong. The kernel leaves them to devices, so that a packet seen
	   before the device has them unfinished; not an error by itself. */
	bool bad_ip_checksum, bad_tcp_checksum;
};

/* What it occupies of the sequence space: payload, SYN and FIN. */
uint32_t lai_segment_length(const struct lai_segment *segment);

/*
 * Writes the IP packet with right lengths and sums. Returns its bytes; -EINVAL: ends of two
 * families or none, or more options than the 40 bytes hold; -EMSGSIZE: longer than size.
 */
int lai_segment_build(const struct lai_segment *segment, uint8_t *packet, size_t size);

/*
 * Reads an IP packet of any content; what lies behind its end (Ethernet fills up to 60 bytes) does
 * not matter. 0; -ENOMSG: well-formed as far as it was read, but not one whole TCP segment (another
 * protocol, a fragment); -EBADMSG: malformed, *why is a constant sentence that says how. Unknown
 * options are passed over, of one that comes twice the last counts. *segment is written only on
 * success, *why only with -EBADMSG.
 */
int lai_segment_parse(const uint8_t *packet, size_t size, struct lai_segment *segment,
		      const char **why);

/* The same of a packet that may have been cut off somewhere behind its TCP header, as captures do:
   then payload is NULL, payload_bytes what the IP header says, and the TCP sum unchecked. */
int lai_segment_parse_cut(const uint8_t *packet, size_t size, struct lai_segment *segment,
			  const char **why);

/* "S", "S.", "F.", "R", "P.", ".", "none": as tcpdump writes flags. In text, or constant. */
#define LAI_FLAGS_TEXT_MAX 10
const char *lai_segment_flags(uint8_t flags, char text[LAI_FLAGS_TEXT_MAX]);

/* One line without newline: "10.0.0.1:2345 > 10.0.0.2:80 [S] seq 17 win 65535 <mss 1460,TS 5 0>";
   with the ACK flag also "ack 18", with payload "len 100". */
void lai_segment_describe(const struct lai_segment *segment, struct lai_text *text);

/* Sequence numbers wrap (RFC 9293 3.4): a is before b. */
static inline bool lai_seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

#endif
