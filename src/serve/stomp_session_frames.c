/* SPDX-License-Identifier: MIT */
/* stomp_session_frames.c - what a client's frames mean: its login, its records, its farewell. */
#include "serve/stomp_session_inside.h"

#include "base/sender_id.h"

#include <errno.h>
#include <stdio.h>

/* Of the id of a record without one, for the user's name: "-", 16 hexadecimal digits, "-" and 20
   digits stand behind it. */
#define SENDER_USER_MAX 24
#define SENTENCE_MAX 192

static void refuse(struct lai_stomp_session *session, enum la_session_end end, const char *details,
		   const struct lai_stomp_frame *frame, uint64_t now_ns)
{
	lai_stomp_session_refuse_by(session,
				    &(struct lai_stomp_refusal){
					    .end = end,
					    .details = details,
					    .receipt = lai_stomp_header(frame, "receipt"),
				    },
				    now_ns);
}

/* ---- CONNECT -------------------------------------------------------------------------------- */

/* Copies a text of CONNECT, which is not escaped. False: it does not fit, or would disturb a log. */
static bool copy_text(char *text, size_t size, struct lai_slice value, bool printable)
{
	if (value.size >= size)
		return false;
	for (size_t i = 0; i < value.size; i++) {
		unsigned char byte = (unsigned char)value.data[i];

		if (byte == '\0' || (printable && (byte < ' ' || byte == 0x7f)))
			return false;
	}
	if (value.size > 0)
		memcpy(text, value.data, value.size);
	text[value.size] = '\0';
	return true;
}

static void refuse_version(struct lai_stomp_session *session, const struct lai_stomp_frame *frame,
			   uint64_t now_ns)
{
	lai_stomp_session_refuse_by(
		session,
		&(struct lai_stomp_refusal){
			.end = LA_SESSION_PROTOCOL_ERROR,
			.message = "Supported protocol versions are 1.0 1.1 1.2",
			.receipt = lai_stomp_header(frame, "receipt"),
			.versions = true,
		},
		now_ns);
}

static void take_connect(struct lai_stomp_session *session, const struct lai_stomp_frame *frame,
			 uint64_t now_ns)
{
	int version = lai_stomp_negotiate(lai_stomp_header(frame, "accept-version"));
	struct lai_slice beat = {0};

	if (version < 0) {
		refuse_version(session, frame, now_ns);
		return;
	}
	session->version = session->parser.version = (enum lai_stomp_version)version;
	if (version != LAI_STOMP_1_0) /* which has no heart-beats */
		beat = lai_stomp_header(frame, "heart-beat");
	if (lai_stomp_beat_init(&session->beat, beat, session->config->heartbeat_ns, now_ns) != 0)
		refuse(session, LA_SESSION_PROTOCOL_ERROR, "heart-beat is not two numbers", frame,
		       now_ns);
	else if (!copy_text(session->user, sizeof(session->user), lai_stomp_header(frame, "login"),
			    true))
		refuse(session, LA_SESSION_PROTOCOL_ERROR,
		       "login has more than 63 bytes, or a control character", frame, now_ns);
	else if (!copy_text(session->password, sizeof(session->password),
			    lai_stomp_header(frame, "passcode"), false))
		refuse(session, LA_SESSION_PROTOCOL_ERROR, "passcode has more than 511 bytes",
		       frame, now_ns);
	else
		lai_stomp_session_set(session, LAI_STOMP_SESSION_CHECKING);
}

static void take_first(struct lai_stomp_session *session, const struct lai_stomp_frame *frame,
		       uint64_t now_ns)
{
	if (frame->command == LAI_STOMP_CONNECT || frame->command == LAI_STOMP_STOMP)
		take_connect(session, frame, now_ns);
	else
		refuse(session, LA_SESSION_PROTOCOL_ERROR, "the first frame must be CONNECT", frame,
		       now_ns);
}

/* ---- SEND ----------------------------------------------------------------------------------- */

/* The headers that mean something to us; data NULL: not given. Of repeated ones the first counts. */
struct sending {
	struct lai_slice destination, record_id, receipt;
	bool transaction;
	bool has_others; /* to be passed on */
};

static void keep_first(struct lai_slice *kept, struct lai_slice value)
{
	if (!kept->data)
		*kept = value;
}

enum header { OTHER, DESTINATION, RECORD_ID, RECEIPT, CONTENT_LENGTH, TRANSACTION };

