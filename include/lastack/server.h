/* SPDX-License-Identifier: MIT */
/*
 * server.h - a STOMP server that stores what it is sent, confirms it when it is stored, and refuses
 * in a way that arrives.
 *
 *     la_server_new(&s, &config, &why);     poll la_server_fd() for reading until
 *     while (la_server_dispatch(s) == 0)    la_server_deadline(); then dispatch.
 *             poll ...
 *     la_server_free(s);
 *
 * One event loop, one thread of the caller's; the store and the check of passwords have threads of
 * their own. Not thread-safe. Errors are negative errno values; the library never prints.
 */
#ifndef LASTACK_SERVER_H
#define LASTACK_SERVER_H

#include <lastack/report.h>
#include <lastack/spool.h>
#include <lastack/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

struct la_server;

/* How a session ended, from the server's side. X(enumerator, name, sentence). */
#define LA_SESSION_ENDS(X)                                                                         \
	X(OPEN, "open", "it has not ended")                                                        \
	X(FAREWELL, "farewell", "the client sent DISCONNECT and had its receipt")                  \
	X(PEER, "peer", "the client closed without DISCONNECT")                                    \
	X(NETWORK, "network", "the connection died")                                               \
	X(LOGIN_REJECTED, "login-rejected", "unknown user or wrong password")                      \
	X(TOO_MANY_FAILURES, "too-many-failures", "too many failed logins from this address")      \
	X(NOT_AUTHORIZED, "not-authorized", "no password was given and one is needed")             \
	X(HANDSHAKE_TIMEOUT, "handshake-timeout", "no CONNECT came in time")                       \
	X(PROTOCOL_ERROR, "protocol-error", "what it sent is not STOMP, or over a limit")          \
	X(NOT_SUPPORTED, "not-supported", "it asked for what this server does not do")             \
	X(REFUSED_RECORD, "refused-record", "a record cannot be stored, ever")                     \
	X(HEARTBEAT_LOST, "heartbeat-lost", "nothing came for two heart-beats")                    \
	X(IDLE, "idle", "no record came for too long")                                             \
	X(SLOW_READER, "slow-reader", "it does not read its receipts")                             \
	X(TOO_MANY_CONNECTIONS, "too-many-connections", "the server is full")                      \
	X(STOPPED, "stopped", "the server was asked to stop")                                      \
	X(NO_MEMORY, "no-memory", "the server has no memory for it")

enum la_session_end {
#define X(id, name, sentence) LA_SESSION_##id,
	LA_SESSION_ENDS(X)
#undef X
	LA_SESSION_END_COUNT
};

const char *la_session_end_name(enum la_session_end end);
const char *la_session_end_sentence(enum la_session_end end);

/* Whether the ERROR frame that a refused client was sent has arrived. */
enum la_words {
	LA_WORDS_NONE,	      /* nothing was said */
	LA_WORDS_ACKED,	      /* its kernel acknowledged the whole text */
	LA_WORDS_CONSUMED,    /* and it closed properly afterwards */
	LA_WORDS_UNCONFIRMED, /* not all of it was acknowledged before the end */
	LA_WORDS_COUNT
};
const char *la_words_name(enum la_words words);

/* One client's visit. A value; texts valid during the event. */
struct la_session {
	uint64_t serial;
	const char *user;   /* "" before login */
	const char *claimed; /* the name that it gave, whether it is true or not */
	const char *client; /* its address */
	enum la_session_end end;
	enum la_words words;
	const char *message; /* of the ERROR frame, "" if none */
	const char *why;     /* TLS: what went wrong with it, "" if nothing */
	bool reclaimed;	     /* it lingered, and its place was needed */
	uint64_t records, received_bytes, receipts;
	const struct la_report *report; /* of its connection, once it has ended; else NULL */
};

struct la_server_totals {
	uint64_t connections, open, logged_in; /* ever; now; now */
	uint64_t records, duplicate_records, stored_bytes;
	uint64_t rejected_logins, refused; /* the latter: every other ERROR */
	uint64_t words_acked, words_consumed, words_unconfirmed;
	uint64_t ends[LA_SESSION_END_COUNT];
	uint64_t lingering, reclaimed; /* refused and not gone yet; ended early under pressure */
	uint64_t batches;	       /* times that the store was made durable */
	bool store_waits;	       /* the disk is full, or fails: nothing is confirmed */
	bool store_failed;	       /* for good: nobody reads "-" any more; stop the server */
};

