/* SPDX-License-Identifier: MIT */
/* What the hands do and tell, and in which order, on a network that answers as each case says. */
#include "drive/hands.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SOCKET 7
#define TEXT_MAX 512

/* The network (first), the conn and its owner in one; all that is called stands in `did`. */
struct desk {
	struct lai_net net;
	struct lai_conn conn;
	struct lai_hands hands;
	struct lai_view view;
	int view_status, error, shutdown_status;
	char did[TEXT_MAX];
};

__attribute__((format(printf, 2, 3))) static void did(void *arg, const char *format, ...)
{
	struct desk *desk = arg;
	size_t used = strlen(desk->did);
	va_list args;

	if (used > 0 && used + 1 < TEXT_MAX)
		desk->did[used++] = ' ';
	va_start(args, format);
	(void)vsnprintf(desk->did + used, TEXT_MAX - used, format, args);
	va_end(args);
}

/* ---- the network ------------------------------------------------------------------------ */

static uint64_t net_now(struct lai_net *net)
{
	(void)net;
	return LAI_S;
}

static int net_view(struct lai_net *net, int socket, struct lai_view *view)
{
	struct desk *desk = (struct desk *)net;

	assert_int_equal(socket, SOCKET);
	if (desk->view_status == 0)
		*view = desk->view;
	return desk->view_status;
}

static int net_error(struct lai_net *net, int socket)
{
	assert_int_equal(socket, SOCKET);
	did(net, "error?");
	return ((struct desk *)net)->error;
}

static int net_shutdown(struct lai_net *net, int socket)
{
	assert_int_equal(socket, SOCKET);
	did(net, "shutdown");
	return ((struct desk *)net)->shutdown_status;
}

static void net_close(struct lai_net *net, int socket)
{
	assert_int_equal(socket, SOCKET);
	did(net, "close");
}

static void net_abort(struct lai_net *net, int socket)
{
	assert_int_equal(socket, SOCKET);
	did(net, "abort");
}

static void net_linger(struct lai_net *net, int socket, uint64_t linger_ns)
{
	assert_int_equal(socket, SOCKET);
	did(net, "linger %us", (unsigned)(linger_ns / LAI_S));
}

static void net_hurry(struct lai_net *net, int socket, uint64_t within_ns)
{
	assert_int_equal(socket, SOCKET);
	did(net, "hurry %us", (unsigned)(within_ns / LAI_S));
}

static const char *net_why(struct lai_net *net, int socket)
{
	(void)net;
	assert_int_equal(socket, SOCKET);
	return "it has expired";
}

static int net_why_silent(struct lai_net *net, const struct lai_address *local,
			  const struct lai_address *remote, const char *device)
{
	(void)local;
	(void)remote;
	assert_string_equal(device, "eth9");
	did(net, "way?");
	return -ENETUNREACH;
}

static const struct lai_net_ops net_ops = {
	.now = net_now,
	.view = net_view,
	.error = net_error,
	.shutdown = net_shutdown,
	.close = net_close,
	.abort = net_abort,
	.linger = net_linger,
	.hurry = net_hurry,
	.why = net_why,
	.why_silent = net_why_silent,
};

/* ---- the owner -------------------------------------------------------------------------- */

static void on_view(void *owner, const struct lai_view *view, uint64_t now_ns)
{
	(void)view;
	assert_int_equal(now_ns, LAI_S);
	did(owner, "VIEW");
}

static void on_fin(void *owner, uint64_t now_ns)
{
	(void)now_ns;
	did(owner, "FIN");
}

static void on_error(void *owner, int error, uint64_t now_ns)
{
	(void)now_ns;
	did(owner, "%s", strerrorname_np(error));
}

static void on_why_silent(void *owner, int error, uint64_t now_ns)
{
	(void)now_ns;
	did(owner, "WAY %s", strerrorname_np(error));
}

static void read_rest(void *owner)
{
	did(owner, "REST");
}

static void end(void *owner, unsigned how)
{
	lai_hands_end(&((struct desk *)owner)->hands, how);
}

static const struct lai_hands_ops owner_ops = {
	.on_view = on_view,
	.on_fin = on_fin,
	.on_error = on_error,
	.on_why_silent = on_why_silent,
	.read_rest = read_rest,
	.end = end,
};

/* ---- cases ------------------------------------------------------------------------------ */

static void look(struct desk *desk)
{
	lai_hands_look(&desk->hands);
}

static void meet_eof(struct desk *desk)
{
	lai_hands_on_no_bytes(&desk->hands, 0);
}

static void meet_nothing(struct desk *desk)
{
	lai_hands_on_no_bytes(&desk->hands, -EAGAIN);
	lai_hands_on_no_bytes(&desk->hands, -EINTR);
}

static void meet_error(struct desk *desk)
{
	lai_hands_on_no_bytes(&desk->hands, -desk->error);
}

static void hang_up(struct desk *desk)
{
	lai_hands_on_ready(&desk->hands, LAI_READABLE | LAI_HANGUP);
}

static void ready(struct desk *desk)
{
	lai_hands_on_ready(&desk->hands, LAI_READABLE | LAI_PEER_FIN);
}

static void hang_up_after_error(struct desk *desk)
{
	desk->conn.report.error = ECONNRESET;
	hang_up(desk);
}

static void hang_up_when_over(struct desk *desk)
{
	desk->conn.report.ended_ns = 1;
	hang_up(desk);
}

static void send_fin(struct desk *desk)
{
	lai_hands_carry_out(&desk->hands, LAI_CONN_SEND_FIN);
}

static void send_fin_and_close(struct desk *desk)
{
	desk->conn.report.ended_ns = 1;
	lai_hands_carry_out(&desk->hands, LAI_CONN_SEND_FIN | LAI_CONN_CLOSE);
}

