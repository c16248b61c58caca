/* SPDX-License-Identifier: MIT */
/*
 * attention.h - does anybody in this process look at this socket? Told by its threads, and by the
 * epoll sets and polls that have the socket in them.
 */
#ifndef LAI_JUDGE_ATTENTION_H
#define LAI_JUDGE_ATTENTION_H

#include "observe/facts.h"

enum lai_attention {
	LAI_ATTENTION_UNSEEN,  /* its threads or sets could not be seen */
	LAI_ATTENTION_READING, /* a thread is in read() on it */
	LAI_ATTENTION_LEVEL, /* watched for input by a loop at rest: such a wait returns at once */
	LAI_ATTENTION_EDGE,  /* watched for input, edge-triggered: was told once, and took it */
	LAI_ATTENTION_DESERTED, /* watched for input in a set that no thread waits on */
	LAI_ATTENTION_MASKED,	/* in a set, but not for input, or its one shot is spent */
	LAI_ATTENTION_NO_SET,	/* there is an event loop, and this socket is in none of its sets */
	LAI_ATTENTION_NOBODY,	/* there is no event loop, and no thread reads it */
};

/* The threads of one process. */
struct lai_crew {
	bool known;
	uint32_t count;
	uint32_t by_wait[LAI_WAIT_COUNT];
	uint32_t suspect; /* the thread least likely to come back; LAI_NO_INDEX: no thread */
};

struct lai_attentions {
	const struct lai_snapshot *snapshot;
	uint32_t *readers; /* threads with a socket behind their call, by its inode */
	size_t reader_count;
	uint32_t *loops; /* threads in LAI_WAIT_EVENTS, by pid and fd */
	size_t loop_count;
	struct lai_crew *crews; /* one per process of the snapshot, made when asked for */
};

/* 0 or -ENOMEM; attentions is then as zeroes. */
int lai_attentions_init(struct lai_attentions *attentions, const struct lai_snapshot *snapshot);
void lai_attentions_done(struct lai_attentions *attentions);

/* NULL: the process is not in the snapshot. Valid until lai_attentions_done(). */
const struct lai_crew *lai_attentions_crew(struct lai_attentions *attentions, pid_t pid);

/* *watch is the interest that decided, or NULL; it may be NULL itself. */
enum lai_attention lai_attentions_of(struct lai_attentions *attentions, pid_t pid, uint64_t inode,
				     const struct lai_watch **watch);

/* The thread of this process whose call is of this kind and concerns this socket; NULL: none. */
const struct lai_thread *lai_attentions_thread(const struct lai_attentions *attentions, pid_t pid,
					       uint64_t inode, enum lai_wait wait);

/* A thread of the process reads the socket, or a set or poll of it has it for data (EPOLLIN). */
bool lai_attentions_wants_data(const struct lai_attentions *attentions, pid_t pid, uint64_t inode);

/* It is watched for its end alone (EPOLLRDHUP): data is of no interest. */
bool lai_attentions_wants_end_only(const struct lai_attentions *attentions, pid_t pid,
				   uint64_t inode);

/* The process has anything to do with the socket beyond holding it. */
bool lai_attentions_uses(const struct lai_attentions *attentions, pid_t pid, uint64_t inode);

#endif
