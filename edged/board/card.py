"""The medium under a folder: which device it is, how worn it says it is, what was written to it.

SD cards do not tell how worn they are: only their name, maker and date, and whether they have locked
themselves against writing (which is how many of them die). eMMC chips tell in tenths of their life (JEDEC
JESD84-B51, EXT_CSD bytes 267 to 269). NVMe and USB disks tell nothing in sysfs.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from edged.board.attribute import number, text
from edged.board.mounts import Mount, holder, mounts

#: Makers by the number that they have on the card. The list is nowhere published; these are well known.
MAKERS: Final = {
    0x01: "Panasonic", 0x02: "Kioxia", 0x03: "SanDisk", 0x1B: "Samsung", 0x1D: "ADATA", 0x27: "Phison",
    0x28: "Lexar", 0x31: "Silicon Power", 0x41: "Kingston", 0x74: "Transcend", 0x76: "Patriot", 0x82: "Sony",
}  # fmt: skip
#: File systems whose content is gone after a reboot.
VOLATILE: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
SECTOR: Final = 512  # bytes of /sys/block/*/stat and size, whatever the device's own are


class Card(NamedTuple):
    """A block device. ``used`` is the share of its life that it says is over, 0 to 1.1 (more than it was
    made for); None when it does not tell. ``spare`` is an eMMC's word on its spare blocks: "normal",
    "low", "exhausted" or "".
    """

    kind: str  #: "SD card", "eMMC", "NVMe", "USB disk", "disk", "virtual disk"
    device: str  #: mmcblk0
    name: str = ""
    size: int = 0  #: bytes
    written: int = 0  #: bytes since boot
    made: str = ""  #: month and year
    used: float | None = None
    spare: str = ""
    locked: bool = False
    grade: str = ""  #: an SD card's application performance class: "A1", "A2" or ""


def mount_of(root: Path, path: str) -> Mount | None:
    """The file system that ``path`` is in, or would be in once it is made."""
    place = root / path.lstrip("/")
    while not place.exists() and place != root:
        place = place.parent
    real = PurePosixPath("/") / place.resolve().relative_to(root.resolve())
    return holder(real, mounts(root / "proc"))


def card_of(sys: Path, mount: Mount) -> Card | None:
    """The device under a mounted file system, None when it is none of this machine's disks."""
    disk = _disk(sys, mount)
    return _described(disk) if disk else None


def _disk(sys: Path, mount: Mount) -> Path | None:
    """The whole disk's folder in sysfs. btrfs has a device number of its own: there the source's name leads
    on.
    """
    found = sys / "dev/block" / mount.device
    if not found.exists():
        found = sys / "class/block" / Path(mount.source).name
    if not found.exists() or not mount.source.startswith("/dev/"):
        return None
    found = found.resolve()
    while below := sorted(found.glob("slaves/*")):  # of an encrypted or a logical volume
        found = below[0].resolve()
    return found.parent if (found / "partition").exists() else found


def _described(disk: Path) -> Card:
    device = disk / "device"
    described = Card(
        _kind(disk),
        disk.name,
        _name(device),
        (number(disk / "size") or 0) * SECTOR,
        _written(disk),
        made=text(device / "date"),
    )
    if described.kind == "eMMC":
        return described._replace(used=_used(device), spare=_spare(device))
    if described.kind == "SD card":
        return described._replace(locked=_locked(device), grade=_grade(device))
    return described


def _kind(disk: Path) -> str:
    if disk.name.startswith("mmcblk"):
        return "eMMC" if text(disk / "device/type") == "MMC" else "SD card"
    if disk.name.startswith("nvme"):
        return "NVMe"
    if disk.name.startswith(("vd", "xvd", "loop", "nbd")):
        return "virtual disk"
    return "USB disk" if any(part.startswith("usb") for part in disk.parts) else "disk"


def _name(device: Path) -> str:
    if not (device / "manfid").exists():
        vendor = text(device / "vendor")  # of a disk a name, of a virtual one a number
        return " ".join(filter(None, ("" if vendor.startswith("0x") else vendor, text(device / "model"))))
    maker = number(device / "manfid") or 0
    return f"{MAKERS.get(maker, f'maker {maker:#04x}')} {text(device / 'name')}".strip()


def _written(disk: Path) -> int:
    """The seventh number of a block device's statistics counts sectors written since boot."""
    numbers = text(disk / "stat").split()
    return int(numbers[6]) * SECTOR if len(numbers) > 6 and numbers[6].isdigit() else 0


def _used(device: Path) -> float | None:
    """The worse of the two kinds of cells; 0x01 is up to a tenth, 0x0b more than was promised, 0 says
    nothing.
    """
    tenths = [int(one, 16) for one in text(device / "life_time").split() if one.startswith("0x")]
    worst = max(tenths, default=0)
    return worst / 10 if 1 <= worst <= 11 else None


def _spare(device: Path) -> str:
    return {1: "normal", 2: "low", 3: "exhausted"}.get(number(device / "pre_eol_info") or 0, "")


def _locked(device: Path) -> bool:
    """PERM_WRITE_PROTECT or TMP_WRITE_PROTECT, bits 13 and 12 of the card's CSD register."""
    try:
        return bool(int(text(device / "csd"), 16) >> 12 & 0b11)
    except ValueError:
        return False


def _grade(device: Path) -> str:
    """APP_PERF_CLASS, bits 339 to 336 of the 512 of the card's status register."""
    try:
        found = int(text(device / "ssr"), 16) >> 336 & 0b1111
    except ValueError:
        return ""
    return f"A{found}" if found in (1, 2) else ""


def errors(sys: Path, mount: Mount) -> int:
    """How many errors the file system has noted on its disk since it was last checked; 0 where it notes
    none.
    """
    device = (sys / "dev/block" / mount.device).resolve().name  # the source may be called /dev/root
    return number(sys / "fs" / mount.kind / device / "errors_count") or 0
