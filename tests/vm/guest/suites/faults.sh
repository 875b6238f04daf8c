# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# The table of faults on the real device nodes: one test for each fault, with limits that end soon.

faults_slow=${OAC_TEST_SLOW:-1}

# What hangs is found sooner than people would want it.
load_impatient() {
	unload_module &&
		modprobe oac watchdog_ms=100 hang_ms=$((1000 * faults_slow)) \
			admin_timeout_ms=$((1000 * faults_slow)) \
			boot_timeout_ms=$((4000 * faults_slow)) &&
		wait_until 30 has_nodes "$CARDS"
}

unset ACCEL_DEVICES ACCEL_EMU
check module-loaded load_impatient
gtest faults /test/test_faults '--gtest_filter=*faults_table*:faults_catalogue.*'
check module-goes unload_module
