/* SPDX-License-Identifier: MIT */
/* The public face of a link: checks the settings, owns the pieces, blocks when asked to. */
#include "drive/la_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUFFER_DEFAULT (8u << 20)
#define RECORD_DEFAULT (1u << 20)
/* The address space of one process is the bound; this one catches typing errors. */
#define BUFFER_MAX (1ull << 36)

void la_link_config_default(struct la_link_config *config)
{
	*config = (struct la_link_config){
		.proof = LA_PROOF_ACKED,
		.buffer_bytes = BUFFER_DEFAULT,
		.record_bytes_max = RECORD_DEFAULT,
		.resolve_ns = 10 * LAI_S,
		.connect_ns = 10 * LAI_S,
		.dead_ns = 20 * LAI_S,
		.stall_ns = 30 * LAI_S,
		.read_ns = 30 * LAI_S,
		.stable_ns = 10 * LAI_S,
		.backoff_min_ns = 100 * LAI_MS,
		.backoff_max_ns = 60 * LAI_S,
		.give_up_ns = LA_NEVER,
		.retries_max = UINT32_MAX,
		.tos = -1,
	};
}

/* ---- making one ------------------------------------------------------------------------- */

/* Zero means "not set" for these; for the others it is a value. */
static void fill_in_defaults(struct la_link_config *config)
{
	struct la_link_config defaults;

	la_link_config_default(&defaults);
#define FILL(field) config->field = config->field ? config->field : defaults.field
	FILL(buffer_bytes);
	FILL(record_bytes_max);
	FILL(resolve_ns);
	FILL(connect_ns);
	FILL(dead_ns);
	FILL(stall_ns);
	FILL(read_ns);
	FILL(give_up_ns);
#undef FILL
	if (config->seed == 0 &&
	    getrandom(&config->seed, sizeof(config->seed), GRND_NONBLOCK) != sizeof(config->seed))
		config->seed = 1; /* no entropy yet: jitter is the only thing that suffers */
}

static int refuse(char **error, const char *sentence)
{
	if (error)
		*error = strdup(sentence);
	return -EINVAL;
}

static int check(const struct la_link_config *config, char **error)
{
	if (config->proof >= LA_PROOF_COUNT || config->close_policy >= LA_CLOSE_COUNT ||
	    config->on_full >= LA_FULL_COUNT || config->on_peer_fin >= LA_PEER_FIN_COUNT ||
	    config->on_stall >= LA_STALL_COUNT)
		return refuse(error, "a policy has a value that does not exist");
	if (config->buffer_bytes > BUFFER_MAX)
		return refuse(error, "the buffer is larger than 64 GiB");
	if (config->record_bytes_max > config->buffer_bytes)
		return refuse(error,
			      "the buffer is smaller than the largest record that it must hold");
	if (config->proof == LA_PROOF_CONSUMED && config->close_policy != LA_CLOSE_GRACEFUL)
		return refuse(error,
			      "only a graceful close can prove that the peer consumed everything");
	if (config->backoff_min_ns > config->backoff_max_ns)
		return refuse(error, "the shortest back-off is longer than the longest");
	if (config->dead_ns < LAI_S)
		return refuse(error, "a peer cannot be called dead in less than 1 s: "
				     "the kernel retransmits no faster");
	if (config->tos > 255)
		return refuse(error, "the type of service is one byte: 0 to 255");
	return 0;
}

static int parse_endpoints(struct la_link *link, const struct la_link_config *config, char **error)
{
	char *why = NULL;

	link->endpoints = calloc(config->url_count, sizeof(*link->endpoints));
	if (!link->endpoints)
		return -ENOMEM;
	for (size_t i = 0; i < config->url_count; i++) {
		if (lai_endpoint_parse(&link->endpoints[i], config->urls[i], false, &why) != 0) {
			if (error)
				*error = why;
			else
				free(why);
			return -EINVAL;
		}
		if (link->endpoints[i].wire != link->endpoints[0].wire)
			return refuse(error,
				      "the servers of one list must all have the same scheme");
	}
	return 0;
}

/* A bound socket reaches only its own family. */
static bool reachable(const struct la_link *link, size_t count, int family)
{
	for (size_t i = 0; i < count; i++)
		if (family != AF_UNSPEC && link->endpoints[i].address.length &&
		    lai_address_family(&link->endpoints[i].address) != family)
			return false;
	return true;
}

