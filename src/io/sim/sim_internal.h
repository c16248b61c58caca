/* SPDX-License-Identifier: MIT */
/*
 * sim_internal.h - what the files of the simulator share; nobody else includes it.
 *
 *   sim.c         the world: clock, event heap, life and death of the whole
 *   sim_host.c    hosts: addresses, power, sleep, limits
 *   sim_path.c    what happens to a segment between two hosts
 *   sim_socket.c  sockets: creation, tables of tuples and ports, readiness
 *   sim_tcp.c     what a segment does to a connection
 *   sim_output.c  what a connection sends
 *   sim_timer.c   what it does when nothing comes
 *   sim_close.c   the ways a connection ends
 *   sim_dns.c     names
 *   sim_net.c     the face: struct lai_net_ops
 *   sim_program.c nets as processes
 *   sim_queue.c   bytes, first in, first out
 */
#ifndef LAI_IO_SIM_SIM_INTERNAL_H
#define LAI_IO_SIM_SIM_INTERNAL_H

#include "base/random.h"
#include "io/sim/sim.h"

#include <stddef.h>

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* ---- events ------------------------------------------------------------------------------ */

enum sim_event_kind { SIM_SEGMENT, SIM_TIMER, SIM_ANSWER, SIM_WAKE, SIM_PROGRAM };

/* Embedded in whatever happens later. Equal times happen in the order they were set. */
struct sim_event {
	uint64_t at_ns;
	uint64_t order;
	size_t place; /* in the heap, counted from 1; 0: not waiting */
	enum sim_event_kind kind;
};

/* ---- bytes ------------------------------------------------------------------------------- */

struct sim_queue {
	uint8_t *data;
	size_t head, used, size;
};

int sim_queue_push(struct sim_queue *queue, const void *data, size_t bytes); /* 0 or -ENOMEM */
void sim_queue_drop(struct sim_queue *queue, size_t bytes);
void sim_queue_done(struct sim_queue *queue);

static inline uint8_t *sim_queue_front(const struct sim_queue *queue)
{
	return queue->data + queue->head;
}

/* ---- segments ---------------------------------------------------------------------------- */

enum { SIM_FIN = 1, SIM_SYN = 2, SIM_RST = 4, SIM_ACK = 16, SIM_ICMP = 64 };

/* Sequence numbers have 64 bits: no connection is long enough to wrap. */
struct sim_segment {
	struct sim_event event;
	struct lai_address source, target;
	struct lai_sim_host *from, *to;
	struct sim_segment *next; /* in the list of those that came early */
	uint64_t seq, ack;
	uint32_t window, bytes;
	uint32_t flags;
	int icmp_error; /* SIM_ICMP: what connect() will say */
	uint8_t data[];
};

/* ---- sockets ----------------------------------------------------------------------------- */

/* One segment that has been sent and not been acknowledged, for the retransmission queue. */
struct sim_sent {
	uint64_t end;	/* sequence number after it */
	uint64_t at_ns; /* host time of the first sending */
	bool again;	/* sent more than once: no round-trip sample (Karn) */
};

enum sim_send_timer { SIM_NO_TIMER, SIM_RETRANSMIT, SIM_PROBE };

struct sim_socket {
	struct sim_event timer; /* at the earlier of send_at_ns and keep_at_ns */
	struct lai_sim_host *host;
	struct sim_net *net; /* NULL: its program has gone, closed it or not accepted it yet */
	int fd;		     /* -1: no program holds it */
	struct sim_socket *host_previous, *host_next;
	struct sim_socket *tuple_next, *port_next;
	struct sim_socket *ready_previous, *ready_next;
	bool in_tables, in_ready, dead; /* dead: on the list of those to be freed */
	struct sim_socket *dead_next;

