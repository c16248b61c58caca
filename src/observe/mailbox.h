/* SPDX-License-Identifier: MIT */
/* mailbox.h - UNIX sockets with messages that nobody has received: they may carry descriptors. */
#ifndef LAI_OBSERVE_MAILBOX_H
#define LAI_OBSERVE_MAILBOX_H

#include <stdbool.h>

/*
 * True: of the UNIX sockets of this network namespace one has something in its queue (unix_diag,
 * without privilege). What it is, /proc tells (stash.c). False also if it cannot be told.
 */
bool lai_mailbox_any(void);

#endif
