/* SPDX-License-Identifier: MIT */
#include "cli/demo_doctor.h"

#include "base/clock.h"
#include "mend/mend.h"
#include "observe/snapshot.h"
#include "show/show_finding.h"
#include "show/show_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define WORDS_BYTES_MAX (16u * 1024)

/* Findings come worst first. */
static const struct lai_finding *worst_of(const struct lai_findings *findings, pid_t pid)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->list[i].pid == pid && findings->list[i].socket_count > 0)
			return &findings->list[i];
	return NULL;
}

/* The descriptor by which the process holds this socket; -1: by none any more. */
static int32_t fd_of(const struct lai_snapshot *snapshot, const struct lai_socket_fact *socket,
		     pid_t pid)
{
	for (uint32_t i = 0; i < socket->holder_count; i++) {
		const struct lai_holder *holder = &snapshot->holders[socket->holder_first + i];

		if (holder->pid == (uint32_t)pid)
			return (int32_t)holder->fd;
	}
	return -1;
}

/* As `lastack close --pid PID --state close-wait --yes`: also the young, which are no leak yet. */
static void mend(struct lai_demo_treatment *treatment, const struct lai_snapshot *snapshot,
		 pid_t pid, struct lai_mend_session *session)
{
	const struct lai_process *process = lai_snapshot_process(snapshot, pid);
	uint64_t begin_ns = lai_clock_now();

	for (size_t i = 0; i < snapshot->socket_count; i++) {
		const struct lai_socket_fact *socket = &snapshot->sockets[i];
		struct lai_mend_target target = {
			.socket = *socket,
			.name_space = snapshot->namespaces[socket->namespace_index],
			.pid = pid,
			.start_ticks = process ? process->start_ticks : 0,
			.fd = fd_of(snapshot, socket, pid)};

		if (socket->state != LAI_TCP_CLOSE_WAIT || target.fd < 0)
			continue;
		treatment->chosen++;
		if (lai_mend_in(session, &target, LAI_MEND_FIN, NULL).outcome == LAI_MENDED)
			treatment->mended++;
	}
	treatment->mend_ns = lai_clock_now() - begin_ns;
}

static int treat(struct lai_demo_treatment *treatment, const struct lai_snapshot *snapshot,
		 const struct lai_finding *finding)
{
	struct lai_text words = LAI_TEXT_INIT(WORDS_BYTES_MAX);
	struct lai_mend_session *session;
	int error = lai_mend_session_new(&session);

	if (error)
		return error;
	treatment->verdict = finding->verdict;
	treatment->sockets = (uint32_t)finding->socket_count;
	lai_show_finding_text(&words, snapshot, finding, LAI_TABLE_WIDTH, false);
	error = lai_text_steal(&words, &treatment->words);
	lai_text_done(&words);
	if (!error)
		mend(treatment, snapshot, finding->pid, session);
	lai_mend_session_free(session);
	return error;
}

int lai_demo_doctor_treat(struct lai_demo_treatment *treatment, pid_t pid)
{
	struct lai_snapshot_request request = {.suspects_first = true, .evidence = true};
	struct lai_snapshot *snapshot = NULL;
	struct lai_findings findings = {0};
	const struct lai_finding *finding;
	uint64_t begin_ns = lai_clock_now();
	char *sentence = NULL;
	int error = lai_snapshot_take(&request, &snapshot, &sentence);

	free(sentence);
	if (!error)
		error = lai_judge(snapshot, NULL, &findings);
	if (error)
		goto out;
	*treatment = (struct lai_demo_treatment){
		.done = true, .verdict = LAI_VERDICT_COUNT, .look_ns = lai_clock_now() - begin_ns};
	finding = worst_of(&findings, pid);
	if (finding)
		error = treat(treatment, snapshot, finding);
out:
	lai_findings_done(&findings);
	lai_snapshot_free(snapshot);
	return error;
}

void lai_demo_treatment_done(struct lai_demo_treatment *treatment)
{
	free(treatment->words);
	*treatment = (struct lai_demo_treatment){0};
}

/* ---- in words and numbers ----------------------------------------------------------------- */

void lai_demo_treatment_text(struct lai_text *text, const struct lai_demo_treatment *treatment)
{
	char look[LAI_TIME_TEXT_MAX], mending[LAI_TIME_TEXT_MAX];

	if (!treatment->done)
		return;
	(void)lai_time_format(look, treatment->look_ns);
	(void)lai_time_format(mending, treatment->mend_ns);
	if (!treatment->words) {
		lai_text_append(text, "\nlastack doctor looked for %s and found nothing.\n", look);
		return;
	}
	lai_text_append(text, "\nlastack doctor, after %s:\n\n%s", look, treatment->words);
	lai_text_append(text,
			"\nlastack close, of all in CLOSE_WAIT, ended %" PRIu32 " of %" PRIu32
			" by FIN within %s;\n%" PRIu32 " sockets are left in CLOSE_WAIT. "
			"Its %" PRIu32 " descriptors only the program can give back.\n\n",
			treatment->mended, treatment->chosen, mending, treatment->close_wait_after,
			treatment->fds_after);
}

void lai_demo_treatment_json(struct lai_json *json, const struct lai_demo_treatment *treatment)
{
	if (!treatment->done) {
		lai_json_null(json, "doctor");
		return;
	}
	lai_json_object_begin(json, "doctor");
	lai_json_string(json, "verdict",
			treatment->words ? lai_verdict_name(treatment->verdict) : NULL);
	lai_json_u64(json, "sockets", treatment->sockets);
	lai_json_u64(json, "look_us", treatment->look_ns / LAI_US);
	lai_json_u64(json, "chosen_sockets", treatment->chosen);
	lai_json_u64(json, "mended_sockets", treatment->mended);
	lai_json_u64(json, "mend_us", treatment->mend_ns / LAI_US);
	lai_json_u64(json, "close_wait_sockets", treatment->close_wait_after);
	lai_json_u64(json, "fds", treatment->fds_after);
	lai_json_end(json);
}
