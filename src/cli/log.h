/* SPDX-License-Identifier: MIT */
/* log.h - what send and receive say: sentences on stderr, JSON lines in a file or on standard output. */
#ifndef LAI_CLI_LOG_H
#define LAI_CLI_LOG_H

#include "base/json.h"

#include <lastack/link.h>

/* The longest line: a report with its last words escaped is below 10 KiB. */
#define LAI_LOG_LINE_MAX (64 * 1024)

struct lai_log {
	const char *name; /* "lastack send" */
	const char *report_path;
	int report; /* descriptor of the JSON lines, or -1 */
	bool owns_report;
	bool quiet, verbose;
	bool failed;	    /* a JSON line could not be written; said once */
	bool replies_shown; /* what the server says goes to standard output anyway */
	bool perhaps_tls;   /* a server that ends without a word may want TLS: this is said then */
	bool progress;	    /* stderr is a terminal that shows a line of progress */
	bool progress_shown;
};

/* report_path: NULL for none, "-" for standard output. 0, or a negative errno: the file cannot be
 * opened. */
int lai_log_open(struct lai_log *log, const char *name, const char *report_path, bool quiet,
		 bool verbose);
void lai_log_close(struct lai_log *log);

/* Opens the file anew, after a rotation. Keeps the old one if that fails. */
void lai_log_reopen(struct lai_log *log);

/* One sentence for people, unless quiet. */
void lai_log_say(struct lai_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One JSON line: begun with its "event", ended by the caller, then written whole; a failure is said once. */
void lai_log_begin_line(struct lai_json *json, const char *event);
void lai_log_write_line(struct lai_log *log, struct lai_json *json);

/* Redraws the line of progress, where there is one. */
void lai_log_progress(struct lai_log *log, const struct la_link *link, enum la_proof proof);

/* An event of the link, as far as it is worth saying. */
void lai_log_event(struct lai_log *log, const struct la_event *event);

/* The state of things: at SIGUSR1 ("status") and at the end ("end"). close_wait < 0: not known. */
void lai_log_status(struct lai_log *log, const char *event, const struct la_link *link,
		    enum la_proof proof, int close_wait);

#endif
