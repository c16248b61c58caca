/* SPDX-License-Identifier: MIT */
#include "cli/select.h"

#include "base/time.h"
#include "observe/sockdiag.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define S(id) LAI_SOCKDIAG_STATE(LAI_TCP_##id)
#define TEXTS_MAX 4

/* ---- a small host ------------------------------------------------------------------------- */

enum {
	WEB_LISTENER, /* [::]:80, held by nginx 10 and 11 */
	WEB,	      /* ::ffff:10.1.2.3:80 <- ::ffff:192.0.2.7:40000, CLOSE_WAIT, nginx 10 */
	QUEUED,	      /* 10.1.2.3:80 <- 192.0.2.8:40001, never accepted */
	DATABASE,     /* 127.0.0.1:5432 <- 127.0.0.1:50000, ESTABLISHED, postgres 20 */
	LINK_LOCAL,   /* fe80::1%2:22 <- fe80::2%2:51000, ESTABLISHED, sshd 30 */
	OLD,	      /* 10.9.9.9:50001 -> 203.0.113.5:443, TIME_WAIT, 40 s of 60 left */
	GHOST,	      /* closed, no address, postgres 20 */
	SOCKET_COUNT
};

static struct lai_process processes[] = {
	{.pid = 10,
	 .comm = "nginx",
	 .cgroup = (char *)"/system.slice/nginx.service",
	 .container = ""},
	{.pid = 11, .comm = "nginx", .cgroup = (char *)"/system.slice/nginx.service"},
	{.pid = 20,
	 .comm = "postgres-backup", /* the kernel cut it */
	 .cgroup = (char *)"/docker/0123456789abcdef",
	 .container = "docker:0123456789ab"},
	{.pid = 30, .comm = "sshd"},
};

static struct lai_holder holders[] = {
	{.inode = 100, .pid = 10, .fd = 6}, {.inode = 100, .pid = 11, .fd = 6},
	{.inode = 101, .pid = 10, .fd = 7}, {.inode = 103, .pid = 20, .fd = 8},
	{.inode = 104, .pid = 30, .fd = 3}, {.inode = 106, .pid = 20, .fd = 9},
};

static struct lai_socket_fact sockets[SOCKET_COUNT];
static struct lai_snapshot snapshot = {
	.sockets = sockets,
	.socket_count = SOCKET_COUNT,
	.holders = holders,
	.holder_count = COUNT(holders),
	.processes = processes,
	.process_count = COUNT(processes),
};

static void place(int index, enum lai_tcp_state state, uint64_t inode, const char *local,
		  uint16_t local_port, const char *remote, uint16_t remote_port)
{
	struct lai_socket_fact *socket = &sockets[index];

	*socket =
		(struct lai_socket_fact){.state = state, .inode = inode, .listener = LAI_NO_INDEX};
	if (local)
		assert_int_equal(lai_address_parse(local, local_port, &socket->local), 0);
	if (remote)
		assert_int_equal(lai_address_parse(remote, remote_port, &socket->remote), 0);
	for (uint32_t i = COUNT(holders); i-- > 0;) {
		if (inode == 0 || holders[i].inode != inode)
			continue;
		socket->holder_first = i;
		socket->holder_count++;
	}
}

static int make_host(void **state)
{
	(void)state;
	place(WEB_LISTENER, LAI_TCP_LISTEN, 100, "::", 80, "::", 0);
	place(WEB, LAI_TCP_CLOSE_WAIT, 101, "::ffff:10.1.2.3", 80, "::ffff:192.0.2.7", 40000);
	place(QUEUED, LAI_TCP_ESTABLISHED, 0, "10.1.2.3", 80, "192.0.2.8", 40001);
	sockets[QUEUED].listener = WEB_LISTENER;
	place(DATABASE, LAI_TCP_ESTABLISHED, 103, "127.0.0.1", 5432, "127.0.0.1", 50000);
	place(LINK_LOCAL, LAI_TCP_ESTABLISHED, 104, "fe80::1%2", 22, "fe80::2%2", 51000);
	place(OLD, LAI_TCP_TIME_WAIT, 0, "10.9.9.9", 50001, "203.0.113.5", 443);
	sockets[OLD].timer = LAI_TIMER_TIME_WAIT;
	sockets[OLD].timer_ms = 40000;
	place(GHOST, LAI_TCP_CLOSE, 106, NULL, 0, NULL, 0);
	return 0;
}

