#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# throughput.sh: how fast does a pipe get through TCP on loopback? lastack send with its replay buffer
# against socat -u, ncat --send-only and nc -N to the same sink; iperf3, which has no pipe to read,
# as the ceiling. One after another in rounds, so that other load on this host meets all of them.
#
#	RUNS=7 MIB=2048 bench/throughput.sh
#
# The clock runs from the tool's start until the sink has read EOF, so that a tool gains nothing by
# leaving data in the kernel. CPU is the tool's own, user and system. A run in which the sink did not get every byte counts as failed.
cd "$(dirname "$0")/.." && . bench/lib.sh
b_isolate "$0" "$@"
RUNS=${RUNS:-7}
MIB=${MIB:-2048}
LINES_MIB=${LINES_MIB:-512}
SINGLE_MIB=${SINGLE_MIB:-96}
FLOW=$(b_tool flow) || exit 1
NC=nc
! b_have nc.openbsd || NC=nc.openbsd

contestants=lastack
! b_have socat || contestants="$contestants socat"
! b_have ncat || contestants="$contestants ncat"
! b_have "$NC" || contestants="$contestants nc"

# What each is called with, for the reader of the report.
command_of() { # TOOL SCHEME PORT
	case $1 in
	lastack) echo "$LASTACK send -q $2://127.0.0.1:$3" ;;
	socat) echo "socat -u - TCP:127.0.0.1:$3" ;;
	ncat) echo "ncat --send-only 127.0.0.1 $3" ;;
	nc) echo "$NC -N 127.0.0.1 $3" ;;
	esac
}

# one_run CASE TOOL SCHEME BYTES PRODUCER...: appends MB/s to CASE.TOOL.
one_run() {
	local case=$1 tool=$2 scheme=$3 bytes=$4 begin took got words TIMEFORMAT='%U %S'
	shift 4
	b_serve "$PEER" read:eof >"$B_DIR/sink"
	read -ra words <<<"$(command_of "$tool" "$scheme" "$B_PORT")"
	begin=$(b_now)
	"$@" | { time "${words[@]}" >/dev/null 2>"$B_DIR/said"; } 2>"$B_DIR/cpu"
	wait "$B_PID"
	took=$(b_since "$begin")
	b_forget "$B_PID"
	got=$(sed -n 's/.*"bytes":\([0-9]*\).*/\1/p' "$B_DIR/sink")
	if [ "$got" != "$bytes" ]; then
		b_say "throughput: $tool brought $got of $bytes bytes: $(head -c 200 "$B_DIR/said")"
		echo "$tool" >>"$B_DIR/incomplete"
		return
	fi
	awk -v b="$bytes" -v s="$took" 'BEGIN { printf "%.1f\n", b / s / 1e6 }' >>"$B_DIR/$case.$tool"
	awk -v b="$bytes" '{ printf "%.1f\n", ($1 + $2) * 1e3 / (b / 1e9) }' "$B_DIR/cpu" >>"$B_DIR/$case.$tool.cpu"
}

iperf3_run() { # BYTES
	local port
	port=$("$FLOW" port)
	b_run iperf3 --server --one-off --port "$port" >/dev/null 2>&1
	b_wait_for 5 sh -c "ss -Hltn 'sport = :$port' | grep -q ."
	iperf3 --client 127.0.0.1 --port "$port" --bytes "$1" --json >"$B_DIR/iperf3.json" 2>/dev/null
	wait "$B_PID" 2>/dev/null
	b_forget "$B_PID"
	# The receiver's figure stands last.
	awk -F'[:,]' '/"bits_per_second"/ { v = $2 } END { if (v) printf "%.1f\n", v / 8 / 1e6 }' \
		"$B_DIR/iperf3.json" >>"$B_DIR/raw.iperf3"
}

pipe_run() { # the producer alone: into a pipe whose reader throws away
	local begin
	begin=$(b_now)
	"$FLOW" bytes "$1" | "$FLOW" sink
	awk -v b="$1" -v s="$(b_since "$begin")" 'BEGIN { printf "%.1f\n", b / s / 1e6 }' >>"$B_DIR/raw.pipe"
}

