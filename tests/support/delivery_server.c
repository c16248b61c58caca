/* SPDX-License-Identifier: MIT */
/* A server of ours with its store on a disk of its own; a foreign broker is in delivery_broker.c. */
#include "delivery_host.h"

#include "disk/database.h"
#include "drive/server.h"

#include <crypt.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORE "store.db"
#define STEPS_MAX 1000u
#define STOP_NS (10 * LAI_S)
#define REOPEN_NS (1 * LAI_S)

void t_server_init(struct t_server *server, struct t_book *book, struct lai_sim *sim,
		   const struct t_delivery_plan *plan, unsigned index, const char *directory)
{
	char address[T_DELIVERY_URL];

	server->plan = plan;
	server->base.index = index;
	snprintf(address, sizeof(address), "10.0.0.%u", index + 1);
	snprintf(server->url, sizeof(server->url), "stomp://10.0.0.%u:%d", index + 1,
		 T_DELIVERY_PORT);
	t_host_init(&server->base, book, sim, address, plan->seed * 8 + 4 + index);
	if (plan->foreign >> index & 1)
		server->broker = t_broker_new(server);
	else if (plan->users)
		snprintf(server->users, sizeof(server->users), "%s/users%u", directory, index);
	if (server->users[0])
		t_server_password(server, true);
}

void t_server_done(struct t_server *server)
{
	if (server->base.net)
		t_host_kill(&server->base, 0);
	t_server_reap(server);
	t_broker_free(server->broker);
	if (server->users[0])
		(void)unlink(server->users);
	t_host_done(&server->base);
}

/* ---- logins -------------------------------------------------------------------------------- */

/* MD5 is enough here, and takes a twentieth of the time. */
static void write_users(const char *path, bool right)
{
	static struct crypt_data data;
	static char hashes[2][CRYPT_OUTPUT_SIZE];
	FILE *file = fopen(path, "w");

	if (!hashes[right][0])
		snprintf(hashes[right], CRYPT_OUTPUT_SIZE, "%s",
			 crypt_r(right ? "right" : "changed", "$1$saltsalt$", &data));
	if (!file)
		return;
	fprintf(file, "ann:%s\n", hashes[right]);
	(void)fclose(file);
}

void t_server_password(struct t_server *server, bool right)
{
	if (server->broker)
		t_broker_password(server->broker, right);
	if (!server->users[0])
		return;
	write_users(server->users, right);
	if (server->server)
		(void)la_server_reload(server->server, NULL);
}

/* ---- the program --------------------------------------------------------------------------- */

static void on_event(void *arg, const struct la_server_event *event)
{
	struct t_server *server = arg;
	double now_s = (double)t_host_now(&server->base) / 1e9;

	if (!server->base.log)
		return;
	if (event->kind == LA_SERVER_ENDED)
		fprintf(server->base.log, "# %10.4f server %u: session %" PRIu64 " %s '%s'\n",
			now_s, server->base.index, event->session->serial,
			la_session_end_name(event->session->end), event->session->message);
	else if (event->text)
		fprintf(server->base.log, "# %10.4f server %u: %s\n", now_s, server->base.index,
			event->text);
}

static bool is_damaged(const struct t_server *server)
{
	struct la_server_totals totals;

	la_server_totals(server->server, &totals);
	return server->base.lied_to && totals.store_waits &&
	       t_host_now(&server->base) > server->plan->heal_ns + 10 * LAI_S;
}

static uint64_t run(struct lai_net *net, void *context)
{
	struct t_server *server = context;
	uint64_t stored;

	if (server->base.dead || !server->server || server->stopped)
		return LA_NEVER;
	t_host_turn(&server->base, "server");
	for (unsigned i = 0; i < STEPS_MAX; i++) {
		stored = server->server->stored;
		server->stopped = lai_server_step(server->server, 0) == 1;
		if (t_host_check_power(&server->base))
			return LA_NEVER;
		if (server->base.power_at_stored && server->server->stored > stored)
			t_host_power(&server->base, LAI_S);
		if (server->base.dead || server->stopped)
			return LA_NEVER;
		if (la_server_deadline(server->server) > net->ops->now(net))
			break;
	}
	return la_server_deadline(server->server);
}

static void cannot_start(struct t_server *server, int status, const char *error)
{
	bool damaged = status != -EIO && status != -ENOSPC;

	if (server->base.log)
		fprintf(server->base.log, "# %10.4f server %u cannot start: %s\n",
			(double)t_host_now(&server->base) / 1e9, server->base.index,
			error ? error : strerror(-status));
	t_host_kill(&server->base, REOPEN_NS);
	t_host_cleared(&server->base);
	if (server->base.lied_to && damaged) {
		t_host_new_disk(&server->base);
		t_server_excuse(server);
	} else if (damaged || t_host_now(&server->base) > server->plan->heal_ns) {
		t_book_break(server->base.book, T_DELIVERY_OPENS, "server %u: %s",
			     server->base.index, error ? error : strerror(-status));
	}
}

