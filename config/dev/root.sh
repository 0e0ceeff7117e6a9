# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) The Pollux authors
# shellcheck shell=bash
#
# The private Debian 13 root: whether it is needed, how it is made, how a command runs in it.
# Sourced by ./dev, which sets PROJECT (absolute path of the tree).
#
# A root is a directory in the user's cache, named by the hash of what went into it. It is made
# under another name and renamed when complete, so a directory with the right name is always whole.

ROOT_SUITE=trixie
ROOT_RECIPE=1 # raise when this file makes something else from the same package list
ROOT_TRIES=3
ROOT_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/pollux

say() { printf 'dev: %s\n' "$*" >&2; }
die() {
	printf 'dev: %s\n' "$1" >&2
	exit "${2:-1}"
}

# --- the package lists ---------------------------------------------------------------------------

# list_lines FILE: the list without comments and blank lines.
list_lines() { sed -e 's/#.*//' -e 's/[[:space:]]\+/ /g' -e 's/ $//' -e '/^ *$/d' "$1"; }

# list_packages FILE: "name minimum suite" of each package for this machine; "-" for none.
list_packages() {
	local arch
	arch=$(dpkg --print-architecture)
	list_lines "$1" | awk -v arch="$arch" '
		$1 ~ /^(pin|beside|expect)$/ { next }
		{
			min = suite = "-"; here = 1
			for (i = 2; i <= NF; i++) {
				if ($i == ">=") min = $++i
				else if ($i ~ /^@/) suite = substr($i, 2)
				else if ($i ~ /^!/) here = substr($i, 2) == arch
			}
			if (here) print $1, min, suite
		}'
}

# list_preferences FILE: what apt takes from backports, as apt_preferences(5).
list_preferences() {
	local names
	names=$( (list_packages "$1" | awk '$3 == "backports" { print $1 }' &&
		list_lines "$1" | sed -n 's/^pin //p') | xargs)
	[[ -z $names ]] || printf 'Package: %s\nPin: release n=%s-backports\nPin-Priority: 900\n' \
		"$names" "$ROOT_SUITE"
}

# list_hash FILE...: names the root that these lists make.
list_hash() {
	{
		echo "$ROOT_RECIPE $ROOT_SUITE $(dpkg --print-architecture)"
		local file
		for file; do list_lines "$file"; done
	} | sha256sum | cut -c1-12
}

# versions_wrong FILE [DIRECTORY]: prints what of the list is missing or older than it has to be.
versions_wrong() {
	local name min suite have
	local -A installed=()
	while read -r name have; do installed[$name]=$have; done < <(
		dpkg-query ${2:+--admindir="$2/var/lib/dpkg"} -W \
			-f '${db:Status-Abbrev} ${Package} ${Version}\n' 2>/dev/null | sed -n 's/^ii  *//p'
	)
	while read -r name min suite; do
		have=${installed[$name]:-}
		if [[ -z $have ]]; then
			echo "$name is not installed"
		elif [[ $min != - ]] && ! dpkg --compare-versions "$have" ge "$min"; then
			echo "$name is $have, needed is $min or later"
		fi
	done < <(list_packages "$1")
}

# runs_natively: whether this machine is what the project needs, so that no root is wanted.
runs_natively() {
	[[ ${POLLUX_ROOT:-} != always ]] || return 1
	grep -qs '^VERSION_CODENAME=trixie' /etc/os-release || return 1
	[[ -z $(versions_wrong "$PROJECT/config/dev/packages.txt") ]]
}

# --- namespaces ----------------------------------------------------------------------------------

# Whether user namespaces have to lend the rights that an ordinary user has not.
as_user() { [[ $(id -u) != 0 ]]; }

