/* SPDX-License-Identifier: MIT */
#include "delivery_book.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define POISON "poison "
#define MILLION 1000000u

static const struct {
	const char *name, *sentence;
} invariants[] = {
#define X(id, label, text) [T_DELIVERY_##id] = {label, text},
	T_DELIVERY_INVARIANTS(X)
#undef X
};

const char *t_delivery_invariant_name(enum t_delivery_invariant invariant)
{
	return invariants[invariant].name;
}

const char *t_delivery_invariant_sentence(enum t_delivery_invariant invariant)
{
	return invariants[invariant].sentence;
}

/* The first one stays: what follows may be its consequence. */
void t_book_break(struct t_book *book, enum t_delivery_invariant invariant, const char *format, ...)
{
	va_list args;

	if (book->broken != T_DELIVERY_INVARIANT_COUNT)
		return;
	book->broken = invariant;
	va_start(args, format);
	(void)vsnprintf(book->sentence, sizeof(book->sentence), format, args);
	va_end(args);
}

/* ---- records ----------------------------------------------------------------------------- */

static struct lai_random random_of(const struct t_book *book, unsigned sender, unsigned number)
{
	return (struct lai_random){book->plan->seed * MILLION + sender * 1000 + number};
}

void t_book_begin(struct t_book *book, const struct t_delivery_plan *plan)
{
	memset(book, 0, sizeof(*book));
	book->plan = plan;
	book->broken = T_DELIVERY_INVARIANT_COUNT;
	for (unsigned sender = 0; sender < plan->senders; sender++)
		for (unsigned number = 0; number < T_DELIVERY_RECORDS; number++) {
			struct lai_random random = random_of(book, sender, number);

			book->entries[sender][number].poison =
				lai_random_below(&random, 100) < plan->broker.poison;
		}
}

/* One in 16 is long; bytes are of any value, NUL and line feed among them. */
size_t t_book_body(const struct t_book *book, unsigned sender, unsigned number, char *body)
{
	struct lai_random random = random_of(book, sender, number);
	uint64_t size;
	int head;

	(void)lai_random_next(&random);
	size = lai_random_below(&random, 16) ? lai_random_below(&random, 200)
					     : lai_random_below(&random, 19000);
	head = snprintf(body, 64, "%ss%u.%u:", book->entries[sender][number].poison ? POISON : "",
			sender, number);
	for (uint64_t i = 0; i < size; i++)
		body[(uint64_t)head + i] = (char)lai_random_next(&random);
	return (size_t)head + (size_t)size;
}

bool t_book_is_poison(const void *body, size_t size)
{
	return size >= strlen(POISON) && memcmp(body, POISON, strlen(POISON)) == 0;
}

struct t_entry *t_book_find(struct t_book *book, const void *body, size_t size)
{
	size_t skip = t_book_is_poison(body, size) ? strlen(POISON) : 0;
	static char expected[T_DELIVERY_RECORD_BYTES];
	unsigned sender, number;
	char head[32];

	(void)snprintf(head, sizeof(head), "%.*s", (int)(size - skip < 31 ? size - skip : 31),
		       (const char *)body + skip);
	if (sscanf(head, "s%u.%u:", &sender, &number) != 2 || sender >= book->plan->senders ||
	    number >= T_DELIVERY_RECORDS || book->entries[sender][number].state == T_ENTRY_AHEAD)
		return NULL;
	if (t_book_body(book, sender, number, expected) != size ||
	    memcmp(expected, body, size) != 0)
		return NULL;
	return &book->entries[sender][number];
}

/* What it begins with, for people: "s1.17". */
static const char *head_of(const void *body, size_t size)
{
	static char head[32];
	const char *bytes = body;
	size_t at = 0;

	while (at < size && at < sizeof(head) - 1 && bytes[at] != ':') {
		head[at] = bytes[at] >= ' ' && bytes[at] < 0x7f ? bytes[at] : '?';
		at++;
	}
	head[at] = '\0';
	return head;
}

