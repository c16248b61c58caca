/* SPDX-License-Identifier: MIT */
/* sim_program.c - nets as processes: birth, running by the simulator, freezing, death, what they
 * did. */
#include "io/sim/sim_internal.h"

#include <stdlib.h>

#define SPIN_NS LAI_US /* a program that asks to be run again at once is run this much later */

struct lai_net *lai_sim_host_net(struct lai_sim_host *host)
{
	struct lai_sim *sim = host->sim;
	struct sim_net *net = calloc(1, sizeof(*net));

	if (!net)
		return NULL;
	net->program.kind = SIM_PROGRAM;
	net->answer.kind = SIM_ANSWER;
	if (sim_event_reserve(sim) < 0) {
		free(net);
		return NULL;
	}
	if (sim_event_reserve(sim) < 0) {
		sim_event_release(sim, &net->program);
		free(net);
		return NULL;
	}
	net->base.ops = &sim_net_ops;
	net->host = host;
	net->next = sim->nets;
	sim->nets = net;
	return &net->base;
}

struct lai_net *lai_sim_net(struct lai_sim *sim)
{
	return lai_sim_host_net(sim->client);
}

/* Its sockets stay open, as descriptors do when an epoll instance is closed; nobody reaches them.
 */
void sim_net_free(struct sim_net *net)
{
	struct lai_sim_host *host = net->host;
	struct sim_net **place = &host->sim->nets;

	sim_socket_collect_none(net);
	for (size_t i = 0; i < host->fd_count; i++)
		if (host->fds[i] && host->fds[i]->net == net)
			host->fds[i]->net = NULL;
	while (*place != net)
		place = &(*place)->next;
	*place = net->next;
	sim_dns_cancel(net);
	sim_event_release(host->sim, &net->program);
	sim_event_release(host->sim, &net->answer);
	sim_queue_done(&net->attempts);
	free(net);
}

/* ---- running ----------------------------------------------------------------------------- */

void lai_sim_program(struct lai_net *base, lai_sim_run *run, void *context)
{
	struct sim_net *net = sim_net_of(base);

	net->run = run;
	net->context = context;
	sim_event_set(net->host->sim, &net->program, LA_NEVER);
	sim_net_wake(net);
}

void sim_net_wake(struct sim_net *net)
{
	struct lai_sim *sim = net->host->sim;

	if (!net->run || net->running || net->frozen)
		return;
	if (!net->program.place || net->program.at_ns > sim->now_ns)
		sim_event_set(sim, &net->program, sim->now_ns);
}

void sim_net_run(struct sim_net *net)
{
	struct lai_sim_host *host = net->host;
	struct lai_sim *sim = host->sim;
	uint64_t next_ns;

	if (!net->run || net->frozen || !host->powered)
		return;
	if (host->asleep) {
		sim_event_set(sim, &net->program, host->wake.at_ns);
		return;
	}
	sim->in_program = net->running = true;
	next_ns = net->run(&net->base, net->context);
	sim->in_program = net->running = false;
	next_ns = lai_sim_host_when(host, next_ns);
	if (next_ns <= sim->now_ns)
		next_ns = sim->now_ns + SPIN_NS;
	sim_event_set(sim, &net->program, next_ns);
}

void lai_sim_freeze(struct lai_net *base, bool frozen)
{
	struct sim_net *net = sim_net_of(base);

	net->frozen = frozen;
	if (!frozen)
		sim_net_wake(net);
}

void lai_sim_kill(struct lai_net *base)
{
	struct sim_net *net = sim_net_of(base);
	struct lai_sim_host *host = net->host;

	lai_sim_program(base, NULL, NULL);
	sim_dns_cancel(net);
	for (size_t i = 0; i < host->fd_count; i++)
		if (host->fds[i] && host->fds[i]->net == net)
			sim_close_socket(host->fds[i]);
	if (!host->sim->in_program)
		sim_sockets_free(host->sim);
}

/* ---- what it did ------------------------------------------------------------------------- */

size_t lai_sim_open(const struct lai_net *net)
{
	return sim_net_of(net)->open;
}

size_t lai_sim_live(const struct lai_net *net)
{
	return sim_net_of(net)->live;
}

size_t lai_sim_live_max(const struct lai_net *net)
{
	return sim_net_of(net)->live_max;
}

const struct lai_sim_attempt *lai_sim_attempts(const struct lai_net *net, size_t *count)
{
	const struct sim_queue *attempts = &sim_net_of(net)->attempts;

	*count = attempts->used / sizeof(struct lai_sim_attempt);
	return *count ? (const void *)sim_queue_front(attempts) : NULL;
}
