/* SPDX-License-Identifier: MIT */
/*
 * IP packets of any content: whatever parses can be built again, and then parses to the same, with
 * right sums. And segments of any content: whatever can be built parses to what it was built from.
 */
#include "../support/segment_same.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An IPv6 packet may be longer than 64 KiB by its header. */
#define ROOM (40 + 65535)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t built[ROOM];

static void build_and_compare(const struct lai_segment *segment)
{
	int bytes = lai_segment_build(segment, built, sizeof(built));
	struct lai_segment again;
	const char *why = NULL;
	int error;

	assert(bytes > 0);
	error = lai_segment_parse(built, (size_t)bytes, &again, &why);
	assert(error == 0);
	assert(t_segment_same(segment, &again));
	assert(!again.bad_ip_checksum && !again.bad_tcp_checksum);
}

static void parse(const uint8_t *data, size_t size)
{
	struct lai_text text = LAI_TEXT_INIT(1024);
	struct lai_segment segment, cut;
	uint8_t *packet = malloc(size ? size : 1);
	const char *why = NULL;
	int error;

	assert(packet);
	if (size)
		memcpy(packet, data, size);
	error = lai_segment_parse(packet, size, &segment, &why);
	assert(error == 0 || error == -ENOMSG || (error == -EBADMSG && why && why[0]));
	if (error == 0) {
		build_and_compare(&segment);
		assert(lai_segment_parse_cut(packet, size, &cut, &why) == 0);
		assert(t_segment_same(&segment, &cut));
		lai_segment_describe(&segment, &text);
		assert(text.error == 0);
	} else if (lai_segment_parse_cut(packet, size, &cut, &why) == 0) {
		assert(!cut.payload && cut.payload_bytes > 0);
		build_and_compare(&cut);
	}
	lai_text_done(&text);
	free(packet);
}

/* The bytes are taken as the fields of a segment, and what is left as its payload. */
static void build(const uint8_t *data, size_t size)
{
	struct lai_segment segment = {0};
	uint8_t families, small[64];
	int bytes;

	if (size < 1 + sizeof(segment))
		return;
	families = data[0];
	/* Booleans that are neither would be our fault, not the builder's. */
	memcpy(&segment.seq, data + 1, sizeof(segment.seq));
	memcpy(&segment.ack, data + 5, sizeof(segment.ack));
	segment.flags = data[9];
	memcpy(&segment.window, data + 10, sizeof(segment.window));
	memcpy(&segment.urgent, data + 12, sizeof(segment.urgent));
	segment.hops = data[14];
	memcpy(&segment.mss, data + 15, sizeof(segment.mss));
	segment.has_scale = data[17] & 1;
	segment.sack_permitted = data[17] & 2;
	segment.has_timestamp = data[17] & 4;
	segment.scale = data[18];
	memcpy(&segment.ts_value, data + 19, sizeof(segment.ts_value));
	memcpy(&segment.ts_echo, data + 23, sizeof(segment.ts_echo));
	segment.sack_count = data[27] % 8;
	memcpy(segment.sacks, data + 28, sizeof(segment.sacks));
	segment.from.v6.sin6_family = families & 1 ? AF_INET : AF_INET6;
	segment.to.v6.sin6_family = families & 2 ? AF_INET : AF_INET6;
	segment.from.length = families & 4 ? 0 : sizeof(segment.from.v6);
	segment.to.length = sizeof(segment.to.v6);
	if (segment.from.sa.sa_family == AF_INET)
		memcpy(&segment.from.v4.sin_addr, data + 60, 4);
	else
		memcpy(&segment.from.v6.sin6_addr, data + 60, 16);
	segment.from.v4.sin_port = segment.to.v4.sin_port = (in_port_t)segment.seq;
	segment.payload = families & 8 ? NULL : data + 1 + sizeof(segment);
	segment.payload_bytes = size - 1 - sizeof(segment);
	bytes = lai_segment_build(&segment, built, sizeof(built));
	assert(bytes > 0 || bytes == -EINVAL || bytes == -EMSGSIZE);
	if (bytes > 0)
		build_and_compare(&segment);
	bytes = lai_segment_build(&segment, small, sizeof(small));
	assert(bytes <= (int)sizeof(small));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse(data, size);
	build(data, size);
	return 0;
}
