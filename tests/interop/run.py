# SPDX-License-Identifier: BSD-3-Clause
"""Runs interop cases and prints a line for each, a table, and "N passed, N failed, N skipped"."""

import os
import re
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import cases  # noqa: E402
import rig as rigs  # noqa: E402
import table  # noqa: E402


def main(argv):
    page = None
    if "--table" in argv:
        at = argv.index("--table")
        page = argv[at + 1] if at + 1 < len(argv) else ""
        argv = argv[:at] + argv[at + 2:]
    if len(argv) < 2 or argv[1] not in ("smoke", "full") or page == "":
        print("usage: run.sh smoke|full [--table FILE] [CASE...]\n"
              "  CASE: regular expression on case names\n"
              "  --table FILE: write the results of all cases as docs/interop.md has them",
              file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("interop needs root: network namespaces and veth")
        print("0 passed, 0 failed, 1 skipped")
        return 77
    wanted = cases.select(argv[1])
    if argv[2:]:
        wanted = [c for c in wanted if any(re.search(p, c.name) for p in argv[2:])]
    if not wanted:
        print("no case fits", file=sys.stderr)
        return 2
    if page is not None and table.complete([c.name for c in wanted]):
        print("--table wants all cases; these differ from the page: " +
              " ".join(table.complete([c.name for c in wanted])), file=sys.stderr)
        return 2

    def interrupted(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    passed, failed, skipped = 0, 0, 0
    results = {}
    for case in wanted:
        start = time.monotonic()
        rig = None
        why = ""
        try:
            missing = [n for n in case.needs if not os.path.exists(n)]
            if missing:
                raise cases.Skip(f"{missing[0]} is not installed")
            rig = rigs.Rig()
            case.fn(rig, **case.args)
            verdict = "passed"
            passed += 1
        except cases.Skip as e:
            verdict, why = "skipped", str(e)
            skipped += 1
        except KeyboardInterrupt:
            if rig:
                rig.close()
            print("interrupted")
            return 130
        except Exception as e:
            verdict, why = "FAILED", f"{type(e).__name__}: {e}"
            failed += 1
            traceback.print_exc(file=sys.stdout)
            if rig:
                for p in rig.processes:
                    p.stop()  # the engine prints what it counted
                    print(f"--- {p.name}:\n{p.text()[-4000:]}")
        finally:
            if rig:
                rig.close()
        results[case.name] = f"skipped: {why}" if verdict == "skipped" else verdict
        print(f"{verdict:8} {case.name} ({time.monotonic() - start:.1f} s) {why}", flush=True)
    if page is not None:
        table.write(page, results)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
