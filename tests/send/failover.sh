#!/bin/bash
# SPDX-License-Identifier: MIT
#
# failover.sh - lastack send stomp:// with several servers, and with none: who gets what, how it ends,
# and what the totals say.
. tests/send/lib_send.sh
t_plan 28

tab=$(printf '\t')
numbers() { seq -f 'line %g' "$1" "$2"; }
numbers 1 500 >"$T_DIR/input"
bodies() { sed -n "s/.*${tab}SEND${tab}.*${tab}=//p" "$T_DIR/$1.out"; }
url() { echo "stomp://127.0.0.1:$1/q"; }
# A port at which nothing listens: in a network of our own, none but the brokers' does.
NOBODY=$(url 1)

# ---- a list
broker second
A=$(url "$T_PORT")
send --file "$T_DIR/input" "$NOBODY" "$A"
t_is "the first does not answer: the second gets all, status 0" "$STATUS $(bodies second | wc -l)" "0 500"
t_is "without waiting in between" "$(grep '"event":"wait"' "$T_DIR/report" | grep -cv '"delay_s":0}')" 0

broker refuses --reject --message 'nobody may'
broker accepts
send --rejected-backoff 1m..1m --file "$T_DIR/input" "$(url "$(cat "$T_DIR/refuses.port")")" "$(url "$T_PORT")"
t_is "the first refuses the login: the second is asked at once" "$STATUS $(bodies accepts | wc -l)" "0 500"
t_ok "what the first one said is said" said "nobody may"

broker dies --receipts never
broker goes_on
t_run sender "$LASTACK" send --window 300 --report "$T_DIR/report" --file "$T_DIR/input" \
	"$(url "$(cat "$T_DIR/dies.port")")" "$(url "$T_PORT")"
t_wait_for 10 got dies '=line 300$'
t_signal dies KILL
t_join dies
t_join sender
t_is "the first is killed in the middle: status 0" "$T_STATUS" 0
t_is "the second gets all that was not confirmed" "$(bodies goes_on | wc -l)" 500
t_is "together they have every record" "$({ bodies dies && bodies goes_on; } | sort -u | wc -l)" 500
t_is "the totals: more than one connection" "$(($(total connections) >= 2)) $(total delivered_records)" "1 500"
t_ok "bytes add up" adds_up

broker full --reject --shutdown --message 'too many'
broker free
send --rejected-backoff 1m..1m --file "$T_DIR/input" "$(url "$(cat "$T_DIR/full.port")")" "$(url "$T_PORT")"
t_is "a server that is full refuses nobody's login" "$STATUS $(grep -c '"event":"report".*"cause":"server-error"' "$T_DIR/report")" "0 1"

# ---- none
send --retry 0 --file "$T_DIR/input" "$NOBODY"
t_is "--retry 0 and no server: status 1" "$STATUS" 1
t_is "nothing is delivered, what was accepted is abandoned" "$(total delivered_records) $(total abandoned_records)" "0 $(total accepted_records)"
t_ok "bytes add up" adds_up
send --give-up-after 300ms --backoff 10ms..20ms --file "$T_DIR/input" "$NOBODY"
t_is "--give-up-after: status 1" "$STATUS" 1
t_is "all of the input is accounted for" "$(total accepted_records) $(total abandoned_records)" "500 500"
t_ok "bytes add up" adds_up
broker no --reject --message 'wrong password'
send --retry 2 --rejected-backoff 1ms..2ms --file "$T_DIR/input" "$(url "$T_PORT")"
t_is "--retry 2 and a login that is refused each time: status 1 after three" "$STATUS $(grep -c '"event":"report".*"cause":"login-rejected"' "$T_DIR/report")" "1 3"

# ---- signals
piped waits "$LASTACK" send --report "$T_DIR/waits.json" --drain-timeout 100ms "$NOBODY"
numbers 1 10 >&8
tried() { grep -q '"event":"report"' "$T_DIR/waits.json"; }
t_wait_for 10 tried
t_stop waits TERM
exec 8>&-
t_is "SIGTERM without a server: status 1" "$T_STATUS" 1
t_is "after --drain-timeout the rest is abandoned" "$(total abandoned_records "$T_DIR/waits.json")" "$(total accepted_records "$T_DIR/waits.json")"
broker mute --receipts never
piped insists "$LASTACK" send --report "$T_DIR/insists.json" --drain-timeout never "$(url "$T_PORT")"
numbers 1 10 >&8
t_wait_for 10 got mute '=line 10$'
t_signal insists INT
stopping() { grep -q 'once more aborts' "$T_DIR/insists.err"; }
t_ok "SIGINT: it says how to end it at once" t_wait_for 10 stopping
t_stop insists INT
exec 8>&-
t_is "SIGINT again: status 1, at once" "$T_STATUS $(total abandoned_records "$T_DIR/insists.json")" "1 10"
broker good
piped stops "$LASTACK" send --report "$T_DIR/stops.json" "$(url "$T_PORT")"
numbers 1 10 >&8
t_wait_for 10 got good '=line 10$'
t_stop stops TERM
exec 8>&-
t_is "SIGTERM with everything confirmed: status 0" "$T_STATUS $(total delivered_records "$T_DIR/stops.json")" "0 10"
t_ok "and a proper farewell" got good "${tab}DISCONNECT${tab}"

# ---- the end of the input
send "$(url "$T_PORT")" </dev/null
t_is "no input at all: status 0" "$STATUS $(total accepted_records)" "0 0"
send --max-record 10 "$(url "$T_PORT")" < <(printf 'one\ntwo\nthis is too long\nfour\n')
t_is "a record over --max-record: status 2" "$STATUS" 2
t_is "everything before it is delivered" "$(total delivered_records)" 2
t_ok "it is said what was not sent" said "a record is longer than 10 B (--max-record)"
send --json "$(url "$T_PORT")" <<<one
t_is "--json and --report exclude each other" "$STATUS" 2
t_done