# need_namespaces: fails with the one line that tells what the administrator has to do.
need_namespaces() {
	local missing=() absent=() me
	me=$(id -un)
	if as_user; then
		command -v mmdebstrap >/dev/null || absent+=(mmdebstrap)
		command -v newuidmap >/dev/null || absent+=(uidmap)
		((${#absent[@]} == 0)) || missing+=("apt-get install -y ${absent[*]}")
		{ grep -q "^$me:" /etc/subuid && grep -q "^$me:" /etc/subgid; } 2>/dev/null ||
			missing+=("usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $me")
		[[ $(cat /proc/sys/kernel/unprivileged_userns_clone 2>/dev/null) != 0 ]] ||
			missing+=("sysctl -w kernel.unprivileged_userns_clone=1")
		[[ $(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null) != 1 ]] ||
			missing+=("sysctl -w kernel.apparmor_restrict_unprivileged_userns=0")
		if ((${#missing[@]})); then
			local all
			printf -v all '%s && ' "${missing[@]}"
			die "without root this needs, run once by the administrator: ${all% && }"
		fi
		unshare --help | grep -q -- --map-auto ||
			die "without root this needs unshare of util-linux 2.38 or later; run ./dev as root instead"
	fi
	(namespaced 0 true) 2>/dev/null ||
		die "this machine refuses new mount and PID namespaces (a container without CAP_SYS_ADMIN?); in a container use the Containerfile"
}

# need_mmdebstrap: the tool that makes a root; root may install it, and nothing else.
need_mmdebstrap() {
	command -v mmdebstrap >/dev/null && return
	command -v apt-get >/dev/null ||
		die "mmdebstrap is missing and this is no Debian or Ubuntu; in a container use the Containerfile"
	say "installing mmdebstrap"
	local log=$ROOT_CACHE/mmdebstrap.log opts=(-y -q -o Acquire::Retries=5 --no-install-recommends)
	apt-get "${opts[@]}" install mmdebstrap >"$log" 2>&1 ||
		{ apt-get "${opts[@]}" update && apt-get "${opts[@]}" install mmdebstrap; } >"$log" 2>&1 ||
		{
			tail -n 20 "$log" >&2
			die "mmdebstrap could not be installed"
		}
}

# namespaced PRIVATE_NET COMMAND...: replaces this shell by COMMAND as process 1 of new namespaces;
# call it in a subshell. Whoever dies first, ./dev or process 1, takes the rest along.
namespaced() {
	local flags=(--mount --pid --fork --kill-child=KILL)
	[[ $1 == 1 ]] && flags+=(--net)
	shift
	as_user && flags=(--user --map-auto --map-root-user "${flags[@]}")
	exec env --default-signal=INT,QUIT setpriv --pdeathsig KILL unshare "${flags[@]}" -- "$@"
}

# supervise PRIVATE_NET COMMAND...: runs COMMAND in namespaces, hands it the signals that ./dev
# gets, and returns its exit code.
supervise() {
	local outer rc signalled=
	namespaced "$@" <&0 &
	outer=$!
	# shellcheck disable=SC2064 # $outer is meant now
	{
		trap "signalled=INT; forward INT $outer" INT
		trap "signalled=TERM; forward TERM $outer" TERM
		trap "signalled=HUP; forward HUP $outer" HUP
	}
	while :; do
		signalled=
		rc=0
		wait "$outer" || rc=$?
		# A trap ends wait early; the child is still to be waited for.
		[[ -n $signalled ]] || break
	done
	trap - INT TERM HUP
	return "$rc"
}

# forward SIGNAL OUTER: OUTER is unshare, which ignores signals; its only child is process 1.
forward() {
	local stat ppid
	for stat in /proc/[0-9]*/stat; do
		# pid (name) state ppid …
		ppid=$(sed -n 's/^[0-9]* (.*) [A-Za-z] \([0-9]*\) .*/\1/p' "$stat" 2>/dev/null) || continue
		[[ $ppid == "$2" ]] || continue
		stat=${stat%/stat}
		kill -s "$1" "${stat#/proc/}" 2>/dev/null || true
	done
}

# --- making a root -------------------------------------------------------------------------------

# mirror_of_host MAIN|SECURITY: the Debian mirror that this host's apt uses, or nothing. Only a
# host that runs Debian itself says it: the mirrors of other distributions hold no Debian.
mirror_of_host() {
	local suffix=updates
	[[ $1 == SECURITY ]] && suffix=security
	grep -qx 'ID=debian' /etc/os-release 2>/dev/null && command -v apt-get >/dev/null || return 0
	# A Debian mirror is told from other archives by its -updates and -security suites.
	apt-get update --print-uris 2>/dev/null |
		sed -n "s|^'\([a-z]*://.*\)/dists/[a-z]*-$suffix/InRelease'.*|\1|p" | head -n 1
}

# write_sources: one apt line per suite, or nothing where mmdebstrap's default has to do.
write_sources() {
	local main=${POLLUX_MIRROR:-} security=${POLLUX_SECURITY_MIRROR:-}
	[[ -n $main ]] || main=$(mirror_of_host MAIN)
	[[ -n $security ]] || security=$(mirror_of_host SECURITY)
	[[ -n $main && -n $security ]] || return 0
	local suite
	for suite in "$ROOT_SUITE" "$ROOT_SUITE-updates" "$ROOT_SUITE-backports"; do
		echo "deb $main $suite main"
	done
	echo "deb $security $ROOT_SUITE-security main"
}

# make_root NAME BASE LIST...: makes root NAME from the lists; from nothing when BASE is "-", else on
# a copy of the root BASE. Holds the lock, so what lies around unfinished is nobody's and goes.
make_root() {
	local name=$1 base=$2 log=$ROOT_CACHE/$1.log target=$ROOT_CACHE/tmp.$1 rc=0 try started=$SECONDS
	shift 2
	trap 'discard_unfinished' EXIT
	discard_unfinished
	mkdir -p "$target.work"
	write_sources >"$target.work/sources.list"
	if [[ $base == - ]]; then
		say "making a private Debian 13 root in $ROOT_CACHE/$name (once; about two minutes)"
	else
		say "adding the peers of the interop tests in $ROOT_CACHE/$name (once; under a minute)"
	fi
	for ((try = 1; ; try++)); do
		rc=0
		: >"$log"
		supervise 0 "$PROJECT/config/dev/make_root.sh" "$target" "$base" "$@" || rc=$?
		((rc != 0)) || break
		if ((rc > 128)); then # a signal: no second try
			say "interrupted"
			exit "$rc"
		fi
		# Only what the network did wrong can be right the next time.
		if ((try >= ROOT_TRIES)) || ! grep -qi 'failed to fetch\|unable to fetch\|hash sum mismatch\|could not resolve\|connection \(failed\|timed out\)' "$log"; then
			tail -n 25 "$log" >&2
			die "the root could not be made (whole log: $log)"
		fi
		say "the mirror did not deliver; trying again ($try of $((ROOT_TRIES - 1)))"
		remove_roots "$target"
		sleep $((try * 5))
	done
	local wrong list
	for list; do
		wrong=$(versions_wrong "$list" "$target")
		[[ -z $wrong ]] || die "the mirror has not what $(basename "$list") asks for:"$'\n'"$wrong"
	done
	touch "$target"
	mv "$target" "$ROOT_CACHE/$name"
	discard_unfinished
	discard_unused
	trap - EXIT
	say "the root is ready after $((SECONDS - started)) s"
}

discard_unfinished() {
	local left=("$ROOT_CACHE"/tmp.*)
	[[ ! -e ${left[0]} ]] || remove_roots "${left[@]}"
}

# discard_unused: roots of package lists of the past that nobody entered for two weeks.
discard_unused() {
	local old=()
	mapfile -t old < <(find "$ROOT_CACHE" -maxdepth 1 -name 'root-*' -mtime +14)
	((${#old[@]} == 0)) || remove_roots "${old[@]}"
}

# remove_roots DIRECTORY...: inside a namespace, because without root the files of a root belong to
# the user's subordinate ids.
remove_roots() { (namespaced 0 rm -rf --one-file-system -- "$@"); }

# have_root [peers]: sets ROOT to the path of the root, after making it when it is missing.
have_root() {
	local base_list=$PROJECT/config/dev/packages.txt peers_list=$PROJECT/config/dev/peers.txt
	local base peers
	base=root-$(list_hash "$base_list")
	peers=root-$(list_hash "$base_list" "$peers_list")-peers
	local name=$base
	[[ ${1:-} == peers ]] && name=$peers
	ROOT=$ROOT_CACHE/$name
	if [[ -d $ROOT ]]; then
		touch "$ROOT" # last use, for discard_unused
		return
	fi

	need_namespaces
	mkdir -p "$ROOT_CACHE/mnt"
	exec 9>"$ROOT_CACHE/lock"
	if ! flock -n 9; then
		say "waiting for another ./dev that makes a root"
		flock 9
	fi
	if [[ ! -d $ROOT_CACHE/$base ]]; then
		need_mmdebstrap
		make_root "$base" - "$base_list"
	fi
	if [[ $name == "$peers" && ! -d $ROOT ]]; then
		make_root "$peers" "$ROOT_CACHE/$base" "$base_list" "$peers_list"
	fi
	exec 9>&-
}

# in_root PRIVATE_NET BINDS COMMAND...: runs COMMAND in $ROOT; the caller's directory is kept when
# it lies in the project.
in_root() {
	local net=$1 binds=$2 cwd=$PWD git_dir
	shift 2
	[[ $cwd/ == "$PROJECT"/* ]] || cwd=$PROJECT
	# In a git worktree the repository lies elsewhere; git needs it.
	if [[ -f $PROJECT/.git ]]; then
		git_dir=$(sed -n 's/^gitdir: //p' "$PROJECT/.git")
		binds+=$'\n'$(cd "$PROJECT" && cd "$git_dir/$(cat "$git_dir/commondir" 2>/dev/null)" && pwd)
	fi
	supervise "$net" "$PROJECT/config/dev/enter.sh" "$ROOT" "$ROOT_CACHE/mnt" "$PROJECT" "$cwd" \
		"$binds" "$net" "$@"
}
