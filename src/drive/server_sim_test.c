/* SPDX-License-Identifier: MIT */
/*
 * The server in the simulator: what it owes its clients when the network loses, the disk is full and
 * the power goes. Everything happens at virtual times and by a seed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/random.h"
#include "drive/la_server.h"
#include "io/sim/sim.h"
#include "io/sim/sim_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVER "10.0.0.1"
#define PORT 61613
#define URL "stomp://" SERVER ":61613"
#define HEARD_MAX (256u << 10)
#define SEEDS 30
#define RECORDS 60
/* Everything that is to happen happens in this time, or never. */
#define BOUND_NS (120 * LAI_S)

struct rig {
	struct lai_sim *sim;
	struct lai_sim_disk *disk;
	struct lai_sim_host *host;
	struct lai_net *server_net, *net; /* the latter: the client's */
	struct la_server *server;
	struct la_server_config config;
	char users[32];
	int ends[LA_SESSION_END_COUNT];
	enum la_words words;
	int store_events;
	/* the client */
	int socket;
	char heard[HEARD_MAX + 1]; /* with '@' for NUL */
	size_t size;
	bool eof;
	int error;
};

static void on_event(void *arg, const struct la_server_event *event)
{
	struct rig *rig = arg;

	rig->store_events += event->kind == LA_SERVER_STORE;
	if (event->kind != LA_SERVER_ENDED)
		return;
	rig->ends[event->session->end]++;
	rig->words = event->session->words;
}

/* Turns until there is nothing to do now. */
static uint64_t run_server(struct lai_net *net, void *context)
{
	struct rig *rig = context;

	do {
		if (lai_server_step(rig->server, 0) == 1)
			return LA_NEVER;
	} while (la_server_deadline(rig->server) <= net->ops->now(net));
	return la_server_deadline(rig->server);
}

static void start_server(struct rig *rig)
{
	struct lai_server_place place = {.no_threads = true, .epoch = 1};
	char *error = NULL;
	int status;

	rig->server_net = place.net = lai_sim_host_net(rig->host);
	place.vfs = lai_sim_disk_vfs(rig->disk);
	status = lai_server_new_on(&rig->server, &rig->config, &place, &error);
	if (status != 0)
		print_message("%s\n", error ? error : strerror(-status));
	assert_int_equal(status, 0);
	lai_sim_program(rig->server_net, run_server, rig);
}

static void end_server(struct rig *rig)
{
	lai_sim_program(rig->server_net, NULL, NULL);
	la_server_free(rig->server);
	rig->server = NULL;
	rig->server_net->ops->free(rig->server_net);
}

static void prepare(struct rig *rig, uint64_t seed)
{
	memset(rig, 0, sizeof(*rig));
	assert_int_equal(lai_sim_new(&rig->sim, seed), 0);
	assert_int_equal(lai_sim_disk_new(&rig->disk, seed), 0);
	rig->host = lai_sim_host(rig->sim, SERVER);
	rig->net = lai_sim_net(rig->sim);
	rig->socket = -1;
	la_server_config_default(&rig->config);
	rig->config.url = URL;
	rig->config.into = "store.db";
	rig->config.on_event = on_event;
	rig->config.arg = rig;
}

static void finish(struct rig *rig)
{
	if (rig->socket >= 0)
		rig->net->ops->abort(rig->net, rig->socket);
	if (rig->server)
		end_server(rig);
	lai_sim_free(rig->sim);
	lai_sim_disk_free(rig->disk);
}

/* ---- the client --------------------------------------------------------------------------- */

static void client_close(struct rig *rig)
{
	if (rig->socket >= 0)
		rig->net->ops->close(rig->net, rig->socket);
	rig->socket = -1;
	rig->size = 0;
	rig->heard[0] = '\0';
	rig->eof = false;
	rig->error = 0;
}

static void client_connect(struct rig *rig)
{
	const struct lai_socket_options options = {.tos = -1};
	struct lai_address address;
	struct lai_ready ready;

	client_close(rig);
	assert_int_equal(lai_address_parse(SERVER, PORT, &address), 0);
	rig->socket = rig->net->ops->connect(rig->net, &address, &options);
	assert_true(rig->socket >= 0);
	assert_int_equal(
		rig->net->ops->wait(rig->net, &ready, 1, rig->net->ops->now(rig->net) + BOUND_NS),
		1);
	assert_int_equal(rig->net->ops->error(rig->net, rig->socket), 0);
	assert_int_equal(rig->net->ops->watch(rig->net, rig->socket, LAI_READABLE), 0);
}

static void client_send(struct rig *rig, const void *data, size_t size)
{
	const struct iovec iov = {.iov_base = (void *)data, .iov_len = size};

	assert_int_equal(rig->net->ops->send(rig->net, rig->socket, &iov, 1, 0), (int)size);
}

#define SAY(rig, frame) client_send(rig, frame, sizeof(frame))

