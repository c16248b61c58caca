/* SPDX-License-Identifier: MIT */
/*
 * suspend_shim.c - LD_PRELOAD: a host that slept for an hour.
 *
 * CLOCK_BOOTTIME counts the time in suspend, CLOCK_MONOTONIC does not; a program sees that it slept by
 * the difference. Once the file named by SUSPEND_FILE exists, CLOCK_BOOTTIME is an hour ahead.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLEPT_S 3600

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	const char *trigger = getenv("SUSPEND_FILE");
	int status = (int)syscall(SYS_clock_gettime, clock, ts);

	if (status == 0 && clock == CLOCK_BOOTTIME && trigger && access(trigger, F_OK) == 0)
		ts->tv_sec += SLEPT_S;
	return status;
}
