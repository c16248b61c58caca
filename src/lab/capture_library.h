/* SPDX-License-Identifier: MIT */
/*
 * capture_library.h - libpcap, loaded by who captures or reads a capture. It brings nine libraries
 * along, whose loading takes longer than `lastack list` or `lastack doctor` otherwise take in all.
 */
#ifndef LAI_LAB_CAPTURE_LIBRARY_H
#define LAI_LAB_CAPTURE_LIBRARY_H

#include <pcap/pcap.h>

/* Its functions that are used, without their prefix pcap_. */
#define LAI_PCAP_FUNCTIONS(X)                                                                      \
	X(create)                                                                                  \
	X(set_tstamp_precision)                                                                    \
	X(set_snaplen)                                                                             \
	X(set_buffer_size)                                                                         \
	X(set_immediate_mode)                                                                      \
	X(activate)                                                                                \
	X(setnonblock)                                                                             \
	X(get_selectable_fd)                                                                       \
	X(dispatch)                                                                                \
	X(stats)                                                                                   \
	X(datalink)                                                                                \
	X(datalink_val_to_name)                                                                    \
	X(geterr)                                                                                  \
	X(close)                                                                                   \
	X(dump_fopen)                                                                              \
	X(dump)                                                                                    \
	X(dump_flush)                                                                              \
	X(dump_close)                                                                              \
	X(fopen_offline_with_tstamp_precision)                                                     \
	X(next_ex)

struct lai_pcap {
#define X(name) __typeof__(pcap_##name) *name;
	LAI_PCAP_FUNCTIONS(X)
#undef X
};

/* NULL: it cannot be loaded, and *why is the loader's sentence, valid until the next call. */
const struct lai_pcap *lai_pcap(const char **why);

#endif
