# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
# shellcheck shell=bash
#
# The commands of ./dev. For each command NAME:
#   help_NAME    prints its usage
#   check_NAME   refuses wrong arguments before anything is made (exit 2)
#   run_NAME     does it, inside the root
# Sourced by ./dev, which sets PROJECT.

BUILD=${POLLUX_BUILD:-$PROJECT/build}

# usage_error COMMAND MESSAGE
usage_error() {
	say "$1: $2; ./dev $1 --help"
	exit 2
}

# take_no_arguments COMMAND [ARGUMENT...]
take_no_arguments() {
	(($# == 1)) || usage_error "$1" "unexpected argument '$2'"
}

# --- build ---------------------------------------------------------------------------------------

help_build() {
	cat <<'EOF'
Usage: ./dev build [--lto | --asan | --tsan | --debug | --clang] [--fuzz] [-- NINJA ARGUMENT...]

Configures with meson when needed and compiles with ninja in build/VARIANT. Arguments after --
go to ninja: a target, -v, -t ...

  (none)   build/default   what is shipped and measured
  --lto    build/lto       link-time optimisation (b_lto)
  --debug  build/debug     no optimisation, run-time checks (plx_debug_checks)
  --asan   build/asan      AddressSanitizer and UBSan with run-time checks, clang (b_sanitize)
  --tsan   build/tsan      ThreadSanitizer with run-time checks, clang (b_sanitize)
  --clang  build/clang     clang with its thread-safety analysis; what lint reads
  --fuzz   build/VARIANT-fuzz   fuzz targets driven by libFuzzer, clang (fuzz=libfuzzer);
                           alone it means --asan --fuzz
EOF
}

# parse_build ARGUMENT...: sets VARIANT, SETUP (meson's arguments), COMPILER and NINJA.
parse_build() {
	local kind='' fuzz=''
	NINJA=()
	while (($#)); do
		case $1 in
		--lto | --asan | --tsan | --debug | --clang)
			[[ -z $kind ]] || usage_error build "$1 and --$kind exclude each other"
			kind=${1#--}
			;;
		--fuzz) fuzz=1 ;;
		--)
			shift
			NINJA=("$@")
			break
			;;
		*) usage_error build "unknown argument '$1'" ;;
		esac
		shift
	done
	[[ -z $fuzz || -n $kind ]] || kind=asan
	VARIANT=${kind:-default} COMPILER=gcc SETUP=()
	case $kind in
	lto) SETUP=(-Db_lto=true) ;;
	debug) SETUP=(--buildtype=debug -Dplx_debug_checks=true) ;;
	# A sanitizer's run-time is in the program; a library alone may leave its symbols open.
	asan)
		COMPILER=clang-19
		SETUP=(--buildtype=debugoptimized -Dplx_debug_checks=true
			"-Db_sanitize=address,undefined" -Db_lundef=false)
		;;
	tsan)
		COMPILER=clang-19
		SETUP=(--buildtype=debugoptimized -Dplx_debug_checks=true
			-Db_sanitize=thread -Db_lundef=false)
		;;
	clang)
		COMPILER=clang-19
		SETUP=(-Dplx_debug_checks=true)
		;;
	esac
	if [[ -n $fuzz ]]; then
		VARIANT+=-fuzz COMPILER=clang-19
		SETUP+=(-Dfuzz=libfuzzer)
	fi
}

# One ninja at a time in a build directory.
build_lock() {
	mkdir -p "$BUILD"
	exec 8>"$BUILD/.$VARIANT.lock"
	if ! flock -n 8; then
		say "waiting for another ./dev that builds $VARIANT"
		flock 8
	fi
}

# build ARGUMENT...: as ./dev build, for the other commands too.
build() {
	parse_build "$@"
	local dir=$BUILD/$VARIANT made_with how=()
	# Meson applies default_options to new directories only, hence the sum over project().
	made_with="${POLLUX_TOOLS:-native} $COMPILER ${SETUP[*]} $(
		sed -n '/^project(/,/^)/p' "$PROJECT/meson.build" | cksum
	)"
	build_lock
	if [[ ! -e $dir/build.ninja || $(cat "$dir/.made-with" 2>/dev/null) != "$made_with" ]]; then
		# Another compiler or another root: nothing that was configured holds any more.
		[[ ! -e $dir/meson-private/coredata.dat ]] || how=(--wipe)
		say "configuring $dir"
		CC=$COMPILER meson setup "${how[@]}" "${SETUP[@]}" "$dir" "$PROJECT" \
			>"$BUILD/.$VARIANT.log" 2>&1 8>&- || {
			cat "$BUILD/.$VARIANT.log" >&2
			# A directory half configured would not be configured again.
			rm -f "$dir/build.ninja"
			return 1
		}
		printf '%s\n' "$made_with" >"$dir/.made-with"
	fi
	ninja -C "$dir" "${NINJA[@]}" 8>&- || return 1
	exec 8>&-
}

