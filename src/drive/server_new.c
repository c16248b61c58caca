/* SPDX-License-Identifier: MIT */
/* Making a server: the settings, and what is opened for it. */
#include "drive/server.h"

#include "base/error.h"

#include "link/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

/* Bounds that catch typing errors. */
#define CONNECTIONS_MAX 1000000u
#define STORE_BUFFER_MAX (1ull << 40)
#define RECORD_MAX (1ull << 32)
/* A client that does not read its receipts: 30,000 of them, or a stopped program. */
#define REPLIES_MAX (1u << 20)
/* How long a peer may owe its FIN after ours. */
#define PEER_FIN_NS (30 * LAI_S)
#define RESOLVE_NS (10 * LAI_S)
/* A record in the store's buffer is longer than its body: its headers and the frame around it. */
#define RECORDS_IN_STORE 2

/* ---- settings ----------------------------------------------------------------------------- */

/* Zero means "not set". */
static void fill_in_defaults(struct la_server_config *config)
{
	struct la_server_config defaults;

	la_server_config_default(&defaults);
#define FILL(field) config->field = config->field ? config->field : defaults.field
	FILL(rotate_bytes);
	FILL(store_buffer_bytes);
	FILL(failures_max);
	FILL(failures_ns);
	FILL(connections_max);
	FILL(handshake_ns);
	FILL(idle_ns);
	FILL(heartbeat_ns);
	FILL(dead_ns);
	FILL(linger_idle_ns);
	FILL(linger_ns);
	FILL(linger_bytes);
	FILL(record_bytes_max);
#undef FILL
	if (!config->into)
		config->into = "lastack.db";
	/* The longest record must find room, or nothing would ever go on. */
	if (config->record_bytes_max <= RECORD_MAX &&
	    config->store_buffer_bytes < config->record_bytes_max * RECORDS_IN_STORE)
		config->store_buffer_bytes = config->record_bytes_max * RECORDS_IN_STORE;
}

static int check(const struct la_server_config *config, char **error)
{
	if (config->durability >= LA_DURABILITY_COUNT)
		return lai_error(error, -EINVAL, "the durability has a value that does not exist");
	if (config->connections_max > CONNECTIONS_MAX)
		return lai_error(error, -EINVAL,
				 "more than 1000000 connections at once are not supported");
	if (config->store_buffer_bytes > STORE_BUFFER_MAX || config->record_bytes_max > RECORD_MAX)
		return lai_error(error, -EINVAL,
				 "a record is at most 4 GiB, the store's buffer 1 TiB");
	if (config->dead_ns < LAI_S)
		return lai_error(error, -EINVAL,
				 "a peer cannot be called dead in less than 1 s: "
				 "the kernel retransmits no faster");
	if (config->handshake_ns == LA_NEVER)
		return lai_error(error, -EINVAL,
				 "the handshake needs a deadline: "
				 "whoever says nothing would stay for ever");
	if (config->linger_ns == LA_NEVER || config->linger_idle_ns == LA_NEVER)
		return lai_error(error, -EINVAL,
				 "lingering needs a deadline: "
				 "a refused client could go on for ever");
	return 0;
}

static int copy_texts(struct la_server *server, char **error)
{
	struct la_server_config *config = &server->config;

	server->into = strdup(config->into);
	if (config->users)
		server->users_path = strdup(config->users);
	if (!server->into || (config->users && !server->users_path))
		return -ENOMEM;
	config->into = server->into;
	config->users = server->users_path;
	config->url = NULL;
	memset(&config->tls, 0, sizeof(config->tls));
	(void)error;
	return 0;
}

static void init_sessions(struct la_server *server)
{
	const struct la_server_config *config = &server->config;

	server->session_config = (struct lai_stomp_session_config){
		.limits = {.dead_ns = config->dead_ns,
			   .stall_ns = LA_NEVER, /* replies_bytes_max finds who does not read */
			   .read_ns = PEER_FIN_NS,
			   .close_policy = LA_CLOSE_GRACEFUL,
			   .on_peer_fin = LA_PEER_FIN_RECONNECT},
		.handshake_ns = config->handshake_ns,
		.idle_ns = config->idle_ns,
		.heartbeat_ns = config->heartbeat_ns,
		.linger_idle_ns = config->linger_idle_ns,
		.linger_ns = config->linger_ns,
		.linger_bytes = config->linger_bytes,
		.record_bytes_max = config->record_bytes_max,
		.replies_bytes_max = REPLIES_MAX,
		.server = "lastack/" LASTACK_VERSION,
		.on_record = lai_server_on_record,
		.arg = server,
	};
}

/* ---- making one --------------------------------------------------------------------------- */

