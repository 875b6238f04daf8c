#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Usage: check-install.sh [BUILD]
#
# The installed library as its users see it: a C and a C++ program, built with
# pkg-config and with the CMake package against an installation in an empty
# directory, run on an emulated card; the library needs nothing but what it may,
# and exports what accel.h declares and nothing else.
set -euo pipefail
cd "$(dirname "$0")"

build=$(realpath "${1:-../../build}")
header=$(realpath ../../include/accel/accel.h)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dest=$work/dest
status=0
fail() {
	echo "check-install: $*"
	status=1
}

DESTDIR=$dest cmake --install "$build" --prefix /usr >"$work/log" 2>&1 || {
	cat "$work/log"
	exit 1
}
library=$(find "$dest" -name 'libaccel.so.*.*.*' -print -quit)
[[ -n $library ]] || {
	echo "check-install: no libaccel.so is installed"
	exit 1
}
libdir=${library%/*}

# A program of each language: opens a card and runs a command on it.
cat >"$work/user.c" <<'END'
#include <accel/accel.h>
#include <stdio.h>

int main(void)
{
	accel_device *device;
	accel_context *context;
	accel_queue *queue;
	struct accel_completion done;

	if (accel_device_open(NULL, &device) || accel_context_create(device, &context) ||
	    accel_queue_create(context, 0, 1, &queue) || accel_queue_nop(queue, 7) ||
	    accel_queue_submit(queue) ||
	    accel_queue_wait(queue, &done, 1, ACCEL_TIMEOUT_DEFAULT) != 1 || done.tag != 7) {
		fprintf(stderr, "%s\n", accel_error_text());
		return 1;
	}
	accel_queue_destroy(queue);
	return accel_context_destroy(context) || accel_device_close(device);
}
END
cat >"$work/user.cpp" <<'END'
#include <accel/accel.hpp>

int main()
{
	accel::device device;
	accel::context context(device);
	accel::buffer buffer(device, 4096);
	accel::mapping mapping(context, buffer);
	accel::queue queue(context);
	accel::completion done;

	if (queue.try_fill(mapping.address(), 4096, 0x5au, 7) != 0 || queue.submit() != 0 ||
	    queue.wait({ &done, 1 }) != 1 || done.result != 0)
		return 1;
	return buffer.as<unsigned>()[1023] == 0x5a ? 0 : 1;
}
END
cat >"$work/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES C CXX)
set(CMAKE_CXX_STANDARD 20)
find_package(accel REQUIRED)
add_executable(user_c user.c)
add_executable(user_cpp user.cpp)
target_link_libraries(user_c PRIVATE accel::accel)
target_link_libraries(user_cpp PRIVATE accel::accel)
END

run() {
	ACCEL_EMU=1 LD_LIBRARY_PATH=$libdir timeout 60 "$1" || fail "$2 does not run"
}

pc=$(find "$dest" -name '*accel.pc' -print -quit)
if [[ -n $pc ]]; then
	export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$dest
	export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
	read -ra flags <<<"$(pkg-config --cflags --libs "$(basename "$pc" .pc)")"
	build_and_run() {
		"$1" "$2" -Wall -Wextra -Werror "$work/user.$3" "${flags[@]}" -o "$work/pc_$3" || {
			fail "user.$3 does not build with pkg-config"
			return
		}
		run "$work/pc_$3" "user.$3, built with pkg-config,"
	}
	build_and_run gcc -std=c11 c
	build_and_run g++ -std=c++20 cpp
else
	fail "no pkg-config file is installed"
fi

if env -u PKG_CONFIG_SYSROOT_DIR cmake -S "$work" -B "$work/cmake" \
	-DCMAKE_PREFIX_PATH="$dest/usr" >"$work/log" 2>&1 &&
	cmake --build "$work/cmake" >>"$work/log" 2>&1; then
	run "$work/cmake/user_c" "user.c, built with the CMake package,"
	run "$work/cmake/user_cpp" "user.cpp, built with the CMake package,"
else
	cat "$work/log"
	fail "the programs do not build with the CMake package"
fi

# Sanitizers bring libraries of their own: such a build is not for installing.
allowed='^(libc|libm|libstdc\+\+|libgcc_s|libdrm|libnuma|ld-linux-[a-z0-9-]+)\.so\.[0-9]+$'
needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
grep -Evx "$allowed" <<<"$needed" && fail "libaccel.so needs the libraries above"

# Weak symbols of the C++ library may not leak either.
declared=$(gcc -E -P "$header" | grep -o '\baccel_[a-z0-9_]*[[:space:]]*(' | tr -d ' \t(' | sort -u)
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
	sort -u)
if ! diff <(echo "$declared") <(echo "$exported") >"$work/log"; then
	cat "$work/log"
	fail "libaccel.so does not export just what accel.h declares (< declared, > exported)"
fi
[[ $status -ne 0 ]] ||
	echo "check-install: 2 programs, 2 ways, $(wc -l <<<"$exported") symbols: all as declared"
exit $status