	struct lai_address local, remote;
	enum lai_tcp_state state;
	bool bound;	/* the port was asked for, not drawn */
	bool reuse;	/* SO_REUSEADDR */
	bool connector; /* made by connect() */
	bool no_read;	/* RCV_SHUTDOWN: the peer's FIN, the end, or close() */
	bool no_write;	/* SEND_SHUTDOWN */
	bool got_fin;	/* the FIN itself was processed: recv() says 0 before any error */
	int error, soft_error;
	uint32_t watch;
	uint32_t told; /* while nothing is watched: what has been said already */
	bool mapped;   /* accepted over IPv4 by a listener of IPv6 */

	bool no_delay;
	uint64_t keepalive_ns, user_timeout_ns, rto_max_ns; /* 0: none, the default */
	uint64_t unsent_bytes_max;			    /* TCP_NOTSENT_LOWAT; 0: none */
	uint64_t keep_idle_ns, keep_interval_ns;	    /* 0: no keepalive */
	uint32_t keep_probes;

	uint64_t iss, snd_una, snd_nxt, snd_wnd, snd_wl1;
	uint64_t queue_seq;	/* sequence number of the first byte in `queue` */
	struct sim_queue queue; /* written and not acknowledged */
	struct sim_queue sent;	/* of struct sim_sent */
	struct sim_queue marks; /* of uint64_t: sequence numbers after which LAI_ACKED is due */
	bool acked;		/* LAI_ACKED is due */
	bool fin_queued, fin_sent, fin_acked;
	uint32_t send_bytes_max, receive_bytes_max;

	uint64_t irs, rcv_nxt, rcv_edge; /* rcv_edge: right edge of the window as advertised */
	struct sim_queue received;
	struct sim_segment *early; /* beyond a hole, in order of seq */

	uint64_t srtt_ns, rttvar_ns, rto_ns;
	uint32_t backoff, retransmits, probes, duplicate_acks;
	uint64_t retransmits_total;
	uint64_t recover, resend_next;		/* recovery: send again up to `recover` */
	uint64_t retransmitting_ns, probing_ns; /* since when, 0: not */
	uint64_t heard_ack_ns, heard_ns;
	enum sim_send_timer send_timer;
	uint64_t send_at_ns, keep_at_ns; /* the world's time; LA_NEVER: not running */

	bool *gone; /* set when the socket is buried; NULL: nobody wants to know */

	struct sim_socket *listener; /* of a child that was not accepted yet */
	struct sim_socket *accept_first, *accept_last, *accept_next;
	unsigned backlog, accept_count;
};

/* ---- hosts, paths, nets ------------------------------------------------------------------ */

#define SIM_ADDRESSES_MAX 4 /* per host; tests need two, one of each family */
#define SIM_BUCKETS 256u    /* of each table of a host; some hundred connections are usual */

struct sim_tuple {
	uint16_t low_port, high_port; /* of the host with the lower and the higher index */
};

struct sim_link {
	struct lai_sim_path path;
	uint64_t arrival_ns; /* of the last segment: first in, first out */
	/* Kept in the link from the lower to the higher host index. */
	bool nat;
	/* of struct sim_tuple: what may pass since the state was lost */
	struct sim_queue nat_passes;
};

struct lai_sim_host {
	struct lai_sim *sim;
	struct lai_sim_host *next;
	size_t index;
	struct {
		struct lai_address address;
		bool present;
	} addresses[SIM_ADDRESSES_MAX];
	size_t address_count;
	struct sim_link **links; /* by the index of the other host */
	size_t link_count;
	struct sim_link *own_link; /* to itself */

	bool powered, asleep, no_route, lose_acked, no_timestamps;
	unsigned boots;
	uint64_t slept_ns, asleep_since_ns;
	struct sim_event wake;
	enum lai_sim_firewall firewall;
	int connect_error;
	unsigned connect_errors_left;
	uint32_t send_bytes_max, receive_bytes_max;
	uint16_t port_low, port_high;

