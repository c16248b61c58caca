#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# reject.sh - whoever logs in with a wrong password is told so: while it keeps sending, when the packets that
# tell it are lost three times, and when it stops reading at its first send error. Twenty trials each.
# bench/reject.sh prints the same table with other servers beside ours.
if [ "${T_INSIDE:-}" != yes ]; then
	. tests/lib.sh
	unshare -n true 2>/dev/null || t_skip_all "no network namespaces: needs root"
	unshare -n sh -c '. tests/reject/lib_reject.sh; x_begin' || t_skip_all "nftables cannot drop packets here"
	t_cleanup
	exec env T_INSIDE=yes unshare -n bash "$0"
fi
. tests/lib.sh
# shellcheck source=tests/reject/lib_reject.sh
. tests/reject/lib_reject.sh
ip link set lo up
x_begin

TRIALS=20
t_plan 8
echo right | "$LASTACK" passwd lastack >"$T_DIR/users"
t_receive server --users "$T_DIR/users" --into "$T_DIR/records.db" stomp://127.0.0.1:0
for column in $X_COLUMNS; do
	t_run "$column" x_column "$column" stomp "127.0.0.1:$T_PORT" $TRIALS
done
for column in $X_COLUMNS; do
	t_join "$column" 300
	t_is "a wrong password, a client that $(x_title "$column"): $TRIALS of $TRIALS are told" \
		"$(cut -f1 "$T_DIR/$column.out")" $TRIALS
done

# The same text for a name that nobody has.
printf 'CONNECT\naccept-version:1.2\nhost:/\nlogin:lastack\npasscode:wrong\n\n\0' >"$T_DIR/known"
printf 'CONNECT\naccept-version:1.2\nhost:/\nlogin:nobody\npasscode:wrong\n\n\0' >"$T_DIR/unknown"
for who in known unknown; do
	"$PEER" --connect "127.0.0.1:$T_PORT" --out "$T_DIR/$who.answer" "sendfile:$T_DIR/$who" read:eof >/dev/null
done
t_ok "the answer is an ERROR frame with a message" grep -aq '^message:.' "$T_DIR/known.answer"
t_ok "an unknown name gets the same answer, byte by byte" cmp "$T_DIR/known.answer" "$T_DIR/unknown.answer"

t_stop server TERM
refused=$((4 * TRIALS + 2))
t_is "the report has each of the $refused rejections" \
	"$(grep -c '"end":"login-rejected"' "$T_DIR/server.json")" "$refused"
t_is "and says of each that the text was acknowledged" \
	"$(grep '"end":"login-rejected"' "$T_DIR/server.json" | grep -c '"words":"\(acked\|consumed\)"')" "$refused"
t_done
