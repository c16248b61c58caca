#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# elsewhere.sh - lastack close and what is not on this side: a peer that vanished without a word, other network
# namespaces, sockets that several processes hold.
. tests/close/lib_close.sh
t_plan 21

# Another host: a namespace behind a pair of devices, alive as long as its program. elsewhere NAME COMMAND...
elsewhere() {
	local name=$1
	shift
	rm -f "$T_DIR/$name.ready"
	# shellcheck disable=SC2016
	c_start "$name" unshare -n sh -c '
		until [ -e "$0" ]; do sleep 0.02; done
		ip link set lo up && exec "$@"' "$T_DIR/$name.ready" "$@"
	t_wait_for 20 in_other_namespace "$(t_pid "$name")" || exit 1
}
in_other_namespace() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
begin() { touch "$T_DIR/$1.ready"; }

# ---- a peer that vanished ------------------------------------------------------------------------------
c_own owner
elsewhere host "$STUCK" peer 10.9.0.1 "$C_PORT" 5 17 open
ip link add v0 type veth peer name v1 netns "$(t_pid host)" || t_skip_all "no veth devices here"
ip addr add 10.9.0.1/24 dev v0 && ip link set v0 up
nsenter --net="/proc/$(t_pid host)/ns/net" sh -c 'ip addr add 10.9.0.2/24 dev v1 && ip link set v1 up'
begin host
t_wait_for 60 c_said host '^connected 5' || exit 1
c_holds owner 5
# A live one beside them.
c_peers owner near 1 17 open
c_holds owner 6
ip link del v0
t_stop host KILL
established() { awk -v port="$(printf ':%04X$' "$C_PORT")" '$2 ~ port && $4 == "01" { n++ } END { exit n + 0 != '"$1"' }' /proc/net/tcp6; }
t_ok "five peers are gone without a word, and nobody knows" established 6
c_close --pid "$C_PID" --state established --how keepalive --text
t_ok "keepalive, dry run: it would" grep -q "would arm keepalive" "$C_OUT"
c_close --pid "$C_PID" --state established --how keepalive --keepalive-idle 1s --keepalive-interval 1s \
	--keepalive-probes 2 --yes --text
t_is "keepalive: status 0" "$C_STATUS" 0
t_ok "it says when the kernel will know" sh -c 'tr "\n" " " <"$1" | grep -q "finds out within 3 s"' _ "$C_OUT"
t_ok "the kernel finds them dead, and not the live one" t_wait_for 60 established 1
t_ok "their owner is told of an error, and only of theirs" t_wait_for 20 c_said owner '^woken 5 exact [0-9]* errors 5$'
t_ok "all unread bytes could be read first" c_said owner '^woken 5 exact 5 '
t_stop owner KILL
t_stop near KILL

# ---- other network namespaces --------------------------------------------------------------------------
elsewhere far "$STUCK" own
begin far
C_PID=$(t_pid far)
t_wait_for 20 c_said far '^port ' || exit 1
C_PORT=$(sed -n 's/^port //p' "$T_DIR/far.out")
c_start caller nsenter --net="/proc/$C_PID/ns/net" "$STUCK" peer ::1 "$C_PORT" 3 17
t_wait_for 20 c_said caller '^connected 3' && c_holds far 3
c_close --pid "$C_PID" --yes --text
t_ok "another namespace: not without --all-netns" grep -q '^Nothing matches' "$C_OUT"
c_close --pid "$C_PID" --all-netns --limit 1 --yes --text
t_is "--all-netns, fin: status 0" "$C_STATUS" 0
t_ok "it is ended" t_wait_for 20 c_said far '^woken 1 exact 1 errors 0'
c_close --pid "$C_PID" --all-netns --how rst --limit 1 --yes --text
t_is "--all-netns, rst: status 0" "$C_STATUS" 0
t_ok "it is ended" t_wait_for 20 c_said far '^woken 2 exact 2 errors 0'
left() { nsenter --net="/proc/$C_PID/ns/net" awk '$4 == "08" { n++ } END { print n + 0 }' /proc/net/tcp6; }
t_is "one is left" "$(left)" 1
c_close --pid "$C_PID" --all-netns --json
t_ok "JSON tells the namespace" grep -q "\"namespace_inode\":$(readlink "/proc/$C_PID/ns/net" | tr -dc 0-9)," "$C_OUT"
t_ok "a dry run: one would be" grep -q '"dry_run":true,"selected":1,.*"outcomes":{"would":1,' "$C_OUT"
t_stop far KILL
t_stop caller KILL

# ---- two holders ---------------------------------------------------------------------------------------
# Two programs that inherited a connection, and the one at its other end has died.
c_own parent
exec {shared}<>"/dev/tcp/127.0.0.1/$C_PORT"
inode=$(stat -Lc %i "/proc/$$/fd/$shared")
sleep 1000 &
sleep 1000 &
children=$(jobs -p | tail -n 2)
exec {shared}>&-
local_port=$(awk -v inode="$inode" '$10 == inode { print $2 }' /proc/net/tcp)
local_port=$((16#${local_port##*:}))
t_signal parent KILL
t_join parent
t_wait_for 20 sh -c "awk '\$4 == \"08\"' /proc/net/tcp | grep -q ."
first=${children%%
*}
c_close --local-port "$local_port" --text
t_ok "held by two processes: one row" test "$(grep -c 'CLOSE_WAIT' "$C_OUT")" -eq 1
c_close --pid "$first" --local-port "$local_port" --json
t_ok "--pid chooses which of them is named" grep -q "\"owner_pid\":$first," "$C_OUT"
c_close --local-port "$local_port" --yes --text
t_is "fin ends it for both: status 0" "$C_STATUS" 0
t_ok "and leaves a descriptor in each" grep -q "Not freed: 2 descriptors" "$C_OUT"
t_ok "it is gone" c_none 08
still() { for pid in $children; do [ "$(find "/proc/$pid/fd" -lname "socket:\[$inode\]" | wc -l)" -eq 1 ] || return 1; done; }
t_ok "the descriptors are there" still
# shellcheck disable=SC2086
kill $children
t_done
