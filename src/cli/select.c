/* SPDX-License-Identifier: MIT */
/* select.c - is a socket among those that were asked for? */
#include "cli/select_inside.h"

#include "judge/age.h"
#include "observe/sockdiag.h"
#include "show/show_socket.h"

#include <fnmatch.h>

/* TASK_COMM_LEN less its NUL: the kernel cuts names of programs here. */
#define COMM_CUT 15
/* How much of a container's id its name in a snapshot tells at least. */
#define CONTAINER_ID_MIN 12
#define MAPPED_BITS 96 /* of ::ffff:0:0/96, below which IPv4 addresses are mapped */

uint32_t lai_select_state_mask(const struct lai_select *select)
{
	return select->state_mask;
}

static bool ports_match(const struct ports *ports, uint16_t port)
{
	for (size_t i = 0; i < ports->count; i++)
		if (port >= ports->list[i].first && port <= ports->list[i].last)
			return true;
	return false;
}

static bool ports_let(const struct lai_select *select, const struct lai_socket_fact *socket)
{
	uint16_t local = lai_address_port(&socket->local);
	uint16_t remote = lai_address_port(&socket->remote);

	if (select->ports.count && !ports_match(&select->ports, local) &&
	    !ports_match(&select->ports, remote))
		return false;
	if (select->local_ports.count && !ports_match(&select->local_ports, local))
		return false;
	return select->remote_ports.count == 0 || ports_match(&select->remote_ports, remote);
}

/* "::/0" is all of IPv6 and nothing of IPv4, mapped or not. */
static bool prefix_matches(const struct prefix *prefix, const struct lai_address *address)
{
	unsigned bytes = prefix->bits / 8, rest = prefix->bits % 8;
	struct in6_addr wide;

	if (!lai_select_widen(address, &wide))
		return false;
	if (prefix->bits < MAPPED_BITS && IN6_IS_ADDR_V4MAPPED(&wide))
		return false;
	if (prefix->scope && prefix->scope != address->v6.sin6_scope_id)
		return false;
	if (memcmp(wide.s6_addr, prefix->address.s6_addr, bytes) != 0)
		return false;
	return rest == 0 ||
	       ((wide.s6_addr[bytes] ^ prefix->address.s6_addr[bytes]) >> (8 - rest)) == 0;
}

static bool addresses_let(const struct lai_select *select, const struct lai_socket_fact *socket)
{
	for (size_t i = 0; i < select->prefixes.count; i++)
		if (prefix_matches(&select->prefixes.list[i], &socket->local) ||
		    prefix_matches(&select->prefixes.list[i], &socket->remote))
			return true;
	return select->prefixes.count == 0;
}

/* A program that listens on [::] serves IPv4 by sockets of IPv6: what counts is what its peer
   speaks. What is gone and has no address is of neither. */
static bool family_lets(const struct lai_select *select, const struct lai_socket_fact *socket)
{
	struct in6_addr wide;

	if (select->ipv4 && select->ipv6)
		return true;
	if (!lai_select_widen(&socket->local, &wide))
		return false;
	return IN6_IS_ADDR_V4MAPPED(&wide) ? select->ipv4 : select->ipv6;
}

static bool age_lets(const struct lai_select *select, const struct lai_socket_fact *socket)
{
	uint64_t age_ms = 0;

	return select->min_age_ms == 0 ||
	       (lai_age_of(socket, &age_ms) != LAI_AGE_UNKNOWN && age_ms >= select->min_age_ms);
}

/* A name longer than the kernel keeps is known by its beginning. */
static bool command_matches(const char *pattern, const char *comm)
{
	size_t length = strlen(pattern);

	if (fnmatch(pattern, comm, 0) == 0)
		return true;
	return length > COMM_CUT && strlen(comm) == COMM_CUT &&
	       strcspn(pattern, "*?[\\") == length && memcmp(pattern, comm, COMM_CUT) == 0;
}

/* "docker:0123456789ab" by all of it, by the id, by its beginning, by an id that is longer. */
static bool container_matches(const char *wanted, const char *container)
{
	const char *colon = strchr(container, ':');
	const char *id = colon ? colon + 1 : container;
	size_t length = strlen(id);

	if (*container == '\0' || *wanted == '\0')
		return false;
	if (strncmp(wanted, container, strlen(wanted)) == 0 ||
	    strncmp(wanted, id, strlen(wanted)) == 0)
		return true;
	return length >= CONTAINER_ID_MIN && strncmp(wanted, id, length) == 0;
}

static bool cgroup_matches(const char *wanted, const char *cgroup)
{
	return cgroup && strncmp(cgroup + (wanted[0] != '/' && cgroup[0] == '/'), wanted,
				 strlen(wanted)) == 0;
}

static bool commands_let(const struct lai_select *select, const struct lai_process *process)
{
	for (size_t i = 0; process && i < select->commands.count; i++)
		if (command_matches(select->commands.list[i], process->comm))
			return true;
	return select->commands.count == 0;
}

static bool containers_let(const struct lai_select *select, const struct lai_process *process)
{
	for (size_t i = 0; process && i < select->containers.count; i++)
		if (container_matches(select->containers.list[i], process->container))
			return true;
	return select->containers.count == 0;
}

static bool cgroups_let(const struct lai_select *select, const struct lai_process *process)
{
	for (size_t i = 0; process && i < select->cgroups->count; i++)
		if (cgroup_matches(select->cgroups->texts[i], process->cgroup))
			return true;
	return select->cgroups->count == 0;
}

static bool pids_let(const struct lai_select *select, uint32_t pid)
{
	for (size_t i = 0; i < select->pids.count; i++)
		if (select->pids.list[i] == pid)
			return true;
	return select->pids.count == 0;
}

bool lai_select_holder(const struct lai_select *select, const struct lai_snapshot *snapshot,
		       const struct lai_holder *holder)
{
	const struct lai_process *process;

	if (!pids_let(select, holder->pid))
		return false;
	if (select->commands.count + select->containers.count + select->cgroups->count == 0)
		return true;
	process = lai_snapshot_process(snapshot, (pid_t)holder->pid);
	return commands_let(select, process) && containers_let(select, process) &&
	       cgroups_let(select, process);
}

static bool holders_let(const struct lai_select *select, const struct lai_snapshot *snapshot,
			const struct lai_socket_fact *socket)
{
	const struct lai_holder *holders;
	size_t count;

	if (select->pids.count + select->commands.count + select->containers.count +
		    select->cgroups->count ==
	    0)
		return true;
	holders = lai_show_holders(snapshot, socket, &count);
	for (size_t i = 0; i < count; i++)
		if (lai_select_holder(select, snapshot, &holders[i]))
			return true;
	return false;
}

bool lai_select_socket(const struct lai_select *select, const struct lai_snapshot *snapshot,
		       uint32_t socket)
{
	const struct lai_socket_fact *fact = &snapshot->sockets[socket];

	return (select->state_mask & LAI_SOCKDIAG_STATE(fact->state)) &&
	       family_lets(select, fact) && ports_let(select, fact) &&
	       addresses_let(select, fact) && age_lets(select, fact) &&
	       holders_let(select, snapshot, fact);
}
