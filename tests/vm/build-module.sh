#!/bin/bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Builds the checkout's kernel module against one stock Debian kernel, with
# that kernel's own compiler, inside the root that root.sh makes. OUTDIR gets
# kernel/ and include/ side by side; the module ends up in OUTDIR/kernel/.
# Any warning from our own files is an error. Prints the module's path.
#
#   [SPARSE=1] build-module.sh 6.1|6.12|7.3 OUTDIR
#
# SOURCE names another folder holding kernel/ (and include/, if it has one).
# SPARSE=1 checks with sparse too, except on 7.3: trixie's sparse cannot parse
# those headers, and the kernel's makefile then leaves it out with a warning.
# Private mount and user namespaces replace privilege: they end with make.
set -euo pipefail

HERE=$(dirname "$(readlink -f "$0")")

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

run_in_root() {
	local root=$1 dir=$2 spaces=(--mount)
	shift 2
	[ "$(id -u)" = 0 ] || spaces+=(--map-root-user)
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare "${spaces[@]}" sh -ec '
		root=$1 dir=$2
		shift 2
		mount --rbind /dev "$root/dev"
		mount --rbind /proc "$root/proc"
		mount --bind "$dir" "$root/mnt"
		exec env -i PATH=/usr/bin:/usr/sbin LC_ALL=C HOME=/ \
			chroot "$root" "$@"
	' sh "$root" "$dir" "$@"
}

main() {
	local class=$1 out root release log status=0 flags=(W=1)
	mkdir -p "$2"
	out=$(readlink -f "$2")
	root=$("$HERE/root.sh")
	release=$(awk -v c="$class" '$1 == c { print $2 }' "$root/kernels")
	[ -n "$release" ] || die "no kernel class $class (6.1, 6.12 or 7.3)"
	[ -z "${SPARSE:-}" ] || flags+=(C=2 CF=-D__CHECK_ENDIAN__)

	copy_sources "$(readlink -f "${SOURCE:-$HERE/../..}")" "$out"
	[ -d "$out/kernel" ] || die "no kernel folder to build"
	log=$out/build.log
	run_in_root "$root" "$out" make -j"$(nproc)" \
		-C "/lib/modules/$release/build" M=/mnt/kernel "${flags[@]}" \
		modules >"$log" 2>&1 || status=$?
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

[ $# = 2 ] || die "usage: build-module.sh 6.1|6.12|7.3 OUTDIR"
main "$@"
