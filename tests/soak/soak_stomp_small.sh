#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154 # lib.sh's
#
# soak_stomp_small.sh: bench/soak_stomp.sh for SOAK_SECONDS (12) with more faults in less time; each of its
# verdicts is a test.
cd "$(dirname "$0")/../.." && . tests/lib.sh
export BUILD LASTACK PEER
SOAK_SECONDS=${SOAK_SECONDS:-12}

command -v "${CC:-cc}" >/dev/null || t_skip_all "there is no C compiler"
# So short a time does not fill the caches of SQLite, 16 MiB at each end; a sanitizer's quarantine grows by
# design.
slack_kb=20480
case $BUILD in *address*) slack_kb=1000000 ;; esac
timeout -k 5 200 env SOAK_SECONDS="$SOAK_SECONDS" SAMPLES=10 RATE=500 WARM_LINES=5000 RSS_SLACK_KB=$slack_kb \
	FD_SLACK=8 RESET_EVERY=1000 HOLE_EVERY=2500 bash bench/soak_stomp.sh >"$T_DIR/said" 2>"$T_DIR/said.err"
status=$?
[ $status -ne 77 ] || t_skip_all "$(sed -n 's/.*not run: //p' "$T_DIR/said.err")"
t_plan 13
t_is "the soak ends with 0" $status 0
grep -E '^  (yes|NO): ' "$T_DIR/said" >"$T_DIR/verdicts"
while read -r word sentence; do
	# Numbers differ from run to run: they go into a note, not into the sentence.
	t_is "${sentence%%:*}" "$word" yes:
	t_note "$sentence"
done <"$T_DIR/verdicts"
t_is "eleven verdicts were given" "$(wc -l <"$T_DIR/verdicts")" 11
[ "$t_failed" -eq 0 ] || t_note "$(cat "$T_DIR/said" "$T_DIR/said.err")"
t_done
