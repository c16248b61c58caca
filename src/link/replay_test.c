/* SPDX-License-Identifier: MIT */
/*
 * The replay buffer against a plain model: one array of the bytes that are kept, and three marks in
 * it. After each operation, which is drawn at random, the bytes themselves are compared, and
 *
 *     accepted = delivered + waiting + dropped + abandoned
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "link/replay.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPERATIONS 10000
#define KEPT_MAX 4096
#define BUFFER_BYTES 300 /* no power of two */
#define RECORD_BYTES_MAX 60
#define SEED 99

static const char *doing = "";

void __assert_fail(const char *assertion, const char *file, unsigned line, const char *function)
{
	fail_msg("%s:%u: %s: assertion %s, while: %s", file, line, function, assertion, doing);
	abort();
}

/* ---- the model ----------------------------------------------------------------------------- */

struct model {
	struct lai_replay replay;
	struct lai_random random;
	bool lines;
	size_t buffer_bytes;
	uint8_t kept[KEPT_MAX]; /* accepted, not delivered and not dropped */
	size_t size, complete, sent, stop;
	bool connected;
	uint64_t written_here, acked_here, delivered_here;
	uint64_t accepted, delivered, dropped, abandoned, records, dropped_records;
	uint64_t lost_max;
	/* The input: a record under way, and how much of it was given. */
	uint8_t record[2 * RECORD_BYTES_MAX];
	size_t record_bytes, record_given;
	uint32_t serial;
};

static void model_new(struct model *model, bool lines, enum la_proof proof,
		      enum la_full_policy on_full, size_t buffer_bytes)
{
	const struct la_link_config config = {
		.proof = proof,
		.on_full = on_full,
		.buffer_bytes = buffer_bytes,
		.record_bytes_max = RECORD_BYTES_MAX,
	};

	*model = (struct model){
		.random = {.state = SEED}, .lines = lines, .buffer_bytes = buffer_bytes};
	model->stop = SIZE_MAX;
	assert_int_equal(
		lai_replay_init(&model->replay, lines ? &lai_wire_lines : &lai_wire_raw, &config),
		0);
}

static size_t below(struct model *model, size_t bound)
{
	return (size_t)lai_random_below(&model->random, bound);
}

static bool is_boundary(const struct model *model, size_t at)
{
	return !model->lines || at == 0 || model->kept[at - 1] == '\n';
}

/* The last boundary at or before this place. */
static size_t boundary_before(const struct model *model, size_t at)
{
	while (!is_boundary(model, at))
		at--;
	return at;
}

static uint64_t count_newlines(const uint8_t *data, size_t size)
{
	uint64_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += data[i] == '\n';
	return count;
}

static size_t limit_of(const struct model *model)
{
	return model->stop < model->complete ? model->stop : model->complete;
}

static void model_deliver(struct model *model, size_t bytes)
{
	memmove(model->kept, model->kept + bytes, model->size - bytes);
	model->size -= bytes;
	model->complete -= bytes;
	model->sent -= bytes;
	if (model->stop != SIZE_MAX)
		model->stop -= bytes;
	model->delivered += bytes;
	model->delivered_here += bytes;
}

/* [from, to) is dropped; nothing of it was sent. */
static void model_drop(struct model *model, size_t from, size_t to)
{
	assert_true(from >= model->sent && to <= model->complete);
	assert_true(is_boundary(model, from) && is_boundary(model, to));
	model->dropped += to - from;
	if (model->lines)
		model->dropped_records += count_newlines(model->kept + from, to - from);
	memmove(model->kept + from, model->kept + to, model->size - to);
	model->size -= to - from;
	model->complete -= to - from;
	if (model->stop != SIZE_MAX && model->stop > from)
		model->stop = model->stop >= to ? model->stop - (to - from) : from;
}

