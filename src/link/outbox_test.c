/* SPDX-License-Identifier: MIT */
/* The outbox: each operation by itself, then long random walks beside a model: a plain list. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "link/outbox.h"

#include <errno.h>
#include <string.h>

#define HEAD LAI_OUTBOX_ALIGN
#define BODY_MAX 64
#define WALKS 300
#define WALK_EVENTS 2000
#define MODEL_MAX 4096
#define SEED 4

static int put(struct lai_outbox *outbox, uint64_t seq, const char *body)
{
	struct iovec iov = {(char *)(uintptr_t)body, strlen(body)};

	return lai_outbox_put(outbox, seq, &iov, 1);
}

static void open_box(struct lai_outbox *outbox, size_t buffer_bytes, enum la_full_policy on_full)
{
	assert_int_equal(lai_outbox_init(outbox, buffer_bytes, BODY_MAX, on_full), 0);
}

static size_t text_of(const struct lai_outbox_record *record, char *text)
{
	size_t size = 0;

	for (int i = 0; i < record->pieces; i++) {
		memcpy(text + size, record->iov[i].iov_base, record->iov[i].iov_len);
		size += record->iov[i].iov_len;
	}
	assert_int_equal(size, record->size);
	text[size] = '\0';
	return size;
}

static void expect_next(struct lai_outbox *outbox, uint64_t seq, const char *body)
{
	struct lai_outbox_record record;
	char text[BODY_MAX + 1];

	assert_true(lai_outbox_has_next(outbox));
	assert_true(lai_outbox_next(outbox, &record));
	assert_int_equal(record.seq, seq);
	(void)text_of(&record, text);
	assert_string_equal(text, body);
}

static void expect_none(struct lai_outbox *outbox)
{
	struct lai_outbox_record record;

	assert_false(lai_outbox_has_next(outbox));
	assert_false(lai_outbox_next(outbox, &record));
}

static void expect_balance(const struct lai_outbox *outbox)
{
	const struct la_totals *t = &outbox->totals;

	assert_int_equal(t->accepted_bytes, t->delivered_bytes + t->waiting_bytes +
						    t->dropped_bytes + t->abandoned_bytes +
						    t->buried_bytes);
	assert_int_equal(t->accepted_records, t->delivered_records + outbox->records +
						      t->dropped_records + t->abandoned_records +
						      t->buried_records);
}

static void test_in_order(void **state)
{
	struct lai_outbox outbox;

	(void)state;
	open_box(&outbox, 1024, LA_FULL_BLOCK);
	assert_true(lai_outbox_empty(&outbox));
	expect_none(&outbox);
	assert_int_equal(put(&outbox, 3, "three"), 0);
	assert_int_equal(put(&outbox, 7, ""), 0);
	assert_int_equal(put(&outbox, 8, "eight"), 0);
	assert_int_equal(lai_outbox_confirmed_upto(&outbox), 2);
	assert_int_equal(lai_outbox_oldest_in_flight(&outbox), 0);
	expect_next(&outbox, 3, "three");
	expect_next(&outbox, 7, "");
	assert_int_equal(lai_outbox_oldest_in_flight(&outbox), 3);
	lai_outbox_confirm_upto(&outbox, 100); /* what is not sent cannot be confirmed */
	assert_int_equal(outbox.totals.delivered_records, 2);
	assert_int_equal(outbox.totals.delivered_bytes, 5);
	assert_int_equal(lai_outbox_confirmed_upto(&outbox), 7);
	expect_next(&outbox, 8, "eight");
	lai_outbox_confirm_upto(&outbox, 7);
	assert_false(lai_outbox_empty(&outbox));
	lai_outbox_confirm_upto(&outbox, 8);
	assert_true(lai_outbox_empty(&outbox));
	assert_int_equal(lai_outbox_confirmed_upto(&outbox), 8);
	expect_balance(&outbox);
	lai_outbox_done(&outbox);
}

