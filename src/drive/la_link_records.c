/* SPDX-License-Identifier: MIT */
/*
 * Records of stomp://, from la_link_put() to the outbox and back:
 *
 *     put -> [ spool -> commit -> load -> ] outbox -> courier ... receipt -> confirm -> [ spool ]
 */
#include "drive/la_link_inside.h"

#include "base/sender_id.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* After a commit that failed. */
#define SPOOL_RETRY_NS (1 * LAI_S)
/* ... if something was confirmed meanwhile. */
#define SPOOL_ROOM_NS (20 * LAI_MS)
/* What durability "batch" promises: loss of power takes no more than this. */
#define SPOOL_SYNC_NS (1 * LAI_S)
/* Confirmations alone are worth a transaction this often: after a crash they only cost repeats. */
#define SPOOL_TIDY_NS (1 * LAI_S)

/* ---- the beginning ---------------------------------------------------------------------- */

static int make_sender(struct la_link *link, const struct la_link_config *config, uint64_t seed)
{
	if (!config->stomp.sender)
		return lai_sender_id_make(link->sender, seed);
	snprintf(link->sender, sizeof(link->sender), "%s", config->stomp.sender);
	return 0;
}

/*
 * An id that the user chose may have been used before, by a run that kept nothing or whose spool is
 * gone: numbers that the server knows would be taken for repeats. So they go on with the time, in
 * ns: nobody sends a record each ns.
 */
static uint64_t first_seq(const struct la_link_config *config, bool simulated)
{
	struct timespec time;

	if (!config->stomp.sender || simulated || clock_gettime(CLOCK_REALTIME, &time) != 0)
		return 1;
	return (uint64_t)time.tv_sec * LAI_S + (uint64_t)time.tv_nsec;
}

static void take_over(struct la_link *link)
{
	struct la_spool_info info;

	lai_spool_info(link->spool, &info);
	snprintf(link->sender, sizeof(link->sender), "%s", lai_spool_sender(link->spool));
	link->accepted.accepted_bytes = info.bytes;
	link->accepted.accepted_records = link->accepted.recovered_records = info.records;
	link->dropped_before_records = info.dropped_records;
	link->dropped_before_bytes = info.dropped_bytes;
	link->spool_confirmed = info.confirmed_seq;
	/* Who wrote these may have died before they were on the disk: at once. */
	link->spool_sync_ns = info.records > 0 ? 0 : LA_NEVER;
}

int lai_la_link_open_spool(struct la_link *link, const struct la_link_config *config,
			   const struct lai_link_place *place, char **error)
{
	const struct lai_spool_settings settings = {
		.config = config->spool,
		.on_full = config->on_full,
		.record_bytes_max = config->record_bytes_max,
		.sender = config->stomp.sender,
		.vfs = place->vfs,
		.seed = place->seed,
		.first_seq = first_seq(config, place->vfs != NULL),
	};
	int status = 0;

	if (!config->spool.path) {
		link->last_seq = first_seq(config, false) - 1;
		return make_sender(link, config, place->seed);
	}
	status = lai_spool_open(&link->spool, &settings, error);
	if (status == 0)
		take_over(link);
	return status;
}

int la_link_set_place(struct la_link *link, const char *place)
{
	return link->spool ? lai_spool_set_place(link->spool, place) : 0;
}

const char *la_link_place(const struct la_link *link)
{
	return link->spool ? lai_spool_place(link->spool) : "";
}

const char *la_link_sender(const struct la_link *link)
{
	return link->sender;
}

/* ---- in --------------------------------------------------------------------------------- */

static void emit(const struct la_link *link, const char *text)
{
	const struct la_event event = {
		.kind = LA_EVENT_SPOOL, .now_ns = lai_net_now(link->net), .text = text ? text : ""};

	if (link->core.config.on_event)
		link->core.config.on_event(link->core.config.arg, &event);
}

/* Once for each change. */
static void say_spool(struct la_link *link, bool failing, const char *text)
{
	if (failing == link->spool_failing)
		return;
	link->spool_failing = failing;
	emit(link, text);
}

