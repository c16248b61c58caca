# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034
#
# lib.sh - what the shell tests share. TAP out, no fixed port, no sleep but between two looks.
#
#	. tests/lib.sh                  from the root of the repository; sh or bash
#	t_plan 3                        or t_skip_all "reason"
#	t_receive server tcp://127.0.0.1:0; t_ok "it listens" nc -z 127.0.0.1 "$T_PORT"
#	t_stop server TERM; t_is "it ends with 0" "$T_STATUS" 0; t_skip "a sentence" "why not"
#	t_done
#
# At the end, however it comes, everything started with t_run is killed and T_DIR removed.
BUILD=${BUILD:-build}
LASTACK=${LASTACK:-$BUILD/lastack}
PEER=${PEER:-$BUILD/tests/tools/peer}
T_DIR=$(mktemp -d "${TMPDIR:-/tmp}/lastack-test.XXXXXX") || exit 1
T_DEADLINE=${T_DEADLINE:-20} # seconds after which t_stop and t_join give up and kill
T_STATUS=0                   # exit status of the last t_join or t_stop, 124: it had to be killed
t_planned=0 t_count=0 t_failed=0 t_names=

t_cleanup() {
	for t_name in $t_names; do
		eval "kill -KILL \"\$t_pid_$t_name\"" 2>/dev/null
	done
	wait 2>/dev/null
	rm -rf "$T_DIR"
}
trap 't_cleanup' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

t_plan() { t_planned=$1 && echo "1..$1"; }
t_skip_all() { printf "1..1\nok 1 - %s # SKIP %s\n" "${0##*/}" "$1" && exit 0; }

# t_result STATUS SENTENCE: one line of TAP.
t_result() {
	t_count=$((t_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $t_count - $2"
	else
		t_failed=$((t_failed + 1))
		echo "not ok $t_count - $2"
	fi
}
t_note() { printf '%s\n' "$*" | sed 's/^/# /'; }

# t_ok SENTENCE COMMAND...: the command succeeds; what it said is shown if it does not.
t_ok() {
	t_sentence=$1 && shift
	"$@" >"$T_DIR/.said" 2>&1
	t_status=$?
	t_result "$t_status" "$t_sentence"
	[ "$t_status" -eq 0 ] || { t_note "status $t_status of: $*" && t_note "$(head -c 4000 "$T_DIR/.said")"; }
}

# t_is SENTENCE GOT WANTED: two texts are equal.
t_is() {
	[ "$2" = "$3" ]
	t_result $? "$1"
	[ "$2" = "$3" ] || t_note "got '$2', wanted '$3'"
}

t_skip() { t_count=$((t_count + 1)) && echo "ok $t_count - $1 # SKIP $2"; }

t_done() {
	[ "$t_count" -eq "$t_planned" ] || { t_note "planned $t_planned, ran $t_count" && exit 1; }
	[ "$t_failed" -eq 0 ]
	exit $?
}

# Whole seconds since boot: the wall clock may jump.
t_now() { cut -d. -f1 /proc/uptime; }

# t_wait_for SECONDS COMMAND...: until it succeeds; 1 at the deadline.
t_wait_for() {
	t_until=$(($(t_now) + $1 + 1)) && shift
	until "$@" >/dev/null 2>&1; do
		[ "$(t_now)" -lt "$t_until" ] || { t_note "not in time: $*" && return 1; }
		sleep 0.02
	done
}

# t_run NAME COMMAND...: in the background; NAME.out and NAME.err in T_DIR. It has our input.
t_run() {
	t_name=$1 && shift
	# The shell gives a job in the background /dev/null for input, unless a copy is handed on.
	exec 7<&0
	"$@" <&7 7<&- >"$T_DIR/$t_name.out" 2>"$T_DIR/$t_name.err" &
	eval "t_pid_$t_name=$!"
	exec 7<&-
	t_names="$t_names $t_name"
}

t_pid() { eval "echo \"\$t_pid_$1\""; } # the process id of what t_run started as NAME

# t_runs NAME: not ended yet (a zombie has ended).
t_runs() { grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$(t_pid "$1")/status"; }
t_ended() { ! t_runs "$1"; }

# t_join NAME [SECONDS]: waits for its end; T_STATUS is its exit status.
t_join() {
	t_late=0
	t_wait_for "${2:-$T_DEADLINE}" t_ended "$1" || { t_late=1 && kill -KILL "$(t_pid "$1")"; }
	wait "$(t_pid "$1")" 2>/dev/null
	T_STATUS=$?
	[ "$t_late" -eq 0 ] || T_STATUS=124
	t_names=$(echo " $t_names " | sed "s/ $1 / /g")
}

# t_receive NAME OPTION... URL: starts lastack receive, listening at T_PORT, with its report in NAME.json.
t_receive() {
	t_server=$1 && shift && rm -f "$T_DIR/$t_server.port"
	t_run "$t_server" "$LASTACK" receive --port-file "$T_DIR/$t_server.port" \
		--report "$T_DIR/$t_server.json" "$@"
	t_wait_for 10 test -s "$T_DIR/$t_server.port"
	T_PORT=$(cat "$T_DIR/$t_server.port")
}

t_signal() { kill "-$2" "$(t_pid "$1")"; } # t_signal NAME TERM
t_stop() { t_signal "$1" "${2:-TERM}" && t_join "$1" "${3:-}"; } # t_stop NAME [SIGNAL [SECONDS]]
