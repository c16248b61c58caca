#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# --local-port: the next connection takes the same port, whatever became of the last one; where that
# cannot be, the reason is said in words.
# shellcheck disable=SC2154,SC2317 # cases are called by name; n_* are set by the library
. tests/netns/lib_netns.sh

# A port of the client's that is free for sure: the kernel has just chosen it for somebody.
free_local_port() {
	local server=$n_server
	n_server=$n_client n_listen=$n_client_ip n_peer nobody pause:0
	t_stop nobody || :
	n_server=$server
	n_local=$n_port
}

# n_same_port SERIAL: that connection came from the pinned port.
n_same_port() { [ "$(n_field local "$1")" = "$n_client_ip:$n_local" ]; }

server_fin() {
	n_pair && free_local_port
	n_peer one unlisten read:5 "wait:$T_DIR/go" close
	n_send --verbose --local-port "$n_local" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_successor two read:eof
	n_fault && touch "$T_DIR/go"
	n_report peer-closed 0
	n_type ", world" && n_read two 7 && n_eof
	n_exit 0 2
	{ n_same_port 1 && n_same_port 2; } || n_fail "not always port $n_local"
	n_said '"failed_attempts":0,' || n_fail "not at the first attempt"
	n_arrived one two
}

server_rst() {
	n_pair && free_local_port
	n_peer one unlisten read:5 "wait:$T_DIR/go" rst
	n_send --local-port "$n_local" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_successor two read:eof
	n_fault && touch "$T_DIR/go"
	n_report peer-reset 0
	n_type ", world" && n_read two 7 && n_eof
	n_exit 0 2
	{ n_same_port 1 && n_same_port 2; } || n_fail "not always port $n_local"
	n_said '"failed_attempts":0,' || n_fail "not at the first attempt"
	n_arrived one two
}

# What the last program left: TIME_WAIT after graceful, nothing after abort.
own_end() { # POLICY CAUSE LEFT
	n_pair && free_local_port
	n_peer one --connections 2 --parallel read:eof
	n_send --close "$1" --local-port "$n_local" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_fault && n_eof
	n_report "$2" 0
	n_exit 0 1
	[ "$(n_at_client ss -Htan "sport = :$n_local" | cut -d' ' -f1)" = "$3" ] || n_fail "what is left is not '$3'"
	n_send_again --local-port "$n_local" "tcp://$n_server_ip:$n_port"
	n_type ", world" && n_eof
	n_exit 0 1
	n_same_port 1 || n_fail "not port $n_local"
	n_said '"failed_attempts":0,' || n_fail "not at the first attempt"
	n_arrived one
}

# The client dies and the server never hears of it; SIGKILL with unread data, so that its kernel
# sends RST and keeps nothing.
ghost() {
	n_pair && free_local_port
	n_peer one --connections 2 --parallel read:5 "wait:$T_DIR/say" write:listen "touch:$T_DIR/told" read:eof
	n_send --local-port "$n_local" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	t_signal send STOP
	touch "$T_DIR/say"
	n_await 5 "the server has spoken" n_unread
	n_black_hole
	t_signal send KILL
	t_join send || :
	n_await 5 "nothing is left at the client" n_client_forgot
	n_lift
	[ "$(n_at_server ss -Htn state established | wc -l)" -eq 1 ] || n_fail "there is no ghost"
	exec 9>&-
	n_fault && n_send_again --local-port "$n_local" "tcp://$n_server_ip:$n_port"
	n_type world && n_read one 10
	n_await 3 "the server's ghost gets ECONNRESET" grep -q 'connection 1: read:eof: .*reset by peer' "$T_DIR/one.err"
	n_eof && n_exit 0 1
	n_same_port 1 || n_fail "not port $n_local"
	n_arrived one
}
n_unread() { n_at_client ss -Htn state established | awk '$1 > 0 {found = 1} END {exit !found}'; }
n_client_forgot() { [ -z "$(n_at_client ss -Htan)" ]; }

# SIGKILL without unread data in the dark: the kernel goes on sending the FIN for a while.
orphan() {
	n_pair && free_local_port
	n_peer one --connections 2 --parallel read:eof
	n_send --local-port "$n_local" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_black_hole
	t_signal send KILL
	t_join send || :
	exec 9>&-
	n_fault && n_send_again --local-port "$n_local" "tcp://$n_server_ip:$n_port"
	n_report tuple-in-use 0
	n_await 3 "the holder is named" grep -q \
		"local port $n_local: 1 socket: FIN_WAIT1 to $n_server_ip:$n_port; .*to end first" "$T_DIR/send.err"
	n_lift
	n_type ", world" && n_eof
	n_exit 0 1
	n_arrived one
}

listener_holds_it() {
	n_pair
	n_peer one read:eof
	remote_port=$n_port server=$n_server
	n_server=$n_client n_listen=$n_client_ip n_peer holder hold
	n_server=$server n_local=$n_port
	n_fault && n_send --retry 1 --local-port "$n_local" "tcp://$n_server_ip:$remote_port"
	n_type hello
	n_report port-in-use 0
	n_exit 1 0
	grep -q "local port $n_local: 1 socket: LISTEN .*a server listens on it: choose another port" \
		"$T_DIR/send.err" ||
		n_fail "the holder is not named"
}

n_begin 7
n_case "pinned port: the server's FIN, reconnected at once from the same port" server_fin
n_case "pinned port: the server's RST, reconnected at once from the same port" server_rst
n_case "pinned port: our graceful close leaves TIME_WAIT, which the next program takes over at once" \
	own_end graceful finished TIME-WAIT
n_case "pinned port: our abort leaves nothing, the next program connects at once" \
	own_end abort aborted ""
n_case "pinned port: the server's ghost of a killed client is evicted" ghost
n_case "pinned port: an orphan still holds the pair: tuple-in-use, named in words, then it works" \
	orphan
n_case "pinned port: somebody listens there: port-in-use, named in words, exit 1" listener_holds_it
n_done
