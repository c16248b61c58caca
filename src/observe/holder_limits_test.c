/* SPDX-License-Identifier: MIT */
/*
 * holder_limits_test.c - where something is not permitted or not there: a correct answer or a
 * stated gap, never silence.
 *
 * Each case is a child that limits itself, looks both ways, and leaves what it saw in memory that
 * is shared.
 */
#include "observe/holder.h"

#include "../tests/support/holding.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_STATES UINT32_MAX
#define NOBODY 65534
#define FDS_MAX 64 /* more than this program ever has open */

/* What a way showed of our socket. */
struct view {
	int error;
	size_t count;	   /* holders among the test's processes and that child */
	bool own, parents; /* the child's descriptor of it, the test's */
	uint32_t unreadable;
};

struct looks {
	bool limited;  /* the limits could be had */
	pid_t seen_as; /* the child's id in the namespace of /proc */
	struct view proc, bpf;
	char reason[128];
	int fds_before, fds_after;
};

static struct looks *looks; /* shared with the child */
static int fd;		    /* of our socket */
static uint64_t inode;
static pid_t tester;

static int setup(void **state)
{
	if (t_holding_setup(state) < 0)
		return -1;
	looks = mmap(NULL, sizeof(*looks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (looks == MAP_FAILED)
		return -1;
	fd = t_holding_socket(AF_INET);
	inode = t_holding_inode(fd);
	tester = getpid();
	return fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	close(fd);
	munmap(looks, sizeof(*looks));
	return t_holding_teardown(state);
}

static int fds_count(void)
{
	int count = 0;

	for (int i = 0; i < FDS_MAX; i++)
		count += fcntl(i, F_GETFD) >= 0;
	return count;
}

static struct view view_of(int error, struct lai_holders *holders)
{
	struct view view = {.error = error, .unreadable = holders->unreadable};
	size_t at = lai_holders_find(holders->list, holders->count, inode);

	for (; at < holders->count && holders->list[at].inode == inode; at++)
		view.count++;
	view.own = t_holds(holders, looks->seen_as, fd, inode);
	view.parents = t_holds(holders, tester, fd, inode);
	lai_holders_done(holders);
	return view;
}

static void look(void)
{
	struct lai_holders by_proc = {0}, by_bpf = {0};
	int error;

	looks->limited = true;
	if (!looks->seen_as)
		looks->seen_as = getpid();
	looks->fds_before = fds_count();
	error = lai_holders_read_proc(&by_proc);
	looks->proc = view_of(error, &by_proc);
	error = lai_holders_read_bpf(ALL_STATES, &by_bpf, looks->reason, sizeof(looks->reason));
	looks->bpf = view_of(error, &by_bpf);
	looks->fds_after = fds_count();
}

/* Runs the case; false: it cannot be run here, the test is skipped. */
static bool case_run(void (*work)(void))
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		work();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	if (!looks->limited)
		return false;
	assert_int_equal(looks->fds_before, looks->fds_after);
	return true;
}

static bool built_without_bpf(void)
{
	return strstr(looks->reason, "built without") != NULL;
}

static void plain(void **state)
{
	(void)state;
	assert_true(case_run(look));
	assert_int_equal(looks->proc.error, 0);
	assert_int_equal(looks->proc.count, 2);
	assert_true(looks->proc.own);
	assert_true(looks->proc.parents);
	if (looks->bpf.error) {
		assert_true(looks->bpf.error == -EPERM || looks->bpf.error == -EOPNOTSUPP);
		assert_int_not_equal(looks->reason[0], '\0');
	} else {
		assert_int_equal(looks->bpf.count, 2);
		assert_true(looks->bpf.own && looks->bpf.parents);
	}
}

/* ---- rights ---- */

static bool become_nobody(void)
{
	return setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0 &&
	       prctl(PR_SET_DUMPABLE, 1) == 0;
}

static void nobody_work(void)
{
	if (become_nobody())
		look();
}

static void nobody(void **state)
{
	(void)state;
	if (!case_run(nobody_work)) {
		skip();
		return;
	}
	assert_int_equal(looks->proc.error, 0);
	assert_true(looks->proc.own);
	assert_false(looks->proc.parents);
	assert_true(looks->proc.unreadable > 0);
	assert_false(looks->bpf.own);
	if (built_without_bpf())
		return;
	assert_int_equal(looks->bpf.error, -EPERM);
	assert_non_null(strstr(looks->reason, "CAP_BPF and CAP_PERFMON"));
}

/* A system call fails with this from now on. */
static bool call_forbid(unsigned call, unsigned error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static void bpf_forbidden_work(void)
{
	if (call_forbid(SYS_bpf, EPERM))
		look();
}

static void bpf_forbidden(void **state)
{
	(void)state;
	if (!case_run(bpf_forbidden_work)) {
		skip();
		return;
	}
	assert_true(looks->proc.own);
	assert_false(looks->bpf.own);
	assert_true(built_without_bpf() || looks->bpf.error == -EPERM);
	assert_int_not_equal(looks->reason[0], '\0');
}

static void bpf_missing_work(void)
{
	if (call_forbid(SYS_bpf, ENOSYS))
		look();
}

static void bpf_missing(void **state)
{
	(void)state;
	if (!case_run(bpf_missing_work)) {
		skip();
		return;
	}
	assert_true(looks->proc.own);
	assert_int_equal(looks->bpf.error, -EOPNOTSUPP);
	assert_int_not_equal(looks->reason[0], '\0');
}

static void *thread_leave(void *arg)
{
	(void)arg;
	if (unshare(CLONE_FILES) == 0 && t_holding_socket(AF_INET) >= 0)
		t_holding_stay();
	return NULL;
}

static void threads_work(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_leave, NULL) == 0)
		pthread_join(thread, NULL);
}

