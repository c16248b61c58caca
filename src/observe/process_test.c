/* SPDX-License-Identifier: MIT */
/* process_test.c - odd texts of /proc, then real processes of known state. */
#include "observe/process.h"

#include "observe/child_test.h"
#include "observe/container.h"
#include "observe/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define NUMBERS " 10 20 30 0 -1 4194368 231 0 0 0 7 5 0 0 20 0 3 0 1183358 18857984 2637 1\n"
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_stat(void **state)
{
	struct lai_process_stat stat;

	(void)state;
	assert_true(lai_process_parse_stat("42 (sh) S" NUMBERS, &stat));
	assert_string_equal(stat.comm, "sh");
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.parent, 10);
	assert_int_equal(stat.cpu_ticks, 12);
	assert_int_equal(stat.threads, 3);
	assert_int_equal(stat.start_ticks, 1183358);
	assert_false(stat.kernels);
	assert_true(lai_process_parse_stat("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 6 0 0 20 0 "
					   "1 0 7 0 0 18446744073709551615\n",
					   &stat));
	assert_true(stat.kernels);
}

static void test_stat_names(void **state)
{
	static const char *const names[] = {
		"", " ", ")", "(", ") S 1 (", "a) (b\n\\\x01\xff", "tmux: server", "())()",
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct lai_process_stat stat;

		(void)snprintf(text, sizeof(text), "42 (%s) Z" NUMBERS, names[i]);
		assert_true(lai_process_parse_stat(text, &stat));
		assert_string_equal(stat.comm, names[i]);
		assert_int_equal(stat.state, 'Z');
	}
}

static void test_stat_long_name(void **state)
{
	char text[512], name[2 * LAI_COMM_MAX] = "";
	struct lai_process_stat stat;

	(void)state;
	memset(name, 'k', sizeof(name) - 1);
	(void)snprintf(text, sizeof(text), "2 (%s) I" NUMBERS, name);
	assert_true(lai_process_parse_stat(text, &stat));
	assert_int_equal(strlen(stat.comm), LAI_COMM_MAX - 1);
	assert_int_equal(stat.start_ticks, 1183358);
}

static void test_stat_hostile(void **state)
{
	static const char *const texts[] = {
		"",
		"42",
		"42 (sh",
		"42 sh) S 1",
		"42 )sh( S" NUMBERS,
		"42 (sh)",
		"42 (sh) ",
		"42 (sh) S",
		"42 (sh) 5 1",
		"42 (sh) S 1 2 3",
		"42 (sh) S"
		" x" NUMBERS,
	};
	struct lai_process_stat stat = {.parent = 77};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(lai_process_parse_stat(texts[i], &stat));
	assert_int_equal(stat.parent, 77);
}