static void test_out_of_order(void **state)
{
	struct lai_outbox outbox;

	(void)state;
	open_box(&outbox, 1024, LA_FULL_BLOCK);
	for (uint64_t seq = 1; seq <= 5; seq++)
		assert_int_equal(put(&outbox, seq, "x"), 0);
	for (uint64_t seq = 1; seq <= 4; seq++)
		expect_next(&outbox, seq, "x");
	assert_true(lai_outbox_confirm_one(&outbox, 3));
	assert_false(lai_outbox_confirm_one(&outbox, 3)); /* once */
	assert_false(lai_outbox_confirm_one(&outbox, 5)); /* not sent */
	assert_false(lai_outbox_confirm_one(&outbox, 9)); /* not ours */
	assert_int_equal(lai_outbox_confirmed_upto(&outbox), 0);
	assert_int_equal(outbox.in_flight, 3);
	assert_int_equal(lai_outbox_rewind(&outbox), 3);
	expect_next(&outbox, 1, "x");
	expect_next(&outbox, 2, "x");
	expect_next(&outbox, 4, "x"); /* 3 is not sent again */
	assert_int_equal(outbox.totals.resent_records, 3);
	assert_int_equal(outbox.totals.duplicated.max_bytes, 3);
	assert_true(lai_outbox_confirm_one(&outbox, 2));
	assert_true(lai_outbox_confirm_one(&outbox, 1));
	assert_int_equal(lai_outbox_confirmed_upto(&outbox), 3);
	assert_true(lai_outbox_confirm_one(&outbox, 4));
	expect_next(&outbox, 5, "x");
	expect_none(&outbox);
	expect_balance(&outbox);
	lai_outbox_done(&outbox);
}

/* All but the first are confirmed, the connection dies: what waits then is nothing but marked. */
static void test_only_marked_wait(void **state)
{
	struct lai_outbox outbox;

	(void)state;
	open_box(&outbox, 1024, LA_FULL_BLOCK);
	for (uint64_t seq = 1; seq <= 3; seq++)
		assert_int_equal(put(&outbox, seq, "x"), 0);
	for (uint64_t seq = 1; seq <= 3; seq++)
		expect_next(&outbox, seq, "x");
	assert_true(lai_outbox_confirm_one(&outbox, 2));
	assert_true(lai_outbox_confirm_one(&outbox, 3));
	(void)lai_outbox_rewind(&outbox);
	expect_next(&outbox, 1, "x");
	expect_none(&outbox);
	assert_true(lai_outbox_confirm_one(&outbox, 1));
	assert_true(lai_outbox_empty(&outbox));
	assert_int_equal(lai_outbox_confirmed_upto(&outbox), 3);
	lai_outbox_done(&outbox);
}

static void test_buried(void **state)
{
	struct lai_outbox outbox;
	struct lai_outbox_record record;
	char text[BODY_MAX + 1];

	(void)state;
	open_box(&outbox, 1024, LA_FULL_BLOCK);
	assert_int_equal(put(&outbox, 1, "good"), 0);
	assert_int_equal(put(&outbox, 2, "poison"), 0);
	assert_false(lai_outbox_bury(&outbox, 1, &record)); /* not in flight */
	expect_next(&outbox, 1, "good");
	expect_next(&outbox, 2, "poison");
	assert_true(lai_outbox_find(&outbox, 2, &record));
	assert_int_equal(record.seq, 2);
	assert_true(lai_outbox_bury(&outbox, 2, &record));
	(void)text_of(&record, text);
	assert_string_equal(text, "poison");
	assert_false(lai_outbox_find(&outbox, 2, &record));
	assert_false(lai_outbox_bury(&outbox, 2, &record));
	assert_false(lai_outbox_confirm_one(&outbox, 2));
	(void)lai_outbox_rewind(&outbox);
	expect_next(&outbox, 1, "good");
	expect_none(&outbox);
	assert_true(lai_outbox_bury(&outbox, 1, &record)); /* the last one: shown all the same */
	(void)text_of(&record, text);
	assert_string_equal(text, "good");
	assert_int_equal(outbox.totals.buried_bytes, 10);
	assert_int_equal(outbox.totals.buried_records, 2);
	assert_true(lai_outbox_empty(&outbox));
	expect_balance(&outbox);
	lai_outbox_done(&outbox);
}

