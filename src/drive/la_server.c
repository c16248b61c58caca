/* SPDX-License-Identifier: MIT */
/* The public face of a server. What is opened for it is in server_new.c. */
#include "drive/server.h"

#include "base/clock.h"
#include "base/random.h"
#include "io/tls.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

void la_server_config_default(struct la_server_config *config)
{
	*config = (struct la_server_config){
		.listener = -1,
		.output = STDOUT_FILENO,
		.rotate_bytes = 1ull << 30,
		.store_buffer_bytes = 64ull << 20,
		.failures_max = 10,
		.failures_ns = 60 * LAI_S,
		.connections_max = 1000,
		.handshake_ns = 10 * LAI_S,
		.idle_ns = LA_NEVER,
		.heartbeat_ns = 10 * LAI_S,
		.dead_ns = 20 * LAI_S,
		.linger_idle_ns = 5 * LAI_S,
		.linger_ns = 30 * LAI_S,
		.linger_bytes = 256ull << 20,
		.record_bytes_max = 1u << 20,
	};
}

/* Unlike any other run's, also where the wall clock stands still or is wrong. */
static uint64_t make_epoch(void)
{
	struct lai_random random = {.state = lai_clock_read(CLOCK_REALTIME)};
	uint64_t epoch = 0;

	if (getrandom(&epoch, sizeof(epoch), GRND_NONBLOCK) != sizeof(epoch))
		epoch = (uint64_t)getpid();
	return lai_random_next(&random) ^ epoch;
}

static int wrap_in_tls(struct lai_net **net, const struct la_server_config *config, char **error)
{
	struct lai_net *tls;
	int status;

	if (!config->url || strncmp(config->url, "stomps://", strlen("stomps://")) != 0)
		return 0;
	status = lai_net_tls_new(&tls, *net, &config->tls, true, error);
	if (status == 0)
		*net = tls;
	return status;
}

int la_server_new(struct la_server **server, const struct la_server_config *config, char **error)
{
	struct lai_server_place place = {.epoch = make_epoch()};
	int status;

	if (error)
		*error = NULL;
	status = lai_net_kernel_new(&place.net);
	if (status != 0)
		return status;
	status = wrap_in_tls(&place.net, config, error);
	if (status == 0)
		status = lai_server_new_on(server, config, &place, error);
	if (status != 0)
		place.net->ops->free(place.net);
	else
		(*server)->owns_net = true;
	return status;
}

void la_server_free(struct la_server *server)
{
	struct lai_list_link *link;

	if (!server)
		return;
	while ((link = lai_list_first(&server->open)))
		lai_client_abort(server, LAI_LIST_OWNER(link, struct lai_client, open));
	lai_server_unlisten(server);
	lai_checker_free(server->checker);
	lai_store_close(server->store);
	lai_users_free(server->users);
	lai_guard_free(server->guard);
	lai_memo_free(server->memo);
	if (server->epoll >= 0)
		(void)close(server->epoll);
	if (server->owns_net)
		server->net->ops->free(server->net);
	lai_heap_done(&server->timers);
	lai_buffer_done(&server->sender);
	free(server->by_socket);
	free(server->users_path);
	free(server->into);
	free(server);
}

/* ---- running it --------------------------------------------------------------------------- */

int la_server_fd(const struct la_server *server)
{
	return server->epoll;
}

uint64_t la_server_deadline(const struct la_server *server)
{
	return server->over ? 0 : lai_server_deadline(server);
}

int la_server_dispatch(struct la_server *server)
{
	return lai_server_step(server, 0);
}

void la_server_stop(struct la_server *server, uint64_t timeout_ns)
{
	uint64_t by_ns = lai_time_after(lai_net_now(server->net), timeout_ns);

	server->stopping = true;
	if (by_ns >= server->stop_by_ns)
		return;
	server->stop_by_ns = by_ns;
	server->stop_told = false; /* a shorter time is told as well */
}

int la_server_reload(struct la_server *server, char **error)
{
	if (error)
		*error = NULL;
	lai_store_reopen(server->store);
	return server->config.users ? lai_server_read_users(server, error) : 0;
}

void la_server_totals(const struct la_server *server, struct la_server_totals *totals)
{
	struct lai_store_counts counts;

	lai_store_counts(server->store, &counts);
	*totals = server->totals;
	totals->open = server->open.count;
	totals->logged_in = server->logged_in;
	totals->lingering = server->lingering.count;
	totals->records = counts.records;
	totals->duplicate_records = counts.duplicate_records;
	totals->stored_bytes = counts.bytes;
	totals->batches = counts.batches;
	totals->store_waits = server->in_trouble;
	totals->store_failed = lai_store_failed(server->store);
}

uint16_t la_server_port(const struct la_server *server)
{
	return lai_address_port(&server->local);
}
