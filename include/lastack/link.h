/* SPDX-License-Identifier: MIT */
/*
 * link.h - a connection that is kept alive for ever, and ended properly.
 *
 * A link accepts bytes (tcp://), lines (lines://) or records (stomp://), sends them to the first
 * server of a list that answers, reconnects when the connection dies, sends again what was not
 * acknowledged, and at the end walks the closing ladder: drain, wait for the ACK, FIN, read to the
 * peer's FIN, close(). At any moment it owns one socket at most (during an RFC 8305 race, one per
 * attempt).
 *
 * Two ways to run it. Blocking:          In your own loop:
 *     la_link_new(&l, &config, &why);        poll la_link_fd() for reading until
 *     la_link_submit(l, data, n);            la_link_deadline(); then la_link_dispatch().
 *     la_link_finish(l, LA_NEVER);           Nothing else may wait on that descriptor's behalf.
 *     la_link_wait(l, LA_NEVER);
 *     la_link_free(l);
 *
 * A link is not thread-safe: one thread at a time. Name resolution uses one short-lived thread of
 * its own. SIGPIPE is never raised. Errors are negative errno values; the library never prints.
 */
#ifndef LASTACK_LINK_H
#define LASTACK_LINK_H

#include <lastack/report.h>
#include <lastack/spool.h>
#include <lastack/tls.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct la_link;

/* Link states. X(enumerator, name). See lastack-states(7). */
#define LA_LINK_STATES(X)								   \
	X(IDLE, "idle")									   \
	X(RESOLVING, "resolving")							   \
	X(CONNECTING, "connecting")							   \
	X(LOGIN, "login")								   \
	X(UP, "up")									   \
	X(STALLED, "stalled")								   \
	X(CLOSING, "closing")								   \
	X(WAITING, "waiting")								   \
	X(DONE, "done")

enum la_link_state {
#define X(id, name) LA_LINK_##id,
	LA_LINK_STATES(X)
#undef X
	LA_LINK_COUNT
};

/* How a connection that still lives is closed by us. */
enum la_close_policy {
	LA_CLOSE_GRACEFUL, /* the ladder */
	LA_CLOSE_LINGER,   /* SO_LINGER{1, linger_ns} and close(): blocks, and proves nothing */
	LA_CLOSE_ABORT,	   /* SO_LINGER{1, 0} and close(): RST, whatever was queued is destroyed */
	LA_CLOSE_COUNT
};

/* What happens when the buffer is full. */
enum la_full_policy {
	LA_FULL_BLOCK,	     /* la_link_submit() returns -EAGAIN */
	LA_FULL_DROP_OLDEST, /* the oldest waiting records make room, and are counted */
	LA_FULL_DROP_NEW,    /* the new record is counted and forgotten */
	LA_FULL_COUNT
};

/* What a link does when the peer sends its FIN before we sent ours. */
enum la_peer_fin_policy {
	LA_PEER_FIN_RECONNECT,	  /* it is going away: stop writing, close, reconnect, replay */
	LA_PEER_FIN_KEEP_SENDING, /* it only half-closed: go on until our own end */
	LA_PEER_FIN_COUNT
};

/* What a link does with a peer that lives and does not read. It is never called dead. */
enum la_stall_policy { LA_STALL_WAIT, LA_STALL_RECONNECT, LA_STALL_COUNT };

enum la_event_kind {
	LA_EVENT_STATE,	    /* from -> to */
	LA_EVENT_REPORT,    /* a connection or an attempt ended: report */
	LA_EVENT_AFTERMATH, /* the last silent death is explained: report, with its aftermath */
	LA_EVENT_RECEIVED,  /* bytes from the peer: data, size */
	LA_EVENT_WAIT,	    /* entering WAITING: delay_ns until the next attempt */
	LA_EVENT_REFUSED,   /* stomp://: a record is refused for ever: refusal */
	LA_EVENT_SPOOL,	    /* the spool cannot take records, or can again: text says it */
	LA_EVENT_COUNT
};

/* A record that the server answered with ERROR: it is not sent again. Valid during the call. */
struct la_refusal {
	const char *sender; /* its id is sender and seq */
	uint64_t seq;
	const void *body;
	size_t size;
	const char *message; /* the server's words; not NULL */
	bool *keep; /* set it to true if the record could be kept nowhere: it stays, and is sent again */
};

struct la_event {
	enum la_event_kind kind;
	uint64_t now_ns;
	enum la_link_state from, to;
	const struct la_report *report; /* valid during the call */
	const void *data;		/* valid during the call */
	size_t size;
	uint64_t delay_ns;
	const struct la_refusal *refusal;
	const char *text; /* of SPOOL; of a REPORT the words of an ERROR, or why TLS failed, or NULL */
};

