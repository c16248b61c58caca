# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# lib_crowd.sh - cases with a number: how many looks, descriptors, processes, namespaces. After
# lib_robust.sh; robust.sh runs them small, large_all.sh large.

# ---- while processes come and go --------------------------------------------------------------------

# Sockets that stay, some of one process and some of three, and the storm around them.
storm_begin() {
	r_hold common open 4 3 || return
	r_start more "$R_TOOLS/robust_hold" own open 20 2 || return
	r_expected "$T_DIR/hold.out" "$T_DIR/more.out" >"$R_EXPECTED"
	r_start storm "$R_TOOLS/robust_storm" 2
}
storm_end() {
	local died=0
	t_ended storm && died=1
	r_finish storm
	r_is "the storm went on to the end" "$died $T_STATUS" "0 0"
	t_note "$(sed -n 's/^rounds //p' "$T_DIR/storm.out") children meanwhile"
	r_finish more
	r_end
}

# Of what stays nothing may be missing in any look.
storm() { # LOOKS WAY
	local i bad=0
	storm_begin || return
	for ((i = 0; i < $1; i++)); do
		r_ask list --json --owners "$2"
		[ "$R_STATUS" -ne 77 ] || break
		[ "$R_STATUS" -eq 0 ] || bad=$((bad + 1))
		cat "$R_OUT" >>"$T_DIR/all"
	done
	if r_can "a storm of processes, owners by $2"; then
		r_is "a storm of processes, owners by $2: $1 looks succeed" $bad 0
		"$R_TOOLS/robust_json" owners <"$T_DIR/all" >"$T_DIR/got"
		r_is "a storm of processes, owners by $2: every look is JSON" \
			"$? $("$R_TOOLS/robust_json" flat <"$T_DIR/all" | grep -c 'kernel	')" "0 $1"
		r_is "a storm of processes, owners by $2: what stays is in each of $1 looks, once" \
			"$(awk -v looks="$1" 'FNR == NR { times[$0] = 0; next } $0 in times { times[$0]++ }
				END { for (key in times) if (times[key] != looks) print key ": " times[key] }' \
				"$R_EXPECTED" "$T_DIR/got" | head -n 5)" ""
	fi
	storm_end
}

# What comes and goes is no leak.
storm_doctor() { # LOOKS
	local i bad=''
	storm_begin || return
	for ((i = 0; i < $1; i++)); do
		r_doctor --severity warning
		[ "$R_STATUS" -eq 0 ] || bad="$bad $R_STATUS: $(r_findings)"
	done
	r_is "a storm of processes: the doctor finds nothing wrong in $1 looks" "$bad" ""
	r_doctor --watch 200ms --count 5 --severity warning
	r_is "nor when he compares" "$R_STATUS $(wc -l <"$R_OUT")" "0 5"
	storm_end
}

# ---- many -------------------------------------------------------------------------------------------

many_summary() { # SENTENCE PROCESSES SOCKETS WAY
	local wrong
	r_ask list --summary --json --owners "$4"
	r_can "$1, owners by $4: summary" || return
	R_JSON=$R_OUT && r_flat
	r_is "$1, owners by $4: the summary counts processes and sockets" \
		"$(r_value socket_count) $(grep -c '^processes\.[0-9]*\.pid' "$T_DIR/flat")" "$3 $2"
	wrong=$(awk -F '\t' '/^processes\.[0-9]+\.pid/ { pid = $2 } /^processes\.[0-9]+\.fd_count/ { print pid, $2 }' \
		"$T_DIR/flat" | while read -r pid count; do
		descriptors=("/proc/$pid/fd/"*) # no process more for each
		[ "${#descriptors[@]}" -eq "$count" ] || echo "$pid: $count"
	done)
	r_is "$1, owners by $4: and descriptors as many as /proc shows" "$(head -n 3 <<<"$wrong")" ""
}
many_descriptors() { # CONNECTIONS, both ends of each
	r_hold own open "$1" 1 || return
	r_ways r_look_exact "$((2 * $1)) descriptors of a process"
	r_ways many_summary "$((2 * $1)) descriptors of a process" 1 $((2 * $1))
	r_end
}
crowd() { # PROCESSES
	r_hold own open 1 "$1" || return
	r_ways r_look_exact "$1 processes"
	r_ways many_summary "$1 processes" "$1" $((2 * $1))
	r_end
}

