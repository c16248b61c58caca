#!/bin/sh
# SPDX-License-Identifier: MIT
# stomp.sh - lastack receive stomp://: records, receipts, logins, limits, a crash, a full disk, a service.
# Runs in a network and a mount namespace of its own where it may; parts that need them are skipped elsewhere.
if [ "${T_INSIDE:-}" = "" ]; then
	if command -v ip >/dev/null && unshare -nm true 2>/dev/null; then
		exec env T_INSIDE=yes unshare -nm sh "$0"
	fi
	export T_INSIDE=no
fi
. tests/lib.sh
[ "$T_INSIDE" = no ] || ip link set lo up
t_plan 61

SERVICE=$BUILD/tests/tools/service
says() { grep -qaF -- "$2" "$T_DIR/$1"; }
# say NAME ACTION...: a client; what it is told is in NAME.told.
say() {
	say_name=$1 && shift
	"$PEER" --connect "127.0.0.1:$T_PORT" --out "$T_DIR/$say_name.told" "$@" >/dev/null
}
hello='CONNECT\naccept-version:1.2\nhost:x\n\n\0'
login() { printf 'CONNECT\\naccept-version:1.2\\nhost:x\\nlogin:%s\\npasscode:%s\\n\\n\\0' "$1" "$2"; }
record() { printf 'SEND\\ndestination:/queue/a\\nrecord-id:me-%s\\nreceipt:%s\\n\\n%s\\0' "$1" "$1" "$2"; }
bye='DISCONNECT\nreceipt:bye\n\n\0'
# number NAME KEY: of the last line of a report.
number() { tail -n 1 "$T_DIR/$1.json" | sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p"; }
# status_has NAME TEXT: the answer to SIGUSR1.
status_has() { t_signal "$1" USR1 && tail -n 1 "$T_DIR/$1.json" | grep -q '"event":"status"' &&
	tail -n 1 "$T_DIR/$1.json" | grep -qF -- "$2"; }

# ---- records and receipts
t_receive plain --into "$T_DIR/into/" stomp://127.0.0.1:0
say plain "write:$hello$(record 1 one)$(record 2 two)$bye" read:eof
t_ok "CONNECTED says who serves" says plain.told 'server:lastack/'
t_ok "each record has its receipt" sh -c 'grep -qa "^receipt-id:1$" "$1" && grep -qa "^receipt-id:2$" "$1"' _ "$T_DIR/plain.told"
t_ok "and so has the farewell" says plain.told 'receipt-id:bye'
t_is "the records are in the file of their destination" "$(cat "$T_DIR/into/%2Fqueue%2Fa.log")" "one
two"
say again "write:$hello$(record 2 two)$(record 3 three)$bye" read:eof
t_ok "what comes again is confirmed again" says again.told 'receipt-id:2'
t_is "and not stored again" "$(cat "$T_DIR/into/%2Fqueue%2Fa.log")" "one
two
three"
t_ok "SIGUSR1: the sums" t_wait_for 10 status_has plain '"records":3,"duplicate_records":1,'
t_stop plain TERM
t_is "SIGTERM: status 0" "$T_STATUS" 0
t_is "each session has its line" "$(grep -c '"event":"report".*"end":"farewell"' "$T_DIR/plain.json")" 2
t_ok "the last line has the sums and the self-check" grep -q '"event":"end".*"close_wait_sockets":0}$' "$T_DIR/plain.json"
t_ok "it was said that nobody is asked for a password" says plain.err 'no --users FILE'

t_receive out --into - stomp://127.0.0.1:0
say out "write:$hello$(record 1 hello)$bye" read:eof
t_is "--into -: the body and a newline" "$(cat "$T_DIR/out.out")" hello
t_stop out TERM

# ---- logins
printf 'right' | "$LASTACK" passwd ann >"$T_DIR/users"
t_receive users --users "$T_DIR/users" --into "$T_DIR/users.db" --failures 3/1h stomp://127.0.0.1:0
say ann "write:$(login ann right)$(record 1 x)$bye" read:eof
t_ok "the right password: CONNECTED and receipts" sh -c 'grep -qa ^CONNECTED "$1" && grep -qa "^receipt-id:bye" "$1"' _ "$T_DIR/ann.told"
say wrong "write:$(login ann wrong)" read:eof
t_ok "a wrong password: ERROR and a reason" says wrong.told 'message:unknown user or wrong password'
say nobody "write:$(login bob right)" read:eof
t_ok "an unknown user is told the same" cmp "$T_DIR/wrong.told" "$T_DIR/nobody.told"
head -c 3000000 /dev/zero | tr '\0' x >"$T_DIR/noise"
say noisy "write:$(login ann wrong)" "sendfile:$T_DIR/noise" read:eof
t_ok "one that goes on sending is told, too" cmp "$T_DIR/wrong.told" "$T_DIR/noisy.told"
say fourth "write:$(login ann right)" read:eof
t_ok "--failures 3/1h: then nothing is checked any more" says fourth.told 'retry-after:'
say none "write:$hello" read:eof
t_ok "without a password: it is told that one is needed" says none.told 'message:this server wants a login'
t_ok "the log says that the text was acknowledged" says users.err \
	'login-rejected: "unknown user or wrong password"; the text was acknowledged'
t_is "the report says it of each" "$(grep -c '"words":"consumed"' "$T_DIR/users.json")" 5
t_stop users TERM
t_is "the sums: rejected logins" "$(number users rejected_logins)" 5
t_is "and texts that arrived" "$(number users words_consumed)" 5

# ---- limits
t_receive limits --max-connections 1 --handshake-timeout 100ms --max-record 1000 --into "$T_DIR/limits/" stomp://127.0.0.1:0
say silent read:eof
t_ok "--handshake-timeout: whoever says nothing is told" says silent.told 'message:no CONNECT came in time'
say long "write:$hello" "write:SEND\ndestination:a\nreceipt:7\n\n" "sendfile:$T_DIR/noise" read:eof
t_ok "--max-record: told, with the receipt's id" sh -c 'grep -qa "ERROR$" "$1" && grep -qa "^receipt-id:7" "$1"' _ "$T_DIR/long.told"
t_run holder "$PEER" --connect "127.0.0.1:$T_PORT" "write:$hello" hold
t_ok "--max-connections 1: one is served" t_wait_for 10 status_has limits '"logged_in":1,'
say second "write:$hello" read:eof
t_ok "the second is told, and to go elsewhere" says second.told 'shutdown:true'
t_ok "the first stays" t_wait_for 10 status_has limits '"logged_in":1,'
t_signal holder KILL
t_ok "then it is gone" t_wait_for 10 status_has limits '"open":0,'
t_stop limits TERM

# ---- stopping
t_receive stopping --into "$T_DIR/stopping/" stomp://127.0.0.1:0
t_run stay "$PEER" --connect "127.0.0.1:$T_PORT" --out "$T_DIR/stay.told" "write:$hello$(record 1 x)" read:eof
t_ok "a client that stays" t_wait_for 10 says stay.told 'receipt-id:1'
t_stop stopping TERM
t_is "SIGTERM: status 0" "$T_STATUS" 0
t_join stay
t_ok "it is told that the server stops" says stay.told 'message:the server is stopping'

# ---- our own sender, and a crash in the middle
if [ "$T_INSIDE" = yes ]; then
	seq 1 200000 >"$T_DIR/numbers"
	t_receive first --into "$T_DIR/crash/" stomp://127.0.0.1:0
	port=$T_PORT
	t_run sender "$LASTACK" send --quiet --backoff 10ms..100ms --file "$T_DIR/numbers" "stomp://127.0.0.1:$port/q"
	some() { [ -s "$T_DIR/crash/%2Fq.log" ]; }
	t_ok "records come" t_wait_for 20 some
	t_signal first KILL
	t_join first
	t_is "the server is killed while they do" "$T_STATUS" 137
	t_receive other --into "$T_DIR/crash/" "stomp://127.0.0.1:$port"
	t_join sender 60
	t_is "the sender goes on with the next one: status 0" "$T_STATUS" 0
	t_ok "every record is there once, in order" cmp "$T_DIR/numbers" "$T_DIR/crash/%2Fq.log"
	t_stop other TERM
else
	for sentence in "records come" "the server is killed while they do" "the sender goes on" "every record is there once"; do
		t_skip "$sentence" "no network namespace: needs root"
	done
fi

# ---- a full disk
mkdir "$T_DIR/small"
if [ "$T_INSIDE" = yes ] && mount -t tmpfs -o size=2m tmpfs "$T_DIR/small" 2>/dev/null; then
	head -c 1000000 /dev/zero >"$T_DIR/small/ballast"
	seq 1 200000 >"$T_DIR/numbers"
	t_receive full --into "$T_DIR/small/into/" stomp://127.0.0.1:0
	t_run filler "$LASTACK" send --quiet --file "$T_DIR/numbers" "stomp://127.0.0.1:$T_PORT/q"
	t_ok "a full disk is said" t_wait_for 20 says full.err 'store: '
	t_ok "and is in the sums" t_wait_for 10 status_has full '"store_waits":true'
	t_ok "the sender waits" t_runs filler
	rm "$T_DIR/small/ballast"
	t_join filler 60
	t_is "with room again everything is confirmed: status 0" "$T_STATUS" 0
	t_ok "that is said as well" says full.err 'can write again'
	t_stop full TERM
	t_ok "every record is there once" cmp "$T_DIR/numbers" "$T_DIR/small/into/%2Fq.log"
	umount "$T_DIR/small"
else
	for sentence in "a full disk is said" "and is in the sums" "the sender waits" "with room again everything is confirmed" "that is said as well" "every record is there once"; do
		t_skip "$sentence" "no tmpfs of our own: needs root"
	done
fi

# ---- a service
mkdir "$T_DIR/unit"
noted() { grep -qx "$1" "$T_DIR/unit/notes"; }
t_run unit "$SERVICE" "$T_DIR/unit" "$LASTACK" receive --users "$T_DIR/users" --into "$T_DIR/unit/into/" stomp://127.0.0.1:0
t_ok "it notifies that it is ready" t_wait_for 10 noted READY=1
T_PORT=$(cat "$T_DIR/unit/port")
say unit "write:$(login ann right)$(record 1 x)$bye" read:eof
t_ok "the socket that was handed over is served" says unit.told 'receipt-id:bye'
printf 'other' | "$LASTACK" passwd ann >"$T_DIR/users"
t_signal unit HUP
t_ok "SIGHUP: it notifies that it reads its files again" t_wait_for 10 noted RELOADING=1
say reloaded "write:$(login ann other)$bye" read:eof
t_ok "the new password is right now" says reloaded.told 'CONNECTED'
t_stop unit TERM
t_is "SIGTERM: status 0" "$T_STATUS" 0
t_ok "it notified that it stops" noted STOPPING=1

# ---- TLS: a certificate is a login
if command -v openssl >/dev/null; then
	cd "$T_DIR" || exit 1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem 2>said
	# certificate NAME EXTENSION
	certificate() {
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>>said
		echo "$2" >extensions
		openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions \
			-out "$1.crt" 2>>said
		cat "$1.crt" "$1.key" >"$1.pem"
	}
	certificate localhost subjectAltName=DNS:localhost
	certificate ann extendedKeyUsage=clientAuth
	certificate eve extendedKeyUsage=clientAuth
	cd "$OLDPWD" || exit 1
	t_receive tls --users "$T_DIR/users" --cert "$T_DIR/localhost.pem" --ca "$T_DIR/ca.pem" --into "$T_DIR/tls/" \
		stomps://127.0.0.1:0
	# over NAME OPTION...: one line, by our own sender; a rejected one must not be tried for ever
	over() {
		over_name=$1 && shift
		seq 1 1000 | "$LASTACK" send --give-up-after 3s --rejected-backoff 5s..5s --ca "$T_DIR/ca.pem" "$@" \
			"stomps://localhost:$T_PORT/$over_name" >"$T_DIR/over" 2>&1
	}
	t_ok "a certificate of a user is a login" over a --cert "$T_DIR/ann.pem"
	t_is "the records are there" "$(tail -n 1 "$T_DIR/tls/%2Fa.log")" 1000
	t_ok "and it is that user who sent them" grep -q '"user":"ann"' "$T_DIR/tls.json"
	over b --cert "$T_DIR/eve.pem"
	t_ok "a certificate of nobody is none" grep -q '"end":"not-authorized"' "$T_DIR/tls.json"
	say cleartext "write:$hello" read:eof
	no_tls() { grep -q '"cause":"tls-failed"' "$T_DIR/tls.json"; }
	t_ok "one without TLS ends as what it is" t_wait_for 10 no_tls
	t_ok "and it is said what was wrong" sh -c 'grep -q "\"tls\":\"[^\"]" "$1"' _ "$T_DIR/tls.json"
	t_stop tls TERM
	t_is "SIGTERM: status 0" "$T_STATUS" 0
else
	for sentence in "a certificate of a user is a login" "the records are there" "it is that user" "a certificate of nobody" "one without TLS" "and what was wrong" "SIGTERM"; do
		t_skip "$sentence" "openssl is not installed"
	done
fi

# ---- usage
# refused SENTENCE ARGUMENT...: status 2, and the sentence.
refused() {
	wanted=$1 && shift
	"$LASTACK" receive "$@" >"$T_DIR/refused" 2>&1 </dev/null
	[ $? -eq 2 ] && grep -qF -- "$wanted" "$T_DIR/refused"
}
t_ok "usage: --users without login" refused "--users belongs to stomp:// and stomps://" --users x lines://127.0.0.1:0
t_ok "usage: --read-timeout" refused "--read-timeout belongs to tcp://" --read-timeout 1s stomp://127.0.0.1:0
t_ok "usage: --cert without TLS" refused "--cert belongs to tls:// and stomps://" --cert x stomp://127.0.0.1:0
t_ok "usage: TLS without a certificate" refused "needs a certificate" stomps://127.0.0.1:0
t_ok "usage: --failures" refused "as in 10/1min" --failures many stomp://127.0.0.1:0
t_ok "usage: a user in the URL" refused "--users" stomp://ann@127.0.0.1:0
printf 'no line of users\n' >"$T_DIR/bad"
t_ok "usage: a users' file that is none" refused "line 1" --users "$T_DIR/bad" stomp://127.0.0.1:0
t_done
