"""What every decoder keeps to, as a suite of tests: edged's own run it, and so can those of others.

    from edged.worker.decode.contract import DecoderContract

    class TestBlobs(DecoderContract):
        name = "blobs"
        outputs = (Output(0, "heat", "", (1, 8, 8), "float32"),)

pytest finds its tests by inheritance; nothing but NumPy is needed to import this. docs/decoders.md says what
is promised and why. ``flaw_of_decoder`` is also what a worker asks of a decoder that is not edged's own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Model
from edged.errors import RefusedError
from edged.worker.decode import Decoder, Output, Raw
from edged.worker.observation import Areas, Classes, Detections, Grid, Observation, Values

GIVES: Final = (Detections, Classes, Values, Grid, Areas)
#: Random outputs that each decoder is given.
TRIALS: Final = 20
#: What no honest model gives: no numbers, and the largest and smallest that float32 has.
SPECIAL: Final = (np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45, 2.0**63, -1.0, 1e10, -0.0)
#: What a locked worker may not do, by the names of Python's audit events.
FORBIDDEN: Final = ("import", "open", "socket.", "subprocess.", "os.", "ctypes.dlopen")

Outputs = tuple[Raw, ...]


def flaw_of_decoder(decoder: Decoder, outputs: Sequence[Output]) -> str:
    """What is wrong with a decoder that was made for ``outputs``; "" for nothing."""
    numbers = {one.number for one in outputs}
    tensors = getattr(decoder, "tensors", None)
    if not isinstance(tensors, tuple) or not tensors or not set(tensors) <= numbers:
        return f"its tensors are {tensors!r}, not a tuple of the numbers of its outputs"
    if getattr(decoder, "gives", None) not in GIVES:
        return f"it gives {getattr(decoder, 'gives', None)!r}, which is no observation"
    labels = getattr(decoder, "labels", ())
    if not isinstance(labels, tuple) or not all(isinstance(one, str) and one for one in labels):
        return "its labels are no tuple of names"
    if not callable(decoder):
        return "it cannot be called"
    return ""


def flaw(found: Observation, gives: type) -> str:
    """What is wrong with an observation; "" for nothing."""
    if type(found) is not gives:
        return f"it gave {type(found).__name__} and promised {gives.__name__}"
    match found:
        case Detections():
            return _flaw_of_detections(found)
        case Areas():
            return _flaw_of_areas(found)
        case Classes():
            return _numbers(found.scores, "scores", 1) or _unit(found.scores, "scores")
        case Values():
            return _numbers(found.values, "values", 1)
        case Grid():
            return _flaw_of_grid(found)


def _numbers(given: NDArray[Any], what: str, axes: int, dtype: type = np.float32) -> str:
    if not isinstance(given, np.ndarray) or given.dtype != dtype or given.ndim != axes:
        found = (given.dtype, *given.shape) if isinstance(given, np.ndarray) else (type(given).__name__,)
        return f"its {what} are {' '.join(map(str, found))}, not {np.dtype(dtype).name} of {axes} axes"
    return "" if bool(np.isfinite(given).all()) else f"its {what} are no numbers, or infinite"


def _unit(given: NDArray[Any], what: str) -> str:
    """Scores lie in 0..1. NaN is none."""
    return "" if bool(((given >= 0) & (given <= 1)).all()) else f"its {what} leave 0..1"


def _flaw_of_detections(found: Detections) -> str:
    wrong = (
        _numbers(found.boxes, "boxes", 2)
        or _numbers(found.classes, "classes", 1, np.int64)
        or _numbers(found.scores, "scores", 1)
    )
    if wrong:
        return wrong
    if found.boxes.shape != (len(found.scores), 4) or len(found.classes) != len(found.scores):
        return "it has not as many boxes, classes and scores"
    if (found.classes < 0).any():
        return "a class is below 0"
    if (found.scores[1:] > found.scores[:-1]).any():
        return "the best is not first"
    return _unit(found.boxes, "boxes") or _unit(found.scores, "scores")


def _flaw_of_areas(found: Areas) -> str:
    wrong = _numbers(found.classes, "classes", 2, np.int64) or _numbers(found.scores, "scores", 2)
    if wrong or found.classes.shape != found.scores.shape or not found.classes.size:
        return wrong or "it has not as many classes as scores, or none"
    return "a class is below 0" if (found.classes < 0).any() else _unit(found.scores, "scores")


def _flaw_of_grid(found: Grid) -> str:
    wrong = _numbers(found.movement, "movement", 2) or _numbers(found.presence, "presence", 2)
    if wrong or found.movement.shape != found.presence.shape:
        return wrong or "its two grids differ in size"
    return _unit(found.movement, "movement") or _unit(found.presence, "presence")


class Watch:
    """Notes what is done that a locked worker may not do. Python's hooks cannot be taken off again, so there
    is one for all tests.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.on = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _: tuple[Any, ...]) -> None:
        if self.on and event.startswith(FORBIDDEN):
            self.seen.append(event)

    def __enter__(self) -> Watch:
        self.seen.clear()
        self.on = True
        return self

    def __exit__(self, *_: object) -> None:
        self.on = False


