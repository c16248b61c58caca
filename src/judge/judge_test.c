/* SPDX-License-Identifier: MIT */
/* judge_test.c - each verdict: the case, and its nearest neighbours that must not get it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/text.h"
#include "judge/judge.h"
#include "judge/t_snapshot.h"

#include <sys/epoll.h>

#define SERVER 10
#define CLIENT 20
#define SET 4 /* descriptor of the server's epoll set */

/* "verdict@PIDxSOCKETS", separated by blanks, in the order of the list. */
static char *words_of(const struct lai_findings *findings)
{
	struct lai_text text = LAI_TEXT_INIT(1 << 20);
	char *words;

	for (size_t i = 0; i < findings->count; i++) {
		const struct lai_finding *own = &findings->list[i];

		lai_text_append(&text, "%s%s@%dx%zu", i ? " " : "", lai_verdict_name(own->verdict),
				(int)own->pid, own->socket_count);
	}
	lai_text_append(&text, "%s", "");
	assert_int_equal(lai_text_steal(&text, &words), 0);
	return words ? words : strdup("");
}

/* What every finding must be like. */
static void check_form(const struct lai_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct lai_finding *own = &findings->list[i];

		assert_in_range(own->verdict, 0, LAI_VERDICT_COUNT - 1);
		assert_int_equal(own->severity, lai_verdict_severity(own->verdict));
		assert_true(own->socket_count > 0);
		assert_true(strlen(own->evidence) > 20 && strlen(own->advice) > 20);
		assert_true(own->evidence[strlen(own->evidence) - 1] == '.');
		assert_null(strstr(own->evidence, "  "));
		assert_true(!own->remedy ||
			    strncmp(own->remedy, "lastack close --verdict ", 24) == 0);
		if (i > 0)
			assert_true(own[-1].severity <= own->severity);
	}
}

static struct lai_findings judge(struct t_snapshot *now, struct t_snapshot *before)
{
	struct lai_findings findings;

	if (before) {
		(void)t_snapshot_ready(before);
		now->snapshot.taken_ns = before->snapshot.taken_ns + 10 * LAI_S;
	}
	assert_int_equal(
		lai_judge(t_snapshot_ready(now), before ? &before->snapshot : NULL, &findings), 0);
	check_form(&findings);
	return findings;
}

/* Judges, compares, and releases the snapshot. */
static void expect(struct t_snapshot *now, const char *words)
{
	struct lai_findings findings = judge(now, NULL);
	char *found = words_of(&findings);

	assert_string_equal(found, words);
	free(found);
	lai_findings_done(&findings);
	t_snapshot_done(now);
}

/* And what the first finding's confidence is. */
static void expect_confidence(struct t_snapshot *now, const char *words, enum lai_confidence wanted)
{
	struct lai_findings findings = judge(now, NULL);
	char *found = words_of(&findings);

	assert_string_equal(found, words);
	assert_int_equal(findings.list[0].confidence, wanted);
	assert_true(!findings.list[0].remedy || (strstr(findings.list[0].remedy, " --yes") !=
						 NULL) == (wanted == LAI_CONFIDENCE_CERTAIN));
	free(found);
	lai_findings_done(&findings);
	t_snapshot_done(now);
}

static void expect_compared(struct t_snapshot *now, struct t_snapshot *before, const char *words)
{
	struct lai_findings findings = judge(now, before);
	char *found = words_of(&findings);

	assert_string_equal(found, words);
	free(found);
	lai_findings_done(&findings);
	t_snapshot_done(now);
	t_snapshot_done(before);
}

static struct lai_socket_fact *fact(struct t_snapshot *t, size_t i)
{
	return &t->snapshot.sockets[i];
}

static void set_age(struct lai_socket_fact *socket, uint32_t ms)
{
	socket->ack_age_ms = ms;
}

/* A server with a loop, and one CLOSE_WAIT with so many bytes and the FIN unread. */
static struct t_snapshot server_with(uint32_t unread, struct lai_socket_fact **socket)
{
	struct t_snapshot t = t_snapshot_new();

	t_loop(&t, SERVER, SET);
	*socket = t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	(*socket)->rqueue_bytes = unread + 1;
	(*socket)->received_bytes += unread;
	return t;
}

/* --- nothing --- */

static void test_healthy(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	uint32_t listener;

	(void)state;
	t_loop(&t, SERVER, SET);
	listener = t_listener(&t, SERVER, 3);
	fact(&t, listener)->wqueue_bytes = 128;
	t_accepted(&t, LAI_TCP_ESTABLISHED, SERVER, 7);
	t_connected(&t, LAI_TCP_ESTABLISHED, SERVER, 8);
	t_socket(&t, LAI_TCP_LAST_ACK, 0, 0)->inode = 0;
	t_socket(&t, LAI_TCP_FIN_WAIT1, 0, 0)->inode = 0;
	t_socket(&t, LAI_TCP_FIN_WAIT2, 0, 0)->inode = 0;
	t_socket(&t, LAI_TCP_TIME_WAIT, 0, 0)->inode = 0;
	t_socket(&t, LAI_TCP_SYN_SENT, SERVER, 9);
	t_socket(&t, LAI_TCP_CLOSE, SERVER, 10)->past = LAI_PAST_NONE;
	/* Parent and children share a listener, and one of them a connection that lives. */
	t_process(&t, SERVER + 1, SERVER, "worker");
	t_hold(&t, fact(&t, listener)->inode, SERVER + 1, 3);
	t_hold(&t, fact(&t, 1)->inode, SERVER + 1, 7);
	expect(&t, "");
}

static void test_empty(void **state)
{
	struct t_snapshot t = {0};

	(void)state;
	expect(&t, "");
}

/* --- never-accepted --- */

static void test_never_accepted(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_socket_fact *own;
	struct lai_findings findings;
	uint32_t listener;

	(void)state;
	t_loop(&t, SERVER, SET);
	listener = t_listener(&t, SERVER, 3);
	own = t_accepted(&t, LAI_TCP_CLOSE_WAIT, 0, 0);
	own->inode = 0;
	own->listener = listener;
	own = t_accepted(&t, LAI_TCP_ESTABLISHED, 0, 0);
	own->inode = 0;
	own->listener = listener;
	fact(&t, listener)->rqueue_bytes = 2;
	fact(&t, listener)->wqueue_bytes = 5;
	t.snapshot.namespaces[0].listen_overflows = 17;
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_NEVER_ACCEPTED);
	assert_int_equal(findings.list[0].pid, SERVER);
	assert_int_equal(findings.list[0].state, LAI_TCP_NONE);
	assert_non_null(strstr(findings.list[0].evidence, "2 of 5 places"));
	assert_non_null(strstr(findings.list[0].evidence, "loop (pid 10)"));
	assert_non_null(strstr(findings.list[0].evidence, "waits for events"));
	assert_non_null(strstr(findings.list[0].evidence, "turned away 17"));
	assert_string_equal(findings.list[0].remedy, "lastack close --verdict never-accepted --pid "
						     "10 --local-port 80 --address 192.0.2.7 "
						     "--how rst --yes");
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

static void test_accepted_soon(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_socket_fact *own;
	uint32_t listener;

	(void)state;
	t_loop(&t, SERVER, SET);
	listener = t_listener(&t, SERVER, 3);
	own = t_accepted(&t, LAI_TCP_CLOSE_WAIT, 0, 0);
	own->inode = 0;
	own->listener = listener;
	set_age(own, 500);
	own = t_accepted(&t, LAI_TCP_ESTABLISHED, 0, 0);
	own->inode = 0;
	own->listener = listener;
	own->sent_age_ms = own->received_age_ms = own->ack_age_ms = 1500;
	expect(&t, "");
}

