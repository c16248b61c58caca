#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# list.sh: lastack list of real sockets in a namespace of its own: each state and each kind of owner in both
# ways, the filters, the order, and every form of output. Both ends of all connections are processes of ours:
#
#	this shell   fd 11 -> "host"   that accepts one connection, reads nothing and keeps it; it has a child
#	             fd 12 -> "host"   waits for the accept() that never comes
#	             fd 13 -> "parting", which has closed: CLOSE_WAIT here, held by "heir" as well
#	             fd 14 -> "parting", which has sent an RST: gone, but the descriptor is there
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
ip link set lo up || t_skip_all "the loopback cannot be set up"
t_plan 107

# list OPTION...: OUT, ERR, STATUS. Our sockets are not for it.
list() {
	timeout 60 "$LASTACK" list "$@" >"$T_DIR/out" 2>"$T_DIR/err" 11>&- 12>&- 13>&- 14>&-
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
rows() { list --no-header "$@" && wc -l <"$T_DIR/out"; } # how many
# shellcheck disable=SC2317 # called by t_wait_for
has_rows() { [ "$(rows "${@:2}")" = "$1" ]; }
# refuses SENTENCE EXPECTED OPTION...: exit status 2 and a sentence.
refuses() {
	list "${@:3}"
	is_like "$1" "$STATUS$OUT: $ERR" "^2: lastack list: $2"
}

# peer NAME OPTION... ACTION...: a server of one script; PORT is where it listens.
peer() {
	t_run "$1" "$PEER" --port-file "$T_DIR/$1.port" "${@:2}"
	t_wait_for 10 test -s "$T_DIR/$1.port"
	PORT=$(cat "$T_DIR/$1.port")
}

# ---- the sockets --------------------------------------------------------------------------------------

peer host --address :: hold && host=$PORT
peer parting --connections 3 read:1 wait:"$T_DIR/go" close && parting=$PORT
peer rude unlisten rst && rude=$PORT
exec 11<>"/dev/tcp/127.0.0.1/$host"
t_wait_for 10 has_rows 1 --state established --local-port "$host" --pid "$(t_pid host)"
exec 12<>"/dev/tcp/::1/$host"
exec 13<>"/dev/tcp/127.0.0.1/$parting" && echo >&13
exec 14<>"/dev/tcp/127.0.0.1/$rude"
# It inherits 13 alone.
mkfifo "$T_DIR/never"
# shellcheck disable=SC2016 # for that shell
t_run heir sh -c 'read -r line <"$0"' "$T_DIR/never" 11>&- 12>&- 14>&-
touch "$T_DIR/go"
t_wait_for 10 has_rows 1 --state close-wait --remote-port "$parting"
# One more that both sides close, the peer first.
exec 15<>"/dev/tcp/127.0.0.1/$parting" && echo >&15
t_wait_for 10 has_rows 2 --state close-wait --remote-port "$parting"
exec 15>&-
t_wait_for 10 has_rows 1 --state time-wait --local-port "$parting"
t_wait_for 10 has_rows 1 --state closed --pid $$
me=$(cat /proc/$$/comm) heir=$(t_pid heir) host_pid=$(t_pid host)

# ---- owners, in both ways -----------------------------------------------------------------------------

owners() { # WAY STATE PORT-FILTER PORT: of that socket
	list --owners "$1" --no-header --columns owners --state "$2" "$3" "$4"
}
for way in proc bpf; do
	list --owners "$way"
	if [ $STATUS -eq 77 ]; then
		is_like "$way: the reason is said" "$ERR" '^lastack list: .*BPF: .'
		for sentence in queue both accepted nobody kernel ghost; do t_skip "$way: $sentence" "$ERR"; done
		continue
	fi
	t_is "$way: it lists" $STATUS 0
	owners $way established --remote-port "$host"
	t_is "$way: who holds both ends of a connection" "$(sort <<<"$OUT")" \
		"$(printf '%s\n' "${me}[$$] fd 11" "${me}[$$] fd 12" | sort)"
	owners $way established --local-port "$host"
	t_is "$way: one is accepted, the other belongs to who should accept it" "$(sort <<<"$OUT")" \
		"$(printf 'never accepted: peer[%s] fd %s\npeer[%s] fd %s\n' "$host_pid" 3 "$host_pid" 4)"
	owners $way close-wait --remote-port "$parting"
	t_is "$way: all owners of one socket" "$(tr ';' '\n' <<<"$OUT" | sed 's/^ //' | sort)" \
		"$(printf '%s\n' "${me}[$$] fd 13" "sh[$heir] fd 13" | sort)"
	owners $way fin-wait-2 --local-port "$parting"
	t_is "$way: nobody holds what was closed" "$OUT" "nobody: kernel ends it"
	owners $way time-wait --local-port "$parting"
	t_is "$way: TIME_WAIT needs nobody" "$OUT" "kernel: ends by itself"
	list --owners $way --no-header --columns state,local,owners --state closed --pid $$
	t_is "$way: a descriptor outlives its connection" "$OUT" "$(printf 'CLOSED\t-\t%s' "${me}[$$] fd 14")"
done

# ---- cells --------------------------------------------------------------------------------------------

list --state close-wait --remote-port "$parting"
t_is "TSV has a header line" "$(head -n 1 "$T_DIR/out")" \
	"$(printf 'state\trecv-q\tsend-q\tlocal\tremote\tage-s\tage-is\ttimer\towners')"
is_like "a FIN that was not read counts as one byte, and tells its age" "$OUT" \
	"$(printf '\nCLOSE_WAIT\t1\t0\t127.0.0.1:[0-9]+\t127.0.0.1:%s\t[0-9]+\\.[0-9]{3}\t(exact|lower-bound)\t' "$parting")"
list --no-header --columns state,recv-q,send-q,local,remote,uid,inode -l --port "$host"
is_like "a listener: who waits, the backlog, any address" "$OUT" \
	"^$(printf 'LISTEN\t1\t[1-9][0-9]*\t\\[::\\]:%s\t\\[::\\]:\\*\t[0-9]+\t[1-9][0-9]*' "$host")\$"
list --no-header --columns local,remote --state established --local-port "$host" --address 127.0.0.0/8
is_like "IPv4 on a listener of IPv6 is shown as it is mapped" "$OUT" \
	"^$(printf '\\[::ffff:127.0.0.1\\]:%s\t\\[::ffff:127.0.0.1\\]:[0-9]+' "$host")\$"
list --no-header --columns timer,age-is,inode,uid --state time-wait --local-port "$parting"
is_like "TIME_WAIT has a timer, hence an exact age, and no inode" "$OUT" \
	"^$(printf 'time-wait [0-9]+s\texact\t-\t-')\$"
list --no-header --columns timer --state fin-wait-2 --local-port "$parting"
is_like "FIN_WAIT2 that nobody holds ends by a timer" "$OUT" '^fin-timeout [0-9.]+s$'
list --no-header --columns +cookie,retransmits --state close-wait --remote-port "$parting"
t_is "+NAME,... adds columns to the usual ones" "$(awk -F'\t' '{print NF}' "$T_DIR/out")" 11
list --columns +cookie --state close-wait --remote-port "$parting"
t_is "before the owners" "$(head -n 1 "$T_DIR/out" | cut -f 8-)" "$(printf 'timer\tcookie\towners')"
list --wide --state close-wait --remote-port "$parting"
is_like "--wide has container and cgroup" "$(head -n 1 "$T_DIR/out")" "$(printf 'container\tcgroup\towners')"
list -tanpo --port "$parting"
t_is "ss and netstat users may type -tanpo" $STATUS 0

# ---- filters ------------------------------------------------------------------------------------------

# counts SENTENCE COUNT OPTION...
counts() { t_is "$1" "$(rows "${@:3}")" "$2"; }
# Of the port of "host": the listener, two accepted or waiting, two of ours.
counts "--port: either end" 5 --port "$host"
counts "--local-port" 3 --local-port "$host"
counts "--remote-port" 2 --remote-port "$host"
counts "a range of ports, several" 5 --port "1-2,$host-$host"
counts "--state in any case, several, with - or _" 4 --port "$host" --state ESTAB,close_wait
counts "--state more than once" 5 --port "$host" --state listen --state established
counts "--state connected" 4 --port "$host" --state connected
counts "--state all-but-STATE" 1 --port "$host" --state all-but-established
counts "--pid: what it holds and what waits for its accept()" 3 --pid "$host_pid"
counts "--command with a star" 3 --command 'pee*' --port "$host"
counts "--command of nobody" 0 --command 'pee'
counts "--address: IPv4 is IPv4 also where it is mapped" 2 --address 127.0.0.1 --port "$host" --state established
counts "--address: the same written as mapped" 2 --address ::ffff:127.0.0.1 --port "$host" --state established
counts "--address: a prefix of IPv6 is IPv6" 3 --address ::/0 --port "$host"
counts "-4: also as it is mapped" 2 -4 --port "$host"
counts "-6: neither that nor IPv4" 3 -6 --port "$host"
counts "both: all" 5 -46 --port "$host"
counts "all filters must match" 1 --port "$host" --pid $$ --address ::1
counts "--min-age: too young" 0 --port "$host" --min-age 1h
counts "--min-age 0 is any age" 5 --port "$host" --min-age 0
counts "--cgroup that is not" 0 --cgroup /no/such/group
counts "--container that is not" 0 --container none
list --state time-wait,close-wait,established --port 1
t_is "nothing found is no failure" "$STATUS: $(wc -l <"$T_DIR/out")" "0: 1"

# ---- order --------------------------------------------------------------------------------------------

# With one address the order of local is that of ports, mapped or not.
list --no-header --columns local --sort local --address 127.0.0.0/8 --state all-but-listen
ports=$(awk -F: '{print $NF}' "$T_DIR/out")
t_is "--sort local" "$ports" "$(sort -n <<<"$ports")"
list --no-header --columns recv-q --sort -recv-q
t_is "--sort -recv-q: descending" "$OUT" "$(sort -rn <<<"$OUT")"
list --no-header --columns state --sort state
t_is "--sort state" "$OUT" "$(LC_ALL=C sort <<<"$OUT")"
list --no-header --columns age-s --sort=-age
t_is "--sort -age: what has none comes last" "$OUT" \
	"$(grep -v '^-' <<<"$OUT" | sort -rn; grep '^-' <<<"$OUT")"

# ---- counts -------------------------------------------------------------------------------------------

field() { awk -F'\t' -v want="$2" -v pid="$1" 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == want) at = i}
	NR > 1 && $1 == pid {print $at}' "$T_DIR/out"; }
