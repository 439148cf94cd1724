#!/bin/sh
# wheels.sh SUITE   Collect (once) what `./install.sh --offline` needs on a Debian SUITE; print the folder.
#
# All that edged, its dependencies and the building of its wheel take, for that Debian's own Python and this machine's
# architecture. Kept in ${EDGED_CACHE:-~/.cache/edged}/lab and made anew when constraints.txt or pyproject.toml changes.
# Half a minute. needs: root, systemd-container, a network
set -eu
suite=$1
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
cache=${EDGED_CACHE:-$HOME/.cache/edged}/lab
recipe=$(cat "$here/wheels.sh" "$checkout/constraints.txt" "$checkout/pyproject.toml" | sha256sum | cut -c1-12)
wheels=$cache/wheels-$suite-$recipe
if [ -d "$wheels" ]; then echo "$wheels"; exit; fi

root=$("$here/bootable.sh" "$suite")
mkdir -p "$cache"
share=$(mktemp -d "$cache/wheels.XXXXXX")
trap 'rm -rf "$share"' EXIT
mkdir "$share/wheels" "$share/project"
# Only what pip's resolver looks at: a checkout's environments are hundreds of megabytes.
cp -r "$checkout/pyproject.toml" "$checkout/constraints.txt" "$checkout/README.md" "$checkout/LICENSE" "$share/project"
cp /etc/resolv.conf "$share/resolv.conf"
cp /etc/ssl/certs/ca-certificates.crt "$share/certificates.crt"
# This machine's settings for pip, but for names of its own files: they would say nothing in there.
for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_DEFAULT_TIMEOUT PIP_RETRIES http_proxy https_proxy no_proxy \
  HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  eval "value=\${$name:-}"
  [ -z "$value" ] || printf "export %s='%s'\n" "$name" "$value"
done >"$share/network"
cat >"$share/collect.sh" <<'I'
set -eu
cp /share/resolv.conf /etc/resolv.conf
. /share/network
export PIP_CERT=/share/certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1 HOME=/tmp
python3 -m venv /tmp/venv
cat >/tmp/names.py <<'P'
import tomllib
project = tomllib.load(open("/share/project/pyproject.toml", "rb"))
print(*project["project"]["dependencies"], *project["build-system"]["requires"], sep="\n")
P
/tmp/venv/bin/python /tmp/names.py >/tmp/wanted
/tmp/venv/bin/pip download --quiet --only-binary :all: --dest /share/wheels -c /share/project/constraints.txt -r /tmp/wanted
I
NETWORK=host "$here/nspawn.sh" "$root" "$share/collect.sh" "$share" >&2
rm -rf "$cache/wheels-$suite"-*
mv "$share/wheels" "$wheels"
echo "$wheels"
