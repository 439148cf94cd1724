#!/bin/sh
# bootable.sh SUITE   Make (once) a Debian SUITE (bookworm, trixie) that boots systemd in a container; print its path.
#
# Kept in ${EDGED_CACHE:-~/.cache/edged}/lab and made anew only when this file changes. 1-2 minutes, 300 MB.
# needs: root, mmdebstrap, debian-archive-keyring
set -eu
suite=$1
here=$(cd "$(dirname "$0")" && pwd)
cache=${EDGED_CACHE:-$HOME/.cache/edged}/lab
root=$cache/boot-$suite-$(sha256sum "$here/bootable.sh" | cut -c1-12)
if [ -d "$root" ]; then echo "$root"; exit; fi

[ "$(id -u)" = 0 ] || { echo "bootable.sh: run it as root: it installs a Debian system in a folder" >&2; exit 1; }
command -v mmdebstrap >/dev/null || { echo "bootable.sh: install mmdebstrap and debian-archive-keyring first" >&2; exit 1; }
mirror=${EDGED_MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null |
  grep -v security | grep debian | head -n 1)}
[ -n "$mirror" ] || { echo "bootable.sh: apt knows no mirror of Debian here: name one in EDGED_MIRROR" >&2; exit 1; }
mkdir -p "$cache"
rm -rf "$root.part" "$cache/boot-$suite"-*

# What any Raspberry Pi OS Lite has, and what install.sh would fetch: in the container there is no network.
packages=systemd,systemd-sysv,systemd-timesyncd,dbus,udev,kmod,libpam-systemd,procps,iproute2,ca-certificates,tzdata
packages=$packages,adduser,man-db,bash-completion,sudo,python3,python3-venv,python3-systemd,python3-numpy
mmdebstrap --quiet --variant=minbase --mode=root --include="$packages" \
  --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  --customize-hook='chroot "$1" passwd -d root' \
  "$suite" "$root.part" "${mirror%/}" >&2
mv "$root.part" "$root"
echo "$root"
