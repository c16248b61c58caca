#!/bin/bash
# SPDX-License-Identifier: MIT
#
# dead_letters.sh - records that a broker refuses: which one it was is found out, it is kept in a file with
# what was said of it, and all others are delivered.
. tests/send/lib_send.sh
t_plan 36

tab=$(printf '\t')
DEAD=$T_DIR/dead.json
numbers() { seq -f 'line %g' "$1" "$2"; }
letters() { wc -l <"$DEAD"; }
# field KEY [FILE]: of the last letter.
field() { tail -n 1 "${2:-$DEAD}" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\)\"\{0,1\}[,}].*/\1/p"; }
# Everything but one line came through, in the end.
others() { sed -n "s/.*${tab}SEND${tab}.*${tab}=//p" "$T_DIR/$1.out" | grep -v '^bad$' | sort -u | wc -l; }
{ numbers 1 100 && echo bad && numbers 101 200; } >"$T_DIR/input"

# ---- an ERROR that says which
broker names --refuse bad --error-id --message 'not\cthis one' --body 'for ever'
send --dead-letters "$DEAD" --backoff 1ms..5ms --file "$T_DIR/input" "stomp://127.0.0.1:$T_PORT/q"
t_is "an ERROR that names a record: status 1" "$STATUS" 1
t_is "one dead letter" "$(letters)" 1
t_ok "it is JSON with these members, in this order" grep -qxE \
	'\{"sender":"[0-9a-f]{16}","seq":[0-9]+,"time":"20[0-9-]{8}T[0-9:]{8}Z","message":"not:this one: for ever","body":"bad"\}' "$DEAD"
t_is "its sender and number are those of the record" "$(field sender)-$(field seq)" \
	"$(sed -n "s/.*record-id:\([^${tab}]*\)${tab}.*=bad$/\1/p" "$T_DIR/names.out" | sort -u)"
t_is "all others are delivered" "$(others names)" 200
t_is "the totals say it" "$(total accepted_records) $(total delivered_records) $(total buried_records) $(total buried_bytes)" "201 200 1 3"
t_ok "bytes add up" adds_up
t_is "it was not sent again" "$(frames names '=bad$')" 1
t_ok "the report has its line" reported '"event":"refused","sender":"[0-9a-f]*","seq":[0-9]*,"bytes":3,"message":"not:this one: for ever"'
t_ok "the user is told, with the reason and the file" said "is refused and now in $DEAD: \"not:this one: for ever\""
t_is "the file is for its owner alone" "$(stat -c %a "$DEAD")" 600

# ---- an ERROR that does not say which
broker nameless --refuse bad --message broken
send --dead-letters "$DEAD" --backoff 1ms..5ms --file "$T_DIR/input" "stomp://127.0.0.1:$T_PORT/q"
t_is "an ERROR without a name: status 1" "$STATUS" 1
t_is "the file was appended to" "$(letters)" 2
t_is "the right record was found" "$(field body) $(field message)" "bad broken"
t_is "all others are delivered" "$(others nameless) $(total delivered_records) $(total buried_records)" "200 200 1"
t_ok "by sending one at a time" grep -q 'in-flight:1$' "$T_DIR/nameless.out"

# ---- not the record's fault
broker full --error-at 50 --message 'no memory' --shutdown --faults 2
send --dead-letters "$T_DIR/none.json" --backoff 1ms..5ms --file "$T_DIR/input" "stomp://127.0.0.1:$T_PORT/q"
t_is "an ERROR with shutdown:true buries nobody: status 0" "$STATUS $(total buried_records)" "0 0"
t_ok "there is no file then" test ! -e "$T_DIR/none.json"
broker passing --error-at 50 --message 'try later' --faults 1
send --dead-letters "$T_DIR/none.json" --backoff 1ms..5ms --file "$T_DIR/input" "stomp://127.0.0.1:$T_PORT/q"
t_is "an ERROR that does not come again buries nobody: status 0" "$STATUS $(total buried_records)" "0 0"

