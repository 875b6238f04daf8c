# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""The guest's file system: an initramfs of the host's programs and the build's, made in memory."""

import glob
import lzma
import os
import pathlib
import re
import shutil
import stat
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
GUEST = HERE / "guest"

# What the guest gets: host programs; files by their host path; ours by name,
# wherever they are below the build folder (tests may be missing: the suite
# then says so); data files, wherever they are below the checkout.
HOST_PROGRAMS = ("dash", "kmod", "lspci", "sensors", "perl")
KMOD_NAMES = ("modprobe", "insmod", "rmmod", "lsmod", "modinfo")
HOST_FILES = ("/usr/share/misc/pci.ids", "/etc/sensors3.conf")
BUILT_TESTS = ("test_api", "test_abi", "test_isolation", "test_stress",
               "test_fail_nth", "test_faults", "digits", "guest_bench", "guest_recovery")
BUILT_TOOLS = ("accelctl",)
# of the fuzz preset, which has a build folder of its own beside the other
FUZZERS = ("fuzz_ioctl",)
FUZZ_BUILD = "build-fuzz"
TEST_DATA = ("digits.csv.gz", "layout.golden")
FIRMWARE = ("firmware/*.bin", "firmware/*.fw", "firmware/*.img",
            "firmware/*.oacfw")
FIRMWARE_DIR = "lib/firmware/oac"
# an importer and exporter of dma-bufs; errors of the link on demand
EXTRA_MODULES = ("vgem", "aer_inject")

HOST_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"


class RunError(Exception):
    """Why a run could not be carried out; its text is for the user."""


def host_program(name):
    """The path of a host program, wherever the distribution put it."""
    path = shutil.which(name, path=HOST_PATH)
    if not path:
        raise RunError(f"{name} is not installed (see tests/vm/packages)")
    return path


def output_of(*command):
    """What a command prints; its complaints are the error."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode:
        raise RunError(f"{command[0]} failed with {done.returncode}")
    return done.stdout


class Initramfs:
    """An uncompressed newc archive, built in memory."""

    def __init__(self):
        self.entries = {}

    def add(self, name, mode, data=b"", rdev=(0, 0)):
        """Adds one entry and the folders above it."""
        name = str(name).lstrip("/")
        for parent in reversed(pathlib.PurePath(name).parents[:-1]):
            self.entries.setdefault(str(parent), (stat.S_IFDIR | 0o755, b"",
                                                  (0, 0)))
        self.entries[name] = (mode, data, rdev)

    def add_folder(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def add_link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def add_file(self, name, source, executable=False):
        self.add(name, stat.S_IFREG | (0o755 if executable else 0o644),
                 pathlib.Path(source).read_bytes())

    def add_program(self, name, source):
        """Adds a program, its loader, and its libraries flat in /usr/lib."""
        self.add_file(name, source, executable=True)
        listing = subprocess.run(["ldd", source], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True,
                                 check=False).stdout
        if "not found" in listing:
            raise RunError(f"{source} lacks libraries:\n{listing}")
        for soname, path in re.findall(r"(\S+) => (/\S+)", listing):
            self.add_file(f"usr/lib/{soname}", path, executable=True)
        for loader in re.findall(r"^\s+(/\S+) \(0x", listing, re.M):
            self.add_file(loader, loader, executable=True)

    def write(self, path):
        with open(path, "wb") as out:
            for number, name in enumerate(self.entries, 1):
                out.write(self._record(number, name, *self.entries[name]))
            out.write(self._record(0, "TRAILER!!!", 0, b"", (0, 0)))

    @staticmethod
    def _record(number, name, mode, data, rdev):
        name = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev,
                  len(name), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        return (head + b"\0" * (-len(head) % 4) +
                data + b"\0" * (-len(data) % 4))


def find_below(folder, name, executable=False):
    """The newest file of this name below a folder, or None."""
    found = [path for path in pathlib.Path(folder).rglob(name)
             if path.is_file() and
             (not executable or os.access(path, os.X_OK))]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def add_user_space(image, build):
    """The host's programs and this checkout's."""
    image.add("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    for folder in ("proc", "sys", "dev", "tmp", "run", "root", FIRMWARE_DIR):
        image.add_folder(folder)
    image.add_file("bin/busybox", host_program("busybox"), executable=True)
    for name in HOST_PROGRAMS:
        image.add_program(f"usr/bin/{name}",
                          os.path.realpath(host_program(name)))
    for name in KMOD_NAMES:
        image.add_link(f"usr/sbin/{name}", "../bin/kmod")
    for path in filter(os.path.exists, HOST_FILES):
        image.add_file(path, path)
    for folder, names, where in (("test", BUILT_TESTS, build), ("usr/bin", BUILT_TOOLS, build),
                                 ("test", FUZZERS, build.parent / FUZZ_BUILD)):
        for name in names:
            path = find_below(where, name, executable=True)
            if path:
                image.add_program(f"{folder}/{name}", path)
    for name in TEST_DATA:
        path = find_below(CHECKOUT, name)
        if path:
            image.add_file(f"test/{name}", path)
    for pattern in FIRMWARE:
        for path in glob.glob(str(build / pattern)):
            image.add_file(f"{FIRMWARE_DIR}/{os.path.basename(path)}", path)


def add_suites(image):
    """init, the helpers and all suites."""
    for path in GUEST.rglob("*"):
        if path.is_file():
            image.add_file(path.relative_to(GUEST), path,
                           executable=path.name == "init")


def read_module(path):
    """A module's bytes, decompressed: the guest need not know how."""
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc", path], check=True,
                              stdout=subprocess.PIPE).stdout
    return path.read_bytes()


def module_name(path):
    return os.path.basename(path).split(".")[0].replace("-", "_")


def module_closure(folder, names):
    """Paths below a modules folder of the named modules and all they need."""
    needs, paths = {}, {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        paths[module_name(path)] = path
        needs[module_name(path)] = [module_name(need) for need in rest.split()]
    builtin = {module_name(line) for line in
               (folder / "modules.builtin").read_text().split()}
    wanted = {name.replace("-", "_") for name in names} - builtin
    missing = wanted - set(paths)
    if missing:
        raise RunError("the kernel lacks " + ", ".join(sorted(missing)))
    return sorted(paths[name] for name in
                  wanted.union(*(needs[name] for name in wanted)))


def add_modules(image, kernel, ours, scratch, extra):
    """Our module as an update, with its dependencies and their index."""
    source = kernel.modules
    target = scratch / "lib/modules" / kernel.release
    depends = output_of(host_program("modinfo"), "-F", "depends", str(ours))
    names = set(filter(None, depends.strip().split(","))) | \
        set(EXTRA_MODULES) | set(extra)
    for path in module_closure(source, names):
        plain = target / re.sub(r"\.ko\..*", ".ko", path)
        plain.parent.mkdir(parents=True, exist_ok=True)
        plain.write_bytes(read_module(source / path))
    (target / "updates").mkdir(parents=True)
    shutil.copyfile(ours, target / "updates/oac.ko")
    for index in ("modules.builtin", "modules.order",
                  "modules.builtin.modinfo"):
        shutil.copyfile(source / index, target / index)
    output_of(host_program("depmod"), "-b", str(scratch), kernel.release)
    for path in target.rglob("*"):
        if path.is_file():
            image.add_file(path.relative_to(scratch), path)
