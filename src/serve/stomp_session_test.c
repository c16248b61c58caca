/* SPDX-License-Identifier: MIT */
/* A STOMP session from outside: what a client sends, what it is answered, when our FIN goes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "base/time.h"
#include "serve/stomp_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 (100 * LAI_S)
#define RECORD_MAX 1000
#define REPLIES_MAX 2000
#define TEXT_MAX 65536
#define CONNECT                                                                                    \
	"CONNECT\naccept-version:1.2\nhost:x\nlogin:ann\npasscode:secret\nheart-beat:0,0\n\n"
#define ENDS (LAI_CONN_CLOSE | LAI_CONN_LINGER | LAI_CONN_ABORT)

struct fixture {
	struct lai_stomp_session_config config;
	struct lai_stomp_session session;
	uint64_t now_ns;
	struct lai_view view;
	unsigned actions;    /* all that were ever asked for */
	bool acks;	     /* the peer's kernel answers */
	char said[TEXT_MAX]; /* by the session */
	size_t said_bytes;
	char records[TEXT_MAX]; /* "sender/seq destination [headers] body\n", LF as '|' */
	size_t records_bytes;
	uint64_t ticket; /* of the present batch */
	int answer;	 /* of on_record */
};

static void note(struct fixture *f, const void *data, size_t size)
{
	assert_true(f->records_bytes + size < sizeof(f->records));
	for (size_t i = 0; i < size; i++)
		f->records[f->records_bytes++] =
			((const char *)data)[i] == '\n' ? '|' : ((const char *)data)[i];
	f->records[f->records_bytes] = '\0';
}

static int on_record(void *arg, const struct lai_stomp_record *record, uint64_t *ticket)
{
	struct fixture *f = arg;
	char seq[32];

	if (f->answer)
		return f->answer;
	note(f, record->sender.data, record->sender.size);
	note(f, seq, (size_t)snprintf(seq, sizeof(seq), "/%llu ", (unsigned long long)record->seq));
	note(f, record->destination.data, record->destination.size);
	note(f, " [", 2);
	if (record->headers.size)
		note(f, record->headers.data, record->headers.size);
	note(f, "] ", 2);
	if (record->body.size)
		note(f, record->body.data, record->body.size);
	note(f, ";", 1);
	*ticket = f->ticket;
	return 0;
}

static struct fixture *new_fixture(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct la_report report = {.serial = 7, .began_ns = T0};

	assert_non_null(f);
	f->config = (struct lai_stomp_session_config){
		.limits = {.dead_ns = 20 * LAI_S, .stall_ns = LA_NEVER},
		.handshake_ns = 10 * LAI_S,
		.idle_ns = LA_NEVER,
		.heartbeat_ns = 10 * LAI_S,
		.linger_idle_ns = 5 * LAI_S,
		.linger_ns = 30 * LAI_S,
		.linger_bytes = 100000,
		.record_bytes_max = RECORD_MAX,
		.replies_bytes_max = REPLIES_MAX,
		.server = "lastack/test",
		.on_record = on_record,
		.arg = f,
	};
	f->now_ns = T0;
	f->ticket = 1;
	f->acks = true;
	f->view.tcp_state = LAI_TCP_ESTABLISHED;
	lai_stomp_session_init(&f->session, &f->config, &report, 0xe, T0);
	return f;
}

static void free_fixture(struct fixture *f)
{
	lai_stomp_session_done(&f->session);
	free(f);
}

/* ---- the network ---------------------------------------------------------------------------- */

static void write_out(struct fixture *f, size_t most)
{
	const void *data;
	size_t size;

	while (most > 0 && (size = lai_stomp_session_to_send(&f->session, &data)) > 0) {
		size = size < most ? size : most;
		assert_true(f->said_bytes + size < sizeof(f->said));
		memcpy(f->said + f->said_bytes, data, size);
		f->said_bytes += size;
		most -= size;
		lai_stomp_session_on_sent(&f->session, size, f->now_ns);
	}
}

/* Carries out what is asked for; everything that is written is acknowledged at once, if at all. */
static void act(struct fixture *f)
{
	unsigned actions;

	write_out(f, SIZE_MAX);
	while ((actions = lai_conn_take(&f->session.conn)) != 0) {
		f->actions |= actions;
		if (f->acks && (f->actions & LAI_CONN_SEND_FIN))
			f->view.fin_acked = true;
		if (f->acks)
			f->view.acked_bytes = f->said_bytes;
		f->view.in_flight = f->said_bytes > f->view.acked_bytes;
		if (actions & ENDS)
			assert_true(lai_stomp_session_over(&f->session));
		if (actions & LAI_CONN_READ_REST)
			lai_stomp_session_on_rest_read(&f->session, f->now_ns);
		if (actions & LAI_CONN_WHY_SILENT)
			lai_stomp_session_on_why_silent(&f->session, 0, f->now_ns);
		if (actions & (LAI_CONN_LOOK | LAI_CONN_SEND_FIN))
			lai_stomp_session_on_view(&f->session, &f->view, f->now_ns);
		write_out(f, SIZE_MAX);
	}
}

/* The part that is taken; without acting. */
static size_t offer(struct fixture *f, const char *data, size_t size)
{
	size_t taken = 0;

	while (taken < size) {
		void *room;
		size_t piece = lai_stomp_session_discards(&f->session);

		if (piece > 0) {
			piece = piece < size - taken ? piece : size - taken;
			lai_stomp_session_on_discarded(&f->session, piece, f->now_ns);
		} else {
			piece = lai_stomp_session_room(&f->session, &room);
			assert_int_equal(piece > 0, lai_stomp_session_wants_read(&f->session));
			if (piece == 0)
				break;
			piece = piece < size - taken ? piece : size - taken;
			memcpy(room, data + taken, piece);
			lai_stomp_session_on_read(&f->session, piece, f->now_ns);
		}
		taken += piece;
	}
	return taken;
}

static void receive(struct fixture *f, const char *data, size_t size)
{
	assert_int_equal(offer(f, data, size), size);
	act(f);
}

/* Frames whose NUL is written as '^', as in the specification. */
static void receive_text(struct fixture *f, const char *text)
{
	size_t size = strlen(text);
	char *frames = strdup(text);

	assert_non_null(frames);
	for (size_t i = 0; i < size; i++)
		if (frames[i] == '^')
			frames[i] = '\0';
	receive(f, frames, size);
	free(frames);
}

static void fin(struct fixture *f)
{
	lai_stomp_session_on_fin(&f->session, f->now_ns);
	act(f);
}

static void stored(struct fixture *f, uint64_t ticket)
{
	lai_stomp_session_on_stored(&f->session, ticket, f->now_ns);
	act(f);
}

