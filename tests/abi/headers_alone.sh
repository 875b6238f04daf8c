#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Each header of include/hw and include/uapi compiles alone as C11 and C++20,
# and all structs have the layout of layout.golden; both also with -m32 where
# the compiler can. Arguments: folders with drm.h.
set -eu

here=$(dirname "$(readlink -f "$0")")
include=$here/../../include
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

flags="-Wall -Wextra -Werror -Wpedantic -fsyntax-only -I$include -I$include/uapi"
for dir in "$@"; do
	flags="$flags -isystem $dir"
done

c11() { "${CC:-cc}" -std=c11 $flags "$@"; }
cxx20() { "${CXX:-c++}" -std=c++20 $flags "$@"; }

# layout.golden as assertions of the compiler
{
	for header in "$include"/hw/*.h "$include"/uapi/drm/*.h; do
		echo "#include \"$header\""
	done
	echo '#include <stddef.h>'
	awk '
		/^struct/ { print "OAC_ASSERT_SIZE(struct " $2 ", " $3 ");" }
		/^field/ {
			split($2, f, ".")
			print "OAC_ASSERT_OFFSET(struct " f[1] ", " f[2] ", " $3 ");"
		}
		/^ioctl/ { print "static_assert(" $2 " == " $3 ", \"" $2 "\");" }
	' "$here/layout.golden"
} >"$tmp/layout.h"

modes=""
echo '#include <linux/types.h>' >"$tmp/empty.c"
echo '#include <assert.h>' >>"$tmp/empty.c"
if c11 -m32 "$tmp/empty.c" 2>/dev/null; then
	modes="-m32"
else
	echo "no headers for -m32: 64 bits only"
fi

for mode in "" $modes; do
	for header in "$include"/hw/*.h "$include"/uapi/drm/*.h "$tmp/layout.h"; do
		echo "$(basename "$header") $mode"
		echo "#include \"$header\"" >"$tmp/alone.c"
		cp "$tmp/alone.c" "$tmp/alone.cpp"
		c11 $mode "$tmp/alone.c"
		cxx20 $mode "$tmp/alone.cpp"
	done
done
