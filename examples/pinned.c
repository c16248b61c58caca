/* SPDX-License-Identifier: MIT */
/*
 * cc pinned.c $(pkg-config --cflags --libs lastack)
 *
 * One idea: always connect from the same local port. It keeps the damage of a leak to one port,
 * lets firewalls know the client, and evicts the server's ghost of our last connection: a SYN from
 * the same four-tuple makes the server's kernel find out that the old one is dead. The price: while
 * something else has the port, there is no connection, and the report says why.
 *
 *     ./pinned lines://127.0.0.1:9000 2345
 */
#include <lastack/link.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void explain(void *arg, const struct la_event *event)
{
	(void)arg;
	if (event->kind != LA_EVENT_REPORT)
		return;
	if (event->report->cause == LA_CAUSE_PORT_IN_USE ||
	    event->report->cause == LA_CAUSE_TUPLE_IN_USE)
		printf("the pinned port cannot be used: %s\n",
		       la_cause_sentence(event->report->cause));
	else
		printf("from %s: %s\n", event->report->local, la_cause_name(event->report->cause));
}

int main(int count, char **args)
{
	static const char line[] = "one line from a pinned port\n";
	const char *urls[] = {count > 1 ? args[1] : "lines://127.0.0.1:9000"};
	struct la_link_config config;
	struct la_link *link;
	char *why = NULL;
	int status;

	la_link_config_default(&config);
	config.urls = urls;
	config.url_count = 1;
	config.local_port = (uint16_t)(count > 2 ? atoi(args[2]) : 2345);
	config.retries_max = 3;
	config.on_event = explain;
	if (la_link_new(&link, &config, &why) != 0) {
		fprintf(stderr, "%s\n", why ? why : "out of memory or descriptors");
		free(why);
		return 2;
	}
	if (la_link_submit(link, line, strlen(line)) < 0)
		printf("not accepted\n");
	la_link_finish(link, LA_NEVER);
	status = la_link_wait(link, LA_NEVER);
	la_link_free(link);
	return status == 0 ? 0 : 1;
}
