/* SPDX-License-Identifier: MIT */
/*
 * population.c - a host full of TCP sockets, for measuring what lists them.
 *
 *	population [--port-file FILE] SOCKETS PROCESSES LEAKED
 *
 * Each process holds both ends of its share of connections over a loopback address of its own. Of
 * the first ones the client's end is closed, so that LEAKED sockets in all stay in CLOSE_WAIT. When
 * all are there, FILE gets one line. They end with this program.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKLOG 16

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void populate(int number, int connections, int leaked, int ready)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)number)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, BACKLOG) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) < 0)
		die("listen");
	for (int i = 0; i < connections; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(client, (struct sockaddr *)&address, sizeof(address)) < 0)
			die("connect");
		if (accept(listener, NULL, NULL) < 0)
			die("accept");
		if (i < leaked)
			(void)close(client);
	}
	if (write(ready, "", 1) != 1)
		die("ready");
	for (;;)
		(void)pause();
}

int main(int count, char **args)
{
	const char *file = NULL;
	int sockets, processes, leaked, ready[2];
	struct rlimit limit;
	char byte;

	if (count > 2 && strcmp(args[1], "--port-file") == 0) {
		file = args[2];
		args += 2;
		count -= 2;
	}
	if (count != 4 || (sockets = atoi(args[1])) < 2 || (processes = atoi(args[2])) < 1)
		return 2;
	leaked = atoi(args[3]);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (pipe(ready) < 0)
		die("pipe");
	for (int i = 0; i < processes; i++) {
		if (fork() == 0)
			populate(i, sockets / processes / 2,
				 leaked / processes + (i < leaked % processes), ready[1]);
	}
	for (int i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			die("populate");
	if (file) {
		FILE *out = fopen(file, "w");

		if (!out || fputs("ready\n", out) < 0 || fclose(out) != 0)
			die(file);
	}
	for (;;)
		if (wait(NULL) < 0)
			return 1;
}
