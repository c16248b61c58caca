/* SPDX-License-Identifier: MIT */
#include "disk/store_writer.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Between two tries; how long durability "batch" lets what is written wait for the disk; and how long
   nothing must come before the output settles. */
#define SECOND_NS LAI_S

/* ---- what both ways share: the lock is held by the caller ---------------------------------- */

static void say_news(struct lai_store_writer *writer)
{
	const uint64_t one = 1;

	if (writer->news_fd >= 0)
		(void)!write(writer->news_fd, &one, sizeof(one));
}

static void set_trouble(struct lai_store_writer *writer, int error)
{
	const char *why = writer->output->why;
	char *trouble = NULL;

	(void)lai_error(&trouble, error, "cannot store: %s", why ? why : strerror(-error));
	if (!trouble || !writer->trouble || strcmp(trouble, writer->trouble) != 0 ||
	    writer->failed != writer->output->failed) {
		free(writer->trouble);
		writer->trouble = trouble;
		writer->failed = writer->output->failed;
		say_news(writer);
		return;
	}
	free(trouble);
}

static void clear_trouble(struct lai_store_writer *writer)
{
	free(writer->trouble);
	writer->trouble = NULL;
	writer->failed = false;
}

static void take_notice(struct lai_store_writer *writer)
{
	char *notice = writer->output->notice;

	if (!notice)
		return;
	writer->output->notice = NULL;
	free(writer->notice);
	writer->notice = notice;
	say_news(writer);
}

static void after_write(struct lai_store_writer *writer, int error,
			const struct lai_store_counts *counts)
{
	uint64_t ticket = writer->flight->ticket;

	take_notice(writer);
	if (error) {
		set_trouble(writer, error);
		return;
	}
	writer->counts = *counts;
	writer->counts.batches++;
	clear_trouble(writer);
	if (writer->durability == LA_DURABILITY_BATCH && writer->sync_due_ns == LA_NEVER)
		writer->sync_due_ns = lai_time_after(lai_clock_now(), SECOND_NS);
	if (writer->threaded && writer->output->kind->settle)
		writer->settle_due_ns = lai_time_after(lai_clock_now(), SECOND_NS);
	writer->flight = NULL;
	/* From here on the batch is its owner's again. */
	atomic_store_explicit(&writer->stored, ticket, memory_order_release);
	say_news(writer);
}

static void after_sync(struct lai_store_writer *writer, int error)
{
	bool was_trouble = writer->trouble;

	if (error) {
		writer->sync_due_ns = lai_time_after(lai_clock_now(), SECOND_NS);
		set_trouble(writer, error);
		return;
	}
	writer->sync_due_ns = LA_NEVER;
	if (writer->flight || !was_trouble)
		return;
	clear_trouble(writer);
	say_news(writer);
}

static void after_reopen(struct lai_store_writer *writer, int error)
{
	take_notice(writer);
	if (error) {
		writer->reopens = true;
		set_trouble(writer, error);
	} else if (!writer->flight && writer->trouble) {
		clear_trouble(writer);
		say_news(writer);
	}
}

/* ---- the thread ---------------------------------------------------------------------------- */

static void wait_until(struct lai_store_writer *writer, uint64_t deadline_ns)
{
	struct timespec until = {
		.tv_sec = (time_t)(deadline_ns / LAI_S),
		.tv_nsec = (long)(deadline_ns % LAI_S),
	};

	if (deadline_ns == LA_NEVER)
		(void)pthread_cond_wait(&writer->changed, &writer->lock);
	else
		(void)pthread_cond_timedwait(&writer->changed, &writer->lock, &until);
}

/* The lock is free while the disk works: the owner's calls never wait for it. */
static void write_flight(struct lai_store_writer *writer)
{
	const struct lai_store_batch *batch = writer->flight;
	struct lai_store_counts counts = writer->counts;
	int error;

	(void)pthread_mutex_unlock(&writer->lock);
	error = writer->output->kind->write(writer->output, batch, &counts);
	(void)pthread_mutex_lock(&writer->lock);
	after_write(writer, error, &counts);
}

static void reopen_output(struct lai_store_writer *writer)
{
	int error = 0;

	writer->reopens = false;
	(void)pthread_mutex_unlock(&writer->lock);
	if (writer->output->kind->reopen)
		error = writer->output->kind->reopen(writer->output);
	(void)pthread_mutex_lock(&writer->lock);
	after_reopen(writer, error);
}

static void sync_output(struct lai_store_writer *writer)
{
	int error;

	(void)pthread_mutex_unlock(&writer->lock);
	error = writer->output->kind->sync(writer->output);
	(void)pthread_mutex_lock(&writer->lock);
	after_sync(writer, error);
}

static void settle_output(struct lai_store_writer *writer)
{
	writer->settle_due_ns = LA_NEVER;
	(void)pthread_mutex_unlock(&writer->lock);
	writer->output->kind->settle(writer->output);
	(void)pthread_mutex_lock(&writer->lock);
}

static void wait_a_second(struct lai_store_writer *writer)
{
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), SECOND_NS);

	while (!writer->stopping && lai_clock_now() < deadline_ns)
		wait_until(writer, deadline_ns);
}

