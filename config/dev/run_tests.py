#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
"""Runs test groups and sums their single tests; the inner part of ./dev test.

A test program prints "N passed, N failed, N skipped" as a line of its own, the last such line
counts. One that does not counts as one test by its exit code (0 passed, 77 skipped). What a program
says must agree with how it ended: a crash after "5 passed" is one failure more.

Exit code: 0, 1 (something failed, ran nothing, or was skipped with CI=true), 130.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time

SUITES = ("unit", "conform", "sim", "examples", "asan", "tsan")
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped\s*$", re.MULTILINE)
SKIP_CODE = 77
# A sanitizer build is slower than the time limits were written for.
TIME_FACTOR = {"asan": 4, "tsan": 8}


class Group:
    """What came of one group."""

    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0
        self.notes = []  # (program, what is to be said about it)
        self.started = time.monotonic()
        self.seconds = 0.0

    def add(self, program, text, code, timed_out=False):
        """Count one program; returns whether it failed."""
        counts = SUMMARY.findall(text)
        passed, failed, skipped = (int(n) for n in counts[-1]) if counts else (0, 0, 0)
        why = None
        if timed_out:
            failed, why = failed + 1, "ran out of time"
        elif code == SKIP_CODE and passed == failed == 0:
            skipped = max(skipped, 1)
        elif code != 0 and failed == 0:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            failed, why = 1, f"ended with {how}"
        elif code == 0 and not counts:
            passed = 1
        elif code == 0 and passed + failed + skipped == 0:
            failed, why = 1, "ran no test"
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        if failed:
            self.notes.append((program, "failed: " + (why or f"{failed} of its tests")))
        if skipped:
            self.notes.append((program, "skipped: " + skip_reason(text, skipped)))
        return failed > 0

    def fail(self, why):
        self.failed += 1
        self.notes.append((self.name, "failed: " + why))

    def skip(self, why):
        self.skipped += 1
        self.notes.append((self.name, "skipped: " + why))


def skip_reason(text, count):
    """What the program says about its skip, if it says something."""
    for line in text.splitlines():
        found = re.match(r"\s*skip(?:ped|ping)?\b[:\s]\s*(.+)", line, re.IGNORECASE)
        if found:
            return found.group(1)
    return f"{count} of its tests"


def show(program, text):
    """The whole output of a program that failed."""
    print(f"--- {program}: output")
    sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
    print(f"--- {program}: end of output", flush=True)


def run_child(argv, cwd, **kwargs):
    """Start a program; on Ctrl-C and SIGTERM give it time to clean up."""
    child = subprocess.Popen(argv, cwd=cwd, **kwargs)
    try:
        yield child
        child.wait()
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def run_suite(group, build, project):
    """A meson suite: meson runs its programs, its log says what they said."""
    log = os.path.join(build, "meson-logs", f"dev-{group.name}.json")
    if os.path.exists(log):
        os.remove(log)
    factor = TIME_FACTOR.get(group.name, 1)
    argv = ["meson", "test", "-C", build, "--no-rebuild", "--suite", group.name,
            "--logbase", f"dev-{group.name}", "--timeout-multiplier", str(factor)]
    if group.name == "tsan":
        # ThreadSanitizer's shadow memory does not fit a kernel's widest address randomisation.
        argv = ["setarch", "--addr-no-randomize", *argv]
    # Meson's own bookkeeping is not ours; its line per program is the progress.
    for child in run_child(argv, project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, errors="replace"):
        for line in child.stdout:
            if re.match(r"\s*\d+/\d+ ", line):
                print("  " + line.strip(), flush=True)
    results = []
    if os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as lines:
            results = [json.loads(line) for line in lines if line.strip()]
    for result in results:
        name = result["name"].split(" / ")[-1]
        text = (result.get("stdout") or "") + (result.get("stderr") or "")
        if group.add(name, text, result.get("returncode") or 0, result["result"] == "TIMEOUT"):
            show(f"{group.name}/{name}", text)
            print(f"--- repeat: ./dev shell -- {' '.join(result.get('command') or [])}")
    if not results and child.returncode != 0:
        group.fail(f"meson test ended with exit code {child.returncode}")


def run_program(group, builds, project):
    """A group that is a program of its own; it prints its progress itself."""
    folder, _, part = group.name.partition("-")
    path = os.path.join(project, "tests", folder, "run.sh")
    if not os.path.exists(path):
        group.fail(f"this tree has no tests/{folder}/run.sh")
        return
    argv = [path, part or "full"]
    env = dict(os.environ, POLLUX_BUILD_DIR=os.path.join(builds, "default"))
    said = []
    for child in run_child(argv, project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, errors="replace", env=env):
        for line in child.stdout:
            said.append(line)
            print("  " + line.rstrip("\n"), flush=True)
    group.add(f"tests/{folder}/run.sh", "".join(said), child.returncode)


def take_outside(group):
    """The group that ran before the root was entered: exit code, seconds and last line are told."""
    told = os.environ.get("DEV_TESTED")
    if told is None:
        group.skip("./dev makes no root on this machine")
        return
    code, seconds, line = told.split(" ", 2)
    group.started -= int(seconds)
    group.add("tests/dev/run.sh", line, int(code))


def run_group(name, args):
    group = Group(name)
    print(f"group {name}", flush=True)
    build = name if name in ("asan", "tsan") else "default"
    if build in args.not_built:
        group.fail(f"build/{build} did not compile")
    elif name == "dev":
        take_outside(group)
    elif name in SUITES:
        run_suite(group, os.path.join(args.builds, build), args.project)
    elif os.environ.get("POLLUX_UID", "0") != "0":
        group.skip("needs root for network namespaces and packet sockets")
    elif name.startswith("interop") and not os.path.exists("/etc/pollux-peers"):
        group.skip("the peers of config/dev/peers.txt are not installed here")
    else:
        run_program(group, args.builds, args.project)
    if group.passed + group.failed + group.skipped == 0:
        group.fail("ran no test")
    group.seconds = time.monotonic() - group.started
    return group


def report(groups):
    print()
    print(f"{'group':<16}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for group in groups:
        print(f"{group.name:<16}{group.passed:>8}{group.failed:>8}{group.skipped:>9}"
              f"{group.seconds:>9.1f}")
    for group in groups:
        for program, note in group.notes:
            where = group.name if program == group.name else f"{group.name}/{program}"
            print(f"{where}: {note}")


def interrupted(_signo, _frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--project", required=True)
    parser.add_argument("--builds", required=True)
    parser.add_argument("--not-built", action="append", default=[])
    parser.add_argument("groups", nargs="+")
    args = parser.parse_args()
    # A group named twice runs once.
    names = list(dict.fromkeys(args.groups))

    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    groups = []
    try:
        for name in names:
            groups.append(run_group(name, args))
    except KeyboardInterrupt:
        print("\ninterrupted", flush=True)
        return 130
    report(groups)
    passed, failed, skipped = (sum(getattr(g, key) for g in groups)
                               for key in ("passed", "failed", "skipped"))
    ci = os.environ.get("CI", "").lower() in ("1", "true", "yes")
    if ci and skipped:
        print("CI: what was skipped counts as failed")
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or (ci and skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