/* The one that has accepted before, not who merely inherited the listener; else the youngest. */
static void test_who_should_accept(void **state)
{
	(void)state;
	for (int accepts = 0; accepts < 3; accepts++) {
		struct t_snapshot t = t_snapshot_new();
		struct lai_socket_fact *own;
		uint32_t listener;

		t_loop(&t, SERVER, SET);
		t_process(&t, SERVER + 1, SERVER, "worker");
		t_process(&t, SERVER + 2, SERVER, "worker");
		listener = t_listener(&t, SERVER, 3);
		t_hold(&t, fact(&t, listener)->inode, SERVER + 1, 3);
		t_hold(&t, fact(&t, listener)->inode, SERVER + 2, 3);
		if (accepts == 1)
			t_accepted(&t, LAI_TCP_ESTABLISHED, SERVER + 1, 7);
		if (accepts == 2)
			t_thread(&t, SERVER + 1, SERVER + 1, LAI_WAIT_STOPPED);
		own = t_accepted(&t, LAI_TCP_CLOSE_WAIT, 0, 0);
		own->inode = 0;
		own->listener = listener;
		expect(&t, accepts ? "never-accepted@11x1" : "never-accepted@12x1");
	}
}

static struct t_snapshot queue_of_dead(uint32_t length)
{
	struct t_snapshot t = t_snapshot_new();

	t_loop(&t, SERVER, SET);
	(void)t_listener(&t, SERVER, 3);
	fact(&t, 0)->rqueue_bytes = length;
	fact(&t, 0)->wqueue_bytes = 2;
	return t;
}

static void test_queue_of_dead(void **state)
{
	struct t_snapshot t = queue_of_dead(3), before;
	struct lai_findings findings;

	(void)state;
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_NEVER_ACCEPTED);
	assert_int_equal(findings.list[0].pid, SERVER);
	assert_int_equal(findings.list[0].socket_count, 3);
	assert_int_equal(findings.list[0].confidence, LAI_CONFIDENCE_POSSIBLE);
	assert_null(findings.list[0].sockets);
	assert_null(findings.list[0].remedy);
	lai_findings_done(&findings);
	t_snapshot_done(&t);
	before = queue_of_dead(1);
	t = queue_of_dead(1);
	expect_compared(&t, &before, "never-accepted@10x1");
}

static void test_no_queue_of_dead(void **state)
{
	struct t_snapshot t = queue_of_dead(2), before;
	struct lai_socket_fact *own;

	(void)state;
	expect(&t, ""); /* there is room */
	t = queue_of_dead(3);
	own = t_accepted(&t, LAI_TCP_ESTABLISHED, 0, 0); /* has just come */
	own->inode = 0;
	own->listener = 0;
	own->sent_age_ms = own->received_age_ms = own->ack_age_ms = 10;
	expect(&t, "");
	before = queue_of_dead(3);
	t = queue_of_dead(2);
	expect_compared(&t, &before, ""); /* somebody accepts */
	t = queue_of_dead(3);
	t.snapshot.state_mask = LAI_SOCKDIAG_STATE(LAI_TCP_LISTEN);
	expect(&t, ""); /* nobody looked */
}

static void test_orphan(void **state)
{
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, 0, 0)->inode = 0;
	expect(&t, "");
}

/* --- io-uring-held, fd-in-flight --- */

static void test_ring_names_it(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_findings findings;

	(void)state;
	t_process(&t, SERVER, 1, "uring");
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, 0, 0);
	t_stash(&t, LAI_HOLD_RING, SERVER, fact(&t, 0)->inode);
	t.snapshot.coverage.unreadable = 3; /* positive evidence needs no full view */
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_IO_URING_HELD);
	assert_int_equal(findings.list[0].confidence, LAI_CONFIDENCE_CERTAIN);
	assert_int_equal(findings.list[0].pid, SERVER);
	assert_string_equal(findings.list[0].remedy,
			    "lastack close --verdict io-uring-held --local-port 80 --address "
			    "192.0.2.7 --how rst --yes");
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

static void test_fixed_files_live(void **state)
{
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_process(&t, SERVER, 1, "uring");
	t_listener(&t, SERVER, 3);
	t_accepted(&t, LAI_TCP_ESTABLISHED, 0, 0);
	t_stash(&t, LAI_HOLD_RING, SERVER, fact(&t, 1)->inode);
	t_stash(&t, LAI_HOLD_RING, SERVER, 0);
	expect(&t, "");
}

static void test_ring_pending(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_socket_fact *own;

	(void)state;
	t_process(&t, SERVER, 1, "uring");
	t_listener(&t, SERVER, 3);
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, 0, 0);
	t_accepted(&t, LAI_TCP_ESTABLISHED, 0, 0);
	own = t_accepted(&t, LAI_TCP_ESTABLISHED, 0, 0); /* in use */
	own->received_age_ms = 10;
	t_stash(&t, LAI_HOLD_RING, SERVER, 0);
	expect(&t, "io-uring-held@10x2");
}

static void test_ring_of_somebody(void **state)
{
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_process(&t, SERVER, 1, "uring")->uid = 77;
	t_connected(&t, LAI_TCP_ESTABLISHED, 0, 0); /* NFS, for all we know */
	t_connected(&t, LAI_TCP_CLOSE_WAIT, 0, 0);
	t_stash(&t, LAI_HOLD_RING, SERVER, 0);
	fact(&t, 1)->rqueue_bytes = 1;
	t.snapshot.coverage.unreadable = 1;
	expect(&t, "");
}

static void test_in_flight(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_findings findings;

	(void)state;
	t_process(&t, SERVER, 1, "worker");
	t_thread(&t, SERVER, SERVER, LAI_WAIT_SLEEP);
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, 0, 0);
	t_connected(&t, LAI_TCP_ESTABLISHED, 0, 0);	     /* idle for long, a user's */
	t_connected(&t, LAI_TCP_ESTABLISHED, 0, 0)->uid = 0; /* the kernel's */
	t_connected(&t, LAI_TCP_ESTABLISHED, 0, 0)->ack_age_ms = 10;
	t_stash(&t, LAI_HOLD_FLIGHT, SERVER, 0)->count = 2;
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 2); /* two services */
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(findings.list[i].verdict, LAI_VERDICT_FD_IN_FLIGHT);
		assert_int_equal(findings.list[i].pid, SERVER);
		assert_int_equal(findings.list[i].socket_count, 1);
		assert_int_equal(findings.list[i].fd_count, 0);
		assert_non_null(strstr(findings.list[i].evidence, "2 descriptors wait"));
	}
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

static void test_unheld_without_evidence(void **state)
{
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, 0, 0);
	t_accepted(&t, LAI_TCP_ESTABLISHED, 0, 0);
	t_accepted(&t, LAI_TCP_FIN_WAIT2, 0, 0);
	expect(&t, "");
}

/* --- ghost-fd --- */

static void test_ghost(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_findings findings;

	(void)state;
	t_process(&t, SERVER, 1, "server");
	for (uint32_t i = 0; i < 3; i++) {
		struct lai_socket_fact *own = t_socket(&t, LAI_TCP_CLOSE, SERVER, 9 - i);

		own->past = LAI_PAST_CONNECTED;
		own->has_info = false;
		own->cookie = 0;
	}
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_GHOST_FD);
	assert_int_equal(findings.list[0].confidence, LAI_CONFIDENCE_POSSIBLE);
	assert_null(findings.list[0].remedy);
	assert_int_equal(findings.list[0].fd_count, 3);
	assert_int_equal(findings.list[0].fds[0], 7);
	assert_int_equal(findings.list[0].fds[2], 9);
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

static void test_ghost_twice(void **state)
{
	struct t_snapshot before = t_snapshot_new(), now;

	(void)state;
	t_process(&before, SERVER, 1, "server");
	t_socket(&before, LAI_TCP_CLOSE, SERVER, 7)->past = LAI_PAST_CONNECTED;
	now = t_snapshot_copy(&before);
	/* On its way to close(), maybe. */
	t_socket(&now, LAI_TCP_CLOSE, SERVER, 8)->past = LAI_PAST_CONNECTED;
	expect_compared(&now, &before, "ghost-fd@10x1");
}

static void test_ghosts_many(void **state)
{
	struct t_snapshot before = t_snapshot_new(), now;
	struct lai_findings findings;

	(void)state;
	t_process(&before, SERVER, 1, "server");
	for (uint32_t i = 0; i < 5; i++)
		t_socket(&before, LAI_TCP_CLOSE, SERVER, 7 + i)->past = LAI_PAST_CONNECTED;
	now = t_snapshot_copy(&before);
	expect_confidence(&now, "ghost-fd@10x5", LAI_CONFIDENCE_LIKELY);
	now = t_snapshot_copy(&before);
	t_socket(&now, LAI_TCP_CLOSE, SERVER, 20)->past = LAI_PAST_CONNECTED;
	findings = judge(&now, &before);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].confidence, LAI_CONFIDENCE_CERTAIN); /* they grow */
	lai_findings_done(&findings);
	t_snapshot_done(&now);
	t_snapshot_done(&before);
}

