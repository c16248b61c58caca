/* SPDX-License-Identifier: MIT */
/*
 * naive.c - how NOT to keep a connection alive: the bug that lastack exists to end.
 *
 *     naive HOST PORT < lines
 *
 * It sends lines from stdin over TCP and "reconnects" when it breaks. It looks right, and works for
 * as long as nothing goes wrong. Each mistake is numbered where it is made. On SIGUSR1 and at its
 * end it prints what it believes: {"believed_sent":N,"reconnects":N}. Do not copy from this file.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t believed_sent, reconnects;
static struct addrinfo *server;

/* Appends a number; printf() is not allowed in a signal handler. */
static char *append(char *end, const char *label, int number)
{
	char digits[16];
	int count = 0;

	for (; *label; label++)
		*end++ = *label;
	do
		digits[count++] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	while (count > 0)
		*end++ = digits[--count];
	return end;
}

static void report(int signal_number)
{
	int saved = errno;
	char line[128], *end = append(line, "{\"believed_sent\":", believed_sent);

	end = append(end, ",\"reconnects\":", reconnects);
	*end++ = '}';
	*end++ = '\n';
	if (write(STDOUT_FILENO, line, (size_t)(end - line)) < 0 || signal_number == SIGTERM ||
	    signal_number == SIGINT)
		_exit(signal_number == 0);
	errno = saved;
}

/* Each time from another port: the kernel does not give one that an unclosed socket still has. */
static int connect_again(void)
{
	/* MISTAKE 1: one address for ever: no second one is tried, no new answer of DNS seen. */
	int sock = socket(server->ai_family, SOCK_STREAM, 0);

	/* MISTAKE 2: no descriptors left (EMFILE) is taken for a network that is down, to be tried
	   again with the next line. It will never get better: nothing here ever closes one. */
	if (sock < 0)
		return -1;
	/* MISTAKE 3: no bound in time. A silent host holds us here for two minutes. */
	if (connect(sock, server->ai_addr, server->ai_addrlen) < 0)
		return -1; /* MISTAKE 4: without close(sock), so each refusal costs one too */
	return sock;
}

/* 0 if the server has closed or reset the connection. */
static int still_there(int sock)
{
	char answer[4096];
	ssize_t n;

	/* MISTAKE 5: looks only when there is something to send. A FIN that comes in between goes
	   unseen, the socket sits in CLOSE_WAIT. The last words of the server are thrown away. */
	do
		n = recv(sock, answer, sizeof(answer), MSG_DONTWAIT);
	while (n > 0);
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	static char line[65536];
	struct sigaction action = {.sa_handler = report, .sa_flags = SA_RESTART};
	int sock;

	if (argc != 3 || getaddrinfo(argv[1], argv[2], &hints, &server) != 0) {
		fputs("usage: naive HOST PORT < lines\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sock = connect_again();
	while (fgets(line, sizeof(line), stdin)) {
		/* MISTAKE 6: send() only gives bytes to the kernel. What it accepts after the
		   server's FIN came, or before an RST, never arrives, and is counted all the same.
		 */
		if (still_there(sock) && send(sock, line, strlen(line), 0) >= 0) {
			believed_sent++; /* MISTAKE 7: so is a send() that took half of it */
			continue;
		}
		/* MISTAKE 8, the one that stopped the host: a new socket, and the old one is never
		   closed. Our FIN is never sent, so the kernel keeps it in CLOSE_WAIT for ever.
		   MISTAKE 9: the line that failed is not sent again.
		   MISTAKE 10: no pause: a server that is down is tried as often as lines come. */
		reconnects++;
		sock = connect_again();
	}
	report(0);
	/* MISTAKE 11: the process ends without shutdown() and without waiting for the server's FIN;
	   an answer that is still unread turns the last lines into an RST. */
	freeaddrinfo(server);
	return 0;
}
