# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Environments: Python ones inside the checkout, for --demo, --test and --bench.

readonly OLDEST_PYTHON=3.11
readonly NEWEST_FOR_TFLITE_RUNTIME=3.11 # its last wheels are of 2023

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
