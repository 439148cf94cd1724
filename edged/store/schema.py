"""What is in the file: tables, their versions, and how a row's key and numbers are packed. See docs/store.md.

A bucket's row has one integer key, ``start << 16 | series``, so that a commit appends to the end of one
B-tree and touches one or two pages; a primary key (start, series) of its own tree costs a third more pages,
(series, start) five times as many. Numbers are whole where the unit allows: SQLite stores a whole number in
one to six bytes and any other in eight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from edged.amounts import DOUBTFUL, MISSED
from edged.nouns import Coverage, Entry, Series
from edged.series import counted

APPLICATION_ID: Final = 0x65646764  # "edgd"
SERIES_BITS: Final = 16
MOST_SERIES: Final = 1 << SERIES_BITS
SERIES_MASK: Final = MOST_SERIES - 1
LAST: Final = 1 << 40  # epoch seconds; later than any bucket


class Level(NamedTuple):
    """A resolution: the name of its table and the length of its buckets in seconds (a day's is nominal)."""

    name: str
    width: int


SECOND, MINUTE, HOUR, DAY = LEVELS = (
    Level("second", 1),
    Level("minute", 60),
    Level("hour", 3600),
    Level("day", 86400),
)

#: A stored number is the value (or its integral in value x s) times this. Units not named here are kept as
#: they are.
SCALES: Final = {"count": 1_000, "share": 1_000, "fraction": 1_000_000}

#: Coverage is a handful of series of its own, of which those that are 0 are left out: label -> unit.
COVERAGE: Final = {
    "expected": "frames",
    "analysed": "frames",
    "observed": "s",
    "throttled": "s",
    "paused": "s",
    "blind": "s",
}
COVERAGE_SCALE: Final = 1_000
#: And one for each rung of a ladder that was used besides the dearest: "rung 1", its ``zone`` the model's
#: name. So a rung keeps the name that it had then, in every roll-up, whatever the ladder is today.
RUNG: Final = "rung "
#: And one for each set of series that were counted together: for how long, so that a report knows where
#: nothing happened and where nobody counted. Its ``zone`` is the series' numbers ("12-14 20").
COUNTING: Final = "counting"
#: What of a counted series is no plain number of events is a series of its own, whose measure has one more
#: word: the bin of a number ("dwell 37"), or what is thought to be missing or too many.
WORDS: Final = {MISSED: "missed", DOUBTFUL: "doubtful"}
_BINS: Final = {word: bin for bin, word in WORDS.items()}

_NUMBERS = "ms INTEGER NOT NULL, sum REAL NOT NULL, min REAL NOT NULL, max REAL NOT NULL, sumsq REAL NOT NULL"

#: One tuple of statements per version; a version is reached in one transaction or not at all.
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
        "CREATE TABLE series (id INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, measure TEXT NOT NULL, "
        "label TEXT NOT NULL, zone TEXT NOT NULL, unit TEXT NOT NULL, scale INTEGER NOT NULL, "
        "UNIQUE (pipeline, measure, label, zone, unit)) STRICT",
        *(f"CREATE TABLE {level.name} (key INTEGER PRIMARY KEY, {_NUMBERS}) STRICT" for level in LEVELS),
        "CREATE TABLE boot (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
        "offset REAL, noted REAL) STRICT",
        "CREATE TABLE pending (boot INTEGER NOT NULL, start INTEGER NOT NULL, width INTEGER NOT NULL, "
        f"series INTEGER NOT NULL, {_NUMBERS}, PRIMARY KEY (boot, start, width, series)) "
        "STRICT, WITHOUT ROWID",
        "CREATE TABLE event (id INTEGER PRIMARY KEY, at REAL NOT NULL, boot INTEGER, kind TEXT NOT NULL, "
        "pipeline TEXT NOT NULL, text TEXT NOT NULL) STRICT",
    ),
    # 2: coverage by rung. New series in the same tables; version 1 would not know what to make of their rows.
    (),
    # 3: what is counted. Likewise.
    (),
)
VERSION: Final = len(MIGRATIONS)


