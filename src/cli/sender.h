/* SPDX-License-Identifier: MIT */
/* sender.h - what lastack send does once its command line is read. */
#ifndef LAI_CLI_SENDER_H
#define LAI_CLI_SENDER_H

#include "feed/feed.h"

#include <lastack/link.h>

struct lai_sender_config {
	struct la_link_config link;
	struct lai_feed_config feed;
	uint64_t drain_ns;
	bool has_receipts;	  /* stomp://: lines are put one by one, without their newlines */
	const char *dead_letters; /* stomp://: file for refused records */
	bool replies, quiet, verbose, json;
	const char *report; /* file for JSON lines; NULL: none */
};

/* Runs until everything is delivered, given up, or a signal ends it; returns an exit code. */
int lai_sender_run(const char *name, const struct lai_sender_config *config);

#endif
