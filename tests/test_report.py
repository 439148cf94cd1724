"""What was counted, out of a real store to JSON, CSV, plots and pictures; gaps stay gaps."""

from __future__ import annotations

import csv
import datetime
import itertools
import json
import math
import re
import subprocess
import sys
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import command
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged import exchange, report
from edged.cli import chart, plots, slots
from edged.cli.export import csv_lines, save_png
from edged.clock import Reading
from edged.config.shape import Keep
from edged.errors import ConfigError, ControlError
from edged.nouns import Amount, Bucket, Coverage, Entry, Series
from edged.store import Store, keys
from edged.store.calendar import Calendar

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
#: 2026-03-01 08:00 in Berlin.
MORNING = int(datetime.datetime(2026, 3, 1, 8, tzinfo=BERLIN).timestamp())
SERIES = (
    Series("street", "presence", "", "", "share"),
    Series("street", "occupancy", "person", "door", "count"),
)
#: The pipeline is blind in minute 10 and the daemon does not run in minutes 20 to 29.
BLIND, OFF, MINUTES = 10, range(20, 30), 60


def bucket(minute: int) -> Bucket:
    """A minute: present in every other one, as many people as the minute's number."""
    start = MORNING + 60 * minute
    if minute == BLIND:
        return Bucket("street", start, 60, (), Coverage(300.0, 0, 0.0, 0.0, 0.0, 60.0))
    present, people = float(minute % 2), float(minute)
    entries = (
        Entry(60.0, 60 * present, present, present, 60 * present),
        Entry(60.0, 60 * people, people, people, 60 * people**2),
    )
    return Bucket("street", start, 60, entries, Coverage(300.0, 294, 60.0, 0.0, 0.0, 0.0))


def reading(now: float) -> Reading:
    return Reading(monotonic=now, asleep=0.0, offset=0.0, good=True, boot="a")


