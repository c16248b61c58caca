/* SPDX-License-Identifier: MIT */
/*
 * TLS over the kernel's loopback and over the simulator, both ends; and over the kernel with peers
 * that do not speak it, or badly. On the kernel the loop sleeps in poll() on both fd(), as owners
 * do, so that a fd() which stays silent is found.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "io/sim/sim.h"
#include "io/t_certificate.h"
#include "io/tls.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#define SIM_SERVER "10.0.0.1"
#define READY_MAX 16
#define PATIENCE_NS (30 * LAI_S) /* for what must happen; nothing measures itself by it */
#define SOME_BYTES 100000

/* ---- certificates -------------------------------------------------------------------------- */

/* The files of one run. */
static char directory[] = "/tmp/tls_test.XXXXXX";
static const char *const file_names[] = {"ca",	   "other-ca",	 "server",	"expired",
					 "future", "self",	 "client",	"stray",
					 "locked", "server-key", "server-cert", "text"};

/* The path of one of them; four may be used at a time. */
static const char *path_of(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	(void)snprintf(path, PATH_MAX, "%s/%s.pem", directory, name);
	return path;
}

static void write_locked(const char *path, EVP_PKEY *key, X509 *certificate)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	assert_int_equal(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(),
					      (unsigned char *)(uintptr_t) "secret", 6, NULL, NULL),
			 1);
	assert_int_equal(fclose(file), 0);
}

static void write_server(const struct t_authority *ca)
{
	const struct t_certificate wish = {.name = "server",
					   .alternative = "DNS:server.test,IP:127.0.0.1",
					   .from_s = -T_DAY_S,
					   .until_s = T_DAY_S};
	EVP_PKEY *key;
	X509 *certificate = t_certificate_new(&wish, ca, &key);

	t_pem_write(path_of("server"), certificate, key);
	t_pem_write(path_of("server-cert"), certificate, NULL);
	t_pem_write(path_of("server-key"), NULL, key);
	write_locked(path_of("locked"), key, certificate);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static int files_make(void **state)
{
	struct t_certificate wish = {.name = "sender-1", .from_s = -T_DAY_S, .until_s = T_DAY_S};
	struct t_authority ca, other;

	(void)state;
	assert_non_null(mkdtemp(directory));
	t_authority_new(&ca, "Test CA");
	t_authority_new(&other, "Other CA");
	t_pem_write(path_of("ca"), ca.certificate, NULL);
	t_pem_write(path_of("other-ca"), other.certificate, NULL);
	write_server(&ca);
	t_certificate_write(path_of("client"), &wish, &ca);
	t_certificate_write(path_of("stray"), &wish, &other);
	wish = (struct t_certificate){.name = "server",
				      .alternative = "DNS:server.test",
				      .from_s = -2 * T_DAY_S,
				      .until_s = -T_DAY_S};
	t_certificate_write(path_of("expired"), &wish, &ca);
	wish.from_s = T_DAY_S;
	wish.until_s = 2 * T_DAY_S;
	t_certificate_write(path_of("future"), &wish, &ca);
	wish.from_s = -T_DAY_S;
	t_certificate_write(path_of("self"), &wish, NULL);
	t_pem_write(path_of("text"), NULL, NULL);
	t_authority_done(&ca);
	t_authority_done(&other);
	return 0;
}

static int files_remove(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(file_names) / sizeof(file_names[0]); i++)
		(void)unlink(path_of(file_names[i]));
	return rmdir(directory);
}

/* ---- the world ----------------------------------------------------------------------------- */

/* One end of a connection: what it has sent, received and been told. */
struct end {
	struct lai_net *net;
	int socket; /* -1: none yet, or closed */
	uint32_t told;
	uint64_t sent, received;
	ssize_t last; /* what send() or recv() said last in place of bytes */
	bool reads, over;
};

struct world {
	struct lai_sim *sim; /* NULL: the kernel */
	struct end client, server;
	int listener;
	struct lai_address address;
	const char *host; /* as the client calls the server */
};

static struct lai_net *net_on_top(struct lai_net *inner, const struct la_tls_config *config,
				  bool server)
{
	struct lai_net *net = inner;
	char *error = NULL;

	if (!config)
		return inner;
	if (lai_net_tls_new(&net, inner, config, server, &error) != 0)
		fail_msg("%s", error ? error : "no TLS");
	return net;
}

static struct lai_net *kernel_net(void)
{
	struct lai_net *net;

	assert_int_equal(lai_net_kernel_new(&net), 0);
	return net;
}

/* A config of NULL: that end speaks plain TCP. */
static void world_open(struct world *world, bool simulated, const struct la_tls_config *client,
		       const struct la_tls_config *server)
{
	struct lai_net *near, *far;

	*world = (struct world){.host = "server.test"};
	world->client.socket = world->server.socket = -1;
	world->client.reads = world->server.reads = true;
	if (simulated) {
		assert_int_equal(lai_sim_new(&world->sim, 1), 0);
		near = lai_sim_net(world->sim);
		far = lai_sim_host_net(lai_sim_host(world->sim, SIM_SERVER));
	} else {
		near = kernel_net();
		far = kernel_net();
	}
	world->client.net = net_on_top(near, client, false);
	world->server.net = net_on_top(far, server, true);
	assert_int_equal(
		lai_address_parse(simulated ? SIM_SERVER : "127.0.0.1", 0, &world->address), 0);
	world->listener = world->server.net->ops->listen(world->server.net, &world->address, 16);
	assert_true(world->listener >= 0);
}

static void end_close(struct end *end)
{
	if (end->socket >= 0)
		end->net->ops->close(end->net, end->socket);
	end->socket = -1;
}

static void world_close(struct world *world)
{
	end_close(&world->client);
	end_close(&world->server);
	world->server.net->ops->close(world->server.net, world->listener);
	world->client.net->ops->free(world->client.net);
	world->server.net->ops->free(world->server.net);
	lai_sim_free(world->sim);
}

static uint8_t byte_at(uint64_t place)
{
	return (uint8_t)(place * 7 + place / 251);
}

/* Reads until nothing is there; each byte must be the one that was sent. */
static void end_read(struct end *end)
{
	uint8_t data[5000];

	while (!end->over) {
		ssize_t size = end->net->ops->recv(end->net, end->socket, data, sizeof(data));

		for (ssize_t i = 0; i < size; i++)
			assert_int_equal(data[i], byte_at(end->received++));
		if (size > 0)
			continue;
		end->last = size;
		end->over = size != -EAGAIN;
		return;
	}
}

