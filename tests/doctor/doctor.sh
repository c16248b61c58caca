#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doctor.sh: lastack doctor as it is used: what it says of a healthy namespace and of a leak, in every form,
# what decides about its exit status, and what it answers to bad input. The verdicts have tests/leaks.
cd "$(dirname "$0")/../.." || exit 1
if [ "${1:-}" != inside ]; then
	for unshare in "unshare -n" "unshare -rn" ""; do
		[ -z "$unshare" ] || $unshare true 2>/dev/null && break
	done
	# shellcheck disable=SC2086 # a command and its option
	[ -z "$unshare" ] || exec $unshare "$0" inside
fi
# shellcheck source=tests/lib.sh
. tests/lib.sh
[ "${1:-}" = inside ] || t_skip_all "no network namespaces here"
command -v ip >/dev/null || t_skip_all "needs ip(8)"
LEAK=$BUILD/tests/leaks/eof-ignored
[ -x "$LEAK" ] || t_skip_all "no $LEAK: make test-programs"
ip link set lo up || t_skip_all "the loopback cannot be set up"
t_plan 56

LEAK_SOCKETS=4 # of tests/leaks/leak.h
VERDICT_S=20   # a young CLOSE_WAIT gets no verdict

# doctor OPTION...: OUT, ERR, STATUS.
doctor() {
	timeout 60 "$LASTACK" doctor "$@" >"$T_DIR/out" 2>"$T_DIR/err" 9>&-
	STATUS=$?
	OUT=$(cat "$T_DIR/out") ERR=$(cat "$T_DIR/err")
}
# is_like SENTENCE TEXT REGULAR-EXPRESSION
is_like() {
	grep -Eq -- "$3" <<<"$2"
	local good=$?
	t_result $good "$1"
	[ $good -eq 0 ] || t_note "'$2' is not like '$3'"
}
# member KEY: of the first finding of the last look.
member() {
	tail -n 1 <<<"$OUT" | sed 's/.*"findings":\[//' |
		grep -Eo "\"$1\":(\"[^\"]*\"|\[[^]]*\]|[^,}]*)" | head -n 1 | cut -d : -f 2-
}
# shellcheck disable=SC2317 # called by t_wait_for
finds_leak() { doctor --json "$ONLY" && [ "$(member sockets)" = "$LEAK_SOCKETS" ]; } # all of it

# leak NAME PROGRAM: starts it; GUILTY is the process that leaks.
leak() {
	rm -f "$T_DIR/stdin"
	mkfifo "$T_DIR/stdin"
	exec 8<>"$T_DIR/stdin"
	# shellcheck disable=SC2094 # two ends of one pipe
	t_run "$1" "$2" <"$T_DIR/stdin" 8>&-
	exec 9>"$T_DIR/stdin" 8>&-
	t_wait_for 40 grep -q '^ready' "$T_DIR/$1.out"
	GUILTY=$(sed -n 's/^ready \([0-9]*\).*/\1/p' "$T_DIR/$1.out")
}
leak_ends() { exec 9>&- && t_join "$1" 10; }

# ---- a namespace where nothing is wrong -------------------------------------------------------------

t_receive server --quiet tcp://127.0.0.1:0
doctor --text
t_is "a healthy namespace has exit status 0" $STATUS 0
is_like "and says so in a line, with what was looked at" "$OUT" \
	'^Nothing (is wrong|wrong was found, of what could be seen): [0-9]+ sockets? of [0-9]+ process(es)? were looked at\.$'
is_like "the last line says how the owners were found" "$ERR" '^Owners were found '
doctor
t_is "in a pipe there is the header line alone" "$(wc -l <"$T_DIR/out") $(cut -f 1-3 <<<"$OUT")" \
	"1 taken-at	severity	verdict"
