/* SPDX-License-Identifier: MIT */
#include "drive/server_checker.h"
#include "serve/users.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREADS 2
/* As many again as there are threads: they find the next one without waiting for the loop. */
#define UNDER_WAY_MAX (2 * THREADS)

struct queue {
	struct lai_check *first, *last;
};

/* Threads are not waited for: a hash of absurd cost would keep the program from ending. */
struct lai_checker {
	unsigned thread_count, under_way;
	unsigned holders; /* the owner and the threads, under the lock: the last one frees it */
	int news; /* eventfd; -1: none, or the owner has gone; under the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct queue asked, answered; /* both, and ending: under the lock */
	bool ending;
};

static void push(struct queue *queue, struct lai_check *check)
{
	check->next = NULL;
	if (queue->last)
		queue->last->next = check;
	else
		queue->first = check;
	queue->last = check;
}

static struct lai_check *pop(struct queue *queue)
{
	struct lai_check *check = queue->first;

	if (check)
		queue->first = check->next;
	if (!queue->first)
		queue->last = NULL;
	return check;
}

struct lai_check *lai_check_new(const char *hash, const char *password)
{
	struct lai_check *check = calloc(1, sizeof(*check));

	if (!check)
		return NULL;
	check->hash = strdup(hash);
	check->password = strdup(password);
	if (!check->hash || !check->password) {
		lai_check_free(check);
		return NULL;
	}
	return check;
}

void lai_check_free(struct lai_check *check)
{
	if (!check)
		return;
	if (check->password)
		OPENSSL_cleanse(check->password, strlen(check->password));
	free(check->password);
	free(check->hash);
	free(check);
}

static void empty(struct queue *queue)
{
	struct lai_check *check;

	while ((check = pop(queue)))
		lai_check_free(check);
}

/* Called with the lock, which is gone afterwards. */
static void let_go(struct lai_checker *checker)
{
	bool last = --checker->holders == 0;

	(void)pthread_mutex_unlock(&checker->lock);
	if (!last)
		return;
	empty(&checker->asked);
	empty(&checker->answered);
	(void)pthread_mutex_destroy(&checker->lock);
	(void)pthread_cond_destroy(&checker->wake);
	free(checker);
}

static void *work(void *arg)
{
	struct lai_checker *checker = arg;
	const uint64_t one = 1;
	struct lai_check *check;

	(void)pthread_mutex_lock(&checker->lock);
	for (;;) {
		while (!checker->ending && !checker->asked.first)
			(void)pthread_cond_wait(&checker->wake, &checker->lock);
		if (checker->ending)
			break;
		check = pop(&checker->asked);
		(void)pthread_mutex_unlock(&checker->lock);
		check->right = lai_users_check(check->hash, check->password);
		(void)pthread_mutex_lock(&checker->lock);
		push(&checker->answered, check);
		if (checker->news >= 0)
			(void)!write(checker->news, &one, sizeof(one));
	}
	let_go(checker);
	return NULL;
}

/* Signals are the business of the program whose process this is: its threads are to see them. */
static int start(struct lai_checker *checker)
{
	pthread_t thread;
	sigset_t all, before;
	int error = 0;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	(void)pthread_mutex_lock(&checker->lock);
	while (error == 0 && checker->thread_count < THREADS) {
		error = pthread_create(&thread, NULL, work, checker);
		if (error != 0)
			break;
		(void)pthread_detach(thread);
		checker->thread_count++;
		checker->holders++;
	}
	(void)pthread_mutex_unlock(&checker->lock);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

int lai_checker_new(struct lai_checker **checker, bool in_place)
{
	struct lai_checker *made = calloc(1, sizeof(*made));
	int status = 0;

	if (!made)
		return -ENOMEM;
	(void)pthread_mutex_init(&made->lock, NULL);
	(void)pthread_cond_init(&made->wake, NULL);
	made->news = -1;
	made->holders = 1;
	if (!in_place) {
		made->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		status = made->news < 0 ? -errno : start(made);
	}
	if (status != 0) {
		lai_checker_free(made);
		return status;
	}
	*checker = made;
	return 0;
}

void lai_checker_free(struct lai_checker *checker)
{
	if (!checker)
		return;
	(void)pthread_mutex_lock(&checker->lock);
	checker->ending = true;
	if (checker->news >= 0)
		(void)close(checker->news);
	checker->news = -1;
	(void)pthread_cond_broadcast(&checker->wake);
	let_go(checker);
}

bool lai_checker_has_room(const struct lai_checker *checker)
{
	return checker->under_way < UNDER_WAY_MAX;
}

void lai_checker_submit(struct lai_checker *checker, struct lai_check *check)
{
	checker->under_way++;
	if (checker->thread_count == 0) {
		check->right = lai_users_check(check->hash, check->password);
		push(&checker->answered, check);
		return;
	}
	(void)pthread_mutex_lock(&checker->lock);
	push(&checker->asked, check);
	(void)pthread_cond_signal(&checker->wake);
	(void)pthread_mutex_unlock(&checker->lock);
}

struct lai_check *lai_checker_take(struct lai_checker *checker)
{
	struct lai_check *check;
	uint64_t count;

	(void)pthread_mutex_lock(&checker->lock);
	check = pop(&checker->answered);
	/* Under the lock: what is announced behind this is there to be taken. */
	if (!check && checker->news >= 0)
		(void)!read(checker->news, &count, sizeof(count));
	(void)pthread_mutex_unlock(&checker->lock);
	checker->under_way -= check != NULL;
	return check;
}

int lai_checker_fd(const struct lai_checker *checker)
{
	return checker->news;
}
