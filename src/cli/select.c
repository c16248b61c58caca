/* SPDX-License-Identifier: MIT */
/* select.c - the options' texts are read into values once, so that the test of a socket is cheap. */
#include "cli/select.h"

#include "base/time.h"
#include "cli/option_inside.h"
#include "judge/age.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* Longest item of a list; more than any address, port or state takes. */
#define ITEM_MAX 256
#define SENTENCE_MAX 1024
/* TASK_COMM_LEN less its NUL: the kernel cuts names of programs here. */
#define COMM_CUT 15
/* How much of a container's id its name in a snapshot tells at least. */
#define CONTAINER_ID_MIN 12

#define MAPPED_BITS 96 /* of ::ffff:0:0/96, below which IPv4 addresses are mapped */

/* Addresses are compared as IPv6; IPv4 as it is mapped into that. */
struct prefix {
	struct in6_addr address;
	unsigned bits;
	uint32_t scope; /* 0: any */
};

struct port_range {
	uint16_t first, last;
};

struct texts {
	char **list;
	size_t count;
};

struct ports {
	struct port_range *list;
	size_t count;
};

struct lai_select {
	uint32_t state_mask;
	struct {
		uint32_t *list;
		size_t count;
	} pids;
	struct texts commands, containers;
	const struct lai_option_list *cgroups; /* the settings' */
	struct ports ports, local_ports, remote_ports;
	struct {
		struct prefix *list;
		size_t count;
	} prefixes;
	uint64_t min_age_ms;
	struct lai_text error; /* while the texts are read */
};

/* ---- reading ------------------------------------------------------------------------------ */

/* Room for one more in an array that belongs to select; -ENOMEM. */
#define GROW(array)                                                                                \
	({                                                                                         \
		void *grown_ =                                                                     \
			reallocarray((array).list, (array).count + 1, sizeof(*(array).list));      \
		if (grown_)                                                                        \
			(array).list = grown_;                                                     \
		grown_ ? 0 : -ENOMEM;                                                              \
	})

static int refuse(struct lai_select *select, const char *option, const char *accepted,
		  const char *item)
{
	lai_text_append(&select->error, "%s needs %s, not ", option, accepted);
	lai_option_echo(&select->error, item, strlen(item));
	return -EINVAL;
}

static int read_state(struct lai_select *select, const char *item)
{
	const char *nearest = NULL;
	uint32_t mask;

	if (lai_select_state_read(item, &mask, &nearest) == 0) {
		select->state_mask |= mask;
		return 0;
	}
	(void)refuse(select, "--state",
		     "established, syn-sent, syn-recv, fin-wait-1, fin-wait-2, time-wait, "
		     "close-wait, last-ack, closing, listen, closed, bound, all, connected or "
		     "all-but-STATE",
		     item);
	if (nearest)
		lai_text_append(&select->error, "; did you mean '%s'?", nearest);
	return -EINVAL;
}

/* A decimal number from 1 to max that ends at the character end. */
static bool read_number(const char *text, char end, uint32_t max, uint32_t *number)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long long value;

	if (digits == 0 || digits > 10 || text[digits] != end)
		return false;
	value = strtoull(text, NULL, 10);
	if (value == 0 || value > max)
		return false;
	*number = (uint32_t)value;
	return true;
}

static int read_pid(struct lai_select *select, const char *item)
{
	uint32_t pid;

	if (!read_number(item, '\0', INT32_MAX, &pid))
		return refuse(select, "--pid", "the number of a process such as 1234", item);
	if (GROW(select->pids) != 0)
		return -ENOMEM;
	select->pids.list[select->pids.count++] = pid;
	return 0;
}

static int read_ports(struct lai_select *select, struct ports *ports, const char *option,
		      const char *item)
{
	const char *dash = strchr(item, '-');
	uint32_t first, last;

	if (!read_number(item, dash ? '-' : '\0', UINT16_MAX, &first))
		first = 0;
	last = first;
	if (dash && !read_number(dash + 1, '\0', UINT16_MAX, &last))
		first = 0;
	if (first == 0 || first > last)
		return refuse(select, option,
			      "a port number from 1 to 65535 or a range such as 8000-8099", item);
	if (GROW(*ports) != 0)
		return -ENOMEM;
	ports->list[ports->count++] = (struct port_range){(uint16_t)first, (uint16_t)last};
	return 0;
}

static int read_port(struct lai_select *select, const char *item)
{
	return read_ports(select, &select->ports, "--port", item);
}

static int read_local_port(struct lai_select *select, const char *item)
{
	return read_ports(select, &select->local_ports, "--local-port", item);
}

static int read_remote_port(struct lai_select *select, const char *item)
{
	return read_ports(select, &select->remote_ports, "--remote-port", item);
}

/* As IPv6; false: there is no address. */
static bool widen(const struct lai_address *address, struct in6_addr *wide)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	switch (lai_address_family(address)) {
	case AF_INET:
		memcpy(wide->s6_addr, mapped, sizeof(mapped));
		memcpy(wide->s6_addr + sizeof(mapped), &address->v4.sin_addr, 4);
		return true;
	case AF_INET6: *wide = address->v6.sin6_addr; return true;
	default: return false;
	}
}

