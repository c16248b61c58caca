#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mutants.sh: shows that each invariant of the simulation can fail. Every *.patch here breaks the source in
# one place and says which invariant must notice; that one, and no other, must be reported, and the
# schedule that the minimiser gives must break it again.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh

SEEDS_MAX=${SEEDS_MAX:-4000} # a mutant that lives longer is not found
CC=${CC:-cc}
seeds=$BUILD/tests/sim/sim_seeds_test

case $BUILD in *build-*) t_skip_all "mutants are made of the plain build only" ;; esac
[ -e "$seeds.o" ] && [ -e "$BUILD/libtest.a" ] || t_skip_all "needs $seeds.o and $BUILD/libtest.a: make test-programs"

# mutate NAME: src with the patch in T_DIR/NAME, and the program that it gives. Objects of whatever the
# patch does not touch come from the build.
mutate() {
	tree=$T_DIR/$1 objects=()
	mkdir "$tree" && cp -r src include "$tree" || return 1
	patch -s -d "$tree" -p1 --no-backup-if-mismatch <"tests/mutants/$1.patch" || return 1
	for file in $(sed -n 's|^+++ b/||p' "tests/mutants/$1.patch"); do
		object=$tree/$(basename "$file" .c).o
		"$CC" -std=gnu11 -D_GNU_SOURCE -O1 -I"$tree/include" -I"$tree/src" -c -o "$object" "$tree/$file" || return 1
		objects+=("$object")
	done
	"$CC" -o "$tree/seeds" "$seeds.o" "${objects[@]}" "$BUILD/libtest.a" -lmnl -lpthread || return 1
}

broken_by() { sed -n 's/^not ok [0-9]* - \(I[0-9]*\):.*/\1/p' "$1" | paste -sd' '; }

patches=(tests/mutants/*.patch)
t_plan $((2 * ${#patches[@]}))
for patch in "${patches[@]}"; do
	name=$(basename "$patch" .patch)
	wanted=$(sed -n 's/^Caught by: //p' "$patch")
	what=$(sed -n 's/^Broken: //p' "$patch")
	if ! mutate "$name" >"$T_DIR/$name.out" 2>&1; then
		t_result 1 "$name.patch applies and compiles"
		t_note "$(tail -n 20 "$T_DIR/$name.out")"
		t_result 1 "$wanted can fail: $what"
		continue
	fi
	SEEDS=$SEEDS_MAX "$T_DIR/$name/seeds" >"$T_DIR/$name.out" 2>&1
	t_is "$wanted can fail: $what" "$(broken_by "$T_DIR/$name.out")" "$wanted"
	schedule=$(sed -n "s/^# schedule: \(SEED=[0-9]* BYTES=[0-9]* FAULTS='[a-z0-9:,-]*'\).*/\1/p" "$T_DIR/$name.out")
	eval "$schedule '$T_DIR/$name/seeds'" >"$T_DIR/$name.again" 2>&1
	t_is "$wanted: its schedule breaks it again" "${schedule:+$(broken_by "$T_DIR/$name.again")}" "$wanted"
	t_note "$(sed -n 's/^# \(seed .*\)/\1/p; s/^# \(shrunk in .*\):/\1/p' "$T_DIR/$name.out" | paste -sd';')"
	rm -rf "${T_DIR:?}/$name"
done
t_done
