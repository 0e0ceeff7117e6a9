#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
"""The /pollux telemetry endpoints of a running demo: two engines in one process.

Usage: test_telemetry.py POLLUX
"""

import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

POLLUX = os.path.abspath(sys.argv.pop(1))

RUN_S = 20


class Demo:
    """`pollux demo` with telemetry, and a client of its socket."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="plx-telemetry-")
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.run = subprocess.Popen(
            [POLLUX, "demo", "--telemetry-dpdk", "--duration-s", str(RUN_S)], cwd=self.dir,
            env=os.environ | {"XDG_RUNTIME_DIR": self.dir}, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        self.sock = None

    def connect(self):
        """Whether the endpoints of both engines answer; tried for some seconds."""
        end = time.monotonic() + 10
        while time.monotonic() < end and self.run.poll() is None:
            for path in glob.glob(os.path.join(self.find_runtime(), "*/dpdk_telemetry.v2*")):
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                sock.settimeout(5)
                try:
                    sock.connect(path)
                    sock.recv(16384)
                except OSError:
                    sock.close()
                    continue
                self.sock = sock
                if len(self.ask("/pollux/info").get("engines", [])) == 2:
                    return True
                self.sock.close()
            time.sleep(0.1)
        return False

    def find_runtime(self):
        # EAL takes /var/run/dpdk as root, the user's runtime directory else.
        own = f"pollux-{self.run.pid}"
        for base in (self.dir + "/dpdk", "/var/run/dpdk", "/run/dpdk"):
            if os.path.isdir(os.path.join(base, own)):
                return base
        return self.dir

    def ask(self, command):
        """The value behind the command's name; {} where an endpoint says null."""
        self.sock.send(command.encode())
        reply = json.loads(self.sock.recv(1 << 16).decode())
        return next(iter(reply.values())) or {}

    def close(self):
        if self.sock is not None:
            self.sock.close()
        if self.run.poll() is None:
            self.run.send_signal(signal.SIGINT)
        try:
            self.run.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.run.kill()
            self.run.wait()
        self.log.close()
        with open(self.log.name, encoding="utf-8", errors="replace") as said:
            text = said.read()
        shutil.rmtree(self.dir, ignore_errors=True)
        return text


