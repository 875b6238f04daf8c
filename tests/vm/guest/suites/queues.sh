# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Queues as a host has them that cannot, or may not, give doorbells to processes, and with one
# interrupt per card: the module is loaded anew for each.

# reload PARAMETER=VALUE...
reload() {
	unload_module && modprobe oac "$@" && wait_until 30 has_nodes "$CARDS"
}

vectors_are() {
	for device in "$DRIVER"/*:*; do
		count=$(find "$device/msi_irqs" -type f | wc -l)
		[ "$count" -eq "$1" ] || { echo "$device has $count, not $1"; return 1; }
	done
}

parameter_is() {
	value=$(cat "/sys/module/oac/parameters/$1")
	[ "$value" = "$2" ] || { echo "$1 is $value, not $2"; return 1; }
}

# refused PARAMETER VALUE: the kernel does not take it, and keeps what was there
refused() {
	before=$(cat "/sys/module/oac/parameters/$1")
	! echo "$2" 2>/dev/null >"/sys/module/oac/parameters/$1" || return
	parameter_is "$1" "$before"
}

PARTS='submit.*:fence.*:store.*:wait.*:matrix.queue*:matrix.sync*:firmware.is_busy*'

unset ACCEL_DEVICES ACCEL_EMU
check queues-default reload
gtest default /test/test_abi "--gtest_filter=$PARTS"
check fence-timeout-range refused fence_timeout_ms 99
check fence-timeout-range-above refused fence_timeout_ms 600001

check one-vector reload vectors=1
check one-vector-is-one vectors_are 1
gtest one-vector /test/test_abi "--gtest_filter=$PARTS:queue.*:doorbell.*"

check no-user-submission reload user_submission=0
check no-user-submission-parameter parameter_is user_submission N
gtest no-user-submission /test/test_abi \
	'--gtest_filter=submit.*:fence.*:store.*:matrix.queue*:kernel_only.*'
# With fences and stores pending; here, because nobody else uses the card.
export OAC_TEST_UNBIND=1
gtest unbind /test/test_abi '--gtest_filter=remove_driver.ends_fences*'
unset OAC_TEST_UNBIND
check queues-module-goes unload_module
