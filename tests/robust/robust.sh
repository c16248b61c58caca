#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# robust.sh - list, doctor and close where the world is not as one would like it: processes that come and go
# during the look, odd processes, namespaces, missing rights, a kernel that refuses, signals, full outputs.
#
# Each case asserts a correct answer or a gap that is said; by both ways of finding owners where it makes a
# difference. Every case has a network namespace of its own. The same with large numbers: large_all.sh.
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/robust/lib_robust.sh
. tests/robust/lib_robust.sh
# shellcheck source=tests/robust/lib_crowd.sh
. tests/robust/lib_crowd.sh
# shellcheck source=tests/robust/lib_rights.sh
. tests/robust/lib_rights.sh
# shellcheck source=tests/robust/lib_refusal.sh
. tests/robust/lib_refusal.sh

# ---- odd processes ----------------------------------------------------------------------------------

odd_doctor() { # KIND WANTED WAY
	t_wait_for $R_VERDICT_S r_finds "$2" --owners "$3"
	r_can "$1, owners by $3: the doctor" && r_is "$1, owners by $3: what the doctor finds" "$(r_findings)" "$2"
}
odd() { # KIND
	local pid
	r_hold "$1" open 2 3 || return
	r_ways r_look_exact "$1"
	r_end
	r_hold "$1" close-wait 2 3 || return
	pid=${R_PIDS%% *}
	case $1 in
	common | table) r_ways odd_doctor "$1" "inherited-fd $pid 2" ;;
	unshared) r_ways odd_doctor "$1" "$(printf 'eof-ignored %s 2\n' "$pid" "$pid" "$pid")" ;;
	*) r_ways odd_doctor "$1" "eof-ignored $pid 2" ;;
	esac
	odd_close "$1"
	r_end
}

# What close says it ended has ended, and nothing else; what it could not reach it says.
odd_close() { # KIND
	local before after
	before=$("$LASTACK" list --no-header --state close-wait --columns inode 2>/dev/null | sort)
	r_ask close --state close-wait --json --yes
	R_JSON=$R_OUT && r_flat
	after=$("$LASTACK" list --no-header --state close-wait --columns inode 2>/dev/null | sort)
	r_is "$1: close says of each socket what became of it, and its status tells" \
		"$(close_outcomes | sort)" "$(join -a 1 <(echo "$before") <(sed 's/$/ stays/' <<<"$after") |
			sed '/stays/!s/$/ mended/')"
	[[ "$(close_outcomes)" == *stays* ]]
	r_is "$1: close has the exit status for that" $R_STATUS $((! $?))
	r_ask close --state close-wait --how rst --yes
	r_is "$1: rst ends what is left" "$R_STATUS $("$LASTACK" list --no-header --state close-wait 2>/dev/null)" "0 "
}
# "INODE mended" or "INODE stays" for each socket; "gone" is neither here.
close_outcomes() {
	awk -F '\t' '
		/^sockets\.[0-9]+\.(outcome|inode)\t/ { split($1, part, "."); value[part[3], part[2]] = $2 }
		END {
			for (key in value) {
				split(key, part, SUBSEP)
				if (part[1] != "inode")
					continue
				outcome = value["outcome", part[2]]
				print value[key], outcome == "\"mended\"" ? "mended" : \
					outcome ~ /changed|impossible|denied|failed/ ? "stays" : outcome
			}
		}' "$T_DIR/flat"
}

# ---- addresses --------------------------------------------------------------------------------------

