#!/bin/bash
# SPDX-License-Identifier: MIT
#
# library.sh - examples/records.c, a user of the library, against lastack receive: with a server, without one,
# with one again.
. tests/send/lib_send.sh
RECORDS=$BUILD/examples/records
[ -x "$RECORDS" ] || t_skip_all "the examples are not built: make examples"
t_plan 9

# records URL RECORD...: STATUS, T_DIR/got.
records() {
	timeout -k 1 60 "$RECORDS" "$1" "$T_DIR/out.db" "${@:2}" >"$T_DIR/got" 2>&1
	STATUS=$?
}
t_receive server --into "$T_DIR/into/" stomp://127.0.0.1:0
url=stomp://127.0.0.1:$T_PORT/q
records "$url" "first record" "second record"
t_is "two records: status 0" "$STATUS" 0
t_is "they are stored" "$(cat "$T_DIR/into/%2Fq.log")" "first record
second record"
t_ok "and confirmed" grep -q '^confirmed 2 of 2' "$T_DIR/got"
t_stop server TERM

# Killed while it waits for a server that does not come; what it called safe is safe.
t_run alone "$RECORDS" "$url" "$T_DIR/out.db" third
kept() { "$LASTACK" spool inspect --json "$T_DIR/out.db" | grep -q '"records":1,'; }
t_ok "without a server: in the spool" t_wait_for 10 kept
t_signal alone KILL
t_join alone
t_receive other --into "$T_DIR/into/" "stomp://127.0.0.1:$T_PORT"
records "$url" fourth
t_is "the next run: status 0" "$STATUS" 0
t_is "it brings what the killed one left, first" "$(tail -n 2 "$T_DIR/into/%2Fq.log")" "third
fourth"
t_ok "both are confirmed" grep -q '^confirmed 2 of 2' "$T_DIR/got"
t_stop other TERM

records tcp://127.0.0.1:1 x
t_is "tcp:// has no records: status 2" "$STATUS" 2
t_ok "and the reason is said" grep -q "a spool needs receipts" "$T_DIR/got"
t_done
