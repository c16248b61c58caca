/* SPDX-License-Identifier: MIT */
/*
 * stomp_server.c - a scripted STOMP broker of nobody's: it answers as told, well or badly.
 *
 *     stomp_server [options]      one connection after another; says each frame it got on stdout
 *
 * --address A --port N --port-file FILE   where it listens (127.0.0.1, any port), and where to say so
 * --faults N          what is told below happens in the first N connections only
 * login:
 *   --say TEXT        is no STOMP: this is said at once, and the connection closed
 *   --mute            never answers CONNECT
 *   --reject          answers it with ERROR
 *   --version V       of CONNECTED (1.2; "": no such header)
 *   --server NAME     server header of CONNECTED
 *   --heart-beat X,Y  header of CONNECTED; a beat is sent every X ms
 *   --no-beats        ... but it is not
 * receipts:
 *   --receipts at-once | never | late=MS | reverse=N | last=N
 *                     reverse: held until there are N or 100 ms were quiet, then the newest first
 *                     last: likewise, but only the newest is said: cumulative
 * records:
 *   --error-at N      ERROR to the N-th record of a connection
 *   --refuse TEXT     ERROR to every record with this body
 *   --error-id        ... with the receipt-id of the record
 *   --close-at N, --reset-at N     FIN or RST at the N-th record, without a word
 * ERROR:
 *   --message TEXT --body TEXT --retry-after TEXT --shutdown       its headers and body
 *   --stay            after ERROR it is the client who has to close
 *   --never-close     ... and even then this side does not
 *
 * A line of stdout: connection, COMMAND, headers, =body, separated by tabs; at the end of a
 * connection: connection, END, eof | reset | closed, in-flight:MAX. Exit: killed, or 2 for bad usage.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define IN_BYTES (8u << 20) /* more than the largest record of any test */
#define HELD_MAX 100000	    /* receipts */
#define ID_BYTES 64
#define QUIET_MS 100

static struct {
	const char *address, *port_file, *say, *version, *server, *heart_beat, *receipts;
	const char *refuse, *message, *body, *retry_after;
	int port, faults, error_at, close_at, reset_at;
	int mute, reject, no_beats, error_id, shutdown, stay, never_close;
} options = {.address = "127.0.0.1",
	     .version = "1.2",
	     .receipts = "at-once",
	     .message = "no",
	     .faults = INT32_MAX};

struct held {
	char id[ID_BYTES];
	int record; /* of this connection */
	int64_t due_ms;
};

static struct {
	int fd, serial;
	bool faulty, over; /* over: nothing more is read or said, but for the peer's end */
	size_t used;
	int records, in_flight, in_flight_max;
	int held_count;
	int64_t beat_ms, heard_ms; /* the next beat of ours; the last byte of theirs */
	int beat_every_ms;
} conn;

static char in[IN_BYTES + 1];
static struct held held[HELD_MAX];

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* A client that has gone is found by reading. */
static void out(const char *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(conn.fd, data, size, MSG_NOSIGNAL);

		if (sent < 0)
			return;
		data += sent;
		size -= (size_t)sent;
	}
}

static void out_text(const char *text)
{
	out(text, strlen(text));
}

/* ---- ends -------------------------------------------------------------------------------- */

static void end(const char *how)
{
	printf("%d\tEND\t%s\tin-flight:%d\n", conn.serial, how, conn.in_flight_max);
	if (!options.never_close || !conn.over)
		(void)close(conn.fd);
	conn.fd = -1;
}

static void reset(void)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(conn.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	end("reset");
}

/* FIN, and the rest is read: a close() with unread bytes would be a reset. */
static void leave(void)
{
	(void)shutdown(conn.fd, SHUT_WR);
	conn.over = true;
}

