/* SPDX-License-Identifier: MIT */
/*
 * host_test.c - hosts, their wires, settings and programs. Where namespaces are not allowed each
 * test is skipped.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/call.h"
#include "lab/capture.h"
#include "lab/host.h"
#include "lab/t_trial.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

#define WAIT_NS (5 * LAI_S)
#define BYTES 300000 /* more than a device would take in one piece */
#define MSS_MAX 1460

/* ---- wires ---------------------------------------------------------------------------------- */

static void run_wires(struct lai_trial *trial)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);
	struct lai_address client = lai_host_address(trial, trial->client, 0);
	struct lai_address seen = pair.at_server.remote;

	lai_address_set_port(&seen, 0);
	T_CHECK(lai_address_equal(&seen, &client));
	T_CHECK(lai_address_family(&client) == trial->family);
	T_CHECK(lai_call_send(pair.client, 100, WAIT_NS).bytes == 100);
	T_CHECK(lai_call_receive(pair.server, NULL, 1000, WAIT_NS).bytes == 100);
	T_CHECK((trial->router != NULL) == (trial->claim->network == LAI_NETWORK_ROUTER));
	t_well(trial);
}

static void hosts_talk(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2; seed++) {
		t_trial_well(LAI_NETWORK_PAIR, seed, run_wires);
		t_trial_well(LAI_NETWORK_ROUTER, seed, run_wires);
	}
}

/* What goes over a wire is TCP segments as they would go over a real one, and nothing else. */
static void run_segments(struct lai_trial *trial)
{
	struct lai_pair pair = lai_pair_open(trial, NULL);
	const struct lai_captured *all;
	uint64_t packets, lost;
	size_t count, bytes = 0;

	while (bytes < BYTES) {
		T_CHECK(lai_call_send(pair.client, BYTES / 10, WAIT_NS).bytes == BYTES / 10);
		for (size_t got = 0; got < BYTES / 10;) {
			struct lai_call call = lai_call_receive(pair.server, NULL, BYTES, WAIT_NS);

			T_CHECK(call.error == 0 && call.bytes > 0);
			got += call.bytes;
		}
		bytes += BYTES / 10;
	}
	all = lai_capture_segments(trial->captures[0], &count);
	lai_capture_counts(trial->captures[0], &packets, &lost);
	T_CHECK(lost == 0 && packets == count);
	T_CHECK(count >= BYTES / MSS_MAX);
	for (size_t i = 0; i < count; i++) {
		T_CHECK(all[i].segment.payload_bytes <= MSS_MAX);
		T_CHECK(!all[i].segment.bad_ip_checksum && !all[i].segment.bad_tcp_checksum);
	}
	t_well(trial);
}

static void segments_are_real(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2; seed++)
		t_trial_well(LAI_NETWORK_PAIR, seed, run_segments);
}

static void run_addresses(struct lai_trial *trial)
{
	struct lai_host *hosts[] = {trial->client, trial->server};

	for (unsigned i = 0; i < 2; i++)
		for (unsigned n = 3; n < 254; n += 50) {
			struct lai_address own = lai_host_add_address(trial, hosts[i], n + i);
			struct lai_address to;
			int fd = lai_call_socket(trial, trial->client), listener;

			listener = lai_call_listen(trial, trial->server, 0, false, &to);
			if (hosts[i] == trial->client) {
				T_CHECK(lai_call_bind(fd, &own).error == 0);
			} else {
				(void)close(listener);
				lai_address_set_port(&own, 0);
				listener = lai_call_socket(trial, trial->server);
				T_CHECK(lai_call_bind(listener, &own).error == 0);
				T_CHECK(listen(listener, 1) == 0);
				to.length = sizeof(to.v6);
				T_CHECK(getsockname(listener, &to.sa, &to.length) == 0);
			}
			T_CHECK(lai_call_connect(fd, &to, WAIT_NS).error == 0);
			(void)close(fd);
			(void)close(listener);
		}
	t_well(trial);
}

static void more_addresses(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2; seed++) {
		t_trial_well(LAI_NETWORK_PAIR, seed, run_addresses);
		t_trial_well(LAI_NETWORK_ROUTER, seed, run_addresses);
	}
}

static void run_no_address(struct lai_trial *trial)
{
	(void)lai_host_add_address(trial, trial->client, 2);
	t_well(trial);
}

static void wire_ends_are_taken(void **state)
{
	(void)state;
	t_trial_is(LAI_NETWORK_PAIR, 1, NULL, run_no_address, LAI_LAB_INCONCLUSIVE,
		   "no address .2");
}

/* ---- where the thread is -------------------------------------------------------------------- */

static ino_t netns_inode(struct lai_trial *trial)
{
	struct stat stat_netns;

	T_CHECK(stat("/proc/thread-self/ns/net", &stat_netns) == 0);
	return stat_netns.st_ino;
}

