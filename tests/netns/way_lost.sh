#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# This host loses its own address, its route, or wakes from suspend.
# shellcheck disable=SC2154,SC2317 # cases are called by name; n_* are set by the library
. tests/netns/lib_netns.sh

# The kernel counts keepalive in whole seconds, so an idle death may take dead-after and 1 s.
DEAD_MS=2000 IDLE_DEAD_MS=3000
QUICK=(--dead-after 2s --connect-timeout 2s)

connected() { # hello is delivered, nothing is under way
	n_pair
	n_peer one --connections 2 --parallel read:eof
	n_send "${QUICK[@]}" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
}

address_lost() { # IDLE|BUSY BOUND
	connected
	n_fault && ip -n "$n_client" address del $n_client_ip/24 dev wire0
	ip -n "$n_client" address add 10.7.0.9/24 dev wire0
	[ "$1" = IDLE ] || n_type ", world"
	n_report address-lost "$2"
	[ "$1" = BUSY ] || n_type ", world"
	n_eof && n_exit 0 2
	n_arrived one
}

route_lost() { # IDLE|BUSY BOUND
	connected
	n_fault && ip -n "$n_client" route del 10.7.0.0/24
	[ "$1" = IDLE ] || n_type ", world"
	n_report route-lost "$2"
	[ "$1" = BUSY ] || n_type ", world"
	n_aftermath no-way
	ip -n "$n_client" route add 10.7.0.0/24 dev wire0
	n_eof && n_exit 0 2
	n_arrived one
}

# CLOCK_BOOTTIME jumps by an hour, as it does when a laptop wakes up.
sleeping() { # DEAD_AFTER
	command -v cc >/dev/null || n_skip "no cc for the suspend shim"
	cc -shared -fPIC -O1 -o "$T_DIR/shim.so" tests/netns/suspend_shim.c || n_fail "the shim does not compile"
	n_pair
	n_peer one --connections 2 --parallel read:eof
	n_preload=$T_DIR/shim.so SUSPEND_FILE=$T_DIR/suspended \
		ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-} \
		n_send --dead-after "$1" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
}

wake() {
	touch "$T_DIR/suspended"
	t_signal send USR1
}

# An idle peer is probed at once and has a quarter of --dead-after, in whole seconds, to answer.
suspend_idle() {
	sleeping 8s
	n_black_hole
	n_fault && wake
	n_report lost-in-suspend 3000
	n_lift
	n_type ", world" && n_eof
	n_exit 0 2
	n_arrived one
}

suspend_busy() {
	sleeping 2s
	n_black_hole
	n_fault && n_type ", world" && wake
	n_report lost-in-suspend $DEAD_MS
	n_lift
	n_eof && n_exit 0 2
	n_arrived one
}

suspend_harmless() {
	sleeping 8s
	wake
	n_event '"event":"status"'
	n_no_report 4
	n_type ", world" && n_eof
	n_exit 0 1
	n_arrived one
}

n_begin 7
n_case "local address removed while idle: address-lost within --dead-after, then by the new address" \
	address_lost IDLE $IDLE_DEAD_MS
n_case "local address removed with data under way: address-lost within --dead-after" \
	address_lost BUSY $DEAD_MS
n_case "route removed while idle: route-lost within --dead-after, aftermath no-way" \
	route_lost IDLE $IDLE_DEAD_MS
n_case "route removed with data under way: route-lost within --dead-after, aftermath no-way" \
	route_lost BUSY $DEAD_MS
n_case "suspend, and the peer is gone: lost-in-suspend well before --dead-after" suspend_idle
n_case "suspend with data under way: lost-in-suspend within --dead-after" suspend_busy
n_case "suspend, and the peer is there: the connection goes on" suspend_harmless
n_done
