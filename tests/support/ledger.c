/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 4096u

__attribute__((format(printf, 2, 3))) static void wrong(struct t_ledger *ledger, const char *format,
							...)
{
	va_list list;

	if (ledger->wrong[0])
		return;
	va_start(list, format);
	vsnprintf(ledger->wrong, sizeof(ledger->wrong), format, list);
	va_end(list);
}

static unsigned long long u(uint64_t value)
{
	return value;
}

int t_ledger_init(struct t_ledger *ledger, const struct t_data *data, bool strict)
{
	*ledger = (struct t_ledger){.data = data, .strict = strict};
	ledger->seen = calloc((size_t)(data->lines ? data->records : data->bytes) + 1, 1);
	return ledger->seen ? 0 : -ENOMEM;
}

void t_ledger_done(struct t_ledger *ledger)
{
	free(ledger->seen);
	free(ledger->bases);
	ledger->seen = NULL;
	ledger->bases = NULL;
}

void t_ledger_base(struct t_ledger *ledger, uint16_t port, uint64_t offset)
{
	if (ledger->base_count == ledger->base_size) {
		size_t size = ledger->base_size ? ledger->base_size * 2 : 64;
		struct t_base *bases = realloc(ledger->bases, size * sizeof(*bases));

		if (!bases) {
			wrong(ledger, "the test is out of memory");
			return;
		}
		ledger->bases = bases;
		ledger->base_size = size;
	}
	ledger->bases[ledger->base_count++] = (struct t_base){port, offset};
}

/* Whether a connection from this port began here. */
static bool base_known(const struct t_ledger *ledger, uint16_t port, uint64_t offset)
{
	for (size_t i = ledger->base_count; i-- > 0;)
		if (ledger->bases[i].port == port && ledger->bases[i].offset == offset)
			return true;
	return false;
}

static void mark(struct t_ledger *ledger, uint64_t unit, uint64_t bytes)
{
	if (!ledger->seen[unit])
		ledger->distinct_bytes += bytes;
	ledger->seen[unit] = 1;
}

static void prefix_advance(struct t_ledger *ledger)
{
	const struct t_data *data = ledger->data;

	while (ledger->seen[ledger->prefix] || (data->lines && ledger->prefix < data->records &&
						t_data_refused(data, ledger->prefix)))
		ledger->prefix++;
	ledger->prefix_bytes = data->lines ? data->places[ledger->prefix] : ledger->prefix;
}

void t_reader_init(struct t_reader *reader, uint16_t port)
{
	reader->port = port;
	reader->begun = false;
	reader->next = reader->read_bytes = 0;
	reader->pending_bytes = 0;
}

/* ---- lines ------------------------------------------------------------------------------- */

static void record_take(struct t_reader *reader, struct t_ledger *ledger)
{
	const struct t_data *data = ledger->data;
	uint64_t n = strtoull((const char *)reader->pending, NULL, 10);
	uint8_t text[T_RECORD_MAX];

	if (n >= data->records || t_data_record(data, n, text) != reader->pending_bytes ||
	    memcmp(text, reader->pending, reader->pending_bytes) != 0) {
		wrong(ledger, "a server read a record that nobody sent: \"%.60s\"",
		      reader->pending);
		return;
	}
	if (!reader->begun && ledger->strict && !base_known(ledger, reader->port, data->places[n]))
		wrong(ledger,
		      "a connection begins with record %llu, not with the first undelivered one",
		      u(n));
	if (reader->begun && (ledger->strict ? n != reader->next : n < reader->next))
		wrong(ledger, "within a connection record %llu comes where %llu was due", u(n),
		      u(reader->next));
	reader->begun = true;
	reader->next = n + 1;
	while (reader->next < data->records && t_data_refused(data, reader->next))
		reader->next++;
	mark(ledger, n, reader->pending_bytes);
}

static void lines_take(struct t_reader *reader, struct t_ledger *ledger, const uint8_t *bytes,
		       size_t size)
{
	while (size > 0 && !ledger->wrong[0]) {
		const uint8_t *newline = memchr(bytes, '\n', size);
		size_t piece = newline ? (size_t)(newline - bytes) + 1 : size;

		if (reader->pending_bytes + piece > sizeof(reader->pending)) {
			wrong(ledger, "a server read a record without end");
			return;
		}
		memcpy(reader->pending + reader->pending_bytes, bytes, piece);
		reader->pending_bytes += piece;
		bytes += piece;
		size -= piece;
		if (newline) {
			record_take(reader, ledger);
			reader->pending_bytes = 0;
		}
	}
}

/* The broken record at a connection's end must be the beginning of the next one. */
static void lines_end(struct t_reader *reader, struct t_ledger *ledger)
{
	const struct t_data *data = ledger->data;
	uint8_t text[T_RECORD_MAX];

	ledger->broken_bytes += reader->pending_bytes;
	if (!reader->begun || !ledger->strict || reader->pending_bytes == 0)
		return;
	if (reader->next >= data->records ||
	    t_data_record(data, reader->next, text) < reader->pending_bytes ||
	    memcmp(text, reader->pending, reader->pending_bytes) != 0)
		wrong(ledger, "a connection ends within something that is not record %llu",
		      u(reader->next));
}

