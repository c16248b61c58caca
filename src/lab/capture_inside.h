/* SPDX-License-Identifier: MIT */
/* capture_inside.h - what taking a capture and reading one have in common. */
#ifndef LAI_LAB_CAPTURE_INSIDE_H
#define LAI_LAB_CAPTURE_INSIDE_H

#include "lab/capture.h"
#include "lab/capture_library.h"

/* An array that grows. */
struct lai_capture_list {
	struct lai_captured *items;
	size_t count, room;
};

/*
 * Reads one packet of this link type (DLT_*) with nanoseconds in its time stamp, and appends it if
 * it is TCP. 0: appended; -ENOMSG, -EBADMSG: as lai_segment_parse_cut(); -ENOMEM.
 */
int lai_capture_list_take(struct lai_capture_list *list, int link_type,
			  const struct pcap_pkthdr *header, const uint8_t *bytes);

#endif
