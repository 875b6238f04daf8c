#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""Boots a Debian kernel in QEMU with emulated cards and runs one suite.

The guest's user space is an initramfs made here from the host's own programs
and the build folder. Its first serial port is the kernel's console, its second
carries the results, one line per test, and what the guest asks of the host:
doors.py. Nothing here needs privilege.
"""

import argparse
import ctypes
import json
import os
import pathlib
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import doors
from initramfs import (Initramfs, RunError, add_modules, add_suites, add_user_space,
                       output_of)
from results import Results

HERE = pathlib.Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
GUEST = HERE / "guest"
KERNELS = ("6.1", "6.12", "7.3", "debug")
# How many times slower than stock ones the debug kernel is, in round numbers:
# the guest's tests get it as OAC_TEST_SLOW, the run's time-out is multiplied.
DEBUG_SLOW = 4

# Serves N cards on {dir}/card0.sock..., then prints one line with "ready".
# QEMU has no doorbell memory to share with a card: they must be trapped.
EMULATOR = ("{build}/tools/accel-emu", "serve", "--dir", "{dir}",
            "--cards", "{cards}", "--doorbells", "trapped")
EMULATOR_START_S = 30
# A kernel that does not get as far as the guest's first line: it takes a few seconds.
BOOT_S = 180
NUMA_NODE_MIB = 1024
ENDING_S = 5


def show_output_of(*command):
    """Runs a command whose output is progress for the user."""
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise RunError(f"{command[0]} failed with {done.returncode}")


class Kernel:
    """One of KERNELS: its release, its image and its modules."""

    def __init__(self, name, root):
        if name == "debug":
            show_output_of(HERE / "debug-kernel.sh")
            root = pathlib.Path(
                output_of(HERE / "debug-kernel.sh", "--path").strip())
            self.release = (root / "release").read_text().strip()
        else:
            self.release = dict(line.split() for line in
                                (root / "kernels").read_text().splitlines())[name]
        self.image = root / f"boot/vmlinuz-{self.release}"
        self.modules = root / "usr/lib/modules" / self.release
        self.slow = DEBUG_SLOW if name == "debug" else 1
        # no_timer_check: on a busy host the check of the timer's interrupt can fail
        self.words = ["console=ttyS0", "iommu=pt", "panic=-1", "loglevel=7",
                      "no_timer_check"]
        if name == "debug":
            # what an oops leaves locked would keep the guest from ending
            self.words += ["watchdog_thresh=60", "oops=panic",
                           f"OAC_TEST_SLOW={self.slow}"]


# --- processes ---------------------------------------------------------------

def die_with_parent():
    """In the child: even a killed run.py leaves nothing behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Processes:
    """What this run has started; ends it in reverse order."""

    def __init__(self):
        self.started = []

    def start(self, command, **options):
        # a session of its own: Ctrl-C comes to us, and we end the others
        process = subprocess.Popen([str(word) for word in command],
                                   preexec_fn=die_with_parent, **options)
        self.started.append(process)
        return process

    def end(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(ENDING_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def start_emulator(processes, build, cards, scratch):
    """Starts the cards and returns once all of them listen."""
    command = [word.format(build=build, dir=scratch, cards=cards)
               for word in EMULATOR]
    if not os.access(command[0], os.X_OK):
        raise RunError(f"{command[0]} is not built")
    with open(scratch / "emulator.log", "wb") as log:
        emulator = processes.start(command, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=log,
                                   start_new_session=True)
    with selectors.DefaultSelector() as selector:
        selector.register(emulator.stdout, selectors.EVENT_READ)
        said, deadline = b"", time.monotonic() + EMULATOR_START_S
        while b"ready" not in said:
            left = deadline - time.monotonic()
            piece = b""
            if left > 0 and selector.select(left):
                piece = os.read(emulator.stdout.fileno(), 4096)
            if not piece:
                complaint = (scratch / "emulator.log").read_text()[-2000:]
                raise RunError("the card emulator is not ready: " +
                               (complaint or said.decode()))
            said += piece
    return emulator


def qemu_command(root):
    """QEMU out of the root: with its own loader, libraries and firmware."""
    libraries = root / "usr/lib/x86_64-linux-gnu"
    return [root / "usr/lib64/ld-linux-x86-64.so.2",
            "--library-path", libraries,
            root / "usr/bin/qemu-system-x86_64",
            "-L", root / "usr/share/qemu", "-L", root / "usr/share/seabios"]


def port_options(args):
    """A port for each card, named port0...: root ports at the speed at which
    QEMU shows an active link, or the ports of one switch. Below a switch cards
    reach each other; between root ports Linux knows no path on this machine."""
    options, kind = [], "pcie-root-port,x-speed=5"
    if args.topology == "switch":
        options = ["-device", "pcie-root-port,id=root,chassis=100,slot=100",
                   "-device", "x3130-upstream,id=switch,bus=root"]
        kind = "xio3130-downstream,bus=switch"
    for card in range(args.cards):
        options += ["-device", f"{kind},id=port{card},chassis={card + 1},"
                               f"slot={card + 1}"]
    return options


def card_options(args, scratch):
    """The cards at their ports. A card may take a minute to answer; JSON is the
    only form that takes a socket."""
    options = []
    for card in range(args.cards):
        device = {"driver": "vfio-user-pci", "id": f"acc{card}",
                  "bus": f"port{card}", "x-msg-timeout": 60000,
                  "socket": {"path": str(scratch / f"card{card}.sock"),
                             "type": "unix"}}
        if args.stand_in:
            device = {"driver": args.stand_in, "bus": f"port{card}"}
        options += ["-device", json.dumps(device)]
    return options


def memory_options(args):
    """Memory that the cards can map, in one piece or on two nodes, each with
    half of the CPUs."""
    if not args.numa:
        return ["-machine", "q35,memory-backend=m0",
                "-smp", str(args.cpus), "-m", args.memory,
                "-object",
                f"memory-backend-memfd,id=m0,size={args.memory},share=on"]
    half, middle = f"{NUMA_NODE_MIB}M", args.cpus // 2
    options = ["-machine", "q35", "-m", f"{2 * NUMA_NODE_MIB}M",
               "-smp", f"{2 * middle},sockets=2"]
    for node, cpus in enumerate(((0, middle - 1), (middle, 2 * middle - 1))):
        options += ["-object",
                    f"memory-backend-memfd,id=m{node},size={half},share=on",
                    "-numa", f"node,nodeid={node},cpus={cpus[0]}-{cpus[1]},"
                             f"memdev=m{node}"]
    return options


def guest_options(args, kernel, scratch):
    """The machine without its cards and serial ports."""
    words = kernel.words + [f"SUITE={args.suite}", f"CARDS={args.cards}",
                            f"TOPOLOGY={args.topology}"]
    if (scratch / "card0.ctl").exists():
        words.append("OAC_TEST_CTL=/dev/ttyS1")
    words += [word for words_of_one in args.append for word in words_of_one.split()]
    if args.shell:
        words.append("DEBUG_SHELL=1")
    return ["-accel", "tcg", "-cpu", "max", *memory_options(args),
            "-nodefaults", "-display", "none", "-no-reboot",
            "-qmp", f"unix:{scratch / 'qmp.sock'},server=on,wait=off",
            "-kernel", kernel.image, "-initrd", scratch / "initramfs",
            "-append", " ".join(words)]


# --- results -----------------------------------------------------------------

def follow(qemu, emulator, results, deadlines, scratch):
    """Reads results until the guest is off; returns what went wrong. Of the
    deadlines the first is for its first line, the second for its end."""
    boot_deadline, deadline = deadlines
    with selectors.DefaultSelector() as selector:
        selector.register(qemu.stdout, selectors.EVENT_READ)
        if emulator:
            selector.register(emulator.stdout, selectors.EVENT_READ)
        while True:
            left = (deadline if results.lines else boot_deadline) - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                return f"out of time during {results.running}"
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                if key.fileobj is qemu.stdout:
                    if not data:
                        return None
                    seen = len(results.lines)
                    results.feed(data)
                    for line in filter(doors.is_request,
                                       results.lines[seen:]):
                        qemu.stdin.write(doors.answer(scratch, line))
                        qemu.stdin.flush()
                elif not data:
                    return (f"the card emulator ended with {emulator.wait()} "
                            f"during {results.running}")


def log_text(scratch, name):
    path = scratch / name
    return path.read_text(errors="replace") if path.exists() else ""


def show_logs(scratch):
    """The ends of everything that may say why a run broke."""
    for name, count in (("emulator.log", 10), ("qemu.log", 10),
                        ("console.log", 40)):
        text = log_text(scratch, name)
        if text:
            print(f"# last lines of {name}:")
        for line in text.splitlines()[-count:]:
            print("#", line)


def judge(results, trouble, qemu, scratch):
    """Adds the failures that only the host can see."""
    console = log_text(scratch, "console.log")
    splats = re.compile((GUEST / "splat.regex").read_text().strip())
    complaints = [line for line in console.splitlines() if splats.search(line)]
    if not trouble and qemu.wait() != 0:
        trouble = f"QEMU ended with {qemu.returncode}"
    if not trouble and not results.finished:
        trouble = f"the guest ended during {results.running}"
    if trouble:
        results.fail("run", trouble)
        show_logs(scratch)
    if complaints and not any(": kernel: " in line for line in results.lines):
        results.fail("kernel-log", complaints[0])
    if not sum(results.count.values()):
        results.fail("run", "no test was run")


def boot(args, root, kernel, scratch, processes):
    """Starts the cards and the machine; returns QEMU and the emulator."""
    emulator = None
    if args.cards and not args.stand_in:
        emulator = start_emulator(processes, args.build_dir, args.cards,
                                  scratch)
    command = qemu_command(root)
    command += guest_options(args, kernel, scratch)
    if args.shell:
        command += ["-serial", "mon:stdio", "-serial", "null"]
        pipes = {}
    else:
        # stdout is the second port: its end is the machine's
        command += ["-serial", f"file:{scratch / 'console.log'}",
                    "-serial", "stdio"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE,
                 "stderr": open(scratch / "qemu.log", "wb"),
                 "start_new_session": True}
    command += port_options(args) + card_options(args, scratch) + args.qemu
    return processes.start(command, **pipes), emulator


def build_initramfs(args, kernel, scratch):
    """Builds the module, unless one is given, and the guest's files."""
    ours = args.module
    if not ours:
        ours = args.build_dir / "vm" / f"module-{args.kernel}/kernel/oac.ko"
        output_of(HERE / "build-module.sh", args.kernel, ours.parent.parent)
    image = Initramfs()
    add_user_space(image, args.build_dir)
    add_suites(image)
    add_modules(image, kernel, ours, scratch / "modules", args.guest_module)
    image.write(scratch / "initramfs")


def save_log(args, results, scratch):
    """Results, console and the others' words, in one file."""
    log = args.build_dir / "vm" / f"{args.name or args.kernel + '-' + args.suite}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as out:
        out.write("== results\n" +
                  "\n".join(line for line in results.lines
                            if not line.startswith("# counters ")) +
                  f"\n{results.summary()}\n")
        for name in ("qemu.log", "emulator.log", "console.log"):
            out.write(f"== {name}\n{log_text(scratch, name)}\n")
    if counters := results.counters():
        log.with_suffix(".gcov.tar.gz").write_bytes(counters)
    return log


def run(args, scratch, processes):
    """One run; returns the exit code."""
    started = time.monotonic()
    root = pathlib.Path(output_of(HERE / "root.sh").strip())
    kernel = Kernel(args.kernel, root)
    build_initramfs(args, kernel, scratch)
    prepared = time.monotonic()
    qemu, emulator = boot(args, root, kernel, scratch, processes)
    if args.shell:
        return qemu.wait()
    results = Results()
    try:
        deadlines = (prepared + min(BOOT_S, args.timeout) * kernel.slow,
                     prepared + args.timeout * kernel.slow)
        trouble = follow(qemu, emulator, results, deadlines, scratch)
        judge(results, trouble, qemu, scratch)
    finally:
        log = save_log(args, results, scratch)
    print(f"# prepared in {prepared - started:.1f} s, ran for "
          f"{time.monotonic() - prepared:.1f} s; log: {log}")
    print(results.summary())
    return 1 if results.count["not ok"] else 0


def parse_arguments():
    suites = sorted(path.stem for path in GUEST.glob("suites/*.sh"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kernel", choices=KERNELS, default="6.12")
    parser.add_argument("--cards", type=int, default=1, metavar="N")
    parser.add_argument("--suite", choices=suites, default="smoke")
    parser.add_argument("--build-dir", type=pathlib.Path, metavar="DIR",
                        default=CHECKOUT / "build")
    parser.add_argument("--list", action="store_true",
                        help="show the suites and kernels there are")
    parser.add_argument("--keep", action="store_true",
                        help="keep the temporary folder and say where it is")
    parser.add_argument("--timeout", type=float, default=900, metavar="S",
                        help="for the guest's whole life (default: 900); the "
                        f"debug kernel gets {DEBUG_SLOW} times as much")
    parser.add_argument("--memory", default="2G", metavar="SIZE")
    parser.add_argument("--cpus", type=int, default=2, metavar="N",
                        help="of the guest (default: 2)")
    parser.add_argument("--topology", choices=("ports", "switch"),
                        default="ports", help="each card at a root port of its "
                        "own (default), or all below one switch, where they can "
                        "reach each other")
    parser.add_argument("--numa", action="store_true",
                        help="two memory nodes of 1 GiB, instead of --memory")
    parser.add_argument("--qemu", action="append", default=[], metavar="WORD",
                        help="one more word for QEMU's command line, e.g. "
                        "--qemu=-device --qemu=nvme,serial=1,drive=d")
    parser.add_argument("--append", action="append", default=[], metavar="WORDS",
                        help="more words for the kernel: its own parameters, "
                             "oac.NAME=VALUE for the module, NAME=VALUE for the "
                             "suite's environment")
    parser.add_argument("--guest-module", action="append", default=[],
                        metavar="NAME",
                        help="one more module for the guest; a suite loads it")
    parser.add_argument("--name", metavar="NAME",
                        help="of the log (default: KERNEL-SUITE)")
    parser.add_argument("--module", type=pathlib.Path, metavar="FILE",
                        help="use this oac.ko instead of building one")
    parser.add_argument("--shell", action="store_true",
                        help="a shell in the guest instead of the suite")
    # some other QEMU device in place of the cards, to test this harness
    parser.add_argument("--stand-in", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.numa and args.cpus < 2:
        parser.error("--numa takes at least two CPUs")
    args.build_dir = args.build_dir.resolve()
    if args.list:
        print("suites:", *suites)
        print("kernels:", *KERNELS)
        sys.exit()
    return args


def main():
    args = parse_arguments()
    # also where a background job's shell had it ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    processes = Processes()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="oac-vm-"))
    try:
        return run(args, scratch, processes)
    except RunError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    finally:
        processes.end()
        if args.keep:
            print(f"# kept {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
