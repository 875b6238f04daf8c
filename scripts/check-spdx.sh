#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Every source file says its licence and its owner in its first lines, and the
# licence is the one of its room. Prose (Markdown), data and headers imported
# from elsewhere are exempt; those keep their own notice.
set -euo pipefail
cd "$(dirname "$0")/.."

# Prints the licence that the file's room asks for; the first pattern wins.
licence_of() {
	case $1 in
	kernel/*) echo "GPL-2.0-only" ;;
	include/uapi/*) echo "(GPL-2.0-only WITH Linux-syscall-note) OR MIT" ;;
	include/hw/*) echo "GPL-2.0-only OR MIT" ;;
	*) echo "MIT" ;;
	esac
}

# Says whether the file is one that must carry the lines.
is_source() {
	case $1 in
	include/imported/* | LICENSES/* | *.md) return 1 ;;
	*.[chS] | *.cc | *.cpp | *.hpp | *.sh | *.py | *.cmake | *.map | *.in) return 0 ;;
	*CMakeLists.txt | *Makefile | *Kbuild | *Kconfig | *.mk | *.rules | *.service) return 0 ;;
	*dkms.conf | *.clang-format | *.clang-tidy | *.gitignore) return 0 ;;
	*) [[ $(head -c 2 "$1" | tr -d '\0') == '#!' ]] ;;
	esac
}

files=$(git ls-files -co --exclude-standard)
bad=0
while IFS= read -r file; do
	if [[ ! -f $file ]] || ! is_source "$file"; then
		continue
	fi
	want=$(licence_of "$file")
	top=$(head -n 8 "$file")
	got=$(sed -n '/SPDX-License-Identifier: /{s/.*SPDX-License-Identifier: //;s/ *\*\/ *$//;p;q}' \
		<<<"$top")
	if [[ $got != "$want" ]]; then
		echo "$file: licence is '${got:-absent}', should be '$want'"
		bad=1
	fi
	if [[ $top != *"Copyright the OAC authors"* ]]; then
		echo "$file: no line 'Copyright the OAC authors'"
		bad=1
	fi
done <<<"$files"
exit $bad
