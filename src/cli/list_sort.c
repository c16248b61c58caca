/* SPDX-License-Identifier: MIT */
/*
 * list_sort.c - each socket's key is made once: 24 bytes that are compared as one number. So a key
 * is a row of the table below, and no comparison looks anything up.
 */
#include "cli/list_sort.h"

#include "cli/option.h"
#include "show/show_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct key {
	uint64_t parts[3];
	uint32_t socket;
	bool missing;
};

struct lai_list_order {
	const char *name;
	/* Fills parts, which are 0; false: the socket has no such value. */
	bool (*make)(struct key *key, const struct lai_snapshot *snapshot,
		     const struct lai_socket_fact *socket);
};

static uint64_t big_endian(const uint8_t *bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* IPv4 as mapped, so that it comes before most of IPv6, and beside its mapped form. */
static bool make_address(struct key *key, const struct lai_address *address)
{
	if (lai_address_family(address) == AF_UNSPEC)
		return false;
	key->parts[2] = lai_address_port(address);
	if (lai_address_family(address) == AF_INET) {
		key->parts[1] = 0xffffull << 32 | ntohl(address->v4.sin_addr.s_addr);
		return true;
	}
	key->parts[0] = big_endian(address->v6.sin6_addr.s6_addr);
	key->parts[1] = big_endian(address->v6.sin6_addr.s6_addr + 8);
	return true;
}

static bool make_local(struct key *key, const struct lai_snapshot *snapshot,
		       const struct lai_socket_fact *socket)
{
	(void)snapshot;
	return make_address(key, &socket->local);
}

static bool make_remote(struct key *key, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket)
{
	(void)snapshot;
	return make_address(key, &socket->remote);
}

/* By name: the kernel's numbers say nothing to anybody. */
static bool make_state(struct key *key, const struct lai_snapshot *snapshot,
		       const struct lai_socket_fact *socket)
{
	uint8_t bytes[16] = {0};
	const char *name = la_tcp_state_name(socket->state);

	(void)snapshot;
	memcpy(bytes, name, strnlen(name, sizeof(bytes)));
	key->parts[0] = big_endian(bytes);
	key->parts[1] = big_endian(bytes + 8);
	return true;
}

static bool make_age(struct key *key, const struct lai_snapshot *snapshot,
		     const struct lai_socket_fact *socket)
{
	(void)snapshot;
	return lai_age_of(socket, &key->parts[0]) != LAI_AGE_UNKNOWN;
}

static bool make_recv_q(struct key *key, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket)
{
	(void)snapshot;
	key->parts[0] = socket->rqueue_bytes;
	return true;
}

static bool make_send_q(struct key *key, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket)
{
	(void)snapshot;
	key->parts[0] = socket->wqueue_bytes;
	return true;
}

static bool make_pid(struct key *key, const struct lai_snapshot *snapshot,
		     const struct lai_socket_fact *socket)
{
	size_t count;
	const struct lai_holder *holders = lai_show_holders(snapshot, socket, &count);

	if (count > 0)
		key->parts[0] = holders->pid;
	return count > 0;
}

static bool make_comm(struct key *key, const struct lai_snapshot *snapshot,
		      const struct lai_socket_fact *socket)
{
	size_t count;
	const struct lai_holder *holders = lai_show_holders(snapshot, socket, &count);
	const struct lai_process *process =
		count ? lai_snapshot_process(snapshot, (pid_t)holders->pid) : NULL;
	uint8_t bytes[16] = {0};

	if (!process)
		return false;
	memcpy(bytes, process->comm, strnlen(process->comm, sizeof(bytes)));
	key->parts[0] = big_endian(bytes);
	key->parts[1] = big_endian(bytes + 8);
	key->parts[2] = holders->pid;
	return true;
}

static const struct lai_list_order orders[] = {
	{"state", make_state},	 {"age", make_age},	{"recv-q", make_recv_q},
	{"send-q", make_send_q}, {"local", make_local}, {"remote", make_remote},
	{"pid", make_pid},	 {"comm", make_comm},
};

#define ORDER_COUNT (sizeof(orders) / sizeof(orders[0]))

static char *refusal(const char *name)
{
	struct lai_text sentence = LAI_TEXT_INIT(LAI_OPTION_SENTENCE_MAX);
	const char *names[ORDER_COUNT];
	char *stolen = NULL;

	for (size_t i = 0; i < ORDER_COUNT; i++)
		names[i] = orders[i].name;
	lai_option_refuse_name(&sentence, "--sort [-]KEY", names, ORDER_COUNT, name);
	(void)lai_text_steal(&sentence, &stolen);
	lai_text_done(&sentence);
	return stolen;
}

int lai_list_sort_read(const char *text, struct lai_list_sort *sort, char **error)
{
	const char *name = text + (*text == '-');

	for (size_t i = 0; i < ORDER_COUNT; i++) {
		if (strcmp(name, orders[i].name) != 0)
			continue;
		*sort = (struct lai_list_sort){.order = &orders[i], .descending = name != text};
		return 0;
	}
	*error = refusal(name);
	return -EINVAL;
}

static int key_compare(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->missing != y->missing)
		return x->missing ? 1 : -1;
	for (size_t i = 0; i < 3; i++)
		if (x->parts[i] != y->parts[i])
			return x->parts[i] < y->parts[i] ? -1 : 1;
	return x->socket < y->socket ? -1 : x->socket > y->socket;
}

int lai_list_sort_apply(const struct lai_list_sort *sort, const struct lai_snapshot *snapshot,
			uint32_t *sockets, size_t count)
{
	struct key *keys;

	if (!sort->order || count == 0)
		return 0;
	keys = calloc(count, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct key *key = &keys[i];

		key->socket = sockets[i];
		key->missing = !sort->order->make(key, snapshot, &snapshot->sockets[sockets[i]]);
		for (size_t j = 0; sort->descending && j < 3; j++)
			key->parts[j] = ~key->parts[j];
	}
	qsort(keys, count, sizeof(*keys), key_compare);
	for (size_t i = 0; i < count; i++)
		sockets[i] = keys[i].socket;
	free(keys);
	return 0;
}
