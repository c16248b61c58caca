#!/bin/sh
# SPDX-License-Identifier: MIT
# passwd.sh - lastack passwd: where the password comes from, what becomes of the file, what is refused.
. tests/lib.sh
t_plan 35

passwd() { "$LASTACK" passwd "$@" 2>"$T_DIR/said"; }
said() { grep -qF -- "$1" "$T_DIR/said"; }
users=$T_DIR/users

# right FILE NAME PASSWORD: whether the hash of that line is of that password.
if command -v perl >/dev/null; then
	# crypt() is libcrypt's own.
	right() {
		perl -e 'my ($n, $p, $f) = @ARGV; open(F, $f); while (<F>) { chomp; my ($m, $h) = split(/:/);
			exit(crypt($p, $h) eq $h ? 0 : 1) if $m eq $n; } exit 2' "$2" "$3" "$1"
	}
	t_right() { t_ok "$1" right "$2" "$3" "$4"; }
else
	t_right() { t_skip "$1" "perl is not installed"; }
fi

# ---- where the password comes from
printf 'secret' | passwd ann >"$T_DIR/line"
t_is "piped: status 0" $? 0
t_is "one line name:hash, yescrypt" "$(cut -c1-7 "$T_DIR/line")$(wc -l <"$T_DIR/line" | tr -d ' ')" 'ann:$y$1'
t_is "nothing else is said" "$(cat "$T_DIR/said")" ""
t_right "it is the hash of what was piped in" "$T_DIR/line" ann secret
printf 'secret\r\n' | passwd ann >"$T_DIR/again"
t_right "a line break at the end is not part of it" "$T_DIR/again" ann secret
t_ok "another time, another salt" sh -c '! cmp -s "$1" "$2"' _ "$T_DIR/line" "$T_DIR/again"
printf ' two words \n' >"$T_DIR/file"
passwd bob --password-file "$T_DIR/file" </dev/null >"$T_DIR/line"
t_right "from a file, spaces and all" "$T_DIR/line" bob ' two words '
passwd bob --password-file "$T_DIR/none" </dev/null >/dev/null
t_is "a file that is not there: status 1" $? 1
t_ok "and which" said "$T_DIR/none cannot be read: No such file"

# A terminal: asked twice, nothing shown. The answer is typed when the question is there.
if command -v script >/dev/null; then
	mkfifo "$T_DIR/keys"
	typed() { # typed FIRST SECOND: the screen is in T_DIR/screen
		: >"$T_DIR/screen"
		# shellcheck disable=SC2086
		t_run tty script -qefc "$LASTACK passwd --users '$users' tim" "$T_DIR/screen" <"$T_DIR/keys"
		exec 8>"$T_DIR/keys"
		t_wait_for 10 grep -q Password: "$T_DIR/screen" && printf '%s\n' "$1" >&8
		t_wait_for 10 grep -q Again: "$T_DIR/screen" && printf '%s\n' "$2" >&8
		t_join tty
		exec 8>&-
	}
	exec 9<>"$T_DIR/keys" # so that opening it does not wait
	typed first second
	t_is "two that differ: status 2" "$T_STATUS" 2
	t_ok "and no file" sh -c '! test -e "$1"' _ "$users"
	typed onlyone onlyone
	t_is "twice the same: status 0" "$T_STATUS" 0
	t_ok "it was not shown" sh -c '! grep -q onlyone "$1"' _ "$T_DIR/screen"
	t_right "and is the password" "$users" tim onlyone
	exec 9>&-
else
	for sentence in "two that differ: status 2" "and no file" "twice the same: status 0" \
		"it was not shown" "and is the password"; do
		t_skip "$sentence" "script is not installed"
	done
fi

# ---- the file
rm -f "$users"
printf one | passwd --users "$users" ann
t_is "a file that is not there is made: status 0" $? 0
t_ok "said so" said "'ann' is added to $users"
t_is "for its owner alone" "$(stat -c %a "$users")" 600
printf '# a comment\nzoe:$y$j9T$salt$0123456789012345678901234567890123456789012' >>"$users"
printf two | passwd bob --users="$users"
chmod 644 "$users"
printf three | passwd ann -u "$users"
t_ok "a second time: changed" said "'ann' is changed in $users"
t_is "in its place, the others as they were" "$(sed 's/\(..*:\).*/\1/' "$users" | tr '\n' ' ')" "ann: # a comment zoe: bob: "
t_right "the new password" "$users" ann three
t_right "and that of the other" "$users" bob two
t_is "the group may read as before, everybody else not" "$(stat -c %a "$users")" 640
ln -s users "$T_DIR/link"
passwd bob --users "$T_DIR/link" --delete
t_is "--delete: status 0" $? 0
t_is "the line is gone, and a link is still one" "$(grep -c bob "$users")$(readlink "$T_DIR/link")" 0users
passwd bob --users "$users" --delete
t_is "once more: status 1" $? 1
t_ok "since it is not there" said "there is no 'bob' in $users"
cp "$users" "$T_DIR/before"
echo nonsense >>"$users"
printf x | passwd ann --users "$users"
t_is "a file that a server would refuse: status 1" $? 1
t_ok "says which line" said "line 4: the line is not 'name:hash'"
t_ok "and nothing is left beside it" sh -c 'test "$(ls "$1" | grep -c "^users")" = 1' _ "$T_DIR"

# Many at once: none is lost.
rm -f "$users"
for i in 1 2 3 4 5 6 7 8; do
	echo "pw$i" >"$T_DIR/pw$i"
	t_run "p$i" "$LASTACK" passwd "user$i" --users "$users" --password-file "$T_DIR/pw$i"
done
for i in 1 2 3 4 5 6 7 8; do t_join "p$i"; done
t_is "eight at once: eight lines" "$(grep -c '^user[1-8]:' "$users")" 8

# ---- what is refused
refused() { # refused WORDS ARGUMENT...: status 2 with these words; the password is in T_DIR/file
	words=$1 && shift
	passwd "$@" <"$T_DIR/file" >"$T_DIR/out"
	status=$?
	t_is "refused: $words" "$status $(said "$words" && echo said) $(cat "$T_DIR/out")" "2 said "
}
printf x >"$T_DIR/file"
refused "the name has a ':' in it" a:b
refused "--delete needs --users FILE" ann --delete
printf '' >"$T_DIR/file"
refused "the password is empty" ann
printf 'a\nb' >"$T_DIR/file"
refused "the password has a line break" ann
head -c 512 /dev/zero | tr '\0' x >"$T_DIR/file"
refused "the password is longer than 511 bytes" ann
t_done