static void test_fd_limit(void **state)
{
	static const struct {
		const char *text;
		uint32_t limit;
	} cases[] = {
		{"Max locked memory 1 2 bytes\nMax open files            1024     524288    files \n",
		 1024},
		{"Max open files            unlimited            unlimited            files",
		 UINT32_MAX},
		{"Max open files 99999999999 1 files", UINT32_MAX},
		{"Max open files", 0},
		{"Max open files \n", 0},
		{"Max open files -1", 0},
		{"Max file locks 5 6", 0},
		{"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(lai_process_parse_fd_limit(cases[i].text), cases[i].limit);
}

static void test_cgroup(void **state)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
		{"0::/user.slice\n", "/user.slice"},
		{"0::/user.slice", "/user.slice"},
		{"0::/\n", "/"},
		{"12:pids:/a\n1:name=systemd:/b\n0::/c\n", "/c"},
		{"12:pids:/\n1:name=systemd:/b\n0::/\n", "/b"},
		{"12:pids:/a\n1:name=systemd:/b\n", "/a"},
		{"9:cpu:/\n0::/\n", "/"},
		{"10::/x\n0::/y\n", "/y"},
		{"0::/with:colon/and space\n", "/with:colon/and space"},
		{"0::/gone (deleted)\n", "/gone"},
		{"0::/../../other\n", "/../../other"},
		{"", NULL},
		{"\n\n", NULL},
		{"0::", NULL},
		{"0:", NULL},
		{"nonsense\n0::relative\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t length = 0;
		const char *path = lai_process_parse_cgroup(cases[i].text, &length);

		if (!cases[i].path) {
			assert_null(path);
			continue;
		}
		assert_non_null(path);
		assert_int_equal(length, strlen(cases[i].path));
		assert_memory_equal(path, cases[i].path, length);
	}
}

static void test_container(void **state)
{
	static const struct {
		const char *path, *name;
	} cases[] = {
		{"/", ""},
		{"", ""},
		{"/user.slice/user-1000.slice/session-2.scope", ""},
		{"/system.slice/docker.service", ""},
		{"/docker/" ID, "docker:0123456789ab"},
		{"/system.slice/docker-" ID ".scope", "docker:0123456789ab"},
		{"/docker/" ID "/system.slice/cron.service", "docker:0123456789ab"},
		{"/docker/ff23456789abff23456789abff23456789abff23456789abff23456789abffff/docker/" ID,
		 "docker:0123456789ab"},
		{"/../" ID, "container:0123456789ab"},
		{"/actions_job/" ID, "container:0123456789ab"},
		{"/machine.slice/libpod-" ID ".scope/container", "podman:0123456789ab"},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
		 "podman:0123456789ab"},
		{"/system.slice/app.service/libpod-payload-" ID, "podman:0123456789ab"},
		{"/libpod_parent/libpod-" ID, "podman:0123456789ab"},
		{"/machine.slice/libpod-conmon-" ID ".scope", ""},
		{"/machine.slice/machine-libpod_pod_" ID ".slice/libpod-" ID ".scope",
		 "podman:0123456789ab"},
		{"/kubepods/burstable/pod8f6d3c0a-0000-0000-0000-000000000000/" ID,
		 "kubepods:0123456789ab"},
		{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0_0.slice/"
		 "cri-containerd-" ID ".scope",
		 "containerd:0123456789ab"},
		{"/system.slice/containerd.service/kubepods-besteffort-pod0_0.slice:cri-containerd:" ID,
		 "containerd:0123456789ab"},
		{"/kubepods.slice/kubepods-pod0.slice/crio-" ID ".scope", "cri-o:0123456789ab"},
		{"/kubepods.slice/kubepods-pod0.slice/crio-conmon-" ID ".scope", ""},
		{"/system.slice/nerdctl-" ID ".scope", "containerd:0123456789ab"},
		{"/lxc/web", "lxc:web"},
		{"/lxc.payload.web/system.slice/nginx.service", "lxc:web"},
		{"/lxc.payload/web/init.scope", "lxc:web"},
		{"/lxc.monitor.web", ""},
		{"/lxc.payload.web/docker/" ID, "docker:0123456789ab"},
		{"/machine.slice/systemd-nspawn@my\\x2dbox.service/payload/system.slice/x.service",
		 "nspawn:my-box"},
		{"/machine.slice/machine-my\\x2dbox.scope/payload", "nspawn:my-box"},
		{"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator", ""},
		{"/machine.slice/machine-lxc\\x2d42\\x2dold.scope", "lxc:42-old"},
		{"/docker-", ""},
		{"/docker-0123.scope", ""},
		{"/process_api/0123456789abcdef0123456789abcdef", ""},
		{"/lxc.payload.\x01\x7f", "lxc:?"
					  "?"},
		{"/machine.slice/machine-\\x\\x2\\x00.scope", "nspawn:\\x\\x2\\x00"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[80];

		lai_process_container(cases[i].path, name, sizeof(name));
		assert_string_equal(name, cases[i].name);
	}
}

static void test_container_small(void **state)
{
	char name[8], path[1024] = "/lxc.payload.";

	(void)state;
	lai_process_container("/docker/" ID, name, sizeof(name));
	assert_string_equal(name, "docker:");
	memset(path + strlen(path), 'x', sizeof(path) - strlen(path) - 1);
	path[sizeof(path) - 1] = '\0';
	lai_process_container(path, name, sizeof(name));
	assert_string_equal(name, ""); /* no directory has so long a name */
}

static void test_command_line_text(void **state)
{
	char text[] = "a\0b c\0\0d\0\0";

	(void)state;
	assert_int_equal(lai_process_parse_command_line(text, sizeof(text)), 8);
	assert_memory_equal(text, "a b c  d", 8);
	assert_int_equal(lai_process_parse_command_line(text, 0), 0);
	memset(text, 0, sizeof(text));
	assert_int_equal(lai_process_parse_command_line(text, sizeof(text)), 0);
}

static void test_links(void **state)
{
	static const char *const wrong[] = {
		"",
		"socket",
		"socket:",
		"socket:[",
		"socket:[]",
		"socket:[1",
		"socket:[1]x",
		"socket:[-1]",
		"socket:[ 1]",
		"sockets:[1]",
		"pipe:[1]",
		"socket:[18446744073709551616]",
	};
	uint64_t inode = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(lai_procfs_parse_link(wrong[i], "socket", &inode));
	assert_int_equal(inode, 5);
	assert_true(lai_procfs_parse_link("socket:[18446744073709551615]", "socket", &inode));
	assert_true(inode == UINT64_MAX);
	assert_true(lai_procfs_parse_link("net:[4026531840]", "net", &inode));
	assert_true(inode == 4026531840ull);
}

/* --- real processes --- */

static void test_self(void **state)
{
	struct lai_process process;
	struct stat status;
	uint64_t start = 0;

	(void)state;
	assert_int_equal(lai_process_read(getpid(), &process), 0);
	assert_int_equal(process.pid, getpid());
	assert_int_equal(process.parent, getppid());
	assert_int_equal(process.uid, geteuid());
	assert_false(process.zombie);
	assert_non_null(process.command_line);
	assert_int_equal(stat("/proc/self/ns/net", &status), 0);
	assert_int_equal(process.namespace_inode, status.st_ino);
	assert_int_equal(lai_process_start(getpid(), &start), 0);
	assert_true(start > 0 && start == process.start_ticks);
	if (access("/proc/self/cgroup", R_OK) == 0) {
		assert_non_null(process.cgroup);
		assert_int_equal(process.cgroup[0], '/');
	}
	lai_process_done(&process);
	assert_null(process.command_line);
}

struct shell {
	int ready,
		wait; /* one byte is written when all is set up; it then waits for an end of file */
	char *argument;
};

/* Becomes a shell whose first line says that it is there. */
static void run_shell(void *arg)
{
	struct shell *shell = arg;
	struct rlimit limit = {.rlim_cur = 123, .rlim_max = 123};
	char script[] = "echo; read x";
	char *arguments[] = {(char[]){"sh"},  (char[]){"-c"},	script,
			     shell->argument, (char[]){"y  z"}, NULL};

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)dup2(shell->wait, STDIN_FILENO);
	(void)dup2(shell->ready, STDOUT_FILENO);
	(void)execv("/bin/sh", arguments);
}

