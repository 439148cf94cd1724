#!/bin/sh
# nspawn.sh ROOT SCRIPT [SHARE]      Boot the Debian in the folder ROOT (bootable.sh makes one) with real systemd as PID 1, run
#                                    SCRIPT in it as root in a unit of its own, power off. Prints the script's output and returns
#                                    its exit status; SHARE is /share in it. ROOT is left as it is. 1-3 s.
# nspawn.sh --boot ROOT [OPTION...]  Boot ROOT itself, so that changes stay, until it is powered off or its PID 1 is killed.
#                                    OPTIONs are systemd-nspawn's.
#
# The kernel is this machine's. Seen to work in there: Type=notify, WatchdogSec, DynamicUser, ProtectSystem, PrivateNetwork,
# SystemCallFilter, LoadCredentialEncrypted with the host's key, Landlock. Not there: device drivers, and MemoryMax where this
# machine has its memory controller elsewhere. NETWORK=host lends this machine's network; by default there is none,
# because systemd 257 leaves PrivateNetwork= out, silently, in a container that has its host's.
# needs: root, systemd-container
set -eu
[ "$(id -u)" = 0 ] || { echo "nspawn.sh: run it as root: it boots a container" >&2; exit 1; }
command -v systemd-nspawn >/dev/null || { echo "nspawn.sh: install systemd-container first" >&2; exit 1; }

# A process id would not do: several may run in process namespaces of their own.
unique=$(cut -c1-8 /proc/sys/kernel/random/uuid)

# Without systemd on this machine, two containers would share one control group, and each PID 1 would stop the other's services.
# So each gets groups of its own, which are removed again afterwards.
own_groups() {
  groups=
  while IFS=: read -r _ controller path; do
    case $controller in
    "") type=cgroup2 option=rw ;;
    name=systemd) type=cgroup option=name=systemd ;;
    *) continue ;;
    esac
    mount=$(awk -v type="$type" -v option="$option" '$3 == type && "," $4 "," ~ "," option "[,=]" { print $2; exit }' /proc/mounts)
    [ -n "$mount" ] || continue
    group=${mount}${path%/}/lab-$unique
    if mkdir "$group" 2>/dev/null; then groups="$groups $group"; fi
  done </proc/self/cgroup
}

join_groups() {
  for group in $groups; do echo 0 >"$group/cgroup.procs"; done
}

leave_groups() {
  for group in $groups; do find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
}

nspawn() { # nspawn OPTION...
  if [ -d /run/systemd/system ]; then
    groups=
  else
    own_groups
    set -- --keep-unit "$@"
  fi
  [ "${NETWORK:-}" = host ] || set -- --private-network "$@"
  status=0
  (
    join_groups
    # What Debian itself has; systemd 257 knows no other.
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
    exec systemd-nspawn --quiet --register=no --link-journal=no --console=read-only \
      --system-call-filter='landlock_create_ruleset landlock_add_rule landlock_restrict_self adjtimex clock_adjtime add_key' "$@" </dev/null
  ) || status=$?
  leave_groups
  return "$status"
}

if [ "$1" = --boot ]; then
  root=$2
  shift 2
  nspawn -D "$root" --machine="box-$unique" "$@" --boot
  exit
fi

root=$1 script=$2
share=${3:-$(mktemp -d)}
if [ $# -lt 3 ]; then trap 'rm -rf "$share"' EXIT; fi
cp "$script" "$share/run.sh"
rm -f "$share/out"
cat >"$share/lab.service" <<'U'
[Unit]
ConditionVirtualization=systemd-nspawn
[Service]
Type=oneshot
StandardOutput=append:/share/out
StandardError=inherit
ExecStart=/bin/sh -c 'sh /share/run.sh; systemctl exit $?'
U
code=0
nspawn -D "$root" --machine="box-$unique" --volatile=overlay --bind="$share:/share" \
  --bind-ro="$share/lab.service:/run/systemd/system/lab.service" \
  --boot systemd.unit=multi-user.target systemd.wants=lab.service >"$share/console" 2>&1 || code=$?
[ -e "$share/out" ] || { echo "nspawn.sh: it did not come up; its console:" >&2; tail -n 20 "$share/console" >&2; [ "$code" -ne 0 ] || code=1; }
[ ! -e "$share/out" ] || cat "$share/out"
exit "$code"
