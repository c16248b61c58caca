#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# stomp.sh: records a second from end to end, each of them acknowledged: lastack send -> receive beside
# rsyslog omrelp -> imrelp, RabbitMQ through python3-stomp and through lastack send, and JetStream of nats-server.
#
#	RUNS=5 TARGET_S=3 CASES='memory crash durable' bench/stomp.sh
#
# A rate is records / time, from the first byte given to the sender until the last record is where it is to
# stay and the sender knows it (rsyslog: until it is in the receiver's file). What comes out is counted. Only
# equal promises stand in one table:
#
#	memory   Nothing survives a crash. Everybody holds a window of unanswered records (10,000) in memory.
#	         Output: lastack and rsyslog write a file without sync; JetStream keeps it in memory, RabbitMQ in a
#	         classic queue that is not persistent.
#	crash    What was confirmed survives kill -9, not loss of power: JetStream writes files and syncs them
#	         every two minutes (2.9 knows nothing stricter); lastack stores with --durability none. Neither
#	         sender keeps anything on its disk; what it costs lastack to do so is a row of its own.
#	durable  What the sender accepted and what the receiver confirmed survives loss of power. lastack: spool and
#	         store with --durability full. rsyslog: a disk queue synced for each record, and a receiver
#	         that answers when its file is synced; its second row promises less, and is there so that
#	         nobody calls the first one unfair. RabbitMQ confirms a record in a quorum queue when its
#	         log is synced; python3-stomp keeps nothing at the sender's end, which favours it.
#
# How many records a run has is found out for each, so that it takes about TARGET_S.
cd "$(dirname "$0")/.." && . bench/lib.sh
b_isolate "$0" "$@"
. bench/lib_peers.sh
. tests/interop/lib_rabbit.sh
RUNS=${RUNS:-5}
TARGET_S=${TARGET_S:-3}
CASES=${CASES:-memory crash durable}
WINDOW=10000
BYTES_MAX=$((1 << 30)) # of one run: fits every disk and memory
NATS=$(b_tool nats_publish) || exit 1

# ---- records ----------------------------------------------------------------------------------------

# B_DIR/input: COUNT lines of SIZE bytes, not counting the newline, all different.
make_input() { # SIZE COUNT
	awk -v size="$1" -v count="$2" 'BEGIN { for (i = 1; i <= count; i++) printf "%0*d\n", size, i }' >"$B_DIR/input"
}

# ---- contestants: each prints the seconds of one run, or nothing and why on stderr ------------------

lastack_run() { # SIZE COUNT RECEIVE-TO DURABILITY SEND-OPTION...
	local into=$3 durability=$4 count=$2 begin took got
	shift 4
	rm -f "$B_DIR"/lastack.*
	p_receive --quiet --into "$into" --durability "$durability" stomp://127.0.0.1:0
	begin=$(b_now)
	"$LASTACK" send --quiet "$@" "stomp://127.0.0.1:$P_PORT/queue/bench" <"$B_DIR/input" 2>>"$B_DIR/lastack.err" ||
		b_say "stomp: lastack send says $?: $(tail -n 2 "$B_DIR/lastack.err")"
	took=$(b_since "$begin")
	b_end "$P_PID" TERM
	if [ "$into" = - ]; then
		got=$(wc -l <"$B_DIR/lastack.out")
	else
		got=$(sqlite3 "$into" 'SELECT count(*) FROM records')
	fi
	counted lastack "$got" "$count" "$took"
}
run_lastack() { # CASE SIZE COUNT
	case $1 in
	memory) lastack_run "$2" "$3" - none ;;
	crash) lastack_run "$2" "$3" "$B_DIR/lastack.db" none ;;
	durable) lastack_run "$2" "$3" "$B_DIR/lastack.db" full --spool "$B_DIR/lastack.spool" --durability full ;;
	esac
}
run_lastack_spool() {
	lastack_run "$2" "$3" "$B_DIR/lastack.db" none --spool "$B_DIR/lastack.spool" --durability none
}

rsyslog_has() { [ "$(stat -c %s "$B_DIR/rsyslog.out" 2>/dev/null || echo 0)" -ge "$1" ]; }
run_rsyslog() { rsyslog_run "$1" "$2" "$3"; }
run_rsyslog_lenient() { rsyslog_run lenient "$2" "$3"; }
rsyslog_run() { # memory|durable|lenient SIZE COUNT
	local begin took wanted=$((($2 + 1) * $3))
	p_rsyslog "$1"
	begin=$(b_now)
	cat "$B_DIR/input" >"/dev/tcp/127.0.0.1/$P_PORT"
	b_wait_for 120 rsyslog_has "$wanted"
	took=$(b_since "$begin")
	p_rsyslog_end
	counted rsyslog "$(wc -l <"$B_DIR/rsyslog.out")" "$3" "$took"
}