static void test_abandoned(void **state)
{
	struct lai_outbox outbox;

	(void)state;
	open_box(&outbox, 1024, LA_FULL_BLOCK);
	assert_int_equal(put(&outbox, 1, "abc"), 0);
	assert_int_equal(put(&outbox, 2, "de"), 0);
	expect_next(&outbox, 1, "abc");
	lai_outbox_abandon(&outbox);
	assert_true(lai_outbox_empty(&outbox));
	expect_none(&outbox);
	assert_int_equal(outbox.in_flight, 0);
	assert_int_equal(outbox.totals.abandoned_bytes, 5);
	assert_int_equal(outbox.totals.abandoned_records, 2);
	assert_int_equal(lai_outbox_confirmed_upto(&outbox), 2);
	assert_int_equal(put(&outbox, 3, "f"), 0);
	expect_next(&outbox, 3, "f");
	expect_balance(&outbox);
	lai_outbox_done(&outbox);
}

static void test_size_bounds(void **state)
{
	struct lai_outbox outbox;
	char body[BODY_MAX + 2] = "";

	(void)state;
	open_box(&outbox, 1, LA_FULL_BLOCK); /* made large enough for one */
	memset(body, 'x', BODY_MAX + 1);
	assert_int_equal(put(&outbox, 1, body), -EMSGSIZE);
	assert_false(lai_outbox_fits(&outbox, BODY_MAX + 1));
	assert_int_equal(outbox.totals.accepted_records, 0);
	assert_int_equal(outbox.last_seq, 0);
	body[BODY_MAX] = '\0';
	assert_true(lai_outbox_fits(&outbox, BODY_MAX));
	assert_int_equal(put(&outbox, 1, body), 0);
	assert_false(lai_outbox_fits(&outbox, 0));
	assert_int_equal(put(&outbox, 2, ""), -EAGAIN);
	assert_int_equal(outbox.totals.accepted_records, 1);
	lai_outbox_done(&outbox);
}

static void test_next_within(void **state)
{
	struct lai_outbox outbox;
	struct lai_outbox_record record;

	(void)state;
	open_box(&outbox, 1024, LA_FULL_BLOCK);
	assert_int_equal(put(&outbox, 1, "abc"), 0);
	assert_false(lai_outbox_next_within(&outbox, &record, 2));
	assert_int_equal(outbox.in_flight, 0);
	assert_true(lai_outbox_next_within(&outbox, &record, 3));
	assert_int_equal(outbox.in_flight, 1);
	lai_outbox_done(&outbox);
}

/* ---- full: four records of one head and one unit fill the buffer ----------------------------- */

struct full_case {
	const char *what;
	enum la_full_policy on_full;
	int sent; /* of the four */
	int result;
	uint64_t dropped;
	uint64_t next; /* the next record to send; 0: none */
};

static const struct full_case full_cases[] = {
	{"block, nothing sent", LA_FULL_BLOCK, 0, -EAGAIN, 0, 1},
	{"block, all sent", LA_FULL_BLOCK, 4, -EAGAIN, 0, 0},
	{"drop-new, nothing sent", LA_FULL_DROP_NEW, 0, 0, 1, 1},
	{"drop-new, all sent", LA_FULL_DROP_NEW, 4, 0, 1, 0},
	{"drop-oldest, nothing sent", LA_FULL_DROP_OLDEST, 0, 0, 1, 2},
	{"drop-oldest, one sent", LA_FULL_DROP_OLDEST, 1, 0, 1, 3},
	{"drop-oldest, three sent", LA_FULL_DROP_OLDEST, 3, 0, 1, 5},
	{"drop-oldest, all sent", LA_FULL_DROP_OLDEST, 4, -EAGAIN, 0, 0},
};