def config(folder: Path) -> Path:
    path = folder / "edged.toml"
    path.write_text(
        '[daemon]\nstate_dir = "state"\nruntime_dir = "run"\n[clock]\ntimezone = "Europe/Berlin"\n'
        '[pipelines.street]\nsource = { kind = "synthetic" }\n'
    )
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config and a store that holds an hour."""
    folder = tmp_path_factory.mktemp("report")
    config(folder)
    keys.create(folder / "state" / "key")
    path, key = folder / "state" / "edged.db", keys.load(folder / "state" / "key")
    with Store.open(path, key, keep=Keep(minute=math.inf, hour=math.inf), zone=BERLIN) as store:
        buckets = [bucket(minute) for minute in range(MINUTES) if minute not in OFF]
        store.write(buckets, {"street": SERIES}, reading(MORNING + 3600))
    return folder


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    state = home / "state"
    with Store.open(state / "edged.db", keys.load(state / "key"), zone=BERLIN, read_only=True) as opened:
        yield opened


def ask(store: Store, now: float = MORNING + 3600, **question: Any) -> dict[str, Any]:
    return report.answer(store, report.Question(**question), BERLIN, now)


def edged(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return command.edged("report", *words, cwd=home)


# --- the answer


def test_an_hour_minute_by_minute(store: Store) -> None:
    answer = ask(store, last=3600)
    assert (answer["from"], answer["to"]) == ("2026-03-01T08:00:00+01:00", "2026-03-01T09:00:00+01:00")
    assert (answer["every_s"], answer["timezone"]) == (60, "Europe/Berlin")
    people, presence = answer["series"]
    assert {key: people[key] for key in ("pipeline", "measure", "label", "zone", "unit")} == {
        "pipeline": "street",
        "measure": "occupancy",
        "label": "person",
        "zone": "door",
        "unit": "count",
    }
    assert people["rows"][1] == {
        "start": "2026-03-01T08:01:00+01:00",
        "end": "2026-03-01T08:02:00+01:00",
        "seconds": 60.0,
        "mean": 1.0,
        "min": 1.0,
        "max": 1.0,
        "stddev": 0.0,
        "low": 0.986933,  # 294 looks that were all alike: 3.84 of them
        "high": 1.01307,
        "missed": 0.0,
        "doubtful": 0.0,
    }
    minutes = [minute for minute in range(MINUTES) if minute not in OFF and minute != BLIND]
    assert [row["mean"] for row in people["rows"]] == minutes
    assert [row["mean"] for row in presence["rows"]] == [minute % 2 for minute in minutes]


def test_coverage_is_told_where_nothing_was_seen(store: Store) -> None:
    (covered,) = ask(store, last=3600)["coverage"]
    assert len(covered["rows"]) == MINUTES - len(OFF)
    assert covered["rows"][BLIND] == {
        "start": "2026-03-01T08:10:00+01:00",
        "end": "2026-03-01T08:11:00+01:00",
        "expected": 300.0,
        "analysed": 0,
        "observed_s": 0.0,
        "blind_s": 60.0,
        "throttled_s": 0.0,
        "paused_s": 0.0,
        "models": [],
    }


def test_coarser_steps_add_up(store: Store) -> None:
    (people,) = ask(store, last=3600, every=1800.0, measures=("occupancy",))["series"]
    first, second = people["rows"]
    seen = [minute for minute in range(20) if minute != BLIND]
    assert first["seconds"] == 60 * len(seen)
    assert first["mean"] == pytest.approx(sum(seen) / len(seen), rel=1e-5)
    assert (first["min"], first["max"]) == (0, 19)
    assert (second["seconds"], second["min"], second["max"]) == (1800.0, 30, 59)


@pytest.mark.parametrize(
    ("only", "found"),
    [
        ({"pipelines": ("street",)}, 2),
        ({"pipelines": ("yard",)}, 0),
        ({"labels": ("person",)}, 1),
        ({"zones": ("door",), "measures": ("presence", "occupancy")}, 1),
        ({"zones": ("door",), "measures": ("presence",)}, 0),
    ],
)
def test_filters(store: Store, only: dict[str, Any], found: int) -> None:
    assert len(ask(store, last=3600, **only)["series"]) == found


def test_everything_begins_where_something_is(store: Store) -> None:
    """Also when the oldest bucket is a day's, which begins at midnight."""
    answer = ask(store, now=MORNING + 90 * 86400, everything=True)
    assert (answer["from"], answer["to"]) == ("2026-03-01T08:00:00+01:00", "2026-03-01T09:00:00+01:00")
    assert answer["every_s"] == 60
    assert len(answer["series"][0]["rows"]) == MINUTES - len(OFF) - 1


def test_nothing_is_no_error(store: Store) -> None:
    answer = ask(store, start=0.0, to=86400.0)
    assert (answer["series"], answer["coverage"]) == ([], [])
    assert answer["holds"][0].startswith("2026-03-01T")


@pytest.mark.parametrize(
    "request_",
    [
        {"start": 10.0, "to": 10.0},
        {"start": 10.0, "to": 5.0},
        {"last": -1.0},
        {"every": -1.0},
        {"every": 0.001},
        {"every": "1m"},
        {"zones": "door"},
        {"colour": "blue"},
        {"start": float(2**63)},
        {"to": 1e300},
    ],
)
def test_questions_that_make_no_sense(store: Store, request_: dict[str, Any]) -> None:
    with pytest.raises(ControlError):
        report.answered(store, request_, BERLIN)


def test_an_answer_in_parts_is_the_same_and_no_part_is_large(store: Store) -> None:
    asked = {"start": MORNING - 86400.0, "to": MORNING + 3600.0, "every": 60.0}
    telling = report.told(store, asked, BERLIN)
    parts = []
    with pytest.raises(StopIteration) as end:
        while True:
            parts.append(next(telling))
    assert exchange.joined([one for one in parts if one], end.value.value) == ask(store, **asked)
    rows = [sum(len(one["rows"]) for items in part.values() for one in items) for part in parts if part]
    assert sum(rows) > report.ROWS_AT_ONCE / 2
    assert max(rows) <= report.ROWS_AT_ONCE


