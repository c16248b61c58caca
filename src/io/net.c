/* SPDX-License-Identifier: MIT */
/* What is made of the operations of any network. */
#include "io/net.h"

#include <errno.h>

bool lai_net_is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int lai_net_resolve(struct lai_net *net, const char *host, uint16_t port, uint64_t by_ns,
		    struct lai_address *address)
{
	struct lai_address found[LAI_ADDRESSES_MAX];
	struct lai_ready ready;
	int status = net->ops->resolve(net, host, port);

	if (status < 0)
		return status;
	do {
		(void)net->ops->wait(net, &ready, 1, by_ns);
		status = net->ops->resolved(net, found);
	} while (status == -EINPROGRESS && lai_net_now(net) < by_ns);
	net->ops->resolve_cancel(net);
	if (status > 0)
		*address = found[0];
	return status > 0 ? 0 : status == -EINPROGRESS ? -EAGAIN : status;
}
