/* SPDX-License-Identifier: MIT */
/*
 * peer.c - a scripted TCP peer for tests and benches on the real kernel.
 *
 *     peer [options] ACTION...                      serves: the script runs for each connection
 *     peer --connect ADDR:PORT [options] ACTION...  connects before the first action that needs it
 *
 * After its last action a connection is closed plainly. A connection that ends with an error (a
 * reset, say) does not end the peer: the rest of its script runs without the actions that need the
 * connection. At the end, or on SIGTERM and SIGINT, one line goes to stdout:
 *     {"connections":N,"bytes":read,"written":N,"broken":connections that ended with an error}
 * Exit: 0 done, 1 a failure with a sentence on stderr, 2 bad usage, or what `exit:CODE` says.
 */
#include "base/random.h"
#include "peer_script.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 2 /* between two looks for the file of `wait` */

struct session {
	int fd;		 /* -1: none, or ended */
	int out;	 /* where read bytes go, -1: nowhere */
	uint64_t serial; /* of the connection, from 1 */
	uint64_t moved;	 /* bytes of the current action */
	int error;	 /* errno of the current action, 0: none */
};

/* Shared with the children of --parallel. */
struct totals {
	_Atomic uint64_t connections, bytes, written, broken, failed;
};

static struct {
	const char *port_file, *address, *port, *out, *out_each, *connect;
	uint64_t backlog, rcvbuf_bytes, connections;
	int parallel, verbose;
} options = {.address = "127.0.0.1", .port = "0", .backlog = SOMAXCONN, .connections = 1};

static struct totals *totals;
static int listener = -1;
static bool is_child;
static struct lai_random noise; /* what `send` sends */
static char buffer[256 * 1024];

__attribute__((noreturn, format(printf, 2, 3))) static void die(int code, const char *format, ...)
{
	va_list list;

	fputs("peer: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	if (totals)
		totals->failed++;
	exit(code);
}

/* Appends a number without printf, which a signal handler may not call. */
static char *append(char *end, const char *label, uint64_t number)
{
	char digits[20];
	size_t count = 0;

	end = stpcpy(end, label);
	do
		digits[count++] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	while (count > 0)
		*end++ = digits[--count];
	return end;
}

static void summarise(void)
{
	char line[160], *end = line;

	end = append(end, "{\"connections\":", totals->connections);
	end = append(end, ",\"bytes\":", totals->bytes);
	end = append(end, ",\"written\":", totals->written);
	end = append(end, ",\"broken\":", totals->broken);
	end = stpcpy(end, "}\n");
	if (!is_child && write(STDOUT_FILENO, line, (size_t)(end - line)) < 0)
		_exit(1);
}

static void on_end(int number)
{
	(void)number;
	summarise();
	_exit(0);
}

static void pause_ms(uint64_t ms)
{
	struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static int append_to(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		die(1, "cannot open %s: %s", path, strerror(errno));
	return fd;
}

/* Ends a connection the kernel has already given up. */
static void broken(struct session *session)
{
	session->error = errno;
	totals->broken++;
	close(session->fd);
	session->fd = -1;
}

/* One recv() of at most so many bytes; 0: the peer's FIN; negative: nothing now, or broken. */
static ssize_t take(struct session *session, uint64_t most, int flags)
{
	ssize_t n, done = 0, put;

	do
		n = recv(session->fd, buffer, most < sizeof(buffer) ? most : sizeof(buffer), flags);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		broken(session);
	for (; session->out >= 0 && done < n; done += put)
		if ((put = write(session->out, buffer + done, (size_t)(n - done))) < 0)
			die(1, "cannot write what was read: %s", strerror(errno));
	if (n > 0) {
		session->moved += (uint64_t)n;
		totals->bytes += (uint64_t)n;
	}
	return n;
}

static bool give(struct session *session, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(session->fd, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			broken(session);
			return false;
		}
		bytes += n;
		size -= (size_t)n;
		session->moved += (uint64_t)n;
		totals->written += (uint64_t)n;
	}
	return true;
}

static void read_count(struct session *session, uint64_t count)
{
	while (session->moved < count && take(session, count - session->moved, 0) > 0)
		;
}

/* The count depends on the seed and the connection's number only, also with --parallel. */
static void read_random(struct session *session, const struct action *action)
{
	struct lai_random random = {action->number[2] ^ (session->serial << 32)};
	uint64_t span = action->number[1] - action->number[0] + 1;

	read_count(session, action->number[0] + lai_random_below(&random, span));
}

static void send_noise(struct session *session, uint64_t left)
{
	uint64_t size, word;

	for (; left > 0; left -= size) {
		size = left < sizeof(buffer) ? left : sizeof(buffer);
		for (size_t i = 0; i < size; i += sizeof(word)) {
			word = lai_random_next(&noise);
			memcpy(buffer + i, &word, sizeof(word));
		}
		if (!give(session, buffer, size))
			return;
	}
}

static void send_file(struct session *session, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, buffer, sizeof(buffer))) > 0)
		if (!give(session, buffer, (size_t)n))
			break;
	if (n < 0)
		die(1, "cannot read %s: %s", path, strerror(errno));
	close(fd);
}

