"""How the daemon does, judged and put into one line. Pure: what is known is passed in.

Three judgements: whether it is *ready* (every enabled pipeline has made an inference or says why not), what
its status line says, and whether it makes *progress*, which alone feeds the watchdog.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

SLACK: Final = 5.0  # seconds that a deed may be late: a commit to a slow card holds the loop up for as long
LONGEST_WHY: Final = 120  # characters of a reason within the status line


class Condition(NamedTuple):
    """One pipeline. ``asked`` and ``directed`` are frames per second that the owner wants and that the
    worker may make (0: unknown, or as many as it goes); ``due`` is by when its keeper owes a deed
    (``CLOCK_MONOTONIC``; infinite: never).
    """

    name: str
    state: str
    why: str = ""
    settled: bool = True
    asked: float = 0.0
    directed: float = 0.0
    due: float = math.inf


class Outlook(NamedTuple):
    """Everything that is judged. ``frames`` were analysed so far, ``commit_due`` is when the next commit is
    to be tried, ``remarks`` are what is wrong beside the pipelines. ``leaving`` are pipelines whose workers
    are on their way out.
    """

    pipelines: tuple[Condition, ...]
    commit_due: float
    frames: int = 0
    remarks: tuple[str, ...] = ()
    leaving: tuple[Condition, ...] = ()


class Line(NamedTuple):
    """The status line: its words, and the numbers that swing. None: not known."""

    words: tuple[str, ...]
    budget: int | None = None
    fps: float | None = None
    celsius: float | None = None

    def __str__(self) -> str:
        """``2 of 3 pipelines count, 9.8 fps, budget 100 %, 51.2 °C; gate: backoff: /dev/video0 is not
        there``
        """
        first, *rest = self.words
        numbers = (
            "" if self.fps is None else f"{self.fps:.1f} fps",
            "" if self.budget is None else f"budget {self.budget} %",
            "" if self.celsius is None else f"{self.celsius:.1f} °C",
        )
        return "; ".join([", ".join(filter(None, (first, *numbers))), *rest])

    def matters_after(self, told: Line | None) -> bool:
        """Whether it is news to who was ``told`` that: other words, another budget, or numbers that have
        moved by more than they always swing.
        """
        if told is None or (self.words, self.budget) != (told.words, told.budget):
            return True
        return _moved(self.fps, told.fps, 0.05 * (told.fps or 0.0)) or _moved(self.celsius, told.celsius, 2.0)


def _moved(now: float | None, before: float | None, swing: float) -> bool:
    if now is None or before is None:
        return now is not before
    return abs(now - before) > max(swing, 0.25)


def ready(pipelines: Iterable[Condition]) -> bool:
    """Whether nobody needs to wait for anything any more."""
    return all(one.settled for one in pipelines)


def line(outlook: Outlook, fps: float | None = None, celsius: float | None = None) -> Line:
    """What there is to say."""
    at_work = [one for one in outlook.pipelines if one.state == "running"]
    words = (_count(outlook.pipelines, len(at_work)), *map(_trouble, _others(outlook)), *outlook.remarks)
    return Line(words, budget(at_work), fps if at_work else None, celsius)


def summary(outlook: Outlook) -> str:
    """How many count, and who does not: for the journal, which has heard each reason already."""
    others = (f"{one.name}: {_state(one)}" for one in _others(outlook))
    at_work = len(outlook.pipelines) - len(_others(outlook))
    return "; ".join((_count(outlook.pipelines, at_work), *others))


def _count(pipelines: Sequence[Condition], at_work: int) -> str:
    if not pipelines:
        return "no pipeline is enabled"
    several = "pipelines count" if len(pipelines) > 1 else "pipeline counts"
    return f"{at_work} of {len(pipelines)} {several}"


def _others(outlook: Outlook) -> list[Condition]:
    """Those of whom something is to be said."""
    return [one for one in outlook.pipelines if one.state != "running"]


def _trouble(one: Condition) -> str:
    why = one.why if len(one.why) <= LONGEST_WHY else f"{one.why[: LONGEST_WHY - 1]}…"
    return f"{one.name}: {_state(one)}: {why}" if why else f"{one.name}: {_state(one)}"


def _state(one: Condition) -> str:
    """A worker that is tried again starts and fails, starts and fails: one state, not news each time."""
    return "backoff" if one.state == "starting" and one.settled else one.state


def budget(at_work: Iterable[Condition]) -> int | None:
    """What the workers may do of what was asked, in per cent; None when nobody works or nothing is known."""
    known = [one for one in at_work if one.asked]
    if not known:
        return None
    return round(100.0 * sum(one.directed for one in known) / sum(one.asked for one in known))


def stalled(outlook: Outlook, now: float) -> str:
    """Who has not done what was due, with a word on what that means; "" when all is well.

    A worker's silence is its keeper's business and no reason to end the whole daemon: the keeper owes its
    end, then the next start. Only a keeper that owes for too long, or a commit that nobody tries, says that
    the daemon itself is broken, and that systemd should replace it.
    """
    late = [one.name for one in (*outlook.pipelines, *outlook.leaving) if now > one.due + SLACK]
    if late:
        return f"nobody looks after {', '.join(late)}"
    if now > outlook.commit_due + SLACK:
        return f"no commit was tried for {now - outlook.commit_due:.0f} s"
    return ""