static void test_ghost_unknown(void **state)
{
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_process(&t, SERVER, 1, "server");
	t_process(&t, CLIENT, 1, "client");
	for (uint32_t i = 0; i < 3; i++)
		t_socket(&t, LAI_TCP_CLOSE, SERVER, i);
	t_socket(&t, LAI_TCP_CLOSE, CLIENT, 1);
	t_socket(&t, LAI_TCP_CLOSE, CLIENT, 2);
	expect(&t, "ghost-fd@10x3");
}

/* --- inherited-fd --- */

static void test_inherited(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(0, &own);

	(void)state;
	t_process(&t, SERVER + 5, SERVER, "child");
	t_hold(&t, own->inode, SERVER + 5, 7);
	t_watch(&t, SERVER, SET, own->inode, EPOLLIN);
	expect(&t, "inherited-fd@15x1"); /* who merely holds it */
}

static void test_inherited_by_all(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(0, &own);

	(void)state;
	t_process(&t, SERVER + 5, SERVER, "child");
	t_hold(&t, own->inode, SERVER + 5, 7);
	expect(&t, "inherited-fd@10x1"); /* who opened it */
}

static void test_inherited_young(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(0, &own);

	(void)state;
	set_age(own, 1000);
	t_process(&t, SERVER + 5, SERVER, "child");
	t_hold(&t, own->inode, SERVER + 5, 7);
	own = t_accepted(&t, LAI_TCP_ESTABLISHED, SERVER, 8);
	t_hold(&t, own->inode, SERVER + 5, 8);
	expect(&t, "");
}

/* Two descriptors of one process are one process. */
static void test_duplicated(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(0, &own);
	struct lai_findings findings;

	(void)state;
	own->rqueue_bytes = 0;
	t_hold(&t, own->inode, SERVER, 3);
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_EOF_IGNORED);
	assert_int_equal(findings.list[0].socket_count, 1);
	assert_int_equal(findings.list[0].fd_count, 2);
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

/* --- fin-wait2-held --- */

static void test_fin_wait2(void **state)
{
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_loop(&t, CLIENT, SET);
	t_connected(&t, LAI_TCP_FIN_WAIT2, CLIENT, 7);
	expect(&t, "fin-wait2-held@20x1");
}

static void test_fin_wait2_waits(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_socket_fact *own;

	(void)state;
	t_loop(&t, CLIENT, SET);
	own = t_connected(&t, LAI_TCP_FIN_WAIT2, CLIENT, 7); /* waited for, not yet long */
	set_age(own, 30000);
	t_watch(&t, CLIENT, SET, own->inode, EPOLLIN);
	set_age(t_connected(&t, LAI_TCP_FIN_WAIT2, CLIENT, 8), 1000);
	own = t_connected(&t, LAI_TCP_FIN_WAIT2, CLIENT, 9); /* data still comes */
	own->ack_age_ms = own->received_age_ms = 100;
	expect(&t, "");
}

static void test_fin_wait2_pair(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_findings findings;
	uint32_t other = t_namespace(&t, 99);

	(void)state;
	t_loop(&t, SERVER, SET);
	t_loop(&t, CLIENT, SET);
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, CLIENT, 8);
	fact(&t, 1)->namespace_index = other;
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 2);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_EOF_IGNORED);
	assert_int_equal(findings.list[0].peer.pid, CLIENT);
	assert_int_equal(findings.list[0].peer.state, LAI_TCP_FIN_WAIT2);
	assert_int_equal(findings.list[0].peer.namespace_index, other);
	assert_int_equal(findings.list[1].verdict, LAI_VERDICT_FIN_WAIT2_HELD);
	assert_int_equal(findings.list[1].peer.pid, SERVER);
	assert_string_equal(findings.list[1].peer.comm, "loop");
	assert_non_null(strstr(findings.list[1].evidence, "eof-ignored"));
	assert_string_equal(findings.list[1].remedy, findings.list[0].remedy);
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

/* The other end is a little late, and so is this one. */
static void test_fin_wait2_innocent_peer(void **state)
{
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_loop(&t, SERVER, SET);
	t_loop(&t, CLIENT, SET);
	set_age(t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7), 2500);
	t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, CLIENT, 8);
	expect(&t, "");
}

/* --- long-timeout --- */

/* Four connections of ages 1, 3, 5, 7 s; ten seconds later four others. */
static struct t_snapshot turnover(struct t_snapshot *before, uint32_t age_of_kept_ms)
{
	struct t_snapshot now;

	*before = t_snapshot_new();
	t_loop(before, SERVER, SET);
	for (uint32_t i = 0; i < 4; i++)
		set_age(t_accepted(before, LAI_TCP_CLOSE_WAIT, SERVER, 7 + i), 1000 + 2000 * i);
	if (age_of_kept_ms)
		set_age(t_accepted(before, LAI_TCP_CLOSE_WAIT, SERVER, 20), age_of_kept_ms);
	now = t_snapshot_copy(before);
	for (uint32_t i = 0; i < 4; i++) {
		fact(&now, i)->inode += 1000;
		fact(&now, i)->cookie += 1000;
		now.snapshot.holders[i].inode += 1000;
	}
	return now;
}

static void test_long_timeout(void **state)
{
	struct t_snapshot before, now = turnover(&before, 0);

	(void)state;
	expect_compared(&now, &before, "long-timeout@10x4");
}

/* One of them is older than any that has gone. */
static void test_long_timeout_and_leak(void **state)
{
	struct t_snapshot before, now = turnover(&before, 50000);

	(void)state;
	expect_compared(&now, &before, "eof-ignored@10x1 long-timeout@10x4");
}

/* They go, but more come. */
static void test_turnover_that_grows(void **state)
{
	struct t_snapshot before, now = turnover(&before, 0);

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		set_age(t_accepted(&now, LAI_TCP_CLOSE_WAIT, SERVER, 30 + i), 6000);
	expect_compared(&now, &before, "eof-ignored@10x7"); /* the youngest is too young */
}

/* --- writes-after-fin --- */

static void test_writes_stalled(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_socket_fact *own;

	(void)state;
	t_process(&t, CLIENT, 1, "log");
	t_thread(&t, CLIENT, CLIENT, LAI_WAIT_SLEEP);
	own = t_connected(&t, LAI_TCP_CLOSE_WAIT, CLIENT, 7);
	own->rqueue_bytes = 1;
	own->wqueue_bytes = 50000;
	own->ack_age_ms = 1000; /* of a probe of the closed window */
	own->sent_age_ms = 9000;
	expect(&t, "writes-after-fin@20x1");
}

/* The answer to a half-closed client is on its way. */
static void test_answers_after_half_close(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(0, &own);

	(void)state;
	own->rqueue_bytes = 0;
	own->wqueue_bytes = 50000;
	own->ack_age_ms = own->sent_age_ms = 5;
	expect(&t, "");
}

/* The other end is here: its program has data that it has not read, and means to. */
static struct t_snapshot slow_reader(void)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_socket_fact *own;

	t_process(&t, SERVER, 1, "server");
	t_thread(&t, SERVER, SERVER, LAI_WAIT_WRITE);
	t_process(&t, CLIENT, 1, "pager");
	t_thread(&t, CLIENT, CLIENT, LAI_WAIT_FILE);
	own = t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	own->wqueue_bytes = 50000;
	own->sent_age_ms = 9000;
	own = t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, CLIENT, 8);
	own->rqueue_bytes = 5000;
	own->ack_age_ms = 1000;
	return t;
}

static void test_slow_reader(void **state)
{
	struct t_snapshot t = slow_reader();

	(void)state;
	expect(&t, "");
	t = slow_reader();
	fact(&t, 1)->rqueue_bytes = 0;
	expect_confidence(&t, "writes-after-fin@10x1", LAI_CONFIDENCE_POSSIBLE);
	t = slow_reader();
	t.snapshot.threads[1].wait = LAI_WAIT_EVENTS;
	t_watch(&t, CLIENT, -1, fact(&t, 1)->inode, EPOLLRDHUP); /* for the end alone */
	expect_confidence(&t, "writes-after-fin@10x1", LAI_CONFIDENCE_POSSIBLE);
}

