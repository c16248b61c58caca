/* SPDX-License-Identifier: MIT */
/*
 * select.h - which sockets list and close are about: the options they share, and the test.
 *
 *	--state --pid --command --port --local-port --remote-port --address --cgroup --container
 *	--ipv4 --ipv6 --min-age
 *
 * The filters on holders (pid, command, cgroup, container) must be passed by one and the same
 * holder. A connection that waits for accept() has none; there the holders of its listener count.
 */
#ifndef LAI_CLI_SELECT_H
#define LAI_CLI_SELECT_H

#include "cli/option.h"
#include "observe/facts.h"

/* Zero: everything. Lists: any of them matches; different options: all of them must. Each text of a
   list but those of cgroups may be several, separated by commas. */
struct lai_select_settings {
	struct lai_option_list states; /* "close-wait", "CLOSE_WAIT", "closed", "connected" */
	struct lai_option_list pids;
	struct lai_option_list commands; /* comm, or a part of it with * and ? (fnmatch) */
	struct lai_option_list ports;	 /* local or remote, "8000-8099" */
	struct lai_option_list local_ports;
	struct lai_option_list remote_ports;
	struct lai_option_list addresses;  /* local or remote, "10.0.0.0/8" */
	struct lai_option_list cgroups;	   /* a path or its beginning */
	struct lai_option_list containers; /* a name or the beginning of an id */
	uint64_t min_age_ns;		   /* 0: any */
	bool ipv4, ipv6;		   /* neither: both */
};

/* The rows of a table of options whose settings struct has a member of this type. */
#define LAI_SELECT_OPTIONS(type, member) LAI_SELECT_ROWS(offsetof(type, member))

#define LAI_SELECT_ROW(base, ...) LAI_OPTION_AT(base, struct lai_select_settings, __VA_ARGS__)

#define LAI_SELECT_ROWS(base)                                                                      \
	LAI_OPTION_HEAD("Which sockets"),                                                          \
		LAI_SELECT_ROW(base, "state", 0, LIST, states, "STATE",                            \
			       "established, close-wait, ..., as ss or netstat write them; also "  \
			       "closed (held, but gone), all, connected, all-but-STATE; several "  \
			       "by commas"),                                                       \
		LAI_SELECT_ROW(base, "pid", 0, LIST, pids, "PID",                                  \
			       "held by this process, or waiting for its accept()"),               \
		LAI_SELECT_ROW(base, "command", 0, LIST, commands, "NAME",                         \
			       "held by processes of this name; * and ? stand for any letters"),   \
		LAI_SELECT_ROW(base, "port", 0, LIST, ports, "PORT",                               \
			       "this local or remote port, or a range such as 8000-8099"),         \
		LAI_SELECT_ROW(base, "local-port", 0, LIST, local_ports, "PORT",                   \
			       "this local port"),                                                 \
		LAI_SELECT_ROW(base, "remote-port", 0, LIST, remote_ports, "PORT",                 \
			       "this remote port"),                                                \
		LAI_SELECT_ROW(base, "address", 0, LIST, addresses, "ADDRESS[/LENGTH]",            \
			       "this local or remote address or prefix; IPv4 also as it is "       \
			       "mapped into IPv6"),                                                \
		LAI_SELECT_ROW(base, "ipv4", '4', FLAG, ipv4, NULL,                                \
			       "IPv4, also as it is mapped into IPv6"),                            \
		LAI_SELECT_ROW(base, "ipv6", '6', FLAG, ipv6, NULL,                                \
			       "IPv6 that is no mapped IPv4"),                                     \
		LAI_SELECT_ROW(base, "cgroup", 0, LIST, cgroups, "PATH",                           \
			       "held in this cgroup or one below; a beginning of the path will "   \
			       "do"),                                                              \
		LAI_SELECT_ROW(base, "container", 0, LIST, containers, "NAME",                     \
			       "held in this container: its name or the beginning of its id"),     \
		LAI_SELECT_ROW(base, "min-age", 0, TIME, min_age_ns, "TIME",                       \
			       "for at least this long in its state, as far as the kernel tells")

struct lai_select;

/*
 * Reads the texts. settings must outlive *select. 0; -EINVAL: *error is a sentence for free() that
 * says what is wrong and what is accepted; -ENOMEM: *error is NULL.
 */
int lai_select_new(const struct lai_select_settings *settings, struct lai_select **select,
		   char **error);
void lai_select_free(struct lai_select *select);

/* The states that can match. A dump that is to tell who owns what was never accepted needs
   LAI_TCP_LISTEN as well. */
uint32_t lai_select_state_mask(const struct lai_select *select);
bool lai_select_socket(const struct lai_select *select, const struct lai_snapshot *snapshot,
		       uint32_t socket);
/* Does the filter on holders (pid, command, cgroup, container) let this one through? */
bool lai_select_holder(const struct lai_select *select, const struct lai_snapshot *snapshot,
		       const struct lai_holder *holder);

/*
 * select_state.c: a state by any of its names, in any case, with - or _ or nothing between the
 * words; or a group of states. 0: *mask of LAI_SOCKDIAG_STATE(); -EINVAL: there is none, *nearest
 * (nearest may be NULL) is the name that was probably meant, or NULL.
 */
int lai_select_state_read(const char *text, uint32_t *mask, const char **nearest);

#endif
