/* SPDX-License-Identifier: MIT */
/*
 * Input -> link -> kernel, in one thread: poll() over the link, the input and the signals. Input is
 * read straight into the link's buffer, and not at all while that is full: that is the back
 * pressure.
 */
#include "cli/sender.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/size.h"
#include "cli/command.h"
#include "cli/dead_letters.h"
#include "cli/log.h"
#include "cli/port_holder.h"
#include "cli/self_check.h"
#include "cli/service.h"
#include "show/show_report.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* At most this much input between two looks at the link, so that neither side starves. */
#define PIECE_BYTES (256u * 1024)
/* With the input waiting, the feed wants to be tended. */
#define TEND_NS (1 * LAI_S)
/* Between two redrawings of the line of progress. */
#define PROGRESS_NS (500 * LAI_MS)

struct sender {
	const struct lai_sender_config *config;
	struct lai_log log;
	struct la_link *link;
	struct lai_feed *feed;
	int signals;
	struct lai_buffer lines; /* stomp://: read and not put yet */
	size_t scanned;		 /* of the lines: no newline before it */
	bool feed_over;		 /* stomp://: the lines are the last */
	bool input_over;
	bool full;	      /* the last look found no room */
	bool stopping;	      /* one signal has come */
	bool waits_for_file;  /* and it was said: the followed name cannot be opened now */
	bool replies_failed;  /* standard output cannot be written; said once */
	uint64_t progress_ns; /* when to redraw; LA_NEVER: never */
	int exit_code;	      /* LAI_EXIT_DONE unless the input was bad */
};

/* What the server says is data, too: it is not thrown away without a word. */
static void write_reply(struct sender *sender, const char *data, size_t size)
{
	while (size > 0 && !sender->replies_failed) {
		struct pollfd slot = {.fd = STDOUT_FILENO, .events = POLLOUT};
		ssize_t wrote = write(STDOUT_FILENO, data, size);

		if (wrote >= 0) {
			data += wrote;
			size -= (size_t)wrote;
		} else if (errno == EAGAIN) {
			(void)poll(&slot, 1, -1);
		} else if (errno != EINTR) {
			sender->replies_failed = true;
			lai_command_complain(sender->log.name,
					     "cannot write replies to standard output: %s",
					     strerror(errno));
		}
	}
}

/* A record that the server refuses is kept elsewhere, or the program ends: it is never just gone. */
static void bury(struct sender *sender, const struct la_refusal *refusal)
{
	const char *path = sender->config->dead_letters;
	struct lai_text words = LAI_TEXT_INIT(LAI_LOG_LINE_MAX);
	int status = lai_dead_letters_add(path, refusal);

	if (status == 0) {
		lai_show_words(&words, refusal->message, strlen(refusal->message));
		lai_log_say(&sender->log, "record %s-%llu is refused and now in %s: %s",
			    refusal->sender, (unsigned long long)refusal->seq, path,
			    lai_text_string(&words));
		lai_text_done(&words);
		return;
	}
	/* The server refuses it again, and there may be room then. */
	*refusal->keep = true;
	lai_log_say(&sender->log,
		    "record %s-%llu is refused and cannot be written to %s: %s; it stays, and is "
		    "tried again",
		    refusal->sender, (unsigned long long)refusal->seq, path, strerror(-status));
}

static void on_event(void *arg, const struct la_event *event)
{
	struct sender *sender = arg;

	lai_log_event(&sender->log, event);
	if (event->kind == LA_EVENT_REFUSED)
		bury(sender, event->refusal);
	if (event->kind == LA_EVENT_RECEIVED && sender->config->replies)
		write_reply(sender, event->data, event->size);
	if (event->kind == LA_EVENT_REPORT && (event->report->cause == LA_CAUSE_PORT_IN_USE ||
					       event->report->cause == LA_CAUSE_TUPLE_IN_USE))
		lai_port_holder_say(&sender->log, sender->config->link.local_port);
}

static void end_input(struct sender *sender, uint64_t timeout_ns)
{
	sender->input_over = true;
	la_link_finish(sender->link, timeout_ns);
}

/* ---- input ------------------------------------------------------------------------------ */

static void refuse_record(struct sender *sender)
{
	char size[LAI_SIZE_TEXT_MAX];

	lai_command_complain(
		sender->log.name,
		"%s: a record is longer than %s (--max-record); it and what follows is not "
		"sent, everything before it is",
		lai_feed_name(sender->feed),
		lai_size_format(size, sender->config->link.record_bytes_max));
	sender->exit_code = LAI_EXIT_USAGE;
	end_input(sender, LA_NEVER);
}

