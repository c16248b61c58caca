#!/bin/bash
# SPDX-License-Identifier: MIT
#
# stomp.sh - lastack send stomp:// against a broker that is not ours, and that does all kinds of things:
# what is said to it, which receipts count, and what becomes of the link when it fails.
. tests/send/lib_send.sh
t_plan 78

tab=$(printf '\t')
lines() { seq -f 'line %g' "$1"; } # lines N

# ---- what is said
broker plain
send -H persistent:true -H 'a:b:c' --content-type text/plain --sender-id me.1-x --vhost / --heartbeat 5s \
	"stomp://ann@127.0.0.1:$T_PORT/queue/a%20b" < <(printf 'one\ntwo:x\n\nfour')
t_is "four lines, the last without newline: status 0" "$STATUS" 0
t_ok "CONNECT: versions, --vhost, the URL's user, --heartbeat" \
	got plain "^1${tab}CONNECT${tab}accept-version:1.0,1.1,1.2${tab}host:/${tab}login:ann${tab}heart-beat:5000,5000${tab}$"
t_ok "SEND: destination, --content-type, each --header, ids, the line" got plain \
	"^1${tab}SEND${tab}destination:/queue/a b${tab}content-type:text/plain${tab}persistent:true${tab}a:b\\\\cc${tab}record-id:me.1-x-([0-9]+)${tab}receipt:\\1${tab}content-length:3${tab}=one$"
t_ok "an empty line is an empty record" got plain "record-id:me.1-x-[0-9]+${tab}receipt:[0-9]+${tab}content-length:0${tab}$"
t_ok "a colon in the body stays" got plain '=two:x$'
t_is "four records, no more" "$(frames plain "${tab}SEND${tab}")" 4
t_ok "DISCONNECT with a receipt is the last frame" sh -c 'tail -n 2 "$1" | head -n 1 | grep -q "DISCONNECT.*receipt:"' _ "$T_DIR/plain.out"
t_ok "the server closed first" reported '"closed_first":"peer"'
t_is "the totals: all accepted records are delivered" "$(total accepted_records) $(total delivered_records)" "4 4"
t_ok "and bytes add up" adds_up

send --destination '/x:y' "stomp://127.0.0.1:$T_PORT/queue/a" <<<one
t_ok "--destination instead of the URL's path, escaped" got plain "^2.*${tab}destination:/x\\\\cy${tab}"
t_ok "the virtual host is the URL's host" got plain "^2${tab}CONNECT.*${tab}host:127.0.0.1${tab}heart-beat:10000,10000${tab}$"
send "stomp://127.0.0.1:$T_PORT/a" <<<one
# ids NAME CONNECTION: of the records it brought.
ids() { sed -n "s/^$2${tab}SEND.*record-id:\([^${tab}]*\)${tab}.*/\1/p" "$T_DIR/$1.out"; }
id() { ids plain "$1" | sed 's/-[0-9]*$//'; }
send --sender-id me.1-x "stomp://127.0.0.1:$T_PORT/a" <<<one
t_is "the same --sender-id again: not the same ids" "$({ ids plain 1 && ids plain 4; } | sort -u | wc -l)" 5
t_ok "without --sender-id it is random for each run" test -n "$(id 2)" -a "$(id 2)" != "$(id 3)"

# ---- the password
broker login
printf 'secret\r\nsecond line\n' >"$T_DIR/pw"
send --passcode-file "$T_DIR/pw" "stomp://ann@127.0.0.1:$T_PORT/q" <<<one
t_ok "--passcode-file: its first line, without its CR LF" got login "^1${tab}CONNECT.*${tab}login:ann${tab}passcode:secret${tab}"
send --passcode-file - "stomp://ann@127.0.0.1:$T_PORT/q" < <(printf 'secret\none\ntwo\n')
t_ok "--passcode-file -: the first line of standard input" got login "^2${tab}CONNECT.*${tab}passcode:secret${tab}"
t_is "and the lines behind it are records" "$(sed -n "s/^2${tab}SEND.*=//p" "$T_DIR/login.out" | tr '\n' ' ')" "one two "
LASTACK_PASSCODE=secret send "stomp://ann@127.0.0.1:$T_PORT/q" <<<one
t_ok "LASTACK_PASSCODE" got login "^3${tab}CONNECT.*${tab}passcode:secret${tab}"
LASTACK_PASSCODE=other send --passcode-file "$T_DIR/pw" "stomp://ann@127.0.0.1:$T_PORT/q" <<<one
t_ok "a file goes before it" got login "^4${tab}CONNECT.*${tab}passcode:secret${tab}"
LASTACK_PASSCODE=topsecret piped env "$LASTACK" send "stomp://ann@127.0.0.1:$T_PORT/q"
hidden() { got login "^5${tab}CONNECT.*topsecret" && ! grep -qa topsecret "/proc/$1/environ" "/proc/$1/cmdline"; }
t_ok "a running sender shows it to nobody" t_wait_for 10 hidden "$(t_pid env)"
exec 8>&-
t_join env
: >"$T_DIR/empty"
head -c 600 /dev/zero | tr '\0' x >"$T_DIR/long"
t_ok "no such file" refused "none: No such file or directory" --passcode-file none stomp://127.0.0.1:1/q
t_ok "an empty file" refused "empty: it is empty: a password was expected" --passcode-file "$T_DIR/empty" stomp://127.0.0.1:1/q
t_ok "a line that is too long" refused "1 to 511 bytes" --passcode-file "$T_DIR/long" stomp://127.0.0.1:1/q
t_ok "a password in the URL" refused "--passcode-file" stomp://ann:secret@127.0.0.1:1/q
for url in stomp://10.9.8.7:1/q stomp://localhost.example:1/q stomp://[2001:db8::1]:1/q; do
	t_ok "it is not sent in clear text to ${url#stomp://}" refused "in clear text" --passcode-file "$T_DIR/pw" "$url"
