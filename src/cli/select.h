/* SPDX-License-Identifier: MIT */
/*
 * select.h - which sockets list and close are about: the options they share, and the test.
 *
 *	--state --pid --command --port --local-port --remote-port --address --cgroup --container
 *	--min-age
 */
#ifndef LAI_CLI_SELECT_H
#define LAI_CLI_SELECT_H

#include "cli/option.h"
#include "observe/facts.h"

/* Zero: everything. Lists: any of them matches; different options: all of them must. */
struct lai_select_settings {
	struct lai_option_list states;	   /* "close-wait", "CLOSE_WAIT", "closed"; several by commas */
	struct lai_option_list pids;
	struct lai_option_list commands;   /* comm, or a part of it with * and ? (fnmatch) */
	struct lai_option_list ports;	   /* local or remote */
	struct lai_option_list local_ports;
	struct lai_option_list remote_ports;
	struct lai_option_list addresses;  /* local or remote, "10.0.0.0/8" */
	struct lai_option_list cgroups;	   /* a path or its beginning */
	struct lai_option_list containers; /* a name or the beginning of an id */
	uint64_t min_age_ns;		   /* 0: any */
};

/* The rows of a table of options whose settings struct has a member of this type. */
#define LAI_SELECT_OPTIONS(type, member) LAI_SELECT_ROWS(offsetof(type, member))

struct lai_select;

/*
 * Reads the texts. settings must outlive *select. 0; -EINVAL: *error is a sentence for free() that
 * says what is wrong and what is accepted; -ENOMEM.
 */
int lai_select_new(const struct lai_select_settings *settings, struct lai_select **select,
		   char **error);
void lai_select_free(struct lai_select *select);

/* The states that can match, for the dump. */
uint32_t lai_select_state_mask(const struct lai_select *select);
bool lai_select_socket(const struct lai_select *select, const struct lai_snapshot *snapshot,
		       uint32_t socket);
/* Does the filter on holders (pid, command, cgroup, container) let this one through? */
bool lai_select_holder(const struct lai_select *select, const struct lai_snapshot *snapshot,
		       const struct lai_holder *holder);

#endif
