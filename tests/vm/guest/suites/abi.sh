# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# The kernel's interface, ioctl by ioctl. Takes the driver away from a card and gives it back: only
# here, where nobody else uses it.

check module-loaded load_module
# Another driver to share buffers with.
check vgem-loaded modprobe vgem
OAC_TEST_UNBIND=1
OAC_TEST_PEER=$(peer_path)
export OAC_TEST_UNBIND OAC_TEST_PEER
gtest abi /test/test_abi '--gtest_filter=-*aer*'
unset OAC_TEST_UNBIND OAC_TEST_PEER
