/* SPDX-License-Identifier: MIT */
/*
 * sim_timer.c - the timers of a connection.
 *
 * Two per connection share one event. The send timer retransmits, or probes a closed window, never
 * both. The keep timer is the keepalive of an established connection, and later the end of
 * FIN_WAIT2 or TIME_WAIT. Names and numbers are those of Linux's tcp_timer.c.
 */
#include "io/sim/sim_internal.h"

#include <errno.h>

#define RTO_MIN_NS (200 * LAI_MS) /* TCP_RTO_MIN */
#define RTO_MAX_NS (120 * LAI_S)  /* TCP_RTO_MAX */
#define TIMEOUT_MIN_NS (2 * LAI_MS)
#define RETRIES 15u	  /* net.ipv4.tcp_retries2: about 924.6 s */
#define ORPHAN_RETRIES 8u /* tcp_orphan_retries() of a live peer */
#define SYN_RETRIES 10u	  /* tcp_syn_retries 6 and tcp_syn_linear_timeouts 4: 131 s in all */
#define SYN_LINEAR 4u
#define SYNACK_RETRIES 5u /* net.ipv4.tcp_synack_retries */
#define KEEP_PROBES 5u	  /* at most, in the second half of keepalive_ns */

uint64_t sim_timer_rto_max(const struct sim_socket *socket)
{
	return socket->rto_max_ns ? socket->rto_max_ns : RTO_MAX_NS;
}

/* ---- timers ------------------------------------------------------------------------------ */

static void timer_arm(struct sim_socket *socket)
{
	sim_event_set(socket->host->sim, &socket->timer,
		      lai_time_min(socket->send_at_ns, socket->keep_at_ns));
}

void sim_timer_send(struct sim_socket *socket, enum sim_send_timer timer, uint64_t after_ns)
{
	socket->send_timer = timer;
	socket->send_at_ns = timer == SIM_NO_TIMER
				     ? LA_NEVER
				     : lai_time_after(socket->host->sim->now_ns, after_ns);
	timer_arm(socket);
}

void sim_timer_keep(struct sim_socket *socket, uint64_t after_ns)
{
	socket->keep_at_ns = lai_time_after(socket->host->sim->now_ns, after_ns);
	timer_arm(socket);
}

/* Linux counts keepalive and linger in whole seconds, and keepalive in 16 bits. */
uint64_t sim_timer_whole_seconds(uint64_t duration_ns)
{
	uint64_t seconds = duration_ns / LAI_S + (duration_ns % LAI_S != 0);

	if (seconds < 1)
		seconds = 1;
	return (seconds < INT16_MAX ? seconds : INT16_MAX) * LAI_S;
}

/* As with TCP_KEEPIDLE: the timer starts anew, counting the silence there was already. */
static void keep_restart(struct sim_socket *socket)
{
	uint64_t silent_ns = lai_time_since(socket->heard_ns, sim_host_now(socket->host));

	sim_timer_keep(socket, lai_time_since(silent_ns, socket->keep_idle_ns));
}

/* Half of the time waiting and the other half on probes, as kernel_socket.c shares it out. */
void sim_timer_pace(struct sim_socket *socket)
{
	uint64_t dead_ns = socket->keepalive_ns;

	if (!dead_ns)
		return;
	socket->keep_idle_ns = sim_timer_whole_seconds(dead_ns / 2);
	socket->keep_interval_ns = sim_timer_whole_seconds(dead_ns / 2 / KEEP_PROBES);
	socket->keep_probes = (uint32_t)(dead_ns / 2 / socket->keep_interval_ns);
	if (socket->keep_probes < 1)
		socket->keep_probes = 1;
	if (socket->keep_probes > KEEP_PROBES)
		socket->keep_probes = KEEP_PROBES;
	keep_restart(socket);
}

/* One probe a second from now on. */
void sim_timer_hurry(struct sim_socket *socket, uint64_t within_ns)
{
	socket->keep_idle_ns = socket->keep_interval_ns = LAI_S;
	socket->keep_probes = (uint32_t)(sim_timer_whole_seconds(within_ns) / LAI_S);
	keep_restart(socket);
}

/* The retransmission time-out after `backoff` doublings. */
uint64_t sim_timer_rto(const struct sim_socket *socket)
{
	uint64_t rto_ns = socket->rto_ns;

	for (uint32_t i = 0; i < socket->backoff && rto_ns < sim_timer_rto_max(socket); i++)
		rto_ns *= 2;
	return lai_time_min(rto_ns, sim_timer_rto_max(socket));
}

/* tcp_clamp_rto_to_user_timeout(): the last wait ends with TCP_USER_TIMEOUT. */
static uint64_t clamped(const struct sim_socket *socket, uint64_t wait_ns, uint64_t since_ns)
{
	uint64_t spent_ns;

	if (!socket->user_timeout_ns || !since_ns)
		return wait_ns;
	spent_ns = lai_time_since(since_ns, sim_host_now(socket->host));
	if (spent_ns >= socket->user_timeout_ns)
		return TIMEOUT_MIN_NS;
	return lai_time_min(wait_ns, socket->user_timeout_ns - spent_ns);
}

/* ---- the timer has fired ----------------------------------------------------------------- */

/* tcp_model_timeout(): the time that `boundary` retransmissions take, backing off to rto_max. */
static uint64_t model_timeout(const struct sim_socket *socket, uint32_t boundary)
{
	uint64_t total_ns = 0, wait_ns = RTO_MIN_NS;

	for (uint32_t i = 0; i <= boundary; i++) {
		total_ns += wait_ns;
		wait_ns = lai_time_min(wait_ns * 2, sim_timer_rto_max(socket));
	}
	return total_ns;
}

