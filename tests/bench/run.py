#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
"""Runs the measurements of tests/bench and holds them against their bounds; ./dev bench.

Each program runs several times, the programs in rotation, so that a bad minute of a shared machine
does not hit all runs of one of them. The value of a figure is the median over its runs.

A figure with a bound that begins with "must" fails the run when it is missed; "goal" is shown only.

Exit code: 0, 1 (a bound is missed, or a program failed), 2 (usage), 130.
"""

import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

TIME_LIMIT_S = 120

# Programs by key: the name that asks for them, the command.
PROGRAMS = {
    "crypt": ("crypt", ["bench_crypt"]),
    "net": ("net", ["bench_net"]),
    "steer": ("net", ["bench_steer"]),
    "ring": ("ring", ["bench_ring"]),
    "harness": ("quic", ["bench_harness"]),
    "stages": ("quic", ["bench_quic", "--first"]),
    "mem": ("quic", ["bench_mem"]),
    "engine": ("engine", ["bench_engine"]),
    "soft": ("engine", ["bench_engine", "--cksum", "soft"]),
    "short": ("engine", ["bench_engine", "--len", "1200"]),
    "many": ("engine", ["bench_engine", "--conns", "1000"]),
    "threads": ("engine", ["bench_engine", "--mode", "threads"]),
}
NEEDS_TWO_CPUS = ("ring", "threads")

# Figures: program, what its line says, field, label, unit, bound. A bound is (strictness, side,
# number): "must" comes from the issue that asked for the figure, "goal" from the table of ratios.
FIGURES = (
    ("crypt", {"backend": "ipsec-mb", "suite": "aes128", "len": "1452"}, "seal_ns",
     "seal 1452 B, AES-128-GCM, ipsec-mb", "ns", None),
    ("crypt", {"backend": "ipsec-mb", "suite": "aes128", "len": "1452"}, "open_ns",
     "open 1452 B, AES-128-GCM, ipsec-mb", "ns", None),
    ("crypt", {"backend": "evp", "suite": "aes128", "len": "1452"}, "seal_ns",
     "seal 1452 B, AES-128-GCM, EVP", "ns", None),
    ("net", {"case": "rx_steer"}, "ns", "parse + classify", "ns/pkt", ("must", "<=", 25)),
    ("net", {"case": "rx_steer"}, "med_ns", "  median round, busy neighbours included", "ns/pkt", None),
    ("net", {"case": "rx_steer_live"}, "ns", "  data of live connections only", "ns/pkt",
     ("must", "<=", 25)),
    ("net", {"case": "rx_nocksum"}, "ns", "  parse alone", "ns/pkt", None),
    ("net", {"case": "tx_nocksum"}, "ns", "headers and queue, transmit", "ns/pkt", None),
    ("net", {"case": "cksum_1252"}, "ns", "checksum in software, 1252 B", "ns/pkt", None),
    ("steer", {"case": "short_live"}, "ns", "classify, live connection", "ns/pkt", None),
    ("ring", {"case": "mailbox"}, "sum_ns", "hand-over, bursts of 32, both sides", "ns/pkt",
     ("must", "<=", 20)),
    ("ring", {"case": "event"}, "sum_ns", "event to an application core", "ns/event", None),
    ("harness", {}, "r9", "R9 both ends, in process / RAW", "", ("goal", ">=", 0.12)),
    ("harness", {}, "tx_tsc", "protocol alone, tx", "tsc/pkt", None),
    ("harness", {}, "rx_tsc", "protocol alone, rx", "tsc/pkt", None),
    ("stages", {}, "ack_ns", "acknowledgements, both sides", "ns/pkt", None),
    ("mem", {"case": "half_open"}, "bytes", "memory of a half-open server connection", "bytes",
     ("must", "<=", 96 * 1024)),
    ("mem", {"case": "idle"}, "bytes", "memory of an idle server connection", "bytes",
     ("must", "<=", 48 * 1024)),
    ("mem", {"case": "idle_turn"}, "ns", "turn with 1000 idle connections", "ns",
     ("must", "<=", 2000)),
    ("engine", {}, "raw_gbps", "RAW(1452), best", "Gbit/s", None),
    ("engine", {}, "r1", "R1 tx / RAW, one CPU for both sides", "", ("must", ">=", 0.15)),
    ("engine", {}, "r2", "R2 rx / RAW, one CPU for both sides", "", ("must", ">=", 0.17)),
    ("engine", {}, "tx_gbps", "  tx per busy core", "Gbit/s", None),
    ("engine", {}, "rx_gbps", "  rx per busy core", "Gbit/s", None),
    ("engine", {}, "tx_tsc", "R5 tx", "tsc/pkt", None),
    ("engine", {}, "rx_tsc", "R5 rx", "tsc/pkt", None),
    ("engine", {}, "r1_med", "  R1, median window", "", None),
    ("engine", {}, "r2_med", "  R2, median window", "", None),
    ("engine", {}, "acks_per_pkt", "R15 ACK packets per data packet", "",
     ("goal", "<=", 1 / 16)),
    ("engine", {}, "heap_per_pkt", "R16 heap calls per data packet", "", ("must", "<=", 1e-5)),
    ("engine", {}, "lost", "frames and packets dropped", "", ("goal", "<=", 0)),
    ("soft", {}, "r1", "R1, checksums in software", "", None),
    ("soft", {}, "r2", "R2, checksums in software", "", None),
    ("short", {}, "r1", "R3 tx at 1200 B / RAW(1200)", "", ("goal", ">=", 0.18)),
    ("short", {}, "r2", "R3 rx at 1200 B / RAW(1200)", "", ("goal", ">=", 0.20)),
    ("threads", {}, "r1", "R1, a CPU for each side", "", None),
    ("threads", {}, "r2", "R2, a CPU for each side", "", None),
    ("threads", {}, "tx_gbps", "  tx per busy core", "Gbit/s", None),
    ("threads", {}, "rx_gbps", "  rx per busy core", "Gbit/s", None),
    ("threads", {}, "lost", "  dropped", "", ("goal", "<=", 0)),
)

