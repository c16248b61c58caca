/* SPDX-License-Identifier: MIT */
/*
 * A foreign broker: it takes records in order, keeps all but poison for ever, and answers when it
 * likes: late, so in another order, twice, or never. Poison is answered with ERROR, which names the
 * record or does not, and the end of the connection; whatever receipt was still to come never does.
 */
#include "delivery_host.h"

#include "wire/stomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG 16
#define READ_BYTES 16384u
#define ANSWERS_MAX 512u

struct answer {
	uint64_t at_ns;
	uint64_t receipt;
};

struct session {
	struct session *next;
	int socket;
	bool logged_in, leaving, fin_sent, ended;
	struct lai_stomp_parser parser;
	struct lai_buffer in, out;
	struct answer answers[ANSWERS_MAX]; /* owed; in no order */
	unsigned answer_count;
};

struct kept {
	struct kept *next;
	char id[T_ENTRY_ID];
	size_t size;
	char body[];
};

struct t_broker {
	struct t_server *server;
	struct t_delivery_broker_plan plan;
	struct lai_random random;
	struct session *sessions;
	struct kept *kept;
	int listener;
	bool refuses, hang_up;
};

static const struct lai_stomp_limits limits = {
	.headers_max = LAI_STOMP_HEADERS_MAX,
	.line_bytes_max = 1024,
	.head_bytes_max = 8192,
	.body_bytes_max = 1 << 20,
};

