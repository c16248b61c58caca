/* SPDX-License-Identifier: MIT */
/* sockdiag_talk.c - asks sock_diag through a netlink socket made for this one question. */
#include "observe/sockdiag_talk.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <stdlib.h>

/* The kernel fills datagrams of a dump up to 32 KiB for readers that offer that much, and never
   more (netlink_dump() in net/netlink/af_netlink.c). */
#define DATAGRAM_BYTES 32768
#define SEQUENCE 1 /* a socket asks one question in its life */

/* The attributes that come from tcp_info and memory; the others come unasked. */
static uint8_t extensions_of(uint32_t state_mask)
{
	if (!(state_mask & LAI_SOCKDIAG_INFO))
		return 0;
	return 1u << (INET_DIAG_INFO - 1) | 1u << (INET_DIAG_SKMEMINFO - 1);
}

static void put_question(struct nlmsghdr *header, const struct lai_sockdiag_question *question)
{
	struct inet_diag_req_v2 *request;

	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST | (question->only ? 0 : NLM_F_DUMP);
	request = mnl_nlmsg_put_extra_header(header, sizeof(*request));
	request->sdiag_family = (uint8_t)question->family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->idiag_ext = extensions_of(question->state_mask);
	request->idiag_states = question->state_mask & LAI_SOCKDIAG_ALL;
	if (question->only)
		request->id = *question->only;
}

/*
 * The question of kernels before 3.3, which all later ones understand: it lists both families. A
 * dump by family visits every socket of the other family as well, only to pass it over; of 100,000
 * sockets with 10 in CLOSE_WAIT those 10 take 8 ms this way and 16 in two dumps (Linux 6.18).
 */
static void put_question_for_both(struct nlmsghdr *header,
				  const struct lai_sockdiag_question *question)
{
	struct inet_diag_req *request;

	header->nlmsg_type = TCPDIAG_GETSOCK;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request = mnl_nlmsg_put_extra_header(header, sizeof(*request));
	request->idiag_family = AF_INET;
	request->idiag_ext = extensions_of(question->state_mask);
	request->idiag_states = question->state_mask & LAI_SOCKDIAG_ALL;
}

/* A comparison of the port: the operation, and the number in the second word's last field. */
#define COMPARISON_WORDS 2
#define FILTER_WORDS (2 * COMPARISON_WORDS)
/* A jump to four bytes behind the end refuses the socket, one to the end lets it through. */
#define REFUSED 4

/*
 * "Local port from port_min to port_max" in the language of net/ipv4/inet_diag.c. Jumps count bytes
 * from their own word.
 */
static void put_filter(struct nlmsghdr *header, const struct lai_sockdiag_question *question)
{
	const uint8_t step = COMPARISON_WORDS * sizeof(struct inet_diag_bc_op);
	const struct inet_diag_bc_op filter[FILTER_WORDS] = {
		{.code = INET_DIAG_BC_S_GE, .yes = step, .no = 2 * step + REFUSED},
		{.no = question->port_min},
		{.code = INET_DIAG_BC_S_LE, .yes = step, .no = step + REFUSED},
		{.no = question->port_max},
	};

	mnl_attr_put(header, INET_DIAG_REQ_BYTECODE, sizeof(filter), filter);
}

/* The longer of the two questions is the old one. */
_Static_assert(sizeof(struct inet_diag_req) >= sizeof(struct inet_diag_req_v2), "room for both");
#define QUESTION_BYTES                                                                             \
	(MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct inet_diag_req)) + MNL_ATTR_HDRLEN +            \
	 FILTER_WORDS * sizeof(struct inet_diag_bc_op))

static int question_send(const struct mnl_socket *netlink,
			 const struct lai_sockdiag_question *question)
{
	_Alignas(struct nlmsghdr) char bytes[QUESTION_BYTES];
	struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);

	header->nlmsg_seq = SEQUENCE;
	if (question->family == AF_UNSPEC)
		put_question_for_both(header, question);
	else
		put_question(header, question);
	if (question->port_max > 0)
		put_filter(header, question);
	return mnl_socket_sendto(netlink, header, header->nlmsg_len) < 0 ? -errno : 0;
}

int lai_sockdiag_talk_open(struct lai_sockdiag_talk *talk,
			   const struct lai_sockdiag_question *question)
{
	struct lai_sockdiag_talk new = {0};
	int error = -ENOMEM;

	new.bytes = malloc(DATAGRAM_BYTES);
	if (!new.bytes)
		goto out;
	new.netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	error = new.netlink ? 0 : -errno;
	if (!error && mnl_socket_bind(new.netlink, 0, MNL_SOCKET_AUTOPID) < 0)
		error = -errno;
	if (!error)
		error = question_send(new.netlink, question);
	if (error)
		goto out;
	new.port = mnl_socket_get_portid(new.netlink);
	*talk = new;
	return 0;
out:
	lai_sockdiag_talk_close(&new);
	return error;
}

int lai_sockdiag_talk_read(struct lai_sockdiag_talk *talk, bool *interrupted,
			   lai_sockdiag_each *each, void *arg)
{
	ssize_t size;

	do
		size = mnl_socket_recvfrom(talk->netlink, talk->bytes, DATAGRAM_BYTES);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return -errno;
	return lai_sockdiag_parse(talk->bytes, (size_t)size, SEQUENCE, talk->port, interrupted,
				  each, arg);
}

void lai_sockdiag_talk_close(struct lai_sockdiag_talk *talk)
{
	if (talk->netlink)
		(void)mnl_socket_close(talk->netlink);
	free(talk->bytes);
	*talk = (struct lai_sockdiag_talk){0};
}
