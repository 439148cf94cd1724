"""The reader: one thread that gets the next frame ready while the main thread is in ``invoke()``.

Of a live source one frame is ready at most: the reader begins the next one only when this one is taken, so
nothing queues up and nothing grows old. Of a recording a few are, so that waking the other thread costs no
time. Both run side by side because reading, resizing and invoking let go of the interpreter lock.

Each frame that may be begun has a token. ``hold`` keeps the tokens back, ``resume`` gives them out again; a
camera from which nothing is wanted for long rests meanwhile. It stays open: a locked worker opens nothing
again. A device that was ``lost`` is waited for, with the token kept, until ``regain`` brings it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edged.wall import Sight
from edged.worker.source import Lendable, Lined, LostError, Resting, Source

Prepare = Callable[[NDArray[Any]], NDArray[np.generic]]


#: Frames of a recording that are prepared ahead: with one, a small model waits for the reader to wake up.
AHEAD = 3
#: Seconds of a pause after which a camera rests: an idle sensor and its bus take power too.
PARKED_AFTER = 30.0
#: A first frame after a pause is of now if it is no older; drivers hand out first what they held since then.
FRESH = 1.0  # seconds
SIFTED = 2.0  # seconds for which old ones are left out: a clock that is not ours must not leave out all


class Prepared(NamedTuple):
    """A frame as the model wants it: its time (see ``Frame``), what making it so cost in seconds, and who
    made it so. ``sight`` says why it is not to be counted, "" if it is.
    """

    tensor: NDArray[np.generic]
    time: float
    cost: float
    by: Prepare
    sight: Sight = ""


class Watch(Protocol):
    """Judges frames one after the other: whether the source sees, or hears, at all."""

    def __call__(self, data: NDArray[Any], time: float, /) -> Sight:
        """Why this frame's ``data`` (see ``Frame``) is not to be counted, "" if it is."""

    def wipe(self) -> None:
        """Overwrite what was learnt."""


