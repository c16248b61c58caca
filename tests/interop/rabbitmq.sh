#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# rabbitmq.sh - lastack send to a RabbitMQ node and its quorum queue: everything arrives, also when the node
# dies in between, and a refused login is said in the broker's words.
# shellcheck source=tests/interop/lib_interop.sh
. tests/interop/lib_interop.sh
i_isolate
. tests/lib.sh
# shellcheck source=tests/interop/lib_rabbit.sh
. tests/interop/lib_rabbit.sh
lacks=$(rabbit_lacks)
[ -z "$lacks" ] || t_skip_all "$lacks"
t_plan 13

# What the options of lastack send are for a quorum queue; RabbitMQ makes it with the first record.
rabbit_begin "$T_DIR/rabbit" && rabbit_start one
echo $RABBIT_PASSWORD >"$T_DIR/passcode"
options=(--passcode-file "$T_DIR/passcode" --vhost / --header persistent:true --header durable:true
	--header auto-delete:false --header x-queue-type:quorum)
url=stomp://$RABBIT_USER@127.0.0.1:$(rabbit_port one)/queue

# Everything that waits in the queue, each record-id once, in the order of its numbers, into NAME.got.
drain() { # NAME
	rabbit_stomp one drain "$1" >"$T_DIR/$1.drained" || t_note "not drained: $(tail -n 2 "$T_DIR/$1.drained")"
	sort -u "$T_DIR/$1.drained" | sed 's/^[^\t]*-\([0-9]*\t\)/\1/' | sort -n >"$T_DIR/$1.numbered"
	cut -f2- "$T_DIR/$1.numbered" >"$T_DIR/$1.got"
	t_note "$1: $(wc -l <"$T_DIR/$1.drained") records drained, $(wc -l <"$T_DIR/$1.got") different"
}

seq -f 'plain %.0f: a\b:c' 5000 >"$T_DIR/plain"
"$LASTACK" send "${options[@]}" --report "$T_DIR/plain.json" "$url/plain" <"$T_DIR/plain" 2>"$T_DIR/plain.err"
t_is "to a quorum queue: every record is confirmed, status 0" $? 0
drain plain
t_ok "each is there, once by its record-id, as it was, in its order" cmp "$T_DIR/plain" "$T_DIR/plain.got"
t_is "nothing was sent twice" "$(wc -l <"$T_DIR/plain.drained")" 5000
t_is "the queue is a quorum queue" \
	"$(rabbit_ctl one list_queues name type --no-table-headers | tr '\t' ' ')" "plain quorum"

# The node dies between what it has confirmed and what it has only been sent; more is given meanwhile.
seq -f 'first %.0f' 3000 >"$T_DIR/first"
seq -f 'second %.0f' 3000 >"$T_DIR/second"
seq -f 'third %.0f' 3000 >"$T_DIR/third"
mkfifo "$T_DIR/input"
exec 8<>"$T_DIR/input"
t_run send "$LASTACK" send "${options[@]}" --spool "$T_DIR/spool.db" --backoff 50ms..1s \
	--report "$T_DIR/send.json" "$url/dying" <"$T_DIR/input" 8<&-
cat "$T_DIR/first" >&8
t_ok "the first records are in the queue" t_wait_for 30 rabbit_has one dying 3000
t_ok "the node has put down that the queue exists" t_wait_for 60 rabbit_remembers one dying
kill -STOP "$(rabbit_pid one)"
cat "$T_DIR/second" >&8
t_ok "the next are sent while it stands still: they wait, unread" t_wait_for 20 rabbit_owes one
rabbit_kill one KILL
cat "$T_DIR/third" >&8 &
feeding=$!
rabbit_start one 8<&- # or the input would have no end while the node lives
wait $feeding
exec 8<&-
t_join send 60
t_is "the node was killed and came back: every record is confirmed, status 0" "$T_STATUS" 0
drain dying
cat "$T_DIR/first" "$T_DIR/second" "$T_DIR/third" >"$T_DIR/dying"
t_ok "each is there, once by its record-id, in its order: nothing confirmed was lost" \
	cmp "$T_DIR/dying" "$T_DIR/dying.got"
t_ok "it took two connections at least" \
	test "$(grep -c '"event":"report"' "$T_DIR/send.json")" -ge 2

# A wrong password does not become right by asking again at once.
echo wrong >"$T_DIR/wrong"
logins() { cat "$T_DIR"/rabbit/one/log/*.log | grep -c 'accepting STOMP connection'; }
before=$(logins)
echo never | "$LASTACK" send "${options[@]}" --passcode-file "$T_DIR/wrong" --give-up-after 4s \
	--report "$T_DIR/wrong.json" "$url/plain" >"$T_DIR/wrong.out" 2>"$T_DIR/wrong.err"
t_is "a wrong password: status 1" $? 1
t_ok "it says what the broker said" grep -q "Access refused for user '$RABBIT_USER'\|Bad CONNECT" "$T_DIR/wrong.err"
t_is "in four seconds it has asked once" "$(($(logins) - before))" 1
t_done
