#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
#
# Unpacks packages that cannot be installed together with those that are, under /opt/NAME, and
# makes /opt/NAME/bin/COMMAND start each of their commands with the libraries of /opt/NAME.
# Runs in the root (or container image) that is being made, with apt's lists present.
#
# Usage: unpack_beside.sh NAME SUITE PACKAGE...
set -eu

name=$1 suite=$2
shift 2
dir=/opt/$name
debs=$(mktemp -d)
mkdir -p "$dir/bin"

cd "$debs"
# apt's own user may have no rights here.
for package; do
	apt-get -q -o Acquire::Retries=5 -o APT::Sandbox::User=root download "$package/$suite"
done
for deb in *.deb; do
	dpkg-deb -x "$deb" "$dir"
done
cd /
rm -r "$debs"

libs=$(find "$dir/usr/lib" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd:)
for command in "$dir"/usr/bin/* "$dir"/usr/sbin/*; do
	[ -f "$command" ] || continue
	[ -x "$command" ] || continue
	wrapper=$dir/bin/${command##*/}
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$libs" "$command" >"$wrapper"
	chmod +x "$wrapper"
done
