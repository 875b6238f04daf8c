# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Every call and the probe, with each of their allocations and user copies
# failing once. Needs the debug kernel.

has_fail_nth() {
	[ -e /proc/self/fail-nth ] || {
		echo "this kernel injects no failures"
		exit 77
	}
	arm_fail_nth && load_module
}

check fail-nth-armed has_fail_nth
if [ -e /proc/self/fail-nth ]; then
	gtest fail-nth /test/test_fail_nth
	check cards-work-again load_module
fi
