#!/bin/sh
# service.sh camera|v4l2   The real edged.service with its whole sandbox and a camera in it, under real systemd: unmodified picamera2 on
# libcamera's software camera (in a container, half a minute), or a V4L2 driver that is loaded after the service has started (vivid, in
# the VM, where device classes, MemoryMax and the kernel's clock are real too; some minutes). Then unit.sh in the same place.
# needs: root, mmdebstrap; systemd-container for camera, qemu-system-x86 for v4l2
set -eu
kind=${1:?usage: service.sh camera|v4l2}
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
wheels=$("$here/wheels.sh" trixie)
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
chmod 0755 "$share"

# What pip would have installed; NumPy is Debian's, which libcamera's bindings go with.
mkdir "$share/site"
for wheel in "$wheels"/*.whl; do
  case ${wheel##*/} in
  numpy-* | hatchling-* | pathspec-* | pluggy-* | trove_* | tomlkit-*) ;;
  *) python3 -m zipfile -e "$wheel" "$share/site" ;;
  esac
done
cp -r "$project/edged" "$share/site"
cp -r "$project/config" "$share/site/edged/share"
cp -r "$project/systemd" "$here/softcam.py" "$here/sandbox.py" "$here/unit.sh" "$here/service-inside.sh" "$share"
chmod -R a+rX "$share"
printf 'exec sh /share/service-inside.sh %s\n' "$kind" >"$share/inside.sh"

case $kind in
camera) "$here/nspawn.sh" "$("$here/root.sh")" "$share/inside.sh" "$share" ;;
v4l2) LIMIT=${LIMIT:-900} "$here/vm.sh" "$share/inside.sh" "$share" ;;
*)
  echo "service.sh: camera or v4l2, not $kind" >&2
  exit 64
  ;;
esac