int la_link_sync(struct la_link *link)
{
	int status = link->spool ? lai_spool_commit(link->spool) : 0;

	if (!link->spool)
		return 0;
	link->spool_tidy_ns = lai_net_now(link->net);
	link->spool_try_ns = status == 0 ? 0 : lai_time_after(link->spool_tidy_ns, SPOOL_RETRY_NS);
	/* One that failed may have written some: it is their confirmation that makes room. */
	link->spool_read_out = false;
	if (status == 0 && link->spool_sync_ns == LA_NEVER)
		link->spool_sync_ns = lai_time_after(link->spool_tidy_ns, SPOOL_SYNC_NS);
	say_spool(link, status != 0,
		  status != 0 ? lai_spool_why(link->spool) : "the spool takes records again");
	return status;
}

int la_link_put(struct la_link *link, const void *body, size_t size)
{
	const struct iovec iov = {.iov_base = (void *)body, .iov_len = size};
	uint64_t seq;
	int status;

	if (!lai_la_link_is_dialogue(link))
		return -EINVAL;
	if (lai_la_link_closed_for_input(link))
		return -EPIPE;
	if (size > link->core.config.record_bytes_max)
		return -EMSGSIZE;
	if (link->spool)
		status = lai_spool_put(link->spool, &iov, 1, &seq);
	else
		status = lai_outbox_put(&link->core.cargo.outbox, link->last_seq + 1, &iov, 1);
	link->spool_full = link->spool && status == -EAGAIN;
	if (status != 0)
		return status;
	link->last_seq++;
	link->accepted.accepted_records++;
	link->accepted.accepted_bytes += size;
	return 0;
}

/* ---- from the spool to the outbox ------------------------------------------------------- */

static void load(struct la_link *link)
{
	struct lai_outbox *outbox = &link->core.cargo.outbox;
	const void *body;
	uint64_t seq;
	size_t size;

	while (!link->spool_read_out && lai_outbox_fits(outbox, 0)) {
		struct iovec iov;
		int status = lai_spool_load(link->spool, &seq, &body, &size);

		if (status == -EBADMSG) {
			emit(link, lai_spool_why(link->spool));
			continue; /* a damaged block: counted there, passed over here */
		}
		link->spool_read_out = status != 0;
		if (status != 0 && status != -ENOENT)
			say_spool(link, true, lai_spool_why(link->spool));
		if (status != 0)
			return;
		iov = (struct iovec){.iov_base = (void *)body, .iov_len = size};
		if (!lai_outbox_fits(outbox, size) || lai_outbox_put(outbox, seq, &iov, 1) != 0) {
			lai_spool_unload(link->spool);
			return;
		}
	}
}

static void confirm(struct la_link *link)
{
	uint64_t seq = lai_outbox_confirmed_upto(&link->core.cargo.outbox);

	if (seq <= link->spool_confirmed)
		return;
	link->spool_confirmed = seq;
	lai_spool_confirm(link->spool, seq);
	/* There may be room for what did not fit. */
	link->spool_try_ns = lai_time_min(link->spool_try_ns,
					  lai_time_after(link->spool_tidy_ns, SPOOL_ROOM_NS));
}

static bool commit_is_due(const struct la_link *link)
{
	uint64_t now_ns = lai_net_now(link->net);

	if (now_ns < link->spool_try_ns)
		return false;
	if (lai_spool_uncommitted(link->spool) > 0)
		return true;
	return lai_spool_is_dirty(link->spool) &&
	       (link->spool_full || now_ns >= lai_time_after(link->spool_tidy_ns, SPOOL_TIDY_NS));
}

/* A second after the first commit that is not on the disk yet; for "batch" alone it does anything. */
static void sync_disk(struct la_link *link)
{
	uint64_t now_ns = lai_net_now(link->net);
	int status;

	if (now_ns < link->spool_sync_ns)
		return;
	status = lai_spool_sync(link->spool);
	link->spool_sync_ns = status == 0 ? LA_NEVER : lai_time_after(now_ns, SPOOL_SYNC_NS);
	if (status != 0)
		say_spool(link, true, lai_spool_why(link->spool));
}

