/* SPDX-License-Identifier: MIT */
/* lastack send: the command line. What runs is in sender.c. */
#include "cli/command.h"
#include "cli/passcode.h"
#include "cli/sender.h"
#include "base/time.h"
#include "link/endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
	struct lai_option_list files;
	const char *follow;
	bool from_end;
	enum la_proof proof;
	uint64_t buffer_bytes, record_bytes_max;
	enum la_full_policy on_full;
	const char *close;
	uint64_t drain_ns;
	struct lai_option_range backoff;
	uint32_t retries_max;
	uint64_t give_up_ns, stable_ns;
	uint64_t resolve_ns, connect_ns, dead_ns, stall_ns, read_ns;
	enum la_stall_policy on_stall;
	enum la_peer_fin_policy on_peer_fin;
	const char *local_address, *device;
	uint16_t local_port;
	enum { KEEPALIVE_ON, KEEPALIVE_OFF } keepalive;
	bool no_delay;
	uint64_t user_timeout_ns;
	uint32_t tos;
	struct la_stomp_config stomp;
	struct lai_option_list headers;
	struct lai_option_range rejected;
	const char *passcode_file, *dead_letters;
	struct la_tls_config tls;
	struct la_spool_config spool;
	bool replies, quiet, verbose, json;
	const char *report;
};

/* One over the largest, so that "not given" has a value. */
#define TOS_UNSET 256

static const char *const proof_names[] = {
#define X(id, name) name,
	LA_PROOFS(X)
#undef X
		NULL};
static const char *const durability_names[] = {
#define X(id, name, sentence) name,
	LA_DURABILITIES(X)
#undef X
		NULL};
static const char *const receipts_names[] = {"auto", "each", "cumulative", NULL};
static const char *const full_names[] = {"block", "drop-oldest", "drop-new", NULL};
static const char *const stall_names[] = {"wait", "reconnect", NULL};
static const char *const keepalive_names[] = {"on", "off", NULL};
static const char *const peer_fin_names[] = {"reconnect", "keep-sending", NULL};

/* What stands below such a heading belongs to these schemes alone. */
#define ABOUT_STOMP "stomp://: "
#define ABOUT_TLS "tls://, stomps://: "

#define ROW(...) LAI_OPTION(struct settings, __VA_ARGS__)

