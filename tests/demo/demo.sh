#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh: the story as it is told in eight seconds: what it shows, what it says, what it leaves behind.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh

unshare -n true 2>/dev/null || unshare -rn true 2>/dev/null || t_skip_all "no network namespaces here"
NAIVE=${NAIVE:-$BUILD/examples/naive}
[ -x "$NAIVE" ] || t_skip_all "no $NAIVE: make examples"
t_plan 23

# number FILE CLIENT KEY: one number of the JSON object that the demo wrote.
number() { sed -n "s/.*\"$2\":{\([^}]*\)}.*/,\1,/p" "$1" | sed -n "s/.*,\"$3\":\([0-9]*\),.*/\1/p"; }
says() { t_ok "$1" grep -q "$2" "$3"; }
children() { cat "/proc/$1/task/$1/children"; }
# A zombie that the host's init has not looked at yet has ended, too.
gone() { for pid in $1; do ! grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$pid/status" || return 1; done; }

t_run both "$LASTACK" demo --fast --json --naive "$NAIVE"
# A program without its examples beside it, in the present namespace.
cp "$LASTACK" "$T_DIR/alone"
t_run alone "$T_DIR/alone" demo --fast --json --here
t_run stopped "$LASTACK" demo --naive "$NAIVE"
t_wait_for 10 grep -q '2/9' "$T_DIR/stopped.out"
stopped_children=$(children "$(t_pid stopped)")
t_ok "servers and clients are processes" test "$(echo "$stopped_children" | wc -w)" -eq 4
t_stop stopped TERM 5
t_is "a signal ends the demo before its time" "$T_STATUS" 143
t_ok "and nobody outlives it" gone "$stopped_children"
t_ok "--naive that is not there is bad usage" \
	sh -c '"$0" demo --naive "$1/nothing" 2>"$1/usage"; [ $? -eq 2 ]' "$LASTACK" "$T_DIR"

t_join both 30
out=$T_DIR/both.out
t_is "the demo ends with 0" "$T_STATUS" 0
t_is "standard output has the JSON object alone" "$(grep -c '^{.*}$' "$out") of $(wc -l <"$out")" "1 of 1"
says "it is in a namespace of its own" '"namespace":"own' "$out"
says "it says so of lastack: healthy" '"healthy":true' "$out"
says "the story goes to standard error" '9/9' "$T_DIR/both.err"
t_note "$(cat "$out")"
t_ok "the naive client leaks sockets in CLOSE_WAIT" test "$(number "$out" naive close_wait_sockets)" -ge 10
t_is "until no descriptor is left" "$(number "$out" naive fds_max)" "$(number "$out" naive fds_limit)"
t_ok "the doctor names the naive client's leak" grep -q '"doctor":{"verdict":"[a-z-]' "$out"
t_ok "close ends what the doctor named" test "$(number "$out" doctor mended_sockets)" -ge 10
t_is "so that none is left in CLOSE_WAIT" "$(number "$out" doctor close_wait_sockets)" 0
t_ok "and only the descriptors stay" test "$(number "$out" doctor fds)" -ge "$(number "$out" naive fds_limit)"
t_ok "and loses records" test "$(number "$out" naive lost_records)" -gt 0
t_ok "lastack was given some hundred records" test "$(number "$out" lastack accepted_records)" -gt 200
t_is "lastack delivers what it accepted" "$(number "$out" lastack delivered_records)" \
	"$(number "$out" lastack accepted_records)"
t_is "lastack loses nothing" "$(number "$out" lastack lost_records)" 0
t_is "lastack leaves nothing in CLOSE_WAIT, by the kernel and by its own check" \
	"$(number "$out" lastack close_wait_sockets) $(number "$out" lastack self_check_close_wait_sockets)" "0 0"
t_is "lastack has one socket at a time" "$(number "$out" lastack sockets_max)" 1

t_join alone 30
t_is "without the naive client lastack runs alone" \
	"$T_STATUS $(number "$T_DIR/alone.out" lastack lost_records)" "0 0"
says "and that is said" 'lastack runs alone' "$T_DIR/alone.err"
t_done
