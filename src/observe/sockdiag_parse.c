/* SPDX-License-Identifier: MIT */
/*
 * sockdiag_parse.c - netlink bytes -> struct lai_socket_fact. Pure: no system call, no allocation.
 *
 * A datagram holds messages, each padded to four bytes:
 *
 *     nlmsghdr  inet_diag_msg  attributes  padding     SOCK_DIAG_BY_FAMILY, TCPDIAG_GETSOCK
 *     nlmsghdr  int error      ...                     NLMSG_ERROR, NLMSG_DONE
 *
 * Every length is checked against what is left, and structs are copied out before use, so that
 * neither a hostile length nor an odd address can make us read what is not ours.
 */
#include "observe/sockdiag_talk.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>

/* The kernel gives the bound device; it is the scope where a scope is part of the address. */
static struct lai_address address_of(uint8_t family, const __be32 words[4], __be16 port,
				     uint32_t device)
{
	struct lai_address address = {0};

	if (family == AF_INET) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = port;
		memcpy(&address.v4.sin_addr, words, sizeof(address.v4.sin_addr));
		address.length = sizeof(address.v4);
		return address;
	}
	address.v6.sin6_family = AF_INET6;
	address.v6.sin6_port = port;
	memcpy(&address.v6.sin6_addr, words, sizeof(address.v6.sin6_addr));
	if (IN6_IS_ADDR_LINKLOCAL(&address.v6.sin6_addr))
		address.v6.sin6_scope_id = device;
	address.length = sizeof(address.v6);
	return address;
}

/*
 * A socket that is bound and no more is listed as CLOSE (Linux 6.8). So is one that died between
 * the kernel's look at its state and at the rest; that one has a remote port still. NEW_SYN_RECV is
 * the kernel's own name of SYN_RECV, by which it asks and does not answer.
 */
static enum lai_tcp_state state_of(const struct inet_diag_msg *message)
{
	enum lai_tcp_state state = (enum lai_tcp_state)message->idiag_state;

	if (state == LAI_TCP_CLOSE || state == LAI_TCP_BOUND_INACTIVE)
		return message->id.idiag_dport ? LAI_TCP_CLOSE : LAI_TCP_BOUND_INACTIVE;
	return state == LAI_TCP_NEW_SYN_RECV ? LAI_TCP_SYN_RECV : state;
}

static int fact_of(const uint8_t *body, size_t size, struct lai_socket_fact *fact)
{
	struct inet_diag_msg message;

	if (size < sizeof(message))
		return -EBADMSG;
	memcpy(&message, body, sizeof(message));
	if (message.idiag_family != AF_INET && message.idiag_family != AF_INET6)
		return -EBADMSG;
	if (message.idiag_state == LAI_TCP_NONE || message.idiag_state >= LAI_TCP_COUNT)
		return -EBADMSG;
	*fact = (struct lai_socket_fact){
		.family = message.idiag_family,
		.state = state_of(&message),
		.local = address_of(message.idiag_family, message.id.idiag_src,
				    message.id.idiag_sport, message.id.idiag_if),
		.remote = address_of(message.idiag_family, message.id.idiag_dst,
				     message.id.idiag_dport, message.id.idiag_if),
		.inode = message.idiag_inode,
		.cookie = message.id.idiag_cookie[0] | (uint64_t)message.id.idiag_cookie[1] << 32,
		.uid = message.idiag_uid,
		.rqueue_bytes = message.idiag_rqueue,
		.wqueue_bytes = message.idiag_wqueue,
		.listener = LAI_NO_INDEX,
	};
	/* A timer that we do not know is none that the rest of the program could name. */
	if (message.idiag_timer > LAI_TIMER_NONE && message.idiag_timer < LAI_TIMER_COUNT) {
		fact->timer = message.idiag_timer;
		fact->timer_ms = message.idiag_expires;
		fact->retransmits = message.idiag_retrans;
	}
	return lai_sockdiag_attributes(body + sizeof(message), size - sizeof(message), fact);
}

/*
 * The errno that NLMSG_ERROR and NLMSG_DONE carry, 0 for none. ENOENT is the kernel's word for "no
 * handler for this family and protocol" (net/core/sock_diag.c, net/ipv4/inet_diag.c).
 */
static int error_of(const uint8_t *body, size_t size)
{
	int32_t error = 0;

	if (size < sizeof(error))
		return -EBADMSG;
	memcpy(&error, body, sizeof(error));
	if (error > 0 || error == INT32_MIN)
		return -EBADMSG;
	return error == -ENOENT ? -EPROTONOSUPPORT : error;
}

/* One message: as lai_sockdiag_parse(). */
static int message_parse(uint16_t type, const uint8_t *body, size_t size, lai_sockdiag_each *each,
			 void *arg)
{
	struct lai_socket_fact fact;
	int error;

	switch (type) {
	case TCPDIAG_GETSOCK: /* the answer has the question's type */
	case SOCK_DIAG_BY_FAMILY:
		error = fact_of(body, size, &fact);
		if (!error)
			error = each(arg, &fact);
		return error ? error : 1;
	case NLMSG_DONE: return size ? error_of(body, size) : 0;
	case NLMSG_ERROR:
		error = error_of(body, size);
		return error ? error : 1; /* error 0 is an acknowledgement */
	case NLMSG_OVERRUN: return -ENOBUFS;
	default: return 1;
	}
}

int lai_sockdiag_parse(const void *bytes, size_t size, uint32_t sequence, uint32_t port,
		       bool *interrupted, lai_sockdiag_each *each, void *arg)
{
	const uint8_t *at = bytes;
	struct nlmsghdr header;
	size_t whole;
	int result;

	while (size > 0) {
		if (size < sizeof(header))
			return -EBADMSG;
		memcpy(&header, at, sizeof(header));
		if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > size)
			return -EBADMSG;
		if (header.nlmsg_seq == sequence && header.nlmsg_pid == port) {
			if (header.nlmsg_flags & NLM_F_DUMP_INTR)
				*interrupted = true;
			result = message_parse(header.nlmsg_type, at + sizeof(header),
					       header.nlmsg_len - sizeof(header), each, arg);
			if (result != 1)
				return result;
		}
		whole = NLMSG_ALIGN((size_t)header.nlmsg_len);
		if (whole > size) /* the last one need not be padded */
			whole = size;
		at += whole;
		size -= whole;
	}
	return 1;
}
