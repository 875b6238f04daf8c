#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Copyright the OAC authors
#
# Feature probes, called by Kbuild:
#
#   probe.sh one SOURCE HEADER COMPILER FLAGS...   does SOURCE compile?
#   probe.sh all HEADER PROBED...                  gather the answers
#
# An answer is a header of one line; what the compiler said stays beside it in
# NAME.log. The probe named canary must compile, or nothing else means anything.
set -eu

one() {
	source=$1 header=$2
	shift 2
	name=$(basename "$source" .c)
	log=${header%.h}.log
	macro=OAC_HAS_$(echo "$name" | tr '[:lower:]' '[:upper:]')
	if "$@" -Werror=implicit-function-declaration -Wno-missing-prototypes \
		-c -o /dev/null "$source" >"$log" 2>&1; then
		echo "#define $macro 1" >"$header"
	elif [ "$name" = canary ]; then
		cat "$log" >&2
		echo "oac: this kernel's headers or compiler do not work" >&2
		exit 1
	else
		echo "/* no $macro */" >"$header"
	fi
}

all() {
	header=$1
	shift
	cat "$@" >"$header"
}

"$@"
