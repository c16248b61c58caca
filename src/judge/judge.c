/* SPDX-License-Identifier: MIT */
/*
 * judge.c - the decision list, and the way through the court.
 *
 *	snapshots -> court (indices) -> rules, the first that fits -> charges -> findings, the worst first
 *
 * Beside the list stand findings about something else than a socket's fault: poisoned tuples, which
 * name sockets that have a verdict of their own, queues of dead connections, and the use of ports.
 */
#include "judge/docket.h"
#include "judge/ports.h"
#include "judge/queue.h"

/*
 * The order of judgement. Nobody's sockets come first, then those of several processes; then what is
 * told by the socket's own numbers; then what needs a look at who should have read it. An answer that
 * is awaited, and the alibi, stand before the rules that ask why a program does not close.
 */
static const struct lai_rule *const rules[] = {
	&lai_rule_never_accepted,
	&lai_rule_io_uring_held,
	&lai_rule_fd_in_flight,
	&lai_rule_ghost_fd,
	&lai_rule_inherited_fd,
	&lai_rule_fin_wait2_held, /* asks for the ruling on its peer: judged in a second round */
	&lai_rule_long_timeout,
	&lai_rule_writes_after_fin,
	&lai_rule_awaited,
	&lai_rule_half_close_not_forwarded,
	&lai_rule_alibi,
	&lai_rule_idle_pool,
	&lai_rule_eof_ignored,
	&lai_rule_not_polled,
	&lai_rule_unread_backlog,
	&lai_rule_owner_stuck,
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static const struct lai_rule *rule_of(enum lai_verdict verdict)
{
	for (size_t i = 0; i < RULES; i++)
		if (rules[i]->verdict == verdict)
			return rules[i];
	return &lai_rule_poisoned_tuple;
}

/* Asks one rule. The ruling is written if it fits. */
static enum lai_opinion ask(const struct lai_rule *rule, const struct lai_case *own,
			    struct lai_ruling *ruling)
{
	struct lai_ruling draft = {.verdict = rule->verdict,
				   .pid = own->pid,
				   .other = LAI_NO_INDEX,
				   .clue = LAI_NO_INDEX};
	enum lai_opinion opinion = rule->judge(own, &draft);

	if (opinion == LAI_OPINION_GUILTY)
		*ruling = draft;
	return opinion;
}

static void judge_one(struct lai_court *court, uint32_t place)
{
	const struct lai_case *own = lai_court_case(court, place);

	for (size_t i = 0; i < RULES; i++)
		if (ask(rules[i], own, &court->rulings[place]) != LAI_OPINION_NONE)
			return;
}

/* FIN_WAIT2 last: its fault may be the other end's. */
static void judge_all(struct lai_court *court)
{
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < court->suspect_count; i++) {
			enum lai_tcp_state state = court->now->sockets[court->suspects[i]].state;

			if ((state == LAI_TCP_FIN_WAIT2) == (round == 1))
				judge_one(court, i);
		}
}

/* The guilty, and those that are a danger besides. */
static size_t charge_all(struct lai_court *court, struct lai_charge *charges)
{
	size_t count = 0;

	for (uint32_t i = 0; i < court->suspect_count; i++) {
		const struct lai_case *own = lai_court_case(court, i);
		struct lai_charge *next;

		if (court->rulings[i].verdict != LAI_VERDICT_COUNT)
			charges[count++] = (struct lai_charge){i, court->rulings[i]};
		next = &charges[count];
		if (ask(&lai_rule_poisoned_tuple, own, &next->ruling) == LAI_OPINION_GUILTY) {
			next->place = i;
			count++;
		}
	}
	return count;
}

static int judge_sockets(struct lai_court *court, struct lai_docket *docket)
{
	struct lai_charge *charges;
	size_t count;
	int error;

	if (court->suspect_count == 0)
		return 0;
	charges = malloc(2 * court->suspect_count * sizeof(*charges));
	if (!charges)
		return -ENOMEM;
	judge_all(court);
	count = charge_all(court, charges);
	error = lai_docket_add_charges(docket, court, rule_of, charges, count);
	free(charges);
	return error;
}

int lai_judge(const struct lai_snapshot *now, const struct lai_snapshot *before,
	      struct lai_findings *findings)
{
	struct lai_docket docket = {0};
	struct lai_court court;
	int error = lai_court_init(&court, now, before);

	if (error)
		return error;
	error = judge_sockets(&court, &docket);
	if (!error)
		error = lai_queues_judge(&court, &docket);
	if (!error)
		error = lai_ports_judge(&court, &docket);
	lai_court_done(&court);
	if (error) {
		lai_findings_done(&(struct lai_findings){docket.list, docket.count});
		return -ENOMEM;
	}
	lai_docket_sort(&docket);
	*findings = (struct lai_findings){docket.list, docket.count};
	return 0;
}

void lai_findings_done(struct lai_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		struct lai_finding *finding = &findings->list[i];

		free(finding->sockets);
		free(finding->fds);
		free(finding->evidence);
		free(finding->advice);
		free(finding->remedy);
	}
	free(findings->list);
	*findings = (struct lai_findings){0};
}
