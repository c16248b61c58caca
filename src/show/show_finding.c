/* SPDX-License-Identifier: MIT */
/* show_finding.c - the block of one finding, which a person reads. */
#include "show/show_finding.h"
#include "base/size.h"
#include "show/show_paragraph.h"
#include "show/show_socket.h"

#include <lastack/report.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "  Evidence" and two blanks: all texts of a block begin here. */
#define INDENT 12

/* Ranges of descriptors in a block: a leak has one or two, a fragmented table must not fill it. */
#define RANGES_MAX 8

/* Of a command line; the beginning names the program, the rest is for ps(1). */
#define COMMAND_MAX 160

/* The longest paragraph put together here. Sentences of the judge are passed as they are. */
#define PARAGRAPH_MAX 4096

/* Between the severity and what follows, where that does not begin at INDENT. */
#define KIND_GAP 2

/* How a remedy begins that ends connections. */
#define CLOSE_COMMAND "lastack close"

#define PLAIN "\033[0m"

static const struct {
	const char *word, *style, *one, *several;
} severities[LAI_SEVERITY_COUNT] = {
	[LAI_SEVERITY_LEAK] = {"LEAK", "\033[1;31m", "leak", "leaks"},
	[LAI_SEVERITY_WARNING] = {"WARNING", "\033[1;33m", "warning", "warnings"},
	[LAI_SEVERITY_INFO] = {"INFO", "\033[1m", "remark", "remarks"},
};

struct block {
	struct lai_text *text;
	const struct lai_snapshot *snapshot;
	const struct lai_finding *finding;
	size_t width_max;
};

/* --- parts --- */

void lai_show_fds(struct lai_text *text, const int32_t *fds, size_t count, size_t ranges_max)
{
	size_t ranges = 0;

	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && fds[end] == fds[end - 1] + 1; end++)
			;
		if (ranges++ == ranges_max) {
			lai_text_append(text, " and %zu more", count - i);
			return;
		}
		lai_text_append(text, "%s%" PRId32, i ? "," : "", fds[i]);
		if (end > i + 1)
			lai_text_append(text, "-%" PRId32, fds[end - 1]);
	}
}

const char *lai_show_endpoint(char text[LA_ADDRESS_TEXT_MAX], const struct lai_address *address)
{
	char *colon;

	(void)lai_address_format(text, address);
	colon = strrchr(text, ':');
	if (colon && lai_address_port(address) == 0)
		(void)snprintf(colon, LA_ADDRESS_TEXT_MAX - (size_t)(colon - text), ":*");
	return text;
}

const char *lai_show_namespace(char text[LAI_SHOW_NAMESPACE_MAX],
			       const struct lai_snapshot *snapshot, uint32_t index)
{
	const struct lai_namespace *name_space;

	text[0] = '\0';
	if (index >= snapshot->namespace_count)
		return text;
	name_space = &snapshot->namespaces[index];
	if (*name_space->name)
		(void)snprintf(text, LAI_SHOW_NAMESPACE_MAX, "%s", name_space->name);
	else
		(void)snprintf(text, LAI_SHOW_NAMESPACE_MAX, "net:[%" PRIu64 "]",
			       name_space->inode);
	return text;
}

void lai_show_finding_counts(struct lai_text *text, const size_t counts[LAI_SEVERITY_COUNT])
{
	size_t all = 0;
	const char *before = ": ";

	for (int i = 0; i < LAI_SEVERITY_COUNT; i++)
		all += counts[i];
	lai_text_append(text, "%zu finding%s", all, all == 1 ? "" : "s");
	for (int i = 0; i < LAI_SEVERITY_COUNT; i++) {
		if (counts[i] == 0)
			continue;
		lai_text_append(text, "%s%zu %s", before, counts[i],
				counts[i] == 1 ? severities[i].one : severities[i].several);
		before = ", ";
	}
}

void lai_show_finding_kind(struct lai_text *text, const struct lai_finding *finding)
{
	lai_text_append(text, "%s", severities[finding->severity].word);
	if (finding->confidence != LAI_CONFIDENCE_CERTAIN)
		lai_text_append(text, " (%s)", lai_confidence_name(finding->confidence));
}

/* "pid 4711 (java)", raw: the paragraph escapes it. */
static void append_process(struct lai_text *words, pid_t pid, const char *comm)
{
	lai_text_append(words, "pid %d", (int)pid);
	if (*comm)
		lai_text_append(words, " (%s)", comm);
}

/* A paragraph under its label; nothing if there is nothing to say. Empties words. */
static void put(const struct block *block, const char *label, struct lai_text *words)
{
	char margin[INDENT + 1];

	(void)snprintf(margin, sizeof(margin), "  %s", label);
	if (words->length > 0)
		lai_show_paragraph(block->text, margin, INDENT, block->width_max,
				   lai_text_string(words));
	if (words->error && !block->text->error)
		block->text->error = words->error;
	lai_text_done(words);
}

/* --- the lines of a block, from the top --- */

