#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# large_all.sh - the cases of robust.sh that have a number, with large ones: minutes, and 1 GB of memory. Only with
# ROBUST_LARGE=1, as make test-all has it.
cd "$(dirname "$0")/../.." || exit
if [ "${ROBUST_LARGE:-}" != 1 ]; then
	echo "1..0 # SKIP long: make test-all sets ROBUST_LARGE=1"
	exit 77
fi
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/robust/lib_robust.sh
. tests/robust/lib_robust.sh
# shellcheck source=tests/robust/lib_crowd.sh
. tests/robust/lib_crowd.sh

# A process can have no more descriptors than the hard limit says, and some are not sockets.
SPARE=20
limit=$(ulimit -H -n)
[ "$limit" != unlimited ] && [ "$limit" -lt 20000 ] || limit=20000

r_begin "$@"

R_JOBS=2
r_run_all <<END
	storm 400 bpf
	storm 400 proc
	storm_doctor 100
	many_descriptors $(((limit - SPARE) / 2))
	crowd 5000
	suspects $((limit - SPARE)) 1
	suspects 1 1000
	many_namespaces 50 20
END
