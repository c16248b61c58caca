/* SPDX-License-Identifier: MIT */
/* demo_child.h - what the demo's children have in common: they never outlive it. */
#ifndef LAI_CLI_DEMO_CHILD_H
#define LAI_CLI_DEMO_CHILD_H

#include <sys/types.h>

/* First thing in a child: dies with this parent, hears no terminal, no signal blocked. */
void lai_demo_child_begin(pid_t parent);

/* Waits so long for its end, then kills it. Returns its status, as of waitpid(). */
int lai_demo_child_end(pid_t pid, int grace_ms);

#endif
