#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions that b_run calls
#
# soak.sh: 100,000 forced reconnects on the real kernel, then ten minutes of stomp:// on a bad wire
# (soak_stomp.sh).
#
# A server closes, resets and half-closes in rotation (soak_server.c); lastack send gets a steady stream of
# lines. Watched from outside: descriptors of the process (/proc/PID/fd), its sockets by state (ss), its memory
# (VmRSS). Beside it the naive client (examples/naive.c) with 1024 descriptors, for as long as they last.
#
#	COUNT=100000 SAMPLES=20 RATE=20000 SOAK_SECONDS=600 bench/soak.sh      SOAK_SECONDS=0: the first alone
#
# Who keeps TIME_WAIT: the side that closes first. Here that is always the server, so no port of the client
# is held, and its ~28,000 ephemeral ports serve any number of reconnects to one address and port; a new SYN
# from a port whose old connection is in TIME_WAIT at the server takes its place (RFC 9293 3.6.1).
# The count of TIME_WAIT and the failed attempts, of which a connect() without a free port would be one, are
# printed, so that this is seen.
#
# Exit 0: as promised, 1: not so.
cd "$(dirname "$0")/.." && . bench/lib.sh
b_isolate "$0" "$@"
COUNT=${COUNT:-100000}
SAMPLES=${SAMPLES:-20}
RATE=${RATE:-20000}
NAIVE_FILES=${NAIVE_FILES:-1024}
# Memory is compared with what it was after a tenth of the reconnects; a page of a buffer that is touched
# for the first time after that is no leak.
RSS_SLACK_KB=${RSS_SLACK_KB:-256}
# Without any progress for this long, something hangs.
PATIENCE_S=${PATIENCE_S:-60}
FLOW=$(b_tool flow) || exit 1
SERVER=$(b_tool soak_server) || exit 1
NAIVE=$BUILD/examples/naive
EVERY=$((COUNT / SAMPLES > 0 ? COUNT / SAMPLES : 1))

fds_of() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }
rss_of() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }
# States and addresses of the process's sockets; those in TIME_WAIT belong to no process.
sockets_of() { ss --tcp --all --numeric --processes --no-header exclude time-wait | grep "pid=$1," | grep -v LISTEN; }
states_in() { awk '{ n[$1]++ } END { for (s in n) printf "%s%s %d", (i++ ? ", " : ""), s, n[s] }'; }
time_waits() { sed -n 's/^TCP: .* tw \([0-9]*\) .*/\1/p' /proc/net/sockstat; }

# close_waits PID: sockets that are in CLOSE_WAIT, and still are at a second look.
close_waits() {
	local first
	first=$(sockets_of "$1" | awk '$1 == "CLOSE-WAIT" { print $4, $5 }' | sort)
	[ -n "$first" ] || { echo 0 && return; }
	sleep 0.1
	sockets_of "$1" | awk '$1 == "CLOSE-WAIT" { print $4, $5 }' | sort |
		comm -12 - <(printf '%s\n' "$first") | wc -l
}

# start NAME COMMAND...: a server, a stream of lines, and the client that reads it; sets client, feed.
start() {
	local name=$1
	shift
	mkfifo "$B_DIR/$name.lines" "$B_DIR/$name.news"
	exec 8<>"$B_DIR/$name.news" # both ends: opening must not wait
	b_serve "$SERVER" "$COUNT" "$EVERY" >&8
	server=$B_PID
	b_run feed_into "$B_DIR/$name.lines" 8>&-
	feed=$B_PID
	b_run "$@" "$B_PORT" "$B_DIR/$name.lines" 8>&-
	client=$B_PID
}

# In the background, where opening the pipe waits for the other end; exec: their process ids are ours.
feed_into() { exec "$FLOW" steady "$RATE" >"$1"; }
lastack_on() { # PORT LINES
	exec "$LASTACK" send --quiet --json --backoff 0s..1ms "lines://127.0.0.1:$1" <"$2" \
		> >(tail -n 1 >"$B_DIR/end")
}
naive_on() { # PORT LINES
	ulimit -n "$NAIVE_FILES"
	exec "$NAIVE" 127.0.0.1 "$1" <"$2" >"$B_DIR/naive.out"
}

# ---- lastack ----------------------------------------------------------------------------------------

b_where
echo "soak: $COUNT reconnects; close, reset and half-close in rotation; about $RATE lines of 100 bytes a second"
echo "(CLOSE_WAIT: sockets that are in it at two looks 0.1 s apart; the last column is the first look)"
printf '  %10s %5s %11s %9s %10s   %s\n' reconnects fds CLOSE_WAIT RSS TIME_WAIT "its sockets at that moment"
start lastack lastack_on
began=$(b_now)
last=0
: >"$B_DIR/samples"
until [ "$last" = "$COUNT" ]; do
	read -r -t "$PATIENCE_S" _ last <&8 || b_die "no reconnect within $PATIENCE_S s, after about $last"
	sockets=$(sockets_of "$client" | states_in)
	fds=$(fds_of "$client") rss=$(rss_of "$client") waits=$(close_waits "$client")
	echo "$last $fds $waits $rss" >>"$B_DIR/samples"
	printf '  %10d %5d %11d %6d kB %10d   %s\n' "$last" "$fds" "$waits" "$rss" "$(time_waits)" "${sockets:-none}"
	b_progress "soak: $last of $COUNT reconnects, $(b_since "$began") s"
