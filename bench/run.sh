#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# run.sh: every bench, one after another, as one report; `make bench` calls it. The figures of lastack stand
# beside those of its peers, measured in the same run; the last lines repeat the results.
#
#	bench/run.sh            about half an hour
#	QUICK=1 bench/run.sh    fewer runs and less data, to see whether it works
#
# Environment of the single benches is handed on: RUNS, MIB, DOWN_MS, TRIES ... (see their first lines).
# bench/soak.sh is not among them: `make soak`. Exit 0: every bench could be measured, 1: one could not.
cd "$(dirname "$0")/.." || exit 1
if [ -n "${QUICK:-}" ]; then
	export RUNS=${RUNS:-3} TARGET_S=${TARGET_S:-1} TRIALS=${TRIALS:-4} MIB=${MIB:-512} LINES_MIB=${LINES_MIB:-128} SINGLE_MIB=${SINGLE_MIB:-32}
	export DOWN_MS=${DOWN_MS:-500} TRIES=${TRIES:-1}
fi
report=$(mktemp) || exit 1
trap 'rm -f "$report"' EXIT
failed=
for bench in throughput reconnect peers_at_death snapshot close stomp reject; do
	printf '\n== %s (bench/%s.sh)\n' "$bench" "$bench"
	bash "bench/$bench.sh" || failed="$failed $bench"
done > >(tee "$report")
wait $! # tee has written everything
printf '\n== results\n'
sed -n 's/^RESULT /  /p' "$report"
sed -n '/^== \(peers_at_death\|reject\)/,$ { /^|/p }' "$report"
[ -z "$failed" ] || printf 'not as it should be:%s\n' "$failed"
[ -z "$failed" ]
