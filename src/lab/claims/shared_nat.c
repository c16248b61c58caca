/* SPDX-License-Identifier: MIT */
#include "lab/claims/shared_nat.h"

#include "lab/rules.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_BYTES 512

void lai_nat_source(struct lai_trial *trial, uint16_t server_port, uint16_t port_min,
		    uint16_t port_max)
{
	const struct lai_host_port *outside = &trial->router->ports[1];
	char address[INET_ADDRSTRLEN], script[SCRIPT_BYTES];

	(void)inet_ntop(AF_INET, &outside->v4.v4.sin_addr, address, sizeof(address));
	(void)snprintf(script, sizeof(script),
		       "table ip nat {\n"
		       "	chain out {\n"
		       "		type nat hook postrouting priority srcnat;\n"
		       "		oifname \"%s\" tcp dport %u snat to %s:%u-%u\n"
		       "	}\n"
		       "}\n",
		       outside->name, server_port, address, port_min, port_max);
	lai_rules_add(trial, trial->router, script);
}

/* Whether the first line of names in a file has this one. */
static bool file_names(struct lai_trial *trial, const struct lai_host *host, const char *path,
		       const char *name)
{
	char *line = NULL;
	size_t room = 0;
	bool found = false;
	FILE *file;

	lai_host_enter(trial, host);
	file = fopen(path, "re");
	while (file && !found && getline(&line, &room, file) > 0)
		found = strstr(line, name) != NULL;
	if (file)
		(void)fclose(file);
	free(line);
	return found;
}

uint64_t lai_nat_counter(struct lai_trial *trial, const struct lai_host *host,
			 const struct lai_counters *then, const char *file, const char *name)
{
	const char *column = strncmp(name, "conntrack_", 10) == 0 ? name + 10 : name;

	return file_names(trial, host, file, column) ? lai_counters_since(trial, host, then, name)
						     : 0;
}
