# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Six cards, one of which is in trouble: whoever looks at all of them is answered at once.

unset ACCEL_DEVICES ACCEL_EMU
check module-loaded load_module
gtest six /test/test_api '--gtest_filter=six_test.*'
check module-goes unload_module
