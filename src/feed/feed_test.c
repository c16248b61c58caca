/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "feed/feed.h"

#include "base/time.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A wait longer than this is a failure; nothing normal comes near it. */
#define PATIENCE_NS (20 * LAI_S)
/* For tests that need re-checks to come, and for those that need them never to come. */
#define SOON_NS (20 * LAI_MS)
#define LATE_NS (3600 * LAI_S)
#define PATH_ROOM 256
#define BYTES_MAX 65536

/* One directory of its own for each test. */
struct room {
	char directory[PATH_ROOM / 2];
	char a[PATH_ROOM], b[PATH_ROOM], c[PATH_ROOM];
	struct lai_feed *feed;
	char *error;
	char got[BYTES_MAX];
	size_t got_bytes;
	int descriptors; /* open ones when the test began */
};

static int count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		(void)closedir(directory);
	return count;
}

static int room_open(void **state)
{
	struct room *room = calloc(1, sizeof(*room));
	const char *base = getenv("TMPDIR");

	if (!room)
		return -1;
	(void)snprintf(room->directory, sizeof(room->directory), "%s/lastack-feed-XXXXXX",
		       base ? base : "/tmp");
	if (!mkdtemp(room->directory))
		return -1;
	(void)snprintf(room->a, sizeof(room->a), "%s/a", room->directory);
	(void)snprintf(room->b, sizeof(room->b), "%s/b", room->directory);
	(void)snprintf(room->c, sizeof(room->c), "%s/c", room->directory);
	room->descriptors = count_descriptors();
	*state = room;
	return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static int room_close(void **state)
{
	struct room *room = *state;
	int leaked;

	lai_feed_free(room->feed);
	leaked = count_descriptors() - room->descriptors;
	free(room->error);
	(void)nftw(room->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(room);
	return leaked; /* not 0: cmocka reports that the test failed to clean up */
}

static uint64_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * LAI_S + (uint64_t)time.tv_nsec;
}

static void put_fd(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int appending(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	return fd;
}

static void put(const char *path, const char *text)
{
	int fd = appending(path);

	put_fd(fd, text);
	(void)close(fd);
}

static void rotate(const char *from, const char *to)
{
	assert_int_equal(rename(from, to), 0);
}

static void start(struct room *room, const struct lai_feed_config *config)
{
	int result = lai_feed_new(&room->feed, config, &room->error);

	if (result != 0)
		fail_msg("%s (%d)", room->error ? room->error : "no sentence", result);
	assert_null(room->error);
}

static void start_follow(struct room *room, uint64_t recheck_ns)
{
	start(room, &(struct lai_feed_config){.follow = room->a, .recheck_ns = recheck_ns});
}

/* Waits as an event loop would. False: patience is over. */
static bool feed_wait(struct lai_feed *feed, uint64_t give_up_ns)
{
	struct pollfd poll_fd = {.fd = lai_feed_fd(feed), .events = POLLIN};
	uint64_t wait_ns = lai_time_since(now(), lai_time_min(lai_feed_deadline(feed), give_up_ns));

	if (poll_fd.fd < 0)
		return now() < give_up_ns;
	assert_true(poll(&poll_fd, 1, (int)((wait_ns + LAI_MS - 1) / LAI_MS)) >= 0);
	return now() < give_up_ns;
}

/* Reads until count bytes are there in all, or the end; through a room of the given size. */
static void collect(struct room *room, size_t count, size_t step)
{
	uint64_t give_up_ns = now() + PATIENCE_NS;

	while (room->got_bytes < count) {
		ssize_t got;

		assert_true(room->got_bytes + step <= BYTES_MAX);
		got = lai_feed_read(room->feed, room->got + room->got_bytes, step);
		if (got == 0)
			return;
		if (got == -EAGAIN) {
			if (!feed_wait(room->feed, give_up_ns))
				fail_msg("got only '%.*s'", (int)room->got_bytes, room->got);
			continue;
		}
		if (got < 0)
			fail_msg("%zd: %s", got, lai_feed_error(room->feed));
		room->got_bytes += (size_t)got;
	}
}

static void expect_step(struct room *room, const char *text, size_t step)
{
	collect(room, room->got_bytes + strlen(text), step);
	room->got[room->got_bytes] = '\0';
	assert_string_equal(room->got, text);
	room->got_bytes = 0;
}

static void expect(struct room *room, const char *text)
{
	expect_step(room, text, 4096);
}

static void expect_end(struct room *room)
{
	char byte;

	assert_int_equal(lai_feed_read(room->feed, &byte, 1), 0);
	assert_int_equal(lai_feed_read(room->feed, &byte, 1), 0);
}

/* Nothing to read now: then there is a descriptor to wait on. */
static void expect_nothing(struct room *room)
{
	char byte;

	assert_int_equal(lai_feed_read(room->feed, &byte, 1), -EAGAIN);
	assert_true(lai_feed_fd(room->feed) >= 0);
	assert_true(lai_feed_deadline(room->feed) > 0);
}

/* The descriptor itself says that there is something, without a re-check. */
static void expect_woken(struct room *room)
{
	struct pollfd poll_fd = {.fd = lai_feed_fd(room->feed), .events = POLLIN};

	assert_true(poll_fd.fd >= 0);
	assert_int_equal(poll(&poll_fd, 1, (int)(PATIENCE_NS / LAI_MS)), 1);
}

static struct lai_feed_counts counts_of(struct room *room)
{
	struct lai_feed_counts counts;

	lai_feed_counts(room->feed, &counts);
	return counts;
}

/* --- lists --- */

static void test_two_files(void **state)
{
	struct room *room = *state;
	const char *files[] = {room->a, room->b};

	put(room->a, "one\ntwo");
	put(room->b, "three\n");
	start(room, &(struct lai_feed_config){.files = files, .file_count = 2});
	assert_int_equal(lai_feed_fd(room->feed), -1);
	assert_int_equal(lai_feed_deadline(room->feed), 0);
	assert_string_equal(lai_feed_name(room->feed), room->a);
	expect(room, "one\ntwo");
	expect(room, "three\n");
	assert_string_equal(lai_feed_name(room->feed), room->b);
	expect_end(room);
	assert_string_equal(lai_feed_name(room->feed), room->b);
	assert_int_equal(counts_of(room).bytes, 13);
	assert_int_equal(counts_of(room).newlines, 0);
}

static void test_two_files_records(void **state)
{
	struct room *room = *state;
	const char *files[] = {room->a, room->b, room->c, room->b};

	put(room->a, "one\ntwo");
	put(room->b, "three\n");
	put(room->c, "");
	start(room, &(struct lai_feed_config){.files = files, .file_count = 4, .records = true});
	expect_step(room, "one\ntwo\nthree\nthree\n", 1);
	expect_end(room);
	assert_int_equal(counts_of(room).bytes, 20);
	assert_int_equal(counts_of(room).newlines, 1);
}

/* The last piece is left as it is: whoever reads knows that no more comes. */
static void test_last_without_newline(void **state)
{
	struct room *room = *state;
	const char *files[] = {room->a};

	put(room->a, "one");
	start(room, &(struct lai_feed_config){.files = files, .file_count = 1, .records = true});
	expect(room, "one");
	expect_end(room);
}

static void assert_refused(struct room *room, const struct lai_feed_config *config, int result,
			   const char *format, const char *name)
{
	char sentence[2 * PATH_ROOM];

	(void)snprintf(sentence, sizeof(sentence), format, name);
	assert_int_equal(lai_feed_new(&room->feed, config, &room->error), result);
	assert_null(room->feed);
	assert_string_equal(room->error, sentence);
	free(room->error);
	room->error = NULL;
}

static void make_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	(void)close(fd);
}

static void test_refused_files(void **state)
{
	struct room *room = *state;
	const char *missing[] = {room->a, room->b}, *directory[] = {room->a, room->directory};
	const char *socket_file[] = {room->c}, *twice[] = {"-", room->a, "-"};
	int pipe_fds[2];

	put(room->a, "one\n");
	make_socket(room->c);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_refused(room, &(struct lai_feed_config){.files = missing, .file_count = 2}, -ENOENT,
		       "cannot read %s: No such file or directory", room->b);
	assert_refused(room, &(struct lai_feed_config){.files = directory, .file_count = 2},
		       -EINVAL, "cannot read %s: it is a directory", room->directory);
	assert_refused(room, &(struct lai_feed_config){.files = socket_file, .file_count = 1},
		       -EINVAL, "cannot read %s: it is a socket, which cannot be opened as a file",
		       room->c);
	assert_refused(
		room,
		&(struct lai_feed_config){.files = twice, .file_count = 3, .stdin_fd = pipe_fds[0]},
		-EINVAL, "%s is named twice, but has only one end", "standard input");
	assert_refused(
		room,
		&(struct lai_feed_config){.files = missing, .file_count = 1, .follow = room->a},
		-EINVAL, "cannot follow %s and read other files as well", room->a);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
}

static void test_refused_permission(void **state)
{
	struct room *room = *state;
	const char *files[] = {room->a}, *fifo[] = {room->b};
	uid_t me = geteuid();

	put(room->a, "secret\n");
	assert_int_equal(chmod(room->a, 0), 0);
	assert_int_equal(mkfifo(room->b, 0), 0);
	assert_int_equal(chmod(room->directory, 0755), 0);
	if (me == 0)
		assert_int_equal(seteuid(65534), 0);
	assert_refused(room, &(struct lai_feed_config){.files = files, .file_count = 1}, -EACCES,
		       "cannot read %s: Permission denied", room->a);
	assert_refused(room, &(struct lai_feed_config){.files = fifo, .file_count = 1}, -EACCES,
		       "cannot read %s: Permission denied", room->b);
	assert_refused(room, &(struct lai_feed_config){.follow = room->a}, -EACCES,
		       "cannot follow %s: Permission denied", room->a);
	if (me == 0)
		assert_int_equal(seteuid(0), 0);
}

static void test_vanished(void **state)
{
	struct room *room = *state;
	const char *files[] = {room->a, room->b};
	char sentence[2 * PATH_ROOM], byte;

	put(room->a, "one\n");
	put(room->b, "two\n");
	start(room, &(struct lai_feed_config){.files = files, .file_count = 2});
	expect(room, "one\n");
	assert_int_equal(unlink(room->b), 0);
	assert_int_equal(lai_feed_read(room->feed, &byte, 1), -ENOENT);
	(void)snprintf(sentence, sizeof(sentence), "cannot read %s: No such file or directory",
		       room->b);
	assert_string_equal(lai_feed_error(room->feed), sentence);
	put(room->b, "back\n");
	expect(room, "back\n");
	assert_null(lai_feed_error(room->feed));
	expect_end(room);
}

/* --- pipes --- */

static void test_pipe(void **state)
{
	struct room *room = *state;
	int pipe_fds[2];

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	start(room, &(struct lai_feed_config){.stdin_fd = pipe_fds[0]});
	assert_string_equal(lai_feed_name(room->feed), "standard input");
	expect_nothing(room);
	assert_int_equal(lai_feed_fd(room->feed), pipe_fds[0]);
	assert_true(lai_feed_deadline(room->feed) == LA_NEVER);
	put_fd(pipe_fds[1], "one\n");
	expect(room, "one\n");
	expect_nothing(room);
	put_fd(pipe_fds[1], "two");
	(void)close(pipe_fds[1]);
	expect(room, "two");
	expect_end(room);
	/* Left as it was: open, and blocking. */
	assert_int_equal(fcntl(pipe_fds[0], F_GETFL) & O_NONBLOCK, 0);
	lai_feed_free(room->feed);
	room->feed = NULL;
	assert_true(fcntl(pipe_fds[0], F_GETFL) >= 0);
	(void)close(pipe_fds[0]);
}

/* The size a pipe gets when asked for bytes; how it was, where limits of this user forbid that. */
static int pipe_size_asked(int bytes)
{
	int pipe_fds[2], size;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	(void)fcntl(pipe_fds[0], F_SETPIPE_SZ, bytes);
	size = fcntl(pipe_fds[0], F_GETPIPE_SZ);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	return size;
}

static void test_pipe_grows(void **state)
{
	struct room *room = *state;
	int asked = pipe_size_asked(1 << 20), pipe_fds[2], before;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	start(room, &(struct lai_feed_config){.stdin_fd = pipe_fds[0]});
	expect_nothing(room);
	assert_int_equal(fcntl(pipe_fds[0], F_GETPIPE_SZ), asked);
	lai_feed_free(room->feed);
	room->feed = NULL;
	(void)fcntl(pipe_fds[0], F_SETPIPE_SZ, 4 << 20); /* more than ours, if this user may */
	before = fcntl(pipe_fds[0], F_GETPIPE_SZ);
	start(room, &(struct lai_feed_config){.stdin_fd = pipe_fds[0]});
	expect_nothing(room);
	assert_int_equal(fcntl(pipe_fds[0], F_GETPIPE_SZ), before);
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
}

static void test_stdin_socket(void **state)
{
	struct room *room = *state;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	start(room, &(struct lai_feed_config){.stdin_fd = fds[0]});
	expect_nothing(room);
	put_fd(fds[1], "hello");
	expect(room, "hello");
	(void)close(fds[1]);
	expect_end(room);
	(void)close(fds[0]);
}

static void test_stdin_terminal(void **state)
{
	struct room *room = *state;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), terminal;

	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(terminal >= 0);
	start(room, &(struct lai_feed_config){.stdin_fd = terminal});
	expect_nothing(room);
	put_fd(master, "typed\n");
	expect(room, "typed\n");
	expect_nothing(room);
	put_fd(master, "\004"); /* Ctrl-D */
	collect(room, 1, 16);
	assert_int_equal(room->got_bytes, 0);
	expect_end(room);
	(void)close(terminal);
	(void)close(master);
}