static void input_failed(struct sender *sender)
{
	const char *why = lai_feed_error(sender->feed);

	lai_command_complain(sender->log.name, "%s; what was read before is delivered",
			     why ? why : "the input cannot be read");
	sender->exit_code = LAI_EXIT_FAILED;
	end_input(sender, LA_NEVER);
}

/* A followed name may be missing for a while; once per absence is enough. */
static void say_waiting(struct sender *sender)
{
	const char *why = lai_feed_error(sender->feed);

	if (why && !sender->waits_for_file)
		lai_log_say(&sender->log, "%s; waiting for it", why);
	sender->waits_for_file = why != NULL;
}

/* ---- records one by one ----------------------------------------------------------------- */

/* One record; true: go on with the next. */
static bool put(struct sender *sender, size_t size, size_t used)
{
	int status = la_link_put(sender->link, lai_buffer_data(&sender->lines), size);

	sender->full = status == -EAGAIN;
	if (status == -EAGAIN)
		return false;
	/* It stays where it is: the next run must not go on behind it as if it were done. */
	if (status == -EMSGSIZE) {
		refuse_record(sender);
		return false;
	}
	if (status != 0) {
		lai_command_complain(sender->log.name, "cannot take a record: %s",
				     strerror(-status));
		sender->exit_code = LAI_EXIT_FAILED;
		end_input(sender, LA_NEVER);
	}
	lai_buffer_consume(&sender->lines, used);
	sender->scanned = 0;
	return status == 0;
}

static void put_lines(struct sender *sender)
{
	while (!sender->input_over) {
		size_t size = lai_buffer_used(&sender->lines);
		const char *data = lai_buffer_data(&sender->lines);
		const char *newline = size > sender->scanned ? memchr(data + sender->scanned, '\n',
								      size - sender->scanned)
							     : NULL;

		if (newline) {
			size_t length = (size_t)(newline - data);

			sender->scanned = length;
			if (!put(sender, length, length + 1))
				return;
			continue;
		}
		sender->scanned = size;
		if (size > sender->config->link.record_bytes_max)
			refuse_record(sender);
		else if (sender->feed_over && (size == 0 || put(sender, size, size)))
			end_input(sender, LA_NEVER);
		return;
	}
}

/* What was put goes into the spool together with the place behind it. */
static void note_place(struct sender *sender)
{
	struct lai_feed_place place;
	char text[LAI_FEED_PLACE_MAX];

	if (!sender->config->link.spool.path ||
	    !lai_feed_place(sender->feed, lai_buffer_used(&sender->lines), &place))
		return;
	lai_feed_place_format(text, &place);
	(void)la_link_set_place(sender->link, text);
}

static void read_records(struct sender *sender)
{
	ssize_t got;
	char *room;

	put_lines(sender);
	note_place(sender);
	if (sender->full)
		lai_feed_tend(sender->feed);
	if (sender->full || sender->input_over || sender->feed_over)
		return;
	room = lai_buffer_reserve(&sender->lines, PIECE_BYTES);
	got = room ? lai_feed_read(sender->feed, room, PIECE_BYTES) : -ENOMEM;
	if (got == -EAGAIN) {
		say_waiting(sender);
		return;
	}
	if (got < 0) {
		input_failed(sender);
		return;
	}
	sender->feed_over = got == 0;
	lai_buffer_extend(&sender->lines, (size_t)got);
	put_lines(sender);
	note_place(sender);
}

static void read_input(struct sender *sender)
{
	void *room;
	size_t size = la_link_reserve(sender->link, &room);
	ssize_t got;

	sender->full = size == 0;
	if (sender->full) {
		lai_feed_tend(sender->feed);
		return;
	}
	got = lai_feed_read(sender->feed, room, size < PIECE_BYTES ? size : PIECE_BYTES);
	if (got == -EAGAIN) {
		say_waiting(sender);
		return;
	}
	if (got == 0)
		end_input(sender, LA_NEVER);
	else if (got < 0)
		input_failed(sender);
	else if (la_link_commit(sender->link, (size_t)got) < got)
		refuse_record(sender);
}

/* ---- signals ---------------------------------------------------------------------------- */

static const int wanted_signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP, 0};