static void pass_until(struct fixture *f, uint64_t now_ns)
{
	for (;;) {
		uint64_t due_ns = lai_stomp_session_deadline(&f->session);

		if (due_ns > now_ns)
			break;
		f->now_ns = due_ns > f->now_ns ? due_ns : f->now_ns;
		lai_stomp_session_on_timer(&f->session, f->now_ns);
		act(f);
	}
	f->now_ns = now_ns;
}

static void pass(struct fixture *f, uint64_t duration_ns)
{
	pass_until(f, f->now_ns + duration_ns);
}

/* All that was said, with '^' for NUL. */
static const char *heard(struct fixture *f)
{
	static char text[TEXT_MAX];

	for (size_t i = 0; i < f->said_bytes; i++)
		text[i] = f->said[i] ? f->said[i] : '^';
	text[f->said_bytes] = '\0';
	return text;
}

static void forget_heard(struct fixture *f)
{
	/* Offsets stay those of the connection: the text before is blanked out. */
	memset(f->said, '.', f->said_bytes);
}

static void assert_says(struct fixture *f, const char *part)
{
	if (!strstr(heard(f), part))
		fail_msg("'%s' is not in what it said:\n%s", part, heard(f));
}

static void assert_silent(struct fixture *f, const char *part)
{
	if (strstr(heard(f), part))
		fail_msg("'%s' is in what it said:\n%s", part, heard(f));
}

static struct fixture *logged_in(void)
{
	struct fixture *f = new_fixture();

	receive_text(f, CONNECT "^");
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_CHECKING);
	lai_stomp_session_on_checked(&f->session, LA_SESSION_OPEN, 0, f->now_ns);
	act(f);
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_OPEN);
	return f;
}

/* It was refused for this, the text has been acknowledged, and our FIN followed. */
static void assert_refused(struct fixture *f, enum la_session_end end, const char *message)
{
	assert_string_equal(la_session_end_name(f->session.end), la_session_end_name(end));
	assert_says(f, "ERROR\n");
	assert_says(f, message);
	assert_true(f->actions & LAI_CONN_SEND_FIN);
	assert_false(f->actions & ENDS);
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_REFUSED);
}

static void assert_over(struct fixture *f, enum la_session_end end, enum la_words words,
			unsigned action)
{
	assert_true(lai_stomp_session_over(&f->session));
	assert_string_equal(la_session_end_name(f->session.end), la_session_end_name(end));
	assert_string_equal(la_words_name(f->session.words), la_words_name(words));
	assert_int_equal(f->actions & ENDS, action);
	assert_true(lai_stomp_session_deadline(&f->session) == LA_NEVER);
}

/* ---- login ---------------------------------------------------------------------------------- */

static void test_login(void **state)
{
	struct fixture *f = new_fixture();

	(void)state;
	receive_text(f, "\nCONNECT\naccept-version:1.0,1.1,1.2,9.9\nhost:h\nlogin:ann\n"
			"passcode:a\\b:c\nheart-beat:1000,2000\n\n^");
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_CHECKING);
	assert_string_equal(f->session.user, "ann");
	assert_string_equal(f->session.password, "a\\b:c"); /* CONNECT is not escaped */
	assert_false(lai_stomp_session_wants_read(&f->session));
	assert_int_equal(f->said_bytes, 0);
	lai_stomp_session_on_checked(&f->session, LA_SESSION_OPEN, 0, f->now_ns);
	act(f);
	assert_string_equal(f->session.password, "");
	assert_string_equal(heard(f), "CONNECTED\nversion:1.2\nsession:7\nserver:lastack/test\n"
				      "heart-beat:10000,10000\nuser-name:ann\n\n^");
	assert_true(f->session.beat.expect_ns == 10 * LAI_S);
	assert_true(f->session.beat.send_ns == 10 * LAI_S);
	free_fixture(f);
}

/* No copy of the password is left in what the session has allocated, nor in its report. */
static void test_password_is_wiped(void **state)
{
	struct fixture *f = new_fixture();
	const char frames[] = CONNECT "\0SEND\ndestination:a";

	(void)state;
	for (size_t i = 0; i < sizeof(frames) - 1; i++)
		if (offer(f, frames + i, 1) == 0)
			break;
	assert_string_equal(f->session.password, "secret");
	if (f->session.in.bytes)
		assert_null(memmem(f->session.in.bytes, f->session.in.capacity, "secret", 6));
	lai_stomp_session_on_checked(&f->session, LA_SESSION_LOGIN_REJECTED, 0, f->now_ns);
	assert_null(memmem(&f->session, sizeof(f->session), "secret", 6));
	act(f);
	assert_refused(f, LA_SESSION_LOGIN_REJECTED, "unknown user or wrong password");
	free_fixture(f);
}

/* What must be refused before login, and with what words. */
static const struct {
	const char *frame;
	enum la_session_end end;
	const char *message;
} first_frames[] = {
	{"CONNECT\naccept-version:2.0\n\n^", LA_SESSION_PROTOCOL_ERROR,
	 "message:Supported protocol versions are 1.0 1.1 1.2\n"},
	{"CONNECT\naccept-version:2.0\nreceipt:r\n\n^", LA_SESSION_PROTOCOL_ERROR,
	 "version:1.0,1.1,1.2\n"},
	{"CONNECT\naccept-version:1.2\nheart-beat:x\n\n^", LA_SESSION_PROTOCOL_ERROR,
	 "heart-beat is not two numbers"},
	{"CONNECT\naccept-version:1.2\nlogin:a\x01"
	 "b\n\n^",
	 LA_SESSION_PROTOCOL_ERROR, "login has more than 63 bytes, or a control"},
	{"CONNECT\naccept-version:1.2\nlogin:"
	 "0123456789012345678901234567890123456789012345678901234567890123\n\n^",
	 LA_SESSION_PROTOCOL_ERROR, "login has more than 63 bytes"},
	{"SEND\ndestination:a\nreceipt:77\n\n^", LA_SESSION_PROTOCOL_ERROR,
	 "the first frame must be CONNECT"},
	{"SEND\ndestination:a\nreceipt:77\n\n^", LA_SESSION_PROTOCOL_ERROR, "receipt-id:77\n"},
	{"DISCONNECT\n\n^", LA_SESSION_PROTOCOL_ERROR, "the first frame must be CONNECT"},
	{"GET / HTTP/1.1\r\n\r\n", LA_SESSION_PROTOCOL_ERROR, "unknown command"},
	{"\x16\x03\x01", LA_SESSION_PROTOCOL_ERROR, "TLS"},
	{"CONNECT\na:b\nc\n\n^", LA_SESSION_PROTOCOL_ERROR, "colon"},
};

static void test_first_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(first_frames) / sizeof(first_frames[0]); i++) {
		struct fixture *f = new_fixture();

		receive_text(f, first_frames[i].frame);
		assert_refused(f, first_frames[i].end, first_frames[i].message);
		fin(f);
		assert_over(f, first_frames[i].end, LA_WORDS_CONSUMED, LAI_CONN_CLOSE);
		free_fixture(f);
	}
}

