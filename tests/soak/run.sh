#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Hours of traffic with memory flat: ./dev soak [--seconds N]
set -eu
exec python3 -B "$(dirname "$0")/run.py" "$@"
