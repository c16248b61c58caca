/* SPDX-License-Identifier: MIT */
#include "link/link_inside.h"

#include <assert.h>
#include <stdio.h>

static const char *const state_names[] = {
#define X(id, name) name,
	LA_LINK_STATES(X)
#undef X
};

#define BIT(state) (1u << LA_LINK_##state)

/*
 * Deadlines: resolving resolve_ns, connecting connect_ns, waiting the backoff, all of them
 * give_up_ns; login stomp.login_ns; up, stalled and closing have those of their connection; idle and done need none:
 * nothing is owed.
 */
static const unsigned next_states[LA_LINK_COUNT] = {
	[LA_LINK_IDLE] = BIT(RESOLVING) | BIT(CONNECTING) | BIT(DONE),
	[LA_LINK_RESOLVING] = BIT(RESOLVING) | BIT(CONNECTING) | BIT(WAITING) | BIT(DONE),
	[LA_LINK_CONNECTING] =
		BIT(CONNECTING) | BIT(RESOLVING) | BIT(LOGIN) | BIT(UP) | BIT(WAITING) | BIT(DONE),
	[LA_LINK_LOGIN] = BIT(UP) | BIT(CLOSING),
	[LA_LINK_UP] = BIT(STALLED) | BIT(CLOSING) | BIT(WAITING) | BIT(DONE),
	[LA_LINK_STALLED] = BIT(UP) | BIT(CLOSING) | BIT(WAITING) | BIT(DONE),
	/* A checkpoint goes on at once, without waiting. */
	[LA_LINK_CLOSING] = BIT(RESOLVING) | BIT(CONNECTING) | BIT(WAITING) | BIT(DONE),
	[LA_LINK_WAITING] = BIT(RESOLVING) | BIT(CONNECTING) | BIT(DONE),
	[LA_LINK_DONE] = 0,
};

const char *la_link_state_name(enum la_link_state state)
{
	return (unsigned)state < LA_LINK_COUNT ? state_names[state] : "?";
}

bool lai_link_allows(enum la_link_state from, enum la_link_state to)
{
	return (next_states[from] & (1u << to)) != 0;
}

void lai_link_emit(struct lai_link *link, const struct la_event *event)
{
	if (link->config.on_event)
		link->config.on_event(link->config.arg, event);
}

/* The only place that writes a state. */
void lai_link_set_state(struct lai_link *link, enum la_link_state state, uint64_t deadline_ns,
			uint64_t now_ns)
{
	enum la_link_state from = link->state;

	assert(lai_link_allows(from, state));
	link->state = state;
	link->deadline_ns = deadline_ns;
	if (from != state)
		lai_link_emit(link, &(struct la_event){.kind = LA_EVENT_STATE,
						       .now_ns = now_ns,
						       .from = from,
						       .to = state});
}

struct lai_link_action *lai_link_ask(struct lai_link *link, enum lai_link_action_kind kind)
{
	struct lai_link_action *action;

	assert(link->action_count < LAI_LINK_ACTIONS_MAX);
	action = &link->actions[(link->action_head + link->action_count++) % LAI_LINK_ACTIONS_MAX];
	*action = (struct lai_link_action){.kind = kind};
	return action;
}

bool lai_link_next(struct lai_link *link, struct lai_link_action *action)
{
	while (link->action_count > 0) {
		*action = link->actions[link->action_head];
		link->action_head = (link->action_head + 1) % LAI_LINK_ACTIONS_MAX;
		link->action_count--;
		/* Asked for and discarded within one batch of events: it never begins. */
		if (action->kind != LAI_LINK_CONNECT || link->race.running[action->attempt])
			return true;
	}
	return false;
}

void lai_link_note_why(struct lai_link *link, const char *why)
{
	/* As with causes: the first one stays. */
	if (why && link->why[0] == '\0')
		(void)snprintf(link->why, sizeof(link->why), "%s", why);
}

/* What else is known than the report says; NULL: nothing. */
static const char *text_of(const struct lai_link *link, const struct la_report *report)
{
	const struct lai_courier *courier = link->cargo.courier;

	if (report->cause == LA_CAUSE_TLS_FAILED || report->cause == LA_CAUSE_CERTIFICATE_REFUSED)
		return link->why[0] ? link->why : NULL;
	if (report->cause == LA_CAUSE_PROTOCOL_ERROR && courier)
		return lai_courier_why(courier);
	return courier && *lai_courier_words(courier) ? lai_courier_words(courier) : NULL;
}

void lai_link_emit_report(struct lai_link *link, const struct la_report *report,
			  enum la_event_kind kind, uint64_t now_ns)
{
	lai_link_emit(link, &(struct la_event){.kind = kind,
					       .now_ns = now_ns,
					       .report = report,
					       .text = text_of(link, report)});
}
