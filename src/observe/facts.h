/* SPDX-License-Identifier: MIT */
/*
 * facts.h - what a snapshot of the host consists of: plain values, and nothing but values.
 *
 * The judge reads these and nothing else; show prints them. One struct each for a socket, for a
 * descriptor that holds it, for a process, a thread, an interest in events, a network namespace.
 * They refer to one another by index or by key (inode, pid), never by pointer, so a table can be
 * written by hand in a test.
 *
 *	socket  <-- inode --  holder (pid, fd)  -- pid -->  process  <-- pid --  thread
 *	   ^                                                   ^
 *	   '------- inode -------  watch (epoll set, poll)  ---'
 */
#ifndef LAI_OBSERVE_FACTS_H
#define LAI_OBSERVE_FACTS_H

#include "base/address.h"
#include "base/view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LAI_NO_INDEX UINT32_MAX

/* Bits of lai_socket_fact.shutdown, the kernel's sk_shutdown. */
#define LAI_SHUT_RECEIVE 1u /* the peer's FIN came, or shutdown(SHUT_RD) */
#define LAI_SHUT_SEND 2u    /* shutdown(SHUT_WR) or close() */

/* Which timer of the socket runs: idiag_timer of linux/inet_diag.h. */
enum lai_socket_timer {
	LAI_TIMER_NONE,
	LAI_TIMER_RETRANSMIT,
	LAI_TIMER_KEEPALIVE, /* in FIN_WAIT2 also the end of an orphan (tcp_fin_timeout) */
	LAI_TIMER_TIME_WAIT,
	LAI_TIMER_PROBE, /* zero window */
	LAI_TIMER_COUNT
};

/* What the connection of a socket in none of the kernel's tables (LAI_TCP_CLOSE) was. */
enum lai_past {
	LAI_PAST_UNKNOWN,   /* not looked into, or not permitted */
	LAI_PAST_NONE,	    /* never connected: a new socket */
	LAI_PAST_CONNECTED, /* was connected: the descriptor is a ghost */
};

/* One socket. A value: nothing in it points anywhere. */
struct lai_socket_fact {
	int family;		  /* AF_INET or AF_INET6; a v4-mapped socket is AF_INET6 */
	enum lai_tcp_state state; /* never LAI_TCP_NONE, _NEW_SYN_RECV or _COUNT */
	struct lai_address local;
	struct lai_address remote;
	/* 0: held by no descriptor: TIME_WAIT, orphaned, or not accepted yet. The connections of
	   one MPTCP socket share its inode. */
	uint64_t inode;
	uint64_t cookie; /* SO_COOKIE, unique while the system runs */
	uint64_t cgroup; /* id of the cgroup that made it; 0: not told */
	uint32_t uid;	 /* of the user who made it; 0 also for TIME_WAIT */
	uint32_t namespace_index; /* lai_snapshot.namespaces; 0 in a dump of our own */
	/* Not read yet by the program. The peer's FIN counts as one byte until the program has read
	   EOF: in CLOSE_WAIT 0 means "was told", 1 "no data lost, does not read". LISTEN:
	   connections waiting to be accepted. */
	uint32_t rqueue_bytes;
	uint32_t wqueue_bytes; /* written and not acknowledged. LISTEN: the backlog */
	uint32_t timer_ms;     /* until the timer fires */
	uint32_t memory_bytes; /* of the kernel's, for its queues; 0: not told */
	uint8_t timer;	       /* enum lai_socket_timer */
	uint8_t retransmits;   /* of the segment, or probes unanswered */
	uint8_t shutdown;      /* LAI_SHUT_* */
	uint8_t past;	       /* enum lai_past, LAI_TCP_CLOSE only */
	/* From tcp_info; valid if has_info (not for TIME_WAIT and other mini-sockets). */
	bool has_info;
	uint32_t sent_age_ms;	  /* since data was last sent (tcpi_last_data_sent) */
	uint32_t received_age_ms; /* since data last came; a FIN is no data (tcpi_last_data_recv) */
	uint32_t ack_age_ms;	  /* since an ACK last came; a FIN has one (tcpi_last_ack_recv) */
	uint32_t rtt_us;
	uint64_t received_bytes; /* in all, the peer's FIN included (tcpi_bytes_received) */
	uint64_t sent_bytes;	 /* in all, with what was sent again (tcpi_bytes_sent) */
	uint64_t acked_bytes;	 /* of ours, acknowledged (tcpi_bytes_acked) */
	/* Where its holders stand in lai_snapshot.holders. */
	uint32_t holder_first, holder_count;
	/* LAI_TCP states with inode 0 that wait for accept(): the listener's index; otherwise
	   LAI_NO_INDEX. */
	uint32_t listener;
};

