#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh [TARGET...]: libFuzzer with ASan and UBSan on every door where foreign bytes enter, SECONDS_EACH=60
# by default. Corpora are kept in $BUILD/fuzz/. Exit 77 without clang's fuzzer.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
BUILD=${BUILD:-build}
seconds=${SECONDS_EACH:-60}
out=$BUILD/fuzz
mkdir -p "$out"
if ! echo 'int LLVMFuzzerTestOneInput(const char *d, long n); int LLVMFuzzerTestOneInput(const char *d, long n) {(void)d; (void)n; return 0;}' |
	clang -fsanitize=fuzzer -x c - -o "$out/probe" 2>/dev/null; then
	echo "fuzz: needs clang with its runtime (Debian: clang libclang-rt-14-dev)" >&2
	exit 77
fi
flags=(-std=gnu11 -D_GNU_SOURCE -Iinclude -Isrc '-DLASTACK_VERSION="fuzz"' -g -O1
	-fno-sanitize-recover=all)
# Everything once, as an archive: what a target defines itself (sender.c's door) is not taken from it.
rm -rf "$out/objects" && mkdir -p "$out/objects"
find src -name '*.c' ! -name '*_test.c' ! -path 'src/io/sim/*' ! -path 'src/cli/main.c' -print0 |
	xargs -0 -P "$(nproc)" -I{} sh -c 'file=$1 object=$2/$(echo "$1" | tr / -).o
		shift 2
		exec clang "$@" -fsanitize=fuzzer-no-link,address,undefined -c -o "$object" "$file"' \
		sh {} "$out/objects" "${flags[@]}" || exit 1
rm -f "$out/lastack.a" && ar rcs "$out/lastack.a" "$out"/objects/*.o
status=0
for target in "${@:-}"; do
	for file in tests/fuzz/${target:-*}_fuzz.c; do
		name=$(basename "$file" _fuzz.c)
		clang "${flags[@]}" -fsanitize=fuzzer,address,undefined -o "$out/$name" "$file" "$out/lastack.a" \
			-lmnl -lsqlite3 -lssl -lcrypto -lcrypt -lpthread || exit 1
		mkdir -p "$out/$name.corpus"
		# What was recorded for the unit tests is where the fuzzer begins.
		seeds=
		[ -d "tests/golden/$name" ] && seeds=tests/golden/$name
		# shellcheck disable=SC2086
		if "$out/$name" -max_total_time="$seconds" -print_final_stats=1 -close_fd_mask=3 \
			-artifact_prefix="$out/$name." "$out/$name.corpus" $seeds >"$out/$name.log" 2>&1; then
			echo "fuzz $name: $(sed -n 's/^stat::number_of_executed_units: //p' "$out/$name.log") runs, no crash"
		else
			echo "fuzz $name: FAILED, see $out/$name.log"
			tail -5 "$out/$name.log"
			status=1
		fi
	done
done
exit $status
