#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""Checks that each room includes only what it points to.

The rooms and their arrows are what keeps the card's contract, the kernel's ABI
and the library's API apart: a card that knew Linux, or a tool that reached
into the library, would make the next change to either a change to both. The
arrows are the table RULES; each rule carries samples that must break it and
samples that must not, and --self-test tries them all.
"""

import argparse
import fnmatch
import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
SUFFIXES = {".c", ".h", ".cc", ".cpp", ".hpp", ".cxx", ".S"}

# Where the build looks for headers. A name that is not found there, nor beside
# its includer, nor at the end of a path in the tree, is a header of the system.
ROOTS = ["include", "include/uapi", "include/imported", "include/imported/drm", "libaccel",
         "libaccel/src", "emu", "emu/model", "tools", "tests", "firmware", "kernel", ""]

TREE = ["include/*", "kernel/*", "libaccel/*", "emu/*", "tools/*", "firmware/*", "tests/*",
        "bench/*", "examples/*"]

# What the model must not have: it is stepped by its shell, so that the same
# calls give the same card whichever shell it is in.
THREADS = ["thread", "mutex", "shared_mutex", "condition_variable", "future", "semaphore",
           "latch", "barrier", "stop_token", "pthread.h", "threads.h", "semaphore.h"]
SOCKETS = ["sys/socket.h", "sys/un.h", "sys/epoll.h", "sys/select.h", "poll.h", "sys/poll.h",
           "netinet/*", "arpa/*", "netdb.h"]

LIBPCI = ["pci/*"]

# The language, libc and the kernel's own interface: what is not a third party.
# Headers of the C++ library have neither a directory nor a suffix.
SYSTEM = ["sys/*.h", "linux/*.h", "asm/*.h", "asm-generic/*.h", "bits/*.h", "arpa/*.h",
          "netinet/*.h"] + [name + ".h" for name in """
    aio alloca assert byteswap complex cpuid ctype dirent dlfcn elf emmintrin endian err errno
    error fcntl features fenv float fnmatch ftw getopt glob immintrin inttypes libgen limits link
    locale malloc math mqueue netdb nmmintrin poll pthread pwd grp regex sched search semaphore
    setjmp signal smmintrin spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib
    stdnoreturn string strings syscall syslog tgmath threads time tmmintrin uchar unistd utime
    wchar wctype wmmintrin x86intrin xmmintrin arm_acle arm_neon""".split()]
# libdrm and libnuma are all that the library needs beside libc and libstdc++.
ALLOWED_THIRD = ["xf86drm.h", "drm.h", "drm/drm.h", "libdrm/drm.h", "libdrm/xf86drm.h",
                 "libsync.h", "numa.h", "numaif.h"]


@dataclass(frozen=True)
class Rule:
    """Files of `who` (but not `but`) must not include what `what` names.

    With `what` in the tree and `only`, `who` is everybody else. Samples are
    (includer, line) pairs.
    """
    name: str
    why: str
    what: tuple
    bad: tuple
    good: tuple
    who: tuple = ("*",)
    but: tuple = ()
    third_party: bool = False


def rule(name, why, what, bad, good, **rest):
    rest = {key: tuple(value) if isinstance(value, list) else value
            for key, value in rest.items()}
    return Rule(name, why, tuple(what), tuple(bad), tuple(good), **rest)


RULES = [
    rule("hw", "the card's contract is for those who drive or are the card",
         ["include/hw/*"],
         but=["include/hw/*", "kernel/*", "emu/*", "libaccel/backend/direct/*",
              "libaccel/src/*", "tools/*/fw*", "tools/accelctl/dump_*", "tests/unit/*",
              "tests/abi/*", "tests/faults/*", "tests/fuzz/*", "bench/guest/*"],
         bad=[("tools/accelctl/main.cpp", "<hw/oac_regs.h>"),
              ("libaccel/backend/kernel/open.cpp", "<hw/oac_regs.h>"),
              ("include/accel/accel.h", '"../hw/oac_regs.h"'),
              ("include/uapi/drm/oac_accel.h", "<hw/oac_regs.h>"),
              ("examples/digits/main.cpp", "<hw/oac_regs.h>")],
         good=[("kernel/oac_hw.c", "<hw/oac_regs.h>"),
               ("emu/model/card.cpp", "<hw/oac_regs.h>"),
               ("tools/accelctl/fw_sign.cpp", "<hw/oac_regs.h>"),
               ("tools/accelctl/dump_reader.cpp", "<hw/oac_regs.h>"),
               ("include/hw/oac_queue.h", '"oac_regs.h"')]),
    rule("uapi", "only the two ends of the kernel's ABI, and their tests, speak it",
         ["include/uapi/*", "include/imported/drm/*"],
         but=["include/uapi/*", "include/imported/*", "kernel/*", "libaccel/backend/kernel/*",
              "tests/abi/*", "tests/isolation/*", "tests/stress/*", "tests/unit/kernel/*",
              "tests/fuzz/fuzz_module*", "tests/fuzz/fuzz_ioctl*", "tests/fuzz/ioctl/*",
              "bench/guest/*", "tools/accelctl/dump_*"],
         bad=[("libaccel/src/queue.cpp", "<drm/oac_accel.h>"),
              ("libaccel/backend/direct/boot.cpp", '"oac_accel.h"'),
              ("tools/accelctl/main.cpp", "<drm/oac_accel.h>"),
              ("tests/unit/test_x.cpp", "<uapi/drm/oac_accel.h>"),
              ("tests/api/test_x.cpp", "<drm/oac_accel.h>"),
              ("bench/copy.cpp", "<drm/oac_accel.h>"),
              ("include/hw/oac_regs.h", '"../uapi/drm/oac_accel.h"')],
         good=[("kernel/oac_drv.c", "<drm/oac_accel.h>"),
               ("libaccel/backend/kernel/open.cpp", "<drm/oac_accel.h>"),
               ("tests/stress/worker.cpp", "<drm/oac_accel.h>"),
               ("tools/accelctl/dump_reader.cpp", "<drm/oac_dump.h>"),
               ("bench/guest/submit.cpp", "<drm/oac_accel.h>"),
               ("tests/abi/test_open.cpp", '"../../include/uapi/drm/oac_accel.h"')]),
    rule("card-no-linux", "the card does not know Linux: it is the same in any host",
         ["include/uapi/*", "include/imported/*", "drm.h", "xf86drm.h", "drm/*", "libdrm/*"],
         who=["emu/*"],
         bad=[("emu/model/card.cpp", "<drm/oac_accel.h>"),
              ("emu/vfio_user/server.cpp", '"../../include/uapi/drm/oac_accel.h"'),
              ("emu/inproc/thread.cpp", "<xf86drm.h>")],
         good=[("emu/vfio_user/server.cpp", "<linux/vfio.h>")]),
    rule("accel", "the public API is for its users; kernel and card are below it",
         ["include/accel/*"],
         but=["include/accel/*", "libaccel/*", "tools/*", "examples/*", "bench/*",
              "tests/api/*", "tests/isolation/*", "tests/faults/*", "tests/fuzz/*",
              "tests/support/*", "tests/unit/*", "emu/inproc/*"],
         bad=[("kernel/oac_drv.c", "<accel/accel.h>"),
              ("emu/model/card.cpp", "<accel/accel.h>"),
              ("tests/abi/test_open.cpp", "<accel/accel.h>"),
              ("tests/stress/worker.cpp", "<accel/accel.h>"),
              ("include/hw/oac_regs.h", "<accel/accel.h>")],
         good=[("examples/digits/main.cpp", "<accel/accel.hpp>"),
               ("tests/isolation/squatter.cpp", "<accel/accel.hpp>"),
               ("emu/inproc/thread.cpp", "<accel/accel_emu.h>")]),
    rule("accel-emu", "the in-process card offers itself through one header, and uses no more",
         ["include/accel/accel.h", "include/accel/accel.hpp", "include/accel/[!a]*",
          "include/accel/accel_[!e]*"],
         who=["emu/*"],
         bad=[("emu/inproc/thread.cpp", "<accel/accel.h>"),
              ("emu/inproc/thread.cpp", "<accel/accel.hpp>")],
         good=[("emu/inproc/thread.cpp", "<accel/accel_emu.h>")]),
    rule("model-alone", "the model is plugged into shells and must not know which",
         ["emu/vfio_user/*", "emu/inproc/*", "emu/control/*"] + THREADS + SOCKETS,
         who=["emu/model/*"],
         bad=[("emu/model/card.cpp", '"../vfio_user/server.hpp"'),
              ("emu/model/card.cpp", '"inproc/thread.hpp"'),
              ("emu/model/card.cpp", "<control/injector.hpp>"),
              ("emu/model/card.cpp", '"../control/injector.hpp"'),
              ("emu/model/card.cpp", "<thread>"),
              ("emu/model/card.hpp", "<mutex>"),
              ("emu/model/card.cpp", "<sys/socket.h>"),
              ("emu/model/card.cpp", "<pthread.h>")],
         good=[("emu/model/card.cpp", '"card.hpp"'),
               ("emu/model/card.cpp", "<atomic>"),
               ("emu/vfio_user/server.cpp", '"../model/card.hpp"'),
               ("emu/control/injector.cpp", "<model/card.hpp>"),
               ("emu/vfio_user/server.cpp", "<sys/socket.h>"),
               ("emu/inproc/thread.cpp", "<thread>")]),
    rule("library-inside", "tools and examples live from the public API, like any user",
         ["libaccel/*"],
         who=["tools/*", "examples/*"],
         bad=[("tools/accelctl/main.cpp", '"../../libaccel/src/queue.hpp"'),
              ("tools/accelctl/main.cpp", '"queue.hpp"'),
              ("examples/digits/main.cpp", '"src/queue.hpp"')],
         good=[("tools/accelctl/main.cpp", '"table.hpp"'),
               ("libaccel/src/queue.cpp", '"queue.hpp"')]),
    rule("bench", "what is measured is what a user gets: the public API, or in a guest the kernel's",
         ["libaccel/*", "emu/*", "tools/*", "kernel/*", "include/hw/*", "include/uapi/*",
          "include/vfio_user/*"],
         who=["bench/*"], but=["bench/guest/*"],
         bad=[("bench/noop.cpp", '"../libaccel/src/queue.hpp"'),
              ("bench/noop.cpp", "<hw/oac_queue.h>"),
              ("bench/cards.cpp", '"../emu/model/card.hpp"'),
              ("bench/cards.cpp", "<drm/oac_accel.h>")],
         good=[("bench/cards.cpp", "<accel/accel_emu.h>"),
               ("bench/floor_uring.cpp", "<liburing.h>"),
               ("bench/guest/queue.cpp", "<hw/oac_queue.h>"),
               ("bench/guest/queue.cpp", "<drm/oac_accel.h>")]),
    rule("bench-guest", "the guest's program is alone with the kernel",
         ["libaccel/*", "emu/*", "tools/*", "include/accel/*"],
         who=["bench/guest/*"],
         bad=[("bench/guest/guest_bench.cpp", "<accel/accel.h>"),
              ("bench/guest/queue.cpp", '"../../libaccel/src/queue.hpp"')],
         good=[("bench/guest/guest_bench.cpp", "<hw/oac_queue.h>")]),
    rule("libpci", "libpci is GPL: programs may link it, a library under MIT may not",
         LIBPCI,
         but=["tools/*"],
         bad=[("libaccel/src/queue.cpp", "<pci/pci.h>"),
              ("emu/vfio_user/server.cpp", "<pci/pci.h>"),
              ("tests/api/test_x.cpp", "<pci/pci.h>")],
         good=[("tools/accelctl/main.cpp", "<pci/pci.h>")]),
    rule("library-needs", "the library needs libc, libstdc++, libdrm and libnuma, nothing else",
         [], who=["libaccel/*"], third_party=True,
         bad=[("libaccel/src/queue.cpp", "<fmt/format.h>"),
              ("libaccel/src/queue.cpp", "<nlohmann/json.hpp>"),
              ("libaccel/src/queue.cpp", "<sodium.h>"),
              ("libaccel/src/queue.cpp", "<Eigen/Core>")],
         good=[("libaccel/src/queue.cpp", "<vector>"),
               ("libaccel/src/queue.cpp", "<sys/mman.h>"),
               ("libaccel/src/queue.cpp", "<numa.h>"),
               ("libaccel/backend/kernel/open.cpp", "<xf86drm.h>"),
               ("tools/accelctl/main.cpp", "<fmt/format.h>")]),
]


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def normal(path):
    """Resolves . and .. in a path of the tree; None if it leaves the tree."""
    parts = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


class Tree:
    """The paths of the tree, and what an #include in one of them means."""

    def __init__(self, paths):
        self.paths = set(paths)
        self.by_name = {}
        for path in sorted(self.paths):
            self.by_name.setdefault(path.rsplit("/", 1)[-1], []).append(path)

    def resolve(self, includer, quoted, name):
        """The path in the tree, or the name as written for a system header."""
        here = includer.rsplit("/", 1)[0] if "/" in includer else ""
        for root in ([here] if quoted else []) + ROOTS:
            path = normal(f"{root}/{name}")
            if path in self.paths:
                return path
        ends = [path for path in self.by_name.get(name.rsplit("/", 1)[-1], [])
                if path.endswith("/" + name)]
        if quoted and ends:
            room = includer.split("/", 1)[0] + "/"
            return next((path for path in ends if path.startswith(room)), ends[0])
        # A header that is not written yet, or is generated, still has its room.
        return f"include/{name}" if re.match(r"(hw|accel)/", name) else name


