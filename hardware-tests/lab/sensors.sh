#!/bin/sh
# sensors.sh [pytest arguments]   The contract of sensors, and locked workers behind them, on real drivers in the VM: an LM75 (hwmon),
# an INA219 (iio, polled and through its buffer), a thermometer on a 1-wire bus behind a USB adapter, a serial line. A few minutes.
# needs: root, mmdebstrap, qemu-system-x86
set -eu
here=$(cd "$(dirname "$0")" && pwd)
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
cat >"$share/sensors-in-vm.sh" <<S
set -eu
cd /project
export EDGED_LAB=sensors PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1
export PYTHONPATH=/project:/project/tests:/project/hardware-tests/lab
exec /opt/venv/bin/python -m pytest -q -rs -p no:cacheprovider \\
  tests/contracts/test_sensors.py hardware-tests/lab/test_sensing.py $*
S
LIMIT=${LIMIT:-1200} "$here/vm.sh" "$share/sensors-in-vm.sh" "$share"
