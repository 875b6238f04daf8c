# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# What one user of a card does never reaches another.

unset ACCEL_DEVICES ACCEL_EMU
check module-loaded load_module
gtest isolation /test/test_isolation
