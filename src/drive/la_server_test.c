/* SPDX-License-Identifier: MIT */
/*
 * The public server on the real kernel, over loopback, with clients in the same thread: whoever waits
 * for an answer turns the server's loop meanwhile. Each claim ends with as many descriptors as it began
 * with. What the server does on a bad network and a bad disk is in server_sim_test.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/slice.h"

#include <lastack/server.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Everything here takes milliseconds; what takes this long hangs. */
#define BOUND_NS (20 * LAI_S)
#define HEARD_MAX (256u << 10)
#define PATH_MAX_HERE 256
#define CROWD 300

/* ---- the server and its events ------------------------------------------------------------ */

struct rig {
	struct la_server *server;
	struct la_server_config config;
	char dir[PATH_MAX_HERE], into[PATH_MAX_HERE + 16], users[PATH_MAX_HERE + 16];
	int events[LA_SERVER_EVENT_COUNT];
	int ends[LA_SESSION_END_COUNT];
	enum la_words words; /* of the last session that ended */
	char message[256], user[64], claimed[64];
	int descriptors;
	bool stopped;
};

static int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}

static void on_event(void *arg, const struct la_server_event *event)
{
	struct rig *rig = arg;

	rig->events[event->kind]++;
	if (event->kind != LA_SERVER_ENDED)
		return;
	assert_non_null(event->session->report);
	rig->ends[event->session->end]++;
	rig->words = event->session->words;
	(void)snprintf(rig->message, sizeof(rig->message), "%s", event->session->message);
	(void)snprintf(rig->user, sizeof(rig->user), "%s", event->session->user);
	(void)snprintf(rig->claimed, sizeof(rig->claimed), "%s", event->session->claimed);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void prepare(struct rig *rig)
{
	*rig = (struct rig){.descriptors = descriptors()};
	(void)snprintf(rig->dir, sizeof(rig->dir), "%s/lastack-server.XXXXXX",
		       getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(rig->dir));
	(void)snprintf(rig->into, sizeof(rig->into), "%s/into/", rig->dir);
	(void)snprintf(rig->users, sizeof(rig->users), "%s/users", rig->dir);
	la_server_config_default(&rig->config);
	rig->config.url = "stomp://127.0.0.1:0";
	rig->config.into = rig->into;
	rig->config.durability = LA_DURABILITY_NONE;
	rig->config.on_event = on_event;
	rig->config.arg = rig;
}

static void with_users(struct rig *rig)
{
	char *line = NULL, *error = NULL;

	assert_int_equal(la_user_line(&line, "ann", "right", &error), 0);
	write_file(rig->users, line);
	free(line);
	rig->config.users = rig->users;
}

static void start(struct rig *rig)
{
	char *error = NULL;
	int status = la_server_new(&rig->server, &rig->config, &error);

	if (status != 0)
		print_message("%s\n", error ? error : strerror(-status));
	assert_int_equal(status, 0);
	assert_null(error);
	assert_true(la_server_port(rig->server) > 0);
}

/* Waits as long as the server's loop would, and turns it once. */
static void turn(struct rig *rig, int also_fd)
{
	struct pollfd slots[] = {{.fd = la_server_fd(rig->server), .events = POLLIN},
				 {.fd = also_fd, .events = POLLIN}};
	uint64_t until_ns = lai_time_min(la_server_deadline(rig->server),
					 lai_time_after(lai_clock_now(), LAI_S / 10));

	(void)poll(slots, 2, until_ns == 0 ? 0 : lai_clock_timeout_ms(until_ns));
	if (la_server_dispatch(rig->server) == 1)
		rig->stopped = true;
}

static void finish(struct rig *rig)
{
	char command[PATH_MAX_HERE + 16];

	la_server_free(rig->server);
	rig->server = NULL;
	assert_int_equal(descriptors(), rig->descriptors);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", rig->dir);
	assert_int_equal(system(command), 0);
}

static void stop(struct rig *rig)
{
	uint64_t by_ns = lai_clock_now() + BOUND_NS;

	la_server_stop(rig->server, BOUND_NS);
	while (!rig->stopped) {
		turn(rig, -1);
		assert_true(lai_clock_now() < by_ns);
	}
	finish(rig);
}

#define UNTIL(rig, condition)                                                                      \
	do {                                                                                       \
		uint64_t by_ns_ = lai_clock_now() + BOUND_NS;                                      \
		while (!(condition)) {                                                             \
			turn(rig, -1);                                                             \
			assert_true(lai_clock_now() < by_ns_);                                     \
		}                                                                                  \
	} while (0)

/* ---- a client ----------------------------------------------------------------------------- */

struct client {
	struct rig *rig;
	int fd;
	char *heard; /* with '@' for NUL */
	size_t size;
	bool eof;
	int error;
};

/* from: the last byte of its address 127.0.0.x. */
static void client_open_from(struct client *client, struct rig *rig, uint8_t from)
{
	struct sockaddr_in local = {.sin_family = AF_INET}, address = {.sin_family = AF_INET};

	*client = (struct client){.rig = rig, .heard = calloc(1, HEARD_MAX + 1)};
	assert_non_null(client->heard);
	local.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + from);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(la_server_port(rig->server));
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(client->fd >= 0);
	assert_int_equal(bind(client->fd, (struct sockaddr *)&local, sizeof(local)), 0);
	assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
}

