# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""What a guest reports on its second serial port: one line per test."""

import base64
import collections


class Results:
    """Takes the guest's lines apart, forwards and counts them."""

    def __init__(self):
        self.lines = []
        self.count = collections.Counter()
        self.running = "the boot"
        self.finished = False
        self.rest = b""

    def feed(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.take(line.decode(errors="replace").rstrip("\r"))

    def take(self, line):
        """One line; what is no result is shown as it came."""
        self.lines.append(line)
        if line.startswith("run "):
            self.running = line[4:]
            return
        if line == "done":
            self.finished = True
            return
        if line.startswith("# counters "):
            return
        for word in ("ok", "not ok", "skip"):
            if line.startswith(word + " "):
                self.count[word] += 1
        print(line, flush=True)

    def counters(self):
        """The archive of counters that the guest has sent; empty: none."""
        return base64.b64decode("".join(line.split()[2] for line in self.lines
                                        if line.startswith("# counters ")))

    def fail(self, name, why):
        self.take(f"not ok {name}: {why}")

    def summary(self):
        return (f"{self.count['ok']} passed, {self.count['not ok']} failed, "
                f"{self.count['skip']} skipped")
