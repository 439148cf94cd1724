"""What a track tells of itself."""

from __future__ import annotations

from typing import NamedTuple

Box = tuple[float, float, float, float]  # top, left, bottom, right in fractions of the picture


class Track(NamedTuple):
    """One thing, followed, at the moment of the last update.

    ``box`` is smoothed, and predicted where the thing was not ``seen`` in this frame; it is cut at the
    picture's edges. ``velocity`` is (x, y) in pictures per second. ``began`` and ``last`` are when it was
    first and last seen, in the seconds of ``update``'s ``at``. ``hits`` of ``chances`` frames since it began
    have shown it, with ``score`` on average; ``peak`` is the best of them. ``sure``: seen for long enough not
    to be a passing error of the detector. ``kind`` is what it was taken for with the most weight. ``good``:
    the last box of it had a score that counts and was no other's shadow.
    """

    number: int
    kind: str
    box: Box
    velocity: tuple[float, float]
    seen: bool
    began: float
    last: float
    hits: int
    chances: int
    score: float
    peak: float
    sure: bool
    good: bool

    @property
    def steady(self) -> bool:
        """Whether it is no flicker, whatever its scores."""
        return is_steady(self.hits, self.began, self.last)

    @property
    def foot(self) -> tuple[float, float]:
        """(x, y) of the middle of the box's lower edge: where it touches the ground."""
        _, left, bottom, right = self.box
        return (left + right) / 2, bottom


class Record:
    """What is remembered of a track besides its motion."""

    __slots__ = (
        "began", "chances", "clear", "good", "hits", "kind", "last", "misses", "number", "peak", "strong",
        "total", "votes",
    )  # fmt: skip

    def __init__(self, number: int, at: float) -> None:
        self.number, self.kind = number, ""
        self.began: float = at
        self.last: float = at
        self.clear = at  # when its box was last no other's shadow
        self.hits = self.chances = 0
        self.good = False
        self.strong: float = 0.0  # seconds
        self.misses = 0  # in a row, up to now
        self.total: float = 0.0
        self.peak: float = 0.0
        self.votes: dict[str, float] = {}

    def hit(self, at: float, kind: str, score: float, good: bool, stood: float) -> None:
        """It was seen; ``good``: with a score that counts, and as no other's shadow. ``stood`` are the
        seconds since the frame before.
        """
        self.good = good
        self.strong += stood if good else 0.0
        self.last, self.misses = at, 0
        self.hits += 1
        self.chances += 1
        self.total += score
        self.peak = max(self.peak, score)
        self.votes[kind] = self.votes.get(kind, 0.0) + score
        self.kind = kind if len(self.votes) == 1 else max(self.votes, key=self.votes.__getitem__)

    def miss(self) -> None:
        """It was not."""
        self.chances += 1
        self.misses += 1

    @property
    def sure(self) -> bool:
        """Whether it is more than a flicker, and neither all shadow nor of low scores alone."""
        return self.strong >= STRONG and is_steady(self.hits, self.began, self.last)


#: Good boxes for so long: one of 5 frames a second, two of 10. Errors of neighbouring frames are alike, so
#: that many frames must not make more of them than few.
STRONG = 0.15  # seconds
#: Hits that lie so far apart, three frames of 10 a second, are no flicker.
APART = 0.28  # seconds


def is_steady(hits: int, began: float, last: float) -> bool:
    """Whether hits from ``began`` to ``last`` are more than a flicker."""
    return hits >= 2 and last - began >= APART
