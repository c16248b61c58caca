/* SPDX-License-Identifier: MIT */
/*
 * rule_ports.c - ports-exhausting and time-wait-harmless: findings about the port space, not about a
 * socket.
 *
 * A tuple is near its end if four fifths of the range are taken, or will be within minutes: because
 * connections that stay become more, or because connections that go leave TIME_WAIT faster than
 * those expire. The rate of the latter is read from the ages of TIME_WAIT, which are exact.
 */
#include "judge/bounds.h"
#include "judge/ports.h"
#include "judge/say.h"

#include "base/size.h"
#include "observe/sockdiag.h"

#include <inttypes.h>

#define TEXT_MAX_BYTES 4096

struct forecast {
	uint32_t effective; /* ports that connect() cannot have now */
	uint64_t exhaustion_s;
	int64_t difference; /* since the earlier snapshot */
};

struct judging {
	struct lai_court *court;
	struct lai_docket *docket;
	const struct lai_snapshot *before; /* NULL also if it did not list every connection */
	struct lai_port_space *spaces;	   /* by namespace */
	struct lai_ports_tuple *now, *then;
	size_t now_count, then_count;
};

/* Below that no tuple can be near its end: with an earlier snapshot it may be on its way there. */
static uint32_t least_percent(const struct judging *judging)
{
	uint64_t most = 0;

	if (judging->before)
		return LAI_PORTS_BEGUN_PERCENT;
	for (size_t i = 0; i < judging->court->now->namespace_count; i++) {
		const struct lai_port_space *space = &judging->spaces[i];
		uint64_t percent = space->range ? (uint64_t)space->taken * 100 / space->range : 0;

		if (percent > most)
			most = percent;
	}
	/* One less, for what the division has cut off. */
	return most + LAI_PORTS_BEGUN_PERCENT < LAI_PORTS_FULL_PERCENT
		       ? LAI_PORTS_FULL_PERCENT - 1 - (uint32_t)most
		       : LAI_PORTS_BEGUN_PERCENT;
}

/* --- one tuple --- */

