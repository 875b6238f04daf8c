# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# The tests that run outside too, here on the real device nodes.

unset ACCEL_DEVICES ACCEL_EMU
check module-loaded load_module
gtest api /test/test_api
gtest abi /test/test_abi
[ ! -x /test/test_isolation ] || gtest isolation /test/test_isolation
