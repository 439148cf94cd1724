"""No model: a sensor's own numbers, as they are. No interpreter is imported for it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edged.config import shape
from edged.worker.intake import Numbers
from edged.worker.observation import Values
from edged.worker.runtime.network import Network


class Straight(Network):
    """Looks like a network: what goes in comes out, one value for each of ``labels``."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.intake, self.labels, self.gives = Numbers(len(labels)), labels, Values
        self.runtime, self.delegate, self.cpu_because = "none", "cpu", ""

    def infer(self, prepared: NDArray[Any], elapsed: float) -> Values:
        """The numbers, float32 [channels]."""
        return Values(prepared[0])

    def wipe(self) -> None:
        """Nothing is left of a frame."""

    def reset(self) -> None:
        """Nothing is remembered."""


def mean(samples: NDArray[Any]) -> NDArray[np.generic]:
    """float32 [samples, channels] -> float32 [1, channels]"""
    made: NDArray[np.generic] = samples.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32)
    return made


def asked(pipeline: shape.Pipeline) -> shape.Source:
    """The source; where it names no channels itself, with those that the measures name: a chip may have
    others that nobody asked for and that cannot be read.
    """
    source = pipeline.source
    names = tuple(dict.fromkeys(label for one in pipeline.measures for label in one.labels))
    if isinstance(source, shape.Iio | shape.Hwmon | shape.OneWire) and not source.channels and names:
        return msgspec.structs.replace(source, channels=names)
    return source
