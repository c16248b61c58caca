/* SPDX-License-Identifier: MIT */
/* A sender and its user, who puts numbered records and asks for la_link_sync() now and then. */
#include "delivery_host.h"

#include "disk/spool_inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DISPATCHES_MAX 1000u
/* A put that found no room is tried again. */
#define AGAIN_NS (50 * LAI_MS)
/* The longest time anything that is owed may wait without a look: the longest back-off and
   time-out of a plan are a minute. */
#define DEADLINE_MAX_NS (130 * LAI_S)
/* What "batch" may lose: a second, and as long again until the next commit. */
#define BATCH_NS (2 * LAI_S)
#define REOPEN_NS (1 * LAI_S)

static const char *const addresses[T_DELIVERY_SENDERS] = {"192.0.2.100", "192.0.2.101"};

static void on_event(void *arg, const struct la_event *event)
{
	struct t_sender *sender = arg;

	if (sender->base.log && event->kind == LA_EVENT_STATE)
		fprintf(sender->base.log, "# %10.4f sender %u: %s -> %s\n",
			(double)t_host_now(&sender->base) / 1e9, sender->base.index,
			la_link_state_name(event->from), la_link_state_name(event->to));
	if (sender->base.log && event->kind == LA_EVENT_REPORT)
		fprintf(sender->base.log, "# %10.4f sender %u: %s '%.*s'\n",
			(double)t_host_now(&sender->base) / 1e9, sender->base.index,
			la_cause_name(event->report->cause), (int)event->report->last_words_bytes,
			event->report->last_words);
	if (sender->base.log && event->kind == LA_EVENT_SPOOL)
		fprintf(sender->base.log, "# %10.4f sender %u: %s\n",
			(double)t_host_now(&sender->base) / 1e9, sender->base.index, event->text);
	if (event->kind == LA_EVENT_REFUSED)
		t_book_buried(sender->base.book, event->refusal->body, event->refusal->size);
}

void t_sender_init(struct t_sender *sender, struct t_book *book, struct lai_sim *sim,
		   const struct t_delivery_plan *plan, unsigned index)
{
	sender->plan = plan;
	sender->work = &plan->work[index];
	sender->base.index = index;
	t_host_init(&sender->base, book, sim, addresses[index], plan->seed * 8 + index);
	for (unsigned i = 0; i < plan->servers; i++) {
		snprintf(sender->url_texts[i], T_DELIVERY_URL, "stomp://%s10.0.0.%u:%d/queue/q",
			 plan->users ? "ann@" : "", i + 1, T_DELIVERY_PORT);
		sender->urls[i] = sender->url_texts[i];
	}
}

void t_sender_done(struct t_sender *sender)
{
	if (sender->base.net)
		t_host_kill(&sender->base, 0);
	t_sender_reap(sender);
	t_host_done(&sender->base);
}

/* ---- the user's work ------------------------------------------------------------------------ */

/* false: there is no room. */
static bool put_one(struct t_sender *sender)
{
	static char body[T_DELIVERY_RECORD_BYTES];
	struct t_book *book = sender->base.book;
	size_t size = t_book_body(book, sender->base.index, sender->next, body);
	int status = la_link_put(sender->link, body, size);

	if (status == -EAGAIN)
		return false;
	if (status != 0) {
		/* Of a dead disk nothing can be expected. */
		if (lai_sim_disk_lives(sender->base.disk) == sender->base.lives)
			t_book_break(book, T_DELIVERY_SUM, "la_link_put() says %s",
				     strerror(-status));
		return false;
	}
	book->entries[sender->base.index][sender->next++].state = T_ENTRY_PUT;
	sender->puts++;
	return true;
}

static void sync_now(struct t_sender *sender)
{
	int status = la_link_sync(sender->link);

	if (status != 0 || !sender->work->spool)
		return;
	t_book_owe(sender->base.book, sender->base.index, t_host_now(&sender->base));
	if (sender->base.power_at_stored)
		t_host_power(&sender->base, LAI_S);
}

static void work(struct t_sender *sender, uint64_t now_ns)
{
	const struct t_delivery_work *plan = sender->work;

	while (!sender->finishing && !sender->base.dead && now_ns >= sender->piece_ns) {
		unsigned until = sender->next + plan->piece;

		if (until > plan->records || sender->healed)
			until = plan->records;
		sender->blocked = false;
		while (sender->next < until && !sender->blocked)
			sender->blocked = !put_one(sender);
		if (sender->pieces++ % 8 < plan->sync_of_8)
			sync_now(sender);
		if (sender->next >= plan->records && sender->healed && !sender->base.dead) {
			la_link_finish(sender->link, LA_NEVER);
			sender->finishing = true;
		}
		sender->piece_ns = now_ns + (sender->blocked ? AGAIN_NS : plan->every_ns);
		if (sender->next >= plan->records && (!sender->healed || sender->finishing))
			sender->piece_ns = LA_NEVER; /* until the heal, if it is not over */
	}
}

