/* SPDX-License-Identifier: MIT */
/*
 * faulty_net.h - the Linux network behind a door where the Nth call that may fail does fail, with
 * an error that this call may really bring, and without being carried out.
 */
#ifndef T_FAULT_FAULTY_NET_H
#define T_FAULT_FAULTY_NET_H

#include "io/net.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum t_op {
	T_RESOLVE,
	T_RESOLVED,
	T_CONNECT,
	T_SEND,
	T_RECV,
	T_ERROR,
	T_VIEW,
	T_NAMES,
	T_SHUTDOWN,
	T_WATCH,
	T_WAIT,
	T_OPS,
};

static const char *const t_op_names[T_OPS] = {
	[T_RESOLVE] = "resolve", [T_RESOLVED] = "resolved", [T_CONNECT] = "connect",
	[T_SEND] = "send",	 [T_RECV] = "recv",	    [T_ERROR] = "error",
	[T_VIEW] = "view",	 [T_NAMES] = "names",	    [T_SHUTDOWN] = "shutdown",
	[T_WATCH] = "watch",	 [T_WAIT] = "wait",
};

/* What each call may say, by variant; a call with fewer says its first ones again. */
#define T_VARIANTS 6

static const int t_errors[T_OPS][T_VARIANTS] = {
	[T_RESOLVE] = {ENOMEM, EMFILE, EAGAIN},
	[T_RESOLVED] = {EAGAIN, ENOENT, ENOMEM, EIO},
	[T_CONNECT] = {EMFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, ENETUNREACH, EACCES},
	[T_SEND] = {ENOBUFS, ENOMEM, EAGAIN, EINTR, EPIPE, ECONNRESET},
	[T_RECV] = {ENOMEM, EAGAIN, EINTR, ECONNRESET, ETIMEDOUT, EIO},
	[T_ERROR] = {ENOBUFS, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM, ECONNREFUSED},
	[T_VIEW] = {ENOBUFS, ENOMEM, EIO, EPERM},
	[T_NAMES] = {ENOBUFS, ENOTCONN},
	[T_SHUTDOWN] = {ENOTCONN, EIO},
	[T_WATCH] = {ENOMEM, ENOSPC},
	[T_WAIT] = {EINTR},
};

struct t_net {
	struct lai_net net; /* first: it is the same pointer */
	struct lai_net *kernel;
	unsigned calls, fail_at; /* fail_at 0: never */
	bool for_good;		 /* all calls of the same kind after it fail as well */
	unsigned variant;
	bool failed;
	enum t_op failed_op;
};

/* The errno value that this call brings, 0: it is carried out. */
static int t_net_fault(struct t_net *faulty, enum t_op op)
{
	bool again = faulty->failed && faulty->for_good && op == faulty->failed_op;
	unsigned count = 0;

	if (!again && ++faulty->calls != faulty->fail_at)
		return 0;
	faulty->failed = true;
	faulty->failed_op = op;
	while (count < T_VARIANTS && t_errors[op][count])
		count++;
	return t_errors[op][faulty->variant % count];
}

#define T_KERNEL(net) (((struct t_net *)(net))->kernel)
#define T_CALL(net, operation, ...) T_KERNEL(net)->ops->operation(T_KERNEL(net), ##__VA_ARGS__)
#define T_FAULT(net, op)                                                                           \
	do {                                                                                       \
		int t_error = t_net_fault((struct t_net *)(net), op);                              \
		if (t_error)                                                                       \
			return -t_error;                                                           \
	} while (0)

static uint64_t t_net_now(struct lai_net *net)
{
	return T_CALL(net, now);
}

static uint64_t t_net_slept(struct lai_net *net)
{
	return T_CALL(net, slept);
}

static int t_net_resolve(struct lai_net *net, const char *host, uint16_t port)
{
	T_FAULT(net, T_RESOLVE);
	return T_CALL(net, resolve, host, port);
}

static int t_net_resolved(struct lai_net *net, struct lai_address addresses[LAI_ADDRESSES_MAX])
{
	int count = T_CALL(net, resolved, addresses);

	/* It is the name server that failed: the look-up is over all the same. */
	if (count != -EINPROGRESS)
		T_FAULT(net, T_RESOLVED);
	return count;
}

static void t_net_resolve_cancel(struct lai_net *net)
{
	T_CALL(net, resolve_cancel);
}

static int t_net_connect(struct lai_net *net, const struct lai_address *remote,
			 const struct lai_socket_options *options)
{
	T_FAULT(net, T_CONNECT);
	return T_CALL(net, connect, remote, options);
}

static int t_net_listen(struct lai_net *net, struct lai_address *local, int backlog)
{
	return T_CALL(net, listen, local, backlog);
}

