# SPDX-License-Identifier: BSD-3-Clause
"""Runs client and server in one process over the simulated wire for a long time and watches its
memory: rounds of handshakes, downloads, uploads and small requests, one process all the while.

The pools of the workers are whole when traffic begins, what is left to grow is OpenSSL's heap and
the caches of allocators: they do so in the first quarter, which is at least two rounds. The peak of
the rest must stay within 1 MiB of the peak of that quarter: in 80 s, the shortest run, about 10,000
connections come and go behind the first quarter, so that 100 bytes lost with each are seen. Every
connection must work, and the program must end by itself with code 0, which it does only when
nothing failed.

Exit code: 0, 1 (memory grew or the program failed), 2 (usage), 130.
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

SETTLE = 0.25
ROUND_S = 8
SECONDS_LEAST = 80
SLACK_KIB = 1024


def rss_kib(pid):
    """Resident memory without what is shared with files; None when the process is gone."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return None


def main(argv):
    parser = argparse.ArgumentParser(prog="./dev soak", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3600,
                        help=f"default 3600, at least {SECONDS_LEAST}")
    args = parser.parse_args(argv)
    if not SECONDS_LEAST <= args.seconds <= 86400:
        parser.error(f"--seconds takes {SECONDS_LEAST}..86400")
    build = os.environ.get("POLLUX_BUILD_DIR", "build/default")
    with tempfile.TemporaryDirectory(prefix="plx-soak-") as scratch:
        demo = subprocess.Popen(
            [f"{build}/apps/pollux", "demo", "--demo-duration-s", str(ROUND_S), "--demo-rounds",
             str(args.seconds // ROUND_S), "--progress", "none", "--telemetry-result", f"{scratch}/result.json"], start_new_session=True)
        started, settled, peak, next_line = time.monotonic(), 0, 0, 0
        try:
            while demo.poll() is None:
                time.sleep(0.5)
                spent, now = time.monotonic() - started, rss_kib(demo.pid)
                if now is None:
                    continue
                if spent < SETTLE * args.seconds:
                    settled = max(settled, now)
                else:
                    peak = max(peak, now)
                if spent >= next_line:
                    print(f"soak: {spent:5.0f} of {args.seconds} s, {now / 1024:.1f} MiB",
                          flush=True)
                    next_line += max(10, args.seconds // 60)
        except KeyboardInterrupt:
            os.killpg(demo.pid, signal.SIGTERM)
            demo.wait(20)
            print("soak: interrupted", file=sys.stderr)
            return 130
        finally:
            if demo.poll() is None:
                os.killpg(demo.pid, signal.SIGKILL)
                demo.wait()
    grown = peak - settled
    print(f"soak: {args.seconds} s, exit code {demo.returncode}, settled at "
          f"{settled / 1024:.1f} MiB, at most {grown / 1024:.2f} MiB more "
          f"(limit {SLACK_KIB / 1024:.1f})")
    return 0 if demo.returncode == 0 and settled and grown <= SLACK_KIB else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
