/* SPDX-License-Identifier: MIT */
/*
 * lastack receive: the command line. What runs is in receiver.c for plain streams (tcp://, lines://)
 * and in stomp_receiver.c for records with receipts; the URL's scheme decides.
 */
#include "base/time.h"
#include "cli/command.h"
#include "cli/receiver.h"
#include "cli/stomp_receiver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options that were not given: values that nobody would give. */
#define TIME_UNSET (LA_NEVER - 1)
#define SIZE_UNSET UINT64_MAX
#define COUNT_UNSET 0

struct settings {
	const char *into, *into_each;
	uint64_t record_bytes_max;
	uint64_t bytes_per_s, read_timeout_ns, dead_ns;
	uint32_t open_max, connections;
	bool once, quiet, verbose;
	const char *port_file, *report;
	/* stomp:// */
	enum la_durability durability; /* LA_DURABILITY_COUNT: not given */
	uint64_t rotate_bytes, store_buffer_bytes;
	const char *users, *failures;
	uint64_t handshake_ns, heartbeat_ns, idle_ns, linger_idle_ns, linger_ns;
	struct la_tls_config tls;
};

static const char *const durability_names[] = {
#define X(id, name, sentence) name,
	LA_DURABILITIES(X)
#undef X
		NULL};

#define ROW(...) LAI_OPTION(struct settings, __VA_ARGS__)

static const struct lai_option options[] = {
	LAI_OPTION_HEAD("Where it goes"),
	ROW("into", 'o', TEXT, into, "WHERE",
	    "tcp://, lines://: append to this file instead of standard output ('-'). stomp://: an "
	    "SQLite file (default lastack.db), a directory (DIR/: one file for each destination) "
	    "or '-'"),
	ROW("into-each", 0, TEXT, into_each, "PREFIX",
	    "tcp://, lines://: one file for each connection: PREFIX.1, PREFIX.2 ..."),
	ROW("max-record", 0, SIZE, record_bytes_max, "SIZE",
	    "lines://, stomp://: longest record (default 1M); a connection that sends a longer one "
	    "is told so and closed"),
	ROW("durability", 0, ENUM, durability, NULL,
	    "stomp://: what a record survives once its receipt went out: full (default): crash "
	    "and loss of power; batch: crash, and loss of power but for the last second; none: "
	    "crash of the program alone",
	    durability_names),
	ROW("rotate", 0, SIZE, rotate_bytes, "SIZE",
	    "stomp:// into a directory: a new file after so much (default 1G)"),
	ROW("store-buffer", 0, SIZE, store_buffer_bytes, "SIZE",
	    "stomp://: received and not stored yet; then nothing more is read (default 64M)"),

	LAI_OPTION_HEAD("stomp://: who may send"),
	ROW("users", 0, TEXT, users, "FILE",
	    "lines NAME:HASH, as lastack passwd writes them; without it everybody may send"),
	ROW("failures", 0, TEXT, failures, "N/TIME",
	    "failed logins of one address before it is refused without a check (default 10/1min)"),
	ROW("handshake-timeout", 0, TIME, handshake_ns, "TIME",
	    "from the connection to the login (default 10s)"),

	LAI_OPTION_HEAD("tls://, stomps://: whom to trust"),
	ROW("cert", 0, TEXT, tls.cert, "FILE", "our certificate, with its chain; needed"),
	ROW("key", 0, TEXT, tls.key, "FILE", "its key (default in the same file)"),
	ROW("ca", 0, TEXT, tls.ca, "FILE",
	    "certificates that may vouch for a client's: with one of those it needs no password, "
	    "its name is the certificate's"),
	ROW("require-client-cert", 0, FLAG, tls.client_cert_required, NULL,
	    "no connection without such a certificate"),

	LAI_OPTION_HEAD("How fast, and how many"),
	ROW("limit-rate", 0, SIZE, bytes_per_s, "SIZE",
	    "tcp://, lines://: read at most so many bytes per second, over all connections; their "
	    "windows close meanwhile"),
	ROW("max-connections", 0, U32, open_max, "N",
	    "at once (default 1000); more wait in the backlog, or are told so (stomp://). tcp:// "
	    "into one output: always one after the other",
	    NULL, 1),
	ROW("connections", 0, U32, connections, "N",
	    "tcp://, lines://: exit after so many; status 1 unless each ended with the peer's FIN",
	    NULL, 1),
	ROW("once", 0, FLAG, once, NULL, "the same as --connections 1"),

	LAI_OPTION_HEAD("When a sender falls silent"),
	ROW("read-timeout", 0, TIME, read_timeout_ns, "TIME",
	    "tcp://, lines://: close a connection on which nothing comes for this long (default "
	    "never: an idle sender is a healthy one)"),
	ROW("idle-timeout", 0, TIME, idle_ns, "TIME",
	    "stomp://: the same; a heart-beat is something (default never)"),
	ROW("heartbeat", 0, TIME, heartbeat_ns, "TIME",
	    "stomp://: offered and wanted, both ways (default 10s; never: none)"),
	ROW("dead-after", 0, TIME, dead_ns, "TIME",
	    "a peer whose kernel answers no probe for this long is dead (default 20s)"),
	ROW("linger-idle", 0, TIME, linger_idle_ns, "TIME",
	    "stomp://: a refused client is read until it closes, or sends nothing for this long "
	    "(default 5s)"),
	ROW("linger", 0, TIME, linger_ns, "TIME", "... but no longer than this (default 30s)"),

	LAI_OPTION_HEAD("What is said"),
	ROW("port-file", 0, TEXT, port_file, "FILE",
	    "write the port to this file once it listens; for port 0"),
	ROW("report", 0, TEXT, report, "FILE",
	    "append a JSON line for each connection that ended, and one at the end"),
	ROW("quiet", 'q', FLAG, quiet, NULL, "say nothing but errors"),
	ROW("verbose", 'v', FLAG, verbose, NULL, "say every connection that begins"),
};

