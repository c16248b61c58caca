#!/bin/sh
# SPDX-License-Identifier: MIT
# options.sh: lab's command line: what it takes, what it refuses and with which words; list and show.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh
t_plan 37

# refused SENTENCE WORDS ARGUMENT...: exit 2, nothing on standard output, these words on standard error.
refused() {
	sentence=$1 words=$2 && shift 2
	"$LASTACK" lab "$@" >"$T_DIR/out" 2>"$T_DIR/err" </dev/null
	t_is "$sentence" "$? $(wc -c <"$T_DIR/out") $(grep -cF -- "$words" "$T_DIR/err")" "2 0 1"
	grep -qF -- "$words" "$T_DIR/err" || t_note "$(cat "$T_DIR/err")"
}

id=$("$LASTACK" lab list | sed -n '2s/	.*//p')
refused "lab alone is refused" "is missing"
refused "a verb that is near is suggested" "did you mean 'list'?" lst
refused "another one is refused with all three" "none of list, show and run" measure
refused "a claim without its verb is told the verb" "lastack lab run $id tries it" "$id"
refused "run needs a claim" "needs the id of a claim or --all" run
refused "an unknown claim that is near is suggested" "did you mean '$id'?" run "${id%?}"
refused "another unknown claim is sent to the list" "lastack lab list names them all" run zzz
refused "so is one among known ones, before anything runs" "there is no claim 'zzz'" run "$id" zzz
refused "--all excludes claims" "--all and '$id' exclude each other" run --all "$id"
refused "show needs a claim" "needs the id of one claim" show
refused "show takes one" "needs the id of one claim" show "$id" "$id"
refused "show knows the near one as well" "did you mean '$id'?" show "${id%?}"
refused "list takes none" "takes no operand" list "$id"
for option in --all --verbose "--seeds 2" "--jobs 2" "--keep-pcap x" "--report x.html" "--sysctl net.ipv4.tcp_sack=0"; do
	# shellcheck disable=SC2086 # two words
	refused "list has no ${option%% *}" "${option%% *} belongs to run" list $option
done
refused "seeds are bounded below" "--seeds needs a whole number from 1 to 100" run "$id" --seeds 0
refused "seeds are bounded above" "--seeds needs a whole number from 1 to 100" run "$id" --seeds 101
refused "--json and --verbose exclude each other" "without --verbose" run "$id" --json --verbose
refused "a sysctl needs a value" "needs NAME=VALUE" run "$id" --sysctl net.ipv4.tcp_sack
refused "and not an empty one" "needs NAME=VALUE" run "$id" --sysctl net.ipv4.tcp_sack=
refused "a sysctl of the whole system is refused" "begin with net." run "$id" --sysctl kernel.panic=1
refused "a path is no name" "needs NAME=VALUE" run "$id" --sysctl net/../kernel/panic=1
refused "a report needs a known suffix" "ends with .html or .md" run "$id" --report "$T_DIR/x.txt"
refused "a report needs its directory" "cannot write into" run "$id" --report "$T_DIR/none/x.html"
mkdir "$T_DIR/directory.html"
refused "a report does not replace a directory" "no regular file" run "$id" --report "$T_DIR/directory.html"
: >"$T_DIR/file"
refused "captures need a directory" "is none" run "$id" --keep-pcap "$T_DIR/file"
refused "whose parent is there" "cannot make the directory" run "$id" --keep-pcap "$T_DIR/none/captures"

t_ok "list has at least 30 claims" test "$("$LASTACK" lab list | sed 1d | wc -l)" -ge 30
t_is "each once" "$("$LASTACK" lab list | sed 1d | cut -f1 | sort | uniq -d)" ""
t_is "each row has three cells, none of them empty" \
	"$("$LASTACK" lab list | awk -F'\t' 'NF != 3 || $1 == "-" || $2 == "-" || $3 == "-"')" ""
# Every claim says all of itself: who says so, what decides, how it is tried, what must come out the other way.
short=
for claim in $("$LASTACK" lab list | sed 1d | cut -f1); do
	"$LASTACK" lab show "$claim" >"$T_DIR/shown" || short="$short $claim"
	for label in Said "Decided by" Set-up Procedure Linux Control Documented; do
		grep -q "^$label  *[^ ]" "$T_DIR/shown" || short="$short $claim:$label"
	done
	grep -q "^lastack lab run $claim\$" "$T_DIR/shown" || short="$short $claim:run"
done
t_is "show tells all of every claim" "$short" ""
if command -v python3 >/dev/null; then
	"$LASTACK" lab list --json >"$T_DIR/list.json"
	"$LASTACK" lab show "$id" --json >"$T_DIR/show.json"
	t_ok "list --json and show --json are JSON, and of one mind" python3 -c '
import json, sys
claims = json.load(open(sys.argv[1]))["claims"]
assert len(claims) >= 30 and claims[0] == json.load(open(sys.argv[2])), claims[0]
for claim in claims:
    for text in "claim", "said", "decides", "setup", "procedure", "outcome", "control":
        assert claim[text], (claim["id"], text)
' "$T_DIR/list.json" "$T_DIR/show.json"
else
	t_skip "list --json and show --json are JSON, and of one mind" "no python3"
fi
t_done