static void run_enter(struct lai_trial *trial)
{
	struct lai_host *hosts[] = {trial->client, trial->server, trial->router, trial->client};
	ino_t inodes[4];

	for (unsigned i = 0; i < 4; i++) {
		lai_host_enter(trial, hosts[i]);
		inodes[i] = netns_inode(trial);
		lai_host_enter(trial, hosts[i]);
		T_CHECK(netns_inode(trial) == inodes[i]);
	}
	T_CHECK(inodes[0] != inodes[1] && inodes[1] != inodes[2] && inodes[0] != inodes[2]);
	T_CHECK(inodes[0] == inodes[3]);
	t_well(trial);
}

static void each_has_its_namespace(void **state)
{
	(void)state;
	t_trial_well(LAI_NETWORK_ROUTER, 1, run_enter);
}

/* ---- settings ------------------------------------------------------------------------------- */

#define FIN_TIMEOUT "net.ipv4.tcp_fin_timeout"

static long outside(void)
{
	FILE *file = fopen("/proc/sys/net/ipv4/tcp_fin_timeout", "re");
	long value = -1;

	if (file && fscanf(file, "%ld", &value) != 1)
		value = -1;
	if (file)
		(void)fclose(file);
	return value;
}

static void run_settings(struct lai_trial *trial)
{
	T_CHECK(lai_host_get(trial, trial->client, FIN_TIMEOUT) == 71);
	T_CHECK(lai_host_get(trial, trial->server, FIN_TIMEOUT) == 71);
	T_CHECK(lai_host_get(trial, trial->router, FIN_TIMEOUT) == 71);
	lai_host_set_number(trial, trial->server, FIN_TIMEOUT, 72);
	lai_host_set(trial, trial->router, FIN_TIMEOUT, "73");
	T_CHECK(lai_host_get(trial, trial->client, FIN_TIMEOUT) == 71);
	T_CHECK(lai_host_get(trial, trial->server, FIN_TIMEOUT) == 72);
	T_CHECK(lai_host_get(trial, trial->router, FIN_TIMEOUT) == 73);
	T_CHECK(lai_host_has(trial, trial->client, FIN_TIMEOUT));
	T_CHECK(!lai_host_has(trial, trial->client, "net.ipv4.no_such_setting"));
	t_well(trial);
}

static void settings_stay_inside(void **state)
{
	static const char *const settings[] = {FIN_TIMEOUT "=71", NULL};
	long before = outside();

	(void)state;
	assert_true(before != 71);
	t_trial_is(LAI_NETWORK_ROUTER, 1, settings, run_settings, LAI_LAB_CONFIRMED, "well");
	assert_int_equal(outside(), before);
}

/* The runner looks at settings itself before it gives them to a trial; claims have nobody to. */
static const struct refused {
	const char *name, *value; /* NULL: is read */
	const char *words;
	enum lai_lab_verdict verdict;
} refused[] = {
	{"net.ipv4.no_such_setting", "1", "no_such_setting", LAI_LAB_LACKS},
	{"net.ipv4.no_such_setting", NULL, "no_such_setting", LAI_LAB_LACKS},
	{"kernel.hostname", "lab", "only net.* is", LAI_LAB_INCONCLUSIVE},
	{"kernel.hostname", NULL, "only net.* is", LAI_LAB_INCONCLUSIVE},
	{"net.../kernel/hostname", "lab", "only net.* is", LAI_LAB_INCONCLUSIVE},
	{"net...kernel.hostname", "lab", "only net.* is", LAI_LAB_INCONCLUSIVE},
	{"net/../kernel/hostname", "lab", "only net.* is", LAI_LAB_INCONCLUSIVE},
	{FIN_TIMEOUT, "nonsense", "is refused", LAI_LAB_INCONCLUSIVE},
	{"net.ipv4.tcp_congestion_control", NULL, "is no number", LAI_LAB_INCONCLUSIVE},
};

static const struct refused *row; /* of the trial that comes */

static void run_refused(struct lai_trial *trial)
{
	if (row->value)
		lai_host_set(trial, trial->client, row->name, row->value);
	else
		(void)lai_host_get(trial, trial->client, row->name);
	t_well(trial);
}

static void settings_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		row = &refused[i];
		t_trial_is(LAI_NETWORK_PAIR, 1, NULL, run_refused, row->verdict, row->words);
	}
}

/* ---- programs ------------------------------------------------------------------------------- */

static int shell(struct lai_trial *trial, const struct lai_host *host, const char *line,
		 const char *input, char *output, size_t size)
{
	const char *const args[] = {"sh", "-c", line, NULL};

	return lai_host_run(trial, host, args, input, output, size);
}