/* ---- what is asked ------------------------------------------------------------------------ */

#define LIST(...)                                                                                  \
	{                                                                                          \
		.texts = (const char *[TEXTS_MAX]){__VA_ARGS__},                                   \
		.count = COUNT(((const char *[]){__VA_ARGS__}))                                    \
	}
#define BIT(index) (1u << (index))

/* The sockets that are let through, a bit each. */
static unsigned chosen(const struct lai_select_settings *settings)
{
	struct lai_select *select = NULL;
	char *error = NULL;
	unsigned bits = 0;

	if (lai_select_new(settings, &select, &error) != 0)
		fail_msg("refused: %s", error ? error : "no memory");
	for (uint32_t i = 0; i < SOCKET_COUNT; i++) {
		if (!lai_select_socket(select, &snapshot, i))
			continue;
		bits |= BIT(i);
		/* What may match must be in the dump. */
		assert_true(lai_select_state_mask(select) & LAI_SOCKDIAG_STATE(sockets[i].state));
	}
	lai_select_free(select);
	return bits;
}

/* The sentence of a refusal, valid until the next one. */
static const char *refusal(const struct lai_select_settings *settings)
{
	static char *error;
	struct lai_select *select = NULL;

	free(error);
	error = NULL;
	assert_int_equal(lai_select_new(settings, &select, &error), -EINVAL);
	assert_null(select);
	assert_non_null(error);
	return error;
}

static void test_everything(void **state)
{
	struct lai_select_settings settings = {0};
	struct lai_select *select;
	char *error;

	(void)state;
	assert_int_equal(chosen(&settings), BIT(SOCKET_COUNT) - 1);
	assert_int_equal(lai_select_new(&settings, &select, &error), 0);
	assert_int_equal(lai_select_state_mask(select), LAI_SOCKDIAG_ALL);
	lai_select_free(select);
	lai_select_free(NULL);
}

static void test_state_names(void **state)
{
	static const struct {
		const char *name;
		uint32_t mask;
	} rows[] = {
		{"established", S(ESTABLISHED)},
		{"ESTAB", S(ESTABLISHED)},
		{"close-wait", S(CLOSE_WAIT)},
		{"CLOSE_WAIT", S(CLOSE_WAIT)},
		{"CloseWait", S(CLOSE_WAIT)},
		{"fin-wait-1", S(FIN_WAIT1)},
		{"FIN_WAIT1", S(FIN_WAIT1)},
		{"finwait2", S(FIN_WAIT2)},
		{"fin-wait", S(FIN_WAIT1) | S(FIN_WAIT2)},
		{"TIME-WAIT", S(TIME_WAIT)},
		{"last_ack", S(LAST_ACK)},
		{"LISTEN", S(LISTEN)},
		{"listening", S(LISTEN)},
		{"closing", S(CLOSING)},
		{"closed", S(CLOSE)},
		{"syn-recv", S(SYN_RECV) | S(NEW_SYN_RECV)},
		{"bound", S(BOUND_INACTIVE)},
		{"all", LAI_SOCKDIAG_ALL},
		{"connected", LAI_SOCKDIAG_ALL & ~(S(LISTEN) | S(CLOSE) | S(BOUND_INACTIVE))},
		{"all-but-listen", LAI_SOCKDIAG_ALL & ~S(LISTEN)},
		{"ALL-BUT-TIME_WAIT", LAI_SOCKDIAG_ALL & ~S(TIME_WAIT)},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint32_t mask = 0;

		if (lai_select_state_read(rows[i].name, &mask, NULL) != 0 || mask != rows[i].mask)
			fail_msg("%s: mask %x, wanted %x", rows[i].name, mask, rows[i].mask);
	}
}

/* Whatever the program prints as a state is taken as one. */
static void test_state_names_shown(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < LAI_TCP_COUNT; i++) {
		uint32_t mask = 0;

		assert_int_equal(lai_select_state_read(la_tcp_state_name(i), &mask, NULL), 0);
		assert_true(mask & LAI_SOCKDIAG_STATE(i));
	}
}

