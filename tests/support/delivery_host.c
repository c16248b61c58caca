/* SPDX-License-Identifier: MIT */
#include "delivery_host.h"

#include <string.h>

#define TURNS_AT_ONE_TIME_MAX 5000u

uint64_t t_host_now(const struct t_host *host)
{
	return lai_sim_now(host->sim) - LAI_SIM_START_NS;
}

static void new_disk(struct t_host *host)
{
	if (lai_sim_disk_new(&host->disk, host->disk_seed++) != 0)
		host->disk = NULL;
}

void t_host_init(struct t_host *host, struct t_book *book, struct lai_sim *sim, const char *address,
		 uint64_t seed)
{
	host->book = book;
	host->sim = sim;
	host->host = lai_sim_host(sim, address);
	host->disk_seed = seed * 1000;
	host->up_at_ns = 0;
	host->lie_since_ns = LA_NEVER;
	new_disk(host);
}

void t_host_done(struct t_host *host)
{
	lai_sim_disk_free(host->disk);
	host->disk = NULL;
}

void t_host_new_disk(struct t_host *host)
{
	lai_sim_disk_free(host->disk);
	new_disk(host);
	lai_sim_disk_lie(host->disk, host->lies);
	host->lie_since_ns = host->lies ? t_host_now(host) : LA_NEVER;
	host->lied_to = false;
}

void t_host_begin(struct t_host *host, lai_sim_run *run, void *context)
{
	if (host->dark)
		lai_sim_power(host->host, true);
	host->dark = host->dead = host->power_at_stored = false;
	host->lives = lai_sim_disk_lives(host->disk);
	host->runs++;
	host->net = lai_sim_host_net(host->host);
	lai_sim_program(host->net, run, context);
}

/* Whether what syncs have said is true by now. */
static void look_for_lie(struct t_host *host)
{
	if (!host->lies && host->lie_since_ns != LA_NEVER && !lai_sim_disk_lied(host->disk))
		host->lie_since_ns = LA_NEVER;
}

void t_host_lie(struct t_host *host, bool lies)
{
	host->lies = lies;
	lai_sim_disk_lie(host->disk, lies);
	if (lies)
		host->lie_since_ns = lai_time_min(host->lie_since_ns, t_host_now(host));
	look_for_lie(host);
}

static void end(struct t_host *host, uint64_t down_ns)
{
	host->dead = true;
	host->ended_ns = t_host_now(host);
	host->up_at_ns = lai_time_after(t_host_now(host), down_ns);
}

void t_host_kill(struct t_host *host, uint64_t down_ns)
{
	if (host->dead || !host->net)
		return;
	lai_sim_kill(host->net);
	lai_sim_disk_crash(host->disk);
	end(host, down_ns);
}

static void go_dark(struct t_host *host, uint64_t down_ns)
{
	host->dark = true;
	host->lost_since_ns = host->lie_since_ns;
	host->lied_to = host->lied_to || host->lie_since_ns != LA_NEVER;
	lai_sim_power(host->host, false);
	end(host, down_ns);
}

void t_host_power(struct t_host *host, uint64_t down_ns)
{
	if (host->dark)
		return;
	look_for_lie(host);
	lai_sim_disk_power_loss(host->disk);
	go_dark(host, host->dead || !host->net ? lai_time_since(t_host_now(host), host->up_at_ns)
					       : down_ns);
}

bool t_host_check_power(struct t_host *host)
{
	if (!host->dead && lai_sim_disk_lives(host->disk) != host->lives)
		go_dark(host, LAI_S);
	return host->dead;
}

void t_host_cleared(struct t_host *host)
{
	if (host->net)
		host->net->ops->free(host->net);
	host->net = NULL;
	host->dead = false;
}

void t_host_turn(struct t_host *host, const char *what)
{
	uint64_t now_ns = t_host_now(host);

	host->turns++;
	look_for_lie(host);
	/* A program that wants to be run at once is run 1 us later. */
	if (now_ns - host->last_ns > 10 * LAI_US)
		host->same_time = 0;
	host->last_ns = now_ns;
	if (++host->same_time > TURNS_AT_ONE_TIME_MAX)
		t_book_break(host->book, T_DELIVERY_TIMERS, "%s %u spins at %.6f s", what,
			     host->index, (double)now_ns / 1e9);
}
