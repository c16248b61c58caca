/* SPDX-License-Identifier: MIT */
#include "judge/attention.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* The end of the stream is reported by any of these; poll() has the same bits. */
#define DATA (EPOLLIN | EPOLLRDNORM)
#define INPUT (DATA | EPOLLRDHUP)

/* How unlikely a thread is to come back by itself. */
static const uint8_t suspicion[LAI_WAIT_COUNT] = {
	[LAI_WAIT_EVENTS] = 0,	[LAI_WAIT_UNKNOWN] = 1, [LAI_WAIT_ACCEPT] = 2,
	[LAI_WAIT_READ] = 3,	[LAI_WAIT_SLEEP] = 4,	[LAI_WAIT_CHILD] = 5,
	[LAI_WAIT_CONNECT] = 5, [LAI_WAIT_WRITE] = 6,	[LAI_WAIT_LOCK] = 7,
	[LAI_WAIT_RUNNING] = 8, [LAI_WAIT_FILE] = 9,	[LAI_WAIT_STOPPED] = 10,
};

static enum lai_wait wait_of(const struct lai_thread *thread)
{
	return (unsigned)thread->wait < LAI_WAIT_COUNT ? thread->wait : LAI_WAIT_UNKNOWN;
}

/* --- two indices of threads --- */

struct key {
	uint64_t major, minor;
	uint32_t index;
};

static int key_compare(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->major != y->major)
		return x->major < y->major ? -1 : 1;
	if (x->minor != y->minor)
		return x->minor < y->minor ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static struct key reader_key(const struct lai_thread *thread)
{
	return (struct key){thread->fd_inode, (uint32_t)thread->pid, 0};
}

static struct key loop_key(const struct lai_thread *thread)
{
	return (struct key){(uint32_t)thread->pid, (uint32_t)thread->fd, 0};
}

static bool is_reader(const struct lai_thread *thread)
{
	return thread->fd_inode != 0;
}

static bool is_loop(const struct lai_thread *thread)
{
	return thread->wait == LAI_WAIT_EVENTS;
}

/* Those threads, sorted by key. -ENOMEM. */
static int sort_threads(const struct lai_snapshot *snapshot,
			bool (*wanted)(const struct lai_thread *thread),
			struct key (*key_of)(const struct lai_thread *thread), uint32_t **list,
			size_t *count)
{
	struct key *keys = malloc((snapshot->thread_count + 1) * sizeof(*keys));
	uint32_t *sorted = malloc((snapshot->thread_count + 1) * sizeof(*sorted));
	size_t found = 0;

	if (!keys || !sorted) {
		free(keys);
		free(sorted);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < snapshot->thread_count; i++) {
		if (!wanted(&snapshot->threads[i]))
			continue;
		keys[found] = key_of(&snapshot->threads[i]);
		keys[found++].index = i;
	}
	qsort(keys, found, sizeof(*keys), key_compare);
	for (size_t i = 0; i < found; i++)
		sorted[i] = keys[i].index;
	free(keys);
	*list = sorted;
	*count = found;
	return 0;
}

/* The first of the list that is not below the key. */
static size_t lower_bound(const struct lai_snapshot *snapshot, const uint32_t *list, size_t count,
			  struct key (*key_of)(const struct lai_thread *thread), struct key wanted)
{
	size_t low = 0;

