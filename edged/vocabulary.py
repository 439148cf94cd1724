"""What workers of a pipeline may say in words. Pure: the time is passed in.

Why a worker gives up, which runtime it found, why a rung cannot be had: that is text, of up to 400
characters, and it ends in the journal and in the store. A worker that was taken over could write a picture
into it, a piece each time it is replaced. So what was said before may come again as often as it likes, but
only so many messages may be worded anew: ``NEW_AT_ONCE``, and then one more in ``REFILL``. What is beyond
that is not passed on, and this is said instead.
"""

from __future__ import annotations

from typing import Final

import msgspec

from edged.wall import Declined, Ready, Switched, Trouble

NEW_AT_ONCE: Final = 8  # messages with words of their own: more than a ladder has rungs to decline
REFILL: Final = 3600.0  # seconds until one more may be worded anew
MOST_KNOWN: Final = 64  # wordings that are remembered, the oldest is forgotten first
UNTOLD: Final = "not passed on: it says something else each time"
#: Latin letters and what edged's own sentences need: 192 characters.
CHARACTERS: Final = frozenset(
    one for one in map(chr, (*range(0x20, 0x7F), *range(0xA0, 0x100), 0x2026)) if one.isprintable()
)

Worded = Ready | Switched | Declined | Trouble


class Vocabulary:
    """What the workers of one pipeline have said so far."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], None] = {}
        self._new, self._at = float(NEW_AT_ONCE), 0.0

    def heard(self, message: Worded, now: float) -> Worded:
        """The message with words that may be passed on."""
        worded = {name: plain(text) for name, text in _words(message).items()}
        lacking = message.lacking if isinstance(message, Ready) else ()
        if self._may((*worded.values(), *lacking), now):
            return msgspec.structs.replace(message, **worded)
        untold = {name: UNTOLD if name == "message" else "" for name in worded}
        untold |= dict.fromkeys(worded.keys() & {"runtime", "delegate"}, "?")
        if lacking:
            return msgspec.structs.replace(message, **untold, lacking=("untold",))
        return msgspec.structs.replace(message, **untold)

    def _may(self, words: tuple[str, ...], now: float) -> bool:
        self._new = min(NEW_AT_ONCE, self._new + max(0.0, now - self._at) / REFILL)
        self._at = now
        if words in self._known or not any(words):
            return True
        if self._new < 1.0:
            return False
        self._new -= 1.0
        self._known[words] = None
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return True


def _words(message: Worded) -> dict[str, str]:
    return {name: value for name, value in msgspec.structs.asdict(message).items() if isinstance(value, str)}


def plain(text: str) -> str:
    """Without what no sentence of edged's own has."""
    return "".join(one if one in CHARACTERS else "?" for one in text)