done
took=$(b_since "$began")
b_progress "soak: the input ends, lastack delivers the rest"
b_end "$feed"
b_wait_for "$PATIENCE_S" sh -c "! kill -0 $client || grep -qs '^State:.Z' /proc/$client/status"
wait "$client"
status=$?
b_forget "$client"
b_wait_for 5 test -s "$B_DIR/end"
exec 8>&-
b_end "$server"

value() { grep -o "\"$1\":[0-9]*" "$B_DIR/end" | head -n 1 | cut -d: -f2; }
read -r fd_min fd_max waits_max rss_first rss_max <<<"$(awk -v count="$COUNT" '
	NR == 1 { lo = hi = $2 }
	{ if ($1 <= count / 10 || NR == 1) first = $4 > first ? $4 : first; if ($2 < lo) lo = $2; if ($2 > hi) hi = $2; if ($3 > w) w = $3; if ($4 > max) max = $4 }
	END { print lo, hi, w + 0, first, max }' "$B_DIR/samples")"
connections=$(value connections)
failed=0
verdict() { # SENTENCE CONDITION...
	local sentence=$1
	shift
	if "$@"; then echo "  yes: $sentence"; else
		echo "  NO:  $sentence"
		failed=1
	fi
}
printf 'lastack send: %d reconnects in %.1f s, %.0f a second; %s bytes accepted, %s delivered\n' "$COUNT" "$took" \
	"$(awk -v n="$COUNT" -v s="$took" 'BEGIN { print n / s }')" "$(value accepted_bytes)" "$(value delivered_bytes)"
verdict "every end was followed by a new connection: $connections for $COUNT ends, failed attempts: $(value failed_attempts)" \
	[ "$connections $(value failed_attempts)" = "$((COUNT + 1)) 0" ]
verdict "descriptors constant but for the one socket: $fd_min to $fd_max" [ $((fd_max - fd_min)) -le 1 ]
verdict "CLOSE_WAIT never stays: at most $waits_max, $(value close_wait_sockets) at the end by its own count" \
	[ "$waits_max$(value close_wait_sockets)" = 00 ]
verdict "memory flat: $rss_first kB after a tenth of the reconnects, at most $rss_max kB" [ "$rss_max" -le $((rss_first + RSS_SLACK_KB)) ]
verdict "exit status 0, everything accepted is delivered" \
	[ "$status $(value delivered_bytes)" = "0 $(value accepted_bytes)" ]
printf 'RESULT soak lastack reconnects %d, fds %d..%d, CLOSE_WAIT %d, RSS %d..%d kB\n' "$COUNT" "$fd_min" "$fd_max" \
	"$waits_max" "$rss_first" "$rss_max"

# ---- the naive client -------------------------------------------------------------------------------

full() { [ "$(fds_of "$client")" -ge "$NAIVE_FILES" ]; }
EVERY=$COUNT
start naive naive_on
began=$(b_now)
until full || [ "$(b_since "$began" | cut -d. -f1)" -ge "$PATIENCE_S" ]; do
	b_progress "soak: naive client, $(fds_of "$client") of $NAIVE_FILES descriptors"
	sleep 0.1
done
took=$(b_since "$began")
b_progress ""
kill -USR1 "$client"
b_wait_for 5 test -s "$B_DIR/naive.out"
fds=$(fds_of "$client")
sockets=$(sockets_of "$client" | states_in)
waits=$(close_waits "$client")
reconnects=$(sed -n 's/.*"reconnects":\([0-9]*\).*/\1/p' "$B_DIR/naive.out" | head -n 1)
b_end "$feed"
b_end "$client" KILL
exec 8>&-
b_end "$server"
printf 'naive client: %d descriptors of %d after %.1f s; its sockets: %s; reconnects it counts: %s\n' \
	"$fds" "$NAIVE_FILES" "$took" "$sockets" "$reconnects"
printf 'RESULT soak naive out of descriptors %s, CLOSE_WAIT %d\n' "$([ "$fds" -ge "$NAIVE_FILES" ] && echo yes || echo no)" "$waits"
# ---- stomp:// ---------------------------------------------------------------------------------------

if [ "${SOAK_SECONDS:-600}" != 0 ]; then
	echo
	# Its rate and its samples are others.
	env -u RATE -u SAMPLES -u RSS_SLACK_KB bash bench/soak_stomp.sh
	case $? in
	0) ;;
	77) echo "soak: stomp:// was not tried" ;;
	*) failed=1 ;;
	esac
fi
exit $failed
