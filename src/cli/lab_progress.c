/* SPDX-License-Identifier: MIT */
#include "cli/lab_progress.h"
#include "base/clock.h"
#include "cli/output.h"

#include <stdio.h>
#include <unistd.h>

/* Often enough for the seconds that are shown. */
#define REDRAW_NS (200 * LAI_MS)

#define LINE_BYTES 256

/* The cursor to the first column; what stands right of it is erased. */
#define DRAW_AGAIN "\r\033[K"

void lai_lab_progress_begin(struct lai_lab_progress *progress)
{
	*progress = (struct lai_lab_progress){
		.drawn_at_all = isatty(STDERR_FILENO) == 1,
		.began_ns = lai_clock_now(),
	};
}

/* One column less than there are: some terminals wrap when the last one is written. */
static int width(void)
{
	size_t columns = lai_output_columns(STDERR_FILENO);

	return (int)(columns < LINE_BYTES ? columns : LINE_BYTES) - 1;
}

void lai_lab_progress_tell(void *arg, size_t done, size_t total, size_t running,
			   const struct lai_claim *latest)
{
	struct lai_lab_progress *progress = arg;
	uint64_t now_ns = lai_clock_now();
	char line[LINE_BYTES];

	progress->done = done;
	progress->total = total;
	if (!progress->drawn_at_all ||
	    (progress->drawn && now_ns - progress->drawn_ns < REDRAW_NS && done < total))
		return;
	(void)snprintf(line, sizeof(line), "%zu of %zu trials, %zu running, %.0f s  %s", done,
		       total, running, (double)(now_ns - progress->began_ns) / LAI_S,
		       latest ? latest->id : "");
	(void)fprintf(stderr, DRAW_AGAIN "%.*s", width(), line);
	(void)fflush(stderr);
	progress->drawn = true;
	progress->drawn_ns = now_ns;
}

void lai_lab_progress_end(struct lai_lab_progress *progress)
{
	if (progress->drawn)
		(void)fputs(DRAW_AGAIN, stderr);
	progress->drawn = false;
}
