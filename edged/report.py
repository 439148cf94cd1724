"""What was counted, from the store to whoever asks: the daemon answers with this, and the CLI where no daemon
runs.

The answer is plain JSON: numbers by series and slot, with each slot's coverage beside them. Light on purpose:
the daemon imports it. How it looks to people is ``cli.report``'s.
"""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from edged.errors import ControlError
from edged.nouns import Coverage, Series
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
DAY: Final = 86400.0


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times are epoch seconds. ``last`` counts back from ``to`` (None: now); ``everything`` is all there is.
    ``every`` 0 picks a step.
    """

    start: float | None = None
    to: float | None = None
    last: float = DAY
    everything: bool = False
    every: float = 0.0
    pipelines: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()


def answered(store: Store, request: dict[str, Any], zone: datetime.tzinfo) -> dict[str, Any]:
    """The answer to a request, whose keys are ``Question``'s. Raises ``ControlError``, ``StoreError``."""
    try:
        question = msgspec.convert(request, Question)
    except msgspec.ValidationError as error:
        raise ControlError(f"the question cannot be understood: {error}", "edged report --help") from None
    return answer(store, question, zone, time.time())


def answer(store: Store, question: Question, zone: datetime.tzinfo, now: float) -> dict[str, Any]:
    """The answer to a question asked at ``now``, epoch seconds."""
    span = store.span()
    start, end = _range(question, span, now)
    if question.everything:
        start, end = _narrowed(store, question, start, end)
    every = _step(question, start, end)
    only = Filter(question.pipelines, question.measures, question.labels, question.zones)
    rows = list(store.report(start, end, every, only)) if end > start else []
    covered = list(store.coverage(start, end, every, _meant(question, rows))) if end > start else []
    return {
        "from": moment(start, zone),
        "to": moment(end, zone),
        # Old times are kept in wider buckets only: the step that there is.
        "every_s": max(every, min((one.end - one.start for one in covered), default=0)),
        "timezone": str(zone),
        "holds": [moment(span[0], zone), moment(span[1] + 1, zone)] if span else None,
        # Counted while the time was not known: they get their dates once it is.
        "undated": sum(one.buckets for one in store.facts().undated) if span is None else 0,
        "series": _by_series(rows, zone),
        "coverage": _by_pipeline(covered, zone),
    }


def _step(question: Question, start: float, end: float) -> float:
    every = question.every or comfortable(end - start)
    if (end - start) / every > MOST_SLOTS:
        raise ControlError(
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


def _meant(question: Question, rows: list[Row]) -> tuple[str, ...]:
    """The pipelines whose coverage is told: those asked for, or those that the asked-for series belong to."""
    if question.measures or question.labels or question.zones:
        return tuple(sorted({row.series.pipeline for row in rows})) or question.pipelines
    return question.pipelines


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
    start = end - question.last if question.start is None else question.start
    if not (math.isfinite(start) and math.isfinite(end) and start < end and question.every >= 0):
        raise ControlError("the time asked for ends before it starts", "--from must be before --to")
    return start, end


def _by_series(rows: Iterable[Row], zone: datetime.tzinfo) -> list[dict[str, Any]]:
    found: dict[Series, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.series, []).append(
            {
                "start": moment(row.start, zone),
                "end": moment(row.end, zone),
                "seconds": round(row.seconds, 3),
                **{key: _number(getattr(row, key)) for key in ("mean", "min", "max", "stddev")},
            }
        )
    return [{**msgspec.structs.asdict(one), "rows": found[one]} for one in sorted(found)]


def _number(value: float) -> float | None:
    """JSON has no NaN: what was not observed is null."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _by_pipeline(covered: Iterable[Covered], zone: datetime.tzinfo) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for one in covered:
        found.setdefault(one.pipeline, []).append(_covered(one.start, one.end, one.coverage, zone))
    return [{"pipeline": name, "rows": rows} for name, rows in sorted(found.items())]


def _covered(start: int, end: int, one: Coverage, zone: datetime.tzinfo) -> dict[str, Any]:
    return {
        "start": moment(start, zone),
        "end": moment(end, zone),
        "expected": round(one.expected, 1),
        "analysed": one.analysed,
        "observed_s": round(one.observed, 3),
        "blind_s": round(one.blind, 3),
        "throttled_s": round(one.throttled, 3),
        "paused_s": round(one.paused, 3),
    }
