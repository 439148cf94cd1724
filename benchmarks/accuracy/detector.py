"""A simulated detector: what is in the picture -> boxes that err as a real one's do.

Each thing has a score that wanders: a part of its own (some are seen better than others), a part that changes
slowly (so misses come in runs), and a part of each frame. It falls with what hides the thing and with its
size. A thing is missed where its score is below the owner's threshold; now and then it is not found at all.
Boxes jitter, breathe, and shrink to what is seen of a hidden thing; they have doubles; of two that overlap
too much one is suppressed; and there are boxes around nothing.

The figures are those of ``coco_ssd_mobilenet_v1`` (COCO, 300 x 300, quantised) on a clip with six visits by
one person each, measured by ``measured``; docs/accuracy.md tells which, and where others had to be chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edged.worker.source.scene import Box, Thing, area

#: The operator after it suppresses what overlaps more, and gives the best ten of what is left.
OVERLAP, MOST = 0.6, 10
#: Spreads of the score's parts, as logits: between things; slow; of each frame.
OWN, SLOW, FAST = 0.35, 0.35, 0.06
#: Seconds after which the slow part is another (correlation 1/e).
TAU: Final = 0.5
#: Spreads of a box's jitter: its middle across, in widths; its lower edge, in heights; its width; its height.
JITTER: Final = (0.011, 0.007, 0.019, 0.011)
#: The same of what changes slowly: gait and arms.
BREATH: Final = (0.015, 0.006, 0.040, 0.010)
#: One in so many boxes is off by so many times that.
OUTLIER, FAR = 0.03, 4.0
#: What others hide of a thing, and what the picture's edge cuts off, costs so much of the logit; the exponent
#: of its share.
HIDDEN, CUT_OFF, POWER = 2.5, 1.5, 1.5
#: Of less than this share nothing is found at all.
LEAST: Final = 0.2
#: Of a box this share is the body: what stands before another's box hides so much of it.
BODY: Final = 0.8
#: Boxes that go around the same thing a second and a third time: the mean and the spread of their logits. A
#: third of them overlaps the first one too much to come through.
DOUBLE, DOUBLES = -1.35, 0.55
#: A thing of this size (root of its share of the picture) is the usual one; half of it costs that much.
SIZE, SMALLER = 0.23, 0.6


#: Labels flicker: they are back after that.
FLIP: Final = 0.3  # seconds


class Profile(NamedTuple):
    """One kind of detector.

    ``missed``: the share of frames in which a thing in the open, of the usual size, is below a score of 0.5.
    ``lost``: the share of time in which it is not found at any score, for ``lapse`` seconds at a time.
    ``alarms``: boxes around nothing, per minute, with a score of 0.5 and more, ``stay`` seconds each.
    ``confused``: the share of time in which a car is taken for a lorry, ``FLIP`` seconds at a time.
    """

    name: str
    missed: float
    lost: float = 0.01
    lapse: float = 0.4
    alarms: float = 1.0
    stay: float = 0.5
    confused: float = 0.02
    jitter: float = 1.0


#: What the real one does on its clip; what it does farther off and in worse light; and worse still.
MEASURED: Final = Profile("near", 0.02, lost=0.001, alarms=0.1)
USUAL: Final = Profile("usual", 0.10)
POOR: Final = Profile("poor", 0.25, lost=0.03, alarms=3.0, jitter=2.0)
PROFILES: Final = {one.name: one for one in (MEASURED, USUAL, POOR)}
#: An alarm's logit: its mean and its spread; so most are below 0.5, as a real detector's are.
ALARM, ALARMS = -1.0, 0.7


class Seen(NamedTuple):
    """A frame's boxes float32 [N, 4] (top, left, bottom, right), their kinds and scores float32 [N], best
    first; ``of`` is the index of the thing each is of, -1 for a box around nothing or a double.
    """

    time: float
    boxes: NDArray[np.float32]
    kinds: tuple[str, ...]
    scores: NDArray[np.float32]
    of: tuple[int, ...]


class One(NamedTuple):
    """One box in the making."""

    logit: float
    box: Box
    kind: str
    of: int


class Mind:
    """What the detector's errors about one thing depend on: standard normal numbers that wander with ``TAU``
    (a process of Ornstein and Uhlenbeck, sampled exactly at any rate) and two states that come and go.
    """

    WANDERING: Final = 14

    def __init__(self, profile: Profile, dice: np.random.Generator) -> None:
        self._profile, self._dice = profile, dice
        self.own = float(dice.standard_normal())
        self.slow: list[float] = dice.standard_normal(self.WANDERING).tolist()
        self.lost = bool(dice.random() < profile.lost)
        self.confused = bool(dice.random() < profile.confused)
        self._time: float | None = None

    def at(self, time: float) -> list[float]:
        """Move on to ``time``; as many fresh standard normal numbers."""
        elapsed = math.inf if self._time is None else time - self._time
        self._time = time
        keep = math.exp(-elapsed / TAU)
        fresh: list[float] = self._dice.standard_normal(2 * self.WANDERING).tolist()
        push = math.sqrt(1.0 - keep * keep)
        self.slow = [keep * old + push * new for old, new in zip(self.slow, fresh, strict=False)]
        profile = self._profile
        self.lost = self._turned(self.lost, profile.lost, profile.lapse, elapsed)
        self.confused = self._turned(self.confused, profile.confused, FLIP, elapsed)
        return fresh[self.WANDERING :]

    def _turned(self, now: bool, share: float, length: float, elapsed: float) -> bool:
        """A state that holds for a ``share`` of all time, ``length`` seconds at a time on average."""
        keep = math.exp(-elapsed / (length * (1.0 - share))) if share < 1.0 else 1.0
        chance = share + ((1.0 if now else 0.0) - share) * keep
        return bool(self._dice.random() < chance)

    def off_by(self, size: int) -> float:
        """How much farther off than usual this box is."""
        return FAR if self._dice.random() < OUTLIER else float(size)


class Detector:
    """The simulated detector of one ``profile`` and ``seed``: the same things at the same times give the same
    boxes.
    """

    def __init__(self, profile: Profile, seed: int) -> None:
        self._profile, self._seed = profile, seed
        self._minds: dict[tuple[str, int], Mind] = {}
        self._alarms = Alarms(profile, np.random.default_rng([seed, 1]))
        spread = math.sqrt(OWN**2 + SLOW**2 + FAST**2)
        # What is lost is missed as well: what is stated is both together.
        below = max(1e-6, (profile.missed - profile.lost) / (1.0 - profile.lost))
        self._mean = -spread * NormalDist().inv_cdf(below)

    def __call__(self, time: float, things: Sequence[Thing]) -> Seen:
        """``things`` at ``time``, the farthest first; times must not go back."""
        found = [one for index in range(len(things)) for one in self._of(time, things, index)]
        found += self._alarms.at(time)
        return told(time, found)

    def _of(self, time: float, things: Sequence[Thing], index: int) -> list[One]:
        thing = things[index]
        mind = self._mind(thing)
        fresh = mind.at(time)
        inside, seen, visible = shown(thing, things[index + 1 :])
        if mind.lost or inside * seen < LEAST:
            return []
        logit = self._mean + OWN * mind.own + SLOW * mind.slow[0] + FAST * fresh[0]
        logit += SMALLER * min(0.0, math.log2(math.sqrt(area(thing.body)) / SIZE))
        logit -= HIDDEN * (1.0 - seen) ** POWER + CUT_OFF * (1.0 - inside) ** POWER
        kind = "truck" if mind.confused and thing.kind == "car" else thing.kind
        box = self._jittered(blended(thing.box, visible, mind.slow[1]), mind, fresh)
        doubles = [
            One(DOUBLE + DOUBLES * mind.slow[mood], doubled(box, mind.slow[shape : shape + 3]), kind, -1)
            for mood, shape in ((2, 8), (3, 11))
        ]
        return [One(logit, box, kind, index), *doubles]

    def _mind(self, thing: Thing) -> Mind:
        key = (thing.kind, thing.number)
        if key not in self._minds:
            if len(self._minds) > 256:  # the oldest are gone from the picture
                self._minds = dict(list(self._minds.items())[128:])
            kind = sum(thing.kind.encode())
            self._minds[key] = Mind(self._profile, np.random.default_rng([self._seed, kind, thing.number]))
        return self._minds[key]

    def _jittered(self, box: Box, mind: Mind, fresh: list[float]) -> Box:
        top, left, bottom, right = box
        width, height = right - left, bottom - top
        factor = self._profile.jitter * mind.off_by(1)
        x, foot, wide, tall = (
            factor * (JITTER[i] * fresh[1 + i] + BREATH[i] * mind.slow[4 + i]) for i in range(4)
        )
        x, bottom = (left + right) / 2 + x * width, bottom + foot * height
        width, height = width * math.exp(wide), height * math.exp(tall)
        return cut((bottom - height, x - width / 2, bottom, x + width / 2))


class Alarms:
    """Boxes around nothing: they begin anywhere, stay where they are and go."""

    def __init__(self, profile: Profile, dice: np.random.Generator) -> None:
        over = 1.0 - NormalDist(ALARM, ALARMS).cdf(0.0)
        self._per_second = profile.alarms / 60.0 / over
        self._stay, self._dice = profile.stay, dice
        self._time: float | None = None
        self._live: list[tuple[float, One]] = []

    def at(self, time: float) -> list[One]:
        """Those at ``time``."""
        elapsed = self._stay if self._time is None else time - self._time
        self._time = time
        dice = self._dice
        for _ in range(int(dice.poisson(self._per_second * elapsed))):
            began = time - float(dice.random()) * elapsed
            self._live.append((began + float(dice.exponential(self._stay)), self._new()))
        self._live = [(ends, one) for ends, one in self._live if ends > time]
        return [self._now(one) for _, one in self._live]

    def _new(self) -> One:
        dice = self._dice
        height = float(dice.uniform(0.1, 0.5))
        width = height * float(dice.uniform(0.3, 1.2))
        x, foot = float(dice.random()), float(dice.uniform(0.4, 1.0))
        kind = "person" if dice.random() < 0.6 else "car"
        box = cut((foot - height, x - width / 2, foot, x + width / 2))
        return One(float(dice.normal(ALARM, ALARMS)), box, kind, -1)

    def _now(self, one: One) -> One:
        top, left, bottom, right = one.box
        shake = (self._dice.standard_normal(4) * 0.01).tolist()
        box = cut((top + shake[0], left + shake[1], bottom + shake[2], right + shake[3]))
        return one._replace(box=box, logit=one.logit + FAST * float(self._dice.standard_normal()))


def cut(box: Box) -> Box:
    """The part inside the picture, of some size."""
    top, left, bottom, right = (min(1.0, max(0.0, one)) for one in box)
    return min(top, 0.999), min(left, 0.999), max(bottom, top + 0.001), max(right, left + 0.001)


def shared(a: Box, b: Box) -> float:
    """The area of what two boxes have in common."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    both = shared(a, b)
    return both / max(1e-12, area(a) + area(b) - both)