static void run_full_case(const struct full_case *c)
{
	struct lai_outbox outbox;
	struct lai_outbox_record record;

	assert_int_equal(lai_outbox_init(&outbox, 4 * 2 * HEAD, HEAD, c->on_full), 0);
	for (uint64_t seq = 1; seq <= 4; seq++)
		assert_int_equal(put(&outbox, seq, "0123456789abcdef"), 0);
	for (int i = 0; i < c->sent; i++)
		assert_true(lai_outbox_next(&outbox, &record));
	if (put(&outbox, 5, "fifth") != c->result || outbox.totals.dropped_records != c->dropped)
		fail_msg("%s", c->what);
	assert_int_equal(outbox.in_flight, c->sent);
	for (int i = 1; i <= c->sent; i++)
		assert_true(lai_outbox_find(&outbox, (uint64_t)i, &record));
	if (lai_outbox_next(&outbox, &record) ? record.seq != c->next : c->next != 0)
		fail_msg("%s: the next one", c->what);
	expect_balance(&outbox);
	lai_outbox_done(&outbox);
}

static void test_full(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(full_cases) / sizeof(full_cases[0]); i++)
		run_full_case(&full_cases[i]);
}

/* ---- the walk ------------------------------------------------------------------------------ */

enum fate { WAITS, FLIES, DELIVERED, DROPPED, BURIED, ABANDONED };

struct model_record {
	uint64_t seq;
	uint32_t size;
	enum fate fate;
};

struct model {
	struct lai_outbox outbox;
	struct lai_random random;
	struct model_record records[MODEL_MAX];
	size_t count;
	size_t first; /* those before it have found their end */
};

static uint64_t below(struct model *model, uint64_t bound)
{
	return lai_random_below(&model->random, bound);
}

static void fill(char *body, uint64_t seq, size_t size)
{
	for (size_t i = 0; i < size; i++)
		body[i] = (char)('a' + (seq + i) % 26);
}

static size_t count_of(const struct model *model, enum fate fate)
{
	size_t count = 0;

	for (size_t i = 0; i < model->count; i++)
		count += model->records[i].fate == fate;
	return count;
}

/* The oldest ones vanished for the new one: as many as the outbox says, and no more. */
static void model_drop(struct model *model, uint64_t dropped)
{
	for (size_t i = model->first; i < model->count && dropped > 0; i++) {
		if (model->records[i].fate != WAITS)
			continue;
		model->records[i].fate = DROPPED;
		dropped--;
	}
	assert_int_equal(dropped, 0);
}

static void walk_put(struct model *model)
{
	struct lai_outbox *outbox = &model->outbox;
	uint64_t seq = outbox->last_seq + 1 + (below(model, 8) == 0 ? below(model, 5) : 0);
	uint64_t dropped = outbox->totals.dropped_records;
	size_t size = (size_t)below(model, BODY_MAX + 1), cut = (size_t)below(model, size + 1);
	char body[BODY_MAX];
	struct iovec iov[2] = {{body, cut}, {body + cut, size - cut}};
	bool fits = lai_outbox_fits(outbox, size);
	int result;

	if (model->count == MODEL_MAX)
		return;
	fill(body, seq, size);
	result = lai_outbox_put(outbox, seq, iov, 2);
	dropped = outbox->totals.dropped_records - dropped;
	if (fits) {
		assert_int_equal(result, 0);
		assert_int_equal(dropped, 0);
	}
	if (result < 0) {
		assert_int_equal(result, -EAGAIN);
		assert_true(outbox->on_full != LA_FULL_DROP_NEW);
		return;
	}
	model->records[model->count] = (struct model_record){seq, (uint32_t)size, WAITS};
	if (outbox->on_full == LA_FULL_DROP_NEW && dropped > 0)
		model->records[model->count].fate = DROPPED;
	else
		model_drop(model, dropped);
	model->count++;
}

