/* SPDX-License-Identifier: MIT */
/*
 * demo_client.h - a client of the demo: a real program, fed through its standard input.
 *
 *	demo --queue--> pipe --> client --> server
 *	demo <----------pipe-- what it says on its standard output, a JSON line at a time
 */
#ifndef LAI_CLI_DEMO_CLIENT_H
#define LAI_CLI_DEMO_CLIENT_H

#include "base/ring.h"
#include "base/text.h"

#include <lastack/report.h>
#include <sys/types.h>

/* For a client that does not read: about a minute of records. */
#define LAI_DEMO_QUEUE_BYTES (4u * 1024 * 1024)

/* Longest name of a link's state or of a cause of death, with its NUL. */
#define LAI_DEMO_WORD_MAX 32

struct lai_demo_client {
	pid_t pid;	  /* 0: none */
	int input;	  /* its standard input, our end; -1: closed */
	int output;	  /* its standard output, our end; -1: closed */
	int complaints;	  /* file that took its standard error */
	bool finishing;	  /* input is closed as soon as the queue is empty */
	bool ended;	  /* it has exited; status is valid */
	int status;	  /* as of waitpid() */
	uint32_t fds_max; /* RLIMIT_NOFILE; 0: unchanged */

	struct lai_ring queue;	 /* whole records and the rest of one that the pipe took in part */
	uint32_t queued_records; /* in the queue, the partly taken one included */
	uint32_t accepted_records; /* the pipe has them whole */
	uint32_t refused_records;  /* the queue was full, or the client is gone */

	/* What it says of itself. "" or UINT64_MAX: nothing yet. */
	struct lai_text line;
	char state[LAI_DEMO_WORD_MAX]; /* lastack: of its link */
	char cause[LAI_DEMO_WORD_MAX]; /* lastack: of the last connection that ended */
	struct la_interval lost;       /* lastack: bytes, at its end */
	uint64_t close_wait;	       /* lastack: its self-check, at its end */
	uint64_t believed_records;     /* naive: at its end */
};

/*
 * Starts a program (path, then args[0] and so on, NULL at the end). fds_max: RLIMIT_NOFILE for it,
 * 0: as it is. 0: *client is the caller's, for lai_demo_client_done(). A negative errno, that of
 * execve() included: nothing is left.
 */
int lai_demo_client_start(struct lai_demo_client *client, const char *path, char *const *args,
			  uint32_t fds_max);

/* Gives it a record, newline included: to the queue, and from there as much as the pipe takes. */
void lai_demo_client_give(struct lai_demo_client *client, const char *record, size_t length);
void lai_demo_client_push(struct lai_demo_client *client);

/* No more records. What is in the queue still goes out with lai_demo_client_push(). */
void lai_demo_client_finish(struct lai_demo_client *client);

/* Reads what it has said; to be called when output is readable. */
void lai_demo_client_listen(struct lai_demo_client *client);

/* Looks whether it has exited. */
void lai_demo_client_reap(struct lai_demo_client *client);

/* Bytes that wait in the pipe to its standard input. */
size_t lai_demo_client_unread(const struct lai_demo_client *client);

/* Ends it: SIGTERM, then SIGKILL. */
void lai_demo_client_stop(struct lai_demo_client *client);

/* Writes the first line that it wrote to its standard error into text, which is emptied if none. */
void lai_demo_client_complaint(const struct lai_demo_client *client, char *text, size_t size);

/* After lai_demo_client_stop(), or when it has ended. Does nothing for a zeroed client. */
void lai_demo_client_done(struct lai_demo_client *client);

#endif