static void client_open(struct client *client, struct rig *rig)
{
	client_open_from(client, rig, 1);
}

static void client_hear(struct client *client)
{
	ssize_t size = 1;

	while (size > 0 && !client->eof) {
		size = recv(client->fd, client->heard + client->size, HEARD_MAX - client->size, 0);
		if (size < 0 && errno != EAGAIN)
			client->error = errno;
		client->eof = size == 0 || client->error != 0;
		for (ssize_t i = 0; i < size; i++)
			if (client->heard[client->size + (size_t)i] == '\0')
				client->heard[client->size + (size_t)i] = '@';
		client->size += size > 0 ? (size_t)size : 0;
		client->heard[client->size] = '\0';
	}
}

/* All of it, turning the server where its window is closed. */
static void client_send(struct client *client, const void *data, size_t size)
{
	uint64_t by_ns = lai_clock_now() + BOUND_NS;
	const char *bytes = data;

	while (size > 0) {
		ssize_t sent = send(client->fd, bytes, size, MSG_NOSIGNAL);

		if (sent < 0)
			assert_int_equal(errno, EAGAIN);
		bytes += sent > 0 ? sent : 0;
		size -= sent > 0 ? (size_t)sent : 0;
		if (size > 0)
			turn(client->rig, -1);
		assert_true(lai_clock_now() < by_ns);
	}
}

/* A literal with its final NUL, which ends a frame. */
#define SAY(client, frame) client_send(client, frame, sizeof(frame))

static void client_close(struct client *client)
{
	(void)close(client->fd);
	free(client->heard);
}

static void await_text(struct client *client, const char *text)
{
	uint64_t by_ns = lai_clock_now() + BOUND_NS;

	while (!strstr(client->heard, text)) {
		turn(client->rig, client->fd);
		client_hear(client);
		if ((client->eof && !strstr(client->heard, text)) || lai_clock_now() >= by_ns)
			fail_msg("no '%s' in '%s'", text, client->heard);
	}
}

static void await_eof(struct client *client)
{
	uint64_t by_ns = lai_clock_now() + BOUND_NS;

	while (!client->eof) {
		turn(client->rig, client->fd);
		client_hear(client);
		assert_true(lai_clock_now() < by_ns);
	}
}

#define HELLO "CONNECT\naccept-version:1.2\nhost:here\n\n"
#define LOGIN(user, password)                                                                      \
	"CONNECT\naccept-version:1.2\nhost:here\nlogin:" user "\npasscode:" password "\n\n"

static void client_enter(struct client *client, struct rig *rig)
{
	client_open(client, rig);
	SAY(client, HELLO);
	await_text(client, "CONNECTED\n");
}

static void send_record(struct client *client, unsigned seq, const char *body)
{
	char frame[512];
	int size = snprintf(frame, sizeof(frame),
			    "SEND\ndestination:/queue/a\nrecord-id:me-%u\nreceipt:r%u\n\n%s", seq,
			    seq, body);

	client_send(client, frame, (size_t)size + 1);
}

