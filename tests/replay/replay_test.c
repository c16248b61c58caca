/* SPDX-License-Identifier: MIT */
/*
 * replay_test.c - a la_link against a real server on loopback that resets it again and again: does
 * what the server's program read, put one connection behind the other, make the stream?
 *
 * Each run draws everything from its seed: sizes, pieces, buffers, where each connection ends and
 * how. COUNT runs (1000) from SEED (1) on; COUNT=1 SEED=417 repeats the plan of one of them.
 *
 *     stream     |------------------------------------------------------------|  total
 *     connection 1 |=========|                    read by the server's program
 *     connection 2         |=======|              starts below the end of 1: received twice
 *     connection 3                     |======|   starts above the end of 2: lost
 *
 * Where a connection starts is found from the bytes alone: each byte tells its place. What is lost
 * between two connections must be within the interval of the report that the first one left.
 */
#include "base/time.h"
#include "server.h"

#include <lastack/link.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define COUNT_DEFAULT 1000
#define RUNS_MANY 100
/* A run takes milliseconds; one that takes this long hangs. */
#define RUN_NS (30 * LAI_S)
/* Byte by byte would be slow. */
#define SUBMITS_MAX 20000
#define RECORD_MAX 3000
#define RECORD_MIN 16 /* the number, a blank and a newline */

/* What is sent, and how a place in it is recognised. */
struct stream {
	char *bytes;
	uint64_t size;
	/* The place that these bytes come from, -1: they do not tell, -2: they come from nowhere.
	 */
	int64_t (*place)(const struct stream *stream, const char *bytes, size_t size);
	uint64_t *records; /* where each begins, lines only */
	uint64_t record_count;
};

struct run {
	uint64_t seed;
	struct stream stream;
	struct server server;
	struct la_report reports[CONNECTIONS_MAX]; /* of connections, in their order */
	int report_count;
	struct la_totals totals;
};

/* Summed over all runs: shows that the cases meant are the cases met. */
struct sums {
	uint64_t runs, resets, lost_bytes, lossy, duplicated_bytes, in_flight, bounded;
};

/* ---- streams ----------------------------------------------------------------------------------
 */

/* Words of eight bytes: one with the top bit set, then the word's number in digits of seven bits.
 */
static char raw_byte(uint64_t place, uint64_t seed)
{
	unsigned digit = place % 8;

	return (char)(digit == 0 ? 0x80 | (seed & 0x7f) : (place / 8) >> (7 * (digit - 1)) & 0x7f);
}

static int64_t raw_place(const struct stream *stream, const char *bytes, size_t size)
{
	uint64_t word = 0;
	size_t skip = 0;

	while (skip < size && !(bytes[skip] & 0x80))
		skip++;
	if (skip + 8 > size)
		return -1;
	for (unsigned digit = 1; digit < 8; digit++)
		word |= (uint64_t)(unsigned char)bytes[skip + digit] << (7 * (digit - 1));
	if (word * 8 < skip || word * 8 - skip + size > stream->size)
		return -2;
	return (int64_t)(word * 8 - skip);
}

static void make_raw(struct stream *stream, struct lai_random *random, uint64_t size)
{
	uint64_t seed = lai_random_next(random);

	*stream = (struct stream){.bytes = malloc(size), .size = size, .place = raw_place};
	assert_non_null(stream->bytes);
	for (uint64_t i = 0; i < size; i++)
		stream->bytes[i] = raw_byte(i, seed);
}

/* A connection must begin with a record: that none is split rests on this and on the comparison. */
static int64_t lines_place(const struct stream *stream, const char *bytes, size_t size)
{
	char digits[13] = "";
	uint64_t record;

	if (size < RECORD_MIN)
		return -1;
	memcpy(digits, bytes, sizeof(digits) - 1);
	record = strtoull(digits, NULL, 10);
	if (strspn(digits, "0123456789") != sizeof(digits) - 1 || record >= stream->record_count ||
	    stream->records[record] + size > stream->size)
		return -2;
	return (int64_t)stream->records[record];
}

