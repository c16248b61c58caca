/* SPDX-License-Identifier: MIT */
/* finding.c - the fields and the sentences of one finding. */
#include "judge/finding.h"

#include "judge/say.h"

#include <arpa/inet.h>

/* Evidence is a few sentences; lists in it are cut by whoever writes them. */
#define EVIDENCE_MAX 8192

void lai_finding_set_process(struct lai_finding *finding, const struct lai_snapshot *snapshot)
{
	const struct lai_process *process = lai_snapshot_process(snapshot, finding->pid);

	if (!process)
		return;
	memcpy(finding->comm, process->comm, sizeof(finding->comm));
	finding->command_line = process->command_line;
}

int64_t lai_growth_per_min(int64_t difference, uint64_t interval_ms)
{
	int64_t half = (int64_t)(interval_ms / 2);

	if (interval_ms == 0 || interval_ms > INT32_MAX * 1000ull)
		return LAI_GROWTH_UNKNOWN;
	difference *= 60000;
	return (difference + (difference < 0 ? -half : half)) / (int64_t)interval_ms;
}

/* --- the fields of a finding --- */

/* The address that all have in common; port 0: ports differ; length 0: hosts differ. */
static struct lai_address common_address(const struct lai_group *group, bool remote)
{
	const struct lai_socket_fact *first = lai_group_socket(group, 0);
	struct lai_address address = remote ? first->remote : first->local;
	struct lai_end end = lai_end_of(&address);
	bool one_port = true;

	for (size_t i = 1; i < group->count; i++) {
		const struct lai_socket_fact *socket = lai_group_socket(group, i);
		struct lai_end other = lai_end_of(remote ? &socket->remote : &socket->local);

		if (!lai_end_same_host(end, other))
			return (struct lai_address){0};
		one_port &= end.port == other.port;
	}
	if (!one_port)
		lai_address_set_port(&address, 0);
	return address;
}

static enum lai_tcp_state common_state(const struct lai_group *group)
{
	enum lai_tcp_state state = lai_group_socket(group, 0)->state;

	for (size_t i = 1; i < group->count; i++)
		if (lai_group_socket(group, i)->state != state)
			return LAI_TCP_NONE;
	return state;
}

/* The process and the state of the other ends, as far as all that are there agree. */
static void set_peer(const struct lai_group *group, struct lai_finding_peer *peer)
{
	const struct lai_snapshot *now = group->court->now;
	const struct lai_process *process;
	bool any = false, one_pid = true;

	for (size_t i = 0; i < group->count; i++) {
		uint32_t index = lai_pairs_peer(group->court->pairs,
						group->court->suspects[group->charges[i].place]);
		const struct lai_socket_fact *socket;

		if (index == LAI_NO_INDEX)
			continue;
		socket = &now->sockets[index];
		if (!any) {
			*peer = (struct lai_finding_peer){.pid = lai_first_pid(now, socket),
							  .state = socket->state,
							  .namespace_index =
								  socket->namespace_index};
			any = true;
			continue;
		}
		one_pid &= peer->pid == lai_first_pid(now, socket);
		if (peer->state != socket->state)
			peer->state = LAI_TCP_NONE;
	}
	if (!one_pid)
		peer->pid = 0;
	process = lai_snapshot_process(now, peer->pid);
	if (process && peer->pid != 0)
		memcpy(peer->comm, process->comm, sizeof(peer->comm));
}

static int fd_compare(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

/* The descriptors of the finding's process. -ENOMEM. */
static int set_fds(const struct lai_group *group, struct lai_finding *finding)
{
	size_t room = 0;

	for (size_t i = 0; i < group->count; i++)
		room += lai_court_case(group->court, group->charges[i].place)->holder_count;
	finding->fds = malloc((room + 1) * sizeof(*finding->fds));
	if (!finding->fds)
		return -ENOMEM;
	for (size_t i = 0; i < group->count; i++) {
		const struct lai_case *own = lai_court_case(group->court, group->charges[i].place);

		for (uint32_t k = 0; k < own->holder_count; k++)
			if ((pid_t)own->holders[k].pid == finding->pid)
				finding->fds[finding->fd_count++] = (int32_t)own->holders[k].fd;
	}
	qsort(finding->fds, finding->fd_count, sizeof(*finding->fds), fd_compare);
	return 0;
}

static void set_ages(const struct lai_group *group, struct lai_finding *finding)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct lai_case *own = lai_court_case(group->court, group->charges[i].place);

		finding->unread_bytes += lai_unread_bytes(own->socket);
		if (own->age_kind == LAI_AGE_UNKNOWN ||
		    (finding->age_kind != LAI_AGE_UNKNOWN && own->age_ms < finding->oldest_age_ms))
			continue;
		/* Of two of the same age the one that is surely so old. */
		if (finding->age_kind == LAI_AGE_UNKNOWN || own->age_ms > finding->oldest_age_ms ||
		    own->age_kind == LAI_AGE_EXACT)
			finding->age_kind = own->age_kind;
		finding->oldest_age_ms = own->age_ms;
	}
}