def test_others_have_turns_while_what_is_asked_for_is_nowhere(store: Store) -> None:
    asked = {"start": MORNING - 86400.0, "to": MORNING + 3600.0, "labels": ["nobody"]}
    assert None in list(report.told(store, asked, BERLIN))


def test_more_than_can_be_told_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_ROWS", 50)
    with pytest.raises(ControlError, match="more than can be told at once"):
        ask(store, last=3600)


@given(st.floats(1, 40 * 365 * 86400.0))
def test_a_comfortable_step_fits_a_terminal(seconds: float) -> None:
    step = report.comfortable(seconds)
    assert seconds / step <= report.COMFORTABLE or step == report.STEPS[-1]


# --- for people, spreadsheets and documents


def test_plots_show_gaps_as_gaps(store: Store) -> None:
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in plots.lines(ask(store, last=3600), 72)]
    assert lines[0] == "from 2026-03-01 08:00:00 to 09:00:00 (Europe/Berlin), every 1m"
    assert lines[2] == "street  98.0 % of 50m observed, 1 min blind; 14406 of 15000 frames"
    assert lines[3] == "  blank: no record of 10 min (edged was not running then)"
    told = "  occupancy person in door  mean 30.92 (30.61 to 31.22)  least 0.00  most 59.00"
    assert lines[5].startswith(told)
    bottom = lines[9].split("▏")[1].ljust(60)
    blank = {at for at, one in enumerate(bottom) if one == " "}
    assert blank == {BLIND, *OFF}
    assert lines[-1].split() == ["08:00", "08:30", "09:00"]


def test_plots_lie_exactly_below_each_other_however_long_a_number_is(tmp_path: Path) -> None:
    outdoors = tuple(Series("yard", "level", name, "", unit) for name, unit in UNITS_OUTDOORS)
    seen = Coverage(60.0, 60, 60.0)
    with Store.open(tmp_path / "edged.db", bytes(32), keep=Keep(minute=math.inf), zone=BERLIN) as store:
        for at in range(9):
            values = (-20.5 + at, 99.1 + at, 0.001 * at)
            entries = tuple(Entry(60.0, 60.0 * one, one, one, 60.0 * one * one) for one in values)
            blind = at == 4
            one = Bucket(
                "yard", MORNING + 60 * at, 60, () if blind else entries, BLIND_MINUTE if blind else seen
            )
            store.write([one], {"yard": outdoors}, reading(MORNING + 700))
        lines = list(plots.lines(ask(store, start=MORNING, to=MORNING + 600, every=60.0), 60))
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    axes = [line for line in plain if "▏" in line]
    assert len(axes) == 3 * plots.HEIGHT + 1
    assert {line.index("▏") for line in axes} == {len("0.0080 m/s² ")}
    assert any(line.startswith("  -20.50 °C ▏") for line in axes)
    assert plain[-1].index("08:00") == len("0.0080 m/s² ▏")
    assert max(map(len, axes)) <= 60


def test_what_differs_by_less_than_is_told_is_drawn_as_the_same(tmp_path: Path) -> None:
    series = (Series("shed", "level", "g", "", "g"),)
    with Store.open(tmp_path / "edged.db", bytes(32), keep=Keep(minute=math.inf), zone=BERLIN) as store:
        for at in range(9):
            number = 0.001230 + 1e-6 * (at % 2)
            entry = Entry(60.0, 60.0 * number, number, number, 60.0 * number * number)
            one = Bucket("shed", MORNING + 60 * at, 60, (entry,), Coverage(60.0, 60, 60.0))
            store.write([one], {"shed": series}, reading(MORNING + 700))
        lines = list(plots.lines(ask(store, start=MORNING, to=MORNING + 540, every=60.0), 60))
    axis = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines if "▏" in line]
    assert [one.partition("▏")[0].strip() for one in axis] == ["1.00 g", "", "", "-1.00 g"]
    assert len({*axis[2].partition("▏")[2].strip()}) == 1


