/* SPDX-License-Identifier: MIT */
/* kernel_internal.h - shared by kernel.c (the loop) and kernel_socket.c (the sockets). */
#ifndef LAI_IO_KERNEL_INTERNAL_H
#define LAI_IO_KERNEL_INTERNAL_H

#include "io/net.h"
#include "io/resolver.h"

/* What is remembered of one descriptor. */
struct lai_kernel_socket {
	uint64_t written_bytes;	 /* taken by send() */
	uint64_t ack_base_bytes; /* what tcpi_bytes_acked says before anything was sent */
	uint64_t heard_ns;	 /* when the last ACK came in, as of the last view */
	uint64_t retransmits;	 /* of the connection's life, at that view */
	uint64_t keepalive_ns;
	bool connecting;
	bool asks_acks; /* SO_TIMESTAMPING works on it */
};

struct lai_kernel {
	struct lai_net net;
	int epoll;
	int resume; /* a timer that is cancelled by each resume from suspend */
	struct lai_lookup *lookup;
	struct lai_kernel_socket *sockets; /* by descriptor */
	size_t socket_room;
};

static inline struct lai_kernel *lai_kernel_of(struct lai_net *net)
{
	return (struct lai_kernel *)net;
}

/* kernel.c: begins to wait for a new descriptor. 0, or a negative errno. */
int lai_kernel_add(struct lai_kernel *kernel, int socket, uint32_t events);

/* kernel_socket.c: the operations of net.h. */
int lai_kernel_connect(struct lai_net *net, const struct lai_address *remote,
		       const struct lai_socket_options *options);
int lai_kernel_listen(struct lai_net *net, struct lai_address *local, int backlog);
int lai_kernel_accept(struct lai_net *net, int listener, struct lai_address *remote);
int lai_kernel_adopt(struct lai_net *net, int listener, struct lai_address *local);
int lai_kernel_keepalive(struct lai_net *net, int listener, uint64_t keepalive_ns);
ssize_t lai_kernel_send(struct lai_net *net, int socket, const struct iovec *iov, int count,
			unsigned flags);
ssize_t lai_kernel_recv(struct lai_net *net, int socket, void *data, size_t size);
ssize_t lai_kernel_discard(struct lai_net *net, int socket, size_t size);
int lai_kernel_error(struct lai_net *net, int socket);
int lai_kernel_view(struct lai_net *net, int socket, struct lai_view *view);
int lai_kernel_names(struct lai_net *net, int socket, struct lai_address *local,
		     struct lai_address *remote);
int lai_kernel_shutdown(struct lai_net *net, int socket);
void lai_kernel_close(struct lai_net *net, int socket);
void lai_kernel_abort(struct lai_net *net, int socket);
void lai_kernel_linger(struct lai_net *net, int socket, uint64_t linger_ns);
void lai_kernel_hurry(struct lai_net *net, int socket, uint64_t within_ns);
int lai_kernel_why_silent(struct lai_net *net, const struct lai_address *local,
			  const struct lai_address *remote, const char *device);
/* Empties the error queue; true: it held the news of an acknowledgement. */
bool lai_kernel_take_acks(const struct lai_kernel *kernel, int socket);

#endif
