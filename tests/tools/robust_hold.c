/* SPDX-License-Identifier: MIT */
/*
 * robust_hold.c - processes that hold TCP sockets in every way that a process can, and stay.
 *
 *	robust_hold own KIND COUNT PROCESSES	each process has COUNT connections of its own
 *	robust_hold common KIND COUNT PROCESSES	all processes have the same COUNT connections
 *	robust_hold zombie KIND			the holder has a child that has ended
 *	robust_hold headless KIND		the holder's first thread has ended, another lives
 *	robust_hold unshared KIND		a thread has left its process's table (CLONE_FILES)
 *	robust_hold table KIND			two processes have one table
 *	robust_hold halves LISTEN CONNECT	one process has the client's end, half closed,
 *						another one the server's, which has read the end
 *
 * KIND is "open": both ends, or "close-wait": one end, whose peer has closed. Listeners are closed
 * when the connections are there, except at halves, where LISTEN and CONNECT are addresses.
 *
 * It prints a line "held INODE PID FD" for each descriptor, other lines that name processes, and
 * "ready PID..." (of the holders; the server's first) when all is so. At the end of its standard
 * input all of it ends. Ids are those of the pid namespace that it is in.
 */
#include "robust_tcp.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define STACK_BYTES (64u * 1024)
#define LINE_MAX_BYTES 64
#define PIDS_MAX 4

struct board {
	_Atomic int ready; /* processes that hold what they shall */
	_Atomic int pids[PIDS_MAX];
};

static struct board *board;
static bool half; /* KIND is close-wait: the clients' ends are closed */

/* ---- what is held ---------------------------------------------------------------------------- */

static int *held; /* descriptors of ours */
static int held_count, held_room;

static void hold(int fd)
{
	if (held_count == held_room) {
		held_room = 2 * held_room + 64;
		held = reallocarray(held, (size_t)held_room, sizeof(*held));
		check(held != NULL, "reallocarray");
	}
	held[held_count++] = fd;
}

/* One write() each time: the processes have the position in the file in common. */
static void say(const char *text, size_t size)
{
	check(write(STDOUT_FILENO, text, size) == (ssize_t)size, "write");
}

/* That this process holds what we hold. */
static void say_held(pid_t pid)
{
	static char text[1u << 16];
	size_t size = 0;

	for (int i = 0; i < held_count; i++) {
		struct stat status;

		check(fstat(held[i], &status) == 0, "fstat");
		size += (size_t)snprintf(text + size, sizeof(text) - size, "held %llu %d %d\n",
					 (unsigned long long)status.st_ino, (int)pid, held[i]);
		if (size + LINE_MAX_BYTES > sizeof(text) || i + 1 == held_count) {
			say(text, size);
			size = 0;
		}
	}
}

static void say_number(const char *word, long number)
{
	char text[LINE_MAX_BYTES];
	int size = snprintf(text, sizeof(text), "%s %ld\n", word, number);

	say(text, (size_t)size);
}

/* ---- connections ----------------------------------------------------------------------------- */

/* As a program does that is told of the end and does nothing about it. */
static void read_end(int fd)
{
	char byte;

	await_state(fd, TCP_CLOSE_WAIT);
	check(read(fd, &byte, 1) == 0, "read");
}

/* Holds so many connections more, both ends or the server's alone. */
static void connections_open(int count)
{
	in_port_t port;
	int listener = listener_open("127.0.0.1", &port);

	for (int i = 0; i < count; i++) {
		int client = client_open("127.0.0.1", port);
		int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		check(server >= 0, "accept");
		hold(server);
		if (half) {
			check(close(client) == 0, "close");
			read_end(server);
		} else {
			hold(client);
		}
	}
	check(close(listener) == 0, "close");
}

/* ---- processes ------------------------------------------------------------------------------- */

static void stay(void)
{
	for (;;)
		(void)pause();
}

/* 0: we are the child, which dies with its parent. */
static pid_t start(void)
{
	pid_t parent = getpid(), pid = fork();

	check(pid >= 0, "fork");
	if (pid > 0)
		return pid;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	return 0;
}

static void ready(int place)
{
	if (place < PIDS_MAX)
		board->pids[place] = getpid();
	board->ready++;
}

static void hold_and_stay(int place)
{
	say_held(getpid());
	ready(place);
	stay();
}

static void own(int count, int processes)
{
	for (int i = 0; i < processes; i++) {
		if (start() == 0) {
			connections_open(count);
			hold_and_stay(i);
		}
	}
}

static void common(int count, int processes)
{
	if (start() > 0)
		return;
	connections_open(count);
	for (int i = 1; i < processes; i++)
		if (start() == 0)
			hold_and_stay(i);
	hold_and_stay(0);
}

/* The dead child had the same descriptors. */
static void zombie(int count, int processes)
{
	siginfo_t info;
	pid_t pid;

	(void)processes;
	if (start() > 0)
		return;
	connections_open(count);
	pid = start();
	if (pid == 0)
		_exit(0);
	check(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0, "waitid");
	say_number("zombie", pid);
	hold_and_stay(0);
}

