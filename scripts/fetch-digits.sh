#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Usage: fetch-digits.sh DEST
#
# Puts the UCI handwritten digits (8x8 grey pixels and a label, 1797 lines of
# CSV, gzip) at DEST. They ship inside Debian's python3-sklearn, whose
# dependencies are large: only that archive is downloaded and only that file is
# taken out of it. Nothing is installed. Does nothing if DEST is there.
set -euo pipefail

dest=${1:?usage: fetch-digits.sh DEST}
member=./usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz
[[ ! -s $dest ]] || exit 0

mkdir -p "$(dirname "$dest")"
dest=$(realpath "$dest")
if [[ -s ${member#.} ]]; then
	cp "${member#.}" "$dest"
	exit 0
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
root=
sandbox=()
if [[ $EUID -eq 0 ]]; then
	# apt's own user cannot write to a private directory.
	sandbox=(-o APT::Sandbox::User=root)
else
	root=sudo
fi
download() {
	apt-get -qq "${sandbox[@]}" download python3-sklearn >log 2>&1
}
echo "Fetching the digits data set from Debian's python3-sklearn" >&2
if ! download; then
	$root apt-get -qq update >log 2>&1 </dev/null || true
	download || {
		cat log >&2
		echo "fetch-digits.sh: could not download python3-sklearn" >&2
		exit 1
	}
fi
dpkg-deb --fsys-tarfile python3-sklearn_*.deb | tar -x -O "$member" >digits
gzip -t digits
# Into place in one step: a broken run leaves no half file behind.
mv digits "$dest.part"
chmod 644 "$dest.part"
mv "$dest.part" "$dest"