static void error(const char *receipt_id)
{
	char frame[4096];
	int size = snprintf(frame, sizeof(frame), "ERROR\nmessage:%s\n", options.message);

	if (receipt_id)
		size += snprintf(frame + size, sizeof(frame) - (size_t)size, "receipt-id:%s\n",
				 receipt_id);
	if (options.retry_after)
		size += snprintf(frame + size, sizeof(frame) - (size_t)size, "retry-after:%s\n",
				 options.retry_after);
	if (options.shutdown)
		size += snprintf(frame + size, sizeof(frame) - (size_t)size, "shutdown:true\n");
	size += snprintf(frame + size, sizeof(frame) - (size_t)size, "\n%s",
			 options.body ? options.body : "");
	out(frame, (size_t)size + 1);
	if (options.stay || options.never_close)
		conn.over = true;
	else
		leave();
}

/* ---- receipts ---------------------------------------------------------------------------- */

static void receipt(const char *id)
{
	out_text("RECEIPT\nreceipt-id:");
	out_text(id);
	out("\n\n", 3);
}

/* The number behind '=' of "name=N", or -1: it is another. */
static int mode(const char *name)
{
	size_t size = strlen(name);

	if (strncmp(options.receipts, name, size) != 0 || options.receipts[size] != '=')
		return -1;
	return atoi(options.receipts + size + 1);
}

static void release(int64_t now)
{
	int reverse = mode("reverse"), last = mode("last"), done = 0;
	int enough = reverse > 0 ? reverse : last;

	if (conn.held_count == 0)
		return;
	if (enough < 0) {
		while (done < conn.held_count && held[done].due_ms <= now)
			receipt(held[done++].id);
	} else if (conn.held_count >= enough || now - conn.heard_ms >= QUIET_MS) {
		for (done = conn.held_count; reverse > 0 && done > 0; done--)
			receipt(held[done - 1].id);
		if (last > 0)
			receipt(held[conn.held_count - 1].id);
		done = conn.held_count;
	}
	if (last > 0 && done > 0) /* it speaks for those that asked for none, too */
		conn.in_flight = conn.records - held[done - 1].record;
	else
		conn.in_flight -= done;
	conn.held_count -= done;
	memmove(held, held + done, (size_t)conn.held_count * sizeof(held[0]));
}

static void hold(const char *id, int64_t now)
{
	int late_ms = conn.faulty ? mode("late") : -1;

	if (!conn.faulty || strcmp(options.receipts, "at-once") == 0) {
		receipt(id);
		conn.in_flight--;
		return;
	}
	if (strcmp(options.receipts, "never") == 0 || conn.held_count == HELD_MAX)
		return;
	held[conn.held_count].record = conn.records;
	(void)snprintf(held[conn.held_count].id, ID_BYTES, "%s", id);
	held[conn.held_count++].due_ms = now + (late_ms > 0 ? late_ms : 0);
}

/* ---- frames ------------------------------------------------------------------------------ */

/* The value of a header in a frame's head, which is ended by NUL; "" for none. Into one of two. */
static const char *header(const char *head, const char *name)
{
	static char values[2][256];
	static int which;
	const char *at = head;

	which = !which;
	values[which][0] = '\0';
	while ((at = strchr(at, '\n'))) {
		at++;
		if (strncmp(at, name, strlen(name)) != 0 || at[strlen(name)] != ':')
			continue;
		at += strlen(name) + 1;
		(void)snprintf(values[which], sizeof(values[which]), "%.*s",
			       (int)strcspn(at, "\r\n"), at);
		break;
	}
	return values[which];
}

static void connected(int64_t now)
{
	char frame[1024];
	const char *version = conn.faulty ? options.version : "1.2";
	int size = snprintf(frame, sizeof(frame), "CONNECTED\n");

	if (*version)
		size += snprintf(frame + size, sizeof(frame) - (size_t)size, "version:%s\n",
				 version);
	if (options.server)
		size += snprintf(frame + size, sizeof(frame) - (size_t)size, "server:%s\n",
				 options.server);
	if (options.heart_beat)
		size += snprintf(frame + size, sizeof(frame) - (size_t)size, "heart-beat:%s\n",
				 options.heart_beat);
	size += snprintf(frame + size, sizeof(frame) - (size_t)size, "\n");
	out(frame, (size_t)size + 1);
	conn.beat_every_ms = options.heart_beat && !(options.no_beats && conn.faulty)
				     ? atoi(options.heart_beat)
				     : 0;
	conn.beat_ms = now + conn.beat_every_ms;
}

