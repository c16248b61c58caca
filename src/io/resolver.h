/* SPDX-License-Identifier: MIT */
/*
 * resolver.h - one name look-up at a time, without blocking the caller.
 *
 * getaddrinfo() is the only resolver that answers as every other program on the host does
 * (nsswitch, mDNS, LDAP ...), and it blocks: each look-up has a short-lived thread of its own. A
 * look-up that is cancelled goes on in its thread and is thrown away there.
 */
#ifndef LAI_IO_RESOLVER_H
#define LAI_IO_RESOLVER_H

#include "base/address.h"

struct lai_lookup;

/* Starts a look-up. 0, or -ENOMEM, -EAGAIN, -EMFILE: there is none. */
int lai_lookup_start(struct lai_lookup **lookup, const char *host, uint16_t port);

/* Descriptor that polls readable when the answer is there; the look-up's. */
int lai_lookup_fd(const struct lai_lookup *lookup);

/*
 * The answer: number of addresses (> 0), -ENOENT no such name or no address, -EAGAIN the name
 * server does not answer, -EIO anything else, -EINPROGRESS not yet.
 */
int lai_lookup_take(struct lai_lookup *lookup, struct lai_address addresses[LAI_ADDRESSES_MAX]);

/* Ends it, answered or not. NULL is fine. */
void lai_lookup_free(struct lai_lookup *lookup);

#endif
