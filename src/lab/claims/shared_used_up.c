/* SPDX-License-Identifier: MIT */
/* shared_used_up.c - ports in TIME_WAIT, and their way back. */
#include "lab/claims/shared_used_up.h"

#include <unistd.h>

#define TRY_NS (5 * LAI_MS) /* between two tries */
/* Beyond the delay; before Linux 4.19 a clock of seconds had to tick twice. */
#define PATIENCE_NS LAI_S

uint64_t lai_used_up_wait_ns(struct lai_trial *trial)
{
	return (uint64_t)lai_dial_reuse_delay_ms(trial) * LAI_MS + PATIENCE_NS;
}

static void use_up(struct lai_trial *trial, const struct lai_host *at, int listener,
		   const struct lai_address *to, struct lai_used_up *used)
{
	struct lai_socket_fact fact;

	while (used->made < 2 * LAI_USED_UP_PORTS) {
		struct lai_ends ends;

		used->last = lai_dial_try(trial, NULL, to);
		if (used->last.refused)
			return;
		used->made++;
		ends = lai_call_ends(trial, used->last.fd);
		if (lai_dial_close_first_at(trial, at, used->last.fd, listener) ==
		    LAI_TCP_TIME_WAIT)
			used->time_waits++;
		if (lai_gauge_find(trial, trial->client, &ends, &fact))
			used->left_ms = fact.timer_ms;
	}
}

static void await(struct lai_trial *trial, const struct lai_address *to, uint64_t wait_ns,
		  struct lai_used_up *used)
{
	uint64_t since_ns = lai_clock_now(), deadline_ns = lai_time_after(since_ns, wait_ns);

	do {
		struct lai_dial_try try = lai_dial_try(trial, NULL, to);

		if (!try.refused) {
			used->came_back = true;
			(void)close(try.fd);
			break;
		}
		lai_trial_pass(trial, TRY_NS);
	} while (lai_clock_now() < deadline_ns);
	used->after_ms = (double)lai_time_since(since_ns, lai_clock_now()) / LAI_MS;
}

struct lai_used_up lai_used_up_try(struct lai_trial *trial, const struct lai_host *at, int listener,
				   const struct lai_address *to, uint64_t wait_ns)
{
	struct lai_used_up used = {0};
	char text[LAI_DIAL_TEXT_MAX];

	lai_dial_range(trial, lai_trial_port(trial, 10000, 60000), LAI_USED_UP_PORTS);
	use_up(trial, at, listener, to, &used);
	lai_trial_say(trial, "%u connections from %d ports left %u TIME_WAITs; the last: %s",
		      used.made, LAI_USED_UP_PORTS, used.time_waits,
		      lai_dial_try_text(text, &used.last));
	if (!used.last.refused)
		return used;
	await(trial, to, wait_ns, &used);
	lai_trial_say(trial, "tried for %.0f ms: %s", used.after_ms,
		      used.came_back ? "a port came back" : "none came back");
	return used;
}
