# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Local memory of one card for another. TOPOLOGY and the kernel's configuration say whether there is
# a path; the tests are told, so that a path which is not found is no skip.

unset ACCEL_DEVICES ACCEL_EMU
OAC_TEST_PEER=$(peer_path)
export OAC_TEST_PEER
note "cards have a path to each other: $OAC_TEST_PEER"
check module-loaded load_module
check vgem-loaded modprobe vgem
gtest peer /test/test_api '--gtest_filter=share_test.*:stage_test.*'
export OAC_TEST_UNBIND=1
gtest peer-abi /test/test_abi '--gtest_filter=peer*:prime.*:remove_driver.peers*'
unset OAC_TEST_UNBIND OAC_TEST_PEER
