#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions that b_run calls
#
# soak_stomp.sh: ten minutes on a wire that loses, doubles, reorders, corrupts and forges RSTs:
#
#	flow steady >> input --- lastack send --follow --spool --- badwire --- lastack receive --into
#
# Then the file and the store are compared line by line: none lost, none doubled, all in order. The file is
# the oracle; what the two programs say of themselves only tells when to look. Memory and descriptors of both
# are read from /proc all the while.
#
#	SOAK_SECONDS=600 RATE=2000 SEED=1 SAMPLES=60 INTO=db|dir bench/soak_stomp.sh
#
# Before the clock starts a backlog of WARM_LINES goes through: it fills the caches of SQLite, 16 MiB at each
# end, which would look like a leak for some minutes otherwise.
#
# INTO: db (an SQLite file, compared through the sqlite3 tool; the default where that is installed) or dir (a
# file for the destination). WIRE=nft takes nftables on loopback (loss and RST alone) instead of
# tests/tools/badwire, WIRE=clean a wire without faults; nft is the default where there is no /dev/net/tun.
#
# Exit 0: as promised, 1: not so, 77: cannot be run here.
cd "$(dirname "$0")/.." && . bench/lib.sh
b_isolate "$0" "$@"
SOAK_SECONDS=${SOAK_SECONDS:-600}
RATE=${RATE:-2000}
WARM_LINES=${WARM_LINES:-200000}
# One connection is killed, one silence of up to 600 ms begins, on average every so many milliseconds.
RESET_EVERY=${RESET_EVERY:-3000}
HOLE_EVERY=${HOLE_EVERY:-15000}
SEED=${SEED:-$RANDOM}
SAMPLES=${SAMPLES:-60}
INTO=${INTO:-$(b_have sqlite3 && echo db || echo dir)}
WIRE=${WIRE:-tun}
# Memory and descriptors are compared with the most of the first tenth. A sender holds more after a long
# outage than after a short one, up to --buffer; a receiver keeps a ghost until its heart-beats are answered
# by RST: the longest and the most of them need not fall into the first tenth.
RSS_SLACK_KB=${RSS_SLACK_KB:-2048}
FD_SLACK=${FD_SLACK:-4}
# Without any progress for this long, something hangs.
PATIENCE_S=${PATIENCE_S:-60}
BADWIRE=$BUILD/tests/tools/badwire
FLOW=$(b_tool flow) || exit 1

rss_of() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }
fds_of() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }
lines_in() { wc -l <"$1"; }
not_here() {
	b_say "soak_stomp: not run: $*"
	exit 77
}

# ---- the wire ---------------------------------------------------------------------------------------

# Sets SERVER_IP and receive_at, the words before the command of the right end.
tun_wire() {
	b_run "$BADWIRE" --seed "$SEED" "$@" >"$B_DIR/wire.out" 2>"$B_DIR/wire.err"
	wire=$B_PID SERVER_IP=10.7.0.2
	until grep -q ^ready "$B_DIR/wire.out"; do
		if ! kill -0 "$wire" 2>/dev/null; then
			b_forget "$wire"
			return 1
		fi
		sleep 0.01
	done
	receive_at="nsenter --net=/proc/$wire/ns/net"
}

# Loss and RST are drawn for each packet; those of loopback are large and few.
nft_wire() {
	nft -f - <<-'RULES' 2>"$B_DIR/wire.err" || return 1
		table inet soak {
			counter lost { }
			counter resets { }
			chain in {
				type filter hook input priority 0;
				meta l4proto tcp numgen random mod 1000 < 20 counter name lost drop
				meta l4proto tcp tcp flags & (syn|rst) == 0 numgen random mod 100 < 1 counter name resets reject with tcp reset
			}
		}
	RULES
	SERVER_IP=127.0.0.1 receive_at='' wire=
}

