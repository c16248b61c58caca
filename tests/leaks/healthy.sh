#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are handed on by name
# healthy.sh - a host in good order, on which the doctor finds no leak.
#
# In a network namespace of its own run what hosts run: sshd with sessions, nginx with clients that keep
# their connections, PostgreSQL with a pool of idle ones, curl with connections that the server has closed,
# 10,000 inbound TIME_WAIT. What is not installed is skipped (tools/deps.sh healthy installs it).
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/leaks/lib_leaks.sh
. tests/leaks/lib_leaks.sh

PATH=$PATH:/usr/sbin:/sbin
POOL=8          # idle connections of each kind
KEPT=4          # of them by one curl: libcurl keeps five, and one is busy
KEEPALIVE_S=1   # after which nginx closes what curl would like to keep
LOOKS=6         # of --watch, one a second
SETTLED_S=15    # so old must idle connections be: above every bound of the doctor's

if [ "${1:-}" != inside ]; then
	unshare -n true 2>/dev/null || t_skip_all "needs a network namespace of its own (root)"
	command -v ip >/dev/null || t_skip_all "needs ip(8)"
	rm -rf "$T_DIR" # the one inside makes its own
	exec unshare -n "$0" inside
fi
ip link set lo up || exit 1
chmod 755 "$T_DIR"
nginx_port='' nginx_slow='' made_run_sshd=''

listens() { ss -Hltn "sport = :$1" | grep -q .; }

# free_port VARIABLE: a port on which nobody listens; the namespace is ours alone.
l_port=20000
free_port() {
	l_port=$((l_port + 1))
	while listens "$l_port"; do l_port=$((l_port + 1)); done
	eval "$1=$l_port"
}

# established COUNT PORT: so many clients have a connection to this port.
established() { [ "$(ss -Htn state established "dport = :$2" | wc -l)" -ge "$1" ]; }
# closed_by_server COUNT PORT
closed_by_server() { [ "$(ss -Htn state close-wait "dport = :$2" | wc -l)" -ge "$1" ]; }

# ---- what runs --------------------------------------------------------------------------------------

lacks_sshd() { command -v sshd >/dev/null && command -v ssh >/dev/null || echo "no sshd or ssh here"; }
start_sshd() {
	local port i
	free_port port
	# sshd wants this one for privilege separation; it is removed again if it is ours.
	mkdir /run/sshd 2>/dev/null && made_run_sshd=1
	mkdir "$T_DIR/ssh"
	ssh-keygen -q -t ed25519 -N '' -f "$T_DIR/ssh/host" && ssh-keygen -q -t ed25519 -N '' -f "$T_DIR/ssh/me" || return
	cp "$T_DIR/ssh/me.pub" "$T_DIR/ssh/authorized"
	cat >"$T_DIR/ssh/config" <<-END
		ListenAddress 127.0.0.1:$port
		HostKey $T_DIR/ssh/host
		AuthorizedKeysFile $T_DIR/ssh/authorized
		PidFile none
		StrictModes no
		PermitRootLogin yes
		UsePAM no
	END
	t_run sshd "$(command -v sshd)" -D -e -f "$T_DIR/ssh/config" </dev/null
	t_wait_for 20 listens "$port" || return
	for i in 1 2 3; do
		# A session without a command, and one with a shell that waits for input.
		t_run "ssh$i" ssh -F none -i "$T_DIR/ssh/me" -p "$port" -o StrictHostKeyChecking=no \
			-o UserKnownHostsFile="$T_DIR/ssh/known" -o BatchMode=yes -N 127.0.0.1 </dev/null
	done
	t_wait_for 20 established 3 "$port" && t_wait_for 20 logged_in
}
# Each session has a privileged process and one of the user's, and both hold the connection.
logged_in() { grep -c 'Accepted publickey' "$T_DIR/sshd.err" | grep -qx 3; }

lacks_nginx() { command -v nginx >/dev/null && command -v curl >/dev/null || echo "no nginx or curl here"; }
start_nginx() {
	mkdir -p "$T_DIR/nginx/html"
	free_port nginx_port
	free_port nginx_slow
	head -c 100000 /dev/zero >"$T_DIR/nginx/html/file"
	cat >"$T_DIR/nginx/nginx.conf" <<-END
		daemon off; pid $T_DIR/nginx/pid; error_log stderr; worker_processes 2; user root root;
		events { worker_connections 256; }
		http {
			access_log off; client_body_temp_path $T_DIR/nginx; proxy_temp_path $T_DIR/nginx/p;
			fastcgi_temp_path $T_DIR/nginx/f; uwsgi_temp_path $T_DIR/nginx/u; scgi_temp_path $T_DIR/nginx/s;
			root $T_DIR/nginx/html;
			server { listen $nginx_port; keepalive_timeout ${KEEPALIVE_S}s; }
			server { listen $nginx_slow; keepalive_timeout 600s; location /file { limit_rate 500; } }
		}
	END
	t_run nginx "$(command -v nginx)" -p "$T_DIR/nginx" -c "$T_DIR/nginx/nginx.conf" </dev/null
	t_wait_for 20 listens "$nginx_port" && t_wait_for 20 listens "$nginx_slow"
}

