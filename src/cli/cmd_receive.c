/* SPDX-License-Identifier: MIT */
/* lastack receive: the command line. What runs is in receiver.c. */
#include "base/time.h"
#include "cli/command.h"
#include "cli/receiver.h"

#include <stdio.h>
#include <stdlib.h>

struct settings {
	const char *into, *into_each;
	uint64_t record_bytes_max;
	uint64_t bytes_per_s, read_timeout_ns, dead_ns;
	uint32_t open_max, connections;
	bool once, quiet, verbose;
	const char *port_file, *report;
};

#define ROW(...) LAI_OPTION(struct settings, __VA_ARGS__)

static const struct lai_option options[] = {
	LAI_OPTION_HEAD("Where it goes"),
	ROW("into", 'o', TEXT, into, "FILE",
	    "append to this file instead of standard output ('-')"),
	ROW("into-each", 0, TEXT, into_each, "PREFIX",
	    "one file for each connection: PREFIX.1, PREFIX.2 ..."),
	ROW("max-record", 0, SIZE, record_bytes_max, "SIZE",
	    "lines://: longest line with its newline (default 1M); a connection that sends a "
	    "longer one is told so and closed"),

	LAI_OPTION_HEAD("How fast, and how many"),
	ROW("limit-rate", 0, SIZE, bytes_per_s, "SIZE",
	    "read at most so many bytes per second, over all connections; their windows close "
	    "meanwhile"),
	ROW("max-connections", 0, U32, open_max, "N",
	    "at once (default 1000); more wait in the backlog. tcp:// into one output: always one "
	    "after the other",
	    NULL, 1),
	ROW("connections", 0, U32, connections, "N",
	    "exit after so many; status 1 unless each ended with the peer's FIN", NULL, 1),
	ROW("once", 0, FLAG, once, NULL, "the same as --connections 1"),

	LAI_OPTION_HEAD("When a sender falls silent"),
	ROW("read-timeout", 0, TIME, read_timeout_ns, "TIME",
	    "close a connection on which nothing comes for this long (default never: an idle "
	    "sender is a healthy one)"),
	ROW("dead-after", 0, TIME, dead_ns, "TIME",
	    "a peer whose kernel answers no probe for this long is dead (default 20s)"),

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
	.summary = "Listens, and writes what comes in to standard output or files: the server for "
		   "lastack "
		   "send, or for anything that speaks plain TCP. Every connection is read to its "
		   "end and "
		   "closed properly: our FIN, its receipt, goes out when all that came has been "
		   "written. "
		   "URLs: tcp://ADDRESS:PORT for raw bytes, lines://ADDRESS:PORT for records "
		   "ending in "
		   "newline, which never mix; port 0 is any free one.",
	.epilog = "examples:\n"
		  "  lastack receive --into backup.img --once tcp://[::]:9000\n"
		  "  lastack receive --into /var/log/collected --report /var/log/collected.json "
		  "lines://[::]:6514\n"
		  "  lastack receive --limit-rate 1M lines://127.0.0.1:9000 | consumer\n"
		  "\n"
		  "exit status: 0 done or stopped by a signal, 1 a connection of --once or "
		  "--connections did\n"
		  "  not end properly, or something could not be written, 2 bad usage\n"
		  "signals: TERM, INT finish the open connections, at most 5 s; INT again aborts;\n"
		  "  USR1 prints the totals; HUP reopens the files\n",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_bytes = sizeof(struct settings),
	.operands_min = 1,
	.operands_max = 1,
};

/* A U32 option that was not given. */
#define CONNECTIONS_UNSET 0

static const struct settings defaults = {
	.record_bytes_max = 1u << 20,
	.read_timeout_ns = LA_NEVER,
	.dead_ns = 20 * LAI_S,
	.open_max = 1000,
	.connections = CONNECTIONS_UNSET,
	.bytes_per_s = UINT64_MAX,
};

/* What the table cannot check; NULL: all is well. */
static const char *check(const struct settings *settings)
{
	if (settings->into && settings->into_each)
		return "--into and --into-each exclude each other: one file for all, or one for "
		       "each";
	if (settings->once && settings->connections != CONNECTIONS_UNSET)
		return "--once and --connections exclude each other: --once is --connections 1";
	if (settings->record_bytes_max == 0)
		return "--max-record must be more than 0";
	if (settings->bytes_per_s == 0)
		return "--limit-rate 0 would never read anything; leave it out for no limit";
	if (settings->read_timeout_ns == 0)
		return "--read-timeout 0 would close everything at once; 'never' switches it off";
	if (settings->dead_ns < LAI_S)
		return "--dead-after must be 1s or more: the kernel probes no faster; 'never' "
		       "switches it off";
	return NULL;
}

static void to_config(const struct settings *settings, struct lai_receiver_config *config)
{
	config->into = settings->into ? settings->into : "-";
	config->into_each = settings->into_each;
	config->bytes_per_s = settings->bytes_per_s == UINT64_MAX ? 0 : settings->bytes_per_s;
	config->read_timeout_ns = settings->read_timeout_ns;
	config->dead_ns = settings->dead_ns;
	config->record_bytes_max = settings->record_bytes_max;
	config->open_max = settings->open_max;
	config->accept_max = settings->once				  ? 1
			     : settings->connections == CONNECTIONS_UNSET ? UINT64_MAX
									  : settings->connections;
	config->port_file = settings->port_file;
	config->report = settings->report;
	config->quiet = settings->quiet;
	config->verbose = settings->verbose;
}

int lai_cmd_receive(int count, char *const *args)
{
	struct lai_receiver_config config = {0};
	struct lai_option_list operands = {0};
	struct settings settings = defaults;
	char *error = NULL;
	const char *wrong;
	int exit_code;

	if (!lai_command_parse(&command, count, args, &settings, &operands, &exit_code))
		return exit_code;
	to_config(&settings, &config);
	wrong = check(&settings);
	if (wrong) {
		exit_code = lai_command_refuse(command.name, "%s", wrong);
	} else if (lai_endpoint_parse(&config.endpoint, operands.texts[0], true, &error) != 0) {
		exit_code = lai_command_refuse(command.name, "%s", error ? error : "out of memory");
		free(error);
	} else {
		exit_code = lai_receiver_run(command.name, &config);
	}
	lai_option_done(&command, &settings, &operands);
	return exit_code;
}
