#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# python_stomp.sh - python3-stomp, a client that is not ours, talks to lastack receive.
# shellcheck source=tests/interop/lib_interop.sh
. tests/interop/lib_interop.sh
i_isolate
. tests/lib.sh
PYTHON=/usr/bin/python3 # Debian's: python3-stomp is there, whatever PATH has
$PYTHON -c 'import stomp' 2>/dev/null || t_skip_all "python3-stomp is not installed"
command -v sqlite3 >/dev/null || t_skip_all "sqlite3 is not installed"
t_plan 12

peer() { # PASSWORD COMMAND...
	local password=$1
	shift
	timeout 90 $PYTHON tests/interop/stomp_peer.py --port "$T_PORT" --user $I_USER --password "$password" "$@"
}

i_server
t_is "it logs in, and hears who we are" "$(peer $I_PASSWORD login)" \
	"connected lastack/$("$LASTACK" --version | sed -n '1s/^lastack //p')"

# Bodies that are not lines of ASCII: colons, backslashes, UTF-8, spaces at both ends, long ones.
{
	seq -f 'record %.0f: a\b:c ' 2000
	printf ' grüße\t\\n \n'
	head -c 200000 /dev/zero | tr '\0' x && echo
} >"$T_DIR/lines"
t_is "it sends, and has a receipt for each record" \
	"$(peer $I_PASSWORD send /queue/python <"$T_DIR/lines" | cut -d' ' -f1-2)" "confirmed 2002"
i_records >"$T_DIR/stored"
t_ok "each is stored, once, as it was, in its order" cmp "$T_DIR/lines" "$T_DIR/stored"
t_is "with its destination" \
	"$(sqlite3 "$T_DIR/records.db" 'SELECT DISTINCT destination FROM records')" /queue/python

t_is "idle, it is sent heart-beats, and is not taken for dead since it sends its own" \
	"$(peer $I_PASSWORD beat /queue/python 5)" "beats 5"

# Twice the same identity, as after a reconnect: confirmed both times, stored once.
for i in 1 2; do
	peer $I_PASSWORD send --sender again /queue/again <<<"the same" >"$T_DIR/again.$i"
done
t_is "a record that comes again is confirmed again" "$(cut -d' ' -f1-2 "$T_DIR/again.2")" "confirmed 1"
t_is "and stored once" \
	"$(sqlite3 "$T_DIR/records.db" "SELECT count(*) FROM records WHERE destination = '/queue/again'")" 1

answer=$(peer wrong login)
t_is "a wrong password: it has failed" $? 1
t_ok "and its listener was told why" grep -q '^error .*[[:alpha:]]' <<<"$answer"
t_note "$answer"

t_stop server TERM
t_is "receive ends with 0" "$T_STATUS" 0
t_is "every visit but that ended with DISCONNECT and its receipt" "$(i_ended farewell)" 5
t_is "and that one with the login rejected" "$(i_ended login-rejected)" 1
t_done
