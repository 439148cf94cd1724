"""A clip with labels (``mot``) through the real measures: crossings by direction, visits and dwell in a zone,
MOTA and IDF1, at each pace.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.accuracy import chain, mot
from benchmarks.accuracy.detector import PROFILES, Detector
from benchmarks.accuracy.follow import followed
from benchmarks.accuracy.marks import dwelt, judged
from benchmarks.accuracy.pace import PACES
from benchmarks.accuracy.street import KINDS, Event, Stay
from edged.config import shape
from edged.worker import track
from edged.worker.measure.geometry import Yard, held

#: Where the owner names none: across the middle both ways, and the middle quarter.
LINES: Final = ("0.5,1,0.5,0", "0,0.5,1,0.5")
ZONE: Final = "0.25,0.25,0.75,0.25,0.75,0.75,0.25,0.75"
#: In a zone, as in the measures: seconds that make a visit; and out of it for so long it is another one.
LEAST_STAY: Final = 1.0
LABELS: Final = (*KINDS, "truck")


def judged_clip(folder: Path, lines: Sequence[str] | None, zone: str | None, detector: str) -> str:
    """A table. Raises ``ValueError``."""
    clip = mot.read(folder)
    config = asked(lines or LINES, zone or ZONE)
    seen = "its own detections" if clip.found is not None else f"the simulated detector {detector}"
    head = f"{clip.name}: {clip.length} frames of {clip.fps:g} fps, {len(mot.ways(clip))} things, {seen}"
    return "\n".join([head, *(one for pace in PACES for one in _paced(clip, config, pace, detector))])


def asked(lines: Sequence[str], zone: str) -> shape.Pipeline:
    """The measures of these lines and this zone: fractions of the picture, separated by commas."""
    ropes = {f"line{number}": shape.Line(points=points(text)) for number, text in enumerate(lines, 1)}
    measures = (
        shape.Measure(kind="crossings", labels=LABELS),
        shape.Measure(kind="visits", zones=("zone",)),
        shape.Measure(kind="dwell", zones=("zone",)),
    )
    return chain.pipeline(measures, ropes, {"zone": points(zone)})


def points(text: str) -> tuple[tuple[float, float], ...]:
    """``x1,y1,x2,y2`` and so on. Raises ``ValueError``."""
    numbers = [float(one) for one in text.split(",")]
    if len(numbers) < 4 or len(numbers) % 2 or not all(0.0 <= one <= 1.0 for one in numbers):
        raise ValueError(f'"{text}" is no line: x1,y1,x2,y2 and so on, each 0 to 1')
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _paced(clip: mot.Clip, config: shape.Pipeline, pace: str, detector: str) -> Iterator[str]:
    frames = mot.film(clip, pace, Detector(PROFILES[detector], 1))
    follow = followed(frames, track.Tracker)
    found = chain.counted(config, [one.seen for one in frames], LABELS)
    stayed = stays(clip, config.zones["zone"])
    came = [Event(one.came + LEAST_STAY, "zone", "", 0) for one in stayed]
    dwells = [(one.time, long) for one, long in zip(found.of("dwell"), found.numbers, strict=True)]
    off = median(dwelt(stayed, dwells) or [math.nan])
    yield (
        f"{pace:6} MOTA {follow.mota:.3f}  IDF1 {follow.idf1:.3f}  switches {follow.switches:3}"
        f"  visits {judged(came, found.of('visits'))}; dwells {off:.2f} s off (median)"
    )
    true, counted = mot.crossings(clip, config.lines), found.of("crossings")
    for place in sorted({one.place for one in (*true, *counted)}):
        both = ([one for one in events if one.place == place] for events in (true, counted))
        yield f"       {place:12} {judged(*both)}"


def stays(clip: mot.Clip, zone: shape.Polygon) -> list[Stay]:
    """By the labels: every stay of ``LEAST_STAY`` and more in a zone, short absences left out."""
    yard, made = Yard(zone), list[Stay]()
    for way in mot.ways(clip).values():
        times = [time for time, box in way if yard.depth(held(((box[1] + box[3]) / 2, box[2]))) > 0.0]
        breaks = [0, *(at for at, (a, b) in enumerate(pairwise(times), 1) if b - a > LEAST_STAY), len(times)]
        made += [Stay(times[a], times[b - 1]) for a, b in pairwise(breaks) if b > a]
    return sorted(one for one in made if one.long >= LEAST_STAY)
