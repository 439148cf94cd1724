#!/bin/sh
# root.sh   Make (once) the lab's root folder and print its path: Debian trixie with a stock kernel for the VM, and
# libcamera from trixie-backports with an unmodified picamera2 for the software camera.
#
# Kept in ${EDGED_CACHE:-~/.cache/edged}/lab and made anew only when this file changes. About 5 minutes, 1.5 GB.
# needs: root, mmdebstrap, debian-archive-keyring
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${EDGED_CACHE:-$HOME/.cache/edged}/lab
recipe=$(sha256sum "$here/root.sh" | cut -c1-12)
root=$cache/root-trixie-$recipe
if [ -d "$root" ]; then echo "$root"; exit; fi

[ "$(id -u)" = 0 ] || { echo "root.sh: run it as root: it installs a Debian system in a folder" >&2; exit 1; }
command -v mmdebstrap >/dev/null || { echo "root.sh: install mmdebstrap and debian-archive-keyring first" >&2; exit 1; }
mirror=${EDGED_MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null |
  grep -v security | grep debian | head -1)}
[ -n "$mirror" ] || { echo "root.sh: apt knows no mirror of Debian here: name one in EDGED_MIRROR" >&2; exit 1; }
mkdir -p "$cache"
work=$root.part
rm -rf "$work" "$cache"/root-trixie-*

# initramfs-tools: a full initrd costs minutes under emulation, so image.sh makes a small one.
# python3-libcamera exists for the distribution's own Python only; trixie's own 0.4.0 has a broken virtual camera.
packages=systemd,systemd-sysv,udev,kmod,procps,ca-certificates,linux-image-amd64,initramfs-tools,zstd,v4l-utils
packages=$packages,python3,python3-venv,python3-dev,gcc,libc6-dev
packages=$packages,python3-numpy,python3-pil,python3-prctl,python3-jsonschema,python3-tqdm
packages=$packages,python3-piexif,python3-libarchive-c
mmdebstrap --quiet --variant=minbase --mode=root --include="$packages" \
  --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --customize-hook='chroot "$1" apt-get install -y -qq -t trixie-backports python3-libcamera libcamera-ipa' \
  --customize-hook='chroot "$1" passwd -d root' \
  trixie "$work" "deb $mirror trixie main" "deb $mirror trixie-backports main" >&2

# pip inside needs the outside's resolver and certificates.
cp /etc/resolv.conf "$work/etc/resolv.conf"
cp /etc/ssl/certs/ca-certificates.crt "$work/etc/ssl/certs/ca-certificates.crt"
chroot "$work" sh -eu >&2 <<'S'
unset PIP_FIND_LINKS PIP_CONFIG_FILE
export PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
python3 -m venv --system-site-packages /opt/venv
/opt/venv/bin/pip install -q picamera2==0.3.38 'av>=17' msgspec simplejpeg pytest
pipeline=/usr/share/libcamera/pipeline/virtual
sed 's/test_pattern: .*/test_pattern: "bars"/' "$pipeline/virtual.yaml.example" > "$pipeline/virtual.yaml"
S
mv "$work" "$root"
echo "$root"
