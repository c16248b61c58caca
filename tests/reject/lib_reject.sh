# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# lib_reject.sh - the three columns of the rejection matrix, for tests/reject and bench/reject.sh. In a
# network namespace of its own: it makes a table of nftables.
#
#	x_begin || ...             the chains in which packets are lost; not 0: nft cannot
#	x_column smart0 stomp 127.0.0.1:PORT TRIALS     prints how many of the trials were told why, and
#	                                                how many came to no end
#
# Columns have a chain each: they may run at the same time.

REJECT_CLIENT=${REJECT_CLIENT:-$BUILD/tests/tools/reject_client}
X_COLUMNS='smart0 smart3 naive0 naive3'

x_title() {
	case $1 in
	smart0) echo "always reads, no loss" ;;
	smart3) echo "always reads, 3 losses" ;;
	naive0) echo "stops at its first send error, no loss" ;;
	naive3) echo "stops at its first send error, 3 losses" ;;
	esac
}

x_begin() {
	local column
	command -v nft >/dev/null && nft add table inet refusal 2>/dev/null || return
	for column in $X_COLUMNS; do
		nft add chain inet refusal "$column" '{ type filter hook input priority 0; }' 2>/dev/null &&
			nft add rule inet refusal "$column" tcp sport 1 tcp flags '&' psh == psh \
				limit rate 1/hour burst 3 packets counter drop 2>/dev/null &&
			nft flush chain inet refusal "$column" || return
	done
}

x_column() { # COLUMN PROTOCOL ADDRESS:PORT TRIALS
	"$REJECT_CLIENT" --mode "${1%?}" --loss "${1#"${1%?}"}" --chain "inet refusal $1" \
		--seconds "${X_SECONDS:-20}" --trials "$4" "$2" "$3" | cut -f5,6
}
