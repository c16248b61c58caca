/* SPDX-License-Identifier: MIT */
/*
 * owner-stuck.c - the thread that should read is somewhere else and does not come back.
 *
 * Data and the FIN arrive, and nobody is there to see them. Two threads that each hold the lock the
 * other wants (3proxy with 1876 threads in futex(), brpc, an application on gin), an endless loop
 * (SRS in serve_http, Netty's event loop at 100 % in its resolver), a log that is written to a pipe
 * which its reader has stopped emptying.
 *
 * lock: four threads, each with one connection and one lock, and each waiting for the next one's.
 * spin: one thread that computes for ever. file: one thread that waits in write() to a full pipe.
 */
#include "leak.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define REQUEST "hello"
#define LEAST_PRIORITY 19 /* for the spinning one: the machine has other work */

enum { LOCK, SPIN, FILE_LOG };

static int variant;
static int fds[LEAK_SOCKETS];

static struct philosopher {
	pthread_t thread;
	pthread_mutex_t fork;
	_Atomic int tid;
} philosophers[LEAK_SOCKETS];
static pthread_barrier_t all_have_one;

static void *dine(void *arg)
{
	struct philosopher *self = arg;
	size_t place = (size_t)(self - philosophers);

	leak_read(fds[place], REQUEST);
	(void)pthread_mutex_lock(&self->fork);
	(void)pthread_barrier_wait(&all_have_one);
	self->tid = (int)syscall(SYS_gettid);
	/* The bug: each waits for a lock whose owner waits as well. */
	(void)pthread_mutex_lock(&philosophers[(place + 1) % LEAK_SOCKETS].fork);
	return NULL;
}

/* Is this thread of ours asleep in futex()? */
static bool in_futex(int tid)
{
	char path[64], call[64] = "";
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	file = tid ? fopen(path, "re") : NULL;
	if (!file)
		return false;
	(void)!fgets(call, sizeof(call), file);
	(void)fclose(file);
	return atoi(call) == SYS_futex;
}

static void deadlock(void)
{
	(void)pthread_barrier_init(&all_have_one, NULL, LEAK_SOCKETS);
	for (int i = 0; i < LEAK_SOCKETS; i++)
		(void)pthread_mutex_init(&philosophers[i].fork, NULL);
	for (int i = 0; i < LEAK_SOCKETS; i++)
		leak_check(pthread_create(&philosophers[i].thread, NULL, dine, &philosophers[i]) ==
				   0,
			   "a thread");
	for (int i = 0; i < LEAK_SOCKETS; i++)
		LEAK_UNTIL(in_futex(philosophers[i].tid));
}

static void read_requests(void)
{
	for (int i = 0; i < LEAK_SOCKETS; i++)
		leak_read(fds[i], REQUEST);
}

static void spin(void)
{
	(void)setpriority(PRIO_PROCESS, 0, LEAST_PRIORITY);
	leak_board->step = 1;
	/* The bug: the condition that should end this loop never becomes true. */
	while (leak_board->step > 0)
		;
}

static void write_log(void)
{
	static const char line[512];
	int ends[2];

	leak_check(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
	while (write(ends[1], line, sizeof(line)) > 0)
		;
	leak_check(errno == EAGAIN && fcntl(ends[1], F_SETFL, 0) == 0, "a full pipe");
	leak_board->step = 1;
	/* The bug: the reader of the log decides whether this server lives. */
	(void)!write(ends[1], line, sizeof(line));
}

static void server(void)
{
	int listener = leak_listen();

	for (int i = 0; i < LEAK_SOCKETS; i++)
		fds[i] = leak_accept(listener);
	if (variant != LOCK) {
		read_requests();
		variant == SPIN ? spin() : write_log();
		leak_die("came back");
	}
	deadlock();
	leak_board->step = 1;
	leak_rest_accepting(listener);
}

static void client(void)
{
	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_connect();
		leak_write(fds[i], REQUEST);
	}
	leak_await_step(1);
	for (int i = 0; i < LEAK_SOCKETS; i++) {
		leak_write(fds[i], "are you there?");
		leak_finish(fds[i]);
	}
	leak_ready();
	leak_rest(fds, LEAK_SOCKETS);
}

int main(int count, char **args)
{
	pid_t guilty;

	variant = leak_begin(count, args, "lock spin file");
	guilty = leak_start(NULL, server);
	(void)leak_start("client", client);
	return leak_tell(guilty);
}
