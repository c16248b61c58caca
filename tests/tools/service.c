/* SPDX-License-Identifier: MIT */
/*
 * service.c - does what systemd does for a service with Type=notify and a socket unit.
 *
 *     service DIR COMMAND...
 *
 * The command finds a listening socket of 127.0.0.1 as descriptor 3 (LISTEN_FDS, LISTEN_PID) and
 * NOTIFY_SOCKET. The port is in DIR/port, what it notifies in DIR/notes, a line for each message.
 * SIGTERM, SIGHUP and SIGINT are passed on; the exit code is the command's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTENER 3

static pid_t child;

static void pass_on(int number)
{
	if (child > 0)
		(void)kill(child, number);
}

static int failed(const char *what)
{
	(void)fprintf(stderr, "service: %s: %s\n", what, strerror(errno));
	return 1;
}

static int listen_somewhere(const char *dir)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	char path[256], temporary[300];
	FILE *file;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) != 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/port", dir);
	(void)snprintf(temporary, sizeof(temporary), "%s.new", path);
	file = fopen(temporary, "we");
	if (!file || fprintf(file, "%u\n", ntohs(address.sin_port)) < 0 || fclose(file) != 0 ||
	    rename(temporary, path) != 0)
		return -1;
	return fd;
}

static int open_notes(const char *dir, char *path, size_t size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(path, size, "%s/notify", dir);
	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? fd : -1;
}

static void run(int listener, const char *notify, char **command)
{
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if ((listener != LISTENER && dup2(listener, LISTENER) < 0) ||
	    setenv("LISTEN_PID", pid, 1) != 0 || setenv("LISTEN_FDS", "1", 1) != 0 ||
	    setenv("NOTIFY_SOCKET", notify, 1) != 0)
		_exit(1);
	(void)execvp(command[0], command);
	_exit(127);
}

static void take_notes(int notes, FILE *file)
{
	char text[512];
	ssize_t size;

	while ((size = recv(notes, text, sizeof(text), MSG_DONTWAIT)) > 0) {
		(void)fwrite(text, 1, (size_t)size, file);
		(void)fflush(file);
	}
}

int main(int count, char **args)
{
	char notify[256], path[256];
	int listener, notes, status = 0;
	FILE *file;

	if (count < 3) {
		(void)fprintf(stderr, "usage: service DIR COMMAND...\n");
		return 2;
	}
	(void)signal(SIGTERM, pass_on);
	(void)signal(SIGHUP, pass_on);
	(void)signal(SIGINT, pass_on);
	listener = listen_somewhere(args[1]);
	notes = open_notes(args[1], notify, sizeof(notify));
	(void)snprintf(path, sizeof(path), "%s/notes", args[1]);
	file = fopen(path, "we");
	if (listener < 0 || notes < 0 || !file)
		return failed(args[1]);
	child = fork();
	if (child < 0) {
		(void)fclose(file);
		return failed("fork");
	}
	if (child == 0)
		run(listener, notify, args + 2);
	(void)close(listener);
	while (waitpid(child, &status, WNOHANG) == 0) {
		struct pollfd ready = {.fd = notes, .events = POLLIN};

		(void)poll(&ready, 1, 20);
		take_notes(notes, file);
	}
	take_notes(notes, file);
	(void)fclose(file);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