run_nats() {
	local storage=memory
	[ "$1" = memory ] || storage="file"
	"$NATS" "$nats_port" $P_USER $P_PASSWORD $storage "$3" "$2" $WINDOW
}

# An empty queue for every run; RabbitMQ makes it with the first record.
run_rabbitmq_python() {
	local option=--quorum
	[ "$1" = durable ] || option=--transient
	rabbit_stomp one --seconds 120 send $option --window $WINDOW "/queue/$1" <"$B_DIR/input" | cut -d' ' -f3
	rabbit_ctl one delete_queue "$1" >/dev/null
}
run_rabbitmq_lastack() {
	local options=() begin
	rm -f "$B_DIR"/lastack.*
	[ "$1" = memory ] || options=(--spool "$B_DIR/lastack.spool" --durability full --header persistent:true
		--header durable:true --header auto-delete:false --header x-queue-type:quorum)
	echo $RABBIT_PASSWORD >"$B_DIR/passcode"
	begin=$(b_now)
	if "$LASTACK" send --quiet --passcode-file "$B_DIR/passcode" --vhost / "${options[@]}" \
		"stomp://$RABBIT_USER@127.0.0.1:$(rabbit_port one)/queue/$1" <"$B_DIR/input" 2>"$B_DIR/lastack.err"; then
		b_since "$begin"
	else
		b_say "stomp: lastack send to RabbitMQ: $(tail -n 2 "$B_DIR/lastack.err")"
	fi
	rabbit_ctl one delete_queue "$1" >/dev/null
}

counted() { # NAME GOT WANTED SECONDS
	[ "$2" = "$3" ] && echo "$4" && return
	b_say "stomp: $1 brought $2 of $3 records"
	echo "$1" >>"$B_DIR/incomplete"
}

label_of() { # CONTESTANT CASE
	case $1:$2 in
	lastack:memory) echo "lastack send -> receive --into -" ;;
	lastack:crash) echo "lastack send -> receive --into F.db" ;;
	lastack_spool:*) echo "  the same, send --spool: survives its crash too" ;;
	lastack:*) echo "lastack send --spool -> receive --into F.db" ;;
	rsyslog:memory) echo "rsyslog omrelp -> imrelp, queues in memory" ;;
	rsyslog:*) echo "rsyslog omrelp -> imrelp, disk queue, sync" ;;
	rsyslog_lenient:*) echo "  the same, may lose what is under way" ;;
	nats:memory) echo "nats-server JetStream, memory" ;;
	nats:*) echo "nats-server JetStream, file" ;;
	rabbitmq_python:memory) echo "python3-stomp -> RabbitMQ, transient" ;;
	rabbitmq_python:*) echo "python3-stomp -> RabbitMQ quorum queue" ;;
	rabbitmq_lastack:memory) echo "lastack send -> RabbitMQ, transient" ;;
	rabbitmq_lastack:*) echo "lastack send --spool -> RabbitMQ quorum queue" ;;
	esac
}

# ---- rounds -----------------------------------------------------------------------------------------

# What a run has started ends with it, also when it fails: the seconds go to stdout.
one_run() { # CONTESTANT CASE SIZE COUNT
	(
		b_pids=
		trap 'kill -KILL $b_pids 2>/dev/null; wait' EXIT
		"run_$1" "$2" "$3" "$4"
	)
}

# How many records take about TARGET_S: COUNT. A run that takes less than half of it says too little, since the
# start of the programs is in it.
calibrate() { # CONTESTANT CASE SIZE
	local count=500 next took
	while :; do
		make_input "$3" "$count"
		took=$(one_run "$1" "$2" "$3" "$count")
		[ -n "$took" ] || { echo 0 && return; }
		next=$(awk -v n="$count" -v t="$took" -v target="$TARGET_S" -v most=$((BYTES_MAX / $3)) 'BEGIN {
			next_n = int(n * target / t)
			if (next_n > 8 * n) next_n = 8 * n
			if (next_n > most) next_n = most
			print next_n < 100 ? 100 : next_n }')
		awk -v t="$took" -v target="$TARGET_S" 'BEGIN { exit !(t >= target / 2) }' && break
		[ "$next" -gt "$count" ] || break
		count=$next
	done
	echo "$next"
}