static const struct lai_option_command command = {
	.name = "lastack receive",
	.operands = "URL",
	.summary = "Listens, and writes what comes in to standard output, files or a database: the "
		   "server for lastack send, or for anything that speaks plain TCP or STOMP 1.2. "
		   "Every connection is read to its end and closed properly. URLs: "
		   "tcp://ADDRESS:PORT for raw bytes, lines://ADDRESS:PORT for records ending in "
		   "newline, which never mix: our FIN, their receipt, goes out when all that came "
		   "has been written. stomp://ADDRESS:PORT for records that are stored exactly "
		   "once and confirmed when they are, of senders that log in; who is refused is "
		   "told why in a way that arrives. tls:// and stomps:// are tcp:// and stomp:// "
		   "with TLS. Port 0 is any free one.",
	.epilog = "examples:\n"
		  "  lastack receive --into backup.img --once tcp://[::]:9000\n"
		  "  lastack receive --into /var/log/collected --report /var/log/collected.json "
		  "lines://[::]:6514\n"
		  "  lastack receive --limit-rate 1M lines://127.0.0.1:9000 | consumer\n"
		  "  lastack receive --users users --into hub.db stomp://127.0.0.1:61613\n"
		  "  lastack receive --users users --cert hub.pem --into /var/hub/ "
		  "stomps://[::]:61614\n"
		  "\n"
		  "exit status: 0 done or stopped by a signal, 1 a connection of --once or "
		  "--connections did\n"
		  "  not end properly, or something could not be written, 2 bad usage\n"
		  "signals: TERM, INT finish the open connections, at most 5 s; INT again aborts;\n"
		  "  USR1 prints the totals; HUP reopens the files and reads the users again\n",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_bytes = sizeof(struct settings),
	.operands_min = 1,
	.operands_max = 1,
};

static const struct settings defaults = {
	.record_bytes_max = 1u << 20,
	.read_timeout_ns = TIME_UNSET,
	.dead_ns = 20 * LAI_S,
	.open_max = 1000,
	.connections = COUNT_UNSET,
	.bytes_per_s = SIZE_UNSET,
	.durability = LA_DURABILITY_COUNT,
	.rotate_bytes = SIZE_UNSET,
	.store_buffer_bytes = SIZE_UNSET,
	.handshake_ns = TIME_UNSET,
	.heartbeat_ns = TIME_UNSET,
	.idle_ns = TIME_UNSET,
	.linger_idle_ns = TIME_UNSET,
	.linger_ns = TIME_UNSET,
};

/* ---- which option belongs where ----------------------------------------------------------- */

enum { STREAMS = 1, STOMP = 2, TLS = 4 };

/* The name of an option that was given and belongs to other schemes than these; NULL: none. *where:
   to which it belongs. */
