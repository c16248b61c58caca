/* SPDX-License-Identifier: MIT */
/* lab_html_wire.c - what passed between the hosts of one trial, read from its captures. */
#include "lab/capture.h"
#include "show/html.h"
#include "show/lab_html_inside.h"
#include "show/svg_sequence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* Unique in the page: the claim's id and a word behind it. */
#define ID_MAX 96

struct wires {
	struct lai_captured *segments[LAI_TRIAL_WIRES_MAX];
	size_t counts[LAI_TRIAL_WIRES_MAX];
	unsigned count;
};

/* 0, -ENOMEM; a capture that cannot be read is told in the page and left out. */
static int wires_read(FILE *file, const struct lai_outcome_trial *trial, struct wires *wires)
{
	for (unsigned i = 0; i < LAI_TRIAL_WIRES_MAX && trial->captures[i]; i++) {
		char *why = NULL;
		size_t malformed = 0;
		int error;

		rewind(trial->captures[i]);
		error = lai_capture_read(trial->captures[i], &wires->segments[i], &wires->counts[i],
					 &malformed, &why);
		rewind(trial->captures[i]);
		if (error == -EINVAL) {
			(void)fputs("<p>The capture cannot be read: ", file);
			lai_html_text(file, why ? why : "unknown");
			(void)fputs(".</p>\n", file);
			free(why);
			return 0;
		}
		if (error)
			return error;
		wires->count++;
		if (malformed)
			(void)fprintf(file, "<p>%zu packets on wire %u were malformed.</p>\n",
				      malformed, i);
	}
	return 0;
}

static void wires_done(struct wires *wires)
{
	for (unsigned i = 0; i < LAI_TRIAL_WIRES_MAX; i++)
		free(wires->segments[i]);
}

static int put_diagrams(FILE *file, const char *claim_id, const struct lai_result *result,
			const struct wires *wires)
{
	struct lai_sequence sequence = {.wires = wires->count,
					.states = result->states,
					.state_count = result->state_count,
					.began_ns = result->began_ns};
	char id[ID_MAX];

	for (unsigned i = 0; i < wires->count; i++) {
		sequence.segments[i] = wires->segments[i];
		sequence.counts[i] = wires->counts[i];
	}
	(void)snprintf(id, sizeof(id), "%s-wire", claim_id);
	return lai_svg_sequence(file, id, &sequence);
}

int lai_lab_html_wire(FILE *file, const struct lai_outcome *outcome,
		      const struct lai_outcome_trial *trial)
{
	struct wires wires = {0};
	size_t segments = 0;
	int error;

	if (!trial->captures[0])
		return 0;
	(void)fprintf(file, "<h3>On the wire, seed %" PRIu64 "</h3>\n", trial->seed);
	error = wires_read(file, trial, &wires);
	for (unsigned i = 0; i < wires.count; i++)
		segments += wires.counts[i];
	if (!error && wires.count > 0 && segments == 0)
		(void)fputs("<p>No TCP segment passed.</p>\n", file);
	else if (!error && wires.count > 0)
		error = put_diagrams(file, outcome->claim->id, trial->result, &wires);
	wires_done(&wires);
	return error;
}
