/* SPDX-License-Identifier: MIT */
/*
 * Drawing is a swarm (Groce et al., "Swarm testing", 2012): each seed first draws which faults and
 * policies there are at all, then draws among those, so that rare combinations come up in plenty.
 */
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_UNTIL_NS (45 * LAI_S) /* when the last fault begins */
#define HEAL_NS (60 * LAI_S)
#define MILLION 1000000u

struct fault_kind {
	const char *name;
	bool lasts;
	uint64_t causes;
};

static const struct fault_kind kinds[] = {
#define X(id, name, lasts, causes) {name, lasts, causes},
	T_FAULTS(X)
#undef X
};

const char *t_fault_name(enum t_fault_kind kind)
{
	return (unsigned)kind < T_FAULT_COUNT ? kinds[kind].name : "?";
}

bool t_fault_lasts(enum t_fault_kind kind)
{
	return kinds[kind].lasts;
}

void t_plan_default(struct t_plan *plan)
{
	*plan = (struct t_plan){
		.seed = 1,
		.servers = 1,
		.latency_ns = LAI_MS,
		.client_buffer = LAI_SIM_BUFFER_BYTES,
		.server_buffer = LAI_SIM_BUFFER_BYTES,
		.record_max = 256,
		.work = {.piece_bytes = 1000, .every_ns = LAI_MS, .pause_after_bytes = LA_NEVER},
		.finish_timeout_ns = LA_NEVER,
		.abort_ns = LA_NEVER,
		.heal_ns = LA_NEVER,
	};
	la_link_config_default(&plan->config);
	plan->config.url_count = 1;
	plan->config.seed = 1;
	snprintf(plan->urls[0], T_URL_MAX, "tcp://10.0.0.1:%u", T_PORT);
}

struct la_link_config t_plan_config(const struct t_plan *plan, const char *urls[T_URLS_MAX])
{
	struct la_link_config config = plan->config;

	for (size_t i = 0; i < T_URLS_MAX; i++)
		urls[i] = plan->urls[i];
	config.urls = urls;
	config.local_address = plan->local_address[0] ? plan->local_address : NULL;
	return config;
}

/* ---- drawing ----------------------------------------------------------------------------- */

static uint64_t below(struct lai_random *random, uint64_t bound)
{
	return lai_random_below(random, bound);
}

static bool percent(struct lai_random *random, unsigned chance)
{
	return below(random, 100) < chance;
}

/* Each octave between low and high is as likely as the others. */
static uint64_t octaves(struct lai_random *random, uint64_t low, uint64_t high)
{
	unsigned count = 0;
	uint64_t value;

	while (low << count < high)
		count++;
	value = low << below(random, count + 1);
	value += below(random, value);
	return value < high ? value : high;
}

#define PICK(random, ...)                                                                          \
	((const uint64_t[]){__VA_ARGS__}[below(random, sizeof((const uint64_t[]){__VA_ARGS__}) /   \
							       sizeof(uint64_t))])

static void draw_policies(struct lai_random *random, struct la_link_config *config)
{
	config->proof = (enum la_proof)PICK(random, LA_PROOF_ACKED, LA_PROOF_ACKED,
					    LA_PROOF_WRITTEN, LA_PROOF_CONSUMED);
	/* What an abort or a linger leaves undone, cannot be proven to be consumed: -EINVAL. */
	if (config->proof != LA_PROOF_CONSUMED && percent(random, 15))
		config->close_policy = percent(random, 50) ? LA_CLOSE_ABORT : LA_CLOSE_LINGER;
	config->linger_ns = PICK(random, 0, 1, 5) * LAI_S;
	config->on_full = (enum la_full_policy)PICK(random, LA_FULL_BLOCK, LA_FULL_BLOCK,
						    LA_FULL_DROP_OLDEST, LA_FULL_DROP_NEW);
	config->on_peer_fin =
		percent(random, 25) ? LA_PEER_FIN_KEEP_SENDING : LA_PEER_FIN_RECONNECT;
	config->on_stall = percent(random, 35) ? LA_STALL_RECONNECT : LA_STALL_WAIT;
}