/* The file of /queue/a. */
static char *stored(const struct rig *rig)
{
	static char text[HEARD_MAX];
	char path[PATH_MAX_HERE * 2];
	size_t size = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s%%2Fqueue%%2Fa.log", rig->into);
	file = fopen(path, "re");
	if (file) {
		size = fread(text, 1, sizeof(text) - 1, file);
		(void)fclose(file);
	}
	text[size] = '\0';
	return text;
}

/* ---- records and receipts ----------------------------------------------------------------- */

static void a_record_is_stored_and_then_confirmed(void **state)
{
	struct client client;
	struct rig rig;

	(void)state;
	prepare(&rig);
	start(&rig);
	client_enter(&client, &rig);
	send_record(&client, 1, "first");
	send_record(&client, 2, "second");
	await_text(&client, "receipt-id:r2");
	assert_string_equal(stored(&rig), "first\nsecond\n");
	SAY(&client, "DISCONNECT\nreceipt:bye\n\n");
	await_text(&client, "receipt-id:bye");
	await_eof(&client);
	client_close(&client);
	UNTIL(&rig, rig.ends[LA_SESSION_FAREWELL] == 1);
	assert_int_equal(rig.events[LA_SERVER_LISTENS], 1);
	assert_int_equal(rig.events[LA_SERVER_ACCEPTED], 1);
	assert_int_equal(rig.events[LA_SERVER_LOGIN], 1);
	stop(&rig);
}

static void what_comes_again_is_confirmed_and_not_stored(void **state)
{
	struct la_server_totals totals;
	struct client client;
	struct rig rig;

	(void)state;
	prepare(&rig);
	start(&rig);
	for (int run = 0; run < 2; run++) {
		client_enter(&client, &rig);
		send_record(&client, 1, "once");
		await_text(&client, "receipt-id:r1");
		client_close(&client);
	}
	UNTIL(&rig, rig.ends[LA_SESSION_PEER] == 2);
	la_server_totals(rig.server, &totals);
	assert_int_equal(totals.records, 1);
	assert_int_equal(totals.duplicate_records, 1);
	assert_int_equal(totals.open, 0);
	assert_int_equal(totals.logged_in, 0);
	assert_string_equal(stored(&rig), "once\n");
	stop(&rig);
}

static void login_and_records_in_one_segment(void **state)
{
	static const char all[] = LOGIN("ann", "right") "\0SEND\ndestination:/queue/a\n"
							"receipt:1\n\nx\0DISCONNECT\nreceipt:2\n\n";
	struct client client;
	struct rig rig;

	(void)state;
	prepare(&rig);
	with_users(&rig);
	start(&rig);
	client_open(&client, &rig);
	client_send(&client, all, sizeof(all));
	await_text(&client, "receipt-id:2");
	assert_non_null(strstr(client.heard, "receipt-id:1"));
	assert_string_equal(stored(&rig), "x\n");
	client_close(&client);
	UNTIL(&rig, rig.ends[LA_SESSION_FAREWELL] == 1);
	assert_string_equal(rig.user, "ann");
	stop(&rig);
}

/* Two users, one sender's id: neither can make the other's records look like repeats. */
static void senders_are_known_by_their_users(void **state)
{
	static const char *const names[] = {"ann", "bob/x"};
	char *lines[2], *both, *error = NULL;
	struct la_server_totals totals;
	struct client client;
	struct rig rig;

	(void)state;
	prepare(&rig);
	for (int i = 0; i < 2; i++)
		assert_int_equal(la_user_line(&lines[i], names[i], "right", &error), 0);
	assert_true(asprintf(&both, "%s\n%s\n", lines[0], lines[1]) > 0);
	write_file(rig.users, both);
	rig.config.users = rig.users;
	start(&rig);
	for (int i = 0; i < 3; i++) {
		char login[128];
		int size = snprintf(login, sizeof(login),
				    "CONNECT\naccept-version:1.2\nhost:x\nlogin:%s\n"
				    "passcode:right\n\n",
				    names[i % 2]);

		client_open(&client, &rig);
		client_send(&client, login, (size_t)size + 1);
		send_record(&client, 1, names[i % 2]);
		await_text(&client, "receipt-id:r1");
		client_close(&client);
	}
	la_server_totals(rig.server, &totals);
	assert_int_equal(totals.records, 2);
	assert_int_equal(totals.duplicate_records, 1);
	assert_string_equal(stored(&rig), "ann\nbob/x\n");
	free(lines[0]);
	free(lines[1]);
	free(both);
	stop(&rig);
}

