#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""Counts the lines that the tests run, room by room.

User space is built with counters in build-coverage/ (cmake --preset coverage), and the unit, abi, api
and api-socket tests of scripts/check.py run there. The module is built with the kernel's gcov for
the debug kernel, and suites run in its guest, whose counters come back over its serial port.
Tests that fail are told of, and counted all the same. The figures go to build/coverage.json too.
"""

import argparse
import collections
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import check

TOP = check.TOP
BUILD = check.BUILDS["coverage"]
KINDS = ("unit", "abi", "api", "api-socket")
SUITES = ("abi", "isolation", "api")
ROOMS = ("kernel", "emu", "libaccel", "tools")
MODULE = TOP / "build-coverage" / "vm" / "module-debug" / "kernel"


class Lines:
    """How often each line of each file ran; a line is known by being counted at all."""

    def __init__(self):
        self.files = collections.defaultdict(collections.Counter)

    def add(self, report, base):
        """What gcov says of one object, as JSON. base: where its relative names begin."""
        for one in report["files"]:
            path = pathlib.Path(os.path.normpath(os.path.join(base, one["file"])))
            if not path.is_relative_to(TOP) or \
                    path.relative_to(TOP).parts[0] not in ROOMS:
                continue
            counts = self.files[str(path.relative_to(TOP))]
            for line in one["lines"]:
                counts[line["line_number"]] += line["count"]

    def sums(self, names):
        counts = [self.files[name] for name in names]
        lines = sum(len(one) for one in counts)
        covered = sum(1 for one in counts for count in one.values() if count)
        return lines, covered


def gcov(tool, counters, cwd, lines, base):
    """Reads the counter files with the gcov of the compiler that made their notes."""
    for start in range(0, len(counters), 50):
        done = subprocess.run(tool + ["--json-format", "--stdout"] + counters[start:start + 50],
                              cwd=cwd, capture_output=True, text=True, check=False)
        for text in filter(None, done.stdout.splitlines()):
            lines.add(json.loads(text), base)


# --- user space ---------------------------------------------------------------

def run_user_space():
    result = check.build("coverage", BUILD)
    if result.failures:
        return result
    for old in BUILD.directory.rglob("*.gcda"):
        old.unlink()
    for kind in KINDS:
        part = check.run_kind(BUILD, kind, f"coverage-{kind}")
        check.say(f"   {kind}: {part}")
        result.add(part)
    return result


def read_user_space(lines):
    counters = [str(path) for path in BUILD.directory.rglob("*.gcda")
                if "module-" not in str(path)]
    gcov(["gcov"], counters, BUILD.directory, lines, BUILD.directory)


# --- the module ---------------------------------------------------------------

def run_module():
    """The suites in the debug guest; each leaves an archive of counters."""
    result = check.Result()
    for suite in SUITES:
        name = f"coverage-{suite}"
        status, output = check.run(
            ["python3", "tests/vm/run.py", "--kernel", "debug", "--cards", "2", "--suite", suite,
             "--build-dir", str(BUILD.directory), "--append", "OAC_TEST_COVERAGE=1",
             "--name", name], name, check.DEBUG_TIMEOUT, {"GCOV": "1"})
        part = check.count_ring(name, status, output)
        check.say(f"   debug guest, {suite}: {part}")
        result.add(part)
    return result


def read_module(lines):
    """Counters of all suites add up; notes lie beside the module's objects."""
    root = subprocess.run(["tests/vm/root.sh"], cwd=TOP, capture_output=True, text=True,
                          check=True).stdout.strip()
    tool = [f"{root}/usr/lib64/ld-linux-x86-64.so.2", "--library-path",
            f"{root}/usr/lib/x86_64-linux-gnu", f"{root}/usr/bin/gcov-14"]
    for archive in sorted((BUILD.directory / "vm").glob("coverage-*.gcov.tar.gz")):
        with tempfile.TemporaryDirectory(prefix="oac-gcov-") as place:
            subprocess.run(["tar", "-xzf", archive, "-C", place], check=True)
            counters = sorted(pathlib.Path(place).rglob("*.gcda"))
            for path in counters:
                notes = MODULE / path.with_suffix(".gcno").name
                path.with_suffix(".gcno").write_bytes(notes.read_bytes())
            # In the build's root the sources are below /mnt.
            for path in counters:
                done = subprocess.run(tool + ["--json-format", "--stdout", str(path)],
                                      capture_output=True, text=True, check=False, cwd=place)
                for text in filter(None, done.stdout.splitlines()):
                    lines.add(json.loads(text.replace('"/mnt/', f'"{TOP}/')), "/mnt/kernel")


# --- the table ----------------------------------------------------------------

def percent(lines, covered):
    return 100 * covered / lines if lines else 0.0


def show(lines, worst):
    report = {"rooms": {}, "files": {}}
    print(f"{'room':<12}{'lines':>8}{'covered':>9}{'percent':>9}")
    for room in ROOMS:
        names = [name for name in lines.files if name.startswith(room + "/")]
        total, covered = lines.sums(names)
        if not total:
            print(f"{room:<12}{'not measured':>26}")
            continue
        report["rooms"][room] = {"lines": total, "covered": covered}
        print(f"{room:<12}{total:>8}{covered:>9}{percent(total, covered):>8.1f}%")
    for name in sorted(lines.files):
        total, covered = lines.sums([name])
        missing = sorted(line for line, count in lines.files[name].items() if not count)
        report["files"][name] = {"lines": total, "covered": covered, "missing": missing}
    print(f"\nmost lines that did not run:")
    for name, one in sorted(report["files"].items(),
                            key=lambda item: item[1]["covered"] - item[1]["lines"])[:worst]:
        print(f"{one['lines'] - one['covered']:>6} of {one['lines']:>5}  "
              f"{percent(one['lines'], one['covered']):5.1f}%  {name}")
    (TOP / "build").mkdir(exist_ok=True)
    (TOP / "build" / "coverage.json").write_text(json.dumps(report, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", choices=("user", "module", "show"),
                        help="run user space or the module alone; or just show what is there")
    parser.add_argument("--worst", type=int, default=20, metavar="N",
                        help="files in the second table (default: 20)")
    args = parser.parse_args()
    os.chdir(TOP)
    result = check.Result()
    if args.only in (None, "user"):
        result.add(run_user_space())
    if args.only in (None, "module"):
        result.add(run_module())
    lines = Lines()
    read_user_space(lines)
    if MODULE.is_dir():
        read_module(lines)
    show(lines, args.worst)
    for test, output in result.failures:
        print(f"FAIL {test}\n{output.strip()[-2000:]}", file=sys.stderr)
    return 1 if result.failures else 0


if __name__ == "__main__":
    sys.exit(main())