static void client_hear(struct rig *rig)
{
	ssize_t size = 1;

	while (size > 0 && !rig->eof) {
		char *room = rig->heard + rig->size;

		size = rig->net->ops->recv(rig->net, rig->socket, room, HEARD_MAX - rig->size);
		rig->error = size < 0 && size != -EAGAIN ? (int)-size : rig->error;
		rig->eof = size == 0 || rig->error != 0;
		for (ssize_t i = 0; i < size; i++)
			room[i] = room[i] ? room[i] : '@';
		rig->size += size > 0 ? (size_t)size : 0;
		rig->heard[rig->size] = '\0';
	}
}

/* Lets so much time pass. */
static void live(struct rig *rig, uint64_t duration_ns)
{
	uint64_t until_ns = rig->net->ops->now(rig->net) + duration_ns;
	struct lai_ready ready;

	while (rig->net->ops->now(rig->net) < until_ns) {
		(void)rig->net->ops->wait(rig->net, &ready, 1, until_ns);
		if (rig->socket >= 0 && !rig->eof)
			client_hear(rig);
		if (rig->eof && rig->socket >= 0)
			(void)rig->net->ops->watch(rig->net, rig->socket, 0);
	}
}

static bool heard(struct rig *rig, const char *text)
{
	uint64_t by_ns = rig->net->ops->now(rig->net) + BOUND_NS;

	client_hear(rig);
	while (!strstr(rig->heard, text) && !rig->eof && rig->net->ops->now(rig->net) < by_ns)
		live(rig, 10 * LAI_MS);
	return strstr(rig->heard, text) != NULL;
}

#define HELLO "CONNECT\naccept-version:1.2\nhost:here\nheart-beat:0,0\n\n"

static void enter(struct rig *rig)
{
	client_connect(rig);
	SAY(rig, HELLO);
	assert_true(heard(rig, "CONNECTED\n"));
}

static void send_record(struct rig *rig, unsigned seq)
{
	char frame[128];
	int size = snprintf(frame, sizeof(frame),
			    "SEND\ndestination:/q\nrecord-id:me-%u\nreceipt:r%u\n\nrecord %u", seq,
			    seq, seq);

	client_send(rig, frame, (size_t)size + 1);
}

static bool is_confirmed(const struct rig *rig, unsigned seq)
{
	char receipt[32];

	(void)snprintf(receipt, sizeof(receipt), "receipt-id:r%u\n", seq);
	return strstr(rig->heard, receipt) != NULL;
}

/* ---- what it owes ------------------------------------------------------------------------- */

static void with_users(struct rig *rig)
{
	char *line = NULL, *error = NULL;
	FILE *file;

	(void)snprintf(rig->users, sizeof(rig->users), "/tmp/lastack-sim.XXXXXX");
	file = fdopen(mkstemp(rig->users), "w");
	assert_non_null(file);
	assert_int_equal(la_user_line(&line, "ann", "right", &error), 0);
	assert_true(fputs(line, file) >= 0);
	assert_int_equal(fclose(file), 0);
	free(line);
	rig->config.users = rig->users;
}

/* Its first tries are lost, and the client goes on sending meanwhile. */
static void why_it_is_refused_arrives_through_losses(void **state)
{
	static const char noise[1000];
	struct lai_sim_path *back;
	struct rig *rig = malloc(sizeof(*rig));

	(void)state;
	prepare(rig, 1);
	with_users(rig);
	start_server(rig);
	client_connect(rig);
	back = lai_sim_path(rig->host, lai_sim_client(rig->sim));
	back->black_hole = true;
	SAY(rig, "CONNECT\naccept-version:1.2\nhost:x\nlogin:ann\npasscode:wrong\n\n");
	for (int i = 0; i < 30; i++) {
		client_send(rig, noise, sizeof(noise));
		live(rig, 50 * LAI_MS);
	}
	assert_string_equal(rig->heard, "");
	back->black_hole = false;
	assert_true(heard(rig, "message:unknown user or wrong password"));
	live(rig, LAI_S);
	assert_true(rig->eof);
	assert_int_equal(rig->error, 0);
	client_close(rig);
	live(rig, LAI_S);
	assert_int_equal(rig->ends[LA_SESSION_LOGIN_REJECTED], 1);
	assert_int_equal(rig->words, LA_WORDS_CONSUMED);
	assert_int_equal(lai_sim_open(rig->server_net), 1); /* the listener */
	(void)unlink(rig->users);
	finish(rig);
	free(rig);
}

static void what_never_arrives_is_said_to_be_unconfirmed(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));

	(void)state;
	prepare(rig, 2);
	rig->config.handshake_ns = LAI_S;
	start_server(rig);
	client_connect(rig);
	live(rig, 10 * LAI_MS); /* the last part of its handshake arrives, and it is accepted */
	lai_sim_cut(lai_sim_client(rig->sim), rig->host, true);
	live(rig, BOUND_NS);
	assert_int_equal(rig->ends[LA_SESSION_HANDSHAKE_TIMEOUT], 1);
	assert_int_equal(rig->words, LA_WORDS_UNCONFIRMED);
	assert_int_equal(lai_sim_open(rig->server_net), 1);
	finish(rig);
	free(rig);
}

