#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""Makes docs/faults.md of what tests/faults saw: lines "row {...}" in the logs of its runs.

With --check the document must have the same rows, rungs and losses: times differ from run to run.
Both leave build/faults.json.
"""

import argparse
import json
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
DOC = TOP / "docs" / "faults.md"
JSON = TOP / "build" / "faults.json"
# Who ran it, and the log of make check's that says what came out.
RUNS = {
    "in process": TOP / "build" / "check" / "faults_faults.log",
    "kernel 6.12": TOP / "build" / "vm" / "6.12-faults-2.log",
    "kernel 7.3": TOP / "build" / "vm" / "7.3-faults-2.log",
}

# Rows in which it is chance what is lost: their times and losses are from one run.
CHANCE = ("malicious", "register_garbage", "register_garbage while it boots",
          "lie field=status", "lie field=entry_count", "corrupt_progress field=sq_head")

HEAD = """# What a card's faults do

Made by the tests, not by hand: `make faults` runs `tests/faults` in this process and on two kernels, and
writes this page. Each fault of the emulator's catalogue ([emulator.md](emulator.md)) is put into one of
two cards while a program works on it whose every answer is known beforehand; another program on the
other card must not notice. A test fails if a call does not come back, if a wrong answer is said to be
right, if health says something else, or if the card does not work again when the fault is over.

How to read a cell: *noticed by* after so long; the highest *rung* of the ladder that was tried
([recovery.md](recovery.md)); **time to the next good answer**; what was lost. All times are from the
moment at which the fault happened. "-": nothing had to be noticed, and no rung was needed. "by hand":
the fault was taken out first, and that helped; the time then counts from there.

Limits in these runs, shorter than the defaults: a queue hangs after 0.3 s in process and 1 s on
kernels; an admin command has 10 s in process and 1 s on kernels. Guests are emulated, and slow.
Times differ from run to run; `make check` compares the rest, except in the few rows where what the card
says is drawn at random.

"""


def rows_of(log):
    rows = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        found = re.search(r"\brow (\{.*\})\s*$", line)
        if found:
            row = json.loads(found[1])
            rows[row.pop("fault")] = row
    return rows


def read_runs(wanted):
    runs = {}
    for name, log in RUNS.items():
        if name not in wanted:
            continue
        if not log.exists():
            sys.exit(f"{log.relative_to(TOP)} is missing: run make faults")
        runs[name] = rows_of(log)
        if not runs[name]:
            sys.exit(f"{log.relative_to(TOP)} has no rows: the tests of {name} failed")
    return runs


def time_of(ms):
    return f"{ms:.1f} ms" if ms < 10 else f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def cell(row):
    if row is None:
        return "?"
    noticed = f"{row['noticed_by']} after {time_of(row['noticed_ms'])}" \
        if row["noticed_by"] else "-"
    rung = row["rung"] if row["rung"] != "none" else "-"
    good = f"**{time_of(row['good_ms'])}**"
    if row["by_hand"]:
        good += f" by hand ({row['by_hand']})"
    return f"{noticed}; {rung}; {good}; {row['lost']}"


def document(runs):
    names = list(dict.fromkeys(name for rows in runs.values() for name in rows))
    lines = ["| fault | " + " | ".join(runs) + " |", "|---" * (len(runs) + 1) + "|"]
    for name in names:
        cells = [cell(rows.get(name)) for rows in runs.values()]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return HEAD + "\n".join(lines) + "\n"


def facts_of_cell(text):
    """Rung, remedy and loss, without times and without who noticed first."""
    parts = [re.sub(r"\*\*.*?\*\*\s*", "", part).strip() for part in text.split("; ")]
    return tuple(parts[1:])


def facts(text):
    table = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            name, *cells = [part.strip() for part in line.strip("|").split(" | ")]
            table[name.strip("`")] = [facts_of_cell(one) for one in cells]
    return table


def differences(old, new):
    for name in sorted(set(old) | set(new)):
        if old.get(name) != new.get(name) and not (name in CHANCE and name in old and name in new):
            yield f"{name}: the document says {old.get(name)}, the tests saw {new.get(name)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--runs", default=",".join(RUNS), help="only these, by name")
    args = parser.parse_args()
    runs = read_runs(args.runs.split(","))
    JSON.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    text = document(runs)
    if not args.check:
        DOC.write_text(text, encoding="utf-8")
        print(f"{DOC.relative_to(TOP)}: {len(facts(text))} rows, {len(runs)} runs")
        return 0
    found = list(differences(facts(DOC.read_text(encoding="utf-8")), facts(text)))
    for line in found:
        print(line)
    if found:
        print("make faults writes the page anew, if this is as it should be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
