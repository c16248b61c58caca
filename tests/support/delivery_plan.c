/* SPDX-License-Identifier: MIT */
#include "delivery_plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FAULTS_UNTIL_NS (40 * LAI_S)
#define HEAL_NS (60 * LAI_S)

static const struct {
	const char *name;
	bool lasts;
	enum { SENDER, SERVER, PAIR } strikes;
} kinds[] = {
#define X(id, text, lasting, whom) [T_DELIVERY_##id] = {text, lasting, whom},
	T_DELIVERY_FAULT_KINDS(X)
#undef X
};

const char *t_delivery_fault_name(enum t_delivery_fault_kind kind)
{
	return kinds[kind].name;
}

bool t_delivery_fault_lasts(enum t_delivery_fault_kind kind)
{
	return kinds[kind].lasts;
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

/* Each octave between the two is as likely as the next. */
static uint64_t octaves(struct lai_random *random, uint64_t low, uint64_t high)
{
	unsigned count = 0;
	uint64_t base;

	while (low << (count + 1) <= high)
		count++;
	base = low << below(random, count + 1);
	base += below(random, base);
	return base < high ? base : high;
}

#define PICK(random, ...)                                                                          \
	((const uint64_t[]){__VA_ARGS__}[below(random, sizeof((const uint64_t[]){__VA_ARGS__}) /   \
							       sizeof(uint64_t))])

static void draw_link(struct lai_random *random, struct la_link_config *config)
{
	struct la_stomp_config *stomp = &config->stomp;

	la_link_config_default(config);
	config->connect_ns = PICK(random, 1, 3, 10) * LAI_S;
	config->dead_ns = PICK(random, 2, 5, 20) * LAI_S;
	config->stall_ns = PICK(random, 3, 10, 30) * LAI_S;
	config->read_ns = PICK(random, 2, 5, 30) * LAI_S;
	config->backoff_min_ns = PICK(random, 10, 100, 500) * LAI_MS;
	config->backoff_max_ns = PICK(random, 1, 5, 20) * LAI_S;
	config->on_stall = percent(random, 30) ? LA_STALL_RECONNECT : LA_STALL_WAIT;
	config->buffer_bytes = PICK(random, 64 << 10, 64 << 10, 1 << 20, 8 << 20);
	config->record_bytes_max = T_DELIVERY_RECORD_BYTES;
	config->no_delay = percent(random, 50);
	config->seed = lai_random_next(random) | 1;
	stomp->window_records = (uint32_t)PICK(random, 1, 3, 20, 10000, 10000);
	stomp->receipt_every = (uint32_t)PICK(random, 1, 4, 64, 64);
	stomp->receipt_within_ns = PICK(random, 1, 20, 500) * LAI_MS;
	stomp->receipt_ns = PICK(random, 3, 10, 60) * LAI_S;
	stomp->login_ns = PICK(random, 2, 10) * LAI_S;
	stomp->heartbeat_ns = PICK(random, LAI_S, 10 * LAI_S, LA_NEVER);
	stomp->rejected_min_ns = PICK(random, 1, 5) * LAI_S;
	stomp->rejected_max_ns = PICK(random, 5, 20) * LAI_S;
	stomp->plain_password = true;
}

static void draw_server(struct lai_random *random, struct la_server_config *config)
{
	la_server_config_default(config);
	config->heartbeat_ns = PICK(random, LAI_S, 10 * LAI_S, LA_NEVER);
	config->dead_ns = PICK(random, 2, 5, 20) * LAI_S;
	config->handshake_ns = PICK(random, 2, 10) * LAI_S;
	config->linger_ns = PICK(random, 5, 30) * LAI_S;
	config->idle_ns = percent(random, 20) ? PICK(random, 3, 20) * LAI_S : LA_NEVER;
	config->store_buffer_bytes = PICK(random, 48 << 10, 256 << 10, 64 << 20);
	config->record_bytes_max = T_DELIVERY_RECORD_BYTES;
	if (percent(random, 10))
		config->connections_max = 1;
}

static void draw_work(struct lai_random *random, struct t_delivery_work *work)
{
	*work = (struct t_delivery_work){
		.spool = percent(random, 75),
		.records = (unsigned)octaves(random, 1, T_DELIVERY_RECORDS),
		.piece = (unsigned)octaves(random, 1, 32),
		.sync_of_8 = (unsigned)PICK(random, 1, 4, 8),
		.durability = percent(random, 15) ? LA_DURABILITY_BATCH : LA_DURABILITY_FULL,
		.quota_bytes = percent(random, 20) ? octaves(random, 20 << 10, 200 << 10) : 0,
	};
	if (percent(random, 10))
		work->on_full = percent(random, 50) ? LA_FULL_DROP_OLDEST : LA_FULL_DROP_NEW;
	work->every_ns = octaves(random, LAI_MS, 40 * LAI_S / (work->records / work->piece + 1));
}

static void draw_broker(struct lai_random *random, struct t_delivery_plan *plan)
{
	if (percent(random, 30))
		plan->foreign = percent(random, 70) ? (1u << plan->servers) - 1
						    : 1u << below(random, plan->servers);
	if (!plan->foreign)
		return;
	plan->broker = (struct t_delivery_broker_plan){
		.late = (unsigned)PICK(random, 0, 10, 60),
		.twice = (unsigned)PICK(random, 0, 10),
		.never = (unsigned)PICK(random, 0, 0, 2),
		.hang_up = (unsigned)PICK(random, 0, 0, 3),
		.poison = (unsigned)PICK(random, 0, 1, 5, 20),
		.names_record = percent(random, 50),
		.late_ns = octaves(random, LAI_MS, 5 * LAI_S),
	};
}

static void draw_value(struct lai_random *random, struct t_delivery_fault *fault)
{
	switch (fault->kind) {
	case T_DELIVERY_POWER_SENDER:
	case T_DELIVERY_POWER_SERVER:
		fault->value = PICK(random, 0, T_AT_STORED, 1);
		if (fault->value == 1)
			fault->value = octaves(random, 1, 64);
		break;
	case T_DELIVERY_LIE_SENDER:
	case T_DELIVERY_LIE_SERVER: fault->value = percent(random, 70); break;
	case T_DELIVERY_FULL_SENDER:
	case T_DELIVERY_FULL_SERVER:
		fault->value = percent(random, 30) ? 0 : octaves(random, 512, 256 << 10);
		break;
	case T_DELIVERY_ERROR_SENDER:
	case T_DELIVERY_ERROR_SERVER: fault->value = octaves(random, 1, 32); break;
	case T_DELIVERY_LOSS: fault->value = octaves(random, 1000, 1000000); break;
	case T_DELIVERY_JITTER: fault->value = octaves(random, LAI_MS, 200 * LAI_MS); break;
	default: break;
	}
}

static void draw_faults(struct lai_random *random, struct t_delivery_plan *plan)
{
	unsigned weights[T_DELIVERY_FAULT_COUNT], sum = 0;

	plan->fault_count =
		percent(random, 20) ? 1 : (unsigned)below(random, T_DELIVERY_FAULTS + 1);
	for (unsigned i = 0; i < T_DELIVERY_FAULT_COUNT; i++)
		sum += weights[i] = percent(random, 40) ? 1 + (unsigned)below(random, 8) : 0;
	if (sum == 0)
		sum = weights[T_DELIVERY_POWER_SERVER] = 1;
	for (unsigned i = 0; i < plan->fault_count; i++) {
		struct t_delivery_fault *fault = &plan->faults[i];
		uint64_t ticket = below(random, sum);
		unsigned kind = 0;

		while (ticket >= weights[kind])
			ticket -= weights[kind++];
		*fault = (struct t_delivery_fault){
			.at_ns = below(random, percent(random, 50) ? FAULTS_UNTIL_NS : 5 * LAI_S),
			.duration_ns =
				kinds[kind].lasts ? octaves(random, 5 * LAI_MS, 20 * LAI_S) : 0,
			.kind = (enum t_delivery_fault_kind)kind,
			.sender = (unsigned)below(random, plan->senders),
			.server = (unsigned)below(random, plan->servers),
		};
		draw_value(random, fault);
	}
}

void t_delivery_plan_draw(struct t_delivery_plan *plan, uint64_t seed)
{
	struct lai_random random = {seed};

	memset(plan, 0, sizeof(*plan));
	plan->seed = seed;
	plan->heal_ns = HEAL_NS;
	plan->senders = 1 + (unsigned)below(&random, T_DELIVERY_SENDERS);
	plan->servers = 1 + (unsigned)below(&random, T_DELIVERY_SERVERS);
	plan->users = percent(&random, 30);
	plan->latency_ns = octaves(&random, 100 * LAI_US, 50 * LAI_MS);
	draw_link(&random, &plan->link);
	draw_server(&random, &plan->server);
	for (unsigned i = 0; i < plan->senders; i++)
		draw_work(&random, &plan->work[i]);
	draw_broker(&random, plan);
	draw_faults(&random, plan);
}

/* ---- text -------------------------------------------------------------------------------- */

void t_delivery_plan_print_faults(const struct t_delivery_plan *plan, FILE *stream)
{
	for (unsigned i = 0; i < plan->fault_count; i++) {
		const struct t_delivery_fault *fault = &plan->faults[i];

		fprintf(stream, "%s%" PRIu64 ":%s:%u:%u:%" PRIu64 ":%" PRIu64, i ? "," : "",
			fault->at_ns, kinds[fault->kind].name, fault->sender, fault->server,
			fault->duration_ns, fault->value);
	}
}

static int parse_one(const struct t_delivery_plan *plan, struct t_delivery_fault *fault,
		     const char *text)
{
	char name[32];

	if (sscanf(text, "%" SCNu64 ":%31[a-z-]:%u:%u:%" SCNu64 ":%" SCNu64, &fault->at_ns, name,
		   &fault->sender, &fault->server, &fault->duration_ns, &fault->value) != 6 ||
	    fault->sender >= plan->senders || fault->server >= plan->servers)
		return -EINVAL;
	for (unsigned kind = 0; kind < T_DELIVERY_FAULT_COUNT; kind++) {
		if (strcmp(kinds[kind].name, name) != 0)
			continue;
		fault->kind = (enum t_delivery_fault_kind)kind;
		return 0;
	}
	return -EINVAL;
}

int t_delivery_plan_parse_faults(struct t_delivery_plan *plan, const char *text)
{
	plan->fault_count = 0;
	while (*text) {
		if (plan->fault_count == T_DELIVERY_FAULTS ||
		    parse_one(plan, &plan->faults[plan->fault_count++], text) < 0)
			return -EINVAL;
		text += strcspn(text, ",");
		text += *text == ',';
	}
	return 0;
}

static double seconds(uint64_t ns)
{
	return ns == LA_NEVER ? -1 : (double)ns / 1e9;
}

static void print_link(const struct la_link_config *config, const char *indent, FILE *stream)
{
	const struct la_stomp_config *stomp = &config->stomp;

	fprintf(stream,
		"%slink: connect %.0f s, dead %.0f s, stall %.0f s, read %.0f s, back-off %.2f to "
		"%.0f s, buffer %zu\n",
		indent, seconds(config->connect_ns), seconds(config->dead_ns),
		seconds(config->stall_ns), seconds(config->read_ns),
		seconds(config->backoff_min_ns), seconds(config->backoff_max_ns),
		config->buffer_bytes);
	fprintf(stream,
		"%sstomp: window %u, receipt every %u or %.3f s within %.0f s, login %.0f s, "
		"heart-beat %.0f s, rejected %.0f to %.0f s\n",
		indent, stomp->window_records, stomp->receipt_every,
		seconds(stomp->receipt_within_ns), seconds(stomp->receipt_ns),
		seconds(stomp->login_ns), seconds(stomp->heartbeat_ns),
		seconds(stomp->rejected_min_ns), seconds(stomp->rejected_max_ns));
}

static void print_servers(const struct t_delivery_plan *plan, const char *indent, FILE *stream)
{
	const struct la_server_config *config = &plan->server;
	const struct t_delivery_broker_plan *broker = &plan->broker;

	fprintf(stream,
		"%s%u servers, foreign 0x%x%s: heart-beat %.0f s, dead %.0f s, handshake %.0f s, "
		"idle %.0f s, store's buffer %" PRIu64 ", %u connections; latency %.1f ms\n",
		indent, plan->servers, plan->foreign, plan->users ? ", with users" : "",
		seconds(config->heartbeat_ns), seconds(config->dead_ns),
		seconds(config->handshake_ns), seconds(config->idle_ns), config->store_buffer_bytes,
		config->connections_max, (double)plan->latency_ns / 1e6);
	if (plan->foreign)
		fprintf(stream,
			"%sbroker: %u%% late by %.3f s, %u%% twice, %u%% never, %u%% hang-up, "
			"%u%% poison, ERROR %s the record\n",
			indent, broker->late, seconds(broker->late_ns), broker->twice,
			broker->never, broker->hang_up, broker->poison,
			broker->names_record ? "names" : "does not name");
}

void t_delivery_plan_print(const struct t_delivery_plan *plan, const char *indent, FILE *stream)
{
	print_link(&plan->link, indent, stream);
	print_servers(plan, indent, stream);
	for (unsigned i = 0; i < plan->senders; i++) {
		const struct t_delivery_work *work = &plan->work[i];

		fprintf(stream,
			"%ssender %u: %u records by %u every %.4f s, sync after %u of 8, %s %s, "
			"quota %" PRIu64 ", on-full %u\n",
			indent, i, work->records, work->piece, seconds(work->every_ns),
			work->sync_of_8, work->spool ? "spool" : "no spool,",
			la_durability_name(work->durability), work->quota_bytes, work->on_full);
	}
	for (unsigned i = 0; i < plan->fault_count; i++) {
		const struct t_delivery_fault *fault = &plan->faults[i];

		fprintf(stream, "%sat %.4f s: %s, sender %u, server %u", indent,
			seconds(fault->at_ns), kinds[fault->kind].name, fault->sender,
			fault->server);
		if (fault->duration_ns)
			fprintf(stream, ", for %.4f s", seconds(fault->duration_ns));
		if (fault->value == T_AT_STORED)
			fprintf(stream, ", when something is stored\n");
		else
			fprintf(stream, ", value %" PRIu64 "\n", fault->value);
	}
}
