#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# cluster.sh - lastack send to three RabbitMQ nodes that share a quorum queue. The node that it is connected to, which
# leads the queue, is killed: it goes on with the next one, and everything arrives.
# shellcheck source=tests/interop/lib_interop.sh
. tests/interop/lib_interop.sh
i_isolate
. tests/lib.sh
# shellcheck source=tests/interop/lib_rabbit.sh
. tests/interop/lib_rabbit.sh
lacks=$(rabbit_lacks)
[ -z "$lacks" ] || t_skip_all "$lacks"
t_plan 8

rabbit_begin "$T_DIR/rabbit" one two three
t_ok "three nodes become a cluster" rabbit_unite one two three
t_ok "and run" t_wait_for 60 rabbit_united one 3

echo $RABBIT_PASSWORD >"$T_DIR/passcode"
for node in one two three; do
	urls+=("stomp://$RABBIT_USER@127.0.0.1:$(rabbit_port $node)/queue/shared")
done
seq -f 'first %.0f' 3000 >"$T_DIR/first"
seq -f 'second %.0f' 3000 >"$T_DIR/second"
seq -f 'third %.0f' 3000 >"$T_DIR/third"
mkfifo "$T_DIR/input"
exec 8<>"$T_DIR/input"
t_run send "$LASTACK" send --passcode-file "$T_DIR/passcode" --vhost / --header persistent:true \
	--header durable:true --header auto-delete:false --header x-queue-type:quorum \
	--spool "$T_DIR/spool.db" --backoff 50ms..1s --report "$T_DIR/send.json" "${urls[@]}" <"$T_DIR/input" 8<&-
cat "$T_DIR/first" >&8
t_ok "the first records are in the queue" t_wait_for 60 rabbit_has one shared 3000
t_is "which is led by the node that it is connected to" "$(rabbit_leader one shared)" one

# It stands still with records on their way, then it is gone.
kill -STOP "$(rabbit_pid one)"
cat "$T_DIR/second" >&8
t_ok "the next are sent to it: they wait, unread" t_wait_for 20 rabbit_owes one
rabbit_kill one KILL
cat "$T_DIR/third" >&8
exec 8<&-
t_join send 90
t_is "one of three was killed: every record is confirmed by the others, status 0" "$T_STATUS" 0

rabbit_stomp two drain shared >"$T_DIR/drained" || t_note "not drained: $(tail -n 2 "$T_DIR/drained")"
sort -u "$T_DIR/drained" | sed 's/^[^\t]*-\([0-9]*\t\)/\1/' | sort -n | cut -f2- >"$T_DIR/got"
t_note "$(wc -l <"$T_DIR/drained") records drained, $(wc -l <"$T_DIR/got") different"
cat "$T_DIR/first" "$T_DIR/second" "$T_DIR/third" >"$T_DIR/all"
t_ok "each is there, once by its record-id, in its order" cmp "$T_DIR/all" "$T_DIR/got"
t_ok "it went on at another node" test "$(grep '"event":"report"' "$T_DIR/send.json" |
	grep -c "127.0.0.1:\($(rabbit_port two)\|$(rabbit_port three)\)")" -ge 1
t_done
