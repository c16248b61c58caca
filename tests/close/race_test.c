/* SPDX-License-Identifier: MIT */
/*
 * race_test.c - descriptors and ports recycled as fast as possible, while what an old look at the
 * host took for stuck is ended: never may anything else be touched.
 *
 *	victim (a process of several threads)            mender (this process)
 *	  leak:     data, FIN; CLOSE_WAIT, unread 7 B      look: CLOSE_WAIT with 7 B + FIN unread
 *	  then at once, on the same ports and often        act: on what was seen now, and on what was
 *	  the same descriptors, an innocent:                    seen up to 512 targets ago
 *	  words both ways, each checked, goodbye
 *
 * An innocent that meets EOF, RST or a foreign word before its goodbye, or has keepalive armed, was
 * a wrong socket. Innocents come in all disguises: ESTABLISHED, CLOSE_WAIT on purpose, a listener,
 * a long-lived connection that dup2() puts in place of a leak.
 *
 *	RACE_TRIES=100000 build/tests/close/race_test
 */
#include "mend/mend.h"
#include "observe/process.h"
#include "observe/sockdiag.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TRIES_DEFAULT 10000
#define THREADS 8
#define PORTS 2	       /* per thread; few, so that each comes again at once */
#define LEAK "unread!" /* 7 bytes, which no innocent ever leaves unread */
#define STALE_MAX 512  /* targets that are remembered */
#define STALE_EACH 8   /* of them are tried again for each new one */
#define WAIT_S 60      /* an answer that takes longer will not come */

/* Shared by both processes. */
struct tally {
	atomic_ulong innocents, leaks; /* lives lived */
	atomic_ulong ended;	       /* leaks whose owner was woken */
	atomic_ulong wrong;	       /* innocents that were touched */
	atomic_ulong unread_lost;      /* leaks that were ended and had no data to read any more */
	atomic_int wrong_line, wrong_error;
};

static struct tally *tally;

/* ---- the victim ---- */

struct cell {
	int listener;
	struct sockaddr_in server, clients[PORTS];
	int anchor[2]; /* an innocent that stays */
	unsigned number, seed;
	uint64_t serial;
};

static void wrong(int line)
{
	atomic_store(&tally->wrong_line, line);
	atomic_store(&tally->wrong_error, errno);
	atomic_fetch_add(&tally->wrong, 1);
}

static unsigned draw(struct cell *cell, unsigned count)
{
	return (unsigned)rand_r(&cell->seed) % count;
}

/* RST instead of FIN, so that the ports are free at once. */
static void end(int fd)
{
	struct linger now = {.l_onoff = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)close(fd);
}

/* Words are sent at once; whoever waits for one does not wait for ever. */
static void hurry(int fd)
{
	struct timeval wait = {.tv_sec = WAIT_S};
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
}

static int bound(const struct sockaddr_in *address, struct sockaddr_in *got)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	socklen_t length = sizeof(*got);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	hurry(fd);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
	    (!got || getsockname(fd, (struct sockaddr *)got, &length) == 0))
		return fd;
	(void)close(fd);
	return -1;
}

/* fds[0] connects, fds[1] was accepted. False: the port is not free yet. */
static bool pair_open(struct cell *cell, int fds[2])
{
	fds[0] = bound(&cell->clients[draw(cell, PORTS)], NULL);
	if (fds[0] < 0)
		return false;
	if (connect(fds[0], (const struct sockaddr *)&cell->server, sizeof(cell->server)) != 0) {
		if (errno != EADDRNOTAVAIL && errno != EADDRINUSE)
			wrong(__LINE__); /* the listener */
		(void)close(fds[0]);
		return false;
	}
	fds[1] = accept4(cell->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fds[1] < 0) {
		wrong(__LINE__);
		end(fds[0]);
		return false;
	}
	hurry(fds[1]);
	return true;
}

static void pair_end(struct cell *cell, const int fds[2])
{
	unsigned first = draw(cell, 2);

	end(fds[first]);
	end(fds[1 - first]);
}

