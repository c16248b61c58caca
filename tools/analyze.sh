#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# analyze.sh: clang's static analyzer, cppcheck and shellcheck over the tree; what is not installed is
# skipped and said. Exit 1 if one of them finds something.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
status=0
plain=$(find src examples tests -name '*.c' ! -path '*/fuzz/*' ! -name '*_test.c' | sort)
if command -v clang >/dev/null; then
	# cmocka's asserts return as the analyzer sees it, so tests would be full of false alarms.
	for file in $plain; do
		clang --analyze -Xclang -analyzer-werror -Xclang -analyzer-output=text -std=gnu11 -D_GNU_SOURCE \
			-DLASTACK_VERSION='"x"' -Iinclude -Isrc -o /dev/null "$file" || status=1
	done
	echo "analyze: clang done"
else
	echo "analyze: skipped: no clang"
fi
if command -v cppcheck >/dev/null; then
	# shellcheck disable=SC2086
	cppcheck --quiet --error-exitcode=1 --std=c11 -D_GNU_SOURCE -DLASTACK_VERSION='"x"' -Iinclude -Isrc \
		--enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem --suppress=uninitvar:tests/* \
		$plain || status=1
	echo "analyze: cppcheck done"
else
	echo "analyze: skipped: no cppcheck"
fi
if command -v shellcheck >/dev/null; then
	find . -name '*.sh' ! -path './build*' -print0 | xargs -0 shellcheck -S warning || status=1
	echo "analyze: shellcheck done"
else
	echo "analyze: skipped: no shellcheck"
fi
exit $status