static const struct lai_option options[] = {
	LAI_OPTION_HEAD("What is sent"),
	ROW("file", 'f', LIST, files, "FILE",
	    "send this file instead of standard input ('-'); several, one after another"),
	ROW("follow", 'F', TEXT, follow, "FILE",
	    "send this file and whatever is appended, through rotation and truncation"),
	ROW("from-end", 0, FLAG, from_end, NULL,
	    "with --follow: begin with what is appended from now on"),
	ROW("max-record", 0, SIZE, record_bytes_max, "SIZE",
	    "lines://, stomp://: longest record (default 1M)"),

	LAI_OPTION_HEAD(ABOUT_STOMP "who sends what to whom"),
	ROW("passcode-file", 0, TEXT, passcode_file, "FILE",
	    "the password is the first line of this file; without it LASTACK_PASSCODE of the "
	    "environment is used"),
	ROW("destination", 0, TEXT, stomp.destination, "NAME", "instead of the URL's path"),
	ROW("vhost", 0, TEXT, stomp.vhost, "NAME",
	    "the broker's virtual host (default the URL's host; RabbitMQ's is called /)"),
	ROW("header", 'H', LIST, headers, "NAME:VALUE",
	    "an extra header of every record; may be given again"),
	ROW("content-type", 0, TEXT, stomp.content_type, "TYPE", "of every record"),
	ROW("sender-id", 0, TEXT, stomp.sender, "ID",
	    "stable id of this sender (default random, or the spool's): with its number it is what "
	    "a record is known by"),
	ROW("receipts", 0, ENUM, stomp.receipts, NULL,
	    "how far a receipt reaches: auto (default) is cumulative towards lastack receive, each "
	    "towards other brokers",
	    receipts_names),
	ROW("receipt-every", 0, U32, stomp.receipt_every, "N",
	    "cumulative: ask after N records at the latest (default 64)", NULL, 1),
	ROW("receipt-within", 0, TIME, stomp.receipt_within_ns, "TIME",
	    "... or after this time (default 20ms)"),
	ROW("window", 0, U32, stomp.window_records, "N",
	    "records sent and not confirmed (default 65536)", NULL, 1),
	ROW("heartbeat", 0, TIME, stomp.heartbeat_ns, "TIME",
	    "offered and wanted, both ways (default 10s; never: none)"),
	ROW("login-timeout", 0, TIME, stomp.login_ns, "TIME",
	    "for the server's answer to the login (default 10s)"),
	ROW("receipt-timeout", 0, TIME, stomp.receipt_ns, "TIME",
	    "for one receipt to come (default 60s)"),
	ROW("rejected-backoff", 0, RANGE, rejected, "MIN..MAX",
	    "after a refused login wait at least MIN, growing up to MAX (default 5s..5min)"),
	ROW("dead-letters", 0, TEXT, dead_letters, "FILE",
	    "append records that the server refuses for ever (default lastack-dead-letters.json)"),
	ROW("plain-password", 0, FLAG, stomp.plain_password, NULL,
	    "send the password without TLS to another host all the same"),

	LAI_OPTION_HEAD(ABOUT_STOMP "what survives a crash of ours"),
	ROW("spool", 0, TEXT, spool.path, "FILE",
	    "keep records in this file until they are confirmed; what an earlier run left is sent "
	    "first"),
	ROW("spool-quota", 0, SIZE, spool.quota_bytes, "SIZE",
	    "at most so much of records (default 1G); then --on-full"),
	ROW("durability", 0, ENUM, spool.durability, NULL,
	    "what a spooled record survives: full (default): crash and loss of power; batch: crash, "
	    "and loss of power but for the last second; none: crash of the program alone",
	    durability_names),

	LAI_OPTION_HEAD(ABOUT_TLS "whom to trust"),
	ROW("ca", 0, TEXT, tls.ca, "FILE",
	    "certificates that may vouch for the server (default the system's)"),
	ROW("tls-name", 0, TEXT, tls.name, "NAME",
	    "the name its certificate must carry (default the URL's host)"),
	ROW("cert", 0, TEXT, tls.cert, "FILE", "our own certificate, as login"),
	ROW("key", 0, TEXT, tls.key, "FILE", "its key (default in the same file)"),

	LAI_OPTION_HEAD("When it counts as delivered"),
	ROW("proof", 0, ENUM, proof, NULL,
	    "our kernel took it; the peer's kernel acknowledged it (default); the peer read "
	    "everything and closed properly",
	    proof_names),
	ROW("buffer", 0, SIZE, buffer_bytes, "SIZE",
	    "keep at most this much for replay (default 8M); the only memory that grows"),
	ROW("on-full", 0, ENUM, on_full, NULL,
	    "when the buffer is full: stop reading (default), or drop, and count", full_names),

	LAI_OPTION_HEAD("When the connection dies"),
	ROW("backoff", 0, RANGE, backoff, "MIN..MAX",
	    "wait a random time, at most MIN after the second failure, doubling up to MAX (default "
	    "100ms..60s); the first retry is immediate"),
	ROW("stable", 0, TIME, stable_ns, "TIME",
	    "a connection this old makes the back-off begin anew (default 10s)"),
	ROW("retry", 0, U32, retries_max, "N",
	    "tries in a row, after the first, before giving up (default: no end; 0: do not reconnect)"),
	ROW("give-up-after", 0, TIME, give_up_ns, "TIME",
	    "give up after this long without a connection (default never)"),
	ROW("resolve-timeout", 0, TIME, resolve_ns, "TIME",
	    "for one look-up of the name (default 10s)"),
	ROW("connect-timeout", 0, TIME, connect_ns, "TIME",
	    "for one server's addresses (default 10s)"),
	ROW("dead-after", 0, TIME, dead_ns, "TIME",
	    "a peer whose kernel answers nothing for this long is dead, idle or busy (default "
	    "20s)"),
	ROW("stall-after", 0, TIME, stall_ns, "TIME",
	    "a peer that takes nothing for this long, though its kernel answers, is called stalled "
	    "(default 30s)"),
	ROW("on-stall", 0, ENUM, on_stall, NULL,
	    "what to do with a stalled peer (default wait: it lives)", stall_names),
	ROW("on-peer-fin", 0, ENUM, on_peer_fin, NULL,
	    "when the peer sends its FIN first (default reconnect: it is going away)",
	    peer_fin_names),
	ROW("keepalive", 0, ENUM, keepalive, NULL,
	    "probe an idle peer, so that --dead-after holds for it as well (default on)",
	    keepalive_names),
	ROW("user-timeout", 0, TIME, user_timeout_ns, "TIME",
	    "TCP_USER_TIMEOUT; kills a live peer that does not read (default off)"),

	LAI_OPTION_HEAD("How it is closed"),
	ROW("close", 0, TEXT, close, "HOW",
	    "graceful (default): drain, wait for the ACK, FIN, read to the peer's FIN; "
	    "linger=SECONDS: SO_LINGER, blocks and proves nothing; abort: RST, destroys what is "
	    "not acknowledged"),
	ROW("read-timeout", 0, TIME, read_ns, "TIME",
	    "how long the peer may owe its FIN after ours (default 30s)"),
	ROW("drain-timeout", 0, TIME, drain_ns, "TIME",
	    "after SIGTERM or SIGINT: how long to go on delivering (default 10s)"),

	LAI_OPTION_HEAD("Our end of the connection"),
	ROW("local-addr", 0, TEXT, local_address, "ADDRESS", "numeric address to connect from"),
	ROW("local-port", 'p', PORT, local_port, "PORT",
	    "pinned, with SO_REUSEADDR: a reconnect evicts the server's ghost of the last "
	    "connection"),
	ROW("bind-device", 0, TEXT, device, "NAME", "SO_BINDTODEVICE"),
	ROW("tos", 0, U32, tos, "N", "type of service byte, 0 to 255", NULL, 0, 255),
	ROW("nodelay", 0, FLAG, no_delay, NULL, "TCP_NODELAY"),

	LAI_OPTION_HEAD("What is said"),
	ROW("replies", 0, FLAG, replies, NULL, "write what the server sends to standard output"),
	ROW("report", 0, TEXT, report, "FILE",
	    "append a JSON line for each event (see lastack-send(1))"),
	ROW("json", 0, FLAG, json, NULL, "write these JSON lines to standard output"),
	ROW("quiet", 'q', FLAG, quiet, NULL, "say nothing but errors of usage"),
	ROW("verbose", 'v', FLAG, verbose, NULL, "say every change of state"),
};

