/* SPDX-License-Identifier: MIT */
/* The Linux network: the loop. Sockets are in kernel_socket.c, look-ups in resolver.c. */
#include "io/kernel_internal.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* The epoll keys of what is no socket; sockets are keyed by themselves. */
#define RESOLVER_KEY UINT64_MAX
#define RESUME_KEY (UINT64_MAX - 1)
#define READY_MAX 64

static uint64_t kernel_now(struct lai_net *net)
{
	(void)net;
	return lai_clock_now();
}

static uint64_t kernel_slept(struct lai_net *net)
{
	uint64_t monotonic_ns = lai_clock_now();

	(void)net;
	return lai_time_since(monotonic_ns, lai_clock_read(CLOCK_BOOTTIME));
}

static void kernel_resolve_cancel(struct lai_net *net)
{
	struct lai_kernel *kernel = lai_kernel_of(net);

	if (!kernel->lookup)
		return;
	(void)epoll_ctl(kernel->epoll, EPOLL_CTL_DEL, lai_lookup_fd(kernel->lookup), NULL);
	lai_lookup_free(kernel->lookup);
	kernel->lookup = NULL;
}

static int kernel_resolve(struct lai_net *net, const char *host, uint16_t port)
{
	struct lai_kernel *kernel = lai_kernel_of(net);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = RESOLVER_KEY};
	int status;

	kernel_resolve_cancel(net);
	status = lai_lookup_start(&kernel->lookup, host, port);
	if (status != 0)
		return status;
	if (epoll_ctl(kernel->epoll, EPOLL_CTL_ADD, lai_lookup_fd(kernel->lookup), &event) != 0) {
		status = -errno;
		lai_lookup_free(kernel->lookup);
		kernel->lookup = NULL;
	}
	return status;
}

static int kernel_resolved(struct lai_net *net, struct lai_address addresses[LAI_ADDRESSES_MAX])
{
	struct lai_kernel *kernel = lai_kernel_of(net);
	int count = kernel->lookup ? lai_lookup_take(kernel->lookup, addresses) : -EINPROGRESS;

	if (count != -EINPROGRESS)
		kernel_resolve_cancel(net);
	return count;
}

static uint32_t to_epoll(uint32_t events)
{
	/* EPOLLHUP cannot be masked and lasts from our FIN to the ACK of it: on the edge, it is no
	 * spin. */
	if (events == 0)
		return EPOLLET;
	return (events & LAI_READABLE ? EPOLLIN | EPOLLRDHUP : 0u) |
	       (events & LAI_WRITABLE ? EPOLLOUT : 0u);
}

static uint32_t from_epoll(uint32_t events)
{
	return (events & EPOLLIN ? LAI_READABLE : 0u) | (events & EPOLLOUT ? LAI_WRITABLE : 0u) |
	       (events & EPOLLRDHUP ? LAI_PEER_FIN : 0u) | (events & EPOLLHUP ? LAI_HANGUP : 0u) |
	       (events & EPOLLERR ? LAI_ERROR : 0u);
}

static int grow(struct lai_kernel *kernel, size_t wanted)
{
	size_t room = kernel->socket_room ? kernel->socket_room : 64;
	void *sockets;

	if (wanted <= kernel->socket_room)
		return 0;
	while (room < wanted)
		room *= 2;
	sockets = realloc(kernel->sockets, room * sizeof(*kernel->sockets));
	if (!sockets)
		return -ENOMEM;
	kernel->sockets = sockets;
	kernel->socket_room = room;
	return 0;
}

int lai_kernel_add(struct lai_kernel *kernel, int socket, uint32_t events)
{
	struct epoll_event event = {.events = to_epoll(events), .data.u64 = (uint64_t)socket};
	int status = grow(kernel, (size_t)socket + 1);

	if (status != 0)
		return status;
	kernel->sockets[socket] = (struct lai_kernel_socket){0};
	return epoll_ctl(kernel->epoll, EPOLL_CTL_ADD, socket, &event) == 0 ? 0 : -errno;
}

static int kernel_watch(struct lai_net *net, int socket, uint32_t events)
{
	struct epoll_event event = {.events = to_epoll(events), .data.u64 = (uint64_t)socket};

	return epoll_ctl(lai_kernel_of(net)->epoll, EPOLL_CTL_MOD, socket, &event) == 0 ? 0
											: -errno;
}

