/* SPDX-License-Identifier: MIT */
#include "lab/claims/kernel_objects.h"

#include <stdio.h>

double lai_kernel_number(const char *path, const char *line_format)
{
	FILE *file = fopen(path, "re");
	char line[256];
	double value = -1;

	while (file && value < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, line_format, &value) != 1)
			value = -1;
	if (file)
		(void)fclose(file);
	return value;
}

/* A column of /proc/slabinfo: name, active objects, objects, size of one. */
static double column(const char *kind, const char *columns)
{
	char format[64];

	(void)snprintf(format, sizeof(format), "%s %s", kind, columns);
	return lai_kernel_number("/proc/slabinfo", format);
}

double lai_kernel_object_bytes(const char *kind)
{
	return column(kind, "%*u %*u %lf");
}

double lai_kernel_bytes(struct lai_trial *trial)
{
	double kb = lai_kernel_number("/proc/meminfo", "SUnreclaim: %lf");

	if (kb < 0)
		lai_trial_lacks(trial, "/proc/meminfo tells no SUnreclaim");
	return kb * 1024;
}

double lai_kernel_sockets_bytes(struct lai_trial *trial)
{
	static const char *const kinds[] = {"TCP", "sock_inode_cache", "filp"};
	double bytes = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		double count = column(kinds[i], "%lf");

		if (count < 0)
			return lai_kernel_bytes(trial);
		bytes += count * lai_kernel_object_bytes(kinds[i]);
	}
	return bytes;
}
