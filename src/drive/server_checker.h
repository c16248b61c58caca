/* SPDX-License-Identifier: MIT */
/*
 * server_checker.h - passwords are checked here, off the loop: one check takes tens of milliseconds,
 * on purpose.
 *
 *      submit -> [ few on their way ] -> threads -> [ answers ] -> take
 *
 * Few at a time: whoever waits, waits with the server, which can still refuse it (its address has
 * failed too often meanwhile) or let it in (somebody else has proven the same password).
 */
#ifndef LAI_DRIVE_SERVER_CHECKER_H
#define LAI_DRIVE_SERVER_CHECKER_H

#include "base/address.h"

struct lai_checker;

#define LAI_MEMO_DIGEST_BYTES 32

struct lai_check {
	void *owner;		    /* the server's; NULL: nobody waits for the answer any more */
	char *hash, *password;	    /* copies */
	struct lai_address address; /* whose failure it is, if it is one */
	bool known;		    /* the hash is a user's, not nobody's */
	bool memorable;		    /* digest is set */
	bool right;		    /* the answer */
	uint8_t digest[LAI_MEMO_DIGEST_BYTES]; /* what a right one is remembered by */
	struct lai_check *next;
};

/* in_place: no threads, lai_checker_submit() has the answer (the simulator). 0, or a negative errno. */
int lai_checker_new(struct lai_checker **checker, bool in_place);
/* Waits for the checks under way. NULL is fine. */
void lai_checker_free(struct lai_checker *checker);

/* Whether one more may be submitted. */
bool lai_checker_has_room(const struct lai_checker *checker);
/* The check is the checker's until it is taken. */
void lai_checker_submit(struct lai_checker *checker, struct lai_check *check);
/* The next answer; NULL: none now. The check is the caller's, for lai_check_free(). */
struct lai_check *lai_checker_take(struct lai_checker *checker);
/* Polls readable when there are answers; lai_checker_take() empties it; -1: in place. */
int lai_checker_fd(const struct lai_checker *checker);

/* NULL: out of memory. Copies both texts. */
struct lai_check *lai_check_new(const char *hash, const char *password);
/* Wipes the password. NULL is fine. */
void lai_check_free(struct lai_check *check);

#endif