static void test_limits_before_login(void **state)
{
	char line[2048];

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		struct fixture *f = new_fixture();

		receive_text(f, "CONNECT\n");
		if (kind == 0) { /* an endless line */
			memset(line, 'x', sizeof(line));
			(void)offer(f, line, sizeof(line));
		}
		for (int i = 0; kind == 1 && i < 17; i++) /* one header too many */
			(void)offer(f, "a:b\n", 4);
		for (int i = 0; kind == 2 && i < 6; i++) { /* few and long */
			memset(line, 'x', 900);
			memcpy(line, "a:", 2);
			line[900] = '\n';
			(void)offer(f, line, 901);
		}
		act(f);
		assert_refused(f, LA_SESSION_PROTOCOL_ERROR, "message:protocol error");
		free_fixture(f);
	}
}

static void test_versions(void **state)
{
	static const struct {
		const char *accept, *version;
	} rows[] = {{"", "1.0"},
		    {"accept-version:1.1\n", "1.1"},
		    {"accept-version:1.0,1.2\n", "1.2"},
		    {"accept-version:1.1,1.0\n", "1.1"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = new_fixture();
		char text[128];

		snprintf(text, sizeof(text), "STOMP\n%s\n^", rows[i].accept);
		receive_text(f, text);
		lai_stomp_session_on_checked(&f->session, LA_SESSION_OPEN, 0, f->now_ns);
		act(f);
		snprintf(text, sizeof(text), "CONNECTED\nversion:%s\n", rows[i].version);
		assert_says(f, text);
		assert_silent(f, "user-name");
		free_fixture(f);
	}
}

static void test_handshake_deadline(void **state)
{
	struct fixture *f = new_fixture();

	(void)state;
	receive_text(f, "CONNECT\naccept-version:1.2\n");
	pass(f, 9 * LAI_S);
	assert_int_equal(f->said_bytes, 0);
	pass(f, 1 * LAI_S);
	assert_refused(f, LA_SESSION_HANDSHAKE_TIMEOUT, "no CONNECT came in time");
	/* It neither reads on nor closes: five seconds after the last sign it is left alone. */
	pass(f, 4 * LAI_S);
	assert_false(lai_stomp_session_over(&f->session));
	pass(f, 2 * LAI_S);
	assert_over(f, LA_SESSION_HANDSHAKE_TIMEOUT, LA_WORDS_ACKED, LAI_CONN_CLOSE);
	free_fixture(f);
}

static void test_verdicts(void **state)
{
	static const struct {
		enum la_session_end end;
		uint64_t retry_ns;
		const char *text;
	} rows[] = {
		{LA_SESSION_LOGIN_REJECTED, 0, "message:unknown user or wrong password\n"},
		{LA_SESSION_TOO_MANY_FAILURES, 41 * LAI_S + 1, "retry-after:42\n"},
		{LA_SESSION_TOO_MANY_FAILURES, 1, "retry-after:1\n"},
		{LA_SESSION_NOT_AUTHORIZED, 0, "message:this server wants a login\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = new_fixture();

		receive_text(f, CONNECT "^");
		pass(f, 60 * LAI_S); /* the check may take its time */
		lai_stomp_session_on_checked(&f->session, rows[i].end, rows[i].retry_ns, f->now_ns);
		act(f);
		assert_refused(f, rows[i].end, rows[i].text);
		assert_says(f, "content-type:text/plain\n");
		assert_silent(f, "shutdown");
		assert_true(rows[i].retry_ns || !strstr(heard(f), "retry-after"));
		fin(f);
		assert_over(f, rows[i].end, LA_WORDS_CONSUMED, LAI_CONN_CLOSE);
		free_fixture(f);
	}
}

/* ---- records -------------------------------------------------------------------------------- */

static void test_records(void **state)
{
	static const struct {
		const char *frame, *record;
	} rows[] = {
		{"SEND\ndestination:/a\nrecord-id:web-1-5\n\nhi^", "web-1/5 /a [] hi;"},
		{"SEND\ndestination:/a\n\n^", "ann-e-7/1 /a [] ;"},
		{"SEND\ndestination:/a\ncontent-length:3\n\na^b^", "ann-e-7/1 /a [] a;"},
		{"SEND\ndestination:a\\cb\\\\\nrecord-id:s-1\nx:1\\c2\n\nb^",
		 "s/1 a:b\\ [x:1:2|] b;"},
		{"SEND\nk:v\ndestination:a\nreceipt:1\nrecord-id:s-1\nK:w\ncontent-length:0\n\n^",
		 "s/1 a [k:v|K:w|] ;"},
		/* One line with one name, or as it came. */
		{"SEND\ndestination:a\nrecord-id:s-1\nx:1\\ny\\c2\na\\cb:c\n\n^",
		 "s/1 a [x:1\\ny\\c2|a\\cb:c|] ;"},
		/* Of repeated ones the first counts. */
		{"SEND\ndestination:a\ndestination:b\nrecord-id:s-1\nrecord-id:s-2\n\n^",
		 "s/1 a [] ;"},
		{"SEND\ndestination:a\nrecord-id:s-9223372036854775807\n\n^",
		 "s/9223372036854775807 a [] ;"},
		/* What is no id of ours is a header like any other. */
		{"SEND\ndestination:a\nrecord-id:s-9223372036854775808\n\n^",
		 "ann-e-7/1 a [record-id:s-9223372036854775808|] ;"},
		{"SEND\ndestination:a\nrecord-id:s-0\n\n^", "ann-e-7/1 a [record-id:s-0|] ;"},
		{"SEND\ndestination:a\nrecord-id:s-\n\n^", "ann-e-7/1 a [record-id:s-|] ;"},
		{"SEND\ndestination:a\nrecord-id:-1\n\n^", "ann-e-7/1 a [record-id:-1|] ;"},
		{"SEND\ndestination:a\nrecord-id:\n\n^", "ann-e-7/1 a [record-id:|] ;"},
		{"SEND\ndestination:a\nrecord-id:s/t-1\n\n^", "ann-e-7/1 a [record-id:s/t-1|] ;"},
		{"SEND\ndestination:a\nrecord-id:s-1x\n\n^", "ann-e-7/1 a [record-id:s-1x|] ;"},
		{"SEND\ndestination:a\nrecord-id:"
		 "0123456789012345678901234567890123456789012345678901234567890123-1\n\n^",
		 "ann-e-7/1 a [record-id:"
		 "0123456789012345678901234567890123456789012345678901234567890123-1|] ;"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = logged_in();

		receive_text(f, rows[i].frame);
		if (strlen(f->records) != f->records_bytes) /* a NUL in the body */
			f->records[strlen(f->records)] = ';';
		f->records[f->records_bytes] = '\0';
		if (strncmp(f->records, rows[i].record, strlen(rows[i].record)) != 0)
			fail_msg("row %zu: got '%s', wanted '%s'", i, f->records, rows[i].record);
		assert_int_equal(f->session.records, 1);
		assert_int_equal(f->session.end, LA_SESSION_OPEN);
		free_fixture(f);
	}
}

static void test_own_ids(void **state)
{
	struct fixture *f = new_fixture();

	(void)state;
	receive_text(f, "CONNECT\naccept-version:1.2\nlogin:a b/c and a name that is long\n\n^");
	lai_stomp_session_on_checked(&f->session, LA_SESSION_OPEN, 0, f->now_ns);
	receive_text(f, "SEND\ndestination:a\n\n^SEND\ndestination:a\nrecord-id:x-9\n\n^"
			"SEND\ndestination:a\n\n^");
	assert_string_equal(f->records, "a_b_c_and_a_name_that_is-e-7/1 a [] ;x/9 a [] ;"
					"a_b_c_and_a_name_that_is-e-7/2 a [] ;");
	free_fixture(f);
}

/* Receipts leave in the order of their frames, each once its ticket is stored. */
static void test_receipts(void **state)
{
	struct fixture *f = logged_in();

	(void)state;
	forget_heard(f);
	receive_text(f, "SEND\ndestination:a\nreceipt:one\\c1\n\n^SEND\ndestination:a\n\n^");
	f->ticket = 2;
	receive_text(f, "SEND\ndestination:a\nreceipt:two\n\n^SEND\ndestination:a\nreceipt:3\n\n^");
	f->ticket = 3;
	receive_text(f, "SEND\ndestination:a\nreceipt:four\n\n^");
	assert_silent(f, "RECEIPT");
	stored(f, 1);
	assert_says(f, "RECEIPT\nreceipt-id:one\\c1\n\n^");
	assert_silent(f, "two");
	stored(f, 1);
	stored(f, 3);
	assert_says(f, "RECEIPT\nreceipt-id:one\\c1\n\n^RECEIPT\nreceipt-id:two\n\n^"
		       "RECEIPT\nreceipt-id:3\n\n^RECEIPT\nreceipt-id:four\n\n^");
	assert_int_equal(f->session.receipts, 4);
	assert_int_equal(f->session.records, 5);
	free_fixture(f);
}

/* Whatever stands in one piece, in two, or byte by byte means the same. */
static void test_pieces(void **state)
{
	static const char frames[] =
		CONNECT "\0\n\nSEND\ndestination:/q/x\nrecord-id:s-1\nreceipt:1\nkey:v\n\nbody\0"
			"\r\nSEND\r\ndestination:b\r\ncontent-length:5\r\n\r\n12\0"
			"45\0"
			"SEND\ndestination:c\nreceipt:2\n\n\0\nDISCONNECT\nreceipt:bye\n\n\0";
	struct lai_random random = {.state = 4711};
	char wanted[TEXT_MAX] = "";

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct fixture *f = new_fixture();
		size_t done = 0, size = sizeof(frames) - 1;

		while (done < size) {
			size_t piece = round == 0   ? size
				       : round == 1 ? 1
						    : lai_random_below(&random, 60) + 1;

			piece = piece < size - done ? piece : size - done;
			done += offer(f, frames + done, piece);
			if (f->session.state == LAI_STOMP_SESSION_CHECKING)
				lai_stomp_session_on_checked(&f->session, LA_SESSION_OPEN, 0,
							     f->now_ns);
			act(f);
		}
		stored(f, 1);
		assert_int_equal(f->session.state, LAI_STOMP_SESSION_FAREWELL);
		assert_int_equal(f->session.records, 3);
		if (round == 0)
			strcpy(wanted, heard(f));
		assert_string_equal(heard(f), wanted);
		assert_says(f, "receipt-id:2\n\n^RECEIPT\nreceipt-id:bye\n\n^");
		free_fixture(f);
	}
}

static void test_no_room(void **state)
{
	struct fixture *f = logged_in();

	(void)state;
	f->answer = -EAGAIN;
	receive_text(
		f,
		"SEND\ndestination:a\nrecord-id:s-1\n\none^SEND\ndestination:a\nrecord-id:s-2\n\n^");
	assert_true(f->session.paused);
	assert_false(lai_stomp_session_wants_read(&f->session));
	pass(f, 100 * LAI_S); /* nothing is read, so nothing is missed */
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_OPEN);
	lai_stomp_session_resume(&f->session, f->now_ns);
	assert_true(f->session.paused);
	f->answer = 0;
	lai_stomp_session_resume(&f->session, f->now_ns);
	assert_string_equal(f->records, "s/1 a [] one;s/2 a [] ;");
	assert_true(lai_stomp_session_wants_read(&f->session));
	free_fixture(f);
}

/* A stream that is paused at every record, wherever it was cut, comes whole. */
static void test_pauses(void **state)
{
	struct lai_random random = {.state = 99};
	struct fixture *f = logged_in();
	uint64_t seq = 0;

	(void)state;
	for (int round = 0; round < 200; round++) {
		char frame[200];
		int size = snprintf(frame, sizeof(frame),
				    "SEND%cdestination:a\nrecord-id:s-%d\n\n%.*s%c", '\n',
				    round + 1, (int)lai_random_below(&random, 90),
				    "0123456789012345678901234567890"
				    "12345678901234567890123456789012345678901234567890123456789",
				    0);
		size_t done = 0;

		while (done < (size_t)size) {
			f->answer = lai_random_below(&random, 2) ? -EAGAIN : 0;
			done += offer(f, frame + done,
				      lai_random_below(&random, (uint64_t)size - done) + 1);
			f->answer = lai_random_below(&random, 2) ? -EAGAIN : 0;
			lai_stomp_session_resume(&f->session, f->now_ns);
			f->answer = 0;
			lai_stomp_session_resume(&f->session, f->now_ns);
		}
		f->records_bytes = 0;
		seq = f->session.records;
	}
	assert_int_equal(seq, 200);
	free_fixture(f);
}

/* ---- refusals ------------------------------------------------------------------------------- */

static const struct {
	const char *frame;
	int answer; /* of on_record */
	enum la_session_end end;
	const char *message;
} refusals[] = {
	{"SEND\nreceipt:5\n\n^", 0, LA_SESSION_PROTOCOL_ERROR, "SEND needs a destination"},
	{"SEND\ndestination:\nreceipt:5\n\n^", 0, LA_SESSION_PROTOCOL_ERROR, "a destination"},
	{"SEND\ndestination:a\ntransaction:t\nreceipt:5\n\n^", 0, LA_SESSION_NOT_SUPPORTED,
	 "transaction"},
	{"SUBSCRIBE\nid:1\ndestination:a\nreceipt:5\n\n^", 0, LA_SESSION_NOT_SUPPORTED,
	 "SUBSCRIBE"},
	{"BEGIN\ntransaction:t\nreceipt:5\n\n^", 0, LA_SESSION_NOT_SUPPORTED, "BEGIN"},
	{"ACK\nid:1\nreceipt:5\n\n^", 0, LA_SESSION_NOT_SUPPORTED, "ACK"},
	{"CONNECT\naccept-version:1.2\nreceipt:5\n\n^", 0, LA_SESSION_PROTOCOL_ERROR,
	 "the login is over already"},
	{"MESSAGE\nreceipt:5\n\n^", 0, LA_SESSION_PROTOCOL_ERROR, "a server who says that"},
	{"SEND\ndestination:a\nreceipt:5\ncontent-length:1001\n\n", 0, LA_SESSION_REFUSED_RECORD,
	 "a record has at most 1000 bytes"},
	{"SEND\ndestination:a\nreceipt:5\ncontent-length:99999999999999999999\n\n", 0,
	 LA_SESSION_REFUSED_RECORD, "a record has at most 1000 bytes"},
	{"SEND\ndestination:a\nreceipt:5\ncontent-length:x\n\n", 0, LA_SESSION_PROTOCOL_ERROR,
	 "content-length is not a number"},
	{"SEND\ndestination:a\nreceipt:5\n\nx^", -EMSGSIZE, LA_SESSION_REFUSED_RECORD,
	 "larger than the store takes"},
	{"SEND\ndestination:a\nreceipt:5\n\nx^", -EINVAL, LA_SESSION_REFUSED_RECORD,
	 "cannot be stored"},
	{"SEND\ndestination:a\nreceipt:5\n\nx^", -ENOMEM, LA_SESSION_NO_MEMORY, "no memory"},
	{"SEND\ndestination:a\nreceipt:5\nbad\n\nx^", 0, LA_SESSION_PROTOCOL_ERROR, "no colon"},
	{"SEND\ndestination:a\nreceipt:5\nbad:\\t\n\nx^", 0, LA_SESSION_PROTOCOL_ERROR, "escape"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct fixture *f = logged_in();

		forget_heard(f);
		f->answer = refusals[i].answer;
		receive_text(f, refusals[i].frame);
		assert_refused(f, refusals[i].end, refusals[i].message);
		assert_says(f, "\nreceipt-id:5\n");
		/* What still comes is not acted on. */
		f->answer = 0;
		receive_text(f, "SEND\ndestination:a\nreceipt:6\n\n^DISCONNECT\nreceipt:7\n\n^");
		assert_int_equal(f->session.records, 0);
		assert_silent(f, "RECEIPT");
		fin(f);
		assert_over(f, refusals[i].end, LA_WORDS_CONSUMED, LAI_CONN_CLOSE);
		free_fixture(f);
	}
}

/* An endless body without content-length is refused when it is over the limit, not before. */
static void test_endless_body(void **state)
{
	struct fixture *f = logged_in();
	char body[RECORD_MAX];

	(void)state;
	memset(body, 'x', sizeof(body));
	receive_text(f, "SEND\ndestination:a\nreceipt:5\n\n");
	receive(f, body, sizeof(body));
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_OPEN);
	receive(f, body, 1);
	assert_refused(f, LA_SESSION_REFUSED_RECORD, "a record has at most 1000 bytes");
	assert_says(f, "receipt-id:5\n");
	free_fixture(f);
}