static void do_everything(struct desk *desk)
{
	lai_hands_carry_out(&desk->hands, 2 * LAI_CONN_ABORT - 1);
}

static void linger(struct desk *desk)
{
	lai_hands_carry_out(&desk->hands, LAI_CONN_LINGER);
}

static const struct row {
	const char *sentence;
	void (*act)(struct desk *desk);
	int view_status, error, shutdown_status;
	uint8_t tcp_state;
	const char *did;
} rows[] = {
	{"a view", look, 0, 0, 0, LAI_TCP_ESTABLISHED, "VIEW"},
	{"blind: no deadline could be judged", look, -EBADF, 0, 0, 0, "EBADF"},
	{"EOF: the state in which it found us comes first", meet_eof, 0, 0, 0, LAI_TCP_CLOSE_WAIT,
	 "VIEW FIN"},
	{"nothing to read is nothing to tell", meet_nothing, 0, 0, 0, LAI_TCP_ESTABLISHED, ""},
	{"an error: what was acknowledged comes first", meet_error, 0, ECONNRESET, 0, LAI_TCP_CLOSE,
	 "VIEW ECONNRESET"},
	{"no route, and TCP goes on: no error", meet_error, 0, EHOSTUNREACH, 0, LAI_TCP_ESTABLISHED,
	 "VIEW"},
	{"no route, and TCP has given up", meet_error, 0, EHOSTUNREACH, 0, LAI_TCP_CLOSE,
	 "VIEW EHOSTUNREACH"},
	{"no route, and nobody knows of TCP", meet_error, -EBADF, EHOSTUNREACH, 0, 0,
	 "EHOSTUNREACH"},
	{"an error behind a hang-up", hang_up, 0, ETIMEDOUT, 0, LAI_TCP_CLOSE,
	 "error? VIEW ETIMEDOUT"},
	{"a hang-up without one: it was reset", hang_up, 0, 0, 0, LAI_TCP_CLOSE,
	 "error? VIEW ECONNRESET"},
	{"both halves closed properly hang up too", hang_up, 0, 0, 0, LAI_TCP_TIME_WAIT,
	 "error? VIEW"},
	{"no hang-up, no question", ready, 0, ETIMEDOUT, 0, LAI_TCP_CLOSE_WAIT, ""},
	{"a hang-up after an error is its consequence", hang_up_after_error, 0, 0, 0, LAI_TCP_CLOSE,
	 ""},
	{"and after the end nobody asks", hang_up_when_over, 0, 0, 0, LAI_TCP_CLOSE, ""},
	{"our FIN", send_fin, 0, 0, 0, LAI_TCP_ESTABLISHED, "shutdown"},
	{"no FIN any more: the reason is asked for", send_fin, 0, ECONNRESET, -ENOTCONN,
	 LAI_TCP_CLOSE, "shutdown error? VIEW ECONNRESET"},
	{"and there is none: then that is it", send_fin, 0, 0, -ENOTCONN, LAI_TCP_CLOSE,
	 "shutdown error? VIEW ENOTCONN"},
	{"at the end it makes no difference", send_fin_and_close, 0, ECONNRESET, -ENOTCONN,
	 LAI_TCP_CLOSE, "shutdown close"},
	{"everything, in the order of conn.h, and RST wins", do_everything, 0, 0, 0,
	 LAI_TCP_ESTABLISHED, "VIEW way? WAY ENETUNREACH REST hurry 5s hurry 0s shutdown abort"},
	{"lingering, as long as it was asked for", linger, 0, 0, 0, LAI_TCP_ESTABLISHED,
	 "linger 3s"},
};

static void begin(struct desk *desk)
{
	struct lai_address address;

	*desk = (struct desk){.net = {.ops = &net_ops},
			      .conn = {.limits = {.dead_ns = 20 * LAI_S}}};
	assert_int_equal(lai_address_parse("192.0.2.1", 80, &address), 0);
	lai_hands_init(&desk->hands, &desk->net, &desk->conn, &owner_ops, desk);
	lai_hands_connected(&desk->hands, SOCKET, &address, &address);
	desk->hands.device = "eth9";
	desk->hands.linger_ns = 3 * LAI_S;
}

static void does_and_tells(void **state)
{
	const struct row *row = *state;
	struct desk desk;

	begin(&desk);
	desk.view.tcp_state = row->tcp_state;
	desk.view_status = row->view_status;
	desk.error = row->error;
	desk.shutdown_status = row->shutdown_status;
	row->act(&desk);
	assert_string_equal(desk.did, row->did);
}

static void tls_why(void **state)
{
	struct desk desk;

	(void)state;
	begin(&desk);
	lai_hands_fail(&desk.hands, ECONNRESET);
	assert_false(desk.hands.tls_failed);
	assert_string_equal(desk.hands.why, "");
	lai_hands_fail(&desk.hands, EKEYREJECTED);
	lai_hands_end(&desk.hands, LAI_CONN_CLOSE);
	assert_int_equal(desk.hands.socket, -1);
	assert_true(desk.hands.tls_failed);
	assert_string_equal(desk.hands.why, "it has expired");
}

#define ROWS (sizeof(rows) / sizeof(rows[0]))

int main(void)
{
	struct CMUnitTest tests[ROWS + 1];

	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){.name = rows[i].sentence,
					       .test_func = does_and_tells,
					       .initial_state = (void *)(uintptr_t)&rows[i]};
	tests[ROWS] = (struct CMUnitTest){.name = "what TLS says is kept when the socket has gone",
					  .test_func = tls_why};
	return cmocka_run_group_tests_name("drive.hands", tests, NULL, NULL);
}