/* A pipe that nobody reads is full after 64 KiB: a receipt would be a lie. */
static void nothing_is_confirmed_before_it_is_stored(void **state)
{
	static char body[40000];
	int pipe_fds[2], receipts = 0;
	struct client client;
	char got[4096];
	struct rig rig;

	(void)state;
	prepare(&rig);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	memset(body, 'b', sizeof(body));
	rig.config.into = "-";
	rig.config.output = pipe_fds[1];
	rig.config.record_bytes_max = sizeof(body);
	rig.config.store_buffer_bytes = 1; /* raised to two records */
	start(&rig);
	client_enter(&client, &rig);
	for (int i = 0; i < 12; i++) {
		char head[64];
		int size = snprintf(head, sizeof(head), "SEND\ndestination:a\nreceipt:r%d\n\n", i);
		struct iovec iov[] = {{head, (size_t)size}, {body, sizeof(body)}};
		struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
		char zero = '\0';

		/* Its kernel and ours take all of it: sent without waiting for the server. */
		if (sendmsg(client.fd, &message, MSG_NOSIGNAL) != size + (ssize_t)sizeof(body))
			break;
		assert_int_equal(send(client.fd, &zero, 1, MSG_NOSIGNAL), 1);
		receipts++;
	}
	assert_true(receipts >= 4);
	/* What fits into the pipe is stored; whatever is turned, the rest is not. */
	await_text(&client, "receipt-id:r0");
	for (int i = 0; i < 5; i++)
		turn(&rig, client.fd);
	client_hear(&client);
	(void)snprintf(got, sizeof(got), "receipt-id:r%d\n", receipts - 1);
	assert_null(strstr(client.heard, got));
	assert_int_equal(fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK), 0);
	for (uint64_t by_ns = lai_clock_now() + BOUND_NS; !strstr(client.heard, got);) {
		char taken[65536];

		(void)!read(pipe_fds[0], taken, sizeof(taken));
		turn(&rig, client.fd);
		client_hear(&client);
		assert_true(lai_clock_now() < by_ns);
	}
	client_close(&client);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	stop(&rig);
}

/* ---- refusals ----------------------------------------------------------------------------- */

/* The ERROR up to its NUL, and how it ended. */
static char *refusal_of(struct rig *rig, const char *login, size_t size, uint8_t from)
{
	struct client client;
	char *text;

	client_open_from(&client, rig, from);
	client_send(&client, login, size);
	await_text(&client, "@");
	await_eof(&client);
	assert_int_equal(client.error, 0);
	text = strdup(client.heard);
	client_close(&client);
	return text;
}

#define REFUSAL_OF(rig, login, from) refusal_of(rig, login, sizeof(login), from)

static void unknown_user_and_wrong_password_are_told_the_same(void **state)
{
	char *wrong, *unknown, *none;
	struct rig rig;

	(void)state;
	prepare(&rig);
	with_users(&rig);
	start(&rig);
	wrong = REFUSAL_OF(&rig, LOGIN("ann", "wrong"), 1);
	UNTIL(&rig, rig.ends[LA_SESSION_LOGIN_REJECTED] == 1);
	assert_int_equal(rig.words, LA_WORDS_CONSUMED);
	assert_string_equal(rig.user, "");
	assert_string_equal(rig.claimed, "ann");
	unknown = REFUSAL_OF(&rig, LOGIN("bob", "right"), 1);
	UNTIL(&rig, rig.ends[LA_SESSION_LOGIN_REJECTED] == 2);
	assert_memory_equal(wrong, "ERROR\n", 6);
	assert_string_equal(wrong, unknown);
	none = REFUSAL_OF(&rig, HELLO, 1);
	UNTIL(&rig, rig.ends[LA_SESSION_NOT_AUTHORIZED] == 1);
	assert_string_not_equal(none, wrong);
	free(wrong);
	free(unknown);
	free(none);
	stop(&rig);
}

