#!/bin/sh
# unit.sh   Hold the installed edged.service against what systemd/README.md promises, on a machine with systemd as PID 1:
# `systemd-analyze verify`, the exposure of `systemd-analyze security`, and sandbox.py tried inside a copy of the unit. edged must be
# stopped: the copy uses its folders. Prints a line for each; the exit status is the answer.
# needs: root, systemd as PID 1, edged installed
set -eu
here=$(cd "$(dirname "$0")" && pwd)
most=${MOST:-11} # tenths, as systemd-analyze counts
status=0

systemctl is-active -q edged && { echo "unit.sh: stop edged first" >&2; exit 1; }

if said=$(systemd-analyze verify --man=no edged.service 2>&1) && ! printf '%s\n' "$said" | grep -q '^edged\|/edged'; then
  echo "ok     systemd-analyze verify"
else
  printf 'FAILED systemd-analyze verify\n%s\n' "$said"
  status=1
fi

if said=$(systemd-analyze security --no-pager --threshold="$most" edged.service); then
  printf 'ok     %s\n' "$(printf '%s' "$said" | tail -n 1)"
else
  printf 'FAILED systemd-analyze security\n%s\n' "$said"
  status=1
fi

# The same unit with another program: where each line of it comes from is systemd's own word.
probe=/run/systemd/system/edged-probe.service
interpreter=$(dirname "$(readlink -f /opt/edged/current/bin/edged-service)")/python
mkdir -p /run/edged-probe
cp "$here/sandbox.py" /opt/edged/sandbox-probe.py
chmod 0644 /opt/edged/sandbox-probe.py
trap 'rm -rf "$probe" /opt/edged/sandbox-probe.py /run/edged-probe /run/systemd/system/edged-bare.service; systemctl daemon-reload' EXIT
systemctl cat edged.service | grep -Ev '^(Type|NotifyAccess|ExecStart|ExecReload|Watchdog|Restart|StandardOutput|Wants|WantedBy)' >"$probe"
cat >>"$probe" <<U
[Service]
Type=oneshot
ExecStart=$interpreter -I -B /opt/edged/sandbox-probe.py
StandardOutput=append:/run/edged-probe/out
StandardError=inherit
U
cat >/run/systemd/system/edged-bare.service <<U
[Service]
Type=oneshot
User=edged
StateDirectory=edged
RuntimeDirectory=edged
ExecStart=$interpreter -I -B /opt/edged/sandbox-probe.py --without
StandardOutput=append:/run/edged-probe/bare
StandardError=inherit
U
systemctl daemon-reload
systemctl start edged-probe.service || { echo "FAILED the sandbox"; status=1; }
cat /run/edged-probe/out
systemctl start edged-bare.service || { echo "FAILED the proof of sandbox.py itself: without the sandbox it must find these"; grep FAILED /run/edged-probe/bare; status=1; }
exit "$status"