def around(tmp_path: Path, first: str, days: int, **question: Any) -> dict[str, Any]:
    """What is told of a minute at noon of so many days of Berlin's, from ``first`` on."""
    begin = datetime.datetime.fromisoformat(first).replace(hour=12, tzinfo=BERLIN)
    series = (Series("street", "crossings", "bicycle", "gate:in", "crossings"),)
    with Store.open(tmp_path / "edged.db", bytes(32), keep=Keep(minute=math.inf), zone=BERLIN) as store:
        for day in range(days):
            noon = int((begin + datetime.timedelta(days=day)).timestamp())
            amounts = (Amount(0, day + 1),)
            one = Bucket("street", noon, 60, (), Coverage(60.0, 60, 60.0), amounts=amounts)
            store.write([one], {"street": series}, reading(noon + 60.0))
        return ask(store, now=noon + 86400.0, **question)


def drawn(answer: dict[str, Any]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in plots.lines(answer, 60)]


@pytest.mark.parametrize(
    ("first", "last"), [("2026-10-24", "2026-10-27"), ("2026-03-28", "2026-03-31")], ids=["25 h", "23 h"]
)
def test_a_day_is_a_column_though_the_clocks_are_changed(tmp_path: Path, first: str, last: str) -> None:
    """None is blank, none is told to be missing, and the axis ends where the time does."""
    ends = (datetime.datetime.fromisoformat(one).replace(tzinfo=BERLIN).timestamp() for one in (first, last))
    asked = dict(zip(("start", "to"), ends, strict=True))
    lines = drawn(around(tmp_path, first, 3, **asked, every=86400.0))
    assert not [line for line in lines if "no record" in line]
    assert lines[0].startswith(f"from {first} 00:00:00+0") and f" to {last} 00:00:00+0" in lines[0]
    assert len(lines[-2].partition("▏")[2]) == 48, "three columns of 16"
    weekday = datetime.date.fromisoformat(last).strftime("%a")
    assert lines[-1].endswith(f"{weekday} 00:00")


def test_slots_of_two_hours_lose_none_behind_a_change_of_clocks(tmp_path: Path) -> None:
    """There one slot is an hour long, and all behind it begin an odd number of hours after the first."""
    series = SERIES[:1]
    begin = int(datetime.datetime(2026, 10, 25, tzinfo=BERLIN).timestamp())
    with Store.open(tmp_path / "edged.db", bytes(32), keep=Keep(minute=math.inf), zone=BERLIN) as store:
        for hour in range(25):
            entries = (Entry(60.0, 60.0, 1.0, 1.0, 60.0),)
            one = Bucket("street", begin + 3600 * hour, 60, entries, Coverage(60.0, 60, 60.0))
            store.write([one], {"street": series}, reading(begin + 90_000.0))
        answer = ask(store, now=begin + 90_000.0, start=begin, to=begin + 90_000.0, every=7200.0)
    grid, rows = plots.Grid(answer), answer["series"][0]["rows"]
    assert grid.slots == len(rows) == 13
    assert grid.spread(rows, "mean") == [1.0] * 13


@given(
    st.sampled_from((300, 420, 2700, 3600, 5400, 7200, 18_000, 43_200, 86_400, 604_800)),
    st.sampled_from((datetime.date(2026, 3, 27), datetime.date(2026, 10, 23))),
    st.integers(0, 3 * 96),
    st.lists(st.booleans(), min_size=1, max_size=60),
)
def test_every_row_is_drawn_in_order_and_none_is_missing(
    every: int, day: datetime.date, quarter: int, there: list[bool]
) -> None:
    """Whatever the step and wherever the clocks are changed; where all rows are there no column is blank."""
    calendar = Calendar(BERLIN)
    begin = datetime.datetime.combine(day, datetime.time(), BERLIN).timestamp() + 900 * quarter
    slot, rows = calendar.floor(begin, every), list[dict[str, Any]]()
    for one in there:
        until = calendar.after(slot, every)
        ends = {"start": report.moment(slot, BERLIN), "end": report.moment(until, BERLIN)}
        rows += [ends | {"mean": float(len(rows))}] if one else []
        slot = until
    told = {"from": report.moment(begin, BERLIN), "to": report.moment(slot, BERLIN), "every_s": every}
    zone = {"timezone": "Europe/Berlin", "series": []}
    grid = plots.Grid({**told, **zone, "coverage": [{"pipeline": "p", "rows": rows}] if rows else []})
    drawn = grid.spread(rows, "mean")
    seen = [one for one in drawn if one is not None]
    assert sorted({*seen}) == [float(number) for number in range(len(rows))] and seen == sorted(seen)
    assert all(before < behind for before, behind in itertools.pairwise(grid.edges))
    assert not (all(there) and None in drawn)


