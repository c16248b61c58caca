/* SPDX-License-Identifier: MIT */
/*
 * Kernel -> sessions -> output, in one thread: poll() over the network, the signals and the output.
 * Sockets are not read while the output is full or the rate is used up: that is the back pressure.
 */
#include "cli/receiver_inside.h"

#include "base/clock.h"
#include "base/size.h"
#include "cli/command.h"
#include "io/tls.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define READY_MAX 64
/* Time for open connections to end after SIGTERM or SIGINT. */
#define STOP_NS (5 * LAI_S)
/* After a lack of descriptors, if no connection ends meanwhile. */
#define ACCEPT_RETRY_NS (1 * LAI_S)
/* How long a peer may owe its FIN after ours, as in lastack send. */
#define PEER_FIN_NS (30 * LAI_S)
/* Descriptors beside the connections: standard streams, epoll, signals, files. */
#define DESCRIPTORS_SPARE 32

static void close_listener(struct receiver *receiver)
{
	if (receiver->listener >= 0)
		LAI_NET(receiver, close, receiver->listener);
	receiver->listener = -1;
}

static void abort_all(struct receiver *receiver, enum lai_session_why why)
{
	for (uint32_t i = 0; i < receiver->serve.open; i++)
		lai_session_abort(&receiver->open[i]->session, why, lai_net_now(receiver->net));
	receiver->blocked = NULL;
}

void lai_receiver_output_failed(struct receiver *receiver, const char *path, int error)
{
	lai_command_complain(
		receiver->log.name,
		"cannot write to %s: %s; connections end by RST, so that nothing that is "
		"not written counts as received",
		path ? path : "standard output", strerror(error));
	receiver->exit_code = LAI_EXIT_FAILED;
	lai_serve_stop(&receiver->serve, lai_net_now(receiver->net));
	close_listener(receiver);
	abort_all(receiver, LAI_SESSION_NOT_STORED);
}

/* ---- signals ---------------------------------------------------------------------------- */

static const int wanted_signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP, 0};

static void stop(struct receiver *receiver, int signal)
{
	uint64_t now_ns = lai_net_now(receiver->net);

	if (receiver->interrupted) {
		if (signal != SIGINT)
			return;
		lai_log_say(&receiver->log, "interrupted again: aborting");
		receiver->exit_code = LAI_EXIT_FAILED;
		abort_all(receiver, LAI_SESSION_ABORTED);
		return;
	}
	receiver->interrupted = true;
	lai_log_say(&receiver->log, "%s: finishing %u open connections; SIGINT aborts",
		    strsignal(signal), receiver->serve.open);
	/* Those in the backlog are connected: closing the listener would reset them. */
	lai_receiver_accept(receiver);
	lai_serve_stop(&receiver->serve, lai_time_after(now_ns, STOP_NS));
	close_listener(receiver);
	for (uint32_t i = 0; i < receiver->serve.open; i++)
		lai_session_finish(&receiver->open[i]->session, LAI_SESSION_STOPPED,
				   receiver->serve.finish_by_ns, now_ns);
}

static void reopen_one(struct receiver *receiver, struct lai_output *output)
{
	bool lines = receiver->config->endpoint.wire->has_records;
	int status = output->fd >= 0 ? lai_output_reopen(output, lines) : 0;

	if (status != 0)
		lai_log_say(&receiver->log, "cannot reopen %s: %s; going on with the old one",
			    output->path, strerror(-status));
}

/* In the middle of a record the old file gets the rest of it first. */
static void reopen(struct receiver *receiver)
{
	if (!receiver->reopen_wished || receiver->blocked)
		return;
	receiver->reopen_wished = false;
	reopen_one(receiver, &receiver->output);
	for (uint32_t i = 0; i < receiver->serve.open; i++)
		reopen_one(receiver, &receiver->open[i]->own);
	lai_log_reopen(&receiver->log);
}

static void take_signals(struct receiver *receiver)
{
	struct signalfd_siginfo info;

	while (read(receiver->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGUSR1: (void)lai_receiver_say_totals(receiver, "status"); break;
		case SIGHUP: receiver->reopen_wished = true; break;
		default: stop(receiver, (int)info.ssi_signo);
		}
	}
}

/* ---- the
   loop --------------------------------------------------------------------------------- */

static uint64_t deadline(const struct receiver *receiver)
{
	uint64_t deadline_ns = lai_serve_deadline(&receiver->serve);

	/* The stop reads whatever the rate says. */
	if (receiver->serve.rate.resting && !receiver->serve.stopping && !receiver->blocked &&
	    receiver->serve.open > 0)
		deadline_ns = lai_time_min(deadline_ns, lai_rate_ready(&receiver->serve.rate));
	for (uint32_t i = 0; i < receiver->serve.open; i++)
		deadline_ns = lai_time_min(deadline_ns,
					   lai_session_deadline(&receiver->open[i]->session));
	return deadline_ns;
}