lay_wire() {
	case $WIRE in
	tun) tun_wire --loss 20 --duplicate 10 --corrupt 10 --hold 30 --hold-for 25 --delay 2 --jitter 4 \
		--reset-every "$RESET_EVERY" --hole-every "$HOLE_EVERY" --hole-for 600 && return
		b_say "soak_stomp: $(cat "$B_DIR/wire.err"); loss and RST by nftables instead" && WIRE=nft ;;
	clean) tun_wire --delay 2 --jitter 4 || not_here "$(cat "$B_DIR/wire.err")" && return ;;
	esac
	nft_wire || not_here "neither TUN nor nftables: $(cat "$B_DIR/wire.err")"
}

nft_count() { nft list counter inet soak "$1" | grep -o 'packets [0-9]*' | cut -d' ' -f2; }

# What the wire did, as "name value" pairs in $B_DIR/faults.
take_up_wire() {
	if [ "$WIRE" = nft ]; then
		echo "lost $(nft_count lost) resets $(nft_count resets)" >"$B_DIR/faults"
	else
		b_end "$wire"
		tail -n 1 "$B_DIR/wire.out" >"$B_DIR/faults"
	fi
}
fault() { tr ' ' '\n' <"$B_DIR/faults" | grep -x -A1 "$1" | tail -n 1; }

# ---- the two ends -----------------------------------------------------------------------------------

start_receive() {
	local store=$B_DIR/store.db
	[ "$INTO" = db ] || store=$B_DIR/store/
	echo secret | "$LASTACK" passwd soak >"$B_DIR/users" || b_die "no password file"
	# shellcheck disable=SC2086 # several words, or none
	b_run $receive_at "$LASTACK" receive --users "$B_DIR/users" --into "$store" --durability full \
		--report "$B_DIR/receive.json" --port-file "$B_DIR/port" "stomp://$SERVER_IP:0" 2>"$B_DIR/receive.err"
	receive=$B_PID
	b_wait_for 10 test -s "$B_DIR/port"
}

start_send() {
	LASTACK_PASSCODE=secret b_run "$LASTACK" send --follow "$B_DIR/input" --spool "$B_DIR/spool.db" \
		--plain-password --backoff 20ms..500ms --buffer 1M --report "$B_DIR/send.json" \
		"stomp://soak@$SERVER_IP:$(cat "$B_DIR/port")/queue/soak" 2>"$B_DIR/send.err"
	send=$B_PID
	# Before that SIGUSR1 may still mean its end.
	b_wait_for 30 grep -q '"to":"up"' "$B_DIR/send.json"
}

feed_into() { exec "$FLOW" steady "$RATE" >>"$1"; }
start_feed() {
	b_run feed_into "$B_DIR/input"
	feed=$B_PID
}
warm_up() {
	b_progress "soak_stomp: $WARM_LINES lines to warm up"
	drain "$WARM_LINES" || b_die "not even the first $WARM_LINES lines were confirmed"
}

# said NAME: a number of the newest status or end that the sender reported.
said() {
	grep -E '"event":"(status|end)"' "$B_DIR/send.json" 2>/dev/null | tail -n 1 |
		grep -o "\"$1\":[0-9]*" | head -n 1 | cut -d: -f2
}

alive() {
	kill -0 "$send" 2>/dev/null && kill -0 "$receive" 2>/dev/null && return
	b_die "one of the two has ended: $(tail -n 3 "$B_DIR/send.err" "$B_DIR/receive.err")"
}

# ---- the samples ------------------------------------------------------------------------------------

# In each line: seconds, kB and descriptors of the sender and of the receiver, records confirmed.
sample() {
	alive
	kill -USR1 "$send"
	echo "$1 $(rss_of "$send") $(fds_of "$send") $(rss_of "$receive") $(fds_of "$receive") $(said delivered_records)" |
		tee -a "$B_DIR/samples" |
		awk '{ printf "  %5d s %9d kB %4d fds %12d kB %4d fds %12d\n", $1, $2, $3, $4, $5, $6 }'
}