/* Receipts of what came before go first, if the store is not too slow. */
static void test_error_waits_for_receipts(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct fixture *f = logged_in();

		receive_text(f, "SEND\ndestination:a\nreceipt:1\n\n^BOGUS\n\n^");
		assert_int_equal(f->session.state, LAI_STOMP_SESSION_REFUSED);
		assert_silent(f, "ERROR");
		receive_text(f, "more of it");
		pass(f, 4 * LAI_S);
		assert_silent(f, "ERROR");
		if (late)
			pass(f, 2 * LAI_S);
		stored(f, 1);
		assert_refused(f, LA_SESSION_PROTOCOL_ERROR, "unknown command");
		if (late)
			assert_silent(f, "RECEIPT");
		else
			assert_says(f, "RECEIPT\nreceipt-id:1\n\n^ERROR\n");
		fin(f);
		assert_over(f, LA_SESSION_PROTOCOL_ERROR, LA_WORDS_CONSUMED, LAI_CONN_CLOSE);
		free_fixture(f);
	}
}

/* ---- lingering ------------------------------------------------------------------------------ */

static struct fixture *rejected(bool acks)
{
	struct fixture *f = new_fixture();

	receive_text(f, CONNECT "^");
	f->acks = acks;
	lai_stomp_session_on_checked(&f->session, LA_SESSION_LOGIN_REJECTED, 0, f->now_ns);
	act(f);
	return f;
}

