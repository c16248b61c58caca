/* SPDX-License-Identifier: MIT */
/*
 * cc blocking.c $(pkg-config --cflags --libs lastack)
 *
 * One idea: send lines and know, at the end, whether all of them were acknowledged. The library
 * blocks, reconnects and sends again what was not; this program only asks.
 *
 *     ./blocking lines://127.0.0.1:9000 "first line" "second line"
 */
#include <lastack/link.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS 1000000000ull

/* Full buffer: wait until something was acknowledged. 0, or a negative errno. */
static int submit_all(struct la_link *link, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t taken = la_link_submit(link, text, left);

		if (taken == -EAGAIN)
			taken = la_link_flush(link, 60 * SECONDS);
		else if (taken > 0)
			left -= (size_t)taken, text += taken;
		if (taken < 0)
			return (int)taken;
	}
	return 0;
}

int main(int count, char **args)
{
	const char *urls[] = {count > 1 ? args[1] : "lines://127.0.0.1:9000"};
	struct la_link_config config;
	struct la_report report;
	struct la_link *link;
	char *why = NULL;
	int status;

	la_link_config_default(&config);
	config.urls = urls;
	config.url_count = 1;
	config.give_up_ns = 30 * SECONDS;
	status = la_link_new(&link, &config, &why);
	if (status != 0) {
		fprintf(stderr, "%s\n", why ? why : strerror(-status));
		free(why);
		return 2;
	}
	for (int i = 2; i < count && status == 0; i++) {
		status = submit_all(link, args[i]);
		if (status == 0)
			status = submit_all(link, "\n");
	}
	if (status == 0) {
		la_link_finish(link, LA_NEVER);
		status = la_link_wait(link, LA_NEVER);
	}
	la_link_report(link, &report);
	printf("%s; the last connection: %s, %llu bytes acknowledged\n",
	       status == 0 ? "everything was acknowledged" : "NOT everything was acknowledged",
	       la_cause_name(report.cause), (unsigned long long)report.acked_bytes);
	la_link_free(link);
	return status == 0 ? 0 : 1;
}
