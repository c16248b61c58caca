#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh [PATTERN...]: runs every unit test and test script whose path contains a pattern (default: all),
# two at a time, and counts what they say in TAP. The last line is "N passed, N failed, N skipped".
# A test that fails leaves its output in $BUILD/tests-failed/.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export BUILD=${BUILD:-build} CMOCKA_MESSAGE_OUTPUT=TAP
JOBS=${JOBS:-2}
# Nothing here takes longer unless it hangs; the runner must end all the same.
LIMIT_S=${LIMIT_S:-400}

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
list() {
	find "$BUILD/src" "$BUILD/tests" -name '*_test' -type f -perm -u+x | sort
	find tests -mindepth 2 -name '*.sh' ! -path 'tests/fuzz/*' ! -name 'lib*.sh' | sort
}
wanted() { [ $# -eq 0 ] && cat || grep -F -f <(printf '%s\n' "$@"); }

run_one() {
	test=$1 logs=$2
	log=$logs/$(printf '%s' "$test" | tr / .).log
	timeout -k 5 "$LIMIT_S" "$test" >"$log" 2>"$log.err" </dev/null
	code=$?
	# cmocka says "not ok N # SKIP" for a skipped test.
	passed=$(grep -cE '^ok ' "$log") failed=$(grep -cE '^not ok ' "$log")
	skips_ok=$(grep -cE '^ok .*# SKIP' "$log") skips_not=$(grep -cE '^not ok .*# (SKIP|skip)' "$log")
	passed=$((passed - skips_ok)) failed=$((failed - skips_not)) skipped=$((skips_ok + skips_not))
	note=
	if [ $code -eq 77 ] && [ $((passed + failed)) -eq 0 ]; then
		[ $skipped -gt 0 ] || skipped=1
	elif [ $code -ne 0 ] && [ $failed -eq 0 ]; then
		failed=1 note="exit $code"
	elif [ $((passed + failed + skipped)) -eq 0 ]; then
		failed=1 note="said nothing"
	fi
	printf '%s\t%d\t%d\t%d\n' "$test" $passed $failed $skipped >"$log.count"
	printf '%-52s %4d passed' "${test#"$BUILD"/}" $passed
	[ $failed -eq 0 ] || printf ', %d FAILED %s' $failed "$note"
	[ $skipped -eq 0 ] || printf ', %d skipped' $skipped
	printf '\n'
	grep -hE '^(not )?ok .*# (SKIP|skip)' "$log" | sed 's/^\(not \)\{0,1\}ok [0-9]* *-* */    skipped: /'
	grep -hE '^1\.\.0 # (SKIP|skip)' "$log" | sed 's/^1\.\.0 # SKIP */    skipped: /'
	if [ $failed -gt 0 ]; then
		mkdir -p "$BUILD/tests-failed"
		cat "$log" "$log.err" >"$BUILD/tests-failed/$(basename "$log")"
		grep -hE '^not ok ' "$log" | grep -vE '# (SKIP|skip)' | head -20 | sed 's/^/    /'
		tail -n 15 "$log.err" | sed 's/^/    | /'
		echo "    all of it: $BUILD/tests-failed/$(basename "$log")"
	fi
}
export -f run_one
export LIMIT_S

rm -rf "$BUILD/tests-failed"
list | wanted "$@" | xargs -r -P "$JOBS" -I{} bash -c 'run_one "$1" "$2"' _ {} "$logs"
if [ -z "$(ls "$logs")" ]; then
	echo "no test path contains '$*'; 'make test-programs' builds the unit tests" >&2
fi
totals=$(cat "$logs"/*.count 2>/dev/null | awk -F'\t' '{p+=$2; f+=$3; s+=$4} END {printf "%d %d %d", p, f, s}')
read -r passed failed skipped <<<"$totals"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
