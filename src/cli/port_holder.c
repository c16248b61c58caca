/* SPDX-License-Identifier: MIT */
#include "cli/port_holder.h"
#include "base/text.h"
#include "observe/sockdiag.h"

#include <string.h>

/* More are counted, not listed: the first ones tell the story. */
#define LISTED_MAX 3

struct holders {
	struct lai_text text;
	uint16_t port;
	unsigned count;
	uint32_t states; /* LAI_SOCKDIAG_STATE() of all */
};

static int note(void *arg, const struct lai_socket_fact *fact)
{
	struct holders *holders = arg;
	char remote[LA_ADDRESS_TEXT_MAX];

	if (lai_address_port(&fact->local) != holders->port)
		return 0;
	holders->states |= LAI_SOCKDIAG_STATE(fact->state);
	if (holders->count++ < LISTED_MAX)
		lai_text_append(&holders->text, "%s%s to %s", holders->count > 1 ? ", " : "",
				la_tcp_state_name(fact->state),
				lai_address_format(remote, &fact->remote));
	return 0;
}

static const char *advice(const struct holders *holders)
{
	if (holders->count == 0)
		return "no connection has it: a bound socket or the reserved range may; "
		       "see ip_local_reserved_ports";
	if (holders->states & LAI_SOCKDIAG_STATE(LAI_TCP_LISTEN))
		return "a server listens on it: choose another port";
	if (holders->states & LAI_SOCKDIAG_STATE(LAI_TCP_CLOSE_WAIT))
		return "CLOSE_WAIT does not end by itself: its program has to close it";
	if (holders->states == LAI_SOCKDIAG_STATE(LAI_TCP_TIME_WAIT))
		return "TIME_WAIT ends by itself within 60 s, and with TCP timestamps on both "
		       "sides it "
		       "is taken over at once";
	return "they have to end first, or another port be chosen";
}

void lai_port_holder_say(struct lai_log *log, uint16_t port)
{
	struct holders holders = {.text = LAI_TEXT_INIT(1024), .port = port};

	if (port == 0) {
		lai_log_say(log, "all ports of the ephemeral range are in use towards this server; "
				 "see ip_local_port_range, or give another --local-addr");
		return;
	}
	if (lai_sockdiag_dump(LAI_SOCKDIAG_ALL, note, &holders) == 0)
		lai_log_say(log, "local port %u: %u socket%s%s%s; %s", port, holders.count,
			    holders.count == 1 ? "" : "s", holders.count ? ": " : "",
			    lai_text_string(&holders.text), advice(&holders));
	lai_text_done(&holders.text);
}
