# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# lib_refusal.sh - cases where the kernel refuses: system calls that fail, limits of descriptors and of memory.
# After lib_robust.sh.

# ---- a kernel that refuses --------------------------------------------------------------------------

# Everything about it fails: a sentence, nothing on standard output, an exit status.
refused() { # RULE STATUS WORDS...
	local command
	R_AS="$R_TOOLS/robust_deny $1 --"
	for command in "list" "list --owners proc --json" "list --all-netns --summary" "doctor --json --all-netns" \
		"doctor --watch 100ms --count 2" "close --state established --yes"; do
		# shellcheck disable=SC2086 # several words
		r_ask $command
		r_like "$1: $command: a sentence, status $2" "$R_STATUS $(wc -c <"$R_OUT") $(tail -n 1 <<<"$R_WHY")" \
			"^$2 0 lastack [a-z]+: .*$3"
	done
	R_AS=''
}
# It can do without: the answer is the same, and where it is not, it is said.
spared() { # RULE
	R_AS="$R_TOOLS/robust_deny $1 --"
	r_list
	r_exact "$1: list has all owners all the same"
	r_doctor
	r_like "$1: the doctor answers" "$R_STATUS $(r_value coverage.consistent)" '^0 true$'
	R_AS=''
}
no_netlink() {
	r_hold common open 2 2 || return
	R_AS="$R_TOOLS/robust_deny netlink=EPERM --" && r_ask --version
	R_AS=''
	[ "$R_STATUS" -ne 77 ] || { r_skip "system calls that are refused" "$R_WHY" && r_end && return; }
	refused netlink=EPROTONOSUPPORT 77 CONFIG_INET_TCP_DIAG
	refused netlink=EPERM 77 'not permitted'
	refused netlink=EMFILE 1 'Too many open files'
	refused netlink=ENOMEM 1 '[Mm]emory'
	refused sendto=ENOBUFS 1 'No buffer space'
	refused recvmsg=ENOMEM 1 '[Mm]emory'
	for rule in bpf=EPERM bpf=ENOSYS bpf=EINVAL clone3=EAGAIN clone3=ENOSYS kcmp=ENOSYS kcmp=EPERM \
		pidfd_open=ENOSYS pidfd_getfd=EPERM process_vm_readv=EPERM; do
		spared $rule
	done
	R_AS="$R_TOOLS/robust_deny bpf=EPERM --"
	r_ask list --owners bpf
	r_like "bpf=EPERM: --owners bpf says why not" "$R_STATUS $R_WHY" '^77 lastack list: .*BPF: .{10}'
	R_AS="$R_TOOLS/robust_deny setns=EPERM --"
	r_list --all-netns
	r_is "setns=EPERM: with --all-netns our own namespace is whole, the others are counted as unseen" \
		"$R_STATUS $(r_owners | LC_ALL=C comm -23 "$R_EXPECTED" - | wc -l) $(r_value coverage.whole)" "0 0 false"
	R_AS=''
	r_list
	r_exact "and nothing was closed"
	r_end
}

# ---- limits -----------------------------------------------------------------------------------------

# limited LIMIT: all owners, or a failure with a sentence, or a coverage that is not whole; never a signal.
limited() { # LIMIT COMMAND OPTION...
	local limit=$1
	shift
	cat >"$T_DIR/limited" <<-END
		#!/bin/bash
		for fd in /proc/self/fd/*; do fd=\${fd##*/}; [ \$fd -lt 3 ] || eval "exec \$fd>&-"; done
		ulimit $limit && exec "\$@"
	END
	chmod 755 "$T_DIR/limited"
	R_AS=$T_DIR/limited
	r_ask "$@"
	R_AS=''
	[ $R_STATUS -ne 127 ] # the program could not even be loaded
}
right_or_told() {
	if [ "$R_STATUS" -eq 0 ]; then
		R_JSON=$R_OUT && r_flat
		r_owners >"$T_DIR/got" && [ -z "$(r_differences)" ]
	else
		[[ "$R_STATUS" == 1 || "$R_STATUS" == 77 ]] && grep -Eq '^lastack list: .{10}' <<<"$R_WHY"
	fi
}
limits() {
	local limit way loads more bad='' failed=0 done=0
	r_sanitized && r_skip "limits" "the sanitizer needs more" && return
	r_hold own open 300 1 || return
	for way in bpf proc auto; do
		for limit in 3 4 5 6 7 8 9 10 12 16; do
			limited "-n $limit" list --json --owners $way || continue
			right_or_told || bad="$bad $way:$limit($R_STATUS)"
			[ "$R_STATUS" -eq 0 ] && done=$((done + 1)) || failed=$((failed + 1))
		done
	done
	r_is "3 to 16 descriptors: all owners, or a sentence why not" "$bad" ""
	r_is "with 3 it cannot, with 16 it can" "$((failed > 0)) $((done > 0))" "1 1"
	failed=0 done=0
	for way in bpf proc; do
		loads=3600 # KiB at which the program can be loaded at all
		until limited "-v $loads" list --version; do loads=$((loads + 100)); done
		for more in 0 100 200 300 400 500 700 900 1300 2300 8300; do
			limit=$((loads + more))
			limited "-v $limit" list --json --owners $way || continue
			right_or_told || bad="$bad $way:$limit($R_STATUS)"
			[ "$R_STATUS" -eq 0 ] && done=$((done + 1)) || failed=$((failed + 1))
		done
	done
	r_is "memory to be loaded, and up to 8 MB more: all owners, or a sentence why not" "$bad" ""
	r_is "with the least it cannot, with 8 MB more it can" "$((failed > 0)) $((done > 0))" "1 1"
	r_end
}
# A finding may not get lost because there was no descriptor to look at it.
limits_doctor() {
	local limit way bad=''
	r_sanitized && r_skip "limits of the doctor" "the sanitizer needs more" && return
	r_hold own close-wait 2 1 || return
	t_wait_for $R_VERDICT_S r_finds "eof-ignored $R_PIDS 2"
	r_is "the doctor finds it" "$(r_findings)" "eof-ignored $R_PIDS 2"
	for way in bpf proc auto; do
		for limit in 4 5 6 7 8 9 10 11 12 16; do
			limited "-n $limit" doctor --json --owners $way || continue
			if grep -q '^lastack doctor: .\{10\}' <<<"$R_WHY"; then
				[[ "$R_STATUS" == 1 || "$R_STATUS" == 77 ]] || bad="$bad $way:$limit($R_STATUS)"
				continue
			fi
			R_JSON=$R_OUT && r_flat
			[ "$R_STATUS $(r_findings)" = "1 eof-ignored $R_PIDS 2" ] ||
				bad="$bad $way:$limit($R_STATUS $(r_findings) $R_WHY)"
		done
	done
	r_is "with 4 to 16 descriptors he finds it, too, or says why he cannot look" "$bad" ""
	r_end
}
