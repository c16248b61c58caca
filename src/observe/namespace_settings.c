/* SPDX-License-Identifier: MIT */
/*
 * namespace_settings.c - sysctls and counters of the network namespace that the calling thread is
 * in. /proc/sys/net shows those of whoever looks, /proc/thread-self/net those of that thread
 * (/proc/self/net would be the main thread's).
 */
#include "observe/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSCTL(name) "/proc/sys/net/ipv4/" name

/*
 * A bitmap of ports is told by the first read() alone, cut off at its size. The longest text has
 * every other port: 32768 numbers of at most five digits, each with a comma.
 */
#define PORTS_TEXT_BYTES (32768 * 6 + 1)
#define NUMBER_TEXT_BYTES 64

/* Reads once. Always a text; "" if it cannot be had. */
static void text_read(const char *path, char *text, size_t text_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = -1;

	if (fd >= 0) {
		do
			size = read(fd, text, text_bytes - 1);
		while (size < 0 && errno == EINTR);
		(void)close(fd);
	}
	text[size > 0 ? size : 0] = '\0';
}

static uint32_t number_read(const char *path)
{
	char text[NUMBER_TEXT_BYTES];
	long value;

	text_read(path, text, sizeof(text));
	value = strtol(text, NULL, 10);
	return value > 0 && value <= INT32_MAX ? (uint32_t)value : 0;
}

static void port_range_read(struct lai_namespace *name_space)
{
	char text[NUMBER_TEXT_BYTES];
	uint16_t low, high;

	text_read(SYSCTL("ip_local_port_range"), text, sizeof(text));
	if (sscanf(text, "%" SCNu16 " %" SCNu16, &low, &high) != 2)
		return;
	name_space->port_min = low;
	name_space->port_max = high;
}

/* One "8080" or "9148-9200"; what stands behind it, or NULL. */
static const char *ports_parse(const char *text, unsigned long *low, unsigned long *high)
{
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	*low = *high = strtoul(text, &end, 10);
	if (*end == '-') {
		text = end + 1;
		if (*text < '0' || *text > '9')
			return NULL;
		*high = strtoul(text, &end, 10);
	}
	return *low <= *high && *high <= UINT16_MAX ? end : NULL;
}

uint32_t lai_namespace_ports_in(const char *list, uint16_t port_min, uint16_t port_max)
{
	unsigned long low, high;
	uint32_t count = 0;

	while (list && (list = ports_parse(list, &low, &high))) {
		if (low < port_min)
			low = port_min;
		if (high > port_max)
			high = port_max;
		if (low <= high)
			count += (uint32_t)(high - low + 1);
		list = *list == ',' ? list + 1 : NULL;
	}
	return count;
}

static void reserved_read(struct lai_namespace *name_space)
{
	char *text = malloc(PORTS_TEXT_BYTES);

	if (!text)
		return;
	text_read(SYSCTL("ip_local_reserved_ports"), text, PORTS_TEXT_BYTES);
	name_space->ports_reserved =
		lai_namespace_ports_in(text, name_space->port_min, name_space->port_max);
	free(text);
}

/* The number under this name: names stand in one line, their values in the same order in the
   next. Both lines are taken apart. */
static uint64_t value_of(char *names, char *values, const char *wanted)
{
	char *rest_names = NULL, *rest_values = NULL;
	char *name = strtok_r(names, " \n", &rest_names);
	char *value = strtok_r(values, " \n", &rest_values);

	while (name && value) {
		if (!strcmp(name, wanted))
			return strtoull(value, NULL, 10);
		name = strtok_r(NULL, " \n", &rest_names);
		value = strtok_r(NULL, " \n", &rest_values);
	}
	return 0;
}

static uint64_t listen_overflows_read(void)
{
	const char title[] = "TcpExt:";
	FILE *file = fopen("/proc/thread-self/net/netstat", "re");
	char *names = NULL, *values = NULL;
	size_t names_room = 0, values_room = 0;
	uint64_t value = 0;

	if (!file)
		return 0;
	while (getline(&names, &names_room, file) > 0 && getline(&values, &values_room, file) > 0) {
		if (strncmp(names, title, strlen(title)) != 0)
			continue;
		value = value_of(names, values, "ListenOverflows");
		break;
	}
	free(names);
	free(values);
	(void)fclose(file);
	return value;
}

void lai_namespace_read_settings(struct lai_namespace *name_space)
{
	uint32_t fin_timeout_s = number_read(SYSCTL("tcp_fin_timeout"));

	name_space->port_min = name_space->port_max = 0;
	name_space->ports_reserved = 0;
	port_range_read(name_space);
	if (name_space->port_max)
		reserved_read(name_space);
	name_space->fin_timeout_ms =
		fin_timeout_s <= UINT32_MAX / 1000 ? fin_timeout_s * 1000 : UINT32_MAX;
	name_space->tw_reuse = (uint8_t)number_read(SYSCTL("tcp_tw_reuse"));
	name_space->time_wait_max = number_read(SYSCTL("tcp_max_tw_buckets"));
	name_space->listen_overflows = listen_overflows_read();
}