/* It goes on sending and reads nothing: it is listened to, longer than any idle limit. */
static void test_lingers_while_it_sends(void **state)
{
	struct fixture *f = rejected(true);

	(void)state;
	for (int i = 0; i < 7; i++) {
		pass(f, 4 * LAI_S);
		receive(f, "junk", 4);
		assert_false(lai_stomp_session_over(&f->session));
	}
	pass(f, 4 * LAI_S); /* 32 s: over linger_ns */
	assert_over(f, LA_SESSION_LOGIN_REJECTED, LA_WORDS_ACKED, LAI_CONN_CLOSE);
	assert_int_equal(f->session.drained_bytes, 28);
	free_fixture(f);
}

/* The text is on its way and not acknowledged: silence alone does not give it up. */
static void test_lingers_while_text_is_lost(void **state)
{
	struct fixture *f = rejected(false);

	(void)state;
	pass(f, 15 * LAI_S);
	assert_false(lai_stomp_session_over(&f->session));
	assert_false(f->actions & LAI_CONN_SEND_FIN);
	f->acks = true;
	pass(f, 2 * LAI_S);
	assert_refused(f, LA_SESSION_LOGIN_REJECTED, "ERROR");
	fin(f);
	assert_over(f, LA_SESSION_LOGIN_REJECTED, LA_WORDS_CONSUMED, LAI_CONN_CLOSE);
	free_fixture(f);
}

static void test_lingers_until_dead(void **state)
{
	struct fixture *f = rejected(false);

	(void)state;
	f->view.in_flight = 1;
	for (int i = 0; i < 22 && !lai_stomp_session_over(&f->session); i++) {
		f->view.ack_age_ns = f->now_ns - T0;
		pass(f, LAI_S);
	}
	assert_over(f, LA_SESSION_LOGIN_REJECTED, LA_WORDS_UNCONFIRMED, LAI_CONN_ABORT);
	free_fixture(f);
}