def test_an_hour_that_comes_twice_is_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin = int(datetime.datetime(2026, 10, 25, 2, tzinfo=BERLIN).timestamp())
    with Store.open(tmp_path / "edged.db", bytes(32), keep=Keep(minute=math.inf), zone=BERLIN) as store:
        for hour in range(2):
            one = Bucket("street", begin + 3600 * hour, 60, (), Coverage(60.0, 60, 60.0))
            store.write([one], {"street": ()}, reading(begin + 7200.0))
        answer = ask(store, now=begin + 7200.0, everything=True, every=3600.0)
    slots.print_table(answer)
    said = capsys.readouterr().out
    assert "2026-10-25 02:00+02:00" in said and "2026-10-25 02:00+01:00" in said
    assert drawn(answer)[-1].split() == ["02:00", "02:00", "03:00"]


def test_a_busy_road_s_rate_is_no_power_of_ten() -> None:
    row = {"start": "", "seconds": 60.0, "count": 20, "per_hour": 1200.0, "missed": 0.0, "doubtful": 0.0}
    one = {"measure": "crossings", "label": "car", "zone": "gate:in", "unit": "crossings", "rows": [row]}
    told = plots.summary(one, [{"start": "", "analysed": 600}])
    assert told.endswith("  1200 an hour")


def test_a_step_is_one_kind_of_number(store: Store) -> None:
    told = (ask(store, last=3600, every=60.0), ask(store, last=3600))
    assert [json.dumps(one["every_s"]) for one in told] == ["60", "60"]


UNITS_OUTDOORS = (("air", "°C"), ("pressure", "kPa"), ("wind", "m/s²"))
BLIND_MINUTE = Coverage(60.0, 0, blind=60.0)


@pytest.fixture
def throttled(tmp_path: Path) -> Iterator[Store]:
    """Ten minutes: three as asked, four on lite0, one paused, one slower, one as asked."""
    asked = Coverage(300.0, 300, 60.0)
    cheaper = Coverage(300.0, 120, 60.0, throttled=60.0, rungs=(0.0, 60.0))
    paused = Coverage(300.0, 0, paused=60.0)
    slower = Coverage(300.0, 300, 60.0, throttled=60.0)
    minutes = [asked] * 3 + [cheaper] * 4 + [paused, slower, asked]
    with Store.open(tmp_path / "edged.db", bytes(32), keep=Keep(minute=math.inf), zone=BERLIN) as store:
        buckets = [
            Bucket("street", MORNING + 60 * at, 60, bucket(at).entries if one.observed else (), one)
            for at, one in enumerate(minutes)
        ]
        store.write(buckets, {"street": SERIES}, reading(MORNING + 700), {"street": ("lite2", "lite0")})
        yield store


def test_it_is_plain_what_was_made_under_throttling(throttled: Store) -> None:
    answer = ask(throttled, start=MORNING, to=MORNING + 600, every=60.0)
    rows = answer["coverage"][0]["rows"]
    assert [row["models"] for row in rows[2:5]] == [
        [],
        [{"rung": 1, "model": "lite0", "observed_s": 60.0}],
        [{"rung": 1, "model": "lite0", "observed_s": 60.0}],
    ]
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in plots.lines(answer, 60)]
    head = "street  90.0 % of 10m observed, 4 min on lite0, 1 min slower, 1 min paused; 1980 of 3000 frames"
    assert lines[2] == head
    marks = next(line for line in lines if "how" in line).partition("▏")[2]
    assert re.sub(r"(.)\1*", r"\1", marks) == " tpt"
    assert marks.count("t") == 5 * marks.count("p") == 5 * marks.count(" ") // 3
    assert any("p paused   t throttled" in line for line in lines)


