# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Never ends.

check hangs tail -f /dev/null