/* ---- raw --------------------------------------------------------------------------------- */

/* Takes what is as expected; returns how much. */
static size_t run_take(struct t_reader *reader, struct t_ledger *ledger, const uint8_t *bytes,
		       size_t size)
{
	uint8_t wanted[CHUNK + T_PLACE_BYTES];
	size_t same = 0;

	if (reader->next + size > ledger->data->bytes)
		size = (size_t)(ledger->data->bytes - reader->next);
	t_data_fill(ledger->data, reader->next, wanted, size);
	while (same < size && wanted[same] == bytes[same])
		mark(ledger, reader->next + same++, 1);
	reader->next += same;
	return same;
}

/* Where bytes that are not as expected belong. False: not known yet, or not to be known. */
static bool place_find(struct t_reader *reader, struct t_ledger *ledger, const uint8_t *bytes)
{
	uint64_t place = t_data_place(ledger->data, bytes);

	if (place == UINT64_MAX) {
		if (ledger->strict)
			wrong(ledger, "a server read bytes that nobody sent");
		return false; /* a fragment between two drops may be too short to tell */
	}
	if (!reader->begun && ledger->strict && !base_known(ledger, reader->port, place))
		wrong(ledger,
		      "a connection begins with byte %llu, not with the first undelivered one",
		      u(place));
	if (reader->begun && (ledger->strict || place < reader->next))
		wrong(ledger, "within a connection byte %llu comes where %llu was due", u(place),
		      u(reader->next));
	ledger->unsure_bytes += reader->begun ? T_WORD : 0; /* some may look alike at a jump */
	reader->begun = true;
	reader->next = place;
	return true;
}

/* If one beginning only can be meant, it is known without a look at the bytes. */
static void begin_by_port(struct t_reader *reader, const struct t_ledger *ledger)
{
	size_t found = 0;

	for (size_t i = 0; i < ledger->base_count; i++) {
		const struct t_base *base = &ledger->bases[i];

		if (base->port != reader->port || (found && base->offset == reader->next))
			continue;
		found++;
		reader->next = base->offset;
	}
	reader->begun = found == 1;
}

/* Too few bytes to tell their place, in a connection whose port was used before: the newest that
 * fits. */
static void begin_by_guess(struct t_reader *reader, struct t_ledger *ledger)
{
	uint8_t wanted[T_PLACE_BYTES];

	for (size_t i = ledger->base_count; i-- > 0 && !reader->begun;) {
		const struct t_base *base = &ledger->bases[i];

		if (base->port != reader->port)
			continue;
		t_data_fill(ledger->data, base->offset, wanted, reader->pending_bytes);
		if (memcmp(wanted, reader->pending, reader->pending_bytes) != 0)
			continue;
		reader->next = base->offset;
		reader->begun = true;
	}
}

static void raw_take(struct t_reader *reader, struct t_ledger *ledger, const uint8_t *bytes,
		     size_t size)
{
	uint8_t all[CHUNK + T_PLACE_BYTES];
	size_t count = reader->pending_bytes + size, at = 0;

	memcpy(all, reader->pending, reader->pending_bytes);
	memcpy(all + reader->pending_bytes, bytes, size);
	reader->pending_bytes = 0;
	if (!reader->begun && ledger->strict)
		begin_by_port(reader, ledger);
	while (at < count && !ledger->wrong[0]) {
		if (reader->begun)
			at += run_take(reader, ledger, all + at, count - at);
		if (at == count)
			break;
		if (count - at < T_PLACE_BYTES) {
			reader->pending_bytes = count - at;
			memcpy(reader->pending, all + at, count - at);
			break;
		}
		if (!place_find(reader, ledger, all + at)) {
			at++;
			ledger->unsure_bytes++;
		}
	}
}

/* ---- both -------------------------------------------------------------------------------- */

void t_reader_take(struct t_reader *reader, struct t_ledger *ledger, const uint8_t *bytes,
		   size_t size)
{
	reader->read_bytes += size;
	ledger->read_bytes += size;
	for (size_t piece; size > 0; bytes += piece, size -= piece) {
		piece = size < CHUNK ? size : CHUNK;
		if (ledger->data->lines)
			lines_take(reader, ledger, bytes, piece);
		else
			raw_take(reader, ledger, bytes, piece);
	}
	prefix_advance(ledger);
}

static void raw_end(struct t_reader *reader, struct t_ledger *ledger)
{
	size_t bytes = reader->pending_bytes;

	if (!ledger->strict) {
		ledger->unsure_bytes += bytes;
		return;
	}
	if (!reader->begun)
		begin_by_guess(reader, ledger);
	if (bytes && (!reader->begun || run_take(reader, ledger, reader->pending, bytes) != bytes))
		wrong(ledger, "a connection ends with bytes that nobody sent");
}

void t_reader_end(struct t_reader *reader, struct t_ledger *ledger)
{
	if (ledger->data->lines)
		lines_end(reader, ledger);
	else
		raw_end(reader, ledger);
	reader->pending_bytes = 0;
	prefix_advance(ledger);
}
