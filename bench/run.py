#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""Measures everything there is a goal for, and writes it down.

accel-bench takes times and their ratios in one process. This adds what takes
other programs: instructions (callgrind), system calls (strace), the kernel's
paths in a guest (QEMU with a counting plugin), whole processes. All of it goes
to build/bench.json, to a table here, and to the one in docs/performance.md.
A part whose program is missing gives rows that say so; nothing here fails
because a goal is not met.

Examples:
  bench/run.py                          all of it: some minutes, wants a quiet machine
  bench/run.py --parts count,calls      what is exact on a busy machine, too
  bench/run.py --quick                  proves that it runs; no verdicts, no docs
  bench/run.py --docs-only              the table in docs/ from build/bench.json
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
DOCS = TOP / "docs" / "performance.md"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
CHILD_S = 1200


class Missing(Exception):
    """What is not here to measure with; its text goes into the rows."""


# --- rows ---------------------------------------------------------------------

def row(goal_number, name, what, unit, value=None, floor=None, floor_name="", goal=None,
        on="ratio", at_least=False, stretch=None, note=""):
    """One line of the report. on: whether the goal is for the ratio or the value."""
    ratio = value / floor if value is not None and floor else None
    judged = ratio if on == "ratio" else value
    met = None
    if goal is not None and judged is not None:
        met = judged >= goal if at_least else judged <= goal
    return {"name": name, "goal_number": goal_number, "what": what, "unit": unit, "value": value,
            "floor_name": floor_name, "floor": floor, "ratio": ratio, "goal": goal,
            "stretch": stretch, "goal_is": "at least" if at_least else "at most", "goal_on": on,
            "met": met, "note": note}


def verdict(entry):
    if entry["goal"] is None:
        return ""
    return {True: "met", False: "not met", None: "no verdict"}[entry["met"]]