static void end_watch(struct end *end, uint32_t events)
{
	assert_int_equal(end->net->ops->watch(end->net, end->socket, events), 0);
}

static void end_take(struct end *end, struct world *world)
{
	struct lai_ready ready[READY_MAX];
	int count = end->net->ops->wait(end->net, ready, READY_MAX, 0);

	for (int i = 0; i < count; i++) {
		struct lai_address from;

		if (end == &world->server && ready[i].socket == world->listener &&
		    end->socket < 0) {
			end->socket = end->net->ops->accept(end->net, world->listener, &from);
			assert_true(end->socket >= 0);
		} else if (ready[i].socket == end->socket && end->socket >= 0) {
			end->told |= ready[i].events;
			if ((ready[i].events & LAI_READABLE) && end->reads)
				end_read(end);
			if (end->over)
				end_watch(end, 0);
		}
	}
}

/* Sleeps until one of the two has something to do, as their owners would. */
static void world_step(struct world *world)
{
	struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};

	if (world->sim) {
		lai_sim_advance(world->sim,
				world->client.net->ops->now(world->client.net) + LAI_MS);
	} else {
		fds[0].fd = world->client.net->ops->fd(world->client.net);
		fds[1].fd = world->server.net->ops->fd(world->server.net);
		(void)poll(fds, 2, 20);
	}
	end_take(&world->client, world);
	end_take(&world->server, world);
}

