/* SPDX-License-Identifier: MIT */
/*
 * report.h - how a connection ended, and what that means for the bytes given to it.
 *
 * Every connection that a link opens, and every attempt to open one, leaves one la_report. The
 * names below are the only names: logs, JSON, man pages and tests use them (la_cause_name() etc.).
 */
#ifndef LASTACK_REPORT_H
#define LASTACK_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A point in time that never comes; a duration without bound. All times are nanoseconds. */
#define LA_NEVER UINT64_MAX

/* Text of an address, "[IPv6%scope]:port" being the longest; with the final NUL. */
#define LA_ADDRESS_TEXT_MAX 72

/* How many of the peer's last bytes a report keeps: an error page or a status line, not
   a transfer. */
#define LA_LAST_WORDS_MAX 1024

/*
 * Causes of death. X(enumerator, name, sentence).
 *
 * The evidence stands in lastack-states(7). First those before a connection exists, then those of
 * a connection that lived.
 */
#define LA_CAUSES(X)                                                                               \
	X(ALIVE, "alive", "the connection has not ended")                                          \
	X(RESOLVE_FAILED, "resolve-failed", "the name could not be resolved")                      \
	X(RESOLVE_TIMEOUT, "resolve-timeout", "no answer from the resolver in time")               \
	X(CONNECT_REFUSED, "connect-refused",                                                      \
	  "the host answered that nothing listens on this port")                                   \
	X(CONNECT_TIMEOUT, "connect-timeout", "nothing answered the SYN in time")                  \
	X(UNREACHABLE, "unreachable", "the network answered that there is no way to this host")    \
	X(DENIED, "denied", "a firewall or a missing privilege forbids it")                        \
	X(SELF_CONNECT, "self-connect", "the connection reached itself: nothing listens there")    \
	X(PORT_IN_USE, "port-in-use", "the local port is held by another socket")                  \
	X(TUPLE_IN_USE, "tuple-in-use", "this pair of addresses and ports is still in use")        \
	X(LOCAL_LIMIT, "local-limit", "this host is out of descriptors, ports or memory")          \
	X(LOCAL_ERROR, "local-error", "a system call failed in a way that has no name of its own") \
	X(FINISHED, "finished", "both sides sent their FIN and both were acknowledged")            \
	X(PEER_CLOSED, "peer-closed", "the peer sent its FIN first")                               \
	X(PEER_RESET, "peer-reset", "the peer sent RST")                                           \
	X(RESET_UNREAD, "reset-unread",                                                            \
	  "the peer sent RST while data waited unread in its buffer")                              \
	X(RESET_AFTER_SILENCE, "reset-after-silence",                                              \
	  "after a silence the peer answered RST: it restarted or lost the connection's state")    \
	X(SILENT_IDLE, "silent-idle", "idle, and the peer no longer answers keepalive probes")     \
	X(SILENT_BUSY, "silent-busy", "data in flight, and nothing has been acknowledged in time") \
	X(LOST_IN_SUSPEND, "lost-in-suspend",                                                      \
	  "this host slept, and after waking the peer was gone")                                   \
	X(STALLED, "stalled", "the peer's kernel answers, its program stopped reading")            \
	X(ROUTE_LOST, "route-lost", "this host has no route to the peer any more")                 \
	X(ADDRESS_LOST, "address-lost",                                                            \
	  "this host does not have the local address or interface, or not any more")                            \
	X(NEVER_CLOSED, "never-closed", "the peer acknowledged our FIN and never sent its own")    \
	X(DRAIN_TIMEOUT, "drain-timeout",                                                          \
	  "what was queued was not acknowledged in the time allowed")                              \
	X(LINGERED, "lingered",                                                                    \
	  "closed with SO_LINGER: the kernel delivers the rest or not, and never says")            \
	X(ABORTED, "aborted", "thrown away on request")                                            \
	X(TLS_FAILED, "tls-failed", "the TLS handshake failed, or TLS was violated later")         \
	X(CERTIFICATE_REFUSED, "certificate-refused",                                              \
	  "one side does not accept the certificate of the other")                                 \
	X(LOGIN_TIMEOUT, "login-timeout", "the server did not answer the login in time")           \
	X(LOGIN_REJECTED, "login-rejected", "the server refused the login")                        \
	X(SERVER_ERROR, "server-error", "the server answered ERROR")                               \
	X(PROTOCOL_ERROR, "protocol-error", "what the peer sent is not the protocol")              \
	X(HEARTBEAT_LOST, "heartbeat-lost",                                                        \
	  "the peer's program has sent nothing for two heart-beats, whatever its kernel says")     \
	X(RECEIPT_TIMEOUT, "receipt-timeout", "the server did not confirm a record in time")

enum la_cause {
#define X(id, name, sentence) LA_CAUSE_##id,
	LA_CAUSES(X)
#undef X
	LA_CAUSE_COUNT
};

/*
 * How sure one can be that a byte arrived, weakest first (the delivery ladder). WRITTEN: our
 * kernel took it. ACKED: the peer's kernel acknowledged it. CONSUMED: our FIN was acknowledged and
 * the peer then sent its own FIN and no RST, which a Linux peer's close() only does after its
 * program has read everything (RFC 2525 2.17): the strongest proof that plain TCP has. A peer that
 * half-closes without reading first is taken at its word. CONFIRMED: the peer's program said so
 * itself, with a STOMP receipt; what that is worth is the server's word (ours: stored at its
 * --durability).
 */
#define LA_PROOFS(X)                                                                               \
	X(WRITTEN, "written")                                                                      \
	X(ACKED, "acked") X(CONSUMED, "consumed") X(CONFIRMED, "confirmed")

