/* SPDX-License-Identifier: MIT */
#include "judge/queue.h"

#include "judge/finding.h"
#include "judge/say.h"

#include "observe/sockdiag.h"

#include <inttypes.h>

#define TEXT_MAX 4096

/* Only who looked for these knows that nobody waits any more. */
#define WAITING_STATES                                                                             \
	(LAI_SOCKDIAG_STATE(LAI_TCP_ESTABLISHED) | LAI_SOCKDIAG_STATE(LAI_TCP_CLOSE_WAIT))

static bool is_full(const struct lai_socket_fact *listener)
{
	/* The kernel takes one more than the backlog. */
	return listener->rqueue_bytes > 0 && listener->rqueue_bytes > listener->wqueue_bytes;
}

/* Somebody living waits there, of whatever age: then that is judged, or will be. */
static bool has_waiting(const struct lai_court *court, uint32_t listener)
{
	for (size_t i = 0; i < court->suspect_count; i++)
		if (court->now->sockets[court->suspects[i]].listener == listener)
			return true;
	return false;
}

/* The same listener in the earlier snapshot; NULL. */
static const struct lai_socket_fact *earlier_of(const struct lai_court *court,
						const struct lai_socket_fact *listener)
{
	const struct lai_roll_list *then = &court->roll_before.listeners;

	for (size_t i = 0; court->before && i < then->count; i++) {
		const struct lai_socket_fact *socket = &court->before->sockets[then->list[i]];

		if (socket->inode == listener->inode && socket->cookie == listener->cookie)
			return socket;
	}
	return NULL;
}

/* Full is enough for one look. Two looks must agree, and then any place that stays taken counts. */
static bool is_guilty(struct lai_court *court, uint32_t index)
{
	const struct lai_socket_fact *listener = &court->now->sockets[index], *then;

	if (listener->rqueue_bytes == 0 ||
	    (court->now->state_mask & WAITING_STATES) != WAITING_STATES)
		return false;
	if (!court->before)
		return is_full(listener) && !has_waiting(court, index);
	then = earlier_of(court, listener);
	return then && then->rqueue_bytes > 0 && then->rqueue_bytes <= listener->rqueue_bytes &&
	       !has_waiting(court, index);
}

static void say_evidence(struct lai_court *court, const struct lai_socket_fact *listener, pid_t pid,
			 struct lai_text *text)
{
	lai_text_append(text, "The accept queue of ");
	lai_say_address(text, &listener->local);
	lai_text_append(text,
			" has %" PRIu32 " of %" PRIu32 " places taken by connections that are "
			"gone: they were reset while they waited for accept().",
			listener->rqueue_bytes, listener->wqueue_bytes);
	if (is_full(listener))
		lai_text_append(text, " It is full: new connections are turned away.");
	if (court->before)
		lai_text_append(text, " The earlier look saw the same.");
	if (pid == 0) {
		lai_text_append(text, " No process that can be seen holds the listener.");
		return;
	}
	lai_text_append(text, " The listener is held by ");
	lai_say_process(text, court->now, pid);
	lai_text_append(text, ".");
	lai_say_crew(text, &court->attentions, pid);
}

static int set_texts(struct lai_court *court, const struct lai_socket_fact *listener,
		     struct lai_finding *finding)
{
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);
	int error;

	say_evidence(court, listener, finding->pid, &text);
	error = lai_text_steal(&text, &finding->evidence);
	if (!error) {
		lai_text_append(&text,
				"Find out what the thread that should call accept() is doing "
				"instead: only accept(), or the end of the listener, makes "
				"room in its queue.");
		error = lai_text_steal(&text, &finding->advice);
	}
	lai_text_done(&text);
	return error;
}

static int add(struct lai_court *court, struct lai_docket *docket, uint32_t index)
{
	const struct lai_socket_fact *listener = &court->now->sockets[index];
	struct lai_finding *finding = lai_docket_add(docket, LAI_VERDICT_NEVER_ACCEPTED);

	if (!finding)
		return -ENOMEM;
	finding->confidence = court->before ? LAI_CONFIDENCE_LIKELY : LAI_CONFIDENCE_POSSIBLE;
	finding->pid = lai_court_acceptor(court, index);
	lai_finding_set_process(finding, court->now);
	finding->socket_count = listener->rqueue_bytes;
	finding->namespace_index = listener->namespace_index;
	finding->local = listener->local;
	finding->state = LAI_TCP_LISTEN;
	return set_texts(court, listener, finding);
}

int lai_queues_judge(struct lai_court *court, struct lai_docket *docket)
{
	int error = 0;

	for (size_t i = 0; i < court->roll.listeners.count && !error; i++)
		if (is_guilty(court, court->roll.listeners.list[i]))
			error = add(court, docket, court->roll.listeners.list[i]);
	return error;
}