/* "LEAK (likely)  ", of which the severity is styled. Returns the column that follows. */
static size_t put_kind(const struct block *block, bool styled)
{
	const struct lai_finding *finding = block->finding;
	struct lai_text kind = LAI_TEXT_INIT(PARAGRAPH_MAX);
	size_t word = strlen(severities[finding->severity].word), column;

	lai_show_finding_kind(&kind, finding);
	column = kind.length + KIND_GAP > INDENT ? kind.length + KIND_GAP : INDENT;
	lai_text_append(block->text, "%s%.*s%s", styled ? severities[finding->severity].style : "",
			(int)word, lai_text_string(&kind), styled ? PLAIN : "");
	if (kind.length > word)
		lai_text_append(block->text, "%s", lai_text_string(&kind) + word);
	lai_text_append_repeated(block->text, ' ', column - kind.length);
	lai_text_done(&kind);
	return column;
}

static void put_headline(const struct block *block, bool styled)
{
	const struct lai_finding *finding = block->finding;
	struct lai_text words = LAI_TEXT_INIT(PARAGRAPH_MAX);
	size_t column = put_kind(block, styled);

	if (finding->pid)
		append_process(&words, finding->pid, finding->comm);
	else
		lai_text_append(&words, "no process");
	if (finding->socket_count)
		lai_text_append(&words, ": %zu connection%s", finding->socket_count,
				finding->socket_count == 1 ? "" : "s");
	lai_text_append(&words, ": %s [%s]", lai_verdict_title(finding->verdict),
			lai_verdict_name(finding->verdict));
	lai_show_wrapped_from(block->text, column, INDENT, block->width_max,
			      lai_text_string(&words));
	if (words.error && !block->text->error)
		block->text->error = words.error;
	lai_text_done(&words);
}

static void put_age(const struct block *block)
{
	const struct lai_finding *finding = block->finding;
	struct lai_text words = LAI_TEXT_INIT(PARAGRAPH_MAX);

	if (finding->age_kind != LAI_AGE_UNKNOWN) {
		lai_text_append(&words, "%s",
				finding->age_kind == LAI_AGE_LOWER_BOUND ? "at least " : "");
		lai_show_duration(&words, finding->oldest_age_ms);
		lai_text_append(&words, "%s", finding->socket_count > 1 ? " (the oldest)" : "");
	}
	put(block, "For", &words);
}

static void append_namespace(struct lai_text *words, const struct lai_snapshot *snapshot,
			     uint32_t index)
{
	char name[LAI_SHOW_NAMESPACE_MAX];

	if (index >= snapshot->namespace_count || snapshot->namespaces[index].ours)
		return;
	lai_text_append(words, "%sin network namespace %s", words->length ? ", " : "",
			lai_show_namespace(name, snapshot, index));
}

static bool sees_all(const struct lai_snapshot *snapshot)
{
	return snapshot->coverage.unreadable == 0 && !snapshot->coverage.pid_namespace;
}

static void put_peer(const struct block *block)
{
	const struct lai_finding *finding = block->finding;
	const struct lai_finding_peer *peer = &finding->peer;
	struct lai_text words = LAI_TEXT_INIT(PARAGRAPH_MAX);
	char remote[LA_ADDRESS_TEXT_MAX];

	(void)lai_show_endpoint(remote, &finding->remote);
	if (*remote)
		lai_text_append(&words, "%s", remote);
	else if (finding->socket_count > 1 && finding->sockets && finding->state != LAI_TCP_CLOSE)
		lai_text_append(&words, "several addresses");
	if (peer->pid || peer->state != LAI_TCP_NONE) {
		lai_text_append(&words, "%son this host: ", words.length ? ", " : "");
		if (peer->pid)
			append_process(&words, peer->pid, peer->comm);
		else
			lai_text_append(&words, "held by no process%s",
					sees_all(block->snapshot) ? "" : " that can be seen");
	}
	if (peer->state != LAI_TCP_NONE)
		lai_text_append(&words, ", %s", la_tcp_state_name(peer->state));
	if ((peer->pid || peer->state != LAI_TCP_NONE) &&
	    peer->namespace_index != finding->namespace_index)
		append_namespace(&words, block->snapshot, peer->namespace_index);
	put(block, "Peer", &words);
}

static void put_local(const struct block *block)
{
	const struct lai_finding *finding = block->finding;
	struct lai_text words = LAI_TEXT_INIT(PARAGRAPH_MAX);
	char local[LA_ADDRESS_TEXT_MAX];

	lai_text_append(&words, "%s", lai_show_endpoint(local, &finding->local));
	if (finding->state == LAI_TCP_CLOSE)
		lai_text_append(&words, "in none of the kernel's tables");
	else if (finding->state != LAI_TCP_NONE)
		lai_text_append(&words, "%s%s", words.length ? ", " : "",
				la_tcp_state_name(finding->state));
	append_namespace(&words, block->snapshot, finding->namespace_index);
	put(block, *local ? "Local" : "State", &words);
}