doctor --json
t_is "the JSON has no findings" "$(grep -c '^{.*,"findings":\[\]}$' <<<"$OUT") $STATUS" "1 0"
is_like "but the host, the kernel and the time" "$OUT" \
	'^\{"host":"[^"]*","kernel":"[^"]+","taken_at":"20[0-9-]+T[0-9:]+Z","coverage":\{'
doctor --quiet
t_is "--quiet says nothing" "$STATUS$OUT$ERR" 0
doctor --quiet --watch 100ms --count 3
t_is "nor does it with --watch" "$STATUS$OUT$ERR" 0

# ---- a leak -----------------------------------------------------------------------------------------

# What is young, or at work, is spoken of where nothing is wrong: ss(8) shows it.
# shellcheck disable=SC2317 # called by t_wait_for
speaks_of_young() {
	doctor --text
	grep -Eq '^LEAK' <<<"$OUT" ||
		tr -s '\n ' ' ' <<<"$OUT" | grep -Eq "$LEAK_SOCKETS in CLOSE_WAIT( and [0-9]+ in FIN_WAIT2)? got no verdict"
}

# On a slow machine the other end, which waits for a minute, gets a finding of its own.
ONLY=--verdict=eof-ignored
leak leak "$LEAK"
t_ok "before it is found, what is not judged yet is counted" t_wait_for $VERDICT_S speaks_of_young
t_ok "a leak is found" t_wait_for $VERDICT_S finds_leak
doctor --quiet
t_is "it has exit status 1, and --quiet says nothing of it" "$STATUS$OUT$ERR" 1

doctor --text "$ONLY"
is_like "the headline says who, how many, what, with the verdict" "$(tr -s '\n ' ' ' <<<"$OUT")" \
	"^LEAK( \((likely|possible)\))? pid $GUILTY \(eof-ignored\): $LEAK_SOCKETS connections: .* \[eof-ignored\] For"
is_like "for how long" "$OUT" '^  For +(at least )?[0-9.]+(m[0-9]+)?s \(the oldest\)$'
is_like "which descriptors" "$OUT" '^  Holds +descriptors [0-9]+[-,]'
is_like "how it is known" "$OUT" '^  Evidence  [A-Z0-9]'
is_like "how the program is mended" "$OUT" '^  Program   '
is_like "what ends it now" "$OUT" "^  Now +lastack close .*$GUILTY"
is_like "and what that does not free" "$(tr -s '\n ' ' ' <<<"$OUT")" \
	' Now lastack close .* The descriptors stay open until the program closes them, or ends\. '
t_is "one finding has no table before it" "$(grep -c '^SEVERITY' <<<"$OUT")" 0
t_is "no line but that of the command is wider than 80 columns" \
	"$(grep -v '^  Now' <<<"$OUT" | awk 'length > 80' | wc -l)" 0

doctor "$ONLY"
t_is "in a pipe the leak is one line" "$(wc -l <"$T_DIR/out")" 2
t_is "of as many columns as the header has" \
	"$(awk -F'\t' 'NR == 1 { n = NF } END { print(NF == n && n > 20) }' "$T_DIR/out")" 1
t_is "with severity, verdict, process and number" "$(tail -n 1 <<<"$OUT" | cut -f 2-6)" \
	"leak	eof-ignored	$GUILTY	eof-ignored	$LEAK_SOCKETS"

doctor --json "$ONLY"
if command -v jq >/dev/null; then
	t_ok "jq can read the JSON" jq -e '.findings[0].fds | length > 0' "$T_DIR/out"
	t_is "a finding has exactly the members of the man page" \
		"$(jq -r '.findings[0] | keys_unsorted | join(" ")' "$T_DIR/out")" \
		"verdict severity pid comm cmdline fds sockets local remote state oldest_age_s age_is unread_bytes peer growth_per_min confidence evidence advice remedy"
else
	t_skip "jq can read the JSON" "no jq"
	t_skip "a finding has exactly the members of the man page" "no jq"
