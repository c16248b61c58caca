/* SPDX-License-Identifier: MIT */
/* What lastack receive stomp:// says: sentences on stderr, JSON lines in the report file. */
#include "cli/stomp_receiver_inside.h"

#include "base/clock.h"
#include "base/size.h"
#include "cli/self_check.h"
#include "show/show_report.h"

#include <inttypes.h>
#include <string.h>

/* More than a person reads; what is left out is counted, and the report file has it all. */
#define SENTENCES_PER_SECOND 20

/* ---- one session -------------------------------------------------------------------------- */

/* What it sent last are records or a password: a report is no place for them. */
static struct la_report without_words(const struct la_report *report)
{
	struct la_report copy = *report;

	copy.last_words_bytes = 0;
	return copy;
}

static void session_json(struct stomp_receiver *receiver, const struct la_session *session)
{
	struct la_report report = without_words(session->report);
	struct lai_json json;

	lai_log_begin_line(&json, "report");
	lai_show_report_json(&json, &report);
	lai_json_string(&json, "user", session->user);
	lai_json_string(&json, "claimed_user", session->claimed);
	lai_json_string(&json, "end", la_session_end_name(session->end));
	lai_json_string(&json, "words", la_words_name(session->words));
	lai_json_string(&json, "message", session->message);
	lai_json_string(&json, "tls", session->why);
	lai_json_bool(&json, "reclaimed", session->reclaimed);
	lai_json_u64(&json, "records", session->records);
	lai_json_u64(&json, "receipts", session->receipts);
	lai_json_end(&json);
	lai_log_write_line(&receiver->log, &json);
}

/* Whether the text of a refusal has arrived. */
static const char *words_sentence(enum la_words words)
{
	switch (words) {
	case LA_WORDS_ACKED: return "the text was acknowledged";
	case LA_WORDS_CONSUMED: return "the text was acknowledged, and the client closed properly";
	case LA_WORDS_UNCONFIRMED: return "the text was NOT acknowledged";
	default: return "nothing was said";
	}
}

static bool was_refused(const struct la_session *session)
{
	return session->message[0] != '\0';
}

/* false: enough for this second. */
static bool may_say(struct stomp_receiver *receiver)
{
	uint64_t now_ns = lai_clock_now();

	if (lai_time_since(receiver->second_ns, now_ns) >= LAI_S) {
		receiver->second_ns = now_ns;
		receiver->said_in_second = 0;
		if (receiver->unsaid)
			lai_log_say(&receiver->log, "... and %" PRIu64 " more sessions ended",
				    receiver->unsaid);
		receiver->unsaid = 0;
	}
	if (receiver->said_in_second >= SENTENCES_PER_SECOND) {
		receiver->unsaid++;
		return false;
	}
	receiver->said_in_second++;
	return true;
}

static void append_name(struct lai_text *text, const struct la_session *session)
{
	if (session->claimed[0] != '\0') {
		lai_text_append(text, ", user ");
		lai_show_words(text, session->claimed, strlen(session->claimed));
	}
	lai_text_append(text, " from %s", session->client);
}

static void say_session(struct stomp_receiver *receiver, const struct la_session *session)
{
	struct la_report report = without_words(session->report);
	struct lai_text text = LAI_TEXT_INIT(LAI_LOG_LINE_MAX);

	lai_text_append(&text, "session %" PRIu64, session->serial);
	append_name(&text, session);
	if (was_refused(session)) {
		lai_text_append(&text, ": refused, %s: ", la_session_end_name(session->end));
		lai_show_words(&text, session->message, strlen(session->message));
		lai_text_append(&text, "; %s", words_sentence(session->words));
		if (session->reclaimed)
			lai_text_append(&text, "; its place was needed");
	} else {
		lai_text_append(&text, ": %s, %s; ", la_session_end_name(session->end),
				la_session_end_sentence(session->end));
		lai_show_report_text(&text, &report);
	}
	if (session->why[0] != '\0')
		lai_text_append(&text, "; TLS: %s", session->why);
	lai_text_append(&text, "; %" PRIu64 " records, %" PRIu64 " receipts", session->records,
			session->receipts);
	lai_log_say(&receiver->log, "%s", lai_text_string(&text));
	lai_text_done(&text);
}

static void on_ended(struct stomp_receiver *receiver, const struct la_session *session)
{
	bool proper = session->end == LA_SESSION_FAREWELL && session->records > 0;

	if (receiver->log.report >= 0)
		session_json(receiver, session);
	if (receiver->log.quiet || (proper && !receiver->log.verbose) || !may_say(receiver))
		return;
	say_session(receiver, session);
}

/* ---- events ------------------------------------------------------------------------------- */

static void on_listens(struct stomp_receiver *receiver, const char *address)
{
	const struct la_server_config *server = &receiver->config->server;

	lai_log_say(&receiver->log,
		    "listening on %s; a receipt means: stored in %s, which %s (--durability %s)",
		    address, strcmp(server->into, "-") == 0 ? "standard output" : server->into,
		    la_durability_sentence(server->durability),
		    la_durability_name(server->durability));
	if (!server->users && !server->tls.client_cert_required)
		lai_log_say(&receiver->log,
			    "everybody who reaches this port may send: no --users FILE");
}