static void test_writes_on(void **state)
{
	struct t_snapshot before = t_snapshot_new(), now;
	struct lai_findings findings;

	(void)state;
	t_loop(&before, CLIENT, SET);
	t_connected(&before, LAI_TCP_CLOSE_WAIT, CLIENT, 7);
	now = t_snapshot_copy(&before);
	fact(&now, 0)->wqueue_bytes = 3000;
	fact(&now, 0)->sent_age_ms = 1;
	findings = judge(&now, &before);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_WRITES_AFTER_FIN);
	assert_int_equal(findings.list[0].confidence, LAI_CONFIDENCE_CERTAIN);
	assert_int_equal(findings.list[0].oldest_age_ms, T_OLD_MS + 10000);
	assert_non_null(strstr(findings.list[0].evidence, "2.93 KiB"));
	lai_findings_done(&findings);
	t_snapshot_done(&now);
	t_snapshot_done(&before);
}

/* The peer acknowledges what comes: it has half-closed, and reads. */
static void test_half_close_at_work(void **state)
{
	struct t_snapshot before = t_snapshot_new(), now;

	(void)state;
	t_loop(&before, SERVER, SET);
	t_accepted(&before, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	t_accepted(&before, LAI_TCP_CLOSE_WAIT, SERVER, 8);
	now = t_snapshot_copy(&before);
	for (uint32_t i = 0; i < 2; i++) {
		fact(&now, i)->acked_bytes += 3000;
		fact(&now, i)->sent_bytes += 3000;
	}
	fact(&now, 0)->wqueue_bytes = 5000; /* a slow one */
	fact(&now, 0)->sent_age_ms = 9000;
	expect_compared(&now, &before, "");
}

/* The kernel has sent something again: sent_bytes rises, and the program has written nothing. */
static void test_retransmits(void **state)
{
	struct t_snapshot before = t_snapshot_new(), now;

	(void)state;
	t_loop(&before, SERVER, SET);
	t_accepted(&before, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	now = t_snapshot_copy(&before);
	fact(&now, 0)->sent_bytes += 3000;
	expect_compared(&now, &before, "eof-ignored@10x1");
}

/* --- half-close-not-forwarded --- */

static struct t_snapshot proxy(struct lai_socket_fact **back)
{
	struct t_snapshot t = t_snapshot_new();

	t_loop(&t, SERVER, SET);
	t_listener(&t, SERVER, 3);
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	*back = t_connected(&t, LAI_TCP_ESTABLISHED, SERVER, 8);
	(*back)->received_bytes = T_WRITTEN_BYTES; /* what was written to the front */
	(*back)->sent_bytes = T_READ_BYTES;
	(*back)->acked_bytes = T_READ_BYTES + 1;
	return t;
}

static void test_half_close(void **state)
{
	struct lai_socket_fact *back;
	struct t_snapshot t = proxy(&back);

	(void)state;
	expect(&t, "half-close-not-forwarded@10x1");
}

static void test_half_close_forwarded(void **state)
{
	struct lai_socket_fact *back;
	struct t_snapshot t = proxy(&back);

	(void)state;
	back->state = LAI_TCP_FIN_WAIT2;
	back->shutdown = LAI_SHUT_SEND;
	back->acked_bytes++; /* the FIN */
	t_watch(&t, SERVER, SET, back->inode, EPOLLIN);
	set_age(back, 20000);
	expect(&t, "");
}

static void test_half_close_flows(void **state)
{
	struct lai_socket_fact *back;
	struct t_snapshot t = proxy(&back);

	(void)state;
	back->received_age_ms = 100;
	expect(&t, "");
}

/* What was passed on has not been answered yet. */
static void test_half_close_answer_outstanding(void **state)
{
	struct lai_socket_fact *back;
	struct t_snapshot t = proxy(&back);

	(void)state;
	back->sent_age_ms = 30000;
	expect(&t, "");
	t = proxy(&back);
	back->sent_age_ms = 30000;
	back->received_age_ms = 20000; /* it has been */
	expect(&t, "half-close-not-forwarded@10x1");
	t = proxy(&back);
	back->sent_age_ms = 61000; /* it will not be */
	expect(&t, "half-close-not-forwarded@10x1");
}

static void test_no_leg(void **state)
{
	struct lai_socket_fact *back;
	struct t_snapshot t = proxy(&back);

	(void)state;
	back->received_bytes--; /* a database, by chance nearly alike */
	expect(&t, "eof-ignored@10x1");
	t = proxy(&back);
	back->local = t_address("192.0.2.1", T_SERVICE_PORT); /* both were accepted */
	back->acked_bytes--;
	expect(&t, "eof-ignored@10x1");
	t = proxy(&back);
	t.snapshot.holders[2].pid = CLIENT; /* another process's */
	expect(&t, "eof-ignored@10x1");
}

/* Nothing was ever sent: equal counts prove nothing, a thread that reads the other leg does. */
static void test_half_close_of_nothing(void **state)
{
	struct lai_socket_fact *back;
	struct t_snapshot t = proxy(&back);
	struct lai_socket_fact *front = fact(&t, 1);

	(void)state;
	front->received_bytes = 1;
	front->sent_bytes = front->acked_bytes = back->received_bytes = back->sent_bytes = 0;
	back->acked_bytes = 1;
	expect(&t, "eof-ignored@10x1");
	t = proxy(&back);
	front = fact(&t, 1);
	front->received_bytes = 1;
	front->sent_bytes = front->acked_bytes = back->received_bytes = back->sent_bytes = 0;
	back->acked_bytes = 1;
	t_thread(&t, SERVER, SERVER + 1, LAI_WAIT_READ)->fd_inode = back->inode;
	expect(&t, "half-close-not-forwarded@10x1");
}

/* Two ends, one leg: each leg belongs to one connection. */
static void test_one_leg_each(void **state)
{
	struct lai_socket_fact *back;
	struct t_snapshot t = proxy(&back);

	(void)state;
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 9);
	expect(&t, "eof-ignored@10x1 half-close-not-forwarded@10x1");
}

/* --- eof-ignored --- */

static void test_eof_ignored(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_findings findings;

	(void)state;
	t_loop(&t, SERVER, SET);
	for (uint32_t i = 0; i < 3; i++)
		set_age(t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 9 - i), 5000 * (i + 1));
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_EOF_IGNORED);
	assert_int_equal(findings.list[0].severity, LAI_SEVERITY_LEAK);
	assert_int_equal(findings.list[0].confidence, LAI_CONFIDENCE_POSSIBLE);
	assert_int_equal(findings.list[0].socket_count, 3);
	assert_int_equal(findings.list[0].fds[0], 7);
	assert_int_equal(findings.list[0].state, LAI_TCP_CLOSE_WAIT);
	assert_int_equal(findings.list[0].oldest_age_ms, 15000);
	assert_int_equal(findings.list[0].age_kind, LAI_AGE_EXACT);
	assert_int_equal(findings.list[0].unread_bytes, 0);
	assert_int_equal(findings.list[0].peer.pid, 0);
	assert_int_equal(lai_address_port(&findings.list[0].local), T_SERVICE_PORT);
	assert_int_equal(lai_address_port(&findings.list[0].remote), 0); /* several */
	assert_int_equal(findings.list[0].growth_per_min, LAI_GROWTH_UNKNOWN);
	assert_string_equal(findings.list[0].comm, "loop");
	assert_string_equal(findings.list[0].remedy,
			    "lastack close --verdict eof-ignored --pid 10 --local-port 80 "
			    "--address 192.0.2.7");
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

/* Its owner cannot be looked at; that it has read the end is seen all the same. */
/* The other end is here, and nobody holds it: it waits for no answer. */
static void expect_alone(uint32_t age_ms, enum lai_confidence wanted)
{
	struct t_snapshot t = t_snapshot_new();

	t_loop(&t, SERVER, SET);
	set_age(t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 9), age_ms);
	t_other_end(&t, t.snapshot.socket_count - 1, LAI_TCP_FIN_WAIT2, 0, 0)->inode = 0;
	expect_confidence(&t, "eof-ignored@10x1", wanted);
}

