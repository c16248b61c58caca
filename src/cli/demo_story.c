/* SPDX-License-Identifier: MIT */
#include "cli/demo_story.h"

#include "base/clock.h"
#include "show/show_table.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Quick enough that the leak becomes a heap while one looks on, slow enough for any machine. */
#define RECORDS_PER_SECOND 60
#define TICK_NS (LAI_S / RECORDS_PER_SECOND)
/* A sample and a picture five times a second. */
#define TICKS_PER_SAMPLE (RECORDS_PER_SECOND / 5)
/* After a pause (Ctrl-Z, a suspend) the records of that time are not made up for. */
#define LAG_NS_MAX LAI_S
/* How long the clients may take to end once their input has. */
#define END_NS (10 * LAI_S)
/* How long the kernel may take to end what got its FIN: one round trip on loopback. */
#define MEND_NS (3 * LAI_S)
#define PICTURE_BYTES_MAX (64u * 1024)

#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"

struct phase {
	enum lai_demo_fault fault;
	uint32_t after_records;
	uint64_t length_ns, fast_ns;
	const char *sentence; /* fits into LAI_TABLE_WIDTH with its number */
};

static const struct phase phases[] = {
	{LAI_DEMO_SERVE, 0, 4 * LAI_S, 800 * LAI_MS, "The server reads what is sent."},
	{LAI_DEMO_CLOSE, 2, 11 * LAI_S, 2000 * LAI_MS,
	 "The server closes after every second record: it sends its FIN."},
	{LAI_DEMO_RESET, 10, 4 * LAI_S, 800 * LAI_MS,
	 "The server resets after every tenth record: RST instead of FIN."},
	{LAI_DEMO_FREEZE, 0, 6 * LAI_S, 1800 * LAI_MS,
	 "The server's program is frozen; its kernel answers, its window closes."},
	{LAI_DEMO_SERVE, 0, 4 * LAI_S, 600 * LAI_MS,
	 "The server's program runs again and reads what has piled up."},
	{LAI_DEMO_VANISH, 0, 5 * LAI_S, 1000 * LAI_MS,
	 "The server has gone: connections closed, nothing listens at its port."},
	{LAI_DEMO_SERVE, 0, 5 * LAI_S, 1000 * LAI_MS, "The server is back and reads."},
};

#define PHASE_COUNT (sizeof(phases) / sizeof(phases[0]))
/* After them comes the doctor, then the end. */
#define LINES_TOLD (PHASE_COUNT + 2)

static uint64_t phase_length(const struct lai_demo_story *story, const struct phase *phase)
{
	return story->fast ? phase->fast_ns : phase->length_ns;
}

/* ---- telling and drawing ------------------------------------------------------------------ */

static void say(struct lai_demo_story *story, const char *text)
{
	(void)fputs(text, story->out);
	/* The reader of a pipe has gone: nobody listens any more. */
	if (fflush(story->out) != 0 && errno == EPIPE && !story->stopped_by)
		story->stopped_by = SIGPIPE;
}

static bool terminal_fits(const struct lai_demo_story *story, size_t lines)
{
	struct winsize size = {0};

	return ioctl(fileno(story->out), TIOCGWINSZ, &size) == 0 && size.ws_col > LAI_TABLE_WIDTH &&
	       size.ws_row > lines;
}

static void draw(struct lai_demo_story *story)
{
	struct lai_text picture = LAI_TEXT_INIT(PICTURE_BYTES_MAX),
			change = LAI_TEXT_INIT(PICTURE_BYTES_MAX);
	size_t lines = lai_demo_board_table(&picture, &story->board);

	/* One that became too small would be left in disorder. */
	if (terminal_fits(story, lines)) {
		lai_show_again(&change, lai_text_string(&picture), story->lines_drawn);
		story->lines_drawn = lines;
		say(story, lai_text_string(&change));
	}
	lai_text_done(&picture);
	lai_text_done(&change);
}

static bool is_terminal(const struct lai_demo_story *story)
{
	const char *name = getenv("TERM");

	return isatty(fileno(story->out)) && name && *name && strcmp(name, "dumb") != 0;
}