/* The condition is asked until it is true, and not once more. */
#define EVENTUALLY(world, condition)                                                               \
	do {                                                                                       \
		struct lai_net *t_net = (world)->client.net;                                       \
		uint64_t until_ns = t_net->ops->now(t_net) + PATIENCE_NS;                          \
		bool come;                                                                         \
		while (!(come = (condition)) && t_net->ops->now(t_net) < until_ns)                 \
			world_step(world);                                                         \
		if (!come)                                                                         \
			fail_msg("this never came: %s", #condition);                               \
	} while (0)

static void world_connect(struct world *world)
{
	struct lai_socket_options options = {.tos = -1, .server_name = world->host};

	world->client.socket =
		world->client.net->ops->connect(world->client.net, &world->address, &options);
	assert_true(world->client.socket >= 0);
}

static int end_error(struct end *end)
{
	return end->net->ops->error(end->net, end->socket);
}

static const char *end_why(struct end *end)
{
	const char *why = end->net->ops->why(end->net, end->socket);

	return why ? why : "";
}

static struct lai_view end_view(struct end *end)
{
	struct lai_view view;

	assert_int_equal(end->net->ops->view(end->net, end->socket, &view), 0);
	return view;
}

/* Sends what fits of so many bytes. */
static void end_send(struct end *end, uint64_t until)
{
	uint8_t data[40000];

	while (end->sent < until) {
		uint64_t rest = until - end->sent;
		size_t size = rest < sizeof(data) ? (size_t)rest : sizeof(data);
		struct iovec iov[3] = {{data, size / 3}, {data + size / 3, 0}, {NULL, 0}};
		ssize_t taken;

		for (size_t i = 0; i < size; i++)
			data[i] = byte_at(end->sent + i);
		iov[2] = (struct iovec){data + size / 3, size - size / 3};
		taken = end->net->ops->send(end->net, end->socket, iov, 3, 0);
		if (taken < 0) {
			end->last = taken;
			assert_int_equal(taken, -EAGAIN);
			return;
		}
		end->sent += (uint64_t)taken;
	}
}

static const struct la_tls_config *server_config(const char *certificate)
{
	static char path[PATH_MAX];
	static const struct la_tls_config config = {.cert = path};

	(void)snprintf(path, sizeof(path), "%s", path_of(certificate));
	return &config;
}

static const struct la_tls_config *client_config(const char *ca)
{
	static char path[PATH_MAX];
	static const struct la_tls_config config = {.ca = path};

	(void)snprintf(path, sizeof(path), "%s", path_of(ca));
	return &config;
}

/* Both ends shake hands. */
static void world_meet(struct world *world)
{
	world_connect(world);
	EVENTUALLY(world, world->client.told & LAI_WRITABLE);
	assert_int_equal(end_error(&world->client), 0);
	end_watch(&world->client, LAI_READABLE);
	EVENTUALLY(world, world->server.socket >= 0);
}

static void world_open_usual(struct world *world, bool simulated)
{
	world_open(world, simulated, client_config("ca"), server_config("server"));
}

/* ---- what must work ------------------------------------------------------------------------ */

static void check_exchange(bool simulated)
{
	struct world world;

	world_open_usual(&world, simulated);
	world_meet(&world);
	assert_string_equal(world.client.net->ops->peer_name(world.client.net, world.client.socket),
			    "server");
	assert_null(world.server.net->ops->peer_name(world.server.net, world.server.socket));
	end_send(&world.client, 1);
	EVENTUALLY(&world, world.server.received == 1);
	end_send(&world.server, SOME_BYTES / 10);
	EVENTUALLY(&world, world.client.received == SOME_BYTES / 10);
	assert_string_equal(end_why(&world.client), "");
	assert_string_equal(end_why(&world.server), "");
	world_close(&world);
}

static void test_exchange(void **state)
{
	(void)state;
	check_exchange(false);
	check_exchange(true);
}

/* Sends in both directions at once until all has arrived; small is how little fits at a time. */
static void transfer(struct world *world, uint64_t bytes)
{
	struct end *ends[] = {&world->client, &world->server};

	while (world->client.received < bytes || world->server.received < bytes) {
		uint64_t before = world->client.received + world->server.received;

		for (int i = 0; i < 2; i++) {
			end_send(ends[i], bytes);
			end_watch(ends[i], ends[i]->sent < bytes ? LAI_READABLE | LAI_WRITABLE
								 : LAI_READABLE);
		}
		EVENTUALLY(world, world->client.received + world->server.received > before ||
					  (world->client.told & world->server.told & LAI_WRITABLE));
		world->client.told = world->server.told = 0;
	}
}

/* The kernel makes it its least. */
static void shrink(int socket, int buffer)
{
	int small = 1;

	assert_int_equal(setsockopt(socket, SOL_SOCKET, buffer, &small, sizeof(small)), 0);
}

/* Of the sockets that it accepts. A window once offered is not to be taken back: that would cost
   retransmissions. */
static void shrink_listener(int listener)
{
	shrink(listener, SO_SNDBUF);
	shrink(listener, SO_RCVBUF);
}

static void check_transfer(bool simulated, uint64_t bytes)
{
	struct world world;

	world_open_usual(&world, simulated);
	if (simulated)
		lai_sim_buffers(lai_sim_client(world.sim), 3000, 3000);
	else
		shrink_listener(world.listener);
	world_meet(&world);
	if (!simulated)
		shrink(world.client.socket, SO_SNDBUF);
	transfer(&world, bytes);
	assert_int_equal(world.client.received, bytes);
	assert_int_equal(world.server.received, bytes);
	EVENTUALLY(&world, end_view(&world.client).acked_bytes == bytes);
	EVENTUALLY(&world, end_view(&world.server).acked_bytes == bytes);
	world_close(&world);
}

static void test_transfer(void **state)
{
	(void)state;
	check_transfer(false, 3 * SOME_BYTES);
	check_transfer(true, 3 * SOME_BYTES);
}

/* Small buffers from the first segment on, so that even the handshake does not fit. */
static void test_small_from_the_start(void **state)
{
	struct world world;

	(void)state;
	world_open_usual(&world, false);
	shrink_listener(world.listener);
	world_meet(&world);
	transfer(&world, SOME_BYTES);
	world_close(&world);
}

/* ---- who is refused ------------------------------------------------------------------------ */

static const struct refusal {
	const char *sentence, *ca, *certificate, *host;
	int error;
	const char *why;
} refusals[] = {
	{"a certificate for another name", "ca", "server", "other.test", EKEYREJECTED,
	 "the server's certificate is for 'server.test', 127.0.0.1, not 'other.test'"},
	{"a certificate for another address", "ca", "server", "127.0.0.2", EKEYREJECTED,
	 "the server's certificate is for 'server.test', 127.0.0.1, not '127.0.0.2'"},
	{"a certificate that expired", "ca", "expired", "server.test", EKEYREJECTED,
	 "the server's certificate has expired on 2"},
	{"a certificate of the future", "ca", "future", "server.test", EKEYREJECTED,
	 "the server's certificate is not valid yet, but on 2"},
	{"a self-signed certificate", "ca", "self", "server.test", EKEYREJECTED,
	 "the server's certificate is self-signed, and not among those trusted"},
	{"a certificate of an unknown CA", "other-ca", "server", "server.test", EKEYREJECTED,
	 "the server's certificate is signed by 'Test CA', who is not trusted"},
	{"a certificate of the right CA and name", "ca", "server", "server.test", 0, ""},
	{"a certificate for the address", "ca", "server", "127.0.0.1", 0, ""},
	{"no name: the address counts", "ca", "server", NULL, 0, ""},
	{"an empty name is none", "ca", "server", "", 0, ""},
};

static void test_refusal(void **state)
{
	const struct refusal *row = *state;
	struct world world;

	world_open(&world, false, client_config(row->ca), server_config(row->certificate));
	world.host = row->host;
	world_connect(&world);
	EVENTUALLY(&world, world.client.told & LAI_WRITABLE);
	assert_int_equal(end_error(&world.client), row->error);
	assert_memory_equal(end_why(&world.client), row->why, strlen(row->why));
	if (row->error) {
		assert_int_equal(end_error(&world.client), 0);
		EVENTUALLY(&world, world.server.over);
		assert_int_equal(world.server.last, -EKEYREJECTED);
		assert_memory_equal(end_why(&world.server),
				    "the client refuses our certificate: ", 36);
		end_close(&world.client);
	} else {
		end_watch(&world.client, LAI_READABLE);
		EVENTUALLY(&world, world.server.socket >= 0);
		end_send(&world.client, 10);
		EVENTUALLY(&world, world.server.received == 10);
	}
	world_close(&world);
}

/* The name of the config comes before the one of the URL. */
static void test_config_name(void **state)
{
	struct la_tls_config config = *client_config("ca");
	struct world world;

	(void)state;
	config.name = "server.test";
	world_open(&world, false, &config, server_config("server"));
	world.host = "alias.test";
	world_meet(&world);
	world_close(&world);
}

static void open_mutual(struct world *world, const char *client_certificate, bool required)
{
	static char cert[PATH_MAX];
	struct la_tls_config client = *client_config("ca"), server = *server_config("server");

	if (client_certificate) {
		(void)snprintf(cert, sizeof(cert), "%s", path_of(client_certificate));
		client.cert = cert;
	}
	server.ca = path_of("ca");
	server.client_cert_required = required;
	world_open(world, false, &client, &server);
}

static void test_mutual(void **state)
{
	struct world world;

	(void)state;
	open_mutual(&world, "client", true);
	world_meet(&world);
	end_send(&world.client, 100);
	EVENTUALLY(&world, world.server.received == 100);
	assert_string_equal(world.server.net->ops->peer_name(world.server.net, world.server.socket),
			    "sender-1");
	world_close(&world);
	open_mutual(&world, NULL, false);
	world_meet(&world);
	end_send(&world.client, 100);
	EVENTUALLY(&world, world.server.received == 100);
	assert_null(world.server.net->ops->peer_name(world.server.net, world.server.socket));
	world_close(&world);
}

/* With TLS 1.3 the client's handshake is done before the server has seen its certificate. */
static void check_mutual_refused(const char *client_certificate, bool required, const char *here,
				 const char *there)
{
	struct world world;

	open_mutual(&world, client_certificate, required);
	world_meet(&world);
	EVENTUALLY(&world, world.server.over);
	assert_int_equal(world.server.last, -EKEYREJECTED);
	assert_string_equal(end_why(&world.server), here);
	EVENTUALLY(&world, world.client.over);
	assert_int_equal(world.client.last, -EKEYREJECTED);
	assert_string_equal(end_why(&world.client), there);
	/* As la_server ends it: the text first, then our FIN, then the peer's. */
	assert_int_equal(world.server.net->ops->shutdown(world.server.net, world.server.socket), 0);
	end_close(&world.client);
	EVENTUALLY(&world, world.server.net->ops->discard(world.server.net, world.server.socket,
							  SOME_BYTES) == 0);
	world_close(&world);
}

static void test_mutual_refused(void **state)
{
	(void)state;
	check_mutual_refused(NULL, true, "the client has sent no certificate",
			     "the server demands a client certificate");
	check_mutual_refused("stray", false,
			     "the client's certificate is signed by 'Other CA', who is not trusted",
			     "the server refuses our certificate: unknown CA");
}

/* The client is already writing when the refusal comes, and the server closes at once. */
static void test_refused_while_writing(void **state)
{
	struct world world;

	(void)state;
	open_mutual(&world, NULL, true);
	world_connect(&world);
	EVENTUALLY(&world, world.client.told & LAI_WRITABLE);
	assert_int_equal(end_error(&world.client), 0);
	end_send(&world.client, 5000);
	world.client.reads = false;
	EVENTUALLY(&world, world.server.over);
	end_close(&world.server);
	/* Unread bytes: RST. The alert came before it, and it is the alert that counts. */
	EVENTUALLY(&world, end_view(&world.client).tcp_state == LAI_TCP_CLOSE);
	assert_int_equal(end_error(&world.client), EKEYREJECTED);
	assert_string_equal(end_why(&world.client), "the server demands a client certificate");
	world_close(&world);
}

/* ---- peers that do not speak TLS ----------------------------------------------------------- */

static void plain_send(struct end *end, const char *text)
{
	struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

	assert_int_equal(end->net->ops->send(end->net, end->socket, &iov, 1, 0), iov.iov_len);
}

static void test_plain_client(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, false, NULL, server_config("server"));
	world_meet(&world);
	world.client.reads = false;
	plain_send(&world.client, "CONNECT\naccept-version:1.2\n\n");
	EVENTUALLY(&world, world.server.over);
	assert_int_equal(world.server.last, -EPROTO);
	assert_string_equal(end_why(&world.server), "the client does not speak TLS");
	world_close(&world);
}

