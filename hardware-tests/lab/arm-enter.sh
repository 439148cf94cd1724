#!/usr/bin/env bash
# arm-enter.sh ROOT QEMU COMMAND...   Run COMMAND in the arm64 ROOT, each of its programs by QEMU.
#
# The kernel is told to do so by binfmt_misc, under a name of this run's own, which is taken back at the end; the mounts
# lie in a namespace and are gone with the last process. Of the variables only those that begin with EDGED_ or PYTHON go
# in. The checkout is /project (what is written to it is thrown away), $SHARED, if set, is /shared (read only), and
# $EXCHANGE, if set, is /exchange.
# needs: root
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "arm-enter.sh: run it as root: it mounts, and tells the kernel of an emulator" >&2; exit 1; }
if [ -z "${ARM_ENTERED:-}" ]; then
  ARM_ENTERED=1 exec unshare --mount --propagation private bash "${BASH_SOURCE[0]}" "$@"
fi
project=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
root=$1 qemu=$2
shift 2

# What is registered holds for the whole machine, and (since Linux 6.7) no longer than a mount of it.
misc=/proc/sys/fs/binfmt_misc
name=edged-arm64-$$
if [ ! -e "$misc/register" ] && ! mount -t binfmt_misc binfmt_misc "$misc" 2>/dev/null; then
  echo "arm-enter.sh: binfmt_misc cannot be mounted: load that module, or allow it in this container" >&2
  exit 1
fi
# What a killed run left behind would go on sending programs to its QEMU.
for old in "$misc"/edged-arm64-*; do
  if [ -e "$old" ] && [ ! -e "/proc/${old##*-}" ]; then echo -1 > "$old"; fi
done
trap 'echo -1 > "$misc/$name"' EXIT
# unshare itself ignores these two; when it is killed, so is what it has started.
trap 'kill -KILL "$child" && exit 130' INT
trap 'kill -KILL "$child" && exit 143' TERM
# An ELF file of 64 bits, little endian, a program or a library (type 2 or 3), for machine 0xb7; what the mask leaves out
# is the ABI's number and the type's last bit. F: the kernel keeps QEMU open, so it need not exist in ROOT; O and C: QEMU
# gets the program as an open file and takes over its rights.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s\n' ":$name:M::$magic:$mask:$qemu:OCF" > "$misc/register"

mapfile -t variables < <(env | grep -E '^(EDGED_|PYTHON)[A-Z_]*=' || true)
status=0
# A Pi 3's processor: the oldest that edged is for, and several times faster to emulate than the newest.
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 QEMU_CPU=cortex-a53 \
  "SHARED=${SHARED:-}" "EXCHANGE=${EXCHANGE:-}" "${variables[@]}" \
  unshare --mount --pid --ipc --uts --fork --kill-child=KILL sh -eu -c '
    root=$1 project=$2
    shift 2
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    for folder in tmp run; do mount -t tmpfs -o mode=1777 tmpfs "$root/$folder"; done
    mkdir -p "$root/run/over/upper" "$root/run/over/work"
    mount -t overlay -o "lowerdir=$project,upperdir=$root/run/over/upper,workdir=$root/run/over/work" overlay "$root/project"
    if [ -n "$SHARED" ]; then mount --bind "$SHARED" "$root/shared"; mount -o remount,bind,ro "$root/shared"; fi
    if [ -n "$EXCHANGE" ]; then mount --bind "$EXCHANGE" "$root/exchange"; fi
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for node in null zero full random urandom tty; do touch "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
    mkdir "$root/dev/shm" "$root/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"; ln -s /proc/self/fd "$root/dev/fd"
    unset SHARED EXCHANGE
    cd "$root/project"
    # Not exec: this shell is the namespace'"'"'s process 1, and takes in the orphans.
    chroot "$root" sh -c "cd /project; exec \"\$@\"" sh "$@" || exit' sh "$root" "$project" "$@" &
child=$!
wait "$child" || status=$?
exit "$status"
