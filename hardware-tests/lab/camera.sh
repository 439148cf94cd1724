#!/bin/sh
# camera.sh [pytest arguments]   The contract of sources, and the faults of test_softcam.py, on the real picamera2 and
# libcamera with its software camera, in the lab's root folder. It touches no driver. Some 20 s.
# needs: root
set -eu
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
root=$("$here/root.sh")
# Mounts in a namespace of their own: they are gone with the last process. The checkout is read only.
exec unshare -m -p --fork --kill-child=KILL sh -eu -c '
  root=$1 project=$2; shift 2
  mount --make-rprivate /
  mkdir -p "$root/project"
  mount --bind "$project" "$root/project"
  mount -o remount,bind,ro "$root/project"
  mount -t proc proc "$root/proc"
  mount -t tmpfs tmpfs "$root/tmp"
  mount --bind /dev "$root/dev"
  cd "$root/project"
  export EDGED_LAB=camera PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1 LIBCAMERA_LOG_LEVELS="*:ERROR"
  export PYTHONPATH=/project:/project/hardware-tests/lab HOME=/tmp
  exec chroot "$root" sh -c "cd /project; exec /opt/venv/bin/python -m pytest -q -p no:cacheprovider -p softcam \
    tests/contracts/test_source.py hardware-tests/lab/test_softcam.py -k \"camera or softcam\" \"\$@\"" sh "$@"
' sh "$root" "$project" "$@"