static void read_shell(char *argument, struct lai_process *process)
{
	int ready[2], waiting[2];
	struct shell shell = {.argument = argument};
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(waiting, O_CLOEXEC), 0);
	shell.ready = ready[1];
	shell.wait = waiting[0];
	pid = t_child_start(run_shell, &shell);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(lai_process_read(pid, process), 0);
	assert_int_equal(process->parent, getpid());
	t_child_end(pid);
	for (int i = 0; i < 2; i++) {
		(void)close(ready[i]);
		(void)close(waiting[i]);
	}
}

static void test_program(void **state)
{
	char argument[] = "b\n\xff";
	struct lai_process process;

	(void)state;
	read_shell(argument, &process);
	assert_string_equal(process.command_line, "sh -c echo; read x b\n\xff y  z");
	assert_string_equal(process.comm, "sh");
	assert_int_equal(process.fd_limit, 123);
	lai_process_done(&process);
}

static void test_long_command_line(void **state)
{
	static char argument[3 * LAI_COMMAND_LINE_MAX];
	struct lai_process process;

	(void)state;
	memset(argument, 'j', sizeof(argument) - 1);
	read_shell(argument, &process);
	assert_int_equal(strlen(process.command_line), LAI_COMMAND_LINE_MAX);
	lai_process_done(&process);
}

static void run_named(void *arg)
{
	(void)prctl(PR_SET_NAME, "a) (b\n\x01\xff");
	(void)!write(*(int *)arg, "", 1);
	for (;;)
		(void)pause();
}

