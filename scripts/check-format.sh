#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# One look across the tree: clang-format agrees with every C and C++ file, C is
# indented with tabs even where clang-format is off, and no line of any text
# ends in white space. `--fix` applies clang-format instead of checking.
set -euo pipefail
cd "$(dirname "$0")/.."

rooms=(kernel include libaccel emu tools firmware tests bench examples)
list=$(mktemp)
trap 'rm -f "$list"' EXIT

# Existing files only: git also lists what is deleted but not committed. Headers
# imported from elsewhere keep the look they have there.
tree_files() {
	git ls-files -z -co --exclude-standard -- "$@" ':!include/imported' |
		while IFS= read -r -d '' file; do
			if [[ -f $file && ! -L $file ]]; then
				printf '%s\0' "$file"
			fi
		done
}

patterns=()
for room in "${rooms[@]}"; do
	patterns+=("$room/*.c" "$room/*.h" "$room/*.cc" "$room/*.cpp" "$room/*.hpp")
done
tree_files "${patterns[@]}" >"$list"

if [[ ${1:-} == --fix ]]; then
	xargs -0 -r scripts/format.py --fix <"$list"
	exit
fi

status=0
xargs -0 -r scripts/format.py <"$list" || status=1
if [[ -s $list ]] && xargs -0 -r grep -HnP '^\t* {8}' <"$list"; then
	echo "the lines above are indented with spaces, not tabs"
	status=1
fi
if tree_files . ':!*.md' ':!*.patch' ':!LICENSES' | xargs -0 -r grep -HnIP '[ \t]+$'; then
	echo "the lines above end in white space"
	status=1
fi
exit $status
