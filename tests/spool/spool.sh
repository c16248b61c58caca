#!/bin/bash
# SPDX-License-Identifier: MIT
#
# spool.sh - lastack spool on what senders leave: running, killed, damaged; and its words.
. tests/lib.sh
t_plan 26

DB=$T_DIR/a.db

waiting() { "$LASTACK" spool inspect --json "$DB" | sed 's/.*"records":\([0-9]*\).*/\1/'; }
has_waiting() { [ "$(waiting)" = "$1" ]; }
said() { grep -q -- "$1" "$T_DIR/said"; }
# run COMMAND...: STATUS, T_DIR/got, T_DIR/said.
run() {
	"$@" >"$T_DIR/got" 2>"$T_DIR/said"
	STATUS=$?
}

# A sender whose server does not answer: port 1 of an address that is nobody's but this host's.
seq 1 5000 >"$T_DIR/records"
mkfifo "$T_DIR/pipe"
exec 8<>"$T_DIR/pipe"
t_run sender "$LASTACK" send --spool "$DB" --sender-id tester stomp://127.0.0.1:1/queue/a <"$T_DIR/pipe"
cat "$T_DIR/records" >&8
t_wait_for 20 has_waiting 5000
t_is "a running sender's records can be counted" "$(waiting)" 5000
run "$LASTACK" spool inspect --json "$DB"
t_ok "it is in use" grep -q '"sender":"tester","in_use":true' "$T_DIR/got"
run "$LASTACK" send --spool "$DB" stomp://127.0.0.1:1/queue/a </dev/null
t_is "a second sender is refused" "$STATUS:$(grep -c 'is sending from this spool' "$T_DIR/said")" 1:1
run "$LASTACK" spool export "$DB"
t_ok "export beside a sender gives all of them" cmp "$T_DIR/got" "$T_DIR/records"
t_ok "and says how many" said '5000 records'

t_signal sender KILL
t_join sender
run "$LASTACK" spool inspect "$DB"
# The numbers of a sender whose id was chosen begin with the time.
first=$(tail -n 1 "$T_DIR/got" | cut -f 7)
t_is "after kill -9 nobody has it" "$STATUS:$(tail -n 1 "$T_DIR/got" | cut -f 2-8)" \
	"0:tester	no	-	5000	18893	$first	$((first + 4999))"
t_is "a name for each column" "$(head -n 1 "$T_DIR/got" | tr '\t' '\n' | wc -l)" \
	"$(tail -n 1 "$T_DIR/got" | tr '\t' '\n' | wc -l)"
run "$LASTACK" spool export --output "$T_DIR/out" "$DB"
t_ok "all records are there" cmp "$T_DIR/out" "$T_DIR/records"
t_is "the export is private" "$(stat -c %a "$T_DIR/out")" 600
run "$LASTACK" spool export --format json "$DB"
t_is "as JSON with numbers" "$(sed -n 17p "$T_DIR/got")" "{\"seq\":$((first + 16)),\"body\":\"17\"}"
run "$LASTACK" send --spool "$DB" --sender-id other stomp://127.0.0.1:1/queue/a </dev/null
t_is "another sender's id is refused" "$STATUS:$(grep -c "that of sender 'tester'" "$T_DIR/said")" 2:1
if command -v script >/dev/null; then
	run script -qec "$LASTACK spool inspect $DB" /dev/null
	t_ok "a table on a terminal" grep -q '^waiting  *5000 records' "$T_DIR/got"
else
	t_skip "a table on a terminal" "there is no script(1)"
fi

# A server comes: what an earlier run left is sent, and the spool is empty.
t_receive server --into "$T_DIR/into.db" stomp://127.0.0.1:0
run "$LASTACK" send --spool "$DB" "stomp://127.0.0.1:$T_PORT/queue/a" </dev/null
t_is "a later run sends it" "$STATUS:$(waiting)" 0:0
t_stop server
t_ok "it leaves no log and no lock" sh -c "! ls '$DB'-wal '$DB'-shm '$DB'.lock 2>/dev/null"
run "$LASTACK" spool export "$DB"
t_is "nothing is left to export" "$STATUS:$(wc -c <"$T_DIR/got")" 0:0

# Damage: a byte in the middle of a block.
yes "$(printf '%099d' 0)" | head -n 30000 >"$T_DIR/many"
exec 8>&-
t_run killed "$LASTACK" send --spool "$T_DIR/b.db" stomp://127.0.0.1:1/queue/a <"$T_DIR/many"
DB=$T_DIR/b.db
t_wait_for 20 has_waiting 30000
t_signal killed TERM
t_join killed 30
t_ok "a sender that ends leaves no log" test ! -e "$DB-wal"
printf 'y' | dd of="$DB" bs=1 seek=600000 conv=notrunc 2>/dev/null
run "$LASTACK" spool inspect --json "$DB"
t_is "a damaged block is found" "$STATUS:$(grep -o '"damaged_blocks":.' "$T_DIR/got")" '1:"damaged_blocks":1'
t_ok "and said" said 'damaged part was passed over'
run "$LASTACK" spool export "$DB"
t_is "the others are exported" "$STATUS:$(sort -u "$T_DIR/got" | wc -l)" 1:1
left=$((30000 - $(wc -l <"$T_DIR/got")))
t_ok "one block is missing" test "$left" -gt 100 -a "$left" -lt 1000

# Usage.
run "$LASTACK" spool inspect "$T_DIR/none"
t_is "no such file" "$STATUS:$(grep -c 'No such file' "$T_DIR/said")" 2:1
run "$LASTACK" spool explode "$DB"
t_is "no such verb" "$STATUS:$(grep -c 'neither inspect nor export' "$T_DIR/said")" 2:1
run "$LASTACK" spool inspect
t_is "no file given" "$STATUS" 2
run "$LASTACK" spool inspect --output x "$DB"
t_is "an option of the other verb" "$STATUS:$(grep -c 'belong to export' "$T_DIR/said")" 2:1
run "$LASTACK" spool export --output "$DB" "$DB"
t_is "an export over itself is refused" "$STATUS:$(grep -c 'the spool itself' "$T_DIR/said")" 2:1
run "$LASTACK" spool inspect tests/lib.sh
t_is "a file that is no spool" "$STATUS:$(grep -c 'not an SQLite database' "$T_DIR/said")" 1:1
t_done