/* Of all groups that the charges belong to, each counted once. */
static int64_t difference_of(const struct lai_group *group, bool whole)
{
	struct lai_growth *growth = &group->court->growth;
	int64_t difference = 0;

	growth->stamp++;
	for (size_t i = 0; i < group->count; i++) {
		uint32_t place = group->charges[i].place;
		struct lai_sign *sign =
			&growth->signs[whole ? growth->whole[place] : growth->exact[place]];

		if (sign->stamp == growth->stamp)
			continue;
		sign->stamp = growth->stamp;
		difference += (int64_t)sign->now - (int64_t)sign->before;
	}
	return difference;
}

/* Until the process has used up its descriptors. */
static uint64_t exhaustion_s(const struct lai_process *process, int64_t growth_per_min)
{
	uint64_t left, seconds;

	if (!process || process->fd_limit == 0 || process->fd_count == 0 || growth_per_min <= 0)
		return 0;
	left = process->fd_limit > process->fd_count ? process->fd_limit - process->fd_count : 0;
	seconds = left * 60 / (uint64_t)growth_per_min;
	return seconds > 0 ? seconds : 1;
}

/* --- its texts --- */

static void say_growth(const struct lai_group *group, int64_t difference, struct lai_text *text)
{
	const struct lai_court *court = group->court;
	const struct lai_finding *finding = group->finding;
	const struct lai_process *process = lai_snapshot_process(court->now, finding->pid);

	if (finding->growth_per_min == LAI_GROWTH_UNKNOWN ||
	    finding->verdict == LAI_VERDICT_LONG_TIMEOUT)
		return;
	if (difference <= 0) {
		lai_text_append(text, " Their number has not grown in the last ");
		lai_say_ms(text, court->interval_ms);
		lai_text_append(text, ".");
		return;
	}
	lai_text_append(text, " %lld more than ", (long long)difference);
	lai_say_ms(text, court->interval_ms);
	lai_text_append(text, " ago.");
	if (finding->exhaustion_s == 0 || !process)
		return;
	lai_text_append(text, " At this rate its descriptors (%u of %u are used) run out in ",
			process->fd_count, process->fd_limit);
	lai_say_ms(text, finding->exhaustion_s * 1000);
	lai_text_append(text, ".");
}

/* "--address 10.0.0.1" if all are from one host; a link-local one needs its link, and is left out. */
static void say_host(const struct lai_address *address, struct lai_text *text)
{
	char host[INET6_ADDRSTRLEN];
	struct lai_end end = lai_end_of(address);
	struct in6_addr bytes;

	if (address->length == 0)
		return;
	memcpy(bytes.s6_addr, &end.high, 8);
	memcpy(bytes.s6_addr + 8, &end.low, 8);
	if (IN6_IS_ADDR_LINKLOCAL(&bytes))
		return;
	if (IN6_IS_ADDR_V4MAPPED(&bytes))
		(void)inet_ntop(AF_INET, &bytes.s6_addr[12], host, sizeof(host));
	else
		(void)inet_ntop(AF_INET6, &bytes, host, sizeof(host));
	lai_text_append(text, " --address %s", host);
}

/* Whose connections, in which service, with whom: no more than the finding is about. */
static void say_scope(const struct lai_court *court, const struct lai_socket_fact *socket,
		      const struct lai_address *peer, pid_t pid, struct lai_text *text)
{
	bool accepted = lai_role_of(&court->listeners, socket) == LAI_ROLE_ACCEPTED;

	if (pid != 0)
		lai_text_append(text, " --pid %d", (int)pid);
	lai_text_append(text, " --%s-port %u", accepted ? "local" : "remote",
			(unsigned)lai_address_port(accepted ? &socket->local : &socket->remote));
	say_host(peer, text);
}

