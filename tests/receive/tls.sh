#!/bin/sh
# SPDX-License-Identifier: MIT
# tls.sh - lastack receive tls://: bytes arrive, and of a peer that speaks something else it is said what was wrong.
# shellcheck source=tests/lib.sh disable=SC1091
. tests/lib.sh
command -v openssl >/dev/null || t_skip_all "openssl, which makes the certificate, is not installed"
t_plan 6

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$T_DIR/key" -out "$T_DIR/crt" 2>"$T_DIR/said"
cat "$T_DIR/crt" "$T_DIR/key" >"$T_DIR/pem"
t_receive tls --cert "$T_DIR/pem" --into "$T_DIR/got" tls://127.0.0.1:0

seq 1 1000 >"$T_DIR/lines"
"$LASTACK" send --ca "$T_DIR/crt" --proof consumed --file "$T_DIR/lines" "tls://localhost:$T_PORT" 2>"$T_DIR/sent"
t_is "tls:// with proof consumed: status 0" "$?" 0
t_ok "every byte is there" cmp "$T_DIR/lines" "$T_DIR/got"
t_is "and nothing is said of TLS" "$(grep -c '"tls":' "$T_DIR/tls.json")" 0

"$PEER" --connect "127.0.0.1:$T_PORT" write:'hello, no TLS here' read:eof >/dev/null 2>&1
failed() { grep '"cause":"tls-failed"' "$T_DIR/tls.json" | grep -q '"tls":"[^"]'; }
t_ok "who speaks no TLS: the report says what was wrong" t_wait_for 10 failed
t_ok "and so does the sentence" grep -q 'tls-failed.*; TLS: ' "$T_DIR/tls.err"
t_stop tls TERM
t_is "SIGTERM: status 0" "$T_STATUS" 0
t_done
