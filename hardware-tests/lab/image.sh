#!/bin/sh
# image.sh   Make (once) the VM's disk, kernel and initrd from the root folder of root.sh; print their common path.
#
# The initrd holds only what the VM's disk needs: a full one costs minutes under emulation. About 15 s, no loop mount.
# needs: root, e2fsprogs
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$("$here/root.sh")
out=$root
if [ -e "$out.ext4" ]; then echo "$out"; exit; fi

kernel=$(find "$root/lib/modules" -mindepth 1 -maxdepth 1 -printf "%f\n" | head -n 1)
sed -i 's/^MODULES=.*/MODULES=list/; s/^COMPRESS=.*/COMPRESS=zstd/' "$root/etc/initramfs-tools/initramfs.conf"
printf '%s\n' virtio_pci virtio_blk ext4 crc32c_generic 9p 9pnet_virtio > "$root/etc/initramfs-tools/modules"
# In namespaces of its own, so that the mounts are gone whatever happens.
unshare -m sh -eu -c '
  mount --make-rprivate /
  mount --bind /proc "$1/proc"; mount --bind /dev "$1/dev"
  chroot "$1" update-initramfs -u -k "$2"' sh "$root" "$kernel" >&2
cp "$root/boot/initrd.img-$kernel" "$out.initrd"
cp "$root/boot/vmlinuz-$kernel" "$out.vmlinuz"
rm -f "$out.ext4.part"
truncate -s 4G "$out.ext4.part"
mke2fs -q -t ext4 -O ^has_journal -d "$root" "$out.ext4.part"
mv "$out.ext4.part" "$out.ext4"
echo "$out"
