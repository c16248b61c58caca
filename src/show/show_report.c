/* SPDX-License-Identifier: MIT */
#include "show/show_report.h"
#include "base/size.h"
#include "base/time.h"

#include <inttypes.h>
#include <string.h>

void lai_show_words(struct lai_text *text, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	lai_text_append(text, "\"");
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = bytes[i];

		if (byte == '\n')
			lai_text_append(text, i + 1 < size ? "\\n" : "");
		else if (byte == '"' || byte == '\\')
			lai_text_append(text, "\\%c", byte);
		else if (byte >= ' ' && byte < 0x7f)
			lai_text_append(text, "%c", byte);
		else
			lai_text_append(text, "\\x%02x", byte);
	}
	lai_text_append(text, "\"");
}

static void append_interval(struct lai_text *text, const char *what,
			    const struct la_interval *interval)
{
	if (interval->max_bytes == 0)
		return;
	if (interval->min_bytes == interval->max_bytes)
		lai_text_append(text, "; %s: %" PRIu64 " bytes", what, interval->max_bytes);
	else
		lai_text_append(text, "; %s: %" PRIu64 " to %" PRIu64 " bytes", what,
				interval->min_bytes, interval->max_bytes);
}

/* How long the peer had not been heard when the cause was known. */
static uint64_t silence_ns(const struct la_report *report)
{
	return report->heard_ns ? lai_time_since(report->heard_ns, report->detected_ns) : 0;
}

static void append_life(struct lai_text *text, const struct la_report *report)
{
	char age[LAI_TIME_TEXT_MAX], silence[LAI_TIME_TEXT_MAX];

	lai_text_append(
		text, "; lived %s, last heard %s before the end",
		lai_time_format(age, lai_time_since(report->connected_ns, report->ended_ns)),
		lai_time_format(silence, silence_ns(report)));
	if (report->stalled_ns)
		lai_text_append(text, ", stalled %s", lai_time_format(age, report->stalled_ns));
	lai_text_append(text, "; written %" PRIu64 " bytes, acknowledged %" PRIu64,
			report->written_bytes, report->acked_bytes);
	if (report->proof == LA_PROOF_CONSUMED)
		lai_text_append(text, ", all consumed");
	if (report->destroyed_bytes)
		lai_text_append(text, "; destroyed by this close: at most %" PRIu64 " bytes",
				report->destroyed_bytes);
	append_interval(text, "perhaps never read by the peer", &report->lost);
	append_interval(text, "not proven, perhaps received all the same", &report->duplicated);
}

void lai_show_report_text(struct lai_text *text, const struct la_report *report)
{
	lai_text_append(text, "%s: %s: %s", report->remote, la_cause_name(report->cause),
			la_cause_sentence(report->cause));
	if (report->error)
		lai_text_append(text, " (%s)", strerrorname_np(report->error));
	if (report->connected)
		append_life(text, report);
	if (report->last_words_bytes) {
		lai_text_append(text, "; server said: ");
		lai_show_words(text, report->last_words, report->last_words_bytes);
	}
}

void lai_show_totals_text(struct lai_text *text, const struct la_totals *totals,
			  enum la_proof proof)
{
	char size[LAI_SIZE_TEXT_MAX];

	lai_text_append(text, "accepted %s (%" PRIu64 " bytes",
			lai_size_format(size, totals->accepted_bytes), totals->accepted_bytes);
	if (totals->accepted_records)
		lai_text_append(text, ", %" PRIu64 " records", totals->accepted_records);
	lai_text_append(text, "), %s %" PRIu64, la_proof_name(proof), totals->delivered_bytes);
	if (totals->delivered_records)
		lai_text_append(text, " (%" PRIu64 " records)", totals->delivered_records);
	if (totals->waiting_bytes)
		lai_text_append(text, ", waiting %" PRIu64, totals->waiting_bytes);
	if (totals->waiting_records)
		lai_text_append(text, " (%" PRIu64 " records)", totals->waiting_records);
	if (totals->dropped_bytes)
		lai_text_append(text, ", dropped %" PRIu64 " (%" PRIu64 " records)",
				totals->dropped_bytes, totals->dropped_records);
	if (totals->recovered_records)
		lai_text_append(text, ", %" PRIu64 " records from the spool of an earlier run",
				totals->recovered_records);
	if (totals->buried_records)
		lai_text_append(text, ", refused for ever %" PRIu64 " records (%" PRIu64 " bytes)",
				totals->buried_records, totals->buried_bytes);
	if (totals->resent_records)
		lai_text_append(text, ", sent again %" PRIu64 " records", totals->resent_records);
	if (totals->abandoned_bytes)
		lai_text_append(text, ", NOT DELIVERED %" PRIu64, totals->abandoned_bytes);
	append_interval(text, "perhaps never read by the peer", &totals->lost);
	append_interval(text, "perhaps received twice", &totals->duplicated);
	lai_text_append(text, "; %" PRIu64 " connection%s, %" PRIu64 " failed attempt%s",
			totals->connections, totals->connections == 1 ? "" : "s",
			totals->failed_attempts, totals->failed_attempts == 1 ? "" : "s");
}