static void test_plain_server(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, false, client_config("ca"), NULL);
	world.server.reads = false;
	world_connect(&world);
	EVENTUALLY(&world, world.server.socket >= 0);
	plain_send(&world.server, "220 mail.test ESMTP\r\n");
	EVENTUALLY(&world, world.client.told & LAI_WRITABLE);
	assert_int_equal(end_error(&world.client), EPROTO);
	assert_string_equal(end_why(&world.client), "the server does not speak TLS");
	assert_int_equal(
		world.client.net->ops->recv(world.client.net, world.client.socket, (char[8]){0}, 8),
		-EPROTO);
	assert_int_equal(world.client.net->ops->send(world.client.net, world.client.socket,
						     &(struct iovec){(char[8]){0}, 8}, 1, 0),
			 -EPIPE);
	world_close(&world);
}

/* What ends a handshake: a FIN or an RST. */
static void check_cut_short(bool reset)
{
	struct world world;

	world_open(&world, false, client_config("ca"), NULL);
	world.server.reads = false;
	world_connect(&world);
	EVENTUALLY(&world, world.server.socket >= 0);
	if (reset) {
		world.server.net->ops->abort(world.server.net, world.server.socket);
		world.server.socket = -1;
	} else {
		assert_int_equal(
			world.server.net->ops->shutdown(world.server.net, world.server.socket), 0);
	}
	EVENTUALLY(&world, world.client.told & LAI_WRITABLE);
	assert_int_equal(end_error(&world.client), EPROTO);
	assert_string_equal(
		end_why(&world.client),
		reset ? "the peer reset the connection before the TLS handshake was done"
		      : "the peer closed the connection before the TLS handshake was done");
	world_close(&world);
}

static void test_cut_short(void **state)
{
	(void)state;
	check_cut_short(false);
	check_cut_short(true);
}

static void test_nobody_listens(void **state)
{
	struct world world;

	(void)state;
	world_open_usual(&world, false);
	world.server.net->ops->close(world.server.net, world.listener);
	world_connect(&world);
	EVENTUALLY(&world, world.client.told & LAI_WRITABLE);
	assert_int_equal(end_error(&world.client), ECONNREFUSED);
	assert_string_equal(end_why(&world.client), "");
	end_close(&world.client);
	assert_int_equal(lai_address_parse("127.0.0.1", 0, &world.address), 0);
	world.listener = world.server.net->ops->listen(world.server.net, &world.address, 1);
	world_close(&world);
}

/* A peer that says nothing stalls nobody: the net serves others meanwhile, and says nothing. */
static void test_stalled_handshake(void **state)
{
	struct world world;
	struct lai_net *plain = kernel_net();
	struct lai_socket_options options = {.tos = -1};
	int silent, theirs;

	(void)state;
	world_open_usual(&world, false);
	silent = plain->ops->connect(plain, &world.address, &options);
	assert_true(silent >= 0);
	EVENTUALLY(&world, world.server.socket >= 0);
	theirs = world.server.socket;
	world.server.socket = -1;
	assert_int_equal(world.server.net->ops->recv(world.server.net, theirs, (char[8]){0}, 8),
			 -EAGAIN);
	assert_int_equal(world.server.net->ops->send(world.server.net, theirs,
						     &(struct iovec){(char[8]){0}, 8}, 1, 0),
			 -EAGAIN);
	world_meet(&world);
	end_send(&world.client, SOME_BYTES);
	EVENTUALLY(&world, world.server.received == SOME_BYTES);
	world.server.net->ops->abort(world.server.net, theirs);
	plain->ops->abort(plain, silent);
	plain->ops->free(plain);
	world_close(&world);
}

/* ---- OpenSSL itself as the peer ------------------------------------------------------------ */

/* A plain connection with TLS in memory on top: it does whatever the test wants of it. */
struct stranger {
	struct end *end;
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
};

static void stranger_open(struct stranger *stranger, struct end *end, bool server, int version)
{
	*stranger = (struct stranger){.end = end};
	end->reads = false;
	stranger->context = SSL_CTX_new(TLS_method());
	if (version < TLS1_2_VERSION)
		SSL_CTX_set_security_level(stranger->context, 0);
	(void)SSL_CTX_set_min_proto_version(stranger->context, TLS1_VERSION);
	(void)SSL_CTX_set_max_proto_version(stranger->context, version);
	if (server) {
		const char *path = path_of("server");

		assert_int_equal(SSL_CTX_use_certificate_chain_file(stranger->context, path), 1);
		assert_int_equal(
			SSL_CTX_use_PrivateKey_file(stranger->context, path, SSL_FILETYPE_PEM), 1);
	}
	stranger->ssl = SSL_new(stranger->context);
	stranger->in = BIO_new(BIO_s_mem());
	stranger->out = BIO_new(BIO_s_mem());
	SSL_set_bio(stranger->ssl, stranger->in, stranger->out);
	if (server)
		SSL_set_accept_state(stranger->ssl);
	else
		SSL_set_connect_state(stranger->ssl);
}

static void stranger_close(struct stranger *stranger)
{
	SSL_free(stranger->ssl);
	SSL_CTX_free(stranger->context);
}

/* Only writes. */
static void stranger_flush(struct stranger *stranger)
{
	struct end *end = stranger->end;
	char data[4096];
	int out;

	while ((out = BIO_read(stranger->out, data, sizeof(data))) > 0) {
		struct iovec iov = {data, (size_t)out};

		assert_int_equal(end->net->ops->send(end->net, end->socket, &iov, 1, 0), out);
	}
}

