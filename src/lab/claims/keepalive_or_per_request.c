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
	double us_median;    /* of a request */
	double packets;	     /* both directions, of a request */
	size_t waits_client; /* TIME_WAITs that it left */
	size_t waits_server;
};

static size_t waits(struct lai_trial *trial, const struct lai_host *host)
{
	return lai_gauge_count(trial, host, LAI_SOCKDIAG_STATE(LAI_TCP_TIME_WAIT));
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

static struct cost measure(struct lai_trial *trial, const struct lai_address *to, enum last last,
			   const char *name)
{
	struct client *client = calloc(1, sizeof(*client));
	struct lai_counters *before = lai_counters_read(trial, trial->client);
	size_t client_before = waits(trial, trial->client);
	size_t server_before = waits(trial, trial->server);
	static double us[REQUESTS];
	struct cost cost = {0};

	if (!client)
		lai_trial_fail(trial, "no memory");
	*client = (struct client){.trial = trial, .to = *to, .last = last, .fd = -1};
	for (int i = 0; i < REQUESTS; i++) {
		uint64_t began_ns = lai_clock_now();

		request(client);
		us[i] = (double)(lai_clock_now() - began_ns) / LAI_US;
	}
	if (client->fd >= 0)
		(void)close(client->fd);
	settle(trial);
	cost.us_median = lai_median(us, REQUESTS);
	cost.connections = client->connections;
	cost.ports = client->ports_used;
	cost.packets = (double)(lai_counters_since(trial, trial->client, before, "InSegs") +
				lai_counters_since(trial, trial->client, before, "OutSegs")) /
		       REQUESTS;
	cost.waits_client = waits(trial, trial->client) - client_before;
	cost.waits_server = waits(trial, trial->server) - server_before;
	lai_trial_say(trial,
		      "%s: %d requests, %u connections from %u ports, %.1f packets and %.0f us "
		      "each, TIME_WAITs left: client %zu, server %zu",
		      name, REQUESTS, cost.connections, cost.ports, cost.packets, cost.us_median,
		      cost.waits_client, cost.waits_server);
	lai_counters_free(before);
	free(client);
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

static bool per_request(const struct cost *cost)
{
	return cost->connections == REQUESTS && cost->ports > REQUESTS / 2;
}

static void numbers(struct lai_trial *trial, const char *name, const struct cost *cost)
{
	char label[48]; /* as long as a number's name may be */

	(void)snprintf(label, sizeof(label), "%s: requests/s", name);
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

static void run(struct lai_trial *trial)
{
	struct service service = serve(trial);
	struct cost keep = measure(trial, &service.keeps, LAST_NEVER, "keep-alive");
	struct cost by_server =
		measure(trial, &service.keeps, LAST_SERVER, "Connection: close, server first");
	struct cost by_client =
		measure(trial, &service.keeps, LAST_CLIENT, "per request, client closes first");
	struct cost refused = measure(trial, &service.ends, LAST_REFUSED,
				      "keep-alive asked, refused by the server");
	unsigned curl_keep = curl(trial, &service.keeps, true);
	unsigned curl_end = curl(trial, &service.keeps, false);
	double ratio = by_server.us_median / keep.us_median;
	bool spares = keep.connections == 1 && keep.waits_client + keep.waits_server <= 1 &&
		      curl_keep == 1 && keep.packets * 2 < by_server.packets && ratio > 1;
	bool waits_left =
		by_server.waits_server >= REQUESTS / 2 && by_client.waits_client >= REQUESTS / 2;
	enum lai_lab_verdict verdict = LAI_LAB_REFUTED;

	numbers(trial, "keep-alive", &keep);
	numbers(trial, "server first", &by_server);
	numbers(trial, "client first", &by_client);
	lai_trial_number(trial, "times as many requests/s", "", ratio);
	lai_trial_control(trial, per_request(&refused) && refused.packets > 2 * keep.packets,
			  "the same client against a server that ends each connection (nginx, "
			  "keepalive_timeout 0): %u connections for %d requests, %.1f packets each",
			  refused.connections, REQUESTS, refused.packets);
	if (spares && per_request(&by_server) && per_request(&by_client))
		verdict = waits_left ? LAI_LAB_CONFIRMED : LAI_LAB_DEPENDS;
	lai_trial_conclude(
		trial, verdict,
		"%s%d requests with keep-alive: %u port, %.1f packets each, %zu TIME_WAIT, %.1f "
		"times as many a second. A connection each: %u ports, %.1f packets; whoever closes "
		"first keeps the TIME_WAITs: the server %zu with Connection: close, else the "
		"client %zu. curl: %u connection for %d requests, or %u",
		verdict == LAI_LAB_DEPENDS
			? "on the kernel keeping TIME_WAITs (tcp_max_tw_buckets): "
			: "",
		REQUESTS, keep.ports, keep.packets, keep.waits_client + keep.waits_server, ratio,
		by_server.ports, by_server.packets, by_server.waits_server, by_client.waits_client,
		curl_keep, CURL_REQUESTS, curl_end);
}

const struct lai_claim lai_claim_keepalive_or_per_request = {
	.id = "keepalive-or-per-request",
	.claim = "Keep-alive spares a port, a TIME_WAIT and most of the packets of every request, "
		 "and makes more of them a second.",
	.said = "RFC 9112 9.3; every guide to proxies and databases that ran out of ports",
	.decides = "RFC 9112 9.3 and 9.6, RFC 9293 3.3.2; tcp_time_wait() in "
		   "net/ipv4/tcp_minisocks.c at whoever sends its FIN first",
	.setup = "client ---- server; nginx in one process on two ports, one with "
		 "keepalive_timeout 0.",
	.procedure =
		"1000 requests in a row by one client: over one connection; with Connection: "
		"close, where nginx closes first; each over a connection that the client closes "
		"first; and with keep-alive on the port that ends each connection. Packets from "
		"the client's Tcp: InSegs and OutSegs, the median time of a request, TIME_WAITs "
		"from sock_diag. curl makes 100 requests in one process, with and without "
		"Connection: close.",
	.outcome =
		"Two packets a request instead of ten, one port instead of one each, no TIME_WAIT "
		"instead of one each at the side that closes first, and several times as many "
		"requests a second.",
	.control = "A server that ends each connection takes it all away, although the client asks "
		   "for keep-alive.",
	.expected = {{0, 0, LAI_LAB_CONFIRMED, NULL}},
	.lane = LAI_LANE_ALONE,
	.no_capture = true,
	.run = run,
};
