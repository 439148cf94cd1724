"""The interpreters: the only module that imports ``ai_edge_litert`` or ``tflite_runtime``.

Both offer the same class, so the seam is that class itself (``Engine`` names the part in use), and
``tests/contracts/test_runtime.py`` is what both promise. They differ in what they can do fast: see
``docs/adr/0011``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CDLL
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edged.errors import UnavailableError
from edged.worker.shelf import shelf

Kind = Literal["litert", "tflite-runtime"]

#: The package of each runtime; its module ``interpreter`` has the class.
PACKAGES: Final[dict[Kind, str]] = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}


class Engine(Protocol):
    """What edged uses of an interpreter. Arrays that go in and come out are copies: no buffer is shared."""

    def allocate_tensors(self) -> None:
        """Prepare every operator. RuntimeError, ValueError when one cannot be."""

    def get_input_details(self) -> list[dict[str, Any]]:
        """Inputs: ``index``, ``name``, ``shape``, ``dtype``, ``quantization``."""

    def get_output_details(self) -> list[dict[str, Any]]:
        """Outputs, likewise."""

    def set_tensor(self, tensor_index: int, value: NDArray[Any]) -> None:
        """Copy an array of the very shape and dtype in."""

    def get_tensor(self, tensor_index: int) -> NDArray[Any]:
        """Copy one out."""

    def invoke(self) -> None:
        """Compute; lets go of the interpreter lock meanwhile."""

    def reset_all_variables(self) -> None:
        """Forget what the graph itself remembers."""


def installed() -> tuple[Kind, ...]:
    """The runtimes that are installed, the preferred one first. Nothing is imported."""
    return tuple(kind for kind, package in PACKAGES.items() if find_spec(package))


def at_hand() -> Kind:
    """The runtime in use already: small work must not bring in a second one. Else the preferred one."""
    loaded = [kind for kind, package in PACKAGES.items() if package + ".interpreter" in sys.modules]
    there = loaded or installed()
    if not there:
        raise UnavailableError(
            "no TFLite runtime is installed", "run ./install.sh, or pip install ai-edge-litert"
        )
    return there[0]


def version(kind: Kind) -> str:
    """As in "litert 2.3.0"."""
    return f"{kind} {import_module(PACKAGES[kind]).__version__}"


def brought_in(kind: Kind) -> Any:
    """The runtime's module, imported. Raises ``UnavailableError``."""
    try:
        with quiet():
            return import_module(PACKAGES[kind] + ".interpreter")
    except ImportError as error:
        hint = (
            "pip install 'edged[tflite-runtime]' (CPython 3.11 at most)" if kind == "tflite-runtime" else ""
        )
        raise UnavailableError(
            f"the runtime {kind} cannot be imported: {error}", hint or "run ./install.sh again"
        ) from None


def engine(kind: Kind, model: str | bytes, threads: int = 1, delegate: Any = None) -> Engine:
    """An interpreter of a model (path, or its bytes), not allocated yet.

    Raises ``UnavailableError`` when the runtime is not there; RuntimeError or ValueError, with the runtime's
    own words, when it does not take the model or the delegate does not take the graph.
    """
    source = {"model_path": model} if isinstance(model, str) else {"model_content": model}
    module = brought_in(kind)
    made: Engine = module.Interpreter(
        **source, num_threads=threads, experimental_delegates=[delegate] if delegate is not None else None
    )
    return made


def load_delegate(kind: Kind, library: str) -> Any:
    """A delegate from a shared library. OSError when that is not there; ValueError with its words when it
    refuses.

    It may also end the process: libedgetpu does when its device is in a bad state.
    """
    # Looked at first, because the runtimes' own class leaves a traceback on stderr when one of these is
    # missing.
    opened = CDLL(library)
    if not all(
        hasattr(opened, name) for name in ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
    ):
        raise ValueError(f"{library} is no TFLite delegate")
    return brought_in(kind).load_delegate(library)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what the runtimes print on stderr about themselves out of the log, and pass everything else on.

    They write to the descriptor itself, so that is swapped for an anonymous file meanwhile. Not for when a
    delegate is loaded: should it abort the process, what it said last would be lost.
    """
    if shelf.closed:  # nobody reads a worker's stderr, and it may not make files any more
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    caught = os.memfd_create("stderr")
    os.dup2(caught, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        _pass_on(caught)


_CHATTER: Final = (b"INFO: ", b"W0000 ", b"I0000 ", b"WARNING: All log messages before absl")


def _pass_on(caught: int) -> None:
    with os.fdopen(caught, "rb") as file:
        file.seek(0)
        for line in file:
            if line.strip() and not line.startswith(_CHATTER):
                os.write(2, line)


def zeros(detail: dict[str, Any]) -> NDArray[np.generic]:
    """An array as the input of that description takes it."""
    made: NDArray[np.generic] = np.zeros(tuple(detail["shape"]), detail["dtype"])
    return made
