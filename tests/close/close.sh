#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# close.sh - lastack close on connections that really do not end: what it says, does, and refuses.
. tests/close/lib_close.sh
t_plan 61

# ---- 10,000 connections of one process, by FIN ------------------------------------------------------
many=10000
limit=$(ulimit -Hn)
[ "$limit" = unlimited ] || [ "$limit" -ge 10100 ] || many=$((limit - 100))
echo 0 >/proc/sys/net/ipv4/tcp_max_tw_buckets # the peers' TIME_WAIT would only hide what is left
c_own owner
c_peers owner peers "$many" 17
c_holds owner "$many"
t_is "$many connections are in CLOSE_WAIT" "$(c_count 08)" "$many"
sockets=$(c_fds "$C_PID")

c_table >"$T_DIR/before"
c_close --state close-wait --pid "$C_PID" --text
t_is "a dry run: status 0" "$C_STATUS" 0
t_ok "it says so" grep -q "nothing has been changed" "$C_OUT"
t_ok "and how many there are" grep -qE "^stuck\[$C_PID\] +CLOSE_WAIT +$many .*would send FIN" "$C_OUT"
t_ok "and the line that does it" grep -q "lastack close --state close-wait --pid $C_PID --text --yes" "$C_OUT"
c_table >"$T_DIR/after"
t_ok "nothing has changed" cmp "$T_DIR/before" "$T_DIR/after"

begin=$EPOCHREALTIME
c_close --state close-wait --pid "$C_PID" --json --yes
end=$EPOCHREALTIME
t_note "$many connections ended in $(awk "BEGIN { print $end - $begin }") s"
t_is "--yes: status 0" "$C_STATUS" 0
t_ok "$many are mended" grep -q "\"selected\":$many,.*\"outcomes\":{\"mended\":$many,\"gone\":0,\"changed\":0" "$C_OUT"
t_ok "the descriptors are told not to be freed" grep -q "\"not_freed\":{\"descriptors\":$many," "$C_OUT"
t_ok "the owner's epoll has woken for each; unread bytes are there, byte for byte" \
	t_wait_for 60 c_said owner "^woken $many exact $many errors 0\$"
t_note "$(tail -n 1 "$T_DIR/owner.out")"
t_ok "the owner is alive" t_runs owner
t_ok "nothing is in CLOSE_WAIT any more" c_none 08
t_ok "nor in LAST_ACK" t_wait_for 20 c_none 09
t_ok "nor in FIN_WAIT2 at the peers" t_wait_for 20 c_none 05
t_is "the descriptors are open" "$(c_fds "$C_PID")" "$sockets"
c_tell owner close
t_ok "until the owner closes them" t_wait_for 20 c_said owner '^closed'
c_close --pid "$C_PID" --text
t_is "nothing matches any more: status 0" "$C_STATUS" 0
t_ok "and it says so, and what" grep -q "^Nothing matches --pid $C_PID\." "$C_OUT"
t_stop owner KILL
t_stop peers KILL

# ---- never accepted -----------------------------------------------------------------------------------
c_own lazy backlog
c_peers lazy callers 3 17
in_close_wait() { [ "$(c_count 08)" -eq "$1" ]; }
t_wait_for 20 in_close_wait 3
c_close --local-port "$C_PORT" --yes --text
t_is "fin, never accepted: status 1" "$C_STATUS" 1
t_ok "it names the process that does not accept" grep -qE "^stuck\[$C_PID\], not accepted +CLOSE_WAIT +3 .*no process has a descriptor" "$C_OUT"
t_ok "and what can end them" grep -q "^3 cannot be ended by fin, all only by --how rst" "$C_OUT"
c_close --local-port "$C_PORT" --how=fin --text
t_ok "a dry run says which line would" grep -qx "  lastack close --local-port $C_PORT --text --how rst" "$C_OUT"
t_is "they are still there" "$(c_count 08)" 3
c_close --pid "$C_PID" --how rst --limit 17 --text
t_ok "rst, dry run: it would" grep -q "would send RST" "$C_OUT"
t_is "and does nothing" "$(c_count 08)" 3
# The doctor waits a few seconds before it calls them stuck.
found() { c_close --verdict "$1" --pid "$C_PID" --how rst && [ "$(grep -c '^would' "$C_OUT")" -eq "$2" ]; }
t_ok "--verdict chooses what the doctor finds" t_wait_for 30 found never-accepted 3
t_ok "and nothing else" found eof-ignored,owner-stuck 0
c_close --verdict never-accepted --pid "$C_PID" --how rst --yes --text
t_is "rst: status 0" "$C_STATUS" 0
t_ok "what is freed is said" grep -q "Freed: 3 port pairs" "$C_OUT"
t_ok "they are gone" c_none 08
t_ok "the places in the backlog are told not to be freed" grep -q "Not freed: 3 places in the backlog" "$C_OUT"
t_is "and are not" "$(c_waiting)" 3
c_tell lazy accept
t_ok "until accept(), which still gives the data" t_wait_for 20 c_said lazy '^accepted, recv 17, then 0'
t_stop lazy KILL
t_stop callers KILL