def figure(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def goal_text(entry):
    if entry["goal"] is None:
        return ""
    sign = "≥" if entry["goal_is"] == "at least" else "≤"
    times = "x" if entry["goal_on"] == "ratio" else ""
    return f"{sign} {figure(entry['goal'])}{times}"


# --- running things -----------------------------------------------------------

def program(name):
    path = shutil.which(name)
    if not path:
        raise Missing(f"{name} is not installed")
    return path


def run(command, **options):
    """Standard output and error of a command; raises with its last words."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          errors="replace", timeout=CHILD_S, check=False, **options)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["said nothing"]
        raise Missing(f"{pathlib.Path(str(command[0])).name} ended with {done.returncode}: "
                      f"{said[-1][:200]}")
    return done.stdout + done.stderr


class Builds:
    """The two builds: as it is used, and one for callgrind, which knows no AVX-512."""

    def __init__(self, build):
        self.default = build
        self.plain = build / "bench-v3"
        self.is_plain_built = False

    def bench(self):
        path = self.default / "bench" / "accel-bench"
        if not path.exists():
            raise Missing(f"{path} is not built: make build")
        return path

    def plain_bench(self):
        if not self.is_plain_built:
            print("# building for callgrind", flush=True)
            flags = "-march=x86-64-v3"
            run(["cmake", "-S", TOP, "-B", self.plain, "-D", "CMAKE_BUILD_TYPE=RelWithDebInfo",
                 "-D", f"CMAKE_CXX_FLAGS={flags}", "-D", f"CMAKE_C_FLAGS={flags}"])
            run(["cmake", "--build", self.plain, "--target", "accel-bench", "-j",
                 str(os.cpu_count())])
            self.is_plain_built = True
        return self.plain / "bench" / "accel-bench"


class Server:
    """accel-emu with cards on sockets in a directory of its own."""

    def __init__(self, build, cards, *more):
        self.dir = tempfile.mkdtemp(prefix="accel-bench-")
        self.process = subprocess.Popen(
            [build / "tools" / "accel-emu", "serve", "--dir", self.dir, "--cards", str(cards),
             *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if "ready" not in line:
            self.stop()
            raise Missing(f"accel-emu did not get ready: {line.strip()}")
        # As accel-bench does it: the host on the first core, the cards on the second.
        core = {sorted(os.sched_getaffinity(0))[:2][-1]}
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            os.sched_setaffinity(int(thread), core)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


# --- part: times --------------------------------------------------------------

def part_time(builds, options):
    """accel-bench's own rows."""
    out = builds.default / "bench-time.json"
    command = [str(builds.bench()), "--json", str(out)]
    if options.quick:
        command.append("--quick")
    if subprocess.run(command, check=False).returncode not in (0, 1):
        raise Missing("accel-bench did not end well")
    return json.loads(out.read_text(encoding="utf-8"))["rows"]


# --- part: instructions -------------------------------------------------------

# What is counted: the functions named, with all that they call.
ALL = ("accel_bench_counted",)
LIBRARY = ("accel_queue_nop", "accel_queue_submit", "accel_queue_reap")
CARD = ("accel_emu_card_step",)
HOST_HALF = ("accel_bench_host_*",)


def instructions(builds, name, ops, only=ALL):
    """Per operation, from the difference of N and 3N of them: set-up cancels out."""
    valgrind, bench = program("valgrind"), builds.plain_bench()
    toggles = [f"--toggle-collect={function}" for function in only]

    def collected(count):
        said = run([valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null",
                    *toggles, bench, "--count", name, "--ops", str(count)])
        match = re.search(r"Collected : (\d+)", said)
        if not match:
            raise Missing("callgrind has counted nothing")
        return int(match.group(1))
    return (collected(3 * ops) - collected(ops)) / (2 * ops)


def guarded(entry, values):
    """The row made of values, or one that says why there are none."""
    try:
        return row(*entry[0], **entry[1], **values())
    except Missing as why:
        return row(*entry[0], **entry[1], note=f"not measured: {why}")


def part_count(builds, options):
    """Instructions in user space: goals 1, 7, 11."""
    ops = 320 if options.quick else 3200
    rows, floors = [], {}

    def over_ring(name, batch):
        floor_name = f"ring_one_thread_batch{batch}"
        if floor_name not in floors:
            floors[floor_name] = instructions(builds, floor_name, ops)
        return {"value": instructions(builds, name, ops, LIBRARY + CARD),
                "floor": floors[floor_name]}

    for kind, text in (("noop_inline", "queue of one thread"),
                       ("noop_inline_shared", "queue of any threads")):
        for batch, goal, stretch in ((1, 180, 120), (32, 130, 90)):
            name = f"{kind}_batch{batch}"
            rows.append(guarded(
                ((1, name, f"no-op through the API, card in the same thread, {text}",
                  "instructions"),
                 {"goal": goal, "stretch": stretch, "on": "value",
                  "floor_name": f"ring_one_thread_batch{batch}"}),
                lambda name=name, batch=batch: over_ring(name, batch)))
    rows.append(guarded(
        ((7, "noop_inline_8x16", "no-op, in turn over 8 cards x 16 queues", "instructions"),
         {"goal": 1.1, "floor_name": "noop_inline_1x1"}),
        lambda: {"value": instructions(builds, "noop_inline_8x16", ops),
                 "floor": instructions(builds, "noop_inline_1x1", ops)}))
    rows.append(guarded(
        ((11, "registered_buffer", "copy from a mapped buffer more than a no-op, host's half",
          "instructions"), {"goal": 60, "on": "value"}),
        lambda: {"value": instructions(builds, "host_half_copy", ops, HOST_HALF) -
                 instructions(builds, "host_half_noop", ops, HOST_HALF)}))
    for part, text, only in (("library", "the library alone", LIBRARY),
                             ("card", "the card alone", CARD),
                             ("and_loop", "with the loop that calls them", ALL)):
        rows.append(guarded(
            ((1, f"noop_inline_batch1_{part}", f"the same at batch 1, {text}", "instructions"), {}),
            lambda only=only: {"value": instructions(builds, "noop_inline_batch1", ops, only)}))
    return rows


# --- part: system calls -------------------------------------------------------

# Under strace a client takes so long that an emulated card goes to sleep before its
# next batch, which a card of silicon never does: this one waits for 100 ms.
AWAKE = ("--poll-us", "100000")


def system_calls(builds, name, ops, *server):
    """Per operation, of the threads of a client whose card is in another process: those of the
    program. The library's own one calls by the clock, whatever the program does, and is apart."""
    strace = program("strace")

    def total(count):
        with Server(builds.default, 1, *server) as cards, tempfile.NamedTemporaryFile("r") as out:
            run([strace, "-f", "-o", out.name, builds.bench(),
                 "--count", name, "--ops", str(count), "--card", f"socket:{cards.dir}/card0.sock"])
            calls = re.findall(r"^(\d+) +\w+\(.*", out.read(), re.M)
        if not calls:
            raise Missing("strace has counted nothing")
        # The first line is the program's; accel-bench submits and reaps on that thread alone.
        return calls.count(calls[0])
    return (total(3 * ops) - total(ops)) / (2 * ops)


# How many calls may come from the first sleeps of a card that then stays awake.
STRAY_CALLS = 0.01


def part_calls(builds, options):
    """Goal 6."""
    ops = 640 if options.quick else 3200
    rows = []
    for name, text in (("noop_polled_depth1", "depth 1"), ("noop_polled_depth128", "depth 128")):
        entry = guarded(
            ((6, f"{name}_calls", f"no-op polled for, {text}: per command", "system calls"),
             {"goal": STRAY_CALLS, "on": "value"}),
            lambda name=name: {"value": system_calls(builds, name, 10 * ops)})
        rows.append(entry)
    for name, batch in (("slept_batch1", 1), ("slept_batch32", 32)):
        rows.append(guarded(
            ((6, f"{name}_calls", f"batch of {batch}, slept for: per batch", "system calls"),
             {"goal": 1, "on": "value"}),
            lambda name=name, batch=batch:
                {"value": system_calls(builds, name, 64 * batch, *AWAKE) * batch}))
    rows.append(guarded(
        ((6, "slept_batch1_asleep_calls", "batch of 1, slept for, by a card asleep: per batch",
          "system calls"), {}),
        lambda: {"value": system_calls(builds, "slept_batch1", 64)}))
    return rows


# --- part: the kernel in a guest ----------------------------------------------

WARM_UP = 2
SAMPLES_AT_LEAST = 5


def guest_samples(words, counts):
    """{name: instructions per operation}, {name: why not} of what guest_bench said."""
    values, why, valid = {}, {}, None
    for line in words:
        if line.startswith("V "):
            valid = line[2:]
        elif line.startswith("G "):
            _, name, operations, samples = line.split()
            mine, counts = counts[:int(samples)], counts[int(samples):]
            if valid:
                mine = [count for count, is_valid in zip(mine, valid) if is_valid == "1"]
            else:
                # No sleep in it: timers only add.
                mine = [min(mine[WARM_UP:])] * SAMPLES_AT_LEAST
            if len(mine) < SAMPLES_AT_LEAST:
                why[name] = f"no verdict: {len(mine)} samples slept undisturbed"
            else:
                # Noise only adds, and the lower quartile is where most samples are.
                values[name] = statistics.quantiles(mine, n=4)[0] / int(operations)
            valid = None
        elif line.startswith("S "):
            why.setdefault("", line[2:])
    return values, why


def guest_words(builds, options, suite, scratch, letters, *more):
    """Boots a guest with a card and an NVMe drive; returns its lines that begin with a letter."""
    drive = f"{scratch}/drive"
    with open(drive, "wb") as file:
        file.truncate(64 << 20)
    command = ["tests/vm/run.py", "--kernel", options.kernel, "--cards", "1", "--suite", suite,
               "--guest-module", "nvme", "--build-dir", builds.default, *more]
    for word in ("-drive", f"file={drive},if=none,id=drive,format=raw,cache=unsafe",
                 "-device", "nvme,serial=bench,drive=drive"):
        command.append(f"--qemu={word}")
    if options.module:
        command += ["--module", options.module]
    done = subprocess.run([str(word) for word in command], cwd=TOP, capture_output=True,
                          text=True, errors="replace", timeout=CHILD_S, check=False)
    words = [line[2:] for line in done.stdout.splitlines() if re.match(f"# [{letters}] ", line)]
    if not words:
        said = (done.stdout + done.stderr).strip().splitlines() or ["nothing"]
        raise Missing(f"the guest said {said[-1][:200]}")
    return words


def run_guest(builds, options):
    """What guest_samples() returns, of the suite bench with the counting plugin."""
    plugin = builds.default / "lib" / "count_plugin.so"
    if not plugin.exists():
        raise Missing(f"{plugin} is not built (x86-64 only)")
    with tempfile.TemporaryDirectory(prefix="accel-bench-") as scratch:
        counts = f"{scratch}/counts"
        words = guest_words(builds, options, "bench", scratch, "VGS", "--cpus", "1", "--append",
                            "mitigations=off", "--qemu=-plugin",
                            f"--qemu={plugin},out={counts}")
        # A failed check's last words are shown twice.
        ended = words.index(words[-1]) + 1 if words.count(words[-1]) > 1 else len(words)
        numbers = [int(line) for line in open(counts, encoding="ascii")]
        return guest_samples(words[:ended], numbers)


# (goal, figure, what, floor, goal's bar, on what)
GUEST_ROWS = [
    (13, "submit_ioctl_1", "submit ioctl, one command", "drm_ioctl_version", 2.0, "ratio"),
    (13, "submit_ioctl_1", "submit ioctl, one command", "nvme_uring_flush_1", 0.5, "ratio"),
    (13, "submit_ioctl_32", "submit ioctl, batch of 32: per command", "nvme_uring_flush_32", 600,
     "value"),
    (13, "user_doorbell_1", "user-mode doorbell, one command", "drm_ioctl_version", None, "ratio"),
    (14, "submit_wait_1", "submit ioctl, interrupt, waiter awake", "nvme_uring_flush_1", 1.0,
     "ratio"),
    (14, "submit_wait_1", "submit ioctl, interrupt, waiter awake", "nvme_flush_ioctl", 1.0,
     "ratio"),
    (14, "user_wait_1", "user doorbell, interrupt, waiter awake", "nvme_uring_flush_1", 1.0,
     "ratio"),
    (14, "submit_fence_wait_1", "submit ioctl, fence, interrupt, syncobj waiter awake",
     "nvme_uring_flush_1", 1.0, "ratio"),
    (14, "submit_wait_32", "the same, batch of 32: per command", "nvme_uring_flush_32", 0.35,
     "ratio"),
    (14, "user_wait_32", "user doorbell, batch of 32: per command", "nvme_uring_flush_32", 0.35,
     "ratio"),
]


def part_guest(builds, options):
    """Goals 13 and 14: instructions of the guest, all privilege levels."""
    values, why = {}, {}
    try:
        values, why = run_guest(builds, options)
    except Missing as reason:
        why[""] = str(reason)
    rows = []
    for goal_number, name, what, floor, goal, on in GUEST_ROWS:
        note = ""
        if name not in values or floor not in values:
            note = why.get(name) or why.get(floor) or why.get("") or "not measured"
        rows.append(row(goal_number, name, f"{what} (Linux {options.kernel})", "instructions",
                        values.get(name), values.get(floor), floor, goal, on, note=note))
    return rows


# --- part: recovery in a guest ------------------------------------------------

# (figure, what, goal)
COMEBACK_ROWS = [
    ("recover_abort", "hang, by abort of the command", 1.0),
    ("recover_queue", "hang, by taking the queue", 1.0),
    ("recover_soft_reset", "hang, by soft reset and boot", 1.0),
    ("reset_soft", "by hand: soft reset and boot", 1.0),
]


def part_comeback(builds, options):
    """From the event that tells of a hang to the next command's end, over an NVMe drive's reset."""
    times, why = {}, ""
    try:
        with tempfile.TemporaryDirectory(prefix="accel-bench-") as scratch:
            for line in guest_words(builds, options, "recovery", scratch, "RS"):
                if line.startswith("S "):
                    why = line[2:]
                else:
                    _, name, *samples = line.split()
                    # As above: noise only adds.
                    times[name] = statistics.quantiles(map(int, samples), n=4)[0] / 1e6
    except Missing as reason:
        why = str(reason)
    floor = times.get("nvme_reset")
    return [row(None, name, f"the card works again: {what} (Linux {options.kernel})", "ms",
                times.get(name), floor, "nvme_reset", goal,
                note="" if name in times and floor else why or "not measured")
            for name, what, goal in COMEBACK_ROWS]


# --- part: whole processes ----------------------------------------------------

def process_ms(command, env, runs):
    """The best of some runs: noise only adds."""
    best = None
    for _ in range(runs):
        begin = time.monotonic()
        run(command, env=env)
        took = (time.monotonic() - begin) * 1e3
        best = took if best is None else min(best, took)
    return best


def part_process(builds, options):
    """Goal 17: a whole process that lists cards, against clinfo."""
    entry = ((17, "accelctl_list", "whole process: accelctl list, 8 cards behind sockets", "ms"),
             {"goal": 0.25, "floor_name": "clinfo -l"})

    def values():
        runs = 2 if options.quick else 15
        with Server(builds.default, 8) as server:
            env = dict(os.environ, ACCEL_SOCKETS=server.dir)
            env.pop("ACCEL_EMU", None)
            ours = process_ms([builds.default / "tools" / "accelctl", "list"], env, runs)
        try:
            return {"value": ours, "floor": process_ms([program("clinfo"), "-l"], None, runs)}
        except Missing as why:
            return {"value": ours, "note": f"no verdict: {why}"}
    return [guarded(entry, values)]


# --- part: recovery -----------------------------------------------------------

RECOVERY_GOAL_MS = 2
ROUNDS_AT_LEAST = 5


def part_recovery(builds, options):
    """From a hang that is seen to the next completed command, by the rung that helped."""
    said = json.loads(run([builds.bench(), "--recovery", 3 if options.quick else 100]))
    rows = []
    for entry in said["recoveries"]:
        rung, rounds = entry["rung"], entry["rounds"]
        clean = [one["ms"] for one in rounds if one["is_clean"]]
        is_clean = len(clean) >= ROUNDS_AT_LEAST
        times = clean if is_clean else [one["ms"] for one in rounds]
        note = f"{len(clean)} clean rounds of {len(rounds)}"
        for name, what, value in ((f"recovery_{rung}", "median", statistics.median(times)),
                                  (f"recovery_{rung}_max", "longest", max(times))):
            made = row(None, name, f"from a hang that is seen to the next completed command, by "
                       f"{rung}: {what}", "ms", value, goal=RECOVERY_GOAL_MS, on="value", note=note)
            rows.append(made if is_clean else dict(made, met=None))
    return rows


PARTS = {"time": part_time, "count": part_count, "calls": part_calls, "process": part_process,
         "guest": part_guest, "comeback": part_comeback, "recovery": part_recovery}


# --- the report ---------------------------------------------------------------

def machine():
    """What the figures were taken on, as far as it is of use to a reader."""
    model = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(
        encoding="utf-8", errors="replace"), re.M)
    return {"cpu": model.group(1) if model else os.uname().machine,
            "cores": os.cpu_count(), "kernel": os.uname().release}


