# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# One mistake of each kind that only the debug kernel notices. The leak's is
# the check that every suite ends with there.

does() { echo 1 >"/sys/module/oac/parameters/$1"; }

check module-loads modprobe oac
# lockdep stops at its first report, and at anybody else's
check deadlock does deadlock
check sleeps-in-atomic does sleep
check overrun does overrun
check leak does leak
