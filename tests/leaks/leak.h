/* SPDX-License-Identifier: MIT */
/*
 * leak.h - what the reproducers share: processes that play the roles of a story, and its end.
 *
 * Each program of this directory produces one condition, on purpose and on real sockets:
 *
 *	main()	  holds no socket. It starts one process per role, prints "ready PID..." when the
 *		  kernel shows the condition (the guilty process comes first), waits for the end of its
 *		  standard input and exits with 0. 77: not possible here, the reason is on stderr.
 *	a role	  a server, a client. It dies with main(), and main() dies with whoever started it.
 *
 * Roles agree by numbers on a shared page (the board), so that no pipe and no UNIX socket of ours
 * stands among the descriptors that a diagnosis looks at. They never sleep and hope: they look
 * until what they wait for is there, and give up loudly at a deadline.
 */
#ifndef LEAK_H
#define LEAK_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LEAK_SOCKETS 4	       /* enough to be counted, few enough to be read */
#define LEAK_DEADLINE_MS 20000 /* a loaded machine may be slow; what never comes is an error */
#define LEAK_LOOK_US 1000      /* between two looks */
#define LEAK_EXIT_SKIP 77
#define LEAK_PIDS_MAX 4

struct leak_board {
	_Atomic int ports[2]; /* of the listeners, 0: not yet */
	_Atomic int step;     /* how far the story has come; its meaning is the program's */
	_Atomic bool ready;
	_Atomic int pids[LEAK_PIDS_MAX]; /* to be named by "ready", the guilty one first; 0: none */
};

static struct leak_board *leak_board;

/* ---- ends ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 0))) static inline void leak_say(const char *format, va_list list)
{
	char text[256];

	(void)vsnprintf(text, sizeof(text), format, list);
	(void)fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void leak_die(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	leak_say(format, list);
	va_end(list);
	_exit(1);
}

/* This machine cannot show it. */
__attribute__((noreturn, format(printf, 1, 2))) static inline void leak_skip(const char *format,
									     ...)
{
	va_list list;

	va_start(list, format);
	leak_say(format, list);
	va_end(list);
	_exit(LEAK_EXIT_SKIP);
}

static inline void leak_check(bool good, const char *what)
{
	if (!good)
		leak_die("%s: %s", what, strerror(errno));
}

/* ---- waiting for a condition --------------------------------------------------------------- */

static inline int64_t leak_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Between two looks; dies at the deadline. */
static inline void leak_look_again(int64_t until_ms, const char *what)
{
	if (leak_now_ms() > until_ms)
		leak_die("not in time: %s", what);
	(void)usleep(LEAK_LOOK_US);
}

#define LEAK_UNTIL(condition)                                                                      \
	do {                                                                                       \
		int64_t leak_until_ms = leak_now_ms() + LEAK_DEADLINE_MS;                          \
		while (!(condition))                                                               \
			leak_look_again(leak_until_ms, #condition);                                \
	} while (0)

static inline void leak_await_step(int step)
{
	LEAK_UNTIL(leak_board->step >= step);
}

/* ---- roles --------------------------------------------------------------------------------- */

/*
 * The first thing each program calls. variants: words separated by spaces; the program takes one of
 * them as its only argument, and the first without. Returns the place of the chosen one in the list.
 */
static inline int leak_begin(int count, char **args, const char *variants)
{
	size_t size = count > 1 ? strlen(args[1]) : strcspn(variants, " ");
	const char *wanted = count > 1 ? args[1] : variants, *word = variants;
	int place = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	leak_board = mmap(NULL, sizeof(*leak_board), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	leak_check(leak_board != MAP_FAILED, "mmap");
	for (; *word; word += strcspn(word, " "), word += strspn(word, " "), place++) {
		if (strcspn(word, " ") == size && !strncmp(word, wanted, size) && count <= 2)
			return place;
	}
	(void)fprintf(stderr, "usage: %s [VARIANT]   one of: %s\n", program_invocation_short_name,
		      variants);
	exit(2);
}

/* A fork that dies with its parent. It keeps all descriptors: roles use leak_start(). */
static inline pid_t leak_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	leak_check(pid >= 0, "fork");
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
	}
	return pid;
}

/* Starts a process that plays a role; name: what it is called in ps(1), NULL: as the program. */
static inline pid_t leak_start(const char *name, void (*role)(void))
{
	pid_t pid = leak_fork();
	int null;

	if (pid > 0)
		return pid;
	if (name)
		(void)prctl(PR_SET_NAME, name);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	leak_check(null >= 0, "/dev/null");
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)close(null);
	role();
	leak_die("a role has ended");
}

/* The condition is there. Called by whoever sees it last. */
static inline void leak_ready(void)
{
	leak_board->ready = true;
}

static inline void leak_await_end_of_input(void)
{
	char bytes[64];

	while (read(STDIN_FILENO, bytes, sizeof(bytes)) > 0)
		;
}

/* 0: all roles still play; otherwise what to exit with, as one has ended before its time. */
static inline int leak_failed_status(void)
{
	int status = 0;

	if (waitpid(-1, &status, WNOHANG) <= 0 || leak_board->ready)
		return 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == LEAK_EXIT_SKIP ? LEAK_EXIT_SKIP : 1;
}

