"""What is known of the Edge TPU from the workers that tried it: its library may end the whole process, and is
then left alone for a while.
"""

from __future__ import annotations

import signal

from edged.config.shape import Model
from edged.demise import death

#: Seconds until it is tried again; doubled each time.
RETRY_FIRST, RETRY_MOST = 600.0, 6 * 3600.0
AGAIN = "tries the Edge TPU again"
_ABRUPT = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS)


class Accelerator:
    """One pipeline's. ``because`` says why it is not to be tried now, "" when it may be."""

    def __init__(self) -> None:
        self.because = ""
        self._retry = RETRY_FIRST

    def next_try(self) -> float:
        """In how many seconds."""
        now, self._retry = self._retry, min(RETRY_MOST, self._retry * 2)
        return now

    def ended_it(self, status: int, at_work: bool, tried: Model | None) -> bool:
        """Whether it is to blame for a worker's end: it was ``at_work``, or was perhaps being ``tried`` with
        that model.
        """
        if status not in _ABRUPT or self.because:
            return False
        return at_work or (tried is not None and tried.delegate != "cpu" and _may_try(tried))

    def blame(self, status: int) -> None:
        """The next worker does without."""
        self.because = f"the Edge TPU's library ended the whole process ({death(status)})"


def wanted(model: Model) -> bool:
    """Whether the owner asks for it."""
    return model.delegate == "edgetpu" or bool(model.edgetpu_file)


def _may_try(model: Model) -> bool:
    return wanted(model) or bool(model.delegate_library)