static void make_lines(struct stream *stream, struct lai_random *random, uint64_t size)
{
	uint64_t place = 0;

	*stream = (struct stream){.bytes = malloc(size + RECORD_MAX),
				  .records = calloc(size / RECORD_MIN + 1, sizeof(uint64_t)),
				  .place = lines_place};
	assert_true(stream->bytes && stream->records);
	while (place < size) {
		uint64_t length = RECORD_MIN + lai_random_below(random, RECORD_MAX - RECORD_MIN);
		char *record = stream->bytes + place, number[32];
		int digits =
			snprintf(number, sizeof(number), "%012" PRIu64 " ", stream->record_count);

		memset(record, 'a' + (int)lai_random_below(random, 26), length);
		memcpy(record, number, (size_t)digits);
		record[length - 1] = '\n';
		stream->records[stream->record_count++] = place;
		place += length;
	}
	stream->size = place;
}

/* ---- one run ----------------------------------------------------------------------------------
 */

static uint64_t now_ns(void)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * LAI_S + (uint64_t)ts.tv_nsec;
}

static void on_event(void *arg, const struct la_event *event)
{
	struct run *run = arg;

	if (event->kind == LA_EVENT_REPORT && event->report->connected &&
	    run->report_count < CONNECTIONS_MAX)
		run->reports[run->report_count++] = *event->report;
}

static struct la_link *open_link(struct run *run, const char *scheme, struct lai_random *random)
{
	static char url[64];
	static const char *const urls[] = {url};
	struct la_link_config config;
	struct la_link *link;

	snprintf(url, sizeof(url), "%s://127.0.0.1:%d", scheme,
		 ntohs(run->server.address.sin_port));
	la_link_config_default(&config);
	config.urls = urls;
	config.url_count = 1;
	config.buffer_bytes = (size_t)16384 << lai_random_below(random, 10);
	config.record_bytes_max = RECORD_MAX;
	config.backoff_min_ns = config.backoff_max_ns = 0;
	config.no_delay = lai_random_below(random, 2);
	config.seed = run->seed;
	config.on_event = on_event;
	config.arg = run;
	assert_int_equal(la_link_new(&link, &config, NULL), 0);
	return link;
}

static void wait_for_link(const struct la_link *link)
{
	struct pollfd slot = {.fd = la_link_fd(link), .events = POLLIN};
	uint64_t now = now_ns(), left_ns = lai_time_since(now, la_link_deadline(link));

	(void)poll(&slot, 1, (int)lai_time_min((left_ns + LAI_MS - 1) / LAI_MS, 1000));
}

/* Hands the stream over in pieces and lets the link run to its end; false: it hangs. */
static bool send_stream(struct la_link *link, const struct stream *stream,
			struct lai_random *random)
{
	uint64_t given = 0, by_ns = now_ns() + RUN_NS;
	uint64_t piece_max = 1 + stream->size / SUBMITS_MAX + lai_random_below(random, PIECE_MAX);
	bool finished = false;

	while (now_ns() < by_ns) {
		uint64_t piece = 1 + lai_random_below(random, piece_max),
			 left = stream->size - given;
		ssize_t n = 0;

		/* First dispatch, then submit, then wait: a dispatch may be what makes room. */
		if (la_link_dispatch(link) == 1)
			return true;
		if (left > 0)
			n = la_link_submit(link, stream->bytes + given,
					   piece < left ? piece : left);
		else if (!finished)
			la_link_finish(link, LA_NEVER);
		if (n > 0 || (left == 0 && !finished)) {
			given += (uint64_t)n;
			finished = left == 0;
			continue;
		}
		wait_for_link(link);
	}
	return false;
}

