/* SPDX-License-Identifier: MIT */
#include "cli/lab_files.h"
#include "base/error.h"
#include "show/lab_report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES 65536

#define OWN_FDS "/proc/self/fd/"

/* ---- a file that is whole or not there ------------------------------------------------------ */

/*
 * While it is written the file has no name, where the file system can do that, so that not even
 * kill -9 leaves half of one.
 */
struct draft {
	char *target;	 /* a link stays one: what it leads to is replaced */
	char *temporary; /* beside it */
	bool named;	 /* temporary is there already */
	int fd;
};

static void draft_free(struct draft *draft)
{
	free(draft->target);
	free(draft->temporary);
}

/* Where a file of this name is, or will be. */
static int draft_name(struct draft *draft, const char *path)
{
	struct stat status;

	draft->target = realpath(path, NULL);
	if (!draft->target && (errno != ENOENT || lstat(path, &status) == 0))
		return -errno; /* a link that leads nowhere, among others */
	if (!draft->target)
		draft->target = strdup(path);
	return draft->target ? 0 : -ENOMEM;
}

/* mkostemp() makes it for us alone; others get what they had, or what they get from us elsewhere. */
static void draft_permit(const struct draft *draft)
{
	struct stat old;
	mode_t mask;

	if (stat(draft->target, &old) == 0) {
		(void)fchmod(draft->fd, old.st_mode & 0777);
		return;
	}
	mask = umask(0);
	(void)umask(mask);
	(void)fchmod(draft->fd, 0666 & ~mask);
}

static int draft_make(struct draft *draft)
{
	char *copied = strdup(draft->target);
	const char *directory = copied ? dirname(copied) : NULL;

	if (!directory || asprintf(&draft->temporary, "%s/.lastack-XXXXXX", directory) < 0) {
		draft->temporary = NULL;
		free(copied);
		return -ENOMEM;
	}
	/* It gets its name through /proc. */
	if (access(OWN_FDS, X_OK) == 0)
		draft->fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	free(copied);
	if (draft->fd >= 0)
		return 0;
	draft->fd = mkostemp(draft->temporary, O_CLOEXEC);
	draft->named = draft->fd >= 0;
	return draft->named ? 0 : -errno;
}

static int draft_open(struct draft *draft, const char *path)
{
	int result;

	*draft = (struct draft){.fd = -1};
	result = draft_name(draft, path);
	if (result == 0)
		result = draft_make(draft);
	if (result == 0)
		draft_permit(draft);
	else
		draft_free(draft);
	return result;
}

