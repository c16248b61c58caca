/* SPDX-License-Identifier: MIT */
#include "show/show_coverage.h"

#include "show/show_paragraph.h"

#include <string.h>
#include <time.h>

/* "2026-11-22T16:04:05Z" and its NUL, for years of any length that time_t can make. */
#define TIMESTAMP_MAX 40

bool lai_show_coverage_whole(const struct lai_snapshot *snapshot)
{
	const struct lai_coverage *coverage = &snapshot->coverage;

	return coverage->unreadable == 0 && coverage->undetailed == 0 &&
	       coverage->namespaces_unseen == 0 && coverage->unplaced == 0 && coverage->complete &&
	       !coverage->pid_namespace;
}

static const char *plural(uint32_t count)
{
	return count == 1 ? "" : "s";
}

static void append_way(struct lai_text *text, const struct lai_coverage *coverage)
{
	if (coverage->way == LAI_WAY_BPF) {
		lai_text_append(text, "Owners were found by BPF.");
		return;
	}
	lai_text_append(text, "Owners were found in /proc");
	if (*coverage->way_reason) {
		lai_text_append(text, ", not by BPF: ");
		lai_show_safe(text, coverage->way_reason, sizeof(coverage->way_reason));
	}
	lai_text_append(text, ".");
}

/* Those that are known are named: often it is process 1 alone, which holds no socket of interest. */
static void append_unreadable(struct lai_text *text, const struct lai_coverage *coverage)
{
	const char *before = ": pid ";

	if (coverage->unreadable == 0)
		return;
	lai_text_append(text,
			" The descriptors of %u of %u processes may not be seen (CAP_SYS_PTRACE)",
			coverage->unreadable, coverage->processes);
	for (size_t i = 0; i < LAI_UNREADABLE_PIDS && coverage->unreadable_pids[i] != 0; i++) {
		lai_text_append(text, "%s%u", before, coverage->unreadable_pids[i]);
		before = ", ";
	}
	if (coverage->unreadable > LAI_UNREADABLE_PIDS)
		lai_text_append(text, " and others");
	lai_text_append(text, ". What sockets they hold is not known.");
}

static void append_processes(struct lai_text *text, const struct lai_coverage *coverage)
{
	append_unreadable(text, coverage);
	if (coverage->pid_namespace)
		lai_text_append(text, " This is a pid namespace (a container): processes outside "
				      "it cannot be seen, nor that they hold a socket.");
	if (coverage->undetailed > 0)
		lai_text_append(text,
				" Threads or epoll sets of %u process%s may not be seen "
				"(CAP_SYS_PTRACE).",
				coverage->undetailed, coverage->undetailed == 1 ? "" : "es");
	if (coverage->vanished > 0)
		lai_text_append(text, " %u process%s ended meanwhile.", coverage->vanished,
				coverage->vanished == 1 ? "" : "es");
}

static void append_name(struct lai_text *text, const struct lai_namespace *name_space)
{
	lai_show_safe(text, *name_space->name ? name_space->name : name_space->path,
		      LAI_NAMESPACE_NAME_MAX);
}

static void append_namespaces(struct lai_text *text, const struct lai_snapshot *snapshot)
{
	const struct lai_coverage *coverage = &snapshot->coverage;

	if (coverage->unplaced > 0)
		lai_text_append(text,
				" The network namespaces of %u process%s may not be seen: one that "
				"no other process is in is not listed.",
				coverage->unplaced, coverage->unplaced == 1 ? "" : "es");
	if (coverage->namespaces_unseen == 0)
		return;
	lai_text_append(text, " %u network namespace%s could not be looked into",
			coverage->namespaces_unseen, plural(coverage->namespaces_unseen));
	for (size_t i = 0; i < snapshot->namespace_count; i++) {
		const struct lai_namespace *name_space = &snapshot->namespaces[i];

		if (name_space->seen)
			continue;
		/* One reason is enough: it is nearly always the same for all of them. */
		lai_text_append(text, " (");
		append_name(text, name_space);
		lai_text_append(text, ": %s)", strerror(-name_space->error));
		break;
	}
	lai_text_append(text, ".");
}