static void too_many_failures_are_refused_unseen(void **state)
{
	struct client client;
	struct rig rig;
	char *text;

	(void)state;
	prepare(&rig);
	with_users(&rig);
	rig.config.failures_max = 2;
	start(&rig);
	for (int i = 0; i < 2; i++)
		free(REFUSAL_OF(&rig, LOGIN("ann", "wrong"), 1));
	/* Even the right one, now; another address is not concerned. */
	text = REFUSAL_OF(&rig, LOGIN("ann", "right"), 1);
	assert_non_null(strstr(text, "\nretry-after:"));
	free(text);
	UNTIL(&rig, rig.ends[LA_SESSION_TOO_MANY_FAILURES] == 1);
	client_open_from(&client, &rig, 2);
	SAY(&client, LOGIN("ann", "right"));
	await_text(&client, "CONNECTED\n");
	client_close(&client);
	stop(&rig);
}

/* More at once than failures_max, from one address: none of them is a failure. */
static void a_crowd_of_good_logins_is_no_attack(void **state)
{
	struct client clients[40];
	struct rig rig;

	(void)state;
	prepare(&rig);
	with_users(&rig);
	rig.config.failures_max = 4;
	start(&rig);
	for (int i = 0; i < 40; i++) {
		client_open(&clients[i], &rig);
		SAY(&clients[i], LOGIN("ann", "right"));
	}
	for (int i = 0; i < 40; i++)
		await_text(&clients[i], "CONNECTED\n");
	for (int i = 0; i < 40; i++)
		client_close(&clients[i]);
	UNTIL(&rig, rig.ends[LA_SESSION_PEER] == 40);
	stop(&rig);
}

/* Their answer finds nobody; they are gone. */
static void clients_that_leave_while_their_password_is_checked(void **state)
{
	struct client client;
	struct rig rig;

	(void)state;
	prepare(&rig);
	with_users(&rig);
	start(&rig);
	for (int i = 0; i < 8; i++) {
		const struct linger none = {.l_onoff = 1};

		client_open(&client, &rig);
		SAY(&client, LOGIN("ann", "right"));
		turn(&rig, -1);
		turn(&rig, -1);
		(void)setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
		client_close(&client);
	}
	client_open(&client, &rig);
	SAY(&client, LOGIN("ann", "right"));
	await_text(&client, "CONNECTED\n");
	client_close(&client);
	stop(&rig);
}

static void one_that_goes_on_sending_still_reads_why(void **state)
{
	static const char noise[4096];
	struct client client;
	size_t sent = 0;
	struct rig rig;

	(void)state;
	prepare(&rig);
	with_users(&rig);
	start(&rig);
	client_open(&client, &rig);
	SAY(&client, LOGIN("ann", "wrong"));
	while (sent < 4u << 20) {
		ssize_t size = send(client.fd, noise, sizeof(noise), MSG_NOSIGNAL);

		assert_true(size > 0 || errno == EAGAIN);
		sent += size > 0 ? (size_t)size : 0;
		if (size < 0)
			turn(&rig, -1);
	}
	await_text(&client, "@");
	assert_memory_equal(client.heard, "ERROR\n", 6);
	await_eof(&client);
	assert_int_equal(client.error, 0);
	client_close(&client);
	UNTIL(&rig, rig.ends[LA_SESSION_LOGIN_REJECTED] == 1);
	assert_int_equal(rig.words, LA_WORDS_CONSUMED);
	stop(&rig);
}

static void who_says_nothing_is_refused(void **state)
{
	struct client client;
	struct rig rig;

	(void)state;
	prepare(&rig);
	rig.config.handshake_ns = 50 * LAI_MS;
	start(&rig);
	client_open(&client, &rig);
	await_text(&client, "ERROR\n");
	await_eof(&client);
	client_close(&client);
	UNTIL(&rig, rig.ends[LA_SESSION_HANDSHAKE_TIMEOUT] == 1);
	stop(&rig);
}

