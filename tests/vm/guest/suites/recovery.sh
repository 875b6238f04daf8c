# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# For bench/run.py, which starts it with an NVMe drive beside the card: how long each
# takes to come back. Passes when it could be measured.

timed() {
	/test/guest_recovery >/tmp/recovery
	status=$?
	cat /tmp/recovery
	return $status
}

nvme_is_there() { [ -b /dev/nvme0n1 ]; }
nvme_loads() { modprobe nvme && wait_until 30 nvme_is_there; }

check module-loaded load_module
check nvme nvme_loads
check guest-recovery timed
explain /tmp/recovery