/* One descriptor that refers to a TCP socket. */
struct lai_holder {
	uint64_t inode;
	uint32_t pid;
	uint32_t fd;
	/* Of the socket, when the descriptor was seen; /proc tells neither (0, LAI_TCP_NONE). */
	uint32_t namespace_inode; /* its network namespace, as lai_namespace.inode */
	uint8_t state;		  /* enum lai_tcp_state; LAI_TCP_CLOSE also if it is bound */
};

/* What a thread waits for, read from its system call. */
enum lai_wait {
	LAI_WAIT_UNKNOWN, /* not permitted, or a call of no interest */
	LAI_WAIT_RUNNING, /* on a processor or ready to */
	LAI_WAIT_LOCK,	  /* futex */
	LAI_WAIT_READ,	  /* read, recv, ... of fd */
	LAI_WAIT_WRITE,	  /* write, send, ... to fd */
	LAI_WAIT_ACCEPT,  /* accept on fd */
	LAI_WAIT_CONNECT, /* connect of fd */
	LAI_WAIT_EVENTS,  /* epoll_wait on fd, or poll, select (fd -1): an event loop at rest */
	LAI_WAIT_SLEEP,	  /* nanosleep, pause, sigtimedwait */
	LAI_WAIT_CHILD,	  /* wait4, waitid */
	LAI_WAIT_FILE,	  /* reads or writes something that is no socket, fsync, flock */
	LAI_WAIT_STOPPED, /* SIGSTOP, a debugger */
	LAI_WAIT_COUNT
};

struct lai_thread {
	pid_t pid, tid;
	char state;	     /* of proc(5): R S D T t Z I */
	enum lai_wait wait;
	int32_t fd;	     /* -1: none */
	uint64_t fd_inode;   /* of the socket behind fd; 0: none or no socket */
	uint64_t cpu_ticks;  /* user and system time, in units of sysconf(_SC_CLK_TCK) */
	int32_t call;	     /* number of the system call; -1: none or not permitted to see */
	uint64_t arguments[3]; /* the first ones of the call; 0 if there is none */
	char place[32];	     /* wchan: the kernel function it sleeps in, or "" */
};

/* Interest of a process in a socket's events: a row of an epoll set, or of a poll() that sleeps. */
struct lai_watch {
	pid_t pid;
	int32_t set_fd; /* the epoll descriptor; -1: poll() or select() */
	int32_t fd;	/* as it was when added; it may have been closed since */
	uint64_t inode; /* of the socket */
	uint32_t events; /* EPOLLIN ...; with EPOLLONESHOT alone it has fired and is not armed */
};

#define LAI_COMM_MAX 64 /* TASK_COMM_LEN is 16; kernel workers show longer ones */

struct lai_process {
	pid_t pid, parent;
	uint64_t start_ticks; /* since boot; with the pid it is unique */
	uint32_t uid;
	uint32_t fd_count;    /* descriptors of any kind; 0 if !fds_seen */
	uint32_t fd_limit;    /* soft RLIMIT_NOFILE; 0: not known */
	uint64_t namespace_inode; /* its network namespace; 0: not known */
	bool fds_seen;	      /* its descriptors could be read */
	bool detailed;	      /* threads and watches were looked at */
	bool rings;	      /* it has an io_uring */
	bool zombie;
	char comm[LAI_COMM_MAX];
	char *command_line;   /* NULL or a text, arguments separated by spaces, bytes as they are */
	char *cgroup;	      /* NULL or the path of cgroup v2 (or of the first of v1) */
	char container[80];   /* "docker:0123456789ab" or "": a name made of the cgroup's path */
};

/* Something other than a process's table that holds sockets. */
enum lai_hold {
	LAI_HOLD_RING,	 /* registered in an io_uring, or a request of it is pending */
	LAI_HOLD_FLIGHT, /* in a message on a UNIX socket that nobody has received (SCM_RIGHTS) */
};

