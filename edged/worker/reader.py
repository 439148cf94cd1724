"""The reader: one thread that gets the next frame ready while the main thread is in ``invoke()``.

Of a live source one frame is ready at most: the reader begins the next one only when this one is taken, so
nothing queues up and nothing grows old. Of a recording a few are, so that waking the other thread costs no
time. Both run side by side because reading, resizing and invoking let go of the interpreter lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edged.worker.source import Source

Prepare = Callable[[NDArray[np.uint8]], NDArray[np.generic]]


#: Frames of a recording that are prepared ahead: with one, a small model waits for the reader to wake up.
AHEAD = 3


class Prepared(NamedTuple):
    """A frame as the model wants it: its time (see ``Frame``) and what making it so cost in seconds."""

    tensor: NDArray[np.generic]
    time: float
    cost: float


class Reader:
    """Frames, prepared ahead. ``get`` is for the main thread, everything else happens in the
    reader's own.
    """

    #: Wait this long for a frame before looking whether to stop: it costs a wake-up a second while nothing
    #: comes.
    PATIENCE = 1.0

    def __init__(self, source: Source, prepare: Prepare) -> None:
        self._source, self._prepare = source, prepare
        self._ready: SimpleQueue[Prepared | Exception] = SimpleQueue()
        self._wanted: SimpleQueue[float] = SimpleQueue()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()
        for _ in range(AHEAD if source.recorded else 1):
            self._wanted.put(0.0)

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
        if isinstance(item, Exception):
            raise item
        self._wanted.put(lead)
        return item

    def close(self) -> None:
        """Stop reading and close the source. A source that hangs in the kernel is left behind: the process
        is about to end.
        """
        self._stopping = True
        self._wanted.put(0.0)
        self._thread.join(2.0)
        if not self._thread.is_alive():
            self._source.close()

    def _run(self) -> None:
        try:
            while not self._stopping:
                lead = self._wanted.get()
                if lead:
                    time.sleep(lead)
                self._hand_over()
        except (
            Exception
        ) as error:  # the main thread tells; a thread that dies silently would look like a frozen camera
            self._ready.put(error)

    def _hand_over(self) -> None:
        while not self._stopping:
            frame = self._source.read(self.PATIENCE)
            if frame is not None:
                start = time.perf_counter()
                tensor = self._prepare(frame.picture)
                self._ready.put(Prepared(tensor, frame.time, time.perf_counter() - start))
                return