done
refused x --passcode-file "$T_DIR/pw" stomp://127.0.0.1:1/q stomp://10.9.8.7:1/q >/dev/null
t_ok "nor to the second of a list" grep -qF "in clear text" "$T_DIR/refused"
if [ "$T_INSIDE" = yes ] && ip addr add 10.9.8.7/32 dev lo 2>/dev/null; then
	broker far --address 10.9.8.7
	send --passcode-file "$T_DIR/pw" --plain-password "stomp://ann@10.9.8.7:$T_PORT/q" <<<one
	t_ok "--plain-password: it is, all the same" got far "passcode:secret"
else
	t_skip "--plain-password: it is, all the same" "no address of our own: needs root"
fi

# ---- what is refused at once
t_ok "no destination" refused "no destination" stomp://127.0.0.1:1
t_ok "a header without colon" refused "NAME:VALUE" -H persistent stomp://127.0.0.1:1/q
t_ok "a header without name" refused "NAME:VALUE" -H :x stomp://127.0.0.1:1/q
for header in destination record-id receipt transaction content-length content-type; do
	t_ok "-H $header" refused "cannot be given as extra headers" -H "$header:x" stomp://127.0.0.1:1/q
done
t_ok "a sender's id with a slash" refused "sender's id" --sender-id a/b stomp://127.0.0.1:1/q
t_ok "and one that is too long" refused "1 to 63" --sender-id "$(printf '%064d' 0)" stomp://127.0.0.1:1/q
t_ok "a line break in what CONNECT cannot escape" refused "line break" --vhost "a
b" stomp://127.0.0.1:1/q
t_ok "--window 0" refused "--window needs" --window 0 stomp://127.0.0.1:1/q
t_ok "--heartbeat 0" refused "'never' switches" --heartbeat 0 stomp://127.0.0.1:1/q
t_ok "--proof consumed" refused "confirmed" --proof consumed stomp://127.0.0.1:1/q
t_ok "--close abort" refused "graceful" --close abort stomp://127.0.0.1:1/q
t_ok "--spool-quota without --spool" refused "need --spool" --spool-quota 1M stomp://127.0.0.1:1/q
t_ok "stomp's options with tcp://" refused "--sender-id belongs to stomp:// and stomps://" --sender-id x tcp://127.0.0.1:1
t_ok "and with lines://" refused "--spool belongs to stomp:// and stomps://" --spool x.db lines://127.0.0.1:1
t_ok "two schemes in one list" refused "same scheme" stomp://127.0.0.1:1/q tcp://127.0.0.1:1

# ---- receipts and the window
lines 500 >"$T_DIR/500"
# window NAME: most in flight of the first connection.
most() { sed -n "s/^1${tab}END.*in-flight:\([0-9]*\)$/\1/p" "$T_DIR/$1.out"; }
asked() { frames "$1" "${tab}SEND${tab}.*${tab}receipt:"; }
broker each --receipts reverse=7
send --window 7 --file "$T_DIR/500" "stomp://127.0.0.1:$T_PORT/q"
t_is "receipts in the wrong order: status 0" "$STATUS" 0
t_is "every record asks for its own" "$(asked each)" 500
t_is "--window 7: seven in flight, never more" "$(most each)" 7
t_is "each is sent once" "$(frames each "${tab}SEND${tab}")" 500

broker late --receipts late=150
send --window 100 --file "$T_DIR/500" "stomp://127.0.0.1:$T_PORT/q"
t_is "late receipts: status 0, and nothing sent twice" "$STATUS $(total resent_records)" "0 0"

broker own --receipts last=5 --server lastack/9
send --window 100 --receipt-every 10 --receipt-within never --file "$T_DIR/500" "stomp://127.0.0.1:$T_PORT/q"
t_is "a server that promises it: one receipt for all before it, status 0" "$STATUS" 0
t_ok "--receipt-every 10: so many questions, and not many more" test "$(asked own)" -ge 50 -a "$(asked own)" -le 100
t_is "--window 100 there" "$(($(most own) <= 100))" 1
broker every --server lastack/9
send --receipts each --file "$T_DIR/500" "stomp://127.0.0.1:$T_PORT/q"
t_is "--receipts each: even there each asks" "$STATUS $(asked every)" "0 500"
broker cumulative --receipts last=5
send --receipts cumulative --receipt-every 10 --receipt-within never --file "$T_DIR/500" "stomp://127.0.0.1:$T_PORT/q"
t_ok "--receipts cumulative: elsewhere, too" test "$STATUS" -eq 0 -a "$(asked cumulative)" -le 100

