#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2034,SC2154
#
# peers_at_death.sh: 1.5 MB go to a server that reads 100 kB, stalls for a second and resets. Which
# client says so? Variant B writes an error text before it resets, variant C the same without the stall:
# which client shows the text?
#
#	bench/peers_at_death.sh            prints the table
#	bench/peers_at_death.sh --write    puts it into bench/E3.md as well
#
# Every cell is measured: the exit status as the shell got it, the amounts as they stand in what the
# client printed (numbers of four digits or more that are no port), the text by looking for it there.
cd "$(dirname "$0")/.." && . bench/lib.sh
b_isolate "$0" "$@"
SENT=1500000
READ=100000
STALL_MS=1000
TRIES=${TRIES:-3}
ERROR_TEXT='ERROR 28 no space left on device'
NC=nc
! b_have nc.openbsd || NC=nc.openbsd
table=$B_DIR/table.md

clients='lastack'
! b_have socat || clients="$clients socat-u socat"
! b_have ncat || clients="$clients ncat"
! b_have "$NC" || clients="$clients nc nc-N"
clients="$clients bash"

label_of() { # as typed, with the paths of this build left out
	case $1 in
	lastack) echo "lastack send --retry 0 tcp://HOST:PORT" ;;
	socat-u) echo "socat -u - TCP:HOST:PORT" ;;
	socat) echo "socat - TCP:HOST:PORT" ;;
	ncat) echo "ncat HOST PORT" ;;
	nc) echo "nc HOST PORT" ;;
	nc-N) echo "nc -N HOST PORT" ;;
	bash) echo "bash: cat > /dev/tcp/HOST/PORT" ;;
	esac
}
start() { # CLIENT PORT: reads standard input
	case $1 in
	lastack) "$LASTACK" send --retry 0 --report "$B_DIR/report" "tcp://127.0.0.1:$2" ;;
	socat-u) socat -u - "TCP:127.0.0.1:$2" ;;
	socat) socat - "TCP:127.0.0.1:$2" ;;
	ncat) ncat 127.0.0.1 "$2" ;;
	nc) timeout 20 "$NC" 127.0.0.1 "$2" ;;
	nc-N) timeout 20 "$NC" -N 127.0.0.1 "$2" ;;
	bash) bash -c "cat > /dev/tcp/127.0.0.1/$2" ;;
	esac
}

# run CLIENT VARIANT: sets status, took_s, read_bytes, amount, shown and said.
run() {
	local begin actions=("read:$READ")
	[ "$2" = C ] || actions+=("pause:$STALL_MS")
	[ "$2" = A ] || actions+=("write:$ERROR_TEXT\\n")
	rm -f "$B_DIR/report"
	b_serve "$PEER" "${actions[@]}" rst >"$B_DIR/server"
	begin=$(b_now)
	start "$1" "$B_PORT" <"$B_DIR/input" >"$B_DIR/said" 2>&1
	status=$?
	took_s=$(b_since "$begin")
	wait "$B_PID"
	b_forget "$B_PID"
	read_bytes=$(sed -n 's/.*"bytes":\([0-9]*\).*/\1/p' "$B_DIR/server")
	said=$(sed "s/:$B_PORT/:PORT/g" "$B_DIR/said" | tr -cd '\n -~' | head -c 2000)
	amount=$(amounts_in "$said")
	shown=no
	! grep -qF "$ERROR_TEXT" "$B_DIR/said" || shown=yes
}

# Any number of four digits or more is taken for a number of bytes, to be fair to everybody.
amounts_in() {
	printf '%s\n' "$1" | tr -c '0-9' '\n' | grep -E '^[0-9]{4,}$' | grep -vx "$SENT" | sort -un |
		paste -sd' ' | sed 's/ /, /g'
}

# field NAME: a number from the last line of lastack's JSON report; "lost.max_bytes" by its own name.
field() { tail -n 1 "$B_DIR/report" | grep -o "\"$1\":[0-9]*" | head -n 1 | cut -d: -f2; }

