/* SPDX-License-Identifier: MIT */
#include "judge/say.h"

#include "base/time.h"

#include <inttypes.h>

/* One thread, several threads. */
static const struct {
	const char *one, *many;
} doings[LAI_WAIT_COUNT] = {
	[LAI_WAIT_UNKNOWN] = {"is in a call that is not known", "are in calls that are not known"},
	[LAI_WAIT_RUNNING] = {"computes", "compute"},
	[LAI_WAIT_LOCK] = {"waits for a lock", "wait for a lock"},
	[LAI_WAIT_READ] = {"reads another descriptor", "read other descriptors"},
	[LAI_WAIT_WRITE] = {"writes", "write"},
	[LAI_WAIT_ACCEPT] = {"waits in accept()", "wait in accept()"},
	[LAI_WAIT_CONNECT] = {"waits in connect()", "wait in connect()"},
	[LAI_WAIT_EVENTS] = {"waits for events", "wait for events"},
	[LAI_WAIT_SLEEP] = {"sleeps", "sleep"},
	[LAI_WAIT_CHILD] = {"waits for a child process", "wait for child processes"},
	[LAI_WAIT_FILE] = {"waits for a file or a pipe", "wait for files or pipes"},
	[LAI_WAIT_STOPPED] = {"is stopped by a signal or a debugger",
			      "are stopped by a signal or a debugger"},
};

void lai_say_count(struct lai_text *text, uint64_t count, const char *thing)
{
	lai_text_append(text, "%" PRIu64 " %s%s", count, thing, count == 1 ? "" : "s");
}

/* Control characters and what is not ASCII could drive the terminal. */
static void say_safely(struct lai_text *text, const char *name)
{
	for (; *name; name++) {
		char c = *name >= ' ' && *name <= '~' ? *name : '?';

		lai_text_append_bytes(text, &c, 1);
	}
}

void lai_say_process(struct lai_text *text, const struct lai_snapshot *snapshot, pid_t pid)
{
	const struct lai_process *process = lai_snapshot_process(snapshot, pid);

	if (pid == 0) {
		lai_text_append(text, "no process");
	} else if (process && process->comm[0]) {
		say_safely(text, process->comm);
		lai_text_append(text, " (pid %d)", (int)pid);
	} else {
		lai_text_append(text, "pid %d", (int)pid);
	}
}

void lai_say_address(struct lai_text *text, const struct lai_address *address)
{
	char name[LA_ADDRESS_TEXT_MAX];

	lai_text_append(text, "%s", lai_address_format(name, address));
}

void lai_say_ms(struct lai_text *text, uint64_t ms)
{
	char name[LAI_TIME_TEXT_MAX];

	/* Above seconds nobody asks for milliseconds. */
	if (ms >= 1000)
		ms -= ms % (ms >= 10000 ? 1000 : 100);
	lai_text_append(text, "%s",
			lai_time_format(name, ms > LA_NEVER / LAI_MS ? LA_NEVER : ms * LAI_MS));
}

void lai_say_oldest(struct lai_text *text, const struct lai_finding *finding)
{
	if (finding->age_kind == LAI_AGE_UNKNOWN)
		return;
	lai_text_append(text, "%s for %s",
			finding->socket_count == 1 ? " It has been so" : " The oldest has been so",
			finding->age_kind == LAI_AGE_EXACT ? "" : "at least ");
	lai_say_ms(text, finding->oldest_age_ms);
	lai_text_append(text, ".");
}

void lai_say_thread(struct lai_text *text, const struct lai_thread *thread)
{
	unsigned wait = (unsigned)thread->wait < LAI_WAIT_COUNT ? thread->wait : LAI_WAIT_UNKNOWN;

	lai_text_append(text, "thread %d %s", (int)thread->tid, doings[wait].one);
	if (thread->fd >= 0 && wait != LAI_WAIT_UNKNOWN)
		lai_text_append(text, " (fd %d)", (int)thread->fd);
	if (thread->place[0]) {
		lai_text_append(text, " in ");
		say_safely(text, thread->place);
	}
}

void lai_say_crew(struct lai_text *text, struct lai_attentions *attentions, pid_t pid)
{
	const struct lai_crew *crew = lai_attentions_crew(attentions, pid);
	const char *separator = " ";

	if (!crew || crew->count == 0) {
		lai_text_append(text, " What its threads do could not be seen.");
		return;
	}
	if (crew->count == 1) {
		lai_text_append(text, " Its only ");
		lai_say_thread(text, &attentions->snapshot->threads[crew->suspect]);
		lai_text_append(text, ".");
		return;
	}
	lai_text_append(text, " Of its %" PRIu32 " threads", crew->count);
	for (unsigned wait = 0; wait < LAI_WAIT_COUNT; wait++) {
		if (crew->by_wait[wait] == 0)
			continue;
		lai_text_append(text, "%s%" PRIu32 " %s", separator, crew->by_wait[wait],
				crew->by_wait[wait] == 1 ? doings[wait].one : doings[wait].many);
		separator = ", ";
	}
	lai_text_append(text, ".");
}
