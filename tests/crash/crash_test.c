/* SPDX-License-Identifier: MIT */
/*
 * Kill -9 at random moments, 200 times: a growing file -> send --follow --spool -> receive -> store.
 * Then the store holds every line of the file exactly once, in order.
 *
 *     input file --- sender + spool --- (black hole) --- receiver + store
 *                  killed, stopped                       killed, stopped
 *
 * The oracle is the file: neither the spool's nor the store's idea of what they hold counts.
 * CRASH_ROUNDS and CRASH_SEED may be set. The listening socket is ours and outlives the receivers,
 * as under systemd.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_DEFAULT 200
#define PATIENCE_NS (90 * LAI_S)
#define PATH_ROOM 128
#define LINE_ROOM 256
/* About so many lines a millisecond: enough that each moment is one of load. */
#define LINES_PER_MS 20
/* Within a round the moment is anywhere in this time. */
#define MOMENT_NS (120 * LAI_MS)
#define FREEZE_NS (150 * LAI_MS)
#define HOLE_NS (200 * LAI_MS)

enum fault {
	KILL_SENDER,
	KILL_RECEIVER,
	KILL_BOTH,
	STOP_SENDER,
	STOP_RECEIVER,
	BLACK_HOLE,
	FAULT_COUNT
};

struct run {
	char directory[PATH_ROOM / 2];
	char input[PATH_ROOM], spool[PATH_ROOM], store[PATH_ROOM], log[PATH_ROOM];
	char url[PATH_ROOM];
	int listener;
	pid_t writer, sender, receiver;
	int writer_stop; /* closed: the writer ends */
	struct lai_random random;
	unsigned faults[FAULT_COUNT];
	bool own_network;
};

static const char *lastack(void)
{
	const char *path = getenv("LASTACK"), *build = getenv("BUILD");
	static char made[PATH_ROOM];

	if (path)
		return path;
	snprintf(made, sizeof(made), "%s/lastack", build ? build : "build");
	return made;
}

static void pause_ns(uint64_t duration_ns)
{
	const struct timespec time = {.tv_sec = (time_t)(duration_ns / LAI_S),
				      .tv_nsec = (long)(duration_ns % LAI_S)};

	(void)nanosleep(&time, NULL);
}

/* ---- processes -------------------------------------------------------------------------- */

/* In the child: dies with us, its words go to the log. */
static void prepare_child(const struct run *run)
{
	int log = open(run->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int null = open("/dev/null", O_RDONLY);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (log < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
	    dup2(log, STDERR_FILENO) < 0)
		_exit(99);
}

static void start_sender(struct run *run)
{
	run->sender = fork();
	assert_true(run->sender >= 0);
	if (run->sender > 0)
		return;
	prepare_child(run);
	(void)execl(lastack(), "lastack", "send", "--follow", run->input, "--spool", run->spool,
		    "--backoff", "1ms..20ms", "--heartbeat", "1s", "--login-timeout", "2s",
		    "--dead-after", "2s", run->url, (char *)NULL);
	_exit(98);
}

/* The socket is its descriptor 3, as sd_listen_fds(3) wants it. */
static void start_receiver(struct run *run)
{
	char pid[32];

	run->receiver = fork();
	assert_true(run->receiver >= 0);
	if (run->receiver > 0)
		return;
	prepare_child(run);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (dup2(run->listener, 3) < 0 || fcntl(3, F_SETFD, 0) != 0 ||
	    setenv("LISTEN_PID", pid, 1) != 0 || setenv("LISTEN_FDS", "1", 1) != 0)
		_exit(99);
	(void)execl(lastack(), "lastack", "receive", "--into", run->store, "--heartbeat", "1s",
		    "--dead-after", "2s", "stomp://127.0.0.1:0", (char *)NULL);
	_exit(98);
}

static void kill_process(pid_t *pid)
{
	assert_int_equal(kill(*pid, SIGKILL), 0);
	assert_int_equal(waitpid(*pid, NULL, 0), *pid);
	*pid = 0;
}

/* One that ended without being asked to has failed. */
static void check_alive(struct run *run, pid_t pid, const char *name)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) == 0)
		return;
	fail_msg("the %s ended by itself, status 0x%x; see %s", name, status, run->log);
}