def test_the_table_says_how_each_slot_was_made(
    throttled: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    slots.print_table(ask(throttled, start=MORNING, to=MORNING + 600, every=300.0))
    printed = capsys.readouterr().out.splitlines()
    first, second = [line.rstrip() for line in printed if line.startswith("2026")]
    assert first.endswith("100 %  2 min on lite0")
    assert second.endswith("80.0 %  2 min on lite0, 1 min slower, 1 min paused")


@pytest.fixture
def wide(tmp_path: Path) -> dict[str, Any]:
    """An answer of an hour of a car park: eight bays, by the quarter."""
    bays = tuple(Series("yard", "presence", "car", f"bay-{number}", "share") for number in range(1, 9))
    entry, seen = Entry(60.0, 30.0, 0.0, 1.0, 30.0), Coverage(60.0, 60, 60.0)
    minutes = [Bucket("yard", MORNING + 60 * at, 60, (entry,) * len(bays), seen) for at in range(60)]
    with Store.open(tmp_path / "edged.db", bytes(32), keep=Keep(minute=math.inf), zone=BERLIN) as store:
        store.write(minutes, {"yard": bays}, reading(MORNING + 3700))
        return ask(store, start=MORNING, to=MORNING + 3600, every=900.0)


@pytest.mark.parametrize("columns", [80, 120, 400])
def test_a_table_that_is_too_wide_is_told_series_by_series(
    wide: dict[str, Any], columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    slots.print_table(wide)
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, printed)) <= columns
    rows = [line for line in printed if line.startswith("2026")]
    if columns == 400:
        assert len(rows) == 4
        assert all(f"presence car in bay-{number}" in printed[3] for number in range(1, 9))
        return
    assert len(rows) == 8 * 4
    at = printed.index("yard: presence car in bay-7")
    assert printed[at + 1].split() == ["from", "mean", "95", "%", "observed"]
    assert printed[at + 2] == "2026-03-01 08:00  50.0 %  46.7 to 53.3 %     100 %"


def test_csv_names_the_models(throttled: Store) -> None:
    answer = ask(throttled, start=MORNING, to=MORNING + 600, every=600.0)
    told = list(csv.DictReader(csv_lines(answer)))
    assert {row["models"] for row in told} == {"lite2 300.0; lite0 240.0"}
    assert {(row["throttled_s"], row["paused_s"]) for row in told} == {("300.0", "60.0")}


def test_the_command_prints_what_the_store_holds(home: Path) -> None:
    asked = ("--from", "2026-03-01T08:00", "--to", "2026-03-01T09:00")
    facts = json.loads(edged(home, *asked, "--json").stdout)
    assert facts["from"] == "2026-03-01T08:00:00+01:00"
    assert [one["measure"] for one in facts["series"]] == ["occupancy", "presence"]
    text = edged(home, *asked)
    assert (text.returncode, text.stderr) == (0, "")
    assert "street  98.0 % of 50m observed, 1 min blind;" in text.stdout
    table = edged(home, *asked, "--table", "--every", "15m").stdout
    assert re.search(r"2026-03-01 08:15  \S+  \S+ to \S+ +33.3 %", table)