static int socket_options(struct la_link *link, const struct la_link_config *config,
			  struct lai_socket_options *options, char **error)
{
	*options = (struct lai_socket_options){
		.tos = config->tos,
		.no_delay = config->no_delay,
		.keepalive_ns = config->no_keepalive ? 0 : config->dead_ns,
		.user_timeout_ns =
			config->user_timeout_ns == LA_NEVER ? 0 : config->user_timeout_ns,
		/* So that a closed window is probed often enough to tell a slow peer from a dead
		   one. */
		.rto_max_ns = config->dead_ns / 4 > LAI_S ? config->dead_ns / 4 : LAI_S,
	};
	/* What the kernel has taken cannot be dropped any more, so it is not given much ahead. */
	if (config->on_full == LA_FULL_DROP_OLDEST)
		options->unsent_max_bytes = config->buffer_bytes / 4 < INT32_MAX
						    ? (uint32_t)(config->buffer_bytes / 4)
						    : INT32_MAX;
	if (config->dead_ns == LA_NEVER)
		options->keepalive_ns = options->rto_max_ns = 0;
	if (config->local_address &&
	    lai_address_parse(config->local_address, config->local_port, &options->local) != 0)
		return refuse(error, "the local address is not a numeric IPv4 or IPv6 address");
	if (!reachable(link, config->url_count, lai_address_family(&options->local)))
		return refuse(error, "the local address and a server's are not of one family: both "
				     "IPv4 or both IPv6");
	if (config->device) {
		options->device = link->device = strdup(config->device);
		if (!link->device)
			return -ENOMEM;
	}
	return 0;
}

int lai_link_new_on(struct la_link **link, const struct la_link_config *config, struct lai_net *net,
		    char **error)
{
	struct la_link_config filled = *config;
	struct lai_socket_options options;
	struct la_link *made = calloc(1, sizeof(*made));
	int status;

	if (error)
		*error = NULL;
	if (!made)
		return -ENOMEM;
	fill_in_defaults(&filled);
	made->net = net;
	status = filled.url_count ? parse_endpoints(made, &filled, error)
				  : refuse(error, "no server: at least one URL is needed");
	/* Without records there is nothing that has to fit as a whole. */
	if (status == 0 && !made->endpoints[0].wire->has_records &&
	    filled.record_bytes_max > filled.buffer_bytes)
		filled.record_bytes_max = filled.buffer_bytes;
	if (status == 0)
		status = check(&filled, error);
	if (status == 0)
		status = socket_options(made, &filled, &options, error);
	filled.urls = NULL;
	filled.local_address = filled.device = NULL; /* the caller's; copied into the options */
	if (status == 0)
		status = lai_link_init(&made->core, &filled, made->endpoints, filled.url_count);
	if (status != 0) {
		made->net = NULL;
		la_link_free(made);
		return status;
	}
	made->core.family = lai_address_family(&options.local);
	lai_driver_init(&made->driver, net, &made->core, &options);
	*link = made;
	return 0;
}

int la_link_new(struct la_link **link, const struct la_link_config *config, char **error)
{
	struct lai_net *net;
	int status = lai_net_kernel_new(&net);

	if (error)
		*error = NULL;
	if (status != 0)
		return status;
	status = lai_link_new_on(link, config, net, error);
	if (status != 0)
		net->ops->free(net);
	else
		(*link)->owns_net = true;
	return status;
}

void la_link_free(struct la_link *link)
{
	if (!link)
		return;
	if (link->net) {
		la_link_abort(link);
		if (link->owns_net)
			link->net->ops->free(link->net);
	}
	lai_link_done(&link->core);
	free(link->endpoints);
	free(link->device);
	free(link);
}

/* ---- running it ------------------------------------------------------------------------- */

static uint64_t now_of(const struct la_link *link)
{
	return link->net->ops->now(link->net);
}

int la_link_fd(const struct la_link *link)
{
	return link->net->ops->fd(link->net);
}

uint64_t la_link_deadline(const struct la_link *link)
{
	struct iovec iov[2];

	/* Submitted since the last dispatch: nothing has been told to the kernel yet. */
	if (link->core.action_count > 0 ||
	    (!link->driver.blocked && lai_link_to_send(&link->core, iov) > 0))
		return 0;
	return lai_link_deadline(&link->core);
}

static void try_finish(struct la_link *link)
{
	if (!link->unterminated || !lai_replay_terminate(&link->core.replay))
		return;
	link->unterminated = false;
	lai_link_finish(&link->core, link->finish_by_ns, now_of(link));
}

