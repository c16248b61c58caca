#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# close.sh: how long does it take to end 10,000 CLOSE_WAIT of one process? lastack close by each grade, and
# `ss -K`, which can only send RST.
#
#	RUNS=5 COUNT=10000 bench/close.sh
#
# For each run the connections are made anew: one process that holds them and ignores their FIN, one that
# is their peers, in a network namespace of their own. The time is that of the whole command, its look at the host
# included; what it has ended is counted in the kernel's table afterwards.
cd "$(dirname "$0")/.." && . bench/lib.sh
b_isolate "$0" "$@"
RUNS=${RUNS:-5}
COUNT=${COUNT:-10000}
STUCK=$BUILD/tests/tools/stuck
[ -x "$STUCK" ] || b_die "no $STUCK: make test-programs"
limit=$(ulimit -Hn)
if [ "$limit" != unlimited ] && [ "$limit" -lt $((COUNT + 100)) ]; then
	COUNT=$((limit - 100))
	b_say "this user may have $limit descriptors open: $COUNT connections"
fi
echo 0 >/proc/sys/net/ipv4/tcp_max_tw_buckets 2>/dev/null # the peers' TIME_WAIT are not the question

in_close_wait() { awk '$4 == "08" { n++ } END { print n + 0 }' /proc/net/tcp6; }
all_there() { grep -q "^held $COUNT\$" "$B_DIR/own"; }
by_lastack() { "$LASTACK" close --state close-wait --how "$1" --yes >"$B_DIR/said" 2>&1; }
by_ss() { ss -K state close-wait >"$B_DIR/said" 2>&1; }

one_run() { # NAME COMMAND...
	local name=$1 owner peers start port
	shift
	mkfifo "$B_DIR/open"
	exec {hold}<>"$B_DIR/open"
	b_run "$STUCK" own <&"$hold" >"$B_DIR/own"
	owner=$B_PID
	b_wait_for 20 grep -q '^port ' "$B_DIR/own"
	port=$(sed -n 's/^port //p' "$B_DIR/own")
	b_run "$STUCK" peer 127.0.0.1 "$port" "$COUNT" 17 <&"$hold" >"$B_DIR/peer"
	peers=$B_PID
	b_wait_for 120 all_there
	start=$(b_now)
	"$@" || b_die "$name: $(tail -n 3 "$B_DIR/said")"
	b_since "$start" >>"$B_DIR/time.$name"
	echo >>"$B_DIR/time.$name"
	in_close_wait >>"$B_DIR/left.$name"
	b_end "$peers" KILL
	b_end "$owner" KILL
	exec {hold}>&-
	rm "$B_DIR/open"
}

label_of() {
	case $1 in
	ss) echo "ss -K state close-wait (RST)" ;;
	*) echo "lastack close --state close-wait --how $1" ;;
	esac
}

ways="fin rst keepalive"
! b_have ss || ways="$ways ss"
b_where
for round in $(seq "$RUNS"); do
	for way in $ways; do
		b_progress "close: round $round of $RUNS: $way"
		if [ "$way" = ss ]; then one_run ss by_ss; else one_run "$way" by_lastack "$way"; fi
	done
done 2>/dev/null
b_progress ""

echo "close: $COUNT connections in CLOSE_WAIT of one process, the whole command"
for way in $ways; do
	read -r median min max <<<"$(b_stats "$B_DIR/time.$way")"
	printf '  %-50s %7.0f ms  (%.0f..%.0f, %d runs)  left in CLOSE_WAIT: %.0f\n' "$(label_of "$way")" \
		"$(awk "BEGIN { print $median * 1000 }")" "$(awk "BEGIN { print $min * 1000 }")" \
		"$(awk "BEGIN { print $max * 1000 }")" "$RUNS" "$(b_median "$B_DIR/left.$way")"
done
printf 'RESULT close %d' "$COUNT"
for way in $ways; do
	printf ' %s %.0f ms' "$way" "$(awk "BEGIN { print $(b_median "$B_DIR/time.$way") * 1000 }")"
done
printf '\n'