enum { NETWORK, SIGNALS, OUTPUT, SLOT_COUNT };

static void wait_for_work(struct receiver *receiver)
{
	struct connection *blocked = receiver->blocked;
	struct pollfd slots[SLOT_COUNT] = {
		[NETWORK] = {.fd = LAI_NET(receiver, fd), .events = POLLIN},
		[SIGNALS] = {.fd = receiver->signals, .events = POLLIN},
		/* Without events it tells of a reader that has gone, before anything is lost
		   by it. */
		[OUTPUT] = {.fd = blocked ? blocked->output->fd : receiver->output.fd,
			    .events = blocked ? POLLOUT : 0},
	};

	(void)poll(slots, SLOT_COUNT, lai_clock_timeout_ms(deadline(receiver)));
	if (slots[SIGNALS].revents)
		take_signals(receiver);
	if (slots[OUTPUT].revents && receiver->blocked)
		lai_connection_store(receiver, receiver->blocked);
	else if (slots[OUTPUT].revents & POLLERR && !blocked &&
		 receiver->exit_code == LAI_EXIT_DONE)
		lai_receiver_output_failed(receiver, receiver->output.path, EPIPE);
}

static void dispatch(struct receiver *receiver)
{
	struct lai_ready ready[READY_MAX];
	int count = LAI_NET(receiver, wait, ready, READY_MAX, 0);

	for (int i = 0; i < count; i++) {
		size_t socket = (size_t)ready[i].socket;

		if (ready[i].socket == receiver->listener)
			continue; /* after the others: their ends make room */
		if (ready[i].socket >= 0 && socket < receiver->by_socket_room &&
		    receiver->by_socket[socket])
			lai_connection_on_ready(receiver, receiver->by_socket[socket],
						ready[i].events);
	}
}

static void check_sleep(struct receiver *receiver)
{
	bool slept = lai_net_has_slept(receiver->net, &receiver->slept_ns);

	for (uint32_t i = 0; slept && i < receiver->serve.open; i++)
		lai_session_on_resumed(&receiver->open[i]->session, lai_net_now(receiver->net));
}

static void end(struct receiver *receiver, uint32_t i)
{
	struct connection *connection = receiver->open[i];

	lai_receiver_say_report(receiver, connection);
	lai_serve_on_ended(&receiver->serve, &connection->session);
	receiver->open[i] = receiver->open[receiver->serve.open];
	lai_connection_free(receiver, connection);
}

static void tend_all(struct receiver *receiver)
{
	for (uint32_t i = 0; i < receiver->serve.open;) {
		if (lai_connection_tend(receiver, receiver->open[i]))
			end(receiver, i);
		else
			i++;
	}
}

static void tend_listener(struct receiver *receiver)
{
	uint32_t wanted;

	lai_receiver_accept(receiver);
	if (receiver->listener >= 0 && lai_serve_has_enough(&receiver->serve))
		close_listener(receiver);
	if (receiver->listener < 0)
		return;
	wanted = lai_serve_may_accept(&receiver->serve, lai_net_now(receiver->net)) ? LAI_READABLE
										    : 0;
	if (wanted != receiver->listener_watched &&
	    LAI_NET(receiver, watch, receiver->listener, wanted) == 0)
		receiver->listener_watched = wanted;
}

static void run(struct receiver *receiver)
{
	while (!lai_serve_over(&receiver->serve)) {
		wait_for_work(receiver);
		check_sleep(receiver);
		dispatch(receiver);
		tend_all(receiver);
		tend_listener(receiver);
		reopen(receiver);
	}
}

/* ---- beginning and
   end ------------------------------------------------------------------------ */

static void init_limits(struct receiver *receiver)
{
	const struct lai_receiver_config *config = receiver->config;
	/* Raw bytes of two connections in one output would be neither's: one after the other. */
	bool one_by_one = !config->endpoint.wire->has_records && !config->into_each;
	const struct lai_serve_limits limits = {
		.open_max = one_by_one ? 1 : config->open_max,
		.accept_max = config->accept_max,
		.bytes_per_s = config->bytes_per_s,
		.retry_ns = ACCEPT_RETRY_NS,
	};

	receiver->session_config = (struct lai_session_config){
		.wire = config->endpoint.wire,
		.read_timeout_ns = config->read_timeout_ns,
		.record_bytes_max = config->record_bytes_max,
		.limits = {.dead_ns = config->dead_ns,
			   .stall_ns =
				   LA_NEVER, /* a sentence to a refused peer is all that we send */
			   .read_ns = PEER_FIN_NS,
			   .close_policy = LA_CLOSE_GRACEFUL,
			   .on_peer_fin = LA_PEER_FIN_RECONNECT},
	};
	lai_serve_init(&receiver->serve, &limits, lai_net_now(receiver->net));
}