/* ---- threads --------------------------------------------------------------------------------- */

/* /proc/PID/stat says Z of a process without its first thread. */
static bool is_headless(void)
{
	char text[512] = "", *end;
	FILE *file = fopen("/proc/self/stat", "re");

	check(file && fgets(text, sizeof(text), file), "/proc/self/stat");
	(void)fclose(file);
	end = strrchr(text, ')');
	return end && end[1] && end[2] == 'Z';
}

static void *outlive(void *arg)
{
	(void)arg;
	for (long i = 0; !is_headless(); i++) {
		check(i < ROBUST_LOOKS, "a first thread that does not end");
		(void)usleep(ROBUST_LOOK_US);
	}
	hold_and_stay(0);
	return NULL;
}

static void headless(int count, int processes)
{
	pthread_t thread;

	(void)processes;
	if (start() > 0)
		return;
	connections_open(count);
	check(pthread_create(&thread, NULL, outlive, NULL) == 0, "pthread_create");
	pthread_exit(NULL);
}

/* Its own connections get the same numbers as those that the first thread opens afterwards. */
static void *leave(void *arg)
{
	check(unshare(CLONE_FILES) == 0, "unshare");
	connections_open(*(int *)arg);
	say_held(getpid());
	ready(1);
	stay();
	return NULL;
}

static void unshared(int count, int processes)
{
	pthread_t thread;
	int before;

	(void)processes;
	if (start() > 0)
		return;
	connections_open(count);
	before = held_count;
	check(pthread_create(&thread, NULL, leave, &count) == 0, "pthread_create");
	for (long i = 0; board->ready == 0; i++) {
		check(i < ROBUST_LOOKS, "a thread that does not get ready");
		(void)usleep(ROBUST_LOOK_US);
	}
	/* What the thread said of these was the same. */
	held_count = before;
	connections_open(count);
	hold_and_stay(0);
}

static int stay_beside(void *arg)
{
	(void)arg;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	hold_and_stay(1);
	return 0;
}

static void table(int count, int processes)
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));

	(void)processes;
	if (start() > 0)
		return;
	connections_open(count);
	check(clone(stay_beside, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL) > 0, "clone");
	hold_and_stay(0);
}

/* ---- both ends in two processes -------------------------------------------------------------- */

static void halves(const char *address, const char *connect_to)
{
	in_port_t port;
	int listener = listener_open(address, &port), end;

	if (start() == 0) {
		end = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		check(end >= 0, "accept");
		hold(listener);
		hold(end);
		read_end(end);
		hold_and_stay(0);
	}
	if (start() == 0) {
		end = client_open(connect_to, port);
		check(close(listener) == 0 && shutdown(end, SHUT_WR) == 0, "shutdown");
		hold(end);
		await_state(end, TCP_FIN_WAIT2);
		hold_and_stay(1);
	}
	say_number("port", ntohs(port));
	check(close(listener) == 0, "close");
}

/* ---- all of it ------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(int count, int processes);
	int ready; /* how often ready() is called; 0: by every process */
} ways[] = {
	{"own", own, 0},	   {"common", common, 0},     {"zombie", zombie, 1},
	{"headless", headless, 1}, {"unshared", unshared, 2}, {"table", table, 2},
};

static void limits_up(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Starts what the words say; how often ready() will be called, 0: they are wrong. */
static int begin(int count, char **args)
{
	int connections = count > 3 ? atoi(args[3]) : 2, processes = count > 4 ? atoi(args[4]) : 1;

	if (count == 4 && strcmp(args[1], "halves") == 0) {
		halves(args[2], args[3]);
		return 2;
	}
	if (count < 3 || connections < 1 || processes < 1)
		return 0;
	half = strcmp(args[2], "close-wait") == 0;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(args[1], ways[i].name) != 0)
			continue;
		ways[i].run(connections, processes);
		return ways[i].ready ? ways[i].ready : processes;
	}
	return 0;
}

static void say_ready(void)
{
	char text[LINE_MAX_BYTES] = "ready";
	size_t size = strlen(text);

	for (int i = 0; i < PIDS_MAX && board->pids[i]; i++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, " %d", board->pids[i]);
	text[size++] = '\n';
	say(text, size);
}

int main(int count, char **args)
{
	int expected;
	char byte;

	limits_up();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	check(board != MAP_FAILED, "mmap");
	expected = begin(count, args);
	if (!expected) {
		(void)fprintf(stderr, "usage: robust_hold WAY KIND [COUNT [PROCESSES]]\n");
		return 2;
	}
	for (long i = 0; board->ready < expected; i++) {
		check(i < ROBUST_LOOKS, "processes that do not get ready");
		check(waitpid(-1, NULL, WNOHANG) <= 0, "a process ended");
		(void)usleep(ROBUST_LOOK_US);
	}
	say_ready();
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	return 0;
}
