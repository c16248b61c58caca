#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The peer ends the connection: FIN, RST, crash; or it never does. All time-outs that could be mistaken
# for "at once" stay at their defaults of 10 s and more.
# shellcheck disable=SC2154,SC2317 # cases are called by name; n_* are set by the library
. tests/netns/lib_netns.sh

fin_idle() {
	n_pair
	n_peer one unlisten read:5 "wait:$T_DIR/go" close
	n_send "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_successor two read:eof
	n_fault && touch "$T_DIR/go"
	n_report peer-closed 0
	n_type ", world" && n_eof
	n_exit 0 2
	n_arrived one two
}

fin_busy() {
	n_pair
	n_peer one unlisten read:1000000 shutdown read:eof
	n_send "tcp://$n_server_ip:$n_port"
	n_up && n_successor two read:eof
	n_fault && n_pour 16000000
	n_report peer-closed 0
	n_eof && n_exit 0 2
	n_arrived one two
}

rst_idle() {
	n_pair
	n_peer one unlisten read:5 "wait:$T_DIR/go" rst
	n_send "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_successor two read:eof
	n_fault && touch "$T_DIR/go"
	n_report peer-reset 0
	n_type ", world" && n_eof
	n_exit 0 2
	n_arrived one two
}

rst_busy() {
	n_pair
	n_peer one unlisten read:1000000 rst
	n_send "tcp://$n_server_ip:$n_port"
	n_up && n_successor two read:eof
	n_fault && n_pour 16000000
	n_report 'peer-reset|reset-unread' 0
	n_eof && n_exit 0 2
	n_lost_within one two
}

crash_full() {
	n_pair
	n_peer one --rcvbuf 65536 unlisten read:5 "wait:$T_DIR/go" exit
	n_send "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_successor two read:eof
	n_pour 1000000 && n_shut
	n_fault && touch "$T_DIR/go"
	n_report reset-unread 0
	n_eof && n_exit 0 2
	n_lost_within one two
}

# The kernel opens the window while it fills, so little unread data cannot be told from none.
crash_little() {
	n_pair
	n_peer one unlisten read:5 "wait:$T_DIR/go" exit
	n_send "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_successor two read:eof
	n_type "$(printf '%030000d' 7)" && n_quiet
	n_fault && touch "$T_DIR/go"
	n_report 'peer-reset|reset-unread' 0
	n_type ", world" && n_eof
	n_exit 0 2
	n_lost_within one two
}

never_closed() { # PROOF EXIT_STATUS
	n_pair
	n_peer one read:eof hold
	n_send --read-timeout 2s --proof "$1" --retry 0 "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_fault && n_eof
	n_report never-closed 2000
	n_exit "$2" 1
	n_arrived one
}

n_begin 8
n_case "FIN while idle: peer-closed at once, the rest arrives by a new connection" fin_idle
n_case "FIN while busy: peer-closed at once, every byte arrives once" fin_busy
n_case "RST while idle: peer-reset at once, the rest arrives by a new connection" rst_idle
n_case "RST while busy: named at once, the loss is within the report's interval" rst_busy
n_case "crash with a full receive buffer: reset-unread at once, the loss is within the report's interval" \
	crash_full
n_case "crash with a little unread data: named at once, the loss is within the report's interval" \
	crash_little
n_case "a peer that never closes: never-closed within --read-timeout, exit 0 with --proof acked" \
	never_closed acked 0
n_case "a peer that never closes: exit 1 with --proof consumed, which it did not give" \
	never_closed consumed 1
n_done
