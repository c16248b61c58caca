# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# lib_robust.sh - cases that each have a network namespace of their own. After tests/lib.sh; bash.
#
#	r_begin "$@"                    re-run as "SCRIPT one CASE ARGUMENT...", runs that case and exits
#	r_hold own open 2 3             robust_hold: R_PIDS, R_EXPECTED (a file: "INODE PID FD", sorted)
#	r_list --owners bpf             list --json: R_JSON (a file), R_STATUS; R_WHY is what it complained
#	r_exact "a sentence"            that list is JSON, and has exactly these owners of exactly these
#	r_value coverage.whole          a value of R_JSON as it stands there
#	r_end                           robust_hold ends, and it says so if it had to be killed
#	r_run_all <<<"CASE ARGUMENT..." runs the cases, some at a time; TAP with numbers
R_TOOLS=$BUILD/tests/tools
R_READY_S=60
R_LOOK_S=60 # one look that takes longer hangs

r_say() { # STATUS SENTENCE
	[ "$1" -eq 0 ] && echo "ok - $2" || echo "not ok - $2"
}
r_skip() { echo "ok - $1 # SKIP $2"; }
r_is() { # SENTENCE GOT WANTED
	[ "$2" = "$3" ]
	r_say $? "$1"
	[ "$2" = "$3" ] || t_note "got '$2', wanted '$3'" "$(r_context)"
}
r_like() { # SENTENCE TEXT REGULAR-EXPRESSION
	grep -Eq -- "$3" <<<"$2"
	local good=$?
	r_say $good "$1"
	[ $good -eq 0 ] || t_note "'$2' is not like '$3'" "$(r_context)"
}
r_context() {
	printf 'status %s, it said: %s\n' "${R_STATUS:-}" "${R_WHY:-}"
	[ ! -s "${R_JSON:-}" ] || head -c 1500 "$R_JSON"
}

# ---- holders ----------------------------------------------------------------------------------------

# r_start NAME COMMAND...: in the background until r_finish NAME; ready when it says so in a line. Its input
# ends when we close the pipe, and all that was started later has ended: finish in reverse order.
r_start() {
	local name=$1
	shift
	rm -f "$T_DIR/$name.in"
	mkfifo "$T_DIR/$name.in"
	"$@" <"$T_DIR/$name.in" >"$T_DIR/$name.out" 2>"$T_DIR/$name.err" &
	eval "t_pid_$name=$!" && t_names="$t_names $name"
	eval "exec {r_fd_$name}>\"\$T_DIR/$name.in\""
	t_wait_for $R_READY_S r_has_begun "$name"
	grep -q '^ready' "$T_DIR/$name.out" && return
	r_say 1 "$name gets ready"
	t_note "$(cat "$T_DIR/$name.err")"
	return 1
}
r_has_begun() { grep -q '^ready' "$T_DIR/$1.out" || t_ended "$1"; }
r_finish() {
	eval "exec {r_fd_$1}>&-"
	t_join "$1" 30
}

r_expected() { sed -n 's/^held //p' "$@" | LC_ALL=C sort -u; }

# r_hold WORD...: robust_hold, after R_BEFORE (words before it).
R_BEFORE=
r_hold() {
	# shellcheck disable=SC2086 # several words
	r_start hold $R_BEFORE "$R_TOOLS/robust_hold" "$@" || return
	R_EXPECTED=$T_DIR/expected
	r_expected "$T_DIR/hold.out" >"$R_EXPECTED"
	R_PIDS=$(sed -n 's/^ready //p' "$T_DIR/hold.out")
}
r_end() {
	r_finish hold
	[ "$T_STATUS" -eq 0 ] || r_say 1 "robust_hold ends with 0 and not $T_STATUS"
}

# ---- looks ------------------------------------------------------------------------------------------

R_AS= # words before lastack: as whom, where

# r_ask COMMAND OPTION...: one look; standard output in R_OUT (a file).
r_ask() {
	R_OUT=$T_DIR/look
	# shellcheck disable=SC2086 # several words
	timeout -k 5 $R_LOOK_S $R_AS "$LASTACK" "$@" >"$R_OUT" 2>"$R_OUT.err"
	R_STATUS=$?
	R_WHY=$(tail -n 4 "$R_OUT.err")
}
r_list() { r_ask list --json "$@" && R_JSON=$R_OUT && r_flat; }
r_doctor() {
	r_ask doctor --json "$@"
	R_JSON=$R_OUT && r_flat
}
r_flat() { "$R_TOOLS/robust_json" flat <"$R_JSON" >"$T_DIR/flat" 2>"$T_DIR/flat.err"; }
r_value() { awk -F '\t' -v key="$1" '$1 == key { print $2; exit }' "$T_DIR/flat"; }

