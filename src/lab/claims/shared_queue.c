/* SPDX-License-Identifier: MIT */
/* shared_queue.c - full send queues, filled receive queues, and a socket that hears nothing. */
#include "lab/claims/shared_queue.h"
#include "lab/claims/shared_talk.h"
#include "lab/segment.h"

#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <string.h>

/* Nobody reads, so that the queue is full when for so long nothing more goes in. */
#define FULL_NS (100 * LAI_MS)
#define AWAIT_NS (5 * LAI_S)
#define LOOK_AGAIN_MS 2
/* RFC 9293 3.1. */
#define FLAGS_OFFSET 13

/* The timer of a shut window runs when everything that the window allowed has been acknowledged. */
static bool is_shut(const struct lai_socket_fact *fact)
{
	return fact->timer == LAI_TIMER_PROBE && fact->wqueue_bytes > 0;
}

struct lai_backlog lai_queue_fill(struct lai_trial *trial, const struct lai_host *host, int fd,
				  const struct lai_ends *ends)
{
	uint64_t until_ns = lai_clock_now() + AWAIT_NS;
	struct lai_backlog backlog = {0};
	struct lai_socket_fact fact = {0};
	struct lai_call sent;

	sent = lai_call_send(fd, LAI_QUEUE_BYTES, FULL_NS);
	if (sent.error && sent.error != EINPROGRESS)
		lai_trial_fail(trial, "the queue could not be filled: %s",
			       lai_call_errno(sent.error));
	while (!lai_gauge_find(trial, host, ends, &fact) || !is_shut(&fact)) {
		if (lai_clock_now() > until_ns)
			lai_trial_fail(trial, "the window of a receiver that does not read was not "
					      "shut within 5 s");
		(void)poll(NULL, 0, LOOK_AGAIN_MS);
	}
	backlog.written = sent.bytes;
	backlog.unacked = fact.wqueue_bytes;
	backlog.received = backlog.written - backlog.unacked;
	return backlog;
}

void lai_queue_await_unread(struct lai_trial *trial, const struct lai_host *host,
			    const struct lai_ends *ends, size_t bytes)
{
	uint64_t until_ns = lai_clock_now() + AWAIT_NS;
	struct lai_socket_fact fact = {0};

	while (!lai_gauge_find(trial, host, ends, &fact) || fact.rqueue_bytes < bytes) {
		if (lai_clock_now() > until_ns)
			lai_trial_fail(trial, "%zu bytes did not arrive within 5 s", bytes);
		(void)poll(NULL, 0, LOOK_AGAIN_MS);
	}
}

void lai_queue_deafen(struct lai_trial *trial, int fd, bool deaf)
{
	/* A filter of a TCP socket sees segments from their headers on, and says how much of one
	   may pass: all of a RST, nothing of the rest. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, LAI_FLAG_RST, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};
	int error;

	if (deaf)
		error = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
	else
		error = setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int));
	if (error)
		lai_trial_lacks(trial, "no socket filter, with which a segment is lost: %s",
				strerror(errno));
}

const char *lai_queue_end(const struct lai_call *receive)
{
	return receive->error ? lai_call_errno(receive->error) : "EOF";
}

void lai_queue_say(struct lai_trial *trial, const struct lai_pair *pair, size_t mark)
{
	struct lai_talk talk;

	lai_talk_read(trial, mark, &pair->at_client, &talk);
	lai_talk_say(trial, &talk);
}
