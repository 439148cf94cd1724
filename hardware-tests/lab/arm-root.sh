#!/bin/sh
# arm-root.sh SUITE   Make (once) an arm64 Debian SUITE (bookworm, trixie) with its Python and edged's aarch64 wheels in
# /opt/site; print its path.
#
# Nothing of it runs while it is made: the packages are only unpacked, and pip is told from outside what machine the
# wheels are for. So it takes half a minute instead of ten, and says at once if a wheel for aarch64 is not there. Kept in
# ${EDGED_CACHE:-~/.cache/edged}/lab and made anew when this file, pyproject.toml or constraints.txt change. 460 MB.
# needs: root, mmdebstrap, debian-archive-keyring; PYTHON with pip (default: the checkout's environment)
set -eu
suite=$1
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
cache=${EDGED_CACHE:-$HOME/.cache/edged}/lab
case $suite in
bookworm) version=3.11 glibc=36 ;;
trixie) version=3.13 glibc=41 ;;
*) echo "arm-root.sh: there is no recipe for $suite: bookworm or trixie" >&2; exit 2 ;;
esac
recipe=$(cat "$here/arm-root.sh" "$here/arm-wheels.py" "$project/pyproject.toml" "$project/constraints.txt" |
  sha256sum | cut -c1-12)
root=$cache/arm-$suite-$recipe
if [ -d "$root" ]; then echo "$root"; exit; fi

[ "$(id -u)" = 0 ] || { echo "arm-root.sh: run it as root: it unpacks a Debian system in a folder" >&2; exit 1; }
command -v mmdebstrap >/dev/null || { echo "arm-root.sh: install mmdebstrap and debian-archive-keyring first" >&2; exit 1; }
mirror=$("$here/arm-mirror.sh")
mkdir -p "$cache"
rm -rf "$root.part" "$cache/arm-$suite"-*

# Essential ones too must be named: what is only unpacked has no base system.
packages=base-files,base-passwd,libc-bin,libstdc++6,dash,bash,coreutils,gzip,grep,sed,findutils,util-linux,procps,ca-certificates,tzdata
packages=$packages,python3,python3-venv,python3-systemd
echo "arm-root.sh: unpacking Debian $suite for arm64" >&2
mmdebstrap --quiet --skip=check/qemu --variant=extract --mode=root --arch=arm64 --include="$packages" \
  --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
  "$suite" "$root.part" "$mirror" >&2
# What the packages' own scripts would have made, as far as Python asks for it.
cp "$root.part/usr/share/base-passwd/passwd.master" "$root.part/etc/passwd"
cp "$root.part/usr/share/base-passwd/group.master" "$root.part/etc/group"
echo "127.0.0.1 localhost" > "$root.part/etc/hosts"
mkdir -p "$root.part/project" "$root.part/shared" "$root.part/exchange"
# Not by PYTHONPATH: workers begin with an empty environment.
printf '/opt/site\n/project\n' > "$root.part/usr/lib/python3/dist-packages/edged-lab.pth"

echo "arm-root.sh: the aarch64 wheels for Python $version" >&2
"${PYTHON:-$project/.venv/bin/python}" "$here/arm-wheels.py" "$version" "$glibc" "$root.part/opt/site" >&2
mv "$root.part" "$root"
echo "$root"
