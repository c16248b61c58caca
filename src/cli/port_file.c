/* SPDX-License-Identifier: MIT */
#include "cli/port_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int lai_port_file_write(const char *path, uint16_t port)
{
	char *temporary = NULL;
	FILE *file = NULL;
	int status = 0;

	if (asprintf(&temporary, "%s.%d", path, (int)getpid()) < 0)
		return -ENOMEM;
	file = fopen(temporary, "we");
	if (!file || fprintf(file, "%u\n", port) < 0)
		status = -errno;
	if (file && fclose(file) != 0 && status == 0)
		status = -errno;
	if (status == 0 && rename(temporary, path) != 0)
		status = -errno;
	if (status != 0)
		(void)unlink(temporary);
	free(temporary);
	return status;
}
