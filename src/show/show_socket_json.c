/* SPDX-License-Identifier: MIT */
/* show_socket_json.c - a socket for programs: every name says its unit, nothing is left out but as
   null. */
#include "show/show_socket.h"

#include "base/text.h"

#include <errno.h>

/* "[ffff:...%4294967295]:65535" and its NUL fit. */
#define ADDRESS_MAX 80

static void address_json(struct lai_json *json, const char *key, const char *host_key,
			 const char *port_key, const struct lai_address *address)
{
	struct lai_text text = LAI_TEXT_INIT(ADDRESS_MAX);

	if (lai_address_family(address) == AF_UNSPEC) {
		lai_json_null(json, key);
		lai_json_null(json, host_key);
		lai_json_null(json, port_key);
		return;
	}
	lai_show_address(&text, address);
	lai_json_string(json, key, lai_text_string(&text));
	lai_text_done(&text);
	lai_show_host(&text, address);
	lai_json_string(json, host_key, lai_text_string(&text));
	lai_text_done(&text);
	lai_json_u64(json, port_key, lai_address_port(address));
}

static void u64_or_null(struct lai_json *json, const char *key, bool known, uint64_t value)
{
	if (known)
		lai_json_u64(json, key, value);
	else
		lai_json_null(json, key);
}

/* The same two numbers of the kernel mean something else of a listener. */
static void queues_json(struct lai_json *json, const struct lai_socket_fact *socket)
{
	bool listens = socket->state == LAI_TCP_LISTEN;

	u64_or_null(json, "recv_q_bytes", !listens, socket->rqueue_bytes);
	u64_or_null(json, "send_q_bytes", !listens, socket->wqueue_bytes);
	u64_or_null(json, "waiting_connections", listens, socket->rqueue_bytes);
	u64_or_null(json, "backlog", listens, socket->wqueue_bytes);
}

static void age_json(struct lai_json *json, const struct lai_socket_fact *socket)
{
	uint64_t age_ms = 0;
	enum lai_age_kind kind = lai_age_of(socket, &age_ms);

	if (kind == LAI_AGE_UNKNOWN)
		lai_json_null(json, "age_s");
	else
		lai_json_double(json, "age_s", (double)age_ms / 1e3);
	lai_json_string(json, "age_is", lai_age_kind_name(kind));
}

static void timer_json(struct lai_json *json, const struct lai_socket_fact *socket)
{
	const char *name = lai_show_timer_name(socket);

	lai_json_string(json, "timer", name);
	u64_or_null(json, "timer_ms", name != NULL, socket->timer_ms);
	lai_json_u64(json, "retransmits", socket->retransmits);
}

static void info_json(struct lai_json *json, const struct lai_socket_fact *socket)
{
	bool known = socket->has_info && socket->state != LAI_TCP_LISTEN;

	u64_or_null(json, "sent_bytes", known, socket->sent_bytes);
	u64_or_null(json, "acked_bytes", known, socket->acked_bytes);
	u64_or_null(json, "received_bytes", known, socket->received_bytes);
	u64_or_null(json, "last_sent_ms", known, socket->sent_age_ms);
	u64_or_null(json, "last_received_ms", known, socket->received_age_ms);
	u64_or_null(json, "last_ack_ms", known, socket->ack_age_ms);
	u64_or_null(json, "rtt_us", known, socket->rtt_us);
	u64_or_null(json, "memory_bytes", known, socket->memory_bytes);
}

static void identity_json(struct lai_json *json, const struct lai_snapshot *snapshot,
			  const struct lai_socket_fact *socket)
{
	lai_json_u64(json, "inode", socket->inode);
	lai_json_u64(json, "cookie", socket->cookie);
	u64_or_null(json, "uid", socket->inode != 0, socket->uid);
	if (socket->namespace_index < snapshot->namespace_count) {
		const struct lai_namespace *name_space =
			&snapshot->namespaces[socket->namespace_index];

		struct lai_text name = LAI_TEXT_INIT(ADDRESS_MAX);

		lai_show_netns(&name, name_space);
		lai_json_string(json, "namespace", lai_text_string(&name));
		lai_json_u64(json, "namespace_inode", name_space->inode);
		lai_text_done(&name);
	}
}

static void owner_json(struct lai_json *json, const struct lai_snapshot *snapshot, uint32_t pid)
{
	const struct lai_process *process = lai_snapshot_process(snapshot, (pid_t)pid);

	lai_json_u64(json, "pid", pid);
	lai_json_string(json, "comm", process ? process->comm : NULL);
	if (!process)
		return;
	lai_json_string(json, "cmdline", process->command_line);
	lai_json_u64(json, "uid", process->uid);
	lai_json_string(json, "cgroup", process->cgroup);
	lai_json_string(json, "container", *process->container ? process->container : NULL);
}

/* Holders are sorted by pid: one object each, with its descriptors. */
static void owners_json(struct lai_json *json, const struct lai_snapshot *snapshot,
			const struct lai_holder *holders, size_t count)
{
	lai_json_array_begin(json, "owners");
	for (size_t i = 0; i < count; i++) {
		lai_json_object_begin(json, NULL);
		owner_json(json, snapshot, holders[i].pid);
		lai_json_array_begin(json, "fds");
		lai_json_u64(json, NULL, holders[i].fd);
		for (; i + 1 < count && holders[i + 1].pid == holders[i].pid; i++)
			lai_json_u64(json, NULL, holders[i + 1].fd);
		lai_json_end(json);
		lai_json_end(json);
	}
	lai_json_end(json);
}

static void listener_json(struct lai_json *json, const struct lai_snapshot *snapshot,
			  const struct lai_socket_fact *listener)
{
	size_t count;
	const struct lai_holder *holders = lai_show_holders(snapshot, listener, &count);

	lai_json_object_begin(json, "listener");
	address_json(json, "local", "local_address", "local_port", &listener->local);
	lai_json_u64(json, "inode", listener->inode);
	lai_json_u64(json, "waiting_connections", listener->rqueue_bytes);
	lai_json_u64(json, "backlog", listener->wqueue_bytes);
	owners_json(json, snapshot, holders, count);
	lai_json_end(json);
}

void lai_show_socket_json(struct lai_json *json, const struct lai_snapshot *snapshot,
			  const struct lai_socket_fact *socket)
{
	enum lai_ownership ownership = lai_show_ownership(snapshot, socket);

	lai_json_string(json, "state", la_tcp_state_name(socket->state));
	address_json(json, "local", "local_address", "local_port", &socket->local);
	address_json(json, "remote", "remote_address", "remote_port", &socket->remote);
	queues_json(json, socket);
	age_json(json, socket);
	timer_json(json, socket);
	info_json(json, socket);
	identity_json(json, snapshot, socket);
	lai_json_string(json, "owned", lai_show_ownership_name(ownership));
	owners_json(json, snapshot,
		    socket->holder_count ? &snapshot->holders[socket->holder_first] : NULL,
		    socket->holder_count);
	if (socket->listener != LAI_NO_INDEX)
		listener_json(json, snapshot, &snapshot->sockets[socket->listener]);
	else
		lai_json_null(json, "listener");
}