static bool kept_is(const struct model *model, const uint8_t *bytes, size_t size)
{
	const struct lai_ring *ring = &model->replay.ring;
	struct iovec iov[2] = {{0}};

	if (lai_ring_used(ring) != size)
		return false;
	(void)lai_ring_view(ring, ring->begin, ring->end, iov);
	return memcmp(iov[0].iov_base, bytes, iov[0].iov_len) == 0 &&
	       memcmp(iov[1].iov_base, bytes + iov[0].iov_len, iov[1].iov_len) == 0;
}

static void check(const struct model *model)
{
	const struct lai_replay *replay = &model->replay;
	const struct la_totals *totals = &replay->totals;
	struct iovec iov[2] = {{0}};
	size_t to_send = 0;
	int count;

	assert_int_equal(totals->accepted_bytes,
			 totals->delivered_bytes + lai_ring_used(&replay->ring) +
				 totals->dropped_bytes + totals->abandoned_bytes);
	assert_int_equal(totals->accepted_bytes, model->accepted);
	assert_int_equal(totals->delivered_bytes, model->delivered);
	assert_int_equal(totals->dropped_bytes, model->dropped);
	assert_int_equal(totals->abandoned_bytes, model->abandoned);
	assert_int_equal(totals->accepted_records, model->records);
	assert_int_equal(totals->dropped_records, model->dropped_records);
	assert_true(kept_is(model, model->kept, model->size));
	assert_int_equal(lai_replay_empty(replay), model->size == 0);
	assert_int_equal(lai_replay_nothing_to_send(replay), model->sent == limit_of(model));
	count = lai_replay_to_send(replay, iov);
	for (int i = 0; i < count; i++) {
		assert_true(iov[i].iov_len > 0);
		assert_memory_equal(iov[i].iov_base, model->kept + model->sent + to_send,
				    iov[i].iov_len);
		to_send += iov[i].iov_len;
	}
	assert_int_equal(to_send, limit_of(model) - model->sent);
}

/* ---- the accepting side -------------------------------------------------------------------- */

/* A record that can be told from every other, of random length; now and then one that is too long.
 */
static void next_record(struct model *model)
{
	size_t bytes = 1 + below(model, below(model, 20) ? RECORD_BYTES_MAX : 2 * RECORD_BYTES_MAX);
	uint32_t serial = ++model->serial;

	for (size_t i = 0; i < bytes; i++, serial = serial / 64 + 1)
		model->record[i] = (uint8_t)(' ' + serial % 64);
	model->record[bytes - 1] = '\n';
	model->record_bytes = bytes;
	model->record_given = 0;
}

/* drop-oldest cut something out: which bytes, is found by comparing; that it was allowed, by the
 * marks. */
static void find_cut(struct model *model)
{
	size_t cut = (size_t)(model->replay.totals.dropped_bytes - model->dropped);
	size_t from = model->sent;
	uint8_t rest[KEPT_MAX];

	if (cut == 0)
		return;
	while (!is_boundary(model, from))
		from++;
	for (; from + cut <= model->complete; from++) {
		if (!is_boundary(model, from) || !is_boundary(model, from + cut))
			continue;
		memcpy(rest, model->kept, from);
		memcpy(rest + from, model->kept + from + cut, model->size - from - cut);
		if (!kept_is(model, rest, model->size - cut))
			continue;
		model_drop(model, from, from + cut);
		return;
	}
	fail_msg("%zu bytes were dropped that are no whole unsent records", cut);
}

static bool has_droppable(const struct model *model)
{
	size_t from = model->sent;

	while (from < model->complete && !is_boundary(model, from))
		from++;
	return from < model->complete;
}

static size_t take_room(struct model *model, void **room)
{
	enum la_full_policy on_full = model->replay.on_full;
	size_t limit = model->buffer_bytes + (on_full == LA_FULL_DROP_NEW ? RECORD_BYTES_MAX : 0);
	/* The newline of terminate() may stand one byte above the limit. */
	bool full = model->size >= limit, just_full = model->size == limit;
	bool droppable = has_droppable(model);
	size_t size = lai_replay_room(&model->replay, room);

	find_cut(model);
	assert_true(on_full == LA_FULL_DROP_OLDEST || !full || size == 0);
	assert_true(full || size > 0);
	assert_true(size <= limit - model->size);
	if (just_full && on_full == LA_FULL_DROP_OLDEST)
		assert_int_equal(size > 0, droppable);
	return size;
}

