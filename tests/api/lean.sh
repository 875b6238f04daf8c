#!/bin/sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# libaccel.so needs a handful of libraries that every system has, and exports accel_* alone.
set -eu
library=$1
command -v readelf > /dev/null || { echo "readelf is missing; install binutils"; exit 1; }

needed=$(readelf -d -W "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
[ -n "$needed" ]
for one in $needed; do
	case $one in
	libc.so.* | libstdc++.so.* | libgcc_s.so.* | libm.so.* | libdrm.so.* | libnuma.so.* | ld-linux*) ;;
	*) echo "$library needs $one"; exit 1 ;;
	esac
done

exported=$(readelf --dyn-syms -W "$library" |
	awk '$7 != "UND" && ($5 == "GLOBAL" || $5 == "WEAK" || $5 == "UNIQUE") { print $8 }')
[ -n "$exported" ]
for one in $exported; do
	case $one in
	accel_* | ACCEL_*) ;;
	*) echo "$library exports $one"; exit 1 ;;
	esac
done

readelf -d -W "$library" | grep -q NODELETE || { echo "$library may be unloaded"; exit 1; }