/* Appends numbered lines until it is told to stop; a line is written whole. */
static void write_lines(const struct run *run, int stop)
{
	int fd = open(run->input, O_WRONLY | O_CREAT | O_APPEND, 0600);
	char text[LINES_PER_MS * 80], byte;
	uint64_t number = 0;

	while (read(stop, &byte, 1) < 0 && errno == EAGAIN) {
		size_t used = 0;

		for (int i = 0; i < LINES_PER_MS; i++)
			used += (size_t)snprintf(text + used, sizeof(text) - used,
						 "%llu the quick brown fox jumps over %llx\n",
						 (unsigned long long)number,
						 (unsigned long long)(number * 2654435761u)),
				number++;
		if (write(fd, text, used) != (ssize_t)used)
			_exit(1);
		pause_ns(LAI_MS);
	}
	_exit(0);
}

static void start_writer(struct run *run)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	run->writer = fork();
	assert_true(run->writer >= 0);
	if (run->writer == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(ends[1]);
		write_lines(run, ends[0]);
	}
	(void)close(ends[0]);
	run->writer_stop = ends[1];
}

static void stop_writer(struct run *run)
{
	int status;

	(void)close(run->writer_stop);
	assert_int_equal(waitpid(run->writer, &status, 0), run->writer);
	run->writer = 0;
	assert_int_equal(status, 0);
}

/* ---- faults ----------------------------------------------------------------------------- */

static void freeze(pid_t pid, uint64_t duration_ns)
{
	assert_int_equal(kill(pid, SIGSTOP), 0);
	pause_ns(duration_ns);
	assert_int_equal(kill(pid, SIGCONT), 0);
}