static void draw_times(struct lai_random *random, struct la_link_config *config)
{
	config->resolve_ns = PICK(random, 1, 5, 10) * LAI_S;
	config->connect_ns = PICK(random, 1, 3, 10) * LAI_S;
	config->dead_ns = PICK(random, 2, 3, 5, 10, 20) * LAI_S;
	config->stall_ns = PICK(random, 1, 3, 10, 30) * LAI_S;
	config->read_ns = PICK(random, 1, 5, 30) * LAI_S;
	config->stable_ns = PICK(random, 1, 10) * LAI_S;
	config->backoff_min_ns = PICK(random, 10, 100, 500) * LAI_MS;
	config->backoff_max_ns = PICK(random, 1, 5, 30) * LAI_S;
	if (percent(random, 15))
		config->give_up_ns = PICK(random, 3, 15, 40) * LAI_S;
	if (percent(random, 15))
		config->retries_max = (uint32_t)below(random, 8);
	if (percent(random, 10))
		config->user_timeout_ns = PICK(random, 3, 10, 30) * LAI_S;
	config->no_keepalive = percent(random, 10);
	config->no_delay = percent(random, 50);
	config->seed = lai_random_next(random) | 1;
}

static void draw_buffers(struct lai_random *random, struct t_plan *plan)
{
	plan->record_max = (uint32_t)octaves(random, T_RECORD_MIN * 2, T_RECORD_MAX);
	plan->config.record_bytes_max = plan->record_max + (size_t)below(random, 100);
	if (percent(random, 10)) /* some are too long */
		plan->config.record_bytes_max = plan->record_max / 2;
	plan->config.buffer_bytes = (size_t)octaves(random, LAI_SIM_MSS, 128 * 1024);
	if (plan->config.buffer_bytes < plan->config.record_bytes_max)
		plan->config.buffer_bytes = plan->config.record_bytes_max;
	plan->client_buffer = (uint32_t)octaves(random, 2048, 64 * 1024);
	plan->server_buffer = (uint32_t)octaves(random, 2048, 64 * 1024);
	plan->latency_ns = octaves(random, 100 * LAI_US, 100 * LAI_MS);
}

static void draw_urls(struct lai_random *random, struct t_plan *plan)
{
	const char *scheme = plan->lines ? "lines" : "tcp";

	plan->servers = 1 + (unsigned)below(random, T_SERVERS_MAX);
	plan->names = percent(random, 40);
	plan->config.url_count = plan->servers;
	for (unsigned i = 0; i < plan->servers; i++) {
		char *url = plan->urls[i];
		unsigned server = i + 1;

		if (plan->names && i == 0 && percent(random, 50))
			snprintf(url, T_URL_MAX, "%s://all:%u", scheme, T_PORT);
		else if (plan->names)
			snprintf(url, T_URL_MAX, "%s://server%u:%u", scheme, i, T_PORT);
		else if (percent(random, 30))
			snprintf(url, T_URL_MAX, "%s://[2001:db8::%u]:%u", scheme, server, T_PORT);
		else
			snprintf(url, T_URL_MAX, "%s://10.0.0.%u:%u", scheme, server, T_PORT);
	}
}

static void draw_local(struct lai_random *random, struct t_plan *plan)
{
	if (percent(random, 20))
		plan->config.local_port = (uint16_t)(5000 + below(random, 1000));
	if (percent(random, 8) && !strchr(plan->urls[0], '[') && !strchr(plan->urls[1], '[') &&
	    !strchr(plan->urls[2], '['))
		snprintf(plan->local_address, T_URL_MAX, "%s", LAI_SIM_CLIENT_V4);
	/* Each proof "consumed" leaves us in TIME_WAIT: few ports then mean hours of waiting,
	 * rightly. */
	if (plan->config.proof == LA_PROOF_CONSUMED)
		return;
	if (percent(random, 10))
		plan->ports = (uint16_t)(1 + below(random, 20));
	plan->no_timestamps = percent(random, 10);
}