static int t_net_accept(struct lai_net *net, int listener, struct lai_address *remote)
{
	return T_CALL(net, accept, listener, remote);
}

static ssize_t t_net_send(struct lai_net *net, int socket, const struct iovec *iov, int count,
			  unsigned flags)
{
	T_FAULT(net, T_SEND);
	return T_CALL(net, send, socket, iov, count, flags);
}

static ssize_t t_net_recv(struct lai_net *net, int socket, void *data, size_t size)
{
	T_FAULT(net, T_RECV);
	return T_CALL(net, recv, socket, data, size);
}

static ssize_t t_net_discard(struct lai_net *net, int socket, size_t size)
{
	T_FAULT(net, T_RECV);
	return T_CALL(net, discard, socket, size);
}

static int t_net_error(struct lai_net *net, int socket)
{
	int error = t_net_fault((struct t_net *)net, T_ERROR);

	return error ? error : T_CALL(net, error, socket);
}

static int t_net_view(struct lai_net *net, int socket, struct lai_view *view)
{
	T_FAULT(net, T_VIEW);
	return T_CALL(net, view, socket, view);
}

static int t_net_names(struct lai_net *net, int socket, struct lai_address *local,
		       struct lai_address *remote)
{
	T_FAULT(net, T_NAMES);
	return T_CALL(net, names, socket, local, remote);
}

static int t_net_shutdown(struct lai_net *net, int socket)
{
	T_FAULT(net, T_SHUTDOWN);
	return T_CALL(net, shutdown, socket);
}

static void t_net_close(struct lai_net *net, int socket)
{
	T_CALL(net, close, socket);
}

static void t_net_abort(struct lai_net *net, int socket)
{
	T_CALL(net, abort, socket);
}

static void t_net_linger(struct lai_net *net, int socket, uint64_t linger_ns)
{
	T_CALL(net, linger, socket, linger_ns);
}

static void t_net_hurry(struct lai_net *net, int socket, uint64_t within_ns)
{
	T_CALL(net, hurry, socket, within_ns);
}

static const char *t_net_peer_name(struct lai_net *net, int socket)
{
	return T_CALL(net, peer_name, socket);
}

static const char *t_net_why(struct lai_net *net, int socket)
{
	return T_CALL(net, why, socket);
}

static int t_net_adopt(struct lai_net *net, int listener, struct lai_address *local)
{
	return T_CALL(net, adopt, listener, local);
}

static int t_net_why_silent(struct lai_net *net, const struct lai_address *local,
			    const struct lai_address *remote, const char *device)
{
	return T_CALL(net, why_silent, local, remote, device);
}

static int t_net_watch(struct lai_net *net, int socket, uint32_t events)
{
	T_FAULT(net, T_WATCH);
	return T_CALL(net, watch, socket, events);
}

static int t_net_wait(struct lai_net *net, struct lai_ready *ready, int max, uint64_t deadline_ns)
{
	/* A signal: nothing was ready. Not for good, which no one would survive. */
	if (!((struct t_net *)net)->for_good && t_net_fault((struct t_net *)net, T_WAIT))
		return 0;
	return T_CALL(net, wait, ready, max, deadline_ns);
}

static int t_net_fd(struct lai_net *net)
{
	return T_CALL(net, fd);
}

static const struct lai_net_ops t_net_ops = {
	.now = t_net_now,
	.slept = t_net_slept,
	.resolve = t_net_resolve,
	.resolved = t_net_resolved,
	.resolve_cancel = t_net_resolve_cancel,
	.connect = t_net_connect,
	.listen = t_net_listen,
	.accept = t_net_accept,
	.send = t_net_send,
	.recv = t_net_recv,
	.discard = t_net_discard,
	.error = t_net_error,
	.view = t_net_view,
	.names = t_net_names,
	.shutdown = t_net_shutdown,
	.close = t_net_close,
	.abort = t_net_abort,
	.linger = t_net_linger,
	.hurry = t_net_hurry,
	.peer_name = t_net_peer_name,
	.why = t_net_why,
	.adopt = t_net_adopt,
	.why_silent = t_net_why_silent,
	.watch = t_net_watch,
	.wait = t_net_wait,
	.fd = t_net_fd,
};

/* 0, or a negative errno. Close with t_net_close_kernel(). */
static int t_net_open(struct t_net *faulty)
{
	*faulty = (struct t_net){.net.ops = &t_net_ops};
	return lai_net_kernel_new(&faulty->kernel);
}

static void t_net_close_kernel(struct t_net *faulty)
{
	faulty->kernel->ops->free(faulty->kernel);
}

#endif
