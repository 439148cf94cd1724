"""Facts about now, as ``edged status`` and ``edged top`` show them: plain values, ready for JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from edged.health import Condition, budget
from edged.nouns import Entry, Series
from edged.supervise import Keeper
from edged.tally import expected_rate
from edged.wall import Tick

Facts = dict[str, Any]


def condition(keeper: Keeper, share: float = 1.0, reason: str = "") -> Condition:
    """A pipeline as it is judged. ``share`` is what the governor lets it do of what was asked, and
    ``reason`` why it is not all.
    """
    asked = expected_rate(keeper)
    before, paused = keeper.predecessor, keeper.state == "running" and share <= 0.0
    why = before.why if before is not None and before.stuck else keeper.why
    return Condition(
        keeper.name,
        "paused" if paused else keeper.state,
        reason if paused else why,
        keeper.settled,
        asked,
        asked * share,
        keeper.due,
    )


def pipeline(keeper: Keeper, analysed: int, now: float, course: Facts | None = None) -> Facts:
    """One pipeline. ``now`` is of ``CLOCK_MONOTONIC``, ``course`` what the governor says of it (None: nobody
    governs).
    """
    ready, tick = keeper.ready, keeper.tick
    judged = condition(keeper, course["share"], course["because"]) if course else condition(keeper)
    return {
        "name": keeper.name,
        "state": judged.state,
        "why": judged.why,
        "settled": keeper.settled,
        "pid": keeper.pid,
        "source": source_name(keeper),
        "model": keeper.pipeline.model,
        "runtime": ready.runtime if ready else "",
        "delegate": ready.delegate if ready else "",
        "cpu_because": ready.cpu_because if ready else "",
        "sandbox_lacks": list(ready.lacking) if ready else [],
        "rate": keeper.pipeline.rate,
        "budget": budget([judged]),
        "course": course,
        "fps": fps(tick),
        "expected_fps": expected_rate(keeper),
        "analysed": analysed,
        "dropped": tick.dropped if tick else 0,
        "infer_ms": round(tick.infer * 1e3, 3) if tick else None,
        "prepare_ms": round(tick.prepare * 1e3, 3) if tick else None,
        "last_tick_age_s": round(now - keeper.progress, 2) if tick else None,
        "restarts": keeper.restarts,
        "aside_s": None if keeper.aside is None else round(keeper.aside),
        "wall_bytes": keeper.wall_bytes,
        "series": [
            _series(one, entry)
            for one, entry in zip(
                keeper.series, tick.entries if tick else (None,) * len(keeper.series), strict=True
            )
        ],
    }


def _series(one: Series, entry: Entry | None) -> Facts:
    seen = entry is not None and entry.seconds > 0
    return {
        "measure": one.measure,
        "label": one.label,
        "zone": one.zone,
        "unit": one.unit,
        "now": entry.mean if seen and entry else None,
        "min": entry.min if seen and entry else None,
        "max": entry.max if seen and entry else None,
    }


def fps(tick: Tick | None) -> float | None:
    """Frames per second of the source's own time in the last tick."""
    if tick is None or tick.end <= tick.start:
        return None
    return round(tick.analysed / (tick.end - tick.start), 2)


def source_name(keeper: Keeper) -> str:
    """What the pipeline looks at, in a word or two."""
    source = msgspec.to_builtins(keeper.pipeline.source)
    where = source.get("path") or source.get("device") or source.get("number", "")
    return f"{source['kind']} {where}".strip()