static bool say(int from, int to, uint64_t word)
{
	uint64_t heard = 0;

	errno = 0;
	return send(from, &word, sizeof(word), MSG_NOSIGNAL) == (ssize_t)sizeof(word) &&
	       recv(to, &heard, sizeof(heard), MSG_WAITALL) == (ssize_t)sizeof(heard) &&
	       heard == word;
}

static bool unarmed(int fd)
{
	int on = -1;
	socklen_t length = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &length) == 0 && on == 0;
}

/* Words both ways; each connection has words of its own. */
static bool talk(struct cell *cell, const int fds[2])
{
	for (int i = 0; i < 3; i++) {
		uint64_t word = ++cell->serial << 8 | cell->number;

		if (!say(fds[0], fds[1], word) || !say(fds[1], fds[0], ~word))
			return false;
	}
	return unarmed(fds[0]) && unarmed(fds[1]);
}

/* In CLOSE_WAIT, as the leaks are, but on purpose: it has heard the FIN and still has to say. */
static bool talk_after_fin(struct cell *cell, const int fds[2])
{
	char none;

	if (!talk(cell, fds) || shutdown(fds[0], SHUT_WR) != 0 || recv(fds[1], &none, 1, 0) != 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (!say(fds[1], fds[0], ++cell->serial))
			return false;
	return unarmed(fds[1]);
}

static void innocent(struct cell *cell)
{
	int fds[2];

	if (!pair_open(cell, fds))
		return;
	if (!(draw(cell, 2) ? talk(cell, fds) : talk_after_fin(cell, fds)))
		wrong(__LINE__);
	atomic_fetch_add(&tally->innocents, 1);
	pair_end(cell, fds);
}

static void anchor_talk(struct cell *cell)
{
	if (talk(cell, cell->anchor))
		return;
	wrong(__LINE__);
	pair_end(cell, cell->anchor);
	while (!pair_open(cell, cell->anchor))
		continue;
}

/* Puts the anchor in the place of a leak, and uses it there. */
static void replace(struct cell *cell, int fd)
{
	int fds[2] = {cell->anchor[0], fd};

	if (dup2(cell->anchor[1], fd) < 0) {
		(void)close(fd);
		return;
	}
	if (!talk(cell, fds)) {
		wrong(__LINE__);
		anchor_talk(cell);
	}
	(void)close(fd);
}

/* What was ended by any grade has its unread data still. */
static void leak_check(int fd)
{
	struct pollfd events = {.fd = fd, .events = POLLIN};
	char data[sizeof(LEAK)];

	if (poll(&events, 1, 0) != 1 || !(events.revents & POLLHUP))
		return;
	atomic_fetch_add(&tally->ended, 1);
	if (recv(fd, data, sizeof(data), 0) != (ssize_t)strlen(LEAK) ||
	    memcmp(data, LEAK, strlen(LEAK)) != 0)
		atomic_fetch_add(&tally->unread_lost, 1);
}

static void leak(struct cell *cell)
{
	int fds[2];

	if (!pair_open(cell, fds))
		return;
	(void)send(fds[0], LEAK, strlen(LEAK), MSG_NOSIGNAL);
	(void)shutdown(fds[0], SHUT_WR);
	for (unsigned i = draw(cell, 16); i > 0; i--)
		(void)sched_yield();
	leak_check(fds[1]);
	atomic_fetch_add(&tally->leaks, 1);
	end(fds[0]);
	if (draw(cell, 3))
		end(fds[1]);
	else
		replace(cell, fds[1]);
}

static void *cell_run(void *arg)
{
	struct cell *cell = arg;

	while (!pair_open(cell, cell->anchor))
		continue;
	for (;;) {
		leak(cell);
		innocent(cell);
		if (draw(cell, 4) == 0)
			anchor_talk(cell);
	}
	return NULL;
}

static bool cell_open(struct cell *cell, unsigned number)
{
	struct sockaddr_in any = {.sin_family = AF_INET};

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cell->number = number;
	cell->seed = number + 1;
	cell->listener = bound(&any, &cell->server);
	if (cell->listener < 0 || listen(cell->listener, 8) != 0)
		return false;
	for (int i = 0; i < PORTS; i++) {
		int fd = bound(&any, &cell->clients[i]);

		if (fd < 0)
			return false;
		(void)close(fd);
	}
	return true;
}

static _Noreturn void victim_run(void)
{
	static struct cell cells[THREADS];
	pthread_t thread;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0; i < THREADS; i++)
		if (!cell_open(&cells[i], i) ||
		    pthread_create(&thread, NULL, cell_run, &cells[i]) != 0)
			_exit(1);
	for (;;)
		(void)pause();
}

