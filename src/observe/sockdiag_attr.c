/* SPDX-License-Identifier: MIT */
/*
 * sockdiag_attr.c - the attributes of a sock_diag answer -> fields of struct lai_socket_fact. Pure.
 *
 *     nlattr(length, type)  value  padding to four bytes     ...and so on to the message's end
 *
 * Unknown ones are passed over; so are nested ones, whose type carries a flag. Of a value longer
 * than we know its beginning counts, as newer kernels append.
 */
#include "observe/sockdiag_talk.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stddef.h>
#include <string.h>

/* tcp_info as it was in Linux 2.6, with the ages and the round trip time; byte counters came
   later and are 0 without. */
#define INFO_BYTES_MIN offsetof(struct tcp_info, tcpi_pacing_rate)

/* Of SKMEMINFO up to SK_MEMINFO_WMEM_QUEUED; later kernels appended the rest. */
#define MEMORY_WORDS (SK_MEMINFO_WMEM_QUEUED + 1)

/*
 * A listener has a tcp_info with nothing but its queue in it, and what has not been connected yet
 * counts its ages from the start of the system's clock: such numbers are better not told.
 */
static bool info_makes_sense(enum lai_tcp_state state)
{
	return state != LAI_TCP_LISTEN && state != LAI_TCP_SYN_SENT && state != LAI_TCP_CLOSE &&
	       state != LAI_TCP_BOUND_INACTIVE;
}

static int info_read(const uint8_t *value, size_t size, struct lai_socket_fact *fact)
{
	struct tcp_info info = {0};

	if (size < INFO_BYTES_MIN)
		return -EBADMSG;
	if (!info_makes_sense(fact->state))
		return 0;
	memcpy(&info, value, size < sizeof(info) ? size : sizeof(info));
	fact->has_info = true;
	fact->sent_age_ms = info.tcpi_last_data_sent;
	fact->received_age_ms = info.tcpi_last_data_recv;
	fact->ack_age_ms = info.tcpi_last_ack_recv;
	fact->rtt_us = info.tcpi_rtt;
	fact->received_bytes = info.tcpi_bytes_received;
	fact->sent_bytes = info.tcpi_bytes_sent;
	fact->acked_bytes = info.tcpi_bytes_acked;
	return 0;
}

/* What counts against net.ipv4.tcp_mem: both queues, and what is reserved for them ahead. */
static int memory_read(const uint8_t *value, size_t size, struct lai_socket_fact *fact)
{
	uint32_t word[MEMORY_WORDS];
	uint64_t sum;

	if (size < sizeof(word))
		return -EBADMSG;
	memcpy(word, value, sizeof(word));
	sum = (uint64_t)word[SK_MEMINFO_RMEM_ALLOC] + word[SK_MEMINFO_WMEM_QUEUED];
	if (word[SK_MEMINFO_FWD_ALLOC] <= INT32_MAX) /* signed in the kernel */
		sum += word[SK_MEMINFO_FWD_ALLOC];
	fact->memory_bytes = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
	return 0;
}

static int shutdown_read(const uint8_t *value, size_t size, struct lai_socket_fact *fact)
{
	if (size < 1)
		return -EBADMSG;
	fact->shutdown = value[0] & (LAI_SHUT_RECEIVE | LAI_SHUT_SEND);
	return 0;
}

static int cgroup_read(const uint8_t *value, size_t size, struct lai_socket_fact *fact)
{
	if (size < sizeof(fact->cgroup))
		return -EBADMSG;
	memcpy(&fact->cgroup, value, sizeof(fact->cgroup));
	return 0;
}

static int attribute_read(uint16_t type, const uint8_t *value, size_t size,
			  struct lai_socket_fact *fact)
{
	switch (type) {
	case INET_DIAG_INFO: return info_read(value, size, fact);
	case INET_DIAG_SKMEMINFO: return memory_read(value, size, fact);
	case INET_DIAG_SHUTDOWN: return shutdown_read(value, size, fact);
	case INET_DIAG_CGROUP_ID: return cgroup_read(value, size, fact);
	default: return 0;
	}
}

int lai_sockdiag_attributes(const uint8_t *bytes, size_t size, struct lai_socket_fact *fact)
{
	struct nlattr header;
	size_t whole;
	int error = 0;

	while (size > 0 && !error) {
		if (size < sizeof(header))
			return -EBADMSG;
		memcpy(&header, bytes, sizeof(header));
		if (header.nla_len < sizeof(header) || header.nla_len > size)
			return -EBADMSG;
		error = attribute_read(header.nla_type, bytes + sizeof(header),
				       header.nla_len - sizeof(header), fact);
		whole = NLA_ALIGN((size_t)header.nla_len);
		if (whole > size) /* the last one need not be padded */
			whole = size;
		bytes += whole;
		size -= whole;
	}
	return error;
}