def is_third_party(target, quoted, tree):
    if quoted or target in tree.paths or target.startswith("include/"):
        return False
    if "." not in target and "/" not in target:
        return False
    return not matches(target, SYSTEM + ALLOWED_THIRD)


def broken_rules(tree, includer, quoted, name):
    target = tree.resolve(includer, quoted, name)
    for entry in RULES:
        if not matches(includer, entry.who) or matches(includer, entry.but):
            continue
        if entry.third_party:
            broken = is_third_party(target, quoted, tree)
        else:
            broken = matches(target, entry.what)
        if broken:
            yield entry, target


def blank_comments(text):
    return COMMENT.sub(lambda match: "\n" * match.group(0).count("\n"), text)


def check_tree():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], check=True,
                            capture_output=True, text=True).stdout.splitlines()
    paths = [path for path in listed if pathlib.Path(path).is_file()]
    tree = Tree(paths)
    bad = 0
    for path in paths:
        if pathlib.Path(path).suffix not in SUFFIXES or not matches(path, TREE):
            continue
        text = blank_comments(pathlib.Path(path).read_text(encoding="utf-8", errors="replace"))
        for match in INCLUDE.finditer(text):
            quoted, name = match.group(1) == '"', match.group(2)
            for entry, target in broken_rules(tree, path, quoted, name):
                line = text.count("\n", 0, match.start()) + 1
                print(f"{path}:{line}: includes {target}: {entry.why} [{entry.name}]")
                bad += 1
    return bad


