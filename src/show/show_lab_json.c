/* SPDX-License-Identifier: MIT */
/* show_lab_json.c - the lab's claims and runs for programs. */
#include "show/show_lab.h"
#include "show/show_socket.h"

#include <string.h>
#include <sys/socket.h>

/* ---- claims --------------------------------------------------------------------------------- */

static void put_expected(struct lai_json *json, const struct lai_claim *claim)
{
	lai_json_array_begin(json, "documented");
	for (size_t i = 0; i < LAI_CLAIM_EXPECTED_MAX; i++) {
		const struct lai_claim_expected *row = &claim->expected[i];

		if (i > 0 && row->verdict == LAI_LAB_NONE)
			break;
		lai_json_object_begin(json, NULL);
		lai_json_u64(json, "from_major", row->major);
		lai_json_u64(json, "from_minor", row->minor);
		lai_json_string(json, "verdict", lai_lab_verdict_name(row->verdict));
		lai_json_string(json, "since", row->since);
		lai_json_end(json);
	}
	lai_json_end(json);
}

/* Members of the object that the caller has begun. */
static void put_texts(struct lai_json *json, const struct lai_claim *claim)
{
	lai_json_string(json, "id", claim->id);
	lai_json_string(json, "claim", claim->claim);
	lai_json_string(json, "said", claim->said);
	lai_json_string(json, "decides", claim->decides);
	lai_json_string(json, "setup", claim->setup);
	lai_json_string(json, "procedure", claim->procedure);
	lai_json_string(json, "outcome", claim->outcome);
	lai_json_string(json, "control", claim->control);
	lai_json_string(json, "shortened", claim->shortened);
	lai_json_string(json, "network", claim->network == LAI_NETWORK_ROUTER ? "router" : "pair");
	lai_json_string(json, "lane", claim->lane == LAI_LANE_ALONE ? "alone" : "waits");
	lai_json_bool(json, "both_families", claim->both_families);
	put_expected(json, claim);
}

void lai_show_lab_claim_json(struct lai_json *json, const struct lai_claim *claim,
			     const struct lai_show_kernel *kernel)
{
	lai_json_object_begin(json, NULL);
	put_texts(json, claim);
	lai_json_string(
		json, "expected",
		lai_lab_verdict_name(lai_claim_expects(claim, kernel->major, kernel->minor)));
	lai_json_end(json);
}

void lai_show_lab_list_json(struct lai_json *json, const struct lai_show_kernel *kernel)
{
	lai_json_object_begin(json, NULL);
	lai_json_string(json, "kernel", kernel->release);
	lai_json_array_begin(json, "claims");
	for (size_t i = 0; i < lai_claim_count; i++)
		lai_show_lab_claim_json(json, lai_claims[i], kernel);
	lai_json_end(json);
	lai_json_end(json);
}

/* ---- a trial -------------------------------------------------------------------------------- */

static void put_numbers(struct lai_json *json, const struct lai_result *result)
{
	lai_json_array_begin(json, "numbers");
	for (uint32_t i = 0; i < result->number_count; i++) {
		lai_json_object_begin(json, NULL);
		lai_json_string(json, "name", result->numbers[i].name);
		lai_json_string(json, "unit", result->numbers[i].unit);
		lai_json_double(json, "value", result->numbers[i].value);
		lai_json_end(json);
	}
	lai_json_end(json);
}

static void put_points(struct lai_json *json, const struct lai_result *result, uint32_t series)
{
	lai_json_array_begin(json, "points");
	for (uint32_t i = 0; i < result->point_count; i++) {
		if (result->points[i].series != series)
			continue;
		lai_json_array_begin(json, NULL);
		lai_json_double(json, NULL, result->points[i].x);
		lai_json_double(json, NULL, result->points[i].y);
		lai_json_end(json);
	}
	lai_json_end(json);
}

static void put_series(struct lai_json *json, const struct lai_result *result)
{
	lai_json_array_begin(json, "series");
	for (uint32_t i = 0; i < result->series_count; i++) {
		lai_json_object_begin(json, NULL);
		lai_json_string(json, "name", result->series[i].name);
		lai_json_string(json, "x", result->series[i].x);
		lai_json_string(json, "y", result->series[i].y);
		put_points(json, result, i);
		lai_json_end(json);
	}
	lai_json_end(json);
}