def table(rows):
    """The rows as Markdown, by goal."""
    lines = ["| goal | what | figure | value | over | floor | ratio | goal | |",
             "|---|---|---|---|---|---|---|---|---|"]
    for entry in sorted(rows, key=lambda entry: entry["goal_number"] or 99):
        note = f" ({entry['note']})" if entry["note"] else ""
        lines.append(
            f"| {entry['goal_number'] or ''} | {entry['what']} | `{entry['name']}` "
            f"| {figure(entry['value'])} {entry['unit']} | {entry['floor_name']} "
            f"| {figure(entry['floor'])} | {figure(entry['ratio'])} | {goal_text(entry)} "
            f"| {verdict(entry)}{note} |")
    return "\n".join(lines)


def print_table(rows):
    for entry in sorted(rows, key=lambda entry: entry["goal_number"] or 99):
        note = f"  ({entry['note']})" if entry["note"] else ""
        print(f"{entry['goal_number'] or '':>4}  {entry['name']:<28} {figure(entry['value']):>8} "
              f"{entry['unit']:<12}  over {entry['floor_name'] or '-':<28} "
              f"{figure(entry['ratio']):>8}  {goal_text(entry):<9} {verdict(entry)}{note}")
    words = [verdict(entry) for entry in rows]
    print(f"{words.count('met')} met, {words.count('not met')} not met, "
          f"{words.count('no verdict')} without verdict")