/* The last thing main() calls: prints "ready", waits, and returns the exit status. */
static inline int leak_tell(pid_t guilty)
{
	if (leak_board->pids[0] == 0)
		leak_board->pids[0] = guilty;
	while (!leak_board->ready) {
		int status = leak_failed_status();

		if (status != 0)
			return status;
		(void)usleep(LEAK_LOOK_US);
	}
	(void)fputs("ready", stdout);
	for (int i = 0; i < LEAK_PIDS_MAX && leak_board->pids[i]; i++)
		(void)printf(" %d", leak_board->pids[i]);
	(void)puts("");
	(void)fflush(stdout);
	leak_await_end_of_input();
	return 0;
}

/* ---- sockets ------------------------------------------------------------------------------- */

static inline struct sockaddr_in leak_loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A listener on a free port, which is written on the board. */
static inline int leak_listen_at(int place, int backlog)
{
	struct sockaddr_in address = leak_loopback(0);
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	leak_check(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
			   listen(fd, backlog) == 0 &&
			   getsockname(fd, (struct sockaddr *)&address, &size) == 0,
		   "a listener");
	leak_board->ports[place] = ntohs(address.sin_port);
	return fd;
}

static inline int leak_listen(void)
{
	return leak_listen_at(0, SOMAXCONN);
}

static inline int leak_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	leak_check(fd >= 0, "accept");
	return fd;
}

static inline int leak_connect_to(int place)
{
	struct sockaddr_in address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	leak_check(fd >= 0, "socket");
	LEAK_UNTIL(leak_board->ports[place] != 0);
	address = leak_loopback(leak_board->ports[place]);
	leak_check(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0,
		   "connect to 127.0.0.1 (is the loopback device up?)");
	return fd;
}

static inline int leak_connect(void)
{
	return leak_connect_to(0);
}

static inline void leak_write(int fd, const char *text)
{
	leak_check(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

/* So many bytes of no meaning. */
static inline void leak_pour(int fd, size_t bytes)
{
	static const char block[4096];

	while (bytes > 0) {
		size_t part = bytes < sizeof(block) ? bytes : sizeof(block);
		ssize_t sent = write(fd, block, part);

		leak_check(sent > 0, "write");
		bytes -= (size_t)sent;
	}
}

/* Reads exactly this text's length. */
static inline void leak_read(int fd, const char *text)
{
	char bytes[256];
	size_t size = strlen(text);

	leak_check(size <= sizeof(bytes) && recv(fd, bytes, size, MSG_WAITALL) == (ssize_t)size,
		   "read");
}

static inline void leak_read_eof(int fd)
{
	char byte;

	leak_check(read(fd, &byte, 1) == 0, "read of the end");
}

/* TCP_ESTABLISHED, ... of netinet/tcp.h */
static inline int leak_state(int fd)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	leak_check(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0, "TCP_INFO");
	return info.tcpi_state;
}

static inline void leak_await_state(int fd, int state)
{
	LEAK_UNTIL(leak_state(fd) == state);
}

/* Bytes that can be read; a FIN does not count. */
static inline int leak_unread(int fd)
{
	int bytes = -1;

	leak_check(ioctl(fd, FIONREAD, &bytes) == 0, "FIONREAD");
	return bytes;
}

/*
 * Sends FIN and keeps the descriptor, as one does who still waits for an answer. On return the other
 * end's kernel has acknowledged it: there the connection is in CLOSE_WAIT with all that was sent.
 */
static inline void leak_finish(int fd)
{
	leak_check(shutdown(fd, SHUT_WR) == 0, "shutdown");
	leak_await_state(fd, TCP_FIN_WAIT2);
}

/* A well-behaved event loop around these connections: reads what comes and closes at their end. */
__attribute__((noreturn)) static inline void leak_rest(const int *fds, size_t count)
{
	struct pollfd *polls = calloc(count ? count : 1, sizeof(*polls));
	char bytes[4096];

	leak_check(polls, "memory");
	for (size_t i = 0; i < count; i++)
		polls[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	for (;;) {
		(void)poll(polls, count, -1);
		for (size_t i = 0; i < count; i++) {
			if (polls[i].revents && read(polls[i].fd, bytes, sizeof(bytes)) <= 0) {
				(void)close(polls[i].fd);
				polls[i].fd = -1;
			}
		}
	}
}

/*
 * Clients that have finished and want nothing but the other side's FIN. They do not ask for data: who
 * still reads after a half-close waits for an answer, and then the other side may work on it.
 */
__attribute__((noreturn)) static inline void leak_await_ends(const int *fds, size_t count)
{
	struct pollfd *polls = calloc(count, sizeof(*polls));

	leak_check(polls, "memory");
	for (size_t i = 0; i < count; i++)
		polls[i] = (struct pollfd){.fd = fds[i], .events = POLLRDHUP};
	for (;;) {
		(void)poll(polls, count, -1);
		for (size_t i = 0; i < count; i++) {
			if (polls[i].fd >= 0 && polls[i].revents) {
				(void)close(polls[i].fd);
				polls[i].fd = -1;
			}
		}
	}
}

/* A server's main thread that has nothing to do: it waits for the next connection. */
__attribute__((noreturn)) static inline void leak_rest_accepting(int listener)
{
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			(void)close(fd);
	}
}

#endif
