#!/bin/sh
# v4l2.sh [pytest arguments]   The contract of sources, and the faults of test_vivid.py, on a real V4L2 driver in the VM.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
# The runtime, which the lab lacks, for test_locked.py; NumPy is Debian's.
wheels=$("$here/wheels.sh" trixie)
for wheel in "$wheels"/ai_edge_litert-*.whl "$wheels"/flatbuffers-*.whl "$wheels"/backports*.whl; do
  python3 -m zipfile -e "$wheel" "$share/site"
done
cat > "$share/v4l2-in-vm.sh" <<S
set -eu
# One capture device, a webcam: the input type that has discrete sizes and rates.
modprobe vivid n_devs=1 node_types=0x1 input_types=0x0
udevadm settle
cd /project
export EDGED_LAB=v4l2 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/project:/share/site OPENBLAS_NUM_THREADS=1
exec /opt/venv/bin/python -m pytest -q -p no:cacheprovider \
  tests/contracts/test_source.py hardware-tests/lab/test_vivid.py hardware-tests/lab/test_locked.py hardware-tests/lab/test_outline.py \\
  -k 'v4l2 or test_vivid or locked or outline' $*
S
LIMIT=${LIMIT:-1200} "$here/vm.sh" "$share/v4l2-in-vm.sh" "$share"
