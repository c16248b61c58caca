/* SPDX-License-Identifier: MIT */
#include "cli/service.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* SD_LISTEN_FDS_START: sockets begin behind the standard streams. */
#define LISTENERS_FIRST 3
#define NOTE_MAX 128

/* They were meant for another process unless it names this one. */
static uint32_t listeners(void)
{
	const char *pid_text = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS");
	uint32_t pid, count;

	if (!pid_text || !count_text || !lai_number_parse(pid_text, &pid) ||
	    !lai_number_parse(count_text, &count) || pid != (uint32_t)getpid())
		return 0;
	return count;
}

int lai_service_listener(void)
{
	uint32_t count = listeners();

	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	if (count != 1)
		return count == 0 ? -1 : -E2BIG;
	(void)fcntl(LISTENERS_FIRST, F_SETFD, FD_CLOEXEC);
	return LISTENERS_FIRST;
}

void lai_service_notify(const char *state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t length = path ? strlen(path) : 0;
	struct lai_text note = LAI_TEXT_INIT(NOTE_MAX);
	int fd;

	if (length < 2 || length >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* the abstract namespace, unix(7) */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	lai_text_append(&note, "%s\n", state);
	/* Type=notify-reload wants to know that this came after its signal. */
	if (strcmp(state, "RELOADING=1") == 0)
		lai_text_append(&note, "MONOTONIC_USEC=%llu\n", lai_clock_now() / LAI_US);
	(void)sendto(fd, lai_text_string(&note), note.length, MSG_NOSIGNAL,
		     (const struct sockaddr *)&address,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
	(void)close(fd);
	lai_text_done(&note);
}
