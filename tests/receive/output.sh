#!/bin/sh
# SPDX-License-Identifier: MIT
# output.sh - outputs that are full, gone, rotated or slow: nothing unwritten counts as received.
. tests/lib.sh
t_plan 25

peer() { "$PEER" --connect "127.0.0.1:$T_PORT" "$@" >/dev/null; }
says() { grep -qF -- "$2" "$T_DIR/$1"; }
status() { t_signal "$1" USR1 && tail -n 1 "$T_DIR/$1.json" | grep -q "$2"; } # the last line after SIGUSR1

# A full disk. The sender must learn of it: no FIN, which would be a receipt.
t_receive full --into /dev/full lines://127.0.0.1:0
t_run sender "$LASTACK" send --retry 0 --proof consumed "lines://127.0.0.1:$T_PORT" <<-END
	one
	two
END
t_join full
t_is "ENOSPC: status 1" "$T_STATUS" 1
t_ok "a sentence names the file and the reason" says full.err "cannot write to /dev/full: No space left on device"
t_ok "nothing counts as stored" grep -q \
	'"event":"report".*"ended_by":"not-stored","records":0,"stored_bytes":0,' "$T_DIR/full.json"
t_join sender
t_is "the sender does not take it for consumed: status 1" "$T_STATUS" 1

# A file that reaches its size limit in the middle of a record.
cat >"$T_DIR/limited.sh" <<-'END'
	ulimit -f 8
	exec "$@"
END
seq 1 20000 >"$T_DIR/numbers"
t_run limit sh "$T_DIR/limited.sh" "$LASTACK" receive --quiet --port-file "$T_DIR/limit.port" \
	--report "$T_DIR/limit.json" --into "$T_DIR/limited" lines://127.0.0.1:0
t_wait_for 10 test -s "$T_DIR/limit.port"
"$LASTACK" send --quiet --retry 0 --file "$T_DIR/numbers" "lines://127.0.0.1:$(cat "$T_DIR/limit.port")"
t_join limit
t_is "EFBIG: status 1" "$T_STATUS" 1
stored=$(sed -n 's/.*"event":"report".*"stored_bytes":\([0-9]*\).*/\1/p' "$T_DIR/limit.json")
t_is "what is said to be stored is what the file has" "$stored" "$(wc -c <"$T_DIR/limited")"
t_is "its whole records are the ones counted" "$(wc -l <"$T_DIR/limited")" \
	"$(sed -n 's/.*"event":"report".*"records":\([0-9]*\).*/\1/p' "$T_DIR/limit.json")"

# A reader that goes away: found before a byte is lost by it.
mkfifo "$T_DIR/gone"
exec 9<>"$T_DIR/gone" # there is a reader from here on, and not only once cat has got so far
cat <&9 9<&- >"$T_DIR/gone.got" &
cat=$!
exec 9<&-
t_receive reader --into "$T_DIR/gone" tcp://127.0.0.1:0
kill "$cat" && wait "$cat" 2>/dev/null
t_join reader
t_is "the reader of a FIFO goes away: status 1, without waiting for data" "$T_STATUS" 1
t_ok "a sentence says EPIPE" says reader.err "Broken pipe"
t_ok "a FIFO that nobody reads is refused with the reason" sh -c \
	'! "$1" receive --into "$2" tcp://127.0.0.1:0 2>"$2.err" && grep -q "nobody reads" "$2.err"' \
	_ "$LASTACK" "$T_DIR/gone"

# Standard output is a pipe that blocks: the sender is held up, memory stays bounded, nothing is lost.
mkfifo "$T_DIR/pipe"
exec 5<>"$T_DIR/pipe"
head -c 40000000 /dev/urandom >"$T_DIR/in"
cat >"$T_DIR/into-pipe.sh" <<-'END'
	pipe=$1 && shift
	exec "$@" >"$pipe"
