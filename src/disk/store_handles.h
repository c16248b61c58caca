/* SPDX-License-Identifier: MIT */
/* store_handles.h - the files of a directory that are kept open: those used last. */
#ifndef LAI_DISK_STORE_HANDLES_H
#define LAI_DISK_STORE_HANDLES_H

#include "disk/store_name.h"

#include <stdint.h>

/* A server is one of many programs on a host: most may open 1,024 files. */
#define LAI_STORE_HANDLE_COUNT 64

struct lai_store_handles {
	int directory_fd; /* the owner's */
	uint64_t clock;	  /* of uses */
	struct lai_store_handle {
		char name[LAI_STORE_NAME_MAX];
		int fd; /* -1: free */
		uint64_t used;
	} handles[LAI_STORE_HANDLE_COUNT];
};

void lai_store_handles_init(struct lai_store_handles *handles, int directory_fd);
/* Closes all of them; more may be opened afterwards. */
void lai_store_handles_close(struct lai_store_handles *handles);
/*
 * The file of this name, opened for appending, created (0600) if there is none. *fd is lent until
 * LAI_STORE_HANDLE_COUNT other files have been asked for. 0; -EINVAL: not a regular file; -ELOOP: a
 * link; or another negative errno.
 */
int lai_store_handles_open(struct lai_store_handles *handles, const char *name, int *fd);
/* The file of this name, lent likewise, if it is open; else -1. */
int lai_store_handles_find(struct lai_store_handles *handles, const char *name);
/* Closes this one, if it is open: its name leads elsewhere now. */
void lai_store_handles_drop(struct lai_store_handles *handles, const char *name);

#endif
