#!/usr/bin/env bash
# install.sh: everything that has to be set up, then one job. Bash, because lists of packages and paths with
# spaces need arrays, and every Debian has it. All Python lives inside the checkout (.venv, .venv-tflite);
# outside of it only missing Debian packages are installed.
set -euo pipefail

CHECKOUT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
readonly CHECKOUT
# pip ends in good order when it is interrupted; that must not look like a failure to try again after.
trap 'exit 130' INT
trap 'exit 143' TERM
readonly OLDEST_PYTHON=3.11
readonly NEWEST_FOR_TFLITE_RUNTIME=3.11 # its last wheels are of 2023

usage() {
	cat <<'TEXT'
usage: ./install.sh --demo | --test [PYTEST ARGUMENTS] | --bench [ARGUMENTS] | --help

  --demo    set up what is needed inside this checkout, then run `edged demo`
  --test    set up, then run every test: lint, types, layers, docs, both runtimes.
            Further arguments go to pytest (and the main environment alone is tested)
  --bench   set up, then run `python -m benchmarks`; further arguments go to it

Missing Debian packages are installed with apt-get: as root, or through sudo where it is there.
Without either, the command to install them is printed. Everything else stays inside the checkout.

Environment: PYTHON   the interpreter to use (default: /usr/bin/python3, else python3; 3.11 or newer)
             PIP_*    pip's own settings are honoured, as is its configuration file
TEXT
}

# ---- words --------------------------------------------------------------------------------------------------------

step_now=0
step_count=0

step() {
	step_now=$((step_now + 1))
	printf 'install %d/%d: %s\n' "$step_now" "$step_count" "$*"
}

note() { printf '      %s\n' "$*"; }

fail() { # fail MESSAGE [HINT...]
	printf 'install.sh: %s\n' "$1" >&2
	shift
	[ $# -eq 0 ] || printf '  %s\n' "$@" >&2
	exit 1
}

# ---- Debian packages ----------------------------------------------------------------------------------------------

# What is missing is found by trying the thing itself, not by asking for a package: a Python of another origin,
# or clang for cc, is as good.
has() {
	case $1 in
	python3) [ -n "$(find_python)" ] ;;
	python3-venv) [ -z "$(find_python)" ] || ! old_enough "$(find_python)" || "$(find_python)" -c 'import ensurepip, venv' 2>/dev/null ;;
	ca-certificates) [ -s "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" ] ;;
	tzdata) [ -e /usr/share/zoneinfo/Europe/Berlin ] ;;
	gcc) command -v cc >/dev/null ;;
	shellcheck) command -v shellcheck >/dev/null ;;
	libc6-dev) [ -e /usr/include/stdio.h ] ;;
	esac
}

