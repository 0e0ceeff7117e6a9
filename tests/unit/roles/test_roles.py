#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
"""A call from the wrong thread does not compile: roles of <plx/defs.h> under clang.

Usage: test_roles.py INCLUDE_DIR... CLANG
"""

import subprocess
import sys
import unittest

INCLUDES, CLANG = sys.argv[1:-1], sys.argv[-1]

ROLES = ("WORKER", "APP", "MAIN")
FLAGS = ("-x", "c", "-std=gnu17", "-fsyntax-only", "-Wall", "-Wthread-safety", "-Werror",
         "-DPLX_THREAD_ROLES", "-fno-color-diagnostics")

PROGRAM = """
#include <plx/attach.h>
#include <plx/conn.h>
#include <plx/err.h>
void callee(void) {callee};
void caller(void) {caller};
{between}
void caller(void) {{ {body} }}
"""


def compile_text(text):
    """(compiles, what clang says)"""
    done = subprocess.run([CLANG, *FLAGS, *(f"-I{i}" for i in INCLUDES), "-"], input=text,
                          capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stderr


def program(caller, callee, body="callee();", between=""):
    return PROGRAM.format(caller=caller, callee=callee, body=body, between=between)


class Roles(unittest.TestCase):
    """Each pair of roles, and the functions of the public headers themselves."""

    def refused(self, text):
        compiles, said = compile_text(text)
        self.assertFalse(compiles, text)
        # For this reason and no other.
        self.assertEqual(said.count("error:"), 1, said)
        self.assertIn("-Wthread-safety-precise", said)

    def accepted(self, text):
        compiles, said = compile_text(text)
        self.assertTrue(compiles, said)

    def test_function_of_one_role_may_not_call_another(self):
        for caller in ROLES:
            for callee in ROLES:
                text = program(f"PLX_ON_{caller}", f"PLX_ON_{callee}")
                with self.subTest(caller=caller, callee=callee):
                    if caller == callee:
                        self.accepted(text)
                    else:
                        self.refused(text)

    def test_application_core_may_not_close_a_connection_itself(self):
        body = "plx_conn_close((struct plx_conn *)0, 0, \"\");"
        self.refused(program("PLX_ON_APP", "PLX_ON_APP", body))
        self.accepted(program("PLX_ON_WORKER", "PLX_ON_APP", body))

    def test_worker_may_not_take_events(self):
        body = "struct plx_event ev; plx_events_take((struct plx_attach *)0, &ev, 1);"
        self.refused(program("PLX_ON_WORKER", "PLX_ON_APP", body))
        self.accepted(program("PLX_ON_APP", "PLX_ON_APP", body))

    def test_functions_for_any_thread_are_free_to_all(self):
        for caller in ROLES:
            self.accepted(program(f"PLX_ON_{caller}", "PLX_ANY_THREAD",
                                  "callee(); plx_strerror(0);"))

    def test_helper_with_a_role_carries_it(self):
        helper = "static PLX_ON_WORKER void\nhelper(void)\n{ callee(); }"
        self.refused(program("PLX_ON_APP", "PLX_ON_WORKER", "helper();", helper))

    def test_control_thread_may_act_as_a_worker_that_does_not_run(self):
        self.accepted(program("PLX_ON_MAIN", "PLX_ON_WORKER", "PLX_ACT_AS_WORKER(); callee();"))
        self.refused(program("PLX_ON_MAIN", "PLX_ON_APP", "PLX_ACT_AS_WORKER(); callee();"))


def main():
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Roles)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len({str(test).split(" ")[0] for test, _ in result.failures + result.errors})
    print(f"{max(result.testsRun - failed, 0)} passed, {failed} failed, 0 skipped")
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
