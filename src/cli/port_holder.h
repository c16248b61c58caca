/* SPDX-License-Identifier: MIT */
/* port_holder.h - why a pinned local port cannot be used, in words. */
#ifndef LAI_CLI_PORT_HOLDER_H
#define LAI_CLI_PORT_HOLDER_H

#include "cli/log.h"

/* Says which sockets of this host have the port, in which states, and what will free it. */
void lai_port_holder_say(struct lai_log *log, uint16_t port);

#endif