static void print_run(const struct run *run)
{
	print_message("# seed %" PRIu64 ": %" PRIu64 " bytes\n", run->seed, run->stream.size);
	for (int i = 0; i < run->server.count; i++) {
		const struct connection *connection = &run->server.connections[i];
		const struct la_report *report = &run->reports[i];

		print_message("# connection %d (%s%s): read %zu from %" PRId64
			      "; report: %s, written %" PRIu64 ", acked %" PRIu64
			      ", lost <= %" PRIu64 ", duplicated <= %" PRIu64 "\n",
			      i + 1,
			      connection->ending == END_DRAINED	 ? "drained"
			      : connection->ending == END_UNREAD ? "unread"
								 : "proper",
			      connection->eof ? ", EOF" : "", connection->size,
			      run->stream.place(&run->stream, connection->data, connection->size),
			      la_cause_name(report->cause), report->written_bytes,
			      report->acked_bytes, report->lost.max_bytes,
			      report->duplicated.max_bytes);
	}
}

#define HOLDS(run, condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			print_run(run);                                                            \
			fail_msg("seed %" PRIu64 ": not so: %s", (run)->seed, #condition);         \
		}                                                                                  \
	} while (0)

static void end_run(struct run *run)
{
	server_free(&run->server);
	free(run->stream.bytes);
	free(run->stream.records);
}

static void make_run(struct run *run, const char *scheme, int rcvbuf_bytes,
		     struct lai_random *random)
{
	struct la_link *link;
	bool ended;
	int status;

	HOLDS(run, server_start(&run->server, rcvbuf_bytes));
	link = open_link(run, scheme, random);
	ended = send_stream(link, &run->stream, random);
	status = la_link_wait(link, 0);
	la_link_totals(link, &run->totals);
	la_link_free(link);
	server_stop(&run->server);
	HOLDS(run, ended);
	HOLDS(run, status == 0);
	HOLDS(run, !run->server.failed);
	HOLDS(run, run->report_count == run->server.count);
	HOLDS(run, run->totals.accepted_bytes == run->stream.size);
	HOLDS(run, run->totals.delivered_bytes == run->stream.size);
}

/* ---- what must hold ---------------------------------------------------------------------------
 */

/* Nothing missing, nothing twice: the connections' bytes in a row are the stream. */
static void check_exact(struct run *run)
{
	uint64_t end = 0;

	for (int i = 0; i < run->server.count; i++) {
		const struct connection *connection = &run->server.connections[i];

		HOLDS(run, end + connection->size <= run->stream.size);
		HOLDS(run,
		      connection->size == 0 || memcmp(run->stream.bytes + end, connection->data,
						      connection->size) == 0);
		end += connection->size;
	}
	HOLDS(run, end == run->stream.size);
}

/* From here to there nobody read anything: was the sender's report ready for that? */
static void check_gap(struct run *run, struct sums *sums, uint64_t from, uint64_t to,
		      uint64_t lost_max)
{
	uint64_t lost = to > from ? to - from : 0;

	HOLDS(run, lost <= lost_max);
	sums->lost_bytes += lost;
	sums->lossy += lost > 0;
}

/* Gaps within the intervals, and everything that was read is what was sent. */
static void check_intervals(struct run *run, struct sums *sums)
{
	const struct stream *stream = &run->stream;
	uint64_t end = 0, lost_max = 0, read = 0, lost_before = sums->lost_bytes;

	for (int i = 0; i < run->server.count; i++) {
		const struct connection *connection = &run->server.connections[i];
		int64_t first = stream->place(stream, connection->data, connection->size);

		HOLDS(run, first != -2);
		if (first >= 0) {
			HOLDS(run, memcmp(stream->bytes + first, connection->data,
					  connection->size) == 0);
			check_gap(run, sums, end, (uint64_t)first, lost_max);
			if ((uint64_t)first + connection->size > end)
				end = (uint64_t)first + connection->size;
			lost_max = 0;
			read += connection->size;
		}
		/* Read to where it was acknowledged: nothing is lost, whatever may be feared. */
		if (connection->ending != END_DRAINED)
			lost_max += run->reports[i].lost.max_bytes;
	}
	check_gap(run, sums, end, stream->size, lost_max);
	read -= stream->size - (sums->lost_bytes - lost_before);
	HOLDS(run, sums->lost_bytes - lost_before <= run->totals.lost.max_bytes);
	HOLDS(run, read <= run->totals.duplicated.max_bytes);
	sums->duplicated_bytes += read;
}

