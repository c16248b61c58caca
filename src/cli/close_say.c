/* SPDX-License-Identifier: MIT */
/*
 * close_say.c - what was done, what it freed and what it did not, in sentences; what is dangerous.
 */
#include "cli/close.h"

#include "base/size.h"
#include "base/time.h"
#include "observe/process.h"
#include "show/show_paragraph.h"
#include "show/show_socket.h"

#include <string.h>
#include <unistd.h>

#define ANCESTORS_MAX 64 /* deeper ones are not looked for */

#define PLURAL(count) ((count) == 1 ? "" : "s")

/* Longer than any paragraph here; a command line may have many filters. */
#define PARAGRAPH_MAX 262144

/* ---- sentences ---------------------------------------------------------------------------- */

static void paragraph_end(struct lai_text *paragraph, struct lai_text *text, size_t columns)
{
	if (paragraph->length)
		lai_show_paragraph(text, "", 0, columns, lai_text_string(paragraph));
	lai_text_done(paragraph);
}

static void say_fin(const struct lai_close_tally *tally, struct lai_text *text)
{
	char size[LAI_SIZE_TEXT_MAX];
	size_t done = tally->outcomes[LAI_MENDED];

	lai_text_append(text, "%zu connection%s shut down by FIN, the owner%s woken.", done,
			PLURAL(done), PLURAL(done));
	if (tally->unread_bytes)
		lai_text_append(text, " What they have not read, %s, is still there to read.",
				lai_size_format(size, tally->unread_bytes));
	if (tally->gone_now)
		lai_text_append(text, " Freed: %zu port pair%s, gone from the kernel's tables.",
				tally->gone_now, PLURAL(tally->gone_now));
	if (tally->waiting)
		lai_text_append(text,
				" %zu wait%s for the peer's acknowledgement; then the ports are "
				"free.",
				tally->waiting, tally->waiting == 1 ? "s" : "");
	if (tally->half_open)
		lai_text_append(text,
				" %zu still wait%s for the peer's FIN, and nothing was sent: only "
				"the peer, the owner's close() or --how rst ends %s.",
				tally->half_open, tally->half_open == 1 ? "s" : "",
				tally->half_open == 1 ? "it" : "them");
}

static void say_rst(const struct lai_close_tally *tally, struct lai_text *text)
{
	char size[LAI_SIZE_TEXT_MAX];
	size_t done = tally->outcomes[LAI_MENDED];

	lai_text_append(text,
			"%zu connection%s ended by RST: the peer%s an error. Freed: %zu port "
			"pair%s.",
			done, PLURAL(done), done == 1 ? " gets" : "s get", done, PLURAL(done));
	if (tally->unsent_bytes)
		lai_text_append(text, " Destroyed: %s that no peer had acknowledged.",
				lai_size_format(size, tally->unsent_bytes));
	if (tally->unread_bytes)
		lai_text_append(text, " Unread here: %s, still there to read.",
				lai_size_format(size, tally->unread_bytes));
}

static void say_keepalive(const struct lai_close_plan *plan, const struct lai_close_tally *tally,
			  struct lai_text *text)
{
	const struct lai_mend_keepalive *keepalive = &plan->config->keepalive;
	size_t done = tally->outcomes[LAI_MENDED];
	char time[LAI_TIME_TEXT_MAX];

	lai_text_append(
		text,
		"Keepalive is armed on %zu connection%s: where the peer is gone, the kernel finds "
		"out within %s and ends the connection; a peer that lives keeps it.",
		done, PLURAL(done),
		lai_time_format(time, (keepalive->idle_s +
				       (uint64_t)keepalive->interval_s * keepalive->probes) *
					      LAI_S));
}

static void say_not_freed(const struct lai_close_tally *tally, struct lai_text *text)
{
	if (tally->descriptors)
		lai_text_append(text,
				"Not freed: %zu descriptor%s, open until %s process closes it.",
				tally->descriptors, PLURAL(tally->descriptors),
				tally->descriptors == 1 ? "its" : "each one's");
	if (tally->backlog_slots)
		lai_text_append(text,
				"%sNot freed: %zu place%s in the backlog of a listener, busy until "
				"its process accepts what is dead by now.",
				tally->descriptors ? " " : "", tally->backlog_slots,
				PLURAL(tally->backlog_slots));
}

