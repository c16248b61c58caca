/* SPDX-License-Identifier: MIT */
#include "link/cargo.h"

#include <errno.h>
#include <string.h>

int lai_cargo_init(struct lai_cargo *cargo, const struct lai_wire *wire,
		   const struct la_link_config *config, const struct lai_courier_config *courier,
		   const char *sender)
{
	int status;

	*cargo = (struct lai_cargo){0};
	if (!wire->has_receipts)
		return lai_replay_init(&cargo->replay, wire, config);
	status = lai_outbox_init(&cargo->outbox, config->buffer_bytes, config->record_bytes_max,
				 config->on_full);
	if (status == 0)
		status = lai_courier_new(&cargo->courier, courier, sender, &cargo->outbox);
	if (status != 0)
		lai_outbox_done(&cargo->outbox);
	return status;
}

void lai_cargo_done(struct lai_cargo *cargo)
{
	if (cargo->courier) {
		lai_courier_free(cargo->courier);
		lai_outbox_done(&cargo->outbox);
	} else {
		lai_replay_done(&cargo->replay);
	}
	cargo->courier = NULL;
}

void lai_cargo_begin(struct lai_cargo *cargo, const struct lai_endpoint *endpoint, uint64_t now_ns)
{
	const struct lai_courier_endpoint courier = {
		.host = endpoint->host,
		.login = endpoint->login[0] ? endpoint->login : NULL,
		.destination = endpoint->destination[0] ? endpoint->destination : NULL,
	};

	lai_cargo_totals(cargo)->connections++;
	if (cargo->courier)
		lai_courier_begin(cargo->courier, &courier, now_ns);
	else
		lai_replay_begin(&cargo->replay);
}

int lai_cargo_to_send(struct lai_cargo *cargo, struct iovec iov[2], uint64_t now_ns)
{
	if (cargo->courier)
		return lai_courier_to_send(cargo->courier, iov, now_ns);
	return lai_replay_to_send(&cargo->replay, iov);
}

bool lai_cargo_wants_write(const struct lai_cargo *cargo, uint64_t now_ns)
{
	return !lai_cargo_nothing_to_send(cargo, now_ns);
}

void lai_cargo_on_written(struct lai_cargo *cargo, size_t size, uint64_t now_ns)
{
	if (cargo->courier)
		lai_courier_on_written(cargo->courier, size, now_ns);
	else
		lai_replay_on_written(&cargo->replay, size);
}

void lai_cargo_on_acked(struct lai_cargo *cargo, uint64_t acked_bytes)
{
	if (!cargo->courier)
		lai_replay_on_acked(&cargo->replay, acked_bytes);
}

/* The server's words in clear, instead of the last bytes of its frames; of what is no frame the bytes
   are all there is. */
static void keep_words(const struct lai_courier *courier, struct la_report *report)
{
	const char *words = lai_courier_words(courier);
	size_t size = strnlen(words, LA_LAST_WORDS_MAX);

	if (report->cause == LA_CAUSE_PROTOCOL_ERROR)
		return;
	memcpy(report->last_words, words, size);
	report->last_words_bytes = (uint32_t)size;
}

/* What a receipt confirms is not lost; what none confirms will be sent again. */
static void end_dialogue(struct lai_cargo *cargo, struct la_report *report)
{
	keep_words(cargo->courier, report);
	report->duplicated.max_bytes = lai_courier_end(cargo->courier);
	if (report->duplicated.max_bytes == 0 && lai_outbox_empty(&cargo->outbox) &&
	    cargo->outbox.totals.delivered_records > 0)
		report->proof = LA_PROOF_CONFIRMED;
}

void lai_cargo_end(struct lai_cargo *cargo, struct la_report *report, uint64_t peer_buffer_bytes)
{
	if (cargo->courier)
		end_dialogue(cargo, report);
	else
		lai_replay_end(&cargo->replay, report, peer_buffer_bytes);
}

void lai_cargo_abandon(struct lai_cargo *cargo)
{
	if (!cargo->courier)
		lai_replay_abandon(&cargo->replay);
	else if (!cargo->kept)
		lai_outbox_abandon(&cargo->outbox);
}

bool lai_cargo_empty(const struct lai_cargo *cargo)
{
	return cargo->courier ? lai_outbox_empty(&cargo->outbox) : lai_replay_empty(&cargo->replay);
}

bool lai_cargo_nothing_to_send(const struct lai_cargo *cargo, uint64_t now_ns)
{
	return cargo->courier ? !lai_courier_wants_write(cargo->courier, now_ns)
			      : lai_replay_nothing_to_send(&cargo->replay);
}

bool lai_cargo_full(const struct lai_cargo *cargo)
{
	return !cargo->courier && lai_replay_full(&cargo->replay);
}

bool lai_cargo_crowded(const struct lai_cargo *cargo)
{
	return !cargo->courier && lai_replay_crowded(&cargo->replay);
}
