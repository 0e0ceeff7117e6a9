#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Interoperability with real peers in network namespaces. Needs root.
# Usage: run.sh smoke|full [--table FILE] [CASE...]     exit: 0 passed, 1 failed, 77 no rights
set -eu
exec python3 -B "$(dirname "$0")/run.py" "$@"
