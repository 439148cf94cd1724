"""Recordings for tests, made on the spot: frame ``n`` shows ``n`` as the grey level of its right half."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

STEP = 8  # grey levels between two frames


def picture(number: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """uint8 [height, width, 3]: left half middle grey, right half ``number * STEP``."""
    made = np.full((height, width, 3), 120, np.uint8)
    made[:, width // 2 :] = number * STEP
    return made


def number_of(shown: NDArray[np.uint8]) -> int:
    """Which frame a picture [H, W, C] is."""
    return round(float(shown[:, shown.shape[1] * 3 // 4 :].mean()) / STEP)


def movie(
    path: Path, codec: str = "mpeg4", frames: int = 20, fps: int = 10, form: str = "yuv420p", **options: str
) -> Path:
    """Write a video or an animated picture of ``frames`` frames to ``path``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, form
        stream.options = options
        for number in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def folder(path: Path, frames: int = 20) -> Path:
    """Write a folder of PNG pictures without leading zeros in their names."""
    path.mkdir(exist_ok=True)
    for number in range(frames):
        still(path / f"p{number}.png", picture(number))
    return path


def still(path: Path, shown: NDArray[np.uint8], codec: str = "png") -> Path:
    """Write one picture [H, W, 3]."""
    encoder = av.CodecContext.create(codec, "w")
    encoder.height, encoder.width = shown.shape[:2]
    encoder.pix_fmt, encoder.time_base = "bgr24" if codec == "bmp" else "rgb24", Fraction(1)
    packets = encoder.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")) + encoder.encode(None)
    path.write_bytes(b"".join(bytes(packet) for packet in packets))
    return path


def sound(
    path: Path,
    codec: str = "pcm_s16le",
    rate: int = 16000,
    seconds: float = 3.0,
    tones: tuple[float, ...] = (440.0,),
) -> Path:
    """Write a recording of ``seconds``: in each channel one of ``tones`` (Hz), at half of full scale."""
    layout = {1: "mono", 2: "stereo"}[len(tones)]
    time = np.arange(int(rate * seconds)) / rate
    shown = np.stack([0.5 * np.sin(2 * np.pi * tone * time) for tone in tones]).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate)
        for at in range(0, shown.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(shown[:, at : at + 1024]), "fltp", layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
            for one in resampler.resample(frame):
                container.mux(stream.encode(one))
        container.mux(stream.encode(None))
    return path
