#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 5,000 logged-in senders with heart-beats on one receiver, while others drip bytes, send headers without end
# and try wrong passwords (CROWD_FAILURES, 5,000; a million in make test-all): none of the 5,000 is dropped.
. tests/lib.sh
senders=${CROWD_SENDERS:-5000}
seconds=${CROWD_SECONDS:-10}
failures=${CROWD_FAILURES:-5000}
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -gt $((senders + 500)) ] ||
	t_skip_all "at most $(ulimit -Hn) open files are allowed here"
ulimit -n "$((senders + 500))" 2>/dev/null || t_skip_all "the limit of open files cannot be raised"

rss() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(t_pid server)/status"; }
value() { tr ' ' '\n' <"$T_DIR/crowd.out" | grep -x -A1 "$1" | tail -n 1; }
inside() {
	t_receive server --users "$T_DIR/users" --into "$T_DIR/store.db" --max-connections "$((senders + 400))" \
		--handshake-timeout 5s stomp://127.0.0.1:0
	before=$(rss)
	t_run crowd "$BUILD/tests/tools/crowd" "$T_PORT" "$senders" "$seconds" ann secret "$failures"
	t_wait_for 120 grep -q 'logged in' "$T_DIR/crowd.err"
	t_note "$(cat "$T_DIR/crowd.err")"
	after=$(rss)
	t_join crowd 900
	t_is "the crowd came to its end" "$T_STATUS" 0
	t_note "$(cat "$T_DIR/crowd.out")"
	t_note "memory: $before kB before, $after kB with $senders senders: $(((after - before) * 1024 / senders)) bytes each"
	t_is "all were logged in at once" "$(value logged_in)" "$senders"
	t_is "none was dropped" "$(value dropped)" 0
	[ "$(value receipts)" -ge "$((senders * (seconds - 2)))" ]
	t_result $? "each went on sending about a record a second, and had its receipts"
	t_is "every failed login was told why" "$(value told)" "$failures"
	[ "$(value slow_closed)" -gt 0 ] && [ "$(value endless_closed)" -gt 0 ]
	t_result $? "those who drip bytes and those without end are shown the door"
	[ "$(((after - before) * 1024 / senders))" -lt 32768 ]
	t_result $? "a sender costs less than 32 KiB"
	t_stop server TERM 30
	t_is "the server ends well" "$T_STATUS" 0
}

t_plan 8
echo secret | "$LASTACK" passwd ann >"$T_DIR/users"
inside
t_done