static void begin(struct lai_demo_story *story)
{
	struct lai_text picture = LAI_TEXT_INIT(PICTURE_BYTES_MAX);
	const char *colourless = getenv("NO_COLOR");
	char title[128];

	story->board = (struct lai_demo_board){.sides = story->sides,
					       .side_count = story->side_count,
					       .space = story->space,
					       .story = ""};
	for (size_t i = 0; i < PHASE_COUNT; i++)
		story->board.length_ns += phase_length(story, &phases[i]);
	story->live = is_terminal(story) &&
		      terminal_fits(story, lai_demo_board_table(&picture, &story->board));
	story->board.styled = story->live && !(colourless && *colourless);
	lai_text_done(&picture);
	(void)snprintf(title, sizeof(title), "lastack demo, %s\n",
		       lai_demo_space_sentence(story->space));
	say(story, story->live ? HIDE_CURSOR : title);
	story->begin_ns = story->next_tick_ns = lai_clock_now();
}

static void tell(struct lai_demo_story *story, size_t number, const char *sentence)
{
	char line[sizeof(story->line) + 32];

	(void)snprintf(story->line, sizeof(story->line), "%zu/%zu  %s", number, LINES_TOLD,
		       sentence);
	story->board.story = story->line;
	(void)snprintf(line, sizeof(line), "%3llu s  %s\n",
		       (unsigned long long)(story->board.elapsed_ns / LAI_S), story->line);
	if (!story->live)
		say(story, line);
}

/* ---- the loop ----------------------------------------------------------------------------- */

static int sample(struct lai_demo_story *story)
{
	int error = 0;

	for (size_t i = 0; i < story->side_count && !error; i++)
		error = lai_demo_side_sample(&story->sides[i]);
	/* The tables changed under our hands; the next look will succeed. */
	if (error == -EAGAIN)
		error = 0;
	if (!error && story->live)
		draw(story);
	return error;
}

static void give(struct lai_demo_story *story)
{
	char record[LAI_DEMO_RECORD_MAX];
	size_t length;

	if (story->records->next == LAI_DEMO_RECORDS_MAX)
		return;
	length = lai_demo_records_next(
		story->records, (double)lai_time_since(story->begin_ns, lai_clock_now()) / 1e9,
		record);
	for (size_t i = 0; i < story->side_count; i++)
		lai_demo_client_give(&story->sides[i].client, record, length);
}

/* A sample comes right before a record: then the one before has had its time to arrive. */
static int tick(struct lai_demo_story *story, bool giving)
{
	uint64_t now_ns = lai_clock_now();
	int error = 0;

	if (now_ns < story->next_tick_ns)
		return 0;
	story->next_tick_ns += TICK_NS;
	if (lai_time_since(story->next_tick_ns, now_ns) > LAG_NS_MAX)
		story->next_tick_ns = now_ns;
	story->board.elapsed_ns = now_ns - story->begin_ns;
	if (story->ticks++ % TICKS_PER_SAMPLE == 0)
		error = sample(story);
	if (giving && !error)
		give(story);
	return error;
}