static const char *misplaced(const struct settings *settings, unsigned schemes, const char **where)
{
	const struct {
		const char *name;
		bool given;
		unsigned schemes;
	} rows[] = {
		{"into-each", settings->into_each, STREAMS},
		{"limit-rate", settings->bytes_per_s != SIZE_UNSET, STREAMS},
		{"connections", settings->connections != COUNT_UNSET, STREAMS},
		{"once", settings->once, STREAMS},
		{"read-timeout", settings->read_timeout_ns != TIME_UNSET, STREAMS},
		{"durability", settings->durability != LA_DURABILITY_COUNT, STOMP},
		{"rotate", settings->rotate_bytes != SIZE_UNSET, STOMP},
		{"store-buffer", settings->store_buffer_bytes != SIZE_UNSET, STOMP},
		{"users", settings->users, STOMP},
		{"failures", settings->failures, STOMP},
		{"handshake-timeout", settings->handshake_ns != TIME_UNSET, STOMP},
		{"heartbeat", settings->heartbeat_ns != TIME_UNSET, STOMP},
		{"idle-timeout", settings->idle_ns != TIME_UNSET, STOMP},
		{"linger-idle", settings->linger_idle_ns != TIME_UNSET, STOMP},
		{"linger", settings->linger_ns != TIME_UNSET, STOMP},
		{"cert", settings->tls.cert, TLS},
		{"key", settings->tls.key, TLS},
		{"ca", settings->tls.ca, TLS},
		{"require-client-cert", settings->tls.client_cert_required, TLS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!rows[i].given || (rows[i].schemes & schemes))
			continue;
		*where = rows[i].schemes == STREAMS ? "tcp://, tls:// and lines://"
			 : rows[i].schemes == STOMP ? "stomp:// and stomps://"
						    : "tls:// and stomps://";
		return rows[i].name;
	}
	return NULL;
}

/* ---- what the table cannot check; NULL: all is well --------------------------------------- */

static const char *check_streams(const struct settings *settings)
{
	if (settings->into && settings->into_each)
		return "--into and --into-each exclude each other: one file for all, or one for "
		       "each";
	if (settings->once && settings->connections != COUNT_UNSET)
		return "--once and --connections exclude each other: --once is --connections 1";
	if (settings->bytes_per_s == 0)
		return "--limit-rate 0 would never read anything; leave it out for no limit";
	if (settings->read_timeout_ns == 0)
		return "--read-timeout 0 would close everything at once; 'never' switches it off";
	return NULL;
}

static const char *check_stomp(const struct settings *settings)
{
	if (settings->handshake_ns == 0 || settings->handshake_ns == LA_NEVER)
		return "--handshake-timeout must be a time: at 0 nobody could log in, and with "
		       "'never' whoever says nothing would stay for ever";
	if (settings->linger_ns == 0 || settings->linger_ns == LA_NEVER ||
	    settings->linger_idle_ns == 0 || settings->linger_idle_ns == LA_NEVER)
		return "--linger and --linger-idle must be times: at 0 the text of a refusal would "
		       "be lost, and with 'never' a refused client could stay for ever";
	if (settings->idle_ns == 0 || settings->heartbeat_ns == 0)
		return "--idle-timeout and --heartbeat must be more than 0; 'never' switches them "
		       "off";
	if (settings->rotate_bytes == 0 || settings->store_buffer_bytes == 0)
		return "--rotate and --store-buffer must be more than 0";
	return NULL;
}

static const char *check(const struct settings *settings, bool stomp, bool tls)
{
	if (settings->record_bytes_max == 0)
		return "--max-record must be more than 0";
	if (settings->dead_ns < LAI_S)
		return "--dead-after must be 1s or more: the kernel probes no faster; 'never' "
		       "switches it off";
	if (tls && !settings->tls.cert)
		return "a server with TLS needs a certificate: --cert FILE (and --key FILE)";
	if (settings->tls.client_cert_required && !settings->tls.ca)
		return "--require-client-cert needs --ca FILE: who may vouch for them";
	return stomp ? check_stomp(settings) : check_streams(settings);
}

/* "10/1min": at most ten in a minute. */
static bool parse_failures(const char *text, struct la_server_config *config)
{
	const char *slash = text ? strchr(text, '/') : NULL;
	uint64_t within_ns;
	char number[16];
	uint32_t count;

	if (!text)
		return true;
	if (!slash || (size_t)(slash - text) >= sizeof(number))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)(slash - text), text);
	if (!lai_number_parse(number, &count) || count == 0 ||
	    lai_time_parse(slash + 1, &within_ns) != 0 || within_ns == 0 || within_ns == LA_NEVER)
		return false;
	config->failures_max = count;
	config->failures_ns = within_ns;
	return true;
}

/* ---- running ------------------------------------------------------------------------------ */

