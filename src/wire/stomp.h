/* SPDX-License-Identifier: MIT */
/*
 * stomp.h - the codec of STOMP 1.2 (and of 1.0 and 1.1, as far as their login demands), both roles.
 * https://stomp.github.io/stomp-specification-1.2.html
 *
 *     COMMAND EOL  { name ":" value EOL }  EOL  body  NUL        EOL = [CR] LF
 *
 * Reading is incremental and copies nothing: a frame's parts point into the bytes that were given.
 * Header values stand as they came; lai_stomp_unescape() resolves \n \c \\ \r. Pure functions.
 */
#ifndef LAI_WIRE_STOMP_H
#define LAI_WIRE_STOMP_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdint.h>

/* X(enumerator, text). BEAT is a heart-beat: one EOL between frames. */
#define LAI_STOMP_COMMANDS(X)                                                                      \
	X(BEAT, "")                                                                                \
	X(CONNECT, "CONNECT")                                                                      \
	X(STOMP, "STOMP")                                                                          \
	X(CONNECTED, "CONNECTED")                                                                  \
	X(SEND, "SEND")                                                                            \
	X(SUBSCRIBE, "SUBSCRIBE")                                                                  \
	X(UNSUBSCRIBE, "UNSUBSCRIBE")                                                              \
	X(ACK, "ACK")                                                                              \
	X(NACK, "NACK")                                                                            \
	X(BEGIN, "BEGIN")                                                                          \
	X(COMMIT, "COMMIT")                                                                        \
	X(ABORT, "ABORT")                                                                          \
	X(DISCONNECT, "DISCONNECT")                                                                \
	X(MESSAGE, "MESSAGE")                                                                      \
	X(RECEIPT, "RECEIPT")                                                                      \
	X(ERROR, "ERROR")

enum lai_stomp_command {
#define X(id, text) LAI_STOMP_##id,
	LAI_STOMP_COMMANDS(X)
#undef X
		LAI_STOMP_COMMAND_COUNT
};

enum lai_stomp_version { LAI_STOMP_1_0, LAI_STOMP_1_1, LAI_STOMP_1_2, LAI_STOMP_VERSION_COUNT };

/* Room for headers in a frame; the limit of a role may be lower. */
#define LAI_STOMP_HEADERS_MAX 64

struct lai_stomp_header {
	struct lai_slice name, value; /* escaped, as on the wire */
};

struct lai_stomp_frame {
	enum lai_stomp_command command;
	uint32_t header_count;
	struct lai_stomp_header headers[LAI_STOMP_HEADERS_MAX];
	struct lai_slice body;
};

struct lai_stomp_limits {
	uint32_t headers_max;	 /* of one frame; at most LAI_STOMP_HEADERS_MAX */
	uint32_t line_bytes_max; /* of the command or one header, without its EOL */
	uint32_t head_bytes_max; /* command and headers together */
	size_t body_bytes_max;
};

/* Where a header stands, in bytes from the beginning of its frame. */
struct lai_stomp_mark {
	uint32_t name, colon, end;
};

struct lai_stomp_parser {
	const struct lai_stomp_limits *limits; /* may be exchanged between frames */
	/*
	 * Once agreed; 1.2 until then. 1.0 escapes nothing and allows a body in every frame; 1.0
	 * and 1.1 know no CR: there it belongs to the line.
	 */
	enum lai_stomp_version version;
	const char *why; /* after a negative answer: what is wrong, half a sentence; else NULL */
	int failed;	 /* that answer; 0: none */
	/* The frame that is being read, in offsets from its first byte. */
	size_t line;	    /* where the current line of the head begins */
	size_t scanned;	    /* no LF (head) or NUL (body) between there and here */
	size_t head_bytes;  /* with the empty line; 0: not all there yet */
	size_t frame_bytes; /* with the NUL; 0: not known yet */
	enum lai_stomp_command command;
	uint32_t header_count;
	uint32_t
		length_header; /* which of them says content-length; header_count and above: none */
	struct lai_stomp_mark marks[LAI_STOMP_HEADERS_MAX];
};

void lai_stomp_parser_init(struct lai_stomp_parser *parser, const struct lai_stomp_limits *limits);

