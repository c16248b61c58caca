/* SPDX-License-Identifier: MIT */
/*
 * growth.h - what became of each group of suspects between two snapshots.
 *
 * A group has a sign: the process, the port of the service, the peer, the state, and whether the FIN
 * has been read. Signs do not depend on verdicts, so both snapshots are counted alike. Each socket
 * has two: the exact one, and one for all peers.
 */
#ifndef LAI_JUDGE_GROWTH_H
#define LAI_JUDGE_GROWTH_H

#include "judge/end.h"
#include "judge/role.h"

struct lai_sign {
	pid_t pid;	      /* the first holder's, or of the listener that it waits at; 0: none */
	uint64_t start_ticks; /* of that process */
	uint32_t namespace_index;
	enum lai_tcp_state state;
	enum lai_role role;
	bool told;	      /* the FIN has been read */
	bool whole;	      /* for all peers: host is zero */
	struct lai_end host;  /* the peer's; its port is the service's, remote or local */
	uint32_t now, before; /* how many there are, and were */
	/* Of those that were there and are not any more: how many, and the age of the oldest, had
	   it lived to the second snapshot. Young ones are not counted. */
	uint32_t gone;
	uint64_t gone_age_ms;
	uint32_t stamp; /* for whoever must visit each once: the last value of lai_growth.stamp */
};

struct lai_growth {
	struct lai_sign *signs;
	size_t count;
	struct lai_table table;
	/* In the order of the suspects: their signs, and where they stood before (LAI_NO_INDEX: they
	   did not). */
	uint32_t *exact, *whole, *earlier;
	uint32_t stamp;
};

/* Whose it is: the first holder's, the listener's first holder's, or 0. */
pid_t lai_first_pid(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket);

/*
 * suspects: of now. before may be NULL; interval_ms: between the two. 0 or -ENOMEM; growth is then
 * as zeroes.
 */
int lai_growth_init(struct lai_growth *growth, const struct lai_listeners *now,
		    const uint32_t *suspects, size_t suspect_count, const struct lai_roll *before,
		    uint64_t interval_ms);
void lai_growth_done(struct lai_growth *growth);

#endif
