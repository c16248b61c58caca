/* SPDX-License-Identifier: MIT */
/*
 * service.h - what systemd and a service say to each other: sockets handed over (sd_listen_fds(3)) and
 * notes about its state (sd_notify(3)); by hand, since it is an environment variable and a datagram.
 */
#ifndef LAI_CLI_SERVICE_H
#define LAI_CLI_SERVICE_H

/* The listening socket that was handed over, now close-on-exec; -1: none; -E2BIG: more than one. The
   variables are taken out of the environment, so that no child takes them for its own. */
int lai_service_listener(void);

/* "READY=1", "STOPPING=1", "RELOADING=1"; nothing if nobody wants to know. */
void lai_service_notify(const char *state);

#endif
