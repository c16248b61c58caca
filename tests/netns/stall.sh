#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A peer whose kernel answers and whose program does not read is STALLED, which is not DEAD.
# shellcheck disable=SC2154,SC2317 # cases are called by name; n_* are set by the library
. tests/netns/lib_netns.sh

QUICK=(--dead-after 2s --stall-after 1s)

frozen() {
	n_pair
	n_peer one --rcvbuf 65536 read:5 stop read:eof
	n_send "${QUICK[@]}" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5
	n_pour 4000000
	n_event '"to":"stalled"' 4
	n_no_report 4
	t_signal one CONT
	n_eof && n_exit 0 1
	n_arrived one
}

# The end of the input must not turn a stalled peer into a dead one either.
frozen_closing() {
	n_pair
	n_peer one --rcvbuf 65536 read:5 stop read:eof
	n_send "${QUICK[@]}" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5
	n_type "$(printf '%0200000d' 7)" && n_eof
	n_shut
	n_no_report 4
	t_signal one CONT
	n_exit 0 1
	n_arrived one
}

slow_reader() {
	n_pair
	n_peer one --rcvbuf 16384 slow:20000:300
	n_send "${QUICK[@]}" "tcp://$n_server_ip:$n_port"
	n_up && n_pour 300000
	n_no_report 4
	n_eof && n_exit 0 1
	n_arrived one
}

zero_window() {
	n_pair
	n_peer one --rcvbuf 16384 read:5 "wait:$T_DIR/go" read:eof
	n_send "${QUICK[@]}" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5
	n_pour 4000000 && n_shut
	n_event '"to":"stalled"' 4
	n_no_report 4
	touch "$T_DIR/go"
	n_event '"from":"stalled","to":"up"'
	n_eof && n_exit 0 1
	n_arrived one
}

stalled_reconnect() {
	n_pair
	n_peer one --rcvbuf 65536 unlisten read:5 hold
	n_send --stall-after 2s --on-stall reconnect "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_successor two read:eof
	n_fault && n_pour 4000000
	n_report stalled 2000
	n_eof && n_exit 0 2
	n_lost_within one two
}

n_begin 5
n_case "frozen process: stalled, not dead; after SIGCONT all arrives by the same connection" frozen
n_case "frozen process while closing: waited for; after SIGCONT all arrives by the same connection" \
	frozen_closing
n_case "slow reader: never killed, all arrives by one connection" slow_reader
n_case "zero window for longer than --dead-after: stalled, then up again, by one connection" \
	zero_window
n_case "zero window with --on-stall reconnect: stalled within --stall-after, the loss is within the report's interval" \
	stalled_reconnect
n_done