enum la_server_event_kind {
	LA_SERVER_LISTENS,  /* text: the address */
	LA_SERVER_ACCEPTED, /* session */
	LA_SERVER_LOGIN,    /* session: the login was accepted */
	LA_SERVER_ENDED,    /* session: with its report */
	LA_SERVER_STORE,    /* text: what the store says: it cannot write, or can again */
	LA_SERVER_TROUBLE,  /* text: out of descriptors, and the like */
	LA_SERVER_EVENT_COUNT
};

struct la_server_event {
	enum la_server_event_kind kind;
	const struct la_session *session;
	const char *text;
};

/*
 * Begin with la_server_config_default(). Zero and NULL mean the default, but for listener and
 * output: there 0 is a descriptor. Texts are copied.
 */
struct la_server_config {
	const char *url; /* stomp://ADDRESS:PORT or stomps://; port 0: any free one */
	int listener;	 /* a listening socket of the caller's (socket activation); -1: none */
	const char *into; /* FILE (SQLite), DIR/ or an existing directory, or "-" */
	int output;	  /* the descriptor of "-"; default 1 */
	uint64_t rotate_bytes; /* DIR: a new file after so much; default 1 GiB */
	enum la_durability durability;
	uint64_t store_buffer_bytes; /* received and not stored yet; then nothing is read; 64 MiB */

	/*
	 * File of name:hash lines; NULL: everybody may log in. With it, or with tls.ca, a record is
	 * stored as of the sender USER/SENDER ('/' and '%' in the name as %2F and %25; "/SENDER" of
	 * one whose name could not be checked): nobody can make another user's records look like
	 * repeats. Without both it is SENDER alone, as the record-id says.
	 */
	const char *users;
	uint32_t failures_max; /* failed logins per address in failures_ns; default 10 */
	uint64_t failures_ns;  /* default 1 min */

	uint32_t connections_max; /* default 1000 */
	uint64_t handshake_ns;	  /* from accept to login; default 10 s */
	uint64_t idle_ns;	  /* without a record or a heart-beat; default LA_NEVER */
	uint64_t heartbeat_ns;	  /* offered and wanted; default 10 s; LA_NEVER: none */
	uint64_t dead_ns;	  /* keepalive; default 20 s */
	uint64_t linger_idle_ns;  /* a refused client that sends nothing more; default 5 s */
	uint64_t linger_ns;	  /* the longest it is read after its ERROR; default 30 s */
	uint64_t linger_bytes;	  /* so much of it is read; then its window closes; default 256 MiB */
	size_t record_bytes_max;  /* default 1 MiB */
	struct la_tls_config tls; /* of stomps:// */

	void (*on_event)(void *arg, const struct la_server_event *event);
	void *arg;
};

void la_server_config_default(struct la_server_config *config);

/*
 * Listens and opens the store; a URL with a name is looked up first, which may take 10 s. 0;
 * -EINVAL: a setting is wrong; -ENOMEM, or another negative errno: it cannot listen or store.
 * *error is a sentence then (NULL: out of memory), to be released with free(); error may be NULL.
 */
int la_server_new(struct la_server **server, const struct la_server_config *config, char **error);
/* Aborts what is open: stop and dispatch until done before, for a proper end. NULL is fine. */
void la_server_free(struct la_server *server);

int la_server_fd(const struct la_server *server);
uint64_t la_server_deadline(const struct la_server *server);
/* Does everything that can be done now, never blocks. 0, or 1 once it has stopped. */
int la_server_dispatch(struct la_server *server);
/* Accepts nothing more; stores and confirms what has come; ERROR to those who stay, then RST, by
   timeout_ns from now. */
void la_server_stop(struct la_server *server, uint64_t timeout_ns);
/* Reads the users' file again, what is logged in stays; opens the store's files anew, for a
   rotation from outside. 0; or a negative errno with *error, as la_server_new(): the old users
   stay. */
int la_server_reload(struct la_server *server, char **error);

void la_server_totals(const struct la_server *server, struct la_server_totals *totals);
uint16_t la_server_port(const struct la_server *server);

/*
 * A line "name:hash" for the users' file, yescrypt with a fresh salt, without newline; to be
 * released with free(). 0; -EINVAL: *error says what is wrong with the name or the password, to be
 * released with free(), error may be NULL; -ENOMEM, or what crypt(3) said: *error is NULL.
 */
int la_user_line(char **line, const char *name, const char *password, char **error);

#ifdef __cplusplus
}
#endif
#endif