static enum header header_of(struct lai_slice name)
{
	switch (name.size) {
	case sizeof("receipt") - 1:
		return lai_slice_equal(name, LAI_SLICE("receipt")) ? RECEIPT : OTHER;
	case sizeof("record-id") - 1:
		return lai_slice_equal(name, LAI_SLICE("record-id")) ? RECORD_ID : OTHER;
	case sizeof("destination") - 1:
		if (lai_slice_equal(name, LAI_SLICE("destination")))
			return DESTINATION;
		return lai_slice_equal(name, LAI_SLICE("transaction")) ? TRANSACTION : OTHER;
	case sizeof("content-length") - 1:
		return lai_slice_equal(name, LAI_SLICE("content-length")) ? CONTENT_LENGTH : OTHER;
	default: return OTHER;
	}
}

static void read_headers(struct sending *sending, const struct lai_stomp_frame *frame)
{
	*sending = (struct sending){0};
	for (uint32_t i = 0; i < frame->header_count; i++) {
		struct lai_slice value = frame->headers[i].value;

		switch (header_of(frame->headers[i].name)) {
		case DESTINATION: keep_first(&sending->destination, value); break;
		case RECORD_ID: keep_first(&sending->record_id, value); break;
		case RECEIPT: keep_first(&sending->receipt, value); break;
		case TRANSACTION: sending->transaction = true; break;
		case CONTENT_LENGTH: break;
		case OTHER: sending->has_others = true; break;
		}
	}
}

/* Reads "SENDER-SEQ", split at the last '-'. False: it is something else. */
static bool read_record_id(struct lai_slice id, struct lai_slice *sender, uint64_t *seq)
{
	const char *dash, *end;
	uint64_t number = 0;

	if (id.size == 0)
		return false;
	end = id.data + id.size;
	dash = memrchr(id.data, '-', id.size);
	if (!dash || dash + 1 == end ||
	    !lai_sender_id_is((struct lai_slice){id.data, (size_t)(dash - id.data)}))
		return false;
	if (!lai_slice_number((struct lai_slice){dash + 1, (size_t)(end - dash - 1)}, &number) ||
	    number == 0 || number > INT64_MAX)
		return false;
	*sender = (struct lai_slice){id.data, (size_t)(dash - id.data)};
	*seq = number;
	return true;
}

/* Appends the text to scratch, which has room; escaped bytes are resolved. What it gave. */
static struct lai_slice append_plain(struct lai_stomp_session *session, struct lai_slice text)
{
	char *room = session->scratch.bytes + session->scratch.end;
	int length = (int)text.size;

	if (session->version == LAI_STOMP_1_0 || !memchr(text.data, '\\', text.size))
		memcpy(room, text.data, text.size);
	else /* the parser has judged the escapes */
		length = lai_stomp_unescape(text, session->version, room,
					    lai_buffer_room(&session->scratch));
	if (length < 0)
		length = 0;
	lai_buffer_extend(&session->scratch, (size_t)length);
	return (struct lai_slice){room, (size_t)length};
}

static void append_raw(struct lai_stomp_session *session, const void *data, size_t size)
{
	(void)lai_buffer_append(&session->scratch, data, size);
}

/* A line of the headers; as it came, where it would not be one line with one name otherwise. */
static void append_header(struct lai_stomp_session *session, const struct lai_stomp_header *header)
{
	size_t before = lai_buffer_used(&session->scratch);
	const char *end = header->value.data + header->value.size;
	struct lai_slice line = {header->name.data, (size_t)(end - header->name.data)};
	struct lai_slice name, value;
	bool whole;

	if (session->version == LAI_STOMP_1_0 || !memchr(line.data, '\\', line.size)) {
		append_raw(session, line.data, line.size);
		append_raw(session, "\n", 1);
		return;
	}
	name = append_plain(session, header->name);
	whole = !memchr(name.data, ':', name.size) && !memchr(name.data, '\n', name.size);
	append_raw(session, ":", 1);
	value = append_plain(session, header->value);
	whole = whole && !memchr(value.data, '\n', value.size);
	if (!whole) {
		lai_buffer_truncate(&session->scratch, lai_buffer_used(&session->scratch) - before);
		append_raw(session, line.data, line.size);
	}
	append_raw(session, "\n", 1);
}

static bool is_passed_on(const struct lai_stomp_header *header, bool with_record_id)
{
	enum header kind = header_of(header->name);

	return kind == OTHER || (kind == RECORD_ID && with_record_id);
}

