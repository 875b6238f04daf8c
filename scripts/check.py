#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""Runs the project's checks and tests, stage by stage, and counts them.

The table STAGES says what there is. Each stage prints one line when it begins
and one when it ends. Each program's failed tests are shown when it ends, with
the end of their output, and its skipped ones by reason. The last line is "N
passed, N failed", with ", N skipped" behind it where there are some. Full output
is under build/check/.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field

TOP = pathlib.Path(__file__).resolve().parent.parent
LOGS = TOP / "build" / "check"
TAIL = 40                       # lines of output shown of a failed test
SKIPPED_EXIT = 77               # a program's way to say that it was skipped
JOBS = str(os.cpu_count() or 2)


@dataclass
class Result:
    passed: int = 0
    failures: list = field(default_factory=list)   # (name, output)
    skips: list = field(default_factory=list)      # (name, reason)

    def add(self, other):
        self.passed += other.passed
        self.failures += other.failures
        self.skips += other.skips
        return self

    def __str__(self):
        skipped = f", {len(self.skips)} skipped" if self.skips else ""
        return f"{self.passed} passed, {len(self.failures)} failed{skipped}"


# --- telling -------------------------------------------------------------------

SAYING = threading.Lock()


def say(text):
    with SAYING:
        print(text, flush=True)


def reported(result):
    """Says at once what failed and what was skipped: whoever ends us early has
    seen it. Returns the same."""
    for test, output in result.failures:
        tail = output.strip().splitlines()[-TAIL:]
        say(f"FAIL {test}\n" + "\n".join(f"     {line}" for line in tail))
    by_reason = {}
    for test, reason in result.skips:
        by_reason.setdefault(reason, []).append(test)
    for reason, tests in by_reason.items():
        more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
        say(f"SKIP {tests[0]}{more}: {reason}")
    return result


# --- running a program --------------------------------------------------------