list --summary --port "$host"
t_is "--summary: all first, each socket once" "$(awk -F'\t' 'NR == 2 {print $2, $3}' "$T_DIR/out")" "(all) 5"
t_is "by process" "$(field $$ sockets) $(field $$ established) $(field "$host_pid" listen)" "2 2 1"
t_is "what waits for its accept()" "$(field "$host_pid" unaccepted)" 1
t_is "descriptors used" "$(field "$host_pid" fds)" "$(find "/proc/$host_pid/fd" -mindepth 1 | wc -l)"
t_is "and their limit" "$(field "$host_pid" fd-limit)" "$(awk '/^Max open files/ {print $4}' "/proc/$host_pid/limits")"
list --summary --state time-wait,fin-wait-2 --port "$parting"
is_like "what no process holds is counted by why" "$OUT" "$(printf '\n-\t\\(kernel: TIME_WAIT\\)\t1\t')"

# ---- JSON ---------------------------------------------------------------------------------------------

list --json --port "$host" --port "$parting"
t_is "--json is one line" "$(wc -l <"$T_DIR/out")" 1
is_like "it begins with host, kernel, time and coverage" "$OUT" \
	'^\{"host":"[^"]*","kernel":"[^"]*","taken_at":"[0-9-]+T[0-9:]+Z","coverage":\{"owners_by":"(bpf|proc)"'
