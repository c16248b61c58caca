/* SPDX-License-Identifier: MIT */
/*
 * demo_doctor.h - what the doctor says of the naive client, and what close does about it: the same
 * snapshot, judge and remedy as of `lastack doctor` and `lastack close`.
 */
#ifndef LAI_CLI_DEMO_DOCTOR_H
#define LAI_CLI_DEMO_DOCTOR_H

#include "base/json.h"
#include "base/text.h"
#include "judge/verdict.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lai_demo_treatment {
	bool done;		  /* the doctor has looked */
	enum lai_verdict verdict; /* of its worst finding; LAI_VERDICT_COUNT: nothing found */
	uint32_t sockets;	  /* of that finding */
	uint64_t look_ns;	  /* snapshot and judgement */
	uint32_t chosen;	  /* in CLOSE_WAIT, so to be ended */
	uint32_t mended;	  /* by FIN, of those */
	uint64_t mend_ns;	  /* all of them together */
	char *words;		  /* the finding, as doctor shows it; NULL: none */
	/* The kernel's numbers afterwards, filled by the story. */
	uint32_t close_wait_after, fds_after;
};

/* Looks at the process, and if something is found ends all that it has in CLOSE_WAIT. 0; -ENOMEM,
   or why the snapshot could not be taken. */
int lai_demo_doctor_treat(struct lai_demo_treatment *treatment, pid_t pid);
void lai_demo_treatment_done(struct lai_demo_treatment *treatment);

/* Appends the finding and what came of it; nothing if the doctor has not looked. */
void lai_demo_treatment_text(struct lai_text *text, const struct lai_demo_treatment *treatment);

/* Writes the member "doctor": an object, or null. */
void lai_demo_treatment_json(struct lai_json *json, const struct lai_demo_treatment *treatment);

#endif
