/* SPDX-License-Identifier: MIT */
/*
 * cc records.c $(pkg-config --cflags --libs lastack)      in the tree: make examples
 *
 * One idea: records that survive a crash of this program. Each argument is a record; when the program
 * says "safe" it is on disk, and the next run delivers it if this one cannot.
 *
 *     ./records stomp://127.0.0.1:61613/queue/a out.db "first record" "second record"
 */
#include <lastack/link.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS 1000000000ull

/* A full spool: wait until something was confirmed. 0, or a negative errno. */
static int put(struct la_link *link, const char *record)
{
	int status;

	while ((status = la_link_put(link, record, strlen(record))) == -EAGAIN)
		if ((status = la_link_flush(link, 60 * SECONDS)) != 0)
			break;
	return status;
}

static void on_event(void *arg, const struct la_event *event)
{
	(void)arg;
	if (event->kind == LA_EVENT_REPORT)
		fprintf(stderr, "%s %s\n", la_cause_sentence(event->report->cause),
			event->text ? event->text : "");
	if (event->kind == LA_EVENT_REFUSED)
		fprintf(stderr, "record %llu is refused: %s\n",
			(unsigned long long)event->refusal->seq, event->refusal->message);
}

int main(int count, char **args)
{
	const char *urls[] = {count > 1 ? args[1] : "stomp://127.0.0.1:61613/queue/a"};
	struct la_link_config config;
	struct la_totals totals;
	struct la_link *link;
	char *why = NULL;
	int status;

	la_link_config_default(&config);
	config.urls = urls;
	config.url_count = 1;
	config.stomp.passcode = getenv("LASTACK_PASSCODE"); /* the login is the URL's: stomp://ann@... */
	config.spool.path = count > 2 ? args[2] : "out.db";
	config.on_event = on_event;
	status = la_link_new(&link, &config, &why);
	if (status != 0) {
		fprintf(stderr, "%s\n", why ? why : strerror(-status));
		free(why);
		return 2;
	}
	for (int i = 3; i < count && status == 0; i++)
		status = put(link, args[i]);
	if (status == 0)
		status = la_link_sync(link);
	if (status == 0)
		printf("safe\n");
	la_link_finish(link, 10 * SECONDS);
	if (status == 0)
		status = la_link_wait(link, LA_NEVER);
	la_link_totals(link, &totals);
	printf("confirmed %llu of %llu records; what is left waits for the next run\n",
	       (unsigned long long)totals.delivered_records,
	       (unsigned long long)totals.accepted_records);
	la_link_free(link);
	return status != 0;
}