static void run_programs(struct lai_trial *trial)
{
	char output[64], inode[64];

	T_CHECK(shell(trial, trial->client, "cat; exit 3", "a word", output, sizeof(output)) == 3);
	T_CHECK(strcmp(output, "a word") == 0);
	T_CHECK(shell(trial, trial->client, "echo 123456", NULL, output, 4) == 0);
	T_CHECK(strcmp(output, "123") == 0);
	T_CHECK(shell(trial, trial->client, "kill -9 $$", NULL, NULL, 0) == 128 + SIGKILL);
	T_CHECK(shell(trial, trial->client, "echo a complaint >&2; exit 1", NULL, NULL, 0) == 1);
	T_CHECK(strstr(trial->result->evidence, "sh: a complaint"));
	T_CHECK(shell(trial, trial->server, "stat -Lc %i /proc/self/ns/net", NULL, output,
		      sizeof(output)) == 0);
	lai_host_enter(trial, trial->server);
	(void)snprintf(inode, sizeof(inode), "%llu\n", (unsigned long long)netns_inode(trial));
	T_CHECK(strcmp(output, inode) == 0);
	/* Only the standard streams, and what lists them. */
	T_CHECK(shell(trial, trial->client, "ls /proc/self/fd | wc -l", NULL, output,
		      sizeof(output)) == 0);
	T_CHECK(atoi(output) == 4);
	t_well(trial);
}

static void programs_run(void **state)
{
	(void)state;
	t_trial_well(LAI_NETWORK_PAIR, 1, run_programs);
}

static void run_no_program(struct lai_trial *trial)
{
	const char *const args[] = {"no-such-program-anywhere", NULL};

	(void)lai_host_run(trial, trial->client, args, NULL, NULL, 0);
	t_well(trial);
}

static void missing_program(void **state)
{
	(void)state;
	t_trial_is(LAI_NETWORK_PAIR, 1, NULL, run_no_program, LAI_LAB_LACKS,
		   "no-such-program-anywhere");
}

static void run_start(struct lai_trial *trial)
{
	const char *const args[] = {"sleep", "1000", NULL};
	pid_t pid = lai_host_start(trial, trial->server, args);

	T_CHECK(pid > 0 && kill(pid, 0) == 0);
	t_well(trial);
}

/* The runner waits for all of a trial's processes, so a program that outlived it would keep it. */
static void started_program_ends(void **state)
{
	uint64_t began_ns = lai_clock_now();

	(void)state;
	t_trial_well(LAI_NETWORK_PAIR, 1, run_start);
	assert_true(lai_clock_now() - began_ns < 500 * LAI_S);
}

/* ---- files ---------------------------------------------------------------------------------- */

static char place[PATH_MAX]; /* in memory that a child of the runner has only a copy of */

static void run_directory(struct lai_trial *trial)
{
	const char *directory = lai_trial_directory(trial);
	struct statfs system;
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/lastack-host-test", directory);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	T_CHECK(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
	T_CHECK(statfs(directory, &system) == 0 && system.f_type == TMPFS_MAGIC);
	T_CHECK(lai_trial_directory(trial) == directory);
	lai_trial_control(trial, true, "none");
	lai_trial_conclude(trial, LAI_LAB_CONFIRMED, "well: %s", path);
}

static void directory_is_its_own(void **state)
{
	struct lai_run *result = NULL;
	const struct lai_outcome *outcome =
		t_trial(LAI_NETWORK_PAIR, 1, NULL, run_directory, &result);
	const char *path = strchr(outcome->why, '/');

	(void)state;
	if (outcome->verdict == LAI_LAB_LACKS) {
		print_message("# skipped: %s\n", outcome->why);
		lai_run_free(result);
		skip();
	}
	assert_int_equal(outcome->verdict, LAI_LAB_CONFIRMED);
	assert_non_null(path);
	(void)snprintf(place, sizeof(place), "%s", path);
	lai_run_free(result);
	assert_int_equal(access(place, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "hosts talk, over both families, with and without a router",
		 .test_func = hosts_talk},
		{.name = "segments on the wire have their real size and sums, and are alone there",
		 .test_func = segments_are_real},
		{.name = "more addresses can be had on either side", .test_func = more_addresses},
		{.name = "the wire's own ends are not given away",
		 .test_func = wire_ends_are_taken},
		{.name = "each host is a namespace of its own",
		 .test_func = each_has_its_namespace},
		{.name = "settings reach every host and nothing outside",
		 .test_func = settings_stay_inside},
		{.name = "settings that are none, or of another part of the kernel, are refused",
		 .test_func = settings_refused},
		{.name = "a program runs in its host, with its input and nothing else",
		 .test_func = programs_run},
		{.name = "a missing program is named", .test_func = missing_program},
		{.name = "a started program ends with the trial",
		 .test_func = started_program_ends},
		{.name = "the trial's directory is seen by nobody else",
		 .test_func = directory_is_its_own},
	};

	return cmocka_run_group_tests_name("lab.host", tests, NULL, NULL);
}
