"""Facts about now, as ``edged status`` and ``edged top`` show them: plain values, ready for JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from edged.health import Condition, budget
from edged.nouns import Coverage, Entry, Series
from edged.series import counted, valued
from edged.supervise import Keeper
from edged.tally import expected_rate
from edged.today import Today
from edged.wall import Tick

PAGE: Final = os.sysconf("SC_PAGE_SIZE")  # bytes

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


def pipeline(
    keeper: Keeper,
    covered: Coverage | None,
    now: float,
    course: Facts | None = None,
    today: Today | None = None,
    sight: str = "",
    dropped: int = 0,
) -> Facts:
    """One pipeline. ``covered`` is all that it saw (None: it has not begun), ``now`` of ``CLOCK_MONOTONIC``,
    ``course`` what the governor says of it (None: nobody governs), ``today`` how often things happened,
    ``sight`` why nothing of it is counted, ``dropped`` how much was in all.
    """
    covered = covered or Coverage()
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
        "analysed": covered.analysed,
        "made": made(keeper, covered),
        "dropped": tick.dropped if tick else 0,
        "dropped_total": dropped,
        "infer_ms": round(tick.infer * 1e3, 3) if tick else None,
        "prepare_ms": round(tick.prepare * 1e3, 3) if tick else None,
        "cpu": cpu(keeper),
        "memory": resident(keeper.pid),
        "last_tick_age_s": round(now - keeper.progress, 2) if tick else None,
        "restarts": keeper.restarts,
        "aside_s": None if keeper.aside is None else round(keeper.aside),
        "wall_bytes": keeper.wall_bytes,
        "sight": sight,
        "series": list(_all_series(keeper.series, tick, today or Today())),
    }


def _all_series(series: tuple[Series, ...], tick: Tick | None, today: Today) -> Iterator[Facts]:
    """What each is now; of those that are counted, how often it happened today."""
    entries = dict(zip(valued(series), tick.entries, strict=True)) if tick else {}
    for place, one in enumerate(series):
        often = today.of(one) if counted(one) else None
        yield {**_series(one, entries.get(place)), "today": often}


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


def made(keeper: Keeper, covered: Coverage) -> Facts:
    """How all that was seen came about, in seconds, as a report's rows say it of theirs."""
    names = (keeper.pipeline.model, *keeper.pipeline.ladder)
    return {
        "observed_s": round(covered.observed, 1),
        "throttled_s": round(covered.throttled, 1),
        "paused_s": round(covered.paused, 1),
        "blind_s": round(covered.blind, 1),
        "models": [
            {"rung": rung, "model": name, "observed_s": round(seconds, 1)}
            for rung, (name, seconds) in enumerate(zip(names, covered.by_rung, strict=False))
        ],
    }


def cpu(keeper: Keeper) -> float | None:
    """The worker's share of one core over its last tick. None where a tick is no second: of a recording that
    is read as fast as it goes.
    """
    tick = keeper.tick
    if tick is None or not keeper.pid or keeper.recorded or tick.end <= tick.start:
        return None
    return round(tick.cpu / (tick.end - tick.start), 3)


def resident(pid: int) -> int | None:
    """Bytes of a process that lie in memory, what it shares with others included; None where there is
    none. The kernel tells it of any process that is the same user's (proc(5), statm).
    """
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) if pid else 0
    except (OSError, ValueError, IndexError):
        pages = 0
    return pages * PAGE or None


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
