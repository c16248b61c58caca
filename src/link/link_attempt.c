/* SPDX-License-Identifier: MIT */
/* Attempts: look up a name, race its addresses, try the next server, wait. */
#include "link/link_inside.h"
#include "conn/cause.h"

#include <errno.h>
#include <string.h>

void lai_link_discard_race(struct lai_link *link, int but)
{
	for (int i = 0; i < link->race.started; i++) {
		if (i == but || !link->race.running[i])
			continue;
		link->race.running[i] = false;
		lai_link_ask(link, LAI_LINK_DISCARD)->attempt = i;
	}
}

/* What a new attempt tells about a peer that fell silent: the last report gets its explanation. */
void lai_link_explain_silence(struct lai_link *link, enum la_cause cause, uint64_t now_ns)
{
	struct la_report *report = &link->silent_report;

	if (link->silent_report.serial == 0)
		return;
	switch (cause) {
	case LA_CAUSE_ALIVE: report->aftermath = LA_AFTERMATH_HOST_ANSWERS; break;
	case LA_CAUSE_CONNECT_REFUSED: report->aftermath = LA_AFTERMATH_HOST_REFUSES; break;
	case LA_CAUSE_CONNECT_TIMEOUT: report->aftermath = LA_AFTERMATH_HOST_SILENT; break;
	case LA_CAUSE_UNREACHABLE:
	case LA_CAUSE_ADDRESS_LOST: report->aftermath = LA_AFTERMATH_NO_WAY; break;
	default: return; /* it says nothing about the host */
	}
	lai_link_emit_report(link, report, LA_EVENT_AFTERMATH, now_ns);
	report->serial = 0;
}

void lai_link_begin_attempt(struct lai_link *link, uint64_t now_ns)
{
	const struct lai_endpoint *endpoint = &link->endpoints[link->endpoint];
	uint64_t serial = link->report.serial + 1;

	link->report = (struct la_report){.serial = serial, .began_ns = now_ns};
	memcpy(link->report.remote, endpoint->text, sizeof(link->report.remote));
	link->attempt_cause = LA_CAUSE_ALIVE;
	link->attempt_error = 0;
	link->why[0] = '\0';
	if (endpoint->address.length) {
		lai_race_init(&link->race, &endpoint->address, 1, now_ns);
		lai_link_set_state(link, LA_LINK_CONNECTING,
				   lai_time_after(now_ns, link->config.connect_ns), now_ns);
		lai_link_run_race(link, now_ns);
	} else {
		lai_link_set_state(link, LA_LINK_RESOLVING,
				   lai_time_after(now_ns, link->config.resolve_ns), now_ns);
		lai_link_ask(link, LAI_LINK_RESOLVE)->endpoint = endpoint;
	}
}

void lai_link_end_attempt(struct lai_link *link, enum la_cause cause, int error, uint64_t now_ns)
{
	if (link->state == LA_LINK_RESOLVING)
		lai_link_ask(link, LAI_LINK_RESOLVE_CANCEL);
	lai_link_discard_race(link, -1);
	link->race.started = link->race.count = 0;
	link->report.cause = cause;
	link->report.error = error;
	link->report.detected_ns = link->report.ended_ns = now_ns;
	lai_cargo_totals(&link->cargo)->failed_attempts++;
	lai_link_emit_report(link, &link->report, LA_EVENT_REPORT, now_ns);
	lai_link_explain_silence(link, cause, now_ns);
}

void lai_link_next_server(struct lai_link *link, uint64_t now_ns)
{
	link->endpoint = (link->endpoint + 1) % link->endpoint_count;
	link->endpoints_failed++;
	if (lai_link_nothing_left(link))
		lai_link_end(link, now_ns);
	else if (link->endpoints_failed < link->endpoint_count)
		lai_link_begin_attempt(link, now_ns);
	else
		lai_link_wait_or_give_up(link, now_ns);
}

/* No address of this server gave a connection. */
void lai_link_attempt_failed(struct lai_link *link, enum la_cause cause, int error, uint64_t now_ns)
{
	lai_link_end_attempt(link, cause, error, now_ns);
	lai_link_next_server(link, now_ns);
}

void lai_link_run_race(struct lai_link *link, uint64_t now_ns)
{
	int attempt;

	while ((attempt = lai_race_next(&link->race, now_ns)) >= 0) {
		struct lai_link_action *action = lai_link_ask(link, LAI_LINK_CONNECT);

		action->attempt = attempt;
		action->address = link->race.addresses[attempt];
	}
}