soak() {
	local i due
	printf '  %7s %22s %24s %12s\n' time "lastack send" "lastack receive" confirmed
	for ((i = 1; i <= SAMPLES; i++)); do
		due=$(awk -v s="$SOAK_SECONDS" -v i=$i -v n="$SAMPLES" 'BEGIN { printf "%.2f", s * i / n }')
		until awk -v due="$due" -v now="$(b_since "$began")" 'BEGIN { exit now < due }'; do sleep 0.1; done
		sample "${due%.*}"
		b_progress "soak_stomp: $due of $SOAK_SECONDS s"
	done
	b_progress ""
}

# Everything in the file is confirmed; 1: nothing was confirmed for PATIENCE_S.
drain() {
	local before=none quiet_since=$SECONDS
	until [ "$(said delivered_records)" = "$1" ]; do
		alive
		[ "$(said delivered_records)" = "$before" ] || quiet_since=$SECONDS
		before=$(said delivered_records)
		[ $((SECONDS - quiet_since)) -lt "$PATIENCE_S" ] || return 1
		kill -USR1 "$send"
		sleep 0.2
	done
}

# end_of PID: its exit status after SIGTERM, 124 if it had to be killed.
end_of() {
	local status
	kill -TERM "$1"
	for ((i = 0; i < PATIENCE_S * 10; i++)); do
		grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" || break
		sleep 0.1
	done
	kill -KILL "$1" 2>/dev/null && status=124
	wait "$1"
	status=${status:-$?}
	b_forget "$1"
	return "$status"
}

# ---- the comparison ---------------------------------------------------------------------------------

