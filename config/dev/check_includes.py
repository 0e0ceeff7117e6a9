#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
"""Checks which folder includes which: the table of docs/architecture.md, section 2.

The build's include paths enforce most of it; this names the rule that was broken, and sees what a
search path cannot: "../", private headers in public ones, and libraries that are to stay behind one
folder. Usage: check_includes.py PROJECT
"""

import os
import re
import sys

# Folder -> folders whose headers it may include beside its own; "+dpdk" allows <rte_*.h>.
# Folders that are not listed (and not below one that is) hold no C.
_BASE = ["engine/include", "engine/base"]
_OBS = _BASE + ["engine/obs"]
_QUIC = _OBS + ["engine/steer", "engine/crypt", "engine/stream"]
_H3 = _QUIC + ["engine/quic"]
_MUX = _H3 + ["engine/h3"]
_WORKER = _MUX + ["engine/mux", "engine/ring", "engine/net", "engine/lb", "+dpdk"]
_DRIVER = _OBS + ["engine/net", "+dpdk"]
_CTL = _WORKER + ["engine/worker", "drivers", "config"]
MAY_INCLUDE = {
    "engine/include": [],
    "engine/base": ["engine/include"],
    "engine/obs": _BASE,
    "engine/steer": _OBS,
    "engine/crypt": _OBS,
    "engine/stream": _OBS,
    "engine/quic": _QUIC,
    "engine/h3": _H3,
    "engine/mux": _MUX,
    "engine/ring": _OBS + ["engine/stream", "+dpdk"],
    "engine/net": _OBS + ["+dpdk"],
    "engine/lb": _OBS + ["engine/steer", "engine/net", "+dpdk"],
    "engine/worker": _WORKER,
    "drivers": _DRIVER,
    "config": _BASE,
    "engine/ctl": _CTL,
    "apps": ["engine/include", "engine/ctl", "config", "+dpdk"],
    "apps/examples": ["engine/include", "+dpdk"],
    "tests": ["*", "+dpdk"],
}

# Library headers that only some folders may see, so that their codes and types stop there; the
# page of versions asks every library for its own.
ONLY_IN = [
    (re.compile(r"ngtcp2/"), ["engine/quic", "apps/plx_versions.c"]),
    (re.compile(r"nghttp3/"), ["engine/h3", "apps/plx_versions.c"]),
    (re.compile(r"intel-ipsec-mb\.h"), ["engine/crypt", "apps/plx_versions.c"]),
    (re.compile(r"cyaml/|yaml\.h"), ["config", "apps/plx_versions.c"]),
    (re.compile(r"CUnit/"), ["tests"]),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def folder_of(path):
    """The row of the table that a file belongs to: the longest that leads to it."""
    rows = [row for row in MAY_INCLUDE if path.startswith(row + "/")]
    return max(rows, key=len) if rows else None


def below(path, folder):
    return path.startswith(folder + "/")


def is_own(header, path, row):
    """Whether a header is of the file's own library; each driver and each program is one."""
    if row not in ("drivers", "apps"):
        return below(header, row)
    # What programs share lies in apps itself and in apps/common.
    shared = row == "apps" and os.path.dirname(header) in ("apps", "apps/common")
    return shared or below(header, "/".join(path.split("/")[:2]))


def sources(project):
    for top in ("engine", "drivers", "config", "apps", "tests"):
        for where, folders, files in os.walk(os.path.join(project, top)):
            folders[:] = [f for f in folders if not f.startswith(("build", "."))]
            for file in files:
                if file.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(where, file), project)


def find_header(name, path, kind, headers):
    """Path in the project of the header that an include means, or None for a foreign one."""
    if name.startswith("plx/"):
        return "engine/include/" + name
    if kind == "<":
        return None
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    if beside in headers:
        return beside
    fits = [h for h in headers if h.endswith("/" + name)]
    return fits[0] if fits else None


def check_file(project, path, headers):
    row = folder_of(path)
    if row is None:
        yield 1, "is in no folder of the table"
        return
    with open(os.path.join(project, path), encoding="utf-8") as file:
        text = file.read()
    allowed = MAY_INCLUDE[row]
    for found in INCLUDE.finditer(text):
        kind, name = found.groups()
        line = text.count("\n", 0, found.start()) + 1
        if "../" in name:
            yield line, f'"{name}": no ../ in includes'
            continue
        if os.path.basename(name).startswith("rte_") and "+dpdk" not in allowed:
            yield line, f"<{name}>: no DPDK header in {row}"
        for pattern, rows in ONLY_IN:
            if pattern.match(name) and row not in rows and path not in rows and row != "tests":
                yield line, f"<{name}>: only {', '.join(rows)} may include it"
        header = find_header(name, path, kind, headers)
        if header is None or "*" in allowed or is_own(header, path, row):
            continue
        if not any(below(header, folder) for folder in allowed if folder[0] != "+"):
            yield line, f'"{name}" is of {os.path.dirname(header)}, which {row} may not include'


def main():
    project = sys.argv[1]
    files = sorted(sources(project))
    headers = {f for f in files if f.endswith(".h")}
    errors = 0
    for path in files:
        for line, message in check_file(project, path, headers):
            print(f"{path}:{line}: {message}")
            errors += 1
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
