#!/bin/sh
# camera.sh [pytest arguments]   The contract of sources, and the faults of test_softcam.py, on the real picamera2 and
# libcamera with its software camera, in the lab's root folder. It touches no driver. Some 20 s.
# needs: root
set -eu
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
root=$("$here/root.sh")
wheels=$("$here/wheels.sh" trixie)
# Mounts in a namespace of their own: they are gone with the last process. The checkout is read only.
exec unshare -m -p --fork --kill-child=KILL sh -eu -c '
  root=$1 project=$2 wheels=$3; shift 3
  mount --make-rprivate /
  mkdir -p "$root/project"
  mount --bind "$project" "$root/project"
  mount -o remount,bind,ro "$root/project"
  mount -t proc proc "$root/proc"
  mount -t tmpfs tmpfs "$root/tmp"
  mount --bind /dev "$root/dev"
  # A worker hears of no devices by netlink, nor does the service: libcamera then looks in /sys, and gives up where no
  # driver of any camera was ever loaded.
  mount -t tmpfs tmpfs "$root/sys"
  mkdir -p "$root/sys/bus/media/devices"
  # The runtime, which the lab lacks, for test_locked.py; NumPy is Debian'"'"'s, which libcamera'"'"'s bindings go with.
  for wheel in "$wheels"/ai_edge_litert-*.whl "$wheels"/flatbuffers-*.whl "$wheels"/backports*.whl; do
    python3 -m zipfile -e "$wheel" "$root/tmp/site"
  done
  cd "$root/project"
  export EDGED_LAB=camera PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1 LIBCAMERA_LOG_LEVELS="*:ERROR"
  export PYTHONPATH=/project:/project/hardware-tests/lab:/tmp/site HOME=/tmp
  exec chroot "$root" sh -c "cd /project; exec /opt/venv/bin/python -m pytest -q -p no:cacheprovider -p softcam \
    tests/contracts/test_source.py hardware-tests/lab/test_softcam.py hardware-tests/lab/test_locked.py \
    -k \"camera or softcam or locked\" \"\$@\"" sh "$@"
' sh "$root" "$project" "$wheels" "$@"
