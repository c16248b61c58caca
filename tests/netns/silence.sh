#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The peer, or the way to it, falls silent. Whoever comes back answers the next SYN, and what was
# under way arrives by the new connection.
# shellcheck disable=SC2154,SC2317 # cases are called by name; n_* are set by the library
. tests/netns/lib_netns.sh

# The kernel counts keepalive in whole seconds, so an idle death may take dead-after and 1 s.
DEAD_MS=2000 IDLE_DEAD_MS=3000
QUICK=(--dead-after 2s --connect-timeout 2s)

power_loss_idle() {
	n_pair
	n_peer one --connections 2 --parallel read:eof
	n_send "${QUICK[@]}" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_fault && n_black_hole
	n_report silent-idle $IDLE_DEAD_MS
	n_type ", world"
	n_aftermath host-silent
	n_lift
	n_eof && n_exit 0 2
	n_arrived one
}

power_loss_busy() {
	n_pair
	n_peer one --connections 2 --parallel read:eof
	n_send "${QUICK[@]}" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_black_hole
	n_fault && n_type ", world"
	n_report silent-busy $DEAD_MS
	n_aftermath host-silent
	n_lift
	n_eof && n_exit 0 2
	n_arrived one
}

# On the same wire nobody answers ARP for it any more, which this kernel turns into EHOSTUNREACH after
# three seconds: still a host that is silent, not a route that is lost.
power_loss_neighbour() { # CAUSE IDLE|BUSY DEAD_AFTER_S
	n_pair
	n_peer one --connections 2 --parallel read:eof
	n_send --dead-after "$3s" --connect-timeout 5s "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	ip -n "$n_server" link set wire0 arp off
	ip -n "$n_client" neighbour flush all
	n_fault
	[ "$2" = IDLE ] || n_type ", world"
	n_report "$1" $(($3 * 1000 + 1000))
	[ "$2" = BUSY ] || n_type ", world"
	n_aftermath 'host-silent\|no-way'
	ip -n "$n_server" link set wire0 arp on
	n_eof && n_exit 0 2
	n_arrived one
}

nat_idle() {
	n_nat
	n_peer one --connections 2 --parallel read:eof
	n_send "${QUICK[@]}" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_fault && n_forget_nat
	n_report silent-idle $IDLE_DEAD_MS
	n_aftermath host-answers
	n_type ", world" && n_eof
	n_exit 0 2
	n_arrived one
}

nat_busy() {
	n_nat
	n_peer one --connections 2 --parallel read:eof
	n_send "${QUICK[@]}" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_forget_nat
	n_fault && n_type ", world"
	n_report silent-busy $DEAD_MS
	n_aftermath host-answers
	n_eof && n_exit 0 2
	n_arrived one
}

# What a rebooted host looks like: nothing for a while, then a kernel that knows no such connection.
crash_in_the_dark() {
	n_black_hole
	touch "$T_DIR/go"
	n_await 5 "the first program is gone" t_ended one
}

reboot_busy() {
	n_pair
	n_peer one unlisten read:5 "wait:$T_DIR/go" rst
	n_send --dead-after 10s "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	crash_in_the_dark
	n_type ", world"
	n_successor two read:eof
	n_no_report 2 # it takes its time to come up
	n_retransmits || n_fail "nothing is under way"
	n_fault && n_lift
	n_report reset-after-silence $REBOOT_MS
	n_eof && n_exit 0 2
	n_arrived one two
}

reboot_idle_write() {
	n_pair
	n_peer one unlisten read:5 "wait:$T_DIR/go" rst
	n_send "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	crash_in_the_dark
	n_successor two read:eof
	n_lift
	n_no_report 2
	n_fault && n_type ", world"
	n_report reset-after-silence 0
	n_eof && n_exit 0 2
	n_arrived one two
}

reboot_idle() {
	n_pair
	n_peer one unlisten read:5 "wait:$T_DIR/go" rst
	n_send --dead-after 4s "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	crash_in_the_dark
	n_successor two read:eof
	n_fault && n_lift
	n_report reset-after-silence 4000
	n_type ", world" && n_eof
	n_exit 0 2
	n_arrived one two
}

# Retransmissions are a quarter of --dead-after apart at most (TCP_RTO_MAX_MS).
REBOOT_MS=2500
n_retransmits() { n_at_client ss -Htno state established | grep -q 'timer:(on,[^)]*,[1-9][0-9]*)'; }

n_begin 9
n_case "power loss of the host while idle: silent-idle within --dead-after, aftermath host-silent" \
	power_loss_idle
n_case "power loss of the host with data under way: silent-busy within --dead-after, aftermath host-silent" \
	power_loss_busy
n_case "power loss of a neighbour while idle, ARP unanswered: silent-idle, the next SYN fails" \
	power_loss_neighbour silent-idle IDLE 8
n_case "power loss of a neighbour with data under way, ARP unanswered: silent-busy, the next SYN fails" \
	power_loss_neighbour silent-busy BUSY 5
n_case "NAT state dropped while idle: silent-idle within --dead-after, aftermath host-answers" \
	nat_idle
n_case "NAT state dropped, then data: silent-busy within --dead-after, aftermath host-answers" \
	nat_busy
n_case "server rebooted with data under way: reset-after-silence with the next retransmission" \
	reboot_busy
n_case "server rebooted while idle: reset-after-silence with the next write" reboot_idle_write
n_case "server rebooted while idle: reset-after-silence with the next keepalive probe" reboot_idle
n_done
