# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# lib_leaks.sh - starts reproducers, asks the doctor, reads what it says. After tests/lib.sh; bash.
#
#	l_start eof-ignored default      L_PIDS is what it named, the guilty process first; 77: skipped, L_WHY
#	l_ask --owners proc              L_STATUS, L_FOUND: "eof-ignored@1x4": verdict, whose, sockets
#	l_stop
#
# L_FOUND has one word per verdict and process, sorted. After "@" stands the place of the process in
# L_PIDS, from 1 on; 0 if the doctor names none, "PID?" if it is another one.
LEAKS=${LEAKS:-$BUILD/tests/leaks}
L_READY_S=40 # the reproducers give up on their own after less

# l_start PROGRAM [VARIANT]: 0; 77: not possible here; 1: it failed, and L_WHY says how.
l_start() {
	rm -f "$T_DIR/stdin"
	mkfifo "$T_DIR/stdin"
	exec 8<>"$T_DIR/stdin"
	T_OUT=$T_DIR/leak.out
	: >"$T_OUT"
	# shellcheck disable=SC2086 # no variant is no argument
	"$LEAKS/$1" ${2:-} <"$T_DIR/stdin" >"$T_OUT" 2>"$T_DIR/leak.err" 8>&- &
	L_PROGRAM=$!
	t_names="$t_names leak" t_pid_leak=$L_PROGRAM
	exec 9>"$T_DIR/stdin" 8>&-
	t_wait_for $L_READY_S l_has_begun
	L_PIDS=$(sed -n 's/^ready //p' "$T_OUT")
	[ -z "$L_PIDS" ] || return 0
	wait "$L_PROGRAM"
	L_STATUS=$?
	L_WHY=$(head -n 1 "$T_DIR/leak.err")
	[ $L_STATUS -eq 77 ] && return 77
	return 1
}

l_has_begun() { grep -q '^ready' "$T_OUT" || t_ended leak; }

# Ends the reproducer as it wishes to be ended; 0: it obeyed.
l_stop() {
	exec 9>&-
	t_join leak 10
	[ "$T_STATUS" -eq 0 ]
}

# The processes of the reproducer, with commas: its children and theirs.
l_family() {
	grep -s '^PPid:' /proc/[0-9]*/status | awk -F '[/:\t ]+' -v first="$L_PROGRAM" '
		{ parent[$3] = $NF }
		END {
			for (p in parent)
				if (parent[p] == first || (parent[p] in parent && parent[parent[p]] == first))
					list = list "," p
			print substr(list, 2)
		}'
}

# l_words JSON PID...: the findings of one look, as in L_FOUND.
l_words() {
	local json=$1
	shift
	sed 's/{"verdict":/\n&/g' <<<"$json" | awk -v pids="$*" '
		BEGIN { for (n = split(pids, pid, " "); n > 0; n--) place[pid[n]] = n; place["null"] = 0 }
		/^{"verdict":/ {
			if (!match($0, /^{"verdict":"[a-z0-9-]+","severity":"[a-z]+","pid":(null|[0-9]+),/))
				{ print "unreadable"; next }
			split(substr($0, 1, RLENGTH), part, /[":,]+/)
			verdict = part[3]; who = part[7]
			if (!match($0, /"fds":\[[0-9,]*\],"sockets":[0-9]+/))
				{ print "unreadable"; next }
			count = substr($0, RSTART, RLENGTH); sub(/.*:/, "", count)
			sum[verdict "@" (who in place ? place[who] : who "?")] += count
		}
		END { for (key in sum) print key "x" sum[key] }' | LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//'
}

# l_ask OPTION...: the doctor's last look. 77 in L_STATUS: it cannot, L_WHY says why.
l_ask() {
	"$LASTACK" doctor --json "$@" >"$T_DIR/look" 2>"$T_DIR/look.err" 9>&-
	L_STATUS=$?
	L_JSON=$(tail -n 1 "$T_DIR/look")
	L_WHY=$(head -n 1 "$T_DIR/look.err")
	# shellcheck disable=SC2086 # a list
	L_FOUND=$(l_words "$L_JSON" $L_PIDS)
}

# l_field NAME: of the first finding, as it stands in the JSON.
l_field() { sed -n "s/^[^[]*\"findings\":\[{.*\"$1\":\(\"[^\"]*\"\|[-0-9.a-z]*\).*/\1/p" <<<"$L_JSON"; }
