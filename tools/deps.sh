#!/bin/sh
# SPDX-License-Identifier: MIT
# deps.sh [build] [test] [bench] [healthy] [interop] [peers] [lab]: installs the Debian packages that are missing, and says so.
# Does nothing when none is; needs root or sudo otherwise.
set -eu
# What each command or file comes from: "probe package".
build='cc:gcc ld:binutils /usr/include/stdlib.h:libc6-dev /usr/include/linux/tcp.h:linux-libc-dev
/usr/include/libmnl/libmnl.h:libmnl-dev clang:clang /usr/include/bpf/bpf_helpers.h:libbpf-dev
bpftool:bpftool /usr/include/sqlite3.h:libsqlite3-dev /usr/include/openssl/ssl.h:libssl-dev
/usr/include/crypt.h:libcrypt-dev /usr/include/pcap/pcap.h:libpcap-dev'
test='/usr/include/cmocka.h:libcmocka-dev ip:iproute2 nft:nftables ss:iproute2 socat:socat ncat:ncat
nc.openbsd:netcat-openbsd pkill:procps strace:strace mandoc:mandoc patch:patch'
bench='iperf3:iperf3 netstat:net-tools lsof:lsof rsyslogd:rsyslog nats-server:nats-server
/usr/share/doc/rsyslog-relp:rsyslog-relp'
# What a healthy host runs, for tests/leaks/healthy.sh.
healthy='sshd:openssh-server nginx:nginx /usr/lib/postgresql:postgresql curl:curl'
# Whom lastack talks to in tests/interop (stompit comes from npm, if that can fetch it).
interop='/usr/lib/rabbitmq/bin/rabbitmq-server:rabbitmq-server /usr/lib/python3/dist-packages/stomp:python3-stomp
node:nodejs npm:npm sqlite3:sqlite3 openssl:openssl'
# What some claims of the lab and their tests use.
lab='nft:nftables nginx:nginx-light curl:curl tshark:tshark'
# Who else refuses logins, for bench/reject.sh.
peers='mosquitto:mosquitto nats-server:nats-server haproxy:haproxy nginx:nginx-light'
missing=
for set in "$@"; do
	case $set in
	build) list=$build ;;
	test) list=$test ;;
	bench) list=$bench ;;
	healthy) list=$healthy ;;
	interop) list=$interop ;;
	peers) list=$peers ;;
	lab) list=$lab ;;
	*) echo "deps.sh: '$set' is none of: build test bench healthy interop peers lab" >&2; exit 2 ;;
	esac
	for row in $list; do
		probe=${row%%:*} package=${row##*:}
		case $probe in
		/*) [ -e "$probe" ] || missing="$missing $package" ;;
		*) command -v "$probe" >/dev/null 2>&1 || [ -x "/usr/sbin/$probe" ] || missing="$missing $package" ;;
		esac
	done
done
[ -n "$missing" ] || exit 0
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
if ! command -v apt-get >/dev/null 2>&1; then
	echo "deps.sh: these Debian packages (or their likes) are missing, and there is no apt-get: $missing" >&2
	exit 1
fi
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
# The brokers are wanted as programs. Debian would start them as services, now and at every boot.
installed() { dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii *//p' | sort; }
policy=/usr/sbin/policy-rc.d
case " $* " in
*" interop "* | *" lab "* | *" peers "* | *" bench "*) services=no ;;
*) services=yes ;;
esac
if [ $services = no ] && [ ! -e $policy ]; then
	trap '$sudo rm -f $policy' EXIT
	trap 'exit 130' INT TERM
	printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
	$sudo chmod 755 $policy
fi
before=$(installed)
echo "deps: installing with apt-get: $missing"
$sudo env DEBIAN_FRONTEND=noninteractive apt-get update -qq
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
[ $services = no ] && [ -d /run/systemd/system ] || exit 0
for package in $(installed | grep -vxF "$before"); do
	for unit in $(dpkg -L "$package" | sed -n 's|^.*/lib/systemd/system/\([^/@]*\.\(service\|socket\)\)$|\1|p'); do
		echo "deps: $unit is installed, and not enabled"
		$sudo systemctl disable --quiet "$unit" || :
	done
done