/* Where a record in what is kept is too long, SIZE_MAX if there is none. Counts the good ones. */
static size_t too_long_at(struct model *model)
{
	size_t from = model->complete;

	for (size_t at = from; model->lines && at < model->size; at++) {
		size_t needed = at + 1 - from + (model->kept[at] != '\n');

		if (needed > RECORD_BYTES_MAX)
			return from;
		if (model->kept[at] != '\n')
			continue;
		model->records++;
		from = model->complete = at + 1;
	}
	if (!model->lines)
		model->complete = model->size;
	return SIZE_MAX;
}

static void model_drop_new(struct model *model, size_t old_complete)
{
	size_t keep = old_complete;

	if (model->replay.on_full != LA_FULL_DROP_NEW || model->complete <= model->buffer_bytes)
		return;
	if (model->buffer_bytes > old_complete)
		keep = boundary_before(model, model->buffer_bytes);
	if (keep < old_complete)
		keep = old_complete;
	model_drop(model, keep, model->complete);
}

/* What commit must return for these bytes, done to the model. */
static ssize_t model_commit(struct model *model, const uint8_t *data, size_t size)
{
	size_t before = model->size, old_complete = model->complete, bad;
	ssize_t result = (ssize_t)size;

	memcpy(model->kept + model->size, data, size);
	model->size += size;
	bad = too_long_at(model);
	if (bad != SIZE_MAX) {
		result = bad > before ? (ssize_t)(bad - before) : -EMSGSIZE;
		model->size = bad;
	}
	model->accepted += model->size - before;
	model_drop_new(model, old_complete);
	return result;
}

/* Gives the next bytes of the input, as a caller does: a record that is refused is skipped. */
static void submit(struct model *model)
{
	size_t size = 1 + below(model, 40), filled = 0;
	void *room;
	size_t room_bytes = take_room(model, &room);
	ssize_t expected, result;

	size = size < room_bytes ? size : room_bytes;
	if (size == 0)
		return;
	while (filled < size) {
		if (model->record_given == model->record_bytes)
			next_record(model);
		((uint8_t *)room)[filled++] = model->record[model->record_given++];
	}
	expected = model_commit(model, room, size);
	result = lai_replay_commit(&model->replay, size);
	assert_int_equal(result, expected);
	if (expected != (ssize_t)size)
		model->record_given = model->record_bytes = 0;
}

static void terminate(struct model *model)
{
	bool open = model->lines && model->complete != model->size;
	bool room = lai_ring_free(&model->replay.ring) > 0;

	assert_int_equal(lai_replay_terminate(&model->replay), !open || room);
	if (open && room) {
		assert_int_equal(model_commit(model, (const uint8_t *)"\n", 1), 1);
		model->record_given = model->record_bytes = 0;
	}
}

/* ---- the connection's side ----------------------------------------------------------------- */

static void begin(struct model *model)
{
	if (model->connected)
		return;
	lai_replay_begin(&model->replay);
	model->connected = true;
	model->written_here = model->acked_here = model->delivered_here = 0;
	model->stop = SIZE_MAX;
}

/* Delivers what has reached the proof: up to this byte of the connection, whole records. */
static void model_reach(struct model *model, uint64_t bytes)
{
	if (bytes > model->delivered_here)
		model_deliver(model,
			      boundary_before(model, (size_t)(bytes - model->delivered_here)));
}

static void written(struct model *model)
{
	size_t size = limit_of(model) - model->sent;

	if (!model->connected || size == 0)
		return;
	size = below(model, 3) ? 1 + below(model, size) : size;
	lai_replay_on_written(&model->replay, size);
	model->sent += size;
	model->written_here += size;
	if (model->replay.proof == LA_PROOF_WRITTEN)
		model_reach(model, model->written_here);
}