static const char *right_for(enum lai_mend_how how)
{
	return how == LAI_MEND_RST
		       ? "rst needs CAP_NET_ADMIN, and CAP_SYS_ADMIN in another network namespace"
		       : "it needs the right to trace the owner: root, CAP_SYS_PTRACE, or the same "
			 "user as far as ptrace_scope allows";
}

static void say_not_done(const struct lai_close_plan *plan, const struct lai_close_tally *tally,
			 struct lai_text *text)
{
	const size_t *outcomes = tally->outcomes;
	const char *gap = "";

	if (outcomes[LAI_MEND_GONE]) {
		lai_text_append(text, "%zu ended by %s meanwhile.", outcomes[LAI_MEND_GONE],
				outcomes[LAI_MEND_GONE] == 1 ? "itself" : "themselves");
		gap = " ";
	}
	if (outcomes[LAI_MEND_CHANGED]) {
		lai_text_append(text,
				"%s%zu changed between the look and the deed (descriptor, state or "
				"owner) and %s left alone.",
				gap, outcomes[LAI_MEND_CHANGED],
				outcomes[LAI_MEND_CHANGED] == 1 ? "was" : "were");
		gap = " ";
	}
	if (outcomes[LAI_MEND_DENIED]) {
		lai_text_append(text, "%s%zu denied (%s): %s.", gap, outcomes[LAI_MEND_DENIED],
				strerror(-tally->denied_error), right_for(plan->config->how));
		gap = " ";
	}
	if (outcomes[LAI_MEND_FAILED])
		lai_text_append(text, "%s%zu failed.", gap, outcomes[LAI_MEND_FAILED]);
}

/* How many of those that this grade cannot end can be ended by RST. */
static size_t count_by_rst(const struct lai_close_plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count && plan->config->how != LAI_MEND_RST; i++) {
		const struct lai_close_item *item = &plan->items[i];

		count += item->result.outcome == LAI_MEND_IMPOSSIBLE &&
			 !lai_mend_possible(lai_close_socket(plan, item), false, LAI_MEND_RST);
	}
	return count;
}

/* Those that this grade cannot end, and which can. */
static void say_impossible(const struct lai_close_plan *plan, const struct lai_close_tally *tally,
			   struct lai_text *text)
{
	size_t count = tally->outcomes[LAI_MEND_IMPOSSIBLE], by_rst = count_by_rst(plan);

	if (!count)
		return;
	lai_text_append(text, "%zu cannot be ended by %s", count,
			lai_mend_names[plan->config->how]);
	if (by_rst == count)
		lai_text_append(text, ", %sonly by --how rst", count == 1 ? "" : "all ");
	else if (by_rst)
		lai_text_append(text, ", %zu of them only by --how rst", by_rst);
	if (by_rst)
		lai_text_append(text, "; RESULT says why");
	lai_text_append(text, ".");
}

static void say_left(const struct lai_close_plan *plan, struct lai_text *text)
{
	if (plan->left)
		lai_text_append(text,
				"%zu more match%s and %s left (--limit %u): the oldest go "
				"first.",
				plan->left, plan->left == 1 ? "es" : "",
				plan->left == 1 ? "is" : "are", plan->config->limit);
	if (plan->ours)
		lai_text_append(text, "%s%zu that this very program holds %s left out.",
				plan->left ? " " : "", plan->ours, plan->ours == 1 ? "is" : "are");
}

static void say_done(const struct lai_close_plan *plan, const struct lai_close_tally *tally,
		     struct lai_text *text)
{
	if (!tally->outcomes[LAI_MENDED])
		return;
	switch (plan->config->how) {
	case LAI_MEND_KEEPALIVE: say_keepalive(plan, tally, text); break;
	case LAI_MEND_RST: say_rst(tally, text); break;
	default: say_fin(tally, text); break;
	}
}

static void say_dry(const struct lai_close_plan *plan, const struct lai_close_tally *tally,
		    struct lai_text *text, size_t columns)
{
	struct lai_text paragraph = LAI_TEXT_INIT(PARAGRAPH_MAX);
	size_t count = tally->outcomes[LAI_MENDED];

