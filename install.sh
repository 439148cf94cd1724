#!/usr/bin/env bash
# install.sh: edged as a system service, or everything that has to be set up inside this checkout and then one job.
# Bash, because lists of packages and paths with spaces need arrays, and every Debian has it. This is the list; how
# each is done is in install/, a file for a room. docs/install.md tells what an installed system looks like.
set -euo pipefail

CHECKOUT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly CHECKOUT
# pip ends in good order when it is interrupted; that must not look like a failure to try again after.
trap 'exit 130' INT
trap 'exit 143' TERM
work=''
trap '[ -z "$work" ] || rm -rf "$work"' EXIT

for room in words files machine packages environments jobs versions service switch settings system uninstall collect; do
	# shellcheck disable=SC1090 # each is checked by itself
	. "$CHECKOUT/install/$room.sh"
done

usage() {
	cat <<'TEXT'
usage: sudo ./install.sh [--offline DIR] [--dry-run]          install or upgrade the service
       sudo ./install.sh --uninstall [--dry-run]              remove it; config, key, data and user stay
       sudo ./install.sh --purge [--yes] [--dry-run]          remove those too, after asking
       ./install.sh --collect DIR [--arch ARCH] [--python V]  fill DIR for --offline
       ./install.sh --demo | --test [PYTEST ARGUMENTS] | --bench [ARGUMENTS] | --help

The service, on Raspberry Pi OS and Debian 12 and 13 (64-bit Arm and x86, booted with systemd):
  (no job)       install what is missing, upgrade what is older. A second run changes nothing. One that was cut off
                 goes on. An upgrade that is not healthy within a minute is rolled back by itself
  --offline DIR  from a folder of wheels, without a network. Debian's packages must be there already
  --uninstall    remove everything but the config, the key, the data and the user
  --purge        remove those too. It asks first; --yes is for scripts
  --dry-run      say what would be done, and change nothing
  --collect DIR  where there is a network: all that --offline needs, this program too
    --arch ARCH    aarch64 or x86_64 (default: this machine's)
    --python V     3.11 (Debian 12) or 3.13 (Debian 13; default: this machine's)

Inside this checkout; only missing Debian packages are installed outside of it:
  --demo    set up what is needed inside this checkout, then run `edged demo`
  --test    set up, then run every test: lint, types, layers, docs, both runtimes.
            Further arguments go to pytest (and the main environment alone is tested)
  --bench   set up, then run `python -m benchmarks`; further arguments go to it

Missing Debian packages are installed with apt-get: as root, or through sudo where it is there.
Without either, the command to install them is printed. Everything else stays inside the checkout.

Examples:
  sudo ./install.sh                                        install, or upgrade to this checkout
  sudo ./install.sh --dry-run                              see what that would do
  ./install.sh --collect stick --arch aarch64 --python 3.13    fill a folder for a board without a network,
  sudo stick/install.sh --offline stick                        and there install from it

Environment: PYTHON   the interpreter to use for --demo, --test, --bench, --collect
                      (default: /usr/bin/python3, else python3; 3.11 or newer)
             PIP_*    pip's own settings are honoured, as is its configuration file
TEXT
}

job=install offline='' yes=0 collected='' collect_arch='' collect_python=''

choose() { # choose JOB: only one
	[ "$job" = install ] || misused "--$job and --$1 do not go together."
	job=$1
}

needs_value() { # needs_value OPTION [VALUE]
	[[ -n ${2:-} && $2 != -* ]] || misused "$1 needs a value."
}

understand() {
	while [ $# -gt 0 ]; do
		case $1 in
		--uninstall) choose uninstall ;;
		--purge) choose purge ;;
		--dry-run) dry=1 ;;
		--yes) yes=1 ;;
		--offline) needs_value "$@" && offline=$2 && shift ;;
		--collect) choose collect && needs_value "$@" && collected=$2 && shift ;;
		--arch) needs_value "$@" && collect_arch=$2 && shift ;;
		--python) needs_value "$@" && collect_python=$2 && shift ;;
		--demo | --test | --bench) misused "$1 comes first, and further arguments go to it." ;;
		*) misused "there is no $1." ;;
		esac
		shift
	done
	check_together
}

check_together() {
	[ -z "$offline" ] || [ "$job" = install ] || misused "--offline and --$job do not go together."
	[ -z "$offline" ] || [ -d "$offline" ] || fail "--offline $offline: there is no such folder."
	[ -z "$dry" ] || [ "$job" != collect ] || misused "--dry-run and --collect do not go together."
	[ "$yes" = 0 ] || [ "$job" = purge ] || misused "--yes is for --purge."
	[ -z "$collect_arch$collect_python" ] || [ "$job" = collect ] || misused "--arch and --python are for --collect."
	case ${collect_arch:-aarch64} in aarch64 | x86_64) ;; *) misused "--arch is aarch64 or x86_64, not $collect_arch." ;; esac
	case ${collect_python:-3.11} in 3.11 | 3.13) ;; *) misused "--python is 3.11 (Debian 12) or 3.13 (Debian 13), not $collect_python." ;; esac
	[ -z "$offline" ] || offline=$(cd -- "$offline" && pwd -P)
}

case ${1:-} in
--demo) shift && demo "$@" ;;
--test) shift && run_tests "$@" ;;
--bench) shift && bench "$@" ;;
-h | --help) usage ;;
*)
	understand "$@"
	case $job in
	collect) collect "$collected" ;;
	*)
		# A strict umask would hide the files from the service, other languages the answers that are read here.
		umask 022
		export LC_ALL=C.UTF-8
		unset PYTHONPATH PYTHONHOME
		check_system
		check_root "$@"
		if [ "$job" = install ]; then install_system; else remove; fi
		;;
	esac
	;;
esac
