#!/usr/bin/env bash
# arm.sh [--suite bookworm|trixie] [pytest arguments]
# edged on a 64-bit Arm without a board: the real aarch64 wheels in an arm64 Debian, its programs run by QEMU. First what
# this machine makes of a scripted recording and of real models; then the tests that mean something there, which make the
# same and compare; then this machine reads what that has written. Without arguments for pytest, all of this.
#
# What cannot run there skips, and says why: tests/emulation.py. What is fetched (a Debian, QEMU, the wheels) is kept in
# ${EDGED_CACHE:-~/.cache/edged}/lab. Nothing is installed; the registration with the kernel and the mounts are taken back.
# needs: root, mmdebstrap, debian-archive-keyring; PYTHON, an environment with edged's tests (default: the checkout's)
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
project=$(cd -- "$here/../.." && pwd)
suite=bookworm
if [ "${1:-}" = --suite ]; then
  suite=${2:?arm.sh: --suite bookworm or trixie}
  shift 2
fi
if [ "$(uname -m)" = aarch64 ]; then
  echo "arm.sh: this machine is a 64-bit Arm itself: make test is all of it"
  exit
fi
export PYTHON=${PYTHON:-$project/.venv/bin/python}
if ! "$PYTHON" -c 'import edged, pytest' 2>/dev/null; then
  echo "arm.sh: $PYTHON has no environment for edged's tests: ./install.sh --test makes one, or name yours in PYTHON" >&2
  exit 1
fi

# In about the order of one frame's way: what a processor, its wheels or its kernel's interface could make different. The
# whole of tests/ would take an emulator an hour; what is text or arithmetic of Python alone is the same everywhere.
tests=(
  hardware-tests/lab/test_architectures.py
  tests/contracts/test_runtime.py tests/test_prepare.py tests/test_decode.py tests/test_wall.py tests/test_config.py
  tests/test_sandbox_filter.py tests/test_sandbox.py
  tests/test_keys.py
  tests/test_store.py::test_nothing_on_the_disk_can_be_read
  tests/test_store.py::test_an_independent_implementation_opens_it_with_the_key_and_not_without
  tests/test_store.py::test_a_wrong_key_is_refused_and_the_file_left_as_it_is
  tests/test_store.py::test_a_damaged_page_is_found_when_it_is_read
  tests/test_store.py::test_what_is_written_is_what_was_counted
  tests/test_store.py::test_a_killed_daemon_loses_nothing_that_was_committed
)
began=$SECONDS
root=$("$here/arm-root.sh" "$suite")
qemu=$("$here/arm-qemu.sh")
made=$SECONDS

exchange=$(mktemp -d)
trap 'rm -rf "$exchange"' EXIT
shared=$(realpath -m "${EDGED_SHARED:-$project/../shared}")
export EDGED_SHARED=$shared PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1

natively() { # natively ARGUMENT...
  PYTHONPATH=$project:$here "$PYTHON" "$@"
}
emulated() { # emulated ARGUMENT...
  [ -d "$shared/models" ] && local -x SHARED=$shared
  EXCHANGE=$exchange EDGED_SHARED=/shared EDGED_ARCHITECTURES=/exchange EDGED_LAB=arm \
    PYTHONDONTWRITEBYTECODE='' "$here/arm-enter.sh" "$root" "$qemu" python3 "$@"
}
run_pytest=(-m pytest -q -p no:cacheprovider)

if [ $# -gt 0 ]; then
  emulated "${run_pytest[@]}" "$@"
  exit
fi
echo "arm.sh: what $(uname -m) makes"
natively "$here/architectures.py" "$exchange/$(uname -m)"
echo "arm.sh: Debian $suite for arm64, by $("$qemu" --version | head -n 1)"
emulated "${run_pytest[@]}" --durations=5 "${tests[@]}"
echo "arm.sh: $(uname -m) reads what aarch64 has written"
EDGED_ARCHITECTURES=$exchange natively "${run_pytest[@]}" "$here/test_architectures.py"
echo "arm.sh: $suite, $((SECONDS - made)) s, and $((made - began)) s to get what it takes"
