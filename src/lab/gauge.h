/* SPDX-License-Identifier: MIT */
/*
 * gauge.h - what the kernel of a host says: states and timers from sock_diag, counters from
 * /proc/net/netstat and snmp. Every look but a peek is also recorded in the result (states of both
 * sides).
 */
#ifndef LAI_LAB_GAUGE_H
#define LAI_LAB_GAUGE_H

#include "lab/call.h"
#include "observe/sockdiag.h"

/* This end of a connection, as its host's kernel lists it. False: in no table. *fact may be
   NULL. */
bool lai_gauge_find(struct lai_trial *trial, const struct lai_host *host,
		    const struct lai_ends *ends, struct lai_socket_fact *fact);

/* Its state; LAI_TCP_NONE: in no table. */
enum lai_tcp_state lai_gauge_state(struct lai_trial *trial, const struct lai_host *host,
				   const struct lai_ends *ends);

/* The same, not recorded: for loops over many connections or many looks. */
enum lai_tcp_state lai_gauge_peek(struct lai_trial *trial, const struct lai_host *host,
				  const struct lai_ends *ends);

/* Looks again until it is in this state. False: not within the wait. */
bool lai_gauge_await(struct lai_trial *trial, const struct lai_host *host,
		     const struct lai_ends *ends, enum lai_tcp_state state, uint64_t wait_ns);
/* The same; ends the trial if it does not come. */
void lai_gauge_need(struct lai_trial *trial, const struct lai_host *host,
		    const struct lai_ends *ends, enum lai_tcp_state state);

/* "CLOSE_WAIT"; "gone" for LAI_TCP_NONE. */
const char *lai_gauge_state_name(enum lai_tcp_state state);

/* Which timer of it runs: "none", "retransmit", "keepalive", "time-wait", "zero-window probe". */
const char *lai_gauge_timer(const struct lai_socket_fact *fact);

/* Sockets in the states of a mask (LAI_SOCKDIAG_STATE()). */
size_t lai_gauge_count(struct lai_trial *trial, const struct lai_host *host, uint32_t state_mask);

/* All counters of a host, for differences. With the trial they go by themselves. */
struct lai_counters;
struct lai_counters *lai_counters_read(struct lai_trial *trial, const struct lai_host *host);
void lai_counters_free(struct lai_counters *counters);
/* Whether the kernel counts this (name: as below). */
bool lai_counters_have(const struct lai_counters *counters, const char *name);
/*
 * now - then of "TcpExt: PAWSActive", named "PAWSActive" (netstat and snmp; also "nf_conntrack:
 * insert_failed" as "conntrack_insert_failed", "conntrack_drop", summed over processors). Ends the
 * trial (LACKS) if the kernel has no such counter.
 */
uint64_t lai_counters_since(struct lai_trial *trial, const struct lai_host *host,
			    const struct lai_counters *then, const char *name);

/* Pure: looks a counter up in the texts of those files; false: they have none of this name. Names
   that several protocols have ("InCsumErrors") mean TCP's. */
bool lai_counters_parse(const char *netstat, const char *snmp, const char *conntrack,
			const char *name, uint64_t *number);

#endif