/* linger_bytes: nothing more is read, nothing is reset, and the text still has its time. */
static void test_lingers_at_most_so_many_bytes(void **state)
{
	struct fixture *f = rejected(false);
	static char junk[50000];

	(void)state;
	assert_int_equal(offer(f, junk, sizeof(junk)), 50000);
	assert_int_equal(offer(f, junk, sizeof(junk)), 50000);
	assert_int_equal(lai_stomp_session_discards(&f->session), 0);
	assert_false(lai_stomp_session_wants_read(&f->session));
	pass(f, 10 * LAI_S);
	assert_false(lai_stomp_session_over(&f->session));
	f->acks = true;
	pass(f, 2 * LAI_S);
	assert_true(f->actions & LAI_CONN_SEND_FIN);
	assert_false(lai_stomp_session_over(&f->session));
	pass(f, 5 * LAI_S);
	assert_over(f, LA_SESSION_LOGIN_REJECTED, LA_WORDS_ACKED, LAI_CONN_CLOSE);
	free_fixture(f);
}

/* Its FIN came before the ERROR: it is still answered, and that it read the text is not known. */
static void test_fin_before_error(void **state)
{
	struct fixture *f = new_fixture();

	(void)state;
	receive_text(f, CONNECT "^");
	fin(f);
	assert_false(lai_stomp_session_over(&f->session));
	lai_stomp_session_on_checked(&f->session, LA_SESSION_LOGIN_REJECTED, 0, f->now_ns);
	act(f);
	assert_says(f, "ERROR");
	assert_over(f, LA_SESSION_LOGIN_REJECTED, LA_WORDS_ACKED, LAI_CONN_CLOSE);
	free_fixture(f);
}

/* It waited in the kernel, unread, while the password was checked. */
static void test_fin_unread_before_error(void **state)
{
	struct fixture *f = new_fixture();

	(void)state;
	receive_text(f, CONNECT "^");
	f->view.tcp_state = LAI_TCP_CLOSE_WAIT;
	lai_stomp_session_on_checked(&f->session, LA_SESSION_LOGIN_REJECTED, 0, f->now_ns);
	act(f);
	assert_refused(f, LA_SESSION_LOGIN_REJECTED, "ERROR");
	fin(f);
	assert_over(f, LA_SESSION_LOGIN_REJECTED, LA_WORDS_ACKED, LAI_CONN_CLOSE);
	free_fixture(f);
}

/* It read the ERROR and closed before our FIN was on its way. */
static void test_fin_before_our_fin(void **state)
{
	struct fixture *f = rejected(false);

	(void)state;
	assert_false(f->actions & LAI_CONN_SEND_FIN);
	f->acks = true;
	fin(f);
	assert_over(f, LA_SESSION_LOGIN_REJECTED, LA_WORDS_CONSUMED, LAI_CONN_CLOSE);
	free_fixture(f);
}

static void test_reset(void **state)
{
	(void)state;
	for (int acked = 0; acked < 2; acked++) {
		struct fixture *f = rejected(acked);

		lai_stomp_session_on_error(&f->session, ECONNRESET, f->now_ns);
		act(f);
		assert_over(f, LA_SESSION_LOGIN_REJECTED,
			    acked ? LA_WORDS_ACKED : LA_WORDS_UNCONFIRMED, LAI_CONN_CLOSE);
		free_fixture(f);
	}
}

/* What came before an RST is taken, what is wrong in it changes nothing. */
static void test_reset_while_open(void **state)
{
	struct fixture *f = logged_in();
	static const char rest[] = "SEND\ndestination:a\nrecord-id:s-1\n\n\0BOGUS\n\n";

	(void)state;
	lai_stomp_session_on_error(&f->session, ECONNRESET, f->now_ns);
	assert_int_equal(offer(f, rest, sizeof(rest) - 1), sizeof(rest) - 1);
	act(f);
	assert_string_equal(f->records, "s/1 a [] ;");
	assert_over(f, LA_SESSION_NETWORK, LA_WORDS_NONE, LAI_CONN_CLOSE);
	free_fixture(f);
}

static void test_reclaim(void **state)
{
	(void)state;
	for (int acked = 0; acked < 2; acked++) {
		struct fixture *f = rejected(acked);

		lai_stomp_session_reclaim(&f->session, f->now_ns);
		act(f);
		assert_over(f, LA_SESSION_LOGIN_REJECTED,
			    acked ? LA_WORDS_ACKED : LA_WORDS_UNCONFIRMED,
			    acked ? LAI_CONN_CLOSE : LAI_CONN_ABORT);
		free_fixture(f);
	}
}

/* ---- the end of good ones ------------------------------------------------------------------- */

static void test_farewell(void **state)
{
	struct fixture *f = logged_in();

	(void)state;
	receive_text(f, "SEND\ndestination:a\nreceipt:1\n\n^DISCONNECT\nreceipt:bye\n\n^junk");
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_FAREWELL);
	pass(f, 100 * LAI_S); /* the store takes its time */
	assert_silent(f, "RECEIPT");
	assert_false(f->actions & LAI_CONN_SEND_FIN);
	stored(f, 1);
	assert_says(f, "RECEIPT\nreceipt-id:1\n\n^RECEIPT\nreceipt-id:bye\n\n^");
	assert_true(f->actions & LAI_CONN_SEND_FIN);
	fin(f);
	assert_over(f, LA_SESSION_FAREWELL, LA_WORDS_NONE, LAI_CONN_CLOSE);
	assert_int_equal(f->session.conn.report.closed_first, LA_SIDE_US);
	free_fixture(f);
}

/* stompit sends its FIN right behind DISCONNECT and waits for the receipts. */
static void test_farewell_with_fin(void **state)
{
	struct fixture *f = logged_in();

	(void)state;
	receive_text(f, "SEND\ndestination:a\nreceipt:1\n\n^DISCONNECT\nreceipt:bye\n\n^");
	fin(f);
	assert_false(lai_stomp_session_over(&f->session));
	stored(f, 1);
	assert_says(f, "RECEIPT\nreceipt-id:1\n\n^RECEIPT\nreceipt-id:bye\n\n^");
	assert_over(f, LA_SESSION_FAREWELL, LA_WORDS_NONE, LAI_CONN_CLOSE);
	free_fixture(f);
}

/* printf ... | nc -N: no DISCONNECT, and its receipts all the same. */
static void test_half_closed(void **state)
{
	struct fixture *f = logged_in();

	(void)state;
	receive_text(f, "SEND\ndestination:a\nreceipt:1\n\n^SEND\ndestination:cut off");
	fin(f);
	assert_false(f->actions & LAI_CONN_SEND_FIN);
	stored(f, 1);
	assert_says(f, "RECEIPT\nreceipt-id:1\n\n^");
	assert_over(f, LA_SESSION_PEER, LA_WORDS_NONE, LAI_CONN_CLOSE);
	assert_string_equal(f->records, "ann-e-7/1 a [] ;");
	free_fixture(f);
}

