#!/bin/sh
# sound.sh [pytest arguments]   The contract of windows, the faults of test_sound.py and a whole daemon on a real sound driver
# (snd-aloop) in the VM. With the shared folder also: a voice that is played there is reported as speech.
# needs: root, mmdebstrap, systemd-container, qemu-system-x86, libasound2
set -eu
here=$(cd "$(dirname "$0")" && pwd)
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
# What pip would have installed; NumPy and what decodes are the machine's own.
wheels=$("$here/wheels.sh" trixie)
mkdir "$share/site" "$share/shared"
for wheel in "$wheels"/*.whl; do
  case ${wheel##*/} in
  numpy-* | av-* | hatchling-* | pathspec-* | pluggy-* | trove_* | tomlkit-*) ;;
  *) python3 -m zipfile -e "$wheel" "$share/site" ;;
  esac
done
# ALSA's library and what it reads, which the image lacks: this machine's.
cp -L /usr/lib/*-linux-gnu/libasound.so.2 "$share/"
cp -r /usr/share/alsa "$share/alsa"
shared=${EDGED_SHARED:-$here/../../../shared}
for file in models/yamnet_audio_classifier_with_metadata.tflite media/speech.wav; do
  if [ -e "$shared/$file" ]; then
    mkdir -p "$share/shared/${file%/*}"
    cp "$shared/$file" "$share/shared/$file"
  fi
done
quoted=$(for one; do printf " '%s'" "$(printf '%s' "$one" | sed "s/'/'\\\\''/g")"; done)
cat >"$share/sound-in-vm.sh" <<S
set -eu
cp /share/libasound.so.2 /usr/lib/
cp -r /share/alsa /usr/share/
modprobe snd-aloop pcm_substreams=1
udevadm settle
cd /project
# Workers are given an empty environment: what they import comes by this. (The disk is thrown away.)
printf "/project\\n/share/site\\n" >"\$(echo /opt/venv/lib/python3.*/site-packages)/lab.pth"
export EDGED_LAB=sound EDGED_SHARED=/share/shared PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1
export PYTHONPATH=/project:/project/tests:/project/hardware-tests/lab:/share/site
exec /opt/venv/bin/python -m pytest -q -rs -p no:cacheprovider \
  tests/contracts/test_windows.py hardware-tests/lab/test_sound.py$quoted
S
LIMIT=${LIMIT:-900} "$here/vm.sh" "$share/sound-in-vm.sh" "$share"
