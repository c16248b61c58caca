/* SPDX-License-Identifier: MIT */
/*
 * rule_poisoned_tuple.c - a CLOSE_WAIT whose peer was on this host and is gone. It stands beside the
 * decision list: the cause has a verdict of its own, this is what the leak does to others.
 *
 * The client's port is free again, the server's end is not. A connect() to the same server that draws
 * this port sends its SYN into the old connection. On 6.18 the ACK that comes back makes the client
 * send RST, which ends the old connection, and the next SYN succeeds (9 ms, measured); where that
 * ACK or RST is lost or filtered, connect() hangs until ETIMEDOUT.
 */
#include "judge/bounds.h"
#include "judge/ports.h"
#include "judge/say.h"

#include "observe/sockdiag.h"

/* A peer whose FIN has come here is in one of these. */
#define PEER_STATES (LAI_SOCKDIAG_STATE(LAI_TCP_FIN_WAIT1) | LAI_SOCKDIAG_STATE(LAI_TCP_FIN_WAIT2))

static bool is_on_this_host(const struct lai_case *own)
{
	struct lai_end local = lai_end_of(&own->socket->local);
	struct lai_end remote = lai_end_of(&own->socket->remote);

	return lai_end_is_loopback(remote) || lai_end_same_host(local, remote) ||
	       lai_pairs_remote_is_local(own->court->pairs, own->index);
}

static enum lai_opinion judge(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_snapshot *now = own->court->now;
	const struct lai_namespace *name_space =
		lai_namespace_of(now, own->socket->namespace_index);

	/* Nobody connects from a port that is listened on: only the accepting end is in the way. */
	if (own->socket->state != LAI_TCP_CLOSE_WAIT || own->role != LAI_ROLE_ACCEPTED ||
	    (now->state_mask & PEER_STATES) != PEER_STATES ||
	    !lai_port_is_ephemeral(name_space, lai_address_port(&own->socket->remote)))
		return LAI_OPINION_NONE;
	if (lai_case_is_young(own) || !is_on_this_host(own) || lai_case_peer(own) != LAI_NO_INDEX)
		return LAI_OPINION_ACQUITTED;
	ruling->confidence = LAI_CONFIDENCE_CERTAIN;
	return LAI_OPINION_GUILTY;
}

static void testify(const struct lai_group *group, struct lai_text *text)
{
	const struct lai_finding *finding = group->finding;
	const struct lai_socket_fact *first = lai_group_socket(group, 0);
	const struct lai_namespace *name_space =
		lai_namespace_of(group->court->now, first->namespace_index);
	uint32_t range = lai_ports_range(name_space);
	char host[LA_ADDRESS_TEXT_MAX];
	struct lai_address server = first->local;

	lai_say_count(text, group->count, "connection");
	lai_text_append(text,
			" in CLOSE_WAIT at %s, from %s on this host, whose other %s gone: the "
			"kernel will give %s to new connections.",
			lai_address_format(host, &server), group->count == 1 ? "a port" : "ports",
			group->count == 1 ? "end is" : "ends are",
			group->count == 1 ? "its port" : "their ports");
	lai_text_append(text,
			" %zu of %u ports are affected: the next connect() from here to there "
			"draws one of them with a chance of %.3g %%.",
			group->count, (unsigned)range,
			group->count >= range ? 100.0 : 100.0 * (double)group->count / range);
	lai_text_append(text,
			" Its SYN then meets the old connection: it is delayed, or hangs until "
			"ETIMEDOUT if a filter drops the answer.");
	lai_say_oldest(text, finding);
}

const struct lai_rule lai_rule_poisoned_tuple = {
	.verdict = LAI_VERDICT_POISONED_TUPLE,
	.judge = judge,
	.testify = testify,
	.remedy = LAI_REMEDY_FIN,
	.advice =
		"The leak of the same process is the cause (see its other finding): once it closes its "
		"connections, no port is poisoned.",
};
