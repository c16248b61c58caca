/* SPDX-License-Identifier: MIT */
/* Where lastack receive listens: its address, what accepted sockets inherit, the port file. */
#include "cli/receiver_inside.h"

#include "cli/command.h"
#include "cli/port_file.h"

#include <string.h>

/* As many as the kernel allows (net.core.somaxconn cuts it): over --max-connections they
   wait here. */
#define BACKLOG 4096
#define RESOLVE_NS (10 * LAI_S)

static int resolve(struct receiver *receiver, struct lai_address *address)
{
	const struct lai_endpoint *endpoint = &receiver->config->endpoint;

	*address = endpoint->address;
	if (address->length > 0)
		return 0;
	return lai_net_resolve(receiver->net, endpoint->host, endpoint->port,
			       lai_time_after(lai_net_now(receiver->net), RESOLVE_NS), address);
}

int lai_receiver_listen(struct receiver *receiver)
{
	char text[LA_ADDRESS_TEXT_MAX];
	int status = resolve(receiver, &receiver->local);

	if (status == 0) {
		receiver->listener = LAI_NET(receiver, listen, &receiver->local, BACKLOG);
		receiver->listener_watched = LAI_READABLE;
		status = receiver->listener < 0 ? receiver->listener : 0;
	}
	if (status == 0)
		status = LAI_NET(receiver, keepalive, receiver->listener,
				 receiver->config->dead_ns == LA_NEVER ? 0
								       : receiver->config->dead_ns);
	if (status != 0) {
		lai_receiver_say_cannot_listen(receiver, -status);
		return status;
	}
	lai_log_say(&receiver->log, "listening on %s for %s",
		    lai_address_format(text, &receiver->local),
		    receiver->config->endpoint.wire->what);
	if (receiver->config->port_file)
		status = lai_port_file_write(receiver->config->port_file,
					     lai_address_port(&receiver->local));
	if (status != 0)
		lai_command_complain(receiver->log.name, "cannot write the port file %s: %s",
				     receiver->config->port_file, strerror(-status));
	return status;
}
