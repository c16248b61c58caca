#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# settings.sh - a kernel whose settings somebody has changed turns exactly the verdicts that hang on them: the
# table tests/lab/settings.table has those, every other verdict is as documented.
. tests/lib.sh
"$LASTACK" lab run close-wait-segments --seeds 1 >"$T_DIR/probe" 2>&1
[ $? -ne 77 ] || t_skip_all "$(tail -n 1 "$T_DIR/probe")"
table=tests/lab/settings.table

# The settings of the table, in its order.
mapfile -t settings < <(sed -n 's/^\(net\.[^ ]*\) .*/\1/p' $table | awk '!seen[$0]++')
t_plan $((2 * ${#settings[@]} + 1))

# "ID VERDICT" of a run, without those that lack something here. FILE
verdicts() { awk -F'\t' 'NR > 1 && $1 != "LACKS" { print $2, $1 }' "$1" | sort; }
tried() { cut -d' ' -f1 "$1"; }

"$LASTACK" lab run --all --seeds 1 >"$T_DIR/default" 2>"$T_DIR/default.err"
t_is "with the kernel's own settings every verdict is as documented" $? 0
verdicts "$T_DIR/default" >"$T_DIR/documented"

for setting in "${settings[@]}"; do
	"$LASTACK" lab run --all --seeds 1 --sysctl "$setting" >"$T_DIR/changed" 2>"$T_DIR/changed.err"
	status=$?
	verdicts "$T_DIR/changed" >"$T_DIR/found"
	# What the table says, over what is documented.
	sed -n "s/^$setting  *//p" $table | awk '{ print $1, $2 }' >"$T_DIR/turned"
	awk 'NR == FNR { turned[$1] = $2; next } { print $1, $1 in turned ? turned[$1] : $2 }' \
		"$T_DIR/turned" "$T_DIR/documented" | sort >"$T_DIR/wanted"
	t_ok "$setting turns what the table says, and nothing else" diff "$T_DIR/wanted" "$T_DIR/found"
	t_is "... which is news" $status "$([ -s "$T_DIR/turned" ] && grep -qvw none "$T_DIR/turned" && echo 1 || echo 0)"
done
t_done