# RUNS rounds of one case, in turns, so that other load on this host meets all of them.
rounds() { # CASE SIZE CONTESTANT...
	local case=$1 size=$2 name took list round
	declare -A counts
	shift 2
	for name in "$@"; do
		b_progress "stomp: $case, $size bytes: how fast is $name?"
		counts[$name]=$(calibrate "$name" "$case" "$size")
	done
	list=$*
	for round in $(seq "$RUNS"); do
		for name in $list; do
			[ "${counts[$name]}" -gt 0 ] || continue
			b_progress "stomp: $case, $size bytes, round $round of $RUNS: $name, ${counts[$name]} records"
			make_input "$size" "${counts[$name]}"
			took=$(one_run "$name" "$case" "$size" "${counts[$name]}")
			[ -z "$took" ] || awk -v n="${counts[$name]}" -v t="$took" 'BEGIN { printf "%.0f\n", n / t }' \
				>>"$B_DIR/$case.$size.$name"
		done
		# Each round begins with another one.
		[ "$list" = "${list#* }" ] || list="${list#* } ${list%% *}"
	done
	b_progress ""
	table "$case" "$size" "$@"
}

table() { # CASE SIZE CONTESTANT...
	local case=$1 size=$2 ours=nan best=0 name median min max
	shift 2
	[ ! -s "$B_DIR/$case.$size.lastack" ] || ours=$(b_median "$B_DIR/$case.$size.lastack")
	echo "stomp, $case, records of $size bytes:"
	for name in "$@"; do
		if [ ! -s "$B_DIR/$case.$size.$name" ]; then
			printf '  %-50s not measured\n' "$(label_of "$name" "$case")"
			continue
		fi
		read -r median min max <<<"$(b_stats "$B_DIR/$case.$size.$name")"
		printf '  %-50s %9.0f records/s  %8.2f MB/s  (%.0f..%.0f, %d runs)  %s of lastack\n' \
			"$(label_of "$name" "$case")" "$median" "$(awk -v r="$median" -v s="$size" 'BEGIN { print r * s / 1e6 }')" \
			"$min" "$max" "$(wc -l <"$B_DIR/$case.$size.$name")" \
			"$(awk -v a="$median" -v b="$ours" 'BEGIN { printf "%.3f", a / b }')"
		# What lastack itself has a part in is no peer; what promises less is none either.
		case $name in
		lastack* | rabbitmq_lastack | rsyslog_lenient) ;;
		*) best=$(awk -v a="$best" -v b="$median" 'BEGIN { print (b > a ? b : a) }') ;;
		esac
	done
	printf 'RESULT stomp %s %s bytes: lastack %.0f records/s, %s of the best peer (goal 1.00)\n' "$case" "$size" "$ours" \
		"$(awk -v a="$ours" -v b="$best" 'BEGIN { if (b > 0) printf "%.2f", a / b; else printf "no" }')"
}

# ---- all --------------------------------------------------------------------------------------------

b_where
peers=() versions=()
if p_installed imrelp; then peers+=(rsyslog rsyslog_lenient) && versions+=("$(p_version rsyslogd)"); fi
if p_installed nats-server; then
	p_nats "$B_DIR/jetstream"
	nats_port=$P_PORT
	peers+=(nats) && versions+=("$(p_version nats-server)")
fi
if [ -z "$(rabbit_lacks)" ]; then
	rabbit_begin "$B_DIR/rabbit" && rabbit_start one
	peers+=(rabbitmq_python rabbitmq_lastack) && versions+=("$(p_version rabbitmq)")
fi
printf 'peers: %s\n' "$(printf '%s; ' "${versions[@]}")"
# Who can make this promise: CASE
who() {
	local name
	echo lastack
	[ "$1" != crash ] || echo lastack_spool
	for name in "${peers[@]}"; do
		case $1:$name in
		memory:rsyslog_lenient | durable:nats | crash:rsyslog* | crash:rabbitmq_*) ;;
		*) echo "$name" ;;
		esac
	done
}
for case in $CASES; do
	for size in 100 1000; do
		# shellcheck disable=SC2046
		rounds $case $size $(who $case)
	done
done
[ ! -e "$B_DIR/incomplete" ]