# Figures of two programs: label, bound, programs and fields, how they are put together.
DERIVED = (
    ("R4 engine beyond the protocol, tx", ("goal", "<=", 0.35),
     (("engine", "tx_tsc"), ("harness", "tx_tsc")), lambda a, b: a / b - 1),
    ("R4 engine beyond the protocol, rx", ("goal", "<=", 0.35),
     (("engine", "rx_tsc"), ("harness", "rx_tsc")), lambda a, b: a / b - 1),
    ("R6 1000 connections / 1, tx", ("goal", ">=", 0.6),
     (("many", "tx_gbps"), ("engine", "tx_gbps")), lambda a, b: a / b),
    ("R6 1000 connections / 1, rx", ("goal", ">=", 0.6),
     (("many", "rx_gbps"), ("engine", "rx_gbps")), lambda a, b: a / b),
)
# Hugepages of 2 MiB that the programs may take; an engine in earnest has them. As root they are
# reserved for the run and given back.
HUGE_CNT = 256
HUGE = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
NAMES = ("crypt", "net", "ring", "quic", "engine")


class Child:
    """The program that runs now, so that an interrupt ends it too."""

    def __init__(self):
        self.process = None

    def run(self, argv):
        """Run argv; returns (exit code or None for out of time, its output)."""
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              start_new_session=True) as process:
            self.process = process
            try:
                out, _ = process.communicate(timeout=TIME_LIMIT_S)
                return process.returncode, out
            except subprocess.TimeoutExpired:
                return None, "ran out of time"
            finally:
                self.stop()

    def stop(self):
        """End it and what it started, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def lines_of(text):
    """Lines of "name key=value …" as dictionaries."""
    found = []
    for line in text.splitlines():
        words = [w.split("=", 1) for w in line.split() if "=" in w]
        if words:
            found.append(dict(words))
    return found


def value_in(lines, where, field):
    """The number of a field in the first line that says what where says; None without one."""
    for line in lines:
        if all(line.get(k) == v for k, v in where.items()) and field in line:
            return float(line[field])
    return None


def holds(bound, value):
    """Whether a value keeps its bound."""
    return value <= bound[2] if bound[1] == "<=" else value >= bound[2]


class Hugepages:
    """Enough free hugepages while the measurements run, if this user may have them."""

    def __enter__(self):
        self.before = None
        try:
            free = int((HUGE / "free_hugepages").read_text(encoding="ascii"))
            if free < HUGE_CNT and os.geteuid() == 0:
                self.before = int((HUGE / "nr_hugepages").read_text(encoding="ascii"))
                self.set(self.before + HUGE_CNT - free)
                free = int((HUGE / "free_hugepages").read_text(encoding="ascii"))
        except (OSError, ValueError):
            free = 0
        self.got = free >= HUGE_CNT
        if self.got:
            os.environ["PLX_TEST_HUGE"] = "1"
        return self

    def __exit__(self, *_):
        if self.before is not None:
            self.set(self.before)

    @staticmethod
    def set(count):
        """Ask the kernel for that many; it may give fewer."""
        (HUGE / "nr_hugepages").write_text(str(count), encoding="ascii")


def cpu_model():
    """What the kernel calls the CPU."""
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def run_all(keys, runs, build, child):
    """Run the programs in rotation; returns {key: [parsed lines of each run]} and failures."""
    results, failed = {key: [] for key in keys}, {}
    total, done = runs * len(keys), 0
    started = time.monotonic()
    for number in range(runs):
        for key in keys:
            done += 1
            if key in failed:
                continue
            argv = PROGRAMS[key][1]
            print(f"[{done}/{total}] {time.monotonic() - started:4.0f} s  run {number + 1}: "
                  f"{' '.join(argv)}", file=sys.stderr, flush=True)
            code, out = child.run([str(build / "tests/bench" / argv[0])] + argv[1:])
            if code != 0:
                failed[key] = out.strip().splitlines()[-1] if out.strip() else f"exit code {code}"
            else:
                results[key].append(lines_of(out))
    return results, failed


def collect(results):
    """Rows of the table: dictionaries with name, value, unit, bound and the single runs."""
    rows, medians = [], {}
    for key, where, field, label, unit, bound in FIGURES:
        values = [v for v in (value_in(r, where, field) for r in results.get(key, []))
                  if v is not None]
        if values:
            median = statistics.median(values)
            medians[(key, field)] = median
            rows.append({"name": label, "value": median, "unit": unit, "bound": bound,
                         "runs": values})
    for key in ("many",):
        for field in ("tx_gbps", "rx_gbps"):
            values = [v for v in (value_in(r, {}, field) for r in results.get(key, []))
                      if v is not None]
            if values:
                medians[(key, field)] = statistics.median(values)
    for label, bound, parts, how in DERIVED:
        if all(p in medians for p in parts):
            rows.append({"name": label, "value": how(*(medians[p] for p in parts)), "unit": "",
                         "bound": bound, "runs": []})
    return rows


def show(rows):
    """Print the table; returns whether every bound that must hold does."""
    good = True
    print(f"{'figure':<42} {'value':>10}  {'unit':<9} {'bound':<15} ok")
    for row in rows:
        bound, verdict, text = row["bound"], "", ""
        if bound is not None:
            kept = holds(bound, row["value"])
            text = f"{bound[0]} {bound[1]} {bound[2]:.4g}"
            verdict = "yes" if kept else "NO" if bound[0] == "must" else "below"
            good = good and (kept or bound[0] != "must")
            row["ok"] = kept
        print(f"{row['name']:<42} {row['value']:>10.4g}  {row['unit']:<9} {text:<15} {verdict}")
    return good


def parse(argv):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="./dev bench", description="Measure the engine and hold it against its bounds.")
    parser.add_argument("name", nargs="*", metavar="NAME",
                        help=f"what to measure: {', '.join(NAMES)} or all (default)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each program (default 5)")
    parser.add_argument("--json", metavar="FILE", help="write the figures and single runs there")
    args = parser.parse_args(argv)
    for name in args.name:
        if name not in (*NAMES, "all"):
            parser.error(f"no measurement is called {name!r}: {', '.join(NAMES)} or all")
    if args.runs < 1:
        parser.error("--runs takes 1 or more")
    if not args.name or "all" in args.name:
        args.name = list(NAMES)
    return args


def main(argv):
    """Everything; returns the exit code."""
    args = parse(argv)
    build = pathlib.Path(os.environ.get("POLLUX_BUILD_DIR", "build/default"))
    # R4 puts the engine beside the harness, so that one runs with it.
    keys = [k for k, (name, _) in PROGRAMS.items()
            if name in args.name or (k == "harness" and "engine" in args.name)]
    skipped = []
    if len(os.sched_getaffinity(0)) < 2:
        skipped = [k for k in keys if k in NEEDS_TWO_CPUS]
        keys = [k for k in keys if k not in skipped]
    for key in keys:
        program = build / "tests/bench" / PROGRAMS[key][1][0]
        if not os.access(program, os.X_OK):
            print(f"bench: {program} is not built; ./dev build", file=sys.stderr)
            return 1
    child = Child()
    try:
        with Hugepages() as pages:
            results, failed = run_all(keys, args.runs, build, child)
    except KeyboardInterrupt:
        child.stop()
        print("\nbench: interrupted", file=sys.stderr)
        return 130
    rows = collect(results)
    print(f"{cpu_model()}, load {os.getloadavg()[0]:.1f}, "
          f"{'hugepages' if pages.got else 'no hugepages'}, median of {args.runs}; "
          "no NIC: estimates of what one would carry")
    good = show(rows)
    for key in skipped:
        print(f"skipped: {' '.join(PROGRAMS[key][1])} (needs two CPUs)")
    for key, why in failed.items():
        print(f"failed: {' '.join(PROGRAMS[key][1])}: {why}")
    if args.json:
        report = {"cpu": cpu_model(), "runs": args.runs, "load": os.getloadavg()[0],
                  "figures": rows, "failed": failed, "skipped": skipped}
        pathlib.Path(args.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if good and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
