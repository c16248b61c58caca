/* SPDX-License-Identifier: MIT */
/* The public face of a link: makes it, runs it, blocks when asked to. Its settings are checked in
   la_link_config.c; records and their spool are in la_link_records.c. */
#include "drive/la_link_inside.h"
#include "io/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int init_core(struct la_link *made, const struct la_link_config *filled)
{
	const struct lai_courier_config courier = {
		.stomp = filled->stomp,
		.on_refused = lai_la_link_on_refused,
		.arg = made,
	};

	return lai_link_init_dialogue(&made->core, filled, made->endpoints, made->endpoint_count,
				      &courier, made->sender);
}

int lai_link_new_in(struct la_link **link, const struct la_link_config *config,
		    const struct lai_link_place *place, char **error)
{
	struct la_link_config filled = *config;
	struct lai_socket_options options = {.tos = -1};
	struct la_link *made = calloc(1, sizeof(*made));
	int status;

	if (error)
		*error = NULL;
	if (!made)
		return -ENOMEM;
	status = lai_la_link_settle(made, &filled, &options, error);
	if (status == 0 && made->endpoints[0].wire->has_receipts)
		status = lai_la_link_open_spool(made, &filled, place, error);
	if (status == 0) {
		made->net = place->net;
		status = init_core(made, &filled);
	}
	if (status != 0) {
		made->net = NULL;
		la_link_free(made);
		return status;
	}
	made->core.cargo.kept = made->spool != NULL;
	made->core.family = lai_address_family(&options.local);
	lai_driver_init(&made->driver, place->net, &made->core, &options);
	*link = made;
	return 0;
}

int lai_link_new_on(struct la_link **link, const struct la_link_config *config, struct lai_net *net,
		    char **error)
{
	return lai_link_new_in(link, config, &(struct lai_link_place){.net = net}, error);
}

/* The kernel's network, with TLS over it if the URLs say so. */
static int make_net(struct lai_net **net, const struct la_link_config *config, char **error)
{
	struct lai_net *plain;
	int status = lai_net_kernel_new(&plain);

	if (status != 0)
		return status;
	*net = plain;
	if (!lai_la_link_wants_tls(config))
		return 0;
	status = lai_net_tls_new(net, plain, &config->tls, false, error);
	if (status != 0)
		plain->ops->free(plain);
	return status;
}

int la_link_new(struct la_link **link, const struct la_link_config *config, char **error)
{
	struct lai_net *net;
	int status;

	if (error)
		*error = NULL;
	status = make_net(&net, config, error);
	if (status == 0) {
		status = lai_link_new_on(link, config, net, error);
		if (status != 0)
			net->ops->free(net);
		else
			(*link)->owns_net = true;
	}
	return status;
}

void la_link_free(struct la_link *link)
{
	if (!link)
		return;
	if (link->net) {
		la_link_abort(link);
		if (link->owns_net)
			link->net->ops->free(link->net);
	}
	lai_link_done(&link->core);
	lai_spool_close(link->spool);
	free(link->endpoints);
	for (size_t i = 0; i < link->text_count; i++)
		free(link->texts[i]);
	free(link->texts);
	free(link->headers);
	free(link);
}

/* ---- running it ------------------------------------------------------------------------- */

int la_link_fd(const struct la_link *link)
{
	return link->net->ops->fd(link->net);
}

uint64_t la_link_deadline(const struct la_link *link)
{
	/* Submitted since the last dispatch: nothing has been told to the kernel yet. */
	if (link->core.action_count > 0 ||
	    (!link->driver.hands.send_blocked &&
	     lai_link_wants_write(&link->core, lai_net_now(link->net))))
		return 0;
	return lai_time_min(lai_link_deadline(&link->core), lai_la_link_records_deadline(link));
}

/* Nothing is left that the core does not know of: the rest of a line, or of a spool. */
static bool ready_to_finish(struct la_link *link)
{
	if (!lai_la_link_is_dialogue(link))
		return lai_replay_terminate(&link->core.cargo.replay);
	return lai_la_link_all_loaded(link) || lai_net_now(link->net) >= link->finish_by_ns;
}

static void try_finish(struct la_link *link)
{
	if (!link->unterminated || !ready_to_finish(link))
		return;
	link->unterminated = false;
	lai_link_finish(&link->core, link->finish_by_ns, lai_net_now(link->net));
}

static int step(struct la_link *link, uint64_t until_ns)
{
	link->stepping = true;
	lai_link_start(&link->core, lai_net_now(link->net));
	lai_driver_act(&link->driver);
	lai_la_link_pump(link);
	lai_driver_step(&link->driver, until_ns);
	lai_la_link_pump(link);
	try_finish(link);
	lai_driver_act(&link->driver);
	link->stepping = false;
	return link->core.state == LA_LINK_DONE;
}

int la_link_dispatch(struct la_link *link)
{
	return step(link, 0);
}

