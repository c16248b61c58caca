/* SPDX-License-Identifier: MIT */
/*
 * store_place.h - whether a name still leads to the file that is open.
 *
 * Somebody may move or remove a file that is in use: what is written then goes where nobody looks
 * for it, or nowhere. So it is looked at before each batch, and before the batch is confirmed.
 */
#ifndef LAI_DISK_STORE_PLACE_H
#define LAI_DISK_STORE_PLACE_H

#include <stdbool.h>

enum lai_store_place {
	LAI_STORE_THERE,   /* or nobody can say: the directory must not be read */
	LAI_STORE_MOVED,   /* it has another name now, perhaps another file has its own */
	LAI_STORE_REMOVED, /* it has no name any more, and is gone when it is closed */
};

/* Of the open file (O_PATH is enough) and its name, which is relative to directory_fd, as in
   openat(2). follow: symbolic links of that name too. */
enum lai_store_place lai_store_place(int fd, int directory_fd, const char *name, bool follow);
/* "was moved away", "was removed" */
const char *lai_store_place_words(enum lai_store_place place);

/* What is to be told once: *notice becomes the sentence "NAME was moved away: ...", if it is NULL;
   of several things that happened together the first is enough. */
void lai_store_place_tell(char **notice, enum lai_store_place place, const char *name);

#endif