static void take_signals(struct lai_demo_story *story)
{
	struct signalfd_siginfo info;

	while (read(story->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD && !story->stopped_by)
			story->stopped_by = (int)info.ssi_signo;
	for (size_t i = 0; i < story->side_count; i++)
		lai_demo_client_reap(&story->sides[i].client);
}

enum {
	SIGNALS,
	FIRST_SIDE,
	SLOTS_PER_SIDE = 2,
	SIDES_MAX = 2,
	SLOT_COUNT = FIRST_SIDE + SIDES_MAX * SLOTS_PER_SIDE
};

static void wait_for_work(struct lai_demo_story *story, uint64_t deadline_ns)
{
	struct pollfd slots[SLOT_COUNT], *slot = &slots[FIRST_SIDE];

	slots[SIGNALS] = (struct pollfd){.fd = story->signals, .events = POLLIN};
	for (size_t i = 0; i < story->side_count; i++) {
		const struct lai_demo_client *client = &story->sides[i].client;
		bool full = lai_ring_used(&client->queue) > 0;

		*slot++ = (struct pollfd){.fd = client->output, .events = POLLIN};
		*slot++ = (struct pollfd){.fd = full ? client->input : -1, .events = POLLOUT};
	}
	(void)poll(slots, (nfds_t)(slot - slots),
		   lai_clock_timeout_ms(lai_time_min(deadline_ns, story->next_tick_ns)));
	take_signals(story);
	for (size_t i = 0; i < story->side_count; i++) {
		lai_demo_client_listen(&story->sides[i].client);
		lai_demo_client_push(&story->sides[i].client);
	}
}

static int run_until(struct lai_demo_story *story, uint64_t deadline_ns)
{
	int error = 0;

	while (!error && !story->stopped_by && lai_clock_now() < deadline_ns) {
		wait_for_work(story, deadline_ns);
		error = tick(story, true);
	}
	return error;
}

/* ---- the phases --------------------------------------------------------------------------- */

static int run_phases(struct lai_demo_story *story)
{
	uint64_t deadline_ns = story->begin_ns;
	int error = 0;

	for (size_t i = 0; i < PHASE_COUNT && !error && !story->stopped_by; i++) {
		for (size_t side = 0; side < story->side_count; side++)
			lai_demo_server_order(&story->sides[side].server, phases[i].fault,
					      phases[i].after_records);
		tell(story, i + 1, phases[i].sentence);
		deadline_ns += phase_length(story, &phases[i]);
		error = run_until(story, deadline_ns);
	}
	return error;
}

/* All have ended, and what they left in the kernel's hands has been read. */
static bool is_over(const struct lai_demo_story *story)
{
	for (size_t i = 0; i < story->side_count; i++)
		if (!story->sides[i].client.ended || story->sides[i].queued_bytes > 0)
			return false;
	return true;
}

static void note_what_is_left(struct lai_demo_story *story)
{
	for (size_t i = 0; i < story->side_count; i++) {
		struct lai_demo_side *side = &story->sides[i];

		side->close_wait_left = side->held.by_state[LAI_TCP_CLOSE_WAIT];
		side->fds_left = side->held.fds;
	}
}

/* The naive client's leak gets its name, and its FINs; the last side is lastack's and needs none. */
static int run_doctor(struct lai_demo_story *story)
{
	struct lai_demo_side *naive = &story->sides[0];
	uint64_t deadline_ns;
	int error = sample(story);

	note_what_is_left(story);
	if (error || story->side_count < 2)
		return error;
	tell(story, PHASE_COUNT + 1, "The doctor looks at the naive client; close sends its FINs.");
	error = lai_demo_doctor_treat(&story->treatment, naive->client.pid);
	deadline_ns = lai_time_after(lai_clock_now(), MEND_NS);
	while (!error && !story->stopped_by && lai_clock_now() < deadline_ns) {
		error = sample(story);
		if (naive->held.by_state[LAI_TCP_CLOSE_WAIT] == 0)
			break;
		wait_for_work(story, deadline_ns);
		error = error ? error : tick(story, false);
	}
	story->treatment.close_wait_after = naive->held.by_state[LAI_TCP_CLOSE_WAIT];
	story->treatment.fds_after = naive->held.fds;
	return error;
}

static int run_end(struct lai_demo_story *story)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), END_NS);
	int error;

	tell(story, LINES_TOLD, "The input has ended: the clients finish what they have.");
	error = sample(story);
	for (size_t i = 0; i < story->side_count; i++)
		lai_demo_client_finish(&story->sides[i].client);
	while (!error && !story->stopped_by && !is_over(story) && lai_clock_now() < deadline_ns) {
		wait_for_work(story, deadline_ns);
		error = tick(story, false);
	}
	return error;
}

int lai_demo_story_run(struct lai_demo_story *story)
{
	int error;

	begin(story);
	error = run_phases(story);
	if (!error && !story->stopped_by)
		error = run_doctor(story);
	if (!error && !story->stopped_by)
		error = run_end(story);
	if (story->live)
		say(story, SHOW_CURSOR "\n");
	return error;
}
