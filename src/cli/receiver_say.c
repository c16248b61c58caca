/* SPDX-License-Identifier: MIT */
/* What lastack receive says: sentences on stderr, JSON lines in the report file. */
#include "cli/receiver_inside.h"

#include "base/json.h"
#include "base/size.h"
#include "observe/census.h"
#include "show/show_report.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64 * 1024)

static void write_line(struct lai_log *log, struct lai_json *json)
{
	char *line = NULL;
	size_t size, done = 0;

	if (lai_json_steal(json, &line) != 0) {
		lai_json_done(json);
		return;
	}
	size = strlen(line);
	line[size++] = '\n'; /* in place of the NUL */
	while (done < size && !log->failed) {
		ssize_t wrote = write(log->report, line + done, size - done);

		if (wrote >= 0) {
			done += (size_t)wrote;
		} else if (errno != EINTR) {
			log->failed = true;
			lai_log_say(log, "cannot write reports: %s", strerror(errno));
		}
	}
	free(line);
}

static void begin_line(struct lai_json *json, const char *event)
{
	lai_json_init(json, LINE_MAX_BYTES);
	lai_json_object_begin(json, NULL);
	lai_json_string(json, "event", event);
}

/* ---- one connection --------------------------------------------------------------------------- */

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

	begin_line(&json, "report");
	lai_show_report_json(&json, &report);
	lai_json_bool(&json, "proper", lai_session_proper(session));
	lai_json_string(&json, "ended_by", lai_session_why_name(session->why));
	lai_json_u64(&json, "records", lai_session_records(session));
	lai_json_u64(&json, "stored_bytes", session->stored_bytes);
	lai_json_u64(&json, "kept_tail_bytes", session->kept_tail_bytes);
	lai_json_u64(&json, "dropped_tail_bytes", session->dropped_tail_bytes);
	lai_json_u64(&json, "discarded_bytes", session->discarded_bytes);
	lai_json_string(&json, "into", connection->output->path ? connection->output->path : "-");
	lai_json_end(&json);
	write_line(&receiver->log, &json);
}

static void append_session(struct lai_text *text, const struct lai_session *session)
{
	lai_text_append(text, "; received %" PRIu64 " bytes, stored %" PRIu64,
			session->conn.report.received_bytes, session->stored_bytes);
	if (session->config->wire->has_records)
		lai_text_append(text, " (%" PRIu64 " records)", lai_session_records(session));
	if (session->kept_tail_bytes)
		lai_text_append(text, "; its last %" PRIu64 " bytes had no newline and were given one",
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
	struct lai_text text = LAI_TEXT_INIT(LINE_MAX_BYTES);

	if (receiver->log.report >= 0)
		report_json(receiver, connection);
	lai_text_append(&text, "connection %" PRIu64 " from ", report.serial);
	lai_show_report_text(&text, &report);
	append_session(&text, &connection->session);
	lai_log_say(&receiver->log, "%s", lai_text_string(&text));
	lai_text_done(&text);
}

/* ---- the sums --------------------------------------------------------------------------------- */

/* A standard stream may be a connection whose peer has said its last word: inherited, not ours. */
static int inherited_close_wait(void)
{
	int count = 0;

	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		struct tcp_info info = {0};
		socklen_t length = sizeof(info);

		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
		    info.tcpi_state == LAI_TCP_CLOSE_WAIT)
			count++;
	}
	return count;
}

/* Sockets of ours in CLOSE_WAIT, by the kernel's count; -1: it cannot be asked. */
static int close_wait_count(void)
{
	struct lai_census census;
	int count;

	if (lai_census_of_process(0, &census) != 0)
		return -1;
	count = (int)census.by_state[LAI_TCP_CLOSE_WAIT] - inherited_close_wait();
	return count > 0 ? count : 0;
}

static void totals_json(struct receiver *receiver, const char *event,
			const struct lai_serve_totals *totals, int close_wait)
{
	struct lai_json json;

	begin_line(&json, event);
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
	if (close_wait >= 0)
		lai_json_u64(&json, "close_wait_sockets", (uint64_t)close_wait);
	else
		lai_json_null(&json, "close_wait_sockets");
	lai_json_end(&json);
	write_line(&receiver->log, &json);
}

static void totals_text(struct receiver *receiver, const struct lai_serve_totals *totals,
			int close_wait)
{
	struct lai_text text = LAI_TEXT_INIT(LINE_MAX_BYTES);
	char size[LAI_SIZE_TEXT_MAX];

	lai_text_append(&text, "%" PRIu64 " connections, %u open, %" PRIu64 " ended properly",
			totals->connections, receiver->serve.open, totals->proper);
	lai_text_append(&text, "; stored %s (%" PRIu64 " bytes",
			lai_size_format(size, totals->stored_bytes), totals->stored_bytes);
	if (receiver->config->endpoint.wire->has_records)
		lai_text_append(&text, ", %" PRIu64 " records", totals->records);
	lai_text_append(&text, ")");
	if (totals->dropped_tails)
		lai_text_append(&text, "; dropped %" PRIu64 " unfinished records (%" PRIu64 " bytes)",
				totals->dropped_tails, totals->dropped_tail_bytes);
	if (totals->kept_tails)
		lai_text_append(&text, "; gave %" PRIu64 " last lines a newline", totals->kept_tails);
	if (totals->refused)
		lai_text_append(&text, "; refused %" PRIu64 " for a record that was too long",
				totals->refused);
	if (totals->discarded_bytes)
		lai_text_append(&text, "; threw away %" PRIu64 " bytes", totals->discarded_bytes);
	if (close_wait >= 0)
		lai_text_append(&text, "; %d sockets of ours in CLOSE_WAIT", close_wait);
	else
		lai_text_append(&text, "; sockets in CLOSE_WAIT: not known (no sock_diag)");
	lai_log_say(&receiver->log, "%s", lai_text_string(&text));
	lai_text_done(&text);
}

int lai_receiver_say_totals(struct receiver *receiver, const char *event)
{
	struct lai_serve_totals totals = receiver->serve.totals;
	int close_wait = close_wait_count();

	for (uint32_t i = 0; i < receiver->serve.open; i++)
		lai_serve_add(&totals, &receiver->open[i]->session);
	if (receiver->log.report >= 0)
		totals_json(receiver, event, &totals, close_wait);
	totals_text(receiver, &totals, close_wait);
	return close_wait;
}

/* ---- refusals --------------------------------------------------------------------------------- */

static const char *reason(int error)
{
	switch (error) {
	case EADDRINUSE: return "another socket listens on this port ('ss -ltnp' shows which)";
	case EADDRNOTAVAIL: return "no interface of this host has this address";
	case EACCES: return "this port needs CAP_NET_BIND_SERVICE (net.ipv4.ip_unprivileged_port_start)";
	case ENOENT: return "there is no such name, or it has no address";
	case EAGAIN: return "the name server did not answer";
	default: return strerror(error);
	}
}

void lai_receiver_say_cannot_listen(const struct receiver *receiver, int error)
{
	struct lai_log loud = receiver->log;

	loud.quiet = false;
	lai_log_say(&loud, "cannot listen on %s: %s", receiver->config->endpoint.text, reason(error));
}