# within: a record a moment, in a pipe that stays open: nothing else makes it ask.
broker slow --server lastack/9 --receipts late=100
piped slowly "$LASTACK" send --receipt-every 1000000 --receipt-within 50ms "stomp://127.0.0.1:$T_PORT/q"
echo one >&8
t_ok "nothing more waits: the receipt is asked for at once" t_wait_for 10 got slow "${tab}receipt:[0-9]+${tab}.*=one"
exec 8>&-
t_join slowly
t_is "status 0" "$T_STATUS" 0

broker never --receipts never --faults 1
send --receipt-timeout 300ms --file "$T_DIR/500" "stomp://127.0.0.1:$T_PORT/q"
t_ok "--receipt-timeout: no receipt is a death with a name" reported '"cause":"receipt-timeout"'
t_is "everything is sent again, with the ids it had" \
	"$STATUS $(total resent_records) $(ids never 2 | sort -u | wc -l) $(ids never 2)" "0 500 500 $(ids never 1)"

# ---- logins
broker rejects --reject --message 'go\caway' --body 'for ever' --retry-after 1 --faults 2
send --rejected-backoff 1ms..5s "stomp://ann@127.0.0.1:$T_PORT/q" <<<one
t_is "two refused logins, then a good one: status 0" "$STATUS" 0
t_is "the cause has its name, twice" "$(grep -c '"event":"report".*"cause":"login-rejected"' "$T_DIR/report")" 2
t_ok "the user reads what the server said" said "go:away"
waits() { sed -n 's/.*"event":"wait","delay_s":\([0-9]*\).*/\1/p' "$T_DIR/report"; }
t_ok "retry-after: at least a second is waited each time" test "$(waits | sort -n | head -n 1)" -ge 1
broker rejects_once --reject --faults 1
send --backoff 1ms..2ms --rejected-backoff 1s..1s "stomp://ann@127.0.0.1:$T_PORT/q" <<<one
t_is "--rejected-backoff: its least is waited, not the other's" "$STATUS $(waits | head -n 1)" "0 1"
broker mute --mute --faults 1
send --login-timeout 200ms "stomp://127.0.0.1:$T_PORT/q" <<<one
t_ok "--login-timeout: no answer to CONNECT" test "$STATUS" -eq 0 -a "$(grep -c '"event":"report".*"cause":"login-timeout"' "$T_DIR/report")" -eq 1
broker alien --say 'HTTP/1.1 400 Bad Request

' --faults 1
send "stomp://127.0.0.1:$T_PORT/q" <<<one
t_ok "a server that is none: protocol-error, and its words" reported '"cause":"protocol-error".*"last_words":"HTTP/1.1 400'
broker old --version 1.3 --faults 1
send "stomp://127.0.0.1:$T_PORT/q" <<<one
t_ok "a version that was not offered: protocol-error" reported '"cause":"protocol-error"'

# ---- heart-beats
broker frozen --heart-beat 200,200
piped sender "$LASTACK" send --heartbeat 200ms --report "$T_DIR/beats.json" "stomp://127.0.0.1:$T_PORT/q"
t_ok "the client's heart beats" t_wait_for 10 got frozen "^1${tab}BEAT" 3
t_signal frozen STOP
lost() { grep -q '"cause":"heartbeat-lost"' "$T_DIR/beats.json"; }
t_ok "a frozen server behind a live kernel is found: heartbeat-lost" t_wait_for 10 lost
t_signal frozen CONT
echo one >&8
exec 8>&-
t_join sender
t_is "thawed, it gets what came meanwhile: status 0" "$T_STATUS" 0

# ---- ends without a word
broker quits --close-at 100 --faults 1
send --receipts each --backoff 1ms..5ms --file "$T_DIR/500" "stomp://127.0.0.1:$T_PORT/q"
t_is "FIN in the middle: the rest comes on the next connection, status 0" "$STATUS" 0
t_ok "the confirmed ones do not come again" test "$(frames quits '^2.*=line 1$')" -eq 0 -a "$(frames quits '^2.*=line 500$')" -eq 1
broker resets --reset-at 100 --faults 1
send --backoff 1ms..5ms --file "$T_DIR/500" "stomp://127.0.0.1:$T_PORT/q"
t_is "RST in the middle: status 0" "$STATUS $(total delivered_records)" "0 500"

# ---- the server closes first, so that the waiting is its own
if [ "$T_INSIDE" = yes ] && command -v ss >/dev/null; then
	t_receive server --into "$T_DIR/into/" stomp://127.0.0.1:0
	send "stomp://127.0.0.1:$T_PORT/q" <"$T_DIR/500"
	t_is "DISCONNECT: no TIME_WAIT at the sender's port" "$(ss -Htan state time-wait dport = ":$T_PORT" | wc -l)" 0
	t_stop server TERM
else
	t_skip "DISCONNECT: no TIME_WAIT at the sender's port" "needs a network namespace of its own, and ss"
fi
t_done
