/* SPDX-License-Identifier: MIT */
/* The pure parsers of what /proc tells: any text, ended by NUL. */
#include "observe/container.h"
#include "observe/process.h"
#include "observe/procfs.h"
#include "observe/stash.h"
#include "observe/thread.h"
#include "observe/watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(void *arg, uint64_t inode)
{
	assert(inode != 0);
	return ++*(int *)arg < 0;
}

static void parse_process(const char *text)
{
	struct lai_process_stat stat;
	struct lai_call call;
	char name[80], little[5];
	size_t length = 0;
	const char *path;
	int32_t fd;

	if (lai_process_parse_stat(text, &stat))
		assert(strlen(stat.comm) < LAI_COMM_MAX && stat.parent >= 0);
	(void)lai_process_parse_fd_limit(text);
	path = lai_process_parse_cgroup(text, &length);
	if (path) {
		assert(path >= text && length > 0 && path + length <= text + strlen(text));
		assert(path[0] == '/' && !memchr(path, '\n', length));
	}
	lai_process_container(text, name, sizeof(name));
	assert(strlen(name) < sizeof(name));
	lai_process_container(text, little, sizeof(little));
	if (lai_call_parse(text, &call)) {
		assert(call.number >= -1);
		assert(lai_wait_of_call(call.number, call.arguments[0], &fd) < LAI_WAIT_COUNT);
	}
	assert(lai_wait_of_place(text) < LAI_WAIT_COUNT);
}

static void parse_watch(const char *text)
{
	struct lai_ring_facts facts;
	struct lai_watch watch;
	uint64_t inode;
	dev_t device;
	int count = 0;

	if (lai_watch_parse(text, &watch, &device))
		assert(watch.fd >= 0);
	assert(lai_ring_parse(text, take, &count, &facts) == 0);
	(void)lai_flight_parse(text);
	(void)lai_procfs_parse_link(text, "socket", &inode);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	assert(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	parse_process(text);
	parse_watch(text);
	assert(lai_process_parse_command_line(text, size) <= size);
	free(text);
	return 0;
}
