/* SPDX-License-Identifier: MIT */
/*
 * delivery_host.h - a program on a host with a disk: one sender, one server, or one foreign broker.
 *
 *      up --kill, power, stop--> down --after a while--> up again, on what its disk has
 *
 * Programs are run by the simulator. Whatever kills one from within its own run only marks it; the
 * world's loop clears it away (t_delivery_*_reap) and starts it anew.
 */
#ifndef T_DELIVERY_HOST_H
#define T_DELIVERY_HOST_H

#include "delivery_book.h"

#include "drive/la_link.h"
#include "drive/la_server.h"
#include "io/sim/sim.h"
#include "io/sim/sim_disk.h"

#define T_DELIVERY_PORT 61613

/* What every one of them has. */
struct t_host {
	struct t_book *book;
	struct lai_sim *sim;
	struct lai_sim_host *host;
	struct lai_sim_disk *disk;
	struct lai_net *net; /* NULL: no process */
	unsigned index;
	bool dead;	      /* something ended it: it is to be cleared away */
	bool dark;	      /* and its host has no power */
	bool power_at_stored; /* the power goes when the next thing is stored */
	uint64_t up_at_ns;    /* of the world; when it is down */
	uint64_t lives;	      /* of the disk, when the program began */
	uint64_t disk_seed;
	uint64_t lie_since_ns;	/* what became durable since then may not be so; LA_NEVER: no lie */
	bool lies;		/* its drive, now */
	bool lied_to;		/* the power went after a lie, at some time, */
	uint64_t lost_since_ns; /* and last one that began then; LA_NEVER: no lie */
	uint64_t ended_ns;	/* when it died */
	unsigned runs;		/* how often it was started */
	uint64_t turns, last_ns; /* at the same time */
	unsigned same_time;
	FILE *log;
};

void t_host_init(struct t_host *host, struct t_book *book, struct lai_sim *sim, const char *address,
		 uint64_t seed);
void t_host_done(struct t_host *host);
/* A new process. */
void t_host_begin(struct t_host *host, lai_sim_run *run, void *context);
/* The process dies, as by SIGKILL, or its host's power goes; the owner then frees what it has. */
void t_host_kill(struct t_host *host, uint64_t down_ns);
void t_host_power(struct t_host *host, uint64_t down_ns);
/* After a step: whether its disk has lost power meanwhile; then it is dead and dark. */
bool t_host_check_power(struct t_host *host);
/* From now on its drive lies, or not. */
void t_host_lie(struct t_host *host, bool lies);
/* After the owner has freed what it had. */
void t_host_cleared(struct t_host *host);
/* Damaged beyond use: another disk. */
void t_host_new_disk(struct t_host *host);
/* Counts turns at one time; breaks TIMERS if there are too many. */
void t_host_turn(struct t_host *host, const char *what);
uint64_t t_host_now(const struct t_host *host); /* of the world, from its beginning */

struct t_sender {
	struct t_host base;
	const struct t_delivery_plan *plan;
	const struct t_delivery_work *work;
	struct la_link_config config;
	const char *urls[T_DELIVERY_SERVERS];
	char url_texts[T_DELIVERY_SERVERS][T_DELIVERY_URL];
	char name[32];
	struct la_link *link; /* NULL: down */
	unsigned next;	      /* number of the next record */
	unsigned pieces;
	uint64_t piece_ns; /* the next one is due, host's clock */
	bool healed, finishing, done;
	bool blocked;		  /* the last put found no room */
	uint64_t puts, recovered; /* of this run */
	uint64_t dropped_before;  /* told by earlier runs */
	uint64_t delivered;	  /* of this run, when it was looked at last */
};

void t_sender_init(struct t_sender *sender, struct t_book *book, struct lai_sim *sim,
		   const struct t_delivery_plan *plan, unsigned index);
void t_sender_done(struct t_sender *sender);
void t_sender_start(struct t_sender *sender);
void t_sender_reap(struct t_sender *sender); /* if it is dead */
/* The user ends it, without waiting for anything; it is started again. */
void t_sender_stop(struct t_sender *sender, uint64_t down_ns);
void t_sender_heal(struct t_sender *sender); /* it finishes once all is put */

struct t_server {
	struct t_host base;
	const struct t_delivery_plan *plan;
	struct la_server_config config;
	char url[T_DELIVERY_URL];
	char users[64]; /* path; "": none */
	struct la_server *server;
	bool stopping, stopped;	 /* asked to; and it has */
	struct t_broker *broker; /* of a foreign one; else NULL */
};

/* users: directory for its users' file. */
void t_server_init(struct t_server *server, struct t_book *book, struct lai_sim *sim,
		   const struct t_delivery_plan *plan, unsigned index, const char *directory);
void t_server_done(struct t_server *server);
void t_server_start(struct t_server *server);
void t_server_reap(struct t_server *server);
void t_server_stop(struct t_server *server, uint64_t down_ns);
/* Which password is right from now on: the senders', or another one. */
void t_server_password(struct t_server *server, bool right);
/* The power went after a lie: who was promised something since then may not have it. */
void t_server_excuse(struct t_server *server);
/* Writes what it has into the book; it must not run. */
void t_server_count(struct t_server *server);

struct t_broker *t_broker_new(struct t_server *server);
void t_broker_free(struct t_broker *broker);
void t_broker_start(struct t_broker *broker);
/* Its connections are gone; what it stored stays. */
void t_broker_cleared(struct t_broker *broker);
void t_broker_password(struct t_broker *broker, bool right);
void t_broker_hang_up(struct t_broker *broker);
void t_broker_heal(struct t_broker *broker);
void t_broker_count(struct t_broker *broker);

#endif
