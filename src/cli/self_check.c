/* SPDX-License-Identifier: MIT */
#include "cli/self_check.h"
#include "observe/census.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* A standard stream may be a connection whose peer has said its last word: inherited, not ours. */
static int inherited(void)
{
	int count = 0;

	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		struct tcp_info info = {0};
		socklen_t length = sizeof(info);

		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
		    info.tcpi_state == LAI_TCP_CLOSE_WAIT)
			count++;
	}
	return count;
}

int lai_self_check(void)
{
	struct lai_census census;
	int count;

	if (lai_census_of_process(0, &census) != 0)
		return -1;
	count = (int)census.by_state[LAI_TCP_CLOSE_WAIT] - inherited();
	return count > 0 ? count : 0;
}

void lai_self_check_text(struct lai_text *text, int close_wait)
{
	if (close_wait >= 0)
		lai_text_append(text, "; %d sockets of ours in CLOSE_WAIT", close_wait);
	else
		lai_text_append(text, "; sockets in CLOSE_WAIT: not known (no sock_diag)");
}

void lai_self_check_json(struct lai_json *json, int close_wait)
{
	if (close_wait >= 0)
		lai_json_u64(json, "close_wait_sockets", (uint64_t)close_wait);
	else
		lai_json_null(json, "close_wait_sockets");
}
