#!/bin/sh
# SPDX-License-Identifier: MIT
# ends.sh - how connections to lastack receive end, and what it says and returns then.
. tests/lib.sh
t_plan 32

peer() { "$PEER" --connect "127.0.0.1:$T_PORT" "$@" >/dev/null; }
says() { grep -qF -- "$2" "$T_DIR/$1"; }

head -c 3000000 /dev/urandom >"$T_DIR/in"
t_receive raw --once tcp://127.0.0.1:0
peer "sendfile:$T_DIR/in"
t_join raw
t_is "a connection that ends with FIN: status 0" "$T_STATUS" 0
t_ok "every byte of it is on standard output" cmp "$T_DIR/in" "$T_DIR/raw.out"
t_ok "it says who closed first" says raw.json '"cause":"peer-closed"'
t_ok "it says how much came" says raw.json '"stored_bytes":3000000'
t_ok "the last line has the sums and the self-check" grep -q \
	'^{"event":"end","connections":1,.*"proper":1,.*"close_wait_sockets":0}$' "$T_DIR/raw.json"
t_ok "sentences go to stderr" says raw.err "stored 3000000"

t_receive reset --once tcp://127.0.0.1:0
t_run p1 "$PEER" --connect "127.0.0.1:$T_PORT" write:abc "wait:$T_DIR/reset.seen" rst
t_wait_for 10 test -s "$T_DIR/reset.out" && touch "$T_DIR/reset.seen"
t_join reset
t_is "a connection that ends with RST: status 1" "$T_STATUS" 1
t_ok "the cause is named" says reset.json '"cause":"peer-reset"'
t_is "what came before is kept" "$(cat "$T_DIR/reset.out")" abc

t_receive each --connections 2 --into-each "$T_DIR/each" tcp://localhost:0
printf first | socat - "TCP:localhost:$T_PORT"
printf second | socat - "TCP:localhost:$T_PORT"
t_join each
t_is "two of two with FIN: status 0" "$T_STATUS" 0
t_is "one file each: the first" "$(cat "$T_DIR/each.1")" first
t_is "one file each: the second" "$(cat "$T_DIR/each.2")" second
t_is "and nothing on standard output" "$(cat "$T_DIR/each.out")" ""

# Raw bytes into one output: the second waits in the backlog although it came while the first was open.
t_receive turns --connections 2 tcp://127.0.0.1:0
t_run p2 "$PEER" --connect "127.0.0.1:$T_PORT" write:aaa "wait:$T_DIR/b.up" write:AAA
t_wait_for 10 test -s "$T_DIR/turns.out"
t_run p3 "$PEER" --connect "127.0.0.1:$T_PORT" write:bbb "touch:$T_DIR/b.up"
t_join turns
t_is "raw bytes of two connections are not mixed" "$(cat "$T_DIR/turns.out")" aaaAAAbbb

t_receive dual --once 'lines://[::]:0'
printf 'over IPv4\n' | socat - "TCP4:127.0.0.1:$T_PORT"
t_join dual
t_is "[::] serves IPv4" "$(cat "$T_DIR/dual.out")" "over IPv4"

t_receive quiet --once --quiet lines://127.0.0.1:0
printf 'x\n' | socat - "TCP:127.0.0.1:$T_PORT"
t_join quiet
t_is "--quiet is quiet" "$(cat "$T_DIR/quiet.err")" ""

t_receive waits --max-connections 2 --connections 3 lines://127.0.0.1:0
for i in 1 2 3; do t_run "w$i" "$PEER" --connect "127.0.0.1:$T_PORT" "write:$i\\n" "wait:$T_DIR/go"; done
two_are_open() { t_signal waits USR1 && tail -n 1 "$T_DIR/waits.json" | grep -q '"connections":2,"open":2,.*"records":2,'; }
t_ok "--max-connections 2: two are served, the third waits" t_wait_for 10 two_are_open
touch "$T_DIR/go"
t_join waits
t_is "then the third is served" "$(sort "$T_DIR/waits.out" | tr -d '\n')" 123

# Out of descriptors: no connection is lost and none is refused, they wait.
cat >"$T_DIR/few.sh" <<-'END'
	ulimit -n 12
	exec "$@"
END
t_run few sh "$T_DIR/few.sh" "$LASTACK" receive --connections 9 --port-file "$T_DIR/few.port" lines://127.0.0.1:0
t_wait_for 10 test -s "$T_DIR/few.port"
T_PORT=$(cat "$T_DIR/few.port")
for i in 1 2 3 4 5 6 7 8 9; do t_run "f$i" "$PEER" --connect "127.0.0.1:$T_PORT" "write:$i\\n" "wait:$T_DIR/enough"; done
t_ok "out of descriptors: it says so" t_wait_for 10 says few.err "cannot accept more connections: Too many open files"
touch "$T_DIR/enough"
t_join few
t_is "and goes on when some are free: status 0" "$T_STATUS" 0
t_is "all nine are served" "$(sort "$T_DIR/few.out" | tr -d '\n')" 123456789

# The naive client's end: its FIN comes, nothing more, and still nothing of ours stays.
t_receive idle lines://127.0.0.1:0
for i in 1 2 3 4 5; do peer write:x; done
five_ended() { [ "$(grep -c '"event":"report"' "$T_DIR/idle.json")" -eq 5 ]; }
t_ok "five connections ended while it goes on" t_wait_for 10 five_ended
t_signal idle USR1
t_ok "SIGUSR1 prints the totals and 0 sockets in CLOSE_WAIT" t_wait_for 10 \
	grep -q '"event":"status","connections":5,"open":0,.*"close_wait_sockets":0}' "$T_DIR/idle.json"
t_is "the kernel has none either" "$(ss -Htan state close-wait "sport = :$T_PORT" | wc -l)" 0
t_ok "a port in use is said in words" sh -c \
	'! "$1" receive "tcp://127.0.0.1:$2" 2>"$3" && grep -q "another socket listens" "$3"' \
	_ "$LASTACK" "$T_PORT" "$T_DIR/inuse"
t_stop idle TERM
t_is "SIGTERM: status 0" "$T_STATUS" 0

# refused SENTENCE ARGUMENT...: status 2, and the sentence.
refused() {
	wanted=$1 && shift
	"$LASTACK" receive "$@" >"$T_DIR/refused" 2>&1 </dev/null
	[ $? -eq 2 ] && grep -qF -- "$wanted" "$T_DIR/refused"
}
t_ok "usage: no URL" refused "URL"
t_ok "usage: unknown scheme" refused "unknown scheme" udp://127.0.0.1:1
t_ok "usage: port 70000" refused "out of range" tcp://127.0.0.1:70000
t_ok "usage: --into and --into-each" refused "exclude each other" --into a --into-each b tcp://127.0.0.1:0
t_ok "usage: a nonsense duration" refused "read-timeout" --read-timeout soon tcp://127.0.0.1:0
t_ok "usage: two URLs" refused "tcp://127.0.0.1:1" tcp://127.0.0.1:0 tcp://127.0.0.1:1
t_done