static void kcmp_forbidden_work(void)
{
	if (call_forbid(SYS_kcmp, EPERM))
		look();
}

/* Which threads share a table is not told then, so all are read. */
static void kcmp_forbidden(void **state)
{
	(void)state;
	assert_true(t_holding_child(threads_work) > 0);
	inode = t_holding->tcp[1];
	if (!case_run(kcmp_forbidden_work)) {
		skip();
		return;
	}
	assert_int_equal(looks->proc.error, 0);
	assert_int_equal(looks->proc.count, 1);
}

/* ---- descriptors ---- */

static void few_descriptors_work(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	for (limit.rlim_cur = STDERR_FILENO + 1; limit.rlim_cur < FDS_MAX / 2; limit.rlim_cur++) {
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			_exit(1);
		look();
		if (looks->fds_before != looks->fds_after)
			_exit(2);
		/* Either all of it or an error. */
		if (looks->proc.error ? looks->proc.count : !looks->proc.own)
			_exit(3);
		if (looks->bpf.error ? looks->bpf.count || !*looks->reason : !looks->bpf.own)
			_exit(4);
	}
}

/* For every number of descriptors that may be opened, from none on. */
static void few_descriptors(void **state)
{
	(void)state;
	assert_true(case_run(few_descriptors_work));
	assert_int_equal(looks->proc.error, 0); /* the last one is enough */
}

static void no_input_work(void)
{
	close(STDIN_FILENO);
	look();
	if (fcntl(STDIN_FILENO, F_GETFD) >= 0)
		_exit(1);
}

static void no_input(void **state)
{
	(void)state;
	assert_true(case_run(no_input_work));
	assert_true(looks->proc.own);
	assert_true(looks->bpf.error || looks->bpf.own);
}

static void short_reason(void **state)
{
	struct lai_holders holders = {0};
	char reason[8];

	(void)state;
	memset(reason, 'x', sizeof(reason));
	if (lai_holders_read_bpf(ALL_STATES, &holders, reason, 4) != 0)
		assert_null(memchr(reason + 4, '\0', sizeof(reason) - 4));
	for (size_t i = 4; i < sizeof(reason); i++)
		assert_int_equal(reason[i], 'x');
	lai_holders_done(&holders);
}