static const struct lai_option_command command = {
	.name = "lastack send",
	.operands = "URL...",
	.summary =
		"Sends standard input, files or a growing file to the first server of the list "
		"that "
		"answers, over one connection that is opened again whenever it dies. What the "
		"server "
		"has not acknowledged is sent again; what cannot be known to have arrived is said. "
		"URLs: tcp://HOST:PORT for raw bytes, lines://HOST:PORT for records ending in "
		"newline, stomp://[USER@]HOST:PORT/DESTINATION for lines as records that the "
		"server confirms one by one; tls:// and stomps:// are tcp:// and stomp:// with "
		"TLS.",
	.epilog =
		"examples:\n"
		"  lastack send tcp://backup.example:9000 < disk.img\n"
		"  lastack send --follow /var/log/syslog lines://log1:6514 lines://log2:6514\n"
		"  lastack send --spool out.db stomps://ann@hub.example:61614/queue/audit < audit.log\n"
		"  vmstat 1 | lastack send --local-port 2345 lines://[2001:db8::1]:9000\n"
		"\n"
		"exit status: 0 every accepted byte reached the proof, 1 not so, 2 bad usage\n"
		"signals: TERM, INT finish and report; INT twice aborts; USR1 reports; HUP "
		"reopens files\n",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_bytes = sizeof(struct settings),
	.operands_min = 1,
	.operands_max = SIZE_MAX,
};

/* "graceful", "abort" or "linger=TIME". */
static bool parse_close(const char *text, struct la_link_config *config)
{
	static const char linger[] = "linger=";

	if (!text || strcmp(text, "graceful") == 0)
		return true;
	if (strcmp(text, "abort") == 0) {
		config->close_policy = LA_CLOSE_ABORT;
		return true;
	}
	if (strncmp(text, linger, sizeof(linger) - 1) != 0 ||
	    lai_time_parse(text + sizeof(linger) - 1, &config->linger_ns) != 0 ||
	    config->linger_ns == LA_NEVER || config->linger_ns == 0)
		return false;
	config->close_policy = LA_CLOSE_LINGER;
	return true;
}

