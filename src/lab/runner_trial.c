/* SPDX-License-Identifier: MIT */
/*
 * runner_trial.c - one trial as a process: what it is given, what it does, what it leaves.
 *
 *	shared memory	the result, which is there whatever becomes of the process
 *	memfd		a capture for each wire, and what it prints: files without a name
 */
#include "lab/runner_inside.h"
#include "base/clock.h"
#include "lab/capture.h"
#include "lab/host.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A trial that waits for nothing long needs a second or two; on a busy machine ten times that. */
#define SECONDS_DEFAULT 20

/* ---- inside --------------------------------------------------------------------------------- */

/* From seed and id, so that two claims make different choices with the same seed (FNV-1a). */
static struct lai_random random_of(const struct lai_trial_process *process)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (const char *at = process->claim->id; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 0x100000001b3ull;
	return (struct lai_random){.state = hash ^ process->seed};
}

int lai_trial_family(const struct lai_claim *claim, uint64_t seed)
{
	return claim->both_families && seed % 2 == 0 ? AF_INET6 : AF_INET;
}

/* Claims that use up ports hold many sockets. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* The client's wire from the client's end; the one behind a router from the router's. */
static void captures_start(struct lai_trial *trial, const struct lai_trial_process *process)
{
	for (unsigned wire = 0; wire < LAI_TRIAL_WIRES_MAX; wire++) {
		FILE *file;

		if (!process->captures[wire])
			continue;
		file = fdopen(process->captures[wire], "w");
		if (!file)
			lai_trial_fail(trial, "cannot write a capture: %s", strerror(errno));
		trial->captures[wire] = lai_capture_start(
			trial, wire == 0 ? trial->client : trial->router, wire, file);
	}
}

static void captures_stop(struct lai_trial *trial)
{
	for (unsigned wire = 0; wire < LAI_TRIAL_WIRES_MAX; wire++)
		if (trial->captures[wire])
			lai_capture_stop(trial->captures[wire]);
}

/* Of the keeper, which makes the hosts, and after it of the trial, which has a copy of it. */
static struct lai_trial own;

static void prepare(void *arg)
{
	struct lai_trial_process *process = arg;

	own = (struct lai_trial){
		.claim = process->claim,
		.seed = process->seed,
		.random = random_of(process),
		.family = lai_trial_family(process->claim, process->seed),
		.result = &process->shared->result,
	};
	own.result->began_ns = lai_clock_read(CLOCK_REALTIME);
	lai_hosts_make(&own, process->settings);
}

static void run(void *arg)
{
	struct lai_trial_process *process = arg;

	raise_descriptor_limit();
	captures_start(&own, process);
	process->shared->begun = true;
	own.claim->run(&own);
	captures_stop(&own);
	own.result->ended_ns = lai_clock_read(CLOCK_REALTIME);
}

/*
 * Closed sockets whose peers do not answer any more, such as a hand-made one, send their FIN again
 * and again, and hold their network namespace meanwhile. From here on once has to do.
 */
static void clear(void *arg)
{
	const struct lai_host *hosts[] = {own.client, own.server, own.router};

	(void)arg;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		int fd;

		if (!hosts[i] || setns(hosts[i]->netns, CLONE_NEWNET) != 0)
			continue;
		fd = open("/proc/sys/net/ipv4/tcp_orphan_retries", O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		(void)!write(fd, "1", 1);
		(void)close(fd);
	}
}

/* ---- what it is given ----------------------------------------------------------------------- */

static int memory_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int files_make(struct lai_trial_process *process)
{
	unsigned wires = process->claim->network == LAI_NETWORK_ROUTER ? 2 : 1;
	int fd = memory_file("output");

	if (fd < 0)
		return fd;
	process->output = fd;
	for (unsigned wire = 0; wire < wires && !process->claim->no_capture; wire++) {
		fd = memory_file("capture");
		if (fd < 0)
			return fd;
		process->captures[wire] = fd;
	}
	return 0;
}

