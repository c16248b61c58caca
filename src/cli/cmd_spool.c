/* SPDX-License-Identifier: MIT */
/* lastack spool: what waits in a spool, and how to get it out of one that is damaged. */
#include "cli/command.h"
#include "base/json.h"
#include "base/size.h"
#include "show/show_columns.h"
#include "show/show_paragraph.h"

#include <lastack/spool.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum format { FORMAT_LINES, FORMAT_JSON };
static const char *const format_names[] = {"lines", "json", NULL};

/* Not chosen on the command line. */
#define FORMAT_DEFAULT ((enum format)2)

struct settings {
	bool json;
	enum format format;
	const char *output;
};

#define ROW(...) LAI_OPTION(struct settings, __VA_ARGS__)

static const struct lai_option options[] = {
	LAI_OPTION_HEAD("inspect"),
	ROW("json", 0, FLAG, json, NULL, "one JSON object (see lastack-spool(1))"),

	LAI_OPTION_HEAD("export"),
	ROW("format", 'f', ENUM, format, NULL,
	    "lines (default): each body and a newline; json: a line {\"seq\":...,\"body\":...} for "
	    "each, with body_base64 where the bytes are no UTF-8",
	    format_names),
	ROW("output", 'o', TEXT, output, "FILE",
	    "write there (mode 0600, what it had is lost) instead of to standard output"),
};

static const struct lai_option_command command = {
	.name = "lastack spool",
	.operands = "inspect|export FILE",
	.summary =
		"Looks at the file in which lastack send --spool keeps its records until the "
		"server has confirmed them. inspect says what waits, what the quota dropped, and "
		"whether anything is damaged; export writes the waiting records, oldest first, and "
		"passes over what is damaged. Neither changes the file, and a sender may go on "
		"using it meanwhile.",
	.epilog =
		"examples:\n"
		"  lastack spool inspect /var/spool/lastack.db\n"
		"  lastack spool export /var/spool/lastack.db > records\n"
		"  lastack spool export damaged.db --format json --output records.json\n"
		"\n"
		"exit status: 0 all is well; 1 something is damaged, or it failed; 2 bad usage or\n"
		"no such file; 77 not permitted\n",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_bytes = sizeof(struct settings),
	.operands_min = 2,
	.operands_max = 2,
};

/* ---- what both say -------------------------------------------------------------------------- */

static int failed(int result, char *error)
{
	lai_command_complain(command.name, "%s", error ? error : strerror(-result));
	free(error);
	switch (result) {
	case -ENOENT:
	case -ENOTDIR:
	case -EISDIR: return LAI_EXIT_USAGE;
	case -EACCES:
	case -EPERM: return LAI_EXIT_CANNOT;
	default: return LAI_EXIT_FAILED;
	}
}

static int judge(const char *path, const struct la_spool_info *info)
{
	if (info->damaged_blocks == 0)
		return LAI_EXIT_DONE;
	lai_command_complain(command.name,
			     "%s: %" PRIu64 " damaged part%s passed over; each held up to some "
			     "hundred records",
			     path, info->damaged_blocks,
			     info->damaged_blocks == 1 ? " was" : "s were");
	return LAI_EXIT_FAILED;
}

static int write_failed(const char *where, int error)
{
	/* Who has gone away does not want to hear it. */
	if (error != EPIPE)
		lai_command_complain(command.name, "cannot write to %s: %s", where,
				     strerror(error));
	return LAI_EXIT_FAILED;
}

/* ---- inspect -------------------------------------------------------------------------------- */

/* Of the numbers below, in all forms; names in JSON have an underscore for the dash. */
#define NUMBERS(X)                                                                                 \
	X("records", records)                                                                      \
	X("bytes", bytes)                                                                          \
	X("first-seq", first_seq)                                                                  \
	X("last-seq", last_seq)                                                                    \
	X("accepted-seq", accepted_seq)                                                            \
	X("confirmed-seq", confirmed_seq)                                                          \
	X("dropped-records", dropped_records)                                                      \
	X("dropped-bytes", dropped_bytes)                                                          \
	X("damaged-blocks", damaged_blocks)

/* The longest text that comes out: names of files may be long. */
#define TEXT_MAX 65536

