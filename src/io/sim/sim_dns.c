/* SPDX-License-Identifier: MIT */
/* sim_dns.c - names: what the resolver answers, and when. */
#include "io/sim/sim_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_NAME_NS (1 * LAI_MS) /* how long the answer "no such name" takes */
#define BLANKS " \t,"

static struct sim_name *name_find(struct lai_sim *sim, const char *name)
{
	struct sim_name *known = sim->names;

	while (known && strcmp(known->name, name) != 0)
		known = known->next;
	return known;
}

/* Number of addresses, or -EINVAL. */
static int addresses_parse(const char *text, struct lai_address addresses[LAI_ADDRESSES_MAX])
{
	int count = 0;

	for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
		char one[LA_ADDRESS_TEXT_MAX];
		size_t length = strcspn(text, BLANKS);

		if (length >= sizeof(one) || count == LAI_ADDRESSES_MAX)
			return -EINVAL;
		memcpy(one, text, length);
		one[length] = '\0';
		if (lai_address_parse(one, 0, &addresses[count++]) < 0)
			return -EINVAL;
		text += length;
	}
	return count ? count : -EINVAL;
}

static struct sim_name *name_new(struct lai_sim *sim, const char *name)
{
	struct sim_name *known = calloc(1, sizeof(*known));

	if (!known)
		return NULL;
	known->name = strdup(name);
	if (!known->name) {
		free(known);
		return NULL;
	}
	known->next = sim->names;
	sim->names = known;
	return known;
}

int lai_sim_dns(struct lai_sim *sim, const char *name, const char *addresses, int error,
		uint64_t delay_ns)
{
	struct lai_address parsed[LAI_ADDRESSES_MAX];
	struct sim_name *known = name_find(sim, name);
	int result = addresses ? addresses_parse(addresses, parsed) : error;

	if (addresses ? result < 0 : result >= 0)
		return -EINVAL;
	if (!known)
		known = name_new(sim, name);
	if (!known)
		return -ENOMEM;
	if (addresses)
		memcpy(known->addresses, parsed, sizeof(parsed[0]) * (size_t)result);
	known->result = result;
	known->delay_ns = delay_ns;
	return 0;
}

void sim_dns_free(struct lai_sim *sim)
{
	while (sim->names) {
		struct sim_name *known = sim->names;

		sim->names = known->next;
		free(known->name);
		free(known);
	}
}

void sim_dns_cancel(struct sim_net *net)
{
	sim_event_set(net->host->sim, &net->answer, LA_NEVER);
	free(net->asked);
	net->asked = NULL;
	net->answered = false;
}

int sim_dns_ask(struct sim_net *net, const char *host, uint16_t port)
{
	struct lai_sim *sim = net->host->sim;
	struct sim_name *known = name_find(sim, host);
	uint64_t delay_ns = known ? known->delay_ns : UNKNOWN_NAME_NS;

	sim_dns_cancel(net);
	net->asked = strdup(host);
	if (!net->asked)
		return -ENOMEM;
	net->asked_port = port;
	sim_event_set(sim, &net->answer, lai_time_after(sim->now_ns, delay_ns));
	return 0;
}

void sim_dns_answer(struct sim_net *net)
{
	struct sim_name *known = name_find(net->host->sim, net->asked);

	net->answered = true;
	net->answer_result = known ? known->result : -ENOENT;
	for (int i = 0; i < net->answer_result; i++) {
		net->answers[i] = known->addresses[i];
		lai_address_set_port(&net->answers[i], net->asked_port);
	}
	sim_net_wake(net);
}