static int share(struct lai_trial_process *process)
{
	void *shared = mmap(NULL, sizeof(*process->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return -errno;
	process->shared = shared;
	return 0;
}

int lai_trial_process_start(struct lai_trial_process *process)
{
	struct lai_space_plan plan = {
		.user = process->user,
		.prepare = prepare,
		.run = run,
		.clear = clear,
		.arg = process,
	};
	unsigned seconds = process->claim->seconds_max;
	int error = share(process);

	if (!error)
		error = files_make(process);
	if (error)
		return error;
	plan.report = &process->shared->report;
	plan.output = process->output;
	memcpy(plan.keep, process->captures, sizeof(process->captures));
	process->deadline_ns =
		lai_clock_now() + (uint64_t)(seconds ? seconds : SECONDS_DEFAULT) * LAI_S;
	return lai_space_start(&process->space, &plan);
}

/* ---- what it leaves ------------------------------------------------------------------------- */

/* The file's bytes without the file, so that a long run holds no descriptors. */
static FILE *keep_bytes(int *fd, struct lai_trial_bytes *bytes)
{
	struct stat status;
	void *data;
	FILE *file = NULL;

	if (*fd <= 0)
		return NULL;
	if (fstat(*fd, &status) == 0 && status.st_size > 0) {
		size_t size = (size_t)status.st_size;

		data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, *fd, 0);
		if (data != MAP_FAILED) {
			*bytes = (struct lai_trial_bytes){data, size};
			file = fmemopen(data, size, "r");
		}
	}
	(void)close(*fd);
	*fd = 0;
	return file;
}

/* It is a process of its own, which may have written anywhere before it crashed: bounds hold
   whatever stands there. */
static void restore_bounds(struct lai_result *result)
{
#define BOUND(count, max) ((count) = (count) < (max) ? (count) : (max))
#define TERMINATE(text) ((text)[sizeof(text) - 1] = '\0')
	BOUND(result->evidence_bytes, sizeof(result->evidence));
	BOUND(result->number_count, LAI_RESULT_NUMBERS_MAX);
	BOUND(result->series_count, LAI_RESULT_SERIES_MAX);
	BOUND(result->point_count, LAI_RESULT_POINTS_MAX);
	BOUND(result->state_count, LAI_RESULT_STATES_MAX);
#undef BOUND
	if (result->control > LAI_CONTROL_FAILED)
		result->control = LAI_CONTROL_NONE;
	for (uint32_t i = 0; i < result->number_count; i++) {
		TERMINATE(result->numbers[i].name);
		TERMINATE(result->numbers[i].unit);
	}
	for (uint32_t i = 0; i < result->series_count; i++) {
		TERMINATE(result->series[i].name);
		TERMINATE(result->series[i].x);
		TERMINATE(result->series[i].y);
	}
	TERMINATE(result->words);
	TERMINATE(result->control_words);
#undef TERMINATE
}

/* The first line of what it printed before it crashed: an assertion's or a sanitizer's words. */
static void read_last_words(const struct lai_trial_process *process, char *words, size_t size)
{
	ssize_t got = pread(process->output, words, size - 1, 0);
	size_t length = 0;

	words[got > 0 ? got : 0] = '\0';
	while (words[0] && isspace((unsigned char)words[0]))
		memmove(words, words + 1, strlen(words));
	while (words[length] && words[length] != '\n')
		length++;
	words[length] = '\0';
}

static void say_shortage(struct lai_result *result, int error)
{
	char *why = lai_space_shortage(error);

	(void)snprintf(result->words, sizeof(result->words),
		       "the trial's namespaces could not be made: %s", why ? why : strerror(error));
	free(why);
}

/* It could not say itself what became of it, so we do, in its place. */
static void say_end(struct lai_trial_process *process, bool late)
{
	struct lai_result *result = &process->shared->result;
	const struct lai_space_report *report = &process->shared->report;
	unsigned seconds = process->claim->seconds_max;
	char last[LAI_RESULT_WORDS_MAX / 2];

	read_last_words(process, last, sizeof(last));
	result->said = LAI_LAB_INCONCLUSIVE;
	if (late)
		(void)snprintf(result->words, sizeof(result->words),
			       "the trial took longer than %u s",
			       seconds ? seconds : SECONDS_DEFAULT);
	else if (report->step != LAI_SPACE_DONE)
		say_shortage(result, report->error);
	else if (WIFSIGNALED(report->status))
		(void)snprintf(result->words, sizeof(result->words),
			       "the trial was ended by signal %d (%s)%s%s",
			       WTERMSIG(report->status), strsignal(WTERMSIG(report->status)),
			       last[0] ? ": " : "", last);
	else
		(void)snprintf(result->words, sizeof(result->words),
			       "the trial ended before its time, with status %d%s%s",
			       WEXITSTATUS(report->status), last[0] ? ": " : "", last);
}

void lai_trial_process_end(struct lai_trial_process *process, bool late,
			   struct lai_outcome_trial *trial)
{
	struct lai_result *result = &process->shared->result;
	int *status = &process->shared->report.status, keeper;

	if (late)
		lai_space_end(&process->space);
	keeper = lai_space_wait(&process->space);
	if (WIFSIGNALED(keeper))
		*status = keeper;
	*trial = (struct lai_outcome_trial){.seed = process->seed, .result = result};
	if (WIFSIGNALED(*status))
		trial->end_signal = WTERMSIG(*status);
	restore_bounds(result);
	/* It may have come to its end between our looking at the clock and killing it. */
	if (result->ended_ns == 0)
		say_end(process, late);
	trial->verdict = lai_result_verdict(result, &trial->why);
	for (size_t wire = 0; wire < LAI_TRIAL_WIRES_MAX; wire++)
		trial->captures[wire] = keep_bytes(&process->captures[wire], &process->bytes[wire]);
	(void)close(process->output);
	process->output = 0;
}

bool lai_trial_process_fell_short(const struct lai_trial_process *process)
{
	return !process->shared->begun && process->shared->result.said != LAI_LAB_LACKS;
}

int lai_trial_process_give_up(struct lai_trial_process *process, int error,
			      struct lai_outcome_trial *trial)
{
	struct lai_result *result;
	int status = share(process);

	if (status)
		return status;
	result = &process->shared->result;
	result->said = LAI_LAB_INCONCLUSIVE;
	say_shortage(result, error);
	*trial = (struct lai_outcome_trial){.seed = process->seed, .result = result};
	trial->verdict = lai_result_verdict(result, &trial->why);
	return 0;
}

void lai_trial_process_again(struct lai_trial_process *process)
{
	struct lai_trial_process fresh = {
		.claim = process->claim,
		.seed = process->seed,
		.settings = process->settings,
		.user = process->user,
	};

	lai_trial_process_free(process);
	*process = fresh;
}

void lai_trial_process_free(struct lai_trial_process *process)
{
	if (process->space.pid > 0) {
		lai_space_end(&process->space);
		(void)lai_space_wait(&process->space);
	}
	for (size_t wire = 0; wire < LAI_TRIAL_WIRES_MAX; wire++) {
		if (process->captures[wire] > 0)
			(void)close(process->captures[wire]);
		if (process->bytes[wire].data)
			(void)munmap(process->bytes[wire].data, process->bytes[wire].size);
	}
	if (process->output > 0)
		(void)close(process->output);
	if (process->shared)
		(void)munmap(process->shared, sizeof(*process->shared));
	*process = (struct lai_trial_process){0};
}
