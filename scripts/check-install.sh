#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Usage: check-install.sh [BUILD]
#
# Installs the build into an empty directory and looks at what a packager and a
# user would get: headers that stand alone, pkg-config files that link, no
# program that needs the build tree.
set -euo pipefail
cd "$(dirname "$0")/.."

build=$(realpath "${1:-build}")
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT
status=0
fail() {
	echo "check-install: $*"
	status=1
}

if ! log=$(DESTDIR=$dest cmake --install "$build" 2>&1); then
	echo "$log"
	exit 1
fi

[[ -n $(find "$dest" -type f -print -quit) ]] || fail "nothing is installed"

# The prefix that was configured: pkg-config files have it written in.
prefix=$dest$(sed -n 's/^CMAKE_INSTALL_PREFIX:[A-Z]*=//p' "$build/CMakeCache.txt")
while IFS= read -r header; do
	case $header in
	*.h) compile=(gcc -x c -std=c11) ;;
	*) compile=(g++ -x c++ -std=c++20) ;;
	esac
	"${compile[@]}" -Wall -Wextra -Werror -fsyntax-only -I "$prefix/include" \
		-include "$header" /dev/null || fail "$header does not stand alone"
done < <(find "$prefix/include" -name '*.h' -o -name '*.hpp')

while IFS= read -r pc; do
	name=$(basename "$pc" .pc)
	export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$dest
	export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
	read -ra flags <<<"$(pkg-config --cflags --libs "$name")"
	echo 'int main(void) { return 0; }' |
		gcc -x c - -Wl,--no-as-needed "${flags[@]}" -o "$dest/linked" ||
		fail "a program does not link with $name"
done < <(find "$dest" -name '*.pc')

while IFS= read -r file; do
	if readelf -d "$file" 2>/dev/null | grep -E 'R(UN)?PATH' | grep -F "$build"; then
		fail "${file#"$dest"} looks for libraries in the build tree"
	fi
done < <(find "$dest" -type f -perm -u+x)
if grep -rIlF "$build" "$dest"; then
	fail "the files above name the build tree"
fi
exit $status
