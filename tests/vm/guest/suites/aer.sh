# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Errors of the PCI Express link of each severity, and what they cost whom. In this order: behind
# aer_inject the kernel sees no real errors of that card any more, and the last test takes a card
# away from everybody. So not in suite abi.

check module-loaded load_module
check aer-inject-loaded modprobe aer_inject
OAC_TEST_DIGITS="/test/digits --data /test/digits.csv.gz"
export OAC_TEST_DIGITS
gtest uncorrectable /test/test_abi '--gtest_filter=aer.*:*aer_reset.*'
gtest correctable /test/test_abi '--gtest_filter=aer_correctable.*'
gtest last /test/test_abi '--gtest_filter=aer_last.*'
unset OAC_TEST_DIGITS
check module-goes unload_module
check module-comes-again load_module