static void walk_next(struct model *model)
{
	struct lai_outbox_record record;
	char text[BODY_MAX + 1], body[BODY_MAX];

	for (size_t i = model->first; i < model->count; i++) {
		if (model->records[i].fate != WAITS)
			continue;
		assert_true(lai_outbox_next(&model->outbox, &record));
		assert_int_equal(record.seq, model->records[i].seq);
		assert_int_equal(record.size, model->records[i].size);
		fill(body, record.seq, record.size);
		assert_memory_equal(text, body, text_of(&record, text));
		model->records[i].fate = FLIES;
		return;
	}
	expect_none(&model->outbox);
}

/* Any record, or a number that never was one. */
static size_t pick(struct model *model)
{
	size_t span = model->count - model->first;

	return model->first + (size_t)below(model, span + 1);
}

static void walk_confirm_one(struct model *model)
{
	size_t i = pick(model);
	uint64_t seq = i < model->count ? model->records[i].seq : UINT64_MAX - below(model, 3);
	bool flies = i < model->count && model->records[i].fate == FLIES;

	assert_int_equal(lai_outbox_confirm_one(&model->outbox, seq), flies);
	if (flies)
		model->records[i].fate = DELIVERED;
}

static void walk_bury(struct model *model)
{
	size_t i = pick(model);
	struct lai_outbox_record record;

	if (i == model->count)
		return;
	if (model->records[i].fate != FLIES) {
		assert_false(lai_outbox_bury(&model->outbox, model->records[i].seq, &record));
		return;
	}
	assert_true(lai_outbox_bury(&model->outbox, model->records[i].seq, &record));
	assert_int_equal(record.size, model->records[i].size);
	model->records[i].fate = BURIED;
}

static void walk_confirm_upto(struct model *model)
{
	size_t i = pick(model);
	uint64_t seq = i < model->count ? model->records[i].seq : UINT64_MAX;

	lai_outbox_confirm_upto(&model->outbox, seq);
	for (size_t j = model->first; j < model->count && model->records[j].seq <= seq; j++) {
		if (model->records[j].fate == FLIES)
			model->records[j].fate = DELIVERED;
	}
}

static void walk_rewind(struct model *model)
{
	uint64_t bytes = 0;

	for (size_t i = model->first; i < model->count; i++) {
		if (model->records[i].fate != FLIES)
			continue;
		bytes += model->records[i].size;
		model->records[i].fate = WAITS;
	}
	assert_int_equal(lai_outbox_rewind(&model->outbox), bytes);
}

static void walk_abandon(struct model *model)
{
	lai_outbox_abandon(&model->outbox);
	for (size_t i = model->first; i < model->count; i++) {
		if (model->records[i].fate == WAITS || model->records[i].fate == FLIES)
			model->records[i].fate = ABANDONED;
	}
}

static void check_model(struct model *model)
{
	const struct lai_outbox *outbox = &model->outbox;
	uint64_t oldest = 0, upto = outbox->last_seq;

	while (model->first < model->count && model->records[model->first].fate > FLIES)
		model->first++;
	for (size_t i = model->first; i < model->count && oldest == 0; i++)
		oldest = model->records[i].fate == FLIES ? model->records[i].seq : 0;
	if (model->first < model->count)
		upto = model->records[model->first].seq - 1;
	assert_int_equal(lai_outbox_oldest_in_flight(outbox), oldest);
	assert_int_equal(lai_outbox_empty(outbox), model->first == model->count);
	/* Behind a dropped number there may be nothing more to forget than behind the next record. */
	assert_int_equal(lai_outbox_confirmed_upto(outbox), upto);
	assert_true(lai_ring_used(&outbox->ring) <= outbox->buffer_bytes);
	expect_balance(outbox);
}

