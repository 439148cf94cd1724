#!/bin/sh
# drivers.sh [pytest arguments]   What edged makes of real drivers' readings: a thermal zone, an LM75, an INA219 and a battery's gauge in the
# emulated machine are heated, sagged, drained and unplugged (drivers.py), and test_drivers.py looks on. About a minute.
# needs: root, mmdebstrap, qemu-system-x86, acpica-tools
set -eu
here=$(cd "$(dirname "$0")" && pwd)
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
cat >"$share/drivers-in-vm.sh" <<S
set -eu
cd /project
export EDGED_LAB=drivers PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/project:/project/hardware-tests/lab:/project/hardware-tests/heat OPENBLAS_NUM_THREADS=1
exec /opt/venv/bin/python -m pytest -q -rs -p no:cacheprovider hardware-tests/lab/test_drivers.py $*
S
TZ=1 "$here/vm.sh" "$share/drivers-in-vm.sh" "$share"