static void interval_json(struct lai_json *json, const char *key,
			  const struct la_interval *interval)
{
	lai_json_object_begin(json, key);
	lai_json_u64(json, "min_bytes", interval->min_bytes);
	lai_json_u64(json, "max_bytes", interval->max_bytes);
	lai_json_end(json);
}

/* Points in time of CLOCK_MONOTONIC mean nothing outside this boot: durations go out. */
static void times_json(struct lai_json *json, const struct la_report *report)
{
	lai_json_double(json, "attempt_s",
			(double)lai_time_since(report->began_ns, report->connected
									 ? report->connected_ns
									 : report->ended_ns) /
				1e9);
	if (!report->connected)
		return;
	lai_json_double(json, "lived_s",
			(double)lai_time_since(report->connected_ns, report->ended_ns) / 1e9);
	lai_json_double(json, "silence_s", (double)silence_ns(report) / 1e9);
	lai_json_double(json, "closing_s",
			(double)lai_time_since(report->detected_ns, report->ended_ns) / 1e9);
	lai_json_double(json, "stalled_s", (double)report->stalled_ns / 1e9);
}

static void bytes_json(struct lai_json *json, const struct la_report *report)
{
	lai_json_u64(json, "written_bytes", report->written_bytes);
	lai_json_u64(json, "acked_bytes", report->acked_bytes);
	lai_json_u64(json, "received_bytes", report->received_bytes);
	lai_json_u64(json, "destroyed_bytes", report->destroyed_bytes);
	lai_json_u64(json, "retransmits", report->retransmits);
	interval_json(json, "lost", &report->lost);
	interval_json(json, "duplicated", &report->duplicated);
}

void lai_show_report_json(struct lai_json *json, const struct la_report *report)
{
	lai_json_u64(json, "serial", report->serial);
	lai_json_string(json, "cause", la_cause_name(report->cause));
	lai_json_string(json, "error", report->error ? strerrorname_np(report->error) : NULL);
	lai_json_string(json, "local", report->local);
	lai_json_string(json, "remote", report->remote);
	lai_json_bool(json, "connected", report->connected);
	lai_json_string(json, "closed_first", la_side_name(report->closed_first));
	lai_json_string(json, "proof", la_proof_name(report->proof));
	lai_json_string(json, "aftermath", la_aftermath_name(report->aftermath));
	lai_json_string(json, "tcp_state", la_tcp_state_name(report->tcp_state));
	times_json(json, report);
	bytes_json(json, report);
	lai_json_bytes(json, "last_words", report->last_words, report->last_words_bytes);
}

void lai_show_totals_json(struct lai_json *json, const struct la_totals *totals)
{
	lai_json_u64(json, "accepted_bytes", totals->accepted_bytes);
	lai_json_u64(json, "delivered_bytes", totals->delivered_bytes);
	lai_json_u64(json, "waiting_bytes", totals->waiting_bytes);
	lai_json_u64(json, "dropped_bytes", totals->dropped_bytes);
	lai_json_u64(json, "abandoned_bytes", totals->abandoned_bytes);
	lai_json_u64(json, "accepted_records", totals->accepted_records);
	lai_json_u64(json, "dropped_records", totals->dropped_records);
	lai_json_u64(json, "delivered_records", totals->delivered_records);
	lai_json_u64(json, "abandoned_records", totals->abandoned_records);
	lai_json_u64(json, "buried_records", totals->buried_records);
	lai_json_u64(json, "buried_bytes", totals->buried_bytes);
	lai_json_u64(json, "recovered_records", totals->recovered_records);
	lai_json_u64(json, "resent_records", totals->resent_records);
	lai_json_u64(json, "connections", totals->connections);
	lai_json_u64(json, "failed_attempts", totals->failed_attempts);
	interval_json(json, "lost", &totals->lost);
	interval_json(json, "duplicated", &totals->duplicated);
}