/* Gives it the target's name, or the temporary one if there is a file with the first. */
static int draft_link(struct draft *draft, bool *in_place)
{
	char own[sizeof(OWN_FDS) + 16];
	int fd;

	*in_place = false;
	if (draft->named)
		return 0;
	(void)snprintf(own, sizeof(own), OWN_FDS "%d", draft->fd);
	*in_place = linkat(AT_FDCWD, own, AT_FDCWD, draft->target, AT_SYMLINK_FOLLOW) == 0;
	if (*in_place)
		return 0;
	if (errno != EEXIST)
		return -errno;
	/* A name that nobody else has. */
	fd = mkostemp(draft->temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	(void)unlink(draft->temporary);
	draft->named = linkat(AT_FDCWD, own, AT_FDCWD, draft->temporary, AT_SYMLINK_FOLLOW) == 0;
	return draft->named ? 0 : -errno;
}

static int draft_write(const struct draft *draft, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = write(draft->fd, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		size -= (size_t)written;
	}
	return 0;
}

/* result: of what wrote it. The file takes its place only if all went well. */
static int draft_close(struct draft *draft, int result)
{
	bool in_place = false;

	if (result == 0)
		result = draft_link(draft, &in_place);
	if (close(draft->fd) != 0 && result == 0)
		result = -errno;
	if (result == 0 && !in_place && rename(draft->temporary, draft->target) != 0)
		result = -errno;
	if (result != 0 && draft->named)
		(void)unlink(draft->temporary);
	draft_free(draft);
	return result;
}

/* Whether it could be made: 0, and nothing is there. */
static int draft_try(const char *path)
{
	struct draft draft;
	int result = draft_open(&draft, path);

	if (result)
		return result;
	(void)draft_close(&draft, -ECANCELED);
	return 0;
}

/* ---- captures ------------------------------------------------------------------------------- */

static int copy(FILE *from, const struct draft *to)
{
	static char bytes[COPY_BYTES];
	int result = 0;
	size_t got;

	rewind(from);
	while (result == 0 && (got = fread(bytes, 1, sizeof(bytes), from)) > 0)
		result = draft_write(to, bytes, got);
	if (result == 0 && ferror(from))
		result = -EIO;
	rewind(from);
	return result;
}

static int capture_write(FILE *capture, const char *path, char **error)
{
	struct draft draft;
	int result = draft_open(&draft, path);

	if (result == 0)
		result = draft_close(&draft, copy(capture, &draft));
	return result ? lai_error(error, result, "cannot write %s: %s", path, strerror(-result))
		      : 0;
}

static int trial_write(const struct lai_claim *claim, const struct lai_outcome_trial *trial,
		       const char *directory, char **error)
{
	static const char *const wires[LAI_TRIAL_WIRES_MAX] = {"-client", "-server"};
	int result = 0;

	for (size_t wire = 0; wire < LAI_TRIAL_WIRES_MAX && result == 0; wire++) {
		bool router = claim->network == LAI_NETWORK_ROUTER;
		char *path;

		if (!trial->captures[wire])
			continue;
		if (asprintf(&path, "%s/%s-seed%" PRIu64 "%s.pcap", directory, claim->id,
			     trial->seed, router ? wires[wire] : "") < 0)
			return -ENOMEM;
		result = capture_write(trial->captures[wire], path, error);
		free(path);
	}
	return result;
}

int lai_lab_captures_write(const struct lai_run *run, const char *directory, char **error)
{
	for (size_t i = 0; i < run->outcome_count; i++) {
		const struct lai_outcome *outcome = &run->outcomes[i];

		for (size_t t = 0; t < outcome->trial_count; t++) {
			int result =
				trial_write(outcome->claim, &outcome->trials[t], directory, error);

			if (result)
				return result;
		}
	}
	return 0;
}

/* ---- the report ----------------------------------------------------------------------------- */

static const struct {
	const char *suffix;
	int (*write)(const struct lai_run *run, FILE *file);
} kinds[] = {
	{".html", lai_lab_report_html},
	{".md", lai_lab_report_markdown},
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

/* KIND_COUNT: none. */
static size_t kind_of(const char *path)
{
	size_t length = strlen(path), kind = 0;

	for (; kind < KIND_COUNT; kind++) {
		size_t suffix = strlen(kinds[kind].suffix);

		if (length > suffix && strcmp(path + length - suffix, kinds[kind].suffix) == 0)
			break;
	}
	return kind;
}

/* In memory first, so that what goes wrong with the file has its own errno. */
static int report_make(const struct lai_run *run, const char *path, char **bytes, size_t *size)
{
	FILE *memory = open_memstream(bytes, size);
	int result;

	if (!memory)
		return -errno;
	result = kinds[kind_of(path)].write(run, memory);
	if (fclose(memory) != 0 && result == 0)
		result = -errno;
	return result;
}

int lai_lab_report_write(const struct lai_run *run, const char *path, char **error)
{
	struct draft draft;
	char *bytes = NULL;
	size_t size = 0;
	int result = report_make(run, path, &bytes, &size);

	if (result == 0)
		result = draft_open(&draft, path);
	if (result == 0)
		result = draft_close(&draft, draft_write(&draft, bytes, size));
	free(bytes);
	return result ? lai_error(error, result, "cannot write %s: %s", path, strerror(-result))
		      : 0;
}

/* ---- beforehand ----------------------------------------------------------------------------- */

/* *made: it was not there before. */
static int directory_check(const char *path, bool *made, char **error)
{
	struct stat status;
	char *trial = NULL;
	int result;

	*made = mkdir(path, 0777) == 0;
	if (!*made && errno != EEXIST)
		return lai_error(error, -EINVAL, "--keep-pcap: cannot make the directory %s: %s",
				 path, strerror(errno));
	if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
		return lai_error(error, -EINVAL, "--keep-pcap needs a directory, and %s is none",
				 path);
	if (asprintf(&trial, "%s/x.pcap", path) < 0)
		return -ENOMEM;
	result = draft_try(trial);
	free(trial);
	return result ? lai_error(error, -EINVAL, "--keep-pcap: cannot write into %s: %s", path,
				  strerror(-result))
		      : 0;
}

static int report_check(const char *path, char **error)
{
	struct stat status, output;
	int result;

	if (kind_of(path) == KIND_COUNT)
		return lai_error(error, -EINVAL,
				 "--report needs a file that ends with .html or .md, not '%s'",
				 path);
	if (stat(path, &status) == 0) {
		if (!S_ISREG(status.st_mode))
			return lai_error(error, -EINVAL,
					 "--report: %s is there, and no regular file", path);
		if (fstat(STDOUT_FILENO, &output) == 0 && output.st_dev == status.st_dev &&
		    output.st_ino == status.st_ino)
			return lai_error(error, -EINVAL,
					 "--report: %s is where standard output goes already",
					 path);
	} else if (errno == ENAMETOOLONG) {
		return lai_error(error, -EINVAL, "--report: the name is too long");
	}
	result = draft_try(path);
	return result ? lai_error(error, -EINVAL, "--report: cannot write %s: %s", path,
				  strerror(-result))
		      : 0;
}

int lai_lab_files_check(const char *pcap_directory, const char *report, bool *made, char **error)
{
	int result = 0;

	*error = NULL;
	*made = false;
	/* The report may stand in the directory. */
	if (pcap_directory)
		result = directory_check(pcap_directory, made, error);
	if (result == 0 && report)
		result = report_check(report, error);
	if (result != 0 && *made) {
		(void)rmdir(pcap_directory);
		*made = false;
	}
	return result;
}
