/* SPDX-License-Identifier: MIT */
#include "cli/log.h"
#include "cli/command.h"
#include "cli/self_check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/size.h"
#include "base/time.h"
#include "show/show_report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_report(const char *path)
{
	/* Not to wait for the reader of a FIFO, who may never come. */
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0644);

	return fd < 0 ? -errno : fd;
}

int lai_log_open(struct lai_log *log, const char *name, const char *report_path, bool quiet,
		 bool verbose)
{
	*log = (struct lai_log){.name = name,
				.report_path = report_path,
				.report = -1,
				.quiet = quiet,
				.verbose = verbose};
	log->progress = !quiet && isatty(STDERR_FILENO);
	if (!report_path)
		return 0;
	if (strcmp(report_path, "-") == 0) {
		log->report = STDOUT_FILENO;
		return 0;
	}
	log->report = open_report(report_path);
	log->owns_report = log->report >= 0;
	return log->report < 0 ? log->report : 0;
}

void lai_log_close(struct lai_log *log)
{
	if (log->owns_report)
		(void)close(log->report);
	log->report = -1;
}

void lai_log_reopen(struct lai_log *log)
{
	int fd;

	if (!log->owns_report)
		return;
	fd = open_report(log->report_path);
	if (fd < 0) {
		lai_log_say(log, "cannot reopen %s: %s; going on with the old one",
			    log->report_path, strerror(-fd));
		return;
	}
	(void)close(log->report);
	log->report = fd;
}

/* Back to the beginning of the line, and everything behind it erased (ECMA-48 CR, EL). */
#define ERASE_LINE "\r\033[K"

void lai_log_say(struct lai_log *log, const char *format, ...)
{
	struct lai_text text = LAI_TEXT_INIT(LAI_LOG_LINE_MAX);
	va_list args;

	if (log->quiet)
		return;
	if (log->progress_shown)
		lai_text_append(&text, ERASE_LINE);
	log->progress_shown = false;
	/* One write for one line: several programs may share this terminal or file. */
	lai_text_append(&text, "%s: ", log->name);
	va_start(args, format);
	lai_text_append_list(&text, format, args);
	va_end(args);
	lai_text_append(&text, "\n");
	(void)!write(STDERR_FILENO, lai_text_string(&text), text.length);
	lai_text_done(&text);
}

void lai_log_progress(struct lai_log *log, const struct la_link *link, enum la_proof proof)
{
	char accepted[LAI_SIZE_TEXT_MAX], delivered[LAI_SIZE_TEXT_MAX], waiting[LAI_SIZE_TEXT_MAX];
	struct la_totals totals;

	if (!log->progress)
		return;
	la_link_totals(link, &totals);
	(void)dprintf(STDERR_FILENO,
		      ERASE_LINE "%s; accepted %s, %s %s, waiting %s, %llu connections",
		      la_link_state_name(la_link_state(link)),
		      lai_size_format(accepted, totals.accepted_bytes), la_proof_name(proof),
		      lai_size_format(delivered, totals.delivered_bytes),
		      lai_size_format(waiting, totals.waiting_bytes),
		      (unsigned long long)totals.connections);
	log->progress_shown = true;
}

void lai_log_write_line(struct lai_log *log, struct lai_json *json)
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
			lai_command_complain(log->name, "cannot write reports: %s",
					     strerror(errno));
		}
	}
	free(line);
}

void lai_log_begin_line(struct lai_json *json, const char *event)
{
	lai_json_init(json, LAI_LOG_LINE_MAX);
	lai_json_object_begin(json, NULL);
	lai_json_string(json, "event", event);
}

static bool is_tls(const struct la_report *report)
{
	return report->cause == LA_CAUSE_TLS_FAILED ||
	       report->cause == LA_CAUSE_CERTIFICATE_REFUSED;
}

/* A server with TLS that is spoken to without has no words that it could answer. */
static bool is_mute(const struct la_report *report)
{
	return report->connected && report->received_bytes == 0 &&
	       (report->cause == LA_CAUSE_PEER_CLOSED || report->cause == LA_CAUSE_PEER_RESET);
}

/* The words of a server's ERROR are in the report as well. */
static void say_report(struct lai_log *log, const struct la_report *report, const char *why)
{
	struct lai_text text = LAI_TEXT_INIT(LAI_LOG_LINE_MAX);

	lai_show_report_text(&text, report);
	if (why && is_tls(report))
		lai_text_append(&text, "; TLS: %s", why);
	else if (why && *why && report->cause == LA_CAUSE_PROTOCOL_ERROR)
		lai_text_append(&text, "; no STOMP: %s", why);
	if (log->perhaps_tls && is_mute(report))
		lai_text_append(&text, "; it said nothing at all: does it want TLS (stomps://)?");
	lai_log_say(log, "%s", lai_text_string(&text));
	lai_text_done(&text);
}

