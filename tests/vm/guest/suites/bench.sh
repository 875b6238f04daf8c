# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# For bench/run.py, which starts it with an NVMe drive and a counting plugin beside
# the card: what the kernel's paths cost. Passes when it could be measured.

counted() {
	/test/guest_bench >/tmp/bench
	status=$?
	cat /tmp/bench
	return $status
}

nvme_is_there() { [ -b /dev/nvme0n1 ]; }
nvme_loads() { modprobe nvme && wait_until 30 nvme_is_there; }

check module-loaded load_module
check nvme nvme_loads
check guest-bench counted
explain /tmp/bench
