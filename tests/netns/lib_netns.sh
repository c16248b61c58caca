# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# lib_netns.sh - one death at a time, on the real kernel, in network namespaces that are thrown away.
#
#   n_pair:   client 10.7.0.1, fd07::1 ----------------------------------------- server 10.7.0.2, fd07::2
#   n_nat:    client 10.7.1.1 --- 10.7.1.2 router (masquerade) 10.7.0.1 --- server 10.7.0.2
#
#	. tests/netns/lib_netns.sh                 # from the root of the repository; bash
#	fin_idle() {                               # a case runs in a subshell: the first claim that does
#		n_pair                             # not hold ends it, and all it started is ended then
#		n_peer one unlisten read:5 close   # a scripted peer at the server
#		n_send "tcp://$n_server_ip:$n_port" # the real program at the client, its input left open
#		n_fault                            # the clock of the fault starts
#		n_type hello                       # input
#		n_report peer-closed 0             # the next report: its cause, and how late it may come
#		n_eof && n_exit 0                  # no more input; the exit status, no CLOSE_WAIT left
#		n_arrived one                      # what the peers read is what was typed, in this order
#	}
#	n_begin 1
#	n_case "FIN while idle: peer-closed at once" fin_idle
#	n_done
#
# Times are measured from n_fault to the moment the report was seen in the file. The bound is the option's
# value plus N_SLACK_MS for a loaded machine and for this script's own looks.

. tests/lib.sh

N_SLACK_MS=3000  # also what "at once" means; every option that could be mistaken for it is longer
N_EVENT_S=15     # how long an event is waited for that has no bound of its own
n_client_ip=10.7.0.1
n_server_ip=10.7.0.2
n_server_ip6=fd07::2

# ---- cases ------------------------------------------------------------------------------------------

n_lacks() {
	[ "$(id -u)" -eq 0 ] || { echo "needs root" && return; }
	local tool probe="lastack-$$-probe"
	for tool in ip nft ss; do
		command -v "$tool" >/dev/null || { echo "needs $tool" && return; }
	done
	ip netns add "$probe" 2>/dev/null || { echo "no network namespaces here" && return; }
	ip -n "$probe" link add p0 type veth peer name p1 2>/dev/null || echo "no veth devices here"
	ip netns exec "$probe" nft add table inet probe 2>/dev/null || echo "no nftables here"
	ip netns del "$probe"
}

# In a chroot / is no mount point, which `ip netns` insists on: this script runs again in a private mount
# namespace whose / is one.
n_root() {
	if [ "$(id -u)" -ne 0 ] || [ -n "${N_ROOTED:-}" ] || awk '$5 == "/" {found = 1} END {exit !found}' /proc/self/mountinfo; then
		return
	fi
	# shellcheck disable=SC2016
	N_ROOTED=1 exec unshare --mount --propagation unchanged sh -c \
		'mount --rbind / /mnt && exec chroot /mnt sh -c "cd \"\$1\" && exec bash \"\$2\"" sh "$1" "$2"' sh "$PWD" "$0"
}

# n_begin COUNT: the plan, or everything skipped.
n_begin() {
	local lacking
	n_root
	lacking=$(n_lacks | head -n 1)
	[ -z "$lacking" ] || { echo "1..0 # SKIP $lacking" && exit 77; }
	t_plan "$1"
	n_ran=0
}

# n_case SENTENCE FUNCTION [ARGUMENT...]: one line of TAP.
n_case() {
	local sentence=$1 status
	shift
	n_serial=$((t_count + 1))
	(n_run_case "$@")
	status=$?
	if [ "$status" -eq 77 ]; then
		t_skip "$sentence" "$(cat "$T_DIR/skip")"
	else
		n_ran=$((n_ran + 1))
		t_result "$status" "$sentence"
	fi
}

# What fails without being asked for ends the case as well: an `ip` that says no, for instance.
n_run_case() {
	T_DIR=$T_DIR/$n_serial t_names=
	n_spaces='' n_reports=0 n_t0=0
	set -eE
	trap 'n_tear_down $?' EXIT
	trap 't_note "line $LINENO: $BASH_COMMAND: status $?" >&2' ERR
	trap 'exit 130' INT
	trap 'exit 143' TERM
	mkdir "$T_DIR"
	touch "$T_DIR/typed" "$T_DIR/report"
	"$@"
	exit 0
}

n_tear_down() {
	local name space
	set +e
	trap - ERR
	[ "$1" -eq 0 ] || [ "$1" -eq 77 ] || n_tell
	exec 9>&- 2>/dev/null
	for name in $t_names; do
		kill -KILL "$(t_pid "$name")" 2>/dev/null
		wait "$(t_pid "$name")" 2>/dev/null
	done
	for space in $n_spaces; do
		ip netns del "$space"
		rm -rf "/etc/netns/$space"
	done
	[ -z "${n_made_etc:-}" ] || rmdir /etc/netns 2>/dev/null
	rm -rf "$T_DIR"
}