static void event_json(struct lai_log *log, const struct la_event *event)
{
	struct lai_json json;

	switch (event->kind) {
	case LA_EVENT_STATE:
		lai_log_begin_line(&json, "state");
		lai_json_string(&json, "from", la_link_state_name(event->from));
		lai_json_string(&json, "to", la_link_state_name(event->to));
		break;
	case LA_EVENT_REPORT:
	case LA_EVENT_AFTERMATH:
		lai_log_begin_line(&json, event->kind == LA_EVENT_REPORT ? "report" : "aftermath");
		lai_show_report_json(&json, event->report);
		if (event->text && is_tls(event->report))
			lai_json_string(&json, "tls", event->text);
		break;
	case LA_EVENT_WAIT:
		lai_log_begin_line(&json, "wait");
		lai_json_double(&json, "delay_s", (double)event->delay_ns / 1e9);
		break;
	case LA_EVENT_REFUSED:
		lai_log_begin_line(&json, "refused");
		lai_json_string(&json, "sender", event->refusal->sender);
		lai_json_u64(&json, "seq", event->refusal->seq);
		lai_json_u64(&json, "bytes", event->refusal->size);
		lai_json_string(&json, "message", event->refusal->message);
		break;
	case LA_EVENT_SPOOL:
		lai_log_begin_line(&json, "spool");
		lai_json_string(&json, "text", event->text);
		break;
	default: return;
	}
	lai_json_end(&json);
	lai_log_write_line(log, &json);
}

/* A proper end is none, unless the server had something to say; nor is an attempt not needed any more. */
static bool is_news(const struct lai_log *log, const struct la_report *report)
{
	if (report->cause == LA_CAUSE_FINISHED)
		return report->last_words_bytes > 0 && !log->replies_shown;
	return report->connected || report->cause != LA_CAUSE_ABORTED;
}

static void say_event(struct lai_log *log, const struct la_event *event)
{
	char delay[LAI_TIME_TEXT_MAX];

	switch (event->kind) {
	case LA_EVENT_STATE:
		if (event->to == LA_LINK_STALLED)
			lai_log_say(log, "stalled: the peer's kernel answers, its program does not "
					 "read; waiting");
		else if (event->from == LA_LINK_STALLED && event->to == LA_LINK_UP)
			lai_log_say(log, "the peer reads again");
		else if (log->verbose)
			lai_log_say(log, "%s -> %s", la_link_state_name(event->from),
				    la_link_state_name(event->to));
		break;
	case LA_EVENT_REPORT:
		if (log->verbose || is_news(log, event->report))
			say_report(log, event->report, event->text);
		break;
	case LA_EVENT_AFTERMATH:
		lai_log_say(log, "about the silence of connection %llu: %s",
			    (unsigned long long)event->report->serial,
			    la_aftermath_sentence(event->report->aftermath));
		break;
	case LA_EVENT_WAIT:
		if (event->delay_ns > 0)
			lai_log_say(log, "trying again in %s",
				    lai_time_format(delay, event->delay_ns));
		break;
	case LA_EVENT_SPOOL: lai_log_say(log, "%s", event->text); break;
	default: break;
	}
}

void lai_log_event(struct lai_log *log, const struct la_event *event)
{
	if (log->report >= 0)
		event_json(log, event);
	if (!log->quiet)
		say_event(log, event);
}

static void say_status(struct lai_log *log, const struct la_totals *totals,
		       enum la_link_state state, enum la_proof proof, int close_wait)
{
	char age[LAI_TIME_TEXT_MAX];
	struct lai_text text = LAI_TEXT_INIT(LAI_LOG_LINE_MAX);

	lai_text_append(&text, "%s; ", la_link_state_name(state));
	lai_show_totals_text(&text, totals, proof);
	if (totals->confirmed_ns)
		lai_text_append(&text, "; last receipt %s ago",
				lai_time_format(age, lai_time_since(totals->confirmed_ns,
								    lai_clock_now())));
	lai_self_check_text(&text, close_wait);
	lai_log_say(log, "%s", lai_text_string(&text));
	lai_text_done(&text);
}

void lai_log_status(struct lai_log *log, const char *event, const struct la_link *link,
		    enum la_proof proof, int close_wait)
{
	enum la_link_state state = la_link_state(link);
	struct la_totals totals;
	struct la_report report;
	struct lai_json json;

	la_link_totals(link, &totals);
	la_link_report(link, &report);
	if (log->report >= 0) {
		lai_log_begin_line(&json, event);
		lai_json_string(&json, "state", la_link_state_name(state));
		lai_json_string(&json, "required_proof", la_proof_name(proof));
		lai_show_totals_json(&json, &totals);
		if (totals.confirmed_ns)
			lai_json_double(&json, "last_receipt_s",
					(double)lai_time_since(totals.confirmed_ns,
							       lai_clock_now()) /
						1e9);
		else
			lai_json_null(&json, "last_receipt_s");
		lai_self_check_json(&json, close_wait);
		lai_json_object_begin(&json, "connection");
		lai_show_report_json(&json, &report);
		lai_json_end(&json);
		lai_json_end(&json);
		lai_log_write_line(log, &json);
	}
	say_status(log, &totals, state, proof, close_wait);
}