def run(command, name, timeout, env=None, cwd=TOP):
    """Runs a command; returns (exit status or a word why not, output)."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / (re.sub(r"[^\w.-]+", "_", name) + ".log")
    status = None
    with open(log, "w", encoding="utf-8", errors="replace") as out:
        try:
            # A session of its own, so that a timeout ends its children as well.
            with subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=cwd,
                                  stdin=subprocess.DEVNULL, start_new_session=True,
                                  env=dict(os.environ, **(env or {}))) as process:
                try:
                    status = process.wait(timeout)
                except subprocess.TimeoutExpired:
                    status = f"no end after {timeout} s"
                finally:
                    if process.poll() is None:
                        os.killpg(process.pid, signal.SIGKILL)
        except OSError as error:
            status = str(error)
    return status, log.read_text(encoding="utf-8", errors="replace")


def said(status):
    if isinstance(status, int) and status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"exit status {status}" if isinstance(status, int) else status


# --- counting: each turns (name, status, output) into a Result -----------------

def count_exit(name, status, output):
    """The command is one test."""
    if status == 0:
        return Result(passed=1)
    if status == SKIPPED_EXIT:
        lines = output.strip().splitlines() or ["no reason given"]
        return Result(skips=[(name, lines[-1])])
    return Result(failures=[(name, f"{output}\n{said(status)}")])


GTEST_LINE = re.compile(r"\[ +(RUN|OK|FAILED|SKIPPED) +\] ([\w./<>-]+)")


def count_gtest(name, status, output):
    """A googletest program, by what it prints: a crash does not lose the tests
    before it. Anything else counts as one test by its exit status."""
    if "[==========]" not in output:
        return count_exit(name, status, output)
    result, current, lines = Result(), None, []
    for line in output.splitlines():
        match = GTEST_LINE.search(line)
        if match and match.group(1) == "RUN":
            current, lines = match.group(2), []
        elif match and current == match.group(2):
            word = match.group(1)
            if word == "OK":
                result.passed += 1
            elif word == "FAILED":
                result.failures.append((f"{name} {current}", "\n".join(lines)))
            else:
                reason = [text for text in lines if not text.endswith(": Skipped")]
                result.skips.append((f"{name} {current}",
                                     " ".join(reason).strip() or "no reason given"))
            current, lines = None, []
        else:
            lines.append(line)
    if current:
        result.failures.append((f"{name} {current}", "\n".join(lines + [said(status)])))
    elif status != 0 and not result.failures:
        result.failures.append((name, f"{output}\n{said(status)}"))
    return result


RING_LINE = re.compile(r"(ok|not ok|skip) ([^\s:]+)(?:: (.*))?$")
RING_END = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")


def count_ring(name, status, output):
    """The lines of tests/vm/run.py; its closing line must agree with them."""
    result, end = Result(), None
    for line in output.splitlines():
        match = RING_LINE.match(line)
        if match:
            word, test, text = match.groups()
            if word == "ok":
                result.passed += 1
            elif word == "not ok":
                result.failures.append((f"{name} {test}", text or ""))
            else:
                result.skips.append((f"{name} {test}", text or "no reason given"))
        end = RING_END.match(line) or end
    counts = [result.passed, len(result.failures), len(result.skips)]
    if end is None or [int(text or 0) for text in end.groups()] != counts:
        result.failures.append((name, f"{output}\nno closing line that agrees with the tests; "
                                      f"{said(status)}"))
    elif status != 0 and not result.failures:
        result.failures.append((name, f"{output}\n{said(status)}"))
    return result


# --- builds -------------------------------------------------------------------

@dataclass(frozen=True)
class Build:
    preset: str
    directory: pathlib.Path
    timeout: int                # seconds for one test program
    env: dict = field(default_factory=dict, hash=False)


BUILDS = {
    "default": Build("default", TOP / "build", 600),
    "asan": Build("asan", TOP / "build-asan", 900, {
        "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}),
    # Tests of fork() start a card's thread in the child.
    "tsan": Build("tsan", TOP / "build-tsan", 900, {
        "TSAN_OPTIONS": "second_deadlock_stack=1:die_after_fork=0"}),
    "fuzz": Build("fuzz", TOP / "build-fuzz", 900),
    "coverage": Build("coverage", TOP / "build-coverage", 900),
}
BUILT = {}


# A stage alone says which cards its tests run on, and the flags of a make that
# started us are not for the builds started from here.
CARDS = ("ACCEL_EMU", "ACCEL_SOCKETS", "ACCEL_SUBMIT")
for variable in CARDS + ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
    os.environ.pop(variable, None)


def build(name):
    """Builds once; returns what went wrong, as a Result: in full the first time."""
    if name in BUILT and BUILT[name].failures:
        return reported(Result(failures=[(f"build {name}", "see above")]))
    if name not in BUILT:
        begin, result = time.monotonic(), Result()
        for command in (["cmake", "--preset", name],
                        ["cmake", "--build", "--preset", name, "-j", JOBS]):
            status, output = run(command, f"build-{name}", 3000)
            if status != 0:
                result = Result(failures=[(f"build {name}", output + "\n" + said(status))])
                break
        say(f"   built {name} in {time.monotonic() - begin:.1f} s"
            if not result.failures else f"   build {name} failed")
        BUILT[name] = reported(result)
    return BUILT[name]


def without_aslr():
    """Sanitizers of GCC 12 cannot place their shadow under wide ASLR."""
    if shutil.which("setarch") and subprocess.run(["setarch", "-R", "true"], check=False,
                                                  capture_output=True).returncode == 0:
        return ["setarch", "-R"]
    return []


# --- what there is to run -----------------------------------------------------

def is_program(path):
    return path.is_file() and os.access(path, os.X_OK)


def test_programs(where, kind):
    """The test programs of one kind: those CTest knows by label or place, and
    tests/KIND/test_* of the build. Returns {name: (command, environment)}."""
    found, seen = {}, set()
    listed = subprocess.run(["ctest", "--test-dir", where.directory, "--show-only=json-v1"],
                            capture_output=True, text=True, check=False).stdout
    tests = json.loads(listed)["tests"] if listed.startswith("{") else []
    for test in tests:
        properties = {entry["name"]: entry["value"] for entry in test.get("properties", [])}
        if not test.get("command"):
            continue
        if properties.get("DISABLED"):
            seen.add(tuple(test["command"]))
            continue
        labels = [label for label in properties.get("LABELS", []) if label in KINDS]
        place = [word for word in test["command"] if f"/tests/{kind}/" in word]
        if kind not in labels if labels else not place:
            continue
        # Programs whose tests CTest knows one by one are run once, as a whole.
        command = [word for word in test["command"] if not word.startswith("--gtest_")]
        if tuple(command) in seen:
            continue
        seen.add(tuple(command))
        whole = command != test["command"]
        name = pathlib.Path(command[0]).name if whole else test["name"]
        env = dict(pair.split("=", 1) for pair in properties.get("ENVIRONMENT", [])
                   if not pair.startswith(CARDS))
        found[name] = (command, env)
    for path in sorted((where.directory / "tests" / kind).rglob("test_*")):
        if is_program(path) and not any(str(path) in command for command in seen):
            found[path.name] = ([str(path)], {})
    return found


class Server:
    """Emulated cards behind sockets in a directory of their own."""

    def __init__(self, where, prefix, cards=2):
        self.dir = tempfile.mkdtemp(prefix="oac-check-")
        self.lines = []
        self.ready = threading.Event()
        self.process = subprocess.Popen(
            prefix + [str(where.directory / "tools" / "accel-emu"), "serve", "--dir", self.dir,
                      "--cards", str(cards)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            text=True, errors="replace", env=dict(os.environ, **where.env))
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)
            if "ready" in line:
                self.ready.set()
        self.ready.set()

    def wait_ready(self):
        return self.ready.wait(30) and self.process.poll() is None and \
            any("ready" in line for line in self.lines)

    def stop(self):
        """Returns what was wrong with its life or its end, if anything."""
        early = self.process.poll()
        if early is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                early = "did not stop on SIGTERM"
        self.reader.join(5)
        shutil.rmtree(self.dir, ignore_errors=True)
        if early is None and self.process.returncode not in (0, -signal.SIGTERM):
            early = self.process.returncode
        return "" if early is None else "".join(self.lines) + f"\naccel-emu: {said(early)}"


def run_tests(where, kind, stage, env=None, server=False):
    """All test programs of one kind. With a server, each has cards of its own,
    so that what one leaves behind cannot disturb the next."""
    result = Result()
    prefix = without_aslr() if where.env else []
    for name, (command, own) in test_programs(where, kind).items():
        label = f"{stage}/{name}"
        full = {**where.env, **own, **(env or {})}
        if not server:
            status, output = run(prefix + command, label, where.timeout, full)
            result.add(reported(count_gtest(label, status, output)))
            continue
        try:
            cards = Server(where, prefix)
        except OSError as error:
            return result.add(reported(Result(failures=[(label, f"accel-emu: {error}")])))
        try:
            status, output = "accel-emu did not get ready", ""
            if cards.wait_ready():
                status, output = run(prefix + command, label, where.timeout,
                                     {**full, "ACCEL_SOCKETS": cards.dir})
        finally:
            wrong = cards.stop()
        part = count_gtest(label, status, output)
        if wrong:
            part.failures.append((f"{label} server", wrong))
        result.add(reported(part))
    return result


# --- stages -------------------------------------------------------------------

# Stages made of commands, each of which is one test.
COMMANDS = {
    "static": [
        ("arrows-self-test", ["scripts/check-arrows.py", "--self-test"]),
        ("arrows", ["scripts/check-arrows.py"]),
        ("spdx", ["scripts/check-spdx.sh"]),
        ("format", ["scripts/check-format.sh"]),
        ("functions-self-test", ["scripts/check-functions.py", "--self-test"]),
        ("functions", ["scripts/check-functions.py"]),
        ("walk", ["scripts/check-walk.py"]),
        ("threats", ["scripts/check-threats.py"]),
    ],
    "install": [("tree", ["scripts/check-install.sh"])],
    "lint": [("lint", ["scripts/check-lint.sh"])],
    # What the stages before it saw, against docs/faults.md.
    "faults-table": [("faults-table", ["scripts/faults-table.py", "--check"])],
}

# Kinds of user-space tests: what they run on. The word before the first dash says which tests.
KINDS = {
    "unit": {},
    "abi": {},
    "api": {"env": {"ACCEL_EMU": "2"}},
    "api-driver": {"env": {"ACCEL_EMU": "2", "ACCEL_SUBMIT": "driver"}},
    "api-socket": {"server": True},
    "api-socket-driver": {"server": True, "env": {"ACCEL_SUBMIT": "driver"}},
    "faults": {"env": {"ACCEL_EMU": "2"}},
}
# Of these, those worth a sanitizer: the way of submission is a branch in one file, and what the abi
# tests ask is the kernel's to answer.
SANITIZED = ("unit", "api", "api-socket")


@dataclass(frozen=True)
class Guest:
    """One run of tests/vm/run.py: its suite, cards, and more words for the kernel's command line
    (its own parameters, the module's, the suite's environment)."""
    suite: str
    cards: int = 2
    what: str = ""              # tells guests of one suite apart
    append: str = ""
    options: tuple = ()         # of run.py, as they are

    @property
    def name(self):
        return "-".join(filter(None, (self.suite, self.what)))


# One of them in trouble.
SIX = Guest("six", cards=6)
DRIVER_SUBMISSION = Guest("api", what="driver", append="ACCEL_SUBMIT=driver")
# No queue may have a doorbell, and all interrupts come by one vector.
POOREST = [Guest(suite, what="poorest", append="oac.vectors=1 oac.user_submission=0")
           for suite in ("api", "abi", "isolation")]
# Cards below one switch: there is a path between them, where the kernel has CONFIG_PCI_P2PDMA.
PEER = Guest("peer", what="switch", options=("--topology", "switch"))
NUMA = Guest("numa", options=("--numa",))
# Poison, red zones and owners of all kernel objects: who writes to freed memory is a splat.
STRESS = Guest("stress", append="slub_debug=FZPU")
AER = Guest("aer")
# How often a card goes and comes where use after free is found at once.
ROUNDS = Guest("rounds", append="OAC_STRESS_ROUNDS=200")

# Each life of a card takes a guest a second or two: so only here is it not pulled at every access.
MALICIOUS = Guest("malicious", append="OAC_TEST_STRIDE=8")

# The VM ring by kernel. Guests of one kernel run one after the other, those of different kernels
# two at a time.
RING = {
    "6.12": [Guest("all"), DRIVER_SUBMISSION, Guest("queues"), Guest("faults"), *POOREST, NUMA,
             AER, SIX, Guest("digits", cards=6)],
    "7.3": [Guest("all"), DRIVER_SUBMISSION, PEER, STRESS, Guest("faults"), MALICIOUS, AER,
            Guest("rounds"), SIX, Guest("digits", cards=6)],
    "6.1": [Guest("smoke"), Guest("api"), Guest("abi")],
}
RING_TIMEOUT = 2400

# The same on the debug kernel, which is made first where it is not cached: two at a time, those that
# take longest first.
DEBUG_RING = [ROUNDS, Guest("fail-nth"), Guest("malicious"), Guest("faults"), Guest("abi"),
              Guest("api"), Guest("stress"), Guest("isolation"), Guest("fuzz-ioctl"), AER, PEER,
              Guest("smoke")]
DEBUG_TIMEOUT = 7200


def stage_commands(stage):
    result = Result()
    for name, command in COMMANDS[stage]:
        status, output = run(command, f"{stage}-{name}", 1800)
        notes = [line for line in output.splitlines() if line.startswith("note: ")]
        if notes and status == 0:
            say("\n".join(f"   {note}" for note in notes))
        result.add(reported(count_exit(f"{stage}/{name}", status, output)))
    return result


def run_kind(where, kind, stage):
    how = KINDS[kind]
    return run_tests(where, kind.partition("-")[0], stage, **how)


def stage_kind(stage):
    return run_kind(BUILDS["default"], stage, stage)


def stage_sanitized(stage):
    result = Result()
    for kind in SANITIZED:
        part = run_kind(BUILDS[stage], kind, f"{stage}-{kind}")
        say(f"   {stage}-{kind}: {part}")
        result.add(part)
    return result


def ring_kernel(kernel, guests, timeout):
    result = Result()
    for guest in guests:
        name = f"vm/{kernel}/{guest.name}-{guest.cards}"
        begin = time.monotonic()
        status, output = run(["python3", "tests/vm/run.py", "--kernel", kernel, "--cards",
                              str(guest.cards), "--suite", guest.suite,
                              *guest.options, "--append", guest.append,
                              "--name", f"{kernel}-{guest.name}-{guest.cards}"],
                             name, timeout)
        part = count_ring(name, status, output)
        say(f"   {name}: {part} ({time.monotonic() - begin:.1f} s)")
        result.add(reported(part))
    return result


def prepared(what, command, timeout):
    """For the guests: failures only."""
    status, output = run(command, what, timeout)
    if status == 0:
        return Result()
    return reported(Result(failures=[(f"vm/{what}", f"{output}\n{said(status)}")]))


def digits_data():
    return prepared("digits-data", ["scripts/fetch-digits.sh", "build/data/digits.csv.gz"], 300)


def stage_vm(_stage):
    result = digits_data()
    if result.failures:
        return result
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for part in pool.map(lambda kernel: ring_kernel(kernel, RING[kernel], RING_TIMEOUT), RING):
            result.add(part)
    return result


def stage_debug(_stage):
    result = digits_data().add(prepared("debug-kernel", ["tests/vm/debug-kernel.sh"], DEBUG_TIMEOUT))
    if result.failures:
        return result
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for part in pool.map(lambda guest: ring_kernel("debug", [guest], DEBUG_TIMEOUT), DEBUG_RING):
            result.add(part)
    return result


FUZZ_S = int(os.environ.get("FUZZ_SECONDS", "60"))


def fuzz(program):
    """One fuzz target for a while, from its seeds if it has any: what it finds is left in
    build/check."""
    seeds = TOP / "tests" / "fuzz" / "seeds" / program.name.removeprefix("fuzz_")
    with tempfile.TemporaryDirectory(prefix="oac-fuzz-") as corpus:
        status, output = run([program, f"-max_total_time={FUZZ_S}", "-max_len=4096",
                              "-rss_limit_mb=4096", "-timeout=30", "-print_final_stats=1",
                              "-handle_trap=1",   # how googletest breaks on a failure
                              f"-artifact_prefix={LOGS}/{program.name}-", corpus,
                              *([seeds] if seeds.is_dir() else [])],
                             f"fuzz-{program.name}", FUZZ_S + 300)
    runs = re.search(r"number_of_executed_units: (\d+)", output)
    covered = re.findall(r"cov: (\d+)", output)
    if runs and covered:
        say(f"   {program.name}: {runs.group(1)} runs, {covered[-1]} edges")
    return reported(count_exit(f"fuzz/{program.name}", status, output))


def stage_fuzz(_stage):
    programs = sorted((BUILDS["fuzz"].directory / "tests" / "fuzz").glob("fuzz_*"))
    result = Result()
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(JOBS)) as pool:
        for part in pool.map(fuzz, filter(is_program, programs)):
            result.add(part)
    return result


# (name, builds it needs, what runs it, part of a run without --only)
STAGES = [
    ("static", [], stage_commands, True),
    ("install", ["default"], stage_commands, True),
    ("unit", ["default"], stage_kind, True),
    ("abi", ["default"], stage_kind, True),
    ("api", ["default"], stage_kind, True),
    ("api-driver", ["default"], stage_kind, True),
    ("api-socket", ["default"], stage_kind, True),
    ("api-socket-driver", ["default"], stage_kind, True),
    ("faults", ["default"], stage_kind, True),
    ("asan", ["asan"], stage_sanitized, True),
    ("lint", ["default"], stage_commands, False),
    ("tsan", ["tsan"], stage_sanitized, False),
    ("fuzz", ["fuzz"], stage_fuzz, True),
    ("vm", ["default"], stage_vm, True),
    ("faults-table", [], stage_commands, True),
    ("debug", ["default", "fuzz"], stage_debug, False),
]

def run_stage(name, builds, action):
    begin = time.monotonic()
    say(f"== {name}")
    result = Result()
    for needed in builds:
        result.add(build(needed))
    if not result.failures:
        result.add(action(name))
        if not result.passed and not result.failures:
            result.add(reported(Result(failures=[(name, "the stage ran no test")])))
    say(f"== {name}: {result} ({time.monotonic() - begin:.1f} s)")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", metavar="STAGE,...", help="run these stages, in table order")
    parser.add_argument("--list", action="store_true", help="name the stages")
    args = parser.parse_args()
    names = [stage[0] for stage in STAGES]
    if args.list:
        print("\n".join(names))
        return 0
    only = args.only.split(",") if args.only else \
        [stage[0] for stage in STAGES if stage[3]]
    unknown = sorted(set(only) - set(names))
    if unknown:
        parser.error(f"no stage {', '.join(unknown)}; there are {', '.join(names)}")
    os.chdir(TOP)
    total = Result()
    for name, builds, action, _ in STAGES:
        if name in only:
            total.add(run_stage(name, builds, action))
    if total.failures:
        say("failed: " + ", ".join(test for test, _ in total.failures))
    print(total, flush=True)
    return 1 if total.failures else 0


if __name__ == "__main__":
    sys.exit(main())
