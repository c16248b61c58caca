/* SPDX-License-Identifier: MIT */
/*
 * shared_login.h - logins that are rejected with a text, many times: does the client see it?
 *
 *	client                                server
 *	connect(), login ------------------->  reads it
 *	goes on as its kind does  <--- text --- rejects, closes in its way
 *
 * The client is a thread of its own in its own host: who is first, its next write or the server's
 * close, is the scheduler's choice and that of random pauses.
 */
#ifndef LAI_LAB_CLAIMS_SHARED_LOGIN_H
#define LAI_LAB_CLAIMS_SHARED_LOGIN_H

#include "lab/statistics.h"
#include "lab/trial.h"

#include <stddef.h>

/* How many logins make one proportion. */
#define LAI_LOGIN_COUNT 100
/* "ERROR", a reason, and some words that help. */
#define LAI_LOGIN_TEXT_BYTES 200

/* What the server does after it has sent the text. */
enum lai_login_server {
	LAI_LOGIN_LINGER_ZERO, /* SO_LINGER {1, 0}, close() */
	LAI_LOGIN_SHUT_CLOSE,  /* shutdown(SHUT_WR), close() */
	LAI_LOGIN_LINGERING,   /* shutdown(SHUT_WR), reads to EOF, close() */
};

/* What the client does after its login; the name in tables. */
#define LAI_LOGIN_CLIENTS(X)                                                                       \
	X(READS_FIRST, "reads at once")                                                            \
	X(WRITES_FIRST, "writes twice, then reads")                                                \
	X(KEEPS_SENDING, "sends on, gives up at an error")                                         \
	X(READS_ON, "sends on, reads after an error")
enum lai_login_client {
#define X(name, text) LAI_LOGIN_##name,
	LAI_LOGIN_CLIENTS(X)
#undef X
		LAI_LOGIN_CLIENT_COUNT
};
const char *lai_login_client_name(enum lai_login_client client);

struct lai_login_score {
	size_t seen;	    /* the whole text was read */
	size_t count;	    /* logins */
	size_t send_failed; /* a write of the client's failed */
	size_t reset;	    /* a read ended with an errno instead of EOF */
	struct lai_interval interval;
};

/*
 * LAI_LOGIN_COUNT logins of one kind. Says the share that saw the text: with its interval as
 * evidence, and as a number whose name begins with `label`.
 */
struct lai_login_score lai_login_try(struct lai_trial *trial, enum lai_login_server server,
				     enum lai_login_client client, const char *label);

#endif