def shown(thing: Thing, nearer: Sequence[Thing]) -> tuple[float, float, Box]:
    """What share of a thing is inside the picture, what share of that none of the ``nearer`` hides, and the
    largest part of its box that is not behind the worst of them.
    """
    whole = area(thing.box)
    hidden, worst, most = 0.0, None, 0.0
    for one in nearer:
        both = shared(thing.box, one.box)
        hidden += both
        if both > most:
            worst, most = one, both
    inside = whole / max(1e-12, area(thing.body))
    seen = max(0.0, 1.0 - BODY * hidden / max(1e-12, whole))
    visible = rest(thing.box, worst.box) if worst is not None and most > 0.25 * whole else thing.box
    return min(1.0, inside), seen, visible


def rest(box: Box, before: Box) -> Box:
    """The largest of what is left of a box beside and above the one before it."""
    top, left, bottom, right = box
    parts = (
        (top, left, bottom, max(left, min(right, before[1]))),
        (top, min(right, max(left, before[3])), bottom, right),
        (top, left, max(top, min(bottom, before[0])), right),
    )
    return max(parts, key=area)


def blended(box: Box, visible: Box, mood: float) -> Box:
    """A box between the whole and what is visible of it: detectors guess the rest, more or less."""
    share = 1.0 / (1.0 + math.exp(-1.5 * mood))
    a, b, c, d = (whole + share * (part - whole) for whole, part in zip(box, visible, strict=True))
    return a, b, c, d


def doubled(box: Box, mood: Sequence[float]) -> Box:
    """A second box around the same thing: wider mostly, less high, and somewhat to a side."""
    top, left, bottom, right = box
    width = (right - left) * math.exp(0.4 + 0.35 * mood[0])
    middle = (left + right) / 2 + 0.25 * mood[1] * (right - left)
    top = bottom - (bottom - top) * min(1.1, 0.9 + 0.12 * mood[2])
    return cut((top, middle - width / 2, bottom, middle + width / 2))


def told(time: float, found: list[One]) -> Seen:
    """What comes out: best first, without what another suppresses, scores in 256ths."""
    kept: list[One] = []
    for one in sorted(found, key=lambda one: -one.logit):
        if all(one.kind != other.kind or overlap(one.box, other.box) <= OVERLAP for other in kept):
            kept.append(one)
    kept = kept[:MOST]
    scores = [round(256.0 / (1.0 + math.exp(-one.logit))) / 256.0 for one in kept]
    return Seen(
        time,
        np.array([one.box for one in kept], np.float32).reshape(-1, 4),
        tuple(one.kind for one in kept),
        np.array(scores, np.float32),
        tuple(one.of for one in kept),
    )
