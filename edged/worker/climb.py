"""From one rung to another while frames go on: what is wanted, what is being opened, what works now.

An Edge TPU holds one model at a time, so between two models that both want it the first one has to go before
the second one is opened. Nobody looks meanwhile, and that time is blind; everything else is opened beside the
work.
"""

from __future__ import annotations

from edged.errors import UnavailableError
from edged.wall import Declined
from edged.worker.ladder import Footing, Ladder, Opener, returned
from edged.worker.reader import Prepared, Reader


class Climb:
    """``footing`` is what works now, None while nothing does; ``stands`` its (rung, threads), or that of the
    last one.
    """

    def __init__(self, ladder: Ladder, footing: Footing, reader: Reader) -> None:
        self._ladder, self._reader = ladder, reader
        self._opener = Opener(ladder)
        self.footing: Footing | None = footing
        self.stands = self._wanted = (footing.rung, footing.threads)
        self._coming: Footing | None = None
        self._vacating = self._paused = False

    def direct(self, rung: int, threads: int) -> None:
        """This rung is wanted from now on; the last word counts."""
        self._wanted = (rung, self._ladder.threads(rung, threads))

    def pause(self, paused: bool) -> None:
        """Begin no frame while ``paused``. Raises what the source raised."""
        self._paused = paused
        if paused:
            self._reader.hold()
        elif self.footing is not None and not self._vacating:
            self._reader.resume()

    @property
    def under_way(self) -> bool:
        """Whether there is something to ``follow``."""
        return self._wanted != self.stands or self._vacating or self._coming is not None or self._opener.busy

    def follow(self) -> Footing | Declined | None:
        """A step on the way, without waiting: a footing to stand on at once, or a refusal to pass on.

        Raises ``UnavailableError`` when there is nothing left to stand on.
        """
        if self._coming is not None:
            return self._coming if self._reader.idle else None
        if not self._opener.busy:
            return self._begun()
        made = self._opener.taken()
        if isinstance(made, Declined):
            return self._refused(made)
        return self._opened(made) if made is not None else None

    def wait(self, seconds: float) -> None:
        """Until what is being opened is open, at most so long: there is nothing else to do."""
        self._opener.wait(seconds)

    def next_for(self, frame: Prepared) -> Footing | None:
        """The footing to stand on from this frame on: the first one that was prepared for it."""
        if self._coming is not None and frame.by is self._coming.prepare:
            return self._coming
        return None

    def stand(self, footing: Footing) -> None:
        """Stand on it from now on; the one before is dropped here."""
        self.footing, self._coming, self._vacating = footing, None, False
        returned()
        self.stands = (footing.rung, footing.threads)
        self._reader.prepare = footing.prepare
        if not self._paused:
            self._reader.resume()

    def close(self) -> None:
        """Wait a moment for what is being opened."""
        self._opener.close()

    def _begun(self) -> Footing | None:
        """Open what is wanted; a footing that is wanted only by another name is there already."""
        if self.footing is not None:
            if self._wanted == self.stands:
                self._vacating = False
                self.pause(self._paused)
                return None
            if self._same():
                return self.footing._replace(threads=self._wanted[1])
            if self._contended() and not self._vacated():
                return None
        self._opener.begin(*self._wanted, self._reader.shape)
        return None

    def _same(self) -> bool:
        """An Edge TPU does not care for threads."""
        footing = self.footing
        return (
            footing is not None and footing.rung == self._wanted[0] and footing.network.delegate == "edgetpu"
        )

    def _contended(self) -> bool:
        footing = self.footing
        return (
            footing is not None
            and footing.network.delegate == "edgetpu"
            and self._ladder.wants_tpu(self._wanted[0])
        )

    def _vacated(self) -> bool:
        """Give the Edge TPU up once the frames that were begun have been looked at."""
        self._vacating = True
        self._reader.hold()
        if self._reader.idle:
            self.footing = None
            returned()
        return self.footing is None

    def _opened(self, made: Footing) -> Footing | None:
        if (made.rung, made.threads) != self._wanted:
            return None  # another was asked for meanwhile: this one is dropped, and that one opened next
        if self.footing is None or self._reader.idle:
            return made
        self._coming = made
        self._reader.prepare = made.prepare
        return None

    def _refused(self, why: Declined) -> Declined:
        refused = (why.rung, why.threads)
        if self.footing is None and refused == self.stands:
            raise UnavailableError(why.message, why.hint)
        if refused == self._wanted:
            self._wanted = self.stands
        return why