static void test_state_mistyped(void **state)
{
	static const struct {
		const char *text, *nearest;
	} rows[] = {{"establshed", "established"},
		    {"close_wiat", "close-wait"},
		    {"TIME_WAITT", "time-wait"},
		    {"lisen", "listen"},
		    {"everything", NULL},
		    {"all-but-all", NULL},
		    {"", NULL}};
	uint32_t mask = 17;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *nearest = "untouched";

		assert_int_equal(lai_select_state_read(rows[i].text, &mask, &nearest), -EINVAL);
		if (rows[i].nearest)
			assert_string_equal(nearest, rows[i].nearest);
		else
			assert_null(nearest);
	}
	assert_int_equal(mask, 17);
	assert_non_null(
		strstr(refusal(&(struct lai_select_settings){.states = LIST("listen,close_wiat")}),
		       "not 'close_wiat'; did you mean 'close-wait'?"));
}

static void test_states(void **state)
{
	(void)state;
	assert_int_equal(chosen(&(struct lai_select_settings){.states = LIST("close-wait")}),
			 BIT(WEB));
	assert_int_equal(chosen(&(struct lai_select_settings){.states = LIST("CLOSE_WAIT,closed")}),
			 BIT(WEB) | BIT(GHOST));
	assert_int_equal(
		chosen(&(struct lai_select_settings){.states = LIST("time-wait", "listen")}),
		BIT(OLD) | BIT(WEB_LISTENER));
}

static void test_ports(void **state)
{
	(void)state;
	assert_int_equal(chosen(&(struct lai_select_settings){.ports = LIST("443,5432")}),
			 BIT(OLD) | BIT(DATABASE));
	assert_int_equal(chosen(&(struct lai_select_settings){.local_ports = LIST("80")}),
			 BIT(WEB_LISTENER) | BIT(WEB) | BIT(QUEUED));
	assert_int_equal(chosen(&(struct lai_select_settings){.remote_ports = LIST("80")}), 0);
	assert_int_equal(chosen(&(struct lai_select_settings){.remote_ports = LIST("40001-51000")}),
			 BIT(QUEUED) | BIT(DATABASE) | BIT(LINK_LOCAL));
	/* Of different options all must match. */
	assert_int_equal(chosen(&(struct lai_select_settings){.local_ports = LIST("80"),
							      .remote_ports = LIST("40000")}),
			 BIT(WEB));
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text;
		unsigned bits;
	} rows[] = {
		{"10.1.2.3", BIT(WEB) | BIT(QUEUED)},
		{"::ffff:10.1.2.3", BIT(WEB) | BIT(QUEUED)},
		{"192.0.2.0/24", BIT(WEB) | BIT(QUEUED)},
		{"192.0.2.8/31", BIT(QUEUED)},
		{"::ffff:192.0.2.0/120", BIT(WEB) | BIT(QUEUED)},
		{"10.0.0.0/8", BIT(WEB) | BIT(QUEUED) | BIT(OLD)},
		{"0.0.0.0/0", BIT(WEB) | BIT(QUEUED) | BIT(DATABASE) | BIT(OLD)},
		{"::/0", BIT(WEB_LISTENER) | BIT(LINK_LOCAL)},
		{"fe80::/10", BIT(LINK_LOCAL)},
		{"[fe80::1]", BIT(LINK_LOCAL)},
		{"fe80::1%2", BIT(LINK_LOCAL)},
		{"fe80::1%3", 0},
		{"127.0.0.1", BIT(DATABASE)},
		{"127.0.0.1,203.0.113.5", BIT(DATABASE) | BIT(OLD)},
		{"198.51.100.1", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned bits =
			chosen(&(struct lai_select_settings){.addresses = LIST(rows[i].text)});

		if (bits != rows[i].bits)
			fail_msg("%s: %x, wanted %x", rows[i].text, bits, rows[i].bits);
	}
}