_watches: list[Watch] = []


def watch() -> Watch:
    """The one of this process."""
    if not _watches:
        _watches.append(Watch())
    return _watches[0]


class DecoderContract:
    """Derive from it as ``Test...``, and say what is decoded.

    ``name`` is the decoder's (an entry point's, or edged's own), ``outputs`` what a model that it reads has,
    ``labels`` and ``keys`` (of the config's model) what goes with that. ``unfit`` are outputs that it must
    refuse. ``ranges`` says of an output (by its number) which numbers a model can give there, where that is
    not any: scores in 0..1. ``examples`` yields raw outputs with what they mean.
    """

    name: ClassVar[str]
    outputs: ClassVar[tuple[Output, ...]]
    labels: ClassVar[tuple[str, ...]] = ()
    keys: ClassVar[dict[str, Any]] = {}
    ranges: ClassVar[dict[int, tuple[float, float]]] = {}
    unfit: ClassVar[tuple[tuple[Output, ...], ...]] = ((),)

    def examples(self) -> Iterator[tuple[Outputs, Observation]]:
        """Pairs of (raw outputs in the order of ``tensors``, the observation)."""
        yield from ()

    # --- the suite

    def test_it_is_found_by_its_name_and_takes_what_it_says(self) -> None:
        """Name, ``tensors``, ``gives`` and ``labels``."""
        decoder = self._made()
        assert not (wrong := flaw_of_decoder(decoder, self.outputs)), wrong

    def test_what_it_cannot_read_it_refuses_with_a_sentence_and_a_next_step(self) -> None:
        """``RefusedError`` with message and hint."""
        for outputs in self.unfit:
            try:
                self._chosen(outputs)
            except RefusedError as error:
                assert error.message and error.hint, "a refusal has a sentence and a hint"
            else:
                raise AssertionError(f"it took {outputs!r}")

    def test_the_examples_are_read_as_they_are_meant(self) -> None:
        """To five digits."""
        for raw, meant in self.examples():
            found = self._made()(*raw)
            assert not (wrong := flaw(meant, type(meant))), f"the example itself: {wrong}"
            assert type(found) is type(meant), f"{type(found).__name__} instead of {type(meant).__name__}"
            for name, one, other in zip(found._fields, _parts(found), _parts(meant), strict=True):
                np.testing.assert_allclose(one, other, atol=1e-5, err_msg=name)

    def test_whatever_a_model_gives_the_observation_is_whole(self) -> None:
        """Dtypes, shapes, ranges, order."""
        decoder = self._made()
        for raw in self._any():
            assert not (wrong := flaw(decoder(*raw), decoder.gives)), wrong

    def test_whatever_a_hostile_model_gives_the_observation_is_whole_or_it_is_refused(self) -> None:
        """NaN, infinities, huge and tiny numbers, alone and among others, in every output, beyond
        ``ranges``.
        """
        decoder = self._made()
        for raw in self._hostile():
            try:
                wrong = flaw(decoder(*raw), decoder.gives)
            except RefusedError as error:
                wrong = "" if error.message and error.hint else "a refusal has a sentence and a hint"
            assert not wrong, wrong

    def test_it_changes_nothing_and_remembers_nothing(self) -> None:
        """Neither what it gets nor what it gave."""
        decoder = self._made()
        for raw in self._any():
            kept = tuple(one.copy() for one in raw)
            first = decoder(*raw)
            copy = [np.array(one, copy=True) for one in first]
            for other in self._any():
                decoder(*other)
            for one, before in zip(raw, kept, strict=True):
                np.testing.assert_array_equal(one, before, err_msg="it writes into what it gets")
            for one, before in zip(_parts(first), copy, strict=True):
                np.testing.assert_array_equal(one, before, err_msg="what it gave changed afterwards")
            for one, before in zip(_parts(decoder(*raw)), copy, strict=True):
                np.testing.assert_array_equal(one, before, err_msg="the same outputs mean something else now")
            break

    def test_a_locked_worker_can_run_it(self) -> None:
        """Nothing is imported, opened or started while it decodes."""
        decoder = self._made()
        for raw in self._any():
            decoder(*raw)
            break
        with watch() as seen:
            for raw in self._any():
                decoder(*raw)
        assert not seen.seen, f"while it decodes it does {sorted(set(seen.seen))}"

    # --- what the suite works with

    def _chosen(self, outputs: Sequence[Output]) -> Decoder:
        from edged.worker.decode.choice import chosen

        model = Model(file="contract.tflite", decoder=self.name, **self.keys)
        return chosen(outputs, model, self.labels, ())

    def _made(self) -> Decoder:
        return self._chosen(self.outputs)

    def _any(self) -> Iterator[Outputs]:
        """Raw outputs of a fixed seed: zeros, the extremes, and random ones of several sizes."""
        decoder = self._made()
        taken = [next(one for one in self.outputs if one.number == each) for each in decoder.tensors]
        dice = np.random.default_rng(1)
        yield tuple(np.zeros(one.shape, one.dtype) for one in taken)
        for high in (0, 1):
            yield tuple(np.full(one.shape, self._range(one)[high], one.dtype) for one in taken)
        for trial in range(TRIALS):
            yield tuple(_random(one, dice, self._range(one), 10.0 ** (trial % 5 - 2)) for one in taken)

    def _hostile(self) -> Iterator[Outputs]:
        """Raw outputs of a fixed seed that hold what no honest model gives."""
        decoder = self._made()
        taken = [next(one for one in self.outputs if one.number == each) for each in decoder.tensors]
        dice = np.random.default_rng(2)
        for special in SPECIAL:
            yield tuple(_spoilt(one, dice, (special,), 1.0) for one in taken)
            for spoilt in taken:  # one output alone, the others as they should be
                yield tuple(
                    _spoilt(one, dice, (special,), 1.0)
                    if one is spoilt
                    else _random(one, dice, self._range(one), 1.0)
                    for one in taken
                )
        for trial in range(TRIALS):
            share = (0.02, 0.2, 1.0)[trial % 3]
            yield tuple(_spoilt(one, dice, SPECIAL, share) for one in taken)

    def _range(self, output: Output) -> tuple[float, float]:
        if output.number in self.ranges:
            return self.ranges[output.number]
        if np.issubdtype(output.dtype, np.integer):
            limits = np.iinfo(output.dtype)
            return limits.min, limits.max
        return -1e6, 1e6


def _parts(found: Observation) -> tuple[Any, ...]:
    """Its arrays."""
    return tuple(found)


def _spoilt(output: Output, dice: np.random.Generator, special: tuple[float, ...], share: float) -> Raw:
    """Numbers of 0..1, a ``share`` of them ``special``; of an output of integers, any."""
    if np.issubdtype(output.dtype, np.integer):
        limits = np.iinfo(output.dtype)
        return dice.choice(
            np.array([limits.min, -1 if limits.min else 0, 0, limits.max], output.dtype), output.shape
        )
    made = dice.random(output.shape)
    chosen = dice.random(output.shape) < share
    made[chosen] = dice.choice(special, int(chosen.sum()))
    return made.astype(output.dtype)


def _random(output: Output, dice: np.random.Generator, limits: tuple[float, float], width: float) -> Raw:
    low, high = limits
    if np.issubdtype(output.dtype, np.integer):
        return dice.integers(int(low), int(high), output.shape, output.dtype, endpoint=True)
    if high - low > 1e5:  # any number: small ones are the likely ones
        return (dice.standard_normal(output.shape) * width).astype(output.dtype)
    return dice.uniform(low, high, output.shape).astype(output.dtype)