	struct sim_socket *sockets;
	struct sim_socket *tuples[SIM_BUCKETS], *ports[SIM_BUCKETS];
	struct sim_socket **fds;
	size_t fd_count;
};

struct sim_net {
	struct lai_net base;
	struct lai_sim_host *host;
	struct sim_net *next;
	struct sim_socket *ready_first, *ready_last;
	bool frozen, running; /* running: its program is on the stack */
	size_t open, live, live_max;
	struct sim_queue attempts; /* of struct lai_sim_attempt */

	lai_sim_run *run;
	void *context;
	struct sim_event program;

	struct sim_event answer; /* of the resolver */
	char *asked;		 /* the name; NULL: no look-up */
	uint16_t asked_port;
	bool answered;
	int answer_result;
	struct lai_address answers[LAI_ADDRESSES_MAX];
};

struct sim_name {
	struct sim_name *next;
	char *name;
	struct lai_address addresses[LAI_ADDRESSES_MAX];
	int result; /* number of addresses or negative errno */
	uint64_t delay_ns;
};

struct lai_sim {
	uint64_t now_ns, order;
	struct sim_event **heap;
	size_t heap_count, heap_size, events; /* events: embedded anywhere, waiting or not */
	struct lai_random random;
	uint64_t hash;
	FILE *trace;
	bool in_program;
	struct lai_sim_host *hosts, *client;
	size_t host_count;
	struct sim_net *nets;
	struct sim_name *names;
	struct sim_socket *dead;
};

/* sim.c. Room for one more embedded event is reserved where its owner is made: setting never fails.
 */
int sim_event_reserve(struct lai_sim *sim); /* 0 or -ENOMEM; undone by sim_event_release() */
void sim_event_release(struct lai_sim *sim, struct sim_event *event);
void sim_event_set(struct lai_sim *sim, struct sim_event *event,
		   uint64_t at_ns); /* LA_NEVER: cancel */
void sim_step(struct lai_sim *sim);
void sim_hash(struct lai_sim *sim, uint64_t value);

/* sim_host.c */
struct lai_sim_host *sim_host_new(struct lai_sim *sim);
void sim_host_free(struct lai_sim_host *host);
struct lai_sim_host *sim_host_of(struct lai_sim_host *from, const struct lai_address *address);
bool sim_host_up(const struct lai_sim_host *host);
bool sim_host_owns(const struct lai_sim_host *host, const struct lai_address *address);
int sim_host_source(struct lai_sim_host *host, const struct lai_address *remote,
		    struct lai_address *local);
int sim_host_why_silent(struct lai_sim_host *host, const struct lai_address *local,
			const struct lai_address *remote);
uint64_t sim_host_now(const struct lai_sim_host *host);
void sim_host_woken(struct lai_sim_host *host);
bool sim_address_loopback(const struct lai_address *address);
bool sim_address_any(const struct lai_address *address);
bool sim_address_same_host(const struct lai_address *a, const struct lai_address *b);

/* sim_path.c. Takes the segment over. 0, or what the sender's routing said. */
int sim_path_send(struct lai_sim_host *from, struct sim_segment *segment);
void sim_path_arrive(struct sim_segment *segment);
struct sim_segment *sim_segment_new(struct lai_sim *sim, size_t bytes);
void sim_segment_free(struct lai_sim *sim, struct sim_segment *segment);

/* sim_socket.c */
struct sim_socket *sim_socket_new(struct lai_sim_host *host);
int sim_socket_attach(struct sim_socket *socket, struct sim_net *net); /* the number, or -ENOMEM */
void sim_socket_detach(struct sim_socket *socket);
void sim_socket_insert(struct sim_socket *socket);
void sim_socket_remove(struct sim_socket *socket);
void sim_socket_bury(struct sim_socket *socket); /* freed when the current event is over */
void sim_sockets_free(struct lai_sim *sim);	 /* those buried */
struct sim_socket *sim_socket_find(struct lai_sim_host *host, const struct lai_address *local,
				   const struct lai_address *remote);
