/* SPDX-License-Identifier: MIT */
#include "judge/docket.h"

#include "judge/bounds.h"
#include "judge/finding.h"

#define FINDINGS_FIRST 16

struct lai_finding *lai_docket_add(struct lai_docket *docket, enum lai_verdict verdict)
{
	struct lai_finding *finding;

	if (docket->count == docket->room) {
		size_t room = docket->room ? 2 * docket->room : FINDINGS_FIRST;
		struct lai_finding *list = reallocarray(docket->list, room, sizeof(*list));

		if (!list)
			return NULL;
		docket->list = list;
		docket->room = room;
	}
	finding = &docket->list[docket->count++];
	*finding = (struct lai_finding){.verdict = verdict,
					.severity = lai_verdict_severity(verdict),
					.growth_per_min = LAI_GROWTH_UNKNOWN};
	return finding;
}

/* --- groups --- */

static int add_group(struct lai_docket *docket, struct lai_group *group, lai_rule_of *rule_of,
		     bool whole)
{
	struct lai_finding *finding = lai_docket_add(docket, group->charges[0].ruling.verdict);

	return finding ? lai_finding_fill(finding, group, rule_of, whole) : -ENOMEM;
}

static const struct lai_sign *sign_of(const struct lai_court *court,
				      const struct lai_charge *charge)
{
	return &court->growth.signs[court->growth.exact[charge->place]];
}

/* Everything of a group but the peer. */
static int service_compare(const struct lai_court *court, const struct lai_charge *a,
			   const struct lai_charge *b)
{
	const struct lai_sign *x = sign_of(court, a), *y = sign_of(court, b);

	if (a->ruling.verdict != b->ruling.verdict)
		return a->ruling.verdict < b->ruling.verdict ? -1 : 1;
	if (a->ruling.pid != b->ruling.pid)
		return a->ruling.pid < b->ruling.pid ? -1 : 1;
	if (x->namespace_index != y->namespace_index)
		return x->namespace_index < y->namespace_index ? -1 : 1;
	if (x->role != y->role)
		return x->role < y->role ? -1 : 1;
	return (x->host.port > y->host.port) - (x->host.port < y->host.port);
}

static int charge_compare(const void *left, const void *right, void *arg)
{
	const struct lai_charge *a = left, *b = right;
	const struct lai_court *court = arg;
	int order = service_compare(court, a, b);

	if (order == 0)
		order = lai_end_compare(sign_of(court, a)->host, sign_of(court, b)->host);
	return order ? order : (a->place > b->place) - (a->place < b->place);
}

/* How many of the charges, from the first on, have the same service, or the same peer as well. */
static size_t run_length(const struct lai_court *court, const struct lai_charge *charges,
			 size_t count, bool same_peer)
{
	size_t length = 1;

	while (length < count && service_compare(court, charges, &charges[length]) == 0 &&
	       (!same_peer || lai_end_equal(sign_of(court, charges)->host,
					    sign_of(court, &charges[length])->host)))
		length++;
	return length;
}

static size_t count_peers(const struct lai_court *court, const struct lai_charge *charges,
			  size_t count)
{
	size_t peers = 0;

	for (size_t i = 0; i < count; i += run_length(court, &charges[i], count - i, true))
		peers++;
	return peers;
}

int lai_docket_add_charges(struct lai_docket *docket, struct lai_court *court, lai_rule_of *rule_of,
			   struct lai_charge *charges, size_t count)
{
	int error = 0;

	if (count > 1)
		qsort_r(charges, count, sizeof(*charges), charge_compare, court);
	for (size_t i = 0, end; i < count; i = end) {
		size_t peers;

		end = i + run_length(court, &charges[i], count - i, false);
		peers = count_peers(court, &charges[i], end - i);
		for (size_t k = i, next; k < end && !error; k = next) {
			bool whole = peers > LAI_PEERS_MAX;
			struct lai_group group = {.court = court, .charges = &charges[k]};

			group.count =
				whole ? end - k : run_length(court, &charges[k], end - k, true);
			next = k + group.count;
			error = add_group(docket, &group, rule_of, whole);
		}
		if (error)
			break;
	}
	return error;
}

/* --- order --- */

static int finding_compare(const void *left, const void *right)
{
	const struct lai_finding *a = left, *b = right;
	int order;

	if (a->severity != b->severity)
		return a->severity < b->severity ? -1 : 1;
	if (a->socket_count != b->socket_count)
		return a->socket_count > b->socket_count ? -1 : 1;
	if (a->verdict != b->verdict)
		return a->verdict < b->verdict ? -1 : 1;
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->namespace_index != b->namespace_index)
		return a->namespace_index < b->namespace_index ? -1 : 1;
	order = lai_end_compare(lai_end_of(&a->remote), lai_end_of(&b->remote));
	if (order == 0)
		order = lai_end_compare(lai_end_of(&a->local), lai_end_of(&b->local));
	return order ? order : strcmp(a->evidence, b->evidence);
}

void lai_docket_sort(struct lai_docket *docket)
{
	if (docket->count > 1)
		qsort(docket->list, docket->count, sizeof(*docket->list), finding_compare);
}