static void hang_up(struct session *session, bool abort)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	if (abort)
		(void)setsockopt(session->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(session->fd);
	session->fd = -1;
}

/* shutdown() ends the listener also where a parent or a sibling holds a copy of it. */
static void unlisten(void)
{
	if (listener >= 0) {
		(void)shutdown(listener, SHUT_RDWR);
		close(listener);
	}
	listener = -1;
}

static struct addrinfo *resolve(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int error = getaddrinfo(host, port, &hints, &found);

	if (error || strtoul(port, NULL, 10) > UINT16_MAX)
		die(2, "\"%s\" port \"%s\" is not a numeric address", host, port);
	return found;
}

static int socket_for(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1, bytes = (int)options.rcvbuf_bytes;

	if (fd < 0)
		die(1, "cannot make a socket: %s", strerror(errno));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bytes) /* before listen() or connect(): the window scale is chosen there */
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return fd;
}

static void connect_to(struct session *session)
{
	char host[128];
	const char *colon = strrchr(options.connect, ':');
	const char *start = options.connect + (*options.connect == '[');
	size_t length = colon ? (size_t)(colon - start) - (start > options.connect) : sizeof(host);
	struct addrinfo *address;

	if (length >= sizeof(host))
		die(2, "--connect wants ADDR:PORT");
	memcpy(host, start, length);
	host[length] = '\0';
	address = resolve(host, colon + 1);
	if (session->fd >= 0)
		close(session->fd);
	session->fd = socket_for(address);
	if (connect(session->fd, address->ai_addr, address->ai_addrlen) < 0)
		die(1, "cannot connect to %s: %s", options.connect, strerror(errno));
	freeaddrinfo(address);
	totals->connections++;
}

/* One action whose connection, if it needs one, is there. */
static void perform(struct session *session, const struct action *action)
{
	const uint64_t *number = action->number;

	switch (action->verb->id) {
	case READ: read_count(session, number[0]); break;
	case READ_EOF: read_count(session, UINT64_MAX); break;
	case READ_RANDOM: read_random(session, action); break;
	case DRAIN:
		while (take(session, UINT64_MAX, MSG_DONTWAIT) > 0)
			;
		break;
	case SLOW:
		while (take(session, number[0], 0) > 0)
			pause_ms(number[1]);
		break;
	case WRITE: (void)give(session, action->text, action->text_bytes); break;
	case SEND: send_noise(session, number[0]); break;
	case SENDFILE: send_file(session, action->text); break;
	case SHUTDOWN:
		if (shutdown(session->fd, SHUT_WR) < 0)
			broken(session);
		break;
	case CLOSE: hang_up(session, false); break;
	case RST: hang_up(session, true); break;
	case HOLD:
		for (;;)
			pause();
	case CONNECT: connect_to(session); break;
	case PAUSE: pause_ms(number[0]); break;
	case WAIT:
		while (access(action->text, F_OK) < 0)
			pause_ms(POLL_MS);
		break;
	case TOUCH: close(append_to(action->text)); break;
	case STOP: raise(SIGSTOP); break;
	case UNLISTEN: unlisten(); break;
	case EXIT: summarise(); _exit((int)number[0]);
	}
}

static void help(void)
{
	puts("usage: peer [--port-file FILE] [--address ADDR] [--port N] [--backlog N]\n"
	     "            [--rcvbuf BYTES] [--out FILE | --out-each PREFIX] [--verbose]\n"
	     "            [--connections N|forever] [--parallel] ACTION...\n"
	     "       peer --connect ADDR:PORT [options as above] ACTION...\nactions:");
	for (const struct verb *verb = verbs; verb->name; verb++)
		printf("  %s%s  %s\n", verb->name, *verb->operands ? ":..." : "", verb->help);
	exit(0);
}

