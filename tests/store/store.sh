#!/bin/bash
# SPDX-License-Identifier: MIT
# store.sh: where received records go: an SQLite file, a directory, standard output; each record once, also
# when it is sent again, after kill -9, and when the disk was full meanwhile.
set -u
cd "$(dirname "$0")/../.." || exit
# A mount of our own for the small disk, and a network that nobody else is on, where that is possible.
if [ -z "${STORE_APART:-}" ] && unshare -mn true 2>/dev/null; then
	STORE_APART=1 exec unshare -mn --propagation private "$0"
fi
. tests/lib.sh
[ -z "${STORE_APART:-}" ] || ip link set lo up
t_plan 24

# frames SENDER DESTINATION FROM TO: what a client says that sends records "record N" with the ids SENDER-N,
# which lastack send would use once only.
frames() {
	awk -v sender="$1" -v destination="/$2" -v from="$3" -v to="$4" 'BEGIN {
		printf "CONNECT\naccept-version:1.2\nhost:/\n\n%c", 0
		for (n = from; n <= to; n++)
			printf "SEND\ndestination:%s\nrecord-id:%s-%d\n\nrecord %d%c", destination, sender, n, n, 0
		printf "DISCONNECT\nreceipt:bye\n\n%c", 0
	}'
}
# send, as frames: and all of them are confirmed.
send() {
	local status
	exec 7<>"/dev/tcp/127.0.0.1/$T_PORT" || return
	frames "$@" >&7
	timeout 60 grep -qam 1 '^receipt-id:bye' <&7
	status=$?
	exec 7>&-
	return $status
}
receive() { t_receive server "$@" stomp://127.0.0.1:0; }
query() { sqlite3 "$T_DIR/s.db" "$1"; }

# ---- SQLite ----
receive --into "$T_DIR/s.db"
t_ok "1,000 records are sent" send alpha queue/orders 1 1000
t_ok "they are sent once more" send alpha queue/orders 1 1000
t_ok "another sender's are others" send beta queue/bills 1 10
if command -v sqlite3 >/dev/null; then
	t_is "a person sees each once, while the server runs" \
		"$(query 'SELECT sender, count(*), min(seq), max(seq) FROM records GROUP BY sender')" \
		"$(printf 'alpha|1000|1|1000\nbeta|10|1|10')"
	t_is "the row has what was sent" \
		"$(query "SELECT sender, seq, destination, body FROM records WHERE sender = 'alpha' AND seq = 77")" \
		"alpha|77|/queue/orders|record 77"
	t_is "the time is one that a person reads" \
		"$(query "SELECT count(*) FROM records WHERE abs(julianday(received_at) - julianday('now')) < 1")" 1010
else
	for sentence in "each once" "the row" "the time"; do t_skip "$sentence" "no sqlite3 here"; done
fi
t_run second "$LASTACK" receive --into "$T_DIR/s.db" stomp://127.0.0.1:0
t_join second
t_is "a second server on the same file is refused" "$T_STATUS $(grep -c 'process [0-9]* stores there' "$T_DIR/second.err")" "1 1"
t_stop server KILL
receive --into "$T_DIR/s.db"
t_ok "after kill -9 the server starts again and takes more" send alpha queue/orders 1 1500
t_stop server
if command -v sqlite3 >/dev/null; then
	t_is "nothing is lost or doubled" "$(query 'SELECT count(*), count(DISTINCT body) FROM records')" "1510|1500"
else
	t_skip "nothing is lost or doubled" "no sqlite3 here"
fi

# ---- rotation ----
receive --into "$T_DIR/r.db"
t_ok "records go to a file" send alpha queue/orders 1 10
mv "$T_DIR/r.db" "$T_DIR/old.db" && t_signal server HUP
t_ok "which is moved away: SIGHUP begins a new one" t_wait_for 30 grep -q 'r.db was moved away' "$T_DIR/server.err"
t_ok "and more are confirmed" send alpha queue/orders 11 15
t_stop server KILL
if command -v sqlite3 >/dev/null; then
	t_is "after kill -9 each of them is in one of the two" \
		"$(for file in old r; do sqlite3 "$T_DIR/$file.db" 'SELECT min(seq), max(seq), count(*) FROM records'; done)" \
		"$(printf '1|10|10\n11|15|5')"
else
	t_skip "after kill -9 each of them is in one of the two" "no sqlite3 here"
fi

# ---- a directory ----
receive --into "$T_DIR/d/" --rotate 4k
t_ok "records go to a directory" send alpha queue/orders 1 500
t_ok "and again" send alpha queue/orders 1 600
t_ok "a destination with dots" send beta ../../etc/passwd 601 601
t_stop server KILL
printf 'half a rec' >>"$T_DIR/d/%2Fqueue%2Forders.log"
receive --into "$T_DIR/d"
t_ok "and after kill -9" send alpha queue/orders 1 700
t_stop server
cat "$T_DIR"/d/%2Fqueue%2Forders.log* | sort -k2n >"$T_DIR/got"
seq -f 'record %.0f' 1 700 >"$T_DIR/wanted"
t_ok "each record is in one of its files, once, whole" cmp "$T_DIR/got" "$T_DIR/wanted"
t_ok "they have rotated" test -s "$T_DIR/d/%2Fqueue%2Forders.log.000001"

# ---- standard output ----
receive --into -
t_ok "records go to standard output" send alpha queue/orders 1 300
t_stop server
seq -f 'record %.0f' 1 300 >"$T_DIR/wanted"
t_ok "all of them, in their order" cmp "$T_DIR/server.out" "$T_DIR/wanted"

# ---- a full disk ----
mkdir "$T_DIR/small"
if [ -n "${STORE_APART:-}" ] && mount -t tmpfs -o size=2m lastack "$T_DIR/small" 2>/dev/null; then
	receive --into "$T_DIR/small/s.db"
	seq -f 'record %.0f' 1 50000 >"$T_DIR/input"
	t_run sender "$LASTACK" send "stomp://127.0.0.1:$T_PORT/queue/orders" <"$T_DIR/input"
	t_ok "a full disk is told" t_wait_for 20 grep -q 'no room on the disk' "$T_DIR/server.err"
	mount -o remount,size=64m "$T_DIR/small"
	t_join sender 60
	sent=$T_STATUS
	t_stop server
	cp "$T_DIR/small/s.db" "$T_DIR/s.db"
	t_is "with room again it goes on, and the sender ends well" "$sent" 0
	if command -v sqlite3 >/dev/null; then
		t_is "all is stored" "$(query 'SELECT count(*), count(DISTINCT body) FROM records')" "50000|50000"
	else
		t_skip "all is stored" "no sqlite3 here"
	fi
	umount "$T_DIR/small"
else
	t_skip "a full disk is told" "no mount namespace here"
	t_skip "with room again it goes on" "no mount namespace here"
	t_skip "all is stored" "no mount namespace here"
fi
t_done
