/* SPDX-License-Identifier: MIT */
/*
 * host.h - a host of the trial: a network namespace, its interfaces, addresses and sysctls.
 *
 *	client                 router                  server
 *	 port 0 ---- wire 0 ---- 0   1 ---- wire 1 ---- port 0
 *
 * A socket belongs to the host in which it was made, for ever; so one thread can hold both ends of
 * a connection. Addresses are taken from 10.S.W.0/24 and fd00:S:W::/64 (S from the seed, W the
 * wire): .1 is the client's or nearer end, .2 the farther one, from .16 on free for raw peers.
 * With a router there are default routes to it.
 */
#ifndef LAI_LAB_HOST_H
#define LAI_LAB_HOST_H

#include "base/address.h"
#include "lab/trial.h"

#include <net/if.h>

#define LAI_HOST_PORTS_MAX 2

struct lai_host_port {
	char name[IFNAMSIZ];
	int index; /* 0: there is none */
	uint8_t mac[6];
	uint8_t wire;		   /* of trial->captures */
	struct lai_address v4, v6; /* port number 0 */
};

struct lai_host {
	const char *name; /* "client", "server", "router" */
	uint8_t number;	  /* 0, 1, 2: as in struct lai_result_state */
	int netns;	  /* descriptor of its namespace */
	struct lai_host_port ports[LAI_HOST_PORTS_MAX];
};

/*
 * Makes the hosts and wires of trial->network, all up, with loopback; then applies the settings
 * ("net.ipv4.tcp_timestamps=0", NULL at the end; may be NULL) to every host. host.c; called by the
 * runner alone.
 */
void lai_hosts_make(struct lai_trial *trial, const char *const *settings);

/* The calling thread works in this host from now on: sockets, /proc/thread-self/net, sysctls. */
void lai_host_enter(struct lai_trial *trial, const struct lai_host *host);

/* Its address of the trial's family with this port number. */
struct lai_address lai_host_address(const struct lai_trial *trial, const struct lai_host *host,
				    uint16_t port);

/*
 * One more address on port 0, .n of its wire (3 <= n < 255; below 16 if there are raw peers);
 * returned with port number 0. The host at the other end knows its MAC.
 */
struct lai_address lai_host_add_address(struct lai_trial *trial, struct lai_host *host, unsigned n);

/* A permanent neighbour: whoever sends to this address sends to that MAC. */
void lai_host_neighbour(struct lai_trial *trial, const struct lai_host *host,
			const struct lai_address *address, const uint8_t mac[6]);

/*
 * Sysctls of the host, by their names with dots ("net.ipv4.tcp_timestamps"). Numbers that the
 * kernel lacks end the trial with LACKS; lai_host_has() asks first. They change nothing outside
 * the trial's namespaces: a
 * name that does not begin with net. is refused.
 */
void lai_host_set(struct lai_trial *trial, const struct lai_host *host, const char *name,
		  const char *value);
void lai_host_set_number(struct lai_trial *trial, const struct lai_host *host, const char *name,
			 long value);
long lai_host_get(struct lai_trial *trial, const struct lai_host *host, const char *name);
bool lai_host_has(struct lai_trial *trial, const struct lai_host *host, const char *name);

/*
 * Runs a program in this host and reads what it prints (standard output, at most size-1 bytes, NUL
 * behind it); its standard error goes to the evidence if it fails. input may be NULL. args[0] is
 * looked for in PATH and the sbin
 * directories; not found: LACKS, with its name. Returns the exit status.
 */
int lai_host_run(struct lai_trial *trial, const struct lai_host *host, const char *const *args,
		 const char *input, char *output, size_t size);

/* Starts one that stays (nginx); it ends with the trial. */
pid_t lai_host_start(struct lai_trial *trial, const struct lai_host *host, const char *const *args);

/* A directory that only this trial sees, in memory; gone with it. */
const char *lai_trial_directory(struct lai_trial *trial);

#endif
