/* SPDX-License-Identifier: MIT */
#include "cli/demo_child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void lai_demo_child_begin(pid_t parent)
{
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have ended before it could be asked for. */
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	/* An interrupt on the terminal is for the demo, which ends its children in order. */
	(void)setpgid(0, 0);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

int lai_demo_child_end(pid_t pid, int grace_ms)
{
	struct pollfd end = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	int status = 0;

	if (end.fd >= 0) {
		(void)poll(&end, 1, grace_ms);
		(void)close(end.fd);
	}
	/* Not reaped yet, so the number still is that child's, ended or not. */
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}
