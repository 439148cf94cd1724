"""Sounds for tests, made on the spot, whose true numbers are known; and a small ear that hears them where
the real model is not at hand.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from drafts import Draft
from numpy.typing import NDArray

RATE = 16_000
WINDOW = 15_600
Samples = NDArray[np.float64]


def song(seconds: float, rng: np.random.Generator) -> Samples:
    """A bird's: chirps around 3 kHz, each a sweep that trembles."""
    made, at = np.zeros(int(seconds * RATE)), 0.0
    while at < seconds - 0.2:
        lasts = rng.uniform(0.06, 0.18)
        first, count = int(at * RATE), int(lasts * RATE)
        share = np.arange(count) / count
        low = 3000.0 * rng.uniform(0.8, 1.2)
        swept = low * (1.0 + (rng.uniform(0.7, 1.4) - 1.0) * share)
        swept += 300.0 * np.sin(2 * np.pi * 30.0 * share * lasts)
        made[first : first + count] += (
            0.3 * np.sin(np.pi * share) ** 0.7 * np.sin(2 * np.pi * np.cumsum(swept) / RATE)
        )
        at += lasts + rng.uniform(0.03, 0.1)
    return made


def hum(seconds: float, rng: np.random.Generator) -> Samples:
    """A transformer's: 50 Hz with all of its harmonics, and the fan's air."""
    at = np.arange(int(seconds * RATE)) / RATE
    tones = sum(np.sin(2 * np.pi * 50.0 * n * at + n * n) / n for n in range(1, 30))
    spectrum = np.fft.rfft(rng.normal(size=at.size))
    frequency = np.fft.rfftfreq(at.size, 1 / RATE)
    air = np.fft.irfft(np.where(frequency > 30.0, spectrum / np.maximum(frequency, 30.0), 0.0), at.size)
    return 0.1 * (tones + 0.4 * air / air.std())


def recording(path: Path, bouts: Sequence[tuple[float, float]], seconds: float, kind: str) -> Path:
    """Write ``seconds`` of a quiet place in which it sounds from ... to."""
    rng = np.random.default_rng(7)
    made = rng.normal(0.0, 0.0005, int(seconds * RATE))
    for begin, end in bouts:
        part = (song if kind == "song" else hum)(end - begin, rng)
        made[int(begin * RATE) : int(begin * RATE) + part.size] += part
    with wave.open(str(path), "w") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((np.clip(made, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def ear(bands: Sequence[tuple[float, float]]) -> bytes:
    """A model of a second of sound: how much of it lies in each band (from ... to, in Hz), as scores."""
    taps, steps = 128, 16
    at = (np.arange(taps) - taps / 2 + 0.5) / RATE
    window = np.hanning(taps)
    kernels = np.zeros((len(bands), 1, taps, 1), np.float32)
    for number, (low, high) in enumerate(bands):
        kernel = 2 * high * np.sinc(2 * high * at) - 2 * low * np.sinc(2 * low * at)
        kernels[number, 0, :, 0] = kernel * window / RATE
    draft = Draft()
    given = draft.tensor("sound", [WINDOW])
    line, width = draft.tensor("line", [1, 1, WINDOW, 1]), (WINDOW - taps) // steps + 1
    draft.reshape(given, line, [1, 1, WINDOW, 1])
    weights = draft.tensor("kernels", list(kernels.shape), data=kernels)
    bias = draft.tensor("bias", [len(bands)], data=np.zeros(len(bands)))
    heard = draft.tensor("heard", [1, 1, width, len(bands)])
    options = {"padding": 1, "strideW": steps, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1}
    draft.operator("CONV_2D", [line, weights, bias], [heard], "Conv2DOptions", **options)
    power, mean = draft.tensor("power", [1, 1, width, len(bands)]), draft.tensor("mean", [1, len(bands)])
    draft.operator("MUL", [heard, heard], [power], "MulOptions")
    axes = draft.tensor("axes", [2], "int32", data=[1, 2])
    draft.operator("MEAN", [power, axes], [mean], "ReducerOptions", keepDims=False)
    gain = draft.tensor("gain", [1], data=[4000.0])
    level, less = draft.tensor("level", [1, len(bands)]), draft.tensor("less", [1], data=[-4.0])
    draft.operator("MUL", [mean, gain], [level], "MulOptions")
    shifted, scores = draft.tensor("shifted", [1, len(bands)]), draft.tensor("scores", [1, len(bands)])
    draft.operator("ADD", [level, less], [shifted], "AddOptions")
    draft.operator("LOGISTIC", [shifted], [scores])
    return draft.packed([given], [scores])