static void show_json(struct lai_text *text, const char *path, const struct la_spool_info *info)
{
	struct lai_json json;
	char *line;

	lai_json_init(&json, TEXT_MAX);
	lai_json_object_begin(&json, NULL);
	lai_json_string(&json, "file", path);
	lai_json_string(&json, "sender", info->sender);
	lai_json_bool(&json, "in_use", info->in_use);
	lai_json_string(&json, "place", info->place);
#define X(name, field) lai_json_u64(&json, #field, info->field);
	NUMBERS(X)
#undef X
	lai_json_end(&json);
	if (lai_json_steal(&json, &line) == 0) {
		lai_text_append(text, "%s\n", line);
		free(line);
	} else {
		text->error = -ENOMEM;
		lai_json_done(&json);
	}
}

static void show_row(struct lai_text *text, const char *path, const struct la_spool_info *info)
{
	static const struct lai_column list[] = {{.name = "file"},
						 {.name = "sender"},
						 {.name = "in-use"},
						 {.name = "place"},
#define X(text_name, field) {.name = (text_name)},
						 NUMBERS(X)
#undef X
	};
	struct lai_columns columns;

	lai_columns_init(&columns, list, sizeof(list) / sizeof(list[0]), LAI_COLUMNS_TSV, text);
	lai_columns_head(&columns);
	lai_show_safe(lai_columns_cell(&columns), path, PATH_MAX);
	lai_show_safe(lai_columns_cell(&columns), info->sender, PATH_MAX);
	lai_text_append(lai_columns_cell(&columns), "%s", info->in_use ? "yes" : "no");
	lai_show_safe(lai_columns_cell(&columns), info->place, PATH_MAX);
#define X(name, field) lai_text_append(lai_columns_cell(&columns), "%" PRIu64, info->field);
	NUMBERS(X)
#undef X
	lai_columns_row_end(&columns);
	lai_columns_end(&columns, 0);
}

static void show_table(struct lai_text *text, const char *path, const struct la_spool_info *info)
{
	char size[LAI_SIZE_TEXT_MAX];

	lai_text_append(text, "file            ");
	lai_show_safe(text, path, PATH_MAX);
	lai_text_append(text, "\nsender          ");
	lai_show_safe(text, info->sender[0] ? info->sender : "unknown", PATH_MAX);
	lai_text_append(text, "\nin use          %s\n",
			info->in_use ? "yes, a sender has it open" : "no");
	if (info->place[0]) {
		lai_text_append(text, "input stands at ");
		lai_show_safe(text, info->place, PATH_MAX);
		lai_text_append(text, "\n");
	}
	lai_text_append(text, "waiting         %" PRIu64 " records, %s", info->records,
			lai_size_format(size, info->bytes));
	if (info->records > 0)
		lai_text_append(text, ", number %" PRIu64 " to %" PRIu64, info->first_seq,
				info->last_seq);
	lai_text_append(text, "\naccepted up to  %" PRIu64 "\nconfirmed up to %" PRIu64 "\n",
			info->accepted_seq, info->confirmed_seq);
	lai_text_append(text, "dropped         %" PRIu64 " records, %s, by the quota\n",
			info->dropped_records, lai_size_format(size, info->dropped_bytes));
	lai_text_append(text, "damaged parts   %" PRIu64 "\n", info->damaged_blocks);
}

static int inspect(const struct settings *settings, const char *path)
{
	struct lai_text text = LAI_TEXT_INIT(TEXT_MAX);
	struct la_spool_info info;
	char *error = NULL;
	int result = la_spool_inspect(path, &info, &error);

	if (result)
		return failed(result, error);
	if (settings->json)
		show_json(&text, path, &info);
	else if (isatty(STDOUT_FILENO) == 1)
		show_table(&text, path, &info);
	else
		show_row(&text, path, &info);
	if (text.error)
		result = -text.error;
	else if (fputs(lai_text_string(&text), stdout) < 0 || fflush(stdout) != 0)
		result = errno;
	lai_text_done(&text);
	if (result)
		return write_failed("standard output", result);
	return judge(path, &info);
}

/* ---- export --------------------------------------------------------------------------------- */

struct sink {
	FILE *out;
	enum format format;
	uint64_t with_newline; /* records that lines cannot tell apart */
};

/* Base64 makes four bytes of three, an escape six of one; the names stand beside it. */
#define JSON_MAX(size) ((size)*6 + 256)

