#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""accel-bench runs, its JSON holds what docs/performance.md is made from, and
wrong words are refused. Times are not looked at: the machine may be busy."""

import json
import os
import subprocess
import sys
import unittest

BENCH = sys.argv.pop(1) if len(sys.argv) > 1 else ""
FIELDS = {"name": str, "what": str, "unit": str, "floor_name": str, "goal_is": str,
          "goal_on": str, "note": str}
# One of each kind: card in the process, in another one, a wait, a copy, a value, a list.
SOME = ["noop_polled_depth1", "noop_slept_two_cores", "copy_1x1024KiB",
        "share_of_1_queue_against_8", "list_8_cards"]


def bench(*words):
    return subprocess.run([BENCH, *words], capture_output=True, text=True, timeout=100,
                          check=False)


class Bench(unittest.TestCase):

    def test_rows_are_complete(self):
        done = bench("--quick", "--json", "-", "--only", ",".join(SOME))
        self.assertEqual(done.returncode, 0 if len(os.sched_getaffinity(0)) > 1 else 1,
                         done.stderr + done.stdout)
        rows = json.loads(done.stdout)["rows"]
        self.assertGreaterEqual(len(rows), len(SOME))
        self.assertLessEqual(set(SOME), {row["name"] for row in rows})
        for row in rows:
            for name, kind in FIELDS.items():
                self.assertIsInstance(row[name], kind, row)
            self.assertIsNone(row["met"], "a quick run has no verdicts")
            if row["value"] is not None:
                self.assertGreater(row["value"], 0)
                self.assertGreater(row["floor"], 0)
                self.assertAlmostEqual(row["ratio"], row["value"] / row["floor"], places=6)

    def test_lists_every_figure_once_per_floor(self):
        done = bench("--list")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = [line for line in done.stdout.splitlines() if " / " in line]
        self.assertEqual(len(lines), len(set(lines)))
        for name in SOME:
            self.assertTrue(any(line.startswith(name) for line in lines), name)

    def test_counts_without_measuring(self):
        done = bench("--count", "ring_one_thread_batch32", "--ops", "64")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_hangs_a_card_and_times_its_way_back(self):
        done = bench("--recovery", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        all_of_them = json.loads(done.stdout)["recoveries"]
        self.assertEqual([one["rung"] for one in all_of_them],
                         ["abort", "queue", "context", "soft_reset", "flr"])
        for one in all_of_them:
            self.assertEqual(len(one["rounds"]), 1)
            self.assertGreater(one["rounds"][0]["ms"], 0)

    def test_refuses_what_it_does_not_know(self):
        for words in (["--only", "nothing_like_it"], ["--count", "nothing_like_it"],
                      ["--ops", "0"], ["--recovery", "0"], ["--no-such-flag"]):
            done = bench("--quick", *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("--", done.stderr, words)


if __name__ == "__main__":
    unittest.main()
