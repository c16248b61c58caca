/* SPDX-License-Identifier: MIT */
/* namespace_test.c - our own network namespace, and new ones that a child or a name keeps. */
#include "observe/namespace.h"

#include "observe/sockdiag.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 128
#define LISTENERS 3
#define BACKLOG 1
#define OVERFLOWS 2
#define PATIENCE_MS 20000 /* for what must happen; nothing measures itself by it */
#define TICK_MS 2

/* A child in a network namespace of its own, until it is told to end. */
struct child {
	pid_t pid;
	int hold; /* closed: the child ends */
	uint64_t inode;
};

static uint64_t inode_of(const char *path)
{
	struct stat stat_path;

	return stat(path, &stat_path) == 0 ? stat_path.st_ino : 0;
}

/* A long list is taken a page at a time. */
static bool text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t left = strlen(text);
	ssize_t size = 1;

	while (fd >= 0 && left && size > 0) {
		size = write(fd, text, left);
		if (size > 0) {
			text += size;
			left -= (size_t)size;
		}
	}
	if (fd >= 0)
		close(fd);
	return left == 0;
}

/* Listeners, and one queue that overflows: so many connections more than it holds. */
static bool child_sockets(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);
	int fds[LISTENERS];

	for (int i = 0; i < LISTENERS; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (fds[i] < 0 || ioctl(fds[i], SIOCSIFFLAGS, &request) < 0 ||
		    listen(fds[i], BACKLOG) < 0)
			return false;
	}
	if (getsockname(fds[0], (struct sockaddr *)&at, &length) < 0)
		return false;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < BACKLOG + 1 + OVERFLOWS; i++) {
		int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		if (client < 0 ||
		    (connect(client, (struct sockaddr *)&at, length) < 0 && errno != EINPROGRESS))
			return false;
	}
	return true;
}

/* The settings that the parent shall find. */
static bool child_settings(void)
{
	return text_write("/proc/sys/net/ipv4/ip_local_port_range", "20000 30000") &&
	       text_write("/proc/sys/net/ipv4/tcp_fin_timeout", "17") &&
	       text_write("/proc/sys/net/ipv4/tcp_tw_reuse", "1") &&
	       text_write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "1234");
}

/* Every other port of all: the longest list that there can be. */
static bool child_reserves(void)
{
	size_t room = 32768 * 6 + 1, size = 0;
	char *text = malloc(room);
	bool written;

	if (!text)
		return false;
	for (unsigned port = 1; port <= UINT16_MAX; port += 2)
		size += (size_t)snprintf(text + size, room - size, "%s%u", size ? "," : "", port);
	written = text_write("/proc/sys/net/ipv4/ip_local_reserved_ports", text);
	free(text);
	return written;
}

static void child_run(int say, int hold)
{
	char answer = 'y', end;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) < 0)
		answer = errno == EPERM ? 'p' : 'n';
	else if (!child_settings() || !child_reserves())
		answer = 's';
	else if (!child_sockets())
		answer = 'n';
	if (write(say, &answer, 1) == 1)
		(void)!read(hold, &end, 1);
	_exit(0);
}

/* Skips the test if there can be no such child. */
static void child_open(struct child *child)
{
	int say[2], hold[2];
	char path[PATH_BYTES], answer = 0;

	assert_int_equal(pipe2(say, O_CLOEXEC), 0);
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		close(hold[1]);
		child_run(say[1], hold[0]);
	}
	close(say[1]);
	close(hold[0]);
	child->hold = hold[1];
	assert_int_equal(read(say[0], &answer, 1), 1);
	close(say[0]);
	if (answer == 'p' || answer == 's') {
		close(child->hold);
		(void)waitpid(child->pid, NULL, 0);
		print_message(answer == 'p' ? "# a network namespace needs CAP_SYS_ADMIN\n"
					    : "# sysctls cannot be written here\n");
		skip();
	}
	assert_int_equal(answer, 'y');
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)child->pid);
	child->inode = inode_of(path);
	assert_true(child->inode != 0);
}

static void child_close(struct child *child)
{
	close(child->hold);
	assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
}

