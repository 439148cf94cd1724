"""Which sources give nothing that can be counted, and since when that is worth a word. Pure: times are passed
in.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from edged.config import shape

#: Seconds for which it has to be so: somebody who walks past the lens is no news.
STEADY: Final = 10.0

#: Why lines are not counted; it is in nobody's choice, for there are no numbers.
OF_LINES: Final = ("malformed",)
WORDS: Final = {
    "dark": "it is too dark",
    "covered": "something covers the lens, or it shows nothing at all",
    "blurred": "the picture is out of focus",
    "moved": "the camera was moved: its zones and lines are not where they were",
    "silent": "every sample is exactly zero, or none is a number: it is muted, or broken",
    "malformed": "lines come, but none gives each channel a number",
}


def reasons(pipeline: shape.Pipeline) -> tuple[str, ...]:
    """All that its worker may name as why it counts nothing."""
    return OF_LINES if isinstance(pipeline.source, shape.Serial | shape.Feed) else pipeline.heeded


class News(NamedTuple):
    """An event of ``edged.events``, its text, and why."""

    event: str
    text: str
    reason: str


class View:
    """What one pipeline's worker says of its sight, tick by tick."""

    def __init__(self) -> None:
        self._told = self._heard = ""
        self._since = 0.0

    def heard(self, sight: str, start: float, end: float) -> News | None:
        """Of a tick of these times (seconds of its source's clock); what is news of it, if anything."""
        if sight != self._heard or start < self._since:
            self._heard, self._since = sight, start
        if self._heard == self._told or end - self._since < STEADY:
            return None
        before, self._told = self._told, self._heard
        if sight:
            return News("view-lost", f"{WORDS[sight]}; until that is over the time is blind", sight)
        return News("view-back", "that is over, and it is counted", before)

    @property
    def lost(self) -> str:
        """Why nothing of it is counted, "" if it is."""
        return self._told or self._heard
