/* SPDX-License-Identifier: MIT */
/* What lastack receive says: sentences on stderr, JSON lines in the report file. */
#include "cli/receiver_inside.h"

#include "base/size.h"
#include "cli/command.h"
#include "cli/self_check.h"
#include "show/show_report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* ---- one
   connection --------------------------------------------------------------------------- */

/* Its last bytes stand in the output: they are data here, and a report is no place for them. */
static struct la_report without_words(const struct la_report *report)
{
	struct la_report copy = *report;

	copy.last_words_bytes = 0;
	return copy;
}

static void report_json(struct receiver *receiver, const struct connection *connection)
{
	const struct lai_session *session = &connection->session;
	struct la_report report = without_words(&session->conn.report);
	struct lai_json json;

	lai_log_begin_line(&json, "report");
	lai_show_report_json(&json, &report);
	lai_json_bool(&json, "proper", lai_session_proper(session));
	lai_json_string(&json, "ended_by", lai_session_why_name(session->why));
	lai_json_u64(&json, "records", lai_session_records(session));
	lai_json_u64(&json, "stored_bytes", session->stored_bytes);
	lai_json_u64(&json, "kept_tail_bytes", session->kept_tail_bytes);
	lai_json_u64(&json, "dropped_tail_bytes", session->dropped_tail_bytes);
	lai_json_u64(&json, "discarded_bytes", session->discarded_bytes);
	if (connection->hands.tls_failed)
		lai_json_string(&json, "tls", connection->hands.why);
	lai_json_string(&json, "into", connection->output->path ? connection->output->path : "-");
	lai_json_end(&json);
	lai_log_write_line(&receiver->log, &json);
}

static void append_session(struct lai_text *text, const struct lai_session *session)
{
	lai_text_append(text, "; received %" PRIu64 " bytes, stored %" PRIu64,
			session->conn.report.received_bytes, session->stored_bytes);
	if (session->config->wire->has_records)
		lai_text_append(text, " (%" PRIu64 " records)", lai_session_records(session));
	if (session->kept_tail_bytes)
		lai_text_append(text,
				"; its last %" PRIu64 " bytes had no newline and were given one",
				session->kept_tail_bytes);
	if (session->dropped_tail_bytes)
		lai_text_append(text, "; dropped the %" PRIu64 " bytes of an unfinished record",
				session->dropped_tail_bytes);
	if (session->discarded_bytes)
		lai_text_append(text, "; threw away %" PRIu64 " bytes", session->discarded_bytes);
	if (session->why != LAI_SESSION_NONE)
		lai_text_append(text, "; we ended it: %s", lai_session_why_sentence(session->why));
}

void lai_receiver_say_report(struct receiver *receiver, const struct connection *connection)
{
	struct la_report report = without_words(&connection->session.conn.report);
	struct lai_text text = LAI_TEXT_INIT(LAI_LOG_LINE_MAX);

	if (receiver->log.report >= 0)
		report_json(receiver, connection);
	lai_text_append(&text, "connection %" PRIu64 " from ", report.serial);
	lai_show_report_text(&text, &report);
	if (connection->hands.why[0])
		lai_text_append(&text, "; TLS: %s", connection->hands.why);
	append_session(&text, &connection->session);
	lai_log_say(&receiver->log, "%s", lai_text_string(&text));
	lai_text_done(&text);
}

/* ---- the
   sums --------------------------------------------------------------------------------- */

static void totals_json(struct receiver *receiver, const char *event,
			const struct lai_serve_totals *totals, int close_wait)
{
	struct lai_json json;

	lai_log_begin_line(&json, event);
	lai_json_u64(&json, "connections", totals->connections);
	lai_json_u64(&json, "open", receiver->serve.open);
	lai_json_u64(&json, "proper", totals->proper);
	lai_json_u64(&json, "refused", totals->refused);
	lai_json_u64(&json, "received_bytes", totals->received_bytes);
	lai_json_u64(&json, "stored_bytes", totals->stored_bytes);
	lai_json_u64(&json, "records", totals->records);
	lai_json_u64(&json, "kept_tails", totals->kept_tails);
	lai_json_u64(&json, "dropped_tails", totals->dropped_tails);
	lai_json_u64(&json, "dropped_tail_bytes", totals->dropped_tail_bytes);
	lai_json_u64(&json, "discarded_bytes", totals->discarded_bytes);
	lai_self_check_json(&json, close_wait);
	lai_json_end(&json);
	lai_log_write_line(&receiver->log, &json);
}

static void totals_text(struct receiver *receiver, const struct lai_serve_totals *totals,
			int close_wait)
{
	struct lai_text text = LAI_TEXT_INIT(LAI_LOG_LINE_MAX);
	char size[LAI_SIZE_TEXT_MAX];

	lai_text_append(&text, "%" PRIu64 " connections, %u open, %" PRIu64 " ended properly",
			totals->connections, receiver->serve.open, totals->proper);
	lai_text_append(&text, "; stored %s (%" PRIu64 " bytes",
			lai_size_format(size, totals->stored_bytes), totals->stored_bytes);
	if (receiver->config->endpoint.wire->has_records)
		lai_text_append(&text, ", %" PRIu64 " records", totals->records);
	lai_text_append(&text, ")");
	if (totals->dropped_tails)
		lai_text_append(&text,
				"; dropped %" PRIu64 " unfinished records (%" PRIu64 " bytes)",
				totals->dropped_tails, totals->dropped_tail_bytes);
	if (totals->kept_tails)
		lai_text_append(&text, "; gave %" PRIu64 " last lines a newline",
				totals->kept_tails);
	if (totals->refused)
		lai_text_append(&text, "; refused %" PRIu64 " for a record that was too long",
				totals->refused);
	if (totals->discarded_bytes)
		lai_text_append(&text, "; threw away %" PRIu64 " bytes", totals->discarded_bytes);
	lai_self_check_text(&text, close_wait);
	lai_log_say(&receiver->log, "%s", lai_text_string(&text));
	lai_text_done(&text);
}

int lai_receiver_say_totals(struct receiver *receiver, const char *event)
{
	struct lai_serve_totals totals = receiver->serve.totals;
	int close_wait = lai_self_check();

	for (uint32_t i = 0; i < receiver->serve.open; i++)
		lai_serve_add(&totals, &receiver->open[i]->session);
	if (receiver->log.report >= 0)
		totals_json(receiver, event, &totals, close_wait);
	totals_text(receiver, &totals, close_wait);
	return close_wait;
}

/* ---- refusals --------------------------------------------------------------------------- */

static const char *reason(int error)
{
	switch (error) {
	case EADDRINUSE: return "another socket listens on this port ('ss -ltnp' shows which)";
	case EADDRNOTAVAIL: return "no interface of this host has this address";
	case EACCES:
		return "this port needs CAP_NET_BIND_SERVICE (net.ipv4.ip_unprivileged_port_start)";
	case ENOENT: return "there is no such name, or it has no address";
	case EAGAIN: return "the name server did not answer";
	default: return strerror(error);
	}
}

void lai_receiver_say_cannot_listen(const struct receiver *receiver, int error)
{
	lai_command_complain(receiver->log.name, "cannot listen on %s: %s",
			     receiver->config->endpoint.text, reason(error));
}