/* The entry with that inode, of which there is at most one. */
static bool listed(uint64_t inode, struct lai_namespace *found)
{
	struct lai_namespace *list = NULL;
	size_t count = 0, times = 0;
	uint32_t unplaced;

	assert_int_equal(lai_namespaces_list(true, &list, &count, &unplaced), 0);
	assert_true(count >= 1);
	assert_true(list[0].ours);
	for (size_t i = 0; i < count; i++) {
		assert_true(list[i].ours == (i == 0));
		assert_true(list[i].path[0] == '/');
		assert_false(list[i].seen);
		if (list[i].inode == inode) {
			*found = list[i];
			times++;
		}
	}
	free(list);
	assert_true(times <= 1);
	return times == 1;
}

static void own(void **state)
{
	struct lai_namespace *list = NULL;
	uint32_t unplaced = 1;
	size_t count = 0;

	(void)state;
	assert_int_equal(lai_namespaces_list(false, &list, &count, &unplaced), 0);
	assert_int_equal(count, 1);
	assert_int_equal(unplaced, 0);
	assert_true(list[0].ours);
	assert_true(list[0].inode == inode_of("/proc/self/ns/net"));
	assert_true(inode_of(list[0].path) == list[0].inode);
	free(list);
}

struct work {
	uint64_t inode;	  /* of the namespace it ran in */
	size_t listeners; /* by sock_diag */
	struct lai_namespace *name_space;
	pid_t tid;
	bool signals_blocked;
};

static int listeners_each(void *arg, const struct lai_socket_fact *fact)
{
	(void)fact;
	(*(size_t *)arg)++;
	return 0;
}

static int work_inside(void *arg)
{
	struct work *work = arg;
	sigset_t blocked;

	work->inode = inode_of("/proc/thread-self/ns/net");
	work->tid = gettid();
	(void)sigprocmask(SIG_SETMASK, NULL, &blocked);
	work->signals_blocked = sigismember(&blocked, SIGTERM);
	assert_int_equal(lai_sockdiag_dump(LAI_SOCKDIAG_STATE(LAI_TCP_LISTEN), listeners_each,
					   &work->listeners),
			 0);
	if (work->name_space)
		lai_namespace_read_settings(work->name_space);
	return 4711;
}

static void run_in_own(void **state)
{
	struct lai_namespace *list = NULL;
	struct work work = {0};
	uint32_t unplaced;
	size_t count;

	(void)state;
	assert_int_equal(lai_namespaces_list(false, &list, &count, &unplaced), 0);
	work.name_space = &list[0];
	assert_int_equal(lai_namespace_run(&list[0], work_inside, &work), 4711);
	assert_true(work.inode == list[0].inode);
	assert_int_equal(work.tid, gettid());
	assert_true(list[0].port_min > 0 && list[0].port_max >= list[0].port_min);
	assert_true(list[0].fin_timeout_ms > 0);
	assert_true(list[0].time_wait_max > 0);
	free(list);
}

static void run_in_child(void **state)
{
	struct child child;
	struct lai_namespace found;
	struct work work = {.name_space = &found};
	uint64_t before = inode_of("/proc/thread-self/ns/net");

	(void)state;
	child_open(&child);
	assert_true(listed(child.inode, &found));
	assert_string_equal(found.name, "");
	assert_int_equal(lai_namespace_run(&found, work_inside, &work), 4711);
	assert_true(work.inode == child.inode);
	assert_true(work.tid != gettid());
	assert_true(work.signals_blocked);
	assert_int_equal(work.listeners, LISTENERS);
	assert_true(inode_of("/proc/thread-self/ns/net") == before);
	assert_int_equal(found.port_min, 20000);
	assert_int_equal(found.port_max, 30000);
	assert_int_equal(found.ports_reserved, 5000); /* 20001, 20003 ... 29999 */
	assert_int_equal(found.fin_timeout_ms, 17000);
	assert_int_equal(found.tw_reuse, 1);
	assert_int_equal(found.time_wait_max, 1234);
	/* The last connections may still be on their way. */
	for (int i = 0; i < PATIENCE_MS / TICK_MS && found.listen_overflows < OVERFLOWS; i++) {
		(void)poll(NULL, 0, TICK_MS);
		assert_int_equal(lai_namespace_run(&found, work_inside, &work), 4711);
	}
	assert_true(found.listen_overflows >= OVERFLOWS);
	child_close(&child);
}

