/* SPDX-License-Identifier: MIT */
/*
 * store_writer.h - the thread that writes batches: one is in flight, or none.
 *
 *      idle -- hand --> writing -- written --> idle, stored = its ticket
 *                        |   ^
 *                   fails|   | a second later
 *                        v   |
 *                       waiting
 *
 * Without a thread the same steps are taken inside hand and retry.
 */
#ifndef LAI_DISK_STORE_WRITER_H
#define LAI_DISK_STORE_WRITER_H

#include "disk/store_output.h"

#include <pthread.h>
#include <stdatomic.h>

struct lai_store_writer {
	struct lai_store_output *output;
	enum la_durability durability;
	bool threaded;
	pthread_t thread;
	int news_fd; /* counts what its owner should look at; -1: no thread */
	_Atomic uint64_t stored;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	const struct lai_store_batch *flight; /* the owner's, who leaves it alone until stored */
	bool stopping, reopens;
	uint64_t sync_due_ns; /* when what was written becomes durable; LA_NEVER: it is */
	uint64_t settle_due_ns;
	char *trouble; /* NULL: none */
	char *notice;  /* what is to be said once, before that */
	bool failed;
	struct lai_store_counts counts;
};

/* 0, or a negative errno. The output stays the owner's, who leaves it alone until done. */
int lai_store_writer_init(struct lai_store_writer *writer, enum la_durability durability,
			  bool threaded);
int lai_store_writer_start(struct lai_store_writer *writer, struct lai_store_output *output);
/* Writes what is in flight, if it can, and ends the thread. */
void lai_store_writer_done(struct lai_store_writer *writer);

/* Nothing is in flight: stored is the ticket of the last batch. */
void lai_store_writer_hand(struct lai_store_writer *writer, const struct lai_store_batch *batch);
void lai_store_writer_retry(struct lai_store_writer *writer); /* without a thread */
void lai_store_writer_reopen(struct lai_store_writer *writer);
/* A copy, or the notice, to be released with free(); NULL: none. */
char *lai_store_writer_trouble(struct lai_store_writer *writer, bool *failed);
void lai_store_writer_counts(struct lai_store_writer *writer, struct lai_store_counts *counts);

#endif
