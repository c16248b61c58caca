/* SPDX-License-Identifier: MIT */
/* verdict.h - what an experiment says of a claim. */
#ifndef LAI_LAB_VERDICT_H
#define LAI_LAB_VERDICT_H

/* name, how it is written everywhere, what it means */
#define LAI_LAB_VERDICTS(X)                                                                        \
	X(NONE, "none", "the experiment has not said anything yet")                                \
	X(CONFIRMED, "CONFIRMED", "the claim held, and its control came out the other way")        \
	X(REFUTED, "REFUTED", "what happened contradicts the claim")                               \
	X(DEPENDS, "DEPENDS", "true or not by a value, which the verdict names")                   \
	X(INCONCLUSIVE, "INCONCLUSIVE", "the experiment cannot tell, and says why")                \
	X(LACKS, "LACKS", "this kernel, privilege or host lacks what the experiment needs")

enum lai_lab_verdict {
#define X(name, text, meaning) LAI_LAB_##name,
	LAI_LAB_VERDICTS(X)
#undef X
		LAI_LAB_VERDICT_COUNT
};

const char *lai_lab_verdict_name(enum lai_lab_verdict verdict);
const char *lai_lab_verdict_meaning(enum lai_lab_verdict verdict);

#endif
