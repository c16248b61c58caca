# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# lib.sh - what the benches share. Sourced first, from the root of the repository:
#
#	cd "$(dirname "$0")/.." && . bench/lib.sh
#	b_isolate "$0" "$@"           goes on in a network namespace of its own, where it may
#	FLOW=$(b_tool flow)           builds bench/flow.c when it is newer, says where it is
#	b_serve sink "$PEER" ...      a server in the background; b_port then holds its port
#	b_stats FILE                  median, minimum and maximum of the numbers in a file
#
# At the end, however it comes, what b_run and b_serve started is killed and B_DIR removed.

BUILD=${BUILD:-build}
LASTACK=${LASTACK:-$BUILD/lastack}
PEER=${PEER:-$BUILD/tests/tools/peer}
CC=${CC:-cc}
LC_ALL=C # a decimal point is a point, also in EPOCHREALTIME
export BUILD LASTACK PEER CC LC_ALL

# b_isolate SCRIPT ARG...: nobody else's packets, ports and counters; without root as things are.
b_isolate() {
	[ -z "${B_ISOLATED:-}" ] || return 0
	export B_ISOLATED=1
	if unshare --net true 2>/dev/null; then
		rm -rf "$B_DIR" # a trap does not see an exec
		# shellcheck disable=SC2016
		exec unshare --net bash -c 'ip link set lo up && exec bash "$@"' isolated "$@"
	fi
	B_ISOLATED=no
	b_say "no network namespace of its own (not root): on this host's loopback"
}

b_say() { printf '%s\n' "$*" >&2; }
b_die() {
	b_say "bench: $*"
	exit 1
}

# One line that a terminal shows while something runs; nothing where nobody looks.
b_progress() { [ ! -t 2 ] || printf '\r\033[K%s' "$*" >&2; }

B_DIR=$(mktemp -d "${TMPDIR:-/tmp}/lastack-bench.XXXXXX") || exit 1
b_pids=
b_cleanup() {
	b_progress ""
	for b_pid in $b_pids; do
		kill -KILL "$b_pid" 2>/dev/null
	done
	wait 2>/dev/null
	rm -rf "$B_DIR"
}
trap b_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

b_have() { command -v "$1" >/dev/null 2>&1; }

# b_tool NAME: a bench's own small program; its path goes to stdout.
b_tool() {
	local program=$BUILD/bench/$1
	mkdir -p "$BUILD/bench"
	if [ ! -x "$program" ] || [ "bench/$1.c" -nt "$program" ]; then
		# Another bench may be building the same.
		"$CC" -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -o "$program.$$" "bench/$1.c" &&
			mv "$program.$$" "$program" || exit 1
	fi
	echo "$program"
}

# b_run COMMAND...: in the background with our standard input; B_PID is its process id.
b_run() {
	"$@" <&0 &
	B_PID=$!
	b_pids="$b_pids $B_PID"
}

# b_end PID [SIGNAL]: ends what b_run started.
b_end() {
	kill "-${2:-TERM}" "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	b_forget "$1"
}
b_forget() { b_pids=$(echo " $b_pids " | sed "s/ $1 / /"); }

# b_wait_for SECONDS COMMAND...: until it succeeds.
b_wait_for() {
	local until=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || b_die "not in time: $*"
		sleep 0.005
	done
}

# b_serve COMMAND...: runs it with "--port-file FILE" behind its first word; B_PORT is what it says.
b_serve() {
	local program=$1
	shift
	rm -f "$B_DIR/port"
	b_run "$program" --port-file "$B_DIR/port" "$@"
	b_wait_for 5 test -s "$B_DIR/port"
	B_PORT=$(cat "$B_DIR/port")
}

# Seconds with microseconds, since some time.
b_now() { echo "$EPOCHREALTIME"; }
b_since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.6f", to - from }'; }

# b_stats FILE: "median min max" of one number a line; of an even count the mean of the two middle ones.
b_stats() {
	sort -g "$1" | awk '{ v[NR] = $1 }
		END {
			if (NR == 0) { print "nan nan nan"; exit }
			m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
			printf "%.6g %.6g %.6g\n", m, v[1], v[NR]
		}'
}
b_median() { b_stats "$1" | cut -d' ' -f1; }

# Which machine and which versions the numbers belong to.
b_where() {
	printf 'machine: %s CPUs, %s, Linux %s; %s\n' "$(nproc)" \
		"$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" "$(uname -r)" \
		"$("$LASTACK" --version)"
	printf 'load before: %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
}
