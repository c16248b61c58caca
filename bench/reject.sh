#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# reject.sh: whoever is refused keeps sending; does it learn why? lastack receive against mosquitto, nats-server,
# HAProxy and RabbitMQ with a wrong password, and nginx with a body that is too large: the one other server
# here that lingers. tests/tools/reject_client.c says what the clients do; tests/reject/reject.sh asserts our row.
#
#	TRIALS=20 bench/reject.sh
#
# It needs a network namespace of its own (root) and nftables: packets are lost in it.
cd "$(dirname "$0")/.." && . bench/lib.sh
b_isolate "$0" "$@"
. bench/lib_peers.sh
. tests/reject/lib_reject.sh
. tests/interop/lib_rabbit.sh
TRIALS=${TRIALS:-20}

if [ "$B_ISOLATED" = no ] || ! x_begin; then
	echo "reject: not measured, losing packets needs root and nftables"
	exit 0
fi

p_lastack() {
	echo $P_PASSWORD | "$LASTACK" passwd $P_USER >"$B_DIR/users"
	b_serve "$LASTACK" receive --users "$B_DIR/users" --into "$B_DIR/reject.db" stomp://127.0.0.1:0 \
		2>"$B_DIR/lastack.log"
	P_PORT=$B_PORT P_PID=$B_PID
}
p_rabbitmq() {
	rabbit_begin "$B_DIR/rabbit" && rabbit_start one && P_PORT=$(rabbit_port one) P_PID=$rabbit_pid_one
}

row() { # LABEL CELL...
	printf '| %-22s |' "$1"
	shift
	printf ' %12s |' "$@"
	printf '\n'
}

measure() { # SERVER PROTOCOL
	local cells=() column
	"p_${1%-server}"
	for column in $X_COLUMNS; do
		b_progress "reject: $1, $column"
		cells+=("$(x_column "$column" "$2" "127.0.0.1:$P_PORT" "$TRIALS")/$TRIALS")
	done
	b_progress ""
	p_end
	row "$(case $1 in lastack) "$LASTACK" --version | head -n 1 ;; *) p_version "$1" ;; esac)" "${cells[@]}"
	[ "$1" != lastack ] || ours="${cells[*]}"
}

b_where
echo "refused clients that keep sending: how many of $TRIALS had the whole answer"
echo "(a client that reads always, or one that stops at its first send error; 0 or the first 3 packets of the answer lost)"
row server "reads, 0" "reads, 3" "stops, 0" "stops, 3"
measure lastack stomp
for peer in mosquitto:mqtt nats-server:nats haproxy:http rabbitmq:stomp nginx:http; do
	if p_installed "${peer%:*}"; then
		measure "${peer%:*}" "${peer#*:}"
	else
		row "${peer%:*}: not installed" - - - -
	fi
done
echo "RESULT reject: lastack tells ${ours:-nobody} (reads 0, reads 3, stops 0, stops 3)"
[ "${ours:-}" = "$TRIALS/$TRIALS $TRIALS/$TRIALS $TRIALS/$TRIALS $TRIALS/$TRIALS" ]
