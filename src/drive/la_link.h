/* SPDX-License-Identifier: MIT */
/* la_link.h - the inside of the public link, for tests that run it on another network. */
#ifndef LAI_DRIVE_LA_LINK_H
#define LAI_DRIVE_LA_LINK_H

#include "disk/spool.h"
#include "drive/driver.h"

struct la_link {
	struct lai_link core;
	struct lai_driver driver;
	struct lai_net *net;
	bool owns_net;
	bool stepping;	   /* inside the driver: a callback may submit, but carries out no action */
	bool unterminated; /* finish was asked for, and the last record still lacks its newline */
	uint64_t finish_by_ns;
	struct lai_endpoint *endpoints;
	size_t endpoint_count;
	char **texts; /* copies of the config's, which the core and the courier point to */
	size_t text_count;
	const char **headers; /* of the stomp config */

	/* stomp:// only */
	char sender[LA_SENDER_MAX];
	uint64_t last_seq; /* without a spool */
	struct lai_spool *spool;
	bool spool_read_out;   /* the last look found nothing to load */
	bool spool_failing;    /* and it was said */
	bool spool_full;       /* the last put found no room: what is confirmed is worth a commit */
	uint64_t spool_try_ns; /* after a failed commit; 0: at once */
	uint64_t spool_tidy_ns; /* when confirmations were committed last */
	uint64_t spool_sync_ns; /* when what was committed is to be made durable; LA_NEVER: it is */
	uint64_t spool_confirmed;  /* up to here it has been told */
	struct la_totals accepted; /* what was put, and what an earlier run left */
	uint64_t dropped_before_records, dropped_before_bytes; /* of the spool's counts */
};

/* Where a link lives: the kernel's network and files, or the simulator's. */
struct lai_link_place {
	struct lai_net *net;
	const char *vfs; /* of the spool; NULL: the kernel's files */
	uint64_t seed;	 /* of a new sender id, and where the spool's numbers go on; 0: random */
};

/* As la_link_new(), there; both stay the caller's. */
int lai_link_new_in(struct la_link **link, const struct la_link_config *config,
		    const struct lai_link_place *place, char **error);

/* As la_link_new(), on this network, which stays the caller's. */
int lai_link_new_on(struct la_link **link, const struct la_link_config *config, struct lai_net *net,
		    char **error);

#endif
