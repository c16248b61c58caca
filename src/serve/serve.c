/* SPDX-License-Identifier: MIT */
#include "serve/serve.h"

#include <assert.h>

void lai_serve_init(struct lai_serve *serve, const struct lai_serve_limits *limits, uint64_t now_ns)
{
	assert(limits->open_max > 0);
	*serve = (struct lai_serve){.limits = *limits, .finish_by_ns = LA_NEVER};
	lai_rate_init(&serve->rate, limits->bytes_per_s, now_ns);
}

bool lai_serve_has_enough(const struct lai_serve *serve)
{
	return serve->stopping || serve->totals.connections >= serve->limits.accept_max;
}

bool lai_serve_may_accept(const struct lai_serve *serve, uint64_t now_ns)
{
	return !lai_serve_has_enough(serve) && serve->open < serve->limits.open_max &&
	       now_ns >= serve->accept_again_ns;
}

size_t lai_serve_share(struct lai_serve *serve, uint64_t now_ns)
{
	size_t allowed = lai_rate_allows(&serve->rate, now_ns);
	uint64_t share_bytes = serve->open ? serve->rate.burst_bytes / serve->open : 0;

	if (serve->rate.bytes_per_s == 0)
		return allowed;
	/* Many sessions and a slow rate: a byte each. */
	if (share_bytes == 0)
		share_bytes = 1;
	return allowed < share_bytes ? allowed : (size_t)share_bytes;
}

void lai_serve_on_accepted(struct lai_serve *serve)
{
	assert(serve->open < serve->limits.open_max);
	serve->open++;
	serve->accept_again_ns = 0;
	serve->totals.connections++;
}

void lai_serve_on_exhausted(struct lai_serve *serve, uint64_t now_ns)
{
	serve->accept_again_ns = lai_time_after(now_ns, serve->limits.retry_ns);
}

void lai_serve_on_nobody(struct lai_serve *serve)
{
	serve->accept_again_ns = 0;
}

void lai_serve_add(struct lai_serve_totals *totals, const struct lai_session *session)
{
	totals->proper += lai_session_proper(session);
	totals->refused += session->why == LAI_SESSION_RECORD_TOO_LONG;
	totals->not_stored += session->discarded_bytes > 0 && !lai_session_discards(session);
	totals->received_bytes += session->conn.report.received_bytes;
	totals->stored_bytes += session->stored_bytes;
	totals->records += lai_session_records(session);
	totals->kept_tails += session->kept_tail_bytes > 0;
	totals->dropped_tails += session->dropped_tail_bytes > 0;
	totals->dropped_tail_bytes += session->dropped_tail_bytes;
	totals->discarded_bytes += session->discarded_bytes;
}

void lai_serve_on_ended(struct lai_serve *serve, const struct lai_session *session)
{
	assert(serve->open > 0);
	serve->open--;
	serve->accept_again_ns = 0; /* its descriptor is free */
	lai_serve_add(&serve->totals, session);
}

uint64_t lai_serve_deadline(const struct lai_serve *serve)
{
	if (serve->accept_again_ns == 0 || lai_serve_has_enough(serve) ||
	    serve->open >= serve->limits.open_max)
		return LA_NEVER;
	return serve->accept_again_ns;
}

void lai_serve_stop(struct lai_serve *serve, uint64_t finish_by_ns)
{
	if (serve->stopping)
		return;
	serve->stopping = true;
	serve->finish_by_ns = finish_by_ns;
}

bool lai_serve_over(const struct lai_serve *serve)
{
	return serve->open == 0 && lai_serve_has_enough(serve);
}

bool lai_serve_missed(const struct lai_serve *serve)
{
	return !serve->stopping && serve->limits.accept_max != UINT64_MAX &&
	       serve->totals.proper < serve->totals.connections;
}
