#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
"""Rules that hold for every file of the tree; paths come on standard input.

Errors: no SPDX line in a source file, an address of a mirror, a path of somebody's machine, a
merge's leftovers, no newline at the end. Warnings: long files and functions. A line that has to
break a rule says so with "tree: allow". Usage: check_tree.py PROJECT <LIST
"""

import os
import re
import sys

SOURCE = (".c", ".h", ".py", ".sh", ".build", ".S", ".bpf")
SOURCE_NAMES = ("dev", "meson_options.txt", "Containerfile", ".ci/run")
TEXT = SOURCE + (".md", ".txt", ".yaml", ".yml", ".tsv", ".json", ".service", ".scd", ".in")
LONGEST = {".c": 800, ".h": 500, ".py": 500, ".sh": 500}
FUNCTION_MAX = 120
ALLOW = "tree: allow"

RULES = [
    (re.compile(r"https?://[^\s/]*\b(?:debian|ubuntu)\.(?:org|com|net)/(?:debian|ubuntu)\b"),
     "a package mirror has no place in the tree"),
    (re.compile(r"(?<![\w$}./-])/(?:home/[a-z]|root/[\w.]|work/|Users/|workspace/)"),
     "path of one machine"),
    (re.compile(r"^(?:<{7}|>{7}) "), "leftover of a merge"),
]


def lines_of_functions(lines):
    """(first line, length) of each function body of the kernel's form: braces in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            if line.rstrip() == "}":
                yield start, number - start - 1
            start = None


def check(project, path):
    """Yields (is error, line, message)."""
    kind = os.path.splitext(path)[1]
    if kind not in TEXT and path not in SOURCE_NAMES:
        return
    with open(os.path.join(project, path), "rb") as file:
        data = file.read()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        yield True, 1, "is not UTF-8"
        return
    lines = text.split("\n")
    if data and not data.endswith(b"\n"):
        yield True, len(lines), "no newline at the end"
    if b"\r\n" in data:
        yield True, 1, "line ends with CR LF"
    if kind in SOURCE or path in SOURCE_NAMES:
        if not any("SPDX-License-Identifier: " in line for line in lines[:5]):
            yield True, 1, "no SPDX-License-Identifier in the first five lines"
    for number, line in enumerate(lines, 1):
        for rule, message in RULES:
            if rule.search(line) and ALLOW not in line:
                yield True, number, message
    if len(lines) - 1 > LONGEST.get(kind, 1 << 30):
        yield False, 1, f"{len(lines) - 1} lines; aim at {LONGEST[kind]}"
    if kind == ".c":
        for number, length in lines_of_functions(lines):
            if length > FUNCTION_MAX:
                yield False, number, f"function of {length} lines; at most {FUNCTION_MAX}"


def main():
    project = sys.argv[1]
    errors = 0
    for path in sys.stdin.read().splitlines():
        if path == "config/dev/check_tree.py":
            continue
        for is_error, line, message in check(project, path):
            print(f"{path}:{line}: {'' if is_error else 'warning: '}{message}")
            errors += is_error
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