/* Of a stream bytes are counted; a record may have none. */
static bool all_delivered(const struct la_link *link)
{
	struct la_totals totals;

	la_link_totals(link, &totals);
	return totals.delivered_bytes == totals.accepted_bytes &&
	       (!lai_la_link_is_dialogue(link) ||
		totals.delivered_records == totals.accepted_records);
}

/* Everything was delivered, or will never be. */
static bool nothing_waits(const struct la_link *link)
{
	struct la_totals totals;

	la_link_totals(link, &totals);
	return link->core.state == LA_LINK_DONE ||
	       (totals.waiting_bytes == 0 && totals.waiting_records == 0);
}

/* Steps until the condition holds or the time is over; a connection has to end to
   prove CONSUMED. */
static int run_until(struct la_link *link, bool (*holds)(const struct la_link *),
		     uint64_t timeout_ns)
{
	uint64_t until_ns = lai_time_after(lai_net_now(link->net), timeout_ns);

	(void)la_link_dispatch(link);
	while (!holds(link)) {
		if (lai_net_now(link->net) >= until_ns)
			return -ETIMEDOUT;
		if (holds == nothing_waits && link->core.config.proof == LA_PROOF_CONSUMED)
			lai_link_checkpoint(&link->core, lai_net_now(link->net));
		(void)step(link, lai_time_min(until_ns, la_link_deadline(link)));
	}
	return 0;
}

/* ---- input ------------------------------------------------------------------------------ */

bool lai_la_link_closed_for_input(const struct la_link *link)
{
	return link->core.finishing || link->unterminated || link->core.state == LA_LINK_DONE;
}

size_t la_link_reserve(struct la_link *link, void **room)
{
	if (lai_la_link_closed_for_input(link) || lai_la_link_is_dialogue(link))
		return 0;
	if (!link->stepping) {
		lai_link_crowd(&link->core, lai_net_now(link->net));
		lai_driver_act(&link->driver);
	}
	return lai_replay_room(&link->core.cargo.replay, room);
}

ssize_t la_link_commit(struct la_link *link, size_t size)
{
	if (lai_la_link_is_dialogue(link))
		return -EINVAL;
	return lai_la_link_closed_for_input(link)
		       ? -EPIPE
		       : lai_replay_commit(&link->core.cargo.replay, size);
}

ssize_t la_link_submit(struct la_link *link, const void *data, size_t size)
{
	uint64_t before = link->core.cargo.replay.totals.accepted_bytes;
	size_t done = 0;

	if (lai_la_link_is_dialogue(link))
		return -EINVAL;
	if (lai_la_link_closed_for_input(link))
		return -EPIPE;
	while (done < size) {
		void *room;
		size_t piece = la_link_reserve(link, &room);
		ssize_t accepted;

		if (piece == 0)
			break;
		piece = piece < size - done ? piece : size - done;
		memcpy(room, (const char *)data + done, piece);
		accepted = la_link_commit(link, piece);
		if (accepted < 0) {
			/* Earlier pieces of the same record have been taken back as well. */
			uint64_t after = link->core.cargo.replay.totals.accepted_bytes;

			return after > before ? (ssize_t)(after - before) : accepted;
		}
		done += (size_t)accepted;
		if ((size_t)accepted < piece)
			break;
	}
	return done > 0 || size == 0 ? (ssize_t)done : -EAGAIN;
}

/* ---- ends ------------------------------------------------------------------------------- */

int la_link_flush(struct la_link *link, uint64_t timeout_ns)
{
	int status = run_until(link, nothing_waits, timeout_ns);

	return status == 0 && !all_delivered(link) ? -EPIPE : status;
}

void la_link_finish(struct la_link *link, uint64_t timeout_ns)
{
	link->finish_by_ns = lai_time_after(lai_net_now(link->net), timeout_ns);
	link->unterminated = true;
	try_finish(link);
	lai_driver_act(&link->driver);
}

void la_link_abort(struct la_link *link)
{
	lai_driver_look(&link->driver);
	lai_link_abort(&link->core, lai_net_now(link->net));
	lai_driver_act(&link->driver);
}

static bool is_done(const struct la_link *link)
{
	return link->core.state == LA_LINK_DONE;
}

int la_link_wait(struct la_link *link, uint64_t timeout_ns)
{
	int status = run_until(link, is_done, timeout_ns);

	return status == 0 && !all_delivered(link) ? -EIO : status;
}

/* ---- news ------------------------------------------------------------------------------- */

enum la_link_state la_link_state(const struct la_link *link)
{
	return link->core.state;
}

void la_link_totals(const struct la_link *link, struct la_totals *totals)
{
	if (lai_la_link_is_dialogue(link)) {
		lai_la_link_records_totals(link, totals);
		return;
	}
	*totals = link->core.cargo.replay.totals;
	totals->waiting_bytes = lai_ring_used(&link->core.cargo.replay.ring);
}

void la_link_report(const struct la_link *link, struct la_report *report)
{
	*report = link->core.connected ? link->core.conn.report : link->core.report;
}

int la_link_socket(const struct la_link *link)
{
	return link->driver.hands.socket;
}
