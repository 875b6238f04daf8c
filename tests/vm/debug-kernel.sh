#!/bin/bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Makes, once, the kernel "debug" of the VM ring: Debian's source of the root's
# own 6.12, with the patches and the configuration in kernel/, compiled in the
# root.
#
#   debug-kernel.sh          make it if it is not there; progress, then its path
#   debug-kernel.sh --path   only print where it is or will be
#
# The result looks like a root as far as a kernel goes: release, boot/vmlinuz-*,
# usr/lib/modules/*, and build/, against which modules build when it is mounted
# at /kernel. A build that was cut off goes on where it was.
set -euo pipefail

SELF=$(readlink -f "$0")
HERE=$(dirname "$SELF")
FRAGMENTS=("$HERE/kernel/minimal.config" "$HERE/kernel/debug.config")
# Only against mistakes of the kernel's own that would end a test of ours.
PATCHES=("$HERE"/kernel/*.patch)
CLASS=6.12

# What building a module takes from a built tree.
KEPT=(.config Makefile Module.symvers System.map arch/x86/Makefile
	arch/x86/Makefile_32.cpu arch/x86/Makefile.postlink arch/x86/include
	include scripts tools/objtool/objtool)

# shellcheck source=tests/vm/in-root.sh
. "$HERE/in-root.sh"

say() { echo "debug-kernel: $*"; }
die() { say "$*" >&2; exit 1; }

# The source package's version, which is the image's in the root.
version() {
	local release
	release=$(awk -v c="$CLASS" '$1 == c { print $2 }' "$1/kernels")
	sed -n 's/^#define LINUX_PACKAGE_ID " Debian \(.*\)"$/\1/p' \
		"$1/usr/src/linux-headers-$release/include/generated/package.h" |
		grep . || die "the root does not say which source its $CLASS is of"
}

# An apt that knows the root's sources and writes to a folder of its own.
apt_for() {
	local root=$1 dir=$2 proxy
	proxy=$(apt-config dump --format '%f "%v";%n' Acquire::http::Proxy)
	mkdir -p "$dir"/{state/lists/partial,cache/archives/partial}
	cat >"$dir/apt.conf" <<-CONF
		Dir::Etc "$root/etc/apt";
		Dir::State "$dir/state";
		Dir::State::status "$root/var/lib/dpkg/status";
		Dir::Cache "$dir/cache";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		$proxy
	CONF
}

unpack_source() {
	local root=$1 tree=$2 package=linux-source-$CLASS=$3 scratch patch
	[ ! -e "$tree/.unpacked" ] || return 0
	rm -rf "$tree"
	mkdir -p "$tree"
	scratch=$tree/.apt
	apt_for "$root" "$scratch"
	say "fetching $package"
	(
		export APT_CONFIG=$scratch/apt.conf
		cd "$scratch"
		apt-get -qq update
		apt-get -qq download "$package"
	) || die "apt cannot get $package: delete the root $root if the archive
no longer has it; the next run of root.sh takes the newest"
	say "unpacking"
	dpkg-deb --fsys-tarfile "$scratch"/*.deb |
		tar -xO --wildcards "*/linux-source-$CLASS.tar.xz" |
		tar -xJ -C "$tree" --strip-components=1 --no-same-owner
	rm -rf "$scratch"
	for patch in "${PATCHES[@]}"; do
		patch -s -p1 -d "$tree" <"$patch" ||
			die "$patch does not fit $package; is it still needed?"
	done
	touch "$tree/.unpacked"
}

in_tree() {
	run_in_root "$1" kernel="$2" -- env KBUILD_BUILD_USER=oac \
		KBUILD_BUILD_HOST=vm make -C /kernel "${@:3}"
}

# Kconfig drops what it does not know or cannot grant; here that is an error.
configure() {
	local root=$1 tree=$2 lost
	say "configuring"
	cat "${FRAGMENTS[@]}" >"$tree/oac.config"
	in_tree "$root" "$tree" -s KCONFIG_ALLCONFIG=oac.config allnoconfig
	lost=$(grep -E '^(CONFIG_|# CONFIG_)' "$tree/oac.config" |
		grep -vxFf "$tree/.config") || return 0
	die "Kconfig did not accept:
$lost"
}

# One line for many objects.
compile() {
	local root=$1 tree=$2 log=$2/build.log
	say "compiling with $(nproc) jobs, which takes minutes; log: $log"
	if ! in_tree "$root" "$tree" -j"$(nproc)" bzImage modules 2>&1 |
		tee "$log" | awk '/^  [A-Z]/ && ++n % 250 == 0 {
			print "debug-kernel: " n " objects"; fflush() }'; then
		tail -n 30 "$log" >&2
		die "make failed"
	fi
}

# Takes what is needed out of the tree into NEW.
collect() {
	local root=$1 tree=$2 new=$3 release
	release=$(cat "$tree/include/config/kernel.release")
	rm -rf "$new"
	mkdir -p "$new"/{boot,build,usr/lib/modules}
	cp "$tree/arch/x86/boot/bzImage" "$new/boot/vmlinuz-$release"
	in_tree "$root" "$tree" -s INSTALL_MOD_PATH=/kernel/staging \
		modules_install
	mv "$tree/staging/lib/modules/$release" "$new/usr/lib/modules/"
	rm -f "$new/usr/lib/modules/$release"/{build,source}
	(cd "$tree" && tar -c --exclude='*.o' "${KEPT[@]}") |
		tar -x -C "$new/build"
	cp "${FRAGMENTS[@]}" "${PATCHES[@]}" "$new/"
	echo "$release" >"$new/release"
}

build() {
	local root=$1 cache=$2 version=$3
	say "Debian $version with $(basename -a "${FRAGMENTS[@]}" "${PATCHES[@]}" | paste -sd ' ')"
	unpack_source "$root" "$cache.work" "$version"
	configure "$root" "$cache.work"
	compile "$root" "$cache.work"
	collect "$root" "$cache.work" "$cache.new"
	mv "$cache.new" "$cache"
	rm -rf "$cache.work"
}

main() {
	local base root version key cache
	base=${XDG_CACHE_HOME:-$HOME/.cache}/oac
	root=$("$HERE/root.sh")
	version=$(version "$root")
	key=$( (echo "$version"; cat "$SELF" "${FRAGMENTS[@]}" "${PATCHES[@]}") | sha256sum)
	cache=$base/debug-${key:0:16}
	if [ "${1:-}" != --path ] && [ ! -d "$cache" ]; then
		renice -n 19 $$ >/dev/null
		exec 9>"$cache.lock"
		flock 9
		[ -d "$cache" ] || build "$root" "$cache" "$version"
	fi
	echo "$cache"
}

case ${1:-} in
"" | --path) main "$@" ;;
*) die "usage: debug-kernel.sh [--path]" ;;
esac