# ---- suspects ---------------------------------------------------------------------------------------

suspects_found() { # SENTENCE WANTED WAY
	t_wait_for 60 r_finds "$2" --owners "$3"
	r_can "$1, owners by $3" || return
	r_is "$1, owners by $3: eof-ignored of each" "$(r_findings | LC_ALL=C comm -3 - <(echo "$2") | head -n 3)" ""
	r_is "... with all descriptors, and exit status 1" \
		"$R_STATUS $(grep -c '^findings\.[0-9]*\.fds\.' "$T_DIR/flat")" "1 $(wc -l <"$R_EXPECTED")"
}
suspects() { # SOCKETS PROCESSES
	local wanted
	r_hold own close-wait "$1" "$2" || return
	wanted=$(awk '{ count[$2]++ } END { for (pid in count) print "eof-ignored", pid, count[pid] }' "$R_EXPECTED" |
		LC_ALL=C sort)
	r_ways suspects_found "$1 CLOSE_WAIT in each of $2 processes" "$wanted"
	r_ask close --state close-wait --json --yes
	R_JSON=$R_OUT && r_flat
	r_is "close ends all of them" "$R_STATUS $(r_value outcomes.mended) $(r_value freed.port_pairs)" \
		"0 $(($1 * $2)) $(r_value freed.port_pairs)"
	r_list --state close-wait
	r_is "and none is left" "$R_STATUS $(r_owners | wc -l)" "0 0"
	r_end
}

# ---- namespaces -------------------------------------------------------------------------------------

# Names in /run/netns belong to the mount namespace, so ours stay among us.
namespace_names() {
	mkdir -p /run/netns && mount -t tmpfs none /run/netns 2>/dev/null || return
	ip netns add "named-$$" 2>/dev/null
	: >/run/netns/stale # of a namespace that was removed by force
	mkdir /run/netns/folder
	ln -s nowhere /run/netns/dangling
}
# One after the other is born, and dies under the looks.
namespace_storm() {
	while :; do
		# shellcheck disable=SC2016 # for that shell
		unshare -n sh -c 'ip link set lo up; exec "$0" own open 1 1 </dev/null' "$R_TOOLS/robust_hold" >/dev/null
	done
}
namespaces_look() { # LOOKS WAY
	local i bad='' missing
	for ((i = 0; i < $1; i++)); do
		r_list --all-netns --owners "$2"
		r_can "all namespaces, owners by $2" || return
		missing=$(r_owners | LC_ALL=C comm -23 "$R_EXPECTED" - | head -n 2)
		[ "$R_STATUS$missing" = 0 ] || bad="$bad $R_STATUS: $missing"
	done
	r_is "$namespaces_count namespaces of $((namespaces_count + 1)) that come and go, owners by $2: all sockets that stay, in $1 looks" "$bad" ""
	r_doctor --all-netns --owners "$2"
	r_like "... and the doctor answers" "$R_STATUS $(r_value coverage.owners_by)" "^[01] \"$2\"\$"
}
# shellcheck disable=SC2317 # called by t_wait_for
namespaces_are_ready() { [ "$(grep -c '^ready' "$T_DIR/spaces.out")" -eq "$1" ]; }
many_namespaces() { # NAMESPACES LOOKS
	namespaces_count=$1
	if ! unshare -m true 2>/dev/null; then
		r_skip "$1 namespaces" "no mount namespaces here"
		return
	fi
	if [ "${R_MOUNTS:-}" != ours ]; then
		R_MOUNTS=ours unshare -m "$0" one many_namespaces "$@" || r_say 1 "$1 namespaces: ended early"
		return
	fi
	namespace_names
	# shellcheck disable=SC2016 # for those shells
	r_start spaces sh -c '
		exec 5<&0 # what is started in the background has no other input
		for i in $(seq "$2"); do
			unshare -n sh -c '\''ip link set lo up; exec "$0" own open 1 1 <&5'\'' "$1" &
		done
		wait' sh "$R_TOOLS/robust_hold" "$1" || return
	t_wait_for "$R_READY_S" namespaces_are_ready "$1"
	R_EXPECTED=$T_DIR/expected
	r_expected "$T_DIR/spaces.out" >"$R_EXPECTED"
	t_run births namespace_storm
	r_ways namespaces_look "$2"
	t_signal births KILL && t_join births 2>/dev/null
	r_finish spaces
}
