# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# The tests that run outside too, here on the real device nodes. ACCEL_SUBMIT=driver in the
# environment has all queues submit through the driver.

unset ACCEL_DEVICES ACCEL_EMU
check module-loaded load_module
# Another driver to share buffers with.
check vgem-loaded modprobe vgem
gtest api /test/test_api
