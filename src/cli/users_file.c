/* SPDX-License-Identifier: MIT */
#include "cli/users_file.h"
#include "base/error.h"
#include "base/text.h"
#include "serve/users.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Users are people and machines, not customers: more is another file by mistake. */
#define FILE_MAX (64u * 1024 * 1024)
#define SENTENCE_MAX (PATH_MAX + 256)

static int fail(char **error, int code, const char *path, const char *what)
{
	return lai_error(error, code, "%s %s: %s", path, what, strerror(-code));
}

/* The whole file; one that does not exist is empty. 0 or a negative errno. */
static int read_all(int fd, struct lai_text *text)
{
	char piece[4096];
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		lai_text_append_bytes(text, piece, (size_t)got);
	}
	explicit_bzero(piece, sizeof(piece));
	return text->error;
}

static bool is_of(struct lai_slice line, struct lai_slice name)
{
	return line.size > name.size && memcmp(line.data, name.data, name.size) == 0 &&
	       line.data[name.size] == ':';
}

/* Every line but those of name, whose first is exchanged. */
static void edit(struct lai_slice old, const char *name, const char *line, struct lai_text *new,
		 bool *found)
{
	struct lai_slice rest = old;

	*found = false;
	while (rest.size > 0) {
		const char *end = memchr(rest.data, '\n', rest.size);
		struct lai_slice one = {rest.data, end ? (size_t)(end - rest.data) : rest.size};
		size_t used = one.size + (end != NULL);

		if (!is_of(one, lai_slice_of(name))) {
			lai_text_append_bytes(new, one.data, one.size);
			lai_text_append(new, "\n");
		} else {
			if (line && !*found)
				lai_text_append(new, "%s\n", line);
			*found = true;
		}
		rest = (struct lai_slice){rest.data + used, rest.size - used};
	}
	if (line && !*found)
		lai_text_append(new, "%s\n", line);
}

static int write_all(int fd, const struct lai_text *text)
{
	size_t done = 0;

	while (done < text->length) {
		ssize_t size = write(fd, text->data + done, text->length - done);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		done += (size_t)size;
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

/* Writes text beside path and puts it in its place. old: what was there, NULL: nothing. */
static int replace(int directory, const char *path, const struct stat *old,
		   const struct lai_text *text, char **error)
{
	char temporary[PATH_MAX];
	int fd, result;

	if (snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= (int)sizeof(temporary))
		return fail(error, -ENAMETOOLONG, path, "cannot be written");
	fd = mkostemp(temporary, O_CLOEXEC); /* in mode 0600 */
	if (fd < 0)
		return fail(error, -errno, temporary, "cannot be written");
	/* Owner, group and what they may do are as they were: a service may have to read it; others
	   have no business here. Best effort: who is not
	   root cannot give files away, and then owns the old one. */
	if (old && ((fchown(fd, old->st_uid, old->st_gid) != 0 && geteuid() == 0) ||
		    fchmod(fd, old->st_mode & 0660) != 0))
		result = -errno;
	else
		result = write_all(fd, text);
	(void)close(fd);
	if (result == 0 && rename(temporary, path) != 0)
		result = -errno;
	if (result == 0)
		(void)fsync(directory);
	else
		(void)unlink(temporary);
	return result ? fail(error, result, path, "cannot be written") : 0;
}

/* What a server would say of it. */
static int check(const struct lai_text *text, const char *path, char **error)
{
	struct lai_users *users;
	char *wrong = NULL;
	int result = lai_users_new(&users, (struct lai_slice){text->data, text->length}, &wrong);
	struct lai_text sentence = LAI_TEXT_INIT(SENTENCE_MAX);

	if (result == 0) {
		lai_users_free(users);
		return 0;
	}
	lai_text_append(&sentence, "%s was not changed, since it has a mistake: %s", path,
			wrong ? wrong : "out of memory");
	free(wrong);
	if (lai_text_steal(&sentence, error) != 0)
		lai_text_done(&sentence);
	return result;
}

/* Under the lock: reads, edits, checks, replaces. */
static int change(int directory, const char *path, const char *name, const char *line, bool *found,
		  char **error)
{
	struct lai_text old = LAI_TEXT_INIT(FILE_MAX), new = LAI_TEXT_INIT(FILE_MAX + 1024);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = 0;
	struct stat status = {0};

	if (fd < 0 && errno != ENOENT) {
		result = fail(error, -errno, path, "cannot be read");
		goto out;
	}
	if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode)) {
		result = fail(error, -EINVAL, path, "it is not a regular file, and would be replaced");
		goto out;
	}
	if (fd >= 0 && (result = read_all(fd, &old)) != 0) {
		result = fail(error, result, path, "cannot be read");
		goto out;
	}
	edit((struct lai_slice){old.data, old.length}, name, line, &new, found);
	if (!line && !*found)
		result = -ENOENT;
	else if (new.error)
		result = fail(error, new.error, path, "cannot be changed");
	else
		result = check(&new, path, error);
	if (result == 0)
		result = replace(directory, path, fd < 0 ? NULL : &status, &new, error);
out:
	if (fd >= 0)
		(void)close(fd);
	lai_text_done(&old);
	lai_text_done(&new);
	return result;
}

int lai_users_file_change(const char *path, const char *name, const char *line, bool *found,
			  char **error)
{
	char real[PATH_MAX], folder[PATH_MAX];
	int directory, result;

	*error = NULL;
	/* A link stays one: what it leads to is changed. */
	if (!realpath(path, real)) {
		if (errno != ENOENT || strlen(path) >= sizeof(real))
			return fail(error, -errno, path, "cannot be read");
		strcpy(real, path);
	}
	strcpy(folder, real);
	directory = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return fail(error, -errno, path, "cannot be written");
	if (flock(directory, LOCK_EX) != 0)
		result = fail(error, -errno, path, "cannot be locked");
	else
		result = change(directory, real, name, line, found, error);
	(void)close(directory);
	return result;
}