/* true: go on. */
static bool turn(struct lai_store_writer *writer)
{
	bool last = writer->stopping;

	if (writer->sync_due_ns != LA_NEVER && (last || lai_clock_now() >= writer->sync_due_ns) &&
	    !(last && writer->flight))
		sync_output(writer);
	if (writer->reopens)
		reopen_output(writer);
	if (writer->flight) {
		write_flight(writer);
		if (writer->flight && last)
			return false;
		if (writer->flight)
			wait_a_second(writer);
		return true;
	}
	if (last)
		return false;
	if (writer->reopens)
		wait_a_second(writer);
	else if (lai_clock_now() >= writer->settle_due_ns)
		settle_output(writer);
	else if (!writer->stopping)
		wait_until(writer, writer->sync_due_ns < writer->settle_due_ns
					   ? writer->sync_due_ns
					   : writer->settle_due_ns);
	return true;
}

static void *run(void *arg)
{
	struct lai_store_writer *writer = arg;

	(void)pthread_mutex_lock(&writer->lock);
	while (turn(writer))
		;
	(void)pthread_mutex_unlock(&writer->lock);
	return NULL;
}

/* Signals are for the program's other threads; SIGPIPE is an errno to us. */
static int start_thread(struct lai_store_writer *writer)
{
	sigset_t all, before;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	error = -pthread_create(&writer->thread, NULL, run, writer);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* ---- its owner ----------------------------------------------------------------------------- */

static int init_lock(struct lai_store_writer *writer)
{
	pthread_condattr_t attributes;
	int error = -pthread_condattr_init(&attributes);

	if (error)
		return error;
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	error = -pthread_cond_init(&writer->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	if (!error) {
		error = -pthread_mutex_init(&writer->lock, NULL);
		if (error)
			(void)pthread_cond_destroy(&writer->changed);
	}
	return error;
}

int lai_store_writer_init(struct lai_store_writer *writer, enum la_durability durability,
			  bool threaded)
{
	int error;

	*writer = (struct lai_store_writer){
		.durability = durability,
		.news_fd = -1,
		.sync_due_ns = LA_NEVER,
		.settle_due_ns = LA_NEVER,
	};
	if (threaded)
		writer->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = threaded && writer->news_fd < 0 ? -errno : init_lock(writer);
	if (error && writer->news_fd >= 0)
		(void)close(writer->news_fd);
	return error;
}

int lai_store_writer_start(struct lai_store_writer *writer, struct lai_store_output *output)
{
	int error;

	writer->output = output;
	error = writer->news_fd >= 0 ? start_thread(writer) : 0;
	writer->threaded = writer->news_fd >= 0 && !error;
	return error;
}

static void stop_thread(struct lai_store_writer *writer)
{
	(void)pthread_mutex_lock(&writer->lock);
	writer->stopping = true;
	(void)pthread_cond_signal(&writer->changed);
	(void)pthread_mutex_unlock(&writer->lock);
	(void)pthread_join(writer->thread, NULL);
}

void lai_store_writer_done(struct lai_store_writer *writer)
{
	if (writer->threaded)
		stop_thread(writer);
	else if (writer->output)
		lai_store_writer_retry(writer);
	if (writer->news_fd >= 0)
		(void)close(writer->news_fd);
	(void)pthread_cond_destroy(&writer->changed);
	(void)pthread_mutex_destroy(&writer->lock);
	free(writer->trouble);
	free(writer->notice);
}

void lai_store_writer_hand(struct lai_store_writer *writer, const struct lai_store_batch *batch)
{
	(void)pthread_mutex_lock(&writer->lock);
	writer->flight = batch;
	if (writer->threaded)
		(void)pthread_cond_signal(&writer->changed);
	else
		write_flight(writer);
	(void)pthread_mutex_unlock(&writer->lock);
}

void lai_store_writer_retry(struct lai_store_writer *writer)
{
	if (writer->threaded)
		return;
	(void)pthread_mutex_lock(&writer->lock);
	if (writer->reopens)
		reopen_output(writer);
	if (writer->flight)
		write_flight(writer);
	if (writer->sync_due_ns != LA_NEVER)
		sync_output(writer);
	(void)pthread_mutex_unlock(&writer->lock);
}

void lai_store_writer_reopen(struct lai_store_writer *writer)
{
	(void)pthread_mutex_lock(&writer->lock);
	writer->reopens = true;
	if (writer->threaded)
		(void)pthread_cond_signal(&writer->changed);
	else
		reopen_output(writer);
	(void)pthread_mutex_unlock(&writer->lock);
}

char *lai_store_writer_trouble(struct lai_store_writer *writer, bool *failed)
{
	char *trouble;

	(void)pthread_mutex_lock(&writer->lock);
	if (writer->notice) {
		trouble = writer->notice;
		writer->notice = NULL;
		say_news(writer); /* behind it is the trouble, or none */
	} else {
		trouble = writer->trouble ? strdup(writer->trouble) : NULL;
	}
	*failed = writer->failed;
	(void)pthread_mutex_unlock(&writer->lock);
	return trouble;
}

void lai_store_writer_counts(struct lai_store_writer *writer, struct lai_store_counts *counts)
{
	(void)pthread_mutex_lock(&writer->lock);
	*counts = writer->counts;
	(void)pthread_mutex_unlock(&writer->lock);
}
