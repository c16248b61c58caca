/* SPDX-License-Identifier: MIT */
/*
 * doctor_unjudged.c - what is half-closed and in no finding. Whoever has seen it in ss(8) would
 * otherwise wonder whether it was overlooked.
 */
#include "cli/doctor.h"

#include "judge/bounds.h"
#include "show/show_coverage.h"
#include "show/show_paragraph.h"

#include <stdlib.h>

#define SENTENCE_MAX 1024

/* Sockets in this state that a process should have closed by now, or need not yet: no finding has
   them. marked: those that one has. */
static size_t count_open(const struct lai_snapshot *snapshot, const bool *marked,
			 enum lai_tcp_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < snapshot->socket_count; i++) {
		const struct lai_socket_fact *socket = &snapshot->sockets[i];

		/* One in FIN_WAIT2 without inode is closed: the kernel ends it. */
		count += socket->state == state && !marked[i] &&
			 (state == LAI_TCP_CLOSE_WAIT || socket->inode != 0);
	}
	return count;
}

/* NULL: no memory. For free(). */
static bool *marks_of(const struct lai_snapshot *snapshot, const struct lai_findings *findings)
{
	bool *marked = calloc(snapshot->socket_count + 1, sizeof(*marked));

	for (size_t i = 0; marked && i < findings->count; i++) {
		const struct lai_finding *finding = &findings->list[i];

		for (size_t k = 0; finding->sockets && k < finding->socket_count; k++)
			marked[finding->sockets[k]] = true;
	}
	return marked;
}

void lai_doctor_show_unjudged(struct lai_text *text, const struct lai_snapshot *snapshot,
			      const struct lai_findings *findings, bool first, size_t columns)
{
	bool *marked = marks_of(snapshot, findings);
	size_t waiting = marked ? count_open(snapshot, marked, LAI_TCP_CLOSE_WAIT) : 0;
	size_t half = marked ? count_open(snapshot, marked, LAI_TCP_FIN_WAIT2) : 0;
	struct lai_text words = LAI_TEXT_INIT(SENTENCE_MAX);

	free(marked);
	if (waiting + half == 0)
		return;
	if (waiting)
		lai_text_append(&words, "%zu in CLOSE_WAIT", waiting);
	if (half)
		lai_text_append(&words, "%s%zu in FIN_WAIT2", waiting ? " and " : "", half);
	lai_text_append(&words, " got no verdict: too young to be judged (under %d s)%s, or ",
			LAI_CLOSE_WAIT_YOUNG_MS / 1000,
			half ? ", in FIN_WAIT2 perhaps waited for" : "");
	if (!lai_show_coverage_whole(snapshot))
		lai_text_append(&words, "held by what may not be seen, or ");
	lai_text_append(&words, "as %s should be.%s", waiting + half == 1 ? "it" : "they",
			first ? " Look again, or --watch 5." : "");
	lai_show_wrapped(text, 0, columns, lai_text_string(&words));
	lai_text_done(&words);
}
