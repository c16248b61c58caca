/* SPDX-License-Identifier: MIT */
/* courier.c - the life of a courier: its states, its clock, its end. */
#include "link/courier_inside.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a server may send: RECEIPT and ERROR are small, and an ERROR may carry what it refused. */
static const struct lai_stomp_limits limits = {
	.headers_max = LAI_STOMP_HEADERS_MAX,
	.line_bytes_max = 8 * 1024,
	.head_bytes_max = 64 * 1024,
	.body_bytes_max = 2 * 1024 * 1024,
};

static const char *const state_names[LAI_COURIER_COUNT] = {
	[LAI_COURIER_AWAY] = "away", [LAI_COURIER_LOGIN] = "login",
	[LAI_COURIER_UP] = "up",     [LAI_COURIER_LEAVING] = "leaving",
	[LAI_COURIER_LEFT] = "left", [LAI_COURIER_FAILED] = "failed",
};

#define BIT(state) (1u << LAI_COURIER_##state)

/*
 * Deadlines: login login_ns, leaving receipt_ns; up those of its receipts and heart-beats: without
 * both nothing is owed. away, left and failed need none: the link acts on them (it bounds the wait
 * for the server's FIN).
 */
static const unsigned next_states[LAI_COURIER_COUNT] = {
	[LAI_COURIER_AWAY] = BIT(LOGIN),
	[LAI_COURIER_LOGIN] = BIT(UP) | BIT(FAILED) | BIT(AWAY),
	[LAI_COURIER_UP] = BIT(LEAVING) | BIT(FAILED) | BIT(AWAY),
	[LAI_COURIER_LEAVING] = BIT(LEFT) | BIT(FAILED) | BIT(AWAY),
	[LAI_COURIER_LEFT] = BIT(AWAY),
	[LAI_COURIER_FAILED] = BIT(AWAY),
};

const char *lai_courier_state_name(enum lai_courier_state state)
{
	return (unsigned)state < LAI_COURIER_COUNT ? state_names[state] : "?";
}

bool lai_courier_allows(enum lai_courier_state from, enum lai_courier_state to)
{
	return (next_states[from] & (1u << to)) != 0;
}

/* The only place that writes a state. */
void lai_courier_set_state(struct lai_courier *courier, enum lai_courier_state state,
			   uint64_t deadline_ns)
{
	assert(lai_courier_allows(courier->state, state));
	courier->state = state;
	courier->deadline_ns = deadline_ns;
}

void lai_courier_fail(struct lai_courier *courier, enum la_cause cause)
{
	courier->cause = cause;
	lai_courier_set_state(courier, LAI_COURIER_FAILED, LA_NEVER);
}

int lai_courier_new(struct lai_courier **courier, const struct lai_courier_config *config,
		    const char *sender, struct lai_outbox *outbox)
{
	struct lai_courier *made;

	assert(strlen(sender) > 0 && strlen(sender) < LA_SENDER_MAX);
	assert(config->stomp.window_records > 0 && config->stomp.receipt_every > 0);
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->config = *config;
	strcpy(made->sender, sender);
	made->outbox = outbox;
	made->deadline_ns = LA_NEVER;
	made->why = "";
	*courier = made;
	return 0;
}

static void free_buffers(struct lai_courier *courier)
{
	lai_buffer_done(&courier->in);
	lai_buffer_done(&courier->out);
	lai_buffer_done(&courier->prefix);
}

void lai_courier_free(struct lai_courier *courier)
{
	if (!courier)
		return;
	free_buffers(courier);
	free(courier);
}

