/* SPDX-License-Identifier: MIT */
/* Two snapshots of any content, as far as facts.h allows, in two orders. */
#include "judge/t_random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SOCKETS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct t_source source = {.bytes = data, .size = size, .random = {size}};
	struct t_snapshot now = t_draw_snapshot(&source, t_draw(&source, SOCKETS_MAX)), before;

	t_judge_any(&source, &now, NULL);
	before = t_draw_before(&source, &now);
	t_judge_any(&source, &now, &before);
	t_snapshot_done(&before);
	t_snapshot_done(&now);
	return 0;
}