/* ---- promises ---------------------------------------------------------------------------- */

void t_book_owe(struct t_book *book, unsigned sender, uint64_t now_ns)
{
	for (unsigned i = 0; i < T_DELIVERY_RECORDS; i++) {
		struct t_entry *entry = &book->entries[sender][i];

		if (entry->state != T_ENTRY_PUT)
			continue;
		entry->state = T_ENTRY_OWED;
		entry->owed_since_ns = now_ns;
	}
}

void t_book_excuse(struct t_book *book, unsigned sender, uint64_t since_ns)
{
	for (unsigned i = 0; i < T_DELIVERY_RECORDS; i++) {
		struct t_entry *entry = &book->entries[sender][i];

		if (entry->state == T_ENTRY_PUT ||
		    (entry->state == T_ENTRY_OWED && entry->owed_since_ns >= since_ns))
			entry->state = T_ENTRY_EXCUSED;
	}
}

/* ---- what is there ------------------------------------------------------------------------ */

void t_book_found(struct t_book *book, unsigned server, const char *id, const void *body,
		  size_t size)
{
	struct t_entry *entry = t_book_find(book, body, size);
	bool foreign = book->plan->foreign >> server & 1;

	if (!entry) {
		t_book_break(book, T_DELIVERY_TRUE,
			     "server %u has %s of %zu bytes, which nobody put: '%s'", server, id,
			     size, head_of(body, size));
		return;
	}
	if (++entry->found[server] > 1 && !foreign)
		t_book_break(book, T_DELIVERY_ONCE, "server %u has record %s '%s' twice", server,
			     id, head_of(body, size));
	if (!entry->id[0])
		(void)snprintf(entry->id, sizeof(entry->id), "%s", id);
	else if (strcmp(entry->id, id) != 0)
		t_book_break(book, T_DELIVERY_TRUE, "record '%s' came as %s and as %s",
			     head_of(body, size), entry->id, id);
	if (foreign && entry->poison)
		t_book_break(book, T_DELIVERY_BURIED, "the broker took poison");
}

void t_book_buried(struct t_book *book, const void *body, size_t size)
{
	struct t_entry *entry = t_book_find(book, body, size);

	if (!entry)
		t_book_break(book, T_DELIVERY_BURIED, "buried what nobody put: '%s'",
			     head_of(body, size));
	else if (!entry->poison || !book->plan->foreign)
		t_book_break(book, T_DELIVERY_BURIED, "buried a good record: '%s'",
			     head_of(body, size));
	else
		entry->buried++;
}

/* After a crash a dead letter may be told again: what was told last had not reached the spool. */
static void balance_one(struct t_book *book, unsigned sender, unsigned number, uint64_t *missing)
{
	const struct t_entry *entry = &book->entries[sender][number];
	unsigned found = 0;

	for (unsigned i = 0; i < book->plan->servers; i++)
		found += entry->found[i];
	if (entry->buried > 1 + book->crashes[sender])
		t_book_break(book, T_DELIVERY_BURIED,
			     "record s%u.%u was a dead letter %u times, with %u crashes", sender,
			     number, entry->buried, book->crashes[sender]);
	if (entry->state != T_ENTRY_OWED || found > 0 || entry->buried > 0)
		return;
	if (++*missing > book->dropped[sender])
		t_book_break(book, T_DELIVERY_KEPT,
			     "record s%u.%u, promised at %.4f s, is nowhere%s", sender, number,
			     (double)entry->owed_since_ns / 1e9,
			     book->dropped[sender] ? " (more miss than were dropped)" : "");
}

void t_book_balance(struct t_book *book)
{
	for (unsigned sender = 0; sender < book->plan->senders; sender++) {
		uint64_t missing = 0;

		for (unsigned number = 0; number < T_DELIVERY_RECORDS; number++)
			balance_one(book, sender, number, &missing);
	}
}
