#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
"""Installs the build below a temporary directory and uses what is there as a stranger would.

Usage: test_install.py BUILD COMPILER   (COMPILER as one word list, "ccache gcc")
"""

import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

BUILD, COMPILER = sys.argv[1], shlex.split(sys.argv[2])
HERE = os.path.dirname(os.path.abspath(__file__))

# What headers of the C library a public header may need.
C_HEADERS = {"stdbool.h", "stddef.h", "stdint.h", "stdarg.h", "stdio.h", "string.h", "inttypes.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])', re.MULTILINE)
API = re.compile(r"PLX_API\b[^;{]*?\b(plx_\w+)\s*\(", re.DOTALL)


def run(*argv, **env):
    """Output of a command; what it said is in the exception when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False,
                          env=dict(os.environ, **env))
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(argv)}: exit code {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done.stdout


class Installed(unittest.TestCase):
    """One installation for all tests."""

    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory(prefix="plx-install-")
        cls.addClassCleanup(cls.temp.cleanup)
        cls.root = cls.temp.name
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", DESTDIR=cls.root)
        cls.prefix = os.path.dirname(cls.find("include"))
        cls.lib = os.path.dirname(cls.find("libpollux.so"))
        cls.env = {"PKG_CONFIG_PATH": os.path.dirname(cls.find("pollux.pc")),
                   "LD_LIBRARY_PATH": cls.lib}

    @classmethod
    def find(cls, name):
        """The one installed file or folder of this name."""
        found = glob.glob(f"{cls.root}/**/{name}", recursive=True)
        if len(found) != 1:
            raise AssertionError(f"{name}: installed {len(found)} times")
        return found[0]

    def headers(self):
        paths = glob.glob(f"{self.prefix}/include/plx/*.h")
        self.assertGreater(len(paths), 5)
        for path in paths:
            with open(path, encoding="utf-8") as file:
                yield path, file.read()

    def api(self):
        """Names of all functions that the installed headers offer."""
        names = set()
        for _, text in self.headers():
            text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
            text = re.sub(r"^#define.*$", "", text, flags=re.MULTILINE)
            names.update(API.findall(text))
        return names

    def exported(self, library):
        lines = run("nm", "-D", "--defined-only", f"{self.lib}/{library}").splitlines()
        return {line.split()[-1] for line in lines}

    def needed(self, library):
        text = run("readelf", "-d", f"{self.lib}/{library}")
        return re.findall(r"\(NEEDED\).*\[(.*)\]", text)

    def build_and_run(self, package, *, static):
        """Compiles hosted.c with what pkg-config says, runs it, returns what it needs."""
        program = f"{self.root}/hosted-{package}-{static}"
        how = ["--static"] if static else []
        flags = shlex.split(run("pkg-config", "--cflags", "--libs", *how, package, **self.env))
        if static:
            # The others stay shared: of them the system has no static ones.
            flags = [f"-l:lib{package}.a" if f == f"-l{package}" else f for f in flags]
        run(*COMPILER, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", program,
            f"{HERE}/hosted.c", *flags)
        text = run(program, **self.env)
        self.assertRegex(text, r"^\d+\.\d+\.\d+: out of memory\n$")
        return run("readelf", "-d", program)

    def test_shared_library_without_dpdk_serves_a_program(self):
        text = self.build_and_run("pollux-quic", static=False)
        self.assertIn("libpollux-quic.so.", text)

    def test_static_library_without_dpdk_serves_a_program(self):
        text = self.build_and_run("pollux-quic", static=True)
        self.assertNotIn("libpollux", text)

    def test_shared_library_with_dpdk_serves_a_program(self):
        text = self.build_and_run("pollux", static=False)
        self.assertIn("libpollux.so.", text)

    def test_sans_io_library_needs_no_dpdk(self):
        names = self.needed("libpollux-quic.so")
        self.assertTrue(any(n.startswith("libngtcp2.") for n in names), names)
        self.assertEqual([n for n in names if n.startswith("librte_")], [])
        self.assertTrue(any(n.startswith("librte_") for n in self.needed("libpollux.so")))

    def test_exported_is_what_the_headers_offer_and_nothing_else(self):
        api = self.api()
        self.assertIn("plx_strerror", api)
        self.assertEqual(self.exported("libpollux.so"), api)
        self.assertLessEqual({"plx_strerror", "plx_version", "plx_conn_close"},
                             self.exported("libpollux-quic.so"))
        self.assertLessEqual(self.exported("libpollux-quic.so"), api)

    def test_headers_include_only_each_other_and_the_c_library(self):
        for path, text in self.headers():
            for name in INCLUDE.findall(text):
                self.assertTrue(name.startswith("<plx/") or name[1:-1] in C_HEADERS,
                                f"{os.path.basename(path)} includes {name}")

    def test_program_pages_and_samples_are_there_and_it_starts(self):
        self.assertRegex(run(self.find("bin/pollux"), "--version"), r"^pollux \d")
        self.find("serve.yaml")
        if subprocess.run(["scdoc"], stdin=subprocess.DEVNULL, capture_output=True,
                          check=False).returncode != 127:
            self.find("pollux.1")


def main():
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Installed)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    passed = max(result.testsRun - failed - len(result.skipped), 0)
    print(f"{passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
