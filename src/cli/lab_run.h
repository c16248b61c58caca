/* SPDX-License-Identifier: MIT */
/* lab_run.h - runs claims, shows and keeps what came out, and says by its exit code whether it is
   what is documented. */
#ifndef LAI_CLI_LAB_RUN_H
#define LAI_CLI_LAB_RUN_H

#include "lab/runner.h"

struct lai_lab_run {
	const struct lai_claim **claims; /* the caller's */
	size_t claim_count;
	unsigned seeds, jobs;
	const char *const *settings;	     /* ends with NULL */
	const char *pcap_directory, *report; /* NULL: not wanted */
	bool json, verbose;
};

/* To its end, or until SIGINT, SIGTERM or SIGHUP. Returns an exit code. name: "lastack lab". */
int lai_lab_run(const char *name, const struct lai_lab_run *config);

#endif
