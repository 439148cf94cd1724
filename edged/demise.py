"""How a worker ended, in words that are safe to print."""

from __future__ import annotations

import signal

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