/* What is gone, and has no address, is of neither. */
static void test_families(void **state)
{
	(void)state;
	assert_int_equal(chosen(&(struct lai_select_settings){.ipv4 = true}),
			 BIT(WEB) | BIT(QUEUED) | BIT(DATABASE) | BIT(OLD));
	assert_int_equal(chosen(&(struct lai_select_settings){.ipv6 = true}),
			 BIT(WEB_LISTENER) | BIT(LINK_LOCAL));
	assert_int_equal(chosen(&(struct lai_select_settings){.ipv4 = true, .ipv6 = true}),
			 BIT(SOCKET_COUNT) - 1);
}

static void test_processes(void **state)
{
	(void)state;
	assert_int_equal(chosen(&(struct lai_select_settings){.pids = LIST("20")}),
			 BIT(DATABASE) | BIT(GHOST));
	/* A listener of two; what it has not accepted belongs to both. */
	assert_int_equal(chosen(&(struct lai_select_settings){.pids = LIST("11")}),
			 BIT(WEB_LISTENER) | BIT(QUEUED));
	assert_int_equal(chosen(&(struct lai_select_settings){.commands = LIST("nginx")}),
			 BIT(WEB_LISTENER) | BIT(WEB) | BIT(QUEUED));
	assert_int_equal(chosen(&(struct lai_select_settings){.commands = LIST("ngin")}), 0);
	assert_int_equal(chosen(&(struct lai_select_settings){.commands = LIST("ssh?,post*")}),
			 BIT(DATABASE) | BIT(GHOST) | BIT(LINK_LOCAL));
	assert_int_equal(
		chosen(&(struct lai_select_settings){.commands = LIST("postgres-backupper")}),
		BIT(DATABASE) | BIT(GHOST));
	assert_int_equal(chosen(&(struct lai_select_settings){.commands = LIST("sshd-session")}),
			 0);
	/* One holder must pass them all: 11 does not hold WEB. */
	assert_int_equal(chosen(&(struct lai_select_settings){.commands = LIST("nginx"),
							      .pids = LIST("11", "30")}),
			 BIT(WEB_LISTENER) | BIT(QUEUED));
}

static void test_groups(void **state)
{
	(void)state;
	assert_int_equal(chosen(&(struct lai_select_settings){.cgroups = LIST("/system.slice")}),
			 BIT(WEB_LISTENER) | BIT(WEB) | BIT(QUEUED));
	assert_int_equal(chosen(&(struct lai_select_settings){.cgroups = LIST("docker/")}),
			 BIT(DATABASE) | BIT(GHOST));
	assert_int_equal(chosen(&(struct lai_select_settings){.cgroups = LIST("/slice")}), 0);
	assert_int_equal(
		chosen(&(struct lai_select_settings){.containers = LIST("docker:0123456789ab")}),
		BIT(DATABASE) | BIT(GHOST));
	assert_int_equal(chosen(&(struct lai_select_settings){.containers = LIST("0123")}),
			 BIT(DATABASE) | BIT(GHOST));
	assert_int_equal(chosen(&(struct lai_select_settings){
				 .containers = LIST("0123456789abcdef0123456789abcdef")}),
			 BIT(DATABASE) | BIT(GHOST));
	assert_int_equal(chosen(&(struct lai_select_settings){.containers = LIST("123")}), 0);
}

static void test_holder(void **state)
{
	struct lai_select_settings settings = {.pids = LIST("11")};
	struct lai_select *select;
	char *error;

	(void)state;
	assert_int_equal(lai_select_new(&settings, &select, &error), 0);
	assert_false(lai_select_holder(select, &snapshot, &holders[0]));
	assert_true(lai_select_holder(select, &snapshot, &holders[1]));
	lai_select_free(select);
}

static void test_age(void **state)
{
	(void)state;
	/* 60 s, of which 40 are left. */
	assert_int_equal(chosen(&(struct lai_select_settings){.states = LIST("time-wait"),
							      .min_age_ns = 20 * LAI_S}),
			 BIT(OLD));
	assert_int_equal(chosen(&(struct lai_select_settings){.states = LIST("time-wait"),
							      .min_age_ns = 21 * LAI_S}),
			 0);
	/* Nothing is known of a listener's age. */
	assert_int_equal(chosen(&(struct lai_select_settings){.states = LIST("listen"),
							      .min_age_ns = 1 * LAI_MS}),
			 0);
}

