#!/bin/bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Builds the checkout's kernel module against one stock Debian kernel, with
# that kernel's own compiler, inside the root that root.sh makes. OUTDIR gets
# kernel/ and include/ side by side; the module ends up in OUTDIR/kernel/.
# Any warning from our own files is an error. Prints the module's path.
#
#   [SPARSE=1] [GCOV=1] build-module.sh 6.1|6.12|7.3|debug OUTDIR
#
# For debug, debug-kernel.sh's, the module carries line numbers and coverage; with GCOV=1 it counts
# its lines, too: another OUTDIR, please.
# SOURCE names another folder holding kernel/ (and include/, if it has one).
# SPARSE=1 checks with sparse too, except on 7.3: trixie's sparse cannot parse
# those headers, and the kernel's makefile then leaves it out with a warning.
set -euo pipefail

HERE=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/vm/in-root.sh
. "$HERE/in-root.sh"

# path:line: of our files (as the build sees them), or modpost
COMPLAINT='^(/mnt/[^:]*|[^/:]+):[0-9]+:.*(warning|error):|^(WARNING|ERROR): modpost'

die() { echo "build-module: $*" >&2; exit 1; }

# Copies what changed and drops what is gone, keeping make's own products.
copy_sources() {
	local from=$1 to=$2 room
	mkdir -p "$to"
	for room in kernel include; do
		[ -d "$from/$room" ] || continue
		(cd "$from/$room" && find . -type f -print | sort) >"$to/$room.list.new"
		if [ -e "$to/$room.list" ]; then
			comm -23 "$to/$room.list" "$to/$room.list.new" |
				(mkdir -p "$to/$room" && cd "$to/$room" && xargs -r rm -f)
		fi
		mv "$to/$room.list.new" "$to/$room.list"
		cp -au "$from/$room" "$to/"
	done
}

# Builds for one class; errexit is off in here.
make_module() {
	local root=$1 class=$2 out=$3 release tree places=("mnt=$3") flags=(W=1)
	if [ "$class" = debug ]; then
		"$HERE/debug-kernel.sh" >&2 || die "there is no debug kernel"
		places+=("kernel=$("$HERE/debug-kernel.sh" --path)/build")
		tree=/kernel
		flags+=(KCFLAGS=-g KCOV_INSTRUMENT=y)
		[ -z "${GCOV:-}" ] || flags+=(GCOV_PROFILE=y)
	else
		release=$(awk -v c="$class" '$1 == c { print $2 }' "$root/kernels")
		[ -n "$release" ] ||
			die "no kernel class $class (6.1, 6.12, 7.3 or debug)"
		tree=/lib/modules/$release/build
	fi
	[ -z "${SPARSE:-}" ] || flags+=(C=2 CF=-D__CHECK_ENDIAN__)
	run_in_root "$root" "${places[@]}" -- make -j"$(nproc)" -C "$tree" \
		M=/mnt/kernel "${flags[@]}" modules >"$out/build.log" 2>&1
}

main() {
	local class=$1 out root log status=0
	mkdir -p "$2"
	out=$(readlink -f "$2")
	root=$("$HERE/root.sh")

	# Two runs of one kernel at once would be in each other's way.
	exec 9>"$out/lock"
	flock 9
	copy_sources "$(readlink -f "${SOURCE:-$HERE/../..}")" "$out"
	[ -d "$out/kernel" ] || die "no kernel folder to build"
	log=$out/build.log
	make_module "$root" "$class" "$out" || status=$?
	if [ $status != 0 ]; then
		cat "$log" >&2
		die "$class: make failed ($status)"
	fi
	# Not -Werror: it would change what the module's feature probes find. The
	# objects go, so that the next run complains again.
	if grep -nE "$COMPLAINT" "$log" >&2; then
		find "$out/kernel" -name '*.o' -delete
		die "$class: warnings are errors"
	fi
	if grep 'sparse is not available' "$log" >&2; then
		echo "build-module: $class: not checked by sparse" >&2
	fi
	echo "$out/kernel/oac.ko"
}

[ $# = 2 ] || die "usage: build-module.sh 6.1|6.12|7.3|debug OUTDIR"
main "$@"
