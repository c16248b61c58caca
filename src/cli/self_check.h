/* SPDX-License-Identifier: MIT */
/* self_check.h - does this very program owe anybody a FIN? Asked of the kernel, not
   of ourselves. */
#ifndef LAI_CLI_SELF_CHECK_H
#define LAI_CLI_SELF_CHECK_H

#include "base/json.h"

/* Sockets of this process in CLOSE_WAIT, without inherited standard streams; -1: cannot
   be asked. */
int lai_self_check(void);

/* Appends the result, for people and as the member close_wait_sockets. */
void lai_self_check_text(struct lai_text *text, int close_wait);
void lai_self_check_json(struct lai_json *json, int close_wait);

#endif
