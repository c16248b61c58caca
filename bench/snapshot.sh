#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# snapshot.sh: what list and doctor cost beside ss, netstat and lsof, on hosts of 1,000, 10,000 and 100,000 sockets
# in ten processes, ten of which are leaked CLOSE_WAITs. Time by the wall and memory (largest resident set), medians.
#
#	bench/snapshot.sh          about five minutes
#	SIZES="1000 10000" RUNS=5 SLOW_S=60 bench/snapshot.sh
#
# A command is run RUNS times, but not again once its runs have taken SLOW_S seconds together; how often it was
# run stands beside its numbers. Peers that are not installed are left out, and said.
cd "$(dirname "$0")/.." && . bench/lib.sh
b_isolate bench/snapshot.sh "$@"

SIZES=${SIZES:-1000 10000 100000}
RUNS=${RUNS:-5}
SLOW_S=${SLOW_S:-60}
PROCESSES=10
LEAKED=10
POPULATION=$(b_tool population)
MEASURE=$(b_tool measure)

# measure NAME COMMAND...: a row of the table; its median is kept in $B_DIR/NAME.median.
measure() {
	local name=$1 program=$2 runs=0 took=0 note=
	shift
	if ! b_have "$program"; then
		printf '  %-28s not installed\n' "$name"
		return
	fi
	: >"$B_DIR/seconds"
	: >"$B_DIR/kilobytes"
	while [ "$runs" -lt "$RUNS" ] && [ "$took" -lt "$SLOW_S" ]; do
		b_progress "$name"
		"$MEASURE" $((SLOW_S * 2)) "$@" >"$B_DIR/run"
		[ $? -ne 124 ] || note=", ended by us: slower"
		read -r seconds kilobytes <"$B_DIR/run"
		echo "$seconds" >>"$B_DIR/seconds"
		echo "$kilobytes" >>"$B_DIR/kilobytes"
		runs=$((runs + 1))
		took=$(awk '{ s += $1 } END { printf "%d", s }' "$B_DIR/seconds")
	done
	b_progress ""
	b_median "$B_DIR/seconds" >"$B_DIR/$name.median"
	printf '  %-28s %10.1f ms %10.1f MiB   (median of %d%s)\n' "$name" \
		"$(awk '{ print $1 * 1000 }' "$B_DIR/$name.median")" \
		"$(awk -v k="$(b_median "$B_DIR/kilobytes")" 'BEGIN { print k / 1024 }')" "$runs" "$note"
}

# ratio OF TO: how many times longer OF takes than TO.
ratio() {
	[ -s "$B_DIR/$1.median" ] && [ -s "$B_DIR/$2.median" ] || { echo "?"; return; }
	awk -v a="$(cat "$B_DIR/$1.median")" -v b="$(cat "$B_DIR/$2.median")" 'BEGIN { printf "%.2f", a / b }'
}

for size in $SIZES; do
	rm -f "$B_DIR"/*.median
	b_run "$POPULATION" --port-file "$B_DIR/ready" "$size" "$PROCESSES" "$LEAKED"
	b_wait_for 120 test -s "$B_DIR/ready"
	printf '%s sockets in %s processes, %s leaked\n' "$size" "$PROCESSES" "$LEAKED"
	measure floor ss -tan state close-wait
	measure ss-tan ss -tan
	measure ss-tanp ss -tanp
	measure netstat-tanp netstat -tanp
	measure lsof lsof -nP -iTCP
	measure list-bpf "$LASTACK" list --owners bpf
	measure list-proc "$LASTACK" list --owners proc
	measure doctor-bpf "$LASTACK" doctor --owners bpf
	measure doctor-proc "$LASTACK" doctor --owners proc
	for way in bpf proc; do
		printf 'RESULT %s sockets, list (%s): ss -tanp takes %s times as long, netstat -tanp %s, lsof %s\n' "$size" \
			"$way" "$(ratio ss-tanp "list-$way")" "$(ratio netstat-tanp "list-$way")" "$(ratio lsof "list-$way")"
		printf 'RESULT %s sockets, doctor (%s): %s times the floor (ss -tan state close-wait)\n' "$size" "$way" \
			"$(ratio "doctor-$way" floor)"
	done
	b_end "$B_PID" KILL
	rm -f "$B_DIR/ready"
	b_wait_for 60 sh -c '[ "$(ss -Htan state established | wc -l)" -eq 0 ]'
done