fi
t_is "the JSON names process, number and state" "$(member pid) $(member sockets) $(member state)" \
	"$GUILTY $LEAK_SOCKETS \"CLOSE_WAIT\""
t_is "unread bytes are none, growth is not known" "$(member unread_bytes) $(member growth_per_min)" "0 null"

# ---- two leaks --------------------------------------------------------------------------------------

cp "$LEAK" "$T_DIR/second"
mkfifo "$T_DIR/second.in"
exec 7<>"$T_DIR/second.in"
t_run second "$T_DIR/second" <"$T_DIR/second.in" 7>&- 9>&-
t_wait_for 40 grep -q '^ready' "$T_DIR/second.out"
# shellcheck disable=SC2317 # called by t_wait_for
finds_both() {
	doctor --text "$ONLY"
	[ "$(grep -c '^LEAK.*eof-ignored .*[0-9]s$' <<<"$OUT")" -eq 2 ]
}
t_ok "two findings have a table before them, a line each" t_wait_for $VERDICT_S finds_both
t_is "with headings, and above the first block" \
	"$(grep -E '^(SEVERITY|LEAK.*pid)' <<<"$OUT" | head -n 1 | tr -s ' ')" "SEVERITY VERDICT PID NAME SOCKETS AGE"
exec 7>&-
t_join second 10

# ---- what is asked for decides ----------------------------------------------------------------------

doctor --text --verdict ghost-fd,not-polled
t_is "other verdicts were not found" "$STATUS" 0
is_like "and it is said that something was left out" "$OUT" '^Nothing wrong of what was asked for: '
doctor --verdict ghost-fd --verdict eof-ignored --severity leak --pid "$GUILTY"
t_is "this verdict, severity and process were" $STATUS 1
doctor --pid $$
t_is "another process is healthy" $STATUS 0
doctor --owners proc "$ONLY"
t_is "the leak is found by /proc" "$STATUS $(tail -n 1 <<<"$OUT" | cut -f 3)" "1 eof-ignored"
doctor --owners bpf "$ONLY"
if [ $STATUS -eq 77 ]; then
	is_like "without BPF the reason is told" "$ERR" '^lastack doctor: .{20}'
else
	t_is "the leak is found by BPF" "$STATUS $(tail -n 1 <<<"$OUT" | cut -f 3)" "1 eof-ignored"
fi

# ---- again and again --------------------------------------------------------------------------------

doctor --json --watch 200ms --count 3 "$ONLY"
t_is "a watch writes one object for each look" "$STATUS $(grep -c '^{"host":.*}$' <<<"$OUT")" "1 3"
t_is "the first look knows no growth" "$(head -n 1 <<<"$OUT" | grep -c '"growth_per_min":null')" 1
t_is "the last one knows that there is none" "$(member growth_per_min)" 0
doctor --watch 200ms --count 4 "$ONLY"
t_is "rows are written when something has changed: the growth is known now" \
	"$(cut -f 3,13 <<<"$OUT" | tr '\n\t' ' :')" "verdict:growth-per-min eof-ignored:- eof-ignored:0 "
doctor --text --watch 200ms --count 4 "$ONLY"
t_is "and so are blocks, with an empty line between two looks" "$(grep -c '^LEAK' <<<"$OUT")" 2
is_like "the last line says with what was compared" "$ERR" '^Compared with [0-9.]+ m?s before\. Owners '

t_run watch "$LASTACK" doctor --watch 100ms
t_wait_for 20 test -s "$T_DIR/watch.out"
t_stop watch INT
t_is "SIGINT ends a watch with the status of the last look" "$T_STATUS" 1
"$LASTACK" doctor --text >/dev/full 2>"$T_DIR/err"
t_is "an output that takes nothing is a failure with a sentence" \
	"$? $(grep -c 'cannot write to standard output' "$T_DIR/err")" "1 1"
leak_ends leak
t_is "the leak ends" "$T_STATUS" 0
doctor --severity leak
t_is "and leaves a healthy namespace" $STATUS 0