static void put_evidence(struct lai_json *json, const struct lai_result *result)
{
	const char *at = result->evidence, *end = at + result->evidence_bytes;

	lai_json_array_begin(json, "evidence");
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		lai_json_bytes(json, NULL, at, (size_t)(stop - at));
		at = stop + 1;
	}
	lai_json_end(json);
}

static const char *host_name(uint8_t host)
{
	static const char *const names[] = {"client", "server", "router"};

	return host < sizeof(names) / sizeof(names[0]) ? names[host] : NULL;
}

static void put_states(struct lai_json *json, const struct lai_result *result)
{
	lai_json_array_begin(json, "states");
	for (uint32_t i = 0; i < result->state_count; i++) {
		const struct lai_result_state *state = &result->states[i];
		struct lai_socket_fact fact = {.state = (enum lai_tcp_state)state->state,
					       .timer = state->timer};

		lai_json_object_begin(json, NULL);
		lai_json_u64(json, "time_ns", state->time_ns);
		lai_json_string(json, "host", host_name(state->host));
		lai_json_string(json, "state",
				state->state == LAI_TCP_NONE ? NULL
							     : la_tcp_state_name(state->state));
		lai_json_string(json, "timer",
				state->timer == LAI_TIMER_NONE ? NULL : lai_show_timer_name(&fact));
		lai_json_u64(json, "timer_ms", state->timer_ms);
		lai_json_u64(json, "local_port", state->local_port);
		lai_json_u64(json, "remote_port", state->remote_port);
		lai_json_end(json);
	}
	lai_json_end(json);
}

static void put_trial(struct lai_json *json, const struct lai_claim *claim,
		      const struct lai_outcome_trial *trial)
{
	static const char *const controls[] = {[LAI_CONTROL_NONE] = NULL,
					       [LAI_CONTROL_HELD] = "held",
					       [LAI_CONTROL_FAILED] = "failed"};
	const struct lai_result *result = trial->result;

	lai_json_object_begin(json, NULL);
	lai_json_u64(json, "seed", trial->seed);
	lai_json_string(json, "family",
			lai_trial_family(claim, trial->seed) == AF_INET6 ? "ipv6" : "ipv4");
	lai_json_string(json, "verdict", lai_lab_verdict_name(trial->verdict));
	lai_json_string(json, "why", trial->why);
	lai_json_string(json, "control", controls[result->control]);
	lai_json_string(json, "control_says", result->control_words);
	lai_json_u64(json, "began_ns", result->began_ns);
	if (result->ended_ns)
		lai_json_u64(json, "ended_ns", result->ended_ns);
	else
		lai_json_null(json, "ended_ns");
	lai_json_i64(json, "end_signal", trial->end_signal);
	lai_json_u64(json, "dropped", result->dropped);
	put_numbers(json, result);
	put_series(json, result);
	put_states(json, result);
	put_evidence(json, result);
	lai_json_end(json);
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void put_outcome(struct lai_json *json, const struct lai_outcome *outcome)
{
	lai_json_object_begin(json, NULL);
	put_texts(json, outcome->claim);
	lai_json_string(json, "verdict", lai_lab_verdict_name(outcome->verdict));
	lai_json_string(json, "why", outcome->why);
	lai_json_bool(json, "agreed", outcome->agreed);
	lai_json_string(json, "expected", lai_lab_verdict_name(outcome->expected));
	lai_json_bool(json, "as_expected", outcome->as_expected);
	lai_json_double(json, "seconds", outcome->seconds);
	lai_json_array_begin(json, "trials");
	for (size_t i = 0; i < outcome->trial_count; i++)
		put_trial(json, outcome->claim, &outcome->trials[i]);
	lai_json_end(json);
	lai_json_end(json);
}

void lai_show_lab_run_json(struct lai_json *json, const struct lai_run *run)
{
	lai_json_object_begin(json, NULL);
	lai_json_string(json, "kernel", run->kernel);
	lai_json_bool(json, "unprivileged", run->unprivileged);
	lai_json_bool(json, "interrupted", run->interrupted);
	lai_json_u64(json, "began_ns", run->began_ns);
	lai_json_u64(json, "ended_ns", run->ended_ns);
	lai_json_array_begin(json, "settings");
	for (size_t i = 0; run->settings && run->settings[i]; i++)
		lai_json_string(json, NULL, run->settings[i]);
	lai_json_end(json);
	lai_json_array_begin(json, "claims");
	for (size_t i = 0; i < run->outcome_count; i++)
		put_outcome(json, &run->outcomes[i]);
	lai_json_end(json);
	lai_json_end(json);
}
