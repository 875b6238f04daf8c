#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Usage: install-deps.sh LIST...
#
# Installs the Debian packages of the named lists that are missing: build and
# check are scripts/packages-*, vm is tests/vm/packages. Says what it installs
# before it does; with nothing missing it is silent and quick.
# ACCEL_NO_INSTALL=1 forbids to install: it then says what is missing and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

list_file() {
	case $1 in
	vm) echo tests/vm/packages ;;
	*) echo "scripts/packages-$1" ;;
	esac
}

# Prints the packages of all lists that are not installed.
missing() {
	local wanted
	wanted=$(sed 's/#.*//;s/[[:space:]]//g;/^$/d' "$@" | sort -u)
	# shellcheck disable=SC2086 # one word per package
	comm -23 <(echo "$wanted") \
		<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null |
			sed -n 's/^installed //p' | sort -u)
}

files=()
for name in "${@:-build}"; do
	file=$(list_file "$name")
	if [[ -f $file ]]; then
		files+=("$file")
	elif [[ $name != vm ]]; then
		echo "install-deps.sh: no list '$name' ($file)" >&2
		exit 2
	fi
done
[[ ${#files[@]} -gt 0 ]] || exit 0

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "install-deps.sh: not a Debian system, nothing checked; needed are:" \
		"$(sed 's/#.*//;/^[[:space:]]*$/d' "${files[@]}" | sort -u | tr '\n' ' ')" >&2
	exit 0
fi

export LC_ALL=C
mapfile -t packages < <(missing "${files[@]}")
[[ ${#packages[@]} -gt 0 ]] || exit 0

root=
if [[ $EUID -ne 0 ]]; then
	root=sudo
fi
install=(apt-get install -y --no-install-recommends "${packages[@]}")

if [[ ${ACCEL_NO_INSTALL:-0} == 1 ]]; then
	{
		echo "missing Debian packages: ${packages[*]}"
		echo "ACCEL_NO_INSTALL=1 forbids to install them; to do so by hand:"
		echo "    ${root:+$root }apt-get update && ${root:+$root }${install[*]}"
	} >&2
	exit 1
fi
if [[ -n $root ]] && ! command -v sudo >/dev/null; then
	{
		echo "missing Debian packages: ${packages[*]}"
		echo "Installing them takes root, and there is no sudo here. As root:"
		echo "    apt-get update && ${install[*]}"
	} >&2
	exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The lock may be held by a timer's apt-get: wait for it rather than fail.
run() {
	$root env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
		"$1" -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "${@:2}" >"$log" 2>&1 </dev/null
}

# Package lists that are there and younger than a day are taken as they are.
lists_fresh() {
	[[ -n $(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 -print -quit) ]] &&
		apt-cache show --no-all-versions "${packages[@]}" >/dev/null 2>&1
}

echo "Installing Debian packages: ${packages[*]}" >&2
updated=
update() {
	updated=1
	if ! run apt-get update; then
		cat "$log" >&2
		echo "install-deps.sh: apt-get update failed" >&2
		exit 1
	fi
}
lists_fresh || update
if ! run "${install[@]}"; then
	# A list that is out of date names versions that are gone: once more.
	[[ -n $updated ]] || update
	if ! run "${install[@]}"; then
		cat "$log" >&2
		echo "install-deps.sh: could not install; the command was: ${install[*]}" >&2
		exit 1
	fi
fi
mapfile -t packages < <(missing "${files[@]}")
if [[ ${#packages[@]} -gt 0 ]]; then
	echo "install-deps.sh: still missing: ${packages[*]}" >&2
	exit 1
fi