static void an_endless_header_is_refused(void **state)
{
	static char endless[64 << 10];
	struct client client;
	struct rig rig;

	(void)state;
	prepare(&rig);
	memset(endless, 'h', sizeof(endless));
	start(&rig);
	client_open(&client, &rig);
	client_send(&client, endless, sizeof(endless));
	await_text(&client, "ERROR\n");
	await_eof(&client);
	client_close(&client);
	UNTIL(&rig, rig.ends[LA_SESSION_PROTOCOL_ERROR] == 1);
	stop(&rig);
}

/* ---- limits ------------------------------------------------------------------------------- */

static void the_full_server_says_so(void **state)
{
	struct client first, second, third;
	struct rig rig;

	(void)state;
	prepare(&rig);
	rig.config.connections_max = 2;
	start(&rig);
	client_enter(&first, &rig);
	client_enter(&second, &rig);
	client_open(&third, &rig);
	await_text(&third, "shutdown:true");
	await_eof(&third);
	client_close(&third);
	UNTIL(&rig, rig.ends[LA_SESSION_TOO_MANY_CONNECTIONS] == 1);
	send_record(&first, 1, "still here");
	await_text(&first, "receipt-id:r1");
	client_close(&second);
	UNTIL(&rig, rig.ends[LA_SESSION_PEER] == 1);
	client_enter(&third, &rig);
	client_close(&third);
	client_close(&first);
	stop(&rig);
}

/* It was told, does not close, and its place is needed. */
static void one_that_lingers_makes_room(void **state)
{
	struct la_server_totals totals;
	struct client lingering, good;
	struct rig rig;

	(void)state;
	prepare(&rig);
	with_users(&rig);
	rig.config.connections_max = 1;
	start(&rig);
	client_open(&lingering, &rig);
	SAY(&lingering, LOGIN("ann", "wrong"));
	await_text(&lingering, "ERROR\n");
	la_server_totals(rig.server, &totals);
	assert_int_equal(totals.lingering, 1);
	client_open(&good, &rig);
	SAY(&good, LOGIN("ann", "right"));
	await_text(&good, "CONNECTED\n");
	la_server_totals(rig.server, &totals);
	assert_int_equal(totals.reclaimed, 1);
	assert_int_equal(totals.lingering, 0);
	assert_int_equal(totals.open, 1);
	client_close(&lingering);
	client_close(&good);
	stop(&rig);
}

static int lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)close(fd);
	return fd;
}

static void out_of_descriptors_the_others_wait(void **state)
{
	struct rlimit before, few;
	struct client clients[3];
	struct rig rig;

	(void)state;
	prepare(&rig);
	start(&rig);
	for (int i = 0; i < 3; i++)
		client_open(&clients[i], &rig);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)lowest_free() + 1; /* one more, and that is all */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int i = 0; i < 3; i++)
		SAY(&clients[i], HELLO);
	UNTIL(&rig, rig.events[LA_SERVER_TROUBLE] == 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (int i = 0; i < 3; i++)
		await_text(&clients[i], "CONNECTED\n");
	assert_int_equal(rig.events[LA_SERVER_TROUBLE], 1);
	for (int i = 0; i < 3; i++)
		client_close(&clients[i]);
	stop(&rig);
}

static void a_crowd_is_served(void **state)
{
	static struct client clients[CROWD];
	struct la_server_totals totals;
	struct rig rig;

	(void)state;
	prepare(&rig);
	start(&rig);
	for (int i = 0; i < CROWD; i++) {
		client_open(&clients[i], &rig);
		SAY(&clients[i], HELLO);
	}
	for (int i = 0; i < CROWD; i++)
		await_text(&clients[i], "CONNECTED\n");
	la_server_totals(rig.server, &totals);
	assert_int_equal(totals.logged_in, CROWD);
	for (int i = 0; i < CROWD; i++)
		SAY(&clients[i], "SEND\ndestination:/queue/a\nreceipt:1\n\nx");
	for (int i = 0; i < CROWD; i++)
		await_text(&clients[i], "receipt-id:1");
	assert_int_equal(strlen(stored(&rig)), 2 * CROWD);
	for (int i = 0; i < CROWD; i++)
		client_close(&clients[i]);
	UNTIL(&rig, rig.ends[LA_SESSION_PEER] == CROWD);
	la_server_totals(rig.server, &totals);
	assert_int_equal(totals.records, CROWD);
	assert_int_equal(totals.open, 0);
	stop(&rig);
}

