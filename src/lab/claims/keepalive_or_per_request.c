/* SPDX-License-Identifier: MIT */
/*
 * keepalive_or_per_request.c - HTTP/1.1 with one connection for all requests, or one for each:
 * time, packets, ports and TIME_WAITs, with nginx as the server, a small client of our own, and
 * curl.
 *
 *	keep-alive    SYN [GET 200] [GET 200] [GET 200] ... FIN
 *	per request   SYN [GET 200] FIN  SYN [GET 200] FIN  ...   each leaves a TIME_WAIT
 */
#include "lab/gauge.h"
#include "lab/statistics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUESTS 1000
/* The ways take turns, so that what disturbs the machine disturbs all of them alike. */
#define ROUNDS 10
#define CURL_REQUESTS 100
#define WAIT_NS (5 * LAI_S)
/* Of nginx, below the ports that clients get. */
#define PORT_MIN 2000
#define PORT_MAX 29000
#define PATH_BYTES 256
#define TEXT_BYTES 4096
#define CURL_OUTPUT_BYTES 16384
#define PORTS 65536

/* --- the server --- */

/* In a user namespace there is only one user, so that nginx must not look for another. */
static const char config[] = "user root;\n"
			     "daemon off;\n"
			     "master_process off;\n"
			     "pid %s/nginx.pid;\n"
			     "error_log stderr crit;\n"
			     "events { worker_connections 512; }\n"
			     "http {\n"
			     "access_log off;\n"
			     "client_body_temp_path %s/a;\n"
			     "proxy_temp_path %s/b;\n"
			     "fastcgi_temp_path %s/c;\n"
			     "uwsgi_temp_path %s/d;\n"
			     "scgi_temp_path %s/e;\n"
			     "keepalive_requests 1000000;\n"
			     "server { listen %s; location / { return 200 \"hello\\n\"; } }\n"
			     "server { listen %s; keepalive_timeout 0;\n"
			     " location / { return 200 \"hello\\n\"; } }\n"
			     "}\n";

/* Two listeners: one keeps connections, the other ends each after its answer. */
struct service {
	struct lai_address keeps, ends;
};

static void config_write(struct lai_trial *trial, const struct service *service, const char *path)
{
	const char *d = lai_trial_directory(trial);
	char keeps[LA_ADDRESS_TEXT_MAX], ends[LA_ADDRESS_TEXT_MAX];
	FILE *file = fopen(path, "we");

	if (!file ||
	    fprintf(file, config, d, d, d, d, d, d, lai_address_format(keeps, &service->keeps),
		    lai_address_format(ends, &service->ends)) < 0 ||
	    fclose(file) != 0)
		lai_trial_fail(trial, "the configuration of nginx is not written: %s",
			       strerror(errno));
}

/* Until it answers. */
static void await_listener(struct lai_trial *trial, const struct lai_address *address)
{
	uint64_t until_ns = lai_clock_now() + WAIT_NS;
	int error;

	do {
		int fd = lai_call_socket(trial, trial->client);

		error = lai_call_connect(fd, address, WAIT_NS).error;
		lai_call_linger(trial, fd, true, 0);
		(void)close(fd);
		if (error)
			(void)poll(NULL, 0, 5);
	} while (error && lai_clock_now() < until_ns);
	if (error)
		lai_trial_fail(trial, "nginx does not listen: %s", lai_call_errno(error));
}

static struct service serve(struct lai_trial *trial)
{
	uint16_t port = lai_trial_port(trial, PORT_MIN, PORT_MAX);
	struct service service = {
		lai_host_address(trial, trial->server, port),
		lai_host_address(trial, trial->server, port + 1),
	};
	char path[PATH_BYTES];
	const char *args[] = {"nginx", "-e", "stderr", "-c", path, NULL};

	(void)snprintf(path, sizeof(path), "%s/nginx.conf", lai_trial_directory(trial));
	config_write(trial, &service, path);
	(void)lai_host_start(trial, trial->server, args);
	await_listener(trial, &service.ends);
	await_listener(trial, &service.keeps);
	return service;
}

/* --- the client --- */

/* Who says that this answer is the last one of its connection. */
enum last {
	LAST_NEVER,   /* nobody: keep-alive */
	LAST_SERVER,  /* "Connection: close": the server closes first */
	LAST_CLIENT,  /* the client closes when it has its answer */
	LAST_REFUSED, /* the client would keep it, the server does not */
};

struct client {
	struct lai_trial *trial;
	struct lai_address to;
	enum last last;
	int fd; /* -1: not connected */
	unsigned connections, ports_used;
	bool ports[PORTS];
};

