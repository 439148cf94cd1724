#!/bin/sh
# drivers.sh [pytest arguments]   What edged makes of real drivers: a thermal zone, an LM75, an INA219 and a battery's gauge in the emulated
# machine are heated, sagged, drained and unplugged (drivers.py). test_drivers.py looks on through the telemetry; then test_governed.py
# through a daemon with a camera (vivid), which has to hold itself back and to recover. Some minutes.
# needs: root, mmdebstrap, systemd-container, qemu-system-x86, acpica-tools
set -eu
here=$(cd "$(dirname "$0")" && pwd)
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
# What pip would have installed; NumPy and what reads pictures are the machine's own.
wheels=$("$here/wheels.sh" trixie)
mkdir "$share/site"
for wheel in "$wheels"/*.whl; do
  case ${wheel##*/} in
  numpy-* | hatchling-* | pathspec-* | pluggy-* | trove_* | tomlkit-*) ;;
  *) python3 -m zipfile -e "$wheel" "$share/site" ;;
  esac
done
quoted=$(for one; do printf " '%s'" "$(printf '%s' "$one" | sed "s/'/'\\\\''/g")"; done)
cat >"$share/drivers-in-vm.sh" <<S
set -eu
cd /project
# Workers are given an empty environment: what they import comes by this. (The disk is thrown away.)
printf "/project\\n/share/site\\n" >"\$(echo /opt/venv/lib/python3.*/site-packages)/lab.pth"
export EDGED_LAB=drivers PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1
export PYTHONPATH=/project:/project/tests:/project/hardware-tests/lab:/project/hardware-tests/heat:/share/site
export EDGED_LAB_UNGOVERNED=${EDGED_LAB_UNGOVERNED:-}
exec /opt/venv/bin/python -m pytest -q -rs -p no:cacheprovider \
  hardware-tests/lab/test_drivers.py hardware-tests/lab/test_governed.py$quoted
S
TZ=1 LIMIT=${LIMIT:-1800} "$here/vm.sh" "$share/drivers-in-vm.sh" "$share"