static void draw_work(struct lai_random *random, struct t_plan *plan)
{
	struct t_work *work = &plan->work;

	*work = (struct t_work){
		.bytes = octaves(random, 100, 256 * 1024),
		.piece_bytes = octaves(random, 1, 8192),
		.every_ns = octaves(random, 100 * LAI_US, 2 * LAI_S),
		.pause_ns = octaves(random, LAI_S, 30 * LAI_S),
		.unterminated = percent(random, 20),
	};
	/* It must come to an end while faults happen, and in not too many pieces. */
	if (work->bytes / work->piece_bytes > 200)
		work->piece_bytes = work->bytes / 200;
	if (work->bytes / work->piece_bytes * work->every_ns > 20 * LAI_S)
		work->every_ns = 20 * LAI_S / (work->bytes / work->piece_bytes + 1);
	work->pause_after_bytes = below(random, work->bytes * 2);
	if (percent(random, 30))
		work->flush_ppm = (uint32_t)below(random, MILLION / 4);
	work->flush_ns = PICK(random, 1, LAI_MS, 500 * LAI_MS);
	plan->finish_ns = below(random, 40 * LAI_S);
	plan->finish_timeout_ns =
		percent(random, 20) ? octaves(random, LAI_S, 60 * LAI_S) : LA_NEVER;
	plan->abort_ns = percent(random, 4) ? below(random, 40 * LAI_S) : LA_NEVER;
	plan->heal_ns = HEAL_NS;
}

static void draw_values(struct lai_random *random, const struct t_plan *plan, struct t_fault *fault)
{
	switch (fault->kind) {
	case T_FAULT_LOSS: fault->value = octaves(random, 1000, MILLION); break;
	case T_FAULT_JITTER:
		fault->value = octaves(random, LAI_MS, 200 * LAI_MS);
		fault->extra = below(random, 2);
		break;
	case T_FAULT_FIREWALL: fault->value = 1 + below(random, 3); break;
	case T_FAULT_ADDRESS: fault->value = percent(random, 70) ? 4 : 6; break;
	case T_FAULT_SLOW:
		fault->value = octaves(random, 1, 4096);
		fault->extra = octaves(random, 5 * LAI_MS, LAI_S);
		break;
	case T_FAULT_TALK: fault->value = octaves(random, 1, 4096); break;
	case T_FAULT_DNS: fault->value = below(random, 3); break;
	case T_FAULT_CONNECT:
		fault->value = PICK(random, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EACCES, EINVAL);
		fault->extra = 1 + below(random, 5);
		break;
	default: break;
	}
	/* The peer's FIN proves that it has read only if its program closes; see la_proof. */
	if (fault->kind == T_FAULT_HALF_CLOSE && plan->config.proof == LA_PROOF_CONSUMED)
		fault->kind = T_FAULT_FIN;
}

static void draw_faults(struct lai_random *random, struct t_plan *plan)
{
	unsigned weights[T_FAULT_COUNT], sum = 0;

	if (percent(random, 30))
		plan->fault_count = 1;
	else
		plan->fault_count = (unsigned)below(random, T_FAULTS_MAX + 1);
	for (unsigned i = 0; i < T_FAULT_COUNT; i++)
		sum += weights[i] = percent(random, 40) ? 1 + (unsigned)below(random, 8) : 0;
	if (sum == 0)
		sum = weights[T_FAULT_RST] = 1;
	for (unsigned i = 0; i < plan->fault_count; i++) {
		struct t_fault *fault = &plan->faults[i];
		uint64_t ticket = below(random, sum);
		unsigned kind = 0;

		while (ticket >= weights[kind])
			ticket -= weights[kind++];
		*fault = (struct t_fault){
			.at_ns = below(random, percent(random, 50) ? FAULTS_UNTIL_NS : 5 * LAI_S),
			.duration_ns =
				kinds[kind].lasts ? octaves(random, 5 * LAI_MS, 40 * LAI_S) : 0,
			.kind = (enum t_fault_kind)kind,
			.server = percent(random, 50) ? T_ALL
						      : (unsigned)below(random, plan->servers),
		};
		draw_values(random, plan, fault);
	}
}

