/* SPDX-License-Identifier: MIT */
/*
 * lastack demo: the story of this project on real sockets, in less than a minute.
 *
 *	counters of this host --+--> naive client --> server  \  the same faults
 *	                        +--> lastack send --> server  /  at the same moments
 */
#include "cli/command.h"
#include "cli/demo_story.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Low, so that the naive leak reaches its end within the story; a service often has 1024. */
#define NAIVE_FDS_MAX 256
#define NAIVE_FDS_MAX_FAST 64
#define TEXT_BYTES_MAX (64u * 1024)

/* Shorter times than the defaults, since the story is short. The help text names them too. */
#define SEND_OPTIONS "--backoff=20ms..250ms", "--stable=250ms", "--stall-after=1s"

struct settings {
	bool fast, json, here;
	const char *naive;
};

#define ROW(...) LAI_OPTION(struct settings, __VA_ARGS__)

static const struct lai_option options[] = {
	ROW("fast", 0, FLAG, fast, NULL, "the same story in some eight seconds"),
	ROW("json", 0, FLAG, json, NULL,
	    "write the result to standard output as one JSON object, the story to standard error"),
	ROW("here", 0, FLAG, here, NULL, "stay in the present network namespace"),
	ROW("naive", 0, TEXT, naive, "PATH",
	    "the naive client (default: examples/naive beside this program)"),
};

static const struct lai_option_command command = {
	.name = "lastack demo",
	.summary = "Sends this host's live counters through two clients, side by side: the naive "
		   "one, as it is written again and again, and lastack send. Their servers close, "
		   "reset, freeze, vanish and return at the same moments. A live table shows what "
		   "the kernel says of their sockets, and what has arrived. Everything happens on "
		   "loopback, in a network namespace of its own if that is allowed here.",
	.epilog = "lastack send runs with times shorter than its defaults, as the story is short:\n"
		  "  --backoff 20ms..250ms --stable 250ms --stall-after 1s\n"
		  "\n"
		  "exit status: 0 lastack lost no record and left no socket in CLOSE_WAIT,\n"
		  "1 not so, 2 bad usage, 77 this kernel does not list its sockets (sock_diag)\n",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_bytes = sizeof(struct settings),
};

struct demo {
	struct settings settings;
	struct lai_demo_story story;
	struct lai_demo_side sides[2];
	struct lai_demo_records records;
	char naive[PATH_MAX];
};

static FILE *story_stream(const struct demo *demo)
{
	return demo->settings.json ? stderr : stdout;
}

/* ---- preparing ---------------------------------------------------------------------------- */

/* examples/naive beside this program. False: it is not there. */
static bool naive_find(struct demo *demo)
{
	static const char beside[] = "examples/naive";
	ssize_t length =
		readlink("/proc/self/exe", demo->naive, sizeof(demo->naive) - sizeof(beside));
	char *name;

	if (length <= 0)
		return false;
	demo->naive[length] = '\0';
	name = strrchr(demo->naive, '/');
	if (!name)
		return false;
	memcpy(name + 1, beside, sizeof(beside));
	return access(demo->naive, X_OK) == 0;
}

/* 0, or the exit code: the one that was asked for is not there. */
static int naive_choose(struct demo *demo, bool *found)
{
	const char *path = demo->settings.naive;

	if (!path) {
		*found = naive_find(demo);
		if (!*found)
			(void)fprintf(story_stream(demo),
				      "%s: there is no %s; lastack runs alone\n", command.name,
				      demo->naive);
		return 0;
	}
	if (strlen(path) >= sizeof(demo->naive) || access(path, X_OK) != 0)
		return lai_command_refuse(command.name, "--naive %s: %s", path,
					  strlen(path) >= sizeof(demo->naive)
						  ? strerror(ENAMETOOLONG)
						  : strerror(errno));
	memcpy(demo->naive, path, strlen(path) + 1);
	*found = true;
	return 0;
}

static const int wanted_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, 0};

/* The numeric port in a writable text of its own, since execve() takes no const. */
static int naive_start(struct demo *demo, struct lai_demo_side *side)
{
	char name[] = "naive", host[] = "127.0.0.1", port[8];
	char *const args[] = {name, host, port, NULL};

	side->name = "naive client";
	(void)snprintf(port, sizeof(port), "%u", (unsigned)side->server.port);
	return lai_demo_client_start(&side->client, demo->naive, args,
				     demo->settings.fast ? NAIVE_FDS_MAX_FAST : NAIVE_FDS_MAX);
}

static int lastack_start(struct lai_demo_side *side)
{
	char url[sizeof("lines://127.0.0.1:65535")];
	const char *const args[] = {"lastack",	  "send", "--json", "--quiet",
				    SEND_OPTIONS, url,	  NULL};

	side->name = "lastack send";
	side->remembers = true;
	(void)snprintf(url, sizeof(url), "lines://127.0.0.1:%u", (unsigned)side->server.port);
	return lai_demo_client_start(&side->client, "/proc/self/exe", (char *const *)args, 0);
}