# ---- bodies of all kinds
printf 'b\374d "\\\t\n' >"$T_DIR/odd"
broker odd --error-at 1 --error-id --faults 1
send --dead-letters "$T_DIR/odd.json" --backoff 1ms..5ms --file "$T_DIR/odd" "stomp://127.0.0.1:$T_PORT/q"
t_is "what is no text is kept as base64" "$(field body_base64 "$T_DIR/odd.json" | base64 -d | od -An -tx1)" "$(head -c -1 "$T_DIR/odd" | od -An -tx1)"
printf 'say "hi"\\\n' >"$T_DIR/quoted"
broker quoted --error-at 1 --error-id --faults 1
send --dead-letters "$T_DIR/quoted.json" --backoff 1ms..5ms --file "$T_DIR/quoted" "stomp://127.0.0.1:$T_PORT/q"
t_ok "what is text is escaped" grep -qF '"body":"say \"hi\"\\"}' "$T_DIR/quoted.json"
head -c 1000000 /dev/zero | tr '\0' '\1' >"$T_DIR/large"
broker large --error-at 1 --error-id --faults 1
send --dead-letters "$T_DIR/large.json" --backoff 1ms..5ms --file "$T_DIR/large" "stomp://127.0.0.1:$T_PORT/q"
t_ok "a large one is kept whole" test "$(grep -o '\\u0001' "$T_DIR/large.json" | wc -l)" -eq 1000000
broker empty --error-at 1 --error-id --faults 1
send --dead-letters "$T_DIR/empty.json" --backoff 1ms..5ms "stomp://127.0.0.1:$T_PORT/q" <<<""
t_ok "an empty one, too" grep -qF '"body":""}' "$T_DIR/empty.json"

# ---- when the file cannot be written
broker again --refuse bad --error-id
# unwritable NAME FILE: a sender whose dead letters cannot be kept.
unwritable() {
	t_run "$1" "$LASTACK" send --dead-letters "$2" --backoff 10ms..50ms --drain-timeout 0 --report "$T_DIR/$1.json" \
		--file "$T_DIR/input" "stomp://127.0.0.1:$T_PORT/q"
}
told() { grep -qF "cannot be written to $2" "$T_DIR/$1.err"; }
unwritable nowhere "$T_DIR/none/dead.json"
t_ok "a file that cannot be written: it is said, and why" t_wait_for 10 told nowhere "$T_DIR/none/dead.json: No such file or directory"
t_ok "the record stays, and so does the sender" t_runs nowhere
mkdir "$T_DIR/none"
t_join nowhere
t_is "once it can be written: status 1, and the letter is there" "$T_STATUS $(wc -l <"$T_DIR/none/dead.json")" "1 1"
t_is "the others are delivered" "$(total delivered_records "$T_DIR/nowhere.json") $(total buried_records "$T_DIR/nowhere.json")" "200 1"
if [ -w /dev/full ]; then
	unwritable full_disk /dev/full
	t_ok "nor one on a full disk" t_wait_for 10 told full_disk "/dev/full: No space left on device"
	t_stop full_disk TERM
	t_is "it can be stopped: status 1, nothing is buried" "$T_STATUS $(total buried_records "$T_DIR/full_disk.json")" "1 0"
else
	t_skip "nor one on a full disk" "no /dev/full"
	t_skip "it can be stopped: status 1, nothing is buried" "no /dev/full"
fi
broker default --refuse bad --error-id
program=$(realpath "$LASTACK")
(cd "$T_DIR" && "$program" send --backoff 1ms..5ms --file input "stomp://127.0.0.1:$T_PORT/q" 2>/dev/null)
t_ok "without --dead-letters it is lastack-dead-letters.json" grep -q '"body":"bad"' "$T_DIR/lastack-dead-letters.json"

# ---- with a spool
broker spooled --refuse bad --error-id
send --spool "$T_DIR/s.db" --dead-letters "$T_DIR/spooled.json" --backoff 1ms..5ms --file "$T_DIR/input" "stomp://127.0.0.1:$T_PORT/q"
t_is "with a spool: status 1, one letter" "$STATUS $(wc -l <"$T_DIR/spooled.json")" "1 1"
t_ok "the spool has let go of it" sh -c '"$1" spool inspect --json "$2" | grep -q "\"records\":0,"' _ "$LASTACK" "$T_DIR/s.db"
send --spool "$T_DIR/s.db" --dead-letters "$T_DIR/spooled.json" "stomp://127.0.0.1:$T_PORT/q" </dev/null
t_is "the next run has nothing to do: status 0" "$STATUS $(wc -l <"$T_DIR/spooled.json")" "0 1"

# ---- brokers that do not close after ERROR
broker stays --refuse bad --error-id --stay
send --dead-letters "$T_DIR/stays.json" --backoff 1ms..5ms --read-timeout 500ms --file "$T_DIR/input" "stomp://127.0.0.1:$T_PORT/q"
t_is "one that waits for our FIN: the others are delivered" "$STATUS $(total delivered_records)" "1 200"
broker never --error-at 50 --error-id --never-close --faults 1
send --dead-letters "$T_DIR/never.json" --backoff 1ms..5ms --read-timeout 500ms --file "$T_DIR/input" "stomp://127.0.0.1:$T_PORT/q"
t_is "one that never closes: they are, too" "$STATUS $(total delivered_records)" "1 200"
t_is "and nothing of ours is left in CLOSE_WAIT" "$(total close_wait_sockets)" 0
t_done