void lai_la_link_pump(struct la_link *link)
{
	if (!link->spool)
		return;
	confirm(link);
	if (commit_is_due(link))
		(void)la_link_sync(link);
	sync_disk(link);
	if (link->core.state != LA_LINK_DONE)
		load(link);
}

bool lai_la_link_all_loaded(struct la_link *link)
{
	return !link->spool || (lai_spool_uncommitted(link->spool) == 0 && link->spool_read_out);
}

uint64_t lai_la_link_records_deadline(const struct la_link *link)
{
	uint64_t deadline_ns = link->unterminated ? link->finish_by_ns : LA_NEVER;

	if (!link->spool)
		return deadline_ns;
	deadline_ns = lai_time_min(deadline_ns, link->spool_sync_ns);
	if (lai_spool_uncommitted(link->spool) > 0)
		deadline_ns = lai_time_min(deadline_ns, link->spool_try_ns);
	else if (lai_spool_is_dirty(link->spool))
		deadline_ns = lai_time_min(deadline_ns,
					   lai_time_after(link->spool_tidy_ns, SPOOL_TIDY_NS));
	return deadline_ns;
}

/* ---- out -------------------------------------------------------------------------------- */

void lai_la_link_records_totals(const struct la_link *link, struct la_totals *totals)
{
	uint64_t damaged_records, damaged_bytes, pending_records = 0, pending_bytes = 0;
	struct la_spool_info info;

	*totals = link->core.cargo.outbox.totals;
	if (link->spool) {
		lai_spool_info(link->spool, &info);
		totals->accepted_records = link->accepted.accepted_records;
		totals->accepted_bytes = link->accepted.accepted_bytes;
		totals->recovered_records = link->accepted.recovered_records;
		totals->dropped_records += info.dropped_records - link->dropped_before_records;
		totals->dropped_bytes += info.dropped_bytes - link->dropped_before_bytes;
		lai_spool_damaged(link->spool, &damaged_records, &damaged_bytes);
		/* At the end only what is in the file waits. */
		if (link->core.state == LA_LINK_DONE)
			lai_spool_pending(link->spool, &pending_records, &pending_bytes);
		totals->abandoned_records += damaged_records + pending_records;
		totals->abandoned_bytes += damaged_bytes + pending_bytes;
	}
	totals->waiting_bytes = totals->accepted_bytes - totals->delivered_bytes -
				totals->dropped_bytes - totals->buried_bytes -
				totals->abandoned_bytes;
	totals->waiting_records = totals->accepted_records - totals->delivered_records -
				  totals->dropped_records - totals->buried_records -
				  totals->abandoned_records;
}

/* The core speaks of two pieces, the user of one body. */
bool lai_la_link_on_refused(void *arg, const struct lai_courier_refusal *refusal)
{
	struct la_link *link = arg;
	size_t size = refusal->body[0].size + refusal->body[1].size;
	struct la_refusal said = {
		.sender = link->sender, .seq = refusal->seq, .size = size, .message = ""};
	bool keep = false;
	char *body = malloc(size + 1);
	char *message =
		strndup(refusal->message.data ? refusal->message.data : "", refusal->message.size);

	if (body && size > 0) {
		memcpy(body, refusal->body[0].data, refusal->body[0].size);
		if (refusal->body[1].size > 0)
			memcpy(body + refusal->body[0].size, refusal->body[1].data,
			       refusal->body[1].size);
	}
	said.body = body;
	said.size = size;
	said.keep = &keep;
	if (message)
		said.message = message;
	if (body && link->core.config.on_event)
		link->core.config.on_event(link->core.config.arg,
					   &(struct la_event){.kind = LA_EVENT_REFUSED,
							      .now_ns = lai_net_now(link->net),
							      .refusal = &said});
	free(body);
	free(message);
	return body && !keep;
}