/* All servers first: a client must not be refused before the story begins. */
static int start(struct demo *demo, bool naive_found)
{
	struct lai_demo_side *side = demo->sides;
	int error = 0;

	demo->story.side_count = naive_found ? 2 : 1;
	for (size_t i = 0; i < demo->story.side_count && !error; i++)
		error = lai_demo_server_start(&demo->sides[i].server);
	if (!error && naive_found)
		error = naive_start(demo, side++);
	return error ? error : lastack_start(side);
}

/* ---- the end ------------------------------------------------------------------------------ */

static void print_json(const struct lai_demo_story *story, bool healthy)
{
	struct lai_json json;
	char *line;

	lai_json_init(&json, TEXT_BYTES_MAX);
	lai_demo_board_json(&json, &story->board, &story->treatment, healthy);
	if (lai_json_steal(&json, &line) == 0) {
		(void)puts(line);
		free(line);
	}
	lai_json_done(&json);
}

static void print_complaint(const struct demo *demo, const struct lai_demo_side *side)
{
	char complaint[256];

	lai_demo_client_complaint(&side->client, complaint, sizeof(complaint));
	if (complaint[0])
		(void)fprintf(story_stream(demo), "%s said: %s\n", side->name, complaint);
}

/* The processes have ended, their numbers are still there. */
static int conclude(const struct demo *demo)
{
	const struct lai_demo_board *board = &demo->story.board;
	bool healthy = lai_demo_board_healthy(&board->sides[board->side_count - 1]);
	struct lai_text text = LAI_TEXT_INIT(TEXT_BYTES_MAX);

	lai_demo_treatment_text(&text, &demo->story.treatment);
	lai_demo_board_summary(&text, board);
	(void)fputs(lai_text_string(&text), story_stream(demo));
	lai_text_done(&text);
	for (size_t i = 0; i < board->side_count; i++)
		print_complaint(demo, &board->sides[i]);
	if (!healthy)
		lai_command_complain(command.name, "lastack did not do what it promises; "
						   "this is a bug");
	if (demo->settings.json)
		print_json(&demo->story, healthy);
	return healthy && fflush(stdout) == 0 ? LAI_EXIT_DONE : LAI_EXIT_FAILED;
}

static int refuse_sample(int error)
{
	lai_command_complain(command.name, "the kernel's list of sockets cannot be read: %s",
			     strerror(-error));
	return error == -EPROTONOSUPPORT ? LAI_EXIT_CANNOT : LAI_EXIT_FAILED;
}

/* Ends as the signal would have ended us, so that a shell knows. */
static void end_by(int signal_number)
{
	sigset_t set;

	(void)signal(signal_number, SIG_DFL);
	(void)kill(getpid(), signal_number); /* blocked until the end of this function */
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- the command -------------------------------------------------------------------------- */

static int run(struct demo *demo)
{
	struct lai_demo_story *story = &demo->story;
	bool naive_found = false;
	int exit_code = naive_choose(demo, &naive_found), error;

	if (exit_code != 0)
		return exit_code;
	error = lai_demo_records_open(&demo->records);
	if (error) {
		lai_command_complain(command.name, "no counters in /proc: %s", strerror(-error));
		return LAI_EXIT_FAILED;
	}
	/* After opening the records: they are to be the host's, not those of an empty namespace. */
	story->space = demo->settings.here ? LAI_DEMO_SPACE_PRESENT : lai_demo_space_enter();
	story->signals = lai_command_signals(wanted_signals);
	story->sides = demo->sides;
	story->records = &demo->records;
	story->out = story_stream(demo);
	story->fast = demo->settings.fast;
	error = story->signals < 0 ? story->signals : start(demo, naive_found);
	if (error) {
		lai_command_complain(command.name, "cannot start: %s", strerror(-error));
		return LAI_EXIT_FAILED;
	}
	error = lai_demo_story_run(story);
	for (size_t i = 0; i < story->side_count; i++)
		lai_demo_side_conclude(&demo->sides[i]);
	if (error)
		return refuse_sample(error);
	return story->stopped_by ? LAI_EXIT_FAILED : conclude(demo);
}

int lai_cmd_demo(int count, char *const *args)
{
	static struct demo demo = {.story = {.signals = -1}};
	struct lai_option_list operands = {0};
	int exit_code;

	if (!lai_command_parse(&command, count, args, &demo.settings, &operands, &exit_code))
		return exit_code;
	exit_code = run(&demo);
	for (size_t i = 0; i < 2; i++)
		lai_demo_side_done(&demo.sides[i]);
	lai_demo_treatment_done(&demo.story.treatment);
	lai_demo_records_close(&demo.records);
	lai_option_done(&command, &demo.settings, &operands);
	if (demo.story.signals >= 0)
		(void)close(demo.story.signals);
	if (demo.story.stopped_by)
		end_by(demo.story.stopped_by);
	return exit_code;
}