static void check_fates(const struct model *model)
{
	const struct lai_outbox *outbox = &model->outbox;

	assert_int_equal(count_of(model, FLIES), outbox->in_flight);
	assert_int_equal(count_of(model, FLIES) + count_of(model, WAITS), outbox->records);
	assert_int_equal(count_of(model, DELIVERED), outbox->totals.delivered_records);
	assert_int_equal(count_of(model, DROPPED), outbox->totals.dropped_records);
	assert_int_equal(count_of(model, BURIED), outbox->totals.buried_records);
	assert_int_equal(count_of(model, ABANDONED), outbox->totals.abandoned_records);
}

static void walk_step(struct model *model)
{
	uint64_t dice = below(model, 1000);

	if (dice < 400)
		walk_put(model);
	else if (dice < 700)
		walk_next(model);
	else if (dice < 900)
		walk_confirm_one(model);
	else if (dice < 910)
		walk_bury(model);
	else if (dice < 990)
		walk_confirm_upto(model);
	else if (dice < 999)
		walk_rewind(model);
	else
		walk_abandon(model);
	check_model(model);
}

static void test_walks(void **state)
{
	static struct model model;

	(void)state;
	for (uint64_t seed = SEED; seed < SEED + WALKS; seed++) {
		model = (struct model){.random = {.state = seed}};
		/* Small ones are full all the time, large ones have long flights. */
		open_box(&model.outbox, 128u << below(&model, 8),
			 (enum la_full_policy)(seed % LA_FULL_COUNT));
		for (int i = 0; i < WALK_EVENTS; i++)
			walk_step(&model);
		check_fates(&model);
		lai_outbox_done(&model.outbox);
	}
}

/* A window of receipts in reverse: each one is found, wherever the flight begins. */
static void test_reverse(void **state)
{
	enum { RECORDS = 1000 };
	struct lai_outbox outbox;

	(void)state;
	open_box(&outbox, (size_t)RECORDS * 3 * HEAD, LA_FULL_BLOCK);
	for (uint64_t round = 0; round < 3; round++) {
		uint64_t base = round * RECORDS * 3;

		for (uint64_t i = 1; i <= RECORDS; i++)
			assert_int_equal(put(&outbox, base + i * 3, "gap"), 0);
		for (uint64_t i = 1; i <= RECORDS; i++)
			expect_next(&outbox, base + i * 3, "gap");
		for (uint64_t i = RECORDS; i >= 1; i--) {
			assert_false(lai_outbox_confirm_one(&outbox, base + i * 3 + 1));
			assert_true(lai_outbox_confirm_one(&outbox, base + i * 3));
		}
		assert_true(lai_outbox_empty(&outbox));
	}
	lai_outbox_done(&outbox);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		{.name = "records go out in order and are confirmed together",
		 .test_func = test_in_order},
		{.name = "a record confirmed out of order is not sent again",
		 .test_func = test_out_of_order},
		{.name = "when only confirmed records wait there is nothing to send",
		 .test_func = test_only_marked_wait},
		{.name = "a buried record is shown, counted and gone", .test_func = test_buried},
		{.name = "what is abandoned is counted", .test_func = test_abandoned},
		{.name = "a record over the bound is not accepted", .test_func = test_size_bounds},
		{.name = "a record larger than what is wanted now waits",
		 .test_func = test_next_within},
		{.name = "full: the policies, never what is in flight", .test_func = test_full},
		{.name = "receipts in reverse order find their records", .test_func = test_reverse},
		{.name = "random walks agree with a list", .test_func = test_walks},
	};

	return cmocka_run_group_tests_name("link.outbox", tests, NULL, NULL);
}
