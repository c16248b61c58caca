/* SPDX-License-Identifier: MIT */
/* la_server.h - the public server on another network and disk, for tests. */
#ifndef LAI_DRIVE_LA_SERVER_H
#define LAI_DRIVE_LA_SERVER_H

#include "io/net.h"

#include <lastack/server.h>

/* Where a server runs. */
struct lai_server_place {
	struct lai_net *net; /* stays the caller's */
	const char *vfs;     /* of the store's database; NULL: files */
	bool no_threads;     /* records are stored and passwords checked within the step */
	uint64_t epoch;	     /* of this run, for the ids of records that come without one */
};

/* As la_server_new(); the listener of the config is adopted by this network. */
int lai_server_new_on(struct la_server **server, const struct la_server_config *config,
		      const struct lai_server_place *place, char **error);

/* One turn of the loop; waits until_ns at the longest if there is nothing to do (0: not at all).
   0, or 1 once it has stopped. */
int lai_server_step(struct la_server *server, uint64_t until_ns);

#endif
