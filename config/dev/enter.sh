#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
#
# Second half of entering the development root: runs as process 1 of fresh mount and PID
# namespaces, arranges the mounts, changes root and becomes init.py. Every mount lives in this
# namespace only, so all of them vanish with its last process, however that ends.
#
# Usage: enter.sh ROOT SCRATCH PROJECT CWD BINDS PRIVATE_NET COMMAND [ARGUMENT...]
#   ROOT         the cached root; it is not written to
#   SCRATCH      an empty directory to mount on
#   PROJECT      bound at the same absolute path, so that compiler messages name real files
#   CWD          where COMMAND starts
#   BINDS        further host directories to show at their own path, one per line
#   PRIVATE_NET  1 when the caller also made a network namespace
set -euo pipefail

root=$1 scratch=$2 project=$3 cwd=$4 binds=$5 private_net=$6
shift 6

# Parents of this namespace must not see what follows.
mount --make-rprivate /

mount -t tmpfs -o mode=0755 pollux-dev "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/new"
new=$scratch/new

# What a run writes outside the project goes to memory and is gone afterwards. Where overlayfs is
# refused (old kernels, some containers) the root itself has to do.
layers=lowerdir=$root,upperdir=$scratch/upper,workdir=$scratch/work
mount -t overlay -o "$layers" pollux-dev "$new" 2>/dev/null ||
	mount -t overlay -o "$layers,userxattr" pollux-dev "$new" 2>/dev/null ||
	mount --bind "$root" "$new"

mount -t proc -o nosuid,nodev,noexec proc "$new/proc"
mount --rbind /dev "$new/dev"
mount -t tmpfs -o mode=1777,nosuid,nodev pollux-shm "$new/dev/shm" 2>/dev/null || true
mount -t tmpfs -o mode=1777 pollux-tmp "$new/tmp"
mount -t tmpfs -o mode=0755,nosuid,nodev pollux-run "$new/run"
mkdir -p "$new/run/lock" "$new/run/netns"

# /sys shows the network devices of the namespace it was mounted in.
if [[ $private_net == 1 ]] && mount -t sysfs -o nosuid,nodev,noexec sysfs "$new/sys" 2>/dev/null; then
	mount --rbind /sys/fs/cgroup "$new/sys/fs/cgroup" 2>/dev/null || true
else
	mount --rbind /sys "$new/sys"
fi
mount -t bpf -o nosuid,nodev,noexec bpf "$new/sys/fs/bpf" 2>/dev/null || true
if cat /sys/kernel/mm/hugepages/hugepages-*/nr_hugepages 2>/dev/null | grep -q '[1-9]'; then
	# Not /dev/hugepages: on a bound /dev that is only a directory of the host's devtmpfs.
	mkdir -p "$new/mnt/huge"
	mount -t hugetlbfs nodev "$new/mnt/huge" 2>/dev/null || true
fi

# Named network namespaces of the host can be entered; new ones stay inside and end with the run.
for ns in /run/netns/*; do
	[[ -e $ns ]] || continue
	: >"$new/run/netns/${ns##*/}"
	mount --bind "$ns" "$new/run/netns/${ns##*/}" 2>/dev/null || true
done

for file in /etc/resolv.conf /etc/hosts; do
	[[ ! -e $file ]] || cat "$file" >"$new$file" 2>/dev/null || true
done

while IFS= read -r dir; do
	[[ -n $dir ]] || continue
	mkdir -p "$new$dir"
	mount --rbind "$dir" "$new$dir"
done <<<"$project"$'\n'"$binds"

[[ $private_net == 1 ]] && chroot "$new" ip link set lo up
# AF_XDP and pinned memory need it where the caller may raise it.
ulimit -l unlimited 2>/dev/null || true

unset TMPDIR LD_LIBRARY_PATH LD_PRELOAD PYTHONPATH PYTHONHOME PERL5LIB XDG_RUNTIME_DIR
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 LC_ALL=C.UTF-8 POLLUX_DEV_INSIDE=1
# A tree owned by somebody else is no reason for git to refuse.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'

exec chroot "$new" /usr/bin/python3 -I "$project/config/dev/init.py" "$cwd" "$@"