is_like "owners with descriptors" "$OUT" "\{\"pid\":$$,\"comm\":\"$me\",[^}]*\"fds\":\[13\]\}"
is_like "the listener of what was never accepted, and its owners" "$OUT" \
	"\"owned\":\"never-accepted\",\"owners\":\[\],\"listener\":\{\"local\":\"\[::\]:$host\".*\"pid\":$host_pid"
is_like "its age in seconds, where it is" "$OUT" \
	'"age_s":[0-9.]+,"age_is":"(exact|lower-bound)",.*,"namespace":"[^"]+","namespace_inode":[0-9]+,'
is_like "numbers say their unit" "$OUT" '"recv_q_bytes":1,"send_q_bytes":0,'
is_like "--json --summary" "$("$LASTACK" list --json --summary --port "$host" 11>&- 12>&- 13>&- 14>&-)" \
	'"socket_count":5,"states":\{"ESTABLISHED":4,"LISTEN":1\},"processes":\['
if command -v python3 >/dev/null; then
	t_ok "another program can read it" python3 -c 'import json, sys
whole = json.load(open(sys.argv[1]))
assert len(whole["sockets"]) >= 5, whole
assert all(len(s) == len(whole["sockets"][0]) for s in whole["sockets"]), "members differ"' "$T_DIR/out"
else
	t_skip "another program can read it" "no python3"
