/* SPDX-License-Identifier: MIT */
/*
 * reject_client.c - logs in with a wrong password and keeps sending: does it learn why it is refused?
 *
 *     reject_client [options] PROTOCOL ADDRESS:PORT
 *
 *     we:      login (wrong) + records, as fast as it goes ------------------->
 *     server:  <---- what is wrong           ... and then it closes, in some way or other
 *
 * A server that closes at once answers what still comes with RST, which overtakes or destroys what
 * it has said: how much of that a client notices depends on the client. Two clients:
 *
 *     smart    reads at any moment, and goes on reading when a send has failed, to the very end
 *     naive    its send loop comes first; it reads when it has sent all. A failed send ends it
 *
 * --loss N: the first N packets from the server that carry something after the login is on its way
 * are dropped, by a rule in the chain that --chain names ("inet TABLE CHAIN", hooked into input; ours
 * alone: it is flushed for every trial). Each trial comes from a loopback address of its own, so that
 * no server counts them as one attacker.
 *
 * One line to stdout, separated by tabs: PROTOCOL, mode, loss, trials, in how many the whole answer came,
 * and how many were given up after --seconds because nothing went on. -v: one line a trial to stderr. Exit: 0 measured, 1 a trial could not be made, 2 bad usage.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECORD_BYTES 100	/* of payload */
#define CHUNK_BYTES (64 * 1024) /* of one send, whole records */
#define ANSWER_BYTES 8192	/* more than any server here says */
#define NAIVE_BYTES (16u << 20) /* sent before it reads: far more than all socket buffers take */
#define TRIAL_S 20		/* three retransmission time-outs are 1.4 s */

/* A protocol: what is said, and how the answer is recognised. */
struct speech {
	const char *name, *login;
	size_t (*record)(char *out);
	bool greets; /* the server speaks first */
	bool (*answered)(const char *text, size_t size);
};

static struct {
	int trials, loss, seconds, verbose;
	bool naive;
	const char *chain;
} options = {.trials = 20, .seconds = TRIAL_S, .chain = "inet refusal in"};

__attribute__((noreturn, format(printf, 2, 3))) static void die(int code, const char *format, ...)
{
	va_list list;

	fputs("reject_client: ", stderr);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	exit(code);
}

/* ---- protocols ---- */

static size_t payload(char *out)
{
	memset(out, 'r', RECORD_BYTES);
	return RECORD_BYTES;
}

static size_t stomp_record(char *out)
{
	size_t size = (size_t)sprintf(out, "SEND\ndestination:/queue/refused\n\n");

	size += payload(out + size);
	out[size++] = '\0';
	return size;
}

/* A whole ERROR frame, with its NUL. */
static bool stomp_answered(const char *text, size_t size)
{
	const char *error = memmem(text, size, "ERROR\n", 6);

	return error && memchr(error, '\0', size - (size_t)(error - text));
}

static size_t mqtt_record(char *out)
{
	const size_t topic_bytes = 1;

	out[0] = 0x30; /* PUBLISH, QoS 0 */
	out[1] = (char)(2 + topic_bytes + RECORD_BYTES);
	memcpy(out + 2, "\0\1t", 3);
	return 5 + payload(out + 5);
}

/* CONNACK that refuses: not authorised. */
static bool mqtt_answered(const char *text, size_t size)
{
	return size >= 4 && memcmp(text, "\x20\x02\x00\x05", 4) == 0;
}

static size_t nats_record(char *out)
{
	size_t size = (size_t)sprintf(out, "PUB t %d\r\n", RECORD_BYTES);

	size += payload(out + size);
	return size + (size_t)sprintf(out + size, "\r\n");
}

static bool nats_answered(const char *text, size_t size)
{
	const char *error = memmem(text, size, "-ERR ", 5);

	return error && memmem(error, size - (size_t)(error - text), "\r\n", 2);
}

/* A whole head with a status of 401 (no password) or 413 (body too large). */
static bool http_answered(const char *text, size_t size)
{
	return size > 12 && (!memcmp(text + 8, " 401", 4) || !memcmp(text + 8, " 413", 4)) &&
	       memmem(text, size, "\r\n\r\n", 4);
}

/* In MQTT's CONNECT: client id "c", user "lastack", password "wrong". */
#define MQTT_CONNECT                                                                               \
	"\x10\x1d\0\4MQTT\4\xc2\0\x3c"                                                             \
	"\0\1c"                                                                                    \
	"\0\7lastack"                                                                              \
	"\0\5wrong"
#define MQTT_CONNECT_BYTES 31

static const struct speech speeches[] = {
	{.name = "stomp",
	 .login = "CONNECT\naccept-version:1.2\nhost:/\nlogin:lastack\npasscode:wrong\n\n",
	 .record = stomp_record,
	 .answered = stomp_answered},
	{.name = "mqtt", .login = MQTT_CONNECT, .record = mqtt_record, .answered = mqtt_answered},
	{.name = "nats",
	 .login = "CONNECT {\"user\":\"lastack\",\"pass\":\"wrong\",\"verbose\":false}\r\n",
	 .record = nats_record,
	 .greets = true,
	 .answered = nats_answered},
	{.name = "http",
	 .login = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n",
	 .record = payload,
	 .answered = http_answered},
};