SAMPLE_TREE = ["include/hw/oac_regs.h", "include/hw/oac_queue.h", "include/uapi/drm/oac_accel.h",
               "include/accel/accel.h", "include/accel/accel.hpp", "include/accel/accel_emu.h",
               "libaccel/src/queue.hpp", "emu/vfio_user/server.hpp", "emu/inproc/thread.hpp",
               "emu/model/card.hpp", "emu/control/injector.hpp", "tools/accelctl/table.hpp"]


def self_test():
    """Each rule fails on each of its bad samples, none on a good one."""
    tree, wrong, tried = Tree(SAMPLE_TREE), 0, 0
    for entry in RULES:
        if not entry.bad or not entry.good:
            print(f"self-test: rule {entry.name} has no samples")
            wrong += 1
        for samples, expect in ((entry.bad, True), (entry.good, False)):
            for includer, line in samples:
                hits = {hit.name for hit, _ in
                        broken_rules(tree, includer, line[0] == '"', line[1:-1])}
                tried += 1
                if (entry.name in hits) if expect else not hits:
                    continue
                print(f"self-test: {includer} including {line}: "
                      f"{entry.name} {'should' if expect else 'should not'} fail; "
                      f"failed: {sorted(hits) or 'none'}")
                wrong += 1
    found = INCLUDE.findall(blank_comments('/*\n#include <a>\n*/\n # include "b" // c\n'))
    if found != [('"', "b")]:
        print(f"self-test: parsed {found}")
        wrong += 1
    if not wrong:
        print(f"self-test: {len(RULES)} rules, {tried} samples as expected")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--self-test", action="store_true", help="prove that each rule can fail")
    args = parser.parse_args()
    return 1 if (self_test() if args.self_test else check_tree()) else 0


if __name__ == "__main__":
    sys.exit(main())
