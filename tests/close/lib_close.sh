# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# lib_close.sh - stuck connections in a network namespace of our own. Sourced first, from the root of the
# repository; the script then runs again in its namespace:
#
#	. tests/close/lib_close.sh
#	c_own one; c_peers one p 3 17   an owner ($C_PID) that ignores what its peers do; 3 peers: 17 bytes, FIN
#	c_close --state close-wait      runs lastack close; C_OUT, C_ERR (files), C_STATUS
#	c_count 08                      sockets in this state of /proc/net/tcp
#	c_tell one accept               a command to the owner's standard input

. tests/lib.sh
STUCK=$BUILD/tests/tools/stuck
if [ "${T_INSIDE:-}" != yes ]; then
	unshare -n true 2>/dev/null || t_skip_all "no network namespaces: needs root"
	command -v ip >/dev/null || t_skip_all "ip is not installed"
	t_cleanup
	exec env T_INSIDE=yes unshare -n bash "$0"
fi
ip link set lo up || t_skip_all "lo cannot be set up"
C_OUT=$T_DIR/close.out
C_ERR=$T_DIR/close.err

# An input that stays open until c_hang_up, or the end of this script: a pipe per program.
c_input() {
	mkfifo "$T_DIR/$1.in"
	eval "exec {c_input_$1}<>\"$T_DIR/$1.in\""
}
c_tell() { eval "echo \"\$2\" >&\$c_input_$1"; }

c_start() { # NAME COMMAND...
	local name=$1 fd
	shift
	c_input "$name"
	eval "fd=\$c_input_$name"
	# shellcheck disable=SC2154
	t_run "$name" "$@" <&"$fd"
}

c_said() { grep -q "$2" "$T_DIR/$1.out"; }

c_own() { # NAME [backlog]
	c_start "$1" "$STUCK" own ${2:+"$2"}
	C_PID=$(t_pid "$1")
	t_wait_for 20 c_said "$1" '^port ' || exit 1
	C_PORT=$(sed -n 's/^port //p' "$T_DIR/$1.out")
}

c_held=0
c_peers() { # OWNER NAME COUNT BYTES [open]
	c_start "$2" "$STUCK" peer "${C_ADDRESS:-127.0.0.1}" "$C_PORT" "$3" "$4" ${5:+"$5"}
	t_wait_for 60 c_said "$2" '^connected ' || exit 1
}
c_holds() { t_wait_for 60 c_said "$1" "^held $2\$" || exit 1; }

c_close() {
	"$LASTACK" close "$@" >"$C_OUT" 2>"$C_ERR"
	C_STATUS=$?
}

# Sockets whose state is this: 01 ESTABLISHED 04 FIN_WAIT1 05 FIN_WAIT2 08 CLOSE_WAIT 09 LAST_ACK.
c_count() { awk -v state="$1" '$4 == state { n++ } END { print n + 0 }' /proc/net/tcp /proc/net/tcp6; }
c_none() { [ "$(c_count "$1")" -eq 0 ]; }
# Connections that wait for accept() at $C_PORT: the listener's receive queue.
c_waiting() {
	local queues
	queues=$(awk -v port="$(printf ':%04X$' "$C_PORT")" '$4 == "0A" && $2 ~ port { print $5 }' /proc/net/tcp6)
	echo $((16#${queues#*:}))
}
c_fds() { find "/proc/$1/fd" -lname 'socket:*' 2>/dev/null | wc -l; }
# The same at two looks: states with their inodes.
c_table() { awk 'FNR > 1 { print $2, $3, $4, $10 }' /proc/net/tcp /proc/net/tcp6 | sort; }