# What a failed case leaves behind for its reader.
n_tell() {
	local file
	for file in "$T_DIR"/report "$T_DIR"/*.err "$T_DIR"/*.out; do
		[ -s "$file" ] && t_note "--- ${file##*/}" && t_note "$(tail -n 12 "$file" | cut -c 1-600)"
	done
}

n_fail() { t_note "$*" && exit 1; }
n_skip() { echo "$*" >"${T_DIR%/*}/skip" && exit 77; }

n_done() {
	[ "$n_ran" -gt 0 ] || exit 77
	t_done
}

# Milliseconds since boot; the kernel counts them in tens.
n_now() {
	local up rest
	read -r up rest </proc/uptime
	echo "${up/./}0"
}

# n_await SECONDS WHAT COMMAND...: or the case fails, saying what did not come.
n_await() {
	local until=$(($(n_now) + $1 * 1000)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$(n_now)" -lt "$until" ] || n_fail "not in time: $what"
		sleep 0.02
	done
}

# n_never SECONDS WHAT COMMAND...: it must stay false for that long.
n_never() {
	local until=$(($(n_now) + $1 * 1000)) what=$2
	shift 2
	while [ "$(n_now)" -lt "$until" ]; do
		! "$@" >/dev/null 2>&1 || n_fail "this happened: $what"
		sleep 0.1
	done
}

# ---- places -----------------------------------------------------------------------------------------

# n_space VARIABLE: a namespace with loopback; its name goes to the variable.
n_space() {
	local name="lastack-$$-$n_serial-$1-$RANDOM"
	ip netns add "$name" || n_fail "no namespace"
	n_spaces="$n_spaces $name"
	ip -n "$name" link set lo up
	eval "$1=\$name"
}

# n_wire SPACE ADDRESS SPACE ADDRESS [ADDRESS6 ADDRESS6]: a cable; each end is named after the other.
n_wire() {
	ip -n "$1" link add wire0 type veth peer name wire0 netns "$3" 2>/dev/null ||
		ip -n "$1" link add wire1 type veth peer name wire0 netns "$3" || n_fail "no veth"
	local near=wire0
	! ip -n "$1" link show wire1 >/dev/null 2>&1 || near=wire1
	ip -n "$1" address add "$2/24" dev $near
	ip -n "$3" address add "$4/24" dev wire0
	ip -n "$1" link set $near up
	ip -n "$3" link set wire0 up
}

n_pair() {
	n_space n_client && n_space n_server
	n_wire "$n_client" $n_client_ip "$n_server" $n_server_ip
}

# The same with IPv6 beside it; the case is skipped where there is none.
n_pair_6() {
	n_pair
	ip -n "$n_client" address add fd07::1/64 dev wire0 nodad 2>/dev/null &&
		ip -n "$n_server" address add $n_server_ip6/64 dev wire0 nodad 2>/dev/null ||
		n_skip "no IPv6 here"
}

# A home router: what belongs to no connection it knows does not pass.
n_nat() {
	n_space n_client && n_space n_router && n_space n_server
	n_wire "$n_router" 10.7.0.1 "$n_server" $n_server_ip
	n_wire "$n_router" 10.7.1.2 "$n_client" 10.7.1.1
	ip -n "$n_client" route add default via 10.7.1.2
	ip netns exec "$n_router" sysctl -qw net.ipv4.ip_forward=1
	ip netns exec "$n_router" nft -f - <<-'RULES' 2>/dev/null || n_skip "no nft masquerade here"
		table ip home {
			chain out { type nat hook postrouting priority 100; oifname "wire0" masquerade; }
			chain through { type filter hook forward priority 0; ct state invalid drop; }
		}
	RULES
	# Strict: a segment from the middle of an unknown connection starts no new entry.
	ip netns exec "$n_router" sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0 2>/dev/null ||
		n_skip "no connection tracking here"
}

# n_names HOSTS RESOLV_CONF: what names mean to programs started at the client from now on; ip-netns(8).
n_names() {
	[ -d /etc/netns ] || n_made_etc=1
	mkdir -p "/etc/netns/$n_client"
	echo "hosts: files dns" >"/etc/netns/$n_client/nsswitch.conf"
	printf '%s\n' "$1" >"/etc/netns/$n_client/hosts"
	printf '%s\n' "$2" >"/etc/netns/$n_client/resolv.conf"
}

n_at_client() { ip netns exec "$n_client" "$@" 9>&-; }
n_at_server() { ip netns exec "$n_server" "$@" 9>&-; }

# ---- faults -----------------------------------------------------------------------------------------

# The moment from which detection is measured; before the fault itself, so that no time is lost.
n_fault() { n_t0=$(n_now); }

# The server's host is gone: nothing comes in, nothing goes out.
n_black_hole() {
	n_at_server nft -f - <<-'RULES' || n_fail "nft refused the black hole"
		table inet hole {
			chain in { type filter hook input priority 0; policy drop; }
			chain out { type filter hook output priority 0; policy drop; }
		}
	RULES
}

n_lift() { n_at_server nft delete table inet hole; }

# The router's uplink goes down and comes back: the kernel forgets what it masqueraded there.
n_forget_nat() {
	ip -n "$n_router" link set wire0 down && ip -n "$n_router" link set wire0 up
}

# ---- the server -------------------------------------------------------------------------------------

# n_peer NAME [OPTION...] ACTION...: listens at the server; n_port is its port, n_bytes NAME what it read.
n_peer() {
	local name=$1
	shift
	t_run "$name" ip netns exec "$n_server" "$PEER" --address "${n_listen:-$n_server_ip}" \
		--port-file "$T_DIR/$name.port" --out "$T_DIR/$name.bytes" --verbose "$@" </dev/null 9>&-
	n_await 5 "$name listens" test -s "$T_DIR/$name.port"
	n_port=$(cat "$T_DIR/$name.port")
}

n_nobody_listens() { [ -z "$(n_at_server ss -Hltn "sport = :$n_port")" ]; }

# n_successor NAME ...: on the same port, once the peer before has done `unlisten`.
n_successor() {
	local name=$1
	shift
	n_await 5 "the port is free for $name" n_nobody_listens
	n_peer "$name" --port "$n_port" "$@"
}

n_has() { [ "$(stat -c %s "$T_DIR/$1.bytes" 2>/dev/null || echo 0)" -ge "$2" ]; }
n_read() { n_await $N_EVENT_S "$1 has read $2 bytes" n_has "$1" "$2"; } # n_read NAME BYTES

# ---- the client -------------------------------------------------------------------------------------

# n_send ARGUMENT...: lastack send, with its input open until n_eof; n_preload is a library to put before.
n_send() {
	mkfifo "$T_DIR/input"
	exec 8<>"$T_DIR/input"
	# Not around `ip`: a sanitizer's runtime and a shim are lastack's business only.
	t_run send ip netns exec "$n_client" env ${n_preload:+LD_PRELOAD="$n_preload"} \
		"$LASTACK" send --backoff 50ms..200ms --report "$T_DIR/report" "$@" <"$T_DIR/input" 8>&-
	exec 9>"$T_DIR/input" 8>&-
}

# n_send_again ARGUMENT...: the next program in the same case; its reports are counted anew.
n_send_again() {
	rm "$T_DIR/input"
	: >"$T_DIR/report"
	n_reports=0
	n_send "$@"
}

n_type() {
	printf %s "$1" >>"$T_DIR/typed"
	printf %s "$1" >&9
}

# n_pour BYTES: that much noise, as fast as it is taken.
n_pour() {
	head -c "$1" /dev/urandom >"$T_DIR/noise"
	cat "$T_DIR/noise" >>"$T_DIR/typed"
	# shellcheck disable=SC2016 # the inner shell's arguments
	t_run pour sh -c 'cat "$1" >"$2"' _ "$T_DIR/noise" "$T_DIR/input" </dev/null 9>&-
}

n_eof() { exec 9>&-; }

n_no_queue() {
	n_at_client ss -Htn state established | awk '$2 != 0 {bad = 1} END {exit bad || NR == 0}'
}
n_quiet() { n_await $N_EVENT_S "all that was sent is acknowledged" n_no_queue; }

# Something is under way that the server has not acknowledged.
n_some_queue() { n_at_client ss -Htn state established | awk '$2 > 0 {found = 1} END {exit !found}'; }
n_busy() { n_await $N_EVENT_S "something is under way" n_some_queue; }

n_window_shut() { n_at_client ss -Htno state established | grep -q 'timer:(persist'; }
n_shut() { n_await $N_EVENT_S "the peer's window is shut" n_window_shut; }

n_said() { grep -q "$1" "$T_DIR/report"; }
n_event() { n_await "${2:-$N_EVENT_S}" "the event $1" n_said "$1"; } # n_event PATTERN [SECONDS]
n_up() { n_event '"to":"up"'; }

# ---- claims -----------------------------------------------------------------------------------------

n_lines() { [ "$(grep -c '^{"event":"report"' "$T_DIR/report")" -ge "$1" ]; }
n_line() { grep '^{"event":"report"' "$T_DIR/report" | sed -n "$1p"; }

# n_field NAME [LINE]: of the last report that was claimed; a text or a number.
n_field() { n_line "${2:-$n_reports}" | sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"; }

# n_report CAUSE[|CAUSE] MS: the next report has this cause, and came within MS and the slack.
n_report() {
	local took limit=$(($2 + N_SLACK_MS))
	n_reports=$((n_reports + 1))
	n_await $((limit / 1000 + N_EVENT_S)) "report $n_reports, which should say $1" n_lines $n_reports
	took=$(($(n_now) - n_t0))
	case "|$1|" in
	*"|$(n_field cause)|"*) ;;
	*) n_fail "report $n_reports says $(n_field cause), not $1" ;;
	esac
	[ "$took" -le "$limit" ] || n_fail "$1 was found after $took ms, not within $2 + $N_SLACK_MS"
	t_note "$(n_field cause) after $took ms (bound $2 + $N_SLACK_MS)"
	n_silence_blames_nobody
	n_await 2 "no CLOSE_WAIT after $1" n_no_close_wait
}

