#!/bin/bash
# SPDX-License-Identifier: MIT
#
# spool.sh - lastack send --spool: what a crash, a stop, a full quota and a full disk leave, and what becomes of it.
. tests/send/lib_send.sh
t_plan 56

tab=$(printf '\t')
numbers() { seq -f 'line %04g' "$1" "$2"; } # numbers FROM TO
inspect() { "$LASTACK" spool inspect --json "$1" | grep -o "\"$2\":[0-9]*" | head -n 1 | cut -d: -f2; }
holds() { [ "$(inspect "$1" records)" = "$2" ]; }
# ids NAME CONNECTION: of the records that a broker got.
ids() { sed -n "s/^$2${tab}SEND.*record-id:\([^${tab}]*\)${tab}.*/\1/p" "$T_DIR/$1.out"; }
bodies() { sed -n "s/^$2${tab}SEND.*${tab}=//p" "$T_DIR/$1.out"; }
NOBODY=stomp://127.0.0.1:1/q # in a network of our own nothing listens there

# ---- kill -9
broker silent --receipts never
A=$T_DIR/a.db
piped crash "$LASTACK" send --spool "$A" "stomp://127.0.0.1:$T_PORT/q"
numbers 1 200 >&8
t_ok "what is not confirmed is in the spool" t_wait_for 10 holds "$A" 200
t_wait_for 10 got silent '=line 0200'
t_signal crash KILL
t_join crash
exec 8>&-
broker next
send --spool "$A" "stomp://127.0.0.1:$T_PORT/q" < <(numbers 201 210)
t_is "after kill -9 another run: status 0" "$STATUS" 0
t_is "it sends the rest first, then its own" "$(bodies next 1)" "$(numbers 1 210)"
t_is "with the same ids" "$(ids next 1 | head -n 200)" "$(ids silent 1)"
t_is "the totals: what was recovered, and all of it" "$(total recovered_records) $(total accepted_records) $(total delivered_records)" "200 210 210"
t_ok "bytes add up" adds_up
t_is "then the spool is empty" "$(inspect "$A" records)" 0
send --spool "$A" "stomp://127.0.0.1:$T_PORT/q" < <(numbers 211 215)
t_is "the next run: only its own" "$(bodies next 2)" "$(numbers 211 215)"
t_is "under new ids" "$(ids next 2 | grep -cxFf <(ids next 1))" 0
t_is "of the same sender" "$(ids next 2 | sed 's/-[0-9]*$//' | sort -u)" "$(ids next 1 | sed 's/-[0-9]*$//' | sort -u)"

# ---- what is confirmed leaves the file, though nothing more is put
broker prompt
Q=$T_DIR/quiet.db
settled() { [ "$(inspect "$Q" accepted_seq) $(inspect "$Q" confirmed_seq) $(inspect "$Q" records)" = "20 20 0" ]; }
piped quiet "$LASTACK" send --spool "$Q" "stomp://127.0.0.1:$T_PORT/q"
numbers 1 20 >&8
t_ok "with a silent input the spool forgets what is confirmed" t_wait_for 15 settled
exec 8>&-
t_join quiet
t_is "and the sender ends well" "$T_STATUS" 0

# ---- SIGTERM while no server is there
B=$T_DIR/b.db
piped down "$LASTACK" send --spool "$B" --report "$T_DIR/down.json" --drain-timeout 200ms "$NOBODY"
numbers 1 50 >&8
t_wait_for 10 holds "$B" 50
t_stop down TERM
exec 8>&-
t_is "SIGTERM while no server is there: status 1" "$T_STATUS" 1
t_ok "it says that the records are kept, and where" grep -qF "50 records wait in $B" "$T_DIR/down.err"
t_is "and they are" "$(inspect "$B" records)" 50
t_is "the totals: they wait, nothing is abandoned" "$(total waiting_bytes "$T_DIR/down.json") $(total abandoned_records "$T_DIR/down.json")" "450 0"
t_ok "bytes add up" adds_up "$T_DIR/down.json"

# ---- one at a time
broker one
piped first "$LASTACK" send --spool "$B" "stomp://127.0.0.1:$T_PORT/q"
t_wait_for 10 got one '=line 0050'
t_ok "a second sender is refused, and told why" sh -c '"$1" send --spool "$2" "$3" </dev/null 2>&1 | grep -q "is sending from this spool"' _ \
	"$LASTACK" "$B" "$NOBODY"
