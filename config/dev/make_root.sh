#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
#
# Fills a directory with a Debian root; runs as process 1 of fresh mount and PID namespaces, so that
# no mount and no process of it outlives it. ./dev calls it (config/dev/root.sh, make_root).
#
# Usage: make_root.sh TARGET BASE LIST...
set -euo pipefail

PROJECT=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=config/dev/root.sh
source "$PROJECT/config/dev/root.sh"

target=$1 base=$2
shift 2
lists=("$@")
work=$target.work
log=$ROOT_CACHE/${target##*/tmp.}.log
export TMPDIR=$work

# Process 1 hears only the signals that it has handlers for.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

packages() { for list in "${lists[@]}"; do list_packages "$list"; done | awk '{ print $1 }'; }
preferences() { for list in "${lists[@]}"; do list_preferences "$list" && echo; done; }

# Proxy settings of the host's apt, as options for another apt.
proxies() {
	apt-config dump 2>/dev/null |
		sed -n 's/^\(Acquire::https\?::Proxy\) "\(..*\)";$/\1 "\2";/p'
}

# progress: shows the steps of the log as they come.
progress() {
	tee -a "$log" |
		sed -un 's/^I: \(\(running apt-get update\|downloading\|extracting\|installing\|copying\|unpacking\).*\)/dev:   \1/p' >&2
}

from_nothing() {
	local opts=(--mode=root --variant=apt --format=directory
		--arch="$(dpkg --print-architecture)"
		--include="$(packages | xargs)"
		--aptopt='Acquire::Retries "5"'
		--aptopt='Acquire::http::Timeout "30"'
		--aptopt='APT::Install-Recommends "false"'
		--aptopt='Acquire::Languages "none"'
		--dpkgopt=force-unsafe-io
		--dpkgopt='path-exclude=/usr/share/doc/*'
		--dpkgopt='path-include=/usr/share/doc/*/copyright'
		--dpkgopt='path-exclude=/usr/share/man/*'
		--dpkgopt='path-exclude=/usr/share/locale/*'
		--dpkgopt='path-exclude=/usr/share/info/*'
		--setup-hook="cat '$work/preferences' >\"\$1/etc/apt/preferences.d/pollux\"")
	local line
	while IFS= read -r line; do opts+=(--aptopt="$line"); done < <(proxies)
	[[ -z ${POLLUX_KEYRING:-} ]] || opts+=(--keyring="$POLLUX_KEYRING")
	preferences >"$work/preferences"
	if [[ -s $work/sources.list ]]; then
		opts+=("$ROOT_SUITE" "$target" "$work/sources.list")
	else
		# mmdebstrap's own mirror; backports are the one suite that it does not add.
		opts+=(--setup-hook="sed -n 's/ $ROOT_SUITE main\$/ $ROOT_SUITE-backports main/p' \"\$1/etc/apt/sources.list\" >\"\$1/etc/apt/sources.list.d/backports.list\"")
		opts+=("$ROOT_SUITE" "$target")
	fi
	mmdebstrap "${opts[@]}"
}

# expect PATTERN COMMAND: fails unless what COMMAND prints has PATTERN (or has not, with "!").
expect() {
	local pattern=${1#!} said
	# shellcheck disable=SC2086 # a list of words
	said=$(chroot "$target" $2 2>&1) || true
	if [[ $1 == !* && $said == *"$pattern"* ]]; then
		echo "E: '$2' was to say nothing of $pattern: $said"
		return 1
	elif [[ $1 != !* && $said != *"$pattern"* ]]; then
		echo "E: '$2' was to say something of $pattern: $said"
		return 1
	fi
}

on_base() {
	local list line
	echo "I: copying the root..."
	cp -a --reflink=auto "$base" "$target"
	mount -t proc proc "$target/proc"
	mount --rbind /dev "$target/dev"
	mount -t tmpfs tmpfs "$target/run"
	cat /etc/resolv.conf >"$target/etc/resolv.conf" || true
	cat /etc/hosts >"$target/etc/hosts" || true
	preferences >"$target/etc/apt/preferences.d/pollux"
	# No service starts because its package was installed.
	printf '#!/bin/sh\nexit 101\n' >"$target/usr/sbin/policy-rc.d"
	chmod +x "$target/usr/sbin/policy-rc.d"
	export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
	export PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/tmp
	echo "I: running apt-get update..."
	chroot "$target" apt-get -q update
	echo "I: installing packages..."
	# shellcheck disable=SC2046 # names without blanks
	chroot "$target" apt-get -q -y install $(packages | sort -u)
	cp "$PROJECT/config/dev/unpack_beside.sh" "$target/tmp/"
	for list in "${lists[@]}"; do
		while read -r line; do
			echo "I: unpacking $line..."
			# shellcheck disable=SC2086 # a list of words
			chroot "$target" /tmp/unpack_beside.sh $line
		done < <(list_lines "$list" | sed -n 's/^beside //p')
	done
	rm "$target/tmp/unpack_beside.sh"
	for list in "${lists[@]}"; do
		while read -r line; do expect "${line%% *}" "${line#* }"; done < <(
			list_lines "$list" | sed -n 's/^expect //p'
		)
	done
	# By this file the tests know that the peers are here.
	touch "$target/etc/pollux-peers"
	chroot "$target" apt-get clean
	rm -rf "$target"/var/lib/apt/lists/*
	umount -l "$target/run" "$target/dev" "$target/proc"
}

# In the background, because a trap of this shell runs only between its commands.
if [[ $base == - ]]; then
	from_nothing 2>&1 | progress &
else
	(set -e; on_base) 2>&1 </dev/null | progress &
fi
wait $!