/* ---- life --------------------------------------------------------------------------------- */

/* A loop that turns without a reason is found here, and nowhere else. */
static void who_has_nothing_to_do_sleeps(void **state)
{
	struct client idle, refused;
	struct pollfd ready;
	struct rig rig;

	(void)state;
	prepare(&rig);
	with_users(&rig);
	start(&rig);
	client_open(&idle, &rig);
	SAY(&idle, "CONNECT\naccept-version:1.2\nhost:x\nheart-beat:0,0\nlogin:ann\n"
		   "passcode:right\n\n");
	await_text(&idle, "CONNECTED\n");
	UNTIL(&rig, la_server_deadline(rig.server) == LA_NEVER);
	ready = (struct pollfd){.fd = la_server_fd(rig.server), .events = POLLIN};
	assert_int_equal(poll(&ready, 1, 0), 0);
	client_open(&refused, &rig);
	SAY(&refused, LOGIN("ann", "wrong"));
	await_text(&refused, "ERROR\n");
	/* It lingers, and nothing is to be done before its time is over. */
	UNTIL(&rig, la_server_deadline(rig.server) > lai_clock_now() + LAI_S);
	assert_int_equal(poll(&ready, 1, 0), 0);
	client_close(&idle);
	client_close(&refused);
	stop(&rig);
}

static void stopping_confirms_what_has_come(void **state)
{
	struct client busy, silent;
	struct rig rig;

	(void)state;
	prepare(&rig);
	start(&rig);
	client_enter(&busy, &rig);
	client_open(&silent, &rig);
	send_record(&busy, 1, "last");
	turn(&rig, -1);
	la_server_stop(rig.server, BOUND_NS);
	await_text(&busy, "shutdown:true");
	assert_non_null(strstr(busy.heard, "receipt-id:r1"));
	assert_true(strstr(busy.heard, "receipt-id:r1") < strstr(busy.heard, "ERROR\n"));
	await_text(&silent, "shutdown:true");
	client_close(&busy);
	client_close(&silent);
	UNTIL(&rig, rig.stopped);
	assert_int_equal(rig.ends[LA_SESSION_STOPPED], 2);
	assert_string_equal(stored(&rig), "last\n");
	finish(&rig);
}

static void stopping_ends_by_its_deadline(void **state)
{
	struct client client;
	uint64_t began_ns;
	struct rig rig;

	(void)state;
	prepare(&rig);
	start(&rig);
	client_enter(&client, &rig);
	began_ns = lai_clock_now();
	la_server_stop(rig.server, 200 * LAI_MS); /* the client never closes */
	UNTIL(&rig, rig.stopped);
	assert_true(lai_clock_now() - began_ns >= 100 * LAI_MS);
	assert_int_equal(rig.events[LA_SERVER_ENDED], 1);
	client_close(&client);
	finish(&rig);
}

static void what_is_open_at_the_end_is_aborted(void **state)
{
	struct client client;
	struct rig rig;

	(void)state;
	prepare(&rig);
	with_users(&rig);
	start(&rig);
	client_open(&client, &rig);
	SAY(&client, LOGIN("ann", "right")); /* perhaps being checked right now */
	turn(&rig, -1);
	la_server_free(rig.server);
	rig.server = NULL;
	client_hear(&client);
	client_close(&client);
	finish(&rig);
}

static void a_listener_can_be_handed_over(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct client client;
	struct rig rig;

	(void)state;
	prepare(&rig);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	rig.config.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(rig.config.listener, (struct sockaddr *)&address, sizeof(address)),
			 0);
	assert_int_equal(listen(rig.config.listener, 8), 0);
	start(&rig);
	client_enter(&client, &rig);
	client_close(&client);
	stop(&rig);
}

