/* SPDX-License-Identifier: MIT */
/*
 * Situations of TCP sockets, each made on this kernel and looked at, and each replayed from the
 * bytes that Linux 6.18 once said about it: the same check for both. A file holds the netlink
 * messages of one answer, on a machine with little-endian numbers:
 *
 *	build/tests/golden/sockdiag_golden_test --record	writes them anew (from the root)
 *
 * Live situations have a network namespace of their own each, so that the list of sockets is known
 * as a whole.
 */
#include "observe/sockdiag.h"

#include "fact_sane.h"
#include "situations.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FOLDER "tests/golden/sockdiag"
#define ANSWER_BYTES_MAX 65536

/* What the library has received since it was emptied. */
static struct {
	char bytes[ANSWER_BYTES_MAX];
	size_t size;
} heard;

static bool recording;

/* Takes the place of libmnl's own: the same, and keeps what came. */
ssize_t mnl_socket_recvfrom(const struct mnl_socket *netlink, void *bytes, size_t size)
{
	ssize_t got = recv(mnl_socket_get_fd(netlink), bytes, size, 0);

	if (got > 0 && (size_t)got <= sizeof(heard.bytes) - heard.size) {
		memcpy(heard.bytes + heard.size, bytes, (size_t)got);
		heard.size += (size_t)got;
	}
	return got;
}

static int facts_add(void *arg, const struct lai_socket_fact *fact)
{
	struct facts *facts = arg;

	assert_true(facts->count < FACTS_MAX);
	facts->list[facts->count++] = *fact;
	return 0;
}

static const char *check_all(const struct situation *situation, const struct facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		const char *insane = t_fact_insane(&facts->list[i]);

		if (insane)
			return insane;
	}
	return situation->check(facts);
}

/* ---- on this kernel ---- */

static bool namespace_new(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd;
	bool up;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	if (fd >= 0)
		close(fd);
	return up;
}