static void a_full_disk_confirms_nothing_until_there_is_room(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));
	struct la_server_totals totals;
	unsigned last = 0;

	(void)state;
	prepare(rig, 3);
	start_server(rig);
	enter(rig);
	lai_sim_disk_capacity(rig->disk, lai_sim_disk_used(rig->disk) + 100000);
	/* Until the disk is full; it is a lot more than any buffer of SQLite's takes. */
	while (rig->store_events == 0 && last < 20000) {
		send_record(rig, ++last);
		live(rig, 20 * LAI_MS);
	}
	assert_int_equal(rig->store_events, 1);
	send_record(rig, ++last);
	live(rig, 10 * LAI_S);
	assert_false(is_confirmed(rig, last));
	la_server_totals(rig->server, &totals);
	assert_true(totals.store_waits);
	lai_sim_disk_capacity(rig->disk, UINT64_MAX);
	live(rig, 5 * LAI_S);
	assert_true(is_confirmed(rig, last));
	assert_int_equal(rig->store_events, 2);
	la_server_totals(rig->server, &totals);
	assert_false(totals.store_waits);
	assert_int_equal(totals.records, last);
	assert_int_equal(totals.duplicate_records, 0);
	finish(rig);
	free(rig);
}

/* Sends what had no receipt, and again what had one: those are known. */
static void all_is_there_once(struct rig *rig, const bool *confirmed)
{
	struct la_server_totals totals;
	unsigned count = 0;

	enter(rig);
	for (unsigned seq = 1; seq <= RECORDS; seq++) {
		count += confirmed[seq];
		if (confirmed[seq])
			send_record(rig, seq);
	}
	live(rig, 5 * LAI_S);
	la_server_totals(rig->server, &totals);
	assert_int_equal(totals.duplicate_records, count);
	assert_int_equal(totals.records, 0);
	for (unsigned seq = 1; seq <= RECORDS; seq++)
		send_record(rig, seq);
	live(rig, 5 * LAI_S);
	la_server_totals(rig->server, &totals);
	assert_int_equal(totals.records + totals.duplicate_records, RECORDS + count);
	for (unsigned seq = 1; seq <= RECORDS; seq++)
		assert_true(is_confirmed(rig, seq));
}

/* The power goes somewhere among the records. */
static void lose_power(uint64_t seed)
{
	struct rig *rig = malloc(sizeof(*rig));
	struct lai_random random = {.state = seed};
	unsigned at = 1 + (unsigned)lai_random_below(&random, RECORDS);
	bool confirmed[RECORDS + 1] = {0};

	prepare(rig, seed);
	rig->config.durability = LA_DURABILITY_FULL;
	start_server(rig);
	enter(rig);
	for (unsigned seq = 1; seq <= at; seq++) {
		send_record(rig, seq);
		live(rig, lai_random_below(&random, 3 * LAI_MS));
	}
	lai_sim_disk_power_loss(rig->disk);
	lai_sim_power(rig->host, false);
	for (unsigned seq = 1; seq <= RECORDS; seq++)
		confirmed[seq] = is_confirmed(rig, seq);
	end_server(rig);
	rig->net->ops->abort(rig->net, rig->socket);
	rig->socket = -1;
	live(rig, LAI_S);
	lai_sim_power(rig->host, true);
	start_server(rig);
	all_is_there_once(rig, confirmed);
	finish(rig);
	free(rig);
}

static void what_is_confirmed_survives_loss_of_power(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		lose_power(seed);
}

static void a_client_that_vanishes_leaves_nothing(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));

	(void)state;
	prepare(rig, 4);
	rig->config.heartbeat_ns = LA_NEVER;
	start_server(rig);
	enter(rig);
	lai_sim_cut(lai_sim_client(rig->sim), rig->host, true);
	live(rig, BOUND_NS);
	assert_int_equal(rig->ends[LA_SESSION_NETWORK], 1);
	assert_int_equal(lai_sim_open(rig->server_net), 1);
	finish(rig);
	free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(sentence, function) {.name = sentence, .test_func = function}
		TEST("why it is refused arrives through losses",
		     why_it_is_refused_arrives_through_losses),
		TEST("what never arrives is said to be unconfirmed",
		     what_never_arrives_is_said_to_be_unconfirmed),
		TEST("a full disk confirms nothing until there is room",
		     a_full_disk_confirms_nothing_until_there_is_room),
		TEST("what is confirmed survives loss of power, and nothing is there twice",
		     what_is_confirmed_survives_loss_of_power),
		TEST("a client that vanishes leaves nothing",
		     a_client_that_vanishes_leaves_nothing),
#undef TEST
	};

	return cmocka_run_group_tests_name("drive.server_sim", tests, NULL, NULL);
}