static void test_refusals(void **state)
{
	static const char *const ports[] = {"0",    "65536",  "80-", "-80", "90-80",
					    "http", "80,,81", "+80", " 80", "99999999999999999999"};
	static const char *const pids[] = {"0", "-1", "abc", "4294967296", "1 2", ""};
	static const char *const addresses[] = {"10.0.0.0/33", "::/129",    "10.0.0/8", "localhost",
						"10.0.0.1:80", "10.0.0.1/", "/8",	"[::1",
						"10.0.0.0/-1", ""};
	char long_text[4096];

	(void)state;
	for (size_t i = 0; i < COUNT(ports); i++) {
		assert_non_null(
			strstr(refusal(&(struct lai_select_settings){.ports = LIST(ports[i])}),
			       "--port needs a port number from 1 to 65535"));
		assert_non_null(strstr(
			refusal(&(struct lai_select_settings){.local_ports = LIST(ports[i])}),
			"--local-port"));
	}
	for (size_t i = 0; i < COUNT(pids); i++)
		assert_non_null(
			strstr(refusal(&(struct lai_select_settings){.pids = LIST(pids[i])}),
			       "--pid needs"));
	for (size_t i = 0; i < COUNT(addresses); i++)
		assert_non_null(strstr(
			refusal(&(struct lai_select_settings){.addresses = LIST(addresses[i])}),
			"--address needs a numeric address"));
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_non_null(
		strstr(refusal(&(struct lai_select_settings){.states = LIST(long_text)}), "..."));
	assert_non_null(
		strstr(refusal(&(struct lai_select_settings){.min_age_ns = LA_NEVER}), "never"));
}

/* The rows work in a command's table, at whatever place the member has. */
struct wrapped {
	uint64_t before;
	struct lai_select_settings select;
};

static void test_rows(void **state)
{
	static const struct lai_option options[] = {LAI_SELECT_OPTIONS(struct wrapped, select)};
	const struct lai_option_command command = {
		.name = "lastack test",
		.options = options,
		.option_count = COUNT(options),
		.settings_bytes = sizeof(struct wrapped),
	};
	char *args[] = {(char *)"--state=close-wait",
			(char *)"--port",
			(char *)"80",
			(char *)"--min-age",
			(char *)"30s",
			(char *)"--address=::1",
			(char *)"--pid=1",
			(char *)"--pid=2"};
	struct wrapped settings = {.before = 1};
	struct lai_option_list operands = {0};
	char *error = NULL;

	(void)state;
	assert_int_equal(
		lai_option_parse(&command, COUNT(args), args, &settings, &operands, &error), 0);
	assert_int_equal(settings.before, 1);
	assert_string_equal(settings.select.states.texts[0], "close-wait");
	assert_string_equal(settings.select.ports.texts[0], "80");
	assert_string_equal(settings.select.addresses.texts[0], "::1");
	assert_int_equal(settings.select.pids.count, 2);
	assert_true(settings.select.min_age_ns == 30 * LAI_S);
	lai_option_done(&command, &settings, &operands);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "without filters everything is let through", .test_func = test_everything},
		{.name = "states have the names of ss, netstat and the RFC",
		 .test_func = test_state_names},
		{.name = "a state is known by the name it is shown with",
		 .test_func = test_state_names_shown},
		{.name = "a mistyped state gets the nearest name",
		 .test_func = test_state_mistyped},
		{.name = "states of one list are joined", .test_func = test_states},
		{.name = "ports match at the end that is asked for, ranges too",
		 .test_func = test_ports},
		{.name = "prefixes match IPv4, mapped or not, IPv6 and scopes",
		 .test_func = test_addresses},
		{.name = "-4 and -6, a mapped address being IPv4", .test_func = test_families},
		{.name = "processes match by pid and name, the listener's for its queue",
		 .test_func = test_processes},
		{.name = "cgroups match by beginnings, containers by name and id",
		 .test_func = test_groups},
		{.name = "one holder is tested alone", .test_func = test_holder},
		{.name = "an age that is not known is no age", .test_func = test_age},
		{.name = "wrong values are refused with what is accepted",
		 .test_func = test_refusals},
		{.name = "the rows stand in a command's table of options", .test_func = test_rows},
	};

	return cmocka_run_group_tests_name("cli.select", tests, make_host, NULL);
}
