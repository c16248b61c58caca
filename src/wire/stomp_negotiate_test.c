/* SPDX-License-Identifier: MIT */
/* What both sides agree on: the version, and how often something must be heard. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/time.h"
#include "wire/stomp.h"

#include <errno.h>

static const struct version_row {
	const char *accept; /* NULL: the header is missing */
	int version;
} version_rows[] = {
	{NULL, LAI_STOMP_1_0},
	{"1.0", LAI_STOMP_1_0},
	{"1.1", LAI_STOMP_1_1},
	{"1.2", LAI_STOMP_1_2},
	{"1.0,1.1,1.2", LAI_STOMP_1_2},
	{"1.2,1.1,1.0", LAI_STOMP_1_2},
	{"1.0,1.1", LAI_STOMP_1_1},
	{"1.1,2.0", LAI_STOMP_1_1},
	{"1.0,2.0", LAI_STOMP_1_0},
	{",1.1,", LAI_STOMP_1_1},
	{"2.0", -EPROTO},
	{"1.3,2.1", -EPROTO},
	{"", -EPROTO},
	{",", -EPROTO},
	{"1.2.1", -EPROTO},
	{"1", -EPROTO},
	{"11.2", -EPROTO},
	{" 1.2", -EPROTO},
	{"1.1 1.2", -EPROTO},
};

static void test_versions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(version_rows) / sizeof(version_rows[0]); i++)
		assert_int_equal(lai_stomp_negotiate(lai_slice_of(version_rows[i].accept)),
				 version_rows[i].version);
}

static void test_version_texts(void **state)
{
	(void)state;
	for (enum lai_stomp_version version = 0; version < LAI_STOMP_VERSION_COUNT; version++)
		assert_int_equal(lai_stomp_negotiate(lai_slice_of(lai_stomp_version_text(version))),
				 version);
}

static const struct beat_row {
	const char *theirs;		      /* NULL: the header is missing */
	uint64_t ours_ms, send_ms, expect_ms; /* 0: none */
} beat_rows[] = {
	{"1000,2000", 500, 2000, 1000},
	{"1000,2000", 1500, 2000, 1500},
	{"1000,2000", 5000, 5000, 5000},
	{"0,2000", 1000, 2000, 0},
	{"2000,0", 1000, 0, 2000},
	{"0,0", 1000, 0, 0},
	{"1000,1000", 0, 0, 0},
	{NULL, 1000, 0, 0},
	{"0001,1", 3, 3, 3},
	{"18446744073709551616,7", 3, 7, 0}, /* "some day" is never */
};

static uint64_t ns_of(uint64_t ms)
{
	return ms ? ms * LAI_MS : LA_NEVER;
}

static void test_beats(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(beat_rows) / sizeof(beat_rows[0]); i++) {
		const struct beat_row *row = &beat_rows[i];
		struct lai_stomp_beat beat;

		assert_int_equal(lai_stomp_beat_init(&beat, lai_slice_of(row->theirs),
						     ns_of(row->ours_ms), 0),
				 0);
		assert_int_equal(beat.send_ns, ns_of(row->send_ms));
		assert_int_equal(beat.expect_ns, ns_of(row->expect_ms));
	}
}

static void test_bad_beats(void **state)
{
	static const char *const bad[] = {"",	  ",",	  "1",	  "1,",	  ",1",	 "1,2,3", "-1,1",
					  "1,-1", " 1,1", "1, 1", "1,1 ", "a,b", "0x1,1", "1.5,1"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct lai_stomp_beat beat = {.sent_ns = 7};

		assert_int_equal(lai_stomp_beat_init(&beat, lai_slice_of(bad[i]), LAI_S, 0),
				 -EBADMSG);
		assert_int_equal(beat.sent_ns, 7);
	}
}

static void test_due(void **state)
{
	const uint64_t start_ns = 100 * LAI_S;
	struct lai_stomp_beat beat;

	(void)state;
	assert_int_equal(lai_stomp_beat_init(&beat, LAI_SLICE("0,1000"), LAI_S, start_ns), 0);
	assert_false(lai_stomp_beat_due(&beat, start_ns));
	assert_int_equal(lai_stomp_beat_deadline(&beat), start_ns + 750 * LAI_MS);
	assert_false(lai_stomp_beat_due(&beat, start_ns + 750 * LAI_MS - 1));
	assert_true(lai_stomp_beat_due(&beat, start_ns + 750 * LAI_MS));
	assert_false(lai_stomp_beat_missed(&beat, start_ns + 3600 * LAI_S));
	lai_stomp_beat_on_sent(&beat, start_ns + 600 * LAI_MS);
	assert_false(lai_stomp_beat_due(&beat, start_ns + 800 * LAI_MS));
	assert_int_equal(lai_stomp_beat_deadline(&beat), start_ns + 1350 * LAI_MS);
}

static void test_missed(void **state)
{
	const uint64_t start_ns = 100 * LAI_S;
	struct lai_stomp_beat beat;

	(void)state;
	assert_int_equal(lai_stomp_beat_init(&beat, LAI_SLICE("1000,0"), LAI_S, start_ns), 0);
	assert_int_equal(lai_stomp_beat_deadline(&beat), start_ns + 2 * LAI_S);
	assert_false(lai_stomp_beat_missed(&beat, start_ns + 2 * LAI_S - 1));
	assert_true(lai_stomp_beat_missed(&beat, start_ns + 2 * LAI_S));
	assert_false(lai_stomp_beat_due(&beat, start_ns + 3600 * LAI_S));
	lai_stomp_beat_on_heard(&beat, start_ns + LAI_S);
	assert_false(lai_stomp_beat_missed(&beat, start_ns + 2 * LAI_S));
	assert_int_equal(lai_stomp_beat_deadline(&beat), start_ns + 3 * LAI_S);
}

static void test_no_beats(void **state)
{
	struct lai_stomp_beat beat;

	(void)state;
	assert_int_equal(lai_stomp_beat_init(&beat, (struct lai_slice){0}, LAI_S, 5), 0);
	assert_int_equal(lai_stomp_beat_deadline(&beat), LA_NEVER);
	assert_false(lai_stomp_beat_due(&beat, LA_NEVER));
	assert_false(lai_stomp_beat_missed(&beat, LA_NEVER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "the highest version that both have is taken; none named means 1.0",
		 .test_func = test_versions},
		{.name = "a version's text names this version", .test_func = test_version_texts},
		{.name = "each way beats at the slower of what one can and the other wants",
		 .test_func = test_beats},
		{.name = "a heart-beat header is two numbers and nothing else",
		 .test_func = test_bad_beats},
		{.name = "a heart-beat is due before its time is up", .test_func = test_due},
		{.name = "silence counts after twice the agreed time", .test_func = test_missed},
		{.name = "without heart-beats nothing is due and nothing is missed",
		 .test_func = test_no_beats},
	};

	return cmocka_run_group_tests_name("wire.stomp_negotiate", tests, NULL, NULL);
}
