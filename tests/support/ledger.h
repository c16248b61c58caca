/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - what the server programs of a simulated world have read, held against what was sent.
 *
 *   stream   0 ======= read ======|......|=== read ===|.......... bytes
 *                                  never read: lost, dropped or abandoned
 *
 * A reader is one connection's end at a server. It checks every byte as it comes: whole records in
 * order, beginning where the client's connection began, a broken one only at the connection's end.
 * The first thing that is wrong stays, as a sentence in ledger->wrong.
 */
#ifndef T_LEDGER_H
#define T_LEDGER_H

#include "data.h"

#define T_SENTENCE_MAX 320

/* Where a connection of the client began in the stream; found again by its local port. */
struct t_base {
	uint16_t port;
	uint64_t offset;
};

struct t_ledger {
	const struct t_data *data;
	bool strict;	       /* nothing may be dropped on the way: no jump within a connection */
	uint8_t *seen;	       /* raw: by byte; lines: by record */
	uint64_t read_bytes;   /* with repeats, and broken records */
	uint64_t broken_bytes; /* lines: of records broken by a connection's end */
	uint64_t unsure_bytes; /* raw, around drops: the place of so many was guessed */
	uint64_t distinct_bytes;       /* of whole records, each counted once */
	uint64_t prefix, prefix_bytes; /* everything before these is read: units of `seen`, bytes */
	struct t_base *bases;
	size_t base_count, base_size;
	char wrong[T_SENTENCE_MAX]; /* "": nothing */
};

struct t_reader {
	uint16_t port; /* the client's */
	bool begun;    /* next is known */
	uint64_t next; /* raw: offset of the next byte; lines: number of the next record */
	uint64_t read_bytes;
	size_t pending_bytes;
	uint8_t pending[T_RECORD_MAX];
};

int t_ledger_init(struct t_ledger *ledger, const struct t_data *data,
		  bool strict); /* 0 or -ENOMEM */
void t_ledger_done(struct t_ledger *ledger);

/* A connection of the client begins, with everything before offset delivered. */
void t_ledger_base(struct t_ledger *ledger, uint16_t port, uint64_t offset);

void t_reader_init(struct t_reader *reader, uint16_t port);
void t_reader_take(struct t_reader *reader, struct t_ledger *ledger, const uint8_t *bytes,
		   size_t size);
void t_reader_end(struct t_reader *reader, struct t_ledger *ledger);

#endif