static size_t login_bytes(const struct speech *speech)
{
	if (!strcmp(speech->name, "mqtt"))
		return MQTT_CONNECT_BYTES;
	/* A STOMP frame ends with NUL. */
	return strlen(speech->login) + !strcmp(speech->name, "stomp");
}

/* ---- one trial ---- */

struct trial {
	const struct speech *speech;
	int fd;
	int64_t until_ms;
	const char *chunk; /* login or records */
	size_t chunk_bytes, at;
	uint64_t sent;
	char answer[ANSWER_BYTES];
	size_t answer_bytes;
	int send_error, receive_error; /* the first of each */
	bool eof, late;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static char records[CHUNK_BYTES];
static size_t records_bytes;

static void records_fill(const struct speech *speech)
{
	char one[2 * RECORD_BYTES];
	const size_t size = speech->record(one);

	for (records_bytes = 0; records_bytes + size <= sizeof(records); records_bytes += size)
		memcpy(records + records_bytes, one, size);
}

/* false: nothing within the trial's time. */
static bool await(struct trial *trial, short events, short *ready)
{
	struct pollfd poll_fd = {.fd = trial->fd, .events = events};
	const int64_t left = trial->until_ms - now_ms();

	if (left <= 0 || poll(&poll_fd, 1, (int)left) <= 0) {
		trial->late = true;
		return false;
	}
	*ready = poll_fd.revents;
	return true;
}

static bool answered(const struct trial *trial)
{
	return trial->speech->answered(trial->answer, trial->answer_bytes);
}

/* Everything that can be read now. An error is no end: what came before it may still be there. */
static void hear(struct trial *trial)
{
	while (!trial->eof && trial->answer_bytes < ANSWER_BYTES) {
		ssize_t got = recv(trial->fd, trial->answer + trial->answer_bytes,
				   ANSWER_BYTES - trial->answer_bytes, MSG_DONTWAIT);

		if (got > 0)
			trial->answer_bytes += (size_t)got;
		else if (got == 0)
			trial->eof = true;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR && trial->receive_error)
			trial->eof = true;
		else if (errno != EINTR)
			trial->receive_error = errno;
	}
}

static void say(struct trial *trial)
{
	ssize_t put = send(trial->fd, trial->chunk + trial->at, trial->chunk_bytes - trial->at,
			   MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put < 0) {
		if (errno != EAGAIN && errno != EINTR)
			trial->send_error = errno;
		return;
	}
	trial->sent += (uint64_t)put;
	trial->at += (size_t)put;
	if (trial->at == trial->chunk_bytes) {
		trial->chunk = records;
		trial->chunk_bytes = records_bytes;
		trial->at = 0;
	}
}

static void talk_smart(struct trial *trial)
{
	short ready;

	while (!trial->eof && !answered(trial) &&
	       await(trial, (short)(POLLIN | (trial->send_error ? 0 : POLLOUT)), &ready)) {
		if (ready & ~POLLOUT)
			hear(trial);
		if ((ready & POLLOUT) && !trial->send_error)
			say(trial);
	}
}

static void talk_naive(struct trial *trial)
{
	short ready;

	while (trial->sent < NAIVE_BYTES && await(trial, POLLOUT, &ready)) {
		say(trial);
		if (trial->send_error)
			return;
	}
	while (!trial->eof && !answered(trial) && await(trial, POLLIN, &ready))
		hear(trial);
}

/* ---- the way there ---- */

__attribute__((format(printf, 1, 2))) static void nft(const char *format, ...)
{
	char command[512];
	va_list list;

	va_start(list, format);
	vsnprintf(command, sizeof(command), format, list);
	va_end(list);
	if (system(command) != 0)
		die(1, "this failed: %s", command);
}

/*
 * PSH marks what carries something, also when it is sent again; a mere ACK or FIN has none. A bucket of
 * N packets that takes an hour to gain another one is a counter.
 */
static void lose_packets(const struct trial *trial)
{
	struct sockaddr_in ours = {0}, theirs = {0};
	socklen_t size = sizeof(ours), peer_size = sizeof(theirs);

	if (getsockname(trial->fd, (void *)&ours, &size) < 0 ||
	    getpeername(trial->fd, (void *)&theirs, &peer_size) < 0)
		die(1, "no names of a connected socket: %s", strerror(errno));
	nft("nft flush chain %s", options.chain);
	nft("nft 'add rule %s tcp sport %u tcp dport %u tcp flags & psh == psh "
	    "limit rate 1/hour burst %d packets counter drop'",
	    options.chain, ntohs(theirs.sin_port), ntohs(ours.sin_port), options.loss);
}