static void record(const struct situation *situation)
{
	char path[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s.nl", FOLDER, situation->name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(heard.bytes, heard.size, 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

/* Every socket of a list can be looked up alone, and by no other cookie. */
static void find_each(const struct facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		struct lai_socket_fact wanted = facts->list[i], found;

		assert_int_equal(lai_sockdiag_find(&wanted, &found), 0);
		assert_true(found.cookie == wanted.cookie && found.inode == wanted.inode);
		assert_true(lai_address_equal(&found.local, &wanted.local));
		assert_true(lai_address_equal(&found.remote, &wanted.remote));
		assert_int_equal(found.state, wanted.state);
		assert_int_equal(found.has_info, wanted.has_info);
		assert_null(t_fact_insane(&found));
		wanted.cookie = 0;
		assert_int_equal(lai_sockdiag_find(&wanted, &found), 0);
		assert_true(found.cookie == facts->list[i].cookie);
		wanted.cookie = facts->list[i].cookie + 1000000;
		assert_int_equal(lai_sockdiag_find(&wanted, &found), -ENOENT);
	}
}

static void live(void **state)
{
	const struct situation *situation = *state;
	uint64_t deadline_ns = lai_clock_now() + PATIENCE_NS;
	struct stage stage = {0};
	struct facts facts;
	const char *wrong;

	if (!namespace_new()) {
		print_message("# no network namespace of our own: %s\n", strerror(errno));
		skip();
	}
	situation->build(&stage);
	do {
		facts.count = heard.size = 0;
		assert_int_equal(
			lai_sockdiag_dump(LAI_SOCKDIAG_ALL | LAI_SOCKDIAG_INFO, facts_add, &facts),
			0);
		wrong = check_all(situation, &facts);
		if (wrong)
			(void)poll(NULL, 0, TICK_MS);
	} while (wrong && lai_clock_now() < deadline_ns);
	if (wrong)
		fail_msg("%s: %s", situation->name, wrong);
	if (recording)
		record(situation);
	find_each(&facts);
	while (stage.fd_count)
		stage_drop(&stage, stage.fds[0]);
}

/* ---- from files ---- */

static bool big_endian(void)
{
	return htonl(1) == 1;
}

static size_t file_read(const struct situation *situation, uint8_t bytes[ANSWER_BYTES_MAX])
{
	char path[128];
	FILE *file;
	size_t size;

	(void)snprintf(path, sizeof(path), "%s/%s.nl", FOLDER, situation->name);
	file = fopen(path, "re");
	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	size = fread(bytes, 1, ANSWER_BYTES_MAX, file);
	(void)fclose(file);
	assert_true(size > sizeof(struct nlmsghdr));
	return size;
}

static int file_parse(const uint8_t *bytes, size_t size, struct facts *facts)
{
	struct nlmsghdr header;
	bool interrupted = false;
	int result;

	facts->count = 0;
	memcpy(&header, bytes, sizeof(header));
	result = lai_sockdiag_parse(bytes, size, header.nlmsg_seq, header.nlmsg_pid, &interrupted,
				    facts_add, facts);
	assert_false(interrupted);
	return result;
}

static void replay(void **state)
{
	static uint8_t bytes[ANSWER_BYTES_MAX];
	const struct situation *situation = *state;
	struct facts facts;
	const char *wrong;
	size_t size;

	if (big_endian()) {
		print_message("# the files were written on a little-endian machine\n");
		skip();
	}
	size = file_read(situation, bytes);
	assert_int_equal(file_parse(bytes, size, &facts), 0);
	wrong = check_all(situation, &facts);
	if (wrong)
		fail_msg("%s: %s", situation->name, wrong);
}

/* Whether a message ends, or the list of them, exactly there. */
static bool is_boundary(const uint8_t *bytes, size_t cut)
{
	struct nlmsghdr header;
	size_t at = 0;

	while (at < cut) {
		memcpy(&header, bytes + at, sizeof(header));
		if (at + header.nlmsg_len == cut)
			return true;
		at += NLMSG_ALIGN(header.nlmsg_len);
	}
	return at == cut;
}

/* Cut at every byte: it is refused, or ends between two messages and is a part of the whole. */
static void cut(void **state)
{
	static uint8_t bytes[ANSWER_BYTES_MAX];
	struct facts whole, part;

	(void)state;
	if (big_endian())
		skip();
	for (size_t i = 0; i < SITUATIONS; i++) {
		size_t size = file_read(&situations[i], bytes);

		assert_int_equal(file_parse(bytes, size, &whole), 0);
		for (size_t left = sizeof(struct nlmsghdr); left < size; left++) {
			uint8_t *exact = malloc(left); /* a sanitizer sees overreads */
			int result;

			assert_non_null(exact);
			memcpy(exact, bytes, left);
			result = file_parse(exact, left, &part);
			free(exact);
			assert_int_equal(result, is_boundary(bytes, left) ? 1 : -EBADMSG);
			assert_true(part.count <= whole.count);
			assert_memory_equal(&part.list, &whole.list,
					    part.count * sizeof(*part.list));
		}
	}
}

int main(int argc, char **argv)
{
	static char names[2 * SITUATIONS][64];
	struct CMUnitTest tests[2 * SITUATIONS + 1] = {0};
	size_t count = 0;

	recording = argc > 1 && !strcmp(argv[1], "--record");
	for (size_t i = 0; i < 2 * SITUATIONS; i++) {
		bool from_file = i >= SITUATIONS;
		const struct situation *situation = &situations[i % SITUATIONS];

		(void)snprintf(names[i], sizeof(names[i]), "%s, %s", situation->name,
			       from_file ? "as recorded" : "on this kernel");
		tests[count++] = (struct CMUnitTest){
			.name = names[i],
			.test_func = from_file ? replay : live,
			.initial_state = (void *)(uintptr_t)situation,
		};
	}
	tests[count] = (struct CMUnitTest){.name = "a recorded answer cut anywhere is refused",
					   .test_func = cut};
	return cmocka_run_group_tests_name("golden.sockdiag", tests, NULL, NULL);
}
