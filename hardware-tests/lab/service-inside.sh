#!/bin/sh
# service-inside.sh camera|v4l2   What service.sh does in its machine: lay edged out as install.sh would, start it, hold it against what
# it should do.
# shellcheck disable=SC2317 # expect calls its words
set -eu
kind=$1
failed=0

expect() { # expect WHAT COMMAND...
  what=$1
  shift
  if "$@"; then echo "ok     $what"; else
    echo "FAILED $what"
    failed=1
  fi
}

# ---- as install.sh lays it out
version=/opt/edged/versions/lab
python3 -m venv --without-pip --system-site-packages "$version"
site=$(echo "$version"/lib/python3.*/site-packages)
printf '%s\n' /share/site /opt/venv/lib/python3.*/site-packages >"$site/lab.pth"
ln -sfn versions/lab /opt/edged/current
for program in edged-service:edged.service edged:edged.cli; do
  printf '#!%s/bin/python\nimport sys\nfrom %s import main\nsys.exit(main())\n' "$version" "${program#*:}" >"$version/bin/${program%%:*}"
  chmod 0755 "$version/bin/${program%%:*}"
done
units=/usr/local/lib/systemd/system
mkdir -p "$units/edged.service.d" /usr/local/lib/sysusers.d /usr/local/lib/tmpfiles.d
cp /share/systemd/edged.service "$units"
running=$(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')
for drop_in in /share/systemd/edged.service.d/*.conf; do
  least=${drop_in##*/}
  case $least in [0-9]*) ;; *) continue ;; esac # what an owner chooses, such as a Coral's door, is not chosen here
  [ "${least%%-*}" -gt "$running" ] || cp "$drop_in" "$units/edged.service.d"
done
cp /share/systemd/sysusers.d/edged.conf /usr/local/lib/sysusers.d
cp /share/systemd/tmpfiles.d/edged.conf /usr/local/lib/tmpfiles.d
systemctl daemon-reload
systemd-sysusers /usr/local/lib/sysusers.d/edged.conf
systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/edged.conf
(umask 077; od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' | { cat; echo; } |
  systemd-creds encrypt --with-key=host --name=edged_key - /etc/edged/credentials/key 2>/dev/null)

# ---- the camera
if [ "$kind" = camera ]; then
  # The software camera's stand-ins, in the workers only; where Python reads it last, because they need NumPy.
  cp /share/softcam.py "$site"
  echo 'import sys; "edged.worker" in sys.orig_argv and __import__("softcam")' >/usr/lib/python3/dist-packages/zz-softcam.pth
  # Without netlink libcamera looks for cameras in /sys, and gives up when no driver of any has been loaded. On a machine with
  # a kernel of its own the unit loads videodev; here an empty folder stands for it.
  mkdir -p /run/systemd/system/edged.service.d /opt/edged/no-drivers
  printf '[Service]\nTemporaryFileSystem=/sys/class:ro\nBindReadOnlyPaths=/opt/edged/no-drivers:/sys/class/media/devices\n' \
    >/run/systemd/system/edged.service.d/camera.conf
  systemctl daemon-reload
  source='kind = "camera"'
else
  source='kind = "v4l2"'
fi
cat >/etc/edged/edged.toml <<C
[clock]
trust = "always"
[pipelines.eye]
rate = 2.0
[pipelines.eye.source]
$source
timeout = "60s"
C
chown root:edged /etc/edged/edged.toml
chmod 0640 /etc/edged/edged.toml

# ---- the service
patience=20
[ "$kind" = camera ] || patience=180 # an emulated machine

fact() { # fact EXPRESSION: of the one pipeline p and the whole status s
  "$version/bin/edged" status --config /etc/edged/edged.toml --json |
    "$version/bin/python" -c "import json, sys; s = json.load(sys.stdin); p = s['pipelines'][0]; print($1)"
}

comes() { # comes SECONDS EXPRESSION: it becomes true
  until=$(($(date +%s) + $1))
  while [ "$(fact "$2" 2>/dev/null)" != True ]; do
    [ "$(date +%s)" -lt "$until" ] && [ "$(fact "p['state']" 2>/dev/null)" != refused ] || return 1
    sleep 1
  done
}

private() { # private PID: KiB of memory that is its own
  sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}

expect "it starts" systemctl start edged.service
if [ "$kind" = v4l2 ]; then
  expect "it says that there is no camera" comes 60 "'no device' in p['why']"
  modprobe vivid n_devs=1 node_types=0x1 input_types=0x0
fi
expect "it counts what the camera shows" comes "$patience" "p['state'] == 'running' and p['analysed'] > 3"
fact "p['state'], p['why'], p['analysed'], s['clock']" || true

group=/sys/fs/cgroup$(systemctl show -p ControlGroup --value edged.service)
if [ -e "$group/memory.max" ] && [ "$(systemd-detect-virt)" != systemd-nspawn ]; then
  memory=$(sed -n 's/MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
  expect "its memory is limited to 60 % ($(($(cat "$group/memory.max") >> 20)) MiB)" \
    test $(($(cat "$group/memory.max") / 1024)) -le $((memory * 61 / 100))
  expect "it is never swapped out" test "$(cat "$group/memory.swap.max")" = 0
  echo "       tasks: $(cat "$group/pids.current") of $(cat "$group/pids.max"), memory: $(($(cat "$group/memory.peak") >> 20)) MiB at most"
  daemon=$(systemctl show -p MainPID --value edged.service)
  worker=$(fact "p['pid']")
  # Room for the daemon, and for half of what a worker takes.
  room=$(($(private "$daemon") + $(private "$worker") / 2 + 6144))
  systemctl set-property --runtime edged.service MemoryHigh=infinity MemoryMax="${room}K"
  systemctl restart edged.service
  daemon=$(systemctl show -p MainPID --value edged.service)
  expect "out of memory, a worker is ended ($((room >> 10)) MiB)" comes 120 "'SIGKILL' in p['why']"
  sed -n 's/^oom_kill /       processes ended by the kernel: /p' "$group/memory.events"
  systemctl set-property --runtime edged.service MemoryMax=60%
  expect "with room again it is replaced" comes "$patience" "p['state'] == 'running' and p['analysed'] > 3"
  expect "and the daemon has stayed" test "$(systemctl show -p MainPID --value edged.service)" = "$daemon"
fi
expect "it stops" systemctl stop edged.service
expect "in good order" test "$(systemctl show -p Result --value edged.service)" = success
journalctl -q --no-pager -o short-monotonic -u edged.service | tail -n 30
expect "without a traceback" sh -c '! journalctl -q --no-pager -u edged.service | grep -q Traceback'

# A device that anybody may open, of a class that the unit does not list.
modprobe -q fuse || true
sh /share/unit.sh || failed=1
exit "$failed"