static void test_stop(void **state)
{
	struct fixture *f = logged_in();

	(void)state;
	receive_text(f, "SEND\ndestination:a\nreceipt:1\n\n^SEND\ndestination:a\nreceipt:2\n\n^");
	lai_stomp_session_stop(&f->session, f->now_ns + 4 * LAI_S, f->now_ns);
	act(f);
	assert_silent(f, "ERROR");
	stored(f, 1);
	assert_says(f, "RECEIPT\nreceipt-id:1\n\n^RECEIPT\nreceipt-id:2\n\n^ERROR\n");
	assert_refused(f, LA_SESSION_STOPPED, "shutdown:true\n");
	pass(f, 4 * LAI_S);
	assert_over(f, LA_SESSION_STOPPED, LA_WORDS_ACKED, LAI_CONN_CLOSE);
	free_fixture(f);
}

/* Every state, with everything that can hinder it: it is over by then. */
static void test_stop_by(void **state)
{
	(void)state;
	for (int kind = 0; kind < 12; kind++) {
		struct fixture *f = kind % 4 == 0 ? new_fixture() : logged_in();

		f->acks = kind / 4 > 0;
		if (kind % 4 == 1)
			receive_text(f, "SEND\ndestination:a\nreceipt:1\n\n^");
		if (kind % 4 == 2)
			receive_text(
				f, "SEND\ndestination:a\nreceipt:1\n\n^DISCONNECT\nreceipt:2\n\n^");
		if (kind % 4 == 3)
			receive_text(f, "SEND\ndestination:a\nreceipt:1\n\n^BOGUS\n^");
		if (kind / 4 > 1)
			fin(f);
		lai_stomp_session_stop(&f->session, f->now_ns + 4 * LAI_S, f->now_ns);
		act(f);
		pass(f, 4 * LAI_S);
		assert_true(lai_stomp_session_over(&f->session));
		free_fixture(f);
	}
}

static void test_full(void **state)
{
	struct fixture *f = new_fixture();

	(void)state;
	lai_stomp_session_refuse(&f->session, LA_SESSION_TOO_MANY_CONNECTIONS, NULL, f->now_ns);
	act(f);
	assert_refused(f, LA_SESSION_TOO_MANY_CONNECTIONS, "shutdown:true\n");
	receive_text(f, CONNECT "^");
	assert_int_equal(f->session.drained_bytes, sizeof(CONNECT "^") - 1);
	fin(f);
	assert_over(f, LA_SESSION_TOO_MANY_CONNECTIONS, LA_WORDS_CONSUMED, LAI_CONN_CLOSE);
	free_fixture(f);
}

/* shutdown:true says that neither a record nor a login is to blame. */
static void test_blameless(void **state)
{
	static const enum la_session_end blameless[] = {
		LA_SESSION_STOPPED,	     LA_SESSION_TOO_MANY_CONNECTIONS, LA_SESSION_NO_MEMORY,
		LA_SESSION_SLOW_READER,	     LA_SESSION_HEARTBEAT_LOST,	      LA_SESSION_IDLE,
		LA_SESSION_HANDSHAKE_TIMEOUT};

	(void)state;
	for (int end = LA_SESSION_LOGIN_REJECTED; end < LA_SESSION_END_COUNT; end++) {
		struct fixture *f = logged_in();
		bool expected = false;

		for (size_t i = 0; i < sizeof(blameless) / sizeof(blameless[0]); i++)
			expected = expected || (int)blameless[i] == end;
		lai_stomp_session_refuse(&f->session, (enum la_session_end)end, "details",
					 f->now_ns);
		act(f);
		assert_refused(f, (enum la_session_end)end, "; details\n");
		assert_int_equal(strstr(heard(f), "shutdown:true\n") != NULL, expected);
		fin(f);
		assert_over(f, (enum la_session_end)end, LA_WORDS_CONSUMED, LAI_CONN_CLOSE);
		free_fixture(f);
	}
}

static void test_abort(void **state)
{
	struct fixture *f = logged_in();

	(void)state;
	receive_text(f, "SEND\ndestination:a\nreceipt:1\n\n^");
	lai_stomp_session_abort(&f->session, f->now_ns);
	act(f);
	assert_over(f, LA_SESSION_STOPPED, LA_WORDS_NONE, LAI_CONN_ABORT);
	stored(f, 1);
	free_fixture(f);
}

/* ---- heart-beats and patience --------------------------------------------------------------- */

static struct fixture *beating(void)
{
	struct fixture *f = new_fixture();

	receive_text(f, "CONNECT\naccept-version:1.2\nheart-beat:1000,20000\n\n^");
	lai_stomp_session_on_checked(&f->session, LA_SESSION_OPEN, 0, f->now_ns);
	act(f);
	forget_heard(f);
	return f;
}

static void test_heartbeats(void **state)
{
	struct fixture *f = beating();

	(void)state;
	for (int i = 0; i < 6; i++) {
		pass(f, 19 * LAI_S);
		receive_text(f, "\n");
	}
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_OPEN);
	assert_says(f, "\n\n\n\n\n");
	pass(f, 21 * LAI_S);
	assert_refused(f, LA_SESSION_HEARTBEAT_LOST, "nothing came for two heart-beats");
	free_fixture(f);
}

/* While the store has no room nothing is read, and what is not read cannot be missed. */
static void test_paused_heartbeats(void **state)
{
	struct fixture *f = beating();

	(void)state;
	f->answer = -EAGAIN;
	receive_text(f, "SEND\ndestination:a\n\n^");
	pass(f, 100 * LAI_S);
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_OPEN);
	assert_says(f, "\n\n\n"); /* ours go on */
	f->answer = 0;
	lai_stomp_session_resume(&f->session, f->now_ns);
	pass(f, 19 * LAI_S);
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_OPEN);
	pass(f, 1 * LAI_S);
	assert_refused(f, LA_SESSION_HEARTBEAT_LOST, "nothing came for two heart-beats");
	free_fixture(f);
}

static void test_idle(void **state)
{
	struct fixture *f = new_fixture();

	(void)state;
	f->config.idle_ns = 60 * LAI_S;
	receive_text(f, CONNECT "^");
	lai_stomp_session_on_checked(&f->session, LA_SESSION_OPEN, 0, f->now_ns);
	act(f);
	pass(f, 50 * LAI_S);
	receive_text(f, "SEND\ndestination:a\nreceipt:1\n\n^");
	pass(f, 500 * LAI_S); /* it waits for its receipt */
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_OPEN);
	stored(f, 1);
	receive_text(f, "\n");
	pass(f, 59 * LAI_S);
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_OPEN);
	pass(f, 1 * LAI_S);
	assert_refused(f, LA_SESSION_IDLE, "nothing came for too long");
	free_fixture(f);
}