enum la_proof {
#define X(id, name) LA_PROOF_##id,
	LA_PROOFS(X)
#undef X
	LA_PROOF_COUNT
};

/* Who ended the connection: whose FIN or RST, or whose decision, came first. */
enum la_side { LA_SIDE_NOBODY, LA_SIDE_US, LA_SIDE_PEER, LA_SIDE_COUNT };

/*
 * What the next attempt told about a peer that had fallen silent: X(enumerator, name, sentence).
 * A dropped NAT entry and a dead host look the same from inside the connection; the next SYN
 * tells them apart.
 */
#define LA_AFTERMATHS(X)                                                                           \
	X(UNKNOWN, "unknown", "no attempt since")                                                  \
	X(HOST_ANSWERS, "host-answers",                                                            \
	  "the host accepts new connections: the old one's state was lost on the way, or it "      \
	  "restarted")                                                                             \
	X(HOST_REFUSES, "host-refuses", "the host is up and refuses: its program is gone")         \
	X(HOST_SILENT, "host-silent", "the host does not answer a new SYN either")                 \
	X(NO_WAY, "no-way", "this host has no way to the peer")

enum la_aftermath {
#define X(id, name, sentence) LA_AFTERMATH_##id,
	LA_AFTERMATHS(X)
#undef X
	LA_AFTERMATH_COUNT
};

/*
 * At least min, at most max bytes. A loss is bounded by what the peer's kernel can hold unread, as
 * its window scale tells; a server that enlarges SO_RCVBUF after accept(), or a proxy that
 * acknowledges for others, can lose more.
 */
struct la_interval {
	uint64_t min_bytes;
	uint64_t max_bytes;
};

/* A value: copy it freely, nothing in it points anywhere. */
struct la_report {
	uint64_t serial;	   /* 1 for a link's first attempt, counting every attempt */
	enum la_cause cause;	   /* the first thing that went wrong, never a later one */
	int error;		   /* errno value of that first error, 0 if there was none */
	enum la_side closed_first; /* whose FIN, RST or decision came first */
	enum la_proof proof;	   /* the strongest proof that holds for all written bytes */
	enum la_aftermath aftermath;
	bool connected;		/* false: the attempt never became a connection */
	uint64_t began_ns;	/* CLOCK_MONOTONIC: attempt started */
	uint64_t connected_ns;	/* handshake completed; 0 if never */
	uint64_t ended_ns;	/* descriptor closed */
	uint64_t detected_ns;	/* the cause was known */
	uint64_t heard_ns;	/* last time the peer was heard; 0 if never */
	uint64_t stalled_ns;	/* time spent STALLED: peer alive, not reading */
	uint64_t written_bytes; /* taken by our kernel on this connection */
	uint64_t acked_bytes;	/* of those, acknowledged by the peer's kernel */
	uint64_t received_bytes;
	/* thrown away by an abort or a lingering close; replay may follow */
	uint64_t destroyed_bytes;
	uint64_t retransmits;	  /* segments this kernel had to send again */
	struct la_interval lost;  /* counted as delivered, perhaps never read by the peer */
	/* not delivered, though the peer may have them: twice if sent again */
	struct la_interval duplicated;
	uint32_t tcp_state; /* kernel's state when the cause was known (1 ESTABLISHED ... ) */
	uint32_t last_words_bytes;	  /* used bytes of last_words */
	char local[LA_ADDRESS_TEXT_MAX];  /* "" if never known */
	char remote[LA_ADDRESS_TEXT_MAX]; /* address, or the host:port as given if never resolved */
	char last_words[LA_LAST_WORDS_MAX]; /* the newest bytes the peer sent; not NUL-terminated */
};

/* A link's whole life. accepted = delivered + waiting + dropped + abandoned + buried, always. */
struct la_totals {
	uint64_t accepted_bytes;
	uint64_t delivered_bytes;  /* reached the configured proof */
	uint64_t waiting_bytes;	   /* in the replay buffer or the spool */
	uint64_t dropped_bytes;	   /* given up by --on-full, oldest or newest */
	uint64_t abandoned_bytes;  /* given up: the link ended, or the spool is damaged */
	uint64_t buried_bytes;	   /* stomp://: refused by the server for ever (dead letters) */
	uint64_t accepted_records; /* lines://, stomp://: records; tcp://: 0 */
	uint64_t dropped_records;
	/* stomp:// */
	uint64_t delivered_records, waiting_records, abandoned_records, buried_records;
	uint64_t recovered_records; /* of the accepted ones: found in the spool of an earlier run */
	uint64_t confirmed_ns; /* CLOCK_MONOTONIC: when a record was confirmed last; 0: none was */
	uint64_t resent_records;    /* sent more than once; the server knows them by their id */
	uint64_t connections;	  /* established */
	uint64_t failed_attempts; /* cycles through a server's addresses that gave no connection */
	struct la_interval lost;  /* sum over all connections */
	struct la_interval duplicated; /* sum over those that were followed by another */
};

/* Stable lower-case names; never NULL, "?" for a value out of range. */
const char *la_cause_name(enum la_cause cause);
const char *la_cause_sentence(enum la_cause cause);
const char *la_proof_name(enum la_proof proof);
const char *la_side_name(enum la_side side);
const char *la_aftermath_name(enum la_aftermath aftermath);
const char *la_aftermath_sentence(enum la_aftermath aftermath);
/* RFC 9293 name ("ESTABLISHED", "CLOSE_WAIT", ...) of a Linux tcp_state
   number (net/tcp_states.h). */
const char *la_tcp_state_name(uint32_t tcp_state);

#ifdef __cplusplus
}
#endif
#endif
