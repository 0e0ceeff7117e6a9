#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
"""Which requirement is covered by which test.

Reads tests/requirements.tsv (id, line, status; tab separated, with a header) and the marks of the
tests: PLX_COVERS("S1-42", "A5") in C, "# PLX_COVERS(S1-42, A5)" in shell and Python.

Usage: trace.py [--missing FAMILY] [--json] [--check] PROJECT
"""

import argparse
import collections
import json
import os
import re
import signal
import sys

MARK_C = re.compile(r"\bPLX_COVERS\s*\(([^)]*)\)")
MARK_SCRIPT = re.compile(r"#\s*PLX_COVERS\(([^)]*)\)")
SCRIPTS = (".py", ".sh", ".build")
# Rows of these states want no test.
NO_TEST = ("dropped", "out", "n/a")


def family(row_id):
    """S1-42 belongs to S1, LB-3 to LB, A5 to A."""
    if "-" in row_id:
        return row_id.split("-", 1)[0]
    return re.match(r"[A-Za-z]*", row_id).group() or row_id


def natural(text):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def read_rows(path):
    """id -> {id, line, status, number}; raises ValueError with the place of a bad row."""
    rows = {}
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            text = text.rstrip("\n")
            if not text or text.startswith("#") or (number == 1 and text.startswith("id\t")):
                continue
            fields = text.split("\t")
            if len(fields) < 3 or not fields[0]:
                raise ValueError(f"{path}:{number}: wanted: id, line, status, tab separated")
            if fields[0] in rows:
                raise ValueError(f"{path}:{number}: {fields[0]} is there twice")
            rows[fields[0]] = {"id": fields[0], "line": fields[1], "status": fields[2].strip()}
    return rows


def read_marks(project):
    """(id, "file:line") of each mark."""
    for where, folders, files in os.walk(os.path.join(project, "tests")):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(files):
            script = name.endswith(SCRIPTS)
            if not script and not name.endswith((".c", ".h")):
                continue
            path = os.path.join(where, name)
            with open(path, encoding="utf-8", errors="replace") as file:
                text = file.read()
            for found in (MARK_SCRIPT if script else MARK_C).finditer(text):
                start = text.rfind("\n", 0, found.start()) + 1
                if "#define" in text[start:found.start()].replace("# ", "#"):
                    continue
                line = text.count("\n", 0, found.start()) + 1
                place = f"{os.path.relpath(path, project)}:{line}"
                names = re.findall(r'"([^"]+)"', found.group(1)) if not script else \
                    [part.strip().strip("\"'") for part in found.group(1).split(",")]
                for name_of_row in names:
                    if name_of_row:
                        yield name_of_row, place


def print_families(rows, covers):
    table = collections.defaultdict(collections.Counter)
    for row in rows.values():
        count = table[family(row["id"])]
        count["rows"] += 1
        count["covered"] += row["id"] in covers
        count["no test wanted"] += row["id"] not in covers and row["status"] in NO_TEST
    print(f"{'family':<10}{'rows':>7}{'covered':>9}{'uncovered':>11}{'':>5}")
    total = collections.Counter()
    for name in sorted(table, key=natural):
        total.update(table[name])
        print_family(name, table[name])
    print_family("all", total)


def print_family(name, count):
    open_rows = count["rows"] - count["covered"] - count["no test wanted"]
    share = f"{100 * count['covered'] // max(count['rows'], 1)} %"
    print(f"{name:<10}{count['rows']:>7}{count['covered']:>9}{open_rows:>11}{share:>7}")


def print_missing(rows, covers, wanted):
    found = 0
    for row_id in sorted(rows, key=natural):
        row = rows[row_id]
        if wanted not in ("all", family(row_id)):
            continue
        found += 1
        if row_id not in covers and row["status"] not in NO_TEST:
            print(f"{row_id}\t{row['status']}\t{row['line']}")
    return found > 0


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # ./dev trace | head
    parser = argparse.ArgumentParser()
    parser.add_argument("--missing", metavar="FAMILY")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true", help="print errors only")
    parser.add_argument("project")
    args = parser.parse_args()
    path = os.path.join(args.project, "tests/requirements.tsv")
    if not os.path.exists(path):
        print("trace: this tree has no tests/requirements.tsv", file=sys.stderr)
        return 1
    try:
        rows = read_rows(path)
    except ValueError as err:
        print(f"trace: {os.path.relpath(str(err), args.project)}", file=sys.stderr)
        return 1
    covers = collections.defaultdict(list)
    errors = 0
    for row_id, place in read_marks(args.project):
        if row_id not in rows:
            print(f"{place}: no row {row_id} in tests/requirements.tsv", file=sys.stderr)
            errors += 1
        covers[row_id].append(place)
    if args.json:
        json.dump([dict(row, family=family(row["id"]), tests=covers.get(row["id"], []))
                   for row in rows.values()], sys.stdout, indent=1, ensure_ascii=False)
        print()
    elif args.missing:
        if not print_missing(rows, covers, args.missing):
            print(f"trace: no family {args.missing}", file=sys.stderr)
            return 2
    elif not args.check:
        print_families(rows, covers)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
