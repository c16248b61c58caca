/* SPDX-License-Identifier: MIT */
/* la_link.h - the inside of the public link, for tests that run it on another network. */
#ifndef LAI_DRIVE_LA_LINK_H
#define LAI_DRIVE_LA_LINK_H

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
	char *device;
};

/* As la_link_new(), on this network, which stays the caller's. */
int lai_link_new_on(struct la_link **link, const struct la_link_config *config, struct lai_net *net,
		    char **error);

#endif
