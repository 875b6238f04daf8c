# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# How a command runs inside the root that root.sh makes. Private mount and user
# namespaces replace privilege: they end with the command. Sourced by what
# builds there; knows nothing of what is built.

# run_in_root ROOT PLACE=DIR... -- COMMAND...: each DIR is seen as /PLACE
run_in_root() {
	local root=$1 spaces=(--mount)
	shift
	[ "$(id -u)" = 0 ] || spaces+=(--map-root-user)
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare "${spaces[@]}" sh -ec '
		root=$1
		shift
		mount --rbind /dev "$root/dev"
		mount --rbind /proc "$root/proc"
		while [ "$1" != -- ]; do
			mount --bind "${1#*=}" "$root/${1%%=*}"
			shift
		done
		shift
		exec env -i PATH=/usr/bin:/usr/sbin LC_ALL=C HOME=/ \
			chroot "$root" "$@"
	' sh "$root" "$@"
}