need_packages() { # need_packages PACKAGE...
	local missing=() package
	for package; do
		has "$package" || missing+=("$package")
	done
	# Debian's Python comes without the module that makes environments.
	if [[ " ${missing[*]} " == *" python3 "* && " ${missing[*]} " != *" python3-venv "* ]]; then
		missing+=(python3-venv)
	fi
	if [ ${#missing[@]} -eq 0 ]; then
		note "all there: $*"
		return
	fi
	note "missing: ${missing[*]}"
	install_packages "${missing[@]}"
	for package in "${missing[@]}"; do
		has "$package" || fail "$package was installed, but what it should bring is still missing."
	done
}

install_packages() {
	local command="apt-get install --yes --no-install-recommends $*"
	command -v apt-get >/dev/null || fail "these are missing, and there is no apt-get to install them: $*" \
		"install what your system calls them, then run this again."
	local root=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || cannot_install "you are not root and there is no sudo" "$command"
		root=(sudo)
		# Without a terminal nobody could answer its question for a password.
		[ -t 0 ] || root+=(-n)
		note "sudo is asked for leave to install them"
		"${root[@]}" true || cannot_install "sudo refused" "$command"
	fi
	local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
	local fetch=("${apt[@]}" install --yes --no-install-recommends "$@")
	if apt-cache show "$@" >/dev/null 2>&1; then
		note "apt-get install $*"
		quietly "${fetch[@]}" 2>/dev/null && return
		note "that failed: once more with fresh lists of packages"
	fi
	note "apt-get update"
	quietly "${apt[@]}" update || fail "apt-get update failed; what it says stands above." "is there a network?"
	note "apt-get install $*"
	quietly "${fetch[@]}" || fail "these packages could not be installed: $*" "what apt-get says stands above."
}

quietly() { # quietly COMMAND...: what it says is shown only when it fails
	local said status=0
	said=$(mktemp)
	"$@" >"$said" 2>&1 || status=$?
	[ "$status" -eq 0 ] || cat "$said" >&2
	rm -f "$said"
	return "$status"
}

cannot_install() { # cannot_install REASON COMMAND
	fail "Debian packages are missing, and $1." "As root, run:" "    apt-get update && $2" "then run this again."
}

# With sudo the packages are installed as root, and then the checkout's owner goes on: nothing in it shall belong to root.
continue_as_owner() {
	[ "$(id -u)" -eq 0 ] && [ -n "${SUDO_UID:-}" ] && [ "$SUDO_UID" -ne 0 ] || return 0
	[ "$(stat -c %u "$CHECKOUT")" = "$SUDO_UID" ] || return 0
	local user home
	user=$(id -nu "$SUDO_UID")
	home=$(getent passwd "$SUDO_UID" | cut -d: -f6)
	note "going on as $user, who owns the checkout"
	exec runuser -u "$user" -- env HOME="$home" SUDO_UID= "$CHECKOUT/install.sh" "$@"
}

# ---- Python environments ------------------------------------------------------------------------------------------

find_python() {
	if [ -n "${PYTHON:-}" ]; then
		command -v -- "$PYTHON" || true
	elif [ -x /usr/bin/python3 ]; then
		echo /usr/bin/python3
	else
		command -v python3 || true
	fi
}

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; } # at_least LEAST VERSION

old_enough() { at_least "$OLDEST_PYTHON" "$(version_of "$1")"; }

check_machine() {
	case $(uname -m) in
	x86_64 | aarch64) ;;
	*) fail "this machine is $(uname -m); the TFLite runtimes exist for 64-bit Arm and x86 only." \
		"on a Raspberry Pi 3 or newer, use the 64-bit Raspberry Pi OS." ;;
	esac
	[ "$(getconf LONG_BIT)" = 64 ] || fail "this system is 32-bit on a 64-bit processor." "use the 64-bit Raspberry Pi OS."
	[ -z "${PYTHON:-}" ] || command -v -- "$PYTHON" >/dev/null || fail "PYTHON is $PYTHON, and there is no such program."
	[ -w "$CHECKOUT" ] || fail "$CHECKOUT is not writable for $(id -nu), and everything is set up inside it."
}

check_python() {
	python=$(find_python)
	old_enough "$python" || fail "$python is Python $(version_of "$python"); edged needs $OLDEST_PYTHON or newer." \
		"Debian 12, Raspberry Pi OS of the same age, and newer ones have it; or set PYTHON to one you have."
}

# Whether an environment's Python works and is of the version that it would be made with now.
same_python() { "$1" -c 'import pip' 2>/dev/null && [ "$(version_of "$1")" = "$(version_of "$2")" ]; }

# What an environment was made from. When that changes, it is brought up to date.
fingerprint() { # fingerprint WHAT...
	{
		printf '%s\n' "$@" "$CHECKOUT"
		"$python" -c 'import sys; print(sys.version, sys.executable)'
		cat "$CHECKOUT/pyproject.toml" "$CHECKOUT/constraints.txt"
	} | sha256sum | cut -d' ' -f1
}

make_environment() { # make_environment FOLDER CONSTRAINTS REQUIREMENT...
	local folder=$CHECKOUT/$1 constraints=$2
	shift 2
	local stamp want
	stamp=$folder/set-up-$(printf '%s' "$*" | sha256sum | cut -c1-12)
	want=$(fingerprint "$@")
	if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
		note "up to date: ${folder##*/}"
		return
	fi
	if [ -e "$folder" ] && [ ! -w "$folder" ]; then
		fail "$folder belongs to $(stat -c %U "$folder")." "remove it, or run this as that user."
	fi
	if [ -e "$folder/unfinished" ] || ! same_python "$folder/bin/python" "$python"; then
		note "a new environment with $("$python" --version) in ${folder##*/}"
		"$python" -m venv --clear "$folder"
	fi
	rm -f "$stamp"
	touch "$folder/unfinished"
	pip_install "$folder" -c "$constraints" "$@"
	printf '%s\n' "$want" >"$stamp"
	rm "$folder/unfinished"
}