/* ---- the mender ---- */

struct mender {
	pid_t victim;
	uint64_t start_ticks;
	struct lai_namespace name_space;
	struct lai_mend_session *session;
	struct lai_mend_target seen[STALE_MAX];
	size_t seen_count; /* in all */
	size_t fresh;	   /* of them, in the last look */
	unsigned long tries, outcomes[LAI_MEND_COUNT][LAI_MEND_OUTCOME_COUNT];
	unsigned seed;
};

static int remember(void *arg, const struct lai_socket_fact *fact)
{
	struct mender *mender = arg;

	if (fact->rqueue_bytes != strlen(LEAK) + 1 || mender->fresh == STALE_MAX)
		return 0;
	mender->seen[mender->seen_count++ % STALE_MAX] = (struct lai_mend_target){
		.socket = *fact,
		.name_space = mender->name_space,
		.pid = mender->victim,
		.start_ticks = mender->start_ticks,
		.fd = -1,
	};
	mender->fresh++;
	return 0;
}

static struct lai_mend_target *fresh_of(struct mender *mender, size_t number)
{
	return &mender->seen[(mender->seen_count - 1 - number) % STALE_MAX];
}

/* Which descriptors they are, as a walk through /proc finds them. */
static void find_descriptors(struct mender *mender)
{
	char path[64], link[64];
	struct dirent *entry;
	unsigned long inode;
	DIR *fds;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)mender->victim);
	fds = opendir(path);
	assert_non_null(fds);
	while ((entry = readdir(fds))) {
		ssize_t length = readlinkat(dirfd(fds), entry->d_name, link, sizeof(link) - 1);

		link[length < 0 ? 0 : length] = '\0';
		if (sscanf(link, "socket:[%lu]", &inode) != 1)
			continue;
		for (size_t i = 0; i < mender->fresh; i++)
			if (fresh_of(mender, i)->socket.inode == inode)
				fresh_of(mender, i)->fd = atoi(entry->d_name);
	}
	(void)closedir(fds);
}

static void try(struct mender *mender, const struct lai_mend_target *target)
{
	enum lai_mend_how how = mender->tries % LAI_MEND_COUNT;
	struct lai_mend_result result;

	if (target->fd < 0) /* gone before we found who had it */
		how = LAI_MEND_RST;
	result = lai_mend_in(mender->session, target, how, NULL);
	mender->outcomes[how][result.outcome]++;
	mender->tries++;
}

static void look_and_act(struct mender *mender)
{
	int error;

	mender->fresh = 0;
	error = lai_sockdiag_dump(LAI_SOCKDIAG_STATE(LAI_TCP_CLOSE_WAIT), remember, mender);
	assert_true(error == 0 || error == -EAGAIN);
	find_descriptors(mender);
	for (size_t i = 0; i < mender->fresh; i++)
		try(mender, fresh_of(mender, i));
	for (size_t i = 0; i < mender->fresh * STALE_EACH; i++) {
		size_t count = mender->seen_count < STALE_MAX ? mender->seen_count : STALE_MAX;

		try(mender, &mender->seen[(unsigned)rand_r(&mender->seed) % count]);
	}
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		(void)close(fd);
	return done;
}

