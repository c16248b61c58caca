#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# make install puts everything where it belongs, and a stranger's program builds against it.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
count=0 failed=0
claim() {
	local sentence=$1
	shift
	count=$((count + 1))
	if "$@" >"$dir/log" 2>&1; then
		echo "ok $count - $sentence"
	else
		echo "not ok $count - $sentence"
		cat "$dir/log" >&2
		failed=1
	fi
}
root=$dir/root prefix=/opt/lastack

same_symbols() {
	# What the headers declare, what the map lists, what the library exports: one list.
	grep -hoE '^[a-z][^(=]*\bla_[a-z_]+\(' include/lastack/*.h | grep -oE 'la_[a-z_]+\($' | tr -d '(' |
		sort >"$dir/declared"
	sed -n 's/^\t\(la_[a-z_]*\);/\1/p' src/liblastack.map | sort >"$dir/listed"
	nm -D --defined-only "$root$prefix/lib/liblastack.so" | awk '$2 == "T" {print $3}' |
		sed 's/@.*//' | sort -u >"$dir/exported"
	diff "$dir/declared" "$dir/listed" && diff "$dir/listed" "$dir/exported"
}
builds() {
	cc -o "$dir/$1" "examples/$1.c" -I"$root$prefix/include" -L"$root$prefix/lib" -llastack &&
		LD_LIBRARY_PATH=$root$prefix/lib ldd "$dir/$1" | grep -q "$root$prefix/lib/liblastack.so.0"
}
paths_in_pc() { grep -qx "prefix=$prefix" "$root$prefix/lib/pkgconfig/lastack.pc"; }
pages() { for page in man/*.[1-9]; do [ -s "$root$prefix/share/man/man${page##*.}/${page##*/}" ] || return 1; done; }
units() {
	for unit in lastack-receive.service lastack-send@.service; do
		grep -q "^ExecStart=$prefix/bin/lastack " "$root$prefix/lib/systemd/system/$unit" || return 1
	done
	[ -s "$root$prefix/lib/systemd/system/lastack-receive.socket" ]
}
# completes WANTED WORD...: the last word is completed to this.
completes() {
	bash -c 'PATH=$1:$PATH; . "$2"; wanted=$3; shift 3; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lastack
		[ "${COMPREPLY[*]}" = "$wanted" ]' _ "$root$prefix/bin" \
		"$root$prefix/share/bash-completion/completions/lastack" "$@"
}

claim "make install works into DESTDIR" make --no-print-directory install BUILD="$BUILD" DESTDIR="$root" PREFIX="$prefix"
claim "the installed program runs" "$root$prefix/bin/lastack" --version
claim "headers, symbol map and library agree" same_symbols
for example in blocking epoll pinned records server; do
	claim "examples/$example.c builds against the installed library" builds $example
done
claim "the systemd units name the installed program" units
claim "lastack.pc names the prefix" paths_in_pc
claim "all man pages are there" pages
claim "bash completes a command" completes send lastack se
claim "bash completes an option" completes --proof lastack send --pr
claim "bash completes the words of an option" completes "written acked consumed confirmed" lastack send --proof ""
claim "bash completes a word after =" completes consumed lastack send --proof = cons
claim "bash completes a file after a letter" completes README.md lastack send -f READ
claim "bash completes a URL" completes "tcp:// lines:// stomp:// stomps:// tls://" lastack send ""
echo "1..$count"
exit $failed