/* Fills the texts of the record that have to be unescaped. False: out of memory. */
static bool fill_texts(struct lai_stomp_session *session, const struct lai_stomp_frame *frame,
		       const struct sending *sending, bool own_id, size_t head_bytes,
		       struct lai_stomp_record *record)
{
	bool plain = session->version == LAI_STOMP_1_0 ||
		     !memchr(sending->destination.data, '\\', sending->destination.size);
	bool with_id = own_id && sending->record_id.data;
	size_t before;

	record->destination = sending->destination;
	if (plain && !sending->has_others && !with_id)
		return true;
	lai_buffer_consume(&session->scratch, lai_buffer_used(&session->scratch));
	/* Nothing gets longer than it is in the head; unescaping writes a NUL behind it. Scratch must not
	   move below, since slices point into it. */
	if (!lai_buffer_reserve(&session->scratch, head_bytes + 1))
		return false;
	if (!plain)
		record->destination = append_plain(session, sending->destination);
	before = session->scratch.end;
	for (uint32_t i = 0; i < frame->header_count; i++)
		if (is_passed_on(&frame->headers[i], with_id))
			append_header(session, &frame->headers[i]);
	record->headers =
		(struct lai_slice){session->scratch.bytes + before, session->scratch.end - before};
	return true;
}

/* A SEND that will never do; NULL: it is fine. */
static const char *wrong_with(const struct sending *sending, enum la_session_end *end)
{
	*end = LA_SESSION_PROTOCOL_ERROR;
	if (sending->destination.size == 0)
		return "SEND needs a destination";
	*end = LA_SESSION_NOT_SUPPORTED;
	if (sending->transaction)
		return "a transaction; leave it out, every record is confirmed by its own receipt";
	return NULL;
}

static void refuse_record(struct lai_stomp_session *session, int error,
			  const struct lai_stomp_frame *frame, uint64_t now_ns)
{
	if (error == -ENOMEM)
		refuse(session, LA_SESSION_NO_MEMORY, NULL, frame, now_ns);
	else
		refuse(session, LA_SESSION_REFUSED_RECORD,
		       error == -EMSGSIZE ? "it is larger than the store takes" : strerror(-error),
		       frame, now_ns);
}

/* A record of a client that does not number its own gets ours. */
static bool fill_id(struct lai_stomp_session *session, struct lai_slice id,
		    struct lai_stomp_record *record)
{
	if (read_record_id(id, &record->sender, &record->seq))
		return false;
	record->sender = lai_slice_of(session->sender);
	record->seq = session->own_seq + 1;
	return true;
}

/* False: not now; the frame is to be offered again. */
static bool take_send(struct lai_stomp_session *session, const struct lai_stomp_frame *frame,
		      size_t head_bytes, uint64_t now_ns)
{
	struct lai_stomp_record record = {.body = frame->body};
	enum la_session_end end;
	struct sending sending;
	uint64_t ticket;
	const char *wrong;
	bool own_id;
	int result;

	read_headers(&sending, frame);
	wrong = wrong_with(&sending, &end);
	if (wrong) {
		refuse(session, end, wrong, frame, now_ns);
		return true;
	}
	if (sending.receipt.data && lai_stomp_session_is_crowded(session)) {
		session->paused = session->crowded = true;
		return false;
	}
	own_id = fill_id(session, sending.record_id, &record);
	result = fill_texts(session, frame, &sending, own_id, head_bytes, &record)
			 ? session->config->on_record(session->config->arg, &record, &ticket)
			 : -ENOMEM;
	if (result == -EAGAIN) {
		session->paused = true;
		return false;
	}
	if (result == 0) {
		session->records++;
		session->own_seq += own_id;
		session->last_ticket = ticket;
		if (sending.receipt.data &&
		    !lai_stomp_session_hold_receipt(session, sending.receipt))
			result = -ENOMEM;
	}
	if (result != 0)
		refuse_record(session, result, frame, now_ns);
	return true;
}

/* ---- the others ----------------------------------------------------------------------------- */

static void take_disconnect(struct lai_stomp_session *session, const struct lai_stomp_frame *frame,
			    uint64_t now_ns)
{
	struct lai_slice receipt = lai_stomp_header(frame, "receipt");

	if (receipt.data && !lai_stomp_session_hold_receipt(session, receipt)) {
		refuse(session, LA_SESSION_NO_MEMORY, NULL, frame, now_ns);
		return;
	}
	session->receipt_asked = receipt.data != NULL;
	session->came_ns = now_ns;
	lai_stomp_session_set(session, LAI_STOMP_SESSION_FAREWELL);
}

