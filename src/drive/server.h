/* SPDX-License-Identifier: MIT */
/*
 * server.h - the inside of la_server: who waits for what.
 *
 * One turn costs what is ready, never what is open:
 *
 *     wait -> read those that are ready -> records to the store -> answers of the password check
 *          -> receipts whose ticket is stored -> timers -> tend those that had news -> accept
 *
 *     by socket     a table: news of the kernel's finds its client
 *     timers        a heap: the earliest deadline of all
 *     news          something happened to them in this turn: actions, bytes to send, what to watch
 *     hungry        they had more to read than one turn allows
 *     unconfirmed   they have records on their way into the store
 *     paused        the store has no room for their next record
 *     asking        their password is to be checked
 *     checking      it is being checked, by the checker's threads
 *     lingering     refused, and read to their end: in the order of their refusal, the first of
 *                   them makes room when there is none
 *
 * Split by idea: server_new.c, server_turn.c, server_client.c (one client's I/O), server_accept.c, server_login.c
 * (with server_checker.c and server_memo.c), server_store.c; la_server.c is the public face.
 */
#ifndef LAI_DRIVE_SERVER_H
#define LAI_DRIVE_SERVER_H

#include "base/heap.h"
#include "disk/store.h"
#include "drive/hands.h"
#include "drive/la_server.h"
#include "drive/server_checker.h"
#include "drive/server_list.h"
#include "drive/server_memo.h"
#include "serve/guard.h"
#include "serve/stomp_session.h"
#include "serve/users.h"

/* Over connections_max so many are accepted to be told why they are not served; more wait in
   the backlog. */
#define LAI_SERVER_RESERVE 64
/* Longest sentence of a trouble. */
#define LAI_SERVER_TROUBLE_MAX 256

/* The deadline of a client that has none: it keeps its place in the heap. */
#define LAI_CLIENT_NEVER_NS (LA_NEVER - 1)

struct lai_client {
	struct la_server *server;
	struct lai_stomp_session session;
	struct lai_hands hands;
	bool reclaimed;
	bool verified;	    /* its name has been checked, by password or certificate */
	bool logged_in;	    /* at some time: it has been said */
	bool counted;	    /* in logged_in of the server */
	uint64_t read_turn; /* the last one in which it was read */
	/* TLS failed, and its session is over: read to the FIN until then; 0: no */
	uint64_t drain_by_ns;
	struct lai_heap_item timer;
	struct lai_list_link open, news, hungry, unconfirmed, paused, asking, checking, lingering;
	struct lai_check *check; /* its password is being checked */
};

struct la_server {
	struct la_server_config config; /* no text in it points anywhere but to copies here */
	struct lai_net *net;
	bool owns_net, no_threads;
	bool checks; /* who somebody is can be checked: a users' file, or certificates */
	int epoll;   /* what the caller polls; -1 on a network without descriptors */
	int listener;
	uint32_t listener_watched;
	struct lai_address local;
	uint64_t epoch;
	uint64_t turn, slept_ns;
	bool turning; /* inside a turn: wishes of a callback wait for its end */

	struct lai_stomp_session_config session_config;
	struct lai_client **by_socket;
	size_t by_socket_room;
	struct lai_heap timers;
	struct lai_list open, news, hungry, unconfirmed, paused, asking, checking, lingering;

	bool answers_came;	  /* the checker has some */
	bool callers_came;	  /* somebody waits in the backlog, perhaps */
	uint64_t accept_again_ns; /* after a lack of descriptors; 0: at once */
	bool exhausted;		  /* that has been said */
	bool stopping, stop_told, over;
	uint64_t stop_by_ns;

	struct lai_store *store;
	uint64_t received_us;		   /* the wall clock, once a turn */
	const struct lai_client *speaking; /* whose frames are being taken: on_record is for it */
	struct lai_buffer sender;	   /* USER/SENDER, where senders are known by their users */
	uint64_t ticket;		   /* of the last record that was put */
	uint64_t stored;		   /* tickets up to this one have been told */
	uint64_t retry_ns; /* without threads: when a waiting batch is tried again */
	bool unsubmitted;  /* records have been put since the last submit */
	bool in_trouble;   /* the store's, as far as it has been said */

	struct lai_users *users; /* NULL: everybody may log in */
	struct lai_guard *guard;
	struct lai_checker *checker;
	struct lai_memo *memo;

	uint64_t logged_in;
	struct la_server_totals totals; /* what the lists and the store do not know */
	char *users_path, *into;	/* the config's texts */
};

/* server_turn.c */

/* Says an event; session and text may be NULL. */
void lai_server_say(struct la_server *server, enum la_server_event_kind kind,
		    const struct lai_client *client, const char *text);
/* Something has happened to it: it is tended before the turn ends. */
void lai_server_note(struct la_server *server, struct lai_client *client);
uint64_t lai_server_deadline(const struct la_server *server);

/* server_client.c */

/* NULL: out of memory; the socket stays the caller's. */
struct lai_client *lai_client_new(struct la_server *server, int socket,
				  const struct lai_address *remote);
/* What the network says of it. */
void lai_client_on_ready(struct la_server *server, struct lai_client *client, uint32_t events);
/* Reads what is there, within the bounds of a turn. */
void lai_client_read(struct la_server *server, struct lai_client *client);
/* Carries out its actions, sends, and sets what is waited for. Releases it if it is over. */
void lai_client_tend(struct la_server *server, struct lai_client *client);
/* Puts it into the lists where it belongs now. */
void lai_client_sort(struct la_server *server, struct lai_client *client);
/* Ends it at once. */
void lai_client_abort(struct la_server *server, struct lai_client *client);
/* Ends it since its place is needed. */
void lai_client_reclaim(struct la_server *server, struct lai_client *client);

/* server_accept.c */

/* 0, or a negative errno with *error, a sentence. */
int lai_server_listen(struct la_server *server, char **error);
void lai_server_unlisten(struct la_server *server);
/* Takes what waits in the backlog, as far as the limits allow. */
void lai_server_accept(struct la_server *server);
/* When accepting may go on by itself. */
uint64_t lai_server_accept_deadline(const struct la_server *server);

/* server_login.c */

/* Reads the users' file. 0, or a negative errno with *error, a sentence. */
int lai_server_read_users(struct la_server *server, char **error);
/* The client asks to be let in. */
void lai_server_ask(struct la_server *server, struct lai_client *client);
/* Takes the answers that have come, and asks for those that wait. */
void lai_server_take_answers(struct la_server *server);
/* The client has gone: nobody waits for the answer. */
void lai_server_forget(struct la_server *server, struct lai_client *client);

/* server_store.c */

/* Whoever's session takes frames in what follows. */
static inline void lai_server_listen_to(struct la_server *server, const struct lai_client *client)
{
	server->speaking = client;
}

/* on_record of the sessions' config. */
int lai_server_on_record(void *arg, const struct lai_stomp_record *record, uint64_t *ticket);
/* Hands records over, sends the receipts of what is stored, lets go on who waited for room. */
void lai_server_store(struct la_server *server);
/* Everything that was put is stored. */
bool lai_server_all_stored(const struct la_server *server);

#endif
