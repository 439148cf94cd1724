"""Clips with labels in the format of the MOTChallenge: a folder with gt/gt.txt, and with det/det.txt where
there is one.

A line of gt.txt: frame (from 1), number, left, top, width, height (pixels), whether it counts, class, visible
share. A line of det.txt: frame, -1, left, top, width, height, score. seqinfo.ini says how large the pictures
are and how many of them are in a second. As in motchallenge.net/instructions; MOT16: arXiv 1603.00831.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from benchmarks.accuracy.detector import Detector, Seen, cut
from benchmarks.accuracy.follow import Frame
from benchmarks.accuracy.pace import moments
from benchmarks.accuracy.street import Event
from edged.config import shape
from edged.worker.measure.geometry import Rope, held
from edged.worker.source.scene import Box, Thing

#: Classes of gt.txt that are people, and cars; the others count for nothing (MOT16, table 3).
CLASSES: Final = {1: "person", 2: "person", 7: "person", 3: "car"}
PERSON: Final = 1
#: Numbers in a line: frame, number, left, top, width, height.
FEWEST: Final = 6
#: Of less than this visible share nobody is in view.
VISIBLE: Final = 0.25
#: Who is at a line is across it when farther from it than so much of its height, as true as labels are.
CLEAR: Final = 0.05


class Label(NamedTuple):
    """One thing in one frame."""

    number: int
    kind: str
    body: Box
    visible: float


class Clip(NamedTuple):
    """``labels`` and ``found`` by frame, from 0; ``found`` is None where there is no det.txt."""

    name: str
    fps: float
    length: int
    labels: Mapping[int, Sequence[Label]]
    found: Mapping[int, Seen] | None

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.length / self.fps

    def things(self, number: int) -> list[Thing]:
        """What is in view in a frame, the farthest first."""
        made = [
            Thing(one.kind, one.number, one.body, cut(one.body), True, 0.0)
            for one in self.labels.get(number, ())
            if one.visible >= VISIBLE
        ]
        return sorted(made, key=lambda one: one.body[2])


def read(folder: Path) -> Clip:
    """The clip. Raises ``ValueError`` for what is not there, or not in that format."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder; it should hold gt/gt.txt and seqinfo.ini")
    fps, width, height = _size(folder)
    labels: dict[int, list[Label]] = defaultdict(list)
    for row in _rows(folder / "gt" / "gt.txt"):
        counts, kind = row[6] if len(row) > 6 else 1.0, int(row[7]) if len(row) > 7 else PERSON
        if counts and kind in CLASSES:
            visible = row[8] if len(row) > 8 else 1.0
            body = _box(row, width, height)
            labels[int(row[0]) - 1].append(Label(int(row[1]), CLASSES[kind], body, visible))
    if not labels:
        raise ValueError(f"{folder / 'gt' / 'gt.txt'} labels no person and no car")
    length = max(labels) + 1
    path = folder / "det" / "det.txt"
    return Clip(folder.name, fps, length, labels, _found(path, fps, width, height))


def _size(folder: Path) -> tuple[float, float, float]:
    """Frames per second, width and height of the pictures."""
    about = ConfigParser()
    path = folder / "seqinfo.ini"
    text = "".join(_lines(path))
    try:
        about.read_string(text)
        part = about["Sequence"]
        return float(part["frameRate"]), float(part["imWidth"]), float(part["imHeight"])
    except (ConfigError, KeyError, ValueError):
        raise ValueError(f"{path}: no [Sequence] with frameRate, imWidth and imHeight") from None


def _rows(path: Path) -> Iterator[list[float]]:
    for number, row in enumerate(csv.reader(_lines(path)), 1):
        try:
            numbers = [float(one) for one in row]
        except ValueError:
            raise ValueError(f"{path}, line {number}: not numbers: {row[:7]}") from None
        if 0 < len(numbers) < FEWEST:
            raise ValueError(f"{path}, line {number}: {len(numbers)} numbers, and {FEWEST} are needed")
        if numbers:
            yield numbers


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines(keepends=True)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text"
        raise ValueError(f"{path}: cannot be read: {why}") from None


def _box(row: Sequence[float], width: float, height: float) -> Box:
    """Pixels count from 1."""
    left, top = row[2] - 1.0, row[3] - 1.0
    return top / height, left / width, (top + row[5]) / height, (left + row[4]) / width


