#!/bin/sh
# vm.sh SCRIPT [SHARE]   Boot the lab's image with its stock Debian kernel, run SCRIPT in it as root, power off.
#
# Prints the script's output and returns its exit status. The checkout is /project in the guest (read only), the folder SHARE is
# /share; what is written to the disk is thrown away. Without virtualisation hardware it is emulated: about a minute.
# With TZ=1 it has a thermal zone whose temperature drivers.py sets (zone.asl).
# needs: qemu-system-x86; with TZ=1 acpica-tools
set -eu
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
share=${2:-$(mktemp -d)}
command -v qemu-system-x86_64 >/dev/null || { echo "vm.sh: install qemu-system-x86 first" >&2; exit 1; }
image=$("$here/image.sh")
cp "$1" "$share/run.sh"
rm -f "$share/out" "$share/rc"
zone=
if [ "${TZ:-}" = 1 ]; then
  command -v iasl >/dev/null || { echo "vm.sh: install acpica-tools first" >&2; exit 1; }
  iasl -p "$share/zone" "$here/zone.asl" >"$share/iasl" 2>&1 || { cat "$share/iasl" >&2; exit 1; }
  zone="-device pc-testdev -acpitable file=$share/zone.aml"
fi
mounts='mkdir -p /share /project;
  o=trans=virtio,version=9p2000.L,msize=512000;
  mount -t 9p -o $o share /share; mount -t 9p -o $o,ro,cache=loose project /project;
  sh /share/run.sh >/share/out 2>&1; echo $? >/share/rc'
printf '%s\n' "$mounts" > "$share/boot.sh"
# systemd.run= takes one line; la57 (five-level paging) and KVM are what emulation is worst at. On a busy machine the kernel
# finds that its timer does not tick in time, and panics: it is not to check; and whoever panics is to end, not to hang.
boot() {
  # shellcheck disable=SC2086 # words
  timeout "${LIMIT:-600}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max,-la57 -smp 2 -m 2048 \
    -display none -nodefaults -no-reboot -serial "file:$share/console" $zone \
    -kernel "$image.vmlinuz" -initrd "$image.initrd" -drive "file=$image.ext4,format=raw,if=virtio,snapshot=on" \
    -virtfs "local,path=$share,security_model=none,mount_tag=share" \
    -virtfs "local,path=$project,security_model=none,mount_tag=project,readonly=on" \
    -append "root=/dev/vda rw console=ttyS0 quiet no_timer_check panic=-1 modprobe.blacklist=kvm_amd,kvm systemd.run=\"/bin/sh -c 'mkdir -p /share; mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 share /share; sh /share/boot.sh'\"" ||
    { echo "vm.sh: the VM did not finish within ${LIMIT:-600} s; its console:" >&2; tail -20 "$share/console" >&2; exit 1; }
}
# Under emulation a kernel that changes its own code has been seen to panic while it boots. Whose script has not begun is booted anew.
for _ in 1 2 3; do
  boot
  [ ! -e "$share/out" ] || break
  echo "vm.sh: the VM ended before its script began" >&2
done
[ -e "$share/rc" ] || { echo "vm.sh: the VM ended before its script did; its console:" >&2; tail -20 "$share/console" >&2; exit 1; }
cat "$share/out"
exit "$(cat "$share/rc")"
