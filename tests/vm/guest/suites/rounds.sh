# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# A card goes and comes again in every way, OAC_STRESS_ROUNDS times (default 21), under load and with
# one of everything held. Then the module goes, which it cannot while anything of it is held.

check module-loaded load_module
OAC_TEST_UNBIND=1
export OAC_TEST_UNBIND
gtest rounds /test/test_stress '--gtest_filter=rounds_test.*'
unset OAC_TEST_UNBIND
check module-goes unload_module
check module-comes-again load_module