static void put_holds(const struct block *block)
{
	const struct lai_finding *finding = block->finding;
	const struct lai_process *process = lai_snapshot_process(block->snapshot, finding->pid);
	struct lai_text words = LAI_TEXT_INIT(PARAGRAPH_MAX);

	if (finding->fd_count) {
		lai_text_append(&words, "descriptor%s ", finding->fd_count == 1 ? "" : "s");
		lai_show_fds(&words, finding->fds, finding->fd_count, RANGES_MAX);
	}
	if (process && process->fds_seen && process->fd_count) {
		lai_text_append(&words, "%s%" PRIu32, words.length ? "; " : "", process->fd_count);
		if (process->fd_limit)
			lai_text_append(&words, " of %" PRIu32, process->fd_limit);
		lai_text_append(&words, "%s in use", finding->fd_count ? "" : " descriptors");
	} else if (process && process->fd_limit) {
		lai_text_append(&words, "%sthe limit is %" PRIu32 "%s", words.length ? "; " : "",
				process->fd_limit, finding->fd_count ? "" : " descriptors");
	}
	put(block, "Holds", &words);
}

static void put_growth(const struct block *block)
{
	const struct lai_finding *finding = block->finding;
	struct lai_text words = LAI_TEXT_INIT(PARAGRAPH_MAX);

	if (finding->growth_per_min == 0)
		lai_text_append(&words, "none between two looks");
	else if (finding->growth_per_min != LAI_GROWTH_UNKNOWN)
		lai_text_append(&words, "%+" PRId64 " per minute", finding->growth_per_min);
	if (finding->exhaustion_s) {
		uint64_t left_s = finding->exhaustion_s;

		lai_text_append(&words, "%s%s run out in ", words.length ? ": " : "",
				finding->verdict == LAI_VERDICT_PORTS_EXHAUSTING ? "ports"
										 : "descriptors");
		lai_show_duration(&words, left_s > UINT64_MAX / 1000 ? UINT64_MAX : left_s * 1000);
	}
	put(block, "Growth", &words);
}

static void put_unread(const struct block *block)
{
	struct lai_text words = LAI_TEXT_INIT(PARAGRAPH_MAX);
	char size[LAI_SIZE_TEXT_MAX];

	if (block->finding->unread_bytes)
		lai_text_append(&words, "%s has come and was not read",
				lai_size_format(size, block->finding->unread_bytes));
	put(block, "Unread", &words);
}

static void put_command(const struct block *block)
{
	struct lai_text words = LAI_TEXT_INIT(PARAGRAPH_MAX);
	const char *command = block->finding->command_line;

	if (command && *command) {
		size_t length = strnlen(command, COMMAND_MAX);

		lai_text_append_bytes(&words, command, length);
		lai_text_append(&words, "%s", command[length] ? "..." : "");
	}
	put(block, "Command", &words);
}

/* Does the remedy end connections, or is it something else, such as a sysctl? */
static bool closes(const char *remedy)
{
	return strncmp(remedy, CLOSE_COMMAND, strlen(CLOSE_COMMAND)) == 0;
}

/* What ending the connections leaves as it is; NULL: nothing. */
static const char *not_freed(const struct lai_finding *finding)
{
	switch (finding->verdict) {
	case LAI_VERDICT_NEVER_ACCEPTED:
		return "The places in the queue of accept() stay taken until the program accepts "
		       "them or closes its listener.";
	case LAI_VERDICT_IO_URING_HELD:
		return "What is registered in the io_uring stays until the program takes it out.";
	case LAI_VERDICT_FD_IN_FLIGHT:
		return "The message, and the descriptor in it, stay until it is received.";
	default: break;
	}
	if (finding->fd_count == 0)
		return NULL;
	return finding->fd_count == 1
		       ? "The descriptor stays open until the program closes it, or ends."
		       : "The descriptors stay open until the program closes them, or ends.";
}

static void put_remedy(const struct block *block)
{
	const char *remedy = block->finding->remedy, *left;
	struct lai_text words = LAI_TEXT_INIT(PARAGRAPH_MAX);

	lai_text_append(block->text, "  %-*s", INDENT - 2, "Now");
	lai_show_safe(block->text, remedy, SIZE_MAX);
	lai_text_append(block->text, "\n");
	if (!closes(remedy))
		return;
	if (!strstr(remedy, " --yes"))
		lai_text_append(&words, "This shows what it would do; with --yes it does it.");
	left = not_freed(block->finding);
	if (left)
		lai_text_append(&words, "%s%s", words.length ? " " : "", left);
	put(block, "", &words);
}

static void put_sentences(const struct block *block)
{
	const struct lai_finding *finding = block->finding;

	if (finding->evidence)
		lai_show_paragraph(block->text, "  Evidence", INDENT, block->width_max,
				   finding->evidence);
	if (finding->advice)
		lai_show_paragraph(block->text, "  Program", INDENT, block->width_max,
				   finding->advice);
	if (finding->remedy)
		put_remedy(block);
}

void lai_show_finding_text(struct lai_text *text, const struct lai_snapshot *snapshot,
			   const struct lai_finding *finding, size_t width_max, bool styled)
{
	struct block block = {text, snapshot, finding, width_max};

	put_headline(&block, styled);
	put_age(&block);
	put_peer(&block);
	put_local(&block);
	put_holds(&block);
	put_growth(&block);
	put_unread(&block);
	put_command(&block);
	put_sentences(&block);
}
