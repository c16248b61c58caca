/* SPDX-License-Identifier: MIT */
/*
 * sockdiag.c - the kernel's TCP sockets as a list.
 *
 * Facts are collected and handed out at the end only, since a dump that turns out inconsistent has
 * to be forgotten as a whole: it is asked for again, with a new netlink socket.
 */
#include "observe/rows.h"
#include "observe/sockdiag_talk.h"

#include <errno.h>
#include <stdlib.h>

#define TRIES_MAX 5

/* Two names of one thing, see sockdiag.h. */
#define HANDSHAKES (LAI_SOCKDIAG_STATE(LAI_TCP_SYN_RECV) | LAI_SOCKDIAG_STATE(LAI_TCP_NEW_SYN_RECV))

struct facts {
	struct lai_socket_fact *list;
	size_t count, room;
	uint32_t state_mask;
	uint16_t port_min, port_max;
};

static int facts_add(void *arg, const struct lai_socket_fact *fact)
{
	struct facts *facts = arg;
	struct lai_socket_fact *list;

	/* The kernel looks at the state twice; it may have changed in between. */
	if (!(facts->state_mask & LAI_SOCKDIAG_STATE(fact->state)))
		return 0;
	list = lai_rows_grow(facts->list, facts->count, &facts->room, sizeof(*list));
	if (!list)
		return -ENOMEM;
	facts->list = list;
	facts->list[facts->count++] = *fact;
	return 0;
}

/* Adds one dump's sockets; after a failure the facts are as they were. -EINTR: inconsistent, and
   not to be taken all the same. */
static int facts_ask(struct facts *facts, int family, bool anyway, bool *interrupted)
{
	struct lai_sockdiag_question question = {.family = family,
						 .state_mask = facts->state_mask,
						 .port_min = facts->port_min,
						 .port_max = facts->port_max};
	struct lai_sockdiag_talk talk;
	size_t before = facts->count;
	int error = lai_sockdiag_talk_open(&talk, &question);

	if (error)
		return error;
	*interrupted = false;
	do
		error = lai_sockdiag_talk_read(&talk, interrupted, facts_add, facts);
	while (error == 1 && (anyway || !*interrupted));
	if (error >= 0)
		error = *interrupted && !anyway ? -EINTR : 0;
	if (error)
		facts->count = before;
	lai_sockdiag_talk_close(&talk);
	return error;
}

static int facts_ask_patiently(struct facts *facts, int family,
			       struct lai_sockdiag_quality *quality)
{
	bool interrupted = false;
	int error = -EINTR;

	for (int try = 1; try <= TRIES_MAX && error == -EINTR; try++) {
		error = facts_ask(facts, family, try == TRIES_MAX, &interrupted);
		quality->repeats += error == -EINTR;
	}
	if (!error && interrupted)
		quality->complete = false;
	return error;
}

static int facts_ask_by_family(struct facts *facts, struct lai_sockdiag_quality *quality)
{
	int error = facts_ask_patiently(facts, AF_INET, quality);

	if (error)
		return error;
	error = facts_ask_patiently(facts, AF_INET6, quality);
	/* A kernel without IPv6 has no such sockets; that is no error. */
	return error == -EPROTONOSUPPORT ? 0 : error;
}

static int facts_fetch(struct facts *facts, struct lai_sockdiag_quality *quality)
{
	const uint32_t inactive = LAI_SOCKDIAG_STATE(LAI_TCP_BOUND_INACTIVE);
	int error = facts_ask_patiently(facts, AF_UNSPEC, quality);

	/* No kernel is known to refuse that question; what emulates one may. */
	if (error == -EOPNOTSUPP || error == -EPROTONOSUPPORT || error == -EINVAL)
		error = facts_ask_by_family(facts, quality);
	if (error == -EINVAL && facts->state_mask & inactive) {
		facts->state_mask &= ~inactive;
		error = facts_ask_by_family(facts, quality);
	}
	return error;
}

int lai_sockdiag_list(uint32_t state_mask, struct lai_sockdiag_quality *quality,
		      struct lai_socket_fact **list, size_t *count)
{
	return lai_sockdiag_list_ports(state_mask, 0, 0, quality, list, count);
}

int lai_sockdiag_list_ports(uint32_t state_mask, uint16_t port_min, uint16_t port_max,
			    struct lai_sockdiag_quality *quality, struct lai_socket_fact **list,
			    size_t *count)
{
	struct lai_sockdiag_quality reached = {.complete = true};
	struct facts facts = {.state_mask = state_mask, .port_min = port_min, .port_max = port_max};
	int error;

	if (!(state_mask & LAI_SOCKDIAG_ALL))
		return -EINVAL;
	if (state_mask & HANDSHAKES)
		facts.state_mask |= HANDSHAKES;
	error = facts_fetch(&facts, &reached);
	if (error) {
		free(facts.list);
		return error;
	}
	*quality = reached;
	*list = facts.list;
	*count = facts.count;
	return 0;
}

static int list_each(struct lai_socket_fact *list, size_t count, lai_sockdiag_each *each, void *arg)
{
	int result = 0;

	for (size_t i = 0; i < count && !result; i++)
		result = each(arg, &list[i]);
	free(list);
	return result;
}

int lai_sockdiag_dump_anyway(uint32_t state_mask, struct lai_sockdiag_quality *quality,
			     lai_sockdiag_each *each, void *arg)
{
	struct lai_socket_fact *list;
	size_t count;
	int error = lai_sockdiag_list(state_mask, quality, &list, &count);

	return error ? error : list_each(list, count, each, arg);
}

int lai_sockdiag_dump(uint32_t state_mask, lai_sockdiag_each *each, void *arg)
{
	struct lai_sockdiag_quality quality;
	struct lai_socket_fact *list;
	size_t count;
	int error = lai_sockdiag_list(state_mask, &quality, &list, &count);

	if (error)
		return error;
	if (quality.complete)
		return list_each(list, count, each, arg);
	free(list);
	return -EAGAIN;
}