check_build() { parse_build "$@"; }
run_build() { build "$@"; }

# --- shell ---------------------------------------------------------------------------------------

help_shell() {
	cat <<'EOF'
Usage: ./dev shell [--peers] [--bind DIRECTORY]... [-- COMMAND [ARGUMENT...]]

Starts a shell, or COMMAND, in the development root with the project at its own path. What is
written outside the project (packages, /tmp, /run) is gone when it ends.

  --peers           the root that also holds the programs of config/dev/peers.txt
  --bind DIRECTORY  show this directory of the host at its own path as well; for instance
                    --bind /run/pollux so that two shells share sockets
EOF
}

# parse_shell ARGUMENT...: sets SHELL_BINDS and SHELL_COMMAND.
parse_shell() {
	SHELL_BINDS='' SHELL_COMMAND=()
	while (($#)); do
		case $1 in
		--peers) ;;
		--bind)
			[[ -d ${2:-} ]] || usage_error shell "--bind wants an existing directory, not '${2:-}'"
			SHELL_BINDS+=$(realpath "$2")$'\n'
			shift
			;;
		--)
			shift
			SHELL_COMMAND=("$@")
			break
			;;
		*) usage_error shell "unknown argument '$1' (a command comes after --)" ;;
		esac
		shift
	done
	((${#SHELL_COMMAND[@]})) || SHELL_COMMAND=(bash)
}

# Inside, the directories are already bound, or do not exist because nothing was to be bound.
check_shell() { parse_shell "$@"; }
shell_binds() {
	parse_shell "$@"
	printf '%s' "$SHELL_BINDS"
}
run_shell() {
	parse_shell "$@"
	exec "${SHELL_COMMAND[@]}"
}

# --- demo ----------------------------------------------------------------------------------------

help_demo() {
	cat <<'EOF'
Usage: ./dev demo [ARGUMENT...]

Builds and runs "pollux demo": a server worker, a client worker and an application core in one
process. Needs no root, no hugepages and no NIC; takes about 20 seconds after the build. The
arguments go to it; "./dev demo -- --help" lists them.
EOF
}

check_demo() { :; }
run_demo() {
	[[ ${1:-} != -- ]] || shift
	build >&2
	local rc=0
	# No exec: what the program's end means to the caller is one of the four codes.
	"$BUILD/default/apps/pollux" demo "$@" || rc=$?
	return "$rc"
}

# --- test ----------------------------------------------------------------------------------------

help_test() {
	cat <<'EOF'
Usage: ./dev test [--list] [GROUP...]

Builds what the groups need, runs them, shows the whole output of what failed and ends with the line
"N passed, N failed, N skipped", which counts single tests, not programs. Without GROUP it runs
those of the first list.

  unit           one source file each
  conform        sentences of the RFCs
  sim            stories over simulated links in virtual time
  examples       the example programs, built against the installed headers
  asan           chosen suites and the fuzz corpus under AddressSanitizer and UBSan
  tsan           rings and mailboxes under ThreadSanitizer
  interop-smoke  one fetch from and by each peer (root)
  dev            ./dev itself from outside: whatever ends it, nothing is left (where it makes a root)

  interop        the whole matrix of peers (root)

Any other GROUP is the program tests/GROUP/run.sh. A group that there are no rights for is named and
counted as one skip; with CI=true a skip is a failure. A group that runs nothing fails.
EOF
}

TEST_DEFAULT=(unit conform sim examples asan tsan interop-smoke)

# Groups of meson suites; the others are programs.
is_suite() { [[ " unit conform sim examples asan tsan " == *" $1 "* ]]; }

check_test() {
	local group
	for group; do
		[[ $group != --list ]] || continue
		[[ $group =~ ^[a-z][a-z0-9-]*$ ]] || usage_error test "unknown argument '$group'"
		is_suite "$group" || [[ -e $(group_program "$group") || $group == interop* ]] ||
			usage_error test "no group '$group': there is no $(group_program "$group")"
	done
}

# group_program GROUP: what runs a group that is no meson suite; "interop-smoke" is interop's.
group_program() {
	echo "$PROJECT/tests/${1%-smoke}/run.sh"
}

# test_outside GROUP...: the group that looks at ./dev from outside runs before the root is entered;
# DEV_TESTED takes what came of it inside, where run_tests.py counts it.
test_outside() {
	[[ $# == 0 || " $* " == *" dev "* ]] || return 0
	[[ " $* " != *" --list "* ]] || return 0
	local log started=$SECONDS rc=0
	log=$(mktemp)
	echo "group dev, outside of the root"
	"$PROJECT/tests/dev/run.sh" 2>&1 | tee "$log" | sed 's/^/  /' || rc=$?
	export DEV_TESTED
	DEV_TESTED="$rc $((SECONDS - started)) $(tail -n 1 "$log")"
	rm -f "$log"
	[[ $rc != 130 ]] || exit 130
}

# wants_peers GROUP...: whether a group needs the programs of peers.txt, and may use them.
wants_peers() {
	[[ $(id -u) == 0 && " $* " != *" --list "* ]] || return 1
	(($#)) || return 0
	local group
	for group; do
		is_suite "$group" || [[ $group == dev ]] || return 0
	done
	return 1
}

run_test() {
	if [[ ${1:-} == --list ]]; then
		printf '%s\n' "${TEST_DEFAULT[@]}" dev interop
		return
	fi
	# Without a root there is nothing of ./dev to be seen from outside.
	(($#)) || set -- ${DEV_TESTED:+dev} "${TEST_DEFAULT[@]}"
	local group failed_builds=()
	# Everything is compiled first, so that nothing but tests runs on the cores then.
	for group in default asan tsan; do
		case " $* " in
		*" $group "*) build "--$group" || failed_builds+=("$group") ;;
		" dev ") ;; # it builds what it needs itself
		*) [[ $group != default ]] || build || failed_builds+=("$group") ;;
		esac
	done
	exec python3 -I "$PROJECT/config/dev/run_tests.py" --project "$PROJECT" --builds "$BUILD" \
		"${failed_builds[@]/#/--not-built=}" "$@"
}

# --- bench, fuzz, soak ---------------------------------------------------------------------------

help_bench() {
	cat <<'EOF'
Usage: ./dev bench [ARGUMENT...]

Builds, then runs the measurements (tests/bench/run.py) with these arguments; without any, all of
them. "./dev bench -- --help" lists what it takes.
EOF
}

help_fuzz() {
	cat <<'EOF'
Usage: ./dev fuzz [ARGUMENT...]

Builds the fuzz targets with libFuzzer, AddressSanitizer and UBSan (build/asan-fuzz) and runs
tests/fuzz/run.sh with these arguments. "./dev fuzz -- --help" lists what it takes.
EOF
}

help_soak() {
	cat <<'EOF'
Usage: ./dev soak [ARGUMENT...]

Builds, then runs the long tests (tests/soak/run.sh) with these arguments. "./dev soak -- --help"
lists what it takes.
EOF
}

# need_program FILE COMMAND
need_program() {
	[[ -x $PROJECT/$1 ]] || die "$2: this tree has no $1"
}

# hand_over PROGRAM VARIANT ARGUMENT...
hand_over() {
	local program=$1 variant=$2
	shift 2
	[[ ${1:-} != -- ]] || shift
	export POLLUX_BUILD_DIR=$BUILD/$variant
	exec "$PROJECT/$program" "$@"
}

check_bench() { need_program tests/bench/run.py bench; }
check_fuzz() { need_program tests/fuzz/run.sh fuzz; }
check_soak() { need_program tests/soak/run.sh soak; }

run_bench() {
	build >&2
	hand_over tests/bench/run.py default "$@"
}
run_fuzz() {
	build --fuzz >&2
	hand_over tests/fuzz/run.sh asan-fuzz "$@"
}
run_soak() {
	build >&2
	hand_over tests/soak/run.sh default "$@"
}

# --- lint ----------------------------------------------------------------------------------------

help_lint() {
	cat <<'EOF'
Usage: ./dev lint [--fix] [CHECK...]

Runs all checks, or those named, and says which ones failed.

  format      clang-format, over every C file (--fix: writes what it wants)
  includes    who may include what (docs/architecture.md, section 2)
  tree        SPDX lines, host names, absolute paths of one machine, lengths of files
  shell       shellcheck
  generated   docs/drops.md and the Containerfile are what their sources say
  trace       marks of tests name requirements that exist
  tidy        clang-tidy, and clang's warnings with its thread-safety analysis (build/clang)
EOF
}

LINT_CHECKS=(format includes tree shell generated trace tidy)

check_lint() {
	local arg
	for arg; do
		[[ $arg == --fix || " ${LINT_CHECKS[*]} " == *" $arg "* ]] ||
			usage_error lint "unknown check '$arg'"
	done
}

# tree_files PATTERN...: files of the project by name, committed or not, one per line.
tree_files() {
	git -C "$PROJECT" ls-files --cached --others --exclude-standard --deduplicate -- "$@" |
		while IFS= read -r file; do
			[[ ! -f $PROJECT/$file ]] || printf '%s\n' "$file"
		done
}

lint_format() {
	local how=(--dry-run -Werror)
	[[ -z $LINT_FIX ]] || how=(-i)
	tree_files '*.c' '*.h' | (cd "$PROJECT" && xargs -r -P 2 -n 40 clang-format-19 "${how[@]}")
}
lint_includes() { python3 -I "$PROJECT/config/dev/check_includes.py" "$PROJECT"; }
lint_tree() { tree_files | python3 -I "$PROJECT/config/dev/check_tree.py" "$PROJECT"; }
lint_shell() {
	{
		tree_files '*.sh'
		tree_files | while IFS= read -r file; do
			[[ $file == *.* && $file != .ci/* ]] || ! head -c 64 "$PROJECT/$file" | head -n 1 |
				grep -qaE '^#!.*\b(ba)?sh\b' || echo "$file"
		done
	} | sort -u | (cd "$PROJECT" && xargs -r shellcheck -x)
}
lint_generated() {
	python3 -I "$PROJECT/config/dev/gen_drops.py" --check "$PROJECT" &&
		python3 -I "$PROJECT/config/dev/gen_containerfile.py" --check "$PROJECT"
}
lint_trace() { python3 -I "$PROJECT/config/dev/trace.py" --check "$PROJECT"; }
lint_tidy() {
	local rc=0
	# Everything that is wrong is to be seen in one run.
	build --clang -- -k 0 || rc=1
	[[ -e $BUILD/clang/compile_commands.json ]] || return 1
	tree_files '*.c' | python3 -I "$PROJECT/config/dev/tidy.py" "$PROJECT" "$BUILD/clang" || rc=1
	return "$rc"
}

run_lint() {
	local check checks=() failed=()
	LINT_FIX=
	for check; do
		if [[ $check == --fix ]]; then LINT_FIX=1; else checks+=("$check"); fi
	done
	((${#checks[@]})) || checks=("${LINT_CHECKS[@]}")
	for check in "${checks[@]}"; do
		say "lint: $check"
		"lint_$check" || failed+=("$check")
	done
	((${#failed[@]} == 0)) || die "lint: failed: ${failed[*]}"
	say "lint: clean"
}

# --- trace, doc ----------------------------------------------------------------------------------

help_trace() {
	cat <<'EOF'
Usage: ./dev trace [--missing FAMILY] [--json]

Compares tests/requirements.tsv with the PLX_COVERS() marks of the tests and prints, for each family
of ids, how many rows there are and how many a test covers.

  --missing FAMILY  the rows of this family without a test ("all": of every family)
  --json            everything, for programs

A mark that names a row that does not exist is an error (exit 1).
EOF
}

check_trace() {
	while (($#)); do
		case $1 in
		--json) ;;
		--missing)
			[[ -n ${2:-} ]] || usage_error trace "--missing wants a family"
			shift
			;;
		*) usage_error trace "unknown argument '$1'" ;;
		esac
		shift
	done
}
run_trace() { python3 -I "$PROJECT/config/dev/trace.py" "$@" "$PROJECT"; }

help_doc() {
	cat <<'EOF'
Usage: ./dev doc [--check]

Writes what is generated from other files of the tree: docs/drops.md (drop reasons) from
engine/obs/plx_drop_list.h, the Containerfile from config/dev/packages.txt and peers.txt.

  --check  writes nothing; fails when one of them is stale
EOF
}

check_doc() { (($# == 0)) || [[ $* == --check ]] || usage_error doc "unknown argument '$1'"; }
run_doc() {
	python3 -I "$PROJECT/config/dev/gen_drops.py" "$@" "$PROJECT" &&
		python3 -I "$PROJECT/config/dev/gen_containerfile.py" "$@" "$PROJECT"
}
