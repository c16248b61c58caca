/* SPDX-License-Identifier: MIT */
/*
 * io-uring-held.c - no process has a descriptor of it; an io_uring has the connection.
 *
 * A ring keeps files alive: those registered with it (fixed files), and those that a pending request
 * uses. close() of the descriptor then sends no FIN, and no table of descriptors shows who has the
 * connection (liburing's issues 932, 1192, 308 and 214).
 *
 * fixed: registered and never taken out again; the clients have closed. pending: closed while a
 * receive was under way; the clients still wait for the FIN.
 */
#include "leak.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>

#define RING_ENTRIES 8

enum { FIXED, PENDING };

static int variant;

struct ring {
	int fd;
	uint32_t *tail, mask, *array; /* of the submission queue */
	struct io_uring_sqe *entries;
};

static void *map(int fd, size_t bytes, off_t offset)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	leak_check(memory != MAP_FAILED, "mmap of the ring");
	return memory;
}

static struct ring ring_open(void)
{
	struct io_uring_params params = {.flags = 0};
	struct ring ring = {.fd = (int)syscall(SYS_io_uring_setup, RING_ENTRIES, &params)};
	char *queue;

	if (ring.fd < 0)
		leak_skip("no io_uring here: %s", strerror(errno));
	queue = map(ring.fd, params.sq_off.array + params.sq_entries * sizeof(uint32_t),
		    IORING_OFF_SQ_RING);
	ring.tail = (uint32_t *)(void *)(queue + params.sq_off.tail);
	ring.mask = *(uint32_t *)(void *)(queue + params.sq_off.ring_mask);
	ring.array = (uint32_t *)(void *)(queue + params.sq_off.array);
	ring.entries = map(ring.fd, params.sq_entries * sizeof(*ring.entries), IORING_OFF_SQES);
	return ring;
}

static void ring_receive(struct ring *ring, int fd, char *byte)
{
	uint32_t tail = *ring->tail, place = tail & ring->mask;

	ring->entries[place] = (struct io_uring_sqe){
		.opcode = IORING_OP_RECV, .fd = fd, .addr = (uintptr_t)byte, .len = 1};
	ring->array[place] = place;
	__atomic_store_n(ring->tail, tail + 1, __ATOMIC_RELEASE);
	leak_check(syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1, "io_uring_enter");
}

static void server(void)
{
	static char bytes[LEAK_SOCKETS];
	int fds[LEAK_SOCKETS], listener = leak_listen();
	struct ring ring = ring_open();

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_accept(listener);
		leak_read(fds[i], "hello");
		if (variant == PENDING)
			ring_receive(&ring, fds[i], &bytes[i]);
	}
	if (variant == FIXED &&
	    syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, fds, LEAK_SOCKETS) != 0)
		leak_skip("no files can be registered with io_uring: %s", strerror(errno));
	/* The bug: the ring has not been told. */
	for (int i = 0; i < LEAK_SOCKETS; i++)
		(void)close(fds[i]);
	leak_board->step = 1;
	leak_rest_accepting(listener);
}

static void client(void)
{
	int fds[LEAK_SOCKETS];

	for (int i = 0; i < LEAK_SOCKETS; i++) {
		fds[i] = leak_connect();
		leak_write(fds[i], "hello");
	}
	leak_await_step(1);
	for (int i = 0; i < LEAK_SOCKETS && variant == FIXED; i++)
		leak_finish(fds[i]);
	leak_ready();
	leak_rest(fds, LEAK_SOCKETS);
}

int main(int count, char **args)
{
	pid_t guilty;

	variant = leak_begin(count, args, "fixed pending");
	guilty = leak_start(NULL, server);
	(void)leak_start("client", client);
	return leak_tell(guilty);
}