/* The same tuple, earlier; the namespace is known by its inode. NULL: it had too few sockets. */
static const struct lai_ports_tuple *tuple_before(const struct judging *judging,
						  const struct lai_ports_tuple *tuple)
{
	const struct lai_snapshot *now = judging->court->now, *before = judging->before;
	size_t low = 0, count = judging->then_count;

	if (!before)
		return NULL;
	while (count > 0) {
		size_t half = count / 2;

		if (lai_ports_compare(&judging->then[low + half], tuple) < 0) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	for (; low < judging->then_count && lai_ports_compare(&judging->then[low], tuple) == 0;
	     low++)
		if (before->namespaces[judging->then[low].namespace_index].inode ==
		    now->namespaces[tuple->namespace_index].inode)
			return &judging->then[low];
	return NULL;
}

/* A port may be counted twice: bound before, and connected now. */
static uint32_t effective_of(const struct lai_ports_tuple *tuple,
			     const struct lai_port_space *space)
{
	uint32_t effective = tuple->used - tuple->reusable + space->taken;

	return effective < space->range ? effective : space->range;
}

/* Ports left, at so many more per interval. 0: they do not become fewer. */
static uint64_t time_left_s(uint32_t range, uint32_t used, int64_t more, uint64_t interval_ms)
{
	uint64_t seconds;

	if (more <= 0 || interval_ms == 0)
		return 0;
	seconds = range > used ? (uint64_t)(range - used) * interval_ms / (uint64_t)more / 1000 : 0;
	return seconds > 0 ? seconds : 1;
}

static struct forecast forecast_of(const struct judging *judging,
				   const struct lai_ports_tuple *tuple)
{
	const struct lai_port_space *space = &judging->spaces[tuple->namespace_index];
	const struct lai_ports_tuple *then = tuple_before(judging, tuple);
	uint64_t interval_ms = judging->court->interval_ms;
	struct forecast forecast = {.effective = effective_of(tuple, space)};
	uint32_t live = tuple->used - tuple->waiting;
	int64_t more_live;
	/* So many TIME_WAIT will there be when the first of them expire. */
	uint64_t steady = (uint64_t)tuple->recent * LAI_TIME_WAIT_MS / LAI_PORTS_RECENT_MS;

	if (!judging->before)
		return forecast;
	/* A tuple below the threshold of counting then had few: the difference is a little high. */
	forecast.difference =
		(int64_t)forecast.effective - (then ? effective_of(then, space) : space->taken);
	more_live = (int64_t)live - (then ? then->used - then->waiting : 0);
	if (!then)
		return forecast;
	if (more_live > 0)
		forecast.exhaustion_s =
			time_left_s(space->range, forecast.effective, more_live, interval_ms);
	else if (tuple->reusable == 0 && steady + live + space->taken >= space->range)
		forecast.exhaustion_s = time_left_s(space->range, forecast.effective,
						    forecast.difference, interval_ms);
	return forecast;
}

static bool is_near(const struct lai_port_space *space, const struct forecast *forecast)
{
	uint64_t percent = space->range ? (uint64_t)forecast->effective * 100 / space->range : 0;

	return percent >= LAI_PORTS_FULL_PERCENT ||
	       (forecast->exhaustion_s > 0 && forecast->exhaustion_s <= LAI_PORTS_FORECAST_S &&
		percent >= LAI_PORTS_BEGUN_PERCENT);
}

/* --- who burns them --- */

static bool is_of_tuple(const struct lai_socket_fact *socket, const struct lai_ports_tuple *tuple)
{
	return socket->namespace_index == tuple->namespace_index &&
	       lai_end_equal(lai_end_of(&socket->remote), tuple->destination) &&
	       lai_end_same_host(lai_end_of(&socket->local), tuple->source);
}

static bool is_bound(const struct lai_socket_fact *socket, const struct lai_ports_tuple *tuple)
{
	return socket->namespace_index == tuple->namespace_index &&
	       socket->state == LAI_TCP_BOUND_INACTIVE;
}

/* The process with most of those sockets; 0: nobody holds one. -ENOMEM. */
static int find_burner(const struct lai_snapshot *now, const struct lai_ports_tuple *tuple,
		       bool (*is_its)(const struct lai_socket_fact *socket,
				      const struct lai_ports_tuple *tuple),
		       pid_t *pid, uint32_t *most)
{
	uint32_t *counts = calloc(now->process_count + 1, sizeof(*counts));

	if (!counts)
		return -ENOMEM;
	*pid = 0;
	*most = 0;
	for (size_t i = 0; i < now->socket_count; i++) {
		const struct lai_process *process;

		if (now->sockets[i].holder_count == 0 || !is_its(&now->sockets[i], tuple))
			continue;
		process = lai_snapshot_process(now, lai_first_pid(now, &now->sockets[i]));
		if (process)
			counts[process - now->processes]++;
	}
	/* Processes are sorted by pid: of equals the lowest. */
	for (size_t i = 0; i < now->process_count; i++)
		if (counts[i] > *most) {
			*most = counts[i];
			*pid = now->processes[i].pid;
		}
	free(counts);
	return 0;
}

/* --- texts --- */

static struct lai_address address_of(struct lai_end end)
{
	struct lai_address address = {.v6 = {.sin6_family = AF_INET6}};

	memcpy(address.v6.sin6_addr.s6_addr, &end.high, 8);
	memcpy(address.v6.sin6_addr.s6_addr + 8, &end.low, 8);
	address.length = sizeof(address.v6);
	if (IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr)) {
		struct in_addr v4;

		memcpy(&v4, &address.v6.sin6_addr.s6_addr[12], sizeof(v4));
		address = (struct lai_address){.v4 = {.sin_family = AF_INET, .sin_addr = v4},
					       .length = sizeof(address.v4)};
	}
	lai_address_set_port(&address, end.port);
	return address;
}

static void say_use(const struct judging *judging, const struct lai_ports_tuple *tuple,
		    const struct forecast *forecast, const struct lai_finding *finding,
		    struct lai_text *text)
{
	const struct lai_port_space *space = &judging->spaces[tuple->namespace_index];

