/* SPDX-License-Identifier: MIT */
/* holder_inside.h - what both ways of holder.h share: a draft that becomes struct lai_holders. */
#ifndef LAI_OBSERVE_HOLDER_INSIDE_H
#define LAI_OBSERVE_HOLDER_INSIDE_H

#include "observe/holder.h"

/* In any order and with repeats until it is finished. {0} is an empty one. */
struct lai_holders_draft {
	struct lai_holders found;
	size_t room, set_room, read_room;
	bool init_seen; /* process 1 was shown to us, readable or not */
};

/* Each: 0 or -ENOMEM. */
int lai_holders_add(struct lai_holders_draft *draft, const struct lai_holder *holder);
int lai_holders_add_set(struct lai_holders_draft *draft, enum lai_descriptor_kind kind,
			uint32_t pid, uint32_t fd);
/* One table of a process; the counts of several are added up. */
int lai_holders_add_read(struct lai_holders_draft *draft, uint32_t pid, uint32_t fd_count);

/* Counts a process whose descriptors may not be seen. */
void lai_holders_add_unreadable(struct lai_holders_draft *draft, uint32_t pid);

/*
 * Sorts, and keeps one of each. Every pid namespace has a process 1; if it was not shown, there may
 * be more that we are not shown (hidepid), and it counts as one that is unreadable.
 * 0: *holders has what the draft had; otherwise -ENOMEM.
 */
int lai_holders_finish(struct lai_holders_draft *draft, struct lai_holders *holders);

#endif
