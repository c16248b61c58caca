#!/bin/sh
# SPDX-License-Identifier: MIT
# layers.sh: checks who includes whom against the table in ARCHITECTURE.md ("room: what it may use"), and who
# includes the system's and the libraries' headers.
set -eu
cd "$(dirname "$0")/.." || exit
status=0
for room in $(find src -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort); do
	allowed=$(sed -n "s/^| \`$room\` |[^|]*| \([^|]*\) |\$/\1/p" ARCHITECTURE.md)
	if [ -z "$allowed" ]; then
		echo "layers: the room src/$room has no row in ARCHITECTURE.md" >&2
		status=1
		continue
	fi
	case $allowed in *everything*) continue ;; esac
	# Unit tests may use the simulator and what they compare with.
	used=$(grep -rhoE --include='*.[ch]' --exclude='*_test.c' '^#include "[a-z]+/' "src/$room" |
		sed 's/.*"\(.*\)\/.*/\1/' | sort -u)
	for other in $used; do
		[ "$other" = "$room" ] && continue
		case " $allowed " in
		*" $other "*) ;;
		*)
			echo "layers: src/$room may not use src/$other:" >&2
			grep -rnE --include='*.[ch]' --exclude='*_test.c' "^#include \"$other/" "src/$room" >&2
			status=1
			;;
		esac
	done
done
# Sans-I/O rooms: no header that opens a door to the system.
doors='"base/(clock|entropy)\.h"|<(unistd|fcntl|time|poll|signal|stdio_ext|pthread|net/if|sys/(socket|timerfd|eventfd|random|stat|ioctl|file|mman))\.h>'
opens() {
	door=$1
	shift
	grep -rnE --include='*.[ch]' --exclude='*_test.c' "^#include ($door)" "$@"
}
# The judge may know epoll's header: it needs the bits of the events, and calls nothing.
if opens "$doors|<sys/epoll\.h>" src/conn src/link src/wire src/serve || opens "$doors" src/judge; then
	echo "layers: conn, link, wire, serve and judge are sans-I/O: no system call, no clock" >&2
	status=1
fi
# belongs WHAT HEADERS WHERE...: nobody else includes them.
belongs() {
	what=$1 headers=$2
	shift 2
	strangers=$(grep -rlE --include='*.[ch]' --exclude='*_test.c' "^#include <($headers)\.h>" src |
		grep -vE "^src/($(echo "$*" | tr ' ' '|'))" || true)
	[ -z "$strangers" ] && return
	echo "layers: $what belongs to $*, not to:" "$strangers" >&2
	status=1
}
belongs SQLite 'sqlite3' disk/ io/sim/sim_disk
belongs TLS 'openssl/(ssl|err|x509|x509v3|pem|bio)' io/
belongs libpcap 'pcap(/pcap)?' lab/capture
belongs crypt 'crypt' serve/users.c drive/user_line.c
exit $status
