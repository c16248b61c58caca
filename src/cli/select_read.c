/* SPDX-License-Identifier: MIT */
/* select_read.c - the texts of the options are read into values once. */
#include "cli/select_inside.h"

#include "base/time.h"
#include "observe/sockdiag.h"

#include <errno.h>
#include <stdlib.h>

/* "fe80::1%4294967295" and the like: no host that is longer is an address. */
#define HOST_MAX 256

struct reader {
	struct lai_select *select;
	struct lai_text error;
};

/* Room for one more in an array that belongs to select; -ENOMEM. */
#define GROW(array)                                                                                \
	({                                                                                         \
		void *grown_ =                                                                     \
			reallocarray((array).list, (array).count + 1, sizeof(*(array).list));      \
		if (grown_)                                                                        \
			(array).list = grown_;                                                     \
		grown_ ? 0 : -ENOMEM;                                                              \
	})

static int refuse(struct reader *reader, const char *option, const char *accepted, const char *item)
{
	lai_option_refuse(&reader->error, option, accepted, item);
	return -EINVAL;
}

static int read_state(void *arg, const char *item)
{
	struct reader *reader = arg;
	const char *nearest = NULL;
	uint32_t mask;

	if (lai_select_state_read(item, &mask, &nearest) == 0) {
		reader->select->state_mask |= mask;
		return 0;
	}
	(void)refuse(reader, "--state",
		     "established, syn-sent, syn-recv, fin-wait-1, fin-wait-2, time-wait, "
		     "close-wait, last-ack, closing, listen, closed, bound, all, connected or "
		     "all-but-STATE",
		     item);
	if (nearest)
		lai_text_append(&reader->error, "; did you mean '%s'?", nearest);
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

static int read_pid(void *arg, const char *item)
{
	struct reader *reader = arg;
	uint32_t pid;

	if (!read_number(item, '\0', INT32_MAX, &pid))
		return refuse(reader, "--pid", "the number of a process such as 1234", item);
	if (GROW(reader->select->pids) != 0)
		return -ENOMEM;
	reader->select->pids.list[reader->select->pids.count++] = pid;
	return 0;
}

static int read_ports(struct reader *reader, struct ports *ports, const char *option,
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
		return refuse(reader, option,
			      "a port number from 1 to 65535 or a range such as 8000-8099", item);
	if (GROW(*ports) != 0)
		return -ENOMEM;
	ports->list[ports->count++] = (struct port_range){(uint16_t)first, (uint16_t)last};
	return 0;
}

static int read_port(void *arg, const char *item)
{
	struct reader *reader = arg;

	return read_ports(reader, &reader->select->ports, "--port", item);
}

static int read_local_port(void *arg, const char *item)
{
	struct reader *reader = arg;

	return read_ports(reader, &reader->select->local_ports, "--local-port", item);
}

static int read_remote_port(void *arg, const char *item)
{
	struct reader *reader = arg;

	return read_ports(reader, &reader->select->remote_ports, "--remote-port", item);
}

/* "192.0.2.0/24", "2001:db8::/32", "[::1]", "fe80::1%eth0" */
static bool read_prefix(const char *item, struct prefix *prefix)
{
	const char *slash = strchr(item, '/');
	size_t length = slash ? (size_t)(slash - item) : strlen(item);
	struct lai_address address;
	char host[HOST_MAX];
	unsigned bits_max;
	uint32_t bits;

	if (length >= 2 && item[0] == '[' && item[length - 1] == ']') {
		item++;
		length -= 2;
	}
	if (length >= sizeof(host))
		return false;
	memcpy(host, item, length);
	host[length] = '\0';
	if (lai_address_parse(host, 0, &address) != 0 ||
	    !lai_select_widen(&address, &prefix->address))
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

static int read_address(void *arg, const char *item)
{
	struct reader *reader = arg;
	struct prefix prefix;

	if (!read_prefix(item, &prefix))
		return refuse(reader, "--address",
			      "a numeric address such as 192.0.2.1 or 2001:db8::1, or a prefix "
			      "such as 10.0.0.0/8",
			      item);
	if (GROW(reader->select->prefixes) != 0)
		return -ENOMEM;
	reader->select->prefixes.list[reader->select->prefixes.count++] = prefix;
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

static int read_command(void *arg, const char *item)
{
	struct reader *reader = arg;

	return keep_text(&reader->select->commands, item);
}

static int read_container(void *arg, const char *item)
{
	struct reader *reader = arg;

	return keep_text(&reader->select->containers, item);
}

static int read_all(struct reader *reader, const struct lai_select_settings *settings)
{
	const struct {
		const struct lai_option_list *list;
		int (*read)(void *arg, const char *item);
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

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !error; i++)
		error = lai_option_list_each(lists[i].list, lists[i].read, reader);
	if (error)
		return error;
	if (settings->min_age_ns == LA_NEVER)
		return refuse(reader, "--min-age", "a time such as 30s, 5m or 2h", "never");
	reader->select->ipv4 = settings->ipv4 || !settings->ipv6;
	reader->select->ipv6 = settings->ipv6 || !settings->ipv4;
	reader->select->min_age_ms = settings->min_age_ns / LAI_MS;
	if (settings->states.count == 0)
		reader->select->state_mask = LAI_SOCKDIAG_ALL;
	return 0;
}

int lai_select_new(const struct lai_select_settings *settings, struct lai_select **select,
		   char **error)
{
	struct reader reader = {.select = calloc(1, sizeof(*reader.select))};
	char *sentence = NULL;
	int result;

	if (!reader.select) {
		*error = NULL;
		return -ENOMEM;
	}
	lai_text_init(&reader.error, LAI_OPTION_SENTENCE_MAX);
	reader.select->cgroups = &settings->cgroups;
	result = read_all(&reader, settings);
	if (result == -EINVAL && lai_text_steal(&reader.error, &sentence) != 0)
		result = -ENOMEM;
	lai_text_done(&reader.error);
	if (result == 0) {
		*select = reader.select;
		return 0;
	}
	*error = sentence;
	lai_select_free(reader.select);
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
	free(select);
}
