#!/bin/bash
# SPDX-License-Identifier: MIT
# tshark.sh: what the lab captures, read by somebody else: every capture of twelve claims has for tshark the same
# segments as for us, with the same times, ends, flags, numbers, lengths, windows and options; nothing is malformed,
# and every checksum that can be checked is right.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh
READER=${READER:-$BUILD/tests/lab/segments_test}
command -v tshark >/dev/null || t_skip_all "no tshark (package tshark)"
[ -x "$READER" ] || t_skip_all "no $READER (make test-programs)"

# With kernels and with raw peers at the ends, with a router between, closing in every way.
claims="close-wait-segments simultaneous-close syn-to-live-states linger-zero-loses unread-input-resets
	reuse-over-fin-wait2 fixed-port-2345 time-wait-syn-higher time-wait-paws-matrix time-wait-assassination
	syn-retry-once nat-breaks-time-wait"
# The second seed runs over IPv6 where the claim can.
# shellcheck disable=SC2086 # words
"$LASTACK" lab run $claims --seeds 2 --keep-pcap "$T_DIR/pcap" >"$T_DIR/out" 2>"$T_DIR/err"
[ $? -ne 77 ] || t_skip_all "$(cat "$T_DIR/out" "$T_DIR/err" | tail -n 1)"

# Their lines of $capture; what they complain of goes to complaints. Ports would otherwise let tshark guess what the
# payload is. An address stands in the field of its family, and an ICMP error quotes a segment that did not pass.
theirs() {
	local fields=() field
	for field in _ws.malformed tcp.checksum.status ip.checksum.status icmp.type icmpv6.type frame.time_epoch \
		ip.src ipv6.src tcp.srcport ip.dst ipv6.dst tcp.dstport tcp.flags tcp.seq_raw tcp.ack_raw tcp.len \
		tcp.window_size_value tcp.options.mss_val tcp.options.wscale.shift tcp.options.timestamp.tsval \
		tcp.options.timestamp.tsecr; do fields+=(-e "$field"); done
	tshark -n -r "$capture" -o tcp.relative_sequence_numbers:FALSE -o tcp.check_checksum:TRUE \
		-o ip.check_checksum:TRUE -d tcp.port==1-65535,data -T fields -E occurrence=f "${fields[@]}" \
		2>>"$T_DIR/tshark.err" |
		awk -F'\t' -v OFS='\t' -v complaints="$T_DIR/complaints" '
			$1 != "" { print "malformed", $0 >complaints }
			$2 == "0" || $3 == "0" { print "checksum", $0 >complaints }
			$9 != "" && $4 $5 == "" {
				print $6, $7 $8, $9, $10 $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21
			}'
}

captures=0 segments=0 ipv6=0 routers=0
differ=() malformed=() bad=() unread=()
for capture in "$T_DIR"/pcap/*.pcap; do
	[ -s "$capture" ] || continue
	name=${capture##*/}
	captures=$((captures + 1))
	LAB_PCAPS=$capture "$READER" >"$T_DIR/ours" 2>"$T_DIR/ours.err" || unread+=("$name")
	theirs >"$T_DIR/theirs"
	segments=$((segments + $(wc -l <"$T_DIR/ours")))
	if ! cmp -s "$T_DIR/ours" "$T_DIR/theirs" || ! [ -s "$T_DIR/ours" ]; then
		differ+=("$name")
		t_note "$name, ours < and theirs >:" "$(diff "$T_DIR/ours" "$T_DIR/theirs" | head -n 6)"
	fi
	grep -q fd00: "$T_DIR/ours" && ipv6=$((ipv6 + 1))
	case $name in *-client.pcap | *-server.pcap) routers=$((routers + 1)) ;; esac
	grep -qs ^malformed "$T_DIR/complaints" && malformed+=("$name")
	grep -qs ^checksum "$T_DIR/complaints" && bad+=("$name")
	rm -f "$T_DIR/complaints"
done

t_plan 8
[ "$captures" -ge 10 ]
t_result $? "ten captures or more are compared"
t_note "$captures captures, $segments segments; $ipv6 captures over IPv6, $routers at a router"
t_is "all claims left a capture" \
	"$(find "$T_DIR/pcap" -name '*-seed1*' -size +0 | sed 's/.*\///; s/-seed1.*//' | sort -u | wc -l)" 12
[ "$ipv6" -gt 0 ] && [ "$routers" -gt 0 ]
t_result $? "IPv6 and routers are among them"
t_is "we can read all of them" "${unread[*]}" ""
t_is "the same segments for tshark as for us" "${differ[*]}" ""
t_is "nothing is malformed" "${malformed[*]}" ""
t_is "no checksum is wrong" "${bad[*]}" ""

# That they were equal and right means something only if a difference would be seen: one byte of the first segment's
# sequence number, which stands behind the headers of file, packet, Ethernet, IPv4, and the two ports.
capture=$(find "$T_DIR/pcap" -name 'close-wait-segments-seed1*.pcap')
LAB_PCAPS=$capture "$READER" >"$T_DIR/ours"
cp "$capture" "$T_DIR/changed.pcap"
capture=$T_DIR/changed.pcap
old=$(od -An -tu1 -j $((24 + 16 + 14 + 20 + 5)) -N 1 "$capture")
# shellcheck disable=SC2059 # the format is the byte
printf "\\$(printf %03o $(((old + 1) % 256)))" | dd of="$capture" bs=1 seek=$((24 + 16 + 14 + 20 + 5)) conv=notrunc 2>/dev/null
theirs >"$T_DIR/theirs"
! cmp -s "$T_DIR/ours" "$T_DIR/theirs" && grep -qs ^checksum "$T_DIR/complaints"
t_result $? "a changed byte is seen, in the number and in the checksum"
t_done
