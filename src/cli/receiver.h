/* SPDX-License-Identifier: MIT */
/* receiver.h - what lastack receive does once its command line is read. */
#ifndef LAI_CLI_RECEIVER_H
#define LAI_CLI_RECEIVER_H

#include "link/endpoint.h"

#include <lastack/tls.h>

struct lai_receiver_config {
	struct lai_endpoint endpoint;
	struct la_tls_config tls; /* of tls:// */
	const char *into;      /* file to append to; "-": standard output */
	const char *into_each; /* prefix of one file per connection, or NULL */
	uint64_t bytes_per_s;  /* over all connections; 0: no limit */
	uint64_t read_timeout_ns, dead_ns;
	uint64_t record_bytes_max;
	uint32_t open_max;
	uint64_t accept_max;		/* UINT64_MAX: for ever */
	const char *port_file, *report; /* or NULL */
	bool quiet, verbose;
};

/* Runs until a signal, an error of the output or the last connection ends it; returns an
   exit code. */
int lai_receiver_run(const char *name, const struct lai_receiver_config *config);

#endif
