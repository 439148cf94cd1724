#!/bin/sh
# arm-qemu.sh   Print the path of a static qemu-aarch64 that can run edged: version 9 or newer.
#
# Debian 12's own 7.2 hangs for ever in an inference by LiteRT, so there Debian 13's is fetched: its package is read by
# apt with lists of its own, and one program is taken out of it into ${EDGED_CACHE:-~/.cache/edged}/lab. Nothing is
# installed. 70 MB over the network, once; a newer one is taken when this file changes.
# needs: apt, debian-archive-keyring
set -eu
here=$(cd "$(dirname "$0")" && pwd)
good() { # good PROGRAM: new enough, and static: it must run where there is no library of this machine
  [ -x "$1" ] || return 1
  major=$("$1" --version 2>/dev/null | sed -n '1s/^qemu-aarch64 version \([0-9]*\)\..*/\1/p')
  [ "${major:-0}" -ge 9 ] && ! readelf --program-headers "$1" 2>/dev/null | grep -q INTERP
}
for installed in /usr/bin/qemu-aarch64 /usr/bin/qemu-aarch64-static; do
  if good "$installed"; then echo "$installed"; exit; fi
done

cache=${EDGED_CACHE:-$HOME/.cache/edged}/lab
recipe=$(sha256sum "$here/arm-qemu.sh" | cut -c1-12)
qemu=$cache/qemu-aarch64-$recipe
if good "$qemu"; then echo "$qemu"; exit; fi

mkdir -p "$cache"
rm -f "$cache"/qemu-aarch64-*
mirror=$("$here/arm-mirror.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > "$work/sources.list"
own_apt() {
  apt-get -qq -o "Dir::State=$work/state" -o Dir::State::status=/dev/null -o "Dir::Cache=$work/cache" \
    -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Acquire::Languages=none -o APT::Sandbox::User=root "$@" >&2
}
echo "arm-qemu.sh: fetching Debian 13's qemu-user" >&2
own_apt update
(cd "$work" && own_apt download qemu-user)
dpkg-deb --fsys-tarfile "$work"/qemu-user_*.deb | tar -x -C "$work" ./usr/bin/qemu-aarch64
good "$work/usr/bin/qemu-aarch64" || { echo "arm-qemu.sh: what was fetched does not run here, or is not static" >&2; exit 1; }
mv "$work/usr/bin/qemu-aarch64" "$qemu"
echo "$qemu"