static void acked(struct model *model)
{
	uint64_t flying = model->written_here - model->acked_here;

	if (!model->connected)
		return;
	model->acked_here += below(model, 2) ? flying : below(model, (size_t)flying + 1);
	lai_replay_on_acked(&model->replay, model->acked_here);
	if (model->replay.proof == LA_PROOF_ACKED)
		model_reach(model, model->acked_here);
}

static void stop_here(struct model *model)
{
	if (!model->connected)
		return;
	lai_replay_stop_here(&model->replay);
	model->stop = model->complete;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The connection is over: proven to the end only if it drained, its FIN came, and so on. */
static void end(struct model *model)
{
	uint64_t peer_buffer = 1u << below(model, 10), lost, acked_delivered;
	bool consumed = model->sent == limit_of(model) && below(model, 2) &&
			boundary_before(model, model->sent) == model->sent;
	struct la_report report = {.written_bytes = model->written_here};

	if (!model->connected)
		return;
	if (consumed)
		model->acked_here = model->written_here;
	report.acked_bytes = model->acked_here;
	report.proof = consumed					  ? LA_PROOF_CONSUMED
		       : model->acked_here == model->written_here ? LA_PROOF_ACKED
								  : LA_PROOF_WRITTEN;
	lai_replay_end(&model->replay, &report, peer_buffer);
	if (model->replay.proof == LA_PROOF_ACKED)
		model_reach(model, model->acked_here);
	if (consumed)
		model_deliver(model, model->sent);
	acked_delivered = smaller(model->delivered_here, model->acked_here);
	lost = model->delivered_here - acked_delivered + smaller(acked_delivered, peer_buffer);
	assert_int_equal(report.lost.max_bytes, consumed ? 0 : lost);
	assert_int_equal(report.lost.min_bytes, 0);
	assert_int_equal(report.duplicated.max_bytes, model->sent);
	assert_int_equal(report.duplicated.min_bytes, 0);
	model->lost_max += report.lost.max_bytes;
	assert_int_equal(model->replay.totals.lost.max_bytes, model->lost_max);
	model->sent = 0;
	model->stop = SIZE_MAX;
	model->connected = false;
}

static void abandon(struct model *model)
{
	end(model);
	lai_replay_abandon(&model->replay);
	model->abandoned += model->size;
	model->size = model->complete = model->sent = 0;
	model->record_given = model->record_bytes = 0;
	check(model);
}

static const struct {
	const char *name;
	void (*run)(struct model *model);
	unsigned weight;
} operations[] = {
	{"submit", submit, 30},	     {"written", written, 15}, {"acked", acked, 10},
	{"begin", begin, 6},	     {"end", end, 2},	       {"stop-here", stop_here, 1},
	{"terminate", terminate, 1},
};

static void random_operation(struct model *model)
{
	size_t pick = below(model, 65);

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (pick >= operations[i].weight) {
			pick -= operations[i].weight;
			continue;
		}
		doing = operations[i].name;
		operations[i].run(model);
		check(model);
		return;
	}
}

struct walk_row {
	const char *sentence;
	bool lines;
	enum la_proof proof;
	enum la_full_policy on_full;
};

static void test_walk(void **state)
{
	const struct walk_row *row = *state;
	static struct model model;

	model_new(&model, row->lines, row->proof, row->on_full, BUFFER_BYTES);
	for (int i = 0; i < OPERATIONS; i++)
		random_operation(&model);
	/* It went round: a walk that got stuck would prove nothing. */
	assert_true(model.delivered > 10 * BUFFER_BYTES);
	if (row->on_full != LA_FULL_BLOCK)
		assert_true(model.dropped > 10 * BUFFER_BYTES);
	abandon(&model);
	lai_replay_done(&model.replay);
}

/* ---- single claims ------------------------------------------------------------------------- */

