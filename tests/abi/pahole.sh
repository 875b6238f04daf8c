#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# What the compiler made of the contracts, as pahole reads it from debug
# information: no struct of include/hw and include/uapi has a hole or padding,
# each is in layout.golden with the same offsets, and 32-bit callers see the
# same. Arguments: folders with drm.h.
set -eu

here=$(dirname "$(readlink -f "$0")")
include=$here/../../include
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

command -v pahole >/dev/null || {
	echo "pahole is not installed (package dwarves)"
	exit 77
}
flags="-std=c11 -g -gdwarf-4 -I$include -I$include/uapi"
for dir in "$@"; do
	flags="$flags -isystem $dir"
done

structs=$(sed -n 's/^struct \(\(drm_\)\{0,1\}oac_[a-z0-9_]*\) {.*/\1/p' \
	"$include"/hw/*.h "$include"/uapi/drm/*.h | sort -u)
for header in "$include"/hw/*.h "$include"/uapi/drm/*.h; do
	echo "#include \"$header\""
done >"$tmp/all.c"
for name in $structs; do
	echo "struct $name a_$name;"
done >>"$tmp/all.c"

# layout MODE: "struct NAME SIZE" and "field STRUCT.NAME OFFSET SIZE" as in
# layout.golden; complaints go to $tmp/holes. Nested structs and unions are
# members like others: only the outermost level counts.
layout() {
	# shellcheck disable=SC2086 # one word per flag
	"${CC:-cc}" $flags $1 -c -o "$tmp/all.o" "$tmp/all.c"
	for name in $structs; do
		pahole -C "$name" "$tmp/all.o" >"$tmp/one"
		awk -v name="$name" -v mode="${1:-64 bits}" -v holes="$tmp/holes" '
			/hole, try to pack|of padding|padding:|holes:/ {
				print name " (" mode "):" $0 >>holes
			}
			/^\t[^\t}].*;|^\t}/ && match($0, /\/\* +[0-9]+ +[0-9]+ +\*\//) {
				split(substr($0, RSTART + 2, RLENGTH - 4), at)
				member = $0
				sub(/;.*/, "", member)
				sub(/\[.*/, "", member)
				sub(/.*[ \t}]/, "", member)
				fields = fields "field " name "." member " " at[1] " " at[2] "\n"
			}
			/\/\* size: / {
				match($0, /size: [0-9]+/)
				size = substr($0, RSTART + 6, RLENGTH - 6)
			}
			END { printf "struct %s %s\n%s", name, size, fields }
		' "$tmp/one"
	done
}

modes=-m64
echo '#include <linux/types.h>' >"$tmp/empty.c"
echo '#include <assert.h>' >>"$tmp/empty.c"
# shellcheck disable=SC2086 # one word per flag
if "${CC:-cc}" $flags -m32 -fsyntax-only "$tmp/empty.c" 2>/dev/null; then
	modes="-m64 -m32"
else
	echo "no headers for -m32 (package g++-multilib): 64 bits only"
fi

: >"$tmp/holes"
grep -v '^ioctl' "$here/layout.golden" | sort >"$tmp/golden"
status=0
for mode in $modes; do
	layout "$mode" | sort >"$tmp/layout$mode"
	if ! diff -u "$tmp/golden" "$tmp/layout$mode" >"$tmp/diff"; then
		echo "layout.golden (-) and what pahole reads with $mode (+) differ:"
		cat "$tmp/diff"
		status=1
	fi
done
if [ -s "$tmp/holes" ]; then
	echo "structs with holes or padding:"
	cat "$tmp/holes"
	status=1
fi
echo "$(echo "$structs" | wc -l) structs, $modes"
exit $status
