"""Whether the clock is believed, and how stamps become times."""

from __future__ import annotations

import ctypes
import time
import zoneinfo
from pathlib import Path

import pytest

from edged import clock
from edged.clock import STEP, Clock, Judge, Reading
from edged.errors import ConfigError

OFFSET = 1_772_000_000.0
MARK = 1_772_000_000_000_000_000


def test_a_clock_that_nobody_set_is_not_believed() -> None:
    judge = Judge("synchronised")
    assert judge.believes(OFFSET, kernel=False, mark=0) == (False, "nobody has set it yet")
    good, because = judge.believes(OFFSET, kernel=None, mark=0)
    assert not good
    assert "may not be asked" in because


def test_always_believes() -> None:
    good, because = Judge("always").believes(0.0, kernel=False, mark=0)
    assert good
    assert "trust" in because


@pytest.mark.parametrize(("kernel", "mark"), [(True, 0), (False, MARK), (None, MARK), (True, MARK)])
def test_the_kernel_or_timesyncd_vouches(kernel: bool | None, mark: int) -> None:
    assert Judge("synchronised").believes(OFFSET, kernel, mark)[0]


def test_a_clock_that_was_right_stays_right_without_network() -> None:
    judge = Judge("synchronised")
    assert judge.believes(OFFSET, kernel=True, mark=0)[0]
    # After 9 hours without a server the kernel's own bound on its error has grown past 16 s, and it says so.
    assert judge.believes(OFFSET, kernel=False, mark=0)[0]
    assert judge.believes(OFFSET + STEP / 2, kernel=False, mark=0)[0]


@pytest.mark.parametrize("jump", [STEP + 0.1, -7200.0, 86400.0 * 400])
def test_a_step_that_nobody_vouches_for_is_not_believed_until_somebody_does(jump: float) -> None:
    judge = Judge("synchronised")
    assert judge.believes(OFFSET, kernel=True, mark=MARK)[0]
    good, because = judge.believes(OFFSET + jump, kernel=False, mark=MARK)
    assert not good
    assert "somebody has set it" in because
    assert not judge.believes(OFFSET + jump, kernel=False, mark=MARK)[0], "the old mark vouches for nothing"
    assert judge.believes(OFFSET, kernel=False, mark=MARK + 1)[0], "a new one does"


def test_a_step_that_the_kernel_vouches_for_is_believed() -> None:
    judge = Judge("synchronised")
    judge.believes(OFFSET, kernel=True, mark=0)
    assert judge.believes(OFFSET + 7200.0, kernel=True, mark=0)[0]
    assert judge.believes(OFFSET + 7200.0, kernel=False, mark=0)[0], "and it is the new time that is kept"


def test_an_earlier_daemon_of_this_boot_knew_the_time() -> None:
    here = clock.boot_id()
    now = Clock("always").read()
    asked = {"vouches": lambda: False, "mark": lambda: 0}
    assert Clock("synchronised", (here, now.offset), **asked).read().good
    assert not Clock("synchronised", (here, now.offset - 60.0), **asked).read().good, "it was set since"
    assert not Clock("synchronised", ("another boot", now.offset), **asked).read().good
    assert not Clock("synchronised", None, **asked).read().good


def test_a_reading_tells_the_time() -> None:
    reading = Clock("always").read()
    assert reading.now == pytest.approx(time.time(), abs=0.5)
    assert reading.moment(reading.monotonic) == pytest.approx(
        time.clock_gettime(time.CLOCK_BOOTTIME), abs=0.5
    )
    assert reading.boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    again = Clock("always").read()
    assert abs(again.offset - reading.offset) < 0.01, "only a step changes it"


def test_the_kernel_is_asked_right() -> None:
    """Against ntp_adjtime's own verdict (TIME_ERROR is 5, sys/timex.h), which looks at more than one bit."""
    buffer = ctypes.create_string_buffer(512)
    verdict = ctypes.CDLL(None).ntp_adjtime(buffer)
    vouches = clock.kernel_vouches()
    if verdict < 0:
        assert vouches is None
    elif verdict != 5:
        assert vouches is True
    else:
        assert vouches in (True, False)


def test_the_bit_and_its_place_are_those_of_the_kernels_header() -> None:
    call, timex = clock._adjtimex()
    assert call() >= 0
    assert type(timex).status.offset == 5 * ctypes.sizeof(ctypes.c_long)
    assert clock.kernel_vouches() == (not timex.status & 0x40)


def test_timesyncds_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "TIMESYNCD_MARK", tmp_path / "synchronized")
    assert clock.timesyncd_mark() == 0
    (tmp_path / "synchronized").touch()
    assert clock.timesyncd_mark() == (tmp_path / "synchronized").stat().st_mtime_ns


def test_a_recordings_reading() -> None:
    live = Reading(100.0, 5.0, OFFSET, True, "boot-a")
    assert live.recording(1000.0).epoch(7.0) == 1007.0
    assert live.recording().epoch(0.0) == live.now
    unknown = Reading(100.0, 5.0, OFFSET, False, "boot-a").recording()
    assert (unknown.good, unknown.moment(1.0), unknown.live) == (False, 106.0, False)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "x" * 300])
def test_a_zone_that_is_none(name: str) -> None:
    with pytest.raises(ConfigError, match="knows no time zone"):
        clock.zone(name)


def test_the_systems_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokyo = next(Path(one, "Asia/Tokyo") for one in zoneinfo.TZPATH if Path(one, "Asia/Tokyo").exists())
    monkeypatch.delenv("TZ", raising=False)
    link = tmp_path / "localtime"
    link.symlink_to(tokyo)
    monkeypatch.setattr(clock, "LOCAL_ZONE", link)
    assert str(clock.zone("")) == "Asia/Tokyo"
    link.unlink()
    link.write_bytes(tokyo.read_bytes())
    assert str(clock.zone("")) == "localtime"
    link.unlink()
    assert str(clock.zone("")) == "UTC"
    monkeypatch.setenv("TZ", ":Europe/Berlin")
    assert str(clock.zone("")) == "Europe/Berlin"