static ssize_t put(struct lai_replay *replay, const char *text)
{
	void *room;
	size_t size = strlen(text);

	assert_true(lai_replay_room(replay, &room) >= size);
	memcpy(room, text, size);
	return lai_replay_commit(replay, size);
}

static void expect_to_send(const struct lai_replay *replay, const char *text)
{
	struct iovec iov[2] = {{0}};

	(void)lai_replay_to_send(replay, iov);
	assert_int_equal(iov[0].iov_len + iov[1].iov_len, strlen(text));
	assert_memory_equal(iov[0].iov_base, text, iov[0].iov_len);
	assert_memory_equal(iov[1].iov_base, text + iov[0].iov_len, iov[1].iov_len);
}

static void test_again_from_a_boundary(void **state)
{
	struct la_report report = {.acked_bytes = 6, .written_bytes = 9};
	struct model model;

	(void)state;
	model_new(&model, true, LA_PROOF_ACKED, LA_FULL_BLOCK, BUFFER_BYTES);
	assert_int_equal(put(&model.replay, "one\ntwo\nthr"), 11);
	lai_replay_begin(&model.replay);
	expect_to_send(&model.replay, "one\ntwo\n");
	lai_replay_on_written(&model.replay, 8);
	expect_to_send(&model.replay, "");
	assert_int_equal(put(&model.replay, "ee\n"), 3);
	lai_replay_on_written(&model.replay, 1);
	lai_replay_on_acked(&model.replay, 6);
	assert_int_equal(model.replay.totals.delivered_bytes, 4);
	lai_replay_end(&model.replay, &report, 1 << 16);
	assert_int_equal(report.duplicated.max_bytes, 5);
	assert_int_equal(report.lost.max_bytes, 4);
	lai_replay_begin(&model.replay);
	expect_to_send(&model.replay, "two\nthree\n");
	assert_int_equal(model.replay.totals.duplicated.max_bytes, 5);
	lai_replay_done(&model.replay);
}

static void test_too_long(void **state)
{
	char text[RECORD_BYTES_MAX + 2];
	struct model model;

	(void)state;
	memset(text, 'x', sizeof(text));
	model_new(&model, true, LA_PROOF_ACKED, LA_FULL_BLOCK, BUFFER_BYTES);
	text[RECORD_BYTES_MAX - 1] = '\0'; /* one less, and the newline that it still needs */
	assert_int_equal(put(&model.replay, text), RECORD_BYTES_MAX - 1);
	assert_int_equal(put(&model.replay, "\n"), 1);
	assert_int_equal(put(&model.replay, text), RECORD_BYTES_MAX - 1);
	assert_int_equal(put(&model.replay, "x"), -EMSGSIZE);
	assert_int_equal(model.replay.totals.accepted_bytes, RECORD_BYTES_MAX);
	assert_int_equal(model.replay.totals.accepted_records, 1);
	assert_int_equal(lai_ring_used(&model.replay.ring), RECORD_BYTES_MAX);
	/* Whole records before the bad one in the same bytes are accepted. */
	text[0] = '\n';
	text[RECORD_BYTES_MAX - 1] = 'x';
	text[RECORD_BYTES_MAX] = 'x';
	text[RECORD_BYTES_MAX + 1] = '\0';
	assert_int_equal(put(&model.replay, text), 1);
	lai_replay_done(&model.replay);
}

static void test_terminate(void **state)
{
	struct model model;

	(void)state;
	model_new(&model, true, LA_PROOF_ACKED, LA_FULL_BLOCK, BUFFER_BYTES);
	assert_true(lai_replay_terminate(&model.replay));
	assert_int_equal(model.replay.totals.accepted_bytes, 0);
	(void)put(&model.replay, "no newline");
	assert_true(lai_replay_terminate(&model.replay));
	assert_true(lai_replay_terminate(&model.replay));
	expect_to_send(&model.replay, "no newline\n");
	assert_int_equal(model.replay.totals.accepted_bytes, 11);
	lai_replay_done(&model.replay);
	model_new(&model, false, LA_PROOF_ACKED, LA_FULL_BLOCK, BUFFER_BYTES);
	(void)put(&model.replay, "raw");
	assert_true(lai_replay_terminate(&model.replay));
	expect_to_send(&model.replay, "raw");
	lai_replay_done(&model.replay);
}