void t_plan_draw(struct t_plan *plan, uint64_t seed)
{
	struct lai_random random = {seed};

	t_plan_default(plan);
	plan->seed = seed;
	plan->lines = percent(&random, 50);
	draw_policies(&random, &plan->config);
	draw_times(&random, &plan->config);
	draw_buffers(&random, plan);
	draw_urls(&random, plan);
	draw_local(&random, plan);
	draw_work(&random, plan);
	draw_faults(&random, plan);
}

uint64_t t_plan_causes(const struct t_plan *plan)
{
	const struct la_link_config *config = &plan->config;
	uint64_t causes = T_CAUSE(FINISHED);

	for (unsigned i = 0; i < plan->fault_count; i++)
		causes |= kinds[plan->faults[i].kind].causes;
	if (config->close_policy == LA_CLOSE_ABORT || plan->abort_ns != LA_NEVER)
		causes |= T_CAUSE(ABORTED);
	if (config->close_policy == LA_CLOSE_LINGER)
		causes |= T_CAUSE(LINGERED);
	if (plan->finish_timeout_ns != LA_NEVER)
		causes |= T_CAUSE(DRAIN_TIMEOUT) | T_CAUSE(NEVER_CLOSED);
	if (plan->finish_timeout_ns != LA_NEVER || config->give_up_ns != LA_NEVER)
		causes |= T_CAUSE(ABORTED) | T_CAUSE(CONNECT_TIMEOUT) | T_CAUSE(RESOLVE_TIMEOUT);
	if (plan->names) /* a cycle through many addresses, each refused a round trip later */
		causes |= T_CAUSE(CONNECT_TIMEOUT);
	if (config->local_port)
		causes |= T_CAUSE(PORT_IN_USE) | T_CAUSE(TUPLE_IN_USE);
	if (strstr(plan->urls[0], LAI_SIM_CLIENT_V4))
		causes |= T_CAUSE(SELF_CONNECT);
	if (plan->ports)
		causes |= T_CAUSE(TUPLE_IN_USE) | T_CAUSE(LOCAL_LIMIT);
	if (plan->local_address[0]) /* an IPv4 address and a server of IPv6 */
		causes |= T_CAUSE(LOCAL_ERROR);
	if (config->user_timeout_ns) /* it kills live peers that do not read */
		causes |= T_CAUSE(SILENT_BUSY) | T_CAUSE(SILENT_IDLE) | T_CAUSE(CONNECT_TIMEOUT);
	if (config->on_stall != LA_STALL_RECONNECT)
		causes &= ~T_CAUSE(STALLED);
	return causes;
}

/* ---- text -------------------------------------------------------------------------------- */

void t_plan_print_faults(const struct t_plan *plan, FILE *stream)
{
	for (unsigned i = 0; i < plan->fault_count; i++) {
		const struct t_fault *fault = &plan->faults[i];

		fprintf(stream, "%s%" PRIu64 ":%s:%u:%" PRIu64 ":%" PRIu64 ":%" PRIu64,
			i ? "," : "", fault->at_ns, t_fault_name(fault->kind), fault->server,
			fault->duration_ns, fault->value, fault->extra);
	}
}

static int parse_one(struct t_fault *fault, const char *text)
{
	char name[32];

	if (sscanf(text, "%" SCNu64 ":%31[a-z-]:%u:%" SCNu64 ":%" SCNu64 ":%" SCNu64, &fault->at_ns,
		   name, &fault->server, &fault->duration_ns, &fault->value, &fault->extra) != 6)
		return -EINVAL;
	for (unsigned kind = 0; kind < T_FAULT_COUNT; kind++) {
		if (strcmp(kinds[kind].name, name) != 0)
			continue;
		fault->kind = (enum t_fault_kind)kind;
		return 0;
	}
	return -EINVAL;
}

int t_plan_parse_faults(struct t_plan *plan, const char *text)
{
	plan->fault_count = 0;
	while (*text) {
		if (plan->fault_count == T_FAULTS_MAX ||
		    parse_one(&plan->faults[plan->fault_count++], text) < 0)
			return -EINVAL;
		text += strcspn(text, ",");
		text += *text == ',';
	}
	return 0;
}