static void test_eof_alone(void **state)
{
	(void)state;
	expect_alone(5000, LAI_CONFIDENCE_LIKELY);
	expect_alone(61000, LAI_CONFIDENCE_CERTAIN);
}

static void test_eof_of_hidden(void **state)
{
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, 0, 0);
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, 0, 0)->rqueue_bytes = 1;
	t_accepted(&t, LAI_TCP_ESTABLISHED, 0, 0);
	t.snapshot.coverage.unreadable = 40;
	{
		struct lai_findings findings = judge(&t, NULL);

		assert_int_equal(findings.count, 1);
		assert_int_equal(findings.list[0].verdict, LAI_VERDICT_EOF_IGNORED);
		assert_int_equal(findings.list[0].pid, 0);
		assert_int_equal(findings.list[0].confidence, LAI_CONFIDENCE_POSSIBLE);
		assert_string_equal(findings.list[0].remedy,
				    "lastack close --verdict eof-ignored --local-port 80 --address "
				    "192.0.2.7");
		lai_findings_done(&findings);
	}
	t_snapshot_done(&t);
}

/* A server that has read the end, and a client here that reads: it waits for the answer. */
static struct t_snapshot half_closed(uint32_t age_ms, enum lai_wait server, enum lai_wait client)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_thread *thread;

	t_process(&t, SERVER, 1, "server");
	t_thread(&t, SERVER, SERVER, server);
	t_process(&t, CLIENT, 1, "client");
	set_age(t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7), age_ms);
	t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, CLIENT, 8);
	set_age(fact(&t, 1), 1000);
	thread = t_thread(&t, CLIENT, CLIENT, client);
	thread->fd_inode = fact(&t, 1)->inode;
	return t;
}

static void test_awaited_answer(void **state)
{
	struct t_snapshot t = half_closed(30000, LAI_WAIT_EVENTS, LAI_WAIT_READ);

	(void)state;
	expect(&t, "");
	t = half_closed(30000, LAI_WAIT_ACCEPT, LAI_WAIT_SLEEP);
	fact(&t, 1)->rqueue_bytes = 100; /* of an answer that has come */
	expect(&t, "");
	t = half_closed(30000, LAI_WAIT_ACCEPT, LAI_WAIT_EVENTS);
	t_watch(&t, CLIENT, -1, fact(&t, 1)->inode, EPOLLIN);
	expect(&t, "");
	t = half_closed(90000, LAI_WAIT_CHILD, LAI_WAIT_READ); /* somebody works on it */
	expect(&t, "");
	t = half_closed(90000, LAI_WAIT_EVENTS, LAI_WAIT_READ);
	fact(&t, 0)->sent_age_ms = 25000; /* it flows, in drops */
	expect(&t, "");
}

static void test_answer_not_awaited(void **state)
{
	struct t_snapshot t = half_closed(30000, LAI_WAIT_ACCEPT, LAI_WAIT_SLEEP);

	(void)state;
	expect_confidence(&t, "eof-ignored@10x1", LAI_CONFIDENCE_POSSIBLE);
	t = half_closed(30000, LAI_WAIT_ACCEPT, LAI_WAIT_EVENTS);
	t_watch(&t, CLIENT, -1, fact(&t, 1)->inode, EPOLLRDHUP); /* for our FIN alone */
	expect(&t, "eof-ignored@10x1");
	t = half_closed(90000, LAI_WAIT_EVENTS, LAI_WAIT_READ); /* nobody works on it */
	expect_confidence(&t, "eof-ignored@10x1", LAI_CONFIDENCE_LIKELY);
	t = half_closed(90000, LAI_WAIT_CHILD, LAI_WAIT_READ);
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 9); /* nor one on two */
	expect(&t, "eof-ignored@10x2 poisoned-tuple@10x1");
}

/* A thread for each, or a request to somebody else; not for two, nor for longer than a minute. */
static void test_handler(void **state)
{
	static const struct {
		uint32_t age_ms, workers, asking, unread;
		bool read, guilty;
	} rows[] = {
		{30000, 1, 0, 0, true, false}, {30000, 0, 1, 0, true, false},
		{30000, 0, 0, 0, true, true},  {90000, 1, 0, 0, true, true},
		{90000, 0, 1, 0, true, true},  {30000, 1, 0, 5, true, true},
		{30000, 1, 0, 0, false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lai_socket_fact *own;
		struct t_snapshot t = server_with(rows[i].unread, &own);

		set_age(own, rows[i].age_ms);
		if (!rows[i].read)
			own->received_bytes = 1 + rows[i].unread;
		t_watch(&t, SERVER, SET, own->inode, EPOLLONESHOT);
		for (uint32_t k = 0; k < rows[i].workers; k++)
			t_thread(&t, SERVER, SERVER + 1, LAI_WAIT_READ);
		for (uint32_t k = 0; k < rows[i].asking; k++)
			t_connected(&t, LAI_TCP_ESTABLISHED, SERVER, 20)->sent_age_ms = 30000;
		expect(&t, rows[i].guilty ? "not-polled@10x1" : "");
	}
}

/* Both ends in one process, as in a test of a server: the other end is no other leg. */
static void test_own_peer_is_no_leg(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_socket_fact *peer;

	(void)state;
	t_loop(&t, SERVER, SET);
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	peer = t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, SERVER, 8);
	peer->received_bytes = T_WRITTEN_BYTES;
	peer->sent_bytes = T_READ_BYTES;
	peer->acked_bytes = T_READ_BYTES + 2;
	t_watch(&t, SERVER, SET, peer->inode, EPOLLIN);
	set_age(peer, 1000);
	set_age(fact(&t, 0), 30000); /* nor a client that waits for somebody else */
	expect(&t, "eof-ignored@10x1");
}

static void test_eof_young(void **state)
{
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_loop(&t, SERVER, SET);
	set_age(t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7), 2000);
	expect(&t, "");
}

/* Told by an edge, at rest again, and nothing read: a client's would be a pool. */
static void test_eof_by_edge(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(0, &own);

	(void)state;
	t_watch(&t, SERVER, SET, own->inode, EPOLLIN | EPOLLRDHUP | EPOLLET);
	expect(&t, "eof-ignored@10x1");
}

static void test_growth(void **state)
{
	struct t_snapshot before = t_snapshot_new(), now;
	struct lai_findings findings;

	(void)state;
	t_loop(&before, SERVER, SET);
	before.snapshot.processes[0].fd_limit = 1000;
	before.snapshot.processes[0].fd_count = 880;
	for (uint32_t i = 0; i < 3; i++)
		t_accepted(&before, LAI_TCP_CLOSE_WAIT, SERVER, 7 + i);
	now = t_snapshot_copy(&before);
	/* Ten more in ten seconds, the youngest too young to be accused. */
	for (uint32_t i = 0; i < 10; i++)
		set_age(t_accepted(&now, LAI_TCP_CLOSE_WAIT, SERVER, 20 + i), i < 8 ? 5000 : 10);
	findings = judge(&now, &before);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].socket_count, 11);
	assert_int_equal(findings.list[0].growth_per_min, 60);
	assert_int_equal(findings.list[0].exhaustion_s, 120);
	assert_int_equal(findings.list[0].oldest_age_ms, T_OLD_MS + 10000 - 10000);
	assert_non_null(strstr(findings.list[0].evidence, "10 more than 10 s ago"));
	assert_non_null(strstr(findings.list[0].evidence, "880 of 1000"));
	lai_findings_done(&findings);
	t_snapshot_done(&now);
	t_snapshot_done(&before);
}

/* The pid is the same, the process is not: nothing was there before. */
static void test_growth_of_another_process(void **state)
{
	struct t_snapshot before = t_snapshot_new(), now;
	struct lai_findings findings;

	(void)state;
	t_loop(&before, SERVER, SET);
	t_accepted(&before, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	now = t_snapshot_copy(&before);
	now.snapshot.processes[0].start_ticks++;
	findings = judge(&now, &before);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].growth_per_min, 6);
	lai_findings_done(&findings);
	t_snapshot_done(&now);
	t_snapshot_done(&before);
}