static void connect_again(struct client *client)
{
	struct lai_trial *trial = client->trial;
	struct lai_call call;
	struct lai_ends ends;
	uint16_t port;

	client->fd = lai_call_socket(trial, trial->client);
	lai_call_option(trial, client->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	call = lai_call_connect(client->fd, &client->to, WAIT_NS);
	if (call.error)
		lai_trial_fail(trial, "connection %u to nginx: %s", client->connections,
			       lai_call_errno(call.error));
	client->connections++;
	ends = lai_call_ends(trial, client->fd);
	port = lai_address_port(&ends.local);
	client->ports_used += !client->ports[port];
	client->ports[port] = true;
}

/* Reads one answer: to the end of the body that its Content-Length tells. */
static void read_answer(struct client *client, char text[TEXT_BYTES])
{
	size_t have = 0;

	for (;;) {
		struct lai_call call =
			lai_call_receive(client->fd, text + have, TEXT_BYTES - 1 - have, WAIT_NS);
		char *body, *length;

		have += call.bytes;
		text[have] = '\0';
		body = strstr(text, "\r\n\r\n");
		length = strstr(text, "Content-Length: ");
		if (body && length &&
		    have >= (size_t)(body + 4 - text) +
				    strtoul(length + strlen("Content-Length: "), NULL, 10))
			return;
		if (call.error || call.bytes == 0)
			lai_trial_fail(client->trial, "an answer of nginx ends early");
	}
}

static void request(struct client *client)
{
	static const char keep[] = "GET / HTTP/1.1\r\nHost: lab\r\n\r\n";
	static const char end[] = "GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";
	const char *text = client->last == LAST_SERVER ? end : keep;
	char answer[TEXT_BYTES];
	bool over;

	if (client->fd < 0)
		connect_again(client);
	if (send(client->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		lai_trial_fail(client->trial, "a request is not sent: %s", strerror(errno));
	read_answer(client, answer);
	over = strstr(answer, "Connection: close") != NULL;
	if (over && lai_call_receive_all(client->fd, WAIT_NS).error)
		lai_trial_fail(client->trial, "nginx does not close");
	if (over || client->last == LAST_CLIENT) {
		(void)close(client->fd);
		client->fd = -1;
	}
}

/* --- what a way costs --- */

struct cost {
	unsigned connections, ports;
	double us_median; /* of a request */
	double packets;	  /* both directions, of a request */
	/* TIME_WAITs that it left; a port that comes again ends one of another way. */
	long waits_client, waits_server;
};

static long waits(struct lai_trial *trial, const struct lai_host *host)
{
	return (long)lai_gauge_count(trial, host, LAI_SOCKDIAG_STATE(LAI_TCP_TIME_WAIT));
}

/* What is still on its way to an end has ended: the last FIN may be under way. */
static void settle(struct lai_trial *trial)
{
	uint32_t moving =
		LAI_SOCKDIAG_STATE(LAI_TCP_FIN_WAIT1) | LAI_SOCKDIAG_STATE(LAI_TCP_FIN_WAIT2) |
		LAI_SOCKDIAG_STATE(LAI_TCP_CLOSING) | LAI_SOCKDIAG_STATE(LAI_TCP_LAST_ACK) |
		LAI_SOCKDIAG_STATE(LAI_TCP_CLOSE_WAIT);
	uint64_t until_ns = lai_clock_now() + LAI_S;

	while (lai_gauge_count(trial, trial->client, moving) +
			       lai_gauge_count(trial, trial->server, moving) >
		       0 &&
	       lai_clock_now() < until_ns)
		(void)poll(NULL, 0, 2);
}

/* One way of asking, with what it has cost so far. */
struct way {
	struct client client;
	const char *name;
	struct cost cost;
	double us[REQUESTS];
	unsigned requests;
};

static struct way *way_new(struct lai_trial *trial, const struct lai_address *to, enum last last,
			   const char *name)
{
	struct way *way = calloc(1, sizeof(*way));

	if (!way)
		lai_trial_fail(trial, "no memory");
	way->client = (struct client){.trial = trial, .to = *to, .last = last, .fd = -1};
	way->name = name;
	return way;
}

/* Makes the requests of a round. Nothing of another way is under way meanwhile. */
static void way_go(struct lai_trial *trial, struct way *way, bool last_round)
{
	struct lai_counters *before = lai_counters_read(trial, trial->client);
	long client_before = waits(trial, trial->client);
	long server_before = waits(trial, trial->server);

	for (unsigned i = 0; i < REQUESTS / ROUNDS; i++) {
		uint64_t began_ns = lai_clock_now();

		request(&way->client);
		way->us[way->requests++] = (double)(lai_clock_now() - began_ns) / LAI_US;
	}
	if (last_round && way->client.fd >= 0)
		(void)close(way->client.fd);
	settle(trial);
	way->cost.packets += (double)(lai_counters_since(trial, trial->client, before, "InSegs") +
				      lai_counters_since(trial, trial->client, before, "OutSegs")) /
			     REQUESTS;
	way->cost.waits_client += waits(trial, trial->client) - client_before;
	way->cost.waits_server += waits(trial, trial->server) - server_before;
	lai_counters_free(before);
}

/* Sums up, says it, and frees. */
static struct cost way_end(struct lai_trial *trial, struct way *way)
{
	struct cost cost = way->cost;

	cost.us_median = lai_median(way->us, way->requests);
	cost.connections = way->client.connections;
	cost.ports = way->client.ports_used;
	lai_trial_say(trial,
		      "%s: %u requests, %u connections from %u ports, %.1f packets and %.0f us "
		      "each, TIME_WAITs left: client %ld, server %ld",
		      way->name, way->requests, cost.connections, cost.ports, cost.packets,
		      cost.us_median, cost.waits_client, cost.waits_server);
	free(way);
	return cost;
}

/* --- curl, as a second client --- */

/* Connections that curl says it made for CURL_REQUESTS requests in one process. */
static unsigned curl(struct lai_trial *trial, const struct lai_address *to, bool keep)
{
	char url[PATH_BYTES], address[LA_ADDRESS_TEXT_MAX];
	static char output[CURL_OUTPUT_BYTES];
	const char *args[] = {"curl", "-s",
			      "-o",   "/dev/null",
			      "-H",   keep ? "X-Lab: 1" : "Connection: close",
			      "-w",   "%{num_connects}\n",
			      url,    NULL};
	unsigned connections = 0;

	(void)snprintf(url, sizeof(url), "http://%s/?[1-%d]", lai_address_format(address, to),
		       CURL_REQUESTS);
	if (lai_host_run(trial, trial->client, args, NULL, output, sizeof(output)) != 0)
		lai_trial_fail(trial, "curl failed");
	for (char *at = output; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		connections += (unsigned)strtoul(at, NULL, 10);
	lai_trial_say(trial, "curl, %s: %d requests, %u connections",
		      keep ? "keep-alive" : "Connection: close", CURL_REQUESTS, connections);
	return connections;
}

/* --- the claim --- */

/* Whether one of the kernels may keep no TIME_WAIT at all. */
static bool keeps_none(struct lai_trial *trial)
{
	static const char name[] = "net.ipv4.tcp_max_tw_buckets";

	return lai_host_get(trial, trial->client, name) == 0 ||
	       lai_host_get(trial, trial->server, name) == 0;
}

static bool per_request(const struct cost *cost)
{
	return cost->connections == REQUESTS && cost->ports > REQUESTS / 2;
}

static void numbers(struct lai_trial *trial, const char *name, const struct cost *cost)
{
	char label[48]; /* as long as a number's name may be */

	(void)snprintf(label, sizeof(label), "%s: requests/s (by the median)", name);
	lai_trial_number(trial, label, "1/s", LAI_S / LAI_US / cost->us_median);
	(void)snprintf(label, sizeof(label), "%s: packets", name);
	lai_trial_number(trial, label, "per request", cost->packets);
	(void)snprintf(label, sizeof(label), "%s: ports", name);
	lai_trial_number(trial, label, "", cost->ports);
	(void)snprintf(label, sizeof(label), "%s: TIME_WAIT, client", name);
	lai_trial_number(trial, label, "", (double)cost->waits_client);
	(void)snprintf(label, sizeof(label), "%s: TIME_WAIT, server", name);
	lai_trial_number(trial, label, "", (double)cost->waits_server);
}

static long waits_of(const struct cost *cost)
{
	return cost->waits_client + cost->waits_server;
}

enum { WAY_KEEP, WAY_SERVER, WAY_CLIENT, WAY_REFUSED, WAY_COUNT };

static void costs_measure(struct lai_trial *trial, const struct service *service,
			  struct cost costs[WAY_COUNT])
{
	struct way *ways[WAY_COUNT] = {
		[WAY_KEEP] = way_new(trial, &service->keeps, LAST_NEVER, "keep-alive"),
		[WAY_SERVER] = way_new(trial, &service->keeps, LAST_SERVER,
				       "Connection: close, server first"),
		[WAY_CLIENT] = way_new(trial, &service->keeps, LAST_CLIENT,
				       "per request, client closes first"),
		[WAY_REFUSED] = way_new(trial, &service->ends, LAST_REFUSED,
					"keep-alive asked, refused by the server"),
	};

	for (int round = 1; round <= ROUNDS; round++)
		for (int i = 0; i < WAY_COUNT; i++)
			way_go(trial, ways[i], round == ROUNDS);
	for (int i = 0; i < WAY_COUNT; i++)
		costs[i] = way_end(trial, ways[i]);
}

/* By what can be counted; how many requests a second there are, which a busy machine may turn, is
   a number beside it. */
static enum lai_lab_verdict judge(struct lai_trial *trial, const struct cost costs[WAY_COUNT],
				  unsigned curl_keep, unsigned curl_end)
{
	const struct cost *keep = &costs[WAY_KEEP], *by_server = &costs[WAY_SERVER];
	const struct cost *by_client = &costs[WAY_CLIENT];
	bool one_each =
		per_request(by_server) && per_request(by_client) && curl_end == CURL_REQUESTS;
	bool one_kept = keep->connections == 1 && keep->ports == 1 && curl_keep == 1;
	bool fewer_packets =
		2 * keep->packets < by_server->packets && 2 * keep->packets < by_client->packets;
	bool waits_left =
		by_server->waits_server >= REQUESTS / 2 && by_client->waits_client >= REQUESTS / 2;
	bool no_waits = waits_of(by_server) <= 0 && waits_of(by_client) <= 0;

	if (one_each && one_kept && fewer_packets && waits_of(keep) <= 1) {
		if (waits_left)
			return LAI_LAB_CONFIRMED;
		if (no_waits && keeps_none(trial))
			return LAI_LAB_DEPENDS;
	}
	/* It spares no port, no TIME_WAIT or no packet. */
	if (one_each && (keep->ports > REQUESTS / 2 || waits_of(keep) > REQUESTS / 2 ||
			 keep->packets >= by_server->packets))
		return LAI_LAB_REFUTED;
	return LAI_LAB_INCONCLUSIVE;
}

static void run(struct lai_trial *trial)
{
	struct service service = serve(trial);
	struct cost costs[WAY_COUNT];
	const struct cost *keep = &costs[WAY_KEEP], *by_server = &costs[WAY_SERVER];
	const struct cost *by_client = &costs[WAY_CLIENT], *refused = &costs[WAY_REFUSED];
	unsigned curl_keep, curl_end;
	enum lai_lab_verdict verdict;
	double ratio;

	costs_measure(trial, &service, costs);
	curl_keep = curl(trial, &service.keeps, true);
	curl_end = curl(trial, &service.keeps, false);
	ratio = by_server->us_median / keep->us_median;
	verdict = judge(trial, costs, curl_keep, curl_end);
	numbers(trial, "keep-alive", keep);
	numbers(trial, "server first", by_server);
	numbers(trial, "client first", by_client);
	lai_trial_number(trial, "times as many requests/s (by the medians)", "", ratio);
	lai_trial_control(trial, per_request(refused) && refused->packets > 2 * keep->packets,
			  "the same client against a server that ends each connection (nginx, "
			  "keepalive_timeout 0): %u connections for %d requests, %.1f packets each",
			  refused->connections, REQUESTS, refused->packets);
	lai_trial_conclude(
		trial, verdict,
		"%s%d requests with keep-alive: %u port, %.1f packets each, %ld TIME_WAIT, %.1f "
		"times as many a second. A connection each: %u ports, %.1f packets; TIME_WAITs of "
		"it: the server %ld with Connection: close, the client %ld if it closes first. "
		"curl: %u connection for %d requests, or %u",
		verdict == LAI_LAB_DEPENDS
			? "on the kernel keeping TIME_WAITs (tcp_max_tw_buckets): "
			: "",
		REQUESTS, keep->ports, keep->packets, waits_of(keep), ratio, by_server->ports,
		by_server->packets, by_server->waits_server, by_client->waits_client, curl_keep,
		CURL_REQUESTS, curl_end);
}

const struct lai_claim lai_claim_keepalive_or_per_request = {
	.id = "keepalive-or-per-request",
	.claim = "Keep-alive spares a port, a TIME_WAIT and most of the packets of every request, "
		 "and makes more of them a second.",
	.said = "RFC 9112 9.3; every guide to proxies and databases that ran out of ports",
	.decides = "RFC 9112 9.3 and 9.6, RFC 9293 3.3.2; tcp_time_wait() in "
		   "net/ipv4/tcp_minisocks.c at whoever sends its FIN first",
	.setup = "client ---- server; nginx in one process on two ports, one with "
		 "keepalive_timeout 0",
	.procedure =
		"1000 requests in a row by one client: over one connection; with Connection: "
		"close, where nginx closes first; each over a connection that the client closes "
		"first; and with keep-alive on the port that ends each connection. Packets from "
		"the client's Tcp: InSegs and OutSegs, the median time of a request, TIME_WAITs "
		"from sock_diag. The four ways take turns, 100 requests each. curl makes 100 requests in one process, with and without "
		"Connection: close.",
	.outcome =
		"Two packets a request instead of ten, one port instead of one each, one TIME_WAIT "
		"at its end instead of one each at the side that closes first; and several times as many "
		"requests a second, which no verdict hangs on.",
	.control = "A server that ends each connection takes it all away, although the client asks "
		   "for keep-alive.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.lane = LAI_LANE_ALONE,
	.no_capture = true,
	.run = run,
};