/* Descriptors for all connections, if the hard limit allows; else accept() will say. */
static void raise_descriptor_limit(uint32_t open_max)
{
	struct rlimit limit;
	rlim_t wanted = (rlim_t)open_max * 2 + DESCRIPTORS_SPARE; /* --into-each: two for each */

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* 0, or a negative errno that has been said. */
static int wrap_in_tls(struct receiver *receiver)
{
	char *why = NULL;
	struct lai_net *tls;
	int status = lai_net_tls_new(&tls, receiver->net, &receiver->config->tls, true, &why);

	if (status == 0)
		receiver->net = tls;
	else
		lai_command_complain(receiver->log.name, "%s", why ? why : strerror(-status));
	free(why);
	return status;
}

static int open_all(struct receiver *receiver)
{
	const struct lai_receiver_config *config = receiver->config;
	const char *name = receiver->log.name;
	int status;

	status = lai_log_open(&receiver->log, name, config->report, config->quiet, config->verbose);
	if (status != 0) {
		lai_command_complain(name, "cannot open the report file %s: %s", config->report,
				     strerror(-status));
		return status;
	}
	status = config->into_each ? 0
				   : lai_output_open(&receiver->output, config->into,
						     config->endpoint.wire->has_records);
	if (status != 0) {
		lai_command_complain(name, "cannot open %s for writing: %s%s", config->into,
				     strerror(-status),
				     status == -ENXIO ? ": a FIFO that nobody reads" : "");
		return status;
	}
	status = lai_net_kernel_new(&receiver->net);
	if (status == 0 && config->endpoint.tls && wrap_in_tls(receiver) != 0)
		return -EINVAL;
	if (status == 0) {
		receiver->signals = lai_command_signals(wanted_signals);
		status = receiver->signals < 0 ? receiver->signals : 0;
	}
	if (status != 0) {
		lai_command_complain(name, "cannot start: %s", strerror(-status));
		return status;
	}
	receiver->slept_ns = LAI_NET(receiver, slept);
	init_limits(receiver);
	return lai_receiver_listen(receiver);
}

static int conclude(struct receiver *receiver)
{
	int close_wait = lai_receiver_say_totals(receiver, "end");

	if (receiver->log.failed && receiver->exit_code == LAI_EXIT_DONE)
		receiver->exit_code = LAI_EXIT_FAILED;

	if (close_wait > 0) {
		lai_command_complain(
			receiver->log.name,
			"self-check: %d sockets of ours are in CLOSE_WAIT; this is a bug",
			close_wait);
		return LAI_EXIT_FAILED;
	}
	if (receiver->exit_code != LAI_EXIT_DONE)
		return receiver->exit_code;
	if (receiver->serve.totals.not_stored > 0 || lai_serve_missed(&receiver->serve))
		return LAI_EXIT_FAILED;
	return LAI_EXIT_DONE;
}

static int close_all(struct receiver *receiver, int exit_code)
{
	const char *path = receiver->config->into;
	int status = 0;

	close_listener(receiver);
	if (receiver->output.fd >= 0)
		status = lai_output_close(&receiver->output);
	if (status != 0)
		exit_code = LAI_EXIT_FAILED;
	if (status != 0)
		lai_command_complain(receiver->log.name, "closing %s: %s", path, strerror(-status));
	if (receiver->signals >= 0)
		(void)close(receiver->signals);
	if (receiver->net)
		LAI_NET(receiver, free);
	lai_log_close(&receiver->log);
	free(receiver->open);
	free(receiver->by_socket);
	return exit_code;
}

int lai_receiver_run(const char *name, const struct lai_receiver_config *config)
{
	struct receiver receiver = {
		.config = config,
		.log = {.name = name, .report = -1, .quiet = config->quiet},
		.listener = -1,
		.signals = -1,
		.output = {.fd = -1},
	};
	int exit_code = LAI_EXIT_FAILED;

	raise_descriptor_limit(config->open_max);
	if (open_all(&receiver) == 0) {
		run(&receiver);
		assert(receiver.serve.open == 0);
		exit_code = conclude(&receiver);
	}
	return close_all(&receiver, exit_code);
}