/* --- not-polled --- */

static void test_not_polled(void **state)
{
	static const uint32_t masks[] = {0,
					 EPOLLOUT,
					 EPOLLOUT | EPOLLET,
					 EPOLLONESHOT,
					 EPOLLERR | EPOLLHUP,
					 EPOLLONESHOT | EPOLLET};

	(void)state;
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		struct lai_socket_fact *own;
		struct t_snapshot t = server_with(5000, &own);

		t_watch(&t, SERVER, SET, own->inode, masks[i]);
		expect(&t, "not-polled@10x1");
	}
}

/* A spent shot is the state of every connection in work; a mask alone proves nothing for a minute. */
static void test_not_polled_confidence(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(0, &own);

	(void)state;
	t_watch(&t, SERVER, SET, own->inode, EPOLLONESHOT);
	expect_confidence(&t, "not-polled@10x1", LAI_CONFIDENCE_LIKELY);
	t = server_with(0, &own);
	t_watch(&t, SERVER, SET, own->inode, EPOLLOUT);
	expect_confidence(&t, "not-polled@10x1", LAI_CONFIDENCE_CERTAIN);
	t = server_with(0, &own);
	set_age(own, 30000);
	t_watch(&t, SERVER, SET, own->inode, EPOLLOUT);
	expect_confidence(&t, "not-polled@10x1", LAI_CONFIDENCE_POSSIBLE);
}

static void test_in_no_set(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(0, &own);

	(void)state;
	t_watch(&t, CLIENT, SET, own->inode, EPOLLIN); /* another process's interest is none */
	expect(&t, "not-polled@10x1");
}

/* An interest that wakes. */
static void test_polled(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(0, &own);

	(void)state;
	set_age(own, 100);
	t_watch(&t, SERVER, SET, own->inode, EPOLLIN);
	expect(&t, "");
	t = server_with(0, &own);
	t_watch(&t, SERVER, SET, own->inode, EPOLLRDHUP);
	expect(&t, "owner-stuck@10x1"); /* it is woken at once, for ever, and does not read */
}

/* --- idle-pool --- */

static struct t_snapshot pool(uint32_t count, uint32_t unread)
{
	struct t_snapshot t = t_snapshot_new();

	t_loop(&t, CLIENT, SET);
	for (uint32_t i = 0; i < count; i++) {
		struct lai_socket_fact *own = t_connected(&t, LAI_TCP_CLOSE_WAIT, CLIENT, 7 + i);

		own->rqueue_bytes = unread + 1;
		own->received_bytes += unread;
	}
	return t;
}

static void test_idle_pool(void **state)
{
	struct t_snapshot t = pool(200, 0);

	(void)state;
	expect(&t, "idle-pool@20x200");
	t = pool(4, 31);
	expect(&t, "idle-pool@20x4");
	t = pool(1, 0);
	t.snapshot.threads[0].wait = LAI_WAIT_LOCK; /* workers without work */
	expect(&t, "idle-pool@20x1");
	t = pool(1, 0);
	t.snapshot.processes[0].detailed = false;
	expect(&t, "idle-pool@20x1");
}

/* An upload to a server that has said all it had to say: it is used. */
static void test_upload_is_no_pool(void **state)
{
	struct t_snapshot t = pool(1, 0);

	(void)state;
	fact(&t, 0)->sent_age_ms = fact(&t, 0)->ack_age_ms = 20000;
	expect(&t, "");
	t = pool(1, 0);
	fact(&t, 0)->sent_age_ms = fact(&t, 0)->ack_age_ms = 20000;
	fact(&t, 0)->received_age_ms = 20000; /* the answer */
	expect(&t, "idle-pool@20x1");
}

static void test_no_pool(void **state)
{
	struct t_snapshot t = pool(201, 0), before;

	(void)state;
	expect_confidence(&t, "not-polled@20x201", LAI_CONFIDENCE_POSSIBLE); /* too many */
	t = pool(2, 5000);
	expect(&t, "not-polled@20x2"); /* somebody's data */
	t = pool(2, 0);
	fact(&t, 0)->rqueue_bytes = 0; /* whose end was read */
	expect(&t, "eof-ignored@20x1 idle-pool@20x1");
	before = pool(5, 0);
	t = pool(20, 0);
	expect_compared(&t, &before, "not-polled@20x20"); /* it grows */
}

/* --- unread-backlog --- */

static void test_unread_backlog(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(5000, &own);
	struct lai_findings findings;

	(void)state;
	t_watch(&t, SERVER, SET, own->inode, EPOLLIN | EPOLLET);
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_UNREAD_BACKLOG);
	assert_int_equal(findings.list[0].unread_bytes, 5000);
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

static void test_backlog_in_threads(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(5000, &own);

	(void)state;
	t.snapshot.threads[0].wait = LAI_WAIT_READ; /* of another connection */
	expect(&t, "unread-backlog@10x1");
	t = server_with(5000, &own);
	t.snapshot.threads[0].wait = LAI_WAIT_READ;
	t.snapshot.threads[0].fd_inode = own->inode; /* of this one */
	expect(&t, "");
	t = server_with(5000, &own);
	t.snapshot.threads[0].wait = LAI_WAIT_READ;
	own->rqueue_bytes = (uint32_t)own->received_bytes; /* nothing was ever read */
	expect(&t, "owner-stuck@10x1");
}

/* It reads, if slowly. */
static void test_reads_on(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot before = server_with(5000, &own), now = t_snapshot_copy(&before);

	(void)state;
	fact(&now, 0)->rqueue_bytes -= 1000;
	expect_compared(&now, &before, "");
}

/* --- owner-stuck --- */

static void test_owner_stuck(void **state)
{
	static const enum lai_wait waits[] = {LAI_WAIT_LOCK,	LAI_WAIT_FILE,	  LAI_WAIT_RUNNING,
					      LAI_WAIT_SLEEP,	LAI_WAIT_STOPPED, LAI_WAIT_CHILD,
					      LAI_WAIT_CONNECT, LAI_WAIT_WRITE,	  LAI_WAIT_READ};

	(void)state;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		struct lai_socket_fact *own;
		struct t_snapshot t = server_with(10, &own);

		t.snapshot.threads[0].wait = waits[i];
		expect(&t, "owner-stuck@10x1");
	}
}

/* One of two loops is stuck, and its set is where the socket is. */
static void test_deserted_set(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(5000, &own);
	struct lai_findings findings;
	struct lai_thread *thread = t_thread(&t, SERVER, SERVER + 1, LAI_WAIT_LOCK);

	(void)state;
	(void)snprintf(thread->place, sizeof(thread->place), "futex_do_wait");
	t_watch(&t, SERVER, SET + 1, own->inode, EPOLLIN | EPOLLET);
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_OWNER_STUCK);
	assert_non_null(
		strstr(findings.list[0].evidence, "thread 11 waits for a lock in futex_do"));
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

static void test_unseen_owner(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = server_with(10, &own);
	struct lai_findings findings;

	(void)state;
	t.snapshot.processes[0].detailed = false;
	t.snapshot.thread_count = 0;
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].confidence, LAI_CONFIDENCE_POSSIBLE);
	assert_non_null(strstr(findings.list[0].evidence, "could not be seen"));
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

/* --- poisoned-tuple --- */

static struct t_snapshot loopback(struct lai_socket_fact **own)
{
	struct t_snapshot t = t_snapshot_new();

	t_loop(&t, SERVER, SET);
	*own = t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	(*own)->local = t_address("127.0.0.1", T_SERVICE_PORT);
	(*own)->remote = t_address("127.0.0.1", 45000);
	return t;
}

static void test_poisoned(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = loopback(&own);

	(void)state;
	expect(&t, "eof-ignored@10x1 poisoned-tuple@10x1");
	t = loopback(&own);
	t.snapshot.namespaces[0].port_min = 40001;
	t.snapshot.namespaces[0].port_max = 45000;
	{
		struct lai_findings findings = judge(&t, NULL);

		assert_int_equal(findings.count, 2);
		assert_non_null(strstr(findings.list[1].evidence, "1 of 5000 ports"));
		assert_non_null(strstr(findings.list[1].evidence, "0.02 %"));
		assert_int_equal(findings.list[1].socket_count, 1);
		lai_findings_done(&findings);
		t_snapshot_done(&t);
	}
}

