#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""No function over 100 lines in C and C++; a note for each file over 700.

A function is measured from the first line of its head to its closing brace.
Initialisers of tables are not functions. The parser knows just enough of the
language to find where functions begin and end: it blanks comments, literals
and directives, follows the braces, and reads the text before each of them.
"""

import argparse
import pathlib
import re
import subprocess
import sys

FUNCTION_MAX = 100
FILE_NOTE = 700
SUFFIXES = {".c", ".h", ".cc", ".cpp", ".hpp", ".cxx"}
# Headers that come from elsewhere keep the shape they have there.
IMPORTED = "include/imported/"

LITERAL = re.compile(
    r'(?P<raw>R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)")'
    r'|(?P<comment>/\*.*?\*/|//(?:\\\n|[^\n])*)'
    r'|(?P<string>"(?:\\.|[^"\\\n])*")'
    r"|(?P<char>(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+')",
    re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w*)")
# Parentheses in these do not make a function head.
DECORATION = re.compile(
    r"__attribute__\s*\(\(.*?\)\)|\[\[.*?\]\]|\balignas\s*\([^()]*\)|\bdecltype\s*\([^()]*\)",
    re.DOTALL)
SCOPE = re.compile(r'^(inline\s+)?namespace\b|^extern\s*(""\s*)?$')
RECORD = re.compile(r"\b(class|struct|union|enum)\b")


def blank(text):
    """The same text with its lines kept and everything not code blanked."""
    def keep_lines(match):
        if match.group("string"):
            return '""'
        return "\n" * match.group(0).count("\n") or " "
    return blank_directives(LITERAL.sub(keep_lines, text))


def blank_directives(text):
    """Blanks directives and the #else branches, whose braces come twice."""
    out, stack, lines = [], [], text.split("\n")
    index = 0
    while index < len(lines):
        match = DIRECTIVE.match(lines[index])
        if not match:
            out.append("" if any(stack) else lines[index])
            index += 1
            continue
        name = match.group(1)
        if name in ("if", "ifdef", "ifndef"):
            stack.append(False)
        elif name in ("else", "elif") and stack:
            stack[-1] = True
        elif name == "endif" and stack:
            stack.pop()
        while lines[index].endswith("\\") and index + 1 < len(lines):
            out.append("")
            index += 1
        out.append("")
        index += 1
    return "\n".join(out)


def flat(head):
    """The head with what stands in parentheses dropped: f(int a = 1) -> f()."""
    out, depth = [], 0
    for char in head:
        if char == ")":
            depth -= 1
        if depth == 0:
            out.append(char)
        if char == "(":
            depth += 1
    return "".join(out)


def classify(head):
    """What a brace after this text opens: scope, member, data or function."""
    head = DECORATION.sub(" ", head).strip()
    head = re.sub(r"^(public|private|protected)\s*:", "", head).strip()
    if SCOPE.search(head) or not head:
        return "scope"
    shape = re.sub(r"\boperator\s*[^\s\w(]+", "operator", flat(head))
    if "=" in shape:
        return "data"
    if "(" not in shape:
        return "scope" if RECORD.search(shape) else "data"
    # In f() : a_{1} { the first brace belongs to a member of the constructor.
    initialisers = re.search(r"\)[^:]*(?<!:):(?!:)", shape)
    if initialisers and re.search(r"[\w>]\s*$", shape) and not re.search(r"\btry$", shape):
        return "member"
    return "function"


