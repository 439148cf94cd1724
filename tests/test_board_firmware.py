"""The firmware's mailbox, with a stand-in that speaks the documented protocol, and spoilt answers."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from boards import Firmware

from edged.board.firmware import GET_THROTTLED, GET_VOLTAGE, PROPERTY, Mailbox
from edged.board.voltage import Word
from edged.errors import UnavailableError


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "vcio"
    path.touch()
    return path


def test_the_request_is_the_kernels() -> None:
    """_IOWR(100, 0, char *) of a 64-bit system, as in the kernel's vcio driver."""
    assert PROPERTY == 0xC0086400


def test_the_word(device: Path) -> None:
    firmware = Firmware(word=0x50005)
    word = Word(Mailbox(device, firmware).throttled())
    assert (word.under_voltage, word.under_voltage_before) == (True, True)
    assert (word.slowed, word.slowed_before) == (True, True)
    assert firmware.asked == [(GET_THROTTLED, (0,))]


@pytest.mark.parametrize(
    ("word", "flags"),
    [
        (0x0, (False, False, False, False)),
        (0x1, (True, False, False, False)),
        (0x10000, (False, True, False, False)),
        (0x8, (False, False, True, False)),
        (0x20000, (False, False, False, True)),
        (0x80000, (False, False, False, True)),
    ],
)
def test_bits(word: int, flags: tuple[bool, ...]) -> None:
    read = Word(word)
    assert (read.under_voltage, read.under_voltage_before, read.slowed, read.slowed_before) == flags


def test_volts(device: Path) -> None:
    firmware = Firmware(volts=862_500)
    assert Mailbox(device, firmware).core_voltage() == pytest.approx(0.8625)
    assert firmware.asked == [(GET_VOLTAGE, (1, 0))]


@pytest.mark.parametrize("volts", [0, 0x80000000, 12_000_000])
def test_impossible_volts(device: Path, volts: int) -> None:
    with pytest.raises(UnavailableError, match="microvolts"):
        Mailbox(device, Firmware(volts=volts)).core_voltage()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({1: 0}, "code"),  # it has not answered
        ({1: 0x80000001}, "code"),  # it could not read the request
        ({0: 24}, "another frame"),
        ({2: GET_VOLTAGE}, "another frame"),  # another tag
        ({3: 8}, "another frame"),
        ({6: 7}, "another frame"),  # no end
        ({4: 4}, "length"),  # a tag it does not know is left as a request
        ({4: 0x80000000}, "length"),  # an answer of nothing
        ({4: 0x80000040}, "length"),  # an answer larger than the room for it
    ],
)
def test_what_is_no_answer(device: Path, spoil: dict[int, int], said: str) -> None:
    with pytest.raises(UnavailableError, match=said):
        Mailbox(device, Firmware(spoil=spoil)).throttled()


def test_an_answer_that_was_cut(device: Path) -> None:
    def cutting(descriptor: int, request: int, buffer: bytearray, mutate: bool) -> int:
        del buffer[8:]
        return 0

    with pytest.raises(UnavailableError, match="8 bytes"):
        Mailbox(device, cutting).throttled()


def test_an_unknown_tag(device: Path) -> None:
    with pytest.raises(UnavailableError):
        Mailbox(device, Firmware()).ask(0x00099999, 0)


def test_what_the_kernel_refuses_is_passed_on(device: Path) -> None:
    def refusing(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output") as raised:
        Mailbox(device, refusing).throttled()
    assert raised.value.errno == errno.EIO


def test_no_raspberry_pi(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Mailbox(tmp_path / "vcio", Firmware()).throttled()


def test_another_device_refuses_the_real_call() -> None:
    """With the real ioctl: /dev/null knows no such request."""
    with pytest.raises(OSError, match="Inappropriate"):
        Mailbox(Path("/dev/null")).throttled()