static int write_json(FILE *out, uint64_t seq, const void *body, size_t size)
{
	struct lai_json json;
	char *line = NULL;
	int error = 0;

	lai_json_init(&json, JSON_MAX(size));
	lai_json_object_begin(&json, NULL);
	lai_json_u64(&json, "seq", seq);
	lai_json_blob(&json, "body", body, size);
	lai_json_end(&json);
	if (lai_json_steal(&json, &line) != 0) {
		lai_json_done(&json);
		return ENOMEM;
	}
	if (fputs(line, out) < 0 || fputc('\n', out) < 0)
		error = errno;
	free(line);
	return error;
}

/* 0, or what write() said: positive, so that it is told from what the file said. */
static int on_record(void *arg, uint64_t seq, const void *body, size_t size)
{
	struct sink *sink = arg;

	if (sink->format == FORMAT_JSON)
		return write_json(sink->out, seq, body, size);
	if (size > 0 && memchr(body, '\n', size))
		sink->with_newline++;
	if (fwrite(body, 1, size, sink->out) != size || fputc('\n', sink->out) < 0)
		return errno;
	return 0;
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat first, second;

	return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_ino == second.st_ino &&
	       first.st_dev == second.st_dev;
}

static void say_export(const struct sink *sink, const struct la_spool_info *info)
{
	char size[LAI_SIZE_TEXT_MAX];

	(void)fprintf(stderr, "%s: %" PRIu64 " record%s, %s\n", command.name, info->records,
		      info->records == 1 ? "" : "s", lai_size_format(size, info->bytes));
	if (sink->with_newline > 0)
		lai_command_complain(command.name,
				     "%" PRIu64 " of them contain newlines: --format json keeps "
				     "records apart",
				     sink->with_newline);
}

static int export_to(struct sink *sink, const char *path, const char *where)
{
	struct la_spool_info info;
	char *error = NULL;
	int result = la_spool_export(path, on_record, sink, &info, &error);

	if (result < 0)
		return failed(result, error);
	if (result == 0 && fflush(sink->out) != 0)
		result = errno;
	if (result > 0)
		return write_failed(where, result);
	say_export(sink, &info);
	return judge(path, &info);
}

static int export(const struct settings *settings, const char *path)
{
	struct sink sink = {
		.out = stdout,
		.format = settings->format == FORMAT_DEFAULT ? FORMAT_LINES : settings->format,
	};
	struct la_spool_info info;
	int exit_code, fd, result;
	char *error = NULL;

	if (!settings->output)
		return export_to(&sink, path, "standard output");
	if (is_same_file(settings->output, path))
		return lai_command_refuse(command.name, "--output is the spool itself");
	/* Before anything is overwritten. */
	result = la_spool_inspect(path, &info, &error);
	if (result)
		return failed(result, error);
	fd = open(settings->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	sink.out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!sink.out) {
		result = errno;
		if (fd >= 0)
			(void)close(fd);
		lai_command_complain(command.name, "cannot write to %s: %s", settings->output,
				     strerror(result));
		return LAI_EXIT_USAGE;
	}
	exit_code = export_to(&sink, path, settings->output);
	if (fclose(sink.out) != 0 && exit_code == LAI_EXIT_DONE)
		exit_code = write_failed(settings->output, errno);
	return exit_code;
}

/* ---- the command line ----------------------------------------------------------------------- */

static int run(const struct settings *settings, const struct lai_option_list *operands)
{
	const char *verb = operands->texts[0], *path = operands->texts[1];

	if (strcmp(verb, "inspect") == 0) {
		if (settings->format != FORMAT_DEFAULT || settings->output)
			return lai_command_refuse(command.name,
						  "--format and --output belong to export; inspect "
						  "has --json");
		return inspect(settings, path);
	}
	if (strcmp(verb, "export") == 0) {
		if (settings->json)
			return lai_command_refuse(command.name,
						  "--json belongs to inspect; export has --format "
						  "json");
		return export(settings, path);
	}
	return lai_command_refuse(command.name, "'%s' is neither inspect nor export", verb);
}

int lai_cmd_spool(int count, char *const *args)
{
	struct settings settings = {.format = FORMAT_DEFAULT};
	struct lai_option_list operands = {0};
	int exit_code;

	if (!lai_command_parse(&command, count, args, &settings, &operands, &exit_code))
		return exit_code;
	exit_code = run(&settings, &operands);
	lai_option_done(&command, &settings, &operands);
	return exit_code;
}
