/* SPDX-License-Identifier: MIT */
/*
 * depth.h - how deep the doctor has to look: at suspects alone, or at healthy connections as well.
 *
 * On a host of 100,000 connections the ten that do not end are found in a tenth of the time that it
 * takes to list them all. So the doctor asks for suspects first. Healthy connections matter to him
 * only in five cases, and then he looks at everything:
 *
 *	- somebody waits for accept(): also those that are not closed yet wait in vain
 *	- a CLOSE_WAIT has carried data: the other leg of a proxy is looked for
 *	- the ports to some address may run out: a sample of ports says so
 *	- a process has an io_uring, which may hold what no descriptor refers to (snapshot.c)
 *	- a message waits in a UNIX socket, which may do the same (mailbox.h)
 */
#ifndef LAI_OBSERVE_DEPTH_H
#define LAI_OBSERVE_DEPTH_H

#include "observe/facts.h"

/*
 * The states to ask for first, in the namespace that the calling thread is in. TIME_WAIT is among
 * them if there are many, which the kernel's counters tell at once (/proc/net/sockstat).
 */
uint32_t lai_depth_first_states(void);

/* True: what the suspects say makes the healthy ones matter. Pure. */
bool lai_depth_suspects_ask(const struct lai_socket_fact *sockets, size_t count);

/*
 * True: a sixteenth of the ephemeral ports was looked at, and to some address and port so many of
 * these are in use that they may run out. Linux goes through the ports to one address in order,
 * even ones first, so a sample is as full as the whole. Without many connections it does not look.
 * For the namespace that the calling thread is in; false also if it cannot be told.
 */
bool lai_depth_ports_ask(const struct lai_namespace *name_space);

#endif
