"""What the state lies on: cards, chips, disks and what is not a disk, as their kernels show them."""

from __future__ import annotations

from pathlib import Path

import pytest
from boards import NVME, ROOT_ON_CARD, USB, Files, card, chip, disk, mounted, planted

from edged.board.card import Card, card_of, errors, mount_of

Disk = tuple[Files, dict[str, str]]


def under(
    tmp_path: Path, made: Disk, mounts: Files = ROOT_ON_CARD, path: str = "/var/lib/edged"
) -> Card | None:
    files, links = made
    root = planted(tmp_path, {**files, **mounts}, links)
    mount = mount_of(root, path)
    assert mount is not None
    return card_of(root / "sys", mount)


def test_an_sd_card(tmp_path: Path) -> None:
    found = under(tmp_path, card())
    assert found is not None
    assert (found.kind, found.device, found.name) == ("SD card", "mmcblk0", "SanDisk SC32G")
    assert (found.size, found.written) == (62333952 * 512, 2000000 * 512)
    assert (found.made, found.used, found.spare, found.locked) == ("04/2023", None, "", False)


@pytest.mark.parametrize(
    ("csd", "locked"),
    [
        ("400e00325b590000edc87f800a404013", False),
        ("400e00325b590000edc87f800a405013", True),  # for now (bit 12)
        ("400e00325b590000edc87f800a406013", True),  # for ever (bit 13)
        ("", False),
    ],
)
def test_a_card_that_has_locked_itself(tmp_path: Path, csd: str, locked: bool) -> None:
    found = under(tmp_path, card(csd=csd))
    assert found is not None
    assert found.locked is locked


@pytest.mark.parametrize(("nibble", "grade"), [("0", ""), ("1", "A1"), ("2", "A2"), ("f", "")])
def test_its_performance_class(tmp_path: Path, nibble: str, grade: str) -> None:
    """Byte 21 of 64, counted from the first: bits 343 to 336."""
    found = under(tmp_path, card(ssr="00" * 21 + "0" + nibble + "00" * 42))
    assert found is not None
    assert found.grade == grade


def test_an_unknown_maker_has_a_number(tmp_path: Path) -> None:
    found = under(tmp_path, card(manfid="0x0000fe"))
    assert found is not None
    assert found.name == "maker 0xfe SC32G"


@pytest.mark.parametrize(
    ("life", "spare", "used", "word"),
    [
        ("0x01 0x01", "0x01", 0.1, "normal"),
        ("0x02 0x09", "0x02", 0.9, "low"),
        ("0x0b 0x01", "0x03", 1.1, "exhausted"),
        ("0x00 0x00", "0x00", None, ""),
        ("", "", None, ""),
        ("0x0c 0x00", "0x07", None, ""),
    ],
)
def test_an_emmc_tells_its_wear(tmp_path: Path, life: str, spare: str, used: float | None, word: str) -> None:
    found = under(tmp_path, chip(life, spare))
    assert found is not None
    assert (found.kind, found.used, found.spare) == ("eMMC", used, word)


def test_an_nvme(tmp_path: Path) -> None:
    made = disk(NVME, "nvme0n1", 500118192, 8, {"model": "WDC PC SN520\n"}, "259:2")
    found = under(tmp_path, made, mounted("259:2 / ext4 /dev/nvme0n1p2 rw"))
    assert found is not None
    assert (found.kind, found.device, found.name) == ("NVMe", "nvme0n1", "WDC PC SN520")


def test_a_usb_disk(tmp_path: Path) -> None:
    made = disk(USB, "sda", 500118192, 8, {"vendor": "Samsung \n", "model": "SSD T7\n"}, "8:2")
    found = under(tmp_path, made, mounted("8:2 / ext4 /dev/sda2 rw"))
    assert found is not None
    assert (found.kind, found.name) == ("USB disk", "Samsung SSD T7")


def test_a_virtual_disk_has_a_vendor_that_is_no_name(tmp_path: Path) -> None:
    made = disk("sys/devices/virtio0", "vda", 1000, 8, {"vendor": "0x1af4\n"}, "254:2")
    found = under(tmp_path, made, mounted("254:2 / ext4 /dev/vda2 rw"))
    assert found is not None
    assert (found.kind, found.name) == ("virtual disk", "")


def test_btrfs_has_a_number_of_its_own(tmp_path: Path) -> None:
    made = disk(USB, "sda", 500118192, 8, {}, "8:2")
    found = under(tmp_path, made, mounted("0:27 / btrfs /dev/sda2 rw"))
    assert found is not None
    assert found.device == "sda"


def test_an_encrypted_volume_lies_on_a_disk(tmp_path: Path) -> None:
    files, links = disk(USB, "sda", 500118192, 8, {}, "8:2")
    mapped = "sys/devices/virtual/block/dm-0"
    files[f"{mapped}/size"] = "100\n"
    links |= {"sys/dev/block/253:0": mapped, f"{mapped}/slaves/sda2": f"{USB}/block/sda/sda2"}
    found = under(tmp_path, (files, links), mounted("253:0 / ext4 /dev/mapper/root rw"))
    assert found is not None
    assert found.device == "sda"


@pytest.mark.parametrize(
    "line", ["0:24 / tmpfs tmpfs rw", "0:30 / nfs4 server:/root rw", "0:31 / overlay overlay rw,upperdir=/x"]
)
def test_what_is_no_disk(tmp_path: Path, line: str) -> None:
    assert under(tmp_path, card(), mounted(line)) is None


def test_the_folder_may_not_be_there_yet_and_the_nearest_above_counts(tmp_path: Path) -> None:
    files, links = card()
    mounts = mounted("179:2 / ext4 /dev/root rw", "0:24 /var/lib tmpfs tmpfs rw")
    root = planted(tmp_path, {**files, **mounts, "var/lib/.keep": ""}, links)
    mount = mount_of(root, "/var/lib/edged/deeper")
    assert mount is not None
    assert mount.kind == "tmpfs"


def test_the_last_mounted_hides_what_was_there(tmp_path: Path) -> None:
    root = planted(tmp_path, mounted("179:2 / ext4 /dev/root rw", "0:31 / overlay overlay ro,upperdir=/up"))
    mount = mount_of(root, "/")
    assert mount is not None
    assert (mount.kind, mount.option("upperdir"), mount.read_only) == ("overlay", "/up", True)


def test_a_point_with_a_space(tmp_path: Path) -> None:
    root = planted(
        tmp_path, {**mounted("8:2 /media/usb\\040stick ext4 /dev/sda2 rw"), "media/usb stick/a": ""}
    )
    mount = mount_of(root, "/media/usb stick/a")
    assert mount is not None
    assert mount.point == "/media/usb stick"


def test_errors_are_those_of_the_partition_whatever_the_source_is_called(tmp_path: Path) -> None:
    files, links = card()
    files["sys/fs/ext4/mmcblk0p2/errors_count"] = "3\n"
    root = planted(tmp_path, {**files, **ROOT_ON_CARD}, links)
    mount = mount_of(root, "/")
    assert mount is not None
    assert errors(root / "sys", mount) == 3


def test_nothing_is_known_without_a_table_of_mounts(tmp_path: Path) -> None:
    assert mount_of(tmp_path, "/var/lib/edged") is None


def test_here() -> None:
    """On the machine that runs this: whatever it is, something is mounted at the root."""
    mount = mount_of(Path("/"), "/")
    assert mount is not None
    assert mount.point == "/"
