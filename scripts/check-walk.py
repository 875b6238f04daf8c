#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""Checks that the code walks in the documents still lead somewhere.

A walk names steps as `path/to/file.cpp:function`. Each such file must exist and hold a definition
of that function; a document that says it has a walk must name at least one step.
"""

import pathlib
import re
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = ["docs/life-of-a-submission.md", "README.md"]
STEP = re.compile(r"`([\w./-]+\.(?:c|cpp|h|hpp)):([\w:~]+)`")


def defines(text, function):
    """True if the text has a definition: the name, its arguments, then a body."""
    name = re.escape(function.split("::")[-1])
    return re.search(rf"\b{name}\s*\([^;{{}}]*\)[^;{{}}()]*(?:\([^;{{}}]*\)[^;{{}}()]*)*\{{",
                     text) is not None


def problems(top, documents):
    found = []
    for document in documents:
        path = top / document
        steps = STEP.findall(path.read_text(encoding="utf-8")) if path.exists() else []
        if not steps:
            found.append(f"{document}: names no step of the form `file:function`")
        for file, function in steps:
            source = top / file
            if not source.is_file():
                found.append(f"{document}: {file} does not exist")
            elif not defines(source.read_text(encoding="utf-8"), function):
                found.append(f"{document}: {file} does not define {function}()")
    return found


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        top = pathlib.Path(folder)
        (top / "a.cpp").write_text("int gone(int);\nint here(int x)\n{\n\treturn gone(x);\n}\n")
        cases = {"`a.cpp:here`": 0, "`a.cpp:gone`": 1, "`b.cpp:here`": 1, "no steps": 1}
        for text, expected in cases.items():
            (top / "walk.md").write_text(text)
            if len(problems(top, ["walk.md"])) != expected:
                sys.exit(f"check-walk.py: self-test failed for {text}")


def main():
    self_test()
    found = problems(TOP, DOCUMENTS)
    print("\n".join(found) or "walks: every step exists")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
