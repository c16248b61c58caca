# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# lib_rights.sh - cases where not everything may be seen: pid and user namespaces, hidden processes, nobody, no
# /proc. After lib_robust.sh.

# ---- namespaces and rights --------------------------------------------------------------------------

# Sockets of others are listed; that their owners cannot be seen is said with each, and in the coverage.
stated_gap() { # SENTENCE WAY
	r_list --owners "$2"
	r_can "$1, owners by $2" || return
	r_is "$1, owners by $2: all sockets are there, none has an owner" \
		"$R_STATUS $(r_owners | wc -l) $(grep -c $'\\.owned\t"unseen"$' "$T_DIR/flat")" "0 0 4"
	r_is "$1, owners by $2: and that not everything could be seen" "$(r_value coverage.whole)" false
	r_ask list --owners "$2"
	r_like "$1, owners by $2: a line says so" "$R_WHY" 'seen|hidden|unreadable'
}
# A leak whose owner cannot be seen is a leak: found, without a process, and not taken for anything else.
doctor_without_owner() { # SENTENCE
	local as=$R_AS
	r_start leak "$R_TOOLS/robust_hold" own close-wait 2 1 || return
	R_AS=''
	t_wait_for $R_VERDICT_S r_finds "eof-ignored $(sed -n 's/^ready //p' "$T_DIR/leak.out") 2"
	R_AS=$as
	r_doctor
	r_is "$1: the doctor finds the leak and no process, and says that he does not see everything" \
		"$R_STATUS $(r_findings) $(r_value coverage.whole)" "1 eof-ignored null 2 false"
	r_is "$1: and is not certain" "$(r_value findings.0.confidence)" '"possible"'
	R_AS=''
	close_stays "$1" "$as"
	r_finish leak
	R_AS=$as
}
# What cannot be reached is not called ended.
close_stays() { # SENTENCE AS-WHOM
	R_AS=$2
	r_ask close --state close-wait --yes
	R_AS=''
	r_is "$1: close ends nothing, and says so" \
		"$((R_STATUS == 1 || R_STATUS == 77)) $("$LASTACK" list --no-header --state close-wait 2>/dev/null | wc -l)" "1 2"
}

pid_namespace_inside() {
	unshare -pf --mount-proc true 2>/dev/null || { r_skip "inside a pid namespace" "not possible here" && return; }
	r_hold own open 2 1 || return
	R_AS="unshare -pf --mount-proc"
	r_ways stated_gap "inside a pid namespace"
	r_is "inside a pid namespace: the coverage says so" "$(r_value coverage.in_pid_namespace)" true
	doctor_without_owner "inside a pid namespace"
	# Without a /proc of its own: its numbers are those of outside.
	R_AS="unshare -pf"
	r_list
	r_exact "inside a pid namespace with the outer /proc: owners as /proc numbers them"
	r_ask list --owners bpf
	r_like "... which BPF does not know, and says so" "$R_STATUS $R_WHY" '^77 .*(pid namespace|BPF)'
	r_start leak "$R_TOOLS/robust_hold" own close-wait 2 1 || return
	close_stays "inside a pid namespace with the outer /proc" "unshare -pf"
	r_finish leak
	R_AS=''
	r_end
}

# Ids as they are inside are none of ours, so they are compared by descriptor alone.
outside_look() { # WAY
	r_list --owners "$1"
	r_can "outside, owners by $1" || return
	r_is "the owner is in a pid namespace, owners by $1: found" \
		"$(r_owners | awk '{print $1, $3}' | sort)" "$(awk '{print $1, $3}' "$R_EXPECTED" | sort)"
	r_is "... with ids of ours" "$(r_owners | awk '{print $2}' | sort -u | xargs -I{} cat /proc/{}/comm | uniq -c | tr -s ' ')" \
		" 1 robust_hold"
}
pid_namespace_outside() {
	unshare -pf --mount-proc true 2>/dev/null || { r_skip "outside a pid namespace" "not possible here" && return; }
	R_BEFORE="unshare -pf --mount-proc"
	r_hold own open 2 1 || return
	r_ways outside_look
	r_end
}

