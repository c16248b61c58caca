/* SPDX-License-Identifier: MIT */
/* mend_inside.h - what the files of mend share: the session, and how each grade is done. */
#ifndef LAI_MEND_MEND_INSIDE_H
#define LAI_MEND_MEND_INSIDE_H

#include "mend/mend.h"

struct if_nameindex;
struct mnl_socket;

struct lai_mend_session {
	/* The last target's process. pid 0: none yet. pidfd < 0: it could not be had, and that
	   outcome holds for all its descriptors. */
	pid_t pid;
	uint64_t start_ticks;
	int pidfd;
	struct lai_mend_result pid_result;
	/* The last target's namespace, for rst; NULL: none yet. */
	struct mnl_socket *netlink;
	struct if_nameindex *devices; /* its network devices, index 0 at the end; may be NULL */
	uint64_t namespace_inode;
	uint32_t sequence;
};

/* grip.c: a duplicate of the target's descriptor that has been identified. Mended: *fd is it, to be
   closed soon. Otherwise nothing is held. */
struct lai_mend_result lai_grip_take(struct lai_mend_session *session,
				     const struct lai_mend_target *target, int *fd);
/* Forgets the process. */
void lai_grip_drop(struct lai_mend_session *session);
/* The kernel's state of the socket, LAI_TCP_NONE if it does not say. */
enum lai_tcp_state lai_grip_state(int fd);

/* destroy.c */
struct lai_mend_result lai_destroy(struct lai_mend_session *session,
				   const struct lai_mend_target *target);
/* Forgets the namespace. */
void lai_destroy_drop(struct lai_mend_session *session);

/*
 * identity.c, pure: may a target that was in one state be acted upon now that it is in another?
 * Mended: yes; gone: it is on its way out by itself; changed: no, that is not what was chosen.
 */
enum lai_mend_outcome lai_identity_state(enum lai_tcp_state then, enum lai_tcp_state now);
/* The same endpoint; scopes count only where both have one. */
bool lai_identity_address(const struct lai_address *a, const struct lai_address *b);

static inline struct lai_mend_result lai_mend_fail(enum lai_mend_outcome outcome, int error)
{
	return (struct lai_mend_result){.outcome = outcome, .error = error};
}

/* The outcome that an errno of the kernel stands for. */
struct lai_mend_result lai_mend_fail_of_errno(int error);

#endif
