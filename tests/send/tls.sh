#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tls.sh - lastack send stomps:// and tls:// to lastack receive: whom it trusts, what it says when it does
# not, certificates as logins, and bytes both ways.
. tests/send/lib_send.sh
command -v openssl >/dev/null || t_skip_all "openssl, which makes the certificates, is not installed"
t_plan 29

cd "$T_DIR" || exit 1
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
for ca in ca stranger; do
	# shellcheck disable=SC2086
	openssl req -x509 $key -days 2 -subj "/CN=$ca" -keyout $ca.key -out $ca.pem 2>>ssl
done
# certificate NAME CA EXTENSION [OPTION...]: NAME.pem, with its key.
certificate() {
	local name=$1 ca=$2
	echo "$3" >extensions
	# shellcheck disable=SC2086
	openssl req $key -subj "/CN=$name" -keyout "$name.key" -out "$name.csr" 2>>ssl
	openssl x509 -req -in "$name.csr" -CA "$ca.pem" -CAkey "$ca.key" -CAcreateserial -extfile extensions \
		-out "$name.crt" "${@:4}" 2>>ssl
	cat "$name.crt" "$name.key" >"$name.pem"
}
certificate localhost ca subjectAltName=DNS:localhost,IP:127.0.0.1 -days 2
certificate expired ca subjectAltName=DNS:localhost -days -1
certificate ann ca extendedKeyUsage=clientAuth -days 2
certificate eve stranger extendedKeyUsage=clientAuth -days 2
cd "$OLDPWD" || exit 1
C=$T_DIR

# to NAME URL OPTION...: one line; a server that is not trusted must not be tried for ever.
to() { send --retry 0 "${@:2}" "$1" <<<"a line"; }
# ends SENTENCE URL CAUSE TEXT OPTION...: status 1, the cause, and TEXT is said of it.
ends() {
	to "$2" "${@:5}"
	t_is "$1: status 1, $3" "$STATUS $(grep -c "\"event\":\"report\".*\"cause\":\"$3\"" "$T_DIR/report")" "1 1"
	t_ok "and the user reads what is wrong" said "$4"
}

# ---- whom we trust
t_receive good --cert "$C/localhost.pem" --into "$C/good/" stomps://127.0.0.1:0
good=$T_PORT
to "stomps://localhost:$good/q" --ca "$C/ca.pem"
t_is "a certificate of --ca for this name: status 0" "$STATUS" 0
t_is "the record is there" "$(cat "$C/good/%2Fq.log")" "a line"
to "stomps://127.0.0.1:$good/q" --ca "$C/ca.pem"
t_is "for this address: status 0" "$STATUS" 0
ends "a certificate for another name" "stomps://localhost:$good/q" certificate-refused "not 'hub.example'" --ca "$C/ca.pem" --tls-name hub.example
ends "one of a CA that is not --ca" "stomps://localhost:$good/q" certificate-refused "signed by 'ca', who is not trusted" --ca "$C/stranger.pem"
ends "one that this system does not trust" "stomps://localhost:$good/q" certificate-refused "signed by 'ca', who is not trusted"
t_receive old --cert "$C/expired.pem" --into "$C/old/" stomps://127.0.0.1:0
ends "one that has expired" "stomps://localhost:$T_PORT/q" certificate-refused "expired" --ca "$C/ca.pem"
t_ok "no such CA file" refused "none.pem" --ca "$C/none.pem" "stomps://localhost:$good/q"
t_ok "a CA file that is none" refused "ssl" --ca "$C/ssl" "stomps://localhost:$good/q"

# ---- one side without TLS
t_receive plain --into "$C/plain/" stomp://127.0.0.1:0
plain=$T_PORT
ends "TLS to a port without it" "stomps://localhost:$plain/q" tls-failed "the server does not speak TLS" --ca "$C/ca.pem"
send --retry 0 --login-timeout 5s "stomp://127.0.0.1:$good/q" <<<"a line"
t_is "without TLS to a port that has it: status 1" "$STATUS $(total delivered_records)" "1 0"
t_ok "and the user reads what may be wrong" said "does it want TLS (stomps://)?"

# ---- a certificate as login
t_receive mutual --cert "$C/localhost.pem" --ca "$C/ca.pem" --require-client-cert --report "$C/mutual.json" \
	--into "$C/mutual/" stomps://127.0.0.1:0
to "stomps://localhost:$T_PORT/q" --ca "$C/ca.pem" --cert "$C/ann.pem"
t_is "--cert: status 0" "$STATUS" 0
t_ok "the server knows who it was" grep -q '"user":"ann"' "$C/mutual.json"
to "stomps://localhost:$T_PORT/q" --ca "$C/ca.pem" --cert "$C/ann.crt" --key "$C/ann.key"
t_is "--cert and --key: status 0" "$STATUS" 0
ends "no certificate" "stomps://localhost:$T_PORT/q" certificate-refused "the server demands a client certificate" --ca "$C/ca.pem"
ends "one of another CA" "stomps://localhost:$T_PORT/q" certificate-refused "the server refuses our certificate" --ca "$C/ca.pem" --cert "$C/eve.pem"
t_ok "a key of another certificate" refused "key" --ca "$C/ca.pem" --cert "$C/ann.crt" --key "$C/eve.key" \
	"stomps://localhost:$T_PORT/q"

# ---- tls://: raw bytes
head -c 3000000 /dev/urandom >"$C/bytes"
t_receive raw --cert "$C/localhost.pem" --once --into "$C/got" tls://127.0.0.1:0
send --ca "$C/ca.pem" --proof consumed --buffer 8M --file "$C/bytes" "tls://localhost:$T_PORT"
t_is "tls://, read to the end by the peer: status 0" "$STATUS" 0
t_join raw
t_ok "and every byte is there" cmp "$C/bytes" "$C/got"
# Both ways: this server says each line backwards.
t_run backwards openssl s_server -rev -accept 127.0.0.1:0 -cert "$C/localhost.crt" -key "$C/localhost.key"
accepts() { grep -q '^ACCEPT ' "$C/backwards.out"; }
if t_wait_for 10 accepts; then
	piped replies "$LASTACK" send --ca "$C/ca.pem" --replies "tls://localhost:$(sed -n 's/^ACCEPT .*://p' "$C/backwards.out")"
	echo hello >&8
	olleh() { grep -qx olleh "$C/replies.out"; }
	t_ok "tls:// --replies: what the server says" t_wait_for 10 olleh
	exec 8>&-
	t_join replies
	t_is "status 0" "$T_STATUS" 0
else
	t_skip "tls:// --replies: what the server says" "this openssl has no s_server -rev at any port"
	t_skip "status 0" "this openssl has no s_server -rev at any port"
fi
t_done