static int resolve(struct la_server *server, const struct lai_endpoint *endpoint, char **error)
{
	int status;

	server->local = endpoint->address;
	if (endpoint->address.length > 0)
		return 0;
	status = lai_net_resolve(server->net, endpoint->host, endpoint->port,
				 lai_time_after(lai_net_now(server->net), RESOLVE_NS),
				 &server->local);
	if (status == 0)
		return 0;
	return lai_error(error, status, "cannot listen on %s: %s", endpoint->text,
			 status == -ENOENT ? "there is no such name, or it has no address"
					   : "the name server did not answer");
}

/* Where: the URL says it, or the descriptor that was handed over does. */
static int find_place(struct la_server *server, const struct la_server_config *config, char **error)
{
	struct lai_endpoint endpoint;
	int status;

	if (!config->url)
		return config->listener >= 0
			       ? 0
			       : lai_error(error, -EINVAL, "no URL: where to listen?");
	status = lai_endpoint_parse(&endpoint, config->url, true, error);
	if (status != 0)
		return status;
	if (!endpoint.wire->has_receipts)
		return lai_error(error, -EINVAL,
				 "this server speaks stomp:// and stomps://, nothing else");
	return config->listener >= 0 ? 0 : resolve(server, &endpoint, error);
}

static int open_store(struct la_server *server, const struct lai_server_place *place, char **error)
{
	const struct la_server_config *config = &server->config;
	const struct lai_store_settings settings = {
		.into = config->into,
		.output = config->output,
		.rotate_bytes = config->rotate_bytes,
		.buffer_bytes = config->store_buffer_bytes,
		.durability = config->durability,
		.no_thread = place->no_threads,
		.vfs = place->vfs,
	};
	int status = lai_store_open(&server->store, &settings, error);

	if (status != 0)
		return status;
	server->stored = server->ticket = lai_store_stored(server->store);
	if (place->no_threads)
		server->retry_ns = 0;
	return 0;
}

static int open_logins(struct la_server *server, char **error)
{
	uint64_t seed = server->epoch;
	int status = 0;

	if (!server->config.users)
		return 0;
	(void)getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	status = lai_server_read_users(server, error);
	if (status == 0)
		status = lai_guard_new(&server->guard, server->config.failures_max,
				       server->config.failures_ns, seed);
	if (status == 0)
		status = lai_memo_new(&server->memo);
	if (status == 0)
		status = lai_checker_new(&server->checker, server->no_threads);
	return status;
}

static int poll_also(struct la_server *server, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd < 0)
		return 0;
	return epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* One descriptor for the caller: the network's, the store's and the checker's news in it. */
static int open_epoll(struct la_server *server)
{
	int status;

	if (LAI_NET(server, fd) < 0)
		return 0;
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll < 0)
		return -errno;
	status = poll_also(server, LAI_NET(server, fd));
	if (status == 0)
		status = poll_also(server, lai_store_fd(server->store));
	if (status == 0 && server->checker)
		status = poll_also(server, lai_checker_fd(server->checker));
	return status;
}

static struct la_server *new_empty(const struct lai_server_place *place)
{
	struct la_server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->net = place->net;
	server->no_threads = place->no_threads;
	server->epoch = place->epoch;
	server->epoll = server->listener = -1;
	server->retry_ns = server->stop_by_ns = LA_NEVER;
	server->slept_ns = LAI_NET(server, slept);
	lai_list_init(&server->open);
	lai_list_init(&server->news);
	lai_list_init(&server->hungry);
	lai_list_init(&server->unconfirmed);
	lai_list_init(&server->paused);
	lai_list_init(&server->asking);
	lai_list_init(&server->checking);
	lai_list_init(&server->lingering);
	return server;
}

int lai_server_new_on(struct la_server **server, const struct la_server_config *config,
		      const struct lai_server_place *place, char **error)
{
	struct la_server *made = new_empty(place);
	char text[LA_ADDRESS_TEXT_MAX];
	int status;

	if (error)
		*error = NULL;
	if (!made)
		return -ENOMEM;
	made->config = *config;
	made->checks = config->users || config->tls.ca;
	fill_in_defaults(&made->config);
	status = check(&made->config, error);
	if (status == 0)
		status = find_place(made, config, error);
	if (status == 0)
		status = copy_texts(made, error);
	if (status == 0)
		status = open_logins(made, error);
	if (status == 0)
		status = open_store(made, place, error);
	if (status == 0)
		status = lai_server_listen(made, error);
	if (status == 0)
		status = open_epoll(made);
	if (status != 0) {
		la_server_free(made);
		return status;
	}
	init_sessions(made);
	*server = made;
	lai_server_say(made, LA_SERVER_LISTENS, NULL, lai_address_format(text, &made->local));
	return 0;
}
