"""From one rung to another while frames go on: what is wanted, what is being opened, what works now.

Everything is opened beside the work but what wants the Edge TPU: a locked worker cannot open that device,
and it holds one model at a time. Then this worker has to go, and the next one begins there; nobody looks
meanwhile, and that time is blind.
"""

from __future__ import annotations

from edged.wall import Declined
from edged.worker.ladder import Footing, Ladder, Opener, returned
from edged.worker.reader import Prepared, Reader
from edged.worker.shelf import AfreshError


class Climb:
    """``footing`` is what works now; ``stands`` its (rung, threads)."""

    def __init__(self, ladder: Ladder, footing: Footing, reader: Reader) -> None:
        self._ladder, self._reader = ladder, reader
        self._opener = Opener(ladder)
        self.footing = footing
        self.stands = self._wanted = (footing.rung, footing.threads)
        self._coming: Footing | None = None
        self._paused = False

    def direct(self, rung: int, threads: int) -> None:
        """This rung is wanted from now on; the last word counts."""
        self._wanted = (rung, self._ladder.threads(rung, threads))

    def pause(self, paused: bool) -> None:
        """Begin no frame while ``paused``. Raises what the source raised."""
        self._paused = paused
        if paused:
            self._reader.hold()
        else:
            self._reader.resume()

    @property
    def under_way(self) -> bool:
        """Whether there is something to ``follow``."""
        return self._wanted != self.stands or self._coming is not None or self._opener.busy

    def follow(self) -> Footing | Declined | None:
        """A step on the way, without waiting: a footing to stand on at once, or a refusal to pass on.

        Raises ``AfreshError`` when another worker has to go there.
        """
        if self._coming is not None:
            return self._coming if self._reader.idle else None
        if not self._opener.busy:
            return self._begun()
        made = self._opener.taken()
        if isinstance(made, Declined):
            return self._refused(made)
        return self._opened(made) if made is not None else None

    def next_for(self, frame: Prepared) -> Footing | None:
        """The footing to stand on from this frame on: the first one that was prepared for it."""
        if self._coming is not None and frame.by is self._coming.prepare:
            return self._coming
        return None

    def stand(self, footing: Footing) -> None:
        """Stand on it from now on; the one before is dropped here."""
        self.footing, self._coming = footing, None
        returned()
        self.stands = (footing.rung, footing.threads)
        self._reader.prepare = footing.prepare
        if not self._paused:
            self._reader.resume()

    def close(self) -> None:
        """Wait a moment for what is being opened, and overwrite what the last frame left in the model."""
        self._opener.close()
        self.footing.network.wipe()

    def _begun(self) -> Footing | None:
        """Open what is wanted; a footing that is wanted only by another name is there already."""
        if self._wanted == self.stands:
            return None
        if self._same():
            return self.footing._replace(threads=self._wanted[1])
        if self._ladder.wants_tpu(self._wanted[0]):
            raise AfreshError("the model is for the Edge TPU, which only a new worker can open")
        self._opener.begin(*self._wanted, self._reader.shape)
        return None

    def _same(self) -> bool:
        """An Edge TPU does not care for threads."""
        return self.footing.rung == self._wanted[0] and self.footing.network.delegate == "edgetpu"

    def _opened(self, made: Footing) -> Footing | None:
        if (made.rung, made.threads) != self._wanted:
            return None  # another was asked for meanwhile: this one is dropped, and that one opened next
        if self._reader.idle:
            return made
        self._coming = made
        self._reader.prepare = made.prepare
        return None

    def _refused(self, why: Declined) -> Declined:
        if (why.rung, why.threads) == self._wanted:
            self._wanted = self.stands
        return why