static void to_config(const struct settings *settings, struct la_link_config *config)
{
	config->proof = settings->proof;
	config->on_full = settings->on_full;
	config->on_stall = settings->on_stall;
	config->on_peer_fin = settings->on_peer_fin;
	config->buffer_bytes = settings->buffer_bytes;
	config->record_bytes_max = settings->record_bytes_max;
	config->resolve_ns = settings->resolve_ns;
	config->connect_ns = settings->connect_ns;
	config->dead_ns = settings->dead_ns;
	config->stall_ns = settings->stall_ns;
	config->read_ns = settings->read_ns;
	config->stable_ns = settings->stable_ns;
	config->backoff_min_ns = settings->backoff.min_ns;
	config->backoff_max_ns = settings->backoff.max_ns;
	config->give_up_ns = settings->give_up_ns;
	config->retries_max = settings->retries_max;
	config->local_address = settings->local_address;
	config->local_port = settings->local_port;
	config->device = settings->device;
	config->tos = settings->tos == TOS_UNSET ? -1 : (int)settings->tos;
	config->no_delay = settings->no_delay;
	config->no_keepalive = settings->keepalive == KEEPALIVE_OFF;
	config->user_timeout_ns = settings->user_timeout_ns;
	config->stomp = settings->stomp;
	config->stomp.headers = settings->headers.texts;
	config->stomp.header_count = settings->headers.count;
	/* To a link 0 means "not set"; who writes it means at once. */
	config->stomp.receipt_within_ns += config->stomp.receipt_within_ns == 0;
	config->stomp.rejected_min_ns =
		settings->rejected.min_ns + (settings->rejected.min_ns == 0);
	config->stomp.rejected_max_ns =
		settings->rejected.max_ns + (settings->rejected.max_ns == 0);
	config->tls = settings->tls;
	config->spool = settings->spool;
}

static void to_settings(const struct la_link_config *config, struct settings *settings)
{
	*settings = (struct settings){
		.proof = config->proof,
		.buffer_bytes = config->buffer_bytes,
		.record_bytes_max = config->record_bytes_max,
		.drain_ns = 10 * LAI_S,
		.backoff = {config->backoff_min_ns, config->backoff_max_ns},
		.retries_max = config->retries_max,
		.give_up_ns = config->give_up_ns,
		.stable_ns = config->stable_ns,
		.resolve_ns = config->resolve_ns,
		.connect_ns = config->connect_ns,
		.dead_ns = config->dead_ns,
		.stall_ns = config->stall_ns,
		.read_ns = config->read_ns,
		.tos = TOS_UNSET,
		.stomp = config->stomp,
		.rejected = {config->stomp.rejected_min_ns, config->stomp.rejected_max_ns},
		.dead_letters = "lastack-dead-letters.json",
		.spool = config->spool,
	};
}

/* ---- which option belongs where ----------------------------------------------------------- */

static bool starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static size_t size_of(enum lai_option_type type)
{
	switch (type) {
	case LAI_OPTION_FLAG: return sizeof(bool);
	case LAI_OPTION_TEXT: return sizeof(const char *);
	case LAI_OPTION_ENUM: return sizeof(int);
	case LAI_OPTION_U32: return sizeof(uint32_t);
	case LAI_OPTION_SIZE:
	case LAI_OPTION_TIME: return sizeof(uint64_t);
	case LAI_OPTION_LIST: return sizeof(struct lai_option_list);
	case LAI_OPTION_RANGE: return sizeof(struct lai_option_range);
	default: return 0; /* none of that type belongs to a scheme alone */
	}
}

/* An option that was given and belongs to other schemes than this one; NULL: none. *where: to
   which it belongs. What has the value that it has anyway does no harm. */
static const char *misplaced(const struct settings *given, const struct settings *defaults,
			     const struct lai_endpoint *endpoint, const char **where)
{
	const char *now = (const char *)given, *before = (const char *)defaults;
	bool foreign = false;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct lai_option *option = &options[i];

		if (option->type == LAI_OPTION_HEADING) {
			bool stomp = starts(option->help, ABOUT_STOMP);

			foreign = (stomp && !endpoint->wire->has_receipts) ||
				  (starts(option->help, ABOUT_TLS) && !endpoint->tls);
			*where = stomp ? "stomp:// and stomps://" : "tls:// and stomps://";
		} else if (foreign && memcmp(now + option->offset, before + option->offset,
					     size_of(option->type)) != 0) {
			return option->name;
		}
	}
	return NULL;
}

/* What the table cannot check; NULL: all is well. */
static const char *check_stomp(const struct settings *settings, const struct settings *defaults)
{
	if (settings->proof != defaults->proof && settings->proof != LA_PROOF_CONFIRMED)
		return "--proof: stomp:// has only the one that the server's program gives, "
		       "confirmed";
	if (settings->stomp.login_ns == 0 || settings->stomp.receipt_ns == 0 ||
	    settings->stomp.heartbeat_ns == 0)
		return "--login-timeout, --receipt-timeout and --heartbeat must be more than 0; "
		       "'never' switches one off";
	if (!settings->spool.path && (settings->spool.quota_bytes != defaults->spool.quota_bytes ||
				      settings->spool.durability != defaults->spool.durability))
		return "--spool-quota and --durability need --spool FILE";
	if (settings->spool.quota_bytes == 0)
		return "--spool-quota must be more than 0";
	return NULL;
}

