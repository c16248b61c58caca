/* SPDX-License-Identifier: MIT */
/*
 * holding.h - TCP sockets, and processes that hold them, made by a test that looks for holders.
 *
 *	test                            child
 *	t_holding_child(work) -fork()-> work(): opens, closes, starts threads
 *	                      <-byte--- t_holding_stay(): until the test ends it
 */
#ifndef T_HOLDING_H
#define T_HOLDING_H

#include "observe/holder.h"

#define T_HOLDING_SOCKETS_MAX 16
#define T_HOLDING_CHILDREN_MAX 500

struct t_holding {
	uint64_t tcp[T_HOLDING_SOCKETS_MAX]; /* inodes; children write theirs, too */
	unsigned tcp_count;
	pid_t children[T_HOLDING_CHILDREN_MAX];
	unsigned child_count;
	int ready[2], hold[2];
};

/* In memory shared with the children; there is one at a time. */
extern struct t_holding *t_holding;

/* For cmocka's set-up and tear-down, which ends the children. */
int t_holding_setup(void **state);
int t_holding_teardown(void **state);

/* A TCP socket that is added to tcp[], or -1. */
int t_holding_socket(int family);
uint64_t t_holding_inode(int fd);

/* Runs work() in a child, and returns when that has come to t_holding_stay(); -1: it did not. It ends
   with the test. */
pid_t t_holding_child(void (*work)(void));
void t_holding_stay(void);
/* Tells the test that the child is ready, and goes on. */
void t_holding_tell(void);

/* Leaves the rows of our processes alone, and of list those of our TCP sockets. */
void t_holding_keep(struct lai_holders *holders);

bool t_holds(const struct lai_holders *holders, pid_t pid, int fd, uint64_t inode);

#endif