#define OPS(broker, operation, ...)                                                                \
	(broker)->server->base.net->ops->operation((broker)->server->base.net, ##__VA_ARGS__)

static uint64_t now_of(struct t_broker *broker)
{
	return OPS(broker, now);
}

static bool percent(struct t_broker *broker, unsigned chance)
{
	return lai_random_below(&broker->random, 100) < chance;
}

/* ---- what it says -------------------------------------------------------------------------- */

static void say_receipt(struct session *session, uint64_t receipt)
{
	(void)lai_stomp_begin(&session->out, LAI_STOMP_RECEIPT);
	(void)lai_stomp_put_number(&session->out, "receipt-id", receipt);
	(void)lai_stomp_end(&session->out, (struct lai_slice){0});
}

/* And no more than that: the end of the connection follows. */
static void say_error(struct session *session, const char *message, struct lai_slice receipt)
{
	(void)lai_stomp_begin(&session->out, LAI_STOMP_ERROR);
	(void)lai_stomp_put(&session->out, LAI_STOMP_1_2, "message", lai_slice_of(message));
	if (receipt.size > 0)
		(void)lai_stomp_put(&session->out, LAI_STOMP_1_2, "receipt-id", receipt);
	(void)lai_stomp_end(&session->out, lai_slice_of("see the broker's log\n"));
	session->leaving = true;
	session->answer_count = 0;
}

static void owe(struct t_broker *broker, struct session *session, uint64_t receipt)
{
	unsigned late = broker->plan.late;
	uint64_t delay_ns =
		percent(broker, late) ? lai_random_below(&broker->random, broker->plan.late_ns) : 0;

	if (session->answer_count < ANSWERS_MAX)
		session->answers[session->answer_count++] =
			(struct answer){now_of(broker) + delay_ns, receipt};
}

/* ---- what it hears -------------------------------------------------------------------------- */

static void keep(struct t_broker *broker, struct lai_slice id, struct lai_slice body)
{
	struct kept *kept = malloc(sizeof(*kept) + body.size + 1);

	if (!kept)
		return;
	snprintf(kept->id, sizeof(kept->id), "%.*s", (int)id.size, id.data);
	kept->size = body.size;
	memcpy(kept->body, body.data, body.size);
	kept->body[body.size] = '\0';
	kept->next = broker->kept;
	broker->kept = kept;
}

static void on_send(struct t_broker *broker, struct session *session,
		    const struct lai_stomp_frame *frame)
{
	struct lai_slice receipt = lai_stomp_header(frame, "receipt");

	if (t_book_is_poison(frame->body.data, frame->body.size)) {
		say_error(session, "cannot be routed",
			  broker->plan.names_record ? receipt : (struct lai_slice){0});
		return;
	}
	if (percent(broker, broker->plan.hang_up)) {
		session->leaving = true;
		session->answer_count = 0;
		return; /* before or after it was kept: both happen */
	}
	keep(broker, lai_stomp_header(frame, "record-id"), frame->body);
	if (receipt.size == 0 || percent(broker, broker->plan.never))
		return;
	owe(broker, session, strtoull(receipt.data, NULL, 10));
	if (percent(broker, broker->plan.twice))
		owe(broker, session, strtoull(receipt.data, NULL, 10));
	if (percent(broker, broker->plan.hang_up)) {
		session->leaving = true;
		session->answer_count = 0;
	}
}

static void on_connect(struct t_broker *broker, struct session *session)
{
	if (broker->refuses) {
		say_error(session, "Bad CONNECT", (struct lai_slice){0});
		return;
	}
	session->logged_in = true;
	(void)lai_stomp_begin(&session->out, LAI_STOMP_CONNECTED);
	(void)lai_stomp_put(&session->out, LAI_STOMP_1_0, "version", lai_slice_of("1.2"));
	(void)lai_stomp_put(&session->out, LAI_STOMP_1_0, "server", lai_slice_of("Foreign/3.1"));
	(void)lai_stomp_put(&session->out, LAI_STOMP_1_0, "heart-beat", lai_slice_of("0,0"));
	(void)lai_stomp_end(&session->out, (struct lai_slice){0});
}

static void on_disconnect(struct session *session, const struct lai_stomp_frame *frame)
{
	(void)lai_stomp_begin(&session->out, LAI_STOMP_RECEIPT);
	(void)lai_stomp_put(&session->out, LAI_STOMP_1_2, "receipt-id",
			    lai_stomp_header(frame, "receipt"));
	(void)lai_stomp_end(&session->out, (struct lai_slice){0});
	session->leaving = true;
}

static void on_frame(struct t_broker *broker, struct session *session,
		     const struct lai_stomp_frame *frame)
{
	switch (frame->command) {
	case LAI_STOMP_CONNECT: on_connect(broker, session); break;
	case LAI_STOMP_SEND: on_send(broker, session, frame); break;
	case LAI_STOMP_DISCONNECT: on_disconnect(session, frame); break;
	default: break;
	}
}

static void read_frames(struct t_broker *broker, struct session *session)
{
	struct lai_stomp_frame frame;
	size_t used;

	while (!session->leaving && lai_buffer_used(&session->in) > 0) {
		int result = lai_stomp_parse(&session->parser, lai_buffer_data(&session->in),
					     lai_buffer_used(&session->in), &frame, &used);

		if (result == 0)
			return;
		if (result < 0) {
			t_book_break(broker->server->base.book, T_DELIVERY_TRUE,
				     "the broker heard no STOMP: %s", session->parser.why);
			session->leaving = true;
			return;
		}
		on_frame(broker, session, &frame);
		lai_buffer_consume(&session->in, used);
	}
}

/* ---- sockets -------------------------------------------------------------------------------- */

static void receive(struct t_broker *broker, struct session *session)
{
	char data[READ_BYTES];
	ssize_t size;

	while ((size = OPS(broker, recv, session->socket, data, sizeof(data))) > 0) {
		if (!session->leaving)
			(void)lai_buffer_append(&session->in, data, (size_t)size);
	}
	session->ended = size != -EAGAIN;
	read_frames(broker, session);
}

/* The receipts whose time has come, in the order of their times. */
static void answer(struct t_broker *broker, struct session *session)
{
	uint64_t now_ns = now_of(broker);

	for (;;) {
		unsigned first = session->answer_count;

		for (unsigned i = 0; i < session->answer_count; i++)
			if (session->answers[i].at_ns <= now_ns &&
			    (first == session->answer_count ||
			     session->answers[i].at_ns < session->answers[first].at_ns))
				first = i;
		if (first == session->answer_count)
			return;
		say_receipt(session, session->answers[first].receipt);
		session->answer_count--;
		memmove(&session->answers[first], &session->answers[first + 1],
			(session->answer_count - first) * sizeof(session->answers[0]));
	}
}

static void transmit(struct t_broker *broker, struct session *session)
{
	while (lai_buffer_used(&session->out) > 0) {
		struct iovec iov = {lai_buffer_data(&session->out), lai_buffer_used(&session->out)};
		ssize_t size = OPS(broker, send, session->socket, &iov, 1, 0);

		if (size <= 0) {
			session->ended = session->ended || size != -EAGAIN;
			break;
		}
		lai_buffer_consume(&session->out, (size_t)size);
	}
	if (session->leaving && lai_buffer_used(&session->out) == 0 && !session->fin_sent) {
		session->fin_sent = true;
		(void)OPS(broker, shutdown, session->socket);
	}
	(void)OPS(broker, watch, session->socket,
		  LAI_READABLE | (lai_buffer_used(&session->out) ? LAI_WRITABLE : 0));
}

static void session_free(struct session *session)
{
	lai_buffer_done(&session->in);
	lai_buffer_done(&session->out);
	free(session);
}

static void accept_all(struct t_broker *broker)
{
	struct lai_address remote;
	int socket;

	while ((socket = OPS(broker, accept, broker->listener, &remote)) >= 0) {
		struct session *session = calloc(1, sizeof(*session));

		if (!session) {
			OPS(broker, abort, socket);
			return;
		}
		session->socket = socket;
		lai_stomp_parser_init(&session->parser, &limits);
		session->next = broker->sessions;
		broker->sessions = session;
	}
}

static uint64_t tend(struct t_broker *broker, struct session *session)
{
	uint64_t next_ns = LA_NEVER;

	receive(broker, session);
	if (broker->hang_up) {
		session->leaving = true;
		session->answer_count = 0;
	}
	answer(broker, session);
	transmit(broker, session);
	for (unsigned i = 0; i < session->answer_count; i++)
		next_ns = lai_time_min(next_ns, session->answers[i].at_ns);
	return next_ns;
}

static uint64_t run(struct lai_net *net, void *context)
{
	struct t_broker *broker = context;
	struct session **at = &broker->sessions;
	uint64_t next_ns = LA_NEVER;

	(void)net;
	if (broker->server->base.dead)
		return LA_NEVER;
	t_host_turn(&broker->server->base, "broker");
	accept_all(broker);
	while (*at) {
		struct session *session = *at;

		next_ns = lai_time_min(next_ns, tend(broker, session));
		if (!session->ended) {
			at = &session->next;
			continue;
		}
		OPS(broker, close, session->socket);
		*at = session->next;
		session_free(session);
	}
	broker->hang_up = false;
	return next_ns;
}

/* ---- its life ------------------------------------------------------------------------------- */

struct t_broker *t_broker_new(struct t_server *server)
{
	struct t_broker *broker = calloc(1, sizeof(*broker));

	if (!broker)
		return NULL;
	broker->server = server;
	broker->plan = server->plan->broker;
	broker->random.state = server->plan->seed ^ server->base.index;
	return broker;
}

void t_broker_free(struct t_broker *broker)
{
	if (!broker)
		return;
	while (broker->kept) {
		struct kept *kept = broker->kept;

		broker->kept = kept->next;
		free(kept);
	}
	free(broker);
}

void t_broker_start(struct t_broker *broker)
{
	struct lai_address any;

	t_host_begin(&broker->server->base, run, broker);
	if (lai_address_parse("0.0.0.0", T_DELIVERY_PORT, &any) == 0)
		broker->listener = OPS(broker, listen, &any, BACKLOG);
}

void t_broker_cleared(struct t_broker *broker)
{
	while (broker->sessions) {
		struct session *session = broker->sessions;

		broker->sessions = session->next;
		session_free(session);
	}
}

void t_broker_password(struct t_broker *broker, bool right)
{
	broker->refuses = !right;
}

void t_broker_hang_up(struct t_broker *broker)
{
	broker->hang_up = true;
	if (broker->server->base.net && !broker->server->base.dead)
		lai_sim_freeze(broker->server->base.net, false);
}

void t_broker_heal(struct t_broker *broker)
{
	broker->plan.never = broker->plan.hang_up = 0;
	broker->refuses = broker->hang_up = false;
}

void t_broker_count(struct t_broker *broker)
{
	for (const struct kept *kept = broker->kept; kept; kept = kept->next)
		t_book_found(broker->server->base.book, broker->server->base.index, kept->id,
			     kept->body, kept->size);
}
