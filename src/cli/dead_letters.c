/* SPDX-License-Identifier: MIT */
#include "cli/dead_letters.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* They may hold what was meant for the server alone. */
#define MODE 0600

/* Base64 makes four bytes of three, an escape up to six of one; names and words beside it. */
#define LINE_MAX(size) ((size)*6 + 8192)

static int format(char **line, const struct la_refusal *refusal)
{
	struct lai_json json;
	char when[sizeof("2026-11-22T12:00:00Z")];
	time_t now = time(NULL);
	struct tm utc;

	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	lai_json_init(&json, LINE_MAX(refusal->size));
	lai_json_object_begin(&json, NULL);
	lai_json_string(&json, "sender", refusal->sender);
	lai_json_u64(&json, "seq", refusal->seq);
	lai_json_string(&json, "time", when);
	lai_json_string(&json, "message", refusal->message);
	lai_json_blob(&json, "body", refusal->body, refusal->size);
	lai_json_end(&json);
	if (lai_json_steal(&json, line) == 0)
		return 0;
	lai_json_done(&json);
	return -ENOMEM;
}

int lai_dead_letters_add(const char *path, const struct la_refusal *refusal)
{
	char *line = NULL;
	size_t length, done = 0;
	int fd, status = format(&line, refusal);

	if (status != 0)
		return status;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, MODE);
	if (fd < 0)
		status = -errno;
	length = strlen(line);
	line[length++] = '\n'; /* in place of the NUL */
	while (status == 0 && done < length) {
		ssize_t wrote = write(fd, line + done, length - done);

		if (wrote >= 0)
			done += (size_t)wrote;
		else if (errno != EINTR)
			status = -errno;
	}
	/* A pipe or a terminal cannot be synced, and need not be. */
	if (status == 0 && fsync(fd) != 0 && errno != EINVAL)
		status = -errno;
	if (fd >= 0)
		(void)close(fd);
	free(line);
	return status;
}
