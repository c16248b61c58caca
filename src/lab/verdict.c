/* SPDX-License-Identifier: MIT */
/* The names of the verdicts. */
#include "lab/verdict.h"

static const struct {
	const char *name, *meaning;
} verdicts[] = {
#define X(name, text, meaning) {text, meaning},
	LAI_LAB_VERDICTS(X)
#undef X
};

const char *lai_lab_verdict_name(enum lai_lab_verdict verdict)
{
	return verdict < LAI_LAB_VERDICT_COUNT ? verdicts[verdict].name : "?";
}

const char *lai_lab_verdict_meaning(enum lai_lab_verdict verdict)
{
	return verdict < LAI_LAB_VERDICT_COUNT ? verdicts[verdict].meaning : "?";
}