static void gone(void **state)
{
	struct child child;
	struct lai_namespace found, other;
	struct work work = {0};

	(void)state;
	child_open(&child);
	assert_true(listed(child.inode, &found));
	other = found;
	other.inode++; /* the path leads elsewhere by now */
	assert_int_equal(lai_namespace_run(&other, work_inside, &work), -ENOENT);
	child_close(&child);
	assert_int_equal(lai_namespace_run(&found, work_inside, &work), -ENOENT);
	assert_true(work.inode == 0);
	/* Its number may be that of a new one by now, but not by this path. */
	assert_false(listed(child.inode, &other) && !strcmp(other.path, found.path));
}

/* As `ip netns add` does it, but in a mount namespace of our own: nobody else sees the name. */
static bool names_of_our_own(void)
{
	int fd = -1;

	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", "/run", "tmpfs", 0, NULL) == 0 && mkdir("/run/netns", 0755) == 0 &&
	    mkfifo("/run/netns/lastack-pipe", 0600) == 0) /* it must not block us */
		fd = open("/run/netns/lastack-name", O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void named(void **state)
{
	char path[PATH_BYTES];
	struct lai_namespace found;
	struct child child;

	(void)state;
	child_open(&child);
	if (!names_of_our_own()) {
		print_message("# no mount of our own: %s\n", strerror(errno));
		child_close(&child);
		skip();
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)child.pid);
	assert_int_equal(mount(path, "/run/netns/lastack-name", NULL, MS_BIND, NULL), 0);
	assert_true(listed(child.inode, &found));
	assert_string_equal(found.name, "lastack-name");
	assert_string_equal(found.path, "/run/netns/lastack-name");
	child_close(&child); /* the name keeps it */
	assert_true(listed(child.inode, &found));
	assert_string_equal(found.path, "/run/netns/lastack-name");
	assert_int_equal(umount2("/run/netns/lastack-name", MNT_DETACH), 0);
	assert_false(listed(child.inode, &found) && found.name[0]);
}

static void forbidden(void **state)
{
	struct child child;
	struct lai_namespace found, *list = NULL;
	struct work work = {0};
	uid_t before = geteuid();
	uint32_t unplaced = 0;
	size_t count = 0;

	(void)state;
	child_open(&child);
	assert_true(listed(child.inode, &found));
	if (before != 0 || seteuid(65534) < 0) {
		child_close(&child);
		skip();
	}
	/* The child's namespace may not be looked at, and that is no error. */
	assert_false(listed(child.inode, &(struct lai_namespace){0}));
	assert_int_equal(lai_namespaces_list(true, &list, &count, &unplaced), 0);
	free(list);
	assert_true(unplaced > 0);
	assert_int_equal(lai_namespace_run(&found, work_inside, &work), -EACCES);
	assert_int_equal(seteuid(before), 0);
	assert_true(work.inode == 0);
	child_close(&child);
}

static void ports(void **state)
{
	const struct {
		const char *list;
		uint16_t min, max;
		uint32_t count;
	} rows[] = {
		{"\n", 32768, 60999, 0},
		{"", 1, 65535, 0},
		{"8080\n", 32768, 60999, 0},
		{"8080,40000\n", 32768, 60999, 1},
		{"32767-32769\n", 32768, 60999, 2},
		{"60998-65535", 32768, 60999, 2},
		{"1-65535\n", 32768, 60999, 28232},
		{"32768,60999\n", 32768, 60999, 2},
		{"32767,61000\n", 32768, 60999, 0},
		{"40000-39999", 32768, 60999, 0},
		{"40000-70000", 32768, 60999, 0},
		{"40000,99999999999999999999999", 32768, 60999, 1},
		{"40000,-1", 32768, 60999, 1},
		{"40000-,40002", 32768, 60999, 0},
		{"40000 40002", 32768, 60999, 1},
		{"nonsense", 1, 65535, 0},
		{"5", 5, 5, 1},
		{"1-65535", 7, 6, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(lai_namespace_ports_in(rows[i].list, rows[i].min, rows[i].max),
				 rows[i].count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "reserved ports count inside the range alone", .test_func = ports},
		{.name = "our own namespace is listed, alone if asked so", .test_func = own},
		{.name = "work in our own runs as it is", .test_func = run_in_own},
		{.name = "work runs in another one, and its settings are read",
		 .test_func = run_in_child},
		{.name = "a namespace that is gone is not entered", .test_func = gone},
		{.name = "another user's is neither listed nor entered", .test_func = forbidden},
		{.name = "a named one has its name and path, and lives without processes",
		 .test_func = named},
	};

	return cmocka_run_group_tests_name("observe.namespace", tests, NULL, NULL);
}
