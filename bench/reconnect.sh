#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# reconnect.sh: a server dies and comes back; how long after its listen() has it the first byte again?
# lastack send against what people write around socat and nc. The input is a steady stream of lines.
#
#	RUNS=9 DOWN_MS=2000 bench/reconnect.sh
#
# The server is away for DOWN_MS and up to a second more, drawn anew for each round, so that no
# client's rhythm fits. "Attempts" are the SYNs that the host without a listener had to refuse meanwhile,
# counted by the kernel: what a reconnect time is bought with.
cd "$(dirname "$0")/.." && . bench/lib.sh
b_isolate "$0" "$@"
RUNS=${RUNS:-9}
DOWN_MS=${DOWN_MS:-2000}
RATE=${RATE:-1000}
SEED=${SEED:-1}
FLOW=$(b_tool flow) || exit 1
GATE=$(b_tool gate) || exit 1
NC=nc
! b_have nc.openbsd || NC=nc.openbsd

# Each reads the stream from its standard input and serves 127.0.0.1:$1 until it is killed.
client_default() { exec "$LASTACK" send -q "lines://127.0.0.1:$1"; }
client_eager() { exec "$LASTACK" send -q --backoff 10ms..100ms "lines://127.0.0.1:$1"; }
client_socat() { while :; do socat -u - "TCP:127.0.0.1:$1"; done; }
client_poll() { # as autossh does it: see whether it is there, connect, sleep
	while :; do
		until "$NC" -z 127.0.0.1 "$1"; do sleep 1; done
		socat -u - "TCP:127.0.0.1:$1"
	done
}
label_of() {
	case $1 in
	default) echo "lastack send (--backoff 100ms..60s, the default)" ;;
	eager) echo "lastack send --backoff 10ms..100ms" ;;
	socat) echo "while :; do socat ...; done" ;;
	poll) echo "until nc -z; do sleep 1; done; socat ... (as autossh)" ;;
	esac
}

# A client may be a loop with children: all of them are in one session, and end together.
one_run() { # CLIENT DOWN_MS
	local gate client
	b_serve "$GATE" "$2" >"$B_DIR/gate"
	gate=$B_PID
	export -f "client_$1"
	export FLOW NC
	b_run setsid bash -c "\"\$FLOW\" steady $RATE | client_$1 $B_PORT" 2>/dev/null
	client=$B_PID
	wait "$gate" || b_die "$1: nobody came back"
	b_forget "$gate"
	kill -KILL -- "-$client" 2>/dev/null
	wait "$client" 2>/dev/null
	b_forget "$client"
	sed -n 's/.*first_byte_ms":\([0-9.]*\).*/\1/p' "$B_DIR/gate" >>"$B_DIR/time.$1"
	sed -n 's/.*refused":\([0-9]*\).*/\1/p' "$B_DIR/gate" >>"$B_DIR/refused.$1"
}

clients="default eager"
! b_have socat || clients="$clients socat"
if b_have socat && b_have "$NC"; then clients="$clients poll"; fi
b_where
RANDOM=$SEED
for round in $(seq "$RUNS"); do
	down_ms=$((DOWN_MS + RANDOM % 1000))
	for client in $clients; do
		b_progress "reconnect: round $round of $RUNS, $down_ms ms away: $client"
		one_run "$client" "$down_ms"
	done
done
b_progress ""

echo "reconnect: time from the server's listen() to its first byte, away for $DOWN_MS..$((DOWN_MS + 999)) ms, $RATE lines a second"
for client in $clients; do
	read -r median min max <<<"$(b_stats "$B_DIR/time.$client")"
	printf '  %-54s %8.1f ms  (%.1f..%.1f, %d runs)  attempts while away: %.0f\n' "$(label_of "$client")" \
		"$median" "$min" "$max" "$RUNS" "$(b_median "$B_DIR/refused.$client")"
done
printf 'RESULT reconnect'
for client in $clients; do
	printf ' %s %.1f ms' "$client" "$(b_median "$B_DIR/time.$client")"
done
printf '\n'