/* Why a command of a client's is not for this server. */
static const char *not_for_us(enum lai_stomp_command command)
{
	switch (command) {
	case LAI_STOMP_SUBSCRIBE:
	case LAI_STOMP_UNSUBSCRIBE:
	case LAI_STOMP_ACK:
	case LAI_STOMP_NACK: return "this server stores what it is sent and delivers nothing";
	case LAI_STOMP_BEGIN:
	case LAI_STOMP_COMMIT:
	case LAI_STOMP_ABORT: return "every record is confirmed by its own receipt";
	default: return NULL;
	}
}

static void refuse_command(struct lai_stomp_session *session, const struct lai_stomp_frame *frame,
			   uint64_t now_ns)
{
	const char *reason = not_for_us(frame->command);
	bool again = frame->command == LAI_STOMP_CONNECT || frame->command == LAI_STOMP_STOMP;
	char sentence[SENTENCE_MAX];

	(void)snprintf(sentence, sizeof(sentence), "%s, %s", lai_stomp_command_text(frame->command),
		       reason  ? reason
		       : again ? "the login is over already"
			       : "it is a server who says that");
	refuse(session, reason ? LA_SESSION_NOT_SUPPORTED : LA_SESSION_PROTOCOL_ERROR, sentence,
	       frame, now_ns);
}

/* False: not now. */
static bool take(struct lai_stomp_session *session, const struct lai_stomp_frame *frame,
		 size_t used, uint64_t now_ns)
{
	if (frame->command == LAI_STOMP_BEAT)
		return true;
	if (session->state == LAI_STOMP_SESSION_HANDSHAKE)
		take_first(session, frame, now_ns);
	else if (frame->command == LAI_STOMP_SEND)
		return take_send(session, frame, used - frame->body.size, now_ns);
	else if (frame->command == LAI_STOMP_DISCONNECT)
		take_disconnect(session, frame, now_ns);
	else
		refuse_command(session, frame, now_ns);
	return true;
}

/* What cannot be parsed, or is over a limit: a body is so as soon as its length is known. */
static void refuse_bytes(struct lai_stomp_session *session, int error,
			 const struct lai_stomp_frame *frame, uint64_t now_ns)
{
	char sentence[SENTENCE_MAX];

	if (error == -EMSGSIZE && session->parser.head_bytes > 0 &&
	    session->state == LAI_STOMP_SESSION_OPEN) {
		(void)snprintf(sentence, sizeof(sentence), "a record has at most %zu bytes",
			       session->config->record_bytes_max);
		refuse(session, LA_SESSION_REFUSED_RECORD, sentence, frame, now_ns);
	} else if (error == -EMSGSIZE && session->parser.head_bytes > 0 &&
		   session->state == LAI_STOMP_SESSION_HANDSHAKE) {
		/* Nothing that has a body comes before it. */
		refuse(session, LA_SESSION_PROTOCOL_ERROR,
		       "the first frame must be CONNECT or STOMP, which have no body", frame,
		       now_ns);
	} else {
		refuse(session, LA_SESSION_PROTOCOL_ERROR, session->parser.why, frame, now_ns);
	}
}

void lai_stomp_session_take_frames(struct lai_stomp_session *session, uint64_t now_ns)
{
	struct lai_buffer *in = &session->in;
	struct lai_stomp_frame frame;

	while (lai_stomp_session_parses(session) && !session->paused && lai_buffer_used(in) > 0) {
		size_t used;
		int result = lai_stomp_parse(&session->parser, lai_buffer_data(in),
					     lai_buffer_used(in), &frame, &used);

		if (result < 0)
			refuse_bytes(session, result, &frame, now_ns);
		if (result <= 0 || !take(session, &frame, used, now_ns))
			return;
		lai_buffer_consume(in, used);
	}
}

void lai_stomp_session_name_sender(struct lai_stomp_session *session)
{
	const char *user = session->user[0] ? session->user : "anonymous";
	char name[SENDER_USER_MAX + 1];
	size_t length = 0;

	for (; length < SENDER_USER_MAX && user[length]; length++)
		name[length] =
			lai_sender_id_is((struct lai_slice){&user[length], 1}) ? user[length] : '_';
	name[length] = '\0';
	(void)snprintf(session->sender, sizeof(session->sender), "%s-%llx-%llu", name,
		       (unsigned long long)session->epoch, (unsigned long long)session->serial);
}
