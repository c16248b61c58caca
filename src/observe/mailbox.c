/* SPDX-License-Identifier: MIT */
#include "observe/mailbox.h"

#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

/* As much as the kernel puts into one datagram of a dump. */
#define DATAGRAM_BYTES 32768
#define SEQUENCE 1 /* a socket asks one question in its life */

static int row_read(const struct nlmsghdr *header, void *arg)
{
	bool *any = arg;
	struct nlattr *attribute;

	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return MNL_CB_OK;
	mnl_attr_for_each(attribute, header, sizeof(struct unix_diag_msg))
	{
		const struct unix_diag_rqlen *queue = mnl_attr_get_payload(attribute);

		if (mnl_attr_get_type(attribute) == UNIX_DIAG_RQLEN &&
		    mnl_attr_get_payload_len(attribute) >= sizeof(*queue) &&
		    queue->udiag_rqueue > 0)
			*any = true;
	}
	return MNL_CB_OK;
}

static bool ask(struct mnl_socket *netlink)
{
	_Alignas(struct nlmsghdr) char
		bytes[MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct unix_diag_req))];
	struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
	struct unix_diag_req *request;

	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->nlmsg_seq = SEQUENCE;
	request = mnl_nlmsg_put_extra_header(header, sizeof(*request));
	request->sdiag_family = AF_UNIX;
	request->udiag_states = UINT32_MAX;
	request->udiag_show = UDIAG_SHOW_RQLEN;
	return mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) == 0 &&
	       mnl_socket_sendto(netlink, header, header->nlmsg_len) >= 0;
}

bool lai_mailbox_any(void)
{
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	char *bytes = malloc(DATAGRAM_BYTES);
	bool any = false;
	int more = netlink && bytes && ask(netlink) ? MNL_CB_OK : MNL_CB_STOP;

	while (more == MNL_CB_OK) {
		ssize_t size = mnl_socket_recvfrom(netlink, bytes, DATAGRAM_BYTES);

		more = size < 0 ? MNL_CB_ERROR
				: mnl_cb_run(bytes, (size_t)size, SEQUENCE,
					     mnl_socket_get_portid(netlink), row_read, &any);
	}
	free(bytes);
	if (netlink)
		(void)mnl_socket_close(netlink);
	return any;
}