static int shell(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* In a network of our own everything to and from the loopback's port vanishes for a while. */
static void black_hole(struct run *run, uint64_t duration_ns)
{
	if (!run->own_network)
		return;
	assert_int_equal(shell("nft add table inet hole && "
			       "nft 'add chain inet hole in { type filter hook input priority 0; "
			       "policy drop; }'"),
			 0);
	pause_ns(duration_ns);
	assert_int_equal(shell("nft delete table inet hole"), 0);
}

static void strike(struct run *run, enum fault fault)
{
	run->faults[fault]++;
	switch (fault) {
	case KILL_SENDER: kill_process(&run->sender); break;
	case KILL_RECEIVER: kill_process(&run->receiver); break;
	case KILL_BOTH:
		kill_process(&run->sender);
		kill_process(&run->receiver);
		break;
	case STOP_SENDER: freeze(run->sender, lai_random_below(&run->random, FREEZE_NS)); break;
	case STOP_RECEIVER: freeze(run->receiver, lai_random_below(&run->random, FREEZE_NS)); break;
	default: black_hole(run, lai_random_below(&run->random, HOLE_NS)); break;
	}
	if (run->sender == 0)
		start_sender(run);
	if (run->receiver == 0)
		start_receiver(run);
}

/* Kills are what this is about; the rest comes now and then. */
static enum fault draw(struct run *run)
{
	uint64_t lot = lai_random_below(&run->random, 100);

	return lot < 30	  ? KILL_SENDER
	       : lot < 60 ? KILL_RECEIVER
	       : lot < 85 ? KILL_BOTH
	       : lot < 91 ? STOP_SENDER
	       : lot < 97 ? STOP_RECEIVER
			  : BLACK_HOLE;
}

/* ---- what is in the store --------------------------------------------------------------- */

static uint64_t stored_records(const struct run *run)
{
	sqlite3 *store = NULL;
	sqlite3_stmt *query = NULL;
	uint64_t count = 0;

	if (sqlite3_open_v2(run->store, &store, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(store, "SELECT count(*) FROM records", -1, &query, NULL) ==
		    SQLITE_OK &&
	    sqlite3_step(query) == SQLITE_ROW)
		count = (uint64_t)sqlite3_column_int64(query, 0);
	(void)sqlite3_finalize(query);
	(void)sqlite3_close(store);
	return count;
}

static uint64_t count_lines(const struct run *run)
{
	FILE *input = fopen(run->input, "re");
	char line[LINE_ROOM];
	uint64_t lines = 0;

	assert_non_null(input);
	while (fgets(line, sizeof(line), input))
		lines++;
	(void)fclose(input);
	return lines;
}

/* Row by row beside the file, line by line. */
static void compare(const struct run *run)
{
	FILE *input = fopen(run->input, "re");
	sqlite3_stmt *query = NULL;
	sqlite3 *store = NULL;
	char line[LINE_ROOM];
	uint64_t number = 0;

	assert_non_null(input);
	assert_int_equal(sqlite3_open_v2(run->store, &store, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(store, "SELECT body FROM records ORDER BY sender, seq",
					    -1, &query, NULL),
			 SQLITE_OK);
	while (sqlite3_step(query) == SQLITE_ROW) {
		const void *body = sqlite3_column_blob(query, 0);
		size_t size = (size_t)sqlite3_column_bytes(query, 0);

		if (!fgets(line, sizeof(line), input))
			fail_msg("the store has more than the %llu lines of the file",
				 (unsigned long long)number);
		if (size != strlen(line) - 1 || memcmp(body, line, size) != 0)
			fail_msg("record %llu is '%.*s', the line '%s'", (unsigned long long)number,
				 (int)size, (const char *)body, line);
		number++;
	}
	assert_null(fgets(line, sizeof(line), input));
	(void)sqlite3_finalize(query);
	(void)sqlite3_close(store);
	(void)fclose(input);
}

/* ---- the run ---------------------------------------------------------------------------- */

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void begin(struct run *run)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	const char *base = getenv("TMPDIR");
	uint64_t seed = number_of("CRASH_SEED", lai_clock_now());

	*run = (struct run){.random = {.state = seed}};
	print_message("# seed %llu\n", (unsigned long long)seed);
	snprintf(run->directory, sizeof(run->directory), "%s/lastack-crash-XXXXXX",
		 base ? base : "/tmp");
	assert_non_null(mkdtemp(run->directory));
	snprintf(run->input, sizeof(run->input), "%s/input", run->directory);
	snprintf(run->spool, sizeof(run->spool), "%s/spool.db", run->directory);
	snprintf(run->store, sizeof(run->store), "%s/store.db", run->directory);
	snprintf(run->log, sizeof(run->log), "%s/log", run->directory);
	run->own_network = unshare(CLONE_NEWNET) == 0 && shell("ip link set lo up") == 0 &&
			   shell("nft list tables >/dev/null 2>&1") == 0;
	run->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(run->listener >= 0);
	assert_int_equal(bind(run->listener, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(run->listener, 64), 0);
	assert_int_equal(getsockname(run->listener, (struct sockaddr *)&address, &length), 0);
	snprintf(run->url, sizeof(run->url), "stomp://crash@127.0.0.1:%u/queue/crash",
		 ntohs(address.sin_port));
}

static void end_process(struct run *run, pid_t *pid, const char *name)
{
	int status;

	assert_int_equal(kill(*pid, SIGTERM), 0);
	assert_int_equal(waitpid(*pid, &status, 0), *pid);
	*pid = 0;
	if (status != 0)
		fail_msg("the %s ended with status 0x%x; see %s", name, status, run->log);
}

static void wait_for_all(struct run *run, uint64_t lines)
{
	uint64_t give_up_ns = lai_clock_now() + PATIENCE_NS, stored;

	while ((stored = stored_records(run)) < lines) {
		check_alive(run, run->sender, "sender");
		check_alive(run, run->receiver, "receiver");
		if (lai_clock_now() > give_up_ns)
			fail_msg("only %llu of %llu lines were stored; see %s",
				 (unsigned long long)stored, (unsigned long long)lines, run->log);
		pause_ns(20 * LAI_MS);
	}
}

static void test_crash(void **state)
{
	uint64_t rounds = number_of("CRASH_ROUNDS", ROUNDS_DEFAULT), lines;
	char clean[PATH_ROOM];
	struct run run;

	(void)state;
	begin(&run);
	start_writer(&run);
	start_receiver(&run);
	start_sender(&run);
	for (uint64_t round = 0; round < rounds; round++) {
		pause_ns(lai_random_below(&run.random, MOMENT_NS));
		check_alive(&run, run.sender, "sender");
		check_alive(&run, run.receiver, "receiver");
		strike(&run, draw(&run));
	}
	stop_writer(&run);
	lines = count_lines(&run);
	wait_for_all(&run, lines);
	end_process(&run, &run.sender, "sender");
	end_process(&run, &run.receiver, "receiver");
	compare(&run);
	print_message("# %llu lines, each stored once; kill -9 of sender %u, receiver %u, both %u; "
		      "stopped %u and %u; black holes %u%s\n",
		      (unsigned long long)lines, run.faults[KILL_SENDER], run.faults[KILL_RECEIVER],
		      run.faults[KILL_BOTH], run.faults[STOP_SENDER], run.faults[STOP_RECEIVER],
		      run.faults[BLACK_HOLE], run.own_network ? "" : " (none: no network of our own)");
	(void)close(run.listener);
	snprintf(clean, sizeof(clean), "rm -rf '%s'", run.directory);
	assert_int_equal(shell(clean), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "kill -9 at random moments: every line of the file is stored exactly once",
		 .test_func = test_crash},
	};

	return cmocka_run_group_tests_name("crash.crash", tests, NULL, NULL);
}