void t_sender_heal(struct t_sender *sender)
{
	sender->healed = true;
	sender->piece_ns = 0;
	if (sender->base.net && !sender->base.dead) /* runs it now */
		lai_sim_freeze(sender->base.net, false);
}

/* ---- invariants ---------------------------------------------------------------------------- */

/* Records that wait, counted where they are. */
static uint64_t waiting(const struct t_sender *sender)
{
	const struct lai_spool *spool = sender->link->spool;
	uint64_t records = sender->link->core.cargo.outbox.records;

	return spool ? records + spool->records - (spool->loaded.end - spool->loaded.begin)
		     : records;
}

static void check_sum(struct t_sender *sender)
{
	struct t_book *book = sender->base.book;
	struct la_totals totals;
	uint64_t gone, here = waiting(sender);

	la_link_totals(sender->link, &totals);
	gone = totals.delivered_records + totals.dropped_records + totals.buried_records +
	       totals.abandoned_records;
	if (totals.accepted_records != sender->recovered + sender->puts)
		t_book_break(book, T_DELIVERY_SUM,
			     "sender %u: %" PRIu64 " accepted, but %" PRIu64 " put and %" PRIu64
			     " recovered",
			     sender->base.index, totals.accepted_records, sender->puts,
			     sender->recovered);
	if (!sender->base.lied_to && totals.accepted_records != gone + here)
		t_book_break(book, T_DELIVERY_SUM,
			     "sender %u: %" PRIu64 " accepted, but %" PRIu64 " delivered + %" PRIu64
			     " dropped + %" PRIu64 " buried + %" PRIu64 " abandoned + %" PRIu64
			     " waiting",
			     sender->base.index, totals.accepted_records, totals.delivered_records,
			     totals.dropped_records, totals.buried_records,
			     totals.abandoned_records, here);
	book->dropped[sender->base.index] = sender->dropped_before + totals.dropped_records;
	if (totals.delivered_records > sender->delivered && sender->base.power_at_stored)
		t_host_power(&sender->base, LAI_S);
	sender->delivered = totals.delivered_records;
}

static void check_deadline(struct t_sender *sender, uint64_t now_ns)
{
	const struct la_link *link = sender->link;
	uint64_t deadline_ns = la_link_deadline(link);

	if (link->core.state == LA_LINK_DONE || waiting(sender) + sender->finishing == 0)
		return;
	if (lai_time_since(now_ns, deadline_ns) > DEADLINE_MAX_NS)
		t_book_break(sender->base.book, T_DELIVERY_TIMERS,
			     "sender %u is %s with %" PRIu64 " records waiting, and no deadline",
			     sender->base.index, la_link_state_name(link->core.state),
			     waiting(sender));
}

static void check(struct t_sender *sender, uint64_t now_ns)
{
	check_sum(sender);
	check_deadline(sender, now_ns);
	if (lai_sim_open(sender->base.net) > 1)
		t_book_break(sender->base.book, T_DELIVERY_SOCKETS, "sender %u has %zu sockets",
			     sender->base.index, lai_sim_open(sender->base.net));
}

/* ---- the program --------------------------------------------------------------------------- */

static void end_well(struct t_sender *sender)
{
	struct la_totals totals;

	la_link_totals(sender->link, &totals);
	if (!sender->base.lied_to && waiting(sender) + totals.abandoned_records > 0)
		t_book_break(sender->base.book, T_DELIVERY_PROGRESS,
			     "sender %u is done with %" PRIu64 " waiting and %" PRIu64 " abandoned",
			     sender->base.index, waiting(sender), totals.abandoned_records);
	if (!sender->finishing)
		t_book_break(sender->base.book, T_DELIVERY_PROGRESS, "sender %u ended by itself",
			     sender->base.index);
	if (lai_sim_open(sender->base.net) > 0)
		t_book_break(sender->base.book, T_DELIVERY_SOCKETS,
			     "sender %u is done and has a socket", sender->base.index);
	t_book_owe(sender->base.book, sender->base.index, t_host_now(&sender->base));
	sender->done = true;
}

