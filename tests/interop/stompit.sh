#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# stompit.sh - stompit, a client from npm that is not ours, talks to lastack receive.
# shellcheck source=tests/interop/lib_interop.sh
. tests/interop/lib_interop.sh
if [ -z "${I_ISOLATED:-}" ]; then
	. tests/lib.sh
	lacks=$(i_stompit_lacks) # what npm fetches comes from outside the namespace
	[ -z "$lacks" ] || t_skip_all "$lacks"
	command -v sqlite3 >/dev/null || t_skip_all "sqlite3 is not installed"
	t_cleanup
fi
i_isolate
. tests/lib.sh
i_stompit_lacks >"$T_DIR/lacks" # sets NODE_PATH
t_plan 9

peer() { # PASSWORD COMMAND...
	local password=$1
	shift
	timeout 90 node tests/interop/stompit_peer.js "$T_PORT" $I_USER "$password" "$@"
}

i_server
t_is "it logs in, and hears who we are" "$(peer $I_PASSWORD login)" \
	"connected lastack/$("$LASTACK" --version | sed -n '1s/^lastack //p')"

{
	seq -f 'record %.0f: a\b:c ' 2000
	printf ' grüße\t\\n \n'
	head -c 200000 /dev/zero | tr '\0' x && echo
} >"$T_DIR/lines"
t_is "it sends, and has a receipt for each record" \
	"$(peer $I_PASSWORD send /queue/stompit <"$T_DIR/lines")" "confirmed 2002"
i_records >"$T_DIR/stored"
t_ok "each is stored, once, as it was, in its order" cmp "$T_DIR/lines" "$T_DIR/stored"

t_is "idle, it is sent heart-beats, and is not taken for dead since it sends its own" \
	"$(peer $I_PASSWORD beat /queue/stompit 5)" "beats 5"

answer=$(peer wrong login)
t_is "a wrong password: it has failed" $? 1
t_ok "and was told why" grep -q '^error .*[[:alpha:]]' <<<"$answer"
t_note "$answer"

t_stop server TERM
t_is "receive ends with 0" "$T_STATUS" 0
t_is "every visit but that ended with DISCONNECT and its receipt" "$(i_ended farewell)" 3
t_is "and that one with the login rejected" "$(i_ended login-rejected)" 1
t_done