static void start_own(struct t_server *server)
{
	struct lai_server_place place = {.no_threads = true};
	char *error = NULL;
	int status;

	t_host_begin(&server->base, run, server);
	server->config = server->plan->server;
	server->config.url = server->url;
	server->config.into = STORE;
	server->config.durability = LA_DURABILITY_FULL;
	server->config.users = server->users[0] ? server->users : NULL;
	server->config.on_event = on_event;
	server->config.arg = server;
	place.net = server->base.net;
	place.vfs = lai_sim_disk_vfs(server->base.disk);
	place.epoch = server->plan->seed + server->base.runs;
	server->stopping = server->stopped = false;
	status = lai_server_new_on(&server->server, &server->config, &place, &error);
	if (t_host_check_power(&server->base) && status != 0)
		t_host_cleared(&server->base);
	else if (status != 0)
		cannot_start(server, status, error);
	free(error);
}

void t_server_start(struct t_server *server)
{
	if (server->broker)
		t_broker_start(server->broker);
	else
		start_own(server);
}

void t_server_stop(struct t_server *server, uint64_t down_ns)
{
	if (!server->server || server->base.dead || server->stopping)
		return;
	la_server_stop(server->server, STOP_NS);
	server->stopping = true;
	server->base.up_at_ns = lai_time_after(t_host_now(&server->base), down_ns);
	lai_sim_freeze(server->base.net, false); /* runs it now */
}

/* Whatever has been stored there may be gone, and their senders have forgotten it. */
void t_server_excuse(struct t_server *server)
{
	for (unsigned i = 0; i < server->plan->senders; i++)
		t_book_excuse(server->base.book, i, 0);
}

void t_server_reap(struct t_server *server)
{
	struct t_host *base = &server->base;

	if (server->server && !base->dead && !server->stopped && is_damaged(server)) {
		t_host_kill(base, REOPEN_NS);
		la_server_free(server->server);
		server->server = NULL;
		t_host_cleared(base);
		t_host_new_disk(base);
		t_server_excuse(server);
		return;
	}
	if (!base->dead && !server->stopped)
		return;
	if (server->broker) {
		t_broker_cleared(server->broker);
	} else {
		if (base->dead && base->dark && base->lost_since_ns != LA_NEVER)
			t_server_excuse(server);
		if (server->stopped && !base->dead && lai_sim_open(base->net) > 0)
			t_book_break(base->book, T_DELIVERY_SOCKETS,
				     "server %u has stopped and has %zu sockets", base->index,
				     lai_sim_open(base->net));
		la_server_free(server->server);
		server->server = NULL;
	}
	server->stopped = server->stopping = false;
	t_host_cleared(base);
}

/* ---- what it has --------------------------------------------------------------------------- */

static void count_row(struct t_server *server, sqlite3_stmt *statement)
{
	const char *sender = (const char *)sqlite3_column_text(statement, 0);
	const char *slash = strrchr(sender, '/');
	char id[T_ENTRY_ID];

	/* A drive that lied may have half of a body on it: that is a record which is not there. */
	if (server->base.lied_to &&
	    !t_book_find(server->base.book, sqlite3_column_blob(statement, 2),
			 (size_t)sqlite3_column_bytes(statement, 2)))
		return;
	snprintf(id, sizeof(id), "%s-%lld", slash ? slash + 1 : sender,
		 (long long)sqlite3_column_int64(statement, 1));
	t_book_found(server->base.book, server->base.index, id, sqlite3_column_blob(statement, 2),
		     (size_t)sqlite3_column_bytes(statement, 2));
}

void t_server_count(struct t_server *server)
{
	struct lai_database database;
	sqlite3_stmt *statement;
	int status;

	if (server->broker) {
		t_broker_count(server->broker);
		return;
	}
	status = lai_database_open(&database, STORE, lai_sim_disk_vfs(server->base.disk),
				   LA_DURABILITY_FULL);
	if (status == 0)
		status = lai_database_prepare(&database, &statement,
					      "SELECT sender, seq, body FROM records");
	while (status == 0 && sqlite3_step(statement) == SQLITE_ROW)
		count_row(server, statement);
	if (status == 0)
		status = lai_database_failed(&database, sqlite3_errcode(database.handle));
	if (status != 0 && !server->base.lied_to)
		t_book_break(server->base.book, T_DELIVERY_OPENS, "server %u: %s",
			     server->base.index, database.why ? database.why : strerror(-status));
	lai_database_close(&database);
}
