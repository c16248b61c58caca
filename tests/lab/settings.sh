#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# settings.sh - a kernel whose settings somebody has changed turns exactly the verdicts that hang on them: the
# table tests/lab/settings.table has those, every other verdict is as documented. LAB_ALL=1: also the claims that
# run alone, which take most of the time.
. tests/lib.sh
"$LASTACK" lab run close-wait-segments --seeds 1 >"$T_DIR/probe" 2>&1
[ $? -ne 77 ] || t_skip_all "$(tail -n 1 "$T_DIR/probe")"
table=tests/lab/settings.table

"$LASTACK" lab list | awk -F'\t' 'NR > 1 { print $1 }' >"$T_DIR/ids"
if [ -z "${LAB_ALL:-}" ]; then
	grep -l LAI_LANE_ALONE src/lab/claims/*.c | sed 's|.*/||; s|\.c$||' | tr _ - >"$T_DIR/alone"
	grep -vxF -f "$T_DIR/alone" "$T_DIR/ids" >"$T_DIR/some" && mv "$T_DIR/some" "$T_DIR/ids"
fi
mapfile -t ids <"$T_DIR/ids"

# The settings of the table, in its order.
mapfile -t settings < <(sed -n 's/^\(net\.[^ ]*\) .*/\1/p' $table | awk '!seen[$0]++')
t_plan $((2 * ${#settings[@]} + 1))

# "ID VERDICT" of a run, without those that lack something here. FILE
verdicts() { awk -F'\t' 'NR > 1 && $1 != "LACKS" { print $2, $1 }' "$1" | sort; }

"$LASTACK" lab run "${ids[@]}" --seeds 1 >"$T_DIR/default" 2>"$T_DIR/default.err"
t_is "with the kernel's own settings every verdict is as documented" $? 0
verdicts "$T_DIR/default" >"$T_DIR/documented"

for setting in "${settings[@]}"; do
	"$LASTACK" lab run "${ids[@]}" --seeds 1 --sysctl "$setting" >"$T_DIR/changed" 2>"$T_DIR/changed.err"
	status=$?
	verdicts "$T_DIR/changed" >"$T_DIR/found"
	# What the table says, over what is documented.
	sed -n "s/^$setting  *//p" $table | awk '{ print $1, $2 }' >"$T_DIR/turned"
	awk 'NR == FNR { turned[$1] = $2; next } { print $1, $1 in turned ? turned[$1] : $2 }' \
		"$T_DIR/turned" "$T_DIR/documented" | sort >"$T_DIR/wanted"
	t_ok "$setting turns what the table says, and nothing else" diff "$T_DIR/wanted" "$T_DIR/found"
	news=0
	grep -qvw none "$T_DIR/turned" && news=1
	t_is "... and exit status $news says whether that is news" $status $news
done
t_done