static bool out_of_patience(const struct lai_link *link, uint64_t now_ns)
{
	return link->backoff.failures + link->rejected.failures >= link->config.retries_max ||
	       now_ns >= lai_time_after(link->apart_since_ns, link->config.give_up_ns);
}

/* A refused login is not retried at once, and not before the server's own hint, within our maximum. */
static uint64_t next_delay(struct lai_link *link)
{
	uint64_t delay_ns, hint_ns, hint_s;

	if (link->report.cause != LA_CAUSE_LOGIN_REJECTED)
		return lai_backoff_next(&link->backoff, &link->random);
	delay_ns = lai_time_after(link->rejected.min_ns,
				  lai_backoff_next(&link->rejected, &link->random));
	hint_s = lai_courier_retry_after(link->cargo.courier);
	hint_ns = hint_s < link->rejected.max_ns / LAI_S ? hint_s * LAI_S : link->rejected.max_ns;
	return delay_ns > hint_ns ? delay_ns : hint_ns;
}

void lai_link_wait_or_give_up(struct lai_link *link, uint64_t now_ns)
{
	uint64_t delay_ns;

	link->endpoints_failed = 0;
	if (out_of_patience(link, now_ns)) {
		lai_link_end(link, now_ns);
		return;
	}
	delay_ns = next_delay(link);
	lai_link_set_state(link, LA_LINK_WAITING, lai_time_after(now_ns, delay_ns), now_ns);
	lai_link_emit(link, &(struct la_event){
				    .kind = LA_EVENT_WAIT, .now_ns = now_ns, .delay_ns = delay_ns});
}

/* The addresses that a socket of this family reaches; how many, or a negative errno. */
static int keep_family(const struct lai_address *addresses, int count_or_error, int family,
		       struct lai_address usable[LAI_ADDRESSES_MAX])
{
	int kept = 0;

	for (int i = 0; i < count_or_error; i++)
		if (family == AF_UNSPEC || lai_address_family(&addresses[i]) == family)
			usable[kept++] = addresses[i];
	return count_or_error > 0 && kept == 0 ? -EAFNOSUPPORT : kept > 0 ? kept : count_or_error;
}

void lai_link_on_resolved(struct lai_link *link, const struct lai_address *addresses,
			  int count_or_error, uint64_t now_ns)
{
	struct lai_address usable[LAI_ADDRESSES_MAX];
	int count;

	if (link->state != LA_LINK_RESOLVING)
		return; /* cancelled meanwhile */
	count = keep_family(addresses, count_or_error, link->family, usable);
	if (count <= 0) {
		lai_link_attempt_failed(link, LA_CAUSE_RESOLVE_FAILED, -count, now_ns);
		return;
	}
	lai_race_init(&link->race, usable, count, now_ns);
	lai_race_prefer(&link->race, &link->last_good);
	lai_link_set_state(link, LA_LINK_CONNECTING,
			   lai_time_after(now_ns, link->config.connect_ns), now_ns);
	lai_link_run_race(link, now_ns);
}

void lai_link_on_attempt(struct lai_link *link, int attempt, int error,
			 const struct lai_address *local, const struct lai_address *remote,
			 uint64_t now_ns)
{
	enum la_cause cause = lai_cause_of_attempt(error, link->config.local_port != 0,
						   link->family != AF_UNSPEC);

	if (link->state != LA_LINK_CONNECTING || !link->race.running[attempt])
		return; /* discarded meanwhile */
	if (error == 0 && !lai_address_equal(local, remote)) {
		lai_link_connection_won(link, attempt, local, remote, now_ns);
		return;
	}
	if (error == 0) {
		/* Simultaneous open with ourselves, RFC 9293 3.5: the listener is not there. */
		cause = LA_CAUSE_SELF_CONNECT;
		lai_link_ask(link, LAI_LINK_DISCARD)->attempt = attempt;
	}
	if (link->attempt_cause == LA_CAUSE_ALIVE) {
		link->attempt_cause = cause;
		link->attempt_error = error;
	}
	lai_race_failed(&link->race, attempt, now_ns);
	if (lai_race_lost(&link->race))
		lai_link_attempt_failed(link, link->attempt_cause, link->attempt_error, now_ns);
	else
		lai_link_run_race(link, now_ns);
}
