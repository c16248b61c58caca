/* SPDX-License-Identifier: MIT */
/* list_page.h - what lastack list writes of one snapshot. */
#ifndef LAI_CLI_LIST_PAGE_H
#define LAI_CLI_LIST_PAGE_H

#include "cli/list_sort.h"
#include "cli/select.h"
#include "cli/watch_loop.h"
#include "show/show_socket.h"

struct lai_list {
	struct lai_select *select;
	struct lai_list_sort sort;
	/* Chosen by the user, alone or beside the usual ones, which depend on the form. */
	enum lai_socket_column chosen[LAI_COLUMNS_MAX];
	size_t chosen_count;
	bool chosen_only;
	bool summary, wide, no_header, json;
	bool timers;	   /* their column is shown however narrow the terminal is */
	bool all_netns;	   /* with the column for them */
	uint64_t watch_ns; /* for the title of a page that is drawn */
};

/* Writes the page and its notes. 0, or -ENOMEM. */
int lai_list_page_write(const struct lai_list *list, const struct lai_snapshot *snapshot,
			struct lai_watch_page *page);

#endif
