/* SPDX-License-Identifier: MIT */
/*
 * robust_storm.c - processes, threads and descriptors that come and go as fast as they can, in the
 * way of whoever walks through them.
 *
 *	robust_storm WORKERS
 *
 * Each worker starts one child after another. A child makes a TCP connection, copies its
 * descriptors far up (its table grows while it is read), and ends: at once, by its first thread
 * alone, by exec() of a program that ends, or after one of its threads left the table. All that is
 * left of the connections are RSTs. It prints "ready" when every worker has gone round once, and at
 * the end of its standard input "rounds N".
 */
#include "robust_tcp.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define WORKERS_MAX 8
#define COPIES 16
#define COPY_FIRST 100 /* behind the first table of 64 */

static _Atomic unsigned long *rounds; /* of each worker */

/* Both ends of a connection; closing either is an RST, so that no TIME_WAIT piles up. */
static void connection_open(int ends[2])
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};
	in_port_t port;
	int listener = listener_open("127.0.0.1", &port);

	ends[0] = client_open("127.0.0.1", port);
	ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	check(ends[1] >= 0, "accept");
	for (int i = 0; i < 2; i++)
		check(setsockopt(ends[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0, "linger");
	(void)close(listener);
}

static void copy_up(const int ends[2])
{
	for (int i = 0; i < COPIES; i++)
		(void)dup3(ends[i % 2], COPY_FIRST << (i / 4), O_CLOEXEC);
}

static void *leave(void *arg)
{
	int ends[2];

	(void)arg;
	if (unshare(CLONE_FILES) == 0)
		connection_open(ends);
	return NULL;
}

static void *outlive(void *arg)
{
	int ends[2];

	(void)arg;
	connection_open(ends);
	_exit(0);
}

/* One child's life; way is its number. */
static void live(unsigned long way)
{
	char *const nothing[] = {(char[]){"true"}, NULL};
	pthread_t thread;
	int ends[2];

	connection_open(ends);
	copy_up(ends);
	switch (way % 4) {
	case 0: _exit(0);
	case 1: (void)execv("/bin/true", nothing); _exit(0);
	case 2:
		if (pthread_create(&thread, NULL, leave, NULL) == 0)
			(void)pthread_join(thread, NULL);
		_exit(0);
	default:
		if (pthread_create(&thread, NULL, outlive, NULL) == 0)
			pthread_exit(NULL);
		_exit(0);
	}
}

static void work(int worker)
{
	for (;; rounds[worker]++) {
		pid_t pid = fork();
		int status;

		check(pid >= 0, "fork");
		if (pid == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			live(rounds[worker]);
		}
		check(waitpid(pid, &status, 0) == pid, "waitpid");
		check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child failed");
	}
}

int main(int count, char **args)
{
	int workers = count == 2 ? atoi(args[1]) : 0;
	unsigned long all = 0;
	char byte;

	if (workers < 1 || workers > WORKERS_MAX) {
		(void)fprintf(stderr, "usage: robust_storm WORKERS (1 to %d)\n", WORKERS_MAX);
		return 2;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	rounds = mmap(NULL, WORKERS_MAX * sizeof(*rounds), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(rounds != MAP_FAILED, "mmap");
	for (int i = 0; i < workers; i++) {
		pid_t parent = getpid(), pid = fork();

		check(pid >= 0, "fork");
		if (pid == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != parent)
				_exit(1);
			work(i);
		}
	}
	for (int i = 0; i < workers; i++) {
		while (rounds[i] == 0) {
			check(waitpid(-1, NULL, WNOHANG) <= 0, "a worker ended");
			(void)usleep(ROBUST_LOOK_US);
		}
	}
	(void)printf("ready\n");
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	for (int i = 0; i < workers; i++)
		all += rounds[i];
	(void)printf("rounds %lu\n", all);
	return waitpid(-1, NULL, WNOHANG) > 0;
}
