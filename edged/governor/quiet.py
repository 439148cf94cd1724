"""The local day: how much of it is over, and whether these are quiet hours. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Final

DAY: Final = 1440  # minutes


def minutes(hours: str) -> tuple[int, int]:
    """``22:00-06:00`` as minutes of the day."""
    begin, _, end = hours.partition("-")
    return _minute(begin), _minute(end)


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


def within(now: datetime.datetime, spans: Iterable[str]) -> str:
    """Which of the spans this moment is in, "" for none. The end is not in it."""
    minute = now.hour * 60 + now.minute
    for span in spans:
        begin, end = minutes(span)
        if (minute - begin) % DAY < (end - begin) % DAY:
            return span
    return ""


def over(now: datetime.datetime) -> float:
    """The fraction of the day that is over, by the wall's clock: a day of 23 hours has a hole in it."""
    return (now.hour * 3600 + now.minute * 60 + now.second) / 86400.0