class Packed(NamedTuple):
    """One series over one bucket, as stored. ``ms`` is the time observed; 0 for coverage and for what is
    counted, which are plain sums.
    """

    start: int
    series: int
    ms: int
    sum: float
    min: float
    max: float
    sumsq: float


def scale_of(series: Series) -> int:
    """What a stored number of this series was multiplied by; 1 keeps every digit."""
    if series.measure == "coverage":
        return COVERAGE_SCALE
    return SCALES.get(series.unit, 1)


def whole(series: Series) -> bool:
    """Whether its sums are whole numbers: events cannot be divided, and fixed-point numbers need not be."""
    return scale_of(series) > 1 or counted(series) or " " in series.measure


def part_of(series: Series, bin: int) -> Series:
    """The stored series of a counted one's amounts of that bin; of bin 0 itself."""
    if not bin:
        return series
    return msgspec.structs.replace(series, measure=f"{series.measure} {WORDS.get(bin, bin)}")


def parted(stored: Series) -> tuple[Series, int]:
    """The series, and the bin, that a stored one is of. Raises ``ValueError`` for a word that is none."""
    measure, _, word = stored.measure.partition(" ")
    if not word:
        return stored, 0
    return msgspec.structs.replace(stored, measure=measure), _BINS.get(word) or int(word)


def told_numbers(text: str) -> list[int]:
    """The numbers that "12-14 20" tells."""
    ends = (one.partition("-") for one in text.split())
    return [number for low, _, high in ends for number in range(int(low), int(high or low) + 1)]


def numbers_told(numbers: Sequence[int]) -> str:
    """Numbers as "12-14 20"."""
    ordered = sorted(set(numbers))
    firsts = [one for one in ordered if one - 1 not in numbers]
    lasts = [one for one in ordered if one + 1 not in numbers]
    return " ".join(
        str(low) if low == high else f"{low}-{high}" for low, high in zip(firsts, lasts, strict=True)
    )


def packed(start: int, series: int, entry: Entry, scale: int) -> Packed:
    """The row of an entry that observed something. Its sums are of the milliseconds that it tells: else
    0.4 ms of half a second would make of 1013 hPa, which never changed, a mean of 1012, spread by 29.
    """
    ms = max(1, round(entry.seconds * 1000))
    fit = scale * ms / (1000 * entry.seconds)
    numbers = (entry.sum * fit, entry.min * scale, entry.max * scale, entry.sumsq * fit)
    total, low, high, squares = map(round, numbers) if scale > 1 else numbers
    return Packed(start, series, ms, total, low, high, squares)


def packed_coverage(start: int, series: dict[str, int], coverage: Coverage) -> list[Packed]:
    """The rows of a coverage, without those that are nothing. ``series`` gives the number of each label's
    series.
    """
    amounts = ((label, round(getattr(coverage, label) * COVERAGE_SCALE)) for label in COVERAGE)
    return [Packed(start, series[label], 0, amount, 0, 0, 0) for label, amount in amounts if amount]


def packed_rungs(start: int, numbers: Sequence[int], coverage: Coverage) -> list[Packed]:
    """The rows of the seconds observed by rung; none where all of it is the dearest one's. ``numbers`` gives
    the number of each rung's series. Together they are what was observed, to the millisecond.
    """
    cheaper = [round(one * COVERAGE_SCALE) for one in coverage.rungs[1:]]
    if not any(cheaper):
        return []
    amounts = [max(0, round(coverage.observed * COVERAGE_SCALE) - sum(cheaper)), *cheaper]
    return [
        Packed(start, number, 0, amount, 0, 0, 0)
        for number, amount in zip(numbers, amounts, strict=True)
        if amount
    ]


def key_of(start: int, series: int = 0) -> int:
    """A bucket's key; of series 0 the lowest that any bucket of ``start`` can have."""
    return start << SERIES_BITS | series