def functions(text):
    """Yields (name, first line, last line) of each function."""
    text = blank(text)
    head, line, head_line = "", 1, None
    scopes = []                 # kinds of the braces that are open
    start = None                # (head, line, depth) of the function we are in
    parens = 0
    for char in text:
        if char == "\n":
            line += 1
        if start is None and char in "()":
            parens += 1 if char == "(" else -1
        if char == "{":
            if start is None:
                kind = "data" if parens > 0 or (scopes and scopes[-1] in ("data", "member")) \
                    else classify(head)
                if kind == "function":
                    start = (head, head_line, len(scopes))
                scopes.append(kind)
                if kind == "scope":
                    head, head_line = "", None
            else:
                scopes.append("inner")
        elif char == "}" and scopes:
            kind = scopes.pop()
            if start and len(scopes) == start[2]:
                yield start[0], start[1] or line, line
                start, head, head_line = None, "", None
            elif start is None and kind == "scope":
                head, head_line = "", None
            elif start is None and kind == "member":
                head += "}"
        elif start is None and not (scopes and scopes[-1] in ("data", "member")):
            if char == ";" and parens <= 0:
                head, head_line, parens = "", None, 0
            else:
                if head_line is None and not char.isspace():
                    head_line = line
                if head_line is not None:
                    head += char


def name_of(head):
    match = re.search(r"([~\w:]+|operator\s*\S+)\s*\(", head)
    name = match.group(1) if match else "?"
    if name in ("TEST", "TEST_F", "TEST_P", "TYPED_TEST"):
        name += re.sub(r"\s+", " ", head[match.end() - 1:].strip())
    return name


def sources(paths):
    if paths:
        return [pathlib.Path(path) for path in paths]
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], check=True,
                            capture_output=True, text=True).stdout.splitlines()
    return [pathlib.Path(name) for name in listed
            if pathlib.Path(name).suffix in SUFFIXES and not name.startswith(IMPORTED)
            and pathlib.Path(name).is_file()]


def check(paths):
    bad = 0
    for path in sources(paths):
        text = path.read_text(encoding="utf-8", errors="replace")
        count = text.count("\n")
        if count > FILE_NOTE:
            print(f"note: {path}: {count} lines: is it one noun?")
        for head, first, last in functions(text):
            if last - first + 1 > FUNCTION_MAX:
                print(f"{path}:{first}: {name_of(head)} has {last - first + 1} lines, "
                      f"{FUNCTION_MAX} are allowed")
                bad += 1
    return bad


SELF_TEST = r'''
#include <x>
namespace a::b {
extern "C" {
static const struct op table[] = {
	{ 1, f(2) },
	{ 3, f(4) },
};
int plain(int a, struct s b = {})
{
	return '{' + "}{"[0]; // }
}
}
struct __attribute__((packed)) wire {
	int a;
};
class ring final : public base<decltype(x)> {
public:
	ring() : a_{ 1 }, b_(2), c_{ {} } { init(); }
	ring(int n) noexcept
		: a_(n)
	{
		auto f = [&](int x) { return x; };
	}
	bool operator==(const ring &o) const { return a_ == o.a_; }
	ring &operator=(ring &&o) { return *this; }
	int a_{ 0 }, b_ = 1;
};
#define LOOP(x) \
	do { \
	} while (0)
#ifdef A
int either(void)
{
#else
int either(int b)
{
#endif
	const char *s = R"x({{{)x";
	if (a) {
	}
	return 1'000;
}
template <typename T>
	requires std::is_unsigned_v<T>
auto late(T v) -> std::vector<int>
{
	return { 1, 2 };
}
static struct op *find(int a)
{
}
TEST(Ring, Wraps)
{
}
auto lambda = [](int a) {
	return a;
};
}
'''
SELF_NAMES = ["plain", "ring", "ring", "operator==", "operator=", "either", "late", "find",
              "TEST(Ring, Wraps)"]


def self_test():
    found = [name_of(head) for head, _, _ in functions(SELF_TEST)]
    long = "int f(void)\n{\n" + "\tg();\n" * 98 + "}\n"
    table = "int t[] = {\n" + "\t1,\n" * 200 + "};\nint f(void)\n{\n}\n"
    spans = [[last - first + 1 for _, first, last in functions(text)]
             for text in (long, long.replace("}", "\n}"), table)]
    if found != SELF_NAMES or spans != [[101], [102], [3]]:
        print(f"self-test failed: {found} {spans}")
        return 1
    print("self-test: functions found and measured as expected")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("paths", nargs="*")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    return 1 if check(args.paths) else 0


if __name__ == "__main__":
    sys.exit(main())
