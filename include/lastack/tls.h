/* SPDX-License-Identifier: MIT */
/* tls.h - who is trusted, and who we are. TLS 1.2 or newer, always with verification. */
#ifndef LASTACK_TLS_H
#define LASTACK_TLS_H

#include <stdbool.h>

/* Paths of PEM files, copied; all may be NULL. */
struct la_tls_config {
	const char *ca;	  /* who may sign the peer's certificate; NULL: a client trusts what the
			     system trusts, a server asks its clients for no certificate */
	const char *cert; /* ours, with its chain; a server needs one */
	const char *key;  /* NULL: in the file of cert */
	const char *name; /* the name that the server's certificate must carry; NULL: the URL's host */
	bool client_cert_required; /* a server with ca: no connection without a certificate */
};

#endif