static const char *check(const struct settings *settings, const struct settings *defaults,
			 const struct lai_wire *wire)
{
	if (settings->follow && settings->files.count)
		return "--follow and --file exclude each other: one file is followed, or several "
		       "are read to their ends";
	if (settings->from_end && !settings->follow)
		return "--from-end needs --follow FILE";
	if (settings->json && settings->report)
		return "--json and --report exclude each other: both are the JSON lines";
	if (settings->json && settings->replies)
		return "--json and --replies both want standard output; use --report FILE for the "
		       "JSON lines";
	if (wire->has_records && settings->buffer_bytes < settings->record_bytes_max)
		return "--buffer must hold the longest line: it is smaller than --max-record "
		       "(default 1M)";
	if (settings->buffer_bytes == 0 || settings->record_bytes_max == 0)
		return "--buffer and --max-record must be more than 0";
	if (settings->connect_ns == 0 || settings->resolve_ns == 0 || settings->dead_ns == 0 ||
	    settings->stall_ns == 0 || settings->read_ns == 0)
		return "a time-out of 0 would end everything at once; 'never' switches one off";
	return wire->has_receipts ? check_stomp(settings, defaults) : NULL;
}

/* With the password, if there is one; an exit code. */
static int run(const struct settings *settings, struct lai_sender_config *config)
{
	char *passcode = NULL, *why = NULL;
	int exit_code, status = lai_passcode_read(&passcode, settings->passcode_file, &why);

	config->link.stomp.passcode = config->has_receipts ? passcode : NULL;
	if (status != 0)
		exit_code = lai_command_refuse(command.name, "the password cannot be read: %s",
					       why ? why : strerror(-status));
	else
		exit_code = lai_sender_run(command.name, config);
	lai_passcode_free(passcode);
	free(why);
	return exit_code;
}

/* Everything but the link and the names of files; an exit code, LAI_EXIT_DONE: all is well. */
static int settle(const struct settings *settings, const struct settings *defaults, const char *url,
		  struct lai_sender_config *config)
{
	struct lai_endpoint endpoint;
	const char *wrong, *where;
	char *error = NULL;
	int status = lai_endpoint_parse(&endpoint, url, false, &error);

	if (status != 0) {
		int exit_code =
			lai_command_refuse(command.name, "%s", error ? error : strerror(-status));

		free(error);
		return exit_code;
	}
	config->feed.records = endpoint.wire->has_records;
	config->has_receipts = endpoint.wire->has_receipts;
	if (config->has_receipts)
		config->link.proof = LA_PROOF_CONFIRMED;
	wrong = misplaced(settings, defaults, &endpoint, &where);
	if (wrong)
		return lai_command_refuse(command.name, "--%s belongs to %s, not to '%s'", wrong,
					  where, url);
	wrong = check(settings, defaults, endpoint.wire);
	if (wrong)
		return lai_command_refuse(command.name, "%s", wrong);
	if (!parse_close(settings->close, &config->link))
		return lai_command_refuse(
			command.name,
			"--close '%s': accepted are graceful, abort and linger=SECONDS",
			settings->close);
	return LAI_EXIT_DONE;
}

int lai_cmd_send(int count, char *const *args)
{
	struct lai_sender_config config = {0};
	struct lai_option_list operands = {0};
	struct settings settings, defaults;
	int exit_code;

	la_link_config_default(&config.link);
	to_settings(&config.link, &defaults);
	settings = defaults;
	if (!lai_command_parse(&command, count, args, &settings, &operands, &exit_code))
		return exit_code;
	to_config(&settings, &config.link);
	config.link.urls = operands.texts;
	config.link.url_count = operands.count;
	config.feed.files = settings.files.texts;
	config.feed.file_count = settings.files.count;
	config.feed.follow = settings.follow;
	config.feed.from_end = settings.from_end;
	config.dead_letters = settings.dead_letters;
	config.drain_ns = settings.drain_ns;
	config.replies = settings.replies;
	config.quiet = settings.quiet;
	config.verbose = settings.verbose;
	config.json = settings.json;
	config.report = settings.report;
	exit_code = settle(&settings, &defaults, operands.texts[0], &config);
	if (exit_code == LAI_EXIT_DONE)
		exit_code = run(&settings, &config);
	lai_option_done(&command, &settings, &operands);
	return exit_code;
}