row() { # CASE TOOL LABEL: one line with its ratio to CASE.best
	local median min max ratio=- cpu=
	[ -s "$B_DIR/$1.$2" ] || return 0
	read -r median min max <<<"$(b_stats "$B_DIR/$1.$2")"
	[ -z "${best:-}" ] || ratio=$(awk -v a="$median" -v b="$best" 'BEGIN { printf "%.2f", a / b }')
	[ ! -s "$B_DIR/$1.$2.cpu" ] || cpu=$(printf ', %.0f ms CPU a GB' "$(b_median "$B_DIR/$1.$2.cpu")")
	printf '  %-26s %6.0f MB/s  (%.0f..%.0f, %d runs)  %s of the best of the three%s\n' \
		"$3" "$median" "$min" "$max" "$(wc -l <"$B_DIR/$1.$2")" "$ratio" "$cpu"
}

# The best median among the peers, not counting lastack.
best_of() {
	for tool in socat ncat nc; do
		[ ! -s "$B_DIR/$1.$tool" ] || b_median "$B_DIR/$1.$tool"
	done | sort -g | tail -n 1
}

table() { # CASE SCHEME
	best=$(best_of "$1")
	for tool in $contestants; do
		case $tool in
		lastack) row "$1" lastack "lastack send $2://" ;;
		socat) row "$1" socat "socat -u" ;;
		ncat) row "$1" ncat "ncat --send-only" ;;
		nc) row "$1" nc "nc -N (openbsd)" ;;
		esac
	done
}

ratio_of() { # CASE: lastack against the best of the three
	awk -v a="$(b_median "$B_DIR/$1.lastack")" -v b="$(best_of "$1")" 'BEGIN { printf "%.2f", a / b }'
}

# rounds CASE SCHEME BYTES PRODUCER...: RUNS rounds, each beginning with another tool.
rounds() {
	local case=$1 scheme=$2 bytes=$3 list=$contestants
	shift 3
	for round in $(seq "$RUNS"); do
		for tool in $list; do
			b_progress "throughput: $case, round $round of $RUNS: $tool"
			one_run "$case" "$tool" "$scheme" "$bytes" "$@"
		done
		list="${list#* } ${list%% *}"
		if [ "$case" = raw ]; then
			! b_have iperf3 || iperf3_run "$bytes"
			pipe_run "$bytes"
		fi
	done
	b_progress ""
}

b_where
raw_bytes=$((MIB << 20))
rounds raw tcp "$raw_bytes" "$FLOW" bytes "$raw_bytes"
echo "throughput, raw: $MIB MiB from a pipe (producer: flow bytes, 128 KiB a write) over loopback"
table raw tcp
[ ! -s "$B_DIR/raw.iperf3" ] || row raw iperf3 "iperf3 (no pipe): ceiling"
row raw pipe "the pipe alone (no TCP)"
printf 'RESULT throughput lastack/best-of-three %s (goal 1.00)' "$(ratio_of raw)"
[ ! -s "$B_DIR/raw.iperf3" ] || printf ', lastack/iperf3 %s' \
	"$(awk -v a="$(b_median "$B_DIR/raw.lastack")" -v b="$(b_median "$B_DIR/raw.iperf3")" \
		'BEGIN { printf "%.2f", a / b }')"
printf '\n'

lines=$(((LINES_MIB << 20) / 100))
rounds lines lines $((lines * 100)) "$FLOW" lines "$lines"
echo "for information: $lines lines of 100 bytes, 64 KB a write (lines:// keeps records whole)"
table lines lines
lines=$(((SINGLE_MIB << 20) / 100))
rounds single lines $((lines * 100)) "$FLOW" single "$lines"
echo "for information: $lines lines of 100 bytes, one write() for each line"
table single lines
[ ! -e "$B_DIR/incomplete" ]
