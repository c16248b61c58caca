#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# leaks.sh - the doctor gives each reproducer exactly its verdict, by both ways of finding owners.
#
# Each reproducer runs in a network namespace of its own, four at a time; without the privilege for that, in
# ours, and the doctor is asked about its processes alone. It is asked until the verdict is there: it lets
# young sockets pass. What it says before must not be another verdict, and what it says then is all that it
# may say, with the right process, number of sockets and exit status.
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/leaks/lib_leaks.sh
. tests/leaks/lib_leaks.sh

JOBS=4
VERDICT_S=20 # by then it must have been given; the doctor's own bounds are a few seconds

# Program, variant, exit status of the doctor, what it finds (a regular expression; see lib_leaks.sh), and
# options of the doctor that it takes to see it.
cases() {
	cat <<-'END'
		eof-ignored               default    1  eof-ignored@1x4
		never-accepted            closed     1  never-accepted@1x4
		never-accepted            open       1  never-accepted@1x4
		owner-stuck               lock       1  owner-stuck@1x4
		owner-stuck               spin       1  owner-stuck@1x4
		owner-stuck               file       1  owner-stuck@1x4
		not-polled                out        1  not-polled@1x4
		not-polled                paused     1  not-polled@1x4
		not-polled                oneshot    1  not-polled@1x4
		not-polled                forgotten  1  not-polled@1x4
		unread-backlog            default    1  unread-backlog@1x4
		half-close-not-forwarded  threads    1  half-close-not-forwarded@1x4
		half-close-not-forwarded  loop       1  half-close-not-forwarded@1x4
		inherited-fd              daemons    1  inherited-fd@[12]x4
		inherited-fd              server     1  inherited-fd@1x4
		ghost-fd                  rst        1  ghost-fd@1x4
		ghost-fd                  shutdown   1  ghost-fd@1x4
		io-uring-held             fixed      1  io-uring-held@1x4
		io-uring-held             pending    1  io-uring-held@1x4
		fd-in-flight              default    1  fd-in-flight@1x4
		writes-after-fin          default    1  writes-after-fin@1x4
		fin-wait2-held            here       1  eof-ignored@2x4~fin-wait2-held@1x4
		fin-wait2-held            namespace  1  fin-wait2-held@1x4
		poisoned-tuple            default    1  eof-ignored@1x4~poisoned-tuple@[01]x4
		ports-exhausting          here       1  ports-exhausting@[01]x12[0-9]
		idle-pool                 plain      0  idle-pool@1x4
		idle-pool                 tls        0  idle-pool@1x4
		idle-pool                 workers    0  idle-pool@1x4
		long-timeout              default    0  long-timeout@1x[12][0-9]  --watch~1~--count~4
		time-wait-harmless        2500       0  time-wait-harmless@[01]x2[0-9]{3}
	END
}

# ---- one reproducer: its lines of TAP, without numbers ----------------------------------------------

say() { # STATUS SENTENCE
	[ "$1" -eq 0 ] && echo "ok - $2" || echo "not ok - $2"
}

# What was found is no more than what may be: every verdict in it is one of those expected.
only_expected() {
	local word verdict
	for word in $L_FOUND; do
		verdict=${word%%@*}
		[[ " $wanted" == *[\ ~]"$verdict"@* ]] || return 1
	done
}

# Asks until all that is wanted is there, or something that is not. The last look begins after the deadline,
# however long the others took.
ask_until() { # OPTION...
	local until=$(($(t_now) + VERDICT_S + 1)) begun
	while :; do
		begun=$(t_now)
		l_ask "$@"
		[ "$L_STATUS" -ne 77 ] || return 77
		[ -n "$L_JSON" ] || return 1
		[[ "$L_FOUND" =~ ^${wanted//\~/ }$ ]] && return 0
		only_expected || return 1
		[ "$begun" -lt $until ] || return 1
		sleep 0.2
	done
}

options_of() {
	printf '%s\n' "${options//\~/ }"
	[ -z "${L_SHARED:-}" ] || echo "--pid $(l_family)"
}

ask_one_way() { # bpf|proc
	local sentence="$title, owners by $1: $wanted, exit $exit_wanted" good=1
	# shellcheck disable=SC2046 # a list of options
	ask_until --owners "$1" $(options_of)
	case $? in
	77) echo "ok - $sentence # SKIP $L_WHY" && return ;;
	0) [ "$L_STATUS" -eq "$exit_wanted" ] && good=0 ;;
	esac
	say_found $good "$sentence"
}

one_case() { # PROGRAM VARIANT EXIT EXPECTED [OPTIONS]
	local program=$1 variant=$2 exit_wanted=$3 wanted=$4 options=${5:-} title way
	title="$program $variant"
	[ "$variant" != default ] || title=$program
	if [ -n "${L_SHARED:-}" ] && [[ "$wanted" == *@\[01\]* ]]; then
		for way in bpf proc; do echo "ok - $title, owners by $way # SKIP the host's ports are not ours alone"; done
		return
	fi
	l_start "$program" "$variant"
	case $? in
	0) ;;
	77)
		for way in bpf proc; do echo "ok - $title, owners by $way # SKIP $L_WHY"; done
		return
		;;
	*)
		for way in bpf proc; do say 1 "$title, owners by $way: it does not start"; done
		t_note "status $L_STATUS" "$(cat "$T_DIR/leak.err")"
		return
		;;
	esac
	for way in bpf proc; do ask_one_way $way; done
	l_stop || say 1 "$title ends with 0 when its input ends"
}

