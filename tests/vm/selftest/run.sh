#!/bin/bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Tests the harness itself, without the driver and without cards:
# run.sh [KERNEL...]. Each line is one property that the VM ring relies on.
# "debug" is not among the kernels unless it is named: it takes long to build.
set -uo pipefail

HERE=$(dirname "$(readlink -f "$0")")
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
passed=0 failed=0

# expect NAME PATTERN: the last run's output has a line that matches
expect() {
	if grep -qE -- "$2" "$SCRATCH/out"; then
		echo "ok $1"
		passed=$((passed + 1))
	else
		echo "not ok $1: no line like: $2"
		sed 's/^/# /' "$SCRATCH/out"
		failed=$((failed + 1))
	fi
}

vm() {
	"$HERE/../run.py" --cards 2 --stand-in edu --build-dir "$SCRATCH" \
		--module "$SCRATCH/$1/kernel/oac.ko" --kernel "$@" \
		>"$SCRATCH/out" 2>&1
	echo "exit $?" >>"$SCRATCH/out"
}

leftovers() { pgrep -f "qemu.*SUITE=selftest-hang" >/dev/null; }

test_kernel() {
	local k=$1 passes=5
	# there, every suite ends with one more check
	[ "$k" != debug ] || passes=6
	SOURCE=$HERE "$HERE/../build-module.sh" "$k" "$SCRATCH/$k" \
		>"$SCRATCH/out" 2>&1
	expect "$k: a module builds" '/kernel/oac.ko$'

	vm "$k" --suite selftest
	expect "$k: pass" '^ok passes: [0-9]+ ms$'
	expect "$k: modules with dependencies load" '^ok module-loads: '
	expect "$k: modules go" '^ok module-goes: '
	expect "$k: skip with its reason" '^skip skips: because$'
	expect "$k: fail with the last line" '^not ok fails: last \[exit 3\]$'
	expect "$k: kernel warning fails a check" '^not ok warns: kernel: .*WARN'
	expect "$k: gtest pass" '^ok gtest/A.ok: 7 ms$'
	expect "$k: gtest fail" '^not ok gtest/A.fails/0: a.cpp:1: Failure'
	expect "$k: gtest skip" '^skip gtest/A.skips: reason$'
	expect "$k: kernel warning fails a gtest program" \
		'^not ok gtest/A.*or-later: kernel: .*WARN'
	expect "$k: gtest crash" '^not ok gtest/A.crashes: .*139'
	expect "$k: no test is a failure" '^not ok none: ran no test'
	expect "$k: closing line" "^$passes passed, 6 failed, 2 skipped\$"
	expect "$k: exit code" '^exit 1$'

	vm "$k" --suite selftest-panic
	expect "$k: panic is noticed" '^not ok run: the guest ended during crashes'
	expect "$k: the console is shown" '^# .*Kernel Offset'
}

test_debug() {
	vm debug --suite selftest-debug
	expect "debug: overrun" '^not ok overrun: kernel: .*KASAN'
	expect "debug: sleep" '^not ok sleeps-in-atomic: kernel: .*BUG: sleeping function'
	expect "debug: deadlock" '^# .*WARNING: possible circular locking'
	expect "debug: deadlock fails its check" '^not ok deadlock: kernel: '
	expect "debug: leak" '^not ok kmemleak: [1-9][0-9]* object'
	expect "debug: nothing else fails" '^2 passed, 4 failed, 0 skipped$'
}

test_ends() {
	local k=$1
	vm "$k" --suite selftest-hang --timeout 15
	expect "time-out" '^not ok run: out of time during hangs$'
	expect "time-out's exit code" '^exit 1$'

	# terminated in the middle: nothing may be left
	"$HERE/../run.py" --suite selftest-hang --stand-in edu --kernel "$k" \
		--module "$SCRATCH/$k/kernel/oac.ko" --build-dir "$SCRATCH" \
		--timeout 60 >"$SCRATCH/out" 2>&1 &
	local pid=$!
	until leftovers; do
		kill -0 $pid || break
		sleep 0.1
	done
	kill -TERM $pid
	wait $pid
	echo "exit $?" >>"$SCRATCH/out"
	leftovers && echo "left over" >>"$SCRATCH/out"
	expect "SIGTERM ends the run" '^exit 143$'
	if leftovers; then
		echo "not ok SIGTERM ends QEMU"
		failed=$((failed + 1))
	else
		echo "ok SIGTERM ends QEMU"
		passed=$((passed + 1))
	fi
}

kernels=("$@")
[ $# != 0 ] || kernels=(6.1 6.12 7.3)
for kernel in "${kernels[@]}"; do
	test_kernel "$kernel"
	[ "$kernel" != debug ] || test_debug
done
test_ends "${kernels[0]}"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
