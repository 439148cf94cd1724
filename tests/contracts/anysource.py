"""What sources of pictures, of sound and of numbers promise alike: the part that the three suites share.

A suite brings the fixture ``start``, which opens its source, takes the ``rate`` that is wanted of it and
closes it again when the test ends.
"""

from __future__ import annotations

import time

from edged.worker.source import Frame, Source

PATIENCE = 30.0  # seconds; an emulated machine is slow, and nothing here depends on how fast it is


def following(source: Source) -> Frame:
    """The next frame or window, however long it takes."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (frame := source.read(1.0)) is not None:
            return frame
    raise AssertionError(f"nothing within {PATIENCE:g} s")


class AnySource:
    """Live or recorded."""

    def test_it_can_be_closed_twice_and_opened_again(self, start):
        source = start()
        following(source)
        source.close()
        source.close()
        following(start())

    def test_one_never_read_can_be_closed(self, start):
        start().close()

    def test_times_increase(self, start):
        source = start(rate=5.0)
        times = [following(source).time for _ in range(5)]
        assert times == sorted(set(times))


class LiveSource:
    """What does not wait for its reader."""

    def test_what_is_read_is_of_now(self, start):
        before = time.monotonic()
        frame = following(start())
        assert before - 1.0 <= frame.time <= time.monotonic()

    def test_nothing_comes_before_its_time(self, start):
        source = start(rate=0.5)
        following(source)
        assert source.read(0.01) is None
