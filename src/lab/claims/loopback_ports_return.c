/* SPDX-License-Identifier: MIT */
/*
 * loopback_ports_return.c - on loopback a port comes out of TIME_WAIT after a second, with the
 * kernel's own settings: tcp_tw_reuse=2. A test of programs on one host does not show what a wire
 * will.
 */
#include "lab/claims/shared_used_up.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TW_REUSE "net.ipv4.tcp_tw_reuse"
#define BACKLOG 64

/* A listener on the client's own loopback. */
static int listen_here(struct lai_trial *trial, struct lai_address *to)
{
	int fd = lai_call_socket(trial, trial->client);

	(void)lai_address_parse(trial->family == AF_INET6 ? "::1" : "127.0.0.1", 0, to);
	if (lai_call_bind(fd, to).error != 0 || listen(fd, BACKLOG) < 0)
		lai_trial_fail(trial, "no listener on loopback: %s", strerror(errno));
	to->length = sizeof(to->v6);
	(void)getsockname(fd, &to->sa, &to->length);
	return fd;
}

static void conclude(struct lai_trial *trial, const struct lai_used_up *used, long reuse)
{
	if (used->time_waits == 0 || !used->last.refused)
		lai_trial_conclude(trial, LAI_LAB_INCONCLUSIVE,
				   "%u connections from %d ports left %u TIME_WAITs and none was "
				   "refused, so no port could come back",
				   used->made, LAI_USED_UP_PORTS, used->time_waits);
	else if (!used->came_back)
		lai_trial_conclude(trial, LAI_LAB_REFUTED,
				   "after %u connections none of %d ports came back in %.0f ms "
				   "(tcp_tw_reuse=%ld, tcp_timestamps=%ld)",
				   used->made, LAI_USED_UP_PORTS, used->after_ms, reuse,
				   lai_host_get(trial, trial->client, "net.ipv4.tcp_timestamps"));
	else
		lai_trial_conclude(
			trial, LAI_LAB_CONFIRMED,
			"a port came back %.0f ms after the first refusal, of the %.1f s "
			"that its TIME_WAIT had (tcp_tw_reuse=%ld)",
			used->after_ms, used->left_ms / 1000.0, reuse);
}

static void run(struct lai_trial *trial)
{
	uint64_t wait_ns = lai_used_up_wait_ns(trial);
	long reuse = lai_host_get(trial, trial->client, TW_REUSE);
	struct lai_address to, other_to;
	/* One for each try, since the ports of the first wait on account of it; both before there
	   are only ten ports, all in use. */
	int listener = listen_here(trial, &to), other = listen_here(trial, &other_to);
	struct lai_used_up here, off;

	here = lai_used_up_try(trial, trial->client, listener, &to, wait_ns);
	lai_host_set_number(trial, trial->client, TW_REUSE, 0);
	off = lai_used_up_try(trial, trial->client, other, &other_to, wait_ns);
	lai_host_set_number(trial, trial->client, TW_REUSE, reuse);
	lai_trial_control(
		trial, off.last.refused && !off.came_back,
		"with tcp_tw_reuse=0 loopback is as a wire: %u connections, then %s for %.0f ms",
		off.made, lai_call_errno(off.last.error), off.after_ms);
	lai_trial_number(trial, "came back after", "ms", here.after_ms);
	conclude(trial, &here, reuse);
	(void)close(listener);
	(void)close(other);
}

const struct lai_claim lai_claim_loopback_ports_return = {
	.id = "loopback-ports-return",
	.claim = "On loopback a port in TIME_WAIT comes back after a second, without any tuning.",
	.said = "ip-sysctl: tcp_tw_reuse, \"2 - enable for loopback traffic only\", the default; "
		"people who find that "
		"a load test on one host runs and the same one over the network does not",
	.decides = "tcp_twsk_unique() in net/ipv4/tcp_ipv4.c; tcp_sk_init(): sysctl_tcp_tw_reuse "
		   "= 2 since Linux 4.19",
	.setup = "One host, its loopback, a range of 10 automatic ports",
	.procedure =
		"Connect to 127.0.0.1 (even seeds: ::1) and close at the client first, until connect() is "
		"refused; then try until a port comes back. Once more with tcp_tw_reuse=0.",
	.outcome =
		"A port comes back when its TIME_WAIT is as old as tcp_tw_reuse_delay, 1 s (before "
		"Linux 6.14 at the next tick of a second).",
	.control = "With tcp_tw_reuse=0 none must come back in that time.",
	.shortened =
		"Ports that do not come back are waited for a little longer than a port that does would "
		"take, not for 60 s",
	.expected = {{0, 0, LAI_LAB_REFUTED, NULL},
		     {4, 19, LAI_LAB_CONFIRMED, "tcp_tw_reuse=2 became the default"}},
	.both_families = true,
	.no_capture = true, /* nothing passes the wire */
	.run = run,
};
