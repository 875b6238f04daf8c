#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# The linters for shell, Python, C and C++ over what each of them reads.
# clang-tidy needs build/compile_commands.json (configure first); it looks again
# only at sources that changed since it last found them clean.
set -euo pipefail
cd "$(dirname "$0")/.."

rooms=(libaccel emu tools examples)
cache=build/lint
mkdir -p "$cache"
status=0

shell_files() {
	git ls-files -co --exclude-standard | while IFS= read -r file; do
		if [[ -f $file ]] && head -n 1 "$file" | grep -aqE '^#!.*\b(ba|da)?sh\b'; then
			printf '%s\0' "$file"
		fi
	done
}
shell_files | xargs -0 -r shellcheck --severity=warning || status=1

git ls-files -z -co --exclude-standard '*.py' | python3 -c '
import ast, os, sys
for path in filter(os.path.exists, sys.stdin.read().split("\0")):
    ast.parse(open(path, encoding="utf-8").read(), path)' || status=1

# Both tools read only what the build knows: the sources of the built rooms.
if [[ ! -f build/compile_commands.json ]]; then
	echo "check-lint.sh: no build/compile_commands.json: run make build first"
	exit 1
fi
mapfile -t sources < <(python3 - "${rooms[@]}" <<'PY'
import json, os, sys
top = os.getcwd() + "/"
rooms = tuple(top + room + "/" for room in sys.argv[1:])
with open("build/compile_commands.json", encoding="utf-8") as commands:
    files = {entry["file"] for entry in json.load(commands)}
print("\n".join(sorted(file for file in files if file.startswith(rooms))))
PY
)
if [[ -z ${sources[*]} ]]; then
	exit $status
fi

mkdir -p "$cache/cppcheck"
cppcheck --quiet -j 2 --std=c++20 --language=c++ --enable=warning,performance,portability \
	--inline-suppr --error-exitcode=1 --cppcheck-build-dir="$cache/cppcheck" \
	--suppress=missingIncludeSystem --suppress=unknownMacro -I include \
	"${sources[@]}" || status=1

# shellcheck disable=SC2317 # called by the shells that xargs starts
tidy() {
	local file=$1 stamp
	stamp=$cache/${file//\//_}.clean
	if [[ $stamp -nt $newest && $stamp -nt $file ]]; then
		return 0
	fi
	if clang-tidy --quiet -p build --extra-arg=-Wno-unknown-warning-option "$file" \
		>"$stamp.log" 2>&1; then
		touch "$stamp"
	else
		cat "$stamp.log"
		return 1
	fi
}
export -f tidy
export cache
# A header or the configuration may change what any source means.
newest=$(git ls-files -co --exclude-standard '*.h' '*.hpp' .clang-tidy '*CMakeLists.txt' |
	xargs -r ls -1td 2>/dev/null | head -n 1 || true)
export newest
# shellcheck disable=SC2016 # $1 is for the shell that xargs starts
printf '%s\0' "${sources[@]}" |
	xargs -0 -r -n 1 -P 2 bash -c 'tidy "$1"' tidy || status=1
exit $status
