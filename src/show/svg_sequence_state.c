/* SPDX-License-Identifier: MIT */
#include "show/svg_sequence_state.h"

#include "base/view.h"

static bool sends_doubtful(uint8_t state, uint8_t flags)
{
	if (flags & LAI_FLAG_RST) /* one in SYN_SENT refuses with it what is not for it */
		return state != LAI_TCP_SYN_SENT;
	if (flags & LAI_FLAG_SYN)
		return state != LAI_TCP_SYN_SENT && state != LAI_TCP_SYN_RECV;
	if (flags & LAI_FLAG_FIN)
		return state == LAI_TCP_ESTABLISHED || state == LAI_TCP_CLOSE_WAIT ||
		       state == LAI_TCP_SYN_RECV;
	return state == LAI_TCP_SYN_SENT; /* the handshake's end */
}

static bool hears_doubtful(uint8_t state, uint8_t flags)
{
	if (flags & LAI_FLAG_RST)
		return true;
	switch (state) {
	case LAI_TCP_SYN_SENT: return flags & LAI_FLAG_SYN;
	case LAI_TCP_ESTABLISHED:
	case LAI_TCP_FIN_WAIT2: return flags & LAI_FLAG_FIN;
	case LAI_TCP_SYN_RECV:
	case LAI_TCP_FIN_WAIT1:
	case LAI_TCP_CLOSING:
	case LAI_TCP_LAST_ACK: return !(flags & LAI_FLAG_SYN) && flags & LAI_FLAG_ACK;
	default: return false;
	}
}

bool lai_sequence_state_doubtful(uint8_t state, unsigned side, unsigned wires,
				 const struct lai_sequence_row *row)
{
	uint8_t flags;

	if (row->kind != LAI_ROW_SEGMENT || row->wire != (side ? wires - 1 : 0))
		return false;
	flags = row->captured->segment.flags;
	return row->rightward == (side == 0) ? sends_doubtful(state, flags)
					     : hears_doubtful(state, flags);
}
