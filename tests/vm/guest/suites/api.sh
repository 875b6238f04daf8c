# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# The tests that run outside too, here on the real device nodes.

unset ACCEL_DEVICES ACCEL_EMU
check module-loaded load_module
# Another driver to share buffers with.
check vgem-loaded modprobe vgem
gtest api /test/test_api
# Takes the driver away from a card and gives it back: only here, where nobody else uses it.
export OAC_TEST_UNBIND=1
gtest abi /test/test_abi
unset OAC_TEST_UNBIND
[ ! -x /test/test_isolation ] || gtest isolation /test/test_isolation
