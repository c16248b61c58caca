/* SPDX-License-Identifier: MIT */
/* stomp_receiver_inside.h - shared by stomp_receiver.c (the loop) and stomp_receiver_say.c. */
#ifndef LAI_CLI_STOMP_RECEIVER_INSIDE_H
#define LAI_CLI_STOMP_RECEIVER_INSIDE_H

#include "cli/log.h"
#include "cli/stomp_receiver.h"

struct stomp_receiver {
	const struct lai_stomp_receiver_config *config;
	struct la_server *server;
	struct lai_log log;
	int signals;
	bool interrupted; /* stopping already */
	bool store_news;  /* the store has said something */
	int exit_code;
	/* Sentences about ended sessions are so many a second at most: a crowd of guessers must not
	   fill the disk that the records need. */
	uint64_t second_ns;
	uint32_t said_in_second;
	uint64_t unsaid;
};

void lai_stomp_receiver_on_event(void *arg, const struct la_server_event *event);
/* The state of things, "status" or "end", with the self-check; returns the sockets in CLOSE_WAIT. */
int lai_stomp_receiver_say_totals(struct stomp_receiver *receiver, const char *event);

#endif
