"""Hours, days and weeks of real time zones, through every kind of change."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.store.calendar import Calendar

HOUR, DAY, WEEK = 3600, 86400, 7 * 86400
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",  # half past
    "Asia/Kathmandu",  # a quarter to
    "Australia/Lord_Howe",  # goes forward by half an hour
    "America/Sao_Paulo",  # went forward at midnight: the day began at one
    "America/Goose_Bay",  # went back over midnight, at one past
    "Pacific/Apia",  # had no 30th of December 2011
    "America/Havana",  # its day begins twice
)


def at(zone: str, text: str, fold: int = 0) -> int:
    return int(datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())


@pytest.mark.parametrize("zone", ZONES)
def test_every_time_of_years_belongs_to_one_hour_and_one_day(zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone))
    time, end = at(zone, "2010-11-01"), at(zone, "2012-03-20")
    hours = days = 0
    while time < end:
        start, after = calendar.floor(time, HOUR), calendar.after(time, HOUR)
        assert start == time, "hours follow each other without a gap"
        assert 0 < after - time <= 2 * HOUR
        assert calendar.floor(time, DAY) <= time < calendar.after(time, DAY)
        assert calendar.floor(calendar.floor(time, DAY), HOUR) == calendar.floor(time, DAY), (
            "hours nest in days"
        )
        hours += 1
        if calendar.floor(time, DAY) == time:
            days += 1
            assert calendar.after(calendar.floor(time, DAY), DAY) == calendar.after(time + 1, DAY)
        time = after
    dates = (datetime.date(2012, 3, 20) - datetime.date(2010, 11, 1)).days
    assert days == dates - (zone == "Pacific/Apia")
    assert abs(hours - dates * 24) <= 24


@pytest.mark.parametrize(
    ("zone", "date", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Europe/Berlin", "2028-02-29", 24),
        ("America/New_York", "2026-03-08", 23),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("America/Havana", "2026-11-01", 25),
        ("Asia/Kolkata", "2026-03-29", 24),
    ],
)
def test_days_have_the_hours_that_they_have(zone: str, date: str, hours: float) -> None:
    calendar = Calendar(ZoneInfo(zone))
    noon = at(zone, f"{date} 12:00")
    assert calendar.after(noon, DAY) - calendar.floor(noon, DAY) == hours * HOUR
    begins = datetime.datetime.fromtimestamp(calendar.floor(noon, DAY), ZoneInfo(zone))
    assert begins.date().isoformat() == date


def test_hours_are_the_zones_own() -> None:
    kolkata = Calendar(ZoneInfo("Asia/Kolkata"))
    start = kolkata.floor(at("Asia/Kolkata", "2026-05-05 10:59"), HOUR)
    assert start == at("Asia/Kolkata", "2026-05-05 10:00")
    assert start % HOUR == HOUR // 2


def test_an_hour_that_comes_twice_is_two_hours() -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"))
    first = at("Europe/Berlin", "2026-10-25 02:30", fold=0)
    again = at("Europe/Berlin", "2026-10-25 02:30", fold=1)
    assert calendar.floor(again, HOUR) - calendar.floor(first, HOUR) == HOUR


def test_weeks_begin_on_monday() -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"))
    start = calendar.floor(at("Europe/Berlin", "2026-04-01 12:00"), WEEK)
    assert start == at("Europe/Berlin", "2026-03-30")
    assert calendar.after(start, WEEK) == at("Europe/Berlin", "2026-04-06")
    assert calendar.floor(at("Europe/Berlin", "2026-03-29 12:00"), WEEK) == at("Europe/Berlin", "2026-03-23")


def test_steps_of_hours_are_aligned_to_the_day() -> None:
    calendar = Calendar(ZoneInfo("Europe/Berlin"))
    assert calendar.floor(at("Europe/Berlin", "2026-03-29 05:00"), 6 * HOUR) == at(
        "Europe/Berlin", "2026-03-29"
    )
    assert calendar.floor(at("Europe/Berlin", "2026-03-29 13:00"), 6 * HOUR) == at(
        "Europe/Berlin", "2026-03-29 12:00"
    )


@given(
    st.sampled_from(ZONES),
    st.integers(0, 2**31),
    st.sampled_from([1, 5, 60, 900, 1800, 3600, 7200, 21600, 5400, 7 * 60, DAY, WEEK, 30 * DAY]),
)
@settings(max_examples=300, deadline=None)
def test_slots_partition_time(zone: str, time: int, step: int) -> None:
    calendar = Calendar(ZoneInfo(zone))
    start, after = calendar.floor(time, step), calendar.after(time, step)
    assert start <= time < after
    assert calendar.floor(start, step) == start == calendar.ceil(start, step)
    assert calendar.floor(after, step) == after == calendar.ceil(time + 1, step) or time + 1 == after
    assert calendar.after(start, step) == after
    assert calendar.floor(after - 1, step) == start
