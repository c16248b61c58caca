/* SPDX-License-Identifier: MIT */
/*
 * capture.c - takes a capture of a wire with libpcap.
 *
 *	interface --> the kernel's ring --drain--> file, and segments for the claim
 *
 * Nothing runs in between: who looks drains. The ring holds more than is ever kept.
 */
#include "lab/capture_inside.h"

#include "lab/host.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In libpcap's ring a packet takes its bytes and the kernel's headers (TPACKET_V2), rounded up. */
#define RING_BYTES_EACH (LAI_CAPTURE_BYTES_EACH + 144)
#define RING_BYTES (LAI_CAPTURE_PACKETS_MAX * RING_BYTES_EACH)

struct lai_capture {
	struct lai_trial *trial;
	const struct lai_pcap *library;
	pcap_t *pcap;
	pcap_dumper_t *dumper;
	bool nanoseconds; /* libpcap's time stamps are so fine */
	uint64_t packets;
	struct lai_capture_list list;
};

static void need(const struct lai_capture *capture, bool done, const char *what)
{
	if (!done)
		lai_trial_fail(capture->trial, "the capture cannot %s: %s", what,
			       capture->library->geterr(capture->pcap));
}

/* Packets are to be there at once, not when a block of the ring is full. */
static void pcap_begin(struct lai_capture *capture, const char *name)
{
	const struct lai_pcap *library = capture->library;
	char words[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = library->create(name, words);
	int result;

	if (!pcap)
		lai_trial_fail(capture->trial, "the capture cannot begin: %s", words);
	capture->pcap = pcap;
	capture->nanoseconds = library->set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO) == 0;
	(void)library->set_snaplen(pcap, LAI_CAPTURE_BYTES_EACH);
	(void)library->set_buffer_size(pcap, RING_BYTES);
	(void)library->set_immediate_mode(pcap, 1);
	result = library->activate(pcap); /* above 0: a warning */
	if (result == PCAP_ERROR_PERM_DENIED)
		lai_trial_lacks(capture->trial, "captures (packet sockets): %s",
				library->geterr(pcap));
	need(capture, result >= 0, "begin");
	need(capture, library->setnonblock(pcap, 1, words) == 0, "do without blocking");
}

/* libpcap closes the FILE that it writes; it gets one of its own on the same open file. */
static void dumper_begin(struct lai_capture *capture, FILE *file)
{
	int fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
	FILE *own = fd < 0 ? NULL : fdopen(fd, "w");

	if (!own || fflush(file) != 0)
		lai_trial_fail(capture->trial, "the capture cannot use its file: %s",
			       strerror(errno));
	capture->dumper = capture->library->dump_fopen(capture->pcap, own);
	need(capture, capture->dumper != NULL, "write its file");
}

struct lai_capture *lai_capture_start(struct lai_trial *trial, const struct lai_host *host,
				      unsigned port, FILE *file)
{
	struct lai_capture *capture = calloc(1, sizeof(*capture));
	const char *why;

	if (!capture)
		lai_trial_fail(trial, "no memory for a capture");
	if (port >= LAI_HOST_PORTS_MAX || !host->ports[port].index)
		lai_trial_fail(trial, "%s has no port %u to capture at", host->name, port);
	capture->trial = trial;
	capture->library = lai_pcap(&why);
	if (!capture->library)
		lai_trial_lacks(trial, "captures need libpcap: %s", why);
	lai_host_enter(trial, host);
	pcap_begin(capture, host->ports[port].name);
	dumper_begin(capture, file);
	return capture;
}

/* libpcap calls it for each packet. */
static void each(uint8_t *arg, const struct pcap_pkthdr *header, const uint8_t *bytes)
{
	/* It is what lai_capture_drain() gave, through libpcap's type for it. */
	struct lai_capture *capture = (void *)arg;
	struct pcap_pkthdr fine = *header;

	if (capture->packets++ >= LAI_CAPTURE_PACKETS_MAX)
		return;
	capture->library->dump((uint8_t *)capture->dumper, header, bytes);
	if (!capture->nanoseconds)
		fine.ts.tv_usec *= (long)LAI_US;
	if (lai_capture_list_take(&capture->list, capture->library->datalink(capture->pcap), &fine,
				  bytes) == -ENOMEM)
		lai_trial_fail(capture->trial, "no memory for a capture");
}

void lai_capture_drain(struct lai_capture *capture)
{
	int count;

	do {
		count = capture->library->dispatch(capture->pcap, -1, each, (uint8_t *)capture);
		if (count < 0)
			lai_trial_fail(capture->trial, "the capture broke: %s",
				       capture->library->geterr(capture->pcap));
	} while (count > 0);
}

void lai_capture_counts(const struct lai_capture *capture, uint64_t *packets, uint64_t *lost)
{
	struct pcap_stat stat = {0};

	(void)capture->library->stats(capture->pcap, &stat);
	*packets = capture->packets;
	*lost = stat.ps_drop;
}

/* Of all that has passed; what is missing in the list. */
static uint64_t count_missing(const struct lai_capture *capture)
{
	uint64_t packets, lost;

	lai_capture_counts(capture, &packets, &lost);
	return lost + (packets > LAI_CAPTURE_PACKETS_MAX ? packets - LAI_CAPTURE_PACKETS_MAX : 0);
}

/* For a claim: what is not in the capture was not on the wire. */
static void drain_all(struct lai_capture *capture)
{
	uint64_t missing;

	lai_capture_drain(capture);
	missing = count_missing(capture);
	if (missing > 0)
		lai_trial_fail(capture->trial, "%" PRIu64 " packets are missing in the capture",
			       missing);
}

void lai_capture_stop(struct lai_capture *capture)
{
	uint64_t missing;

	lai_capture_drain(capture);
	missing = count_missing(capture);
	if (missing > 0)
		lai_trial_say(capture->trial, "%" PRIu64 " packets are missing in the capture",
			      missing);
	if (capture->library->dump_flush(capture->dumper) != 0)
		lai_trial_fail(capture->trial, "the capture cannot write its file: %s",
			       strerror(errno));
	capture->library->dump_close(capture->dumper);
	capture->library->close(capture->pcap);
	free(capture->list.items);
	free(capture);
}

const struct lai_captured *lai_capture_segments(struct lai_capture *capture, size_t *count)
{
	drain_all(capture);
	*count = capture->list.count;
	return capture->list.items;
}

static bool matches(const struct lai_segment *segment, const struct lai_address *from,
		    uint8_t flags, uint8_t not_flags)
{
	return (segment->flags & flags) == flags && !(segment->flags & not_flags) &&
	       (!from || lai_address_equal(from, &segment->from));
}

bool lai_capture_await(struct lai_capture *capture, size_t *next, const struct lai_address *from,
		       uint8_t flags, uint8_t not_flags, uint64_t wait_ns,
		       struct lai_captured *found)
{
	struct pollfd ready = {.fd = capture->library->get_selectable_fd(capture->pcap),
			       .events = POLLIN};
	uint64_t deadline_ns = lai_time_after(lai_clock_now(), wait_ns);
	size_t i = *next;

	for (;;) {
		drain_all(capture);
		for (; i < capture->list.count; i++)
			if (matches(&capture->list.items[i].segment, from, flags, not_flags)) {
				*found = capture->list.items[i];
				*next = i + 1;
				return true;
			}
		if (lai_clock_now() >= deadline_ns)
			return false;
		(void)poll(&ready, 1, lai_clock_timeout_ms(deadline_ns));
	}
}