fi

# ---- again and again ----------------------------------------------------------------------------------

timeout 60 "$LASTACK" list --watch 100ms --no-header --columns local -l --port "$host" 2>"$T_DIR/err" \
	11>&- 12>&- 13>&- 14>&- | head -n 3 >"$T_DIR/out"
t_is "--watch ends quietly when its reader does" "${PIPESTATUS[0]}: $(grep -v '^Owners were found' "$T_DIR/err")" "1: "
t_is "blocks are separated by an empty line" "$(cat "$T_DIR/out")" "$(printf '[::]:%s\n\n[::]:%s' "$host" "$host")"
list -w 0.1 --count 2 --json --port "$host"
t_is "--count ends it" "$STATUS: $(wc -l <"$T_DIR/out")" "0: 2"
timeout 60 "$LASTACK" list --watch 0.1 --json --port "$host" 2>/dev/null 11>&- 12>&- 13>&- 14>&- |
	head -n 2 >"$T_DIR/out"
t_is "of JSON each look is a line" "$(grep -c '^{"host":.*}$' "$T_DIR/out")" 2
t_run watch "$LASTACK" list --watch 1h --no-header -l --port "$host" 11>&- 12>&- 13>&- 14>&-
t_wait_for 10 test -s "$T_DIR/watch.out"
t_stop watch TERM 5
t_is "a signal ends it" $T_STATUS 0

# script(1) asks for SHELL; a plain sh knows no descriptors above 9.
SHELL=$(command -v bash)
export SHELL

# ---- a terminal ---------------------------------------------------------------------------------------