/* The full ring holds one unfinished record: no room for its newline, until something is delivered.
 */
static void test_terminate_without_room(void **state)
{
	struct model model;

	(void)state;
	model_new(&model, true, LA_PROOF_WRITTEN, LA_FULL_BLOCK, 64);
	for (int i = 0; i < 16; i++)
		assert_int_equal(put(&model.replay, i < 15 ? "abc\n" : "open"), 4);
	assert_false(lai_replay_terminate(&model.replay));
	assert_int_equal(model.replay.totals.accepted_bytes, 64);
	lai_replay_begin(&model.replay);
	lai_replay_on_written(&model.replay, 4);
	assert_true(lai_replay_terminate(&model.replay));
	assert_true(model.replay.complete == model.replay.ring.end);
	lai_replay_done(&model.replay);
}

static void test_stop_here(void **state)
{
	struct la_report report = {
		.written_bytes = 4, .acked_bytes = 4, .proof = LA_PROOF_CONSUMED};
	struct model model;

	(void)state;
	model_new(&model, true, LA_PROOF_CONSUMED, LA_FULL_BLOCK, BUFFER_BYTES);
	(void)put(&model.replay, "one\n");
	lai_replay_begin(&model.replay);
	lai_replay_stop_here(&model.replay);
	(void)put(&model.replay, "two\n");
	expect_to_send(&model.replay, "one\n");
	lai_replay_on_written(&model.replay, 4);
	assert_true(lai_replay_nothing_to_send(&model.replay));
	lai_replay_on_acked(&model.replay, 4);
	assert_int_equal(model.replay.totals.delivered_bytes, 0);
	lai_replay_end(&model.replay, &report, 1 << 16);
	assert_int_equal(model.replay.totals.delivered_bytes, 4);
	assert_int_equal(report.lost.max_bytes, 0);
	assert_int_equal(report.duplicated.max_bytes, 0);
	lai_replay_begin(&model.replay);
	expect_to_send(&model.replay, "two\n");
	lai_replay_done(&model.replay);
}

/* A record of which a part was sent is not dropped, however full it is. */
static void test_oldest_is_under_way(void **state)
{
	void *room;
	struct model model;

	(void)state;
	model_new(&model, true, LA_PROOF_ACKED, LA_FULL_DROP_OLDEST, 64);
	(void)put(&model.replay, "under way\n");
	(void)put(&model.replay, "first\nsecond\nthird\nfourth\nfifth\nsixth\nseventh\n1234567\n");
	assert_int_equal(lai_ring_used(&model.replay.ring), 64);
	lai_replay_begin(&model.replay);
	lai_replay_on_written(&model.replay, 3);
	assert_true(lai_replay_room(&model.replay, &room) > 0);
	assert_int_equal(model.replay.totals.dropped_records, 1);
	assert_int_equal(model.replay.totals.dropped_bytes, 6);
	expect_to_send(&model.replay,
		       "er way\nsecond\nthird\nfourth\nfifth\nsixth\nseventh\n1234567\n");
	lai_replay_on_written(&model.replay, lai_ring_used(&model.replay.ring) - 3);
	(void)put(&model.replay, "a new");
	(void)put(&model.replay, "\n");
	lai_replay_on_written(&model.replay, 6);
	assert_int_equal(lai_replay_room(&model.replay, &room), 0);
	lai_replay_done(&model.replay);
}

