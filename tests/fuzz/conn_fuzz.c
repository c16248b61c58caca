/* SPDX-License-Identifier: MIT */
/*
 * A connection under random events, as a driver would bring them: each byte is an event. The laws
 * of conn.h must hold: states only as the tables allow (asserted by the setter), exactly one end,
 * no event after it, the first cause stays.
 */
#include "conn/conn.h"

#include <assert.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENDS (LAI_CONN_CLOSE | LAI_CONN_LINGER | LAI_CONN_ABORT)

static struct lai_view view_of(const struct lai_conn *conn, uint8_t byte)
{
	uint64_t left = conn->report.written_bytes - conn->report.acked_bytes;
	bool fin_sent = conn->send.state == LAI_SEND_FIN_SENT;

	return (struct lai_view){
		.acked_bytes = conn->report.acked_bytes + left * (byte & 3) / 3,
		.in_flight = (byte & 3) == 3 ? 0 : 1,
		.unanswered = byte >> 6,
		.ack_age_ns = (uint64_t)(byte >> 3) * LAI_S,
		.window_bytes = (byte & 4) ? 0 : 65536,
		.tcp_state = LAI_TCP_ESTABLISHED,
		.fin_acked = fin_sent && (byte & 3) == 3,
	};
}

static void one_event(struct lai_conn *conn, uint8_t event, uint8_t byte, uint64_t now_ns)
{
	static const int errors[] = {ECONNRESET, ETIMEDOUT, EPIPE, EHOSTUNREACH, ENOBUFS, EIO};
	struct lai_view view = view_of(conn, byte);

	switch (event % 12) {
	case 0:
		if (lai_conn_may_write(conn) && !lai_conn_over(conn))
			lai_conn_on_written(conn, byte + 1u, now_ns);
		break;
	case 1: lai_conn_on_queue_empty(conn, now_ns); break;
	case 2: lai_conn_on_received(conn, &byte, 1, now_ns); break;
	case 3: lai_conn_on_fin(conn, now_ns); break;
	case 4: lai_conn_on_error(conn, errors[byte % 6], now_ns); break;
	case 5:
	case 6: lai_conn_on_view(conn, &view, now_ns); break;
	case 7: lai_conn_on_timer(conn, now_ns); break;
	case 8: lai_conn_on_resumed(conn, now_ns); break;
	case 9: lai_conn_finish(conn, lai_time_after(now_ns, byte * LAI_S), now_ns); break;
	case 10:
		if (byte == 0)
			lai_conn_abort(conn, now_ns);
		break;
	default: break; /* time passes */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct la_report report = {.serial = 1};
	struct lai_conn_limits limits = {20 * LAI_S, 30 * LAI_S, 30 * LAI_S, 0, 0, 0};
	struct lai_conn conn;
	uint64_t now_ns = 1000 * LAI_S;
	unsigned ends = 0;

	if (size == 0)
		return 0;
	limits.close_policy = data[0] % LA_CLOSE_COUNT;
	limits.on_peer_fin = (data[0] >> 2) % LA_PEER_FIN_COUNT;
	limits.on_stall = (data[0] >> 3) % LA_STALL_COUNT;
	lai_conn_init(&conn, &limits, &report, now_ns);
	for (size_t i = 1; i + 1 < size && !lai_conn_over(&conn); i += 2) {
		enum la_cause before = conn.report.cause;
		unsigned actions;

		now_ns += (uint64_t)(data[i] >> 4) * LAI_S;
		one_event(&conn, data[i], data[i + 1], now_ns);
		/* The driver answers these at once. */
		while ((actions = lai_conn_take(&conn)) != 0) {
			ends |= actions & ENDS;
			if (actions & LAI_CONN_WHY_SILENT)
				lai_conn_on_why_silent(&conn, data[i + 1] & 1 ? ENETUNREACH : 0,
						       now_ns);
			if (actions & LAI_CONN_READ_REST)
				lai_conn_on_rest_read(&conn, now_ns);
		}
		assert(before == LA_CAUSE_ALIVE || before == conn.report.cause ||
		       lai_conn_over(&conn));
	}
	assert((ends != 0) == lai_conn_over(&conn));
	assert((ends & (ends - 1)) == 0); /* one end, not two */
	assert(!lai_conn_over(&conn) || lai_conn_deadline(&conn) == LA_NEVER);
	assert(conn.report.acked_bytes <= conn.report.written_bytes);
	return 0;
}
