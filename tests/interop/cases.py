# SPDX-License-Identifier: BSD-3-Clause
"""All cases: a module for each theme adds its own to case.CASES. Each is one test;
docs/interop.md is written from their results."""

import cases_early  # noqa: F401
import cases_get  # noqa: F401
import cases_net  # noqa: F401
import cases_serve  # noqa: F401
import cases_steer  # noqa: F401
from case import Skip, select  # noqa: F401
