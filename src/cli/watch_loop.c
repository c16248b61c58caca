/* SPDX-License-Identifier: MIT */
#include "cli/watch_loop.h"

#include "base/clock.h"
#include "cli/command.h"
#include "show/show_table.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A page of a million sockets is below it; beyond it something runs away. */
#define PAGE_MAX (1ull << 30)
/* Written at once: large enough that the calls cost nothing, small beside everything else. */
#define CHUNK_BYTES (128u * 1024)
/* Rounds closer than this would only measure themselves. */
#define PERIOD_MIN_NS (100 * LAI_MS)
/* What a terminal has that does not tell its size. */
#define SCREEN_COLUMNS 80
#define SCREEN_LINES 24

#define CLEAR_SCREEN "\033[2J\033[H"
#define ESCAPE '\033'

static const int wanted_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, 0};

struct loop {
	const char *name;
	const struct lai_watch_settings *settings;
	struct lai_watch_page page;
	unsigned screen_lines;
	size_t lines_before; /* drawn last */
	int signals;	     /* descriptor; -1: none are taken */
	bool stop;
};

/* ---- writing ------------------------------------------------------------------------------ */

/* All of it, or a negative errno. */
static int write_out(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, data, size);

		if (written >= 0) {
			data += written;
			size -= (size_t)written;
		} else if (errno == EAGAIN) {
			struct pollfd wait = {.fd = fd, .events = POLLOUT};

			(void)poll(&wait, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* Empties the text; the first failure stays in the page. */
static void page_write(struct lai_watch_page *page, struct lai_text *text)
{
	if (page->error == 0)
		page->error = text->error;
	if (page->error == 0)
		page->error = write_out(STDOUT_FILENO, lai_text_string(text), text->length);
	lai_text_done(text);
}

void lai_watch_page_pass(struct lai_watch_page *page)
{
	if (page->text.length >= CHUNK_BYTES && !page->drawn)
		page_write(page, &page->text);
}

void lai_watch_page_pass_text(struct lai_watch_page *page, struct lai_text *text)
{
	if (page->drawn) {
		lai_text_append_bytes(&page->text, lai_text_string(text), text->length);
		lai_text_done(text);
	} else if (text->length >= CHUNK_BYTES) {
		page_write(page, &page->text);
		page_write(page, text);
	}
}

static void end_line(struct lai_text *text)
{
	if (text->length > 0 && text->data[text->length - 1] != '\n')
		lai_text_append(text, "\n");
}

/* ---- a screen ----------------------------------------------------------------------------- */

/* Lines that the screen needs for the line at *line, which may be longer than it is wide; *line is
   then the next one. Attributes (ESC [ ... letter) take no place, nor do later bytes of UTF-8. */
static size_t line_height(const char **line, unsigned columns)
{
	const char *at = *line;
	size_t places = 0;

	while (*at && *at != '\n') {
		if (*at == ESCAPE)
			at += 1 + strspn(at + 1, "[0123456789;");
		else
			places += ((unsigned char)*at & 0xc0) != 0x80;
		at += *at && *at != '\n';
	}
	*line = *at ? at + 1 : at;
	return places == 0 ? 1 : (places + columns - 1) / columns;
}

static size_t lines_height(const char *lines, unsigned columns)
{
	size_t height = 0;

	while (*lines)
		height += line_height(&lines, columns);
	return height;
}

/* Appends as many lines of the page as there is room for, and how many are missing. */
static void append_cut(struct lai_text *screen, const char *lines, size_t room, unsigned columns)
{
	const char *at = lines, *fitting = lines;
	size_t height = 0, left = 0;

	if (lines_height(lines, columns) <= room) {
		lai_text_append_bytes(screen, lines, strlen(lines));
		return;
	}
	while (*at) {
		height += line_height(&at, columns);
		if (height + 1 <= room) /* one is for what says that there are more */
			fitting = at;
		else
			left++;
	}
	lai_text_append_bytes(screen, lines, (size_t)(fitting - lines));
	lai_text_append(screen, "(%zu more lines do not fit)\n", left);
}

/* The cursor waits on a line of its own below, which must not scroll. */
static void draw(struct loop *loop)
{
	struct lai_watch_page *page = &loop->page;
	struct lai_text screen, out;
	size_t notes, room;

	lai_text_init(&screen, PAGE_MAX);
	lai_text_init(&out, PAGE_MAX);
	notes = lines_height(lai_text_string(&page->notes), page->columns);
	room = loop->screen_lines > notes + 2 ? loop->screen_lines - 1 - notes : 2;
	append_cut(&screen, lai_text_string(&page->text), room, page->columns);
	lai_text_append_bytes(&screen, lai_text_string(&page->notes), page->notes.length);
	if (page->round == 0)
		lai_text_append(&out, CLEAR_SCREEN);
	lai_show_again(&out, lai_text_string(&screen), loop->lines_before);
	loop->lines_before = lines_height(lai_text_string(&screen), page->columns);
	if (page->error == 0)
		page->error = screen.error;
	page_write(page, &out);
	lai_text_done(&screen);
	lai_text_done(&page->text);
}

static void measure(struct loop *loop)
{
	struct lai_watch_page *page = &loop->page;
	struct winsize size = {0};

	page->terminal = isatty(STDOUT_FILENO) == 1;
	if (!page->terminal)
		return;
	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	page->columns = size.ws_col ? size.ws_col : SCREEN_COLUMNS;
	loop->screen_lines = size.ws_row ? size.ws_row : SCREEN_LINES;
}

/* ---- rounds ------------------------------------------------------------------------------- */

static void finish_page(struct loop *loop)
{
	struct lai_watch_page *page = &loop->page;

	end_line(&page->notes);
	if (page->error == 0)
		page->error = page->text.error;
	if (page->drawn) {
		draw(loop);
	} else {
		page_write(page, &page->text);
		if (page->error == 0)
			(void)write_out(STDERR_FILENO, lai_text_string(&page->notes),
					page->notes.length);
	}
	lai_text_done(&page->notes);
	page->round++;
}

static void take_signals(struct loop *loop)
{
	struct signalfd_siginfo info;

	while (read(loop->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGWINCH) {
			loop->stop = true;
			continue;
		}
		if (loop->page.drawn) {
			(void)write_out(STDOUT_FILENO, CLEAR_SCREEN, strlen(CLEAR_SCREEN));
			loop->lines_before = 0;
		}
	}
}

/* Until the deadline, or until there is a reason not to go on. */
static void pause_until(struct loop *loop, uint64_t deadline_ns)
{
	struct pollfd wait[] = {
		{.fd = loop->signals, .events = POLLIN},
		{.fd = STDOUT_FILENO}, /* POLLERR: the reader has gone */
	};

	/* Once in any case: a look may take longer than the pause, and a signal is to end that too. */
	do {
		if (poll(wait, 2, lai_clock_timeout_ms(deadline_ns)) <= 0)
			continue;
		if (wait[1].revents & (POLLERR | POLLNVAL))
			loop->page.error = -EPIPE;
		take_signals(loop);
	} while (!loop->stop && loop->page.error == 0 && lai_clock_now() < deadline_ns);
}

static bool once(const struct lai_watch_settings *settings)
{
	return settings->period_ns == 0 || settings->period_ns == LA_NEVER;
}

static int run_rounds(struct loop *loop, lai_watch_round *round, void *arg)
{
	const struct lai_watch_settings *settings = loop->settings;
	struct lai_watch_page *page = &loop->page;
	int exit_code;

	for (;;) {
		uint64_t next_ns = lai_time_after(lai_clock_now(), settings->period_ns);

		measure(loop);
		if (page->round > 0 && !page->drawn && !settings->joined)
			lai_text_append(&page->text, "\n");
		exit_code = round(arg, page);
		finish_page(loop);
		if (page->error || once(settings) || page->round == settings->rounds ||
		    (exit_code != LAI_EXIT_DONE && exit_code != LAI_EXIT_FAILED))
			return exit_code;
		pause_until(loop, next_ns);
		if (loop->stop || page->error)
			return exit_code;
	}
}

int lai_watch_loop_run(const char *name, const struct lai_watch_settings *settings,
		       lai_watch_round *round, void *arg)
{
	struct loop loop = {.name = name, .settings = settings, .signals = -1};
	int exit_code;

	lai_text_init(&loop.page.text, PAGE_MAX);
	lai_text_init(&loop.page.notes, PAGE_MAX);
	measure(&loop);
	loop.page.drawn = loop.page.terminal && !once(settings) && !settings->joined;
	if (!once(settings))
		loop.signals = lai_command_signals(wanted_signals);
	exit_code = run_rounds(&loop, round, arg);
	if (loop.page.error && loop.page.error != -EPIPE)
		lai_command_complain(name, "cannot write to standard output: %s",
				     strerror(-loop.page.error));
	if (loop.page.error)
		exit_code = LAI_EXIT_FAILED;
	lai_text_done(&loop.page.text);
	lai_text_done(&loop.page.notes);
	if (loop.signals >= 0)
		(void)close(loop.signals);
	return exit_code;
}

const char *lai_watch_period_wrong(uint64_t period_ns)
{
	if (period_ns < PERIOD_MIN_NS)
		return "--watch needs a time between two looks, of 100ms or more, such as 2s";
	return NULL;
}