/* The command that ends these. The cause may stand at the other end, in another finding. */
static void say_remedy(const struct lai_group *group, lai_rule_of *rule_of, struct lai_text *text)
{
	const struct lai_finding *finding = group->finding;
	const struct lai_court *court = group->court;
	uint32_t other = group->charges[0].ruling.other;
	const struct lai_ruling *cause = lai_court_ruling(court, other);
	enum lai_verdict verdict = finding->verdict;
	pid_t pid = finding->pid;
	enum lai_confidence confidence = finding->confidence;
	const struct lai_socket_fact *socket = lai_group_socket(group, 0);
	const struct lai_address *peer = &finding->remote;
	bool held = finding->fd_count > 0, rst;
	uint32_t namespace_index = finding->namespace_index;
	const struct lai_namespace *name_space;

	if (finding->peer.pid != 0 && cause && cause->verdict != LAI_VERDICT_COUNT &&
	    cause->pid == finding->peer.pid && rule_of(cause->verdict)->remedy) {
		verdict = cause->verdict;
		pid = cause->pid;
		confidence = cause->confidence;
		socket = &court->now->sockets[other];
		peer = &finding->local;
		held = socket->holder_count > 0;
		namespace_index = finding->peer.namespace_index;
	}
	if (rule_of(verdict)->remedy == LAI_REMEDY_NONE)
		return;
	/* To drop what a peer does not read yet destroys it. */
	if (verdict == LAI_VERDICT_WRITES_AFTER_FIN && confidence != LAI_CONFIDENCE_CERTAIN)
		return;
	/* Who may see the holder of what is hidden from us can send a FIN. */
	rst = rule_of(verdict)->remedy == LAI_REMEDY_RST ||
	      (!held && verdict != LAI_VERDICT_EOF_IGNORED);
	lai_text_append(text, "lastack close --verdict %s", lai_verdict_name(verdict));
	/* A filter by process finds holders, and listeners of what waits to be accepted. */
	if (!held && verdict != LAI_VERDICT_NEVER_ACCEPTED && verdict != LAI_VERDICT_POISONED_TUPLE)
		pid = 0;
	say_scope(court, socket, peer, pid, text);
	name_space = lai_namespace_of(court->now, namespace_index);
	if (name_space && !name_space->ours)
		lai_text_append(text, " --all-netns");
	/* What is not certain is to be looked at first: without --yes it is only shown. */
	lai_text_append(text, "%s%s", rst ? " --how rst" : "",
			confidence == LAI_CONFIDENCE_CERTAIN ? " --yes" : "");
}

static int set_texts(const struct lai_group *group, lai_rule_of *rule_of, int64_t difference,
		     struct lai_finding *finding)
{
	const struct lai_rule *rule = rule_of(finding->verdict);
	struct lai_text text = LAI_TEXT_INIT(EVIDENCE_MAX);
	int error;

	rule->testify(group, &text);
	say_growth(group, difference, &text);
	error = lai_text_steal(&text, &finding->evidence);
	if (!error) {
		lai_text_append(&text, "%s", rule->advice);
		error = lai_text_steal(&text, &finding->advice);
	}
	if (!error) {
		say_remedy(group, rule_of, &text);
		if (text.length > 0 || text.error)
			error = lai_text_steal(&text, &finding->remedy);
	}
	lai_text_done(&text);
	return error;
}

/* --- the whole --- */

int lai_finding_fill(struct lai_finding *finding, struct lai_group *group, lai_rule_of *rule_of,
		     bool whole)
{
	struct lai_court *court = group->court;
	int64_t difference = 0;

	group->finding = finding;
	finding->pid = group->charges[0].ruling.pid;
	finding->sockets = malloc(group->count * sizeof(*finding->sockets));
	if (!finding->sockets || set_fds(group, finding) != 0)
		return -ENOMEM;
	finding->socket_count = group->count;
	for (size_t i = 0; i < group->count; i++) {
		const struct lai_ruling *ruling = &group->charges[i].ruling;

		finding->sockets[i] = court->suspects[group->charges[i].place];
		if (ruling->confidence > finding->confidence)
			finding->confidence = ruling->confidence;
	}
	lai_finding_set_process(finding, court->now);
	finding->namespace_index = lai_group_socket(group, 0)->namespace_index;
	finding->local = common_address(group, false);
	finding->remote = common_address(group, true);
	finding->state = common_state(group);
	set_ages(group, finding);
	set_peer(group, &finding->peer);
	if (court->before) {
		difference = difference_of(group, whole);
		finding->growth_per_min = lai_growth_per_min(difference, court->interval_ms);
		finding->exhaustion_s = exhaustion_s(lai_snapshot_process(court->now, finding->pid),
						     finding->growth_per_min);
	}
	return set_texts(group, rule_of, difference, finding);
}

/* --- what rules ask of their group --- */

const struct lai_socket_fact *lai_group_socket(const struct lai_group *group, size_t i)
{
	const struct lai_court *court = group->court;

	return &court->now->sockets[court->suspects[group->charges[i].place]];
}

size_t lai_group_reasons(const struct lai_group *group, uint8_t reason)
{
	size_t count = 0;

	for (size_t i = 0; i < group->count; i++)
		count += group->charges[i].ruling.reason == reason;
	return count;
}

const struct lai_charge *lai_group_first(const struct lai_group *group, uint8_t reason)
{
	for (size_t i = 0; i < group->count; i++)
		if (group->charges[i].ruling.reason == reason)
			return &group->charges[i];
	return NULL;
}