static void to_config(const struct settings *settings, struct lai_receiver_config *config)
{
	config->into = settings->into ? settings->into : "-";
	config->into_each = settings->into_each;
	config->bytes_per_s = settings->bytes_per_s == SIZE_UNSET ? 0 : settings->bytes_per_s;
	config->read_timeout_ns =
		settings->read_timeout_ns == TIME_UNSET ? LA_NEVER : settings->read_timeout_ns;
	config->dead_ns = settings->dead_ns;
	config->record_bytes_max = settings->record_bytes_max;
	config->open_max = settings->open_max;
	config->accept_max = settings->once			    ? 1
			     : settings->connections == COUNT_UNSET ? UINT64_MAX
								    : settings->connections;
	config->port_file = settings->port_file;
	config->report = settings->report;
	config->quiet = settings->quiet;
	config->verbose = settings->verbose;
}

static void set_time(uint64_t *field, uint64_t given_ns)
{
	if (given_ns != TIME_UNSET)
		*field = given_ns;
}

static void set_size(uint64_t *field, uint64_t given_bytes)
{
	if (given_bytes != SIZE_UNSET)
		*field = given_bytes;
}

static void to_stomp_config(const struct settings *settings,
			    struct lai_stomp_receiver_config *config)
{
	struct la_server_config *server = &config->server;

	server->into = settings->into ? settings->into : "lastack.db";
	server->users = settings->users;
	server->tls = settings->tls;
	server->connections_max = settings->open_max;
	server->record_bytes_max = settings->record_bytes_max;
	server->dead_ns = settings->dead_ns;
	if (settings->durability != LA_DURABILITY_COUNT)
		server->durability = settings->durability;
	set_size(&server->rotate_bytes, settings->rotate_bytes);
	set_size(&server->store_buffer_bytes, settings->store_buffer_bytes);
	set_time(&server->handshake_ns, settings->handshake_ns);
	set_time(&server->heartbeat_ns, settings->heartbeat_ns);
	set_time(&server->idle_ns, settings->idle_ns);
	set_time(&server->linger_idle_ns, settings->linger_idle_ns);
	set_time(&server->linger_ns, settings->linger_ns);
	config->port_file = settings->port_file;
	config->report = settings->report;
	config->quiet = settings->quiet;
	config->verbose = settings->verbose;
}

static int run_streams(const struct settings *settings, const struct lai_endpoint *endpoint)
{
	struct lai_receiver_config config = {.endpoint = *endpoint, .tls = settings->tls};

	to_config(settings, &config);
	return lai_receiver_run(command.name, &config);
}

static int run_stomp(const struct settings *settings, const char *url)
{
	struct lai_stomp_receiver_config config = {0};

	la_server_config_default(&config.server);
	config.server.url = url;
	to_stomp_config(settings, &config);
	if (!parse_failures(settings->failures, &config.server))
		return lai_command_refuse(command.name,
					  "--failures needs N/TIME, as in 10/1min, not '%s'",
					  settings->failures);
	if (settings->report && strcmp(settings->report, "-") == 0 &&
	    strcmp(config.server.into, "-") == 0)
		return lai_command_refuse(command.name,
					  "--into - and --report - both want standard output");
	return lai_stomp_receiver_run(command.name, &config);
}

static int run(const struct settings *settings, const struct lai_endpoint *endpoint,
	       const char *url)
{
	bool stomp = endpoint->wire->has_receipts;
	const char *where, *wrong = check(settings, stomp, endpoint->tls), *option;

	option =
		misplaced(settings, (stomp ? STOMP : STREAMS) | (endpoint->tls ? TLS : 0u), &where);
	if (option)
		return lai_command_refuse(command.name, "--%s belongs to %s, not to '%s'", option,
					  where, url);
	if (wrong)
		return lai_command_refuse(command.name, "%s", wrong);
	return stomp ? run_stomp(settings, url) : run_streams(settings, endpoint);
}

int lai_cmd_receive(int count, char *const *args)
{
	struct settings settings = defaults;
	struct lai_option_list operands = {0};
	struct lai_endpoint endpoint;
	char *error = NULL;
	int exit_code;

	if (!lai_command_parse(&command, count, args, &settings, &operands, &exit_code))
		return exit_code;
	if (lai_endpoint_parse(&endpoint, operands.texts[0], true, &error) != 0) {
		exit_code = lai_command_refuse(command.name, "%s", error ? error : "out of memory");
		free(error);
	} else {
		exit_code = run(&settings, &endpoint, operands.texts[0]);
	}
	lai_option_done(&command, &settings, &operands);
	return exit_code;
}