/* How far one STOMP receipt reaches. */
enum la_receipts {
	LA_RECEIPTS_AUTO,	/* cumulative towards lastack receive, each towards all others */
	LA_RECEIPTS_EACH,	/* every record asks for its own */
	LA_RECEIPTS_CUMULATIVE, /* the server answers in order: one confirms all before it */
	LA_RECEIPTS_COUNT
};

/*
 * Of stomp:// and stomps://. NULL and zero: the default. Texts are copied. A record is sent with
 * the headers destination, record-id (SENDER-SEQ, the same at every try), content-type and those
 * given.
 */
struct la_stomp_config {
	const char *login;	  /* instead of the URL's user */
	const char *passcode;	  /* no CR, LF or NUL: CONNECT knows no escapes */
	const char *vhost;	  /* host header of CONNECT; default: the URL's host */
	const char *destination;  /* instead of the URL's path */
	const char *content_type; /* default: none */
	const char *const *headers; /* "name:value" each, on every SEND */
	size_t header_count;
	const char *sender; /* id, see LA_SENDER_MAX; default: random, or the spool's */
	enum la_receipts receipts;
	uint32_t receipt_every;	    /* records; default 64 */
	uint64_t receipt_within_ns; /* default 20 ms */
	uint32_t window_records;    /* sent and not confirmed; default 65,536 */
	uint64_t heartbeat_ns;	    /* offered and wanted; default 10 s; LA_NEVER: none */
	uint64_t login_ns;	    /* from CONNECT to CONNECTED; default 10 s */
	uint64_t receipt_ns;	    /* for one receipt to come; default 60 s */
	uint64_t rejected_min_ns;   /* back-off after a refused login; default 5 s */
	uint64_t rejected_max_ns;   /* default 5 min */
	bool plain_password;	    /* allow a passcode without TLS to other hosts than this one */
};

/*
 * Begin with la_link_config_default(). Times in ns, LA_NEVER: no bound. Zero means the default for
 * the sizes and for the time-outs resolve, connect, dead, stall, read and give_up; it is a value
 * for stable, backoff and retries_max.
 */
struct la_link_config {
	const char *const *urls; /* failover list, all of one scheme; copied */
	size_t url_count;
	enum la_proof proof; /* what counts as delivered; la_link_config_default(): ACKED */
	enum la_close_policy close_policy;
	uint64_t linger_ns; /* for LA_CLOSE_LINGER; the kernel counts whole seconds */
	enum la_full_policy on_full;
	enum la_peer_fin_policy on_peer_fin;
	enum la_stall_policy on_stall;
	size_t buffer_bytes;	 /* replay buffer; default 8 MiB */
	size_t record_bytes_max; /* lines://, with the newline; default 1 MiB */

	uint64_t resolve_ns; /* one name look-up; default 10 s */
	uint64_t connect_ns; /* one cycle through a server's addresses; default 10 s */
	uint64_t dead_ns;    /* silence after which a peer is dead, idle or busy; default 20 s */
	uint64_t stall_ns;   /* no progress after which a live peer is STALLED; default 30 s */
	uint64_t read_ns;    /* how long the peer may owe its FIN after ours; default 30 s */
	uint64_t stable_ns;  /* a link this old has proven itself: backoff restarts; default 10 s */
	uint64_t backoff_min_ns; /* default 100 ms */
	uint64_t backoff_max_ns; /* default 60 s */
	uint64_t give_up_ns;	 /* without a connection for this long: DONE; default LA_NEVER */
	uint32_t retries_max;	 /* failures in a row before DONE; UINT32_MAX (default): for ever */

	const char *local_address; /* numeric; NULL: the kernel chooses */
	uint16_t local_port;	   /* pinned, with SO_REUSEADDR; 0: the kernel chooses */
	const char *device;	   /* SO_BINDTODEVICE */
	int tos;		   /* IP_TOS / IPV6_TCLASS; -1: leave */
	bool no_delay;		   /* TCP_NODELAY */
	bool no_keepalive;	   /* leaves an idle peer's death undetected */
	/* TCP_USER_TIMEOUT; 0: off, since it kills live slow readers. It takes the place of
	   keepalive's count: longer than dead_ns, it makes the detection of an idle peer's death
	   longer. */
	uint64_t user_timeout_ns;

	struct la_stomp_config stomp;
	struct la_tls_config tls;     /* of tls:// and stomps:// */
	struct la_spool_config spool; /* stomp://: path NULL: records are kept in memory alone */

	uint64_t seed; /* of the backoff's jitter; 0: from the system */
	/* Called from inside la_link_*(); may submit and ask for totals, nothing else. May
	   be NULL. */
	void (*on_event)(void *arg, const struct la_event *event);
	void *arg;
};

/* Fills *config with the defaults named above. */
void la_link_config_default(struct la_link_config *config);