/*
 * Reads the frame that begins at data. 1: *frame is whole, *used its bytes on the wire; the slices
 * point into data. 0: more is needed: call again with the same beginning (it may have moved) and
 * more bytes; nothing is searched twice. -EMSGSIZE: over a limit, -EBADMSG: not STOMP; parser->why
 * says what, and *frame holds the headers that could be read, so that a receipt can be named.
 * Nothing can be read after that: every further call answers the same, without headers.
 *
 * Stricter than the letter: a NUL in the head is refused, as it is nearly always the end of a frame
 * that forgot its empty line. Laxer: a colon in a value may stand as it is (CONNECTED has no way to
 * escape it, and all servers take it); what an ERROR's headers escape is not judged, so that its
 * text can be told.
 */
int lai_stomp_parse(struct lai_stomp_parser *parser, const char *data, size_t size,
		    struct lai_stomp_frame *frame, size_t *used);

/* The first header of this name (repeated ones: the first counts), as on the wire; data NULL:
   none. */
struct lai_slice lai_stomp_header(const struct lai_stomp_frame *frame, const char *name);

/*
 * Resolves escapes into text, which has size bytes, and ends it with NUL. Its length, -EMSGSIZE,
 * or -EBADMSG for an escape that the version does not have. CONNECT and CONNECTED frames are never
 * escaped: pass LAI_STOMP_1_0 for them.
 */
int lai_stomp_unescape(struct lai_slice value, enum lai_stomp_version version, char *text,
		       size_t size);

/* ---- writing ---- */

/*
 * A frame is begun, its headers and its body follow; nothing is checked but by assert: that a name
 * or value of 1.0 (so of CONNECT too) has no LF, which nothing could escape. false: out of memory,
 * and the buffer is as before the call.
 */
bool lai_stomp_begin(struct lai_buffer *out, enum lai_stomp_command command);
/* Escapes name and value as this version demands; CONNECT and CONNECTED: pass LAI_STOMP_1_0. */
bool lai_stomp_put(struct lai_buffer *out, enum lai_stomp_version version, const char *name,
		   struct lai_slice value);
bool lai_stomp_put_number(struct lai_buffer *out, const char *name, uint64_t value);
/* Writes content-length unless the body is empty, the empty line, the body and the NUL. */
bool lai_stomp_end(struct lai_buffer *out, struct lai_slice body);
/* A text as it may stand in a header. */
bool lai_stomp_escape(struct lai_buffer *out, enum lai_stomp_version version,
		      struct lai_slice text);

const char *lai_stomp_command_text(enum lai_stomp_command command);

/* ---- negotiation ---- */

/* The highest version in an accept-version list ("1.0,1.1,2.0"; none: 1.0); -EPROTO: none of
   ours. */
int lai_stomp_negotiate(struct lai_slice accept_version);
const char *lai_stomp_version_text(enum lai_stomp_version version);

/*
 * Heart-beats: each side says what it can send and what it wants, in ms ("cx,cy"); 0: none.
 *   we send at least every max(our can, their want), they every max(their can, our want)
 * What we can and what we want is one number here, ours_ns; LA_NEVER: none.
 */
struct lai_stomp_beat {
	uint64_t send_ns;   /* something must go out this often; LA_NEVER: no duty */
	uint64_t expect_ns; /* something must come in this often; LA_NEVER: no claim */
	uint64_t sent_ns, heard_ns;
};

/* The header that says it; less than 1 ms is said as 1. false: no memory. */
bool lai_stomp_put_beat(struct lai_buffer *out, uint64_t ours_ns);
/* theirs: the value of their heart-beat header, data NULL for none. 0, or -EBADMSG: not two
   numbers. */
int lai_stomp_beat_init(struct lai_stomp_beat *beat, struct lai_slice theirs, uint64_t ours_ns,
			uint64_t now_ns);
void lai_stomp_beat_on_sent(struct lai_stomp_beat *beat, uint64_t now_ns);
void lai_stomp_beat_on_heard(struct lai_stomp_beat *beat, uint64_t now_ns);
/* Send an EOL now: early enough not to be late on the way. */
bool lai_stomp_beat_due(const struct lai_stomp_beat *beat, uint64_t now_ns);
/* Nothing came for twice the agreed time: the program is stuck or gone, its kernel or not. */
bool lai_stomp_beat_missed(const struct lai_stomp_beat *beat, uint64_t now_ns);
uint64_t lai_stomp_beat_deadline(const struct lai_stomp_beat *beat);

#endif
