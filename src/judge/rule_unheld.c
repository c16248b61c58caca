/* SPDX-License-Identifier: MIT */
/*
 * rule_unheld.c - io-uring-held and fd-in-flight: a socket with an inode that no descriptor refers to.
 *
 * Something holds it all the same: an io_uring (registered, or in use by a request), a message on a
 * UNIX socket, or the kernel itself (NFS, NBD and the like, which are ESTABLISHED, made by root, and
 * no fault). A ring tells which files are registered; it does not tell which ones its requests use,
 * and a message tells only how many files it has. So these are believed if every process could be
 * looked at, and otherwise with care.
 */
#include "judge/bounds.h"
#include "judge/rule.h"
#include "judge/say.h"

#include <inttypes.h>

enum reason { NAMED, PENDING };

static bool is_unheld(const struct lai_socket_fact *socket)
{
	return socket->inode != 0 && socket->holder_count == 0 && socket->state != LAI_TCP_CLOSE;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ESTABLISHED: nothing came, went or was acknowledged for so long. */
static bool is_idle(const struct lai_socket_fact *socket)
{
	return socket->has_info && least(least(socket->sent_age_ms, socket->received_age_ms),
					 socket->ack_age_ms) >= LAI_UNHELD_IDLE_MS;
}

/* Half or whole closed, and not just now. */
static bool is_ended(const struct lai_case *own)
{
	if (own->socket->state == LAI_TCP_CLOSE_WAIT)
		return !lai_case_is_young(own);
	return own->socket->state == LAI_TCP_FIN_WAIT2 &&
	       lai_case_is_older(own, LAI_HALF_CLOSED_MS);
}

/* This process listens where the connection came in. */
static bool serves(const struct lai_case *own, pid_t pid)
{
	return lai_listeners_held(&own->court->listeners, own->socket->namespace_index,
				  lai_address_port(&own->socket->local), pid);
}

/* Of several: who listens there, then who has most, then the lowest pid. */
static bool is_better(const struct lai_case *own, const struct lai_stash *stash,
		      const struct lai_stash *best)
{
	bool serving, best_serving;

	if (!best)
		return true;
	serving = serves(own, stash->pid);
	best_serving = serves(own, best->pid);
	if (serving != best_serving)
		return serving;
	if (stash->count != best->count)
		return stash->count > best->count;
	return stash->pid != best->pid ? stash->pid < best->pid : stash->fd < best->fd;
}

/* The best stash of this kind that does not tell its sockets; *count: how many there are. */
static const struct lai_stash *unnamed(const struct lai_case *own, enum lai_hold hold,
				       uint32_t *count)
{
	const struct lai_snapshot *now = own->court->now;
	const struct lai_stash *best = NULL;

	*count = 0;
	for (size_t i = 0; i < now->stash_count; i++) {
		const struct lai_stash *stash = &now->stashes[i];

		if (stash->hold != hold || stash->inode != 0)
			continue;
		++*count;
		if (is_better(own, stash, best))
			best = stash;
	}
	return best;
}

/*
 * Where a process could not be looked at, that one may hold the socket in good order. Then a stash is
 * believed only for a socket of the same user, whose processes are seldom hidden from whoever may
 * see the stash.
 */
static bool is_credible(const struct lai_case *own, const struct lai_stash *stash)
{
	const struct lai_process *process = lai_snapshot_process(own->court->now, stash->pid);

	return own->court->covered || (process && process->uid == own->socket->uid);
}

/* How sure it is stands in the sentence as well. */
static void say_doubt(const struct lai_group *group, struct lai_text *text)
{
	if (group->charges[0].ruling.confidence == LAI_CONFIDENCE_POSSIBLE &&
	    !group->court->covered)
		lai_text_append(text,
				" Not all processes could be looked at: one of those may hold "
				"%s instead.",
				group->count == 1 ? "it" : "them");
}

static void blame(const struct lai_case *own, const struct lai_stash *stash, enum reason reason,
		  enum lai_confidence confidence, struct lai_ruling *ruling)
{
	ruling->pid = stash->pid;
	ruling->clue = (uint32_t)(stash - own->court->now->stashes);
	ruling->reason = reason;
	ruling->confidence = confidence;
}

/* --- io_uring --- */

static enum lai_opinion judge_ring(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_socket_fact *socket = own->socket;
	const struct lai_stash *stash;
	uint32_t rings, flights;

	if (!is_unheld(socket))
		return LAI_OPINION_NONE;
	stash = lai_court_stash(own->court, socket->inode);
	if (stash && stash->hold == LAI_HOLD_RING) {
		blame(own, stash, NAMED, LAI_CONFIDENCE_CERTAIN, ruling);
		/* A server may well keep its live connections in the ring alone. */
		return is_ended(own) ? LAI_OPINION_GUILTY : LAI_OPINION_ACQUITTED;
	}
	if (stash)
		return LAI_OPINION_NONE;
	stash = unnamed(own, LAI_HOLD_RING, &rings);
	if (!stash || !is_credible(own, stash))
		return LAI_OPINION_NONE;
	(void)unnamed(own, LAI_HOLD_FLIGHT, &flights);
	if (serves(own, stash->pid) && (is_ended(own) || is_idle(socket))) {
		blame(own, stash, PENDING,
		      own->court->covered ? LAI_CONFIDENCE_LIKELY : LAI_CONFIDENCE_POSSIBLE,
		      ruling);
		return LAI_OPINION_GUILTY;
	}
	if (flights > 0 || !is_ended(own))
		return LAI_OPINION_NONE;
	blame(own, stash, PENDING, LAI_CONFIDENCE_POSSIBLE, ruling);
	return LAI_OPINION_GUILTY;
}

static void testify_ring(const struct lai_group *group, struct lai_text *text)
{
	const struct lai_ruling *ruling = &group->charges[0].ruling;
	const struct lai_stash *stash = &group->court->now->stashes[ruling->clue];
	size_t named = lai_group_reasons(group, NAMED);

	lai_say_count(text, group->count, "connection");
	lai_text_append(text, " %s held by no descriptor of any process, yet the kernel keeps %s.",
			group->count == 1 ? "is" : "are", group->count == 1 ? "it" : "them");
	if (named > 0) {
		lai_text_append(text, " The io_uring at fd %" PRId32 " of ", stash->fd);
		lai_say_process(text, group->court->now, group->finding->pid);
		lai_text_append(text, " has %s registered as fixed file%s.",
				named == 1 ? "it" : "them", named == 1 ? "" : "s");
	} else {
		lai_text_append(text, " The io_uring at fd %" PRId32 " of ", stash->fd);
		lai_say_process(text, group->court->now, group->finding->pid);
		lai_text_append(text, " has requests that are not finished; such a request keeps "
				      "its socket after close(). The kernel does not tell which.");
	}
	say_doubt(group, text);
	lai_say_oldest(text, group->finding);
}

const struct lai_rule lai_rule_io_uring_held = {
	.verdict = LAI_VERDICT_IO_URING_HELD,
	.judge = judge_ring,
	.testify = testify_ring,
	.remedy = LAI_REMEDY_RST,
	.advice =
		"Before close(), cancel the requests that use the socket (IORING_OP_ASYNC_CANCEL) "
		"and take it out of the registered files (IORING_REGISTER_FILES_UPDATE); or call "
		"shutdown(SHUT_RDWR), which ends the connection whoever holds it.",
};

/* --- in flight --- */

/*
 * Held by the kernel, or by a process that could not be looked at. Whose it is does not matter to
 * the rule that needs the socket's own numbers alone.
 */
static enum lai_opinion unheld_otherwise(const struct lai_case *own)
{
	return own->court->covered || own->socket->state != LAI_TCP_CLOSE_WAIT
		       ? LAI_OPINION_ACQUITTED
		       : LAI_OPINION_NONE;
}

static enum lai_opinion judge_flight(const struct lai_case *own, struct lai_ruling *ruling)
{
	const struct lai_socket_fact *socket = own->socket;
	const struct lai_stash *stash;
	uint32_t count;

	if (!is_unheld(socket))
		return LAI_OPINION_NONE;
	stash = lai_court_stash(own->court, socket->inode);
	if (!is_ended(own)) {
		/* The kernel's own: root's, and it came in at no program's listener. */
		bool kernels = socket->uid == 0 && !serves(own, 0);

		if (socket->state != LAI_TCP_ESTABLISHED || kernels || !is_idle(socket))
			return LAI_OPINION_ACQUITTED;
	}
	if (stash && stash->hold == LAI_HOLD_FLIGHT) {
		blame(own, stash, NAMED, LAI_CONFIDENCE_CERTAIN, ruling);
		return LAI_OPINION_GUILTY;
	}
	stash = unnamed(own, LAI_HOLD_FLIGHT, &count);
	if (!stash || !is_credible(own, stash) || (!own->court->covered && !is_ended(own)))
		return unheld_otherwise(own);
	blame(own, stash, PENDING,
	      count == 1 && own->court->covered ? LAI_CONFIDENCE_LIKELY : LAI_CONFIDENCE_POSSIBLE,
	      ruling);
	return LAI_OPINION_GUILTY;
}

static void testify_flight(const struct lai_group *group, struct lai_text *text)
{
	const struct lai_crew *crew;
	const struct lai_ruling *ruling = &group->charges[0].ruling;
	const struct lai_stash *stash = &group->court->now->stashes[ruling->clue];

	lai_say_count(text, group->count, "connection");
	lai_text_append(text, " %s held by no descriptor of any process, yet the kernel keeps %s.",
			group->count == 1 ? "is" : "are", group->count == 1 ? "it" : "them");
	lai_text_append(text, " On the UNIX socket at fd %" PRId32 " of ", stash->fd);
	lai_say_process(text, group->court->now, group->finding->pid);
	lai_text_append(text, " ");
	lai_say_count(text, stash->count, "descriptor");
	lai_text_append(text, " %s in messages that have not been received (SCM_RIGHTS).",
			stash->count == 1 ? "waits" : "wait");
	if (ruling->reason == PENDING)
		lai_text_append(text, " The kernel does not tell which.");
	say_doubt(group, text);
	lai_say_oldest(text, group->finding);
	/* It need not hold a socket of its own, and is then not looked at closely. */
	crew = lai_attentions_crew(&group->court->attentions, group->finding->pid);
	if (crew && crew->count > 0)
		lai_say_crew(text, &group->court->attentions, group->finding->pid);
}

const struct lai_rule lai_rule_fd_in_flight = {
	.verdict = LAI_VERDICT_FD_IN_FLIGHT,
	.judge = judge_flight,
	.testify = testify_flight,
	.remedy = LAI_REMEDY_RST,
	.advice =
		"The process that owns the UNIX socket must go on receiving; who sends should stop "
		"handing connections to a worker that does not take them.",
};