# Clients which keep a connection that the server keeps too: a slow download each.
start_keepalive() {
	local i
	for i in 1 2 3; do
		t_run "slow$i" curl -sS -o /dev/null "http://127.0.0.1:$nginx_slow/file" </dev/null
	done
	t_wait_for 20 established 3 "$nginx_slow"
}

# Each curl has fetched from several addresses, keeps these connections for later, and is busy with something
# slow: meanwhile nginx closes all of them.
start_curl_pool() {
	local urls='' i
	for i in $(seq $KEPT); do urls="$urls -o /dev/null http://127.0.1.$i:$nginx_port/file"; done
	for i in $(seq $((POOL / KEPT))); do
		# shellcheck disable=SC2086 # a list
		t_run "pool$i" curl -sS $urls -o /dev/null "http://127.0.2.1:$nginx_slow/file" </dev/null
	done
	t_wait_for 20 closed_by_server "$POOL" "$nginx_port"
}

postgres_programs() { find /usr/lib/postgresql -path '*/bin/postgres' 2>/dev/null | sort -V | tail -n 1; }
lacks_postgres() {
	[ -n "$(postgres_programs)" ] && command -v psql >/dev/null && id postgres >/dev/null 2>&1 ||
		echo "no PostgreSQL here"
}
start_postgres() {
	local port bin i
	free_port port
	bin=$(dirname "$(postgres_programs)")
	install -d -o postgres "$T_DIR/pg"
	setpriv --reuid postgres --regid postgres --init-groups \
		"$bin/initdb" -D "$T_DIR/pg/data" -A trust -N >"$T_DIR/initdb.out" 2>&1 || return
	t_run postgres setpriv --reuid postgres --regid postgres --init-groups \
		"$bin/postgres" -D "$T_DIR/pg/data" -p "$port" -k "$T_DIR/pg" -h 127.0.0.1 </dev/null
	t_wait_for 30 psql -h 127.0.0.1 -p "$port" -U postgres -c 'select 1' || return
	mkfifo "$T_DIR/idle"
	exec 6<>"$T_DIR/idle"
	for i in $(seq "$POOL"); do
		t_run "psql$i" psql -h 127.0.0.1 -p "$port" -U postgres postgres <"$T_DIR/idle"
	done
	t_wait_for 20 established "$POOL" "$port"
}

start_time_wait() { l_start time-wait-harmless 10000; }

# Servers have processes of their own to end, and can only do so when the clients have gone.
end_servers() {
	local name signal
	for name in $t_names; do
		case $name in
		nginx | postgres | sshd) ;;
		*)
			kill -KILL "$(t_pid "$name")" 2>/dev/null
			wait "$(t_pid "$name")" 2>/dev/null
			;;
		esac
	done
	for name in nginx postgres sshd; do
		signal=TERM
		[ $name = postgres ] && signal=INT # its "fast" shutdown
		[ -n "$(t_pid $name)" ] && t_runs $name && t_stop $name $signal 10
	done
	[ -z "$made_run_sshd" ] || rmdir /run/sshd
}
# The shell would tell of each that was killed.
trap 'end_servers 2>/dev/null; t_cleanup' EXIT

# ---- what the doctor says ---------------------------------------------------------------------------

# Nothing of severity leak or warning: idle-pool and time-wait-harmless are no faults.
no_fault() { [ "$L_STATUS" -eq 0 ] && ! grep -q '"severity":"\(leak\|warning\)"' "$T_DIR/look"; }

# healthy SENTENCE OPTION...
healthy() {
	local sentence=$1
	shift
	l_ask "$@"
	if [ "$L_STATUS" -eq 77 ]; then
		t_skip "$sentence" "$L_WHY"
		return
	fi
	[ -n "$L_JSON" ] && no_fault
	t_result $? "$sentence"
	no_fault || t_note "found '$L_FOUND', exit $L_STATUS" "$L_WHY" "$(cat "$T_DIR/look")"
	t_note "findings: ${L_FOUND:-none}"
}

# begin WHAT LACKING START...: starts it, or says why not.
begin() {
	local what=$1 lacking=$2 good=1
	shift 2
	if [ -n "$lacking" ]; then
		t_skip "$what" "$lacking"
		return
	fi
	"$@" && good=0
	t_result $good "$what"
	[ $good -eq 0 ] || t_note "$(tail -n 5 "$T_DIR"/*.err "$T_DIR"/*.out 2>/dev/null)"
}

t_plan 10
L_PIDS=
started=$(t_now)
begin "nginx runs" "$(lacks_nginx)" start_nginx
begin "clients keep connections to nginx" "$(lacks_nginx)" start_keepalive
begin "a pool of curl's has idle connections that nginx has closed" "$(lacks_nginx)" start_curl_pool
begin "sshd runs, with sessions" "$(lacks_sshd)" start_sshd
begin "PostgreSQL runs, with a pool of idle connections" "$(lacks_postgres)" start_postgres
begin "10,000 inbound TIME_WAIT are there" "" start_time_wait
healthy "at once, owners by BPF: no leak, no warning" --owners bpf
healthy "at once, owners by /proc: no leak, no warning" --owners proc
# Young sockets are let pass; these are to be seen.
old_enough() { [ "$(t_now)" -ge $((started + SETTLED_S)) ]; }
t_wait_for 60 old_enough
healthy "when all are old: no leak, no warning" --owners auto
healthy "compared over some seconds: no leak, no warning" --watch 1 --count $LOOKS
t_done