/* They are of TCP and connected, since somebody holds them, and in no list. */
static void append_elsewhere(struct lai_text *text, const struct lai_snapshot *snapshot)
{
	uint32_t count = snapshot->coverage.sockets_elsewhere;

	if (count == 0)
		return;
	if (snapshot->namespace_count > 1)
		lai_text_append(text,
				" %u socket%s of a network namespace that was not looked into, or "
				"newer than the list, %s left out.",
				count, plural(count), count == 1 ? "is" : "are");
	else
		lai_text_append(text,
				" %u socket%s of other network namespaces %s left out "
				"(--all-netns).",
				count, plural(count), count == 1 ? "is" : "are");
}

static void append_repeats(struct lai_text *text, const struct lai_coverage *coverage)
{
	if (!coverage->complete)
		lai_text_append(text,
				" The kernel's tables changed during each of %u tries: a socket "
				"may be missing or listed twice.",
				coverage->repeats + 1);
}

void lai_show_coverage_text(struct lai_text *text, const struct lai_snapshot *snapshot)
{
	append_way(text, &snapshot->coverage);
	append_processes(text, &snapshot->coverage);
	append_namespaces(text, snapshot);
	append_elsewhere(text, snapshot);
	append_repeats(text, &snapshot->coverage);
}

static void namespaces_json(struct lai_json *json, const struct lai_snapshot *snapshot)
{
	lai_json_array_begin(json, "namespaces");
	for (size_t i = 0; i < snapshot->namespace_count; i++) {
		const struct lai_namespace *name_space = &snapshot->namespaces[i];

		lai_json_object_begin(json, NULL);
		lai_json_u64(json, "inode", name_space->inode);
		lai_json_string(json, "name", *name_space->name ? name_space->name : NULL);
		lai_json_bool(json, "ours", name_space->ours);
		lai_json_bool(json, "seen", name_space->seen);
		lai_json_string(json, "error",
				name_space->error ? strerrorname_np(-name_space->error) : NULL);
		lai_json_end(json);
	}
	lai_json_end(json);
}

static void coverage_json(struct lai_json *json, const struct lai_snapshot *snapshot)
{
	const struct lai_coverage *coverage = &snapshot->coverage;

	lai_json_object_begin(json, "coverage");
	lai_json_string(json, "owners_by", coverage->way == LAI_WAY_BPF ? "bpf" : "proc");
	lai_json_string(json, "no_bpf_because",
			*coverage->way_reason ? coverage->way_reason : NULL);
	lai_json_bool(json, "whole", lai_show_coverage_whole(snapshot));
	lai_json_u64(json, "processes", coverage->processes);
	lai_json_u64(json, "unreadable_processes", coverage->unreadable);
	lai_json_u64(json, "undetailed_processes", coverage->undetailed);
	lai_json_u64(json, "vanished_processes", coverage->vanished);
	lai_json_u64(json, "unplaced_processes", coverage->unplaced);
	lai_json_bool(json, "in_pid_namespace", coverage->pid_namespace);
	lai_json_u64(json, "unseen_namespaces", coverage->namespaces_unseen);
	lai_json_u64(json, "sockets_elsewhere", coverage->sockets_elsewhere);
	lai_json_u64(json, "repeated_dumps", coverage->repeats);
	lai_json_bool(json, "consistent", coverage->complete);
	namespaces_json(json, snapshot);
	lai_json_end(json);
}

void lai_show_taken_at(struct lai_text *text, const struct lai_snapshot *snapshot)
{
	char stamp[TIMESTAMP_MAX] = "";
	time_t seconds = (time_t)snapshot->taken_at_s;
	struct tm parts;

	if (gmtime_r(&seconds, &parts) && strftime(stamp, sizeof(stamp), "%FT%TZ", &parts) > 0)
		lai_text_append(text, "%s", stamp);
}

void lai_show_snapshot_json(struct lai_json *json, const struct lai_snapshot *snapshot)
{
	struct lai_text stamp = LAI_TEXT_INIT(TIMESTAMP_MAX);

	lai_show_taken_at(&stamp, snapshot);
	lai_json_string(json, "host", snapshot->host);
	lai_json_string(json, "kernel", snapshot->kernel);
	lai_json_string(json, "taken_at", lai_text_string(&stamp));
	coverage_json(json, snapshot);
	lai_text_done(&stamp);
}
