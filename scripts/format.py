#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""Checks C and C++ files against .clang-format, or applies it with --fix.

clang-format has the word on everything but two things that read better lined
up with tabs by hand, and that it would collapse: #define lines (tables of
registers, X-lists) and the white space before a comment behind code.
"""

import argparse
import concurrent.futures
import difflib
import pathlib
import re
import subprocess
import sys

OFF, ON = "// clang-format off", "// clang-format on"
MARK = "// the next line is of format.py"
DEFINE = re.compile(r"[ \t]*#[ \t]*define\b")
BEHIND = re.compile(r"(?<=\S)[ \t]+(?=/\*|//)")


def shield(text):
    """The text with each run of #defines between markers."""
    out, inside, continued, off = [], False, False, False
    for line in text.split("\n"):
        if line.strip() in (OFF, "/* clang-format off */"):
            off = True
        define = not off and (continued or DEFINE.match(line))
        if define and not inside:
            out += [MARK, OFF]
        if not define and inside:
            out += [MARK, ON]
        inside = bool(define)
        continued = inside and line.endswith("\\")
        if line.strip() in (ON, "/* clang-format on */"):
            off = False
        out.append(line)
    return "\n".join(out)


def unshield(formatted):
    """Drops the markers that shield() brought in, and no others."""
    out, drop = [], False
    for line in formatted.split("\n"):
        mark = line.strip() == MARK
        if not mark and not drop:
            out.append(line)
        drop = mark
    return "\n".join(out)


def plain(line):
    """The line as it is compared: without what people may line up."""
    if line.lstrip().startswith("*"):
        return line.lstrip()
    return BEHIND.sub(" ", line)


def merge(original, formatted):
    """The formatted lines, or the original ones where only alignment differs."""
    ours, theirs = original.split("\n"), formatted.split("\n")
    matcher = difflib.SequenceMatcher(None, [plain(line) for line in ours],
                                      [plain(line) for line in theirs], autojunk=False)
    out = []
    for kind, a, b, c, d in matcher.get_opcodes():
        out += ours[a:b] if kind == "equal" else theirs[c:d]
    return "\n".join(out)


def wanted(path, original):
    done = subprocess.run(["clang-format", "--style=file", f"--assume-filename={path}"],
                          input=shield(original), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return merge(original, unshield(done.stdout))


def handle(path, fix):
    original = path.read_text(encoding="utf-8")
    result = wanted(path, original)
    if result == original:
        return ""
    if fix:
        path.write_text(result, encoding="utf-8")
        return ""
    return "\n".join(difflib.unified_diff(original.split("\n"), result.split("\n"), str(path),
                                          f"{path} (formatted)", n=1, lineterm=""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--fix", action="store_true")
    parser.add_argument("paths", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        diffs = [diff for diff in pool.map(lambda path: handle(path, args.fix), args.paths)
                 if diff]
    if diffs:
        print("\n".join(diffs))
        print(f"{len(diffs)} files differ; scripts/check-format.sh --fix mends them")
    return 1 if diffs else 0


if __name__ == "__main__":
    sys.exit(main())