END
# to_pipe NAME OPTION... URL
to_pipe() {
	name=$1 && shift
	t_run "$name" sh "$T_DIR/into-pipe.sh" "$T_DIR/pipe" "$LASTACK" receive \
		--port-file "$T_DIR/$name.port" --report "$T_DIR/$name.json" "$@"
	t_wait_for 10 test -s "$T_DIR/$name.port"
	T_PORT=$(cat "$T_DIR/$name.port")
}
to_pipe blocked --once tcp://127.0.0.1:0
t_run sending "$PEER" --connect "127.0.0.1:$T_PORT" "sendfile:$T_DIR/in"
# What was read and has no room in the output.
holds_back() {
	t_signal "$1" USR1
	tail -n 1 "$T_DIR/$1.json" | sed 's/.*"received_bytes":\([0-9]*\),"stored_bytes":\([0-9]*\),.*/\1 \2/' |
		awk '{ full = $1 > $2 && $2 > 0 } END { exit !full }'
}
t_ok "a pipe that nobody empties is full soon" t_wait_for 10 holds_back blocked
t_ok "the sender is held up" t_runs sending
memory_kb() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(t_pid blocked)/status"; }
# The sanitizers' shadow counts as well; the data is 40 MB.
t_ok "memory stays bounded ($(memory_kb) kB)" test "$(memory_kb)" -lt 30000
t_ok "the shared pipe has not been made non-blocking for others" sh -c \
	'grep -q "^flags:.*[0-3][0-7]\{3\}$" /proc/$1/fdinfo/1 && ! grep -q "^flags:.*[4-7][0-7]\{3\}$" /proc/$1/fdinfo/1' \
	_ "$(t_pid blocked)"
head -c 40000000 <&5 >"$T_DIR/got"
t_join blocked
t_is "once it is read everything comes: status 0" "$T_STATUS" 0
t_ok "byte for byte" cmp "$T_DIR/in" "$T_DIR/got"

# Two senders, one blocked pipe: the record that did not fit is finished before any other begins.
awk 'BEGIN { for (i = 0; i < 4000; i++) printf "a%06d%0200d\n", i, 0 }' >"$T_DIR/a"
sed 's/^a/b/' "$T_DIR/a" >"$T_DIR/b"
to_pipe both --connections 2 lines://127.0.0.1:0
t_run a "$LASTACK" send --quiet --file "$T_DIR/a" "lines://127.0.0.1:$T_PORT"
t_run b "$LASTACK" send --quiet --file "$T_DIR/b" "lines://127.0.0.1:$T_PORT"
t_wait_for 10 status both '"connections":2,'
head -n 8000 <&5 >"$T_DIR/both.got"
t_join both
t_is "two senders into a pipe that blocks: status 0" "$T_STATUS" 0
cat "$T_DIR/a" "$T_DIR/b" >"$T_DIR/both.in"
sort "$T_DIR/both.got" >"$T_DIR/both.sorted"
t_ok "no record is cut by another" cmp "$T_DIR/both.in" "$T_DIR/both.sorted"

# Asked to stop while the output takes nothing: the sender must not get a receipt.
to_pipe stuck tcp://127.0.0.1:0
t_run held "$LASTACK" send --quiet --retry 0 --proof consumed --file "$T_DIR/in" "tcp://127.0.0.1:$T_PORT"
t_wait_for 10 holds_back stuck
t_stop stuck TERM
t_is "SIGTERM with a full output: status 1 after the deadline" "$T_STATUS" 1
t_ok "the report says that it was not stored" says stuck.json '"ended_by":"stopped"'
t_join held
t_is "the sender does not take it for consumed" "$T_STATUS" 1
exec 5>&-

# Log rotation.
t_receive rotate --into "$T_DIR/log" lines://127.0.0.1:0
peer 'write:old\n'
t_wait_for 10 test -s "$T_DIR/log"
mv "$T_DIR/log" "$T_DIR/log.1"
t_signal rotate HUP
t_ok "SIGHUP opens the file anew" t_wait_for 10 test -e "$T_DIR/log"
peer 'write:new\n'
t_wait_for 10 test -s "$T_DIR/log"
t_is "what came before is in the old one" "$(cat "$T_DIR/log.1")" old
t_is "what comes later is in the new one" "$(cat "$T_DIR/log")" new
t_stop rotate TERM
t_is "a file is appended to, never truncated" "$(cat "$T_DIR/log.1" "$T_DIR/log" | tr '\n' ,)" old,new,
t_done