@pytest.mark.parametrize(
    "words",
    [
        ("--from", "2026-03-02", "--to", "2026-03-01"),
        ("--last", "1y", "--every", "1s"),
        ("--all", "--json", "--csv"),
    ],
    ids=["backwards", "too many slots", "told in two ways"],
)
def test_what_makes_no_sense_is_a_wrong_command_line(home: Path, words: tuple[str, ...]) -> None:
    done = edged(home, *words)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_label_is_no_markup_and_commands_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ("bird [song]", "[/red]", ":bird:", "\x1b[31mred")
    series = tuple(Series("yard", "presence", label, "", "share") for label in labels)
    with Store.open(tmp_path / "edged.db", bytes(32), keep=Keep(minute=math.inf), zone=BERLIN) as store:
        entries = (Entry(60.0, 30.0, 0.0, 1.0, 30.0),) * len(labels)
        one = Bucket("yard", MORNING, 60, entries, Coverage(60.0, 60, 60.0))
        store.write([one], {"yard": series}, reading(MORNING + 60))
        answer = ask(store, everything=True)
    slots.print_table(answer)
    table, plot = capsys.readouterr().out, "\n".join(drawn(answer))
    for said in (table, plot):
        assert all(label in said for label in labels[:3]) and "?[31mred" in said
        assert "\x1b[31m" not in said


def test_csv_has_a_line_for_each_slot_and_series(home: Path) -> None:
    done = edged(home, "--all", "--csv", "--every", "30m")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert len(rows) == 4
    assert rows[0]["start"] == "2026-03-01T08:00:00+01:00"
    assert (rows[0]["label"], rows[0]["zone"], rows[0]["unit"]) == ("person", "door", "count")
    assert float(rows[0]["observed_s"]) == 19 * 60
    assert float(rows[0]["max"]) == 19


def test_nothing_counted_says_what_there_is(home: Path) -> None:
    done = edged(home, "--last", "1h")
    assert done.returncode == 0
    assert done.stdout.startswith("nothing was counted from ")
    assert "the store holds from 2026-03-01 " in done.stdout
    assert "edged report --all" in done.stdout
    done = edged(home, "--all", "--zone", "dor")
    assert "    --pipeline street --measure occupancy --label person --zone door\n" in done.stdout


@pytest.mark.parametrize("form", [(), ("--json",), ("--csv",), ("--table",)])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--zone", "dor"), 'edged: --zone "dor": there is none such\n  did you mean "door"?\n'),
        (
            ("--measure", "presense"),
            'edged: --measure "presense": there is none such\n  did you mean "presence"?\n',
        ),
        (
            ("--measure", "crosings"),
            'edged: --measure "crosings": there is none such\n  did you mean "crossings"?\n',
        ),
        (("--label", "zebra"), 'edged: --label "zebra": there is none such\n'),
        (
            ("--measure", "presence", "--measure", "ocupancy"),
            'edged: --measure "ocupancy": there is none such\n  did you mean "occupancy"?\n',
        ),
    ],
)
def test_a_name_that_is_nowhere_is_told_and_fails(
    home: Path, words: tuple[str, ...], told: str, form: tuple[str, ...]
) -> None:
    done = edged(home, "--all", *words, *form)
    assert (done.returncode, done.stderr) == (2, told)


