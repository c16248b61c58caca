/* SPDX-License-Identifier: MIT */
/* show_socket.c - one function per column. */
#include "show/show_socket.h"

#include <string.h>

/* What is mostly 0 has a heading as narrow as that, if need be. */
#define BRIEF(id)                                                                                  \
	(LAI_SOCKET_COLUMN_##id == LAI_SOCKET_COLUMN_RECV_Q   ? "rq"                               \
	 : LAI_SOCKET_COLUMN_##id == LAI_SOCKET_COLUMN_SEND_Q ? "sq"                               \
							      : NULL)
#define COLUMN(id, title, aligned, left_out, text)                                                 \
	[LAI_SOCKET_COLUMN_##id] = {.name = title,                                                 \
				    .brief = BRIEF(id),                                            \
				    .right = aligned,                                              \
				    .spare = left_out,                                             \
				    .wrap = LAI_SOCKET_COLUMN_##id == LAI_SOCKET_COLUMN_OWNERS},
#define HELP(id, title, aligned, left_out, text) [LAI_SOCKET_COLUMN_##id] = text,

const struct lai_column lai_socket_columns[LAI_SOCKET_COLUMN_COUNT] = {LAI_SOCKET_COLUMNS(COLUMN)};
const char *const lai_socket_column_help[LAI_SOCKET_COLUMN_COUNT] = {LAI_SOCKET_COLUMNS(HELP)};

typedef void cell_maker(struct lai_text *text, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket);

static void append(struct lai_text *text, const char *string)
{
	lai_text_append_bytes(text, string, strlen(string));
}

static void make_state(struct lai_text *text, const struct lai_snapshot *snapshot,
		       const struct lai_socket_fact *socket)
{
	(void)snapshot;
	append(text, la_tcp_state_name(socket->state));
}

static void make_recv_q(struct lai_text *text, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket)
{
	(void)snapshot;
	lai_show_number(text, socket->rqueue_bytes);
}

static void make_send_q(struct lai_text *text, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket)
{
	(void)snapshot;
	lai_show_number(text, socket->wqueue_bytes);
}

static void make_local(struct lai_text *text, const struct lai_snapshot *snapshot,
		       const struct lai_socket_fact *socket)
{
	(void)snapshot;
	lai_show_address(text, &socket->local);
}

static void make_remote(struct lai_text *text, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket)
{
	(void)snapshot;
	lai_show_address(text, &socket->remote);
}

static void make_age(struct lai_text *text, const struct lai_snapshot *snapshot,
		     const struct lai_socket_fact *socket)
{
	uint64_t age_ms;
	enum lai_age_kind kind = lai_age_of(socket, &age_ms);

	(void)snapshot;
	if (kind == LAI_AGE_UNKNOWN)
		return;
	if (kind == LAI_AGE_LOWER_BOUND)
		append(text, ">=");
	lai_show_duration(text, age_ms);
}

static void make_age_s(struct lai_text *text, const struct lai_snapshot *snapshot,
		       const struct lai_socket_fact *socket)
{
	uint64_t age_ms;

	(void)snapshot;
	if (lai_age_of(socket, &age_ms) != LAI_AGE_UNKNOWN)
		lai_show_seconds(text, age_ms);
}

static void make_age_is(struct lai_text *text, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket)
{
	uint64_t age_ms;

	(void)snapshot;
	append(text, lai_age_kind_name(lai_age_of(socket, &age_ms)));
}

const char *lai_show_timer_name(const struct lai_socket_fact *socket)
{
	static const char *const names[LAI_TIMER_COUNT] = {
		[LAI_TIMER_RETRANSMIT] = "retransmit",
		[LAI_TIMER_KEEPALIVE] = "keepalive",
		[LAI_TIMER_TIME_WAIT] = "time-wait",
		[LAI_TIMER_PROBE] = "probe",
	};

	/* The kernel uses either of two timers to end a FIN_WAIT2 that nobody holds. */
	if (socket->state == LAI_TCP_FIN_WAIT2 && socket->inode == 0 &&
	    (socket->timer == LAI_TIMER_KEEPALIVE || socket->timer == LAI_TIMER_TIME_WAIT))
		return "fin-timeout";
	return socket->timer < LAI_TIMER_COUNT ? names[socket->timer] : NULL;
}

/* "retransmit 3.2s x5" */
static void make_timer(struct lai_text *text, const struct lai_snapshot *snapshot,
		       const struct lai_socket_fact *socket)
{
	const char *name = lai_show_timer_name(socket);

	(void)snapshot;
	if (!name)
		return;
	append(text, name);
	append(text, " ");
	lai_show_duration(text, socket->timer_ms);
	if (socket->retransmits > 0)
		lai_show_number_after(text, " x", socket->retransmits);
}

static void make_namespace(struct lai_text *text, const struct lai_snapshot *snapshot,
			   const struct lai_socket_fact *socket)
{
	if (socket->namespace_index < snapshot->namespace_count)
		lai_show_netns(text, &snapshot->namespaces[socket->namespace_index]);
}

static const struct lai_process *first_owner(const struct lai_snapshot *snapshot,
					     const struct lai_socket_fact *socket)
{
	size_t count;
	const struct lai_holder *holders = lai_show_holders(snapshot, socket, &count);

	return count ? lai_snapshot_process(snapshot, (pid_t)holders->pid) : NULL;
}

static void make_container(struct lai_text *text, const struct lai_snapshot *snapshot,
			   const struct lai_socket_fact *socket)
{
	const struct lai_process *owner = first_owner(snapshot, socket);

	if (owner)
		lai_show_foreign(text, owner->container);
}

static void make_cgroup(struct lai_text *text, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket)
{
	const struct lai_process *owner = first_owner(snapshot, socket);

	if (owner && owner->cgroup)
		lai_show_foreign(text, owner->cgroup);
}

static void make_pid(struct lai_text *text, const struct lai_snapshot *snapshot,
		     const struct lai_socket_fact *socket)
{
	size_t count;
	const struct lai_holder *holders = lai_show_holders(snapshot, socket, &count);

	for (size_t i = 0; i < count; i++) {
		if (i > 0 && holders[i].pid == holders[i - 1].pid)
			continue;
		lai_show_number_after(text, i > 0 ? "," : "", holders[i].pid);
	}
}

static void make_comm(struct lai_text *text, const struct lai_snapshot *snapshot,
		      const struct lai_socket_fact *socket)
{
	size_t count;
	const struct lai_holder *holders = lai_show_holders(snapshot, socket, &count);

	for (size_t i = 0; i < count; i++) {
		const struct lai_process *process;

		if (i > 0 && holders[i].pid == holders[i - 1].pid)
			continue;
		if (i > 0)
			append(text, ",");
		process = lai_snapshot_process(snapshot, (pid_t)holders[i].pid);
		lai_show_foreign(text, process ? process->comm : "?");
	}
}

static void make_uid(struct lai_text *text, const struct lai_snapshot *snapshot,
		     const struct lai_socket_fact *socket)
{
	(void)snapshot;
	if (socket->inode != 0) /* otherwise the kernel says 0, whoever it was */
		lai_show_number(text, socket->uid);
}

static void make_inode(struct lai_text *text, const struct lai_snapshot *snapshot,
		       const struct lai_socket_fact *socket)
{
	(void)snapshot;
	if (socket->inode != 0)
		lai_show_number(text, socket->inode);
}

static void make_cookie(struct lai_text *text, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket)
{
	(void)snapshot;
	if (socket->cookie != 0)
		lai_show_number(text, socket->cookie);
}

static void make_sent(struct lai_text *text, const struct lai_snapshot *snapshot,
		      const struct lai_socket_fact *socket)
{
	(void)snapshot;
	if (socket->has_info)
		lai_show_number(text, socket->sent_bytes);
}

static void make_acked(struct lai_text *text, const struct lai_snapshot *snapshot,
		       const struct lai_socket_fact *socket)
{
	(void)snapshot;
	if (socket->has_info)
		lai_show_number(text, socket->acked_bytes);
}

static void make_received(struct lai_text *text, const struct lai_snapshot *snapshot,
			  const struct lai_socket_fact *socket)
{
	(void)snapshot;
	if (socket->has_info)
		lai_show_number(text, socket->received_bytes);
}

static void make_last_sent(struct lai_text *text, const struct lai_snapshot *snapshot,
			   const struct lai_socket_fact *socket)
{
	(void)snapshot;
	if (socket->has_info && socket->state != LAI_TCP_LISTEN)
		lai_show_duration(text, socket->sent_age_ms);
}

static void make_last_received(struct lai_text *text, const struct lai_snapshot *snapshot,
			       const struct lai_socket_fact *socket)
{
	(void)snapshot;
	if (socket->has_info && socket->state != LAI_TCP_LISTEN)
		lai_show_duration(text, socket->received_age_ms);
}

static void make_last_ack(struct lai_text *text, const struct lai_snapshot *snapshot,
			  const struct lai_socket_fact *socket)
{
	(void)snapshot;
	if (socket->has_info && socket->state != LAI_TCP_LISTEN)
		lai_show_duration(text, socket->ack_age_ms);
}

/* Round trips of a local network are far below a millisecond. */
static void make_rtt(struct lai_text *text, const struct lai_snapshot *snapshot,
		     const struct lai_socket_fact *socket)
{
	(void)snapshot;
	if (!socket->has_info || socket->rtt_us == 0)
		return;
	if (socket->rtt_us < 10000) {
		lai_show_number(text, socket->rtt_us);
		append(text, "us");
	} else {
		lai_show_duration(text, socket->rtt_us / 1000);
	}
}

static void make_retransmits(struct lai_text *text, const struct lai_snapshot *snapshot,
			     const struct lai_socket_fact *socket)
{
	(void)snapshot;
	lai_show_number(text, socket->retransmits);
}

static void make_memory(struct lai_text *text, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket)
{
	(void)snapshot;
	if (socket->has_info)
		lai_show_number(text, socket->memory_bytes);
}

static cell_maker *const makers[LAI_SOCKET_COLUMN_COUNT] = {
	[LAI_SOCKET_COLUMN_STATE] = make_state,
	[LAI_SOCKET_COLUMN_RECV_Q] = make_recv_q,
	[LAI_SOCKET_COLUMN_SEND_Q] = make_send_q,
	[LAI_SOCKET_COLUMN_LOCAL] = make_local,
	[LAI_SOCKET_COLUMN_REMOTE] = make_remote,
	[LAI_SOCKET_COLUMN_AGE] = make_age,
	[LAI_SOCKET_COLUMN_AGE_S] = make_age_s,
	[LAI_SOCKET_COLUMN_AGE_IS] = make_age_is,
	[LAI_SOCKET_COLUMN_TIMER] = make_timer,
	[LAI_SOCKET_COLUMN_NAMESPACE] = make_namespace,
	[LAI_SOCKET_COLUMN_CONTAINER] = make_container,
	[LAI_SOCKET_COLUMN_CGROUP] = make_cgroup,
	[LAI_SOCKET_COLUMN_PID] = make_pid,
	[LAI_SOCKET_COLUMN_COMM] = make_comm,
	[LAI_SOCKET_COLUMN_UID] = make_uid,
	[LAI_SOCKET_COLUMN_INODE] = make_inode,
	[LAI_SOCKET_COLUMN_COOKIE] = make_cookie,
	[LAI_SOCKET_COLUMN_SENT] = make_sent,
	[LAI_SOCKET_COLUMN_ACKED] = make_acked,
	[LAI_SOCKET_COLUMN_RECEIVED] = make_received,
	[LAI_SOCKET_COLUMN_LAST_SENT] = make_last_sent,
	[LAI_SOCKET_COLUMN_LAST_RECEIVED] = make_last_received,
	[LAI_SOCKET_COLUMN_LAST_ACK] = make_last_ack,
	[LAI_SOCKET_COLUMN_RTT] = make_rtt,
	[LAI_SOCKET_COLUMN_RETRANSMITS] = make_retransmits,
	[LAI_SOCKET_COLUMN_MEMORY] = make_memory,
	[LAI_SOCKET_COLUMN_OWNERS] = lai_show_socket_owners,
};

void lai_show_socket_cell(struct lai_text *text, enum lai_socket_column column,
			  const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket)
{
	makers[column](text, snapshot, socket);
}
