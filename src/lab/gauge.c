/* SPDX-License-Identifier: MIT */
/* gauge.c - sockets of a host, asked of its kernel, and the record of how their states changed. */
#include "lab/gauge.h"

#include <errno.h>
#include <string.h>

/* Between two looks while waiting: short at first, since most changes take microseconds. */
#define LOOK_NS_MIN (1 * LAI_MS)
#define LOOK_NS_MAX (20 * LAI_MS)
/* For changes that packets bring at once, on a busy machine. */
#define NEED_WAIT_NS (5 * LAI_S)

static enum lai_tcp_state state_recorded(const struct lai_result *result,
					 const struct lai_result_state *now)
{
	for (uint32_t i = result->state_count; i > 0; i--) {
		const struct lai_result_state *then = &result->states[i - 1];

		if (then->host == now->host && then->local_port == now->local_port &&
		    then->remote_port == now->remote_port)
			return then->state;
	}
	return LAI_TCP_NONE;
}

static void state_record(struct lai_result *result, const struct lai_result_state *now)
{
	if (state_recorded(result, now) == now->state)
		return;
	if (result->state_count == LAI_RESULT_STATES_MAX) {
		result->dropped++;
		return;
	}
	result->states[result->state_count] = *now;
	result->state_count++;
}

/* False: in no table, and *found is empty. */
static bool look(struct lai_trial *trial, const struct lai_host *host, const struct lai_ends *ends,
		 struct lai_socket_fact *found)
{
	struct lai_socket_fact wanted = {
		.family = lai_address_family(&ends->local),
		.local = ends->local,
		.remote = ends->remote,
	};
	int error;

	*found = (struct lai_socket_fact){0};
	lai_host_enter(trial, host);
	error = lai_sockdiag_find(&wanted, found);
	if (error == -EPROTONOSUPPORT)
		lai_trial_lacks(trial, "this kernel has no sock_diag for TCP (CONFIG_INET_DIAG)");
	if (error && error != -ENOENT)
		lai_trial_fail(trial, "sock_diag in %s: %s", host->name, lai_call_errno(-error));
	return !error;
}

bool lai_gauge_find(struct lai_trial *trial, const struct lai_host *host,
		    const struct lai_ends *ends, struct lai_socket_fact *fact)
{
	struct lai_result_state now = {
		.host = host->number,
		.local_port = lai_address_port(&ends->local),
		.remote_port = lai_address_port(&ends->remote),
	};
	struct lai_socket_fact found;
	bool exists = look(trial, host, ends, &found);

	now.time_ns = lai_clock_read(CLOCK_REALTIME);
	now.state = (uint8_t)found.state;
	now.timer = found.timer;
	now.timer_ms = found.timer_ms;
	state_record(trial->result, &now);
	if (exists && fact)
		*fact = found;
	return exists;
}

enum lai_tcp_state lai_gauge_peek(struct lai_trial *trial, const struct lai_host *host,
				  const struct lai_ends *ends)
{
	struct lai_socket_fact found;

	return look(trial, host, ends, &found) ? found.state : LAI_TCP_NONE;
}

enum lai_tcp_state lai_gauge_state(struct lai_trial *trial, const struct lai_host *host,
				   const struct lai_ends *ends)
{
	struct lai_socket_fact fact;

	return lai_gauge_find(trial, host, ends, &fact) ? fact.state : LAI_TCP_NONE;
}

bool lai_gauge_await(struct lai_trial *trial, const struct lai_host *host,
		     const struct lai_ends *ends, enum lai_tcp_state state, uint64_t wait_ns)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), wait_ns);
	uint64_t pause_ns = LOOK_NS_MIN;

	while (lai_gauge_state(trial, host, ends) != state) {
		if (lai_clock_now() >= deadline_ns)
			return false;
		lai_trial_pass(trial, pause_ns);
		pause_ns = lai_time_min(2 * pause_ns, LOOK_NS_MAX);
	}
	return true;
}

const char *lai_gauge_state_name(enum lai_tcp_state state)
{
	return state == LAI_TCP_NONE ? "gone" : la_tcp_state_name(state);
}

void lai_gauge_need(struct lai_trial *trial, const struct lai_host *host,
		    const struct lai_ends *ends, enum lai_tcp_state state)
{
	if (!lai_gauge_await(trial, host, ends, state, NEED_WAIT_NS))
		lai_trial_fail(trial, "the %s's end did not become %s within 5 s: it is %s",
			       host->name, lai_gauge_state_name(state),
			       lai_gauge_state_name(lai_gauge_state(trial, host, ends)));
}

const char *lai_gauge_timer(const struct lai_socket_fact *fact)
{
	static const char *const names[LAI_TIMER_COUNT] = {
		[LAI_TIMER_NONE] = "none",
		[LAI_TIMER_RETRANSMIT] = "retransmit",
		[LAI_TIMER_KEEPALIVE] = "keepalive",
		[LAI_TIMER_TIME_WAIT] = "time-wait",
		[LAI_TIMER_PROBE] = "zero-window probe",
	};

	return fact->timer < LAI_TIMER_COUNT ? names[fact->timer] : "?";
}

static int count_each(void *arg, const struct lai_socket_fact *fact)
{
	size_t *count = arg;

	(void)fact;
	(*count)++;
	return 0;
}

size_t lai_gauge_count(struct lai_trial *trial, const struct lai_host *host, uint32_t state_mask)
{
	struct lai_sockdiag_quality quality;
	size_t count = 0;
	int error;

	lai_host_enter(trial, host);
	error = lai_sockdiag_dump_anyway(state_mask, &quality, count_each, &count);
	if (error)
		lai_trial_fail(trial, "sock_diag in %s: %s", host->name, lai_call_errno(-error));
	return count;
}