static void users_can_be_read_again(void **state)
{
	char *line = NULL, *error = NULL;
	struct client client;
	struct rig rig;

	(void)state;
	prepare(&rig);
	with_users(&rig);
	start(&rig);
	client_open(&client, &rig);
	SAY(&client, LOGIN("ann", "right"));
	await_text(&client, "CONNECTED\n");
	client_close(&client);
	assert_int_equal(la_user_line(&line, "an:n", "other", NULL), -EINVAL);
	assert_int_equal(la_user_line(&line, "ann", "other", &error), 0);
	write_file(rig.users, line);
	free(line);
	assert_int_equal(la_server_reload(rig.server, &error), 0);
	/* What was remembered of the old hash is worth nothing. */
	free(REFUSAL_OF(&rig, LOGIN("ann", "right"), 1));
	UNTIL(&rig, rig.ends[LA_SESSION_LOGIN_REJECTED] == 1);
	write_file(rig.users, "no line of users");
	assert_int_equal(la_server_reload(rig.server, &error), -EINVAL);
	assert_non_null(error);
	free(error);
	client_open(&client, &rig);
	SAY(&client, LOGIN("ann", "other"));
	await_text(&client, "CONNECTED\n");
	client_close(&client);
	stop(&rig);
}

static void refuse_config(struct rig *rig, int wanted)
{
	char *error = NULL;

	assert_int_equal(la_server_new(&rig->server, &rig->config, &error), wanted);
	assert_non_null(error);
	free(error);
}

static void wrong_settings_are_said(void **state)
{
	struct rig rig;

	(void)state;
	prepare(&rig);
	rig.config.url = "lines://127.0.0.1:0";
	refuse_config(&rig, -EINVAL);
	rig.config.url = "stomp://127.0.0.1:0";
	rig.config.users = "/nonexistent/users";
	refuse_config(&rig, -ENOENT);
	rig.config.users = NULL;
	rig.config.into = "/nonexistent/dir/file.db";
	refuse_config(&rig, -ENOENT);
	rig.config.into = rig.into;
	rig.config.linger_ns = LA_NEVER;
	refuse_config(&rig, -EINVAL);
	rig.config.linger_ns = 0;
	rig.config.listener = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(la_server_new(&rig.server, &rig.config, NULL) < 0);
	(void)close(rig.config.listener);
	rig.server = NULL;
	finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(sentence, function) {.name = sentence, .test_func = function}
		TEST("a record is stored, and then confirmed",
		     a_record_is_stored_and_then_confirmed),
		TEST("what comes again is confirmed and not stored",
		     what_comes_again_is_confirmed_and_not_stored),
		TEST("senders are known by their users", senders_are_known_by_their_users),
		TEST("login and records in one segment", login_and_records_in_one_segment),
		TEST("nothing is confirmed before it is stored",
		     nothing_is_confirmed_before_it_is_stored),
		TEST("unknown user and wrong password are told the same",
		     unknown_user_and_wrong_password_are_told_the_same),
		TEST("too many failures are refused unseen", too_many_failures_are_refused_unseen),
		TEST("a crowd of good logins from one address is no attack",
		     a_crowd_of_good_logins_is_no_attack),
		TEST("clients may leave while their password is checked",
		     clients_that_leave_while_their_password_is_checked),
		TEST("a refused one that goes on sending still reads why",
		     one_that_goes_on_sending_still_reads_why),
		TEST("who says nothing is refused in time", who_says_nothing_is_refused),
		TEST("an endless header is refused", an_endless_header_is_refused),
		TEST("the full server says so, and serves on", the_full_server_says_so),
		TEST("one that lingers makes room", one_that_lingers_makes_room),
		TEST("out of descriptors, the others wait", out_of_descriptors_the_others_wait),
		TEST("a crowd is served", a_crowd_is_served),
		TEST("who has nothing to do sleeps", who_has_nothing_to_do_sleeps),
		TEST("stopping confirms what has come", stopping_confirms_what_has_come),
		TEST("stopping ends by its deadline", stopping_ends_by_its_deadline),
		TEST("what is open at the end is aborted", what_is_open_at_the_end_is_aborted),
		TEST("a listener can be handed over", a_listener_can_be_handed_over),
		TEST("users can be read again", users_can_be_read_again),
		TEST("wrong settings are said", wrong_settings_are_said),
#undef TEST
	};

	return cmocka_run_group_tests_name("drive.la_server", tests, NULL, NULL);
}
