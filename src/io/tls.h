/* SPDX-License-Identifier: MIT */
/*
 * tls.h - a network that speaks TLS over another one: the same table of operations, so that links
 * and servers run on it unchanged.
 *
 * A socket of connect() is decided once the TLS handshake is, one of accept() is given out when it
 * has come and shakes hands as it is read. shutdown() is close_notify and then the FIN. view()
 * counts the program's bytes, not the wire's: a byte is acknowledged when the whole TLS record that
 * carries it is. Errors: -EPROTO: the handshake failed or TLS was violated; -EKEYREJECTED: a
 * certificate was refused, by us or by the peer.
 */
#ifndef LAI_IO_TLS_H
#define LAI_IO_TLS_H

#include "io/net.h"

#include <lastack/tls.h>

/* *net takes over `inner` and frees it. 0, or a negative errno with *error, a sentence about a file
   that cannot be used; inner stays the caller's then. */
int lai_net_tls_new(struct lai_net **net, struct lai_net *inner, const struct la_tls_config *config,
		    bool server, char **error);

#endif