/* Carries bytes between its memory and the wire. */
static void stranger_move(struct stranger *stranger)
{
	struct end *end = stranger->end;
	char data[4096];
	ssize_t size;

	while ((size = end->net->ops->recv(end->net, end->socket, data, sizeof(data))) > 0)
		assert_int_equal(BIO_write(stranger->in, data, (int)size), size);
	stranger_flush(stranger);
}

static bool stranger_shook(struct stranger *stranger)
{
	int done;

	stranger_move(stranger);
	done = SSL_do_handshake(stranger->ssl);
	stranger_move(stranger);
	return done == 1;
}

static void stranger_says(struct stranger *stranger, uint64_t size)
{
	uint8_t data[1000];

	assert_true(size <= sizeof(data));
	for (uint64_t i = 0; i < size; i++)
		data[i] = byte_at(stranger->end->sent++);
	assert_int_equal(SSL_write(stranger->ssl, data, (int)size), size);
	stranger_move(stranger);
}

static ssize_t stranger_hears(struct stranger *stranger)
{
	uint8_t data[1000];
	int size;

	stranger_move(stranger);
	size = SSL_read(stranger->ssl, data, sizeof(data));
	return size > 0 ? size : -SSL_get_error(stranger->ssl, size);
}

static void test_old_server(void **state)
{
	struct stranger stranger;
	struct world world;

	(void)state;
	world_open(&world, false, client_config("ca"), NULL);
	stranger_open(&stranger, &world.server, true, TLS1_1_VERSION);
	world_connect(&world);
	EVENTUALLY(&world, world.server.socket >= 0);
	EVENTUALLY(&world, (stranger_shook(&stranger) || world.client.told & LAI_WRITABLE));
	assert_int_equal(end_error(&world.client), EPROTO);
	assert_string_equal(end_why(&world.client),
			    "no common TLS version: TLS 1.2 or newer is needed");
	stranger_close(&stranger);
	world_close(&world);
}

static void test_old_client(void **state)
{
	struct stranger stranger;
	struct world world;

	(void)state;
	world_open(&world, false, NULL, server_config("server"));
	world_meet(&world);
	stranger_open(&stranger, &world.client, false, TLS1_1_VERSION);
	EVENTUALLY(&world, (stranger_shook(&stranger) || world.server.over));
	assert_int_equal(world.server.last, -EPROTO);
	assert_string_equal(end_why(&world.server),
			    "no common TLS version: TLS 1.2 or newer is needed");
	stranger_close(&stranger);
	world_close(&world);
}

static void meet_stranger(struct world *world, struct stranger *stranger, int version)
{
	world_open(world, false, NULL, server_config("server"));
	world_meet(world);
	stranger_open(stranger, &world->client, false, version);
	EVENTUALLY(world, stranger_shook(stranger));
	stranger_says(stranger, 10);
	EVENTUALLY(world, world->server.received == 10);
}

static void client_shuts(struct world *world)
{
	assert_int_equal(world->client.net->ops->shutdown(world->client.net, world->client.socket),
			 0);
}