# ---- what is healthy ----------------------------------------------------------------------------------
c_own busy
c_peers busy talkers 4 17 open
c_holds busy 4
c_close --pid "$C_PID" --yes --text
t_is "ESTABLISHED and LISTEN without --state: status 0" "$C_STATUS" 0
t_ok "nothing matches" grep -q "^Nothing matches" "$C_OUT"
c_close --pid "$C_PID" --state connected --yes --text
t_is "nor does a group of states name them" "$(c_count 01)" 8
c_close --pid "$C_PID" --state established --limit 1 --yes --text
t_is "--state established --limit 1: status 0" "$C_STATUS" 0
t_ok "the others are told to be left" grep -q "^3 more match and are left (--limit 1)" "$C_OUT"
t_ok "one owner's end is shut down" t_wait_for 20 c_said busy '^woken 1 '
t_is "three connections are whole" "$(c_count 01)" 6
c_close --pid "$C_PID" --state established --min-age 1h --yes --text
t_is "--min-age leaves the young alone" "$(c_count 01)" 6
exec {ours}<>"/dev/tcp/127.0.0.1/$C_PORT"
our_port=$(awk -v inode="$(stat -Lc %i "/proc/$$/fd/$ours")" '$10 == inode { print $2 }' /proc/net/tcp)
our_port=$((16#${our_port##*:}))
c_close --local-port "$our_port" --state established --yes --text
t_ok "our own connection is never ended" grep -q "Nothing matches but what this very program holds" "$C_OUT"
"$LASTACK" close --local-port "$our_port" --state established --text {ours}>&- >"$C_OUT" 2>"$C_ERR"
t_ok "it warns of what started it: this shell" grep -q "^Careful: 1 of them belongs to .*\[$$\], which started" "$C_OUT"
c_close --pid "$C_PID" --state established
t_ok "in a pipe: one line per connection" test "$(grep -c '^would' "$C_OUT")" -eq 4
t_ok "with a header" grep -q '^outcome	result	owner-pid	owner-comm	owner-fd	state	local	remote' "$C_OUT"
c_close --pid "$C_PID" --state listen --how fin --yes --text
t_ok "--state listen: stops listening" sh -c '! awk '"'"'$4 == "0A"'"'"' /proc/net/tcp6 | grep .'
exec {ours}>&-

# ---- not permitted ------------------------------------------------------------------------------------
if setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null; then
	nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$LASTACK" close "$@" >"$C_OUT" 2>"$C_ERR"; }
	cp "$LASTACK" "$T_DIR/lastack" && chmod 755 "$T_DIR" "$T_DIR/lastack"
	LASTACK=$T_DIR/lastack
	nobody --state established --local-port "$C_PORT" --yes --text
	t_is "fin without privilege: status 77" $? 77
	t_ok "and the reason" grep -q "denied" "$C_OUT"
	nobody --state established --local-port "$C_PORT" --how rst --yes --text
	t_is "rst without privilege: status 77" $? 77
	t_is "nothing was touched" "$(c_count 01)" 6
else
	for sentence in "fin without privilege: status 77" "and the reason" "rst without privilege: status 77" "nothing was touched"; do
		t_skip "$sentence" "setpriv is not here"
	done
fi
t_stop busy KILL
t_stop talkers KILL

# ---- refusals -----------------------------------------------------------------------------------------
refused() { # SENTENCE PATTERN ARGUMENT...
	local sentence=$1 pattern=$2
	shift 2
	c_close "$@"
	if [ "$C_STATUS" -eq 2 ] && grep -qe "$pattern" "$C_ERR" && [ ! -s "$C_OUT" ]; then
		t_result 0 "$sentence"
	else
		t_result 1 "$sentence"
		t_note "status $C_STATUS: $(cat "$C_ERR")"
	fi
}
refused "no filter" "--state.*--verdict, --pid, --command" --yes
refused "only a group of states" "no group" --state all --yes
refused "an unknown state" "close-wait" --state closewiat
refused "an unknown verdict" "lastack doctor --list-verdicts .*did you mean 'eof-ignored'?" --verdict eof-ignord
refused "an unknown grade" "keepalive" --state close-wait --how gently
refused "--yes with --dry-run" "exclude each other" --state close-wait --yes --dry-run
refused "--json with --text" "exclude each other" --state close-wait --json --text
refused "--keepalive-idle without its grade" "need --how keepalive" --state close-wait --keepalive-idle 5s
refused "--keepalive-idle 100ms" "1s to 32767s" --state close-wait --how keepalive --keepalive-idle 100ms
refused "--limit 0" "limit" --state close-wait --limit 0
refused "an operand" "close" --state close-wait 4711
t_done
