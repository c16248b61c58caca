/* SPDX-License-Identifier: MIT */
/* rules_test.c - rules in a host: what they drop, what they count, and that they go. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "lab/call.h"
#include "lab/gauge.h"
#include "lab/rules.h"
#include "lab/t_trial.h"

#include <unistd.h>

#define WAIT_NS (10 * LAI_S)
#define SHORT_NS (100 * LAI_MS)

#define SYN "tcp flags & (syn | ack) == syn"

static struct lai_call connect_for(struct lai_trial *trial, uint64_t wait_ns)
{
	struct lai_address to;
	int listener = lai_call_listen(trial, trial->server, 0, false, &to);
	int fd = lai_call_socket(trial, trial->client);
	struct lai_call call = lai_call_connect(fd, &to, wait_ns);

	(void)close(fd);
	(void)close(listener);
	return call;
}

static void run_drop(struct lai_trial *trial)
{
	lai_rules_drop(trial, trial->server, SYN, "syns");
	T_CHECK(lai_rules_counter(trial, trial->server, "syns") == 0);
	T_CHECK(connect_for(trial, SHORT_NS).error == EINPROGRESS);
	T_CHECK(lai_rules_counter(trial, trial->server, "syns") == 1);
	lai_rules_clear(trial, trial->server);
	T_CHECK(connect_for(trial, WAIT_NS).error == 0);
	t_well(trial);
}

static void drops_until_cleared(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2; seed++)
		t_trial_well(LAI_NETWORK_PAIR, seed, run_drop);
}

static void run_drop_first(struct lai_trial *trial)
{
	struct lai_counters *then = lai_counters_read(trial, trial->client);

	/* The second SYN comes by the clock, a second after the first. */
	lai_rules_drop_first(trial, trial->server, SYN, 1, "first");
	T_CHECK(connect_for(trial, WAIT_NS).error == 0);
	T_CHECK(connect_for(trial, WAIT_NS).error == 0);
	T_CHECK(lai_rules_counter(trial, trial->server, "first") == 1);
	T_CHECK(lai_counters_since(trial, trial->client, then, "TCPSynRetrans") == 1);
	lai_counters_free(then);
	t_well(trial);
}

static void drops_the_first(void **state)
{
	(void)state;
	t_trial_well(LAI_NETWORK_PAIR, 1, run_drop_first);
}

static void run_drop_several(struct lai_trial *trial)
{
	/* What is dropped comes again after some 200 ms, and more at once. */
	struct lai_pair pair = lai_pair_open(trial, NULL);
	unsigned sent = 0;

	lai_rules_drop_first(trial, trial->server, "tcp flags & (fin | syn | rst | psh) == psh", 3,
			     "data");
	for (; sent < 6; sent++) {
		T_CHECK(lai_call_send(pair.client, 10, WAIT_NS).bytes == 10);
		T_CHECK(lai_call_receive(pair.server, NULL, 10, WAIT_NS).bytes == 10);
	}
	T_CHECK(lai_rules_counter(trial, trial->server, "data") == 3);
	t_well(trial);
}

static void drops_so_many(void **state)
{
	(void)state;
	t_trial_well(LAI_NETWORK_PAIR, 1, run_drop_several);
}

static void run_two(struct lai_trial *trial)
{
	lai_rules_add(trial, trial->server,
		      "table inet lab {\n"
		      "	counter everything {}\n"
		      "	chain count_all {\n"
		      "		type filter hook input priority 0;\n"
		      "		meta l4proto tcp counter name \"everything\"\n"
		      "	}\n"
		      "}\n");
	lai_rules_drop(trial, trial->server, "tcp flags & rst == rst", "resets");
	T_CHECK(connect_for(trial, WAIT_NS).error == 0);
	T_CHECK(lai_rules_counter(trial, trial->server, "everything") > 0);
	T_CHECK(lai_rules_counter(trial, trial->server, "resets") == 0);
	t_well(trial);
}

static void rules_add_up(void **state)
{
	(void)state;
	t_trial_well(LAI_NETWORK_PAIR, 1, run_two);
}

static void run_nonsense(struct lai_trial *trial)
{
	lai_rules_add(trial, trial->server, "nonsense\n");
	t_well(trial);
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	t_trial_is(LAI_NETWORK_PAIR, 1, NULL, run_nonsense, LAI_LAB_LACKS, "rules that the server");
}

static void run_no_counter(struct lai_trial *trial)
{
	lai_rules_drop(trial, trial->server, SYN, "syns");
	(void)lai_rules_counter(trial, trial->server, "acks");
	t_well(trial);
}

static void unknown_counter(void **state)
{
	(void)state;
	t_trial_is(LAI_NETWORK_PAIR, 1, NULL, run_no_counter, LAI_LAB_INCONCLUSIVE,
		   "no counter acks");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "what matches is dropped and counted until the rules are cleared",
		 .test_func = drops_until_cleared},
		{.name = "the first that matches is dropped, and the next one passes",
		 .test_func = drops_the_first},
		{.name = "exactly so many are dropped", .test_func = drops_so_many},
		{.name = "rules add up, each with its counter", .test_func = rules_add_up},
		{.name = "what nft refuses is lacking", .test_func = nonsense_is_refused},
		{.name = "a counter that is not there ends the trial",
		 .test_func = unknown_counter},
	};

	return cmocka_run_group_tests_name("lab.rules", tests, NULL, NULL);
}