static void read_options(int argc, char **argv)
{
	static const struct option rows[] = {{"port-file", 1, NULL, 'f'},
					     {"address", 1, NULL, 'a'},
					     {"port", 1, NULL, 'p'},
					     {"backlog", 1, NULL, 'b'},
					     {"rcvbuf", 1, NULL, 'r'},
					     {"out", 1, NULL, 'o'},
					     {"out-each", 1, NULL, 'e'},
					     {"connections", 1, NULL, 'n'},
					     {"connect", 1, NULL, 'c'},
					     {"parallel", 0, NULL, 'P'},
					     {"verbose", 0, NULL, 'v'},
					     {"help", 0, NULL, 'h'},
					     {0}};
	uint64_t *number = NULL;
	const char *end = "";
	int letter;

	while ((letter = getopt_long(argc, argv, "+", rows, NULL)) != -1) {
		number = NULL;
		switch (letter) {
		case 'f': options.port_file = optarg; break;
		case 'a': options.address = optarg; break;
		case 'p': options.port = optarg; break;
		case 'b': number = &options.backlog; break;
		case 'r': number = &options.rcvbuf_bytes; break;
		case 'o': options.out = optarg; break;
		case 'e': options.out_each = optarg; break;
		case 'n': number = &options.connections; break;
		case 'P': options.parallel = true; break;
		case 'v': options.verbose = true; break;
		case 'c': options.connect = optarg; break;
		case 'h': help(); break;
		default: exit(2);
		}
		if (letter == 'n' && !strcmp(optarg, "forever"))
			options.connections = UINT64_MAX;
		else if (number && (!(end = script_number(optarg, number)) || *end))
			die(2, "%s is not a number", optarg);
	}
}

/* The file appears complete or not at all: whoever sees it may connect. */
static void announce(int port)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s.%d", options.port_file, getpid());
	file = fopen(path, "we");
	if (!file || fprintf(file, "%d\n", port) < 0 || fclose(file) == EOF ||
	    rename(path, options.port_file) < 0)
		die(1, "cannot write %s: %s", options.port_file, strerror(errno));
}

static void start_listening(void)
{
	struct addrinfo *address = resolve(options.address, options.port);
	struct sockaddr_in6 bound = {0};
	socklen_t length = sizeof(bound);

	listener = socket_for(address);
	if (bind(listener, address->ai_addr, address->ai_addrlen) < 0 ||
	    listen(listener, (int)options.backlog) < 0 ||
	    getsockname(listener, (struct sockaddr *)&bound, &length) < 0)
		die(1, "cannot listen on %s port %s: %s", options.address, options.port,
		    strerror(errno));
	freeaddrinfo(address);
	if (options.port_file) /* the port stands at the same place for IPv4 */
		announce(ntohs(bound.sin6_port));
}

static int accept_one(void)
{
	int fd = -1;

	while (listener >= 0 && (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
		if (errno == EINVAL) /* a child's `unlisten` */
			break;
		if (errno != EINTR && errno != ECONNABORTED)
			die(1, "cannot accept: %s", strerror(errno));
	}
	if (fd >= 0)
		totals->connections++;
	return fd;
}

static void play(struct session *session, const struct action *script)
{
	char path[4096];

	noise.state = session->serial;
	if (options.out_each) {
		snprintf(path, sizeof(path), "%s.%" PRIu64, options.out_each, session->serial);
		session->out = append_to(path);
	}
	if (options.connect && script_starts_connected(script))
		connect_to(session);
	for (const struct action *action = script; action->verb; action++) {
		session->moved = 0;
		session->error = 0;
		if (session->fd < 0 && (action->verb->use == NEEDS || action->verb->use == ENDS))
			continue;
		perform(session, action);
		if (options.verbose)
			fprintf(stderr, "peer: connection %" PRIu64 ": %s: %" PRIu64 " bytes%s%s\n",
				session->serial, action->given, session->moved,
				session->error ? ", then: " : "",
				session->error ? strerror(session->error) : "");
	}
	if (session->fd >= 0)
		close(session->fd);
	if (options.out_each)
		close(session->out);
}

/* The child dies with its parent, so that a test has one process to end. */
static void play_in_child(struct session *session, const struct action *script)
{
	pid_t parent = getpid(), child = fork();

	if (child < 0)
		die(1, "cannot fork: %s", strerror(errno));
	if (child > 0) {
		if (session->fd >= 0)
			close(session->fd);
		return;
	}
	is_child = true;
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	play(session, script);
	_exit(0);
}

int main(int argc, char **argv)
{
	static struct action *script; /* lives as long as the process, which may end anywhere */
	char *why = NULL;
	int out = -1;

	read_options(argc, argv);
	script = script_read(argv + optind, options.connect != NULL, &why);
	if (!script)
		die(2, "%s (--help lists the actions)", why);
	totals = mmap(NULL, sizeof(*totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (totals == MAP_FAILED)
		die(1, "cannot get memory");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, on_end);
	signal(SIGINT, on_end);
	signal(SIGCHLD, SIG_IGN); /* children leave no zombies, their numbers are in totals */
	if (options.out)
		out = append_to(options.out);
	if (!options.connect)
		start_listening();
	for (uint64_t serial = 1; serial <= options.connections; serial++) {
		struct session session = {.fd = -1, .out = out, .serial = serial};

		if (!options.connect && (session.fd = accept_one()) < 0)
			break;
		(options.parallel ? play_in_child : play)(&session, script);
		if (serial == UINT64_MAX)
			break;
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	summarise();
	return totals->failed ? 1 : 0;
}
