#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# shellcheck disable=SC2154
# soak_small.sh: bench/soak.sh with COUNT (2,000) reconnects; each of its verdicts is a test.
cd "$(dirname "$0")/../.." && . tests/lib.sh
export BUILD LASTACK PEER
COUNT=${COUNT:-2000}

command -v ss >/dev/null || t_skip_all "there is no ss"
command -v "${CC:-cc}" >/dev/null || t_skip_all "there is no C compiler"

slack_kb=1024
# The sanitizer's quarantine grows by design.
case $BUILD in *address*) slack_kb=1000000 ;; esac
t_plan 8
timeout -k 5 60 env COUNT="$COUNT" SOAK_SECONDS=0 SAMPLES=10 NAIVE_FILES=128 RSS_SLACK_KB=$slack_kb \
	bash bench/soak.sh >"$T_DIR/said" 2>&1
status=$?
t_is "the soak ends with 0" $status 0
grep -E '^  (yes|NO): ' "$T_DIR/said" >"$T_DIR/verdicts"
while read -r word sentence; do
	# Numbers differ from run to run: they go into a note, not into the sentence.
	t_is "${sentence%%:*}" "$word" yes:
	t_note "$sentence"
done <"$T_DIR/verdicts"
t_is "five verdicts were given" "$(wc -l <"$T_DIR/verdicts")" 5
t_ok "the naive client beside it runs out of descriptors, some of them in CLOSE_WAIT" \
	grep -E '^RESULT soak naive out of descriptors yes, CLOSE_WAIT [1-9]' "$T_DIR/said"
[ "$t_failed" -eq 0 ] || t_note "$(cat "$T_DIR/said")"
t_done
