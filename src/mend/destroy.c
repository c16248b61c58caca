/* SPDX-License-Identifier: MIT */
/*
 * destroy.c - rst: asks the kernel to end the connection itself (SOCK_DESTROY of sock_diag(7)).
 *
 * The request names the four-tuple and the cookie, and the kernel compares both before it acts: a
 * new connection on the same ports has another cookie. A look before compares what the kernel does
 * not: whether anybody holds it by now, and the state.
 *
 *	-> SOCK_DIAG_BY_FAMILY tuple, cookie      <- inet_diag_msg, or NLMSG_ERROR errno
 *	-> SOCK_DESTROY        tuple, cookie      <- NLMSG_ERROR 0 or errno
 *
 * A socket bound to a device (SO_BINDTODEVICE) is found through that device only, which a snapshot
 * does not tell, so each one is tried; the cookie makes that safe.
 */
#include "mend/mend_inside.h"
#include "observe/namespace.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <string.h>

/* One message without the attributes that we do not ask for is far below this. */
#define ANSWER_BYTES 8192

void lai_destroy_drop(struct lai_mend_session *session)
{
	if (session->netlink)
		(void)mnl_socket_close(session->netlink);
	if (session->devices)
		if_freenameindex(session->devices);
	session->netlink = NULL;
	session->devices = NULL;
}

/* A netlink socket belongs for ever to the namespace in which it was made. */
static int netlink_open(void *arg)
{
	struct lai_mend_session *session = arg;

	session->netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (!session->netlink || mnl_socket_bind(session->netlink, 0, MNL_SOCKET_AUTOPID) != 0)
		return -errno;
	session->devices = if_nameindex();
	return 0;
}

static int namespace_take(struct lai_mend_session *session, const struct lai_namespace *name_space)
{
	int error;

	if (session->netlink && session->namespace_inode == name_space->inode)
		return 0;
	lai_destroy_drop(session);
	session->namespace_inode = name_space->inode;
	error = lai_namespace_run(name_space, netlink_open, session);
	if (error)
		lai_destroy_drop(session);
	return error;
}

static int ask(struct lai_mend_session *session, uint16_t type, int family,
	       const struct inet_diag_sockid *id)
{
	_Alignas(struct nlmsghdr) char
		bytes[MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct inet_diag_req_v2))];
	struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
	struct inet_diag_req_v2 *request;

	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | (type == SOCK_DESTROY ? NLM_F_ACK : 0);
	header->nlmsg_seq = ++session->sequence;
	request = mnl_nlmsg_put_extra_header(header, sizeof(*request));
	request->sdiag_family = (uint8_t)family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->idiag_states = LAI_SOCKDIAG_ALL;
	request->id = *id;
	return mnl_socket_sendto(session->netlink, header, header->nlmsg_len) < 0 ? -errno : 0;
}

static int keep_fact(void *arg, const struct lai_socket_fact *fact)
{
	*(struct lai_socket_fact *)arg = *fact;
	return 0;
}

/* 0: an acknowledgement, or *found is the answer; otherwise the kernel's errno. */
static int answer(struct lai_mend_session *session, struct lai_socket_fact *found)
{
	union {
		struct nlmsghdr header;
		char bytes[ANSWER_BYTES];
	} message;
	const struct nlmsghdr *header = &message.header;
	const struct nlmsgerr *error;
	bool interrupted = false;
	ssize_t size;

	do
		size = mnl_socket_recvfrom(session->netlink, &message, sizeof(message));
	while ((size < 0 && errno == EINTR) ||
	       (size >= (ssize_t)sizeof(*header) && header->nlmsg_seq != session->sequence));
	if (size < 0)
		return -errno;
	if (!mnl_nlmsg_ok(header, (int)size))
		return -EBADMSG;
	if (header->nlmsg_type == NLMSG_ERROR) {
		error = mnl_nlmsg_get_payload(header);
		return mnl_nlmsg_get_payload_len(header) < sizeof(*error) ? -EBADMSG : error->error;
	}
	*found = (struct lai_socket_fact){0};
	if (lai_sockdiag_parse(&message, (size_t)size, session->sequence,
			       mnl_socket_get_portid(session->netlink), &interrupted, keep_fact,
			       found) < 0)
		return -EBADMSG;
	return found->state == LAI_TCP_NONE ? -EBADMSG : 0;
}

/* ENOENT, ESTALE: nothing has this tuple, or something with another cookie: it is gone. */
static struct lai_mend_result fail_of_errno(int error)
{
	return error == -ESTALE ? lai_mend_fail(LAI_MEND_GONE, 0) : lai_mend_fail_of_errno(error);
}

/* 0: *now is it, found by *id as it is then. Otherwise the kernel's errno. */
static int find(struct lai_mend_session *session, int family, struct inet_diag_sockid *id,
		struct lai_socket_fact *now)
{
	const struct if_nameindex *other = session->devices;
	int error;

	for (;;) {
		error = ask(session, SOCK_DIAG_BY_FAMILY, family, id);
		if (!error)
			error = answer(session, now);
		/* ESTALE: it is gone and its listener answers, or another one of its port. */
		if ((error != -ENOENT && error != -ESTALE) || !other || !other->if_index)
			return error;
		id->idiag_if = other++->if_index;
	}
}

/* What is there now, compared with what was chosen. */
static enum lai_mend_outcome compare(const struct lai_socket_fact *then,
				     const struct lai_socket_fact *now)
{
	if (!lai_identity_address(&then->local, &now->local) ||
	    (then->state != LAI_TCP_LISTEN && !lai_identity_address(&then->remote, &now->remote)))
		return LAI_MEND_CHANGED;
	/* An inode that was 0: it has been accepted meanwhile, and somebody looks after it. One
	   that is 0 now: its owner has closed it. */
	if (then->inode != now->inode)
		return then->inode ? LAI_MEND_GONE : LAI_MEND_CHANGED;
	return lai_identity_state(then->state, now->state);
}

struct lai_mend_result lai_destroy(struct lai_mend_session *session,
				   const struct lai_mend_target *target)
{
	const struct lai_socket_fact *wanted = &target->socket;
	struct lai_socket_fact now = {0};
	enum lai_mend_outcome outcome;
	struct inet_diag_sockid id;
	int error;

	if (!wanted->cookie) /* nothing would tell it from the next one on its ports */
		return lai_mend_fail(LAI_MEND_GONE, 0);
	lai_sockdiag_identity(wanted, &id);
	error = namespace_take(session, &target->name_space);
	if (!error)
		error = find(session, wanted->family, &id, &now);
	if (error)
		return fail_of_errno(error);
	outcome = compare(wanted, &now);
	if (outcome != LAI_MENDED)
		return lai_mend_fail(outcome, 0);
	error = ask(session, SOCK_DESTROY, wanted->family, &id);
	if (!error)
		error = answer(session, &now);
	if (error)
		return fail_of_errno(error);
	return (struct lai_mend_result){.outcome = LAI_MENDED, .state = LAI_TCP_CLOSE};
}
