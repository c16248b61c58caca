/* SPDX-License-Identifier: MIT */
/* stomp_receiver.h - what lastack receive stomp:// does once its command line is read. */
#ifndef LAI_CLI_STOMP_RECEIVER_H
#define LAI_CLI_STOMP_RECEIVER_H

#include <lastack/server.h>

struct lai_stomp_receiver_config {
	struct la_server_config server; /* but for listener and on_event */
	const char *port_file, *report; /* or NULL */
	bool quiet, verbose;
};

/* Runs until a signal ends it, or nobody takes the records any more; returns an exit code. */
int lai_stomp_receiver_run(const char *name, const struct lai_stomp_receiver_config *config);

#endif