def _found(path: Path, fps: float, width: float, height: float) -> dict[int, Seen] | None:
    """The detections of people that come with the clip; scores beyond 0..1 are brought there by rank."""
    if not path.exists():
        return None
    rows = list(_rows(path))
    scores = np.array([row[6] for row in rows])
    if scores.size and (scores.min() < 0.0 or scores.max() > 1.0):
        scores = scores.argsort().argsort() / max(1, scores.size - 1)
    by_frame: dict[int, list[tuple[float, Box]]] = defaultdict(list)
    for row, score in zip(rows, scores.tolist(), strict=True):
        by_frame[int(row[0]) - 1].append((score, cut(_box(row, width, height))))
    return {number: _seen(number / fps, found) for number, found in by_frame.items()}


def _seen(time: float, found: list[tuple[float, Box]]) -> Seen:
    found.sort(reverse=True)
    boxes = np.array([box for _, box in found], np.float32).reshape(-1, 4)
    scores = np.array([score for score, _ in found], np.float32)
    return Seen(time, boxes, ("person",) * len(found), scores, (-1,) * len(found))


def film(clip: Clip, pace: str, detector: Detector) -> list[Frame]:
    """Its frames at a pace, as the clip's own detector saw them, else as the simulated one does."""
    made = []
    for time in moments(pace, clip.seconds, clip.fps):
        number = min(clip.length - 1, round(time * clip.fps))
        things = clip.things(number)
        at = number / clip.fps
        found = clip.found
        seen = detector(at, things) if found is None else found.get(number, _seen(at, []))
        truth = tuple((one.number, one.kind, one.box) for one in things)
        made.append(Frame(truth, frozenset(range(len(things))), seen))
    return made


def ways(clip: Clip) -> dict[tuple[int, str], list[tuple[float, Box]]]:
    """Each thing's way through the clip: (time, whole box)."""
    made: dict[tuple[int, str], list[tuple[float, Box]]] = defaultdict(list)
    for number in sorted(clip.labels):
        for one in clip.labels[number]:
            made[one.number, one.kind].append((number / clip.fps, one.body))
    return made


def crossings(clip: Clip, lines: Mapping[str, shape.Line]) -> list[Event]:
    """What the labels say of each line: who was clear of it on one side and is clear of it on the other."""
    made = []
    for (number, kind), way in ways(clip).items():
        for name, line in lines.items():
            made += [
                Event(time, f"{name}:{line.forward if side > 0 else line.backward}", kind, number)
                for time, side in _sides(way, Rope(line.points))
            ]
    return sorted(made)


def _sides(way: Sequence[tuple[float, Box]], rope: Rope) -> Iterator[tuple[float, int]]:
    net, clear = 0, False
    for (_, before), (time, box) in pairwise(way):
        place = held(((box[1] + box[3]) / 2, box[2]))
        start = held(((before[1] + before[3]) / 2, before[2]))
        clear = clear or rope.distance(start) > CLEAR * (before[2] - before[0])
        net += sum(one for one, _ in rope.crossed(start, place))
        if rope.distance(place) > CLEAR * (box[2] - box[0]):
            if net and clear:
                yield time, 1 if net > 0 else -1
            net, clear = 0, True


def written(folder: Path, fps: float, frames: Iterable[Sequence[Thing]], size: tuple[int, int]) -> None:
    """Write a clip in this format: for tests, and to look at a scene with others' tools."""
    (folder / "gt").mkdir(parents=True)
    width, height = size
    with (folder / "gt" / "gt.txt").open("w", newline="") as file:
        out = csv.writer(file)
        for number, things in enumerate(frames, 1):
            for one in things:
                top, left, bottom, right = one.body
                box = left * width + 1, top * height + 1, (right - left) * width, (bottom - top) * height
                name = 2 * one.number + (one.kind == "car") + 1
                kind = next(key for key, value in CLASSES.items() if value == one.kind)
                out.writerow((number, name, *(f"{edge:.2f}" for edge in box), 1, kind, 1.0))
    about = f"[Sequence]\nname={folder.name}\nframeRate={fps:g}\nimWidth={width}\nimHeight={height}\n"
    (folder / "seqinfo.ini").write_text(about)
