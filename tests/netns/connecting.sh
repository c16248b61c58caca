#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Deaths before a connection lives, and the ways around them: other addresses, other servers.
# shellcheck disable=SC2154,SC2317 # cases are called by name; n_* are set by the library
. tests/netns/lib_netns.sh

# Nothing listens there, but the port was somebody's: it is free for sure.
free_port() {
	n_peer nobody pause:0
	t_stop nobody || :
}

black_hole() {
	n_pair
	n_peer one read:eof
	n_black_hole
	n_fault && n_send --connect-timeout 2s "tcp://$n_server_ip:$n_port"
	n_type hello
	n_report connect-timeout 2000
	n_lift
	n_eof && n_exit 0 1
	n_arrived one
}

black_hole_give_up() {
	n_pair
	n_peer one hold
	n_black_hole
	n_fault && n_send --connect-timeout 2s --retry 0 "tcp://$n_server_ip:$n_port"
	n_type hello
	n_report connect-timeout 2000
	n_exit 1 0
}

refused() {
	n_pair
	free_port
	n_fault && n_send --retry 2 "tcp://$n_server_ip:$n_port"
	n_type hello
	n_report connect-refused 0
	n_report connect-refused 200
	n_exit 1 0
}

# What the firewall answers instead of the server.
rejected() { # HOW CAUSE
	n_pair
	free_port
	n_at_server nft -f - <<-RULES || n_fail "nft refused the wall"
		table inet wall { chain in { type filter hook input priority 0; meta l4proto tcp reject with $1; }; }
	RULES
	n_fault && n_send --retry 0 "tcp://$n_server_ip:$n_port"
	n_type hello
	n_report "$2" 0
	n_exit 1 0
}

no_route() {
	n_pair
	n_fault && n_send --retry 0 tcp://192.0.2.1:9
	n_type hello
	n_report unreachable 0
	n_exit 1 0
}

no_neighbour() {
	n_pair
	n_fault && n_send --retry 0 tcp://10.7.0.77:9
	n_type hello
	n_report unreachable 3000 # neigh/*/mcast_solicit times retrans_time_ms
	n_exit 1 0
}

# Every try sends its SYN to itself; with --local-port the first one hits.
self_connect() {
	n_pair
	n_server=$n_client n_listen=127.0.0.1 free_port
	n_fault && n_send --retry 1 --local-port "$n_port" "tcp://127.0.0.1:$n_port"
	n_type hello
	n_report self-connect 0
	n_exit 1 0
	n_no_such_port || n_fail "a socket of the self-connect is left"
}
n_no_such_port() { [ -z "$(n_at_client ss -Htn state established)" ]; }

# The other way: a loop that polls a port of the ephemeral range until the kernel picks it.
self_connect_by_chance() {
	n_pair
	n_server=$n_client n_listen=127.0.0.1 free_port
	n_at_client sysctl -qw net.ipv4.ip_local_port_range="$((n_port - 4)) $((n_port + 4))"
	n_fault && n_send --backoff 1ms..2ms "tcp://127.0.0.1:$n_port"
	n_type hello
	n_event '"cause":"self-connect"'
	n_server=$n_client n_listen=127.0.0.1 n_peer one --port "$n_port" read:eof
	n_eof && n_exit 0 1
	n_arrived one
}

resolve_failed() {
	n_pair
	n_names "$n_server_ip server.test" ""
	n_fault && n_send --retry 1 tcp://nowhere.test:9
	n_type hello
	n_report resolve-failed 5000 # with no nameserver glibc asks this host, which refuses
	n_exit 1 0
}

resolve_timeout() {
	n_pair
	n_names "" "nameserver $n_server_ip"
	n_black_hole
	n_fault && n_send --retry 0 --resolve-timeout 2s tcp://server.test:9
	n_type hello
	n_report resolve-timeout 2000
	n_exit 1 0 2
}

failover_refused() {
	n_pair
	free_port
	n_dead_port=$n_port
	n_peer two read:eof
	n_fault && n_send "tcp://$n_server_ip:$n_dead_port" "tcp://$n_server_ip:$n_port"
	n_type hello
	n_report connect-refused 0
	n_eof && n_exit 0 1
	n_arrived two
}

