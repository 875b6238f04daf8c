#!/bin/bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Makes, once, the Debian root that the VM ring works in: a QEMU that knows
# vfio-user-pci, compilers, and three stock kernels with their headers.
# debug-kernel.sh builds a kernel in it, mounted at /kernel.
# Packages are only unpacked, never configured, so this needs no privilege,
# no chroot and leaves nothing to a maintainer script.
#
#   root.sh          make it if it is not there; print its path
#   root.sh --path   only print where it is or will be
#
# Progress goes to stderr. The archive is the one this host's apt uses;
# OAC_DEBIAN_MIRROR overrides it.
set -euo pipefail

SELF=$(readlink -f "$0")
ARCHIVE_KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

ROOT_PKGS=(
	bash bc bison coreutils dash diffutils dwarves findutils flex gawk gcc
	gcc-12 gcc-14 grep gzip kmod libc-bin libc6-dev libelf-dev libssl-dev m4
	make perl-base qemu-system-x86 seabios sed sparse tar xz-utils
)

# class -> suite: the standard amd64 kernel of each, image and headers
declare -A KERNELS=([6.1]=bookworm [6.12]=trixie [7.3]=trixie-backports)

# Modules that no card needs; half of the unpacked size.
UNUSED_MODULES=(sound drivers/media drivers/net drivers/staging
	drivers/infiniband drivers/isdn)

say() { echo "vm-root: $*" >&2; }
die() { say "$*"; exit 1; }

# Address of the main ("") or security ("-security") archive, from apt.
archive() {
	local codename
	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:?}")
	# shellcheck disable=SC2016 # the $(...) are apt's
	apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
		'Created-By: Packages' 'Component: main' |
		awk -v release="$codename$1" '$2 == release && !n++ { print $1 }'
}

sources() {
	local main security key="" suite
	main=${OAC_DEBIAN_MIRROR:-$(archive "")}
	[ -n "$main" ] || die "apt knows no main archive; set OAC_DEBIAN_MIRROR"
	security=$(archive -security)
	[ ! -e "$ARCHIVE_KEYS" ] || key=" [signed-by=$ARCHIVE_KEYS]"
	for suite in trixie trixie-updates trixie-backports bookworm; do
		echo "deb$key $main $suite main"
	done
	for suite in trixie-security bookworm-security; do
		[ -z "$security" ] || echo "deb$key $security $suite main"
	done
}

# mmdebstrap's setup hook: /usr is merged (what a maintainer script would do),
# QEMU comes from backports, everything else from trixie.
prepare() {
	local dir
	for dir in bin lib lib32 lib64 libx32 sbin; do
		mkdir -p "$1/usr/$dir"
		ln -s "usr/$dir" "$1/$dir"
	done
	cat >"$1/etc/apt/preferences.d/vm" <<-'PINS'
		Package: *
		Pin: release n=bookworm*
		Pin-Priority: 100

		Package: src:qemu src:seabios
		Pin: release n=trixie-backports
		Pin-Priority: 990
	PINS
}

# Newest version of a metapackage in a suite or its security suite.
newest() {
	apt-cache madison "$1" | awk -F ' *[|] *' -v suite="$2" '
		$3 ~ " " suite "(-security|-updates)?/main " && !n++ { print $2 }'
}

# name=version of every package that a kernel's image and headers consist of
kernel_packages() {
	local version=$1 meta package
	for meta in linux-image-amd64 linux-headers-amd64; do
		package=$(apt-cache show "$meta=$version" |
			grep -oE -m1 'linux-(image|headers)-[0-9][^ ,]*')
		echo "$package"
		apt-cache show "$package=$version" | grep '^Depends:' | grep -oE \
			'linux-(base|binary|modules|headers|kbuild)-[0-9][^ ,]*' ||
			true
	done | sort -u | sed "s/\$/=$version/"
}

# mmdebstrap's extract hook: add the kernels, with its apt.
add_kernels() {
	local root=$1 class version debs deb release packages
	local exclude=("${UNUSED_MODULES[@]/#/--exclude=*/kernel/}")
	export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
	debs=$root/tmp/debs
	mkdir "$debs"
	cd "$debs"
	for class in "${!KERNELS[@]}"; do
		version=$(newest linux-image-amd64 "${KERNELS[$class]}")
		[ -n "$version" ] || die "no kernel $class in ${KERNELS[$class]}"
		packages=$(kernel_packages "$version")
		mapfile -t packages <<<"$packages"
		say "kernel $class: $version"
		apt-get -q download "${packages[@]}" >&2
		for deb in *.deb; do
			dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" \
				--keep-directory-symlink --no-same-owner "${exclude[@]}"
			rm "$deb"
		done
		release=$(printf '%s\n' "${packages[@]}" |
			sed -n 's/^linux-image-\(.*\)=.*/\1/p')
		# from 7.x on the image lies beside the modules
		[ -e "$root/boot/vmlinuz-$release" ] ||
			ln -s "../usr/lib/modules/$release/vmlinuz" \
				"$root/boot/vmlinuz-$release"
		/sbin/depmod -b "$root" "$release" 2>/dev/null
		echo "$class $release" >>"$root/kernels"
	done
	rmdir "$debs"
}

build() {
	local root=$1 proxy opts=()
	proxy=$(apt-config dump --format '%f "%v";%n' Acquire::http::Proxy)
	[ -z "$proxy" ] || opts+=("--aptopt=$proxy")
	mmdebstrap --mode=chrootless --variant=extract --format=directory \
		--architectures=amd64 "${opts[@]}" \
		--setup-hook="'$SELF' --hook prepare \"\$1\"" \
		--extract-hook="'$SELF' --hook add_kernels \"\$1\"" \
		--include="$(IFS=,; echo "${ROOT_PKGS[*]}")" \
		trixie "$root" - < <(sources) >&2
	ln -sf gawk "$root/usr/bin/awk"
	rm -rf "$root"/usr/share/{doc,man,locale,info}
	mkdir -p "$root"/{proc,mnt,kernel}
}

main() {
	local base cache
	base=${XDG_CACHE_HOME:-$HOME/.cache}/oac
	cache=$base/vm-$(sha256sum <"$SELF" | cut -c1-16)
	if [ "${1:-}" != --path ] && [ ! -d "$cache" ]; then
		mkdir -p "$base"
		exec 9>"$cache.lock"
		flock 9
		if [ ! -d "$cache" ]; then
			rm -rf "$cache.new"
			say "building $cache"
			build "$cache.new"
			mv "$cache.new" "$cache"
		fi
	fi
	echo "$cache"
}

if [ "${1:-}" = --hook ]; then
	"${@:2}"
else
	main "$@"
fi
