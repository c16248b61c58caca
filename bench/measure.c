/* SPDX-License-Identifier: MIT */
/*
 * measure.c - one run of a command, its output to /dev/null.
 *
 *	measure SECONDS_MAX COMMAND [ARG]...		prints "seconds kilobytes"
 *
 * Seconds by the wall, kilobytes of its largest resident set. Exit 1: the command could not be run,
 * or ended neither with 0 nor with 1 (doctor's "something was found"); 124: it was ended at
 * SECONDS_MAX, and what it had taken until then was printed.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void end(int signal_number)
{
	(void)signal_number;
	(void)kill(child, SIGKILL);
}

int main(int count, char **args)
{
	struct timespec from, to;
	struct rusage usage;
	int status, null = open("/dev/null", O_RDWR);

	if (count < 3 || null < 0)
		return 2;
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	child = fork();
	if (child == 0) {
		(void)dup2(null, 0);
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		(void)execvp(args[2], args + 2);
		_exit(127);
	}
	(void)signal(SIGALRM, end);
	(void)alarm((unsigned)atoi(args[1]));
	while (wait4(child, &status, 0, &usage) < 0)
		;
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.6f %ld\n",
	       (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
	       usage.ru_maxrss);
	if (WIFSIGNALED(status))
		return 124;
	return WEXITSTATUS(status) > 1;
}