failover_silent() {
	n_pair
	n_peer one read:eof
	n_at_server nft -f - <<-'RULES' || n_fail "nft refused the drop"
		table inet hole { chain in { type filter hook input priority 0; ip daddr 10.7.0.3 drop; }; }
	RULES
	ip -n "$n_server" address add 10.7.0.3/24 dev wire0
	n_fault && n_send --connect-timeout 2s "tcp://10.7.0.3:$n_port" "tcp://$n_server_ip:$n_port"
	n_type hello
	n_report connect-timeout 2000
	n_eof && n_exit 0 1
	n_arrived one
}

failover_later() {
	n_pair
	n_peer one unlisten read:5 "wait:$T_DIR/go" close
	n_first=$n_port
	n_peer two read:eof
	n_send "tcp://$n_server_ip:$n_first" "tcp://$n_server_ip:$n_port"
	n_type hello && n_read one 5 && n_quiet
	n_fault && touch "$T_DIR/go"
	n_report peer-closed 0
	n_report connect-refused 0
	n_type ", world" && n_eof
	n_exit 0 2
	n_arrived one two
}

happy_eyeballs() {
	n_pair_6
	n_names "$n_server_ip6 server.test"$'\n'"$n_server_ip server.test" ""
	n_peer one read:eof
	n_at_server nft -f - <<-'RULES' || n_fail "nft refused the drop"
		table ip6 hole { chain in { type filter hook input priority 0; tcp dport 1-65535 drop; }; }
	RULES
	n_fault && n_send --connect-timeout 10s "tcp://server.test:$n_port"
	n_type hello && n_read one 5
	took=$(($(n_now) - n_t0))
	[ $took -le $((250 + N_SLACK_MS)) ] || n_fail "connected after $took ms"
	t_note "delivered after $took ms (bound 250 + $N_SLACK_MS, --connect-timeout 10000)"
	n_one_socket || n_fail "the loser of the race is left"
	n_eof && n_exit 0 1
	n_said '"failed_attempts":0,' || n_fail "the race counted as a failure"
	n_arrived one
}
n_one_socket() { [ "$(n_at_client ss -Htan | wc -l)" -eq 1 ]; }

happy_eyeballs_6() {
	n_pair_6
	n_names "$n_server_ip6 server.test"$'\n'"$n_server_ip server.test" ""
	n_listen=:: n_peer one read:eof
	n_send "tcp://server.test:$n_port"
	n_type hello && n_read one 5 && n_eof
	n_exit 0 1
	n_said "\"remote\":\"\\[$n_server_ip6\\]" || n_fail "it was not IPv6"
	n_arrived one
}

n_begin 17
n_case "SYN into a black hole: connect-timeout within --connect-timeout; all arrives once it is lifted" \
	black_hole
n_case "SYN into a black hole with --retry 0: exit 1" black_hole_give_up
n_case "nothing listens: connect-refused at once, --retry 2 ends with exit 1" refused
n_case "a firewall rejects with port-unreachable: connect-refused at once" \
	rejected "icmpx type port-unreachable" connect-refused
n_case "a firewall rejects with RST: connect-refused at once" rejected "tcp reset" connect-refused
n_case "a router answers host-unreachable: unreachable at once" \
	rejected "icmpx type host-unreachable" unreachable
n_case "no route: unreachable at once" no_route
n_case "no such neighbour: unreachable when ARP gives up" no_neighbour
n_case "connecting to oneself from the pinned port: self-connect at once" self_connect
n_case "connecting to oneself by chance: self-connect, then the server when it comes" \
	self_connect_by_chance
n_case "a name that does not resolve: resolve-failed" resolve_failed
n_case "a resolver that never answers: resolve-timeout within --resolve-timeout" resolve_timeout
n_case "failover: the first server refuses, the second gets everything" failover_refused
n_case "failover: the first server is silent, the second gets everything" failover_silent
n_case "failover: the first server goes away, the second gets the rest" failover_later
n_case "Happy Eyeballs: IPv6 is a black hole, IPv4 delivers long before --connect-timeout" \
	happy_eyeballs
n_case "Happy Eyeballs: IPv6 is preferred where it works" happy_eyeballs_6
n_done
