# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# lib_send.sh - what the tests of lastack send stomp:// share.
#
# Each script goes into network, mount and user namespaces of its own: nobody else's sockets are seen, and
# every port is ours. Where that is not permitted it runs outside: no case depends on it but through ns_only.
if [ "${T_INSIDE:-}" = "" ]; then
	if unshare -nm true 2>/dev/null; then
		exec env T_INSIDE=yes unshare -nm bash "$0"
	fi
	export T_INSIDE=no
fi
. tests/lib.sh
[ "$T_INSIDE" = no ] || ip link set lo up

BROKER=$BUILD/tests/tools/stomp_server

# broker NAME OPTION...: a scripted broker at T_PORT; the frames that it got are in NAME.out.
broker() {
	broker_name=$1 && shift && rm -f "$T_DIR/$broker_name.port"
	t_run "$broker_name" "$BROKER" --port-file "$T_DIR/$broker_name.port" "$@"
	t_wait_for 10 test -s "$T_DIR/$broker_name.port"
	T_PORT=$(cat "$T_DIR/$broker_name.port")
}
# frames NAME PATTERN: how many lines of what the broker got match (the separator is a tab).
frames() { grep -cE -- "$2" "$T_DIR/$1.out"; }
got() { [ "$(frames "$1" "$2")" -ge "${3:-1}" ]; }

# send ARGUMENT...: to its end; STATUS, T_DIR/said, T_DIR/report. Input is what this function's is.
send() {
	rm -f "$T_DIR/report"
	timeout -k 1 60 "$LASTACK" send --report "$T_DIR/report" "$@" >"$T_DIR/output" 2>"$T_DIR/said"
	STATUS=$?
}
said() { grep -qF -- "$1" "$T_DIR/said"; }
reported() { grep -qE -- "$1" "$T_DIR/report"; }
# total KEY [FILE]: a number of the report's "end" line.
total() { grep '"event":"end"' "${2:-$T_DIR/report}" | tail -n 1 | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }
# Every record went one of these ways (waiting has bytes alone).
adds_up() {
	local file=${1:-$T_DIR/report}
	[ "$(total accepted_bytes "$file")" -eq $(($(total delivered_bytes "$file") + $(total waiting_bytes "$file") + \
		$(total dropped_bytes "$file") + $(total buried_bytes "$file") + $(total abandoned_bytes "$file"))) ]
}
# refused SENTENCE ARGUMENT...: exit status 2, and the sentence.
refused() {
	local wanted=$1 && shift
	timeout -k 1 30 "$LASTACK" send "$@" >"$T_DIR/refused" 2>&1 </dev/null
	local status=$?
	cat "$T_DIR/refused"
	[ $status -eq 2 ] && grep -qF -- "$wanted" "$T_DIR/refused"
}

# piped NAME COMMAND...: as t_run; its input is what is written to descriptor 8, until that is closed.
piped() {
	rm -f "$T_DIR/pipe" && mkfifo "$T_DIR/pipe"
	exec 8<>"$T_DIR/pipe"
	t_run "$@" <"$T_DIR/pipe" 8>&-
}