static void on_connect(int64_t now)
{
	if (conn.faulty && options.reject)
		error(NULL);
	else if (!conn.faulty || !options.mute)
		connected(now);
}

static void on_send(const char *head, const char *body, int64_t now)
{
	const char *id = header(head, "receipt");
	bool refused = options.refuse && strcmp(body, options.refuse) == 0;

	conn.records++;
	conn.in_flight++;
	if (conn.in_flight > conn.in_flight_max)
		conn.in_flight_max = conn.in_flight;
	if (conn.faulty && conn.records == options.close_at)
		leave();
	else if (conn.faulty && conn.records == options.reset_at)
		reset();
	else if (refused || (conn.faulty && conn.records == options.error_at))
		error(options.error_id && *id ? id : NULL);
	else if (*id)
		hold(id, now);
}

static void on_disconnect(const char *head)
{
	const char *id = header(head, "receipt");

	release(INT64_MAX);
	if (*id)
		receipt(id);
	leave();
}

static void say(const char *head, const char *body)
{
	printf("%d\t", conn.serial);
	for (const char *at = head; *at; at++)
		putchar(*at == '\n' ? '\t' : *at == '\t' ? ' ' : *at);
	if (*body)
		putchar('=');
	for (const char *at = body; *at; at++)
		putchar((unsigned char)*at < ' ' ? '?' : *at);
	putchar('\n');
}

static void on_frame(const char *head, const char *body, int64_t now)
{
	say(head, body);
	if (strncmp(head, "CONNECT\n", 8) == 0 || strncmp(head, "STOMP\n", 6) == 0)
		on_connect(now);
	else if (strncmp(head, "SEND\n", 5) == 0)
		on_send(head, body, now);
	else if (strncmp(head, "DISCONNECT\n", 11) == 0)
		on_disconnect(head);
}

/* One frame or heart-beat at data; its bytes, 0: not all of it is there. */
static size_t take(char *data, size_t size, int64_t now)
{
	char *gap, *body, *nul;
	long length;

	if (*data == '\n' || *data == '\r') {
		if (*data == '\n')
			printf("%d\tBEAT\n", conn.serial);
		return 1;
	}
	gap = memmem(data, size, "\n\n", 2);
	if (!gap)
		return 0;
	body = gap + 2;
	gap[1] = '\0';
	length = *header(data, "content-length") ? atol(header(data, "content-length")) : -1;
	if (length >= 0)
		nul = (size_t)length < size - (size_t)(body - data) ? body + length : NULL;
	else
		nul = memchr(body, '\0', size - (size_t)(body - data));
	if (!nul) {
		gap[1] = '\n';
		return 0;
	}
	on_frame(data, body, now);
	return (size_t)(nul + 1 - data);
}

static void take_all(int64_t now)
{
	size_t at = 0, used = 1;

	while (conn.fd >= 0 && !conn.over && at < conn.used && used > 0) {
		used = take(in + at, conn.used - at, now);
		at += used;
	}
	if (conn.over)
		at = conn.used;
	conn.used -= at;
	memmove(in, in + at, conn.used);
}

/* ---- the loop ---------------------------------------------------------------------------- */

static void read_on(int64_t now)
{
	ssize_t got = recv(conn.fd, in + conn.used, IN_BYTES - conn.used, 0);

	if (got <= 0) {
		end(got == 0 ? "eof" : "reset");
		return;
	}
	conn.heard_ms = now;
	conn.used += (size_t)got;
	take_all(now);
}