/* "192.0.2.0/24", "2001:db8::/32", "[::1]", "fe80::1%eth0" */
static bool read_prefix(const char *item, struct prefix *prefix)
{
	const char *slash = strchr(item, '/');
	size_t length = slash ? (size_t)(slash - item) : strlen(item);
	struct lai_address address;
	char host[ITEM_MAX];
	unsigned bits_max;
	uint32_t bits;

	if (length >= 2 && item[0] == '[' && item[length - 1] == ']') {
		item++;
		length -= 2;
	}
	memcpy(host, item, length);
	host[length] = '\0';
	if (lai_address_parse(host, 0, &address) != 0 || !widen(&address, &prefix->address))
		return false;
	bits_max = lai_address_family(&address) == AF_INET ? 32 : 128;
	bits = bits_max;
	if (slash && strcmp(slash, "/0") == 0)
		bits = 0;
	else if (slash && !read_number(slash + 1, '\0', bits_max, &bits))
		return false;
	prefix->bits = bits + 128 - bits_max;
	prefix->scope = bits_max == 128 ? address.v6.sin6_scope_id : 0;
	return true;
}

static int read_address(struct lai_select *select, const char *item)
{
	struct prefix prefix;

	if (!read_prefix(item, &prefix))
		return refuse(select, "--address",
			      "a numeric address such as 192.0.2.1 or 2001:db8::1, or a prefix "
			      "such as 10.0.0.0/8",
			      item);
	if (GROW(select->prefixes) != 0)
		return -ENOMEM;
	select->prefixes.list[select->prefixes.count++] = prefix;
	return 0;
}

static int keep_text(struct texts *texts, const char *item)
{
	char *copy = strdup(item);

	if (!copy || GROW(*texts) != 0) {
		free(copy);
		return -ENOMEM;
	}
	texts->list[texts->count++] = copy;
	return 0;
}

static int read_command(struct lai_select *select, const char *item)
{
	return keep_text(&select->commands, item);
}

static int read_container(struct lai_select *select, const char *item)
{
	return keep_text(&select->containers, item);
}

/* Each item of one text, which are separated by commas. */
static int read_items(struct lai_select *select, const char *text,
		      int (*read)(struct lai_select *select, const char *item))
{
	int error = 0;

	while (error == 0) {
		size_t length = strcspn(text, ",");
		char item[ITEM_MAX];

		/* One that is too long is cut, and nothing that long is right. */
		if (length >= sizeof(item))
			length = sizeof(item) - 1;
		memcpy(item, text, length);
		item[length] = '\0';
		error = read(select, item);
		text += strcspn(text, ",");
		if (*text++ == '\0')
			break;
	}
	return error;
}

static int read_all(struct lai_select *select, const struct lai_select_settings *settings)
{
	const struct {
		const struct lai_option_list *list;
		int (*read)(struct lai_select *select, const char *item);
	} lists[] = {
		{&settings->states, read_state},
		{&settings->pids, read_pid},
		{&settings->commands, read_command},
		{&settings->ports, read_port},
		{&settings->local_ports, read_local_port},
		{&settings->remote_ports, read_remote_port},
		{&settings->addresses, read_address},
		{&settings->containers, read_container},
	};
	int error = 0;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (size_t j = 0; j < lists[i].list->count && !error; j++)
			error = read_items(select, lists[i].list->texts[j], lists[i].read);
	if (error)
		return error;
	if (settings->min_age_ns == LA_NEVER)
		return refuse(select, "--min-age", "a time such as 30s, 5m or 2h", "never");
	select->min_age_ms = settings->min_age_ns / LAI_MS;
	if (settings->states.count == 0)
		select->state_mask = LAI_SOCKDIAG_ALL;
	return 0;
}

int lai_select_new(const struct lai_select_settings *settings, struct lai_select **select,
		   char **error)
{
	struct lai_select *made = calloc(1, sizeof(*made));
	char *sentence = NULL;
	int result;

	if (!made) {
		*error = NULL;
		return -ENOMEM;
	}
	lai_text_init(&made->error, SENTENCE_MAX);
	made->cgroups = &settings->cgroups;
	result = read_all(made, settings);
	if (result == 0) {
		*select = made;
		return 0;
	}
	if (result == -EINVAL && lai_text_steal(&made->error, &sentence) != 0)
		result = -ENOMEM;
	*error = sentence;
	lai_select_free(made);
	return result;
}

static void texts_free(struct texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->list[i]);
	free(texts->list);
}

void lai_select_free(struct lai_select *select)
{
	if (!select)
		return;
	free(select->pids.list);
	texts_free(&select->commands);
	texts_free(&select->containers);
	free(select->ports.list);
	free(select->local_ports.list);
	free(select->remote_ports.list);
	free(select->prefixes.list);
	lai_text_done(&select->error);
	free(select);
}

/* ---- the test ----------------------------------------------------------------------------- */

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

	if (!widen(address, &wide))
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
	if (select->pids.count + select->commands.count + select->containers.count +
		    select->cgroups->count ==
	    0)
		return true;
	if (socket->holder_count == 0 && socket->listener != LAI_NO_INDEX)
		socket = &snapshot->sockets[socket->listener];
	for (uint32_t i = 0; i < socket->holder_count; i++)
		if (lai_select_holder(select, snapshot,
				      &snapshot->holders[socket->holder_first + i]))
			return true;
	return false;
}

bool lai_select_socket(const struct lai_select *select, const struct lai_snapshot *snapshot,
		       uint32_t socket)
{
	const struct lai_socket_fact *fact = &snapshot->sockets[socket];

	return (select->state_mask & LAI_SOCKDIAG_STATE(fact->state)) && ports_let(select, fact) &&
	       addresses_let(select, fact) && age_lets(select, fact) &&
	       holders_let(select, snapshot, fact);
}
