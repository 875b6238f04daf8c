# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# Every kind of result once; selftest/run.sh knows what must come out.

skips() { echo "because"; exit 77; }
fails() { echo "first"; echo "last"; exit 3; }
warns() { echo 1 >/sys/module/oac/parameters/warn; }

# What a gtest program prints, with a warning of the kernel's in one case.
cat >/tmp/fake-gtest <<'FAKE'
#!/bin/sh
echo '[ RUN      ] A.ok'
echo '[       OK ] A.ok (7 ms)'
echo '[ RUN      ] A.fails/0'
echo 'a.cpp:1: Failure'
echo '[  FAILED  ] A.fails/0, where GetParam() = 1 (2 ms)'
echo '[ RUN      ] A.skips'
echo 'reason'
echo '[  SKIPPED ] A.skips (0 ms)'
echo '[ RUN      ] A.warns'
echo 1 >/sys/module/oac/parameters/warn
echo '[       OK ] A.warns (1 ms)'
echo '[  FAILED  ] 1 test, listed below:'
echo '[  FAILED  ] A.fails/0, where GetParam() = 1'
echo '[ RUN      ] A.crashes'
kill -SEGV $$
FAKE
chmod +x /tmp/fake-gtest

check module-loads modprobe oac
check passes true
check skips skips
check fails fails
check warns warns
gtest gtest /tmp/fake-gtest
gtest none /bin/true
check module-goes rmmod oac
