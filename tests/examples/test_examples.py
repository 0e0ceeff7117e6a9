#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Builds the examples against the installed library, as a user would, and runs them as their
first lines say: two processes joined by memif.

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
        flags = run("pkg-config", "--cflags", "--libs", "pollux", "libdpdk",
                    PKG_CONFIG_PATH=os.path.dirname(pc)).split()
        for name in ("echo", "inline_echo"):
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

    def device(self, role):
        return f"net_memif0,role={role},id=0,socket={self.dir}/memif.sock,socket-abstract=no"

    def serve(self, *argv):
        log = open(f"{self.dir}/server.log", "w+", encoding="utf-8")
        self.addCleanup(log.close)
        server = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT,
                                  env=dict(os.environ, **self.env))
        self.addCleanup(lambda: server.poll() is None and (server.kill(), server.wait()))
        said = pathlib.Path(log.name)
        end = time.monotonic() + 30
        while "running" not in said.read_text(encoding="utf-8"):
            self.assertIsNone(server.poll(), said.read_text(encoding="utf-8"))
            self.assertLess(time.monotonic(), end, "the server did not start")
            time.sleep(0.05)
        return server

    def talk(self, server):
        out = run(f"{self.dir}/echo", *self.eal("send"), "send", self.device("client"),
                  "192.0.2.2/24", "192.0.2.1", str(BYTES), **self.env)
        self.assertIn(f"{BYTES} bytes came back", out)
        server.send_signal(signal.SIGINT)
        self.assertEqual(server.wait(20), 0)

    def test_echo_over_rings_brings_every_byte_back(self):
        self.talk(self.serve(f"{self.dir}/echo", *self.eal("serve"), "serve",
                             self.device("server"), "192.0.2.1/24", f"{self.dir}/cert.pem",
                             f"{self.dir}/key.pem"))

    def test_inline_echo_brings_every_byte_back(self):
        self.talk(self.serve(f"{self.dir}/inline_echo", *self.eal("inline"),
                             self.device("server"), "192.0.2.1/24", f"{self.dir}/cert.pem",
                             f"{self.dir}/key.pem"))

    def test_examples_say_what_is_wrong(self):
        done = subprocess.run([f"{self.dir}/inline_echo", *self.eal("bad"), "net_nothing0",
                               "192.0.2.1/24", f"{self.dir}/cert.pem", f"{self.dir}/key.pem"],
                              capture_output=True, text=True, check=False, timeout=60,
                              env=dict(os.environ, **self.env))
        self.assertEqual(done.returncode, 1)
        self.assertIn("net_nothing0", done.stderr)


if __name__ == "__main__":
    result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2).result
    bad = len(result.failures) + len(result.errors)
    print(f"{max(result.testsRun - bad - len(result.skipped), 0)} passed, {bad} failed, "
          f"{len(result.skipped)} skipped")
    sys.exit(1 if bad or result.testsRun == 0 else 0)