def write_docs(report):
    text = DOCS.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"run.py: {DOCS} must have one line '{BEGIN}' and one '{END}'")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    on = report["machine"]
    said = f"Taken on {on['cores']} cores of {on['cpu']}, Linux {on['kernel']}."
    DOCS.write_text(f"{head}{BEGIN}\n{said}\n\n{table(report['rows'])}\n{END}{tail}",
                    encoding="utf-8")


def measure(options):
    """Runs the parts; rows of parts that are not run are kept from last time."""
    builds = Builds(options.build_dir)
    out = options.build_dir / "bench.json"
    rows = []
    if out.exists() and options.parts != list(PARTS):
        rows = [entry for entry in json.loads(out.read_text(encoding="utf-8"))["rows"]
                if entry.get("part") not in options.parts]
    for part in options.parts:
        print(f"# {part}", flush=True)
        try:
            made = PARTS[part](builds, options)
        except Missing as why:
            made = [row(None, part, "this part", "", note=f"not measured: {why}")]
        rows += [dict(entry, part=part) for entry in made]
    if options.quick:
        rows = [dict(entry, met=None, note=entry["note"] or "quick run") for entry in rows]
    report = {"machine": machine(), "rows": rows}
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def parse_arguments():
    summary, _, examples = __doc__.partition("\n")
    parser = argparse.ArgumentParser(description=summary, epilog=examples,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", metavar="PART,...", default=",".join(PARTS),
                        help="of " + ", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="short, without verdicts")
    parser.add_argument("--docs-only", action="store_true",
                        help="measure nothing: docs/performance.md from build/bench.json")
    parser.add_argument("--build-dir", type=pathlib.Path, default=TOP / "build", metavar="DIR")
    parser.add_argument("--kernel", default="6.12", help="of the guest (6.12)")
    parser.add_argument("--module", metavar="FILE", help="this oac.ko instead of building one")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    options.build_dir = options.build_dir.resolve()
    return options


def main():
    options = parse_arguments()
    if options.docs_only:
        report = json.loads((options.build_dir / "bench.json").read_text(encoding="utf-8"))
    else:
        report = measure(options)
        print_table(report["rows"])
        print(f"# {options.build_dir / 'bench.json'}")
    if not options.quick:
        write_docs(report)
        print(f"# {DOCS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
