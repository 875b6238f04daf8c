# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Many processes, killed, in numbers, and without their card: nothing may be left. Then the module
# goes, which it cannot while anything of it is held.

check module-loaded load_module
OAC_TEST_UNBIND=1
export OAC_TEST_UNBIND
gtest stress /test/test_stress '--gtest_filter=-rounds_test.*'
unset OAC_TEST_UNBIND
check module-goes unload_module
check module-comes-again load_module
