/* SPDX-License-Identifier: MIT */
/* shared_used_up.c - ports in TIME_WAIT, and their way back. */
#include "lab/claims/shared_used_up.h"

#include <unistd.h>

#define TRY_NS (5 * LAI_MS) /* between two tries */
/* Beyond the delay; before Linux 4.19 a clock of seconds had to tick twice. */
#define PATIENCE_NS LAI_S
#define ACCEPT_NS (5 * LAI_S)

uint64_t lai_used_up_wait_ns(struct lai_trial *trial)
{
	return (uint64_t)lai_dial_reuse_delay_ms(trial) * LAI_MS + PATIENCE_NS;
}

/* Closes it, the client first; the state of the client's end when the server's is gone. */
static enum lai_tcp_state close_first(struct lai_trial *trial, const struct lai_host *at,
				      int client, int listener, uint32_t *left_ms)
{
	struct lai_ends ends = lai_call_ends(trial, client), turned = lai_ends_turned(&ends);
	int server = lai_call_accept(trial, listener, ACCEPT_NS);
	struct lai_socket_fact fact;
	enum lai_tcp_state state;

	(void)close(client);
	(void)lai_call_receive_all(server, ACCEPT_NS);
	(void)close(server);
	(void)lai_dial_settle(trial, at, &turned);
	state = lai_dial_settle(trial, trial->client, &ends);
	if (lai_gauge_find(trial, trial->client, &ends, &fact))
		*left_ms = fact.timer_ms;
	return state;
}

static void use_up(struct lai_trial *trial, const struct lai_host *at, int listener,
		   const struct lai_address *to, struct lai_used_up *used)
{
	while (used->made < 2 * LAI_USED_UP_PORTS) {
		used->last = lai_dial_try(trial, NULL, to);
		if (used->last.refused)
			return;
		used->made++;
		if (close_first(trial, at, used->last.fd, listener, &used->left_ms) ==
		    LAI_TCP_TIME_WAIT)
			used->time_waits++;
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
