/* SPDX-License-Identifier: MIT */
/*
 * rules.h - nftables rules in a host: loss, NAT, counters. Delay is made of them as well: what is
 * dropped comes again when the sender's timer says so, or when the rule is taken away. (netem,
 * which would do it better, is not in
 * every kernel.)
 */
#ifndef LAI_LAB_RULES_H
#define LAI_LAB_RULES_H

#include "lab/host.h"

/* Feeds a script to nft -f; tables add up. LACKS if there is no nft, or the kernel refuses
   what the script needs. */
void lai_rules_add(struct lai_trial *trial, const struct lai_host *host, const char *script);
/* Takes all tables of the host away. */
void lai_rules_clear(struct lai_trial *trial, const struct lai_host *host);
/* Packets of a named counter: table "inet lab". */
uint64_t lai_rules_counter(struct lai_trial *trial, const struct lai_host *host, const char *name);

/*
 * Drops what goes into the host and matches an nft expression ("tcp flags & fin == fin"), until
 * lai_rules_clear().
 * counter: a name under which lai_rules_counter() counts them; one at a time.
 */
void lai_rules_drop(struct lai_trial *trial, const struct lai_host *host, const char *match,
		    const char *counter);
/* The same for the first `packets` that match; later ones pass. */
void lai_rules_drop_first(struct lai_trial *trial, const struct lai_host *host, const char *match,
			  unsigned packets, const char *counter);

#endif