/* The address of this host is known from another socket. */
static void test_poisoned_own_address(void **state)
{
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_loop(&t, SERVER, SET);
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	t_connected(&t, LAI_TCP_ESTABLISHED, SERVER, 8)->local = t_address("192.0.2.7", 39999);
	expect(&t, "eof-ignored@10x1 poisoned-tuple@10x1");
}

static void test_not_poisoned(void **state)
{
	struct lai_socket_fact *own;
	struct t_snapshot t = loopback(&own);

	(void)state;
	/* The other end is there. */
	t_other_end(&t, 0, LAI_TCP_FIN_WAIT2, 0, 0);
	fact(&t, 1)->inode = 0;
	expect(&t, "eof-ignored@10x1");
	t = loopback(&own);
	/* The client's end: the server's port is of no use to a connect(). */
	own->local = t_address("127.0.0.1", 45001);
	own->acked_bytes++;
	own->rqueue_bytes = 1;
	expect(&t, "idle-pool@10x1");
	t = loopback(&own);
	own->remote = t_address("127.0.0.1", 20000); /* no port that connect() draws */
	expect(&t, "eof-ignored@10x1");
	t = loopback(&own);
	own->remote = t_address("198.51.100.1", 45000); /* another host's */
	expect(&t, "eof-ignored@10x1");
	t = loopback(&own);
	t.snapshot.state_mask = LAI_SOCKDIAG_STATE(LAI_TCP_CLOSE_WAIT); /* nobody looked */
	expect(&t, "eof-ignored@10x1");
}

/* --- ports --- */

static struct t_snapshot burning(uint32_t live, uint32_t waiting, uint32_t waiting_ms)
{
	struct t_snapshot t = t_snapshot_new();

	t.snapshot.namespaces[0].port_min = 40000;
	t.snapshot.namespaces[0].port_max = 40999;
	t_loop(&t, CLIENT, SET);
	t.last = 39999;
	for (uint32_t i = 0; i < live; i++)
		t_connected(&t, LAI_TCP_ESTABLISHED, CLIENT, 7 + i);
	for (uint32_t i = 0; i < waiting; i++) {
		struct lai_socket_fact *own = t_connected(&t, LAI_TCP_TIME_WAIT, 0, 0);

		own->inode = 0;
		own->timer = LAI_TIMER_TIME_WAIT;
		own->timer_ms = 60000 - waiting_ms;
	}
	return t;
}

static void test_ports(void **state)
{
	struct t_snapshot t = burning(1, 799, 5000);
	struct lai_findings findings = judge(&t, NULL);

	(void)state;
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_PORTS_EXHAUSTING);
	assert_int_equal(findings.list[0].pid, CLIENT);
	assert_int_equal(findings.list[0].socket_count, 800);
	assert_null(findings.list[0].sockets);
	assert_null(findings.list[0].remedy);
	assert_int_equal(lai_address_port(&findings.list[0].remote), 443);
	assert_int_equal(lai_address_port(&findings.list[0].local), 0);
	assert_non_null(strstr(findings.list[0].evidence, "800 of 1000"));
	assert_non_null(strstr(findings.list[0].evidence, "79.9 connections per second"));
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

static void test_ports_left(void **state)
{
	struct t_snapshot t = burning(1, 798, 5000);

	(void)state;
	expect(&t, "");
	t = burning(1, 798, 5000);
	t.snapshot.namespaces[0].ports_reserved = 2;
	expect(&t, "ports-exhausting@20x799");
	t = burning(1, 799, 5000);
	t.snapshot.namespaces[0].tw_reuse = 1; /* connect() may take them again */
	expect(&t, "");
	t = burning(1, 799, 500);
	t.snapshot.namespaces[0].tw_reuse = 1; /* in half a second */
	expect(&t, "ports-exhausting@20x800");
}

/* To two destinations there are twice as many. */
static void test_two_destinations(void **state)
{
	struct t_snapshot t = burning(900, 0, 0);

	(void)state;
	for (uint32_t i = 0; i < 900; i += 2)
		fact(&t, i)->remote = t_address("192.0.2.10", 443);
	expect(&t, "");
}

/* What was bound before is taken from every destination. */
static void test_bound_ports(void **state)
{
	struct t_snapshot t = burning(500, 0, 0);

	(void)state;
	for (uint32_t i = 0; i < 300; i++)
		t_socket(&t, LAI_TCP_BOUND_INACTIVE, CLIENT, 1000 + i)->local =
			t_address("0.0.0.0", (uint16_t)(40600 + i));
	expect(&t, "ports-exhausting@20x800");
	t = burning(0, 0, 0);
	for (uint32_t i = 0; i < 801; i++)
		t_socket(&t, LAI_TCP_BOUND_INACTIVE, CLIENT, 1000 + i)->local =
			t_address("0.0.0.0", (uint16_t)(40000 + i));
	expect(&t, "ports-exhausting@20x801");
}

static void test_ports_forecast(void **state)
{
	struct t_snapshot before = burning(200, 0, 0), now = burning(400, 0, 0);
	struct lai_findings findings = judge(&now, &before);

	(void)state;
	/* 200 more in 10 s; 600 are left. */
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].verdict, LAI_VERDICT_PORTS_EXHAUSTING);
	assert_int_equal(findings.list[0].exhaustion_s, 30);
	assert_int_equal(findings.list[0].growth_per_min, 1200);
	lai_findings_done(&findings);
	t_snapshot_done(&now);
	t_snapshot_done(&before);
}

/* TIME_WAIT come as fast as they go, and there is room for a minute of them. */
static void test_ports_steady(void **state)
{
	struct t_snapshot before = burning(2, 300, 20000), now = burning(2, 350, 20000);

	(void)state;
	expect_compared(&now, &before, "");
}

/* --- time-wait-harmless --- */

static void test_time_wait(void **state)
{
	struct t_snapshot t = t_snapshot_new();

	(void)state;
	t_listener(&t, SERVER, 3);
	for (uint32_t i = 0; i < 1000; i++)
		t_accepted(&t, LAI_TCP_TIME_WAIT, 0, 0)->inode = 0;
	expect(&t, "time-wait-harmless@0x1000");
	t = t_snapshot_new();
	for (uint32_t i = 0; i < 999; i++)
		t_accepted(&t, LAI_TCP_TIME_WAIT, 0, 0)->inode = 0;
	expect(&t, "");
}

/* --- findings --- */

static void test_grouping(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	char host[32];

	(void)state;
	t_loop(&t, SERVER, SET);
	t_loop(&t, CLIENT, SET);
	for (uint32_t i = 0; i < 6; i++) {
		(void)snprintf(host, sizeof(host), "198.51.100.%u", i / 2);
		t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7 + i)->remote =
			t_address(host, (uint16_t)(50000 + i));
	}
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, CLIENT, 7);
	/* By process and peer. */
	expect(&t, "eof-ignored@10x2 eof-ignored@10x2 eof-ignored@10x2 eof-ignored@20x1");
}

static void test_many_peers(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_findings findings;
	char host[32];

	(void)state;
	t_loop(&t, SERVER, SET);
	for (uint32_t i = 0; i < 200; i++) {
		(void)snprintf(host, sizeof(host), "198.51.100.%u", i);
		t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7 + i)->remote =
			t_address(host, (uint16_t)(50000 + i));
	}
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].socket_count, 200);
	assert_int_equal(findings.list[0].remote.length, 0);
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

/* Leaks before warnings before remarks; of equals, the larger. */
static void test_order(void **state)
{
	struct t_snapshot t = pool(5, 0);

	(void)state;
	t_loop(&t, SERVER, SET);
	t_connected(&t, LAI_TCP_FIN_WAIT2, CLIENT, 50);
	t_connected(&t, LAI_TCP_FIN_WAIT2, CLIENT, 51);
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	expect(&t, "eof-ignored@10x1 fin-wait2-held@20x2 idle-pool@20x5");
}