# on_terminal COLUMNS OPTION...: what stands on it in OUT.
on_terminal() {
	OUT=$(script -qec "stty rows 12 cols $1; exec '$LASTACK' list $2 11>&- 12>&- 13>&- 14>&-" /dev/null </dev/null | tr -d '\r')
}
if [ "$(script -qec 'echo yes' /dev/null </dev/null 2>/dev/null | tr -d '\r')" = yes ]; then
	on_terminal 240 "--port $host"
	is_like "a terminal gets a table" "$OUT" '^STATE +RECV-Q +SEND-Q +LOCAL +REMOTE +AGE  TIMER +OWNERS$'
	is_like "with the coverage below" "$(grep '^5 sockets' <<<"$OUT")" '^5 sockets\. Owners were found (by BPF|in /proc)'
	on_terminal 86 "--port $host"
	t_is "no line is wider than it" "$(awk 'length > 86' <<<"$OUT" | wc -l)" 0
	is_like "owners that do not fit have lines of their own" "$OUT" "^        never accepted: peer\[$host_pid\] fd 3$"
	is_like "no other column is missing" "$OUT" '^STATE +(RECV-Q +SEND-Q|RQ +SQ) +LOCAL +REMOTE +AGE'
	on_terminal 66 "--port $host"
	is_like "what is left out is said" "$OUT" '^5 sockets\. Left out: timer; --wide shows all\.'
	on_terminal 66 "-o --port $host"
	is_like "unless -o asks for it" "$OUT" '^STATE .* AGE TIMER$'
	on_terminal 30 "--port $host"
	is_like "lines that cannot be narrower are wrapped by the terminal" "$OUT" \
		'^ESTABLISHED +0 +0 \[::1\]:[0-9]+ +\[::1\]:[0-9]+ +>?=?[0-9a-z.]+$'
	on_terminal 70 "--port $host --wide"
	is_like "unless --wide" "$OUT" "^ESTABLISHED .*never accepted: peer\[$host_pid\] fd 3$"
	on_terminal 80 "--port $host --summary"
	is_like "--summary has the states that occur, the most frequent first" "$OUT" \
		'^ *PID +COMM +SOCKETS +FDS +UNACCEPTED +ESTABLISHED +LISTEN$'
	is_like "and descriptors as USED/LIMIT" "$OUT" "^ *$host_pid +peer +2 +[0-9]+/[0-9]+ +1 +1 +1$"
	t_run screen script -qec "stty rows 12 cols 80; exec '$LASTACK' list --watch 100ms --sort state" "$T_DIR/typescript" \
		11>&- 12>&- 13>&- 14>&-
	# shellcheck disable=SC2016 # for that shell
	t_wait_for 10 sh -c '[ "$(grep -c "every 100 ms" "$1")" -ge 3 ]' sh "$T_DIR/typescript"
	t_result $? "--watch draws again and again"
	t_stop screen TERM 5
	is_like "and says what does not fit" "$(cat "$T_DIR/typescript")" '\([0-9]+ more lines do not fit\)'
else
	for sentence in table coverage width lines columns out timers longer wide summary fds watch fit; do t_skip "terminal: $sentence" "no script(1)"; done
fi

# ---- what cannot be -----------------------------------------------------------------------------------

refuses "a mistyped state gets the nearest name" "--state needs .*not 'close_wiat'; did you mean 'close-wait'" --state close_wiat
refuses "a mistyped key" "--sort \[-\]KEY needs .*did you mean 'age'" --sort -agee
refuses "a mistyped column" "--columns needs .*did you mean 'owners'" --columns state,owner
refuses "no port" "--port needs a port number from 1 to 65535" --port 0
refuses "no pid" "--pid needs" --pid me
refuses "no address" "--address needs a numeric address" --address localhost
refuses "--watch without a pause" "--watch needs a time" --watch 0
refuses "--summary has an order of its own" "--summary" --summary --sort age
refuses "an operand of ss" "only options are taken, .* write --state close-wait" state close-wait
refuses "a filter of ss" "only options are taken, .* write --local-port 22" '( sport = :22 )'
refuses "-u among letters" "there is no option '-u': only TCP is listed" -tulpn
refuses "-u as the first of them" "there is no option '-u': only TCP is listed" -ulpn
refuses "--count of one look" "--count needs --watch" --count 2
refuses "a mistyped option" "there is no option '--colums'; did you mean --columns" --colums state
timeout 60 "$LASTACK" list >/dev/full 2>"$T_DIR/err" 11>&- 12>&- 13>&- 14>&-
t_is "a full disk is a failure with a reason" "$?: $(cat "$T_DIR/err")" \
	"1: lastack list: cannot write to standard output: No space left on device"
