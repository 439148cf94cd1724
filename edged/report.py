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
from edged.store import Filter, Row, Store

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
    every = question.every or comfortable(end - start)
    if (end - start) / every > MOST_SLOTS:
        raise ControlError(
            f"{(end - start) / every:.0f} slots are more than can be told at once ({MOST_SLOTS})",
            "ask for a coarser --every or a shorter time",
        )
    only = Filter(question.pipelines, question.measures, question.labels, question.zones)
    rows = list(store.report(start, end, every, only)) if end > start else []
    return {
        "from": moment(start, zone),
        "to": moment(end, zone),
        "every_s": every,
        "timezone": str(zone),
        "holds": [moment(one, zone) for one in span] if span else None,
        "series": _by_series(rows, zone),
        "coverage": _by_pipeline(rows, zone),
    }


def comfortable(seconds: float) -> int:
    """The finest step of which a terminal shows so long a time."""
    return next((one for one in STEPS if seconds / one <= COMFORTABLE), STEPS[-1])


def moment(epoch: float, zone: datetime.tzinfo) -> str:
    """RFC 3339, in the zone whose days are meant."""
    return datetime.datetime.fromtimestamp(epoch, zone).isoformat(timespec="seconds")


def _range(question: Question, span: tuple[int, int] | None, now: float) -> tuple[float, float]:
    if question.everything:
        return (float(span[0]), float(span[1])) if span else (now, now)
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


def _by_pipeline(rows: Iterable[Row], zone: datetime.tzinfo) -> list[dict[str, Any]]:
    """A slot's coverage is its pipeline's: the same beside each of its series."""
    found: dict[str, dict[tuple[int, int], Coverage]] = {}
    for row in rows:
        found.setdefault(row.series.pipeline, {})[row.start, row.end] = row.coverage
    return [
        {"pipeline": name, "rows": [_covered(*slot, one, zone) for slot, one in sorted(slots.items())]}
        for name, slots in sorted(found.items())
    ]


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
