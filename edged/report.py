"""What was counted, from the store to whoever asks: the daemon answers with this, and the CLI where no daemon
runs.

The answer is plain JSON: numbers by series and slot, with each slot's coverage beside them. Light on purpose:
the daemon imports it. How it looks to people is ``cli.report``'s.
"""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec

from edged import amounts, interval
from edged.errors import QuestionError
from edged.exchange import Part, Telling, understood, whole
from edged.nouns import Series
from edged.series import DISTRIBUTED
from edged.store import Covered, Filter, Row, Store

#: What people think in, in seconds.
STEPS: Final = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
    604800,
)
COMFORTABLE: Final = 72  # slots: what a terminal shows
MOST_SLOTS: Final = 20_000
MOST_ROWS: Final = 200_000  # of all series together: 20 of them by the hour for a year
ROWS_AT_ONCE: Final = 256  # in one part of an answer: about 40 KB
DAY: Final = 86400.0
LATEST: Final = 253_370_764_800.0  # the year 9999 begins; there is no date after it
LONGEST: Final = 100 * 365.25 * DAY

T = TypeVar("T")
#: start, end, step
Slots = tuple[float, float, float]


TIME: Final = msgspec.Meta(ge=0.0, le=LATEST, description="a time in seconds since 1970, until the year 9999")
LENGTH: Final = msgspec.Meta(ge=0.0, le=LONGEST, description="a number of seconds, a century at most")
NAMES: Final = msgspec.Meta(description="a list of names")


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times are epoch seconds. ``last`` counts back from ``to`` (None: now); ``everything`` is all there is.
    ``every`` 0 picks a step.
    """

    start: Annotated[float, TIME] | None = None
    to: Annotated[float, TIME] | None = None
    last: Annotated[float, LENGTH] = DAY
    everything: Annotated[bool, msgspec.Meta(description="true or false")] = False
    every: Annotated[float, LENGTH] = 0.0
    pipelines: Annotated[tuple[str, ...], NAMES] = ()
    measures: Annotated[tuple[str, ...], NAMES] = ()
    labels: Annotated[tuple[str, ...], NAMES] = ()
    zones: Annotated[tuple[str, ...], NAMES] = ()


def told(store: Store, request: dict[str, Any], zone: datetime.tzinfo) -> Telling:
    """The answer to a request, whose keys are ``Question``'s, in parts: none takes long to make.

    Raises ``QuestionError``, ``StoreError``, also when some parts have been told.
    """
    return _told(store, understood(request, Question), zone, time.time())


def answered(store: Store, request: dict[str, Any], zone: datetime.tzinfo) -> dict[str, Any]:
    """The whole answer to a request. Raises ``QuestionError``, ``StoreError``."""
    return answer(store, understood(request, Question), zone, time.time())


def answer(store: Store, question: Question, zone: datetime.tzinfo, now: float) -> dict[str, Any]:
    """The answer to a question asked at ``now``, epoch seconds."""
    return whole(_told(store, question, zone, now))


def _told(store: Store, question: Question, zone: datetime.tzinfo, now: float) -> Telling:
    span = store.span()
    start, end = _range(question, span, now)
    if question.everything:
        yield None
        start, end = _narrowed(store, question, start, end)
    every = _step(question, start, end)
    pipelines = yield from _rows(store, question, (start, end, every), zone)
    narrowest = yield from _coverage(store, pipelines, (start, end, every), zone)
    undated = 0
    for number in store.undated_pieces() if span is None else ():
        undated += number
        yield None
    return {
        "from": moment(start, zone),
        "to": moment(end, zone),
        # Old times are kept in wider buckets only: the step that there is.
        "every_s": _whole(max(every, narrowest)),
        "timezone": str(zone),
        "holds": [moment(span[0], zone), moment(span[1] + 1, zone)] if span else None,
        # Counted while the time was not known: they get their dates once it is.
        "undated": undated,
        "series": [],
        "coverage": [],
    }


def _rows(
    store: Store, question: Question, slots: Slots, zone: datetime.tzinfo
) -> Generator[Part | None, None, tuple[str, ...]]:
    """Tell the rows; the pipelines whose coverage is to be told: those asked for, or those that the asked-for
    series belong to.
    """
    only = Filter(question.pipelines, question.measures, question.labels, question.zones)
    found, number = set[str](), 0
    for rows in _some(store.report_pieces(*slots, only)) if slots[1] > slots[0] else ():
        number += len(rows)
        if number > MOST_ROWS:
            raise QuestionError(
                f"there is more than can be told at once ({MOST_ROWS} rows)",
                "ask for a coarser --every, a shorter time, or fewer series (--pipeline, --measure)",
            )
        found |= {row.series.pipeline for row in rows}
        yield {"series": _by_series(rows, zone)} if rows else None
    named = question.measures or question.labels or question.zones
    return (tuple(sorted(found)) or question.pipelines) if named else question.pipelines


def _coverage(
    store: Store, pipelines: tuple[str, ...], slots: Slots, zone: datetime.tzinfo
) -> Generator[Part | None, None, int]:
    """Tell the coverage; the length of the narrowest slot, 0 if there is none."""
    narrowest = math.inf
    for covered in _some(store.coverage_pieces(*slots, pipelines)) if slots[1] > slots[0] else ():
        narrowest = min([narrowest, *(one.end - one.start for one in covered)])
        yield {"coverage": _by_pipeline(covered, zone)} if covered else None
    return 0 if narrowest == math.inf else int(narrowest)


def _some(pieces: Iterator[list[T]]) -> Iterator[list[T]]:
    """Neither more at once than a part may hold, nor less than it takes the store to look once."""
    for piece in pieces:
        for first in range(0, max(1, len(piece)), ROWS_AT_ONCE):
            yield piece[first : first + ROWS_AT_ONCE]


def _step(question: Question, start: float, end: float) -> float:
    every = question.every or comfortable(end - start)
    if (end - start) / every > MOST_SLOTS:
        raise QuestionError(
            f"{(end - start) / every:.0f} slots are more than can be told at once ({MOST_SLOTS})",
            "ask for a coarser --every or a shorter time",
        )
    return every


def _narrowed(store: Store, question: Question, start: float, end: float) -> tuple[float, float]:
    """Down to where there is something: the oldest day begins at midnight, whenever in it the first minute
    was.
    """
    step = math.inf
    while end > start and (finer := comfortable(end - start)) < step:
        step = finer
        slots = list(store.coverage(start, end, step, question.pipelines))
        start = max(start, min((one.start for one in slots), default=start))
        end = max((one.end for one in slots), default=end)
    return start, end


def comfortable(seconds: float) -> int:
    """The finest step of which a terminal shows so long a time."""
    return next((one for one in STEPS if seconds / one <= COMFORTABLE), STEPS[-1])


def moment(epoch: float, zone: datetime.tzinfo) -> str:
    """RFC 3339, in the zone whose days are meant."""
    return datetime.datetime.fromtimestamp(epoch, zone).isoformat(timespec="seconds")


def _range(question: Question, span: tuple[int, int] | None, now: float) -> tuple[float, float]:
    if question.everything:
        return (float(span[0]), span[1] + 1.0) if span else (now, now)
    end = now if question.to is None else question.to
    start = max(0.0, end - question.last) if question.start is None else question.start
    if not start < end:
        raise QuestionError("the time asked for ends before it starts", "--from must be before --to")
    return start, end


def _by_series(rows: Iterable[Row], zone: datetime.tzinfo) -> list[dict[str, Any]]:
    found: dict[Series, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.series, []).append(
            {
                "start": moment(row.start, zone),
                "end": moment(row.end, zone),
                "seconds": round(row.seconds, 3),
                **(_valued(row) if row.counts is None else _counted(row)),
            }
        )
    return [{**msgspec.structs.asdict(one), "rows": found[one]} for one in sorted(found)]


def _valued(row: Row) -> dict[str, Any]:
    """What held through the time."""
    ends = interval.of_mean(
        row.mean,
        row.stddev,
        row.missed,
        row.doubtful,
        row.coverage.analysed,
        row.seconds,
        row.series.unit,
    )
    low, high = (interval.possible(one, row.series.unit) for one in ends)
    told = {key: _number(getattr(row, key)) for key in ("mean", "min", "max", "stddev")}
    return {**told, "low": _number(low), "high": _number(high), **_estimates(row)}


def _counted(row: Row) -> dict[str, Any]:
    """What happened in it."""
    told = row.events
    low, high = interval.of_count(told, row.missed, row.doubtful, row.coverage.analysed, row.seconds)
    rate = told / row.seconds * 3600.0 if row.seconds else math.nan
    found = {"count": told, "per_hour": _number(rate), "low": low, "high": high, **_estimates(row)}
    return {**found, **_distribution(row.counts or {})} if row.series.measure in DISTRIBUTED else found


def _estimates(row: Row) -> dict[str, float]:
    return {"missed": row.missed, "doubtful": row.doubtful}


def _distribution(counts: Mapping[int, int]) -> dict[str, Any]:
    """How the numbers of events are distributed, by their bins; ``null`` of none."""
    parts = {f"p{share}": _number(amounts.quantile(counts, share / 100)) for share in (10, 50, 90)}
    bins = {str(bin): count for bin, count in sorted(counts.items())}
    return {"n": sum(counts.values()), "mean": _number(amounts.mean(counts)), **parts, "bins": bins}


def _number(value: float) -> float | None:
    """JSON has no NaN: what was not observed is null."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _whole(seconds: float) -> float:
    """As one kind of number, whoever said it: 60, not 60.0 now and then."""
    return int(seconds) if seconds == int(seconds) else seconds


def _by_pipeline(covered: Iterable[Covered], zone: datetime.tzinfo) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in covered:
        found.setdefault(one.pipeline, []).append(_covered(one, zone))
    return [{"pipeline": name, "rows": rows} for name, rows in sorted(found.items())]


def _covered(covered: Covered, zone: datetime.tzinfo) -> dict[str, Any]:
    one = covered.coverage
    return {
        "start": moment(covered.start, zone),
        "end": moment(covered.end, zone),
        "expected": round(one.expected, 1),
        "analysed": one.analysed,
        "observed_s": round(one.observed, 3),
        "blind_s": round(one.blind, 3),
        "throttled_s": round(one.throttled, 3),
        "paused_s": round(one.paused, 3),
        # By whom, dearest first; empty where it was the dearest all the time.
        "models": [
            {"rung": ran.rung, "model": ran.model or None, "observed_s": round(ran.seconds, 3)}
            for ran in covered.ran
        ],
    }
