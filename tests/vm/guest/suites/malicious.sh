# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# A card that lies in every word that the driver reads, and one that is pulled at each of the driver's
# accesses, from probe to unbind (OAC_TEST_STRIDE: at each but so many).

malicious_slow=${OAC_TEST_SLOW:-1}

load_impatient() {
	unload_module &&
		modprobe oac watchdog_ms=100 hang_ms=$((1000 * malicious_slow)) \
			admin_timeout_ms=$((500 * malicious_slow)) \
			boot_timeout_ms=$((2000 * malicious_slow)) &&
		wait_until 30 has_nodes "$CARDS"
}

unset ACCEL_DEVICES ACCEL_EMU
check module-loaded load_impatient
gtest lies /test/test_faults '--gtest_filter=lies.*'
OAC_TEST_UNBIND=1
export OAC_TEST_UNBIND
gtest removal /test/test_faults '--gtest_filter=driver_removal.*'
unset OAC_TEST_UNBIND
check module-goes unload_module