stored() {
	if [ "$INTO" = db ]; then
		sqlite3 "$B_DIR/store.db" 'SELECT body FROM records ORDER BY sender, seq'
	else # rotated ones first
		cat "$B_DIR"/store/*.log.[0-9]* "$B_DIR"/store/*.log 2>/dev/null
	fi
}

# Every line of the file is another: what is equal to it has nothing lost and nothing doubled. What is not is
# looked at line by line.
compare() {
	stored >"$B_DIR/stored"
	lost=0 doubled=0 strange=0 in_order=0
	cmp "$B_DIR/input" "$B_DIR/stored" >"$B_DIR/cmp" 2>&1 && return
	in_order=1
	sort "$B_DIR/stored" >"$B_DIR/stored.sorted"
	sort "$B_DIR/input" >"$B_DIR/input.sorted"
	lost=$(comm -23 "$B_DIR/input.sorted" <(uniq "$B_DIR/stored.sorted") | wc -l)
	strange=$(comm -13 "$B_DIR/input.sorted" <(uniq "$B_DIR/stored.sorted") | wc -l)
	doubled=$(uniq -d "$B_DIR/stored.sorted" | wc -l)
}

# ---- the run ----------------------------------------------------------------------------------------

[ "$B_ISOLATED" = 1 ] || not_here "needs root, for a network of its own"
lay_wire
b_where
echo "soak: stomp:// with login, spool and store (INTO=$INTO), $SOAK_SECONDS s, $RATE lines of 100 bytes a second, wire $WIRE, seed $SEED"
seq -f 'warm %.0f' "$WARM_LINES" | awk '{ printf "%-99s\n", $0 }' >"$B_DIR/input"
start_receive
start_send
began=$(b_now)
warm_up
printf '%d lines to warm up: %.1f s\n' "$WARM_LINES" "$(b_since "$began")"
start_feed
began=$(b_now)
soak
b_end "$feed"
lines=$(lines_in "$B_DIR/input")
b_progress "soak_stomp: the input ends, the rest is delivered"
drain "$lines"
drained=$?
drained_after=$(b_since "$began")
end_of "$send"
send_status=$?
b_wait_for 5 grep -q '"event":"end"' "$B_DIR/send.json"
end_of "$receive"
receive_status=$?
take_up_wire
compare
b_progress ""

failed=0
verdict() { # SENTENCE CONDITION...
	local sentence=$1
	shift
	if "$@"; then echo "  yes: $sentence"; else
		echo "  NO:  $sentence"
		failed=1
	fi
}
# at PERCENT COLUMN: of the samples; highest COLUMN: in the first tenth.
at() { awk -v n="$((SAMPLES * $1 / 100))" -v c="$2" 'NR == (n < 1 ? 1 : n) { print $c }' "$B_DIR/samples"; }
highest_first() { awk -v n="$SAMPLES" -v c="$1" 'NR <= n / 10 || NR == 1 { if ($c > m) m = $c } END { print m }' "$B_DIR/samples"; }
flat() { [ "$(at 100 "$1")" -le $(($(highest_first "$1") + $2)) ]; }
of_three() { echo "$(at 10 "$1") $(at 50 "$1") $(at 100 "$1") at 10%, 50%, 100% of the time"; }
happened() {
	local name
	for name in "$@"; do [ "$(fault "$name")" -gt 0 ] || return 1; done
}

resets=$(fault resets) connections=$(said connections)
echo "faults: $(sed 's/\([a-z]\) \([0-9]*\)/\1 \2,/g; s/_/ /g; s/,$//' "$B_DIR/faults")"
printf 'causes of death that the sender named:%s\n' \
	"$(grep '"event":"report"' "$B_DIR/send.json" | grep -o '"cause":"[^"]*"' | cut -d'"' -f4 | sort | uniq -c |
		awk '{ printf "%s %s %d", n++ ? "," : "", $2, $1 }')"
verdict "everything was confirmed: $lines lines, $(said delivered_records) confirmed after ${drained_after%.*} s" \
	[ "$drained" -eq 0 ]
verdict "lost none: $lost" [ "$lost" -eq 0 ]
verdict "doubled none: $doubled" [ "$doubled" -eq 0 ]
verdict "in order, byte by byte: $(lines_in "$B_DIR/stored") of $lines, $strange of others $(cat "$B_DIR/cmp")" \
	[ "$in_order$strange" = 00 ]
case $WIRE in
tun) verdict "the wire was bad: $(fault lost) of $(fault packets) packets lost, $(fault out_of_order) out of order" \
	happened lost duplicated corrupted out_of_order resets holes ;;
nft) verdict "the wire was bad: $(fault lost) packets lost" happened lost resets ;;
esac
# An RST misses when the newest data went astray; and there is nothing to kill while there is no connection.
enough=$((${SOAK_SECONDS%.*} * 1000 / RESET_EVERY / 4))
[ "$WIRE" = tun ] || enough=0
verdict "RSTs killed: $connections connections, $resets forged, $(said resent_records) records sent again" \
	[ "$connections" -gt "$((enough > resets / 2 ? enough : resets / 2))" ]
verdict "the sender's memory is flat: kB $(of_three 2) (+$RSS_SLACK_KB allowed)" flat 2 "$RSS_SLACK_KB"
verdict "the sender's descriptors are flat: $(of_three 3) (+$FD_SLACK allowed)" flat 3 "$FD_SLACK"
verdict "the receiver's memory is flat: kB $(of_three 4) (+$RSS_SLACK_KB allowed)" flat 4 "$RSS_SLACK_KB"
verdict "the receiver's descriptors are flat: $(of_three 5) (+$FD_SLACK allowed)" flat 5 "$FD_SLACK"
verdict "both end with 0: $send_status, $receive_status" [ "$send_status$receive_status" = 00 ]
if [ "$failed" -ne 0 ] && [ -n "${KEEP:-}" ]; then cp -a "$B_DIR" "$KEEP"; fi
printf 'RESULT soak stomp %d lines, lost %d, doubled %d, %d resets, %d connections, %d resent, RSS send %d..%d kB, receive %d..%d kB\n' \
	"$lines" "$lost" "$doubled" "$resets" "$connections" "$(said resent_records)" "$(highest_first 2)" \
	"$(at 100 2)" "$(highest_first 4)" "$(at 100 4)"
exit $failed