"$LASTACK" send --spool "$B" "$NOBODY" </dev/null 2>/dev/null
t_is "with status 1: nothing is wrong with what it was told" $? 1
exec 8>&-
t_join first
t_is "the first one is not disturbed: status 0" "$T_STATUS" 0
t_ok "another sender's id" refused "is that of sender '" --spool "$B" --sender-id other "$NOBODY"

# ---- damage
send --spool "$T_DIR/damaged.db" --drain-timeout 0 --give-up-after 100ms "$NOBODY" < <(numbers 1 100)
printf 'this is no database header' | dd of="$T_DIR/damaged.db" conv=notrunc 2>/dev/null
"$LASTACK" send --spool "$T_DIR/damaged.db" "$NOBODY" </dev/null >"$T_DIR/said" 2>&1
t_is "a damaged spool: status 1" $? 1
t_ok "it is said that it is damaged, and what helps" said "lastack spool export"
echo "a text" >"$T_DIR/text"
t_ok "a file that never was one" sh -c '! "$1" send --spool "$2" "$3" </dev/null' _ "$LASTACK" "$T_DIR/text" "$NOBODY"
t_is "is left as it is" "$(cat "$T_DIR/text")" "a text"
t_ok "no such directory" sh -c '"$1" send --spool "$2" "$3" </dev/null 2>&1 | grep -q "No such file or directory"' _ \
	"$LASTACK" "$T_DIR/none/x.db" "$NOBODY"