static void test_stdin_among_files(void **state)
{
	struct room *room = *state;
	const char *files[] = {room->a, "-", room->b};
	int pipe_fds[2];

	put(room->a, "a");
	put(room->b, "b\n");
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	put_fd(pipe_fds[1], "pipe");
	(void)close(pipe_fds[1]);
	start(room,
	      &(struct lai_feed_config){
		      .files = files, .file_count = 3, .records = true, .stdin_fd = pipe_fds[0]});
	expect(room, "a\npipe\nb\n");
	expect_end(room);
	(void)close(pipe_fds[0]);
}

static void test_stdin_refused(void **state)
{
	struct room *room = *state;
	int pipe_fds[2], directory = open(room->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_refused(room, &(struct lai_feed_config){.stdin_fd = pipe_fds[1]}, -EBADF,
		       "cannot read %s: it is not open for reading", "standard input");
	assert_refused(room, &(struct lai_feed_config){.stdin_fd = directory}, -EINVAL,
		       "cannot read %s: it is a directory", "standard input");
	(void)close(pipe_fds[0]);
	(void)close(pipe_fds[1]);
	(void)close(directory);
	assert_refused(room, &(struct lai_feed_config){.stdin_fd = pipe_fds[0]}, -EBADF,
		       "cannot read %s: it is closed", "standard input");
}

/* A FIFO without writer is not at its end; it has not begun. */
static void test_fifo(void **state)
{
	struct room *room = *state;
	const char *files[] = {room->a, room->b};
	int writer;

	assert_int_equal(mkfifo(room->a, 0600), 0);
	put(room->b, "then\n");
	start(room, &(struct lai_feed_config){.files = files, .file_count = 2});
	expect_nothing(room);
	writer = open(room->a, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(writer >= 0);
	expect_nothing(room);
	put_fd(writer, "first\n");
	expect(room, "first\n");
	expect_nothing(room);
	(void)close(writer);
	expect(room, "then\n");
	expect_end(room);
}

/* --- follow --- */

static void test_follow_grows(void **state)
{
	struct room *room = *state;

	put(room->a, "old\n");
	start_follow(room, LATE_NS);
	assert_int_equal(lai_feed_fd(room->feed), -1);
	expect(room, "old\n");
	expect_nothing(room);
	put(room->a, "new\n");
	expect_woken(room);
	expect(room, "new\n");
	put(room->a, "abc");
	expect_step(room, "abc", 1);
	expect_nothing(room);
	assert_int_equal(counts_of(room).bytes, 11);
	assert_string_equal(lai_feed_name(room->feed), room->a);
	assert_null(lai_feed_error(room->feed));
}

static void test_follow_from_end(void **state)
{
	struct room *room = *state;

	put(room->a, "old\nhalf");
	start(room, &(struct lai_feed_config){
			    .follow = room->a, .from_end = true, .recheck_ns = LATE_NS});
	expect_nothing(room);
	put(room->a, " line\n");
	expect(room, " line\n");
	assert_int_equal(counts_of(room).truncations, 0);
}

static void test_follow_from_end_records(void **state)
{
	struct room *room = *state;

	put(room->a, "old\nhalf");
	start(room,
	      &(struct lai_feed_config){
		      .follow = room->a, .from_end = true, .records = true, .recheck_ns = LATE_NS});
	expect(room, "half");
	put(room->a, " line\n");
	expect(room, " line\n");
	expect_nothing(room);
}

static void test_follow_from_end_new_file(void **state)
{
	struct room *room = *state;

	start(room, &(struct lai_feed_config){
			    .follow = room->a, .from_end = true, .recheck_ns = LATE_NS});
	expect_nothing(room);
	put(room->a, "all of it\n");
	expect(room, "all of it\n");
}

static void test_follow_delayed(void **state)
{
	struct room *room = *state;

	start_follow(room, LATE_NS);
	expect_nothing(room);
	assert_non_null(strstr(lai_feed_error(room->feed), "No such file"));
	put(room->a, "here\n");
	expect_woken(room);
	expect(room, "here\n");
	assert_null(lai_feed_error(room->feed));
	assert_int_equal(counts_of(room).rotations, 0);
}

static void test_follow_rotation(void **state)
{
	struct room *room = *state;

	put(room->a, "1\n");
	start_follow(room, SOON_NS);
	expect(room, "1\n");
	expect_nothing(room);
	rotate(room->a, room->b);
	put(room->a, "2\n");
	expect(room, "2\n");
	assert_int_equal(counts_of(room).rotations, 1);
	rotate(room->a, room->b);
	put(room->a, "3\n");
	expect(room, "3\n");
	assert_int_equal(counts_of(room).rotations, 2);
	assert_int_equal(counts_of(room).truncations, 0);
}

static void test_follow_rotation_unread(void **state)
{
	struct room *room = *state;

	put(room->a, "read ");
	start_follow(room, SOON_NS);
	expect(room, "read ");
	put(room->a, "unread ");
	rotate(room->a, room->b);
	put(room->a, "new");
	expect(room, "unread new");
	assert_int_equal(counts_of(room).rotations, 1);
}

/* The writer has not reopened its log yet, and somebody else already writes to the new one. */
static void test_follow_late_writer(void **state)
{
	struct room *room = *state;
	int writer = appending(room->a);

	put_fd(writer, "1 ");
	start_follow(room, LATE_NS);
	expect(room, "1 ");
	expect_nothing(room);
	rotate(room->a, room->b);
	put(room->a, "3 ");
	expect_nothing(room);
	put_fd(writer, "2 ");
	expect_woken(room);
	expect(room, "2 ");
	expect_nothing(room);
	(void)close(writer);
	rotate(room->a, room->c); /* twice rotated: nobody writes to the first any more */
	put(room->a, "4 ");
	expect_woken(room);
	expect(room, "3 ");
	assert_int_equal(counts_of(room).rotations, 2);
}

static void test_follow_empty_successor(void **state)
{
	struct room *room = *state;
	int writer = appending(room->a);
	uint64_t end_ns;

	put_fd(writer, "1 ");
	start_follow(room, SOON_NS);
	expect(room, "1 ");
	rotate(room->a, room->b);
	put(room->a, "");
	/* However long it takes, an empty file is no reason to leave: several re-checks pass. */
	end_ns = now() + 5 * SOON_NS;
	while (now() < end_ns) {
		expect_nothing(room);
		(void)feed_wait(room->feed, end_ns);
	}
	assert_int_equal(counts_of(room).rotations, 1);
	put_fd(writer, "2 ");
	expect(room, "2 ");
	put(room->a, "3 ");
	expect(room, "3 ");
	(void)close(writer);
}

/* Nothing is read while the name goes through four files; tending keeps each. */
static void test_follow_series(void **state)
{
	struct room *room = *state;
	char name[PATH_ROOM + 16];

	put(room->a, "0 ");
	start_follow(room, 1);
	for (int i = 1; i <= 4; i++) {
		(void)snprintf(name, sizeof(name), "%s.%d", room->a, i);
		lai_feed_tend(room->feed);
		rotate(room->a, name);
		(void)snprintf(name, sizeof(name), "%d ", i);
		put(room->a, name);
	}
	expect(room, "0 1 2 3 4 ");
	assert_int_equal(counts_of(room).rotations, 4);
}

static void test_follow_too_many(void **state)
{
	struct room *room = *state;
	char name[PATH_ROOM + 16];

	put(room->a, "first ");
	start_follow(room, 1);
	for (int i = 1; i <= 100; i++) {
		(void)snprintf(name, sizeof(name), "%s.%d", room->a, i);
		lai_feed_tend(room->feed);
		rotate(room->a, name);
		put(room->a, ".");
	}
	assert_int_equal(counts_of(room).rotations, 15);
	expect(room, "first ...............");
	put(room->a, "last");
	expect(room, ".last");
}

static void test_follow_records(void **state)
{
	struct room *room = *state;

	put(room->a, "1");
	start(room,
	      &(struct lai_feed_config){.follow = room->a, .recheck_ns = SOON_NS, .records = true});
	expect(room, "1");
	rotate(room->a, room->b);
	put(room->a, "2\n");
	expect(room, "\n2\n");
	assert_int_equal(counts_of(room).newlines, 1);
	assert_int_equal(counts_of(room).bytes, 4);
}

static void test_follow_deleted(void **state)
{
	struct room *room = *state;
	int writer = appending(room->a);

	put_fd(writer, "1 ");
	start_follow(room, SOON_NS);
	expect(room, "1 ");
	assert_int_equal(unlink(room->a), 0);
	expect_nothing(room);
	put_fd(writer, "2 ");
	expect(room, "2 ");
	put(room->a, "3 ");
	expect(room, "3 ");
	assert_int_equal(counts_of(room).rotations, 1);
	(void)close(writer);
}

static void test_follow_symlink(void **state)
{
	struct room *room = *state;

	put(room->b, "b ");
	put(room->c, "c ");
	assert_int_equal(symlink(room->b, room->a), 0);
	start_follow(room, SOON_NS);
	expect(room, "b ");
	assert_int_equal(unlink(room->a), 0);
	assert_int_equal(symlink(room->c, room->a), 0);
	expect(room, "c ");
	assert_int_equal(counts_of(room).rotations, 1);
}

static void test_follow_renamed_back(void **state)
{
	struct room *room = *state;

	put(room->a, "1 ");
	start_follow(room, SOON_NS);
	expect(room, "1 ");
	rotate(room->a, room->b);
	expect_nothing(room);
	rotate(room->b, room->a);
	put(room->a, "2 ");
	expect(room, "2 ");
	assert_int_equal(counts_of(room).rotations, 0);
}

static void test_follow_truncation(void **state)
{
	struct room *room = *state;

	put(room->a, "a long first line\n");
	start_follow(room, LATE_NS);
	expect(room, "a long first line\n");
	expect_nothing(room);
	assert_int_equal(truncate(room->a, 0), 0);
	expect_woken(room);
	expect_nothing(room);
	put(room->a, "short\n");
	expect_woken(room);
	expect(room, "short\n");
	expect_nothing(room);
	assert_int_equal(counts_of(room).truncations, 1);
	assert_int_equal(counts_of(room).rotations, 0);
}

/* By the next look the file is longer than ever. */
static void test_follow_truncation_overgrown(void **state)
{
	struct room *room = *state;

	put(room->a, "10:00 first\n");
	start_follow(room, LATE_NS);
	expect(room, "10:00 first\n");
	expect_nothing(room);
	assert_int_equal(truncate(room->a, 0), 0);
	put(room->a, "10:01 second\n10:02 third\n");
	expect(room, "10:01 second\n10:02 third\n");
	assert_int_equal(counts_of(room).truncations, 1);
}

static void test_follow_truncation_records(void **state)
{
	struct room *room = *state;

	put(room->a, "unfinished");
	start(room,
	      &(struct lai_feed_config){.follow = room->a, .recheck_ns = LATE_NS, .records = true});
	expect(room, "unfinished");
	assert_int_equal(truncate(room->a, 0), 0);
	put(room->a, "new\n");
	expect(room, "\nnew\n");
	assert_int_equal(counts_of(room).truncations, 1);
}

/* A writer without O_APPEND goes on where it was: between lies a hole of zeros. */
static void truncate_under_writer(struct room *room, bool look_between)
{
	static char filler[20001];
	int writer = open(room->a, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	memset(filler, 'x', sizeof(filler) - 2);
	filler[sizeof(filler) - 2] = '\n';
	put_fd(writer, filler);
	start_follow(room, LATE_NS);
	expect(room, filler);
	expect_nothing(room);
	assert_int_equal(truncate(room->a, 0), 0);
	if (look_between)
		expect_nothing(room);
	put_fd(writer, "behind the hole\n");
	expect(room, "behind the hole\n");
	put_fd(writer, "and on\n");
	expect(room, "and on\n");
	assert_int_equal(write(writer, "\0\0x", 3), 3); /* zeros that were written are data */
	collect(room, 3, 16);
	assert_memory_equal(room->got, "\0\0x", 3);
	assert_int_equal(counts_of(room).truncations, 1);
	(void)close(writer);
}

static void test_follow_hole(void **state)
{
	truncate_under_writer(*state, false);
}

static void test_follow_hole_seen(void **state)
{
	truncate_under_writer(*state, true);
}

static void test_follow_truncated_rotation(void **state)
{
	struct room *room = *state;

	put(room->a, "first\n");
	start_follow(room, SOON_NS);
	expect(room, "first\n");
	assert_int_equal(truncate(room->a, 0), 0);
	put(room->a, "2\n");
	rotate(room->a, room->b);
	put(room->a, "3\n");
	expect(room, "2\n3\n");
	assert_int_equal(counts_of(room).truncations, 1);
	assert_int_equal(counts_of(room).rotations, 1);
}

static void test_follow_without_inotify(void **state)
{
	struct room *room = *state;

	start(room, &(struct lai_feed_config){
			    .follow = room->a, .recheck_ns = SOON_NS, .no_inotify = true});
	expect_nothing(room);
	put(room->a, "1 ");
	expect(room, "1 ");
	put(room->a, "2 ");
	expect(room, "2 ");
	rotate(room->a, room->b);
	put(room->a, "3 ");
	expect(room, "3 ");
	assert_int_equal(truncate(room->a, 0), 0);
	put(room->a, "4");
	expect(room, "4");
	assert_int_equal(counts_of(room).rotations, 1);
	assert_int_equal(counts_of(room).truncations, 1);
}

static void test_follow_reopen(void **state)
{
	struct room *room = *state;

	start(room, &(struct lai_feed_config){
			    .follow = room->a, .recheck_ns = LATE_NS, .no_inotify = true});
	expect_nothing(room);
	put(room->a, "now\n");
	assert_true(lai_feed_fd(room->feed) >= 0);
	lai_feed_reopen(room->feed);
	assert_int_equal(lai_feed_fd(room->feed), -1);
	assert_int_equal(lai_feed_deadline(room->feed), 0);
	expect(room, "now\n");
}

static void test_follow_reopen_unread(void **state)
{
	struct room *room = *state;

	put(room->a, "12");
	start_follow(room, LATE_NS);
	expect_step(room, "1", 1);
	rotate(room->a, room->b);
	put(room->a, "3");
	lai_feed_reopen(room->feed);
	expect_step(room, "2", 1);
	assert_int_equal(counts_of(room).rotations, 1);
}

static void test_follow_directory_replaced(void **state)
{
	struct room *room = *state;
	char inner[PATH_ROOM + 16], moved[PATH_ROOM + 8];

	(void)snprintf(inner, sizeof(inner), "%s/log", room->a);
	(void)snprintf(moved, sizeof(moved), "%s.old", room->a);
	assert_int_equal(mkdir(room->a, 0755), 0);
	put(inner, "1 ");
	start(room, &(struct lai_feed_config){.follow = inner, .recheck_ns = SOON_NS});
	expect(room, "1 ");
	rotate(room->a, moved);
	expect_nothing(room);
	assert_int_equal(mkdir(room->a, 0755), 0);
	put(inner, "2 ");
	expect(room, "2 ");
	assert_int_equal(counts_of(room).rotations, 1);
}

static void test_follow_turned_unreadable(void **state)
{
	struct room *room = *state;
	char sentence[2 * PATH_ROOM];

	put(room->a, "1 ");
	start_follow(room, SOON_NS);
	expect(room, "1 ");
	rotate(room->a, room->b);
	assert_int_equal(mkdir(room->a, 0755), 0);
	expect_nothing(room);
	(void)snprintf(sentence, sizeof(sentence), "cannot follow %s: it is not a regular file",
		       room->a);
	assert_string_equal(lai_feed_error(room->feed), sentence);
	assert_int_equal(rmdir(room->a), 0);
	put(room->a, "2 ");
	expect(room, "2 ");
	assert_null(lai_feed_error(room->feed));
}

/* Ends this run after `left` bytes less than were read, and begins the next one there. */
static void resume(struct room *room, size_t left)
{
	struct lai_feed_place place, again;
	char text[LAI_FEED_PLACE_MAX];

	assert_true(lai_feed_place(room->feed, left, &place));
	lai_feed_place_format(text, &place);
	assert_true(lai_feed_place_parse(text, &again));
	lai_feed_free(room->feed);
	room->feed = NULL;
	start(room, &(struct lai_feed_config){.follow = room->a,
					      .recheck_ns = SOON_NS,
					      .from_end = true, /* the place counts more */
					      .resume = &again});
}

static void test_follow_resume(void **state)
{
	struct room *room = *state;

	put(room->a, "one two three");
	start_follow(room, SOON_NS);
	expect(room, "one two three");
	resume(room, strlen(" three"));
	assert_true(lai_feed_resumed(room->feed));
	put(room->a, " four");
	expect(room, " three four");
	resume(room, 0);
	expect_nothing(room);
}

static void test_follow_resume_rotated(void **state)
{
	struct room *room = *state;

	put(room->a, "one two");
	start_follow(room, SOON_NS);
	expect(room, "one two");
	put(room->a, " three");
	rotate(room->a, room->b);
	put(room->a, " four");
	resume(room, strlen(" two"));
	assert_true(lai_feed_resumed(room->feed));
	expect(room, " two three four");
}

static void test_follow_resume_gone(void **state)
{
	struct room *room = *state;
	struct lai_feed_place place;

	put(room->a, "one two");
	start_follow(room, SOON_NS);
	expect(room, "one two");
	assert_false(lai_feed_place(room->feed, strlen("one two") + 1, &place));
	/* The same file with other bytes before the place: not what was read. */
	assert_int_equal(truncate(room->a, 0), 0);
	put(room->a, "XXX YYY zzz");
	assert_true(lai_feed_place(room->feed, 0, &place));
	place.check ^= 1;
	lai_feed_free(room->feed);
	room->feed = NULL;
	start(room, &(struct lai_feed_config){
			    .follow = room->a, .recheck_ns = SOON_NS, .resume = &place});
	assert_false(lai_feed_resumed(room->feed));
	expect(room, "XXX YYY zzz");
}

static void test_place_text(void **state)
{
	static const char *const bad[] = {"", "1:2:3", "1:2:3:4x", "a:2:3:4", "1:2:3:4:5", "note"};
	struct lai_feed_place place;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(lai_feed_place_parse(bad[i], &place));
}

static void test_follow_refused(void **state)
{
	struct room *room = *state;
	char nowhere[PATH_ROOM + 16], sentence[2 * PATH_ROOM];

	assert_refused(room, &(struct lai_feed_config){.follow = room->directory}, -EINVAL,
		       "cannot follow %s: it is not a regular file", room->directory);
	assert_refused(room, &(struct lai_feed_config){.follow = "-"}, -EINVAL,
		       "cannot follow %s; it is read to its end anyway", "standard input");
	(void)snprintf(nowhere, sizeof(nowhere), "%s/none/log", room->directory);
	(void)snprintf(sentence, sizeof(sentence),
		       "cannot follow %s: its directory: No such file or directory", nowhere);
	assert_refused(room, &(struct lai_feed_config){.follow = nowhere}, -ENOENT, "%s", sentence);
	assert_int_equal(mkfifo(room->a, 0600), 0);
	assert_refused(room, &(struct lai_feed_config){.follow = room->a}, -EINVAL,
		       "cannot follow %s: it is not a regular file", room->a);
}

/* --- a writer that works at the same time --- */

#define FILES 20
#define LINES_PER_FILE 1000

struct scribe {
	struct room *room;
	int seen_fd; /* a byte for each rotation that the reader has noticed; its end: give up */
};

/*
 * Writes numbered lines and rotates by rename, as logrotate does. Only two rotations between two
 * looks could hide a file, so each waits until the one before it has been noticed. The first file
 * is there before the reader is, or it could be renamed before the reader's first look.
 */
static void *scribe_run(void *arg)
{
	struct scribe *scribe = arg;
	int fd = appending(scribe->room->a), line = 0;
	char name[PATH_ROOM + 16], byte;

	for (int file = 0; file < FILES; file++) {
		for (int i = 0; i < LINES_PER_FILE; i++)
			(void)dprintf(fd, "%d\n", line++);
		if (file == FILES - 1 || (file > 0 && read(scribe->seen_fd, &byte, 1) != 1))
			break;
		(void)snprintf(name, sizeof(name), "%s.%d", scribe->room->a, file);
		(void)rename(scribe->room->a, name);
		(void)close(fd);
		fd = appending(scribe->room->a);
	}
	(void)close(fd);
	return NULL;
}

/* Reads on for a while and returns the next line expected: each must be its number. */
static long check_lines(struct room *room, long expected, int seen_fd)
{
	uint64_t give_up_ns = now() + PATIENCE_NS, noticed = 0;
	long value = 0;

	while (expected < FILES * LINES_PER_FILE) {
		char bytes[777]; /* ends inside a line most of the time */
		ssize_t got = lai_feed_read(room->feed, bytes, sizeof(bytes));

		for (; noticed < counts_of(room).rotations; noticed++)
			put_fd(seen_fd, "x");
		if (got == -EAGAIN && !feed_wait(room->feed, give_up_ns))
			break;
		for (ssize_t i = 0; i < got; i++) {
			if (bytes[i] != '\n') {
				value = value * 10 + bytes[i] - '0';
				continue;
			}
			if (value != expected)
				return expected;
			expected++;
			value = 0;
		}
	}
	return expected;
}

static void test_follow_concurrent(void **state)
{
	struct room *room = *state;
	pthread_t thread;
	int seen_fds[2];
	long lines;

	assert_int_equal(pipe2(seen_fds, O_CLOEXEC), 0);
	put(room->a, "");
	start_follow(room, LAI_MS);
	assert_int_equal(pthread_create(&thread, NULL, scribe_run,
					&(struct scribe){.room = room, .seen_fd = seen_fds[0]}),
			 0);
	lines = check_lines(room, 0, seen_fds[1]);
	(void)close(seen_fds[1]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(seen_fds[0]);
	assert_int_equal(lines, FILES * LINES_PER_FILE);
	assert_int_equal(counts_of(room).rotations, FILES - 1);
	assert_int_equal(counts_of(room).truncations, 0);
}

int main(void)
{
#define IN_ROOM(sentence, function)                                                                \
	{                                                                                          \
		.name = (sentence), .test_func = (function), .setup_func = room_open,              \
		.teardown_func = room_close                                                        \
	}
	const struct CMUnitTest tests[] = {
		IN_ROOM("files are read one after another, as they are", test_two_files),
		IN_ROOM("records: a missing newline between files is inserted",
			test_two_files_records),
		IN_ROOM("the last file's missing newline stays missing", test_last_without_newline),
		IN_ROOM("missing files, directories and sockets are found before the first byte",
			test_refused_files),
		IN_ROOM("files without permission are found before the first byte",
			test_refused_permission),
		IN_ROOM("a file that vanishes before its turn is an error that names it",
			test_vanished),
		IN_ROOM("a pipe is read without waiting and left in blocking mode", test_pipe),
		IN_ROOM("a pipe is made larger, never smaller", test_pipe_grows),
		IN_ROOM("standard input may be a socket", test_stdin_socket),
		IN_ROOM("standard input may be a terminal", test_stdin_terminal),
		IN_ROOM("standard input has its place among files", test_stdin_among_files),
		IN_ROOM("standard input that cannot be read is refused", test_stdin_refused),
		IN_ROOM("a FIFO waits for its first writer and ends with the last", test_fifo),
		IN_ROOM("follow: what is appended is read", test_follow_grows),
		IN_ROOM("follow: from the end", test_follow_from_end),
		IN_ROOM("follow: from the end, with records, an unfinished line is whole",
			test_follow_from_end_records),
		IN_ROOM("follow: from the end, a file that comes later is read from its beginning",
			test_follow_from_end_new_file),
		IN_ROOM("follow: the file may come later", test_follow_delayed),
		IN_ROOM("follow: rotation by rename", test_follow_rotation),
		IN_ROOM("follow: the old file is read to its end before the new one",
			test_follow_rotation_unread),
		IN_ROOM("follow: a writer that reopens late loses nothing",
			test_follow_late_writer),
		IN_ROOM("follow: an old file is not left for an empty one",
			test_follow_empty_successor),
		IN_ROOM("follow: no file of a quick series is missed", test_follow_series),
		IN_ROOM("follow: files held open are bounded", test_follow_too_many),
		IN_ROOM("follow: records: a newline ends the old file", test_follow_records),
		IN_ROOM("follow: a deleted file is read on until there is a new one",
			test_follow_deleted),
		IN_ROOM("follow: a symbolic link that changes is a rotation", test_follow_symlink),
		IN_ROOM("follow: a file that gets its name back is no rotation",
			test_follow_renamed_back),
		IN_ROOM("follow: truncation in place", test_follow_truncation),
		IN_ROOM("follow: truncation is seen though the file is longer again",
			test_follow_truncation_overgrown),
		IN_ROOM("follow: records: a newline ends what was truncated",
			test_follow_truncation_records),
		IN_ROOM("follow: the hole before a writer without O_APPEND is no data",
			test_follow_hole),
		IN_ROOM("follow: the same when the empty file was seen", test_follow_hole_seen),
		IN_ROOM("follow: truncation and rotation at once", test_follow_truncated_rotation),
		IN_ROOM("follow: everything works by re-checks alone", test_follow_without_inotify),
		IN_ROOM("follow: reopen looks at once", test_follow_reopen),
		IN_ROOM("follow: reopen looks even while there is unread data",
			test_follow_reopen_unread),
		IN_ROOM("follow: the directory may be replaced", test_follow_directory_replaced),
		IN_ROOM("follow: a name that turns unreadable is told and waited for",
			test_follow_turned_unreadable),
		IN_ROOM("follow: another run goes on at the byte that was not done",
			test_follow_resume),
		IN_ROOM("follow: also when the file was renamed meanwhile",
			test_follow_resume_rotated),
		IN_ROOM("follow: a file with other bytes is another file", test_follow_resume_gone),
		IN_ROOM("follow: what is no place is refused", test_place_text),
		IN_ROOM("follow: what cannot be followed is refused", test_follow_refused),
		IN_ROOM("follow: no line is lost or torn under a busy writer",
			test_follow_concurrent),
	};

	return cmocka_run_group_tests_name("feed.feed", tests, NULL, NULL);
}
