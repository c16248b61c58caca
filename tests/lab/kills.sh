#!/bin/bash
# SPDX-License-Identifier: MIT
# kills.sh: lab run is interrupted at LAB_KILLS (40) random moments, by SIGKILL, SIGINT and SIGTERM, and leaves
# nothing behind: no process, no namespace, no device, no rule, no mount, no file.
#
# All of it happens in user, pid, mount and network namespaces of the test's own, so that everything that is to be
# seen in there is ours: /proc shows our processes alone, and the kernel's limits of a user namespace
# (/proc/sys/user/) count our namespaces alone, also those without a name and without a process.
cd "$(dirname "$0")/../.." || exit 1
if [ -z "${LAB_KILLS_INSIDE:-}" ]; then
	export LAB_KILLS_INSIDE=counted
	unshare -Urnpm --fork --mount-proc true 2>/dev/null && exec unshare -Urnpm --fork --mount-proc --kill-child "$0"
	LAB_KILLS_INSIDE=plain
	unshare -npm --fork --mount-proc true 2>/dev/null && exec unshare -npm --fork --mount-proc --kill-child "$0"
	LAB_KILLS_INSIDE=''
fi
. tests/lib.sh
if [ -z "$LAB_KILLS_INSIDE" ] || ! unshare -n true 2>/dev/null; then
	t_skip_all "no pid namespace with a /proc of its own here"
fi
KILLS=${LAB_KILLS:-40} # make test-all: 100
RANDOM=${LAB_SEED:-20250} # the moments, signals and claims; the load of the machine does the rest
t_plan 10

# Of all processes that there are in here, this shell is the only one.
alone() { local all=(/proc/[0-9]*) && [ ${#all[@]} -eq 1 ]; }
mounts() { cut -d' ' -f3- /proc/self/mountinfo; }
devices() { ls /sys/class/net 2>/dev/null || tail -n +3 /proc/net/dev | cut -d: -f1; }
# limit_all N: of namespaces of each kind that may be made in here.
limit_all() { for kind in user net pid mnt; do echo "$1" >/proc/sys/user/max_${kind}_namespaces || return 1; done; }

mapfile -t ids < <("$LASTACK" lab list | sed '1d; s/\t.*//')
mkdir "$T_DIR/tmp"
export TMPDIR=$T_DIR/tmp
mounts >"$T_DIR/mounts" && devices >"$T_DIR/devices"

living=0 working=0 outliving=0 wrong_status=0 unsaid=0 unshown=0
for ((i = 0; i < KILLS; i++)); do
	# Six claims of all, so that every one is met in its turn, also those that run alone.
	chosen=()
	for _ in 1 2 3 4 5 6; do chosen+=("${ids[RANDOM % ${#ids[@]}]}"); done
	signal=$((RANDOM % 2)) && signals=(KILL INT TERM) && [ $signal -eq 0 ] || signal=$((1 + RANDOM % 2))
	signal=${signals[signal]}
	# A shell has its background jobs ignore SIGINT, and what is ignored stays so; env takes that back.
	env --default-signal=INT "$LASTACK" lab run "${chosen[@]}" --seeds 5 --jobs 8 \
		>"$T_DIR/out" 2>"$T_DIR/err" &
	pid=$!
	sleep "0.$(printf %03d $((RANDOM % 450)))"
	started=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)
	[ -z "$started" ] || working=$((working + 1))
	kill "-$signal" "$pid" 2>/dev/null && living=$((living + 1))
	wait "$pid" 2>/dev/null
	status=$?
	case $signal-$status in
	KILL-137) ;;
	INT-130 | TERM-143)
		grep -q 'nothing of the others is left$' "$T_DIR/err" || unsaid=$((unsaid + 1))
		# What had ended is shown: a row of headings, and one or more.
		done=$(sed -n 's/.* after \([0-9]*\) of .*/\1/p' "$T_DIR/err") rows=$(wc -l <"$T_DIR/out")
		[ "$((${done:-0} > 0))" -eq "$((rows > 1))" ] || {
			unshown=$((unshown + 1))
			t_note "SIG$signal: $rows lines after ${done:-no number} trials"
		}
		;;
	*-0 | *-1 | *-77) living=$((living - 1)) ;; # it had come to its end just before
	*) wrong_status=$((wrong_status + 1)) && t_note "SIG$signal: status $status: $(head -c 300 "$T_DIR/err")" ;;
	esac
	alone || t_wait_for 10 alone || {
		outliving=$((outliving + 1))
		t_note "SIG$signal: still there: $(grep -h '^State\|^Name' /proc/[0-9]*/status)"
	}
done
t_note "$KILLS runs: $living were killed before their end, $working with trials at work at that moment"

t_ok "at least half were killed while trials were at work" test $working -ge $((KILLS / 2))
t_ok "and nearly all before their end" test $living -ge $((KILLS * 7 / 10))
t_is "each ends by its signal" $wrong_status 0
t_is "and an interrupted one says how far it came" $unsaid 0
t_is "and shows what had ended" $unshown 0
t_is "no process outlives it" $outliving 0
t_is "no device is left" "$(devices)" "$(cat "$T_DIR/devices")"
t_is "no mount is left" "$(mounts)" "$(cat "$T_DIR/mounts")"
t_is "no file is left, and no rule" "$(ls -A "$T_DIR/tmp")$(nft list ruleset 2>/dev/null)" ""
# Our own one of each kind is the first; there is room for a second only when all the others are gone. The kernel
# takes network namespaces down in the background.
t_unnamed="no namespace is left, with a name or without"
if [ "$LAB_KILLS_INSIDE" = counted ] && limit_all 2 2>/dev/null; then
	t_ok "$t_unnamed" t_wait_for 20 unshare -nm true
else
	t_skip "$t_unnamed" "namespaces cannot be counted here"
fi
t_done