static void stop(struct sender *sender, int signal)
{
	char text[LAI_TIME_TEXT_MAX];

	if (signal == SIGINT && sender->stopping) {
		lai_log_say(&sender->log, "interrupted again: aborting");
		la_link_abort(sender->link);
		return;
	}
	sender->stopping = true;
	lai_service_notify("STOPPING=1");
	lai_log_say(&sender->log, "%s: delivering what was accepted, for at most %s%s",
		    strsignal(signal), lai_time_format(text, sender->config->drain_ns),
		    signal == SIGINT ? "; once more aborts" : "");
	end_input(sender, sender->config->drain_ns);
}

static void on_signal(struct sender *sender, int signal)
{
	switch (signal) {
	case SIGUSR1:
		lai_log_status(&sender->log, "status", sender->link, sender->config->link.proof,
			       lai_self_check());
		break;
	case SIGHUP:
		lai_log_reopen(&sender->log);
		lai_feed_reopen(sender->feed);
		break;
	default: stop(sender, signal);
	}
}

static void take_signals(struct sender *sender)
{
	struct signalfd_siginfo info;

	while (read(sender->signals, &info, sizeof(info)) == sizeof(info))
		on_signal(sender, (int)info.ssi_signo);
}

/* ---- the loop --------------------------------------------------------------------------- */

enum { LINK, SIGNALS, INPUT, SLOT_COUNT };

/* Waits for whatever comes first; true: the input has something to say. */
static bool wait_for_work(struct sender *sender)
{
	struct pollfd slots[SLOT_COUNT] = {
		[LINK] = {.fd = la_link_fd(sender->link), .events = POLLIN},
		[SIGNALS] = {.fd = sender->signals, .events = POLLIN},
		[INPUT] = {.fd = -1, .events = POLLIN},
	};
	uint64_t deadline_ns = lai_time_min(la_link_deadline(sender->link), sender->progress_ns);
	bool wants_input = !sender->input_over && !sender->full;

	if (wants_input) {
		slots[INPUT].fd = lai_feed_fd(sender->feed);
		deadline_ns = lai_time_min(deadline_ns, lai_feed_deadline(sender->feed));
	} else if (!sender->input_over) {
		deadline_ns = lai_time_min(deadline_ns, lai_time_after(lai_clock_now(), TEND_NS));
	}
	(void)poll(slots, SLOT_COUNT, lai_clock_timeout_ms(deadline_ns));
	if (slots[SIGNALS].revents)
		take_signals(sender);
	/* Whatever woke us up, there may be room now. */
	if (!wants_input)
		return !sender->input_over;
	return slots[INPUT].revents != 0 || lai_clock_now() >= lai_feed_deadline(sender->feed);
}

static void show_progress(struct sender *sender)
{
	if (sender->progress_ns == LA_NEVER || lai_clock_now() < sender->progress_ns)
		return;
	lai_log_progress(&sender->log, sender->link, sender->config->link.proof);
	sender->progress_ns = lai_time_after(lai_clock_now(), PROGRESS_NS);
}

static void run(struct sender *sender)
{
	sender->progress_ns = sender->log.progress ? lai_clock_now() : LA_NEVER;
	while (la_link_dispatch(sender->link) == 0) {
		bool input;

		show_progress(sender);
		input = wait_for_work(sender);
		/* What woke us up may be what makes room. */
		if (sender->full && la_link_dispatch(sender->link) != 0)
			return;
		if (!input || sender->input_over)
			continue;
		if (sender->config->has_receipts)
			read_records(sender);
		else
			read_input(sender);
	}
}

/* ---- beginning and end ------------------------------------------------------------------ */

static int refuse(const char *name, char *why, int status)
{
	int exit_code = lai_command_refuse(name, "%s", why ? why : strerror(-status));

	/* A spool in use or damaged, a full disk: nothing is wrong with what we were told. */
	if (status == -EBUSY || status == -EBADMSG || status == -ENOSPC || status == -EIO)
		exit_code = LAI_EXIT_FAILED;
	else if (status != -EINVAL && !why)
		exit_code = LAI_EXIT_FAILED;
	free(why);
	return exit_code;
}

static void say_input(struct sender *sender)
{
	struct lai_feed_counts counts;

	lai_feed_counts(sender->feed, &counts);
	if (counts.rotations || counts.truncations)
		lai_log_say(&sender->log, "%s was rotated %llu and truncated %llu times",
			    lai_feed_name(sender->feed), (unsigned long long)counts.rotations,
			    (unsigned long long)counts.truncations);
	if (!sender->input_over)
		lai_log_say(&sender->log, "gave up; the input was not read to its end");
}

