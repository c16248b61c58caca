/* SPDX-License-Identifier: MIT */
/* capture_list.c - a captured frame becomes a segment in a list. */
#include "lab/capture_inside.h"

#include "base/time.h"

#include <errno.h>
#include <net/ethernet.h>
#include <stdlib.h>

#define ROOM_FIRST 64

/* Where the IP packet begins in the frame; -ENOMSG: there is none, -EBADMSG: it is too short. */
static int network_offset(int link_type, const uint8_t *bytes, size_t size)
{
	unsigned type;

	if (link_type != DLT_EN10MB)
		return 0;
	if (size < ETHER_HDR_LEN)
		return -EBADMSG;
	type = (unsigned)bytes[12] << 8 | bytes[13];
	return type == ETHERTYPE_IP || type == ETHERTYPE_IPV6 ? ETHER_HDR_LEN : -ENOMSG;
}

static struct lai_captured *list_more(struct lai_capture_list *list)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : ROOM_FIRST;
		struct lai_captured *items = reallocarray(list->items, room, sizeof(*items));

		if (!items)
			return NULL;
		list->items = items;
		list->room = room;
	}
	return &list->items[list->count];
}

int lai_capture_list_take(struct lai_capture_list *list, int link_type,
			  const struct pcap_pkthdr *header, const uint8_t *bytes)
{
	int offset = network_offset(link_type, bytes, header->caplen), error;
	struct lai_captured *item;
	struct lai_segment segment;
	const char *why;

	if (offset < 0)
		return offset;
	error = lai_segment_parse_cut(bytes + offset, header->caplen - (size_t)offset, &segment,
				      &why);
	if (error != 0)
		return error;
	item = list_more(list);
	if (!item)
		return -ENOMEM;
	segment.payload = NULL;
	item->time_ns = (uint64_t)header->ts.tv_sec * LAI_S + (uint64_t)header->ts.tv_usec;
	item->segment = segment;
	list->count++;
	return 0;
}
