#!/bin/sh
# arm-mirror.sh   Print the mirror of Debian that this machine's apt uses, or the one that EDGED_MIRROR names.
set -eu
mirror=${EDGED_MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null |
  grep -v security | grep debian | head -n 1)}
[ -n "$mirror" ] || { echo "arm-mirror.sh: apt knows no mirror of Debian here: name one in EDGED_MIRROR" >&2; exit 1; }
echo "${mirror%/}"