/* What is not delivered is not gone: where it is. */
static void say_spool(struct sender *sender, const struct la_totals *totals)
{
	uint64_t waiting = totals->accepted_records - totals->delivered_records -
			   totals->dropped_records - totals->buried_records -
			   totals->abandoned_records;
	const char *path = sender->config->link.spool.path;
	int status = la_link_sync(sender->link);

	if (!path || waiting == 0)
		return;
	if (status == 0)
		lai_log_say(&sender->log,
			    "%llu records wait in %s: the next run with this spool sends them "
			    "first",
			    (unsigned long long)waiting, path);
	else
		lai_command_complain(sender->log.name,
				     "%llu records are not delivered, and not all of them could be "
				     "written to %s: %s",
				     (unsigned long long)waiting, path, strerror(-status));
}

static int conclude(struct sender *sender)
{
	int close_wait = lai_self_check();
	struct la_totals totals;

	la_link_totals(sender->link, &totals);
	say_input(sender);
	say_spool(sender, &totals);
	lai_log_status(&sender->log, "end", sender->link, sender->config->link.proof, close_wait);
	if (close_wait > 0) {
		lai_command_complain(
			sender->log.name,
			"self-check: %d sockets of ours are in CLOSE_WAIT; this is a bug",
			close_wait);
		return LAI_EXIT_FAILED;
	}
	if (sender->log.failed || sender->replies_failed)
		return LAI_EXIT_FAILED;
	if (sender->exit_code != LAI_EXIT_DONE)
		return sender->exit_code;
	/* A link that gave up has not accepted the rest of the input: that is not
	   delivered either. */
	return sender->input_over && totals.delivered_bytes == totals.accepted_bytes &&
			       (!sender->config->has_receipts ||
				totals.delivered_records == totals.accepted_records)
		       ? LAI_EXIT_DONE
		       : LAI_EXIT_FAILED;
}

/* A followed file goes on where the run that left the spool had come to. */
static int open_feed(struct sender *sender, char **why)
{
	struct lai_feed_config feed = sender->config->feed;
	const char *left = la_link_place(sender->link);
	struct lai_feed_place place;
	int status;

	if (feed.follow && lai_feed_place_parse(left, &place))
		feed.resume = &place;
	status = lai_feed_new(&sender->feed, &feed, why);
	if (status == 0 && feed.resume && lai_feed_resumed(sender->feed))
		lai_log_say(&sender->log, "going on with %s at byte %llu", feed.follow,
			    (unsigned long long)place.offset);
	else if (status == 0 && feed.resume)
		lai_log_say(&sender->log,
			    "the file that was followed before is gone; %s is read from its %s",
			    feed.follow, feed.from_end ? "end" : "beginning");
	return status;
}

int lai_sender_run(const char *name, const struct lai_sender_config *config)
{
	struct sender sender = {.config = config, .signals = -1};
	struct la_link_config link_config = config->link;
	char *why = NULL;
	int status, exit_code;

	link_config.on_event = on_event;
	link_config.arg = &sender;
	status = lai_log_open(&sender.log, name, config->json ? "-" : config->report, config->quiet,
			      config->verbose);
	if (status != 0)
		return lai_command_refuse(name, "cannot open the report file %s: %s",
					  config->report, strerror(-status));
	sender.log.replies_shown = config->replies;
	sender.log.perhaps_tls = config->has_receipts &&
				 strncmp(config->link.urls[0], "stomp:", strlen("stomp:")) == 0;
	/* First: a spool may take its time to open, and a signal meanwhile is one to us. */
	sender.signals = lai_command_signals(wanted_signals);
	status =
		sender.signals < 0 ? sender.signals : la_link_new(&sender.link, &link_config, &why);
	if (status == 0)
		status = open_feed(&sender, &why);
	if (status == 0) {
		lai_service_notify("READY=1");
		run(&sender);
		exit_code = conclude(&sender);
	} else {
		exit_code = refuse(name, why, status);
	}
	if (sender.signals >= 0)
		(void)close(sender.signals);
	lai_feed_free(sender.feed);
	lai_buffer_done(&sender.lines);
	la_link_free(sender.link);
	lai_log_close(&sender.log);
	return exit_code;
}
