/* SPDX-License-Identifier: MIT */
/*
 * Datagrams of a sock_diag answer, of any content: as they are, and as the attributes of one
 * message whose other parts are right, so that the fuzzer need not find those first.
 */
#include "../golden/fact_sane.h"
#include "observe/sockdiag_talk.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(void *arg, const struct lai_socket_fact *fact)
{
	size_t *count = arg;

	assert(!t_fact_insane(fact));
	(*count)++;
	return 0;
}

/* As the answer to the question that the first message says it answers. */
static void datagram(const uint8_t *data, size_t size)
{
	struct nlmsghdr header = {0};
	bool interrupted = false;
	size_t count = 0;
	int result;

	memcpy(&header, data, size < sizeof(header) ? size : sizeof(header));
	result = lai_sockdiag_parse(data, size, header.nlmsg_seq, header.nlmsg_pid, &interrupted,
				    check, &count);
	assert(result <= 1);
	assert(count <= size / sizeof(struct inet_diag_msg));
}

/* The first byte is the state, the rest are attributes; at an odd address, in its own block. */
static void attributes(const uint8_t *data, size_t size)
{
	struct lai_socket_fact fact = {.family = AF_INET, .listener = LAI_NO_INDEX};
	const char *insane;
	uint8_t *bytes;
	int result;

	if (size < 1)
		return;
	fact.state = (enum lai_tcp_state)(1 + data[0] % (LAI_TCP_COUNT - 1));
	if (fact.state == LAI_TCP_NEW_SYN_RECV) /* the parser says SYN_RECV for it */
		fact.state = LAI_TCP_SYN_RECV;
	fact.local.v4.sin_family = fact.remote.v4.sin_family = AF_INET;
	fact.local.length = fact.remote.length = sizeof(fact.local.v4);
	bytes = malloc(size);
	assert(bytes);
	memcpy(bytes, data, size);
	result = lai_sockdiag_attributes(bytes + 1, size - 1, &fact);
	free(bytes);
	assert(result == 0 || result == -EBADMSG);
	insane = t_fact_insane(&fact);
	assert(!insane);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	datagram(data, size);
	attributes(data, size);
	return 0;
}
