/* SPDX-License-Identifier: MIT */
#include "data.h"

#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t mix(uint64_t seed, uint64_t n)
{
	struct lai_random random = {seed ^ n * 0xd1342543de82ef95ull}; /* an odd factor spreads n */

	return (uint32_t)lai_random_next(&random);
}

static uint32_t record_bytes(const struct t_data *data, uint64_t n)
{
	return T_RECORD_MIN + mix(data->seed, ~n) % (data->record_max - T_RECORD_MIN + 1);
}

bool t_data_refused(const struct t_data *data, uint64_t n)
{
	return record_bytes(data, n) > data->accept_max;
}

static int lines_init(struct t_data *data, uint64_t bytes)
{
	size_t most = (size_t)(bytes / T_RECORD_MIN) + 2;

	data->offsets = malloc(most * sizeof(*data->offsets));
	data->places = malloc(most * sizeof(*data->places));
	if (!data->offsets || !data->places)
		return -ENOMEM;
	data->offsets[0] = data->places[0] = 0;
	while (data->offsets[data->records] < bytes) {
		uint64_t n = data->records++;

		data->offsets[n + 1] = data->offsets[n] + record_bytes(data, n);
		data->places[n + 1] =
			data->places[n] + (t_data_refused(data, n) ? 0 : record_bytes(data, n));
	}
	data->bytes = data->offsets[data->records];
	return 0;
}

int t_data_init(struct t_data *data, uint64_t seed, bool lines, uint32_t record_max,
		uint32_t accept_max, uint64_t bytes)
{
	*data = (struct t_data){.seed = seed,
				.lines = lines,
				.record_max = record_max,
				.accept_max = accept_max,
				.bytes = bytes};
	return lines ? lines_init(data, bytes) : 0;
}

void t_data_done(struct t_data *data)
{
	free(data->offsets);
	free(data->places);
	data->offsets = data->places = NULL;
}

/* ---- raw --------------------------------------------------------------------------------- */

/* Odd factors can be undone modulo 2^64, and so can the shift between them: every word is another.
 */
#define FACTOR_1 0x9e3779b97f4a7c15ull
#define FACTOR_2 0xd1342543de82ef95ull

/* Newton's iteration: each step doubles the number of right bits, beginning with three. */
static uint64_t inverse(uint64_t odd)
{
	uint64_t result = odd;

	for (int bits = 3; bits < 64; bits *= 2)
		result *= 2 - odd * result;
	return result;
}

static uint64_t word_of(const struct t_data *data, uint64_t number)
{
	uint64_t word = (number + data->seed) * FACTOR_1;

	return (word ^ word >> 32) * FACTOR_2;
}

static uint64_t number_of(const struct t_data *data, uint64_t word)
{
	word *= inverse(FACTOR_2);
	return (word ^ word >> 32) * inverse(FACTOR_1) - data->seed;
}

static void raw_fill(const struct t_data *data, uint64_t from, uint8_t *bytes, size_t size)
{
	while (size > 0) {
		uint64_t word = word_of(data, from / T_WORD);
		size_t skip = from % T_WORD, piece = T_WORD - skip;

		if (piece > size)
			piece = size;
		memcpy(bytes, (const uint8_t *)&word + skip, piece);
		bytes += piece;
		from += piece;
		size -= piece;
	}
}

uint64_t t_data_place(const struct t_data *data, const uint8_t *bytes)
{
	uint8_t wanted[T_PLACE_BYTES];

	for (size_t skip = 0; skip < T_WORD; skip++) {
		uint64_t word, number, place;

		memcpy(&word, bytes + skip, T_WORD);
		number = number_of(data, word);
		if (number > data->bytes / T_WORD || number * T_WORD < skip)
			continue;
		place = number * T_WORD - skip;
		raw_fill(data, place, wanted, sizeof(wanted));
		if (memcmp(wanted, bytes, skip + T_WORD) == 0)
			return place;
	}
	return UINT64_MAX;
}

/* ---- lines ------------------------------------------------------------------------------- */

size_t t_data_record(const struct t_data *data, uint64_t n, uint8_t *text)
{
	size_t length = record_bytes(data, n);
	size_t digits =
		(size_t)snprintf((char *)text, T_RECORD_MIN, "%llu ", (unsigned long long)n);
	uint32_t letters = mix(data->seed, n);

	for (size_t i = digits; i < length - 1; i++)
		text[i] = (uint8_t)('a' + (letters + i * 7) % 26);
	text[length - 1] = '\n';
	return length;
}

uint64_t t_data_record_at(const struct t_data *data, uint64_t offset)
{
	uint64_t low = 0, high = data->records;

	while (high - low > 1) {
		uint64_t middle = (low + high) / 2;

		if (data->offsets[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void lines_fill(const struct t_data *data, uint64_t from, uint8_t *bytes, size_t size)
{
	uint64_t n = t_data_record_at(data, from);

	for (; size > 0; n++) {
		uint8_t text[T_RECORD_MAX];
		size_t length = t_data_record(data, n, text);
		size_t skip = (size_t)(from - data->offsets[n]);
		size_t piece = length - skip < size ? length - skip : size;

		memcpy(bytes, text + skip, piece);
		bytes += piece;
		from += piece;
		size -= piece;
	}
}

void t_data_fill(const struct t_data *data, uint64_t from, uint8_t *bytes, size_t size)
{
	if (data->lines)
		lines_fill(data, from, bytes, size);
	else
		raw_fill(data, from, bytes, size);
}