mkfifo "$T_DIR/pipe"
# shellcheck disable=SC2094 # two ends of one pipe, of which one is closed
exec 8<>"$T_DIR/pipe" 9>"$T_DIR/pipe" 8>&-
timeout 60 "$LASTACK" list >&9 2>"$T_DIR/err" 11>&- 12>&- 13>&- 14>&-
t_is "a closed output is a quiet failure" "$?: $(cat "$T_DIR/err")" "1: "
exec 9>&-

# ---- completion ---------------------------------------------------------------------------------------

# completed OPTION: the names that bash proposes for its value, a line each.
completed() {
	PATH=$(dirname "$LASTACK"):$PATH bash -c '. completions/lastack.bash
		COMP_WORDS=(lastack list "$1" "") COMP_CWORD=3 && _lastack && printf "%s\n" "${COMPREPLY[@]}"' bash "$1"
}
# accepted OPTION: the names in the sentence that refuses another one.
accepted() { "$LASTACK" list "$1" no-such-name 2>&1 | sed 's/.* needs //; s/, not .*//; s/ or /, /g; s/, /\n/g'; }
t_is "bash completes the columns that there are" "$(completed --columns | sort)" "$(accepted --columns | sort)"
t_is "and the keys of --sort, either way" "$(completed --sort | sort)" \
	"$(accepted --sort | sed 'p; s/^/-/' | sort)"
list --state "$(completed --state | paste -sd ,)"
t_is "all states that it proposes are states" "$STATUS: $ERR$(completed --state | grep -cx close-wait)" "0: ${ERR}1"

# ---- without privilege --------------------------------------------------------------------------------

as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$@"; }
cp "$LASTACK" "$T_DIR/lastack" && chmod 711 "$T_DIR"
if as_nobody "$T_DIR/lastack" --version >/dev/null 2>&1; then
	as_nobody "$T_DIR/lastack" list --no-header --columns owners --port "$host" -l >"$T_DIR/out" 2>"$T_DIR/err" 11>&- 12>&- 13>&- 14>&-
	t_is "without privilege sockets are listed all the same" "$?: $(cat "$T_DIR/out")" "0: not permitted to see"
	is_like "and what could not be seen is said" "$(cat "$T_DIR/err")" \
		'in /proc, not by BPF: .*\. The descriptors of [0-9]+ of [0-9]+ processes may not be seen'
	as_nobody "$T_DIR/lastack" list --owners bpf >"$T_DIR/out" 2>"$T_DIR/err" 11>&- 12>&- 13>&- 14>&-
	is_like "--owners bpf cannot: 77 and the reason" "$?$(cat "$T_DIR/out"): $(cat "$T_DIR/err")" '^77: lastack list: .*BPF: .'
else
	for sentence in listed said bpf; do t_skip "without privilege: $sentence" "cannot become nobody here"; done
fi

# ---- other namespaces ---------------------------------------------------------------------------------

if unshare -n true 2>/dev/null; then
	# shellcheck disable=SC2016 # for that shell
	t_run other unshare -n sh -c 'ip link set lo up; exec "$0" --port-file "$1" hold' "$PEER" "$T_DIR/other.port" \
		11>&- 12>&- 13>&- 14>&-
	t_wait_for 10 test -s "$T_DIR/other.port"
	counts "another namespace is not ours" 0 -l --pid "$(t_pid other)"
	list --all-netns -l --pid "$(t_pid other)"
	is_like "--all-netns lists it, with the namespace" "$OUT" \
		"$(printf '\t127.0.0.1:%s\t.*\t%s\tpeer\\[%s\\] fd 3$' "$(cat "$T_DIR/other.port")" \
			"$(readlink "/proc/$(t_pid other)/ns/net" | sed 's/[][]/\\&/g')" "$(t_pid other)")"
else
	for sentence in ours listed; do t_skip "namespaces: $sentence" "no network namespaces here"; done
fi
t_done