static void print_settings(const struct la_link_config *config, const char *indent, FILE *stream)
{
	static const char *const closings[] = {"graceful", "linger", "abort"};
	static const char *const fulls[] = {"block", "drop-oldest", "drop-new"};

	fprintf(stream,
		"%sproof %s, close %s (linger %.0f s), on-full %s, on-peer-fin %s, on-stall %s\n",
		indent, la_proof_name(config->proof), closings[config->close_policy],
		(double)config->linger_ns / 1e9, fulls[config->on_full],
		config->on_peer_fin == LA_PEER_FIN_KEEP_SENDING ? "keep-sending" : "reconnect",
		config->on_stall == LA_STALL_WAIT ? "wait" : "reconnect");
	fprintf(stream,
		"%sresolve %.0f s, connect %.0f s, dead %.0f s, stall %.0f s, read %.0f s, stable "
		"%.0f s, "
		"back-off %.2f to %.0f s%s\n",
		indent, (double)config->resolve_ns / 1e9, (double)config->connect_ns / 1e9,
		(double)config->dead_ns / 1e9, (double)config->stall_ns / 1e9,
		(double)config->read_ns / 1e9, (double)config->stable_ns / 1e9,
		(double)config->backoff_min_ns / 1e9, (double)config->backoff_max_ns / 1e9,
		config->no_keepalive ? ", no keepalive" : "");
	fprintf(stream,
		"%sbuffer %zu, record max %zu, retries %u, give up %.0f s, user time-out %.0f s\n",
		indent, config->buffer_bytes, config->record_bytes_max, config->retries_max,
		config->give_up_ns == LA_NEVER ? -1.0 : (double)config->give_up_ns / 1e9,
		(double)config->user_timeout_ns / 1e9);
}

void t_plan_print(const struct t_plan *plan, const char *indent, FILE *stream)
{
	const struct t_work *work = &plan->work;

	print_settings(&plan->config, indent, stream);
	fprintf(stream, "%s%u servers:", indent, plan->servers);
	for (unsigned i = 0; i < plan->config.url_count; i++)
		fprintf(stream, " %s", plan->urls[i]);
	fprintf(stream, "; local %s port %u, %u ephemeral ports%s\n", plan->local_address,
		plan->config.local_port, plan->ports, plan->no_timestamps ? ", no timestamps" : "");
	fprintf(stream, "%slatency %.1f ms, client's send buffer %u, server's receive buffer %u\n",
		indent, (double)plan->latency_ns / 1e6, plan->client_buffer, plan->server_buffer);
	fprintf(stream,
		"%swork: %" PRIu64 " bytes by %" PRIu64
		" every %.4f s, a pause of %.1f s after %" PRIu64
		", finish from %.3f s on, within %.1f s, abort at %.3f s\n",
		indent, work->bytes, work->piece_bytes, (double)work->every_ns / 1e9,
		(double)work->pause_ns / 1e9, work->pause_after_bytes,
		(double)plan->finish_ns / 1e9,
		plan->finish_timeout_ns == LA_NEVER ? -1.0 : (double)plan->finish_timeout_ns / 1e9,
		plan->abort_ns == LA_NEVER ? -1.0 : (double)plan->abort_ns / 1e9);
	for (unsigned i = 0; i < plan->fault_count; i++) {
		const struct t_fault *fault = &plan->faults[i];

		fprintf(stream, "%sat %.4f s: %s, ", indent, (double)fault->at_ns / 1e9,
			t_fault_name(fault->kind));
		if (fault->server == T_ALL)
			fprintf(stream, "every server");
		else
			fprintf(stream, "server %u", fault->server);
		if (fault->duration_ns)
			fprintf(stream, ", for %.4f s", (double)fault->duration_ns / 1e9);
		fprintf(stream, ", value %" PRIu64 " %" PRIu64 "\n", fault->value, fault->extra);
	}
}