# ---- the quota: 500 records of 1,000 bytes, room for 100,000
x=$(head -c 991 /dev/zero | tr '\0' x)
seq -f "%08g $x" 500 | cut -c 1-1000 >"$T_DIR/large"
# fill NAME POLICY: a sender without a server, until its input is read or it waits.
fill() {
	piped "$1" "$LASTACK" send --spool "$T_DIR/$1.db" --spool-quota 100k --on-full "$2" --buffer 1100k \
		--drain-timeout 0 --report "$T_DIR/$1.json" --file "$T_DIR/large" --file - "$NOBODY"
}
read_through() { [ -s "$T_DIR/$1.json" ] && t_signal "$1" USR1 && [ "$(grep '"event":"status"' "$T_DIR/$1.json" | tail -n 1 |
	grep -o '"accepted_records":[0-9]*' | cut -d: -f2)" = "$2" ]; }
# rest NAME: what a later run delivers; first and last line of it, and how many.
rest() {
	broker "rest_$1"
	send --spool "$T_DIR/$1.db" "stomp://127.0.0.1:$T_PORT/q" </dev/null
	bodies "rest_$1" 1 | cut -c 1-8 >"$T_DIR/rest"
}
within_quota() { [ "$(inspect "$T_DIR/$1.db" bytes)" -le 102400 ] && [ "$(inspect "$T_DIR/$1.db" records)" -ge 60 ]; }
seq -f '%08g' 500 >"$T_DIR/names"

fill block block
t_ok "--on-full block: as much as the quota holds" t_wait_for 10 within_quota block
t_signal block TERM
t_join block
exec 8>&-
t_is "nothing is dropped" "$(total dropped_records "$T_DIR/block.json")" 0
t_is "and no more accepted than kept" "$(total accepted_records "$T_DIR/block.json")" "$(inspect "$T_DIR/block.db" records)"
rest block
t_ok "the next run delivers the first ones" cmp "$T_DIR/rest" <(head -n "$(total accepted_records "$T_DIR/block.json")" "$T_DIR/names")

fill new drop-new
t_ok "--on-full drop-new: the input is read to its end" t_wait_for 10 read_through new 500
t_stop new TERM
exec 8>&-
t_is "status 1: records were dropped" "$T_STATUS" 1
t_is "each is counted" "$(($(total dropped_records "$T_DIR/new.json") + $(inspect "$T_DIR/new.db" records)))" 500
t_ok "bytes add up" adds_up "$T_DIR/new.json"
t_ok "within the quota" within_quota new
rest new
t_ok "the oldest are kept" cmp "$T_DIR/rest" <(head -n "$(wc -l <"$T_DIR/rest")" "$T_DIR/names")
t_is "the next run drops nothing: status 0" "$STATUS $(total dropped_records)" "0 0"

fill oldest drop-oldest
t_ok "--on-full drop-oldest: the input is read to its end" t_wait_for 10 read_through oldest 500
t_stop oldest TERM
exec 8>&-
t_is "status 1: records were dropped" "$T_STATUS" 1
t_is "each is counted" "$(($(total dropped_records "$T_DIR/oldest.json") + $(inspect "$T_DIR/oldest.db" records)))" 500
t_ok "bytes add up" adds_up "$T_DIR/oldest.json"
t_ok "within the quota" within_quota oldest
rest oldest
t_is "the newest is kept" "$(tail -n 1 "$T_DIR/rest")" 00000500
t_ok "and all come in order, once" sort -cu "$T_DIR/rest"
t_ok "a record over the quota ends the input" sh -c '"$1" send --spool "$2" --spool-quota 500 --file "$3" "$4" 2>&1 | grep -q "longer than"' _ \
	"$LASTACK" "$T_DIR/tiny.db" "$T_DIR/large" "$NOBODY"

# ---- a full disk
mkdir "$T_DIR/small"
if [ "$T_INSIDE" = yes ] && mount -t tmpfs -o size=1m tmpfs "$T_DIR/small" 2>/dev/null; then
	head -c 300000 /dev/zero >"$T_DIR/small/ballast"
	broker disk --receipts never --faults 1
	seq -f "%08g $x" 2000 | cut -c 1-1000 >"$T_DIR/larger"
	t_run full "$LASTACK" send --spool "$T_DIR/small/s.db" --report "$T_DIR/full.json" --receipt-timeout 3s \
		--backoff 1ms..10ms --file "$T_DIR/larger" "stomp://127.0.0.1:$T_PORT/q"
	no_room() { grep -q "no room" "$T_DIR/full.err"; }
	t_ok "a full disk is said" t_wait_for 20 no_room
	t_ok "the sender goes on" t_runs full
	t_join full 60
	t_is "confirmed records make room: all are delivered, status 0" "$T_STATUS $(total delivered_records "$T_DIR/full.json")" "0 2000"
	t_ok "in order" cmp <(bodies disk 2 | cut -c 1-8) <(seq -f '%08g' 2000)
	umount "$T_DIR/small"
else
	for sentence in "a full disk is said" "the sender goes on" "confirmed records make room" "in order"; do
		t_skip "$sentence" "no tmpfs of our own: needs root"
	done
fi

# ---- a followed file, through crashes and rotations
L=$T_DIR/log
t_receive server --into "$T_DIR/into/" stomp://127.0.0.1:0
follow() {
	t_run "$1" "$LASTACK" send --follow "$L" --spool "$T_DIR/follow.db" --backoff 1ms..10ms "stomp://127.0.0.1:$T_PORT/q"
}
arrived() { [ "$(tail -n 1 "$T_DIR/into/%2Fq.log")" = "$(numbers "$1" "$1")" ]; }
numbers 1 1000 >"$L"
follow one_run
t_ok "a followed file arrives" t_wait_for 10 arrived 1000
t_signal one_run KILL
t_join one_run
numbers 1001 1100 >>"$L"
mv "$L" "$L.1"
numbers 1101 1200 >"$L"
follow second_run
t_ok "kill -9, more lines, a rotation: the next run goes on" t_wait_for 15 arrived 1200
t_is "and says where" "$(grep -c 'going on with' "$T_DIR/second_run.err")" 1
t_stop server KILL
numbers 1201 1300 >>"$L"
t_wait_for 10 holds "$T_DIR/follow.db" 100
t_signal second_run KILL
t_join second_run
mv "$L" "$L.2"
numbers 1301 1400 >"$L"
t_receive again --into "$T_DIR/into/" "stomp://127.0.0.1:$T_PORT"
follow third_run
t_ok "with the server down meanwhile, too" t_wait_for 15 arrived 1400
for round in 1 2 3 4 5 6; do # at any moment
	numbers $((1301 + round * 100)) $((1400 + round * 100)) >>"$L"
	t_signal third_run KILL
	t_join third_run
	follow third_run
done
t_ok "and at any moment" t_wait_for 15 arrived 2000
t_stop third_run TERM
t_is "SIGTERM with everything delivered: status 0" "$T_STATUS" 0
t_ok "every line has arrived once, in order" cmp <(numbers 1 2000) "$T_DIR/into/%2Fq.log"
t_stop again TERM
t_done
