#!/bin/bash
# SPDX-License-Identifier: MIT
# unprivileged.sh: without privilege the lab works in a user namespace, and where there is none it says what it needs.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib.sh

# A program and a directory that everybody may use.
chmod 755 "$T_DIR"
cp "$LASTACK" "$T_DIR/lastack" && chmod 755 "$T_DIR/lastack"
mkdir -m 777 "$T_DIR/open"
lab="$T_DIR/lastack lab run close-wait-segments fixed-port-2345"

# nobody COMMAND...: without any capability, as a user who owns nothing (as we are, if that is nobody in particular).
nobody() {
	if [ "$(id -u)" -ne 0 ]; then
		"$@"
	else
		setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$@"
	fi
}
[ "$(id -u)" -ne 0 ] || setpriv --version >/dev/null 2>&1 || t_skip_all "no setpriv(1)"
t_plan 11

if nobody unshare -Urnpm --fork true 2>/dev/null; then
	# shellcheck disable=SC2086 # words
	nobody $lab --seeds 2 --json --keep-pcap "$T_DIR/open/captures" --report "$T_DIR/open/report.md" \
		>"$T_DIR/json" 2>"$T_DIR/err"
	t_is "a user without privilege gets the documented verdicts" "$? $(cat "$T_DIR/err")" "0 "
	t_ok "in a user namespace" grep -q '"unprivileged":true' "$T_DIR/json"
	t_is "captures are the user's" "$(find "$T_DIR/open/captures" -name '*.pcap' -uid "$(nobody id -u)" | wc -l)" 4
	t_ok "so is the report" test -s "$T_DIR/open/report.md"
	nobody "$T_DIR/lastack" lab run close-wait-segments --seeds 1 --sysctl net.ipv4.tcp_sack=0 >"$T_DIR/out"
	t_is "sysctls of its hosts may be set" "$? $(sed -n 2p "$T_DIR/out" | cut -f1)" "0 CONFIRMED"
else
	for sentence in "a user without privilege gets the documented verdicts" "in a user namespace" \
		"captures are the user's" "so is the report" "sysctls of its hosts may be set"; do
		t_skip "$sentence" "user namespaces are not allowed here"
	done
fi

if [ "$(id -u)" -eq 0 ] && unshare -n true 2>/dev/null; then
	"$LASTACK" lab run close-wait-segments --seeds 1 --json >"$T_DIR/json"
	t_is "root needs none" "$? $(grep -c '"unprivileged":false' "$T_DIR/json")" "0 1"
else
	t_skip "root needs none" "not root, or not permitted"
fi

# without CAPABILITY COMMAND...: root that lacks it, for which the kernel makes no exception.
without() {
	capability=$1 && shift
	setpriv --bounding-set="-$capability" --inh-caps="-$capability" "$@"
}
if [ "$(id -u)" -eq 0 ] && unshare -Urn true 2>/dev/null; then
	without sys_admin "$LASTACK" lab run close-wait-segments --seeds 1 --json >"$T_DIR/json"
	t_is "root without CAP_SYS_ADMIN does" "$? $(grep -c '"unprivileged":true' "$T_DIR/json")" "0 1"
	without net_raw "$LASTACK" lab run close-wait-segments --seeds 1 --json >"$T_DIR/json"
	t_is "root without CAP_NET_RAW as well" "$? $(grep -c '"unprivileged":true' "$T_DIR/json")" "0 1"
else
	t_skip "root without CAP_SYS_ADMIN does" "not root, or no user namespaces"
	t_skip "root without CAP_NET_RAW as well" "not root, or no user namespaces"
fi

# A user namespace in which there may be no further one, and nobody has a capability.
if unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && setpriv --bounding-set=-all --inh-caps=-all true' \
	2>/dev/null; then
	# shellcheck disable=SC2016 # its own words
	unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces &&
		exec setpriv --bounding-set=-all --inh-caps=-all "$1" lab run close-wait-segments' \
		- "$T_DIR/lastack" >"$T_DIR/out" 2>"$T_DIR/err"
	t_is "where namespaces are forbidden it cannot: 77" "$? $(wc -c <"$T_DIR/out") $(wc -l <"$T_DIR/err")" "77 0 1"
	t_ok "names the capabilities" grep -q 'CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW' "$T_DIR/err"
	t_ok "and the sysctl that forbids them" grep -q 'user.max_user_namespaces is 0' "$T_DIR/err"
	t_note "$(cat "$T_DIR/err")"
else
	for sentence in "where namespaces are forbidden it cannot: 77" "names the capabilities" \
		"and the sysctl that forbids them"; do
		t_skip "$sentence" "no user namespace to forbid others in"
	done
fi
t_done
