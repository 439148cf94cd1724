# shellcheck shell=bash disable=SC2034,SC2154 # rooms share variables; a test checks them all in one
# Jobs inside the checkout: --demo, --test, --bench. Nothing outside of it changes but missing Debian packages.

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
	cd "$CHECKOUT" || exit
	exec .venv/bin/python -m benchmarks "$@"
}

run_tests() {
	local status=0
	# Tests trace what is written, and compile a stand-in for a delegate's library. ShellCheck's wheel exists for x86 only.
	begin 5 python3 python3-venv ca-certificates tzdata gcc libc6-dev shellcheck strace -- --test "$@"
	set_up "[test,bench,png]"
	set_up_tflite
	unlock
	cd "$CHECKOUT" || exit
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
	local at_once
	at_once=$(room)
	if [ $# -eq 0 ] && [ "$at_once" -gt 1 ]; then
		# As tests/conftest.py has ordered them: what takes longest first.
		.venv/bin/python -m pytest -n "$at_once" --dist loadfile --no-loadscope-reorder || status=$?
	else
		.venv/bin/python -m pytest "$@" || status=$?
	fi
	exit "$status"
}

# For how many tests at once there is room. Most wait for real processes most of the time, so two share a processor;
# each, with what it starts, may take 700 MB.
room() {
	local processors free
	processors=$(nproc)
	free=$(($(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo) / 700000))
	if [ "$processors" -eq 1 ] || [ "$free" -lt 2 ]; then
		echo 1
	else
		echo $((free < 2 * processors ? free : 2 * processors))
	fi
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
