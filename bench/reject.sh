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
X_SECONDS=6 # three lost packets are 1.4 s; who is not told then has to wait for this long

if [ "$B_ISOLATED" = no ] || ! x_begin; then
	echo "reject: not measured, losing packets needs root and nftables"
	exit 0
fi

p_lastack() {
	echo $P_PASSWORD | "$LASTACK" passwd $P_USER >"$B_DIR/users"
	p_receive --users "$B_DIR/users" --into "$B_DIR/reject.db" stomp://127.0.0.1:0
}
p_rabbitmq() {
	rabbit_begin "$B_DIR/rabbit" && rabbit_start one && P_PORT=$(rabbit_port one) P_PID=$(rabbit_pid one)
}

row() { # LABEL CELL...
	printf '| %-22s |' "$1"
	shift
	printf ' %12s |' "$@"
	printf '\n'
}

# The four columns at the same time: a client that hangs takes all its time in every trial.
measure() { # SERVER PROTOCOL
	local cells=() column told hung
	local -A pids
	"p_${1%-server}"
	b_progress "reject: $1"
	for column in $X_COLUMNS; do
		b_run x_column "$column" "$2" "127.0.0.1:$P_PORT" "$TRIALS" >"$B_DIR/$column"
		pids[$column]=$B_PID
	done
	for column in $X_COLUMNS; do
		wait "${pids[$column]}"
		b_forget "${pids[$column]}"
		read -r told hung <"$B_DIR/$column"
		[ "${hung:-0}" -eq 0 ] || told="hangs $told"
		cells+=("${told:-?}/$TRIALS")
	done
	b_progress ""
	p_end
	row "$(case $1 in lastack) "$LASTACK" --version | head -n 1 ;; *) p_version "$1" ;; esac)" "${cells[@]}"
	[ "$1" != lastack ] || ours="${cells[*]}"
}

b_where
echo "refused clients that keep sending: how many of $TRIALS had the whole answer"
echo "(a client that reads always, or one that stops at its first send error; 0 or the first 3 packets of the answer lost;"
echo "hangs: the server neither reads nor closes while it waits to be read)"
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