static void store_json(struct stomp_receiver *receiver, const char *text)
{
	struct lai_json json;

	if (receiver->log.report < 0)
		return;
	lai_log_begin_line(&json, "store");
	lai_json_string(&json, "text", text);
	lai_json_end(&json);
	lai_log_write_line(&receiver->log, &json);
}

void lai_stomp_receiver_on_event(void *arg, const struct la_server_event *event)
{
	struct stomp_receiver *receiver = arg;

	switch (event->kind) {
	case LA_SERVER_LISTENS: on_listens(receiver, event->text); break;
	case LA_SERVER_ACCEPTED:
		if (receiver->log.verbose)
			lai_log_say(&receiver->log, "session %" PRIu64 " from %s",
				    event->session->serial, event->session->client);
		break;
	case LA_SERVER_LOGIN:
		if (receiver->log.verbose)
			lai_log_say(&receiver->log, "session %" PRIu64 ": user '%s' is logged in",
				    event->session->serial, event->session->user);
		break;
	case LA_SERVER_ENDED: on_ended(receiver, event->session); break;
	case LA_SERVER_STORE:
		receiver->store_news = true;
		store_json(receiver, event->text);
		lai_log_say(&receiver->log, "store: %s", event->text);
		break;
	case LA_SERVER_TROUBLE: lai_log_say(&receiver->log, "%s", event->text); break;
	default: break;
	}
}

/* ---- the sums ----------------------------------------------------------------------------- */

static void ends_json(struct lai_json *json, const struct la_server_totals *totals)
{
	lai_json_object_begin(json, "ends");
	for (int end = 0; end < LA_SESSION_END_COUNT; end++)
		if (end != LA_SESSION_OPEN)
			lai_json_u64(json, la_session_end_name((enum la_session_end)end),
				     totals->ends[end]);
	lai_json_end(json);
}

static void totals_json(struct stomp_receiver *receiver, const char *event,
			const struct la_server_totals *totals, int close_wait)
{
	struct lai_json json;

	lai_log_begin_line(&json, event);
	lai_json_u64(&json, "connections", totals->connections);
	lai_json_u64(&json, "open", totals->open);
	lai_json_u64(&json, "logged_in", totals->logged_in);
	lai_json_u64(&json, "records", totals->records);
	lai_json_u64(&json, "duplicate_records", totals->duplicate_records);
	lai_json_u64(&json, "stored_bytes", totals->stored_bytes);
	lai_json_u64(&json, "batches", totals->batches);
	lai_json_bool(&json, "store_waits", totals->store_waits);
	lai_json_u64(&json, "rejected_logins", totals->rejected_logins);
	lai_json_u64(&json, "refused", totals->refused);
	lai_json_u64(&json, "words_acked", totals->words_acked);
	lai_json_u64(&json, "words_consumed", totals->words_consumed);
	lai_json_u64(&json, "words_unconfirmed", totals->words_unconfirmed);
	lai_json_u64(&json, "lingering", totals->lingering);
	lai_json_u64(&json, "reclaimed", totals->reclaimed);
	ends_json(&json, totals);
	lai_self_check_json(&json, close_wait);
	lai_json_end(&json);
	lai_log_write_line(&receiver->log, &json);
}

static void totals_text(struct stomp_receiver *receiver, const struct la_server_totals *totals,
			int close_wait)
{
	struct lai_text text = LAI_TEXT_INIT(LAI_LOG_LINE_MAX);
	uint64_t rejections = totals->rejected_logins + totals->refused;
	char size[LAI_SIZE_TEXT_MAX];

	lai_text_append(&text, "%" PRIu64 " session%s, %" PRIu64 " open (%" PRIu64 " logged in)",
			totals->connections, totals->connections == 1 ? "" : "s", totals->open,
			totals->logged_in);
	lai_text_append(&text, "; stored %" PRIu64 " records (%s), %" PRIu64 " batches",
			totals->records, lai_size_format(size, totals->stored_bytes),
			totals->batches);
	if (totals->duplicate_records)
		lai_text_append(&text, ", knew %" PRIu64 " that came again",
				totals->duplicate_records);
	if (rejections)
		lai_text_append(&text,
				"; refused %" PRIu64 " (%" PRIu64 " logins): %" PRIu64
				" texts acknowledged, %" PRIu64 " not",
				rejections, totals->rejected_logins,
				totals->words_acked + totals->words_consumed,
				totals->words_unconfirmed);
	if (totals->store_waits)
		lai_text_append(&text, "; THE STORE CANNOT WRITE");
	lai_self_check_text(&text, close_wait);
	lai_log_say(&receiver->log, "%s", lai_text_string(&text));
	lai_text_done(&text);
}

int lai_stomp_receiver_say_totals(struct stomp_receiver *receiver, const char *event)
{
	struct la_server_totals totals;
	int close_wait = lai_self_check();

	la_server_totals(receiver->server, &totals);
	if (receiver->log.report >= 0)
		totals_json(receiver, event, &totals, close_wait);
	totals_text(receiver, &totals, close_wait);
	return close_wait;
}
