#!/bin/bash
# SPDX-License-Identifier: MIT
# run.sh: a few quick claims from end to end: verdicts, exit codes, and every form in which they are said and kept.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh

# One of a pair, one with a raw peer, one with a router: each takes less than three seconds.
claims="close-wait-segments time-wait-syn-higher nat-breaks-time-wait"
"$LASTACK" lab run close-wait-segments --seeds 1 >"$T_DIR/first" 2>"$T_DIR/first.err" || {
	[ $? -eq 77 ] && t_skip_all "$(cat "$T_DIR/first" "$T_DIR/first.err" | tail -n 1)"
}
t_plan 24

# ---- what it says, keeps and reports ----
# shellcheck disable=SC2086 # words
"$LASTACK" lab run $claims --seeds 2 --json --keep-pcap "$T_DIR/captures" --report "$T_DIR/report.html" \
	>"$T_DIR/json" 2>"$T_DIR/json.err"
t_is "verdicts as documented: exit 0" "$?" 0
t_is "no progress where there is no terminal" "$(cat "$T_DIR/json.err")" ""
t_is "one line of JSON" "$(wc -l <"$T_DIR/json")" 1
if command -v python3 >/dev/null; then
	t_ok "with a control and evidence for every trial" python3 - "$T_DIR/json" <<-'END'
		import json, sys
		run = json.load(open(sys.argv[1]))
		assert run["kernel"] and run["settings"] == [] and run["ended_ns"] > run["began_ns"]
		assert len(run["claims"]) == 3, len(run["claims"])
		for claim in run["claims"]:
		    assert claim["verdict"] == claim["expected"] and claim["as_expected"] and claim["agreed"], claim["id"]
		    assert [trial["seed"] for trial in claim["trials"]] == [1, 2]
		    for trial in claim["trials"]:
		        assert trial["verdict"] == claim["verdict"] and trial["why"]
		        assert trial["control"] == "held" and trial["control_says"]
		        assert trial["family"] == ("ipv6" if claim["both_families"] and trial["seed"] == 2 else "ipv4")
		        assert trial["evidence"] and trial["end_signal"] == 0
		        assert run["began_ns"] <= trial["began_ns"] < trial["ended_ns"] <= run["ended_ns"]
		states = [s for t in run["claims"][0]["trials"] for s in t["states"]]
		assert {"CLOSE_WAIT", "TIME_WAIT", None} <= {s["state"] for s in states}, states
	END
else
	t_skip "with a control and evidence for every trial" "no python3"
fi
t_is "captures of all wires, and nothing else" "$(cd "$T_DIR/captures" && LC_ALL=C ls | tr '\n' ' ')" \
	"close-wait-segments-seed1.pcap close-wait-segments-seed2.pcap $(
	)nat-breaks-time-wait-seed1-client.pcap nat-breaks-time-wait-seed1-server.pcap $(
	)nat-breaks-time-wait-seed2-client.pcap nat-breaks-time-wait-seed2-server.pcap $(
	)time-wait-syn-higher-seed1.pcap time-wait-syn-higher-seed2.pcap "
