#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
#
# Runs the fuzz targets with libFuzzer; the inner part of ./dev fuzz, which sets POLLUX_BUILD_DIR
# to the build with the sanitizers.
set -uo pipefail

HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
SECONDS_EACH=60
STORY_COUNT=10000
STORY_SEED=1
TARGETS=()

usage() {
	cat <<'EOF'
Usage: ./dev fuzz [-- [TARGET...] [--seconds N]]

Runs each TARGET (all of them without) for N seconds (60) and prints a line for it. What it finds
grows from tests/fuzz/corpus/TARGET; inputs with new coverage are kept in the build directory and
used again by the next run. An input that crashes, leaks or takes too long is kept in
build/asan-fuzz/crashes/TARGET, and the command that repeats it is printed.

sim is no libFuzzer target and runs only when it is named: random stories of two endpoints, each
from a seed (tests/sim/sim_random.c), on all CPUs. A story that fails prints its seed.

  --seconds N  seconds for each target, 1..86400
  --count N    stories of sim (10000)
  --seed N     seed of the first one (1)
  --list       the names of the targets

Exit codes: 0 nothing found, 1 an input was found, 2 wrong usage, 130 interrupted.
EOF
}

fail_usage() {
	echo "fuzz: $1; ./dev fuzz -- --help" >&2
	exit 2
}

while (($#)); do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--list)
		TARGETS=(--list)
		break
		;;
	--seconds)
		[[ ${2:-} =~ ^[1-9][0-9]{0,4}$ && ${2:-0} -le 86400 ]] ||
			fail_usage "--seconds wants 1..86400, not '${2:-}'"
		SECONDS_EACH=$2
		shift
		;;
	--count | --seed)
		[[ ${2:-} =~ ^[0-9]{1,15}$ && ${2:-0} -ge 1 ]] ||
			fail_usage "$1 wants a number from 1 on, not '${2:-}'"
		[[ $1 == --seed ]] && STORY_SEED=$2 || STORY_COUNT=$2
		shift
		;;
	-*) fail_usage "unknown argument '$1'" ;;
	*) TARGETS+=("$1") ;;
	esac
	shift
done

ALL=()
for folder in "$HERE"/corpus/*/; do
	ALL+=("$(basename "$folder")")
done
[[ ${TARGETS[0]:-} != --list ]] || {
	printf '%s\n' "${ALL[@]}" sim
	exit 0
}
((${#TARGETS[@]})) || TARGETS=("${ALL[@]}")

BUILD=${POLLUX_BUILD_DIR:?is set by ./dev fuzz}/tests/fuzz
KEPT=$POLLUX_BUILD_DIR/crashes
for target in "${TARGETS[@]}"; do
	[[ $target != sim ]] || continue
	[[ -d $HERE/corpus/$target ]] || fail_usage "no target '$target' (there are: ${ALL[*]} sim)"
	[[ -x $BUILD/fuzz_$target ]] || {
		echo "fuzz: $BUILD/fuzz_$target was not built" >&2
		exit 1
	}
done

export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=0}

CHILD=
# shellcheck disable=SC2317 # the trap calls it
interrupted() {
	[[ -z $CHILD ]] || { kill "$CHILD" && wait "$CHILD"; } 2>/dev/null
	echo "interrupted"
	exit 130
}
trap interrupted INT TERM HUP

# last_stat FILE NAME: a number of libFuzzer's final statistics.
last_stat() {
	sed -n "s/^stat::$2: *//p" "$1" | tail -n 1
}

# fuzz_one TARGET: runs one; returns 1 when it found something.
fuzz_one() {
	local target=$1 grown=$POLLUX_BUILD_DIR/corpus/$1 crashes=$KEPT/$1
	local log=$POLLUX_BUILD_DIR/fuzz-$1.log before after rc=0 coverage
	mkdir -p "$grown" "$crashes"
	before=$(find "$crashes" -type f | wc -l)
	# In the background, so that the trap is taken at once.
	"$BUILD/fuzz_$target" -max_total_time="$SECONDS_EACH" -timeout=20 -rss_limit_mb=3000 \
		-print_final_stats=1 -artifact_prefix="$crashes/" \
		"$grown" "$HERE/corpus/$target" >"$log" 2>&1 &
	CHILD=$!
	wait "$CHILD" || rc=$?
	CHILD=
	after=$(find "$crashes" -type f | wc -l)
	coverage=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
	printf '%-8s %10s inputs  %6s/s  coverage %6s  %s new corpus files  %d found\n' "$target" \
		"$(last_stat "$log" number_of_executed_units)" \
		"$(last_stat "$log" average_exec_per_sec)" "${coverage#cov: }" \
		"$(last_stat "$log" new_units_added)" $((after - before))
	((rc != 0 || after > before)) || return 0
	tail -n 40 "$log"
	echo "fuzz: $target ended with exit code $rc; all it said: $log"
	find "$crashes" -type f -newer "$BUILD/fuzz_$target" -printf '%T@ %p\n' | sort -n |
		tail -n $((after - before)) | while read -r _ file; do
		echo "repeat: ./dev shell -- $BUILD/fuzz_$target $file"
	done
	return 1
}

# stories: random simulated stories, which say themselves what went wrong.
stories() {
	local rc=0
	"$POLLUX_BUILD_DIR/tests/sim/sim_random" --seed "$STORY_SEED" --count "$STORY_COUNT" \
		--jobs "$(nproc)" &
	CHILD=$!
	wait "$CHILD" || rc=$?
	CHILD=
	((rc == 0)) && return 0
	echo "fuzz: repeat a story with ./dev shell -- $POLLUX_BUILD_DIR/tests/sim/sim_random" \
		"--verbose --count 1 --seed SEED"
	return 1
}

RC=0
for target in "${TARGETS[@]}"; do
	if [[ $target == sim ]]; then
		stories || RC=1
	else
		fuzz_one "$target" || RC=1
	fi
done
exit "$RC"
