# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Takes the kernel down.

crashes() { echo c >/proc/sysrq-trigger; }

check crashes crashes
