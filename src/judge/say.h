/* SPDX-License-Identifier: MIT */
/* say.h - parts of sentences that the evidence of several verdicts has in common. */
#ifndef LAI_JUDGE_SAY_H
#define LAI_JUDGE_SAY_H

#include "base/text.h"
#include "judge/attention.h"
#include "judge/judge.h"

/* "1 connection", "4 connections" */
void lai_say_count(struct lai_text *text, uint64_t count, const char *thing);

/* "nginx (pid 12)", "pid 12", "no process". What a program calls itself is made harmless. */
void lai_say_process(struct lai_text *text, const struct lai_snapshot *snapshot, pid_t pid);

/* "10.0.0.1:80", "*:80" for a wildcard. */
void lai_say_address(struct lai_text *text, const struct lai_address *address);

/* "5 min 2 s" */
void lai_say_ms(struct lai_text *text, uint64_t ms);

/* " The oldest has been so for at least 5 min 2 s." Nothing if the age is not known. */
void lai_say_oldest(struct lai_text *text, const struct lai_finding *finding);

/* "thread 12 waits for a lock (futex_do_wait)" */
void lai_say_thread(struct lai_text *text, const struct lai_thread *thread);

/* " Of its 5 threads 4 wait for a lock, 1 waits in accept()." or that they could not be seen. */
void lai_say_crew(struct lai_text *text, struct lai_attentions *attentions, pid_t pid);

#endif