static int step(struct la_link *link, uint64_t until_ns)
{
	link->stepping = true;
	lai_link_start(&link->core, now_of(link));
	lai_driver_act(&link->driver);
	lai_driver_step(&link->driver, until_ns);
	try_finish(link);
	lai_driver_act(&link->driver);
	link->stepping = false;
	return link->core.state == LA_LINK_DONE;
}

int la_link_dispatch(struct la_link *link)
{
	return step(link, 0);
}

static bool delivered(const struct la_link *link)
{
	return lai_link_delivered(&link->core) || link->core.state == LA_LINK_DONE;
}

/* Steps until the condition holds or the time is over; a connection has to end to
   prove CONSUMED. */
static int run_until(struct la_link *link, bool (*holds)(const struct la_link *),
		     uint64_t timeout_ns)
{
	uint64_t until_ns = lai_time_after(now_of(link), timeout_ns);

	(void)la_link_dispatch(link);
	while (!holds(link)) {
		if (now_of(link) >= until_ns)
			return -ETIMEDOUT;
		if (holds == delivered && link->core.config.proof == LA_PROOF_CONSUMED)
			lai_link_checkpoint(&link->core, now_of(link));
		(void)step(link, lai_time_min(until_ns, la_link_deadline(link)));
	}
	return 0;
}

/* ---- input ------------------------------------------------------------------------------ */

static bool closed_for_input(const struct la_link *link)
{
	return link->core.finishing || link->unterminated || link->core.state == LA_LINK_DONE;
}

size_t la_link_reserve(struct la_link *link, void **room)
{
	if (closed_for_input(link))
		return 0;
	if (!link->stepping) {
		lai_link_crowd(&link->core, now_of(link));
		lai_driver_act(&link->driver);
	}
	return lai_replay_room(&link->core.replay, room);
}

ssize_t la_link_commit(struct la_link *link, size_t size)
{
	return closed_for_input(link) ? -EPIPE : lai_replay_commit(&link->core.replay, size);
}

ssize_t la_link_submit(struct la_link *link, const void *data, size_t size)
{
	uint64_t before = link->core.replay.totals.accepted_bytes;
	size_t done = 0;

	if (closed_for_input(link))
		return -EPIPE;
	while (done < size) {
		void *room;
		size_t piece = la_link_reserve(link, &room);
		ssize_t accepted;

		if (piece == 0)
			break;
		piece = piece < size - done ? piece : size - done;
		memcpy(room, (const char *)data + done, piece);
		accepted = la_link_commit(link, piece);
		if (accepted < 0) {
			/* Earlier pieces of the same record have been taken back as well. */
			uint64_t after = link->core.replay.totals.accepted_bytes;

			return after > before ? (ssize_t)(after - before) : accepted;
		}
		done += (size_t)accepted;
		if ((size_t)accepted < piece)
			break;
	}
	return done > 0 || size == 0 ? (ssize_t)done : -EAGAIN;
}

/* ---- ends ------------------------------------------------------------------------------- */

int la_link_flush(struct la_link *link, uint64_t timeout_ns)
{
	int status = run_until(link, delivered, timeout_ns);

	return status == 0 && !lai_link_delivered(&link->core) ? -EPIPE : status;
}

void la_link_finish(struct la_link *link, uint64_t timeout_ns)
{
	link->finish_by_ns = lai_time_after(now_of(link), timeout_ns);
	link->unterminated = true;
	try_finish(link);
	lai_driver_act(&link->driver);
}

void la_link_abort(struct la_link *link)
{
	lai_driver_look(&link->driver);
	lai_link_abort(&link->core, now_of(link));
	lai_driver_act(&link->driver);
}

static bool is_done(const struct la_link *link)
{
	return link->core.state == LA_LINK_DONE;
}

int la_link_wait(struct la_link *link, uint64_t timeout_ns)
{
	int status = run_until(link, is_done, timeout_ns);

	return status == 0 && !lai_link_delivered(&link->core) ? -EIO : status;
}

/* ---- news ------------------------------------------------------------------------------- */

enum la_link_state la_link_state(const struct la_link *link)
{
	return link->core.state;
}

void la_link_totals(const struct la_link *link, struct la_totals *totals)
{
	*totals = link->core.replay.totals;
	totals->waiting_bytes = lai_ring_used(&link->core.replay.ring);
}

void la_link_report(const struct la_link *link, struct la_report *report)
{
	*report = link->core.connected ? link->core.conn.report : link->core.report;
}

int la_link_socket(const struct la_link *link)
{
	return link->driver.socket;
}
