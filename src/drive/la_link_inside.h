/* SPDX-License-Identifier: MIT */
/* la_link_inside.h - what the files of the public link share. */
#ifndef LAI_DRIVE_LA_LINK_INSIDE_H
#define LAI_DRIVE_LA_LINK_INSIDE_H

#include "drive/la_link.h"

static inline bool lai_la_link_is_dialogue(const struct la_link *link)
{
	return link->core.cargo.courier != NULL;
}

/* la_link_config.c: fills in defaults, checks, copies what is pointed to, reads the URLs. 0, or as
   la_link_new(). */
int lai_la_link_settle(struct la_link *link, struct la_link_config *config,
		       struct lai_socket_options *options, char **error);
bool lai_la_link_wants_tls(const struct la_link_config *config);

/* la_link.c */
bool lai_la_link_closed_for_input(const struct la_link *link);

/* la_link_records.c: the way of a record from la_link_put() to the outbox, and back. */
int lai_la_link_open_spool(struct la_link *link, const struct la_link_config *config,
			   const struct lai_link_place *place, char **error);
/* Commits what was put, loads what finds room, tells the spool what is confirmed. */
void lai_la_link_pump(struct la_link *link);
bool lai_la_link_all_loaded(struct la_link *link);
uint64_t lai_la_link_records_deadline(const struct la_link *link);
void lai_la_link_records_totals(const struct la_link *link, struct la_totals *totals);
bool lai_la_link_on_refused(void *arg, const struct lai_courier_refusal *refusal);

#endif
