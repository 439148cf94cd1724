"""Sound that carries a marker: noise that was never heard before, and every form that the pipeline makes of
it, from the file's bytes to the model's input.
"""

from __future__ import annotations

import secrets
import wave
from pathlib import Path
from typing import Any, Final

import numpy as np
from forms import Forms, mean_of, shifted

from edged.config.shape import File
from edged.errors import EndOfSource
from edged.worker.intake import Window
from edged.worker.source import WantWindow, opened
from edged.worker.source.sound import Recording
from edged.worker.window import WindowPreparation

RATE: Final = 16_000  # samples a second that the models take
WINDOW: Final = 4_000  # samples: the next one begins an eighth of a second later
ORIGINAL: Final = 48_000  # samples a second of the recording that must be resampled
SECONDS: Final = 0.5
#: Of a window as a quantised model takes it: a step of -1..1.
STEP: Final = 1 / 128


class SoundMarker(Forms):
    """``voice``: WAV, stereo, at another rate than its model's, which takes floats. ``whisper``: FLAC, at the
    rate of its model, which is quantised.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        shape = [1, WINDOW, 1]
        (folder / "ear.tflite").write_bytes(mean_of(shape, "float32"))
        (folder / "small-ear.tflite").write_bytes(mean_of(shape, "int8", STEP))
        self.voice, self.whisper = folder / "voice.wav", folder / "whisper.flac"
        self._record_voice()
        self._record_whisper()
        self._tell("voice", self.voice, Window((1, WINDOW, 1), "float32"))
        self._tell("whisper", self.whisper, Window((1, WINDOW, 1), "int8", STEP))

    def _record_voice(self) -> None:
        samples = secrets.token_bytes(int(2 * 2 * ORIGINAL * SECONDS))
        with wave.open(str(self.voice), "w") as file:
            file.setparams((2, 2, ORIGINAL, 0, "NONE", ""))
            file.writeframes(samples)
        self._decoded("voice", np.frombuffer(samples, "<i2").reshape(-1, 2))

    def _record_whisper(self) -> None:
        import av

        samples = np.frombuffer(secrets.token_bytes(int(2 * RATE * SECONDS)), "<i2")
        with av.open(str(self.whisper), "w") as container:
            stream = container.add_stream("flac", rate=RATE, layout="mono")
            frame = av.AudioFrame.from_ndarray(samples[None], "s16", "mono")
            frame.sample_rate = RATE
            fifo = av.AudioFifo()
            fifo.write(frame)
            while (part := fifo.read(stream.codec_context.frame_size, partial=True)) is not None:
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
        self.add("whisper: file", *shifted(_frames(self.whisper.read_bytes())))
        self._decoded("whisper", samples[:, None])

    def _decoded(self, name: str, samples: Any) -> None:
        """int16 [samples, channels], as it is in the file or comes out of the decoder."""
        whole = samples.astype(np.float32)
        for form, numbers in (("floats", whole), ("floats of -1..1", whole / np.float32(32768))):
            self.add(f"{name}: {form}", numbers.tobytes(), numbers.T.tobytes(), plain=True)
        self.add(f"{name}: PCM", samples.tobytes(), *(one.tobytes() for one in samples.T))

    def _tell(self, name: str, path: Path, window: Window) -> None:
        """What the worker makes of it, step by step."""
        want = WantWindow(WINDOW, 1, float(RATE), 0.0)
        reel = Recording(path, path.open("rb"), want)
        rate = reel._stream.codec_context.sample_rate
        self.add(f"{name}: mono", b"".join(part.tobytes() for part in reel._decoded(rate)))
        reel.close()
        reel = Recording(path, path.open("rb"), want)
        resampled = b"".join(part.tobytes() for part in reel._resampled())
        reel.close()
        self.add(f"{name}: resampled", resampled)
        self._windows(name, path, want, WindowPreparation(window), resampled)

    def _windows(
        self, name: str, path: Path, want: WantWindow, prepare: WindowPreparation, resampled: bytes
    ) -> None:
        source, windows = opened(File(path=str(path), pace="fast"), want), list[Any]()
        try:
            while (frame := source.read(1.0)) is not None:
                windows.append(frame.data.copy())
        except EndOfSource:
            pass
        assert windows[0].tobytes() in resampled, "the windows are not cut from what is looked for"
        self.add(f"{name}: windows", *(one.tobytes() for one in windows), plain=True)
        self.add(f"{name}: tensors", *(prepare(one).tobytes() for one in windows))


def _frames(flac: bytes) -> bytes:
    """A FLAC file (RFC 9639) without its metadata and its first frame's head: those are everybody's."""
    at, last = 4, False
    while not last:
        last = bool(flac[at] & 0x80)
        at += 4 + int.from_bytes(flac[at + 1 : at + 4], "big")
    return flac[at + 16 :]