# Microseconds or nanoseconds, either byte order; behind the header of 24 bytes there are packets.
no_pcap=
for file in "$T_DIR"/captures/*; do
	case $(od -An -tx4 -N4 "$file" | tr -d ' ') in
	a1b2c3d4 | a1b23c4d | d4c3b2a1 | 4d3cb2a1) [ "$(wc -c <"$file")" -gt 100 ] || no_pcap="$no_pcap $file" ;;
	*) no_pcap="$no_pcap $file" ;;
	esac
done
t_is "each begins as a pcap file does, and has packets" "$no_pcap" ""
t_ok "the report is a page" grep -qi '^<!doctype html' "$T_DIR/report.html"
t_is "that names all claims" "$(for id in $claims; do grep -q "$id" "$T_DIR/report.html" && echo yes; done | tr '\n' ' ')" \
	"yes yes yes "
"$LASTACK" lab run close-wait-segments --seeds 1 --verbose --report "$T_DIR/report.md" >"$T_DIR/tsv"
t_is "again, as text" "$?" 0
t_ok "a report may be Markdown" grep -q '^#.*' "$T_DIR/report.md"
t_is "drafts of reports do not stay" "$(ls -d "$T_DIR"/report.*)" "$T_DIR/report.html
$T_DIR/report.md"
t_is "a row of tab-separated values" "$(sed -n 2p "$T_DIR/tsv" | cut -f1-6 | tr '\t' ' ')" \
	"CONFIRMED close-wait-segments 1/1 held CONFIRMED yes"
t_ok "--verbose adds the evidence" grep -q "^close-wait-segments	1	 *[0-9.]*  control held: " "$T_DIR/tsv"

# ---- verdicts that are not as documented ----
# Without forwarding there is no way through the router, so the experiment cannot tell anything.
"$LASTACK" lab run nat-breaks-time-wait --seeds 1 --sysctl net.ipv4.conf.all.forwarding=0 \
	--sysctl net.ipv4.conf.default.forwarding=0 >"$T_DIR/broken"
t_is "what cannot tell is news: exit 1" "$? $(sed -n 2p "$T_DIR/broken" | cut -f1,6 | tr '\t' ' ')" "1 INCONCLUSIVE no"
# Ports cannot be used again before their second is over when there are no timestamps.
timestamps=$(cat /proc/sys/net/ipv4/tcp_timestamps)
"$LASTACK" lab run reuseaddr-client-port time-wait-syn-higher --seeds 1 --json \
	--sysctl net.ipv4.tcp_timestamps=0 >"$T_DIR/broken"
t_is "another verdict than the documented one is news" \
	"$? $(grep -o '"settings":\[[^]]*\]' "$T_DIR/broken") $(grep -c '"as_expected":false' "$T_DIR/broken")" \
	'1 "settings":["net.ipv4.tcp_timestamps=0"] 1'
t_is "the settings were those of the hosts alone" "$(cat /proc/sys/net/ipv4/tcp_timestamps)" "$timestamps"

# ---- settings that there are not ----
"$LASTACK" lab run close-wait-segments --sysctl net.ipv4.tcp_no_such=1 >"$T_DIR/out" 2>"$T_DIR/err"
t_is "a sysctl that does not exist is a usage error" "$? $(wc -c <"$T_DIR/out")" "2 0"
t_ok "and named" grep -q "has no sysctl 'net.ipv4.tcp_no_such'" "$T_DIR/err"
"$LASTACK" lab run close-wait-segments --sysctl net.ipv4.tcp_sack=perhaps >"$T_DIR/out" 2>"$T_DIR/err"
t_is "so is a value that the kernel refuses" "$? $(grep -c "tcp_sack=perhaps.*Invalid" "$T_DIR/err")" "2 1"

# ---- what lacks something ----
# An nft that cannot be run, in a mount namespace of this command alone.
if unshare -m true 2>/dev/null && nft=$(command -v nft); then
	# shellcheck disable=SC2016 # its own words
	unshare -m sh -c 'mount --bind /dev/null "$1" && exec "$2" lab run nat-breaks-time-wait --seeds 1' \
		- "$(readlink -f "$nft")" "$LASTACK" >"$T_DIR/lacks"
	t_is "if all of them lack something: 77" "$? $(sed -n 2p "$T_DIR/lacks" | cut -f1)" "77 LACKS"
else
	t_skip "if all of them lack something: 77" "no nft, or no mount namespace"
fi

# ---- on a terminal ----
if command -v script >/dev/null; then
	# shellcheck disable=SC2016 # its own words
	script -qec "stty cols 90; $LASTACK lab run close-wait-segments --seeds 3 2>$T_DIR/progress-not" /dev/null \
		</dev/null >"$T_DIR/table"
	t_is "a table with a summary" "$? $(grep -c '^VERDICT .*DOCUMENTED' "$T_DIR/table") $(
		grep -c 'as documented for Linux .*: 1 of 1 ' "$T_DIR/table")" "0 1 1"
	t_is "the claim and what was found, below its row" \
		"$(grep -A9 '^CONFIRMED  *close-wait-segments ' "$T_DIR/table" | grep -c '^  claim  [^ ]\|^  found  [^ ]')" 2
	t_is "no wider than it" "$(tr -d '\r' <"$T_DIR/table" | awk 'length > 90')" ""
	script -qec "$LASTACK lab run close-wait-segments --seeds 3 >$T_DIR/table" /dev/null \
		</dev/null >"$T_DIR/progress"
	t_ok "progress in one line, drawn again" grep -q "$(printf '\r\033')\[K3 of 3 trials" "$T_DIR/progress"
else
	t_skip "a table with a summary" "no script(1)"
	t_skip "the claim and what was found, below its row" "no script(1)"
	t_skip "no wider than it" "no script(1)"
	t_skip "progress in one line, drawn again" "no script(1)"
fi
t_done
