"""Forms of something that carries a marker: what a canary looks for, as it is and as text."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from drafts import Draft

PLANTED: Final = 256  # bytes


class Forms:
    """Everything that one marker is looked for as. ``forms``: by name, as bytes; a piece of any of them tells
    it. ``needles``: (name, bytes) that are too short for pieces, and tell it as a whole.
    """

    def __init__(self) -> None:
        self.forms, self.needles = dict[str, list[bytes]](), list[tuple[str, bytes]]()
        self._plain = set[str]()

    def add(self, name: str, *forms: bytes, plain: bool = False) -> None:
        """One more; one that is ``plain`` is not also looked for in other encodings."""
        if forms:
            self.forms.setdefault(name, []).extend(forms)
        if plain:
            self._plain.add(name)

    def samples(self) -> Iterator[tuple[str, bytes]]:
        """(name, bytes) of all forms, as they are and as text."""
        for name, forms in self.forms.items():
            for one in forms:
                yield name, one
            for encoding, text in () if name in self._plain else texts(forms[0]):
                yield f"{name}, in {encoding}", text


def mean_of(shape: list[int], dtype: str, scale: float = 0.0, zero: int = 0) -> bytes:
    """A model: anything in, the means along its last axis out."""
    draft = Draft()
    given = draft.tensor("given", shape, dtype, scale, zero)
    means = draft.tensor("means", [1, shape[-1]], dtype, scale, zero)
    axes = draft.tensor("axes", [len(shape) - 2], "int32", data=list(range(1, len(shape) - 1)))
    draft.operator("MEAN", [given, axes], [means], "ReducerOptions", keepDims=False)
    return draft.packed([given], [means])


def shifted(data: bytes) -> Iterator[bytes]:
    """The same bits, beginning at each of a byte's eight: entropy-coded data need not keep to bytes."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    for by in range(8):
        yield np.packbits(bits[by:]).tobytes()


def texts(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(encoding, text) of some bytes, as logs and JSON have been seen to hold them."""
    data = data[:4096]  # whoever writes pictures down as text does not leave out their beginning
    yield "hex", data.hex().encode()
    yield "HEX", data.hex().upper().encode()
    yield "escapes", "".join(f"\\x{one:02x}" for one in data).encode()
    yield "Python's bytes", repr(data).encode()
    yield "JSON", ",".join(map(str, data)).encode()
    yield "numbers", ", ".join(map(str, data)).encode()
    yield "NumPy's numbers", " ".join(f"{one:3d}" for one in data).encode()
    for skip in range(3):
        yield "base64", base64.b64encode(data[skip:])


def any_of(samples: Any) -> bytes:
    """Some bytes from the middle of a sample: what is planted. All of a short one."""
    return bytes(samples[len(samples) // 2 if len(samples) > 2 * PLANTED else 0 :][:PLANTED])