static void test_new_is_dropped_whole(void **state)
{
	struct model model;

	(void)state;
	model_new(&model, true, LA_PROOF_ACKED, LA_FULL_DROP_NEW, 64);
	for (int i = 0; i < 15; i++)
		(void)put(&model.replay, "abc\n");
	assert_int_equal(put(&model.replay, "too"), 3);
	assert_int_equal(model.replay.totals.dropped_bytes, 0);
	assert_int_equal(put(&model.replay, " much\nnext"), 10);
	assert_int_equal(model.replay.totals.dropped_bytes, 9);
	assert_int_equal(model.replay.totals.dropped_records, 1);
	assert_int_equal(lai_ring_used(&model.replay.ring), 64);
	lai_replay_begin(&model.replay);
	lai_replay_on_written(&model.replay, 60);
	lai_replay_on_acked(&model.replay, 60);
	assert_int_equal(put(&model.replay, "\n"), 1);
	expect_to_send(&model.replay, "next\n");
	lai_replay_done(&model.replay);
}

static void test_crowded(void **state)
{
	struct model model;

	(void)state;
	model_new(&model, false, LA_PROOF_ACKED, LA_FULL_BLOCK, 64);
	for (int i = 0; i < 8; i++) {
		assert_false(lai_replay_crowded(&model.replay));
		(void)put(&model.replay, "abcd");
	}
	assert_false(lai_replay_crowded(&model.replay));
	(void)put(&model.replay, "e");
	assert_true(lai_replay_crowded(&model.replay));
	lai_replay_done(&model.replay);
}

#define WALK(kind, records, proof, full, policy)                                                   \
	{                                                                                          \
		"10000 random operations: " kind ", " #proof ", " full, records, LA_PROOF_##proof, \
			LA_FULL_##policy                                                           \
	}
#define WALKS_OF(kind, records)                                                                    \
	WALK(kind, records, WRITTEN, "block", BLOCK), WALK(kind, records, ACKED, "block", BLOCK),  \
		WALK(kind, records, CONSUMED, "block", BLOCK),                                     \
		WALK(kind, records, WRITTEN, "drop-oldest", DROP_OLDEST),                          \
		WALK(kind, records, ACKED, "drop-oldest", DROP_OLDEST),                            \
		WALK(kind, records, CONSUMED, "drop-oldest", DROP_OLDEST),                         \
		WALK(kind, records, WRITTEN, "drop-new", DROP_NEW),                                \
		WALK(kind, records, ACKED, "drop-new", DROP_NEW),                                  \
		WALK(kind, records, CONSUMED, "drop-new", DROP_NEW)

static const struct walk_row walks[] = {WALKS_OF("raw", false), WALKS_OF("lines", true)};

#define WALKS (sizeof(walks) / sizeof(walks[0]))

int main(void)
{
	static const struct CMUnitTest claims[] = {
		{.name = "the next connection starts at the first record not delivered whole",
		 .test_func = test_again_from_a_boundary},
		{.name = "a record that is too long is taken back whole",
		 .test_func = test_too_long},
		{.name = "the last line gets its newline, once", .test_func = test_terminate},
		{.name = "no room for the newline: asked again later",
		 .test_func = test_terminate_without_room},
		{.name = "stop here: what comes later is for the next connection",
		 .test_func = test_stop_here},
		{.name = "drop-oldest never cuts a record of which a part was sent",
		 .test_func = test_oldest_is_under_way},
		{.name = "drop-new drops a record once it is whole",
		 .test_func = test_new_is_dropped_whole},
		{.name = "crowded is more than half", .test_func = test_crowded},
	};
	const size_t count = sizeof(claims) / sizeof(claims[0]);
	struct CMUnitTest tests[WALKS + sizeof(claims) / sizeof(claims[0])];

	memcpy(tests, claims, sizeof(claims));
	for (size_t i = 0; i < WALKS; i++)
		tests[count + i] = (struct CMUnitTest){.name = walks[i].sentence,
						       .test_func = test_walk,
						       .initial_state = (void *)&walks[i]};
	return cmocka_run_group_tests_name("link.cargo.replay", tests, NULL, NULL);
}