# What lastack reported against what the server's program counted. It speaks of what it accepted:
# what it left in its input when it gave up is still there.
judge() {
	local accepted abandoned lost_max truth
	accepted=$(field accepted_bytes)
	abandoned=$(field abandoned_bytes)
	lost_max=$(tail -n 1 "$B_DIR/report" | grep -o '"lost":{[^}]*}' | head -n 1 |
		sed 's/.*"max_bytes":\([0-9]*\).*/\1/')
	truth=$((accepted - read_bytes))
	verdict="NOT inside"
	[ "$truth" -lt "$abandoned" ] || [ "$truth" -gt $((abandoned + lost_max)) ] || verdict=inside
	echo "lastack, variant $1: accepted $accepted, $abandoned not delivered, 0 to $lost_max more perhaps never" \
		"read. The server's program read $read_bytes, so $truth of what was accepted were lost: $verdict."
}

version_of() {
	case $1 in
	lastack) "$LASTACK" --version ;;
	socat) echo "socat $(socat -V | sed -n 's/.*version \([^ ]*\).*/\1/p' | head -n 1)" ;;
	ncat) ncat --version 2>&1 | sed -n 's/.*Version \([^ ]*\).*/Ncat \1/p' ;;
	nc) echo "OpenBSD netcat $(dpkg-query -W -f '${Version}' netcat-openbsd 2>/dev/null)" ;;
	bash) echo "bash $BASH_VERSION" ;;
	*) return 0 ;;
	esac
}

head -c $SENT /dev/zero | tr '\0' x >"$B_DIR/input"
: >"$B_DIR/rows"
: >"$B_DIR/judged"
: >"$B_DIR/words"
# distinct FILE: "0", or "0 or 1" where the tries differ.
distinct() { sort -un "$1" | paste -sd' ' | sed 's/ / or /g'; }

for client in $clients; do
	printf '\n`%s`\n\n' "$(label_of "$client")" >>"$B_DIR/words"
	rm -f "$B_DIR"/try.*
	for variant in A B C; do
		for try in $(seq "$TRIES"); do
			b_progress "peers at death: $client, variant $variant, try $try of $TRIES"
			run "$client" $variant
			echo "$status" >>"$B_DIR/try.status.$variant"
			echo "$took_s" >>"$B_DIR/try.took.$variant"
			[ $shown = no ] || echo yes >>"$B_DIR/try.shown.$variant"
			[ "$client" != lastack ] || judge $variant >>"$B_DIR/judged"
		done
		: >>"$B_DIR/try.shown.$variant"
		[ $variant != A ] || amount_A=$amount
		printf '    %s: %s\n' $variant "$(printf '%s' "${said:-(nothing)}" | sed '2,$s/^/       /')" \
			>>"$B_DIR/words"
	done
	printf '| `%s` | %s / %s / %s | %s | %d of %d / %d of %d | %.1f s |\n' "$(label_of "$client")" \
		"$(distinct "$B_DIR/try.status.A")" "$(distinct "$B_DIR/try.status.B")" \
		"$(distinct "$B_DIR/try.status.C")" "${amount_A:-none}" \
		"$(wc -l <"$B_DIR/try.shown.B")" "$TRIES" "$(wc -l <"$B_DIR/try.shown.C")" "$TRIES" \
		"$(b_median "$B_DIR/try.took.A")" >>"$B_DIR/rows"
done
b_progress ""

{
	echo "# What a client tells about its server's death"
	echo
	echo "Made by \`bench/peers_at_death.sh --write\`, everything below measured by it: $SENT bytes go to a server"
	echo "that reads $READ, stalls for $STALL_MS ms and resets (A), or reads, stalls, writes \`$ERROR_TEXT\`"
	echo "and resets (B), or does so without the stall (C); $TRIES tries each. Amounts: every number of four digits or more"
	echo "that the client printed in its last try of A and that is not what it was given."
	echo "Linux $(uname -r); $(for c in lastack socat ncat nc bash; do version_of $c; done | paste -sd, | sed 's/,/, /g')."
	echo
	echo "| client | exit A / B / C | amounts reported (A) | error text shown B / C | ended after (A) |"
	echo "|---|---|---|---|---|"
	cat "$B_DIR/rows"
	echo
	sed 's/^/- /' "$B_DIR/judged"
	echo
	echo "## In their words (the last try of each)"
	cat "$B_DIR/words"
} >"$table"
sed '/^## In their words/,$d' "$table"
[ "${1:-}" != --write ] || cp "$table" bench/E3.md
! grep -q 'NOT inside' "$B_DIR/judged"