# ---- what takes more than one look at one place --------------------------------------------------

say_found() { # STATUS SENTENCE
	say "$1" "$2"
	[ "$1" -eq 0 ] || t_note "found '$L_FOUND', exit $L_STATUS, processes $L_PIDS" "$L_WHY" "$L_JSON"
}

# The pair: the end that has not closed is guilty, the one that waits for it is named beside it.
extra_pair() {
	local wanted='eof-ignored@1x4'
	l_start eof-ignored && ask_until --owners auto && [[ "$L_JSON" =~ \"peer\":\{\"pid\":${L_PIDS#* }, ]]
	say_found $? "eof-ignored: the peer is named"
	[[ "$L_JSON" =~ \"fds\":\[[0-9]+,[0-9]+,[0-9]+,[0-9]+\] ]]
	say_found $? "eof-ignored: four descriptors are named"
	l_stop
}

# as_nobody PROGRAM: writes a script that is this program, run as nobody; 1: nobody may not.
as_nobody() {
	local run="setpriv --reuid 65534 --regid 65534 --clear-groups"
	$run test -x "$1" || return
	printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$run" "$(realpath "$1")" >"$T_DIR/${1##*/}"
	chmod +x "$T_DIR/${1##*/}"
}

# One's own processes need no privilege.
extra_nobody() { # PROGRAM
	local wanted="$1@1x4"
	if ! as_nobody "$LASTACK" || ! as_nobody "$LEAKS/$1"; then
		echo "ok - $1, all as nobody # SKIP nobody may not run $LASTACK"
		return
	fi
	LASTACK=$T_DIR/lastack LEAKS=$T_DIR
	l_start "$1" && ask_until --owners proc
	say_found $? "$1, all as nobody: $wanted"
	l_stop
}

# Whose they are cannot be seen without privilege. That is no reason to blame a ring, a message or a ghost.
extra_stranger() {
	local wanted='eof-ignored@1x4'
	if ! as_nobody "$LASTACK"; then
		echo "ok - eof-ignored of root, asked as nobody # SKIP nobody may not run $LASTACK"
		return
	fi
	l_start eof-ignored && ask_until --owners proc # now they are old enough
	LASTACK=$T_DIR/lastack
	l_ask --owners proc
	[ -n "$L_JSON" ] && [[ "$L_FOUND" =~ ^(eof-ignored@0x4)?$ ]]
	say_found $? "eof-ignored of root, asked as nobody: no wrong verdict"
	[[ "$L_JSON" =~ \"unreadable_processes\":[1-9] ]]
	say_found $? "the coverage tells of processes that may not be seen"
	l_stop
}

# From another network namespace, the pair over a cable between two: both ends have their verdict.
extra_namespaces() {
	local wanted='eof-ignored@2x4~fin-wait2-held@1x4' way
	if ! l_start fin-wait2-held namespace; then
		echo "ok - fin-wait2-held, all namespaces # SKIP $L_WHY"
		return
	fi
	for way in bpf proc; do
		ask_until --owners $way --all-netns --pid "${L_PIDS/ /,}"
		say_found $? "fin-wait2-held, owners by $way, all namespaces: $wanted"
	done
	l_stop
}

if [ "${1:-}" = one ]; then
	[ -n "${L_SHARED:-}" ] || ip link set lo up || exit 1
	shift
	case $1 in
	extra_*) "$@" ;;
	*) one_case "$@" ;;
	esac
	exit 0
fi

# ---- all of them ------------------------------------------------------------------------------------

enter='unshare -n'
if ! unshare -n true 2>/dev/null || ! command -v ip >/dev/null; then
	t_note "no network namespaces here: the doctor is asked about the reproducers' processes alone"
	enter='' && export L_SHARED=1
fi
extras() {
	[ -z "${L_SHARED:-}" ] || return
	echo extra_pair
	echo extra_nobody eof-ignored
	echo extra_nobody not-polled
	echo extra_nobody owner-stuck
	echo extra_nobody half-close-not-forwarded
	echo extra_nobody fd-in-flight
	echo extra_nobody io-uring-held
	echo extra_stranger
	echo extra_namespaces
}

# shellcheck disable=SC2016 # the inner shell's arguments
{ cases && extras; } | grep -- "${ONLY:-}" | nl -n rz -w 3 | xargs -r -P $JOBS -L 1 sh -c '
	log=$1 enter=$2 number=$3 && shift 3
	exec $enter "$0" one "$@" >"$log/$number.tap" 2>"$log/$number.err"' "$PWD/tests/leaks/leaks.sh" "$T_DIR" "$enter"

cat "$T_DIR"/*.tap | awk '/^(not )?ok - / {sub(/ok/, "ok " ++n)} {print} END {print "1.." n + 0}'
cat "$T_DIR"/*.err >&2
! grep -q '^not ok' "$T_DIR"/*.tap && grep -q '^ok' "$T_DIR"/*.tap