/* A namespace without TIME_WAIT, so that the same four-tuple comes again at once. */
static bool own_network(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = pidfd_open(getpid(), 0);
	bool up;

	if (fd < 0 || close(fd) != 0 || unshare(CLONE_NEWNET) != 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	(void)close(fd);
	return up && write_file("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
}

static unsigned long tries_wanted(void)
{
	const char *text = getenv("RACE_TRIES");

	return text ? strtoul(text, NULL, 10) : TRIES_DEFAULT;
}

static unsigned long sum(const struct mender *mender, enum lai_mend_outcome outcome)
{
	unsigned long count = 0;

	for (int how = 0; how < LAI_MEND_COUNT; how++)
		count += mender->outcomes[how][outcome];
	return count;
}

static void tell(const struct mender *mender)
{
	printf("# %lu tries; %lu leaks, %lu of them seen ended by their owner; %lu innocents\n",
	       mender->tries, atomic_load(&tally->leaks), atomic_load(&tally->ended),
	       atomic_load(&tally->innocents));
	for (int how = 0; how < LAI_MEND_COUNT; how++) {
		printf("# %-9s", lai_mend_names[how]);
		for (int i = 0; i < LAI_MEND_OUTCOME_COUNT; i++)
			printf("  %s %lu", lai_mend_outcome_name((enum lai_mend_outcome)i),
			       mender->outcomes[how][i]);
		printf("\n");
	}
	printf("# wrong sockets: %lu", atomic_load(&tally->wrong));
	if (atomic_load(&tally->wrong))
		printf(" (the last one at line %d, errno %d)", atomic_load(&tally->wrong_line),
		       atomic_load(&tally->wrong_error));
	printf("\n");
	(void)fflush(stdout);
}

static void nothing_else_is_touched(void **state)
{
	static struct mender mender;
	unsigned long wanted = tries_wanted();
	int status = 0;

	(void)state;
	if (!own_network()) {
		print_message("# needs root (no network namespace of our own) and pidfd_open\n");
		skip();
	}
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	assert_ptr_not_equal(tally, MAP_FAILED);
	assert_int_equal(lai_mend_session_new(&mender.session), 0);
	mender.name_space.ours = true;
	mender.seed = 1;
	mender.victim = fork();
	assert_true(mender.victim >= 0);
	if (mender.victim == 0)
		victim_run();
	assert_int_equal(lai_process_start(mender.victim, &mender.start_ticks), 0);
	while (mender.tries < wanted && waitpid(mender.victim, &status, WNOHANG) == 0 &&
	       atomic_load(&tally->wrong) == 0)
		look_and_act(&mender);
	/* Whoever was touched last finds out now. */
	for (unsigned long lived = atomic_load(&tally->innocents);
	     atomic_load(&tally->innocents) < lived + 10 * THREADS &&
	     atomic_load(&tally->wrong) == 0 && waitpid(mender.victim, &status, WNOHANG) == 0;)
		(void)sched_yield();
	tell(&mender);
	assert_int_equal(waitpid(mender.victim, &status, WNOHANG), 0);
	(void)kill(mender.victim, SIGKILL);
	(void)waitpid(mender.victim, &status, 0);
	lai_mend_session_free(mender.session);

	assert_int_equal(atomic_load(&tally->wrong), 0);
	assert_int_equal(atomic_load(&tally->unread_lost), 0);
	assert_true(mender.tries >= wanted);
	/* It was a race: both sides won often enough. */
	assert_true(sum(&mender, LAI_MENDED) >= wanted / 100);
	assert_true(sum(&mender, LAI_MEND_GONE) + sum(&mender, LAI_MEND_CHANGED) >= wanted / 100);
	assert_true(atomic_load(&tally->ended) > 0);
	assert_int_equal(sum(&mender, LAI_MEND_DENIED), 0);
	assert_int_equal(sum(&mender, LAI_MEND_IMPOSSIBLE), 0);
	assert_int_equal(sum(&mender, LAI_MEND_FAILED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "whatever is recycled meanwhile, another socket is never touched",
		 .test_func = nothing_else_is_touched},
	};

	return cmocka_run_group_tests_name("close.race", tests, NULL, NULL);
}
