/* SPDX-License-Identifier: MIT */
/* lastack receive stomp://: poll() over the server and the signals. What is said is in
   stomp_receiver_say.c. */
#include "cli/stomp_receiver_inside.h"

#include "base/clock.h"
#include "cli/command.h"
#include "cli/port_file.h"
#include "cli/service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Time for open sessions to have their receipts and their farewell after SIGTERM or SIGINT. */
#define STOP_NS (5 * LAI_S)
/* Descriptors beside the connections: those over the limit that are told so, and files. */
#define DESCRIPTORS_SPARE 128

static void stop(struct stomp_receiver *receiver, int signal)
{
	if (receiver->interrupted) {
		if (signal != SIGINT)
			return;
		lai_log_say(&receiver->log, "interrupted again: aborting");
		receiver->exit_code = LAI_EXIT_FAILED;
		la_server_stop(receiver->server, 0);
		return;
	}
	receiver->interrupted = true;
	lai_service_notify("STOPPING=1");
	lai_log_say(&receiver->log, "%s: storing and confirming what has come; SIGINT aborts",
		    strsignal(signal));
	la_server_stop(receiver->server, STOP_NS);
}

static void reload(struct stomp_receiver *receiver)
{
	char *why = NULL;

	lai_service_notify("RELOADING=1");
	lai_log_reopen(&receiver->log);
	if (la_server_reload(receiver->server, &why) == 0)
		lai_log_say(&receiver->log, "read the users again, opened the files anew");
	else
		lai_log_say(&receiver->log, "%s; going on with the users of before",
			    why ? why : "out of memory");
	free(why);
	lai_service_notify("READY=1");
}

static void take_signals(struct stomp_receiver *receiver)
{
	struct signalfd_siginfo info;

	while (read(receiver->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGUSR1: (void)lai_stomp_receiver_say_totals(receiver, "status"); break;
		case SIGHUP: reload(receiver); break;
		default: stop(receiver, (int)info.ssi_signo);
		}
	}
}

/* Nobody takes the records any more: nothing would ever be confirmed. */
static void check_store(struct stomp_receiver *receiver)
{
	struct la_server_totals totals;

	la_server_totals(receiver->server, &totals);
	if (!totals.store_failed || receiver->exit_code != LAI_EXIT_DONE)
		return;
	receiver->exit_code = LAI_EXIT_FAILED;
	receiver->interrupted = true;
	la_server_stop(receiver->server, STOP_NS);
}

static void run(struct stomp_receiver *receiver)
{
	do {
		struct pollfd slots[] = {
			{.fd = la_server_fd(receiver->server), .events = POLLIN},
			{.fd = receiver->signals, .events = POLLIN},
		};
		uint64_t deadline_ns = la_server_deadline(receiver->server);

		(void)poll(slots, 2, deadline_ns == 0 ? 0 : lai_clock_timeout_ms(deadline_ns));
		if (slots[1].revents)
			take_signals(receiver);
		if (receiver->store_news)
			check_store(receiver);
		receiver->store_news = false;
	} while (la_server_dispatch(receiver->server) == 0);
}

/* Descriptors for all connections, if the hard limit allows; else accept() will say. */
static void raise_descriptor_limit(uint32_t connections_max)
{
	rlim_t wanted = (rlim_t)connections_max + DESCRIPTORS_SPARE;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_log(struct stomp_receiver *receiver, const char *name)
{
	const struct lai_stomp_receiver_config *config = receiver->config;
	int status =
		lai_log_open(&receiver->log, name, config->report, config->quiet, config->verbose);

	if (status != 0)
		lai_command_complain(name, "cannot open the report file %s: %s", config->report,
				     strerror(-status));
	return status;
}

static int open_server(struct stomp_receiver *receiver)
{
	struct la_server_config server = receiver->config->server;
	char *why = NULL;
	int status;

	server.listener = lai_service_listener();
	if (server.listener == -E2BIG) {
		lai_command_complain(receiver->log.name,
				     "more than one socket was handed over (LISTEN_FDS): one "
				     "server serves one");
		return -EINVAL;
	}
	server.on_event = lai_stomp_receiver_on_event;
	server.arg = receiver;
	raise_descriptor_limit(server.connections_max);
	status = la_server_new(&receiver->server, &server, &why);
	if (status != 0)
		lai_command_complain(receiver->log.name, "%s", why ? why : strerror(-status));
	free(why);
	return status;
}

static int open_all(struct stomp_receiver *receiver, const char *name)
{
	static const int wanted[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP, 0};
	const char *port_file = receiver->config->port_file;
	int status = open_log(receiver, name);

	if (status != 0)
		return status;
	/* Before the server's threads begin, which are to leave the signals to us. */
	receiver->signals = lai_command_signals(wanted);
	if (receiver->signals < 0) {
		lai_command_complain(name, "cannot start: %s", strerror(-receiver->signals));
		return receiver->signals;
	}
	status = open_server(receiver);
	if (status == 0 && port_file) {
		status = lai_port_file_write(port_file, la_server_port(receiver->server));
		if (status != 0)
			lai_command_complain(name, "cannot write the port file %s: %s", port_file,
					     strerror(-status));
	}
	return status;
}

/* What was received and could not be stored is with its sender still: nothing of it was confirmed. */
static int conclude(struct stomp_receiver *receiver)
{
	int close_wait = lai_stomp_receiver_say_totals(receiver, "end");
	struct la_server_totals totals;

	la_server_totals(receiver->server, &totals);
	if (receiver->log.failed || totals.store_waits)
		receiver->exit_code = LAI_EXIT_FAILED;
	if (close_wait > 0) {
		lai_command_complain(
			receiver->log.name,
			"self-check: %d sockets of ours are in CLOSE_WAIT; this is a bug",
			close_wait);
		receiver->exit_code = LAI_EXIT_FAILED;
	}
	return receiver->exit_code;
}

int lai_stomp_receiver_run(const char *name, const struct lai_stomp_receiver_config *config)
{
	struct stomp_receiver receiver = {
		.config = config, .signals = -1, .log = {.name = name, .report = -1}};
	int status = open_all(&receiver, name);
	int exit_code = status == -EINVAL ? LAI_EXIT_USAGE : LAI_EXIT_FAILED;

	if (status == 0) {
		lai_service_notify("READY=1");
		run(&receiver);
		exit_code = conclude(&receiver);
	}
	la_server_free(receiver.server);
	if (receiver.signals >= 0)
		(void)close(receiver.signals);
	lai_log_close(&receiver.log);
	return exit_code;
}