# A peer that said nothing has closed nothing.
n_silence_blames_nobody() {
	case "$(n_field cause)" in
	silent-* | *-lost | lost-*) [ "$(n_field closed_first)" != peer ] || n_fail "it says the peer closed" ;;
	esac
}

n_no_report() { n_never "$1" "a report" n_lines $((n_reports + 1)); } # n_no_report SECONDS

n_no_close_wait() { [ -z "$(n_at_client ss -Htn state close-wait)" ]; }

# n_aftermath NAME: how the silence of the last claimed report is explained.
n_aftermath() {
	n_event "^{\"event\":\"aftermath\",\"serial\":$(n_field serial),.*\"aftermath\":\"$1\""
}

# n_exit STATUS [CONNECTIONS [SECONDS]]: how the program ends, and that it left nothing in CLOSE_WAIT.
n_exit() {
	t_join send "${3:-}" || :
	[ "$T_STATUS" -eq "$1" ] || n_fail "exit status $T_STATUS, not $1"
	n_said '^{"event":"end".*"close_wait_sockets":0' || n_fail "the self-check did not find 0 CLOSE_WAIT"
	n_no_close_wait || n_fail "the kernel still has a CLOSE_WAIT"
	[ -z "${2:-}" ] || n_said "^{\"event\":\"end\".*\"connections\":$2," ||
		n_fail "it was not $2 connections"
}