/* Who keeps descriptors where no table shows them. inode 0: it is not told which sockets. */
struct lai_stash {
	enum lai_hold hold;
	pid_t pid;
	int32_t fd;	/* the ring's, or the UNIX socket's whose queue has the message */
	uint32_t count; /* of files in flight; 1 for a ring's row with an inode */
	uint64_t inode;
};

#define LAI_NAMESPACE_NAME_MAX 64

struct lai_namespace {
	uint64_t inode;	 /* of /proc/PID/ns/net */
	char name[LAI_NAMESPACE_NAME_MAX]; /* of ip-netns(8), "" if it has none */
	char path[64];	 /* by which it can be entered: "/proc/PID/ns/net", "/run/netns/NAME" */
	bool ours;
	bool seen;	 /* its sockets are in the snapshot */
	int error;	 /* why not: a negative errno */
	/* Sysctls and counters of it; valid if seen. */
	uint16_t port_min, port_max; /* ip_local_port_range */
	uint32_t ports_reserved;     /* of those, in ip_local_reserved_ports */
	uint32_t fin_timeout_ms;
	uint8_t tw_reuse;	     /* tcp_tw_reuse: 0 off, 1 on, 2 loopback only */
	uint32_t time_wait_max;	     /* tcp_max_tw_buckets */
	uint64_t listen_overflows;   /* TcpExt ListenOverflows; 0 also if not told */
};

/* How the owners were found. */
enum lai_way {
	LAI_WAY_BPF,  /* one pass over the descriptor tables in the kernel */
	LAI_WAY_PROC, /* /proc/PID/fd */
};

#define LAI_UNREADABLE_PIDS 3 /* enough to say who it is about */

/* What was looked at, and what could not be. */
struct lai_coverage {
	enum lai_way way;
	char way_reason[128];	   /* why not BPF; "" if it was */
	uint32_t processes;	   /* in /proc */
	uint32_t unreadable;	   /* of those, descriptors that we may not see */
	uint32_t unreadable_pids[LAI_UNREADABLE_PIDS]; /* of the first of those; 0: no more */
	uint32_t vanished;	   /* ended while we looked */
	uint32_t undetailed;	   /* suspects whose threads or sets we may not see */
	uint32_t namespaces_unseen;
	/* Processes whose network namespace may not be told; 0 if only our own was asked for. */
	uint32_t unplaced;
	uint32_t sockets_elsewhere; /* held here, but of a namespace that was not looked at */
	uint32_t repeats;	   /* dumps begun again since the tables changed meanwhile */
	bool complete;		   /* false: even the last try was interrupted */
	bool pid_namespace;	   /* we are in a pid namespace: processes outside are invisible */
};

struct lai_snapshot {
	uint64_t taken_ns;     /* CLOCK_MONOTONIC, for differences */
	uint64_t taken_at_s;   /* seconds since 1970 */
	char host[65], kernel[65]; /* uname(2) */
	uint32_t state_mask;   /* the states that were asked for, LAI_SOCKDIAG_STATE() */
	struct lai_coverage coverage;
	/* Sorted by nothing; LAI_TCP_CLOSE: held, and in none of the kernel's tables. */
	struct lai_socket_fact *sockets;
	size_t socket_count;
	struct lai_holder *holders; /* sorted by inode, pid, fd */
	size_t holder_count;
	struct lai_process *processes; /* sorted by pid; those that hold a TCP socket */
	size_t process_count;
	struct lai_thread *threads; /* sorted by pid, tid; of processes that are detailed */
	size_t thread_count;
	struct lai_watch *watches; /* sorted by inode, pid */
	size_t watch_count;
	struct lai_stash *stashes; /* sorted by nothing */
	size_t stash_count;
	struct lai_namespace *namespaces;
	size_t namespace_count;
};

/*
 * What observe gathers evidence for is what the judge asks about, so both ask these two.
 *
 * Suspect: in its state it waits for the program that holds it.
 * Unheld: it has an inode and is connected or ending, and no descriptor refers to it, so something
 * else must hold it: an io_uring, a message in flight, the kernel, or a process that is hidden.
 */
bool lai_socket_is_suspect(const struct lai_socket_fact *socket);
bool lai_socket_is_unheld(const struct lai_socket_fact *socket);

/* NULL: not in the snapshot. */
const struct lai_process *lai_snapshot_process(const struct lai_snapshot *snapshot, pid_t pid);

#endif