# A program may be called anything: here what clears a screen and begins a line.
evil=$T_DIR/$(printf 'a\033[2J\nb')
cp "$LEAK" "$evil"
leak evil "$evil"
t_ok "a leak with an evil name is found" t_wait_for $VERDICT_S finds_leak
doctor --text "$ONLY"
t_is "its name is made harmless in text" \
	"$(grep -c $'\033' <<<"$OUT") $(grep -cF '(a\x1b[2J\nb)' <<<"$OUT")" "0 1"
doctor "$ONLY"
t_is "and in rows" "$(grep -c $'\033' <<<"$OUT") $(tail -n 1 <<<"$OUT" | cut -f 5)" '0 a\x1b[2J\nb'
doctor --json "$ONLY"
t_is "and in JSON" "$(grep -c $'\033' <<<"$OUT") $(member comm)" '0 "a\u001b[2J\nb"'
leak_ends evil

# ---- words ------------------------------------------------------------------------------------------

doctor --list-verdicts
t_is "there are 18 verdicts, in a pipe a line of three fields each" \
	"$(grep -Ec $'^[a-z0-9-]+\t(leak|warning|info)\t[^\t]+$' <<<"$OUT") $(wc -l <"$T_DIR/out")" "18 18"
bad='' explained=0
while read -r verdict _; do
	explained=$((explained + 1))
	doctor --explain "$verdict"
	[ $STATUS -eq 0 ] && [ "$(wc -l <"$T_DIR/out")" -le 24 ] && [ "$(awk 'length > 80' "$T_DIR/out")" = "" ] &&
		grep -q "^$verdict (" "$T_DIR/out" && grep -q '^Remedy ' "$T_DIR/out" || bad="$bad $verdict"
	grep -q "^\.It Li $verdict No (" man/lastack-verdicts.7 || bad="$bad $verdict(7)"
done < <(grep -E '^[a-z]' <<<"$OUT")
t_is "each is explained in a screenful, and in lastack-verdicts(7)" "$explained$bad" 18
doctor --explain all
t_is "--explain all explains all" "$STATUS $(grep -c '^Remedy ' <<<"$OUT")" "0 18"
doctor --explain EOF_IGNORD
t_is "a mistyped verdict gets the nearest one, in one sentence" \
	"$STATUS $(grep -c "list-verdicts names them.*not 'EOF_IGNORD'; did you mean 'eof-ignored'?$" <<<"$ERR") $(wc -l <"$T_DIR/err")$OUT" \
	"2 1 1"
doctor --help
t_is "the help is no wider than 80 columns" "$STATUS $(awk 'length > 80' <<<"$OUT" | wc -l)" "0 0"

bad=
while read -r words; do
	# shellcheck disable=SC2086 # several options
	doctor $words
	[ $STATUS -eq 2 ] && [ -z "$OUT" ] && grep -q '^lastack doctor: .\{15\}' <<<"$ERR" || bad="$bad ($words: $STATUS)"
done <<-'END'
	--verdict nonsense
	--verdict eof-ignored,,ghost-fd
	--verdict eof-ignored-but-much-longer-than-any-verdict-may-ever-be
	--severity bad
	--pid 0
	--pid -1
	--pid 12x
	--pid 99999999999999999999
	--pid 1,,2
	--owners me
	--watch 0
	--watch soon
	--watch never
	--explain all --json
	--list-verdicts --json
	--watch -5
	--count 3
	--watch 1 --count 0
	--json --text
	--json --quiet
	--text --quiet
	--explain
	--explain nothing
	operand
	--nonsense
END
t_is "bad input gets a sentence and exit status 2" "$bad" ""
sh -c 'exit 0' &
gone=$!
wait $gone
doctor --pid $gone
t_is "a process that is gone is not called healthy" "$STATUS $(grep -c 'no such process' <<<"$ERR")" "2 1"
t_stop server
t_done
