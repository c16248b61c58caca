/* SPDX-License-Identifier: MIT */
/* result.c - from what a trial said to what it is worth. */
#include "lab/result.h"

enum lai_lab_verdict lai_result_verdict(const struct lai_result *result, const char **why)
{
	if (result->said == LAI_LAB_LACKS || result->said == LAI_LAB_INCONCLUSIVE) {
		*why = result->words;
		return result->said;
	}
	if (result->ended_ns == 0) {
		*why = "the trial did not come to its end";
		return LAI_LAB_INCONCLUSIVE;
	}
	if (result->said <= LAI_LAB_NONE || result->said >= LAI_LAB_VERDICT_COUNT) {
		*why = "the trial ended without a conclusion";
		return LAI_LAB_INCONCLUSIVE;
	}
	switch (result->control) {
	case LAI_CONTROL_HELD: *why = result->words; return result->said;
	case LAI_CONTROL_FAILED: *why = result->control_words; return LAI_LAB_INCONCLUSIVE;
	default:
		*why = "the trial had no control, so its outcome tells nothing";
		return LAI_LAB_INCONCLUSIVE;
	}
}
