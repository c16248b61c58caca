/* SPDX-License-Identifier: MIT */
/* namespace.h - the network namespaces of the host, and work done inside one. */
#ifndef LAI_OBSERVE_NAMESPACE_H
#define LAI_OBSERVE_NAMESPACE_H

#include "observe/facts.h"

/*
 * Our own first; with all: also every one that a process is in (one per inode) or that has a name
 * in /run/netns. *list is for free(). 0; -ENOMEM; -EACCES and the like: not even our own.
 */
int lai_namespaces_list(bool all, struct lai_namespace **list, size_t *count);

/*
 * Calls work(arg) in a thread that has entered the namespace; ours: called directly. Returns what
 * it returned; -EPERM: entering needs CAP_SYS_ADMIN; another negative errno.
 */
int lai_namespace_run(const struct lai_namespace *name_space, int (*work)(void *arg), void *arg);

/* Fills the sysctls and counters; call it inside (lai_namespace_run()). What is not told stays 0. */
void lai_namespace_read_settings(struct lai_namespace *name_space);

#endif
