#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Builds the examples against the installed library, as a user would, and runs them as their
first lines say: processes joined by memif, and one without DPDK.

Usage: test_examples.py BUILD COMPILER   (COMPILER as one word list, "ccache gcc")
"""

import glob
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BUILD, COMPILER = sys.argv[1], shlex.split(sys.argv[2])
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../apps/examples")
BYTES = 20 << 20
# Example: what it links.
EXAMPLES = {
    "echo": ["pollux", "libdpdk"],
    "inline_echo": ["pollux", "libdpdk"],
    "embedded": ["pollux", "libdpdk"],
    "sansio_pair": ["pollux-quic"],
}


def run(*argv, timeout=120, **env):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=timeout,
                          env=dict(os.environ, **env))
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(argv)}: exit code {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done.stdout


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temp = tempfile.TemporaryDirectory(prefix="plx-examples-")
        cls.addClassCleanup(temp.cleanup)
        cls.dir = temp.name
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", DESTDIR=f"{cls.dir}/root")
        pc = glob.glob(f"{cls.dir}/root/**/pollux.pc", recursive=True)[0]
        lib = os.path.dirname(glob.glob(f"{cls.dir}/root/**/libpollux.so", recursive=True)[0])
        cls.env = {"LD_LIBRARY_PATH": lib, "XDG_RUNTIME_DIR": cls.dir}
        for name, packages in EXAMPLES.items():
            flags = run("pkg-config", "--cflags", "--libs", *packages,
                        PKG_CONFIG_PATH=os.path.dirname(pc)).split()
            run(*COMPILER, "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                f"{SOURCES}/{name}.c", "-o", f"{cls.dir}/{name}", *flags)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", f"{cls.dir}/key.pem",
            "-out", f"{cls.dir}/cert.pem")

    def eal(self, name):
        cpus = ",".join(str(c) for c in sorted(os.sched_getaffinity(0)))
        return ["--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "128",
                "--log-level=error", f"--file-prefix=plxex-{os.getpid()}-{name}",
                f"--lcores=(0-1)@({cpus})", "--"]

    def device(self, role, wire="wire", number=0):
        return (f"net_memif{number},role={role},id=0,socket={self.dir}/{wire}.sock,"
                "socket-abstract=no")

    def start(self, name, *argv):
        """A program in the background that says "running". @return it, and its words later"""
        log = pathlib.Path(f"{self.dir}/{self.id()}-{name}.log")
        with open(log, "w", encoding="utf-8") as out:
            program = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT,
                                       env=dict(os.environ, **self.env))
        self.addCleanup(lambda: program.poll() is None and (program.kill(), program.wait()))
        end = time.monotonic() + 30
        while "running" not in log.read_text(encoding="utf-8"):
            self.assertIsNone(program.poll(), log.read_text(encoding="utf-8"))
            self.assertLess(time.monotonic(), end, f"{name} did not start")
            time.sleep(0.05)
        return program, log

    def stop(self, started):
        program, log = started
        program.send_signal(signal.SIGINT)
        self.assertEqual(program.wait(20), 0, log.read_text(encoding="utf-8"))
        return log.read_text(encoding="utf-8")

    def serve(self, device, address):
        return self.start("serve", f"{self.dir}/echo", *self.eal("serve"), "serve", device,
                          address, f"{self.dir}/cert.pem", f"{self.dir}/key.pem")

    def talk(self, wire, server, *port):
        out = run(f"{self.dir}/echo", *self.eal("send"), "send", self.device("client", wire),
                  "192.0.2.2/24", server, str(BYTES), *port, **self.env)
        self.assertIn(f"{BYTES} bytes came back", out)

    def test_echo_over_rings_brings_every_byte_back(self):
        server = self.serve(self.device("server"), "192.0.2.1/24")
        self.talk("wire", "192.0.2.1")
        self.stop(server)

    def test_inline_echo_brings_every_byte_back(self):
        server = self.start("inline", f"{self.dir}/inline_echo", *self.eal("inline"),
                            self.device("server"), "192.0.2.1/24", f"{self.dir}/cert.pem",
                            f"{self.dir}/key.pem")
        self.talk("wire", "192.0.2.1")
        self.stop(server)

    def test_embedded_serves_port_443_and_forwards_the_rest(self):
        eal = self.eal("host")
        vdevs = ["--vdev", self.device("server", "front", 0),
                 "--vdev", self.device("server", "back", 1)]
        host = self.start("embedded", f"{self.dir}/embedded", *eal[:-1], *vdevs, "--",
                          "192.0.2.1/24", f"{self.dir}/cert.pem", f"{self.dir}/key.pem")
        behind = self.serve(self.device("client", "back"), "192.0.2.3/24")
        self.talk("front", "192.0.2.1", "443")
        self.talk("front", "192.0.2.3")
        # One connection each: neither saw what was the other's.
        self.assertIn("1 connections", self.stop(behind))
        self.assertRegex(self.stop(host), r"1 connections, \d{3,} frames forwarded")

    def test_sansio_pair_needs_no_dpdk_and_brings_every_byte(self):
        out = run(f"{self.dir}/sansio_pair", f"{self.dir}/cert.pem", f"{self.dir}/key.pem",
                  str(BYTES // 4), **self.env)
        self.assertIn("every byte came", out)
        self.assertNotIn("librte", run("ldd", f"{self.dir}/sansio_pair", **self.env))

    def test_examples_are_short(self):
        for name in EXAMPLES:
            with open(f"{SOURCES}/{name}.c", encoding="utf-8") as file:
                self.assertLess(len(file.readlines()), 250, name)

    def test_examples_say_what_is_wrong(self):
        cert, key = f"{self.dir}/cert.pem", f"{self.dir}/key.pem"
        null = ["--vdev", "net_null0", "--vdev", "net_null1", "--"]
        eal = self.eal("bad")
        for argv, said in (
                (["inline_echo", *eal, "net_nothing0", "192.0.2.1/24", cert, key], "net_nothing0"),
                (["embedded", *eal[:-1], *null, "192.0.2.1/24", cert, "/nowhere"], "/nowhere"),
                (["embedded", *eal, "192.0.2.1/24", cert, key], "two ports"),
                (["sansio_pair"], "usage"),
                (["sansio_pair", key, cert], key)):
            done = subprocess.run([f"{self.dir}/{argv[0]}", *argv[1:]], capture_output=True,
                                  text=True, check=False, timeout=60,
                                  env=dict(os.environ, **self.env))
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2).result
    bad = len(result.failures) + len(result.errors)
    print(f"{max(result.testsRun - bad - len(result.skipped), 0)} passed, {bad} failed, "
          f"{len(result.skipped)} skipped")
    sys.exit(1 if bad or result.testsRun == 0 else 0)