# A set-up that was cut off may have left half a package, which pip would take for a whole one: then it begins anew,
# from what pip has kept of its downloads.
pip_install() { # pip_install FOLDER ARGUMENT...
	local folder=$1 attempt
	shift
	for attempt in 1 2 3; do
		if (cd "$CHECKOUT" && PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 "$folder/bin/python" -m pip install \
			--no-input --progress-bar off "$@" 2>&1) | tee "$folder/pip.log" | pip_progress; then
			return
		fi
		[ "$attempt" -eq 3 ] || { note "pip did not finish; again in $((attempt * 5)) s" && sleep $((attempt * 5)); }
	done
	tail -n 15 "$folder/pip.log" >&2
	fail "the Python packages could not be installed; pip's last words stand above, all of them in $folder/pip.log." \
		"is there a network, and is there room on the disk? Then run this again."
}

pip_progress() {
	local line
	while IFS= read -r line; do
		case $line in
		*Downloading*.whl* | *Downloading*.tar.gz*) line=${line##*Downloading } && note "downloading ${line##*/}" ;;
		*Using\ cached*.whl*) line=${line##*Using cached } && note "kept: ${line##*/}" ;;
		Installing\ collected*) note "installing" ;;
		esac
	done
}

set_up() { # set_up EXTRAS
	step "Python environment"
	make_environment .venv constraints.txt -e ".$1"
}

# One set-up at a time in a checkout; the lock is on the folder itself, so it leaves nothing behind.
lock() {
	exec 9<"$CHECKOUT"
	flock -n 9 || { note "another install.sh is at work in this checkout: waiting" && flock 9; }
}

unlock() { exec 9<&-; }

# ---- jobs ---------------------------------------------------------------------------------------------------------

begin() { # begin STEPS PACKAGES... -- the command line, for going on as the owner
	step_count=$1
	shift
	local packages=()
	while [ "$1" != -- ]; do
		packages+=("$1")
		shift
	done
	shift
	check_machine
	step "Debian packages"
	need_packages "${packages[@]}"
	check_python
	continue_as_owner "$@"
	lock
}

demo() {
	begin 3 python3 python3-venv ca-certificates tzdata -- --demo "$@"
	set_up ""
	unlock
	step "edged demo"
	exec "$CHECKOUT/.venv/bin/python" -m edged demo "$@"
}

bench() {
	begin 3 python3 python3-venv ca-certificates tzdata -- --bench "$@"
	set_up "[bench]"
	unlock
	step "python -m benchmarks"
	cd "$CHECKOUT"
	exec .venv/bin/python -m benchmarks "$@"
}

run_tests() {
	local status=0
	# A test compiles a stand-in for a delegate's library. ShellCheck's wheel exists for x86 only.
	begin 5 python3 python3-venv ca-certificates tzdata gcc libc6-dev shellcheck -- --test "$@"
	set_up "[test,bench,png]"
	set_up_tflite
	unlock
	cd "$CHECKOUT"
	step "Tests that every runtime must pass, with tflite-runtime"
	if [ $# -gt 0 ]; then
		note "left out: pytest was given arguments"
	elif [ -n "$why_no_tflite" ]; then
		note "left out: $why_no_tflite"
	else
		.venv-tflite/bin/python -m pytest -q tests/contracts/test_runtime.py tests/test_delegate.py tests/test_state.py \
			tests/test_decode.py tests/test_prepare.py || status=$?
	fi
	step "Tests"
	.venv/bin/python -m pytest "$@" || status=$?
	exit "$status"
}

# tflite-runtime needs NumPy 1, the tests' OpenCV needs NumPy 2: an environment of its own, without the second.
set_up_tflite() {
	step "Second Python environment, with tflite-runtime"
	why_no_tflite=
	if ! at_least "$(version_of "$python")" "$NEWEST_FOR_TFLITE_RUNTIME"; then
		why_no_tflite="tflite-runtime was never built for Python $(version_of "$python") ($NEWEST_FOR_TFLITE_RUNTIME is its newest)"
		note "left out: $why_no_tflite"
		return
	fi
	local constraints
	constraints=$(mktemp)
	grep -vE '^(numpy|ml-dtypes)=' "$CHECKOUT/constraints.txt" >"$constraints"
	make_environment .venv-tflite "$constraints" -e '.[tflite-runtime]' pytest
	rm -f "$constraints"
}

case ${1:-} in
--demo) shift && demo "$@" ;;
--test) shift && run_tests "$@" ;;
--bench) shift && bench "$@" ;;
-h | --help) usage ;;
"")
	printf 'install.sh: installing edged as a system service is not there yet.\n' >&2
	printf '  ./install.sh --demo shows it at work, ./install.sh --test runs its tests, --help says more.\n' >&2
	exit 2
	;;
*)
	printf 'install.sh: there is no %s.\n' "$1" >&2
	usage >&2
	exit 2
	;;
esac
