/* SPDX-License-Identifier: MIT */
/*
 * role.h - which side of its connection a socket is: accepted by a server, or connected by a client.
 *
 * The kernel does not say. Two traces are left. The peer's ACK of our SYN counts as one acknowledged
 * byte, and only who connects sends a SYN of his own account: acked = sent + 1 there, and acked = sent
 * at the accepting end (measured on 6.18). If data has been sent again that is of no use; then a
 * listener on the local port, or a port outside the ephemeral range, speaks for a server.
 */
#ifndef LAI_JUDGE_ROLE_H
#define LAI_JUDGE_ROLE_H

#include "judge/roll.h"
#include "judge/table.h"

enum lai_role {
	LAI_ROLE_UNKNOWN,
	LAI_ROLE_ACCEPTED,
	LAI_ROLE_CONNECTED,
};

/* The ports that are listened on, by namespace. */
struct lai_listeners {
	const struct lai_snapshot *snapshot;
	const uint32_t *list; /* the roll's: indices of sockets in LISTEN */
	size_t count;
	struct lai_table table; /* of list, one entry per namespace and port */
};

/* The roll must outlive it. 0 or -ENOMEM; listeners is then as zeroes. */
int lai_listeners_init(struct lai_listeners *listeners, const struct lai_roll *roll);
void lai_listeners_done(struct lai_listeners *listeners);

bool lai_listeners_has(const struct lai_listeners *listeners, uint32_t namespace_index,
		       uint16_t port);
/* True: this process holds a listener on that port; pid 0: any process does. */
bool lai_listeners_held(const struct lai_listeners *listeners, uint32_t namespace_index,
			uint16_t port, pid_t pid);

enum lai_role lai_role_of(const struct lai_listeners *listeners,
			  const struct lai_socket_fact *socket);

#endif
