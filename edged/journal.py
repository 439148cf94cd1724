"""What the daemon says: entries with fields where journald listens, plain lines on standard error elsewhere.

Only sentences of edged's own are said. Nothing that a worker computed with reaches a log. What others had a
hand in (a file's name, what a worker complained of) stays within its field: one line, printable, bounded.

A thing that happens over and over is said a few times and then counted: a pipeline that flaps for a year
must not fill an SD card.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from edged import __version__
from edged.events import KINDS, Kind

#: syslog's numbers; journald takes them from a leading "<n>" (sd-daemon(3)).
PRIORITIES: Final = {"debug": 7, "info": 6, "notice": 5, "warning": 4, "error": 3}
LISTENING: Final = Path("/run/systemd/journal/socket")
LONGEST: Final = 1000  # characters of a text or of a field
#: Of one kind and pipeline: so many at once, and from then on one each so many seconds. A camera that comes
#: and goes each minute says 300 lines a day instead of 3,000.
BURST: Final = 6
REFILL: Final = 600.0

Send = Callable[..., object]


class Said(NamedTuple):
    """An event as it was said: the store keeps the same."""

    name: str
    text: str
    pipeline: str


class Journal:
    """Says what is at least as grave as ``level``. ``clock`` gives monotonic seconds."""

    def __init__(self, level: str = "info", clock: Callable[[], float] = time.monotonic) -> None:
        self._most = PRIORITIES[level]
        self._clock = clock
        self._journald = _is_journal(sys.stderr)
        self._send = _sender() if self._journald else None
        self._rations: dict[tuple[str, str], Ration] = {}

    def heed(self, level: str) -> None:
        """From now on."""
        self._most = PRIORITIES[level]

    def say(self, priority: str, text: str, pipeline: str = "") -> None:
        """One line, without an event."""
        self._say(PRIORITIES[priority], _headed(pipeline, text), pipeline)

    def event(self, name: str, text: str, pipeline: str = "", **fields: object) -> str:
        """One of ``events.KINDS`` has happened. ``fields`` are those that its kind names.

        The text as it is to be kept in the store too; "" when it is held back because the same was said too
        often. ``settle`` gives that back.
        """
        kind, now = KINDS[name], self._clock()
        ration = self._rations.setdefault((name, pipeline), Ration(now))
        if ration.takes(now):
            return self._tell(kind, pipeline, Held(text, fields), ration.let_go(), now)
        ration.hold(text, fields, now)
        return ""

    def settle(self, everything: bool = False) -> list[Said]:
        """Say what was held back, as far as it may be said by now: the last of each with how many there were.

        To be called now and then, and at the end for ``everything``.
        """
        now, said = self._clock(), []
        for (name, pipeline), ration in list(self._rations.items()):
            if ration.held and (ration.takes(now) or everything):
                last = ration.let_go()
                text = self._tell(KINDS[name], pipeline, last, last._replace(number=last.number - 1), now)
                said.append(Said(name, text, pipeline))
            elif ration.is_full(now):
                del self._rations[name, pipeline]
        return said

    def _tell(self, kind: Kind, pipeline: str, what: Held, others: Held, now: float) -> str:
        text, fields = _line(what.text), what.fields
        if others.number:
            text += f" (and {others.number} more like it in the last {_span(now - others.since)})"
            fields = {**fields, "held_back": others.number}
        message = _headed(pipeline, f"{kind.name}: {text}")
        self._say(PRIORITIES[kind.priority], message, pipeline, kind, fields)
        return text

    def _say(
        self,
        number: int,
        message: str,
        pipeline: str,
        kind: Kind | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        """To journald if it listens and takes it, else to standard error."""
        if number > self._most:
            return
        if self._send is not None:
            try:
                self._send(*_entry(number, message, pipeline, kind, fields or {}))
                return
            except OSError:
                pass
        self._print(number, message)

    def _print(self, number: int, message: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more: counting goes on
            # On a terminal `edged run` keeps a line of its own, over which this one is written.
            clear = "\x1b[K" if sys.stderr.isatty() else ""
            mark = f"<{number}>" if self._journald else f"{clear}edged: "
            print(f"{mark}{message}", file=sys.stderr, flush=True)


def entered(name: str, text: str, **fields: object) -> bool:
    """An event that a command has brought about: for the journal alone, as the command itself tells who
    typed it.

    Whether journald took it: where none listens nothing is said.
    """
    send, kind = _sender(), KINDS[name]
    if send is None or not LISTENING.exists():
        return False
    try:
        send(*_entry(PRIORITIES[kind.priority], f"{name}: {_line(text)}", "", kind, fields))
    except OSError:
        return False
    return True


class Held(NamedTuple):
    """The last of ``number`` events that were held back since ``since``."""

    text: str = ""
    fields: Mapping[str, object] = {}
    number: int = 0
    since: float = 0.0


class Ration:
    """How often one thing may still be said, and what was held back of it."""

    def __init__(self, now: float) -> None:
        self._tokens, self._at = float(BURST), now
        self._held = Held()

    @property
    def held(self) -> int:
        """How many were held back."""
        return self._held.number

    def takes(self, now: float) -> bool:
        """Whether it may be said now; then it counts as said."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def is_full(self, now: float) -> bool:
        """Nothing of it is to be remembered."""
        self._refill(now)
        return self._tokens >= BURST and not self.held

    def _refill(self, now: float) -> None:
        self._tokens = min(BURST, self._tokens + (now - self._at) / REFILL)
        self._at = now

    def hold(self, text: str, fields: Mapping[str, object], now: float) -> None:
        """Count it, and remember the last."""
        bounded = {name: _line(str(value)) for name, value in fields.items()}
        since = self._held.since if self.held else now
        self._held = Held(_line(text), bounded, self.held + 1, since)

    def let_go(self) -> Held:
        """What was held back; it is told now."""
        held, self._held = self._held, Held()
        return held


def _entry(
    number: int, message: str, pipeline: str, kind: Kind | None, fields: Mapping[str, object]
) -> Iterable[str]:
    """The fields of an entry. None can become two: journald takes each with its length."""
    yield f"MESSAGE={message}"
    yield f"PRIORITY={number}"
    yield "SYSLOG_IDENTIFIER=edged"
    yield f"EDGED_VERSION={__version__}"
    if pipeline:
        yield f"EDGED_PIPELINE={_line(pipeline)}"
    if kind is not None:
        yield f"MESSAGE_ID={kind.message_id}"
        yield f"EDGED_EVENT={kind.name}"
    for name, value in fields.items():
        yield f"EDGED_{name.upper()}={_line(str(value))}"


def _headed(pipeline: str, text: str) -> str:
    return _line(f"{pipeline}: {text}" if pipeline else text)


def _line(text: str) -> str:
    """One line of printable characters; a terminal that shows it can be told nothing by it."""
    line = "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _span(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 120 else f"{round(minutes / 60)} h"


def _is_journal(stream: object) -> bool:
    """Whether ``stream`` leads to journald, as systemd says it: its device and inode in $JOURNAL_STREAM.

    The variable alone proves nothing: a terminal's shell may have inherited it.
    """
    try:
        found = os.fstat(stream.fileno())  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _sender() -> Send | None:
    """journald's own client, None where python3-systemd is not installed (or is something else).

    Not ``systemd.journal``: that loads ``logging``, and costs the daemon twice as much (docs/adr/0016).
    """
    try:
        from systemd import _journal  # type: ignore[attr-defined, import-untyped, unused-ignore]

        return _journal.sendv  # type: ignore[no-any-return, unused-ignore]
    except (ImportError, AttributeError):
        return None
