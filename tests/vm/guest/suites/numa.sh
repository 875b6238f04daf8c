# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Memory on two nodes (run.py --numa): where buffers are, and that cards reach both.

has_two_nodes() { cat /sys/devices/system/node/online; [ -e /sys/devices/system/node/node1/meminfo ]; }

check module-loaded load_module
check two-nodes has_two_nodes
gtest numa /test/test_abi '--gtest_filter=pages.*:bo.*:map.*:userptr.*'
