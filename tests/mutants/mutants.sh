#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mutants.sh: shows that each invariant of the simulations can fail. Every *.patch here breaks the source
# in one place and says which invariant must notice. That one, and no other, must be reported, and the
# schedule that the minimiser prints must break it again.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lib.sh disable=SC1091
. tests/lib.sh

SEEDS_MAX=${SEEDS_MAX:-4000} # a mutant that survives so many is not found
CC=${CC:-cc}
seeds=$BUILD/tests/sim/sim_seeds_test           # invariants I0 and so on
deliveries=$BUILD/tests/sim/delivery_seeds_test # invariants D0 and so on

case $BUILD in *build-*) t_skip_all "mutants are made of the plain build only" ;; esac
for needed in "$seeds.o" "$deliveries.o" "$BUILD/libtest.a"; do
	[ -e "$needed" ] || t_skip_all "needs $needed: make test-programs"
done

# mutate NAME PROGRAM: src with NAME.patch in T_DIR/NAME, and the program that it gives. The objects of
# what the patch does not touch come from the build.
mutate() {
	tree=$T_DIR/$1 patch=tests/mutants/$1.patch objects=() program=$2
	mkdir "$tree" && cp -r src include "$tree" || return 1
	patch -s -d "$tree" -p1 --no-backup-if-mismatch <"$patch" || return 1
	while read -r file; do
		object=$tree/$(basename "$file" .c).o
		"$CC" -std=gnu11 -D_GNU_SOURCE -O1 -I"$tree/include" -I"$tree/src" \
			-c -o "$object" "$tree/$file" || return 1
		objects+=("$object")
	done < <(sed -n 's|^+++ b/||p' "$patch")
	"$CC" -o "$tree/seeds" "$program.o" "${objects[@]}" "$BUILD/libtest.a" -lmnl -lsqlite3 -lssl -lcrypto -lcrypt -lpthread
}

# The names of the invariants that an output says are broken.
broken_by() { sed -n 's/^not ok [0-9]* - \([DI][0-9]*\):.*/\1/p' "$1" | paste -sd' '; }

# replay NAME: runs the schedule that the minimiser printed.
replay() {
	schedule=$(sed -n "s/^# schedule: \(SEED=[0-9]* BYTES=[0-9]* FAULTS='[a-z0-9:,-]*'\).*/\1/p" \
		"$T_DIR/$1.out")
	[ -n "$schedule" ] && eval "$schedule '$T_DIR/$1/seeds'" >"$T_DIR/$1.again" 2>&1
	broken_by "$T_DIR/$1.again"
}

patches=(tests/mutants/*.patch)
t_plan $((2 * ${#patches[@]}))
for patch in "${patches[@]}"; do
	name=$(basename "$patch" .patch)
	wanted=$(sed -n 's/^Caught by: //p' "$patch")
	what=$(sed -n 's/^Broken: //p' "$patch")
	: >"$T_DIR/$name.again"
	case $wanted in D*) program=$deliveries ;; *) program=$seeds ;; esac
	if ! mutate "$name" "$program" >"$T_DIR/$name.out" 2>&1; then
		t_result 1 "$name.patch applies and compiles"
		t_result 1 "$wanted can fail: $what"
		t_note "$(tail -n 20 "$T_DIR/$name.out")"
		continue
	fi
	SEEDS=$SEEDS_MAX "$T_DIR/$name/seeds" >"$T_DIR/$name.out" 2>&1
	t_is "$wanted can fail: $what" "$(broken_by "$T_DIR/$name.out")" "$wanted"
	t_is "$wanted: the minimal schedule breaks it again" "$(replay "$name")" "$wanted"
	t_note "$(grep -E '^# (seed|shrunk) ' "$T_DIR/$name.out" | cut -c3-)"
	rm -rf "${T_DIR:?}/$name"
done
t_done