static void test_slow_reader(void **state)
{
	struct fixture *f = logged_in();
	static const char frame[] = "SEND\ndestination:a\nreceipt:0123456789\n\n";

	(void)state;
	for (uint64_t i = 1; i < 1000 && !f->session.paused; i++) {
		f->ticket = i;
		assert_int_equal(offer(f, frame, sizeof(frame)), sizeof(frame));
		lai_stomp_session_on_stored(&f->session, i, f->now_ns);
	}
	/* First it is not read from; only one that takes nothing for long is refused. */
	assert_true(f->session.paused);
	assert_false(lai_stomp_session_wants_read(&f->session));
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_OPEN);
	f->now_ns += 30 * LAI_S; /* and nothing is written meanwhile */
	lai_stomp_session_on_timer(&f->session, f->now_ns);
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_REFUSED);
	act(f);
	assert_refused(f, LA_SESSION_SLOW_READER, "the receipts are not read");
	assert_true(f->said_bytes < 3 * REPLIES_MAX);
	free_fixture(f);
}

/* The store is slow, not the client: nothing is read for a while, nobody is refused. */
static void test_crowd_of_receipts(void **state)
{
	struct fixture *f = logged_in();
	static const char frame[] = "SEND\ndestination:a\nreceipt:0123456789\n\n";
	size_t sent = 0;

	(void)state;
	while (!f->session.paused && sent < 1000) {
		assert_int_equal(offer(f, frame, sizeof(frame)), sizeof(frame));
		sent++;
	}
	assert_true(sent > 10 && sent < 1000);
	assert_int_equal(f->session.records, sent - 1);
	pass(f, 1000 * LAI_S);
	stored(f, 1);
	assert_false(f->session.paused);
	assert_int_equal(f->session.records, sent);
	stored(f, 1);
	assert_int_equal(f->session.receipts, sent);
	assert_int_equal(f->session.end, LA_SESSION_OPEN);
	free_fixture(f);
}

/* 5,000 of them are logged in and say nothing. */
static void test_idle_costs_little(void **state)
{
	struct fixture *f = beating();
	struct lai_stomp_session *s = &f->session;

	(void)state;
	receive_text(f, "SEND\ndestination:a\nreceipt:1\nx:y\n\n^");
	stored(f, 1);
	receive_text(f, "\n");
	pass(f, 19 * LAI_S);
	assert_true(s->in.capacity + s->out.capacity + s->held.capacity + s->tickets.capacity +
			    s->scratch.capacity + sizeof(*s) <
		    12 * 1024);
	free_fixture(f);
}

/* A frame that is large grows the buffer for itself alone. */
static void test_large_frame(void **state)
{
	struct fixture *f = new_fixture();
	size_t body = 300000;
	char *junk = calloc(1, body + 1);

	(void)state;
	assert_non_null(junk);
	f->config.record_bytes_max = body;
	f->session.frame_limits.body_bytes_max = body;
	f->answer = 0;
	receive_text(f, CONNECT "^");
	lai_stomp_session_on_checked(&f->session, LA_SESSION_OPEN, 0, f->now_ns);
	act(f);
	receive_text(f, "SEND\ndestination:a\ncontent-length:300000\n\n");
	f->answer = -EINVAL; /* nothing to note */
	assert_int_equal(offer(f, junk, body), body);
	assert_int_equal(f->session.state, LAI_STOMP_SESSION_OPEN);
	assert_true(f->session.in.capacity < 2 * body);
	f->answer = -EAGAIN;
	assert_int_equal(offer(f, junk, 1), 1);
	assert_true(f->session.paused);
	f->answer = -EINVAL;
	lai_stomp_session_resume(&f->session, f->now_ns);
	assert_int_equal(f->session.end, LA_SESSION_REFUSED_RECORD);
	assert_int_equal(f->session.in.capacity, 0);
	free(junk);
	free_fixture(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "CONNECT is checked, then answered", .test_func = test_login},
		{.name = "no copy of the password stays", .test_func = test_password_is_wiped},
		{.name = "each wrong first frame has its ERROR", .test_func = test_first_frames},
		{.name = "limits before login are small", .test_func = test_limits_before_login},
		{.name = "the highest common version is spoken", .test_func = test_versions},
		{.name = "no CONNECT in time", .test_func = test_handshake_deadline},
		{.name = "each verdict has its ERROR", .test_func = test_verdicts},
		{.name = "records with their ids and headers", .test_func = test_records},
		{.name = "records without an id are numbered here", .test_func = test_own_ids},
		{.name = "receipts wait for their ticket and keep their order",
		 .test_func = test_receipts},
		{.name = "frames may come in any pieces", .test_func = test_pieces},
		{.name = "no room: it stops reading and offers the record again",
		 .test_func = test_no_room},
		{.name = "pauses anywhere lose nothing", .test_func = test_pauses},
		{.name = "each refusal names its receipt and reads nothing more",
		 .test_func = test_refusals},
		{.name = "an endless body is refused at the limit", .test_func = test_endless_body},
		{.name = "an ERROR goes behind receipts that are due soon",
		 .test_func = test_error_waits_for_receipts},
		{.name = "a refused client that sends is listened to for linger_ns",
		 .test_func = test_lingers_while_it_sends},
		{.name = "a lost ERROR is waited for",
		 .test_func = test_lingers_while_text_is_lost},
		{.name = "a dead peer is not", .test_func = test_lingers_until_dead},
		{.name = "linger_bytes ends the reading, not the connection",
		 .test_func = test_lingers_at_most_so_many_bytes},
		{.name = "the peer's FIN before the ERROR: acked",
		 .test_func = test_fin_before_error},
		{.name = "and so if it was not read before",
		 .test_func = test_fin_unread_before_error},
		{.name = "the peer's FIN after the ERROR and before ours: consumed",
		 .test_func = test_fin_before_our_fin},
		{.name = "RST after the ERROR", .test_func = test_reset},
		{.name = "what came before an RST is taken", .test_func = test_reset_while_open},
		{.name = "a lingering one makes room", .test_func = test_reclaim},
		{.name = "DISCONNECT: its receipt behind all others, then our FIN",
		 .test_func = test_farewell},
		{.name = "a FIN behind DISCONNECT drops no receipt",
		 .test_func = test_farewell_with_fin},
		{.name = "a FIN without DISCONNECT drops none either",
		 .test_func = test_half_closed},
		{.name = "stopping: receipts, ERROR, end", .test_func = test_stop},
		{.name = "stopping ends every state in time", .test_func = test_stop_by},
		{.name = "a full server says so", .test_func = test_full},
		{.name = "which ERRORs blame nobody", .test_func = test_blameless},
		{.name = "abort", .test_func = test_abort},
		{.name = "heart-beats both ways", .test_func = test_heartbeats},
		{.name = "none is missed while nothing is read",
		 .test_func = test_paused_heartbeats},
		{.name = "idle", .test_func = test_idle},
		{.name = "a client that reads no receipts", .test_func = test_slow_reader},
		{.name = "a store that is slow is not the client's fault",
		 .test_func = test_crowd_of_receipts},
		{.name = "an idle session costs less than 12 KiB",
		 .test_func = test_idle_costs_little},
		{.name = "a large frame and its buffer", .test_func = test_large_frame},
	};

	return cmocka_run_group_tests_name("serve.stomp_session", tests, NULL, NULL);
}