@pytest.mark.parametrize(
    "words", [("--last", "1m", "--zone", "door"), ("--all", "--measure", "presence", "--zone", "door")]
)
def test_nothing_counted_of_a_name_that_is_right_is_no_failure(home: Path, words: tuple[str, ...]) -> None:
    done = edged(home, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nothing was counted of that series in that time\n")


def test_what_only_the_config_knows_is_no_failure(home: Path, tmp_path: Path) -> None:
    """It is asked for, but nothing of it was counted yet."""
    text = (home / "edged.toml").read_text().replace('"state"', f'"{home}/state"')
    lines = 'lines = { gate = { points = [[0.5, 1], [0.5, 0]] } }\nmeasures = [{ kind = "crossings" }]\n'
    model = 'model = "m"\n'
    (tmp_path / "edged.toml").write_text(text + model + lines + '[models.m]\nfile = "m.tflite"\n')
    for zone in ("gate", "gate:in"):
        done = edged(tmp_path, "--all", "--zone", zone)
        assert (done.returncode, done.stderr) == (0, "")
    assert edged(tmp_path, "--all", "--zone", "gate:inn").returncode == 2


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    config(tmp_path)
    assert edged(tmp_path).returncode == 5
    keys.create(tmp_path / "state" / "key")
    done = edged(tmp_path)
    assert done.returncode == 5
    assert "edged.db" in done.stderr


def test_png(store: Store, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures are an extra: edged[png]")
    save_png(ask(store, last=3600), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ConfigError, match="nothing to draw"):
        save_png(ask(store, start=0.0, to=60.0), tmp_path / "y.png")


def test_a_picture_s_axis_begins_at_0_and_says_what_its_band_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of what never happened: it lies on the axis, which does not go below it."""
    figure = pytest.importorskip("matplotlib.figure", reason="pictures are an extra: edged[png]")
    answer = ask(store, last=3600)
    rows = [row | {"count": 0, "per_hour": 0.0, "low": 0, "high": 0} for row in answer["series"][0]["rows"]]
    answer["series"].append(
        {**answer["series"][0], "measure": "crossings", "unit": "crossings", "rows": rows}
    )
    drawn: list[Any] = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, *_, **__: drawn.extend(self.axes))
    save_png(answer, Path("x.png"))
    assert [axes.get_ylim()[0] for axes in drawn] == [0.0] * 3
    assert drawn[-1].get_ylim() == (0.0, 1.0)
    assert {str(axes.xaxis.get_units()) for axes in drawn} == {"Europe/Berlin"}, "not the offset of one day"
    titles = [axes.get_title(loc="right") for axes in drawn]
    assert titles[0] == "band: least to most"
    assert titles[-1].startswith("0 in all")
    assert titles[-1].endswith("; band: 95 %")


def test_png_without_matplotlib(home: Path, tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError('not here')")
    done = subprocess.run(
        [sys.executable, "-m", "edged", "report", "--all", "--png", "x.png"],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 2
    assert done.stderr == "edged: --png needs matplotlib, which is not here\n  pip install 'edged[png]'\n"


def test_csv_of_nothing_is_its_header() -> None:
    assert len(list(csv_lines({"series": [], "coverage": []}))) == 1


# --- block characters

VALUES = st.lists(st.none() | st.floats(-1e6, 1e6), max_size=200)


@given(VALUES, st.integers(1, 8))
def test_columns_hold_every_value_and_every_gap(values: list[float | None], height: int) -> None:
    low, high = chart.scale(values, "")
    rows = chart.columns(values, low, high, height)
    assert [len(row) for row in rows] == [len(values)] * height
    for at, one in enumerate(values):
        column = [row[at] for row in reversed(rows)]
        assert (column[0] == " ") == (one is None)
        assert column == sorted(column, key=chart.EIGHTHS.index, reverse=True)
    spark = chart.spark(values, low, high)
    assert [one == " " for one in spark] == [one is None for one in values]


@given(st.floats(1e-9, 1e9))
def test_an_axis_ends_at_a_round_number_not_far_above(value: float) -> None:
    assert value * (1 - 1e-6) <= chart.nice(value) <= value * 1.7


@given(VALUES, st.integers(1, 50))
def test_resampling_keeps_gaps_and_range(values: list[float | None], width: int) -> None:
    made = chart.resampled(values, width)
    assert len(made) == min(len(values), width)
    known = [one for one in values if one is not None]
    assert all(min(known) - 1e-6 <= one <= max(known) + 1e-6 for one in made if one is not None)
    assert (not known) == all(one is None for one in made)


@pytest.mark.parametrize(
    ("values", "unit", "scale"),
    [
        ([0.2, 0.3], "share", (0.0, 1.0)),
        ([0.0, 7.0], "count", (0.0, 8.0)),
        ([0.0, 0.0], "count", (0.0, 1.0)),
        ([20.0, 22.0], "°C", (20.0, 22.0)),
        ([5.0], "", (4.0, 6.0)),
        ([None], "share", (0.0, 1.0)),
    ],
)
def test_scales(values: list[float | None], unit: str, scale: tuple[float, float]) -> None:
    assert chart.scale(values, unit) == scale