/* ---- namespaces ---- */

/* A fork() from here is process 1 of a new namespace; its end is ours. */
static void namespace_enter(void (*work)(void))
{
	int status = 1;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (!looks->seen_as) /* its parent tells, in a moment */
			sched_yield();
		work();
		_exit(0);
	}
	looks->seen_as = pid;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		_exit(1);
}

static void outer_proc_work(void)
{
	namespace_enter(look);
}

/* /proc numbers processes otherwise than getpid() does. */
static void outer_proc(void **state)
{
	(void)state;
	if (!case_run(outer_proc_work)) {
		skip();
		return;
	}
	assert_int_equal(looks->proc.error, 0);
	assert_true(looks->proc.own);
	assert_true(looks->proc.parents);
	assert_int_equal(looks->bpf.error, -EOPNOTSUPP);
	assert_int_not_equal(looks->reason[0], '\0');
}

/* A mount namespace of ours, from which nothing gets out. */
static bool mounts_leave(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		return false;
	/* In a chroot the root is no mount, but /proc is one. */
	return mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 ||
	       mount("none", "/proc", "none", MS_PRIVATE, NULL) == 0;
}

static void inner_proc_look(void)
{
	if (!mounts_leave() || mount("proc", "/proc", "proc", 0, NULL) < 0)
		return;
	looks->seen_as = getpid();
	look();
}

static void inner_proc_work(void)
{
	namespace_enter(inner_proc_look);
}

/* Processes outside are invisible, and ours has the number that it knows. */
static void inner_proc(void **state)
{
	(void)state;
	if (!case_run(inner_proc_work)) {
		skip();
		return;
	}
	assert_int_equal(looks->seen_as, 1);
	assert_int_equal(looks->proc.error, 0);
	assert_true(looks->proc.own);
	assert_int_equal(looks->proc.count, 1);
	assert_int_equal(looks->proc.unreadable, 0);
	if (looks->bpf.error)
		return;
	assert_true(looks->bpf.own);
	assert_int_equal(looks->bpf.count, 1);
	assert_int_equal(looks->bpf.unreadable, 0);
}

static void hidden_work(void)
{
	if (mounts_leave() && mount("proc", "/proc", "proc", 0, "hidepid=2") == 0 &&
	    become_nobody())
		look();
}

/* Others' processes are not even listed. */
static void hidden(void **state)
{
	(void)state;
	if (!case_run(hidden_work)) {
		skip();
		return;
	}
	assert_int_equal(looks->proc.error, 0);
	assert_true(looks->proc.own);
	assert_false(looks->proc.parents);
	assert_true(looks->proc.unreadable > 0);
}

static void no_proc_work(void)
{
	if (mounts_leave() && mount("none", "/proc", "tmpfs", 0, NULL) == 0)
		look();
}

static void no_proc(void **state)
{
	(void)state;
	if (!case_run(no_proc_work)) {
		skip();
		return;
	}
	assert_int_equal(looks->proc.error, -ENODEV);
	assert_true(looks->bpf.error || looks->bpf.own);
}

#define ROW(sentence, function)                                                                    \
	{                                                                                          \
		.name = sentence, .test_func = function, .setup_func = setup,                      \
		.teardown_func = teardown                                                          \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW("without limits both see parent and child", plain),
		ROW("nobody sees his own, and how much he does not", nobody),
		ROW("bpf(2) is forbidden", bpf_forbidden),
		ROW("there is no bpf(2)", bpf_missing),
		ROW("kcmp(2) is forbidden", kcmp_forbidden),
		ROW("few descriptors are left", few_descriptors),
		ROW("descriptor 0 is closed", no_input),
		ROW("a reason is cut to its room", short_reason),
		ROW("a pid namespace with the /proc of another", outer_proc),
		ROW("a pid namespace with its own /proc", inner_proc),
		ROW("a /proc that hides others' processes", hidden),
		ROW("no /proc", no_proc),
	};

	return cmocka_run_group_tests_name("observe.holder_limits", tests, NULL, NULL);
}
