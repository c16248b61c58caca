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

/* ---- a file that is whole or not there ------------------------------------------------------ */

struct draft {
	char *temporary;
	FILE *file;
};

static int draft_open(struct draft *draft, const char *path)
{
	mode_t mask;
	int fd, result;

	*draft = (struct draft){0};
	if (asprintf(&draft->temporary, "%s.XXXXXX", path) < 0) {
		draft->temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(draft->temporary, O_CLOEXEC);
	if (fd < 0) {
		result = -errno;
		free(draft->temporary);
		return result;
	}
	/* mkstemp() makes it for us alone; the others get what they get from us elsewhere. */
	mask = umask(0);
	(void)umask(mask);
	(void)fchmod(fd, 0666 & ~mask);
	draft->file = fdopen(fd, "w");
	if (draft->file)
		return 0;
	result = -errno;
	(void)close(fd);
	(void)unlink(draft->temporary);
	free(draft->temporary);
	return result;
}

/* result: of what wrote it. The file takes its place only if all went well. */
static int draft_close(struct draft *draft, const char *path, int result)
{
	if (fclose(draft->file) != 0 && result == 0)
		result = -errno;
	if (result == 0 && rename(draft->temporary, path) != 0)
		result = -errno;
	if (result != 0)
		(void)unlink(draft->temporary);
	free(draft->temporary);
	return result;
}

/* ---- captures ------------------------------------------------------------------------------- */

static int copy(FILE *from, FILE *to)
{
	static char bytes[COPY_BYTES];
	size_t got;

	rewind(from);
	while ((got = fread(bytes, 1, sizeof(bytes), from)) > 0)
		if (fwrite(bytes, 1, got, to) != got)
			return -errno;
	rewind(from);
	return 0;
}

static int capture_write(FILE *capture, const char *path, char **error)
{
	struct draft draft;
	int result = draft_open(&draft, path);

	if (result == 0)
		result = draft_close(&draft, path, copy(capture, draft.file));
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

int lai_lab_report_write(const struct lai_run *run, const char *path, char **error)
{
	struct draft draft;
	int result = draft_open(&draft, path);

	if (result == 0)
		result = draft_close(&draft, path, kinds[kind_of(path)].write(run, draft.file));
	return result ? lai_error(error, result, "cannot write %s: %s", path, strerror(-result))
		      : 0;
}

/* ---- beforehand ----------------------------------------------------------------------------- */

static int directory_check(const char *path, char **error)
{
	struct stat status;

	if (mkdir(path, 0777) != 0 && errno != EEXIST)
		return lai_error(error, -EINVAL, "--keep-pcap: cannot make the directory %s: %s",
				 path, strerror(errno));
	if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
		return lai_error(error, -EINVAL, "--keep-pcap needs a directory, and %s is none",
				 path);
	if (access(path, W_OK | X_OK) != 0)
		return lai_error(error, -EINVAL, "--keep-pcap: cannot write into %s: %s", path,
				 strerror(errno));
	return 0;
}

static int report_check(const char *path, char **error)
{
	char *copied = strdup(path);
	const char *directory;
	struct stat status;
	int result = 0;

	if (!copied)
		return -ENOMEM;
	directory = dirname(copied);
	if (kind_of(path) == KIND_COUNT)
		result = lai_error(error, -EINVAL,
				   "--report needs a file that ends with .html or .md, not '%s'",
				   path);
	else if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		result = lai_error(error, -EINVAL, "--report: %s is there, and no regular file",
				   path);
	else if (access(directory, W_OK | X_OK) != 0)
		result = lai_error(error, -EINVAL, "--report: cannot write into %s: %s", directory,
				   strerror(errno));
	free(copied);
	return result;
}

int lai_lab_files_check(const char *pcap_directory, const char *report, char **error)
{
	int result = 0;

	*error = NULL;
	if (report)
		result = report_check(report, error);
	if (result == 0 && pcap_directory)
		result = directory_check(pcap_directory, error);
	return result;
}