void lai_courier_begin(struct lai_courier *courier, const struct lai_courier_endpoint *endpoint,
		       uint64_t now_ns)
{
	assert(courier->outbox->in_flight == 0);
	courier->cause = LA_CAUSE_ALIVE;
	courier->endpoint = *endpoint;
	courier->cumulative = false;
	courier->written_bytes = courier->last_begin = 0;
	courier->unasked = 0;
	courier->asked_seq = 0;
	courier->ask_count = 0;
	courier->words[0] = '\0';
	courier->retry_after = 0;
	courier->why = "";
	courier->version = LAI_STOMP_1_2; /* the widest: what comes before CONNECTED is read so */
	lai_stomp_parser_init(&courier->parser, &limits);
	lai_courier_set_state(courier, LAI_COURIER_LOGIN,
			      lai_time_after(now_ns, courier->config.stomp.login_ns));
	if (!lai_courier_put_connect(courier))
		lai_courier_fail(courier, LA_CAUSE_LOCAL_LIMIT);
}

uint64_t lai_courier_end(struct lai_courier *courier)
{
	if (courier->state != LAI_COURIER_AWAY)
		lai_courier_set_state(courier, LAI_COURIER_AWAY, LA_NEVER);
	courier->cause = LA_CAUSE_ALIVE;
	free_buffers(courier);
	return lai_outbox_rewind(courier->outbox);
}

/* ---- the farewell -------------------------------------------------------------------------- */

void lai_courier_leave_if_done(struct lai_courier *courier, uint64_t now_ns)
{
	if (courier->state != LAI_COURIER_UP || !courier->finishing ||
	    !lai_outbox_empty(courier->outbox))
		return;
	if (lai_courier_put_disconnect(courier))
		lai_courier_set_state(courier, LAI_COURIER_LEAVING,
				      lai_time_after(now_ns, courier->config.stomp.receipt_ns));
	else
		lai_courier_fail(courier, LA_CAUSE_LOCAL_LIMIT);
}

void lai_courier_finish(struct lai_courier *courier, uint64_t now_ns)
{
	courier->finishing = true;
	lai_courier_leave_if_done(courier, now_ns);
}

/* ---- time ---------------------------------------------------------------------------------- */

static void on_timer_up(struct lai_courier *courier, uint64_t now_ns)
{
	if (lai_stomp_beat_missed(&courier->beat, now_ns))
		lai_courier_fail(courier, LA_CAUSE_HEARTBEAT_LOST);
	else if (now_ns >= lai_courier_ask_deadline(courier))
		lai_courier_fail(courier, LA_CAUSE_RECEIPT_TIMEOUT);
	else
		lai_courier_put_beat(courier, now_ns);
}

void lai_courier_on_timer(struct lai_courier *courier, uint64_t now_ns)
{
	if (courier->state == LAI_COURIER_UP) {
		on_timer_up(courier, now_ns);
		return;
	}
	if (now_ns < courier->deadline_ns)
		return;
	if (courier->state == LAI_COURIER_LOGIN) {
		lai_courier_fail(courier, LA_CAUSE_LOGIN_TIMEOUT);
	} else if (courier->state == LAI_COURIER_LEAVING) {
		lai_courier_fail(courier, LA_CAUSE_RECEIPT_TIMEOUT);
	}
}

uint64_t lai_courier_deadline(const struct lai_courier *courier)
{
	struct lai_stomp_beat beat = courier->beat;

	if (courier->state != LAI_COURIER_UP)
		return courier->deadline_ns;
	/* What waits to be written is as good as a heart-beat, and no timer makes it go faster. */
	if (lai_buffer_used(&courier->out) > 0)
		beat.send_ns = LA_NEVER;
	return lai_time_min(lai_stomp_beat_deadline(&beat), lai_courier_ask_deadline(courier));
}

/* ---- questions ----------------------------------------------------------------------------- */

enum lai_courier_state lai_courier_state(const struct lai_courier *courier)
{
	return courier->state;
}

enum la_cause lai_courier_cause(const struct lai_courier *courier)
{
	return courier->cause;
}

const char *lai_courier_why(const struct lai_courier *courier)
{
	return courier->why;
}

const char *lai_courier_words(const struct lai_courier *courier)
{
	return courier->words;
}

uint64_t lai_courier_retry_after(const struct lai_courier *courier)
{
	return courier->retry_after;
}
