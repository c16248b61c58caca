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
#define LAI_LOGIN_BYTES 30 /* of a login whose length does not matter */
/* Shares that no accident makes: with 100 logins the interval of 0 % ends at 3.7 %. */
#define LAI_LOGIN_NEARLY_NONE 0.25
#define LAI_LOGIN_NEARLY_ALL 0.75
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

struct lai_login_score {
	size_t seen;	    /* the whole text was read */
	size_t count;	    /* logins */
	size_t send_failed; /* a write of the client's failed */
	size_t reset;	    /* a read ended with an errno instead of EOF */
	struct lai_interval interval;
};

/* What clients of all kinds saw of a server, and all of them together of one that closes in the
   way that loses nothing (LAI_LOGIN_LINGERING), as the control. */
struct lai_login_scores {
	struct lai_login_score by_client[LAI_LOGIN_CLIENT_COUNT];
	size_t control_seen, control_count;
};

/*
 * LAI_LOGIN_COUNT logins of each kind at either server. Says the shares that saw the text: with
 * their intervals as evidence, and as numbers whose names begin with `label` or "lingering".
 */
struct lai_login_scores lai_login_try(struct lai_trial *trial, enum lai_login_server server,
				      const char *label);

#endif
