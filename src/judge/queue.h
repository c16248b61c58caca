/* SPDX-License-Identifier: MIT */
/*
 * queue.h - accept queues that are full of what is gone. A connection that was reset while it waited
 * for accept() keeps its place, and nothing but the listener's own numbers shows it.
 */
#ifndef LAI_JUDGE_QUEUE_H
#define LAI_JUDGE_QUEUE_H

#include "judge/docket.h"

/* Adds never-accepted with a count and without sockets. -ENOMEM. */
int lai_queues_judge(struct lai_court *court, struct lai_docket *docket);

#endif
