/* SPDX-License-Identifier: MIT */
/*
 * idle-pool.c - no leak: a client keeps idle connections, and the server has closed them.
 *
 * Pools of libcurl, OkHttp, requests and many more look at an idle connection only when they want
 * to use it again; until then it stays in CLOSE_WAIT after the server's idle timeout. Their number
 * is bounded, and the next request closes it. With TLS the last thing to be received is the alert
 * close_notify: 24 to 31 bytes unread before the FIN (wazuh with libcurl: Recv-Q 32).
 *
 * plain: nothing but the FIN is unread. tls: 31 bytes and the FIN. workers: as plain, and the
 * client's threads wait for work on a condition variable, not in poll().
 */
#include "leak.h"

#include <pthread.h>

#define REQUEST "hello"
#define ANSWER "world"
#define CLOSE_NOTIFY_BYTES 31
#define WORKERS 2

enum { PLAIN, TLS, WORKING };

static int variant;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;

static void *wait_for_work(void *arg)
{
	(void)pthread_mutex_lock(&lock);
	for (;;)
		(void)pthread_cond_wait(&work, &lock);
	return arg;
}

static void pool(void)
{
	int fds[LEAK_SOCKETS], unread = variant == TLS ? CLOSE_NOTIFY_BYTES : 0;

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_connect();
		leak_write(fds[i], REQUEST);
		leak_read(fds[i], ANSWER);
	}
	leak_board->step = 1;
	for (int i = 0; i < LEAK_SOCKETS; i++) {
		leak_await_state(fds[i], TCP_CLOSE_WAIT);
		LEAK_UNTIL(leak_unread(fds[i]) == unread);
	}
	for (int i = 0; i < WORKERS && variant == WORKING; i++) {
		pthread_t thread;

		leak_check(pthread_create(&thread, NULL, wait_for_work, NULL) == 0, "a thread");
	}
	leak_ready();
	if (variant == WORKING)
		(void)wait_for_work(NULL);
	leak_rest(NULL, 0); /* until the next job, which does not come */
}

static void server(void)
{
	int fds[LEAK_SOCKETS], listener = leak_listen();

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_accept(listener);
		leak_read(fds[i], REQUEST);
		leak_write(fds[i], ANSWER);
	}
	leak_await_step(1);
	/* Its idle timeout has passed. */
	for (int i = 0; i < LEAK_SOCKETS; i++) {
		if (variant == TLS)
			leak_pour(fds[i], CLOSE_NOTIFY_BYTES);
		(void)close(fds[i]);
	}
	leak_rest_accepting(listener);
}

int main(int count, char **args)
{
	pid_t innocent;

	variant = leak_begin(count, args, "plain tls workers");
	innocent = leak_start(NULL, pool);
	(void)leak_start("server", server);
	return leak_tell(innocent);
}
