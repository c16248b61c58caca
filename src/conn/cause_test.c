/* SPDX-License-Identifier: MIT */
/* From error numbers to causes, row by row; and that every name is one of a kind. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/view.h"
#include "conn/cause.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* What an error says of an attempt, of one with a chosen port, of one with a chosen address, and of
   a connection; NULL: not a case. */
static const struct {
	int error;
	const char *attempt, *port, *address, *connection;
} rows[] = {
	{ECONNREFUSED, "connect-refused", "connect-refused", "connect-refused", NULL},
	{ECONNRESET, "connect-refused", "connect-refused", "connect-refused", "peer-reset"},
	{EPIPE, NULL, NULL, NULL, "peer-reset"},
	{ETIMEDOUT, "connect-timeout", "connect-timeout", "connect-timeout", "silent-idle"},
	{ENETUNREACH, "unreachable", "unreachable", "unreachable", "route-lost"},
	{EHOSTUNREACH, "unreachable", "unreachable", "unreachable", "route-lost"},
	{ENETDOWN, "unreachable", "unreachable", "unreachable", "route-lost"},
	{EACCES, "denied", "denied", "denied", "denied"},
	{EPERM, "denied", "denied", "denied", "denied"},
	{EADDRINUSE, "port-in-use", "port-in-use", "port-in-use", NULL},
	{EADDRNOTAVAIL, "local-limit", "tuple-in-use", "address-lost", "address-lost"},
	{EMFILE, "local-limit", "local-limit", "local-limit", NULL},
	{ENFILE, "local-limit", "local-limit", "local-limit", NULL},
	{ENOBUFS, "local-limit", "local-limit", "local-limit", "local-limit"},
	{ENOMEM, "local-limit", "local-limit", "local-limit", "local-limit"},
	{EAGAIN, "local-limit", "local-limit", "local-limit", NULL},
	{EPROTO, "tls-failed", "tls-failed", "tls-failed", "tls-failed"},
	{EKEYREJECTED, "certificate-refused", "certificate-refused", "certificate-refused",
	 "certificate-refused"},
	{EIO, "local-error", "local-error", "local-error", "local-error"},
	{EBADF, "local-error", "local-error", "local-error", "local-error"},
};

static void expect_cause(enum la_cause cause, const char *name)
{
	if (name)
		assert_string_equal(la_cause_name(cause), name);
}

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_cause(lai_cause_of_attempt(rows[i].error, false, false), rows[i].attempt);
		expect_cause(lai_cause_of_attempt(rows[i].error, true, false), rows[i].port);
		expect_cause(lai_cause_of_attempt(rows[i].error, false, true), rows[i].address);
		expect_cause(lai_cause_of_error(rows[i].error), rows[i].connection);
	}
}

/* Whatever the kernel may say, there is a cause for it, and never "alive". */
static void test_every_error(void **state)
{
	(void)state;
	for (int error = 1; error < 200; error++) {
		assert_int_not_equal(lai_cause_of_error(error), LA_CAUSE_ALIVE);
		for (int chosen = 0; chosen < 4; chosen++)
			assert_int_not_equal(lai_cause_of_attempt(error, chosen & 1, chosen & 2),
					     LA_CAUSE_ALIVE);
	}
}

static void test_silence(void **state)
{
	static const char *const silent[] = {"silent-idle", "silent-busy", "lost-in-suspend",
					     "route-lost", "address-lost"};
	size_t count = 0;

	(void)state;
	for (int cause = 0; cause < LA_CAUSE_COUNT; cause++)
		count += lai_cause_is_silence((enum la_cause)cause);
	assert_int_equal(count, sizeof(silent) / sizeof(silent[0]));
	for (int cause = 0; cause < LA_CAUSE_COUNT; cause++)
		for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
			if (strcmp(la_cause_name((enum la_cause)cause), silent[i]) == 0)
				assert_true(lai_cause_is_silence((enum la_cause)cause));
}

static void check_name(const char *name)
{
	assert_true(strlen(name) > 1);
	for (const char *c = name; *c; c++)
		assert_true(islower((unsigned char)*c) || *c == '-');
}

static void test_cause_names(void **state)
{
	(void)state;
	for (int i = 0; i < LA_CAUSE_COUNT; i++) {
		check_name(la_cause_name((enum la_cause)i));
		assert_true(strlen(la_cause_sentence((enum la_cause)i)) > 10);
		for (int k = 0; k < i; k++) {
			assert_string_not_equal(la_cause_name((enum la_cause)i),
						la_cause_name((enum la_cause)k));
			assert_string_not_equal(la_cause_sentence((enum la_cause)i),
						la_cause_sentence((enum la_cause)k));
		}
	}
	assert_string_equal(la_cause_name(LA_CAUSE_COUNT), "?");
	assert_string_equal(la_cause_sentence((enum la_cause)UINT32_MAX), "?");
}

static void test_other_names(void **state)
{
	(void)state;
	for (int i = 0; i < LA_PROOF_COUNT; i++)
		check_name(la_proof_name((enum la_proof)i));
	for (int i = 0; i < LA_SIDE_COUNT; i++)
		check_name(la_side_name((enum la_side)i));
	for (int i = 0; i < LA_AFTERMATH_COUNT; i++) {
		check_name(la_aftermath_name((enum la_aftermath)i));
		assert_true(strlen(la_aftermath_sentence((enum la_aftermath)i)) > 10);
	}
	assert_string_equal(la_proof_name(LA_PROOF_COUNT), "?");
	assert_string_equal(la_side_name(LA_SIDE_COUNT), "?");
	assert_string_equal(la_aftermath_name(LA_AFTERMATH_COUNT), "?");
	assert_string_equal(la_aftermath_sentence(LA_AFTERMATH_COUNT), "?");
}

/* The numbers are the kernel's: net/tcp_states.h. */
static void test_tcp_states(void **state)
{
	(void)state;
	assert_string_equal(la_tcp_state_name(1), "ESTABLISHED");
	assert_string_equal(la_tcp_state_name(4), "FIN_WAIT1");
	assert_string_equal(la_tcp_state_name(5), "FIN_WAIT2");
	assert_string_equal(la_tcp_state_name(6), "TIME_WAIT");
	assert_string_equal(la_tcp_state_name(8), "CLOSE_WAIT");
	assert_string_equal(la_tcp_state_name(9), "LAST_ACK");
	assert_string_equal(la_tcp_state_name(11), "CLOSING");
	assert_string_equal(la_tcp_state_name(LAI_TCP_COUNT), "?");
	assert_string_equal(la_tcp_state_name(UINT32_MAX), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "each error has the cause of its row", .test_func = test_errors},
		{.name = "every error number has a cause", .test_func = test_every_error},
		{.name = "which causes are silence", .test_func = test_silence},
		{.name = "cause names are unique, lower case, and ? beyond",
		 .test_func = test_cause_names},
		{.name = "so are proofs, sides and aftermaths", .test_func = test_other_names},
		{.name = "TCP states have the kernel's numbers and RFC names",
		 .test_func = test_tcp_states},
	};

	return cmocka_run_group_tests_name("conn.cause", tests, NULL, NULL);
}