/* A name that would clear the screen. */
static void test_names_are_harmless(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_socket_fact *own;
	struct lai_findings findings;

	(void)state;
	t_process(&t, SERVER, 1, "\033[2J\xff");
	own = t_accepted(&t, LAI_TCP_CLOSE_WAIT, 0, 0);
	t_stash(&t, LAI_HOLD_RING, SERVER, own->inode);
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_null(strchr(findings.list[0].evidence, '\033'));
	assert_non_null(strstr(findings.list[0].evidence, "?[2J? (pid 10)"));
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

static void test_another_namespace(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_findings findings;
	uint32_t other = t_namespace(&t, 99);

	(void)state;
	t_loop(&t, SERVER, SET);
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7)->namespace_index = other;
	findings = judge(&t, NULL);
	assert_int_equal(findings.count, 1);
	assert_int_equal(findings.list[0].namespace_index, other);
	assert_string_equal(findings.list[0].remedy,
			    "lastack close --verdict eof-ignored --pid 10 --local-port 80 "
			    "--address 192.0.2.7 --all-netns");
	lai_findings_done(&findings);
	t_snapshot_done(&t);
}

/* A dump may list a socket twice. */
static void test_listed_twice(void **state)
{
	struct t_snapshot t = t_snapshot_new();
	struct lai_socket_fact *twin;

	(void)state;
	t_loop(&t, SERVER, SET);
	t_accepted(&t, LAI_TCP_CLOSE_WAIT, SERVER, 7);
	twin = T_ADD(&t, sockets, socket_count);
	*twin = *fact(&t, 0);
	expect(&t, "eof-ignored@10x1");
}

int main(void)
{
#define TEST(sentence, function)                                                                   \
	{                                                                                          \
		.name = (sentence), .test_func = (function)                                        \
	}
	const struct CMUnitTest tests[] = {
		TEST("a healthy host has no finding", test_healthy),
		TEST("an empty snapshot has no finding", test_empty),
		TEST("never-accepted: old ones in a queue, with listener and owner",
		     test_never_accepted),
		TEST("never-accepted: not what has just come", test_accepted_soon),
		TEST("never-accepted: who has accepted, or is stopped, or is the youngest",
		     test_who_should_accept),
		TEST("never-accepted: a full queue of dead connections", test_queue_of_dead),
		TEST("never-accepted: not with room, with who has just come, or unseen",
		     test_no_queue_of_dead),
		TEST("an orphan is no finding", test_orphan),
		TEST("io-uring-held: named by the ring, certain", test_ring_names_it),
		TEST("io-uring-held: not a live connection of fixed files", test_fixed_files_live),
		TEST("io-uring-held: pending requests of who listens there", test_ring_pending),
		TEST("io-uring-held: not by hearsay", test_ring_of_somebody),
		TEST("fd-in-flight: ended or idle, not the kernel's, not in use", test_in_flight),
		TEST("unheld sockets without evidence are no finding",
		     test_unheld_without_evidence),
		TEST("ghost-fd: was connected, likely, no remedy", test_ghost),
		TEST("ghost-fd: compared, only what was seen twice", test_ghost_twice),
		TEST("ghost-fd: many are likely, growing ones certain", test_ghosts_many),
		TEST("ghost-fd: of unknown past only if several", test_ghost_unknown),
		TEST("inherited-fd: who merely holds it", test_inherited),
		TEST("inherited-fd: who opened it, if nobody uses it", test_inherited_by_all),
		TEST("inherited-fd: not young, not established", test_inherited_young),
		TEST("two descriptors of one process are not inherited", test_duplicated),
		TEST("fin-wait2-held: nobody waits on it", test_fin_wait2),
		TEST("fin-wait2-held: not while somebody waits, not young, not with data coming",
		     test_fin_wait2_waits),
		TEST("fin-wait2-held: the guilty end in another namespace is named",
		     test_fin_wait2_pair),
		TEST("fin-wait2-held: not if the other end is merely late",
		     test_fin_wait2_innocent_peer),
		TEST("long-timeout: others of the group have gone", test_long_timeout),
		TEST("long-timeout: not what is older than those", test_long_timeout_and_leak),
		TEST("long-timeout: not if they become more", test_turnover_that_grows),
		TEST("writes-after-fin: the peer takes nothing", test_writes_stalled),
		TEST("writes-after-fin: not an answer that flows", test_answers_after_half_close),
		TEST("writes-after-fin: not if the peer is here and slow", test_slow_reader),
		TEST("writes-after-fin: written since the earlier look, certain", test_writes_on),
		TEST("writes-after-fin: not while the peer takes it", test_half_close_at_work),
		TEST("writes-after-fin: not what the kernel sends again", test_retransmits),
		TEST("half-close-not-forwarded: legs with equal counts", test_half_close),
		TEST("half-close-not-forwarded: not if it was passed on",
		     test_half_close_forwarded),
		TEST("half-close-not-forwarded: not while data flows", test_half_close_flows),
		TEST("half-close-not-forwarded: not while an answer is outstanding",
		     test_half_close_answer_outstanding),
		TEST("half-close-not-forwarded: not with other counts, role or process",
		     test_no_leg),
		TEST("half-close-not-forwarded: no bytes at all need a reader",
		     test_half_close_of_nothing),
		TEST("half-close-not-forwarded: a leg belongs to one connection",
		     test_one_leg_each),
		TEST("eof-ignored: all fields of the finding", test_eof_ignored),
		TEST("eof-ignored: likely, then certain, if nobody holds the other end",
		     test_eof_alone),
		TEST("eof-ignored: of a hidden process, possible", test_eof_of_hidden),
		TEST("eof-ignored: not while a client here waits for the answer",
		     test_awaited_answer),
		TEST("eof-ignored: nobody waits, or nobody works on it", test_answer_not_awaited),
		TEST("a handler for each connection is let work for a minute", test_handler),
		TEST("a connection of a process to itself has no other leg",
		     test_own_peer_is_no_leg),
		TEST("eof-ignored: not a young one", test_eof_young),
		TEST("eof-ignored: told by an edge", test_eof_by_edge),
		TEST("growth, rate, and when descriptors run out", test_growth),
		TEST("growth knows a new process with an old pid", test_growth_of_another_process),
		TEST("not-polled: every mask without input", test_not_polled),
		TEST("not-polled: a spent shot is never certain, nor is a young one",
		     test_not_polled_confidence),
		TEST("not-polled: in none of its own sets", test_in_no_set),
		TEST("not-polled: not what is watched", test_polled),
		TEST("idle-pool: few, nearly nothing unread, unwatched, client's", test_idle_pool),
		TEST("idle-pool: not an upload", test_upload_is_no_pool),
		TEST("idle-pool: not many, not with data, not read, not growing", test_no_pool),
		TEST("unread-backlog: data left after an edge", test_unread_backlog),
		TEST("unread-backlog: threads at rest elsewhere", test_backlog_in_threads),
		TEST("whoever reads on is left alone", test_reads_on),
		TEST("owner-stuck: every place where a thread does not read", test_owner_stuck),
		TEST("owner-stuck: a set that no thread waits on", test_deserted_set),
		TEST("owner-stuck: possible, if the threads cannot be seen", test_unseen_owner),
		TEST("poisoned-tuple: a peer on loopback that is gone, with the chance",
		     test_poisoned),
		TEST("poisoned-tuple: a peer at an address of this host",
		     test_poisoned_own_address),
		TEST("poisoned-tuple: not with a peer, elsewhere, or unseen", test_not_poisoned),
		TEST("ports-exhausting: four fifths of the range, and who", test_ports),
		TEST("ports-exhausting: reserved and reusable ports", test_ports_left),
		TEST("ports-exhausting: each destination has its own", test_two_destinations),
		TEST("ports-exhausting: bind() before connect()", test_bound_ports),
		TEST("ports-exhausting: a forecast", test_ports_forecast),
		TEST("ports-exhausting: not a steady state", test_ports_steady),
		TEST("time-wait-harmless: from a thousand on", test_time_wait),
		TEST("findings are grouped by process and peer", test_grouping),
		TEST("many peers make one finding", test_many_peers),
		TEST("the worst come first", test_order),
		TEST("what processes call themselves cannot drive a terminal",
		     test_names_are_harmless),
		TEST("the remedy says --all-netns for another namespace", test_another_namespace),
		TEST("a socket that is listed twice counts once", test_listed_twice),
	};

	return cmocka_run_group_tests_name("judge.judge", tests, NULL, NULL);
}