	lai_text_append(text, "%" PRIu32 " of %" PRIu32 " local ports (%" PRIu64 " %%) are taken",
			forecast->effective, space->range,
			(uint64_t)forecast->effective * 100 / space->range);
	if (finding->remote.length > 0) {
		lai_text_append(text, " for connections to ");
		lai_say_address(text, &finding->remote);
	}
	lai_text_append(text, ". Without a free one connect() fails with EADDRNOTAVAIL.");
	if (tuple->used > 0)
		lai_text_append(text,
				" %" PRIu32 " are in use, %" PRIu32
				" in TIME_WAIT, which keeps a port for %d s.",
				tuple->used - tuple->waiting, tuple->waiting,
				LAI_TIME_WAIT_MS / 1000);
	if (tuple->recent > 0)
		lai_text_append(text,
				" %.3g connections per second were closed from this side in "
				"the last %d s.",
				(double)tuple->recent * 1000 / LAI_PORTS_RECENT_MS,
				LAI_PORTS_RECENT_MS / 1000);
	if (tuple->reusable > 0)
		lai_text_append(text,
				" %" PRIu32 " of those in TIME_WAIT may be used again already "
				"(tcp_tw_reuse) and are not counted.",
				tuple->reusable);
	if (space->bound > 0)
		lai_text_append(text,
				" %" PRIu32 " of them by bind() before connect(), without "
				"IP_BIND_ADDRESS_NO_PORT: such a port is taken for every "
				"destination.",
				space->bound);
	if (forecast->exhaustion_s > 0) {
		lai_text_append(text, " At the present rate none is left in ");
		lai_say_ms(text, forecast->exhaustion_s * 1000);
		lai_text_append(text, ".");
	}
}

static void say_burner(const struct judging *judging, const struct lai_finding *finding,
		       uint32_t most, struct lai_text *text)
{
	if (finding->pid == 0) {
		lai_text_append(text, " No process that can be seen holds one of them now.");
		return;
	}
	lai_text_append(text, " Most of those in use, %" PRIu32 ", are held by ", most);
	lai_say_process(text, judging->court->now, finding->pid);
	lai_text_append(text, ".");
}

#define ADVICE                                                                                     \
	"Keep connections and use them again (a larger pool of idle ones, keep-alive); let the "   \
	"server close first where that is possible; set IP_BIND_ADDRESS_NO_PORT before bind(); "   \
	"more ports: ip_local_port_range, more source or destination addresses."

/* --- findings --- */

static int add_exhausting(struct judging *judging, const struct lai_ports_tuple *tuple,
			  const struct forecast *forecast, bool any_destination)
{
	struct lai_finding *finding = lai_docket_add(judging->docket, LAI_VERDICT_PORTS_EXHAUSTING);
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX_BYTES);
	uint32_t most = 0;
	int error;

	if (!finding)
		return -ENOMEM;
	finding->socket_count = forecast->effective;
	finding->namespace_index = tuple->namespace_index;
	finding->confidence = LAI_CONFIDENCE_CERTAIN;
	finding->exhaustion_s = forecast->exhaustion_s;
	if (judging->before && !any_destination)
		finding->growth_per_min =
			lai_growth_per_min(forecast->difference, judging->court->interval_ms);
	if (!any_destination) {
		finding->local = address_of(tuple->source);
		finding->remote = address_of(tuple->destination);
	}
	error = find_burner(judging->court->now, tuple, any_destination ? is_bound : is_of_tuple,
			    &finding->pid, &most);
	if (error)
		return error;
	lai_finding_set_process(finding, judging->court->now);
	say_use(judging, tuple, forecast, finding, &text);
	say_burner(judging, finding, most, &text);
	error = lai_text_steal(&text, &finding->evidence);
	if (!error) {
		lai_text_append(&text, "%s", ADVICE);
		error = lai_text_steal(&text, &finding->advice);
	}
	lai_text_done(&text);
	return error;
}

static int judge_tuples(struct judging *judging)
{
	int error = 0;

	for (size_t i = 0; i < judging->now_count && !error; i++) {
		const struct lai_ports_tuple *tuple = &judging->now[i];
		struct lai_port_space *space = &judging->spaces[tuple->namespace_index];
		struct forecast forecast = forecast_of(judging, tuple);

		if (!is_near(space, &forecast))
			continue;
		space->near = true;
		error = add_exhausting(judging, tuple, &forecast, false);
	}
	return error;
}

/* Ports that are bound and not connected may fill the range all alone. */
static int judge_bound(struct judging *judging)
{
	int error = 0;

	for (uint32_t i = 0; i < judging->court->now->namespace_count && !error; i++) {
		struct lai_port_space *space = &judging->spaces[i];
		struct lai_ports_tuple any = {.namespace_index = i};
		struct forecast forecast = {.effective = space->taken};

		if (space->near || space->bound == 0 || !is_near(space, &forecast))
			continue;
		space->near = true;
		error = add_exhausting(judging, &any, &forecast, true);
	}
	return error;
}