/*
 * Makes a link; the first connection attempt starts at the first dispatch or wait. 0: *link is the
 * caller's, to be freed. -EINVAL: a setting is wrong; with a spool -EBUSY: another process has it,
 * -EBADMSG: it is damaged, or what opening it said. *error is a sentence then, to be released with
 * free(); error may be NULL. -ENOMEM, or what epoll_create1() said: *error is NULL.
 */
int la_link_new(struct la_link **link, const struct la_link_config *config, char **error);

/* Aborts what is not DONE: finish and wait before, for a proper end. NULL is fine. */
void la_link_free(struct la_link *link);

/* Descriptor to poll for reading; stays the link's. */
int la_link_fd(const struct la_link *link);

/* CLOCK_MONOTONIC time by which la_link_dispatch() must be called; LA_NEVER: only when readable. */
uint64_t la_link_deadline(const struct la_link *link);

/*
 * Does everything that can be done now. 0, or 1 once the link is DONE. It never waits for the
 * network. With a spool it writes what was put, and at durability full waits for the disk: a
 * program that cannot takes batch, which waits once a second at most.
 */
int la_link_dispatch(struct la_link *link);

/*
 * Gives bytes to the link. Returns how many were accepted: from then on they are the link's to
 * deliver. Fewer than size, or -EAGAIN for none: full, dispatch and try again. lines://: a record
 * is sent once its newline has come; -EMSGSIZE: a record is over record_bytes_max, nothing of it
 * was accepted or sent. -EPIPE: the link is finishing or DONE.
 */
ssize_t la_link_submit(struct la_link *link, const void *data, size_t size);

/*
 * The same without a copy: room to read into, then how much of it was filled. la_link_reserve()
 * returns the room (0: full); *room stays valid until the next call on this link.
 */
size_t la_link_reserve(struct la_link *link, void **room);
/* As la_link_submit(). Fewer than size: a record is over record_bytes_max; it and what follows
   it in the room is taken back. */
ssize_t la_link_commit(struct la_link *link, size_t size);

/*
 * stomp://: gives one whole record, any bytes, to the link. 0: it is the link's to deliver; with a
 * spool it survives a crash once la_link_sync() has returned, which la_link_dispatch() calls as
 * well. -EAGAIN: full, dispatch and try again; -EMSGSIZE: over record_bytes_max; -ENOMEM; -EPIPE:
 * finishing or DONE; -EINVAL: not a stomp:// link. la_link_submit(), _reserve() and _commit() are
 * for the other schemes and say -EINVAL (0) here.
 */
int la_link_put(struct la_link *link, const void *body, size_t size);

/* Writes what was put to the spool, at its durability. 0 (also without a spool); -ENOSPC or another
   negative errno: not written, it is kept in memory and tried again at the next dispatch. */
int la_link_sync(struct la_link *link);

/*
 * Where the input stands, in the caller's words: kept in the spool in the same transaction as the
 * records put so far, so that after a crash the input can go on behind them. la_link_place(): as it
 * is in the file, and so what the last run left; "" for nothing. Without a spool they do nothing.
 * 0; -EMSGSIZE: it has no room in LA_PLACE_MAX, and the old place stays.
 */
int la_link_set_place(struct la_link *link, const char *place);
const char *la_link_place(const struct la_link *link);

/* The id of this sender; "" if the scheme has none. */
const char *la_link_sender(const struct la_link *link);

/*
 * Blocks until nothing waits. 0: all that was ever accepted reached the proof. -EPIPE: something
 * never will, see totals: it was dropped, refused or abandoned, perhaps before this call; the link
 * may live on. -ETIMEDOUT: something waits, and be it for the rest of its line. With
 * LA_PROOF_CONSUMED this closes the connection, the only way to get the proof.
 */
int la_link_flush(struct la_link *link, uint64_t timeout_ns);

/*
 * No more input: deliver what was accepted, then close by the policy. Bounded by timeout_ns from
 * now (LA_NEVER: as long as reconnecting is allowed). A last line without newline gets one.
 */
void la_link_finish(struct la_link *link, uint64_t timeout_ns);

/* Ends the link now: RST, everything undelivered is abandoned and counted. */
void la_link_abort(struct la_link *link);

/* Blocks until DONE. 0: every accepted byte reached the proof. -EIO: not so, see totals and
   report. -ETIMEDOUT: not DONE yet. */
int la_link_wait(struct la_link *link, uint64_t timeout_ns);

enum la_link_state la_link_state(const struct la_link *link);
const char *la_link_state_name(enum la_link_state state);
void la_link_totals(const struct la_link *link, struct la_totals *totals);

/* Of the connection or attempt under way (cause ALIVE), else of the last one that ended. */
void la_link_report(const struct la_link *link, struct la_report *report);

/* The socket in use, for getsockopt() and sock_diag only; -1: none. */
int la_link_socket(const struct la_link *link);

#ifdef __cplusplus
}
#endif
#endif