class Telemetry(unittest.TestCase):
    """One demo for all cases: it is read only."""

    @classmethod
    def setUpClass(cls):
        cls.demo = Demo()
        if not cls.demo.connect():
            raise AssertionError("no telemetry of the demo: " + cls.demo.close()[-2000:])
        cls.engines = cls.demo.ask("/pollux/info")["engines"]

    @classmethod
    def tearDownClass(cls):
        said = cls.demo.close()
        if cls.demo.run.returncode not in (0, 130) or "ThreadSanitizer" in said:
            raise AssertionError(f"demo ended with {cls.demo.run.returncode}: {said[-3000:]}")

    def until(self, what, seconds=10):
        """Asks again until the answer says something; the demo has only begun."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            got = what()
            if got:
                return got
            time.sleep(0.05)
        return what()

    def every_conn(self):
        found, page = {}, None
        for _ in range(100):
            got = self.demo.ask("/pollux/conn/list" + (f",{page}" if page is not None else ""))
            page = got.pop("next_page")
            found.update(got)
            if page == 0:
                return found
        raise AssertionError("the list of connections has no end")

    def test_info_names_engines_and_versions(self):
        info = self.demo.ask("/pollux/info")
        self.assertEqual(len(info["engines"]), 2)
        for name in ("pollux", "dpdk", "ngtcp2", "openssl"):
            self.assertRegex(info[name], r"\d+\.\d+")

    def test_summary_moves_and_agrees_with_all_counters(self):
        first = self.until(lambda: all(s["handshakes_done"] for s in
                                       self.demo.ask("/pollux/summary").values()))
        self.assertTrue(first)
        before = self.demo.ask("/pollux/summary")
        time.sleep(0.5)
        after, counters = self.demo.ask("/pollux/summary"), self.demo.ask("/pollux/quic")
        self.assertEqual(sorted(after), sorted(self.engines))
        for name in self.engines:
            self.assertGreater(after[name]["rx_pkts"], before[name]["rx_pkts"])
            # Asked later: never less.
            self.assertGreaterEqual(counters[name]["rx_pkts"], after[name]["rx_pkts"])
            self.assertEqual(after[name]["workers"], 1)

    def test_each_lcore_has_its_worker(self):
        lcores = self.demo.ask("/pollux/lcore")
        self.assertEqual(len(lcores), 2)
        seen = set()
        for lcore in lcores:
            got = self.demo.ask(f"/pollux/lcore,{lcore}")
            seen.add(got["engine"])
            self.assertLessEqual(got["busy_ns"], got["run_ns"])
            self.assertGreater(got["busy_turns"], 0)
            self.assertGreaterEqual(got["turns"], got["busy_turns"])
        self.assertEqual(seen, set(self.engines))
        self.assertEqual(self.demo.ask("/pollux/lcore,127"), {})
        self.assertEqual(self.demo.ask("/pollux/lcore,x"), {})

    def test_usage_of_lcores_reaches_eal(self):
        def busy():
            got = self.demo.ask("/eal/lcore/usage")
            return [b for b in got.get("busy_cycles", []) if b > 0]
        self.assertEqual(len(self.until(lambda: len(busy()) == 2 and busy())), 2)

    def test_ports_tell_link_and_counters(self):
        ports = self.demo.ask("/pollux/port")
        self.assertEqual(len(ports), 2)
        for number in range(2):
            got = self.until(lambda n=number: (p := self.demo.ask(f"/pollux/port,{n}"))["rx_pkts"]
                             and p)
            self.assertEqual(got["link_up"], 1)
            self.assertEqual(got["name"], ports[number])
        self.assertEqual(self.demo.ask("/pollux/port,2"), {})

    def live_conns(self):
        """What is shown of listed connections that still live when they are asked for."""
        shown = []
        for handle, line in self.every_conn().items():
            self.assertRegex(handle, r"^(server|client)/[0-9a-f]{16}$")
            self.assertRegex(line, r" (HANDSHAKE|OPEN|CLOSING|DRAINING)$")
            conn = self.demo.ask(f"/pollux/conn,{handle}")
            if conn:
                self.assertEqual(conn["remote"], line.split()[0])
                self.assertEqual(conn["role"], handle.split("/")[0])
                shown.append(conn)
        return shown

    def test_connections_are_listed_and_shown(self):
        # The first part of a demo is handshakes only: connections that end at once.
        got = self.until(lambda: [c for c in self.live_conns()
                                  if c["alpn"] == "h3" and c["rtt_ns"] > 0 and c["rx_pkts"] > 0],
                         seconds=15)
        self.assertTrue(got)
        self.assertEqual(got[0]["version"], "0x1")

    def test_connection_that_is_none_gives_nothing(self):
        for handle in ("server/00000001ffffffff", "server/0", "server/x", "x/1", "1",
                       "server/ff00000000000001"):
            self.assertEqual(self.demo.ask(f"/pollux/conn,{handle}"), {})
        self.assertEqual(self.demo.ask("/pollux/conn"), {})

    def test_drops_name_reasons_and_add_up(self):
        before = self.demo.ask("/pollux/summary")
        drops = self.demo.ask("/pollux/drops")
        after = self.demo.ask("/pollux/summary")
        self.assertEqual(sorted(drops), sorted(self.engines))
        for name, reasons in drops.items():
            self.assertLessEqual(before[name]["drops"], sum(reasons.values()))
            self.assertLessEqual(sum(reasons.values()), after[name]["drops"])
            for reason, count in reasons.items():
                self.assertRegex(reason, r"^[A-Z0-9]+_[A-Z0-9_]+$")
                self.assertGreater(count, 0)

    def test_every_endpoint_has_help(self):
        ours = [c for c in self.demo.ask("/") if c.startswith("/pollux")]
        self.assertEqual(len(ours), 8)
        for command in ours:
            self.assertTrue(self.demo.ask(f"/help,{command}"), command)

    def test_a_hundred_questions_a_second_disturb_nobody(self):
        commands = ("/pollux/summary", "/pollux/quic", "/pollux/drops", "/pollux/conn/list",
                    "/pollux/port,0", "/eal/lcore/usage")
        begin = time.monotonic()
        for turn in range(200):
            self.assertIsNotNone(self.demo.ask(commands[turn % len(commands)]))
            time.sleep(max(0.0, begin + turn / 100 - time.monotonic()))
        before = self.demo.ask("/pollux/summary")
        time.sleep(0.5)
        after = self.demo.ask("/pollux/summary")
        for name in self.engines:
            self.assertGreater(after[name]["rx_pkts"], before[name]["rx_pkts"])


if __name__ == "__main__":
    unittest.main(verbosity=1)