# Without BPF here (77) the case is skipped; 0: go on.
r_can() { # SENTENCE
	[ "$R_STATUS" -ne 77 ] && return
	r_skip "$1" "$(head -n 1 <<<"$R_WHY")"
	return 1
}

# r_owners: of the last list, a line for each descriptor of a socket; fails if it is no JSON.
r_owners() { "$R_TOOLS/robust_json" owners <"$R_JSON" | LC_ALL=C sort; }

# What is held and was not listed, what was listed and is not held; some of it.
r_differences() {
	LC_ALL=C comm -23 "$R_EXPECTED" "$T_DIR/got" | head -n 5 | sed 's/^/missing: /'
	LC_ALL=C comm -13 "$R_EXPECTED" "$T_DIR/got" | head -n 5 | sed 's/^/too much: /'
}
r_exact() { # SENTENCE
	local got
	if r_owners >"$T_DIR/got" && [ "$R_STATUS" -eq 0 ] && [ -s "$R_EXPECTED" ]; then
		got=$(r_differences)
	else
		got="no such list"
	fi
	r_is "$1: $(wc -l <"$R_EXPECTED") descriptors" "$got" ""
}

# r_look_exact SENTENCE WAY: one list, exactly as expected.
r_look_exact() {
	r_list --owners "$2"
	r_can "$1, owners by $2" && r_exact "$1, owners by $2: exactly these owners"
}

# r_ways FUNCTION ARGUMENT...: called with bpf and with proc as the last argument.
r_ways() {
	"$@" bpf
	"$@" proc
}

# The verdicts of the last look, each with its process and number of sockets, sorted: one line a finding.
r_findings() {
	awk -F '\t' '
		/^findings\.[0-9]+\.verdict\t/ { verdict = $2 }
		/^findings\.[0-9]+\.pid\t/ { pid = $2 }
		/^findings\.[0-9]+\.sockets\t/ { gsub(/"/, "", verdict); print verdict, pid, $2 }' "$T_DIR/flat" |
		LC_ALL=C sort
}
# shellcheck disable=SC2317 # called by t_wait_for
r_finds() { # WANTED OPTION...
	r_doctor "${@:2}"
	[ "$(r_findings)" = "$1" ] || [ "$R_STATUS" -eq 77 ]
}
R_VERDICT_S=20 # a young CLOSE_WAIT gets no verdict

# The sanitizers need /proc and much memory to themselves.
r_sanitized() { [[ "$BUILD" == *address* ]]; }

# ---- as whom ----------------------------------------------------------------------------------------

R_NOBODY="setpriv --reuid 65534 --regid 65534 --clear-groups"

# Copies of the programs that nobody may run, too.
r_for_nobody() {
	chmod 755 "$T_DIR" && mkdir -p "$T_DIR/bin" &&
		cp "$LASTACK" "$R_TOOLS/robust_hold" "$R_TOOLS/robust_json" "$T_DIR/bin" &&
		LASTACK=$T_DIR/bin/lastack R_TOOLS=$T_DIR/bin && $R_NOBODY "$LASTACK" --version >/dev/null 2>&1
}

# ---- all cases --------------------------------------------------------------------------------------

r_begin() {
	[ "${1:-}" = one ] || return 0
	shift
	ip link set lo up || exit 1
	"$@"
	exit 0
}

r_needs() {
	unshare -n true 2>/dev/null || t_skip_all "no network namespaces here"
	command -v ip >/dev/null || t_skip_all "needs ip(8)"
	[ -x "$R_TOOLS/robust_hold" ] || t_skip_all "no $R_TOOLS/robust_hold: make test-programs"
	[ -x "$LASTACK" ] || { echo "Bail out! no $LASTACK: make all" && exit 1; }
}

# Reads "CASE ARGUMENT..." from standard input; R_JOBS at a time.
r_run_all() {
	r_needs
	# shellcheck disable=SC2016 # the inner shell's arguments
	grep -- "${ONLY:-}" | nl -n rz -w 3 | xargs -r -P "${R_JOBS:-4}" -L 1 sh -c '
		log=$1 script=$2 number=$3 && shift 3
		begun=$(cut -d" " -f1 /proc/uptime)
		unshare -n "$script" one "$@" >"$log/$number.tap" 2>"$log/$number.err" ||
			echo "not ok - $* ended early, with $?" >>"$log/$number.tap"
		echo "# $* took $(echo "$(cut -d" " -f1 /proc/uptime) $begun" | awk "{print \$1 - \$2}") s" >>"$log/$number.tap"' sh "$T_DIR" "$(realpath "$0")"
	cat "$T_DIR"/*.tap | awk '/^(not )?ok - / {sub(/ok/, "ok " ++n)} {print} END {print "1.." n + 0}'
	cat "$T_DIR"/*.err >&2
	! grep -q '^not ok' "$T_DIR"/*.tap && grep -q '^ok' "$T_DIR"/*.tap
}
