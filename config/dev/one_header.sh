#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
#
# Usage: one_header.sh HEADER SOURCE
# Writes a source file that holds nothing but this header, twice: it has to bring what it needs
# and to bear being included again.
set -eu
case $1 in
*/plx/*) name="<plx/${1##*/}>" ;;
*) name="\"${1##*/}\"" ;;
esac
printf '#include %s\n#include %s\n' "$name" "$name" >"$2"
