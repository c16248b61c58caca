/* SPDX-License-Identifier: MIT */
/*
 * bounds.h - every number of the judge that is a matter of judgement, with its reason.
 *
 * Two mistakes are possible: to accuse a healthy program that was looked at in the wrong moment,
 * and to keep silent about a leak because it is young. Each age below is far above what the first
 * takes and far below what anybody calls a leak.
 */
#ifndef LAI_JUDGE_BOUNDS_H
#define LAI_JUDGE_BOUNDS_H

/* A healthy program accepts within milliseconds; a loaded host takes a second. */
#define LAI_NEVER_ACCEPTED_MS 2000

/* So long a CLOSE_WAIT may last: to read the end, write the last answer and close. */
#define LAI_CLOSE_WAIT_YOUNG_MS 3000
/* The same where it was there in the earlier snapshot as well, and its like have become more. */
#define LAI_CLOSE_WAIT_GROWING_MS 1000
/* Within that a program may still work on its answer: the time-out of most proxies and clients. */
#define LAI_ANSWER_MS 60000

/* A peer that has sent its FIN and accepts nothing for so long does not read any more. */
#define LAI_STALLED_MS 5000
/* After a half-close an answer follows; who begins to write so late does not answer. */
#define LAI_WRITES_MS 2000

/* FIN_WAIT2 that nobody waits on. Lingering closes are over after 2 to 5 s, and those are watched. */
#define LAI_HALF_CLOSED_MS 3000
/* One that a thread or an event loop waits on: as long as the kernel gives orphans by default. */
#define LAI_HALF_CLOSED_WATCHED_MS 60000

/* An ESTABLISHED connection on its way between processes arrives at once. */
#define LAI_UNHELD_IDLE_MS 5000

/* The other leg of a proxy must be at rest so long: data that still flows is half-close at work. */
#define LAI_LEG_IDLE_MS 2000
/* Equal counts below that happen by chance; then somebody must also wait on the other leg. */
#define LAI_LEG_BYTES_MIN 16

/* Pools are bounded: libcurl 5 to 4 times the handles, OkHttp 5, HikariCP 10, a gateway's a hundred. */
#define LAI_POOL_MAX 200
/* A pool that is filling grows too, up to here. */
#define LAI_POOL_GROWING_MAX 8
/* The server's farewell: TLS close_notify is 24 to 31 bytes, PostgreSQL's and MySQL's 100 to 150. */
#define LAI_POOL_UNREAD_MAX 256

/* More than a TLS farewell: data that somebody sent to be read. */
#define LAI_UNREAD_MIN 32

/* So many connections that were reset a client's pool may have until it uses them again. */
#define LAI_GHOSTS_FEW 4
/* Descriptors in no table of which nothing more can be seen: one or two may be new sockets. */
#define LAI_GHOSTS_UNKNOWN_MIN 3

/* So many must have ended, and in how old an age, to speak of a time-out. */
#define LAI_TURNOVER_MIN 2
#define LAI_TURNOVER_AGE_MS 1000

/* TIME_WAIT below that is not worth a word. */
#define LAI_TIME_WAIT_MANY 1000
/* TCP_TIMEWAIT_LEN of net/tcp.h; no sysctl changes it. */
#define LAI_TIME_WAIT_MS 60000
/* Slab object of tw_sock_TCP and tw_sock_TCPv6 on Linux 6.18 (slabinfo); a live socket takes 2.4 kB. */
#define LAI_TIME_WAIT_BYTES 256
/* tcp_twsk_unique(): after that a TIME_WAIT's port may be used again, if tcp_tw_reuse allows. */
#define LAI_TIME_WAIT_REUSE_MS 1000

/* From here on connect() has to search long, and a burst fails. */
#define LAI_PORTS_FULL_PERCENT 80
/* A forecast nearer than that is a warning ... */
#define LAI_PORTS_FORECAST_S 300
/* ... unless so little is used that it is the beginning of something. */
#define LAI_PORTS_BEGUN_PERCENT 10

/* A process with more peers than that gets one finding for all. */
#define LAI_PEERS_MAX 8

/* USER_HZ: the unit of times in /proc on every architecture that Debian has. */
#define LAI_TICKS_PER_S 100

#endif
