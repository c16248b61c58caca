/* SPDX-License-Identifier: MIT */
/* namespace.h - the network namespaces of the host, and work done inside one. */
#ifndef LAI_OBSERVE_NAMESPACE_H
#define LAI_OBSERVE_NAMESPACE_H

#include "observe/facts.h"

/*
 * Our own (the calling thread's) first; with all: also every one that a process is in (one entry
 * per inode) or that has a name in /run/netns. A process whose namespace we may not see is passed
 * over: a namespace that only such processes are in is not listed. *unplaced is their number, 0
 * without all; threads of the kernel are none of them.
 * *list is for free(). 0; -ENOMEM; -ENOENT: there is no /proc; -EACCES and the like: not even our
 * own may be seen.
 */
int lai_namespaces_list(bool all, struct lai_namespace **list, size_t *count, uint32_t *unplaced);

/*
 * Calls work(arg) in a thread that has entered the namespace; ours: called directly. Returns what
 * it returned; -EPERM: entering needs CAP_SYS_ADMIN; -EACCES: the process is another user's;
 * -ENOENT: the namespace is gone, or its path leads to another one by now; another negative errno.
 */
int lai_namespace_run(const struct lai_namespace *name_space, int (*work)(void *arg), void *arg);

/* The inode of the namespace that a process is in; 0: it has ended, or may not be seen. */
uint64_t lai_namespace_of_process(pid_t pid);

/* Fills sysctls and counters; call it inside (lai_namespace_run()). What is not told stays 0. */
void lai_namespace_read_settings(struct lai_namespace *name_space);

/*
 * Pure: how many ports of [port_min, port_max] are in a list like "8080,9148-9200\n", the format of
 * ip_local_reserved_ports. What is no such list counts up to where it stops being one.
 */
uint32_t lai_namespace_ports_in(const char *list, uint16_t port_min, uint16_t port_max);

#endif
