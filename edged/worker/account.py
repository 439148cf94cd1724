"""What was done since the last tick, and the ticks that tell it over the wall."""

from __future__ import annotations

import time

from edged import rounding, wall
from edged.nouns import Entry
from edged.worker.measure import Left
from edged.worker.measure.amounts import Amounts
from edged.worker.reader import Reader

#: (start, end, observed seconds, blind seconds, entries): what ``Sums.taken`` gives.
Span = tuple[float, float, float, float, tuple[Entry, ...]]


class Account:
    """Counts frames and their cost until they are told. ``amounts`` is what happened, ``all`` the frames told
    since the beginning.
    """

    def __init__(self, channel: wall.Channel, reader: Reader) -> None:
        self._channel, self._reader = channel, reader
        self.amounts = Amounts()
        self.all = 0
        self._number = self._analysed = self._dropped = 0
        self._infer = self._prepare = self._cpu = 0.0
        self._drops, self._work = Left(rounding.coarse_drops), Left(rounding.coarse_work)

    def begin(self) -> None:
        """From now on the process's CPU counts: what it took to start is not the work's."""
        self._cpu = time.process_time()

    def add(self, infer: float, prepare: float) -> None:
        """One frame was analysed and took so many seconds."""
        self._analysed += 1
        self._infer += infer
        self._prepare += prepare

    def forget(self) -> None:
        """Frames that are in no tick yet will be in none."""
        self._analysed, self._infer, self._prepare = 0, 0.0, 0.0

    def tell(self, span: Span, stands: tuple[int, int], why: wall.Sight) -> None:
        """Send the tick of ``span``; ``stands`` are the rung and the threads that it is of, ``why`` what
        came in its blind seconds and was not counted. Raises ``BrokenPipeError`` when the daemon has
        gone.
        """
        start, end, observed, blind, entries = span
        # Where no time has passed no frame can be counted: the next tick tells of it.
        passed = end > start
        analysed = self._analysed if passed else 0
        each = 1.0 / analysed if analysed else 0.0
        dropped, cpu = self._reader.dropped, time.process_time()
        self._number += 1
        self._channel.send(
            wall.Tick(
                self._number,
                start,
                end,
                analysed,
                int(self._drops.told(dropped - self._dropped)),
                observed,
                blind,
                rounding.duration(self._infer * each),
                rounding.duration(self._prepare * each),
                entries,
                *stands,
                self._work.told(cpu - self._cpu),
                self.amounts.taken() if passed else (),
                why if blind else "",
            )
        )
        self.all += analysed
        if analysed:
            self.forget()
        self._dropped, self._cpu = dropped, cpu