/* retransmits_timed_out(). */
static bool retransmits_over(const struct sim_socket *socket)
{
	uint64_t limit_ns = socket->user_timeout_ns;

	if (socket->retransmits == 0)
		return false;
	if (!limit_ns)
		limit_ns = model_timeout(socket, socket->fd < 0 ? ORPHAN_RETRIES : RETRIES);
	return lai_time_since(socket->retransmitting_ns, sim_host_now(socket->host)) >= limit_ns;
}

static void handshake_timer(struct sim_socket *socket)
{
	uint64_t now_ns = sim_host_now(socket->host);
	bool syn = socket->state == LAI_TCP_SYN_SENT;
	bool over = socket->retransmits >= (syn ? SYN_RETRIES : SYNACK_RETRIES);

	if (socket->user_timeout_ns && socket->retransmits)
		over = lai_time_since(socket->retransmitting_ns, now_ns) >= socket->user_timeout_ns;
	if (over) {
		sim_close_done(socket, socket->soft_error ? socket->soft_error : ETIMEDOUT);
		return;
	}
	socket->retransmits_total++;
	if (socket->retransmits++ == 0)
		socket->retransmitting_ns = now_ns;
	if (!syn || socket->retransmits > SYN_LINEAR)
		socket->backoff++;
	sim_output_control(socket, syn ? SIM_SYN : SIM_SYN | SIM_ACK, socket->iss);
	sim_timer_send(socket, SIM_RETRANSMIT,
		       clamped(socket, sim_timer_rto(socket), socket->retransmitting_ns));
}

static void retransmit_timer(struct sim_socket *socket)
{
	if (retransmits_over(socket)) {
		sim_close_done(socket, socket->soft_error ? socket->soft_error : ETIMEDOUT);
		return;
	}
	socket->retransmits++;
	socket->backoff++;
	socket->duplicate_acks = 0;
	sim_output_resend(socket);
	sim_timer_send(socket, SIM_RETRANSMIT,
		       clamped(socket, sim_timer_rto(socket), socket->retransmitting_ns));
}

/* tcp_probe_timer(). An answer sets probes to 0, only an open window ends probing_ns and backoff.
 */
static void probe_timer(struct sim_socket *socket)
{
	uint64_t now_ns = sim_host_now(socket->host);
	bool over = socket->probes >= (socket->fd < 0 ? ORPHAN_RETRIES : RETRIES);

	if (socket->fd < 0 && sim_timer_rto(socket) >= sim_timer_rto_max(socket))
		over = true; /* an orphan is not kept for a peer that will not read */
	if (!socket->probing_ns)
		socket->probing_ns = now_ns;
	else if (socket->user_timeout_ns &&
		 lai_time_since(socket->probing_ns, now_ns) >= socket->user_timeout_ns)
		over = true;
	if (over) {
		sim_close_done(socket, socket->soft_error ? socket->soft_error : ETIMEDOUT);
		return;
	}
	socket->probes++;
	socket->backoff++;
	sim_output_control(socket, SIM_ACK, socket->snd_una - 1);
	sim_timer_send(socket, SIM_PROBE,
		       clamped(socket, sim_timer_rto(socket), socket->probing_ns));
}

/* tcp_keepalive_timer(): does nothing while data waits or flies; TCP_USER_TIMEOUT overrides the
 * count. */
static void keepalive_timer(struct sim_socket *socket)
{
	uint64_t silent_ns = lai_time_since(socket->heard_ns, sim_host_now(socket->host));
	bool over = socket->probes >= socket->keep_probes;

	if (socket->sent.used || socket->queue.used) {
		sim_timer_keep(socket, socket->keep_idle_ns);
		return;
	}
	if (silent_ns < socket->keep_idle_ns) {
		keep_restart(socket);
		return;
	}
	if (socket->user_timeout_ns)
		over = socket->probes && silent_ns >= socket->user_timeout_ns;
	if (over) {
		sim_output_control(socket, SIM_RST | SIM_ACK, socket->snd_nxt);
		sim_close_done(socket, socket->soft_error ? socket->soft_error : ETIMEDOUT);
		return;
	}
	socket->probes++;
	sim_output_control(socket, SIM_ACK, socket->snd_una - 1);
	sim_timer_keep(socket, socket->keep_interval_ns);
}

static void keep_timer(struct sim_socket *socket)
{
	bool orphan = socket->fd < 0 && !socket->listener;

	if (socket->state == LAI_TCP_TIME_WAIT || (orphan && socket->state == LAI_TCP_FIN_WAIT2))
		sim_close_done(socket, 0);
	else if (socket->state != LAI_TCP_CLOSE)
		keepalive_timer(socket);
}

void sim_timer_fire(struct sim_socket *socket)
{
	uint64_t now_ns = socket->host->sim->now_ns;
	enum sim_send_timer timer = socket->send_timer;

	if (socket->keep_at_ns <= now_ns) {
		socket->keep_at_ns = LA_NEVER;
		keep_timer(socket);
	} else if (socket->send_at_ns <= now_ns) {
		socket->send_at_ns = LA_NEVER;
		socket->send_timer = SIM_NO_TIMER;
		if (socket->state == LAI_TCP_SYN_SENT || socket->state == LAI_TCP_SYN_RECV)
			handshake_timer(socket);
		else if (timer == SIM_RETRANSMIT)
			retransmit_timer(socket);
		else
			probe_timer(socket);
	}
	if (!socket->dead)
		timer_arm(socket);
}
