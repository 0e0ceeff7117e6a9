#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
"""Runs clang-tidy over the files named on standard input that the build compiles.

A file that was clean is not looked at again until what the compiler sees of it changes: the name
of its stamp is the hash of the preprocessed text, the compiler's arguments and the .clang-tidy files.
Usage: tidy.py PROJECT BUILD <LIST
"""

import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys

CLANG = "clang-19"
TIDY = "clang-tidy-19"


def commands(project, build, wanted):
    """Each wanted file's first entry in compile_commands.json, by its path.

    clang-tidy looks at a file once per entry, and what tests share has one for every program. So
    it gets these only, as the compile_commands.json of build/tidy.
    """
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    first = {}
    for entry in entries:
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), project)
        if path in wanted:
            first.setdefault(path, entry)
    with open(os.path.join(build, "tidy", "compile_commands.json"), "w",
              encoding="utf-8") as file:
        json.dump(list(first.values()), file)
    return first


def preprocessed(directory, arguments):
    """What the compiler sees, without its line marks' absolute noise."""
    argv = [CLANG, "-E", "-P"]
    skip = False
    for argument in arguments[1:]:
        if skip:
            skip = False
        elif argument in ("-o", "-MF", "-MQ", "-MT"):
            skip = True
        elif argument not in ("-c", "-MD"):
            argv.append(argument)
    return subprocess.run(argv, cwd=directory, capture_output=True, check=True).stdout


def look_at(project, build, salt, path, entry):
    """(path, is clean, output)"""
    directory, arguments = entry["directory"], shlex.split(entry["command"])
    try:
        text = preprocessed(directory, arguments)
    except subprocess.CalledProcessError as err:
        return path, False, err.stderr.decode(errors="replace")
    # The source itself too: NOLINT marks are comments.
    with open(os.path.join(project, path), "rb") as file:
        source = file.read()
    key = hashlib.sha256(b"\0".join((salt, repr(arguments).encode(), source, text))).hexdigest()
    stamp = os.path.join(build, "tidy", key)
    if os.path.exists(stamp):
        return path, True, ""
    done = subprocess.run(
        [TIDY, "--quiet", "-p", os.path.join(build, "tidy"), os.path.join(project, path)],
        capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0 and not done.stdout.strip():
        with open(stamp, "w", encoding="utf-8"):
            pass
        return path, True, ""
    return path, False, done.stdout + "\n".join(
        line for line in done.stderr.splitlines() if "warnings generated" not in line)


def main():
    project, build = sys.argv[1:3]
    wanted = set(sys.stdin.read().split())
    os.makedirs(os.path.join(build, "tidy"), exist_ok=True)
    salt = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    for config in (".clang-tidy", "tests/.clang-tidy"):
        with open(os.path.join(project, config), "rb") as file:
            salt += file.read()
    entries = commands(project, build, wanted)
    if not entries:
        print("tidy: the build compiles none of the files")
        return 1
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        jobs = [pool.submit(look_at, project, build, salt, path, entry)
                for path, entry in entries.items()]
        for job in concurrent.futures.as_completed(jobs):
            path, clean, output = job.result()
            if not clean:
                bad += 1
                print(f"--- {path}\n{output.rstrip()}", flush=True)
    unseen = sorted(wanted - entries.keys())
    if unseen:
        print("tidy: not compiled by build/clang, so not looked at: " + " ".join(unseen))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