address_doctor() { # LISTEN CONNECT STATE-OF-PEER WAY
	local server=${R_PIDS% *} client=${R_PIDS#* }
	t_wait_for $R_VERDICT_S r_finds "$(printf '%s\n' "eof-ignored $server 1" "fin-wait2-held $client 1")" --owners "$3"
	r_can "$1 <- $2, owners by $3" || return
	r_is "$1 <- $2, owners by $3: CLOSE_WAIT and FIN_WAIT2 are a pair" \
		"$(r_findings | tr '\n' ' ')$(grep -E '\.peer\.(pid|state)' "$T_DIR/flat" | cut -f 2 | sort | tr '\n' ' ')" \
		"eof-ignored $server 1 fin-wait2-held $client 1 $(printf '%s\n' '"CLOSE_WAIT"' '"FIN_WAIT2"' "$server" "$client" | sort | tr '\n' ' ')"
}
address_list() { # SENTENCE NUMBER OPTION...
	r_ask list --no-header "${@:3}"
	r_is "$1: list ${*:3} has $2" "$(wc -l <"$R_OUT")" "$2"
}
addresses() { # LISTEN CONNECT FILTERS-THAT-MATCH-ALL... - FILTERS-THAT-MATCH-NOTHING...
	local filter matching=1 title="$1 <- $2"
	ip -6 addr add fe80::1/64 dev lo nodad 2>/dev/null
	if ! "$R_TOOLS/robust_hold" halves "$1" "$2" </dev/null >"$T_DIR/probe" 2>&1; then
		r_skip "$title" "no such addresses here: $(head -n 1 "$T_DIR/probe")"
		return
	fi
	r_hold halves "$1" "$2" || return
	port=$(sed -n 's/^port //p' "$T_DIR/hold.out")
	for filter in "${@:3}"; do
		[ "$filter" != - ] || { matching=0 && continue; }
		address_list "$title" $((2 * matching)) --state close-wait,fin-wait-2 --port "$port" --address "$filter"
	done
	r_ways address_doctor "$1" "$2"
	r_end
}

# ---- signals and outputs ----------------------------------------------------------------------------

watched() { # SENTENCE SIGNAL STATUS COMMAND OPTION...
	rm -f "$T_DIR/watch.out"
	t_run watch "$LASTACK" "${@:4}" --watch 100ms
	t_wait_for 20 test -s "$T_DIR/watch.out"
	t_stop watch "$2"
	r_is "$1: SIG$2 ends it with $3" "$T_STATUS" "$3"
	if [[ "$*" == *--json* ]]; then
		R_JSON=$T_DIR/watch.out
		r_flat
		r_is "$1: what it wrote is whole" "$?" 0
	fi
}
signals() {
	r_hold own open 500 1 || return
	for signal in INT TERM HUP; do
		watched "list --watch" $signal 0 list
		watched "list --json --watch" $signal 0 list --json
		watched "doctor --watch" $signal 0 doctor
		watched "doctor --json --watch" $signal 0 doctor --json --owners proc
	done
	r_end
	r_hold own close-wait 3 1 || return
	t_wait_for $R_VERDICT_S r_finds "eof-ignored $R_PIDS 3"
	watched "doctor --watch of a leak" TERM 1 doctor --json
	r_end
	# A ghost is looked at twice, 300 ms apart: each look takes longer than the time between two.
	r_start ghost "$BUILD/tests/leaks/ghost-fd" rst || return
	t_wait_for $R_VERDICT_S r_finds "ghost-fd $(sed -n 's/^ready \([0-9]*\).*/\1/p' "$T_DIR/ghost.out") 4"
	watched "doctor --watch with looks that take longer than the time between them" INT 1 doctor --json
	r_finish ghost
}

outputs() {
	local command
	r_hold own open 1000 1 || return
	for command in "list" "list --json" "list --wide --no-header" "list --summary" "list --summary --json" \
		"list --watch 100ms" "list --json --watch 100ms" "doctor --json --watch 100ms" "doctor --text --watch 100ms"; do
		# shellcheck disable=SC2086 # several words
		{ timeout 30 "$LASTACK" $command 2>"$T_DIR/err" && echo 0 >"$T_DIR/status" || echo $? >"$T_DIR/status"; } | head -c 1 >/dev/null
		status=$(cat "$T_DIR/status")
		# A page that fits into the pipe may have been written before it was closed.
		[[ "$command" == *watch* || "$command" == "list" || "$command" == "list --json" || "$command" == *wide* ]] && wanted=1 || wanted='[01]'
		R_STATUS=$status R_WHY=$(cat "$T_DIR/err")
		r_like "$command | head -c 1: status 1" "$status" "^$wanted\$"
		[[ "$command" != *watch* ]] || continue
		# shellcheck disable=SC2086 # several words
		timeout 30 "$LASTACK" $command >/dev/full 2>"$T_DIR/err"
		r_like "$command >/dev/full: status 1 and a sentence" "$? $(cat "$T_DIR/err")" '^1 lastack [a-z]+: .*(space|output)'
	done
	for command in "doctor" "doctor --json" "doctor --text" "doctor --list-verdicts" "doctor --explain all" \
		"close --state established" "close --state established --json"; do
		# shellcheck disable=SC2086 # several words
		timeout 30 "$LASTACK" $command >/dev/full 2>"$T_DIR/err"
		r_like "$command >/dev/full: status 1 and a sentence" "$? $(cat "$T_DIR/err")" '^1 lastack [a-z]+: .*(space|output)'
		# shellcheck disable=SC2086 # several words
		timeout 30 "$LASTACK" $command >&- 2>"$T_DIR/err"
		R_STATUS=$? R_WHY=$(cat "$T_DIR/err")
		r_like "$command >&-: no crash" "$R_STATUS" '^(0|1|77)$'
	done
	timeout 30 "$LASTACK" list 2>/dev/full >"$T_DIR/out"
	r_is "list 2>/dev/full: status 0, all rows" "$? $(grep -c ESTABLISHED "$T_DIR/out")" "0 2000"
	timeout 30 "$LASTACK" list 2>&- <&- >"$T_DIR/out"
	r_is "list without standard input and error: status 0, all rows" "$? $(grep -c ESTABLISHED "$T_DIR/out")" "0 2000"
	r_end
}

# ---- NLM_F_DUMP_INTR --------------------------------------------------------------------------------

# No kernel can be made to send it on purpose; the unit tests play such a kernel.
interrupted_dumps() {
	local test
	for test in src/observe/sockdiag_test src/observe/sockdiag_parse_test; do
		CMOCKA_MESSAGE_OUTPUT=TAP "$BUILD/$test" >"$T_DIR/unit" 2>&1
		r_like "$test has a case for dumps that are interrupted, and it passes" \
			"$(grep -E 'interrupted|inconsistent' "$T_DIR/unit")" '^ok '
	done
}

r_begin "$@"

# The longest first.
r_run_all <<'END'
	storm 130 bpf
	storm 70 proc
	outputs
	limits
	odd headless
	odd unshared
	odd table
	odd zombie
	odd common
	signals
	limits_doctor
	no_netlink
	many_namespaces 50 3
	crowd 300
	many_descriptors 1000
	suspects 1000 1
	suspects 1 100
	storm_doctor 15
	user_namespace
	pid_namespace_inside
	pid_namespace_outside
	hidden_processes
	as_nobody
	no_proc
	addresses :: 127.0.0.1 127.0.0.1 127.0.0.0/8 ::ffff:127.0.0.1 - 10.0.0.1 ::/0 fe80::/10
	addresses 127.0.0.1 ::ffff:127.0.0.1 127.0.0.1 ::ffff:127.0.0.0/104 - ::1
	addresses ::1 ::1 ::1 ::/0 - 127.0.0.0/8 0.0.0.0/0 fe80::/10
	addresses fe80::1%lo fe80::1%lo fe80::1 fe80::/10 fe80::1%lo - ::1
	interrupted_dumps
END