class Reader:
    """Frames, prepared ahead by ``prepare``, which may be exchanged at any time: frames that are under way
    still come from the one before. All methods are for the main thread.

    A source that can rest does so in a long pause. ``watch`` judges whether frames can be believed. Nothing
    is read before ``begin``.
    """

    #: Wait this long for a frame before looking whether to stop: it costs a wake-up a second while nothing
    #: comes.
    PATIENCE = 1.0

    def __init__(self, source: Source, prepare: Prepare, watch: Watch | None = None) -> None:
        self.prepare, self._source, self._watch = prepare, source, watch
        self._resting = source if isinstance(source, Resting) else None
        self._lendable = source if isinstance(source, Lendable) else None
        self._lined = source if isinstance(source, Lined) else None
        #: Set while the source's device has gone, and can be lent anew.
        self.lost: LostError | None = None
        self._found: SimpleQueue[int] = SimpleQueue()
        self._begun = False  # a frame, with its token
        self._ready: SimpleQueue[Prepared | Exception | None] = SimpleQueue()
        self._wanted: SimpleQueue[float] = SimpleQueue()
        self.recorded, self._rate = source.recorded, source.rate
        #: Of the pictures that came last, () before the first.
        self.shape: tuple[int, ...] = ()
        self._tokens = AHEAD if source.recorded else 1
        self._kept, self._held = 0, False
        self._since: float | None = None  # when a pause was over whose first frame has not come yet
        self._at_pause = self._forgiven = 0
        self._stopping = False
        self._asked = math.inf  # since when the source has been at a read
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def begin(self) -> None:
        """Read; while held, nothing before ``resume``. The thread that does so is one of whoever begins:
        locked, if they are.
        """
        self._thread.start()
        self._kept = self._tokens
        if not self._held:
            self._give_out()

    @property
    def fps(self) -> float:
        """The source's."""
        return self._source.fps

    @property
    def rate(self) -> float:
        """Frames per second wanted of the source, 0 for all."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate = self._source.rate = rate

    @property
    def dropped(self) -> int:
        """Frames that were due and came too late to be read; not those of a pause, which nobody wanted."""
        return self._source.dropped - self._forgiven

    @property
    def malformed(self) -> bool:
        """Whether lines come, and none of late was one."""
        return self._lined is not None and self._lined.malformed

    @property
    def silent(self) -> float:
        """Seconds for which the source has not come back from a read; it should within ``PATIENCE``."""
        return max(0.0, time.monotonic() - self._asked)

    def get(self, timeout: float, lead: float = 0.0) -> Prepared | None:
        """The next frame, None when there was none within ``timeout`` seconds. Raises what the source
        raised.

        The reader sets about the next one after ``lead`` seconds: with a slow model a frame that is read at
        once would be old when its turn comes.
        """
        try:
            item = self._ready.get(timeout=max(0.0, timeout))
        except Empty:
            return None
        if item is None:
            return None  # to wake us: there is news of the device
        if isinstance(item, Exception):
            raise item
        if self._held:
            self._kept += 1
        else:
            self._wanted.put(lead)
        return item

    def hold(self) -> None:
        """Begin no further frame. Those that were begun may still be had."""
        self._held = True

    @property
    def idle(self) -> bool:
        """Whether none is under way, and none is ready."""
        return self._kept == self._tokens

    def discard(self) -> None:
        """Forget the frames that are ready, while held. Raises what the source raised."""
        while self._held and not self._ready.empty():
            self.get(0.0)

    def resume(self) -> None:
        """Go on after ``hold``. What was ready of a live source is old by now."""
        if not self._held:
            return
        if not self.recorded:
            self.discard()
            self._at_pause, self._since = self._source.dropped, time.monotonic()
        self._held = False
        self._give_out()

    def _give_out(self) -> None:
        for _ in range(self._kept):
            self._wanted.put(0.0)
        self._kept = 0

    def regain(self, descriptor: int) -> None:
        """The device that was lost: the source goes on with it, or raises from ``get``."""
        self.lost = None
        self._found.put(descriptor)

    def close(self) -> None:
        """Stop reading and close the source. A source that hangs in the kernel is left behind: the process
        is about to end.
        """
        self._stopping = True
        self._wanted.put(0.0)
        self._found.put(-1)
        if self._thread.ident is not None:
            self._thread.join(0.0 if self.silent > 2.0 * self.PATIENCE else 2.0)
        if not self._thread.is_alive():
            self._source.close()
            if self._watch is not None:
                self._watch.wipe()
            while not self._ready.empty():
                if isinstance(left := self._ready.get(), Prepared):
                    left.tensor.fill(0)

    # --- the reader's own thread

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except (
            Exception
        ) as error:  # the main thread tells; a thread that dies silently would look like a frozen camera
            self._ready.put(error)

    def _turn(self) -> None:
        """One frame, or the way back to a device that was lost meanwhile."""
        try:
            if not self._begun and (lead := self._token()):
                time.sleep(lead)
            self._hand_over()
        except LostError as error:
            if self._lendable is None:
                raise
            self._recover(self._lendable, error)

    def _recover(self, source: Lendable, error: LostError) -> None:
        while not self._stopping:
            self._asked, self.lost = math.inf, error
            self._ready.put(None)
            if (descriptor := self._found.get()) < 0:
                return
            try:
                source.regain(descriptor)
            except LostError as again:
                error = again
            else:
                return

    def _token(self) -> float:
        """Wait for leave to begin a frame; after a long time without, the camera has its rest."""
        while True:
            try:
                lead = self._wanted.get(timeout=PARKED_AFTER if self._resting else None)
            except Empty:
                if self._held and self._resting is not None:
                    return self._parked(self._resting)
            else:
                self._begun = True
                return lead

    def _parked(self, camera: Resting) -> float:
        camera.rest()
        lead = self._wanted.get()
        self._begun = True
        if not self._stopping:
            camera.wake()
        return lead

    def _hand_over(self) -> None:
        while not self._stopping:
            self._asked = time.monotonic()
            frame = self._source.read(self.PATIENCE)
            self._asked = math.inf
            if frame is None:
                continue
            if self._since is not None:
                if frame.time < self._since - FRESH and time.monotonic() < self._since + SIFTED:
                    continue
                self._forgiven += self._source.dropped - self._at_pause
                self._since = None
            start = time.perf_counter()
            self.shape, prepare = frame.data.shape, self.prepare
            tensor = prepare(frame.data)
            self._begun = False
            sight = self._watch(frame.data, frame.time) if self._watch is not None else ""
            self._ready.put(Prepared(tensor, frame.time, time.perf_counter() - start, prepare, sight))
            return