	while (count > 0) {
		size_t half = count / 2;
		struct key key = key_of(&snapshot->threads[list[low + half]]);

		if (key_compare(&key, &wanted) < 0) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return low;
}

int lai_attentions_init(struct lai_attentions *attentions, const struct lai_snapshot *snapshot)
{
	*attentions = (struct lai_attentions){.snapshot = snapshot};
	attentions->crews = calloc(snapshot->process_count + 1, sizeof(*attentions->crews));
	if (!attentions->crews ||
	    sort_threads(snapshot, is_reader, reader_key, &attentions->readers,
			 &attentions->reader_count) != 0 ||
	    sort_threads(snapshot, is_loop, loop_key, &attentions->loops,
			 &attentions->loop_count) != 0) {
		lai_attentions_done(attentions);
		return -ENOMEM;
	}
	return 0;
}

void lai_attentions_done(struct lai_attentions *attentions)
{
	free(attentions->readers);
	free(attentions->loops);
	free(attentions->crews);
	*attentions = (struct lai_attentions){0};
}

/* --- what they say --- */

static size_t first_thread(const struct lai_snapshot *snapshot, pid_t pid)
{
	size_t low = 0, count = snapshot->thread_count;

	while (count > 0) {
		size_t half = count / 2;

		if (snapshot->threads[low + half].pid < pid) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return low;
}

static void count_crew(const struct lai_snapshot *snapshot, pid_t pid, struct lai_crew *crew)
{
	crew->suspect = LAI_NO_INDEX;
	for (size_t i = first_thread(snapshot, pid);
	     i < snapshot->thread_count && snapshot->threads[i].pid == pid; i++) {
		enum lai_wait wait = wait_of(&snapshot->threads[i]);

		crew->count++;
		crew->by_wait[wait]++;
		if (crew->suspect == LAI_NO_INDEX ||
		    suspicion[wait] > suspicion[wait_of(&snapshot->threads[crew->suspect])])
			crew->suspect = (uint32_t)i;
	}
	crew->known = true;
}

const struct lai_crew *lai_attentions_crew(struct lai_attentions *attentions, pid_t pid)
{
	const struct lai_process *process = lai_snapshot_process(attentions->snapshot, pid);
	struct lai_crew *crew;

	if (!process)
		return NULL;
	crew = &attentions->crews[process - attentions->snapshot->processes];
	if (!crew->known)
		count_crew(attentions->snapshot, pid, crew);
	return crew;
}

const struct lai_thread *lai_attentions_thread(const struct lai_attentions *attentions, pid_t pid,
					       uint64_t inode, enum lai_wait wait)
{
	const struct lai_snapshot *snapshot = attentions->snapshot;
	struct key wanted = {inode, (uint32_t)pid, 0};
	size_t i;

	if (inode == 0)
		return NULL;
	i = lower_bound(snapshot, attentions->readers, attentions->reader_count, reader_key,
			wanted);
	for (; i < attentions->reader_count; i++) {
		const struct lai_thread *thread = &snapshot->threads[attentions->readers[i]];

		if (thread->fd_inode != inode || thread->pid != pid)
			return NULL;
		if (thread->wait == wait)
			return thread;
	}
	return NULL;
}

static bool is_waited_on(const struct lai_attentions *attentions, pid_t pid, int32_t set_fd)
{
	const struct lai_snapshot *snapshot = attentions->snapshot;
	struct key wanted = {(uint32_t)pid, (uint32_t)set_fd, 0};
	size_t i =
		lower_bound(snapshot, attentions->loops, attentions->loop_count, loop_key, wanted);

	return i < attentions->loop_count && snapshot->threads[attentions->loops[i]].pid == pid &&
	       snapshot->threads[attentions->loops[i]].fd == set_fd;
}

/* Somebody waits on the set, or, as sets may be nested, all threads are loops at rest. */
static bool is_alive(const struct lai_attentions *attentions, const struct lai_crew *crew,
		     const struct lai_watch *watch)
{
	return watch->set_fd < 0 || is_waited_on(attentions, watch->pid, watch->set_fd) ||
	       crew->by_wait[LAI_WAIT_EVENTS] == crew->count;
}

static enum lai_attention attention_of_watch(const struct lai_attentions *attentions,
					     const struct lai_crew *crew,
					     const struct lai_watch *watch)
{
	bool alive = is_alive(attentions, crew, watch);

	if (!(watch->events & INPUT))
		/* A loop that spins is caught running as often as waiting. */
		return alive || crew->by_wait[LAI_WAIT_RUNNING] > 0 ? LAI_ATTENTION_MASKED
								    : LAI_ATTENTION_DESERTED;
	if (!alive)
		return LAI_ATTENTION_DESERTED;
	return watch->events & EPOLLET ? LAI_ATTENTION_EDGE : LAI_ATTENTION_LEVEL;
}

static size_t first_watch(const struct lai_snapshot *snapshot, uint64_t inode)
{
	size_t low = 0, count = snapshot->watch_count;

	while (count > 0) {
		size_t half = count / 2;

		if (snapshot->watches[low + half].inode < inode) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return low;
}

/* The enum is in the order of how much is known: the lowest of several counts. */
static enum lai_attention attention_of_watches(const struct lai_attentions *attentions,
					       const struct lai_crew *crew, pid_t pid,
					       uint64_t inode, const struct lai_watch **watch)
{
	const struct lai_snapshot *snapshot = attentions->snapshot;
	enum lai_attention best = LAI_ATTENTION_NOBODY;

	for (size_t i = first_watch(snapshot, inode);
	     i < snapshot->watch_count && snapshot->watches[i].inode == inode; i++) {
		enum lai_attention own;

		if (snapshot->watches[i].pid != pid)
			continue;
		own = attention_of_watch(attentions, crew, &snapshot->watches[i]);
		if (own >= best)
			continue;
		best = own;
		if (watch)
			*watch = &snapshot->watches[i];
	}
	return best;
}

enum lai_attention lai_attentions_of(struct lai_attentions *attentions, pid_t pid, uint64_t inode,
				     const struct lai_watch **watch)
{
	const struct lai_process *process = lai_snapshot_process(attentions->snapshot, pid);
	const struct lai_crew *crew = lai_attentions_crew(attentions, pid);
	enum lai_attention best;

	if (watch)
		*watch = NULL;
	if (!process || !process->detailed || crew->count == 0)
		return LAI_ATTENTION_UNSEEN;
	if (lai_attentions_thread(attentions, pid, inode, LAI_WAIT_READ))
		return LAI_ATTENTION_READING;
	best = attention_of_watches(attentions, crew, pid, inode, watch);
	if (best != LAI_ATTENTION_NOBODY)
		return best;
	return crew->by_wait[LAI_WAIT_EVENTS] > 0 ? LAI_ATTENTION_NO_SET : LAI_ATTENTION_NOBODY;
}

/* All events that sets and polls of the process wait for. */
static uint32_t events_of(const struct lai_attentions *attentions, pid_t pid, uint64_t inode)
{
	const struct lai_snapshot *snapshot = attentions->snapshot;
	uint32_t events = 0;

	for (size_t i = first_watch(snapshot, inode);
	     i < snapshot->watch_count && snapshot->watches[i].inode == inode; i++)
		if (snapshot->watches[i].pid == pid)
			events |= snapshot->watches[i].events;
	return events;
}

bool lai_attentions_wants_data(const struct lai_attentions *attentions, pid_t pid, uint64_t inode)
{
	return (events_of(attentions, pid, inode) & DATA) ||
	       lai_attentions_thread(attentions, pid, inode, LAI_WAIT_READ);
}

bool lai_attentions_wants_end_only(const struct lai_attentions *attentions, pid_t pid,
				   uint64_t inode)
{
	return (events_of(attentions, pid, inode) & INPUT) &&
	       !lai_attentions_wants_data(attentions, pid, inode);
}

bool lai_attentions_uses(const struct lai_attentions *attentions, pid_t pid, uint64_t inode)
{
	const struct lai_snapshot *snapshot = attentions->snapshot;

	for (size_t i = first_watch(snapshot, inode);
	     i < snapshot->watch_count && snapshot->watches[i].inode == inode; i++)
		if (snapshot->watches[i].pid == pid)
			return true;
	return lai_attentions_thread(attentions, pid, inode, LAI_WAIT_READ) ||
	       lai_attentions_thread(attentions, pid, inode, LAI_WAIT_WRITE);
}
