/* SPDX-License-Identifier: MIT */
/*
 * cc epoll.c $(pkg-config --cflags --libs lastack)
 *
 * One idea: a link in an event loop of one's own. The loop polls one descriptor until one deadline
 * and then calls la_link_dispatch(); no thread, no callback from anywhere else. Here the other
 * event is a timer that sends the load average each second.
 *
 *     ./epoll lines://127.0.0.1:9000 [COUNT]
 */
#include <lastack/link.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ull

static void say(void *arg, const struct la_event *event)
{
	(void)arg;
	if (event->kind == LA_EVENT_STATE)
		printf("%s -> %s\n", la_link_state_name(event->from),
		       la_link_state_name(event->to));
	else if (event->kind == LA_EVENT_REPORT)
		printf("ended: %s: %s\n", la_cause_name(event->report->cause),
		       la_cause_sentence(event->report->cause));
}

/* epoll wants milliseconds from now; the link gives a point on CLOCK_MONOTONIC. */
static int timeout_ms(uint64_t deadline_ns)
{
	struct timespec now;
	uint64_t now_ns;

	if (deadline_ns == LA_NEVER)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
	return deadline_ns > now_ns ? (int)((deadline_ns - now_ns) / MS) + 1 : 0;
}

static void send_load(struct la_link *link)
{
	double loads[3];
	char line[64];

	if (getloadavg(loads, 3) != 3)
		return;
	snprintf(line, sizeof(line), "load %.2f %.2f %.2f\n", loads[0], loads[1], loads[2]);
	if (la_link_submit(link, line, strlen(line)) < 0)
		printf("buffer full or link at its end: this line is lost, and we know it\n");
}

static void loop(struct la_link *link, int timer, long count)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};

	event.data.fd = la_link_fd(link);
	epoll_ctl(epoll, EPOLL_CTL_ADD, la_link_fd(link), &event);
	event.data.fd = timer;
	epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
	while (la_link_dispatch(link) == 0) {
		int ready = epoll_wait(epoll, &event, 1, timeout_ms(la_link_deadline(link)));
		uint64_t ticks;

		if (ready != 1 || event.data.fd != timer || read(timer, &ticks, sizeof(ticks)) < 0)
			continue;
		if (count-- > 0)
			send_load(link);
		else
			la_link_finish(link, LA_NEVER);
	}
	close(epoll);
}

int main(int count, char **args)
{
	const char *urls[] = {count > 1 ? args[1] : "lines://127.0.0.1:9000"};
	const struct itimerspec each_second = {{1, 0}, {0, 1}};
	struct la_link_config config;
	struct la_link *link;
	struct la_totals totals;
	char *why = NULL;
	int timer;

	la_link_config_default(&config);
	config.urls = urls;
	config.url_count = 1;
	config.on_event = say;
	if (la_link_new(&link, &config, &why) != 0) {
		fprintf(stderr, "%s\n", why ? why : "out of memory or descriptors");
		free(why);
		return 2;
	}
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	timerfd_settime(timer, 0, &each_second, NULL);
	loop(link, timer, count > 2 ? atol(args[2]) : 10);
	la_link_totals(link, &totals);
	printf("delivered %llu of %llu bytes\n", (unsigned long long)totals.delivered_bytes,
	       (unsigned long long)totals.accepted_bytes);
	close(timer);
	la_link_free(link);
	return totals.delivered_bytes == totals.accepted_bytes ? 0 : 1;
}
