/* SPDX-License-Identifier: MIT */
#include "cli/demo_client.h"

#include "cli/demo_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* A line of lastack's report, its last words escaped, is below 10 KiB. */
#define LINE_MAX_BYTES (64u * 1024)
/* How long a client may take to end after SIGTERM: it is stopped only when the demo breaks off. */
#define STOP_MS 500

/* ---- starting ----------------------------------------------------------------------------- */

/* Our ends of the pipes are ours alone; the child's become its standard descriptors. */
struct plumbing {
	int input[2], output[2], complaints;
	int trouble[2]; /* closed by a successful execve(), otherwise it brings errno */
};

static void close_if_open(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void plumbing_close(struct plumbing *plumbing)
{
	for (int end = 0; end < 2; end++) {
		close_if_open(&plumbing->input[end]);
		close_if_open(&plumbing->output[end]);
		close_if_open(&plumbing->trouble[end]);
	}
	close_if_open(&plumbing->complaints);
}

static int plumbing_open(struct plumbing *plumbing)
{
	*plumbing = (struct plumbing){{-1, -1}, {-1, -1}, -1, {-1, -1}};
	plumbing->complaints = memfd_create("lastack demo", MFD_CLOEXEC);
	if (plumbing->complaints < 0 || pipe2(plumbing->input, O_CLOEXEC) < 0 ||
	    pipe2(plumbing->output, O_CLOEXEC) < 0 || pipe2(plumbing->trouble, O_CLOEXEC) < 0 ||
	    fcntl(plumbing->input[1], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(plumbing->output[0], F_SETFL, O_NONBLOCK) < 0) {
		int error = -errno;

		plumbing_close(plumbing);
		return error;
	}
	return 0;
}

static _Noreturn void child_run(pid_t parent, const struct plumbing *plumbing, const char *path,
				char *const *args, uint32_t fds_max)
{
	struct rlimit limit = {.rlim_cur = fds_max, .rlim_max = fds_max};
	int error;

	lai_demo_child_begin(parent);
	/* What a shell left open is not the client's. Before Linux 5.11 it is, and is counted. */
	(void)close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
	(void)signal(SIGPIPE, SIG_DFL);
	if (dup2(plumbing->input[0], STDIN_FILENO) >= 0 &&
	    dup2(plumbing->output[1], STDOUT_FILENO) >= 0 &&
	    dup2(plumbing->complaints, STDERR_FILENO) >= 0 &&
	    (fds_max == 0 || setrlimit(RLIMIT_NOFILE, &limit) == 0))
		(void)execv(path, args);
	error = -errno;
	(void)!write(plumbing->trouble[1], &error, sizeof(error));
	_exit(EXIT_FAILURE);
}

/* 0 once the program runs; its errno if it could not be started. */
static int child_wait_for_exec(struct plumbing *plumbing)
{
	int error = 0;
	ssize_t got;

	close_if_open(&plumbing->trouble[1]);
	do
		got = read(plumbing->trouble[0], &error, sizeof(error));
	while (got < 0 && errno == EINTR);
	return got == sizeof(error) ? error : 0;
}

static int spawn(struct plumbing *plumbing, const char *path, char *const *args, uint32_t fds_max)
{
	pid_t parent = getpid(), pid = fork();
	int error;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_run(parent, plumbing, path, args, fds_max);
	error = child_wait_for_exec(plumbing);
	if (error)
		(void)waitpid(pid, NULL, 0);
	return error ? error : (int)pid;
}

int lai_demo_client_start(struct lai_demo_client *client, const char *path, char *const *args,
			  uint32_t fds_max)
{
	struct lai_demo_client made = {
		.fds_max = fds_max,
		.line = LAI_TEXT_INIT(LINE_MAX_BYTES),
		.lost = {0, UINT64_MAX},
		.close_wait = UINT64_MAX,
		.believed_records = UINT64_MAX,
	};
	struct plumbing plumbing;
	int status = lai_ring_init(&made.queue, LAI_DEMO_QUEUE_BYTES);

	if (status != 0)
		return status;
	status = plumbing_open(&plumbing);
	if (status == 0) {
		status = spawn(&plumbing, path, args, fds_max);
		if (status > 0) {
			made.pid = status;
			made.input = plumbing.input[1];
			made.output = plumbing.output[0];
			made.complaints = plumbing.complaints;
			plumbing.input[1] = plumbing.output[0] = plumbing.complaints = -1;
		}
		plumbing_close(&plumbing);
	}
	if (status < 0) {
		lai_ring_done(&made.queue);
		return status;
	}
	*client = made;
	return 0;
}

/* ---- feeding ------------------------------------------------------------------------------ */

void lai_demo_client_give(struct lai_demo_client *client, const char *record, size_t length)
{
	if (client->input < 0 || client->finishing || lai_ring_free(&client->queue) < length) {
		client->refused_records++;
		return;
	}
	(void)lai_ring_append(&client->queue, record, length);
	client->queued_records++;
	lai_demo_client_push(client);
}

static uint32_t count_newlines(const struct iovec *piece, size_t size)
{
	const char *at = piece->iov_base, *end = at + size;
	uint32_t count = 0;

	while ((at = memchr(at, '\n', (size_t)(end - at)))) {
		count++;
		at++;
	}
	return count;
}

static void give_up_queue(struct lai_demo_client *client)
{
	client->refused_records += client->queued_records;
	client->queued_records = 0;
	lai_ring_forget(&client->queue, client->queue.end);
	close_if_open(&client->input);
}

void lai_demo_client_push(struct lai_demo_client *client)
{
	struct iovec pieces[2];
	ssize_t wrote = 1;

	while (client->input >= 0 && wrote > 0 && lai_ring_used(&client->queue) > 0) {
		uint32_t records;

		(void)lai_ring_view(&client->queue, client->queue.begin, client->queue.end, pieces);
		wrote = write(client->input, pieces[0].iov_base, pieces[0].iov_len);
		if (wrote < 0 && errno == EINTR) {
			wrote = 1;
		} else if (wrote > 0) {
			records = count_newlines(&pieces[0], (size_t)wrote);
			client->accepted_records += records;
			client->queued_records -= records;
			lai_ring_forget(&client->queue, client->queue.begin + (uint64_t)wrote);
		} else if (errno != EAGAIN) {
			give_up_queue(client); /* EPIPE: it has gone */
		}
	}
	if (client->finishing && lai_ring_used(&client->queue) == 0)
		close_if_open(&client->input);
}

void lai_demo_client_finish(struct lai_demo_client *client)
{
	client->finishing = true;
	lai_demo_client_push(client);
}

size_t lai_demo_client_unread(const struct lai_demo_client *client)
{
	int bytes = 0;

	/* Once our end is closed nobody can be asked; the client reads the rest before its end. */
	if (client->input < 0 || ioctl(client->input, FIONREAD, &bytes) < 0)
		return 0;
	return (size_t)bytes;
}

/* ---- listening ---------------------------------------------------------------------------- */

/* The text after key, up to the quote. Our own JSON: no spaces, no escapes in these words. */
static void find_word(const char *line, const char *key, char word[LAI_DEMO_WORD_MAX])
{
	const char *at = strstr(line, key);
	size_t length;

	if (!at)
		return;
	at += strlen(key);
	length = strcspn(at, "\"");
	if (length < LAI_DEMO_WORD_MAX) {
		memcpy(word, at, length);
		word[length] = '\0';
	}
}

static void find_number(const char *line, const char *key, uint64_t *number)
{
	const char *at = strstr(line, key);
	char *end;
	unsigned long long value;

	if (!at)
		return;
	at += strlen(key);
	value = strtoull(at, &end, 10);
	if (end != at)
		*number = value;
}

static bool begins(const char *line, const char *beginning)
{
	return strncmp(line, beginning, strlen(beginning)) == 0;
}

static void take_line(struct lai_demo_client *client, const char *line)
{
	const char *lost = strstr(line, "\"lost\":");

	if (begins(line, "{\"event\":\"state\"")) {
		find_word(line, "\"to\":\"", client->state);
	} else if (begins(line, "{\"event\":\"report\"")) {
		find_word(line, "\"cause\":\"", client->cause);
	} else if (begins(line, "{\"event\":\"end\"")) {
		find_number(line, "\"close_wait_sockets\":", &client->close_wait);
		if (lost) {
			find_number(lost, "\"min_bytes\":", &client->lost.min_bytes);
			find_number(lost, "\"max_bytes\":", &client->lost.max_bytes);
		}
	} else {
		find_number(line, "\"believed_sent\":", &client->believed_records);
	}
}

void lai_demo_client_listen(struct lai_demo_client *client)
{
	char bytes[4096];
	ssize_t got;

	if (client->output < 0)
		return;
	while ((got = read(client->output, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (bytes[i] != '\n') {
				lai_text_append_bytes(&client->line, &bytes[i], 1);
				continue;
			}
			take_line(client, lai_text_string(&client->line));
			lai_text_done(&client->line);
		}
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		close_if_open(&client->output);
}

/* ---- ending ------------------------------------------------------------------------------- */

void lai_demo_client_reap(struct lai_demo_client *client)
{
	if (client->pid <= 0 || client->ended ||
	    waitpid(client->pid, &client->status, WNOHANG) != client->pid)
		return;
	client->ended = true;
	lai_demo_client_listen(client);
}

void lai_demo_client_stop(struct lai_demo_client *client)
{
	if (client->pid <= 0 || client->ended)
		return;
	(void)kill(client->pid, SIGTERM);
	client->status = lai_demo_child_end(client->pid, STOP_MS);
	client->ended = true;
}

void lai_demo_client_complaint(const struct lai_demo_client *client, char *text, size_t size)
{
	ssize_t got = pread(client->complaints, text, size - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

void lai_demo_client_done(struct lai_demo_client *client)
{
	if (client->pid <= 0)
		return;
	close_if_open(&client->input);
	close_if_open(&client->output);
	close_if_open(&client->complaints);
	lai_text_done(&client->line);
	lai_ring_done(&client->queue);
	client->pid = 0;
}