/* close_notify is an end, though no FIN has come. */
static void check_goodbye(int version)
{
	struct stranger stranger;
	struct world world;

	meet_stranger(&world, &stranger, version);
	(void)SSL_shutdown(stranger.ssl);
	stranger_move(&stranger);
	EVENTUALLY(&world, world.server.over);
	assert_int_equal(world.server.last, 0);
	assert_string_equal(end_why(&world.server), "");
	assert_int_equal(end_view(&world.server).tcp_state, LAI_TCP_ESTABLISHED);
	/* It may still be written to; then we say goodbye: close_notify, FIN behind it. */
	end_send(&world.server, 100);
	EVENTUALLY(&world, stranger_hears(&stranger) == 100);
	assert_int_equal(world.server.net->ops->shutdown(world.server.net, world.server.socket), 0);
	EVENTUALLY(&world, stranger_hears(&stranger) == -SSL_ERROR_ZERO_RETURN);
	EVENTUALLY(&world, world.client.net->ops->recv(world.client.net, world.client.socket,
						       (char[8]){0}, 8) == 0);
	assert_int_equal(SSL_get_shutdown(stranger.ssl), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	EVENTUALLY(&world, end_view(&world.server).fin_acked);
	assert_int_equal(end_view(&world.server).acked_bytes, 100);
	stranger_close(&stranger);
	world_close(&world);
}

static void test_goodbye(void **state)
{
	(void)state;
	check_goodbye(TLS1_3_VERSION);
	check_goodbye(TLS1_2_VERSION);
}

static void test_fin_without_goodbye(void **state)
{
	struct stranger stranger;
	struct world world;

	(void)state;
	meet_stranger(&world, &stranger, TLS1_3_VERSION);
	client_shuts(&world);
	EVENTUALLY(&world, world.server.over);
	assert_int_equal(world.server.last, 0);
	assert_string_equal(end_why(&world.server),
			    "the peer closed the connection without saying so in TLS "
			    "(close_notify): what it sent may be cut short");
	/* And our half is still good. */
	end_send(&world.server, 100);
	EVENTUALLY(&world, stranger_hears(&stranger) == 100);
	stranger_close(&stranger);
	world_close(&world);
}

/* With tickets under way to it, its close() would be an RST. */
static void test_client_that_never_reads(void **state)
{
	struct stranger stranger;
	struct world world;

	(void)state;
	meet_stranger(&world, &stranger, TLS1_3_VERSION);
	for (int i = 0; i < 5; i++) /* whatever the server has to say is there now */
		world_step(&world);
	assert_int_equal(SSL_write(stranger.ssl, &(uint8_t){byte_at(10)}, 1), 1);
	stranger_flush(&stranger);
	end_close(&world.client);
	EVENTUALLY(&world, world.server.over);
	assert_int_equal(world.server.received, 11);
	assert_int_equal(world.server.last, 0);
	stranger_close(&stranger);
	world_close(&world);
}

static void test_fin_inside_a_record(void **state)
{
	struct stranger stranger;
	struct world world;
	char data[600];
	struct iovec iov = {data, 300};

	(void)state;
	meet_stranger(&world, &stranger, TLS1_3_VERSION);
	assert_int_equal(SSL_write(stranger.ssl, "x", 1), 1);
	assert_int_equal(SSL_write(stranger.ssl, data, 500), 500);
	assert_true(BIO_read(stranger.out, data, sizeof(data)) > 500);
	assert_int_equal(
		world.client.net->ops->send(world.client.net, world.client.socket, &iov, 1, 0),
		300);
	client_shuts(&world);
	world.server.reads = false;
	world.server.told = 0;
	EVENTUALLY(&world, world.server.told & LAI_PEER_FIN);
	assert_int_equal(world.server.net->ops->recv(world.server.net, world.server.socket, data,
						     sizeof(data)),
			 1);
	assert_int_equal(world.server.net->ops->recv(world.server.net, world.server.socket, data,
						     sizeof(data)),
			 -EPROTO);
	assert_string_equal(end_why(&world.server),
			    "the connection ended in the middle of a TLS record");
	stranger_close(&stranger);
	world_close(&world);
}

static void test_changed_record(void **state)
{
	struct stranger stranger;
	struct world world;
	char data[200];
	struct iovec iov = {data, 0};
	int size;

	(void)state;
	meet_stranger(&world, &stranger, TLS1_3_VERSION);
	assert_int_equal(SSL_write(stranger.ssl, data, 100), 100);
	size = BIO_read(stranger.out, data, sizeof(data));
	assert_true(size > 100);
	data[size - 1] ^= 1;
	iov.iov_len = (size_t)size;
	assert_int_equal(
		world.client.net->ops->send(world.client.net, world.client.socket, &iov, 1, 0),
		size);
	EVENTUALLY(&world, world.server.over);
	assert_int_equal(world.server.last, -EPROTO);
	assert_string_equal(end_why(&world.server), "what the client sent was changed on the way");
	stranger_close(&stranger);
	world_close(&world);
}

/* A peer that wants new keys again and again and reads nothing does not fill our memory. */
static void test_key_updates(void **state)
{
	struct stranger stranger;
	struct world world;

	(void)state;
	meet_stranger(&world, &stranger, TLS1_3_VERSION);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(SSL_key_update(stranger.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		stranger_says(&stranger, 10);
		EVENTUALLY(&world, world.server.received == 20u + 10u * (unsigned)i);
		end_send(&world.server, 10u + 10u * (unsigned)i);
		EVENTUALLY(&world, stranger_hears(&stranger) == 10);
	}
	EVENTUALLY(&world, end_view(&world.server).acked_bytes == 200);
	stranger_close(&stranger);
	world_close(&world);
}

/* ---- buffered bytes, views, ends ----------------------------------------------------------- */

/* Reads little at a time: what OpenSSL holds back must be told, again and again, also by fd(). */
static void check_level_triggered(bool simulated)
{
	struct lai_ready ready[READY_MAX];
	struct world world;
	uint8_t byte;

	world_open_usual(&world, simulated);
	world_meet(&world);
	world.server.reads = false;
	end_send(&world.client, 200);
	EVENTUALLY(&world, world.server.told & LAI_READABLE);
	for (unsigned i = 0; i < 200; i++) {
		struct lai_net *net = world.server.net;
		struct pollfd fd = {.fd = net->ops->fd(net), .events = POLLIN};

		if (!simulated)
			assert_int_equal(poll(&fd, 1, 0), 1);
		for (int k = 0; k < 2; k++) {
			assert_int_equal(net->ops->wait(net, ready, READY_MAX, LA_NEVER), 1);
			assert_int_equal(ready[0].socket, world.server.socket);
			assert_int_equal(ready[0].events, LAI_READABLE);
		}
		assert_int_equal(net->ops->recv(net, world.server.socket, &byte, 1), 1);
		assert_int_equal(byte, byte_at(i));
		/* Nothing watched: nothing said. */
		end_watch(&world.server, 0);
		assert_int_equal(net->ops->wait(net, ready, READY_MAX, 0), 0);
		end_watch(&world.server, LAI_READABLE);
	}
	assert_int_equal(
		world.server.net->ops->recv(world.server.net, world.server.socket, &byte, 1),
		-EAGAIN);
	assert_int_equal(world.server.net->ops->wait(world.server.net, ready, READY_MAX, 0), 0);
	world_close(&world);
}

static void test_level_triggered(void **state)
{
	(void)state;
	check_level_triggered(false);
	check_level_triggered(true);
}

/* The views of one transfer never go back, never say more than was sent, and are exact in the end. */
static void check_views(bool simulated)
{
	uint64_t before = 0, total = 0;
	struct world world;

	world_open_usual(&world, simulated);
	if (!simulated)
		shrink_listener(world.listener);
	world_meet(&world);
	world.server.reads = false; /* until everything stands still */
	for (int i = 0; i < 3000; i++) {
		uint64_t target = total + 1 + (uint64_t)(i * 37 % 100);

		end_send(&world.client, target);
		total = world.client.sent;
		assert_true(end_view(&world.client).acked_bytes <= total);
	}
	world.server.reads = true;
	while (world.server.received < total) {
		uint64_t acked = end_view(&world.client).acked_bytes;

		assert_true(acked >= before && acked <= total);
		before = acked;
		world_step(&world);
		end_read(&world.server);
	}
	EVENTUALLY(&world, end_view(&world.client).acked_bytes == total);
	client_shuts(&world);
	EVENTUALLY(&world, world.server.over && end_view(&world.client).fin_acked);
	assert_int_equal(end_view(&world.client).acked_bytes, total);
	world_close(&world);
}

static void test_views(void **state)
{
	(void)state;
	check_views(false);
	check_views(true);
}

/* A peer dies with everything unread: what is acknowledged stays readable, in the program's bytes. */
static void test_killed(void **state)
{
	struct world world;
	uint64_t acked;

	(void)state;
	world_open_usual(&world, false);
	world_meet(&world);
	end_send(&world.client, 1000);
	EVENTUALLY(&world, end_view(&world.client).acked_bytes == 1000);
	world.server.net->ops->abort(world.server.net, world.server.socket);
	world.server.socket = -1;
	EVENTUALLY(&world, world.client.over);
	assert_int_equal(world.client.last, -ECONNRESET);
	acked = end_view(&world.client).acked_bytes;
	assert_int_equal(acked, 1000);
	assert_int_equal(world.client.net->ops->send(world.client.net, world.client.socket,
						     &(struct iovec){(char[8]){0}, 8}, 1, 0),
			 8); /* as the kernel says EPIPE only when asked again */
	assert_int_equal(end_view(&world.client).acked_bytes, acked);
	world_close(&world);
}

/* shutdown() with bytes pending: all of them arrive, then close_notify, then the FIN. */
static void check_shutdown_behind_pending(bool simulated)
{
	struct world world;

	world_open_usual(&world, simulated);
	if (!simulated)
		shrink_listener(world.listener);
	world_meet(&world);
	if (!simulated)
		shrink(world.client.socket, SO_SNDBUF);
	world.server.reads = false;
	while (world.client.last != -EAGAIN)
		end_send(&world.client, world.client.sent + SOME_BYTES);
	client_shuts(&world);
	assert_int_equal(world.client.net->ops->send(world.client.net, world.client.socket,
						     &(struct iovec){(char[8]){0}, 8}, 1, 0),
			 -EPIPE);
	end_watch(&world.client, LAI_READABLE);
	world.server.reads = true;
	EVENTUALLY(&world, world.server.over);
	assert_int_equal(world.server.last, 0);
	assert_string_equal(end_why(&world.server), "");
	assert_int_equal(world.server.received, world.client.sent);
	EVENTUALLY(&world, end_view(&world.client).fin_acked);
	assert_int_equal(end_view(&world.client).acked_bytes, world.client.sent);
	end_send(&world.server, SOME_BYTES / 10);
	EVENTUALLY(&world, world.client.received == SOME_BYTES / 10);
	assert_int_equal(world.server.net->ops->shutdown(world.server.net, world.server.socket), 0);
	EVENTUALLY(&world, world.client.over);
	assert_int_equal(world.client.last, 0);
	world_close(&world);
}

static void test_shutdown_behind_pending(void **state)
{
	(void)state;
	check_shutdown_behind_pending(false);
	check_shutdown_behind_pending(true);
}

/* discard() decrypts and keeps count; what comes after it can be read. */
static void check_discard(bool simulated)
{
	struct world world;
	uint64_t discarded = 0;

	world_open_usual(&world, simulated);
	world_meet(&world);
	world.server.reads = false;
	end_send(&world.client, SOME_BYTES);
	while (discarded < SOME_BYTES / 2) {
		ssize_t size = world.server.net->ops->discard(world.server.net, world.server.socket,
							      SOME_BYTES / 2 - discarded);

		assert_true(size > 0 || size == -EAGAIN);
		discarded += size > 0 ? (uint64_t)size : 0;
		if (size < 0)
			world_step(&world);
		end_send(&world.client, SOME_BYTES);
	}
	world.server.received = discarded;
	world.server.reads = true;
	EVENTUALLY(&world,
		   (end_send(&world.client, SOME_BYTES), world.server.received == SOME_BYTES));
	client_shuts(&world);
	world.server.reads = false;
	EVENTUALLY(&world,
		   world.server.net->ops->discard(world.server.net, world.server.socket, 1) == 0);
	world_close(&world);
}

static void test_discard(void **state)
{
	(void)state;
	check_discard(false);
	check_discard(true);
}

/* close() with bytes that OpenSSL has read and the program has not: an RST, as from the kernel. */
static void test_close_with_unread(void **state)
{
	struct world world;
	uint8_t byte;

	(void)state;
	world_open_usual(&world, false);
	world_meet(&world);
	world.server.reads = false;
	end_send(&world.client, 100);
	EVENTUALLY(&world, world.server.told & LAI_READABLE);
	assert_int_equal(
		world.server.net->ops->recv(world.server.net, world.server.socket, &byte, 1), 1);
	end_close(&world.server);
	EVENTUALLY(&world, world.client.over);
	assert_int_equal(world.client.last, -ECONNRESET);
	world_close(&world);
}

static void test_close_is_polite(void **state)
{
	struct world world;

	(void)state;
	world_open_usual(&world, false);
	world_meet(&world);
	end_send(&world.client, 100);
	EVENTUALLY(&world, world.server.received == 100);
	end_close(&world.client);
	EVENTUALLY(&world, world.server.over);
	assert_int_equal(world.server.last, 0);
	assert_string_equal(end_why(&world.server), "");
	world_close(&world);
}

static void test_ack_is_news(void **state)
{
	struct iovec iov = {(void *)(uintptr_t) "\0\7\16\25", 4};
	struct world world;

	(void)state;
	world_open_usual(&world, false);
	world_meet(&world);
	world.client.told = 0;
	assert_int_equal(world.client.net->ops->send(world.client.net, world.client.socket, &iov, 1,
						     LAI_ASK_ACK),
			 4);
	EVENTUALLY(&world, world.client.told & LAI_ACKED);
	assert_int_equal(end_view(&world.client).acked_bytes, 4);
	assert_int_equal(end_error(&world.client), 0);
	world_close(&world);
}

/* ---- many ---------------------------------------------------------------------------------- */

#define ROUNDS 2000
#define ROUNDS_WARM 200
/* malloc's own hoard; a leak of one struct per connection would be more than this. */
#define GROWTH_MAX (ROUNDS * 16)

static int handles(void)
{
	DIR *list = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(list);
	while (readdir(list))
		count++;
	(void)closedir(list);
	return count;
}

/* Every way that a connection ends, one after the other. */
static void one_life(struct world *world, int how)
{
	world->client = (struct end){.net = world->client.net, .socket = -1, .reads = true};
	world->server = (struct end){.net = world->server.net, .socket = -1, .reads = true};
	world->host = how % 5 == 0 ? "other.test" : "server.test";
	world_connect(world);
	EVENTUALLY(world, world->client.told & LAI_WRITABLE);
	EVENTUALLY(world, world->server.socket >= 0);
	if (end_error(&world->client) == 0) {
		end_watch(&world->client, LAI_READABLE);
		end_send(&world->client, 100);
		if (how % 5 != 1)
			EVENTUALLY(world, world->server.received == 100);
		if (how % 5 == 2)
			client_shuts(world);
	}
	if (how % 5 == 3)
		world->server.net->ops->abort(world->server.net, world->server.socket);
	else
		end_close(&world->server);
	world->server.socket = -1;
	end_close(&world->client);
}

static void test_many(void **state)
{
	struct world world;
	size_t memory = 0;
	int before = 0;

	(void)state;
	world_open_usual(&world, false);
	for (int i = 0; i < ROUNDS; i++) {
		if (i == ROUNDS_WARM) {
			memory = mallinfo2().uordblks;
			before = handles();
		}
		one_life(&world, i);
	}
	assert_int_equal(handles(), before);
	assert_true(mallinfo2().uordblks <= memory + GROWTH_MAX);
	world_close(&world);
}

/* ---- files --------------------------------------------------------------------------------- */

static void expect_refused(const struct la_tls_config *config, bool server, const char *beginning)
{
	struct lai_net *inner = kernel_net(), *net = NULL;
	char *error = NULL;

	assert_true(lai_net_tls_new(&net, inner, config, server, &error) < 0);
	assert_null(net);
	assert_non_null(error);
	if (strncmp(error, beginning, strlen(beginning)) != 0)
		fail_msg("%s", error);
	free(error);
	inner->ops->free(inner);
}

static void test_files(void **state)
{
	char sentence[PATH_MAX + 200];

	(void)state;
	expect_refused(&(struct la_tls_config){0}, true,
		       "a TLS server needs a certificate and its key");
	expect_refused(&(struct la_tls_config){.key = path_of("server")}, false,
		       "a private key without its certificate is of no use");
	expect_refused(
		&(struct la_tls_config){.cert = path_of("server"), .client_cert_required = true},
		true, "client certificates can only be demanded with the CA that signs them");
	(void)snprintf(sentence, sizeof(sentence),
		       "the certificate '%s' cannot be read: No such file or directory",
		       path_of("nothing"));
	expect_refused(&(struct la_tls_config){.cert = path_of("nothing")}, true, sentence);
	(void)snprintf(sentence, sizeof(sentence),
		       "the CA certificate '%s' cannot be read: No such file or directory",
		       path_of("nothing"));
	expect_refused(&(struct la_tls_config){.ca = path_of("nothing")}, false, sentence);
	(void)snprintf(sentence, sizeof(sentence),
		       "'%s' cannot be used as a certificate: ", path_of("text"));
	expect_refused(&(struct la_tls_config){.cert = path_of("text")}, true, sentence);
	(void)snprintf(sentence, sizeof(sentence),
		       "'%s' cannot be used as a CA certificate: ", path_of("text"));
	expect_refused(&(struct la_tls_config){.ca = path_of("text")}, false, sentence);
	(void)snprintf(sentence, sizeof(sentence),
		       "'%s' holds no private key that can be used: ", path_of("server-cert"));
	expect_refused(&(struct la_tls_config){.cert = path_of("server-cert")}, true, sentence);
	(void)snprintf(sentence, sizeof(sentence),
		       "the private key in '%s' does not belong to the certificate in '%s'",
		       path_of("client"), path_of("server"));
	expect_refused(&(struct la_tls_config){.cert = path_of("server"), .key = path_of("client")},
		       true, sentence);
	(void)snprintf(sentence, sizeof(sentence),
		       "the private key in '%s' is encrypted: one without a passphrase is needed",
		       path_of("locked"));
	expect_refused(&(struct la_tls_config){.cert = path_of("locked")}, true, sentence);
}

static void test_separate_key(void **state)
{
	static char key[PATH_MAX];
	struct la_tls_config config = *server_config("server-cert");
	struct world world;

	(void)state;
	(void)snprintf(key, sizeof(key), "%s", path_of("server-key"));
	config.key = key;
	world_open(&world, false, client_config("ca"), &config);
	world_meet(&world);
	world_close(&world);
}

/* Without a CA of ours the system decides, and it has never heard of this one. */
static void test_system_trust(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, false, &(struct la_tls_config){0}, server_config("server"));
	world_connect(&world);
	EVENTUALLY(&world, world.client.told & LAI_WRITABLE);
	assert_int_equal(end_error(&world.client), EKEYREJECTED);
	assert_string_equal(end_why(&world.client),
			    "the server's certificate is signed by 'Test CA', who is not trusted");
	world_close(&world);
}

/* ---- the table ----------------------------------------------------------------------------- */

#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

int main(void)
{
	static const struct CMUnitTest fixed[] = {
		{.name = "bytes go both ways, and the server has a name",
		 .test_func = test_exchange},
		{.name = "large transfers both ways at once through small buffers",
		 .test_func = test_transfer},
		{.name = "buffers smaller than the handshake",
		 .test_func = test_small_from_the_start},
		{.name = "the name of the settings comes before the URL's",
		 .test_func = test_config_name},
		{.name = "a client's certificate gives it a name", .test_func = test_mutual},
		{.name = "a client without a good certificate is told so",
		 .test_func = test_mutual_refused},
		{.name = "an alert counts more than the RST behind it",
		 .test_func = test_refused_while_writing},
		{.name = "a client that does not speak TLS", .test_func = test_plain_client},
		{.name = "a server that does not speak TLS", .test_func = test_plain_server},
		{.name = "a handshake that ends with FIN or RST", .test_func = test_cut_short},
		{.name = "nobody listens: the error is TCP's", .test_func = test_nobody_listens},
		{.name = "a handshake that stalls holds up nobody",
		 .test_func = test_stalled_handshake},
		{.name = "a server that knows only TLS 1.1", .test_func = test_old_server},
		{.name = "a client that knows only TLS 1.1", .test_func = test_old_client},
		{.name = "close_notify is the end, and ours comes before the FIN",
		 .test_func = test_goodbye},
		{.name = "a FIN without close_notify is an end, with a word of warning",
		 .test_func = test_fin_without_goodbye},
		{.name = "a client that writes and closes and never reads loses nothing",
		 .test_func = test_client_that_never_reads},
		{.name = "a FIN inside a record is a violation",
		 .test_func = test_fin_inside_a_record},
		{.name = "a record that was changed is refused", .test_func = test_changed_record},
		{.name = "new keys on the way", .test_func = test_key_updates},
		{.name = "what OpenSSL holds back is told, again and again",
		 .test_func = test_level_triggered},
		{.name = "acknowledged bytes are the program's: monotone, and exact in the end",
		 .test_func = test_views},
		{.name = "after an RST the acknowledged bytes stay readable",
		 .test_func = test_killed},
		{.name = "shutdown waits for what is pending",
		 .test_func = test_shutdown_behind_pending},
		{.name = "discard decrypts and keeps nothing", .test_func = test_discard},
		{.name = "close with unread bytes is an RST", .test_func = test_close_with_unread},
		{.name = "close says goodbye first", .test_func = test_close_is_polite},
		{.name = "an acknowledgement is news", .test_func = test_ack_is_news},
		{.name = "files that cannot be used, in a sentence each", .test_func = test_files},
		{.name = "a key in a file of its own", .test_func = test_separate_key},
		{.name = "without a CA the system's are trusted", .test_func = test_system_trust},
		{.name = "2,000 connections leave nothing behind", .test_func = test_many},
	};
	static struct CMUnitTest tests[sizeof(fixed) / sizeof(fixed[0]) + REFUSALS];
	size_t count = 0;

	for (size_t i = 0; i < REFUSALS; i++)
		tests[count++] =
			(struct CMUnitTest){.name = refusals[i].sentence,
					    .test_func = test_refusal,
					    .initial_state = (void *)(uintptr_t)&refusals[i]};
	memcpy(tests + count, fixed, sizeof(fixed));
	return cmocka_run_group_tests_name("io.tls", tests, files_make, files_remove);
}