	if (!count) {
		lai_text_append(&paragraph,
				"Dry run: nothing has been changed, and %s would do "
				"nothing here.",
				lai_mend_names[plan->config->how]);
		if (count_by_rst(plan))
			lai_text_append(&paragraph, " Try:");
		paragraph_end(&paragraph, text, columns);
		if (count_by_rst(plan))
			lai_close_show_by(plan->config, "rst", text);
		return;
	}
	lai_text_append(&paragraph,
			"Dry run: nothing has been changed. To do it (%zu connection%s):", count,
			PLURAL(count));
	paragraph_end(&paragraph, text, columns);
	lai_text_append(text, "  ");
	lai_close_show_command(plan->config, text);
	lai_text_append(text, "\n");
}

void lai_close_show_sentences(const struct lai_close_plan *plan,
			      const struct lai_close_tally *tally, struct lai_text *text,
			      size_t columns)
{
	struct lai_text paragraph = LAI_TEXT_INIT(PARAGRAPH_MAX);

	lai_close_show_warnings(plan, text, columns);
	if (plan->config->act) {
		say_done(plan, tally, &paragraph);
		paragraph_end(&paragraph, text, columns);
		if (plan->config->how != LAI_MEND_KEEPALIVE)
			say_not_freed(tally, &paragraph);
		paragraph_end(&paragraph, text, columns);
		say_not_done(plan, tally, &paragraph);
		paragraph_end(&paragraph, text, columns);
	}
	say_impossible(plan, tally, &paragraph);
	paragraph_end(&paragraph, text, columns);
	say_left(plan, &paragraph);
	paragraph_end(&paragraph, text, columns);
	if (!plan->config->act)
		say_dry(plan, tally, text, columns);
}

/* Nothing matches: what, and which states could have? */
void lai_close_show_nothing(const struct lai_close_plan *plan, struct lai_text *text,
			    size_t columns)
{
	const struct lai_close_config *config = plan->config;
	struct lai_text paragraph = LAI_TEXT_INIT(PARAGRAPH_MAX);

	lai_text_append(&paragraph, "Nothing matches%s",
			plan->ours ? " but what this very program holds:" : "");
	lai_close_show_filters(config, &paragraph);
	lai_text_append(&paragraph, ".");
	if (config->by_verdict)
		lai_text_append(&paragraph, " lastack doctor tells which verdicts there are now.");
	else if (!config->states_named)
		lai_text_append(&paragraph,
				" Without --state only connections that are ending are "
				"meant: CLOSE_WAIT, FIN_WAIT1, FIN_WAIT2, CLOSING, LAST_ACK.");
	paragraph_end(&paragraph, text, columns);
}

/* ---- warnings ----------------------------------------------------------------------------- */

static size_t count_of_pid(const struct lai_close_plan *plan, pid_t pid)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		count += plan->items[i].pid == (uint32_t)pid && !plan->items[i].why_not;
	return count;
}

static void warn_of(const struct lai_close_plan *plan, const struct lai_process *process,
		    struct lai_text *text, size_t columns)
{
	size_t count = count_of_pid(plan, process->pid);
	struct lai_text paragraph = LAI_TEXT_INIT(PARAGRAPH_MAX);

	if (!count)
		return;
	lai_text_append(&paragraph, "Careful: %zu of them belong%s to ", count,
			count == 1 ? "s" : "");
	lai_show_foreign(&paragraph, process->comm);
	lai_text_append(&paragraph, "[%d], %s.", (int)process->pid,
			process->pid == 1 ? "the first process of the system"
					  : "which started this program: your own session may end");
	paragraph_end(&paragraph, text, columns);
}

/* The processes that started us, up to the first one: among them is the sshd of this session. */
void lai_close_show_warnings(const struct lai_close_plan *plan, struct lai_text *text,
			     size_t columns)
{
	pid_t pid = getppid();

	for (int i = 0; i < ANCESTORS_MAX && pid > 0; i++) {
		struct lai_process process;

		if (lai_process_read(pid, &process) != 0)
			return;
		pid = process.parent;
		warn_of(plan, &process, text, columns);
		lai_process_done(&process);
	}
}
