/* SPDX-License-Identifier: MIT */
/*
 * sockdiag_find.c - one socket, looked up as an arriving segment would be.
 *
 * That look-up has three traps. A connection that is gone leads to the listener of its port: what
 * comes back is compared with what was wanted. A socket bound to a device (SO_BINDTODEVICE) is
 * found through that device only, which a fact does not tell: each one is tried. A listener is one
 * of perhaps several at its port and a socket that is only bound is in no table of this look-up:
 * those are searched in a list.
 */
#include "observe/sockdiag_talk.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

struct search {
	const struct lai_socket_fact *wanted;
	struct lai_socket_fact found;
	bool done;
};

static int search_each(void *arg, const struct lai_socket_fact *fact)
{
	struct search *search = arg;
	const struct lai_socket_fact *wanted = search->wanted;

	if (lai_address_equal(&fact->local, &wanted->local) &&
	    lai_address_equal(&fact->remote, &wanted->remote) &&
	    (!wanted->cookie || wanted->cookie == fact->cookie)) {
		search->found = *fact;
		search->done = true;
	}
	return 0;
}

static void address_put(const struct lai_address *address, __be32 words[4], __be16 *port)
{
	if (lai_address_family(address) == AF_INET) {
		memcpy(words, &address->v4.sin_addr, sizeof(address->v4.sin_addr));
		*port = address->v4.sin_port;
	} else {
		memcpy(words, &address->v6.sin6_addr, sizeof(address->v6.sin6_addr));
		*port = address->v6.sin6_port;
	}
}

static uint32_t scope_of(const struct lai_address *address)
{
	return lai_address_family(address) == AF_INET6 ? address->v6.sin6_scope_id : 0;
}

void lai_sockdiag_identity(const struct lai_socket_fact *fact, struct inet_diag_sockid *id)
{
	*id = (struct inet_diag_sockid){
		.idiag_if = scope_of(&fact->local),
		.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE},
	};
	if (!id->idiag_if)
		id->idiag_if = scope_of(&fact->remote);
	address_put(&fact->local, id->idiag_src, &id->idiag_sport);
	address_put(&fact->remote, id->idiag_dst, &id->idiag_dport);
	if (fact->cookie) {
		id->idiag_cookie[0] = (uint32_t)fact->cookie;
		id->idiag_cookie[1] = (uint32_t)(fact->cookie >> 32);
	}
}

/* 0 with or without search->done, or a negative errno. */
static int search_exactly(struct search *search, const struct inet_diag_sockid *id)
{
	struct lai_sockdiag_question question = {.family = search->wanted->family,
						 .state_mask = LAI_SOCKDIAG_ALL | LAI_SOCKDIAG_INFO,
						 .only = id};
	struct lai_sockdiag_talk talk;
	bool interrupted = false;
	int error = lai_sockdiag_talk_open(&talk, &question);

	if (error)
		return error;
	error = lai_sockdiag_talk_read(&talk, &interrupted, search_each, search);
	lai_sockdiag_talk_close(&talk);
	/* -EPROTONOSUPPORT is what the kernel's -ENOENT became; -ESTALE: another cookie. */
	return error >= 0 || error == -EPROTONOSUPPORT || error == -ESTALE ? 0 : error;
}

static int search_by_device(struct search *search, struct inet_diag_sockid *id)
{
	struct if_nameindex *devices = if_nameindex();
	int error = 0;

	if (!devices)
		return errno == ENOMEM || errno == ENOBUFS ? -ENOMEM : -errno;
	for (size_t i = 0; devices[i].if_index && !search->done && !error; i++) {
		id->idiag_if = devices[i].if_index;
		error = search_exactly(search, id);
	}
	if_freenameindex(devices);
	return error;
}

/* Listeners first: the list of the others is slow on a host with many connections. */
static int search_lists(struct search *search)
{
	struct lai_sockdiag_quality quality;
	int error = lai_sockdiag_dump_anyway(LAI_SOCKDIAG_STATE(LAI_TCP_LISTEN) | LAI_SOCKDIAG_INFO,
					     &quality, search_each, search);

	if (error || search->done)
		return error;
	return lai_sockdiag_dump_anyway(LAI_SOCKDIAG_STATE(LAI_TCP_BOUND_INACTIVE) |
						LAI_SOCKDIAG_INFO,
					&quality, search_each, search);
}

int lai_sockdiag_find(const struct lai_socket_fact *wanted, struct lai_socket_fact *found)
{
	struct search search = {.wanted = wanted};
	struct inet_diag_sockid id;
	int error;

	lai_sockdiag_identity(wanted, &id);
	if (lai_address_port(&wanted->remote) == 0) {
		error = search_lists(&search);
	} else {
		error = search_exactly(&search, &id);
		if (!error && !search.done && !id.idiag_if)
			error = search_by_device(&search, &id);
	}
	if (error)
		return error;
	if (!search.done)
		return -ENOENT;
	*found = search.found;
	return 0;
}