static uint64_t run(struct lai_net *net, void *context)
{
	struct t_sender *sender = context;
	uint64_t now_ns = net->ops->now(net);
	int over = 0;

	if (sender->base.dead || !sender->link || sender->done)
		return LA_NEVER;
	t_host_turn(&sender->base, "sender");
	work(sender, now_ns);
	for (unsigned i = 0; i < DISPATCHES_MAX && !over && !sender->base.dead; i++) {
		over = la_link_dispatch(sender->link);
		if (t_host_check_power(&sender->base))
			return LA_NEVER;
		check(sender, now_ns);
		if (la_link_deadline(sender->link) > now_ns)
			break;
	}
	if (sender->base.dead)
		return LA_NEVER;
	if (over) {
		end_well(sender);
		return LA_NEVER;
	}
	return lai_time_min(la_link_deadline(sender->link), sender->piece_ns);
}

/* A file that an honest disk kept can be opened; what a fault of this moment prevents, later. */
static void cannot_start(struct t_sender *sender, int status, const char *error)
{
	bool damaged = status != -EIO && status != -ENOSPC;

	if (sender->base.log)
		fprintf(sender->base.log, "# %10.4f sender %u cannot start: %s\n",
			(double)t_host_now(&sender->base) / 1e9, sender->base.index,
			error ? error : strerror(-status));
	t_host_kill(&sender->base, REOPEN_NS);
	t_host_cleared(&sender->base);
	if (sender->base.lied_to && damaged) {
		t_host_new_disk(&sender->base);
		t_book_excuse(sender->base.book, sender->base.index, 0);
	} else if (damaged || sender->healed) {
		t_book_break(sender->base.book, T_DELIVERY_OPENS, "sender %u: %s",
			     sender->base.index, error ? error : strerror(-status));
	}
}

void t_sender_start(struct t_sender *sender)
{
	struct la_link_config config = sender->plan->link;
	struct lai_link_place place;
	struct la_totals totals;
	char *error = NULL;
	int status;

	t_host_begin(&sender->base, run, sender);
	snprintf(sender->name, sizeof(sender->name), "sender%u-run%u", sender->base.index,
		 sender->base.runs);
	config.urls = sender->urls;
	config.url_count = sender->plan->servers;
	config.on_full = sender->work->on_full;
	config.seed += sender->base.runs * 16 + sender->base.index;
	config.stomp.sender = sender->work->spool ? NULL : sender->name;
	config.stomp.passcode = sender->plan->users ? "right" : NULL;
	config.spool = (struct la_spool_config){
		.path = sender->work->spool ? "spool.db" : NULL,
		.quota_bytes = sender->work->quota_bytes,
		.durability = sender->work->durability,
	};
	config.on_event = on_event;
	config.arg = sender;
	place = (struct lai_link_place){sender->base.net, lai_sim_disk_vfs(sender->base.disk),
					config.seed};
	sender->link = NULL;
	sender->puts = sender->delivered = 0;
	sender->finishing = false;
	sender->dropped_before = sender->base.book->dropped[sender->base.index];
	status = lai_link_new_in(&sender->link, &config, &place, &error);
	if (t_host_check_power(&sender->base) && status != 0) {
		t_host_cleared(&sender->base);
	} else if (status != 0) {
		cannot_start(sender, status, error);
	} else {
		la_link_totals(sender->link, &totals);
		sender->recovered = totals.recovered_records;
		sender->piece_ns = sender->base.net->ops->now(sender->base.net);
	}
	free(error);
}

void t_sender_stop(struct t_sender *sender, uint64_t down_ns)
{
	struct t_host *base = &sender->base;

	if (!sender->link || base->dead || sender->done)
		return;
	la_link_free(sender->link);
	sender->link = NULL;
	if (lai_sim_open(base->net) > 0)
		t_book_break(base->book, T_DELIVERY_SOCKETS, "sender %u was freed and has a socket",
			     base->index);
	if (!t_host_check_power(base))
		t_host_kill(base, down_ns);
}

void t_sender_reap(struct t_sender *sender)
{
	struct t_host *base = &sender->base;
	uint64_t since_ns;

	if (!base->dead)
		return;
	if (!sender->done) {
		base->book->crashes[base->index]++;
		t_book_excuse(base->book, base->index, LA_NEVER);
		/* What "batch" had promised shortly before a lie was synced during it. */
		since_ns = sender->work->durability == LA_DURABILITY_BATCH
				   ? lai_time_since(BATCH_NS, lai_time_min(base->ended_ns,
									   base->lost_since_ns))
				   : base->lost_since_ns;
		if (base->dark)
			t_book_excuse(base->book, base->index, since_ns);
	}
	la_link_free(sender->link);
	sender->link = NULL;
	t_host_cleared(base);
}