/* A packet that was not dropped is no loss; the rule's counter knows. */
static int lost_packets(void)
{
	char command[256], line[512];
	int lost = 0;
	FILE *list;

	snprintf(command, sizeof(command), "nft list chain %s", options.chain);
	list = popen(command, "r");
	while (list && fgets(line, sizeof(line), list)) {
		const char *counter = strstr(line, "counter packets ");

		if (counter)
			lost = atoi(counter + strlen("counter packets "));
	}
	if (list)
		pclose(list);
	return lost;
}

static struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	const char *colon = strchr(text, ':');
	char host[INET_ADDRSTRLEN];

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		die(2, "'%s' is not ADDRESS:PORT", text);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	address.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
		die(2, "'%s' is not an IPv4 address", host);
	return address;
}

/* 127.64.0.0 and above: another one for every trial, and hardly twice in many runs. */
static int reach(const struct sockaddr_in *server, int serial)
{
	struct sockaddr_in own = {.sin_family = AF_INET};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const uint32_t number = ((uint32_t)getpid() * 64 + (uint32_t)serial) & 0x1fffff;

	own.sin_addr.s_addr = htonl(0x7f400001 + number);
	if (fd < 0 || bind(fd, (const void *)&own, sizeof(own)) < 0 ||
	    connect(fd, (const void *)server, sizeof(*server)) < 0)
		die(1, "no connection: %s", strerror(errno));
	return fd;
}

static void greeted(struct trial *trial)
{
	short ready;

	while (!memchr(trial->answer, '\n', trial->answer_bytes) && !trial->eof &&
	       await(trial, POLLIN, &ready))
		hear(trial);
	trial->answer_bytes = 0;
}

static bool trial_run(const struct speech *speech, const struct sockaddr_in *server, int serial,
		      bool *late)
{
	struct trial trial = {.speech = speech,
			      .fd = reach(server, serial),
			      .until_ms = now_ms() + options.seconds * 1000,
			      .chunk = speech->login,
			      .chunk_bytes = login_bytes(speech)};
	const int64_t began_ms = now_ms();
	bool arrived;

	if (speech->greets)
		greeted(&trial);
	if (options.loss > 0)
		lose_packets(&trial);
	(options.naive ? talk_naive : talk_smart)(&trial);
	arrived = answered(&trial);
	if (options.verbose)
		fprintf(stderr,
			"trial %d: %s after %lld ms, %llu bytes sent, %zu came, send %s, receive %s%s%s, "
			"%d lost\n",
			serial, arrived ? "told" : "NOT told", (long long)(now_ms() - began_ms),
			(unsigned long long)trial.sent, trial.answer_bytes,
			trial.send_error ? strerror(trial.send_error) : "fine",
			trial.receive_error ? strerror(trial.receive_error) : "fine",
			trial.eof ? ", EOF" : "", trial.late ? ", out of time" : "",
			options.loss > 0 ? lost_packets() : 0);
	close(trial.fd);
	*late = trial.late;
	return arrived;
}

/* ---- command line ---- */

static const struct speech *speech_named(const char *name)
{
	for (size_t i = 0; i < sizeof(speeches) / sizeof(*speeches); i++)
		if (!strcmp(speeches[i].name, name))
			return &speeches[i];
	die(2, "'%s' is none of stomp, mqtt, nats, http", name);
}

static void options_read(int argc, char **argv)
{
	static const struct option known[] = {
		{"mode", required_argument, NULL, 'm'},
		{"loss", required_argument, NULL, 'l'},
		{"trials", required_argument, NULL, 't'},
		{"seconds", required_argument, NULL, 's'},
		{"chain", required_argument, NULL, 'c'},
		{"verbose", no_argument, NULL, 'v'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "v", known, NULL)) != -1) {
		if (option == 'm' && strcmp(optarg, "smart") != 0 && strcmp(optarg, "naive") != 0)
			die(2, "--mode is smart or naive");
		if (option == 'm')
			options.naive = !strcmp(optarg, "naive");
		else if (option == 'l')
			options.loss = atoi(optarg);
		else if (option == 't')
			options.trials = atoi(optarg);
		else if (option == 's')
			options.seconds = atoi(optarg);
		else if (option == 'c')
			options.chain = optarg;
		else if (option == 'v')
			options.verbose = 1;
		else
			exit(2);
	}
	if (argc - optind != 2 || options.trials < 1 || options.loss < 0)
		die(2,
		    "usage: reject_client [--mode smart|naive] [--loss N] [--trials N] [--seconds N] [--chain "
		    "'FAMILY TABLE CHAIN'] [-v] stomp|mqtt|nats|http ADDRESS:PORT");
}

int main(int argc, char **argv)
{
	const struct speech *speech;
	struct sockaddr_in server;
	int arrived = 0, hung = 0;

	options_read(argc, argv);
	speech = speech_named(argv[optind]);
	server = address_of(argv[optind + 1]);
	records_fill(speech);
	for (int serial = 0; serial < options.trials; serial++) {
		bool late;

		arrived += trial_run(speech, &server, serial, &late);
		hung += late;
	}
	printf("%s\t%s\t%d\t%d\t%d\t%d\n", speech->name, options.naive ? "naive" : "smart",
	       options.loss, options.trials, arrived, hung);
	return 0;
}