user_namespace() {
	local way
	if ! r_for_nobody || ! $R_NOBODY unshare -Urn true 2>/dev/null; then
		r_skip "root of a user namespace" "nobody may not make one here"
		return
	fi
	r_hold own open 2 1 || return
	R_AS="$R_NOBODY unshare -Ur"
	stated_gap "root of a user namespace" proc
	stated_gap "root of a user namespace" auto
	doctor_without_owner "root of a user namespace"
	r_ask list --owners bpf
	r_like "root of a user namespace: why there is no BPF" "$R_STATUS $R_WHY" '^77 lastack list: .{20}'
	r_list --all-netns
	r_like "root of a user namespace: those whose network namespace may not be seen are counted" \
		"$R_STATUS $(r_value coverage.whole) $(r_value coverage.unplaced_processes)" '^0 false [1-9]'
	r_end
	# What it holds itself it sees: everything inside.
	R_AS=''
	# shellcheck disable=SC2016 # for that shell
	r_start inside $R_NOBODY unshare -Urn sh -c '
		ip link set lo up && cd "$1" && mkfifo never || exit 1
		"$2/robust_hold" own open 2 1 <never >out & exec 5>never
		until grep -qs ^ready out; do sleep 0.05; done
		for way in auto proc; do "$2/lastack" list --json --owners $way >$way 2>/dev/null || exit 1; done
		echo ready; read -r line; exec 5>&-; wait' sh "$(r_room)" "$T_DIR/bin" || return
	R_EXPECTED=$T_DIR/expected R_STATUS=0
	r_expected "$T_DIR/room/out" >"$R_EXPECTED"
	for way in auto proc; do
		R_JSON=$T_DIR/room/$way
		r_exact "a network namespace of nobody's own, owners by $way: exactly these"
	done
	r_finish inside
}
r_room() { mkdir -p "$T_DIR/room" && chmod 777 "$T_DIR/room" && echo "$T_DIR/room"; }

# /proc shows nobody his own processes and no others.
hidden_processes() {
	# shellcheck disable=SC2016 # for that shell
	local hide='mount -t proc -o hidepid=2 proc /proc && exec "$@"'
	# Before 5.8 the option would have been that of every /proc on the machine.
	if [ "$(printf '%s\n' 5.8 "$(uname -r)" | sort -V | head -n 1)" != 5.8 ] || ! r_for_nobody ||
		! unshare -m sh -c "$hide" sh true 2>/dev/null; then
		r_skip "hidepid=2" "not possible here"
		return
	fi
	r_hold own open 2 1 || return
	printf '#!/bin/sh\n%s\n' "$hide" >"$T_DIR/hide" && chmod 755 "$T_DIR/hide"
	R_AS="unshare -m $T_DIR/hide $R_NOBODY"
	stated_gap "hidepid=2" proc
	stated_gap "hidepid=2" auto
	doctor_without_owner "hidepid=2"
	R_AS="unshare -m $T_DIR/hide"
	r_ways r_look_exact "hidepid=2, but for root"
	r_end
}

# Whose own processes are all there, and others' are not.
as_nobody() {
	local way
	r_for_nobody || { r_skip "nobody" "may not run $LASTACK" && return; }
	r_hold own open 2 1 || return
	cp "$R_EXPECTED" "$T_DIR/roots"
	# shellcheck disable=SC2086 # several words
	r_start mine $R_NOBODY "$R_TOOLS/robust_hold" common open 3 2 || return
	r_expected "$T_DIR/mine.out" >"$R_EXPECTED"
	R_AS=$R_NOBODY
	for way in auto proc; do
		r_list --owners $way
		r_exact "nobody, owners by $way: exactly his own"
		r_is "nobody, owners by $way: root's sockets are there, as not to be seen" \
			"$(grep -c $'\\.owned\t"unseen"$' "$T_DIR/flat") $(r_value coverage.whole)" "4 false"
	done
	r_ask close --state established --yes --json
	R_JSON=$R_OUT && r_flat
	r_is "nobody ends his own connections, and is told that the others are not his to end" \
		"$R_STATUS $(grep -c $'\\.outcome\t"mended"' "$T_DIR/flat")" "1 6"
	R_AS=''
	r_list --state established
	cp "$T_DIR/roots" "$R_EXPECTED"
	r_exact "... which are all there"
	r_finish mine
	r_end
}

# ---- no /proc ---------------------------------------------------------------------------------------

no_proc() {
	local how what
	r_sanitized && r_skip "no /proc" "the sanitizer needs it" && return
	unshare -m true 2>/dev/null || { r_skip "no /proc" "no mount namespaces here" && return; }
	r_hold own open 2 1 || return
	for how in "umount -l /proc" "mount -t tmpfs none /proc"; do
		# shellcheck disable=SC2016 # for that shell
		printf '#!/bin/sh\n%s && exec "$@"\n' "$how" >"$T_DIR/without" && chmod 755 "$T_DIR/without"
		R_AS="unshare -m $T_DIR/without"
		for what in list "list --owners bpf" "list --owners proc" "list --all-netns" doctor "close --state established --yes"; do
			# shellcheck disable=SC2086 # several words
			r_ask $what
			r_like "without /proc ($how): $what has a sentence about it" \
				"$R_STATUS $(wc -l <"$R_OUT") $R_WHY" '^(1|77) 0 lastack [a-z]+: .*/proc'
		done
	done
	R_AS=''
	r_list
	r_exact "and nothing was closed"
	r_end
}
