#!/bin/sh
# SPDX-License-Identifier: MIT
# times.sh - time-outs, rates and signals of lastack receive.
. tests/lib.sh
t_plan 21

peer() { "$PEER" --connect "127.0.0.1:$T_PORT" "$@"; }
says() { grep -qF -- "$2" "$T_DIR/$1"; }
# number NAME FIELD: of the first report.
number() { sed -n "/\"event\":\"report\"/{s/.*\"$2\":\([0-9.e+-]*\).*/\1/p;q}" "$T_DIR/$1.json"; }
between() { awk "BEGIN { exit !($1 >= $2 && $1 <= $3) }"; }

# Nothing comes: our FIN first, and the peer can still answer it.
t_receive idle --once --read-timeout 500ms lines://127.0.0.1:0
peer 'write:one\n' read:eof 'write:two\n' >/dev/null
t_join idle
t_is "--read-timeout: status 1, for it was us who ended it" "$T_STATUS" 1
t_ok "the report says so, and that both FINs were exchanged" grep -q \
	'"cause":"finished",.*"closed_first":"us",.*"ended_by":"read-timeout","records":2,' "$T_DIR/idle.json"
t_is "what came after our FIN is kept" "$(tr '\n' , <"$T_DIR/idle.out")" one,two,
t_ok "it waited that long" between "$(number idle lived_s)" 0.5 10

t_receive busy --once --read-timeout 800ms lines://127.0.0.1:0
peer 'write:1\n' pause:400 'write:2\n' pause:400 'write:3\n' pause:400 'write:4\n' >/dev/null
t_join busy
t_is "each byte begins the read time-out anew: status 0" "$T_STATUS" 0

# 1 MB at 400 kB/s, of which a tenth of a second may come at once: 2.4 s, if the host is idle.
t_receive rate --once --limit-rate 400000 tcp://127.0.0.1:0
head -c 1000000 /dev/urandom >"$T_DIR/in"
peer "sendfile:$T_DIR/in" >/dev/null
t_join rate
t_is "--limit-rate: status 0" "$T_STATUS" 0
t_ok "all bytes" cmp "$T_DIR/in" "$T_DIR/rate.out"
t_ok "not faster than that ($(number rate lived_s) s)" between "$(number rate lived_s)" 2.39 20

seq -f '%0100.0f' 1 50000 >"$T_DIR/wide" # 5 MB
echo modest >"$T_DIR/modest"

# The rate is one for all connections together.
t_receive shared --connections 3 --limit-rate 100000 lines://127.0.0.1:0
seq -w 1 10000 >"$T_DIR/numbers" # 60 kB
for i in 1 2 3; do t_run "s$i" "$PEER" --connect "127.0.0.1:$T_PORT" "sendfile:$T_DIR/numbers"; done
t_join shared
t_is "three connections share the rate: every line" "$(sort "$T_DIR/shared.out" | uniq -c | awk '$1 == 3' | wc -l)" 10000
last() { sed -n 's/.*"event":"report".*"lived_s":\([0-9.]*\),.*/\1/p' "$T_DIR/$1.json" | sort -n | tail -n 1; }
t_ok "not faster together than one alone ($(last shared) s)" between "$(last shared)" 1.6 20

# A greedy connection leaves the others their share.
t_receive fair --limit-rate 20k lines://127.0.0.1:0
t_run greedy "$PEER" --connect "127.0.0.1:$T_PORT" "sendfile:$T_DIR/wide" "wait:$T_DIR/never"
t_wait_for 10 test -s "$T_DIR/fair.out"
peer "sendfile:$T_DIR/modest" >/dev/null
t_ok "a greedy connection leaves the others their share of the rate" t_wait_for 5 grep -qx modest "$T_DIR/fair.out"
t_stop greedy KILL
t_stop fair INT

# The back pressure is real: what is not read stays with the sender.
t_receive slow --once --limit-rate 1k tcp://127.0.0.1:0
t_run big "$PEER" --connect "127.0.0.1:$T_PORT" send:100000000000
queued() { ss -Htn state established "dport = :$T_PORT" | awk '$2 > 0 { found = 1 } END { exit !found }'; }
t_ok "--limit-rate: the rest waits in the sender's queue" t_wait_for 10 queued
t_stop slow INT
t_is "SIGINT: what has come is taken, then our FIN: status 0" "$T_STATUS" 0
t_ok "the report says that we closed first" grep -q '"closed_first":"us".*"ended_by":"stopped"' "$T_DIR/slow.json"
t_join big

# A peer that does not answer our FIN is waited for, but not after a second SIGINT.
t_receive twice tcp://127.0.0.1:0
t_run holder "$PEER" --connect "127.0.0.1:$T_PORT" write:x hold
t_wait_for 10 test -s "$T_DIR/twice.out"
t_signal twice INT
t_wait_for 10 says twice.err "finishing 1 open"
t_stop twice INT 4
t_is "SIGINT twice: status 1 at once" "$T_STATUS" 1
t_ok "the report says aborted" says twice.json '"cause":"aborted"'
t_stop holder KILL

# SIGTERM with a sender of ours: it gets our FIN, and what it had sent is there.
t_receive term lines://127.0.0.1:0
mkfifo "$T_DIR/fifo"
exec 6<>"$T_DIR/fifo"
t_run live "$LASTACK" send --quiet --retry 0 --file "$T_DIR/fifo" "lines://127.0.0.1:$T_PORT"
seq 1 1000 >&6
t_wait_for 10 sh -c "tail -n 1 '$T_DIR/term.out' | grep -qx 1000"
t_stop term TERM
t_is "SIGTERM with a sender that would go on: status 0" "$T_STATUS" 0
t_ok "both FINs, ours first" grep -q '"cause":"finished",.*"closed_first":"us",' "$T_DIR/term.json"
t_is "everything it had sent is there" "$(wc -l <"$T_DIR/term.out")" 1000
t_join live
exec 6>&-

# Those in the backlog are connected already: they are taken before the listener closes.
t_receive backlog --max-connections 10 lines://127.0.0.1:0
t_signal backlog STOP
for i in 1 2 3; do t_run "q$i" "$PEER" --connect "127.0.0.1:$T_PORT" "write:$i\\n" "touch:$T_DIR/q$i"; done
t_wait_for 10 test -e "$T_DIR/q1" -a -e "$T_DIR/q2" -a -e "$T_DIR/q3"
t_signal backlog TERM
t_signal backlog CONT
t_join backlog
t_is "SIGTERM: status 0" "$T_STATUS" 0
t_is "what waited in the backlog is received" "$(sort "$T_DIR/backlog.out" | tr -d '\n')" 123
t_done
