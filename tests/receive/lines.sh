#!/bin/sh
# SPDX-License-Identifier: MIT
# lines.sh - records: whole ones only, never mixed, never two halves glued together.
. tests/lib.sh
t_plan 22

peer() { "$PEER" --connect "127.0.0.1:$T_PORT" "$@"; }
says() { grep -qF -- "$2" "$T_DIR/$1"; }

# Eight senders at once, their lines of many lengths, longer than one segment among them.
t_receive many --connections 8 lines://127.0.0.1:0
for sender in 1 2 3 4 5 6 7 8; do
	awk -v s=$sender 'BEGIN { for (i = 0; i < 2000; i++) {
		line = s ":" i ":"; n = (i * 7919 + s) % 300; if (i % 500 == 0) n = 20000
		while (length(line) < n) line = line line; print line } }' >"$T_DIR/in.$sender"
	t_run "sender$sender" "$LASTACK" send --quiet --file "$T_DIR/in.$sender" "lines://127.0.0.1:$T_PORT"
done
failed=0
for sender in 1 2 3 4 5 6 7 8; do
	t_join "sender$sender"
	failed=$((failed + T_STATUS))
done
t_is "eight senders at once are all served" "$failed" 0
t_join many
t_is "each ended properly: status 0" "$T_STATUS" 0
cat "$T_DIR"/in.[1-8] | sort >"$T_DIR/wanted"
sort "$T_DIR/many.out" >"$T_DIR/got"
t_ok "every line arrives once and whole" cmp "$T_DIR/wanted" "$T_DIR/got"
in_order() {
	for s in 1 2 3 4 5 6 7 8; do grep "^$s:" "$T_DIR/many.out" | cmp - "$T_DIR/in.$s" || return 1; done
}
t_ok "and each sender's lines are in order" in_order
t_ok "they are counted" says many.json '"records":16000,'

t_receive tail --once lines://127.0.0.1:0
peer 'write:whole\nhalf' >/dev/null
t_join tail
t_is "FIN in the middle of a line: status 0" "$T_STATUS" 0
t_is "the line is kept and given a newline" "$(cat "$T_DIR/tail.out" && echo .)" "whole
half
."
t_ok "and counted" says tail.json '"kept_tail_bytes":4,"dropped_tail_bytes":0'

t_receive cut --once lines://127.0.0.1:0
t_run p1 "$PEER" --connect "127.0.0.1:$T_PORT" 'write:whole\nhalf' "wait:$T_DIR/cut.seen" rst
t_wait_for 10 test -s "$T_DIR/cut.out" && touch "$T_DIR/cut.seen"
t_join cut
t_is "RST in the middle of a line: status 1" "$T_STATUS" 1
t_is "the half line is dropped: the sender sends it again" "$(cat "$T_DIR/cut.out")" whole
t_ok "and counted" says cut.json '"kept_tail_bytes":0,"dropped_tail_bytes":4'

# A record that is too long: a sentence that arrives even though the peer goes on sending.
{
	echo fine
	head -c 3000000 /dev/zero | tr '\0' x
	echo
	echo never seen
} >"$T_DIR/long"
t_receive long --once --max-record 1000 lines://127.0.0.1:0
peer --out "$T_DIR/reply" "sendfile:$T_DIR/long" read:eof >/dev/null
t_join long
t_is "a line over --max-record: status 1" "$T_STATUS" 1
t_is "the peer is told" "$(cat "$T_DIR/reply")" "record over 1000 bytes"
t_is "what came before is kept, nothing behind it" "$(cat "$T_DIR/long.out")" fine
t_ok "the report says why, and both FINs were exchanged" grep -q \
	'"cause":"finished",.*"closed_first":"us",.*"ended_by":"record-too-long","records":1,' "$T_DIR/long.json"

head -c 999 /dev/zero | tr '\0' y >"$T_DIR/exact" && echo >>"$T_DIR/exact"
t_receive exact --once --max-record 1000 lines://127.0.0.1:0
peer "sendfile:$T_DIR/exact" >/dev/null
t_join exact
t_is "a line of exactly --max-record: status 0" "$T_STATUS" 0
t_ok "it passes whole" cmp "$T_DIR/exact" "$T_DIR/exact.out"

# A record much longer than the first buffer.
awk 'BEGIN { line = "0123456789"; while (length(line) < 900000) line = line line
	print substr(line, 1, 900000) }' >"$T_DIR/big"
t_receive big --once lines://127.0.0.1:0
peer "sendfile:$T_DIR/big" >/dev/null
t_join big
t_ok "a line of 900 kB passes whole" cmp "$T_DIR/big" "$T_DIR/big.out"

# The reconnect of our own sender: its half line goes away with the connection and comes whole again.
t_receive again --connections 2 lines://127.0.0.1:0
t_run p2 "$PEER" --connect "127.0.0.1:$T_PORT" 'write:1\n2\nthr' "wait:$T_DIR/again.seen" rst connect 'write:three\n'
t_wait_for 10 test -s "$T_DIR/again.out" && touch "$T_DIR/again.seen"
t_join again
t_is "a record cut by a reset and sent again is there once" "$(tr '\n' , <"$T_DIR/again.out")" 1,2,three,

printf 'from before\ncut off' >"$T_DIR/log"
t_receive glue --once --into "$T_DIR/log" lines://127.0.0.1:0
peer 'write:new\n' >/dev/null
t_join glue
t_is "a file with a cut last line: the new record is not glued to it" "$(tr '\n' , <"$T_DIR/log")" \
	"from before,cut off,new,"

t_receive slow --once lines://127.0.0.1:0
peer write:a pause:1 write:b pause:1 'write:c\nd' pause:1 'write:e\n' >/dev/null
t_join slow
t_is "records that come in crumbs" "$(tr '\n' , <"$T_DIR/slow.out")" abc,de,
t_is "nothing of these servers is left in CLOSE_WAIT" "$(ss -Htan state close-wait "sport = :$T_PORT" | wc -l)" 0
t_done
