/* SPDX-License-Identifier: MIT */
/*
 * census.h - how many TCP sockets are in which state: what a process holds, or what goes to a port.
 *
 * These are the kernel's numbers (sock_diag, /proc), not our own counters: the self-check "no
 * socket of ours in CLOSE_WAIT" and the demo's table rest on them.
 */
#ifndef LAI_OBSERVE_CENSUS_H
#define LAI_OBSERVE_CENSUS_H

#include "base/view.h"

#include <stdint.h>
#include <sys/types.h>

struct lai_census {
	uint32_t by_state[LAI_TCP_COUNT]; /* index: enum lai_tcp_state */
	uint32_t fds;
};

/*
 * The TCP sockets that this process holds (pid 0: the calling one), each once; fds is the number of
 * its descriptors of any kind. LAI_TCP_CLOSE counts TCP sockets that are in none of the kernel's
 * tables: never connected, or the connection is over and nobody closed the descriptor. TIME_WAIT
 * and sockets that wait for accept() belong to no process and are not here.
 *
 * 0; -ESRCH, -EACCES, -ENOMEM, -EMFILE as lai_owner_read(); -EXDEV: the process lives in another
 * network namespace, whose sockets we cannot see; the errors of lai_sockdiag_dump().
 */
int lai_census_of_process(pid_t pid, struct lai_census *census);

/*
 * All sockets of this network namespace with this local and this remote port, whoever holds them or
 * nobody; 0: any. On loopback both ends of a connection are in the same namespace, as two sockets:
 * (0, P) counts the clients of a server at port P, (P, 0) the server's side with its listener.
 * fds is the number of those held by some descriptor. The errors of lai_sockdiag_dump().
 */
int lai_census_of_port(uint16_t local_port, uint16_t remote_port, struct lai_census *census);

#endif
