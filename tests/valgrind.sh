#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# valgrind.sh: the unit tests under memcheck: no leak, no bad access. Exit 77 without valgrind.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
BUILD=${BUILD:-build}
command -v valgrind >/dev/null || { echo "valgrind is not installed"; exit 77; }
passed=0 failed=0
# The seeds are many and the replay runs long: the same code, a few of each.
export SEEDS=20 COUNT=20 CMOCKA_MESSAGE_OUTPUT=TAP
for test in $(find "$BUILD/src" "$BUILD/tests" -name '*_test' -type f | sort); do
	if valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite,possible --error-exitcode=99 \
		"$test" >"$BUILD/valgrind.log" 2>&1 || [ $? -ne 99 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "valgrind: $test"
		tail -20 "$BUILD/valgrind.log"
	fi
done
echo "valgrind: $passed passed, $failed failed"
[ $failed -eq 0 ]
