/* SPDX-License-Identifier: MIT */
/*
 * store_output.h - what a store writes batches to. It is opened and closed by the store's owner; in
 * between one thread uses it.
 */
#ifndef LAI_DISK_STORE_OUTPUT_H
#define LAI_DISK_STORE_OUTPUT_H

#include "disk/store_batch.h"

struct lai_store_output;

struct lai_store_output_kind {
	/*
	 * Writes the whole batch, and with durability full waits for the disk. 0, and what was
	 * written is added to *counts; or a negative errno with output->why: the same batch comes
	 * again later, and no record of it may then be stored twice.
	 */
	int (*write)(struct lai_store_output *output, const struct lai_store_batch *batch,
		     struct lai_store_counts *counts);
	/* Makes durable what was written so far. */
	int (*sync)(struct lai_store_output *output);
	/* Looks whether its files are still there, and goes on with new ones if not. 0, or a
	   negative errno with output->why: again later. NULL: means nothing here. */
	int (*reopen)(struct lai_store_output *output);
	/* A moment without batches: what is easier to lose than it must be. NULL: nothing. */
	void (*settle)(struct lai_store_output *output);
	void (*close)(struct lai_store_output *output);
};

struct lai_store_output {
	const struct lai_store_output_kind *kind;
	char *why;    /* of the last failure; NULL: out of memory */
	char *notice; /* what happened to its files, to be said once; NULL: nothing */
	bool failed;  /* it will never work again */
};

/*
 * Each opens one kind. 0, or a negative errno with *error, a sentence (NULL: out of memory).
 */
int lai_store_sqlite_open(struct lai_store_output **output,
			  const struct lai_store_settings *settings, char **error);
int lai_store_directory_open(struct lai_store_output **output,
			     const struct lai_store_settings *settings, char **error);
int lai_store_stream_open(struct lai_store_output **output,
			  const struct lai_store_settings *settings, char **error);

#endif
