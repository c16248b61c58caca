#!/bin/sh
# SPDX-License-Identifier: MIT
# layers.sh: checks who includes whom against the table in ARCHITECTURE.md ("room: what it may use").
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
doors='"base/clock\.h"|<(unistd|fcntl|time|poll|signal|stdio_ext|pthread|net/if|sys/(socket|timerfd|random|stat|ioctl))\.h>'
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
exit $status
