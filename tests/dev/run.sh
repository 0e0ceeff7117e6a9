#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
#
# ./dev, seen from outside: whatever ends it, it leaves nothing behind. Runs on the machine itself,
# before ./dev test enters the root, and looks only at what it started: others may use ./dev too.
# Needs bash, coreutils and util-linux, as ./dev does.
#
# Usage: run.sh        exit: 0 passed, 1 failed, 77 ./dev makes no root here, 130 interrupted
set -uo pipefail

PROJECT=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
# shellcheck source=config/dev/root.sh
source "$PROJECT/config/dev/root.sh"

MOMENTS=8  # of entering the root at which it is interrupted
GONE_S=10  # what is left after this long stays
START_S=60 # to enter the root, on a busy machine

passed=0 failed=0 why=() dev='' family=() spaces=() kept=()
scratch=$(mktemp -d)
mapfile -t here < <(readlink /proc/self/ns/{mnt,pid,net})
trap 'stop_all; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP

# --- what is looked at -----------------------------------------------------------------------------

# look_at PID: sets parent_of and start_of of a process; START tells it from a later one with its
# number. Fails when it ended.
look_at() {
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
	# PID (NAME) STATE PARENT ... START
	read -ra stat <<<"${stat##*) }"
	[[ ${stat[0]} != Z ]] || return 1
	parent_of=${stat[1]} start_of=${stat[19]}
}