n_bytes() {
	local name
	for name in "$@"; do cat "$T_DIR/$name.bytes"; done
}

# n_arrived NAME...: one after another they read exactly what was typed.
n_arrived() {
	local name
	for name in "$@"; do
		! t_runs "$name" || t_stop "$name" TERM || : # a peer that has seen the end is done already
	done
	n_bytes "$@" | cmp -s - "$T_DIR/typed" ||
		n_fail "at $*: $(n_bytes "$@" | wc -c) bytes, typed: $(wc -c <"$T_DIR/typed"), and not the same"
}

# n_lost_within NAME NAME: the first read a beginning, the second an end, and what lies between (or
# twice, if negative) is within what the last claimed report counts as perhaps lost or duplicated.
n_lost_within() {
	local first second typed gap lost duplicated
	t_join "$2" || :
	first=$(n_bytes "$1" | wc -c) second=$(n_bytes "$2" | wc -c) typed=$(wc -c <"$T_DIR/typed")
	cmp -s -n "$first" "$T_DIR/$1.bytes" "$T_DIR/typed" || n_fail "$1 did not read the beginning"
	tail -c "$second" "$T_DIR/typed" | cmp -s - "$T_DIR/$2.bytes" || n_fail "$2 did not read the end"
	gap=$((typed - first - second))
	lost=$(n_line $n_reports | sed -n 's/.*"lost":{"min_bytes":\([0-9]*\),"max_bytes":\([0-9]*\)}.*/\1 \2/p')
	duplicated=$(n_line $n_reports | sed -n 's/.*"duplicated":{"min_bytes":[0-9]*,"max_bytes":\([0-9]*\)}.*/\1/p')
	t_note "lost $gap bytes (negative: read twice); the report says ${lost% *} to ${lost#* }, twice at most $duplicated"
	if [ $gap -ge 0 ]; then
		[ $gap -ge "${lost% *}" ] && [ $gap -le "${lost#* }" ] || n_fail "$gap bytes are lost, not $lost"
	else
		[ $((-gap)) -le "$duplicated" ] || n_fail "$((-gap)) bytes came twice, not at most $duplicated"
	fi
}