static void add_up(const struct run *run, struct sums *sums)
{
	sums->runs++;
	for (int i = 0; i < run->server.count; i++) {
		const struct la_report *report = &run->reports[i];

		if (run->server.connections[i].ending == END_PROPER)
			continue;
		sums->resets++;
		sums->in_flight += report->duplicated.max_bytes > 0;
		sums->bounded += report->lost.max_bytes < report->acked_bytes;
	}
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static void say(const struct sums *sums)
{
	print_message("# seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " resets, %" PRIu64
		      " of them with bytes in flight, %" PRIu64
		      " with an interval narrower than what was acknowledged\n"
		      "# %" PRIu64 " bytes lost at %" PRIu64 " of them, %" PRIu64
		      " received twice\n",
		      setting("SEED", 1), setting("SEED", 1) + sums->runs - 1, sums->resets,
		      sums->in_flight, sums->bounded, sums->lost_bytes, sums->lossy,
		      sums->duplicated_bytes);
}

/* With few runs nothing can be said about how often a case is met. */
static void assert_often(const struct sums *sums, uint64_t times, uint64_t at_least)
{
	if (sums->runs >= RUNS_MANY)
		assert_true(times >= at_least);
}

/* The runs of one test: how they are drawn stands in the caller's plan. */
static void make_runs(const struct run *plan, const char *scheme,
		      void (*make)(struct stream *, struct lai_random *, uint64_t),
		      struct sums *sums)
{
	uint64_t count = setting("COUNT", COUNT_DEFAULT), seed = setting("SEED", 1);
	bool exact = !plan->server.unread && !plan->stream.place;

	stay_on_cpu(0);
	for (; count > 0; count--, seed++) {
		struct lai_random random = {.state = seed};
		/* With less the window is below half an MSS of loopback: a segment each 200 ms. */
		int rcvbuf = plan->server.unread ? 16384 << lai_random_below(&random, 6) : 0;
		uint64_t size = (plan->server.unread ? 400000 : 20000) +
				lai_random_below(&random, plan->server.unread ? 1200000 : 400000);
		struct run run = *plan;

		run.seed = seed;
		run.server.random.state = lai_random_next(&random);
		run.server.resets = 1 + (int)lai_random_below(&random, plan->server.unread ? 4 : 2);
		run.server.read_max = size / 2;
		make(&run.stream, &random, size);
		make_run(&run, scheme, rcvbuf, &random);
		if (exact)
			check_exact(&run);
		else
			check_intervals(&run, sums);
		add_up(&run, sums);
		end_run(&run);
	}
	say(sums);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void drained_is_exact(void **state)
{
	static struct run plan = {.server.drained = true};
	struct sums sums = {0};

	(void)state;
	if (!barrier_exists()) {
		print_message("# this kernel has no membarrier(GLOBAL): no exact reset\n");
		skip();
	}
	make_runs(&plan, "tcp", make_raw, &sums);
	assert_often(&sums, sums.resets, sums.runs / 2);
	assert_often(&sums, sums.in_flight, sums.resets / 2);
}

static void killed_is_within_the_interval(void **state)
{
	static struct run plan = {.server.unread = true};
	struct sums sums = {0};

	(void)state;
	make_runs(&plan, "tcp", make_raw, &sums);
	assert_often(&sums, sums.lossy, sums.resets / 2);
	assert_often(&sums, sums.bounded, sums.resets / 4);
}

static void records_stay_whole(void **state)
{
	static struct run plan = {.server = {.unread = true, .drained = true}};
	struct sums sums = {0};

	(void)state;
	plan.server.drained = barrier_exists();
	make_runs(&plan, "lines", make_lines, &sums);
	assert_often(&sums, sums.lossy, sums.resets / 5);
	assert_often(&sums, sums.in_flight, sums.resets / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "tcp://, the server resets after reading what it acknowledged: byte-exact",
		 .test_func = drained_is_exact},
		{.name = "tcp://, the server is killed with unread data: loss is within the "
			 "interval",
		 .test_func = killed_is_within_the_interval},
		{.name = "lines://, both: no record is split, each arrives unless the interval "
			 "says so",
		 .test_func = records_stay_whole},
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