/* A child in pause() with an odd name. */
static pid_t start_named(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = t_child_start(run_named, &ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static void test_odd_name(void **state)
{
	struct lai_process process;
	pid_t pid = start_named();

	(void)state;
	assert_int_equal(lai_process_read(pid, &process), 0);
	assert_string_equal(process.comm, "a) (b\n\x01\xff");
	lai_process_done(&process);
	t_child_end(pid);
}

static int read_other(void *arg)
{
	struct lai_process process;
	int error = lai_process_read(*(pid_t *)arg, &process);

	if (error)
		return error;
	/* Of what nobody may see there is nothing, and the rest is there. */
	if (process.namespace_inode != 0 || process.start_ticks == 0 || process.uid != 0)
		return 1;
	return strcmp(process.comm, "a) (b\n\x01\xff") == 0 ? 0 : 2;
}

static void test_nobody(void **state)
{
	pid_t pid = start_named();

	(void)state;
	if (geteuid() == 0)
		assert_int_equal(t_as_nobody(read_other, &pid), 0);
	t_child_end(pid);
	t_needs_root();
}

static void run_nothing(void *arg)
{
	(void)arg;
}

static void test_zombie(void **state)
{
	pid_t pid = t_child_start(run_nothing, NULL);
	struct lai_process process;
	siginfo_t info;

	(void)state;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(lai_process_read(pid, &process), 0);
	assert_true(process.zombie);
	assert_null(process.command_line);
	assert_int_equal(process.namespace_inode, 0);
	assert_int_equal(process.parent, getpid());
	lai_process_done(&process);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_gone(void **state)
{
	pid_t pid = t_child_start(run_nothing, NULL);
	struct lai_process process;
	uint64_t start = 5;

	(void)state;
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(lai_process_read(pid, &process), -ESRCH);
	assert_int_equal(lai_process_start(pid, &start), -ESRCH);
	assert_int_equal(lai_process_read(0, &process), -ESRCH);
	assert_int_equal(lai_process_read(-1, &process), -ESRCH);
	assert_int_equal(start, 5);
}

/* The directory of a process that has ended is not another's, whoever has its pid. */
static void test_directory_of_the_dead(void **state)
{
	pid_t pid = start_named();
	int directory = lai_procfs_open(pid);
	char text[64];

	(void)state;
	assert_true(directory >= 0);
	assert_true(lai_procfs_exists(directory));
	t_child_end(pid);
	assert_false(lai_procfs_exists(directory));
	assert_int_equal(lai_procfs_peek(directory, "stat", text, sizeof(text)), -ESRCH);
	(void)close(directory);
}

static void *stay(void *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
	return NULL;
}

static void run_headless(void *arg)
{
	pthread_t thread;

	(void)arg;
	if (pthread_create(&thread, NULL, stay, NULL) == 0)
		pthread_exit(NULL);
}

static bool is_headless(void *arg)
{
	struct lai_process_stat stat;
	int directory = lai_procfs_open(*(pid_t *)arg);
	char text[2048];
	bool headless = lai_procfs_peek(directory, "stat", text, sizeof(text)) > 0 &&
			lai_process_parse_stat(text, &stat) && stat.state == 'Z';

	(void)close(directory);
	return headless;
}

/* Its first thread has ended: /proc/PID says Z, and shows no descriptors. */
static void test_headless(void **state)
{
	pid_t pid = t_child_start(run_headless, NULL);
	struct lai_process process;

	(void)state;
	assert_true(t_until(is_headless, &pid));
	assert_int_equal(lai_process_read(pid, &process), 0);
	assert_false(process.zombie);
	assert_non_null(process.command_line);
	assert_int_not_equal(process.namespace_inode, 0);
	lai_process_done(&process);
	t_child_end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "stat: the fields that matter", .test_func = test_stat},
		{.name = "stat: names with spaces, parentheses and newlines",
		 .test_func = test_stat_names},
		{.name = "stat: a name that is too long is cut", .test_func = test_stat_long_name},
		{.name = "stat: other texts are refused", .test_func = test_stat_hostile},
		{.name = "limits: the soft limit of open files", .test_func = test_fd_limit},
		{.name = "cgroup: v2's path, or the first of v1", .test_func = test_cgroup},
		{.name = "container: every runtime's paths", .test_func = test_container},
		{.name = "container: little room, long names", .test_func = test_container_small},
		{.name = "cmdline: NULs become spaces, those at the end go",
		 .test_func = test_command_line_text},
		{.name = "links: KIND:[NUMBER] and nothing else", .test_func = test_links},
		{.name = "this very process", .test_func = test_self},
		{.name = "a program with arguments and a limit", .test_func = test_program},
		{.name = "a command line that is too long is cut",
		 .test_func = test_long_command_line},
		{.name = "a process with an odd name", .test_func = test_odd_name},
		{.name = "nobody sees of root's process what is public", .test_func = test_nobody},
		{.name = "a zombie", .test_func = test_zombie},
		{.name = "a process that is gone", .test_func = test_gone},
		{.name = "a directory outlives its process",
		 .test_func = test_directory_of_the_dead},
		{.name = "a process whose first thread has ended", .test_func = test_headless},
	};

	return cmocka_run_group_tests_name("observe.process", tests, NULL, NULL);
}
