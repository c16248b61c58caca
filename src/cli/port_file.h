/* SPDX-License-Identifier: MIT */
/* port_file.h - the port that a server has got, for whoever started it with port 0. */
#ifndef LAI_CLI_PORT_FILE_H
#define LAI_CLI_PORT_FILE_H

#include <stdint.h>

/* A reader of the file sees no port or all of it. 0, or a negative errno. */
int lai_port_file_write(const char *path, uint16_t port);

#endif