# note_family: adds $dev and all its descendants to family ("PID START"), and the namespaces that
# are not this script's to spaces. They are kept open, so that their numbers are not used again.
note_family() {
	local -A parent=() start=() ours=()
	local pid line link fd more=1
	for pid in /proc/[0-9]*; do
		pid=${pid#/proc/}
		look_at "$pid" || continue
		parent[$pid]=$parent_of start[$pid]=$start_of
	done
	ours[$dev]=1
	while ((more)); do
		more=0
		for pid in "${!parent[@]}"; do
			[[ -z ${ours[$pid]:-} && -n ${ours[${parent[$pid]}]:-} ]] || continue
			ours[$pid]=1 more=1
		done
	done
	for pid in "${!ours[@]}"; do
		[[ -n ${start[$pid]:-} ]] || continue
		family+=("$pid ${start[$pid]}")
		for link in mnt pid net; do
			line=$(readlink "/proc/$pid/ns/$link" 2>/dev/null) || continue
			[[ " ${here[*]} ${spaces[*]} " != *" $line "* ]] || continue
			{ exec {fd}<"/proc/$pid/ns/$link"; } 2>/dev/null || continue
			spaces+=("$line") kept+=("$fd")
		done
	done
}

# family_left: prints the processes noted that still run.
family_left() {
	local one
	for one in "${family[@]}"; do
		look_at "${one% *}" && [[ $start_of == "${one#* }" ]] &&
			echo "process ${one% *} ($(tr '\0' ' ' 2>/dev/null <"/proc/${one% *}/cmdline"))"
	done
	return 0
}

# spaces_left: prints the processes that are in a namespace noted.
spaces_left() {
	local one
	for one in "${spaces[@]}"; do
		find /proc/[0-9]*/ns -maxdepth 1 -lname "${one//[\[\]]/?}" -printf '%p is %l\n' \
			2>/dev/null
	done
}

# of_the_machine: what a run must not change: mounts at or below the cache and the project, names
# of network namespaces, hugepages, the cache, what a run could have written.
of_the_machine() {
	awk -v a="$ROOT_CACHE" -v b="$PROJECT" '
		index($5 "/", a "/") == 1 || index($5 "/", b "/") == 1 { print "mount " $5 }' \
		/proc/self/mountinfo
	local file
	for file in /run/netns/*; do [[ ! -e $file ]] || echo "netns $file"; done
	for file in /sys/kernel/mm/hugepages/*/{nr,resv,surplus}_hugepages; do
		[[ ! -e $file ]] || echo "$file $(cat "$file")"
	done
	find "$ROOT_CACHE" -mindepth 1 -maxdepth 1 ! -name lock | sort
	find "$ROOT_CACHE/mnt" -mindepth 1 2>/dev/null
	find / "$ROOT" "$ROOT"/{etc,root,var,tmp,run,mnt,dev/shm} /{etc,tmp,run,dev/shm} \
		-maxdepth 1 -name 'plx-dev-left*' 2>/dev/null
}

# --- how a run is started and ended ----------------------------------------------------------------

# start ARGUMENT...: ./dev with these, leader of a group of its own, as a terminal would start it.
start() {
	family=() spaces=() kept=()
	: >"$scratch/out"
	# A shell's background jobs ignore SIGINT, which bash cannot undo.
	env --default-signal=INT,QUIT setsid "$PROJECT/dev" "$@" </dev/null \
		>"$scratch/out" 2>&1 &
	dev=$!
}

# stop_all: nothing that a failed test started survives it.
stop_all() {
	[[ -z $dev ]] || kill -KILL -- "-$dev" 2>/dev/null
	dev=
}

# wait_text TEXT SECONDS
wait_text() {
	local end=$((SECONDS + $2))
	until grep -qF "$1" "$scratch/out"; do
		((SECONDS < end)) && kill -0 "$dev" 2>/dev/null || return 1
		sleep 0.05
	done
}

# expect CONDITION... -- TEXT: notes TEXT as a reason to fail unless the command succeeds.
expect() {
	local command=()
	while [[ $1 != -- ]]; do
		command+=("$1")
		shift
	done
	"${command[@]}" || why+=("$2")
}

# ended CODES...: waits for ./dev; its exit code is one of these, and nothing of it is left.
ended() {
	local rc=0 end remains='' fd
	end=$((SECONDS + GONE_S))
	# The shell says on its standard error how a job ended.
	while ((SECONDS < end)) && look_at "$dev"; do sleep 0.05; done 2>"$scratch/jobs"
	if look_at "$dev"; then
		why+=("it does not end")
		kill -KILL -- "-$dev"
	fi
	wait "$dev" 2>/dev/null || rc=$?
	expect eval "[[ ' $* ' == *' $rc '* ]]" -- "exit code $rc, not one of: $*"
	end=$((SECONDS + GONE_S))
	while :; do
		remains=$(family_left && spaces_left)
		[[ -z $remains ]] && break
		((SECONDS < end)) || break
		sleep 0.1
	done
	[[ -z $remains ]] || why+=("left: $remains")
	for fd in "${kept[@]}"; do exec {fd}<&-; done
	stop_all
}

# --- the tests -------------------------------------------------------------------------------------

# shellcheck disable=SC2016 # the shell inside expands it
WRITES='for d in / /etc /root /var /tmp /run /dev/shm; do echo x >"$d/plx-dev-left"; done'

a_run_that_ends_by_itself() {
	start shell -- sh -c "$WRITES; echo inside; sleep 3; exit 7"
	expect wait_text inside "$START_S" -- "it did not start"
	note_family
	expect test "${#spaces[@]}" -gt 0 -- "no namespace of its own"
	ended 7
}

ctrl_c_in_a_shell() {
	start shell -- sh -c "$WRITES; echo inside; sleep 600"
	expect wait_text inside "$START_S" -- "it did not start"
	note_family
	kill -INT -- "-$dev"
	ended 130
}

ctrl_c_for_a_program_that_does_not_listen() {
	start shell -- sh -c "$WRITES; trap '' INT TERM; echo inside; sleep 600 & wait"
	expect wait_text inside "$START_S" -- "it did not start"
	note_family
	kill -INT -- "-$dev"
	sleep 1
	expect kill -0 "$dev" -- "it ended, although its program goes on"
	# The window is closed.
	kill -KILL "$dev"
	ended 137
}

a_signal_for_dev_alone() {
	start shell -- sh -c "$WRITES; echo inside; sleep 600"
	expect wait_text inside "$START_S" -- "it did not start"
	note_family
	kill -TERM "$dev"
	ended 143
}

a_program_that_detaches() {
	start shell -- sh -c "setsid sleep 600 & mkdir -p /run/netns; ip netns add plx-dev-left
		mount -t tmpfs none /mnt; $WRITES; echo inside; sleep 600"
	expect wait_text inside "$START_S" -- "it did not start"
	note_family
	kill -INT -- "-$dev"
	ended 130
}

ctrl_c_while_the_root_is_entered() {
	local i
	for ((i = 0; i < MOMENTS; i++)); do
		start shell -- sh -c "$WRITES; echo inside; sleep 600"
		sleep "0.$((i * 10 / MOMENTS))$((i * 100 / MOMENTS % 10))"
		note_family
		kill -INT -- "-$dev"
		ended 130
	done
}

ctrl_c_in_the_demo() {
	start demo
	expect wait_text handshakes "$START_S" -- "it did not start: $(tail -n 5 "$scratch/out")"
	sleep 1
	note_family
	kill -INT -- "-$dev"
	ended 130
}

# check FUNCTION SENTENCE
check() {
	local before after started=$SECONDS
	why=()
	before=$(of_the_machine)
	"$1"
	# Others may hold hugepages or namespaces for a moment.
	local tries=20
	while after=$(of_the_machine) && [[ $before != "$after" ]] && ((tries-- > 0)); do
		sleep 0.25
	done
	[[ $before == "$after" ]] ||
		why+=("the machine is not as before: $(diff <(echo "$before") <(echo "$after") | grep '^[<>]')")
	if ((${#why[@]})); then
		((failed++))
		echo "FAILED $2 ($((SECONDS - started)) s)"
		printf '    %s\n' "${why[@]}"
	else
		((passed++))
		echo "passed $2 ($((SECONDS - started)) s)"
	fi
}

if [[ -n ${POLLUX_DEV_INSIDE:-} ]] || runs_natively; then
	echo "skipped: ./dev makes no root here"
	echo "0 passed, 0 failed, 1 skipped"
	exit 77
fi
# shellcheck disable=SC2119 # the root without the peers
have_root
check a_run_that_ends_by_itself "a run that ends by itself leaves nothing"
check ctrl_c_in_a_shell "Ctrl-C in a shell leaves nothing"
check a_program_that_detaches "nor does a program that detaches, mounts and makes a namespace"
check ctrl_c_for_a_program_that_does_not_listen "nor ./dev killed with a program that ignores signals"
check a_signal_for_dev_alone "SIGTERM for ./dev alone leaves nothing"
check ctrl_c_while_the_root_is_entered "Ctrl-C at $MOMENTS moments of entering the root leaves nothing"
"$PROJECT/dev" build || exit 1
check ctrl_c_in_the_demo "Ctrl-C in the demo leaves nothing"
echo "$passed passed, $failed failed, 0 skipped"
((failed == 0))
