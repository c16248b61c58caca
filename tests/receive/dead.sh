#!/bin/sh
# SPDX-License-Identifier: MIT
# dead.sh - senders that die without a word, in a network namespace of our own.
if [ "${T_INSIDE:-}" != yes ]; then
	. tests/lib.sh
	unshare -n true 2>/dev/null || t_skip_all "no network namespaces: needs root"
	command -v nft >/dev/null || t_skip_all "nft is not installed"
	unshare -n sh -c 'ip link set lo up && nft add table inet t' 2>/dev/null || t_skip_all "nft does not work here"
	t_cleanup
	exec env T_INSIDE=yes unshare -n sh "$0"
fi
. tests/lib.sh
t_plan 9
ip link set lo up
nft add table inet t
nft add chain inet t in '{ type filter hook input priority 0; }'

number() { sed -n "/\"event\":\"report\"/{s/.*\"$2\":\([0-9.e+-]*\).*/\1/p;q}" "$T_DIR/$1.json"; }
between() { awk "BEGIN { exit !($1 >= $2 && $1 <= $3) }"; }
drop() { nft add rule inet t in tcp dport "$T_PORT" drop && nft add rule inet t in tcp sport "$T_PORT" drop; }

# Its host is gone: nothing comes, nothing answers. Only keepalive finds it.
t_receive silent --once --dead-after 2s lines://127.0.0.1:0
t_run p1 "$PEER" --connect "127.0.0.1:$T_PORT" 'write:whole\nhalf' hold
t_wait_for 10 test -s "$T_DIR/silent.out"
drop
t_join silent
t_is "an idle sender vanishes: status 1" "$T_STATUS" 1
t_ok "the cause is silent-idle" grep -q '"cause":"silent-idle"' "$T_DIR/silent.json"
t_ok "found in about --dead-after ($(number silent silence_s) s of silence)" \
	between "$(number silent silence_s)" 1 6
t_ok "its half record is dropped and counted" grep -q '"records":1,.*"dropped_tail_bytes":4' "$T_DIR/silent.json"

# It vanishes after our FIN, which then is never acknowledged.
t_receive closing --once --read-timeout 300ms --dead-after 2s lines://127.0.0.1:0
t_run p2 "$PEER" --connect "127.0.0.1:$T_PORT" 'write:x\n' hold
t_wait_for 10 test -s "$T_DIR/closing.out"
drop
t_join closing
t_is "a sender vanishes before our FIN: status 1" "$T_STATUS" 1
t_ok "the cause is silent-busy" grep -q '"cause":"silent-busy"' "$T_DIR/closing.json"
t_ok "nothing is left in any state but LISTEN and TIME_WAIT" sh -c \
	'! ss -Htan "sport = :$1" | grep -vE "^(LISTEN|TIME-WAIT)" | grep .' _ "$T_PORT"

# It answers, but never sends a FIN: that is not death.
t_receive alive --dead-after 1s lines://127.0.0.1:0
t_run p3 "$PEER" --connect "127.0.0.1:$T_PORT" 'write:1\n' "wait:$T_DIR/answer" 'write:2\n'
t_wait_for 10 test -s "$T_DIR/alive.out"
nft add rule inet t in tcp sport "$T_PORT" counter
probed() { [ "$(nft list table inet t | sed -n 's/.*counter packets \([0-9]*\).*/\1/p')" -ge 4 ]; }
t_wait_for 20 probed
touch "$T_DIR/answer"
both() { [ "$(tr -d '\n' <"$T_DIR/alive.out")" = 12 ]; }
t_ok "a sender that is silent and alive is kept" t_wait_for 10 both
t_stop alive TERM
t_is "and ends properly" "$(grep -c '"event":"report".*"proper":true' "$T_DIR/alive.json")" 1
t_done