struct sim_socket *sim_socket_listener(struct lai_sim_host *host, const struct lai_address *local);
int sim_socket_bind(struct sim_socket *socket);	     /* 0, -EADDRINUSE */
int sim_socket_draw_port(struct sim_socket *socket); /* 0, -EADDRNOTAVAIL */
void sim_socket_notify(struct sim_socket *socket);
uint32_t sim_socket_events(const struct sim_socket *socket);
int sim_socket_error(struct sim_socket *socket); /* fetches and clears: >= 0 */
int sim_socket_collect(struct sim_net *net, struct lai_ready *ready, int max);
void sim_socket_collect_none(struct sim_net *net); /* empties the ready list */

/* sim_tcp.c */
void sim_tcp_arrive(struct lai_sim_host *host, struct sim_segment *segment);

/* sim_output.c */
void sim_output_connect(struct sim_socket *socket); /* sends the first SYN */
void sim_output_push(struct sim_socket *socket);    /* whatever window and Nagle allow */
void sim_output_control(struct sim_socket *socket, uint32_t flags, uint64_t seq);
void sim_output_ack(struct sim_socket *socket);
void sim_output_window(struct sim_socket *socket); /* after a read: a window update, if worth it */
void sim_output_reply_reset(struct lai_sim_host *host, const struct sim_segment *segment);
void sim_output_acknowledged(struct sim_socket *socket, uint64_t ack);
void sim_output_duplicate(struct sim_socket *socket);
void sim_output_rtt(struct sim_socket *socket, uint64_t rtt_ns); /* a round trip was measured */
void sim_output_resend(struct sim_socket *socket); /* begins recovery with the first segment */
uint64_t sim_output_end(const struct sim_socket *socket); /* sequence number after the last byte */
uint64_t sim_output_unsent(const struct sim_socket *socket); /* bytes written and not sent once */

/* sim_timer.c */
void sim_timer_fire(struct sim_socket *socket); /* its event has come */
void sim_timer_send(struct sim_socket *socket, enum sim_send_timer timer, uint64_t after_ns);
void sim_timer_keep(struct sim_socket *socket, uint64_t after_ns); /* LA_NEVER: off */
void sim_timer_pace(struct sim_socket *socket);			   /* the usual keepalive begins */
void sim_timer_hurry(struct sim_socket *socket, uint64_t within_ns);
uint64_t sim_timer_rto(const struct sim_socket *socket); /* backed off */
uint64_t sim_timer_rto_max(const struct sim_socket *socket);
uint64_t sim_timer_whole_seconds(uint64_t duration_ns); /* rounded up, at least one, in ns */

/* sim_close.c */
void sim_close_done(struct sim_socket *socket,
		    int error); /* state CLOSE, and error for the owner */
void sim_close_time_wait(struct sim_socket *socket);
void sim_close_fin_wait2(struct sim_socket *socket);
int sim_close_write(struct sim_socket *socket);		   /* shutdown(SHUT_WR) */
void sim_close_socket(struct sim_socket *socket);	   /* close() */
void sim_close_abort(struct sim_socket *socket);	   /* SO_LINGER{1,0} and close() */
bool sim_close_lingering(const struct sim_socket *socket); /* close() would still wait */

/* sim_dns.c */
void sim_dns_free(struct lai_sim *sim);
int sim_dns_ask(struct sim_net *net, const char *host, uint16_t port);
void sim_dns_cancel(struct sim_net *net);
void sim_dns_answer(struct sim_net *net);

/* sim_net.c */
extern const struct lai_net_ops sim_net_ops;
struct sim_net *sim_net_of(const struct lai_net *net);

/* sim_program.c */
void sim_net_wake(struct sim_net *net); /* its program has something to do */
void sim_net_run(struct sim_net *net);	/* run its program now */
void sim_net_free(struct sim_net *net);

#endif
