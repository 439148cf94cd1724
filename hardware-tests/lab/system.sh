#!/usr/bin/env bash
# system.sh [--together] [SUITE...] [-- PYTEST ARGUMENTS]   Boot real systemd (by default bookworm, then trixie) and play the life of
# a box on each: ../system tells it. A table of figures at the end, then pytest's closing line; its exit status is the answer.
# --together plays them at the same time, in half the time, for much of it is waiting.
#
# Kept in ${EDGED_CACHE:-~/.cache/edged}/lab: the root folders, the wheels, pytest. Each run works on a disk of its own,
# which is thrown away (KEEP=1 keeps it and says where). --probe says why containers cannot be started here, if so.
# --environment prints the Python that plays it. --prepare fetches and makes what is kept, and plays nothing.
# needs: root, mmdebstrap, debian-archive-keyring, systemd-container, e2fsprogs
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
checkout=$(cd -- "$here/../.." && pwd -P)
PATH=$PATH:/usr/sbin:/sbin
lab=${EDGED_CACHE:-$HOME/.cache/edged}/lab

probe() { # says why not, if so
	local tool said
	[ "$(id -u)" = 0 ] || { echo "this needs root" && return 1; }
	for tool in mmdebstrap systemd-nspawn mke2fs unshare; do
		command -v "$tool" >/dev/null || { echo "$tool is not installed" && return 1; }
	done
	local root script=$lab/probe.sh
	mkdir -p "$lab"
	root=$("$here/bootable.sh" bookworm 2>"$lab/probe.log") ||
		{ echo "no Debian can be installed into a folder here: $(tail -n 1 "$lab/probe.log")" && return 1; }
	echo 'echo it boots' >"$script"
	said=$(timeout -k 5 60 unshare --mount --propagation private "$here/nspawn.sh" "$root" "$script" 2>"$lab/probe.log") || true
	[ "$said" = "it boots" ] || { echo "no container can be started here: $(tail -n 1 "$lab/probe.log")" && return 1; }
}

environment() { # prints a Python that has pytest and hatchling
	local recipe folder
	recipe=$(cat "$checkout/constraints.txt" "${BASH_SOURCE[0]}" | sha256sum | cut -c1-12)
	folder=$lab/story-$recipe
	if [ ! -e "$folder/complete" ]; then
		# Joined: in a substitution, bash goes on after what fails.
		mkdir -p "$lab" && python3 -m venv "$folder" &&
			PIP_DISABLE_PIP_VERSION_CHECK=1 "$folder/bin/python" -m pip install --quiet --quiet \
				-c "$checkout/constraints.txt" pytest hatchling >&2 &&
			touch "$folder/complete" || return
	fi
	echo "$folder/bin/python"
}

prepare() { # each suite's at the same time: much of it is waiting for a mirror
	local suite fetcher fetchers=() status=0
	for suite in "$@"; do
		{ "$here/bootable.sh" "$suite" && "$here/wheels.sh" "$suite"; } >/dev/null &
		fetchers+=($!)
	done
	environment >/dev/null || status=$?
	for fetcher in "${fetchers[@]}"; do
		wait "$fetcher" || status=$?
	done
	return "$status"
}

case ${1:-} in
--probe)
	probe
	exit
	;;
--prepare)
	shift
	[ $# -gt 0 ] || set -- bookworm trixie
	prepare "$@"
	exit
	;;
--environment)
	environment
	exit
	;;
esac
together=
if [ "${1:-}" = --together ]; then
	together=1
	shift
fi
suites=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	suites+=("$1")
	shift
done
[ $# -eq 0 ] || shift
[ ${#suites[@]} -gt 0 ] || suites=(bookworm trixie)

why=$(probe) || { echo "system.sh: $why" >&2 && exit 1; }
python=$(environment)
machines=()
for suite in "${suites[@]}"; do
	machines+=(--container "$suite:$("$here/bootable.sh" "$suite"):$("$here/wheels.sh" "$suite")")
done

# Mounts and processes of its own: nothing of it is left, however it ends.
play() { # play MACHINE... -- ARGUMENT...
	local machines=()
	while [ "$1" != -- ]; do
		machines+=("$1")
		shift
	done
	shift
	unshare --mount --propagation private --pid --mount-proc --fork --kill-child=KILL \
		"$python" -m pytest -p no:cacheprovider -v --tb=short "${machines[@]}" hardware-tests/system "$@"
}

cd "$checkout"
if [ -z "$together" ]; then
	play "${machines[@]}" -- "$@"
	exit
fi
logs=$(mktemp -d)
trap 'jobs -p | xargs -r kill 2>/dev/null; rm -rf "$logs"' EXIT
players=()
for at in "${!suites[@]}"; do
	suite=${suites[at]}
	{ play "${machines[@]:2*at:2}" -- "$@" 2>&1 | tee "$logs/$suite" | grep --line-buffered '^hardware-tests/.*%]'; } &
	players+=($!)
done
status=0
for at in "${!suites[@]}"; do
	wait "${players[at]}" || status=$?
done
for suite in "${suites[@]}"; do
	printf '\n======== %s\n' "$suite"
	grep -v '^hardware-tests/.*%]' "$logs/$suite"
done
exit "$status"
