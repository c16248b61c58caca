/* SPDX-License-Identifier: MIT */
/*
 * show_socket.h - what can be said of one TCP socket: a column each for list, members for JSON.
 *
 * Foreign texts (names of processes, paths) come out harmless, see lai_show_safe(). Nothing here
 * uses printf for a number: 100,000 sockets are listed often.
 */
#ifndef LAI_SHOW_SOCKET_H
#define LAI_SHOW_SOCKET_H

#include "base/json.h"
#include "judge/age.h"
#include "observe/facts.h"
#include "show/show_columns.h"

/* id, name, right-aligned, spare (see struct lai_column), what it is: for the list of --columns. */
#define LAI_SOCKET_COLUMNS(X)                                                                      \
	X(STATE, "state", false, false, "state of the connection")                                 \
	X(RECV_Q, "recv-q", true, false,                                                           \
	  "bytes not read yet, the FIN counted as one; LISTEN: connections that wait")             \
	X(SEND_Q, "send-q", true, false, "bytes not acknowledged yet; LISTEN: the backlog")        \
	X(LOCAL, "local", false, false, "local address and port")                                  \
	X(REMOTE, "remote", false, false, "remote address and port")                               \
	X(AGE, "age", true, false, "time in this state; >= marks a lower bound")                   \
	X(AGE_S, "age-s", true, false, "the same in seconds, without a mark")                      \
	X(AGE_IS, "age-is", false, false, "exact, lower-bound or unknown")                         \
	X(TIMER, "timer", false, true, "the kernel's timer that runs, and for how long yet")       \
	X(NAMESPACE, "namespace", false, false, "network namespace: its name or inode")            \
	X(CONTAINER, "container", false, false, "of the first owner")                              \
	X(CGROUP, "cgroup", false, false, "path of the first owner's cgroup")                      \
	X(PID, "pid", true, false, "owners' process ids")                                          \
	X(COMM, "comm", false, false, "owners' names")                                             \
	X(UID, "uid", true, false, "user id of who made the socket")                               \
	X(INODE, "inode", true, false, "as in /proc/PID/fd")                                       \
	X(COOKIE, "cookie", true, false, "unique while the system runs")                           \
	X(SENT, "sent", true, false, "bytes sent in all, with what was sent again")                \
	X(ACKED, "acked", true, false, "bytes of ours acknowledged")                               \
	X(RECEIVED, "received", true, false, "bytes received in all, the FIN counted as one")      \
	X(LAST_SENT, "last-sent", true, false, "time since data was sent")                         \
	X(LAST_RECEIVED, "last-received", true, false, "time since data came")                     \
	X(LAST_ACK, "last-ack", true, false, "time since an acknowledgement came")                 \
	X(RTT, "rtt", true, false, "round trip time, smoothed")                                    \
	X(RETRANSMITS, "retransmits", true, false, "of the segment, or probes unanswered")         \
	X(MEMORY, "memory", true, false, "bytes of the kernel's in its queues")                    \
	X(OWNERS, "owners", false, false, "who holds it: name[pid] and descriptors")

enum lai_socket_column {
#define LAI_SOCKET_COLUMN_ID(id, name, right, spare, help) LAI_SOCKET_COLUMN_##id,
	LAI_SOCKET_COLUMNS(LAI_SOCKET_COLUMN_ID)
#undef LAI_SOCKET_COLUMN_ID
		LAI_SOCKET_COLUMN_COUNT
};

/* In the order of the enum; owners wraps where it is the last. */
extern const struct lai_column lai_socket_columns[LAI_SOCKET_COLUMN_COUNT];
/* The sentence fragments of the list above. */
extern const char *const lai_socket_column_help[LAI_SOCKET_COLUMN_COUNT];

/* Why a socket has the owners that it has. */
enum lai_ownership {
	LAI_OWNED,		   /* by the processes that hold descriptors of it */
	LAI_OWNED_NEVER_ACCEPTED,  /* waits for accept(): its listener's holders answer for it */
	LAI_OWNED_LISTENER_UNSEEN, /* the same, but the listener is not in the snapshot */
	LAI_OWNED_TIME_WAIT,	   /* the kernel's: no program is needed any more */
	LAI_OWNED_HANDSHAKE,	   /* the kernel's: no program knows of it yet */
	LAI_OWNED_ORPHAN,	   /* nobody's: closed, the kernel finishes it */
	LAI_OWNED_UNSEEN,	   /* by a process that we may not look into */
	LAI_OWNED_HIDDEN, /* by no descriptor: the kernel, an io_uring, a message in flight */
	LAI_OWNERSHIP_COUNT
};

enum lai_ownership lai_show_ownership(const struct lai_snapshot *snapshot,
				      const struct lai_socket_fact *socket);
/* "process", "never-accepted", ... */
const char *lai_show_ownership_name(enum lai_ownership ownership);

/* Its holders, or those of its listener if it was never accepted; *count may be 0. */
const struct lai_holder *lai_show_holders(const struct lai_snapshot *snapshot,
					  const struct lai_socket_fact *socket, size_t *count);

/* "retransmit", "keepalive", "probe", "time-wait" or "fin-timeout"; NULL: no timer runs. */
const char *lai_show_timer_name(const struct lai_socket_fact *socket);

/* What the column says of the socket; nothing if there is nothing to say. */
void lai_show_socket_cell(struct lai_text *text, enum lai_socket_column column,
			  const struct lai_snapshot *snapshot,
			  const struct lai_socket_fact *socket);

/* show_socket_owners.c: "nginx[12] fd 3,4; sh[13] fd 3", "kernel: ..." and so on. */
void lai_show_socket_owners(struct lai_text *text, const struct lai_snapshot *snapshot,
			    const struct lai_socket_fact *socket);

/* show_socket_json.c: the members of an object that the caller has begun. */
void lai_show_socket_json(struct lai_json *json, const struct lai_snapshot *snapshot,
			  const struct lai_socket_fact *socket);

/* ---- show_socket_text.c: small texts, for other tables as well ---------------------------- */

void lai_show_number(struct lai_text *text, uint64_t number);
/* A few letters (16 at most) and a number, as one piece: appending is what listing costs. */
void lai_show_number_after(struct lai_text *text, const char *prefix, uint64_t number);
/* "172.660" */
void lai_show_seconds(struct lai_text *text, uint64_t duration_ms);
/* Three figures or so, without a blank: "812ms", "4.2s", "45s", "3m12s", "5h02m", "3.4d". */
void lai_show_duration(struct lai_text *text, uint64_t duration_ms);
/* "192.0.2.1:80", "[2001:db8::1]:80", "0.0.0.0:*" for port 0, nothing for no address. */
void lai_show_address(struct lai_text *text, const struct lai_address *address);
/* The same without the port and without brackets. */
void lai_show_host(struct lai_text *text, const struct lai_address *address);
/* A foreign text of any length, as lai_show_safe(). */
void lai_show_foreign(struct lai_text *text, const char *string);
/* The name that ip-netns(8) gave it, or "net:[4026531840]" as in /proc/PID/ns. */
void lai_show_netns(struct lai_text *text, const struct lai_namespace *name_space);

#endif
