#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""Each test that docs/threat-model.md names in backticks must be in the tests, and each ioctl of
the module in the description for syzkaller."""

import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
DOC = TOP / "docs" / "threat-model.md"
NAMED = re.compile(r"`(\w+\.\w+)`")
TEST = re.compile(r"\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)")


IOCTL = re.compile(r"#define (DRM_IOCTL_OAC_\w+)")
HEADER = TOP / "include" / "uapi" / "drm" / "oac_accel.h"
GRAMMAR = TOP / "tests" / "fuzz" / "oac.txt"


def undescribed():
    described = set(re.findall(r"const\[(\w+)\]", GRAMMAR.read_text(encoding="utf-8")))
    return sorted(set(IOCTL.findall(HEADER.read_text(encoding="utf-8"))) - described)


def main():
    there = set()
    for path in (TOP / "tests").rglob("*.cpp"):
        there |= {".".join(pair) for pair in TEST.findall(path.read_text(encoding="utf-8"))}
    named = NAMED.findall(DOC.read_text(encoding="utf-8"))
    missing = sorted(set(named) - there)
    for name in missing:
        print(f"{DOC.relative_to(TOP)}: there is no test {name}")
    ioctls = undescribed()
    for name in ioctls:
        print(f"{GRAMMAR.relative_to(TOP)}: does not describe {name}")
    if len(named) < 20:
        print(f"{DOC.relative_to(TOP)}: names only {len(named)} tests: the pattern broke")
        return 1
    return 1 if missing or ioctls else 0


if __name__ == "__main__":
    sys.exit(main())