static int timeout_ms(int64_t now)
{
	int64_t at = now + 1000;

	if (conn.beat_every_ms > 0 && conn.beat_ms < at)
		at = conn.beat_ms;
	if (conn.held_count > 0) {
		int64_t due = mode("late") >= 0 ? held[0].due_ms : conn.heard_ms + QUIET_MS;

		at = due < at ? due : at;
	}
	return at > now ? (int)(at - now) : 0;
}

static void serve(int fd, int serial)
{
	memset(&conn, 0, sizeof(conn));
	conn.fd = fd;
	conn.serial = serial;
	conn.faulty = serial <= options.faults;
	conn.heard_ms = now_ms();
	if (conn.faulty && options.say) {
		out_text(options.say);
		leave();
	}
	while (conn.fd >= 0) {
		struct pollfd slot = {.fd = conn.fd, .events = POLLIN};
		int64_t now = now_ms();
		int ready = poll(&slot, 1, timeout_ms(now));

		now = now_ms();
		if (ready > 0)
			read_on(now);
		if (conn.fd < 0 || conn.over)
			continue;
		release(now);
		if (conn.beat_every_ms > 0 && now >= conn.beat_ms) {
			out("\n", 1);
			conn.beat_ms = now + conn.beat_every_ms;
		}
	}
}

static int listen_at(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)options.port)};
	socklen_t size = sizeof(address);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *file;

	if (inet_pton(AF_INET, options.address, &address.sin_addr) != 1)
		die(options.address);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, SOMAXCONN) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) != 0)
		die("listen");
	if (!options.port_file)
		return fd;
	file = fopen(options.port_file, "we");
	if (!file || fprintf(file, "%d\n", ntohs(address.sin_port)) < 0 || fclose(file) != 0)
		die(options.port_file);
	return fd;
}

/* ---- options ----------------------------------------------------------------------------- */

static const struct text {
	const char *name;
	const char **value;
} texts[] = {
	{"address", &options.address},
	{"port-file", &options.port_file},
	{"say", &options.say},
	{"version", &options.version},
	{"server", &options.server},
	{"heart-beat", &options.heart_beat},
	{"receipts", &options.receipts},
	{"refuse", &options.refuse},
	{"message", &options.message},
	{"body", &options.body},
	{"retry-after", &options.retry_after},
};

static const struct number {
	const char *name;
	int *value;
} numbers[] = {
	{"port", &options.port},	 {"faults", &options.faults},
	{"error-at", &options.error_at}, {"close-at", &options.close_at},
	{"reset-at", &options.reset_at},
};

static const struct number flags[] = {
	{"mute", &options.mute},
	{"reject", &options.reject},
	{"no-beats", &options.no_beats},
	{"error-id", &options.error_id},
	{"shutdown", &options.shutdown},
	{"stay", &options.stay},
	{"never-close", &options.never_close},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* 0: none of this name; else the number of words it took. */
static int option(const char *name, const char *value)
{
	for (size_t i = 0; i < COUNT(flags); i++)
		if (strcmp(name, flags[i].name) == 0)
			return *flags[i].value = 1;
	for (size_t i = 0; value && i < COUNT(numbers); i++)
		if (strcmp(name, numbers[i].name) == 0)
			return *numbers[i].value = atoi(value), 2;
	for (size_t i = 0; value && i < COUNT(texts); i++)
		if (strcmp(name, texts[i].name) == 0)
			return *texts[i].value = value, 2;
	return 0;
}

int main(int count, char **args)
{
	int listener, on = 1;

	for (int i = 1; i < count;) {
		int used = strncmp(args[i], "--", 2) == 0 ? option(args[i] + 2, args[i + 1]) : 0;

		if (used == 0) {
			fprintf(stderr,
				"stomp_server: %s: the beginning of my source says what is "
				"accepted\n",
				args[i]);
			return 2;
		}
		i += used;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	listener = listen_at();
	for (int serial = 1;; serial++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			die("accept");
		/* A frame is several writes: the last one is not to wait for an ACK. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		serve(fd, serial);
	}
}
