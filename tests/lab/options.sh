#!/bin/sh
# SPDX-License-Identifier: MIT
# options.sh: lab's command line: what it takes, what it refuses and with which words; list and show.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh
t_plan 47

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
refused "a path is no name" "words with one dot between" run "$id" --sysctl net/../kernel/panic=1
refused "a report needs a known suffix" "ends with .html or .md" run "$id" --report "$T_DIR/x.txt"
refused "a report needs its directory" "cannot write" run "$id" --report "$T_DIR/none/x.html"
refused "nor are two dots" "words with one dot between" run "$id" --sysctl net..ipv4.tcp_sack=0
refused "nor is one at the end" "words with one dot between" run "$id" --sysctl net.ipv4.=0
mkdir "$T_DIR/directory.html"
refused "a report does not replace a directory" "no regular file" run "$id" --report "$T_DIR/directory.html"
: >"$T_DIR/file"
refused "captures need a directory" "is none" run "$id" --keep-pcap "$T_DIR/file"
refused "whose parent is there" "cannot make the directory" run "$id" --keep-pcap "$T_DIR/none/captures"

# Options as --help has them and as the man page has them: "--seeds", "-s".
"$LASTACK" lab run --help | sed -n '/^run:/,/^examples:/p' | grep -o '^  *\(-[a-zA-Z], \)\{0,1\}--[a-z-]*' |
	tr -d ' ' | tr , '\n' | grep -vx -e '-[hV]' -e --help -e --version | LC_ALL=C sort >"$T_DIR/help"
sed -n 's/^\.It \(Fl .*\)/\1/p' man/lastack-lab.1 | grep -o 'Fl [a-zA-Z-][a-z-]*' | sed 's/^Fl /-/' |
	LC_ALL=C sort >"$T_DIR/man"
t_is "the man page has the options that there are" "$(cat "$T_DIR/man")" "$(cat "$T_DIR/help")"
claims=$("$LASTACK" lab list | sed 1d | wc -l)
t_is "who counts the claims counts all of them" \
	"$(grep -ohE '[0-9]+ claims' README.md CHANGELOG.md | sort -u)" "$claims claims"
"$LASTACK" lab run "$(printf '\033[31m\nx')" >"$T_DIR/out" 2>"$T_DIR/err"
t_is "what was given comes back without control characters, on one line" \
	"$? $(wc -l <"$T_DIR/err") $(tr -d '\n' <"$T_DIR/err" | tr -cd '[:cntrl:]' | wc -c)" "2 1 0"
# shellcheck disable=SC2016 # its own words
t_ok "and not at any length" sh -c '"$1" lab run "$(head -c 100000 /dev/zero | tr "\0" x)" 2>&1 | test "$(wc -c)" -lt 5000' \
	- "$LASTACK"
# shellcheck disable=SC2094 # it is refused
"$LASTACK" lab run "$id" --report "$T_DIR/same.md" >"$T_DIR/same.md" 2>"$T_DIR/err"
t_is "a report does not go where the output goes" "$? $(grep -c 'standard output goes already' "$T_DIR/err")" "2 1"
ln -s nowhere.md "$T_DIR/link.md"
refused "nor through a link that leads nowhere" "cannot write" run "$id" --report "$T_DIR/link.md"
"$LASTACK" lab run "$id" --keep-pcap "$T_DIR/made" --sysctl net.no_such=1 2>"$T_DIR/err"
t_is "what is refused makes no directory" "$? $(ls -d "$T_DIR/made" 2>/dev/null)" "2 "
t_is "and leaves no file" "$(find "$T_DIR" -name '.lastack-*')" ""

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
