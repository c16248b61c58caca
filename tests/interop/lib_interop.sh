# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# lib_interop.sh - what the tests with other people's clients and servers share. Before tests/lib.sh:
#
#	. tests/interop/lib_interop.sh
#	i_isolate            goes on in a network namespace of its own where it may; else on this host's loopback
#	. tests/lib.sh
#	i_server --durability none      lastack receive for user lastack, password right, into T_DIR/records.db
#	i_records            the bodies that it stored, in order of sender and sequence

i_isolate() {
	[ -z "${I_ISOLATED:-}" ] || return 0
	export I_ISOLATED=1
	if unshare --net true 2>/dev/null && command -v ip >/dev/null; then
		# shellcheck disable=SC2016
		exec unshare --net bash -c 'ip link set lo up && exec bash "$1"' isolated "$0"
	fi
}

I_USER=lastack I_PASSWORD=right

i_server() { # OPTION...
	echo $I_PASSWORD | "$LASTACK" passwd $I_USER >"$T_DIR/users"
	t_receive server --users "$T_DIR/users" --into "$T_DIR/records.db" "$@" stomp://127.0.0.1:0
}
i_records() { sqlite3 "$T_DIR/records.db" 'SELECT CAST(body AS TEXT) FROM records ORDER BY sender, seq'; }
i_ended() { grep -c "\"end\":\"$1\"" "$T_DIR/server.json"; } # sessions that ended so

# ---- stompit ----------------------------------------------------------------------------------------

I_STOMPIT=1.0.0

# Fetched once, into the build directory; nothing that a package brings is run while it is installed.
i_stompit_lacks() {
	local dir=$BUILD/npm program
	for program in node npm; do
		command -v $program >/dev/null || { echo "$program is not installed" && return; }
	done
	if [ ! -s "$dir/node_modules/stompit/package.json" ]; then
		mkdir -p "$dir"
		timeout 60 npm install --prefix "$dir" --ignore-scripts --no-audit --no-fund --no-save \
			--cache "$dir/cache" "stompit@$I_STOMPIT" >"$dir/log" 2>&1 || {
			rm -rf "$dir/node_modules"
			echo "npm cannot fetch stompit@$I_STOMPIT (no network?)" && return
		}
	fi
	NODE_PATH=$(cd "$dir" && pwd)/node_modules
	export NODE_PATH
}
