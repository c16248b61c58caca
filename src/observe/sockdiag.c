/* SPDX-License-Identifier: MIT */
/*
 * sockdiag.c - asks the kernel for its TCP sockets and collects the answer.
 *
 * One netlink socket per try and family: what is left of an abandoned dump goes with its socket.
 * Facts are collected and handed out at the end only, since a dump that turns out inconsistent has
 * to be forgotten as a whole.
 */
#include "observe/sockdiag.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <stdlib.h>

/* The kernel fills datagrams up to 32 KiB for readers that offer that much (net/netlink). */
#define DATAGRAM_BYTES 32768
#define TRIES_MAX 5
#define FACTS_FIRST 64
#define SEQUENCE 1 /* a socket asks one question in its life */

struct facts {
	struct lai_socket_fact *list;
	size_t count, room;
};

static int facts_add(void *arg, const struct lai_socket_fact *fact)
{
	struct facts *facts = arg;

	if (facts->count == facts->room) {
		size_t room = facts->room ? 2 * facts->room : FACTS_FIRST;
		struct lai_socket_fact *list = reallocarray(facts->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		facts->list = list;
		facts->room = room;
	}
	facts->list[facts->count++] = *fact;
	return 0;
}

static int dump_ask(const struct mnl_socket *netlink, int family, uint32_t state_mask)
{
	_Alignas(struct nlmsghdr) char
		bytes[MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct inet_diag_req_v2))];
	struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
	struct inet_diag_req_v2 *request;

	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->nlmsg_seq = SEQUENCE;
	request = mnl_nlmsg_put_extra_header(header, sizeof(*request));
	request->sdiag_family = (uint8_t)family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->idiag_states = state_mask;
	return mnl_socket_sendto(netlink, header, header->nlmsg_len) < 0 ? -errno : 0;
}

static int dump_read(const struct mnl_socket *netlink, struct facts *facts)
{
	uint32_t port = mnl_socket_get_portid(netlink);
	char *bytes = malloc(DATAGRAM_BYTES);
	int error = bytes ? 1 : -ENOMEM;

	while (error == 1) {
		ssize_t size = mnl_socket_recvfrom(netlink, bytes, DATAGRAM_BYTES);

		if (size < 0 && errno == EINTR)
			continue;
		error = size < 0 ? -errno
				 : lai_sockdiag_parse(bytes, (size_t)size, SEQUENCE, port,
						      facts_add, facts);
	}
	free(bytes);
	return error;
}

/* Adds one family's sockets; after a failure the facts are as they were. */
static int family_dump(int family, uint32_t state_mask, struct facts *facts)
{
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	size_t before = facts->count;
	int error;

	if (!netlink)
		return -errno;
	error = mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	if (!error)
		error = dump_ask(netlink, family, state_mask);
	if (!error)
		error = dump_read(netlink, facts);
	if (error)
		facts->count = before;
	(void)mnl_socket_close(netlink);
	return error;
}

static int family_dump_patiently(int family, uint32_t state_mask, struct facts *facts)
{
	int error = -EINTR;

	for (int try = 0; try < TRIES_MAX && error == -EINTR; try++)
		error = family_dump(family, state_mask, facts);
	return error == -EINTR ? -EAGAIN : error;
}

int lai_sockdiag_dump(uint32_t state_mask, lai_sockdiag_each *each, void *arg)
{
	struct facts facts = {0};
	int error = -EINVAL;

	state_mask &= LAI_SOCKDIAG_ALL;
	if (!state_mask)
		goto out;
	error = family_dump_patiently(AF_INET, state_mask, &facts);
	if (error)
		goto out;
	/* A kernel without IPv6 has no such sockets; that is no error. */
	error = family_dump_patiently(AF_INET6, state_mask, &facts);
	if (error == -EPROTONOSUPPORT)
		error = 0;
	for (size_t i = 0; i < facts.count && !error; i++)
		error = each(arg, &facts.list[i]);
out:
	free(facts.list);
	return error;
}
