"""How a worker ended, in words that are safe to print."""

from __future__ import annotations

import signal
from typing import NamedTuple

from edged.wall import Declined, Trouble


def sentence(trouble: Trouble | Declined) -> str:
    """What a worker said last: it is not to be believed, and not to be printed as it is."""
    text = f"{trouble.message} ({trouble.hint})" if trouble.hint else trouble.message
    return "".join(one if one.isprintable() else "?" for one in text)


def death(status: int) -> str:
    """What its exit status (``os.waitstatus_to_exitcode``: negative is the signal) says."""
    if status < 0:
        try:
            return f"the worker was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"the worker was ended by signal {-status}"
    return f"the worker ended by itself with status {status}"


class Demise(NamedTuple):
    """A worker's end: its exit ``status``, the ``trouble`` that it told before, and ``why`` its keeper gave
    it up, "" when that did not.
    """

    status: int
    trouble: Trouble | None
    why: str

    @property
    def final(self) -> bool:
        """Whether the worker said that no other worker will do better."""
        return self.trouble is not None and self.trouble.final

    @property
    def afresh(self) -> bool:
        """Whether the worker said that only a new one can do what it was told."""
        return self.trouble is not None and self.trouble.afresh

    def __str__(self) -> str:
        return sentence(self.trouble) if self.trouble else self.why or death(self.status)