/*
 * A timer that never expires and is cancelled when the wall clock jumps, which it does at each
 * resume from suspend (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET): an idle loop wakes up and sees
 * it.
 */
static int arm_resume(int timer)
{
	const struct itimerspec never = {.it_value.tv_sec = INT32_MAX};

	return timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

static int add_resume(struct lai_kernel *kernel)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = RESUME_KEY};

	kernel->resume = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (kernel->resume < 0 || arm_resume(kernel->resume) != 0 ||
	    epoll_ctl(kernel->epoll, EPOLL_CTL_ADD, kernel->resume, &event) != 0)
		return -errno;
	return 0;
}

static void take_resume(int timer)
{
	uint64_t expirations;

	(void)!read(timer, &expirations, sizeof(expirations)); /* ECANCELED */
	(void)arm_resume(timer);
}

static int kernel_wait(struct lai_net *net, struct lai_ready *ready, int max, uint64_t deadline_ns)
{
	struct lai_kernel *kernel = lai_kernel_of(net);
	struct epoll_event events[READY_MAX];
	int count = epoll_wait(kernel->epoll, events, max < READY_MAX ? max : READY_MAX,
			       deadline_ns == 0 ? 0 : lai_clock_timeout_ms(deadline_ns));
	int said = 0;

	for (int i = 0; i < count; i++) {
		if (events[i].data.u64 == RESUME_KEY) {
			take_resume(kernel->resume);
			continue;
		}
		ready[said] = (struct lai_ready){.socket = LAI_RESOLVER, .events = LAI_READABLE};
		if (events[i].data.u64 != RESOLVER_KEY) {
			ready[said].socket = (int)events[i].data.u64;
			ready[said].events = from_epoll(events[i].events);
		}
		if ((ready[said].events & LAI_ERROR) &&
		    lai_kernel_take_acks(kernel, ready[said].socket))
			ready[said].events |= LAI_ACKED;
		said++;
	}
	return said;
}

/* No TLS: nobody has shown a name, and errors say all there is. */
static const char *kernel_no_text(struct lai_net *net, int socket)
{
	(void)net;
	(void)socket;
	return NULL;
}

static int kernel_fd(struct lai_net *net)
{
	return lai_kernel_of(net)->epoll;
}

static void kernel_free(struct lai_net *net)
{
	struct lai_kernel *kernel = lai_kernel_of(net);

	kernel_resolve_cancel(net);
	if (kernel->resume >= 0)
		(void)close(kernel->resume);
	if (kernel->epoll >= 0)
		(void)close(kernel->epoll);
	free(kernel->sockets);
	free(kernel);
}

static const struct lai_net_ops kernel_ops = {
	.now = kernel_now,
	.slept = kernel_slept,
	.resolve = kernel_resolve,
	.resolved = kernel_resolved,
	.resolve_cancel = kernel_resolve_cancel,
	.connect = lai_kernel_connect,
	.listen = lai_kernel_listen,
	.accept = lai_kernel_accept,
	.keepalive = lai_kernel_keepalive,
	.send = lai_kernel_send,
	.recv = lai_kernel_recv,
	.discard = lai_kernel_discard,
	.error = lai_kernel_error,
	.view = lai_kernel_view,
	.names = lai_kernel_names,
	.shutdown = lai_kernel_shutdown,
	.close = lai_kernel_close,
	.abort = lai_kernel_abort,
	.linger = lai_kernel_linger,
	.hurry = lai_kernel_hurry,
	.peer_name = kernel_no_text,
	.why = kernel_no_text,
	.adopt = lai_kernel_adopt,
	.why_silent = lai_kernel_why_silent,
	.watch = kernel_watch,
	.wait = kernel_wait,
	.fd = kernel_fd,
	.free = kernel_free,
};

int lai_net_kernel_new(struct lai_net **net)
{
	struct lai_kernel *kernel = calloc(1, sizeof(*kernel));
	int status;

	if (!kernel)
		return -ENOMEM;
	kernel->net.ops = &kernel_ops;
	kernel->resume = -1;
	kernel->epoll = epoll_create1(EPOLL_CLOEXEC);
	status = kernel->epoll < 0 ? -errno : add_resume(kernel);
	if (status != 0) {
		kernel_free(&kernel->net);
		return status;
	}
	*net = &kernel->net;
	return 0;
}