static void say_harmless(const struct judging *judging, uint32_t index, struct lai_text *text)
{
	const struct lai_namespace *name_space = &judging->court->now->namespaces[index];
	const struct lai_port_space *space = &judging->spaces[index];
	char size[LAI_SIZE_TEXT_MAX];

	lai_text_append(text,
			"%" PRIu32 " connections in TIME_WAIT. Each takes %d bytes of the "
			"kernel's memory (%s in all), no descriptor and no process, and the kernel "
			"ends it within %d s.",
			space->time_wait, LAI_TIME_WAIT_BYTES,
			lai_size_format(size, (uint64_t)space->time_wait * LAI_TIME_WAIT_BYTES),
			LAI_TIME_WAIT_MS / 1000);
	lai_text_append(text, " No destination comes near the end of its ports.");
	if (name_space->time_wait_max > 0 && space->time_wait >= name_space->time_wait_max / 10 * 9)
		lai_text_append(text,
				" The table is nearly full (tcp_max_tw_buckets %" PRIu32
				"): beyond that connections end without TIME_WAIT.",
				name_space->time_wait_max);
}

#define HARMLESS_ADVICE                                                                            \
	"Leave them alone: TIME_WAIT keeps late segments of an old connection out of a new one. "  \
	"Settings that shorten it break connections behind NAT."

static int judge_time_wait(struct judging *judging)
{
	int error = 0;

	for (uint32_t i = 0; i < judging->court->now->namespace_count && !error; i++) {
		struct lai_text text = LAI_TEXT_INIT(TEXT_MAX_BYTES);
		struct lai_finding *finding;

		if (judging->spaces[i].near || judging->spaces[i].time_wait < LAI_TIME_WAIT_MANY)
			continue;
		finding = lai_docket_add(judging->docket, LAI_VERDICT_TIME_WAIT_HARMLESS);
		if (!finding)
			return -ENOMEM;
		finding->socket_count = judging->spaces[i].time_wait;
		finding->namespace_index = i;
		finding->state = LAI_TCP_TIME_WAIT;
		say_harmless(judging, i, &text);
		error = lai_text_steal(&text, &finding->evidence);
		if (!error) {
			lai_text_append(&text, "%s", HARMLESS_ADVICE);
			error = lai_text_steal(&text, &finding->advice);
		}
		lai_text_done(&text);
	}
	return error;
}

/* Compared can only be what listed every connection, then too; NULL otherwise. */
static const struct lai_snapshot *full_one(const struct lai_snapshot *before)
{
	uint32_t all =
		LAI_SOCKDIAG_STATE(LAI_TCP_ESTABLISHED) | LAI_SOCKDIAG_STATE(LAI_TCP_TIME_WAIT);

	return before && (before->state_mask & all) == all ? before : NULL;
}

static int count_before(struct judging *judging)
{
	const struct lai_roll *before = &judging->court->roll_before;
	struct lai_listeners listeners;
	int error = lai_listeners_init(&listeners, before);

	if (error)
		return error;
	error = lai_ports_count(before, &listeners, LAI_PORTS_BEGUN_PERCENT, &judging->then,
				&judging->then_count);
	lai_listeners_done(&listeners);
	return error;
}

int lai_ports_judge(struct lai_court *court, struct lai_docket *docket)
{
	struct judging judging = {
		.court = court, .docket = docket, .before = full_one(court->before)};
	int error = -ENOMEM;

	judging.spaces = calloc(court->now->namespace_count + 1, sizeof(*judging.spaces));
	if (judging.spaces)
		error = lai_port_spaces_count(&court->roll, judging.spaces);
	if (!error)
		error = lai_ports_count(&court->roll, &court->listeners, least_percent(&judging),
					&judging.now, &judging.now_count);
	if (!error && judging.before && judging.now_count > 0)
		error = count_before(&judging);
	if (!error)
		error = judge_tuples(&judging);
	if (!error)
		error = judge_bound(&judging);
	if (!error)
		error = judge_time_wait(&judging);
	free(judging.then);
	free(judging.now);
	free(judging.spaces);
	return error;
}
