# shellcheck shell=sh disable=SC1091 # paths of the guest
# SPDX-License-Identifier: MIT
# Copyright the OAC authors

. /suites/smoke.sh
. /suites/api.sh
. /suites/abi.sh
. /suites/isolation.sh
. /suites/digits.sh
