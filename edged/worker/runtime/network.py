"""A model ready to run: an interpreter, the ways in and out of it, and its state."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edged.config.shape import Model
from edged.errors import RefusedError, UnavailableError
from edged.worker.anatomy import EDGETPU_OP
from edged.worker.decode import Decoder, Output
from edged.worker.decode.choice import chosen
from edged.worker.intake import Intake, Picture
from edged.worker.observation import Observation
from edged.worker.runtime import interpreter
from edged.worker.runtime.interpreter import Engine, Kind
from edged.worker.runtime.plan import Plan, maker, planned


class Network:
    """An opened model. One thread may use it at a time."""

    runtime: str  #: as in "litert 2.3.0"
    delegate: str  #: "cpu" or "edgetpu"
    cpu_because: str  #: why not the Edge TPU that was asked for, "" otherwise
    decoder: str  #: as the config names it
    labels: tuple[str, ...]  #: of the classes or values, () when none are known
    intake: Intake  #: what goes in
    gives: type  #: the type of observation that comes out

    def __init__(self, engine: Engine, plan: Plan, decoder: Decoder) -> None:
        self._engine, self._decoder = engine, decoder
        self._input, self._elapsed, self._state = plan.input, plan.elapsed, plan.state
        self._seconds: NDArray[np.generic] = np.zeros(1, np.float32)
        self._details = {one["index"]: one for one in engine.get_input_details()}
        if self._elapsed >= 0:
            self._seconds = interpreter.zeros(self._details[self._elapsed])
        self.intake, self.gives = plan.intake, decoder.gives
        self.labels = getattr(decoder, "labels", plan.labels)

    @property
    def picture(self) -> Picture:
        """What picture goes in. Raises ``RefusedError`` for a model that takes none."""
        if isinstance(self.intake, Picture):
            return self.intake
        raise RefusedError(
            f"the model takes {self.intake.dtype} {list(self.intake.shape)}, which is no picture",
            "a camera or a video needs a model with an input [1, height, width, 1 or 3]",
        )

    def infer(self, prepared: NDArray[Any], elapsed: float) -> Observation:
        """One frame, ``prepared`` for ``intake``; ``elapsed`` seconds after the one before (0.0 for the
        first).

        ``prepared`` is copied in, so it may be reused at once, and the observation is the caller's own.
        Raises ``UnavailableError`` when the runtime or the device gives up.
        """
        engine = self._engine
        try:
            engine.set_tensor(self._input, prepared)
            if self._elapsed >= 0:
                self._seconds.fill(elapsed)
                engine.set_tensor(self._elapsed, self._seconds)
            engine.invoke()
            for before, after in self._state:
                engine.set_tensor(before, engine.get_tensor(after))
            return self._decoder(*[engine.get_tensor(one) for one in self._decoder.tensors])
        except RuntimeError as error:
            raise UnavailableError(
                f"inference failed: {words(error)}", "is the accelerator still plugged in?"
            ) from None

    def wipe(self) -> None:
        """Overwrite the last frame and what was computed from it, by an inference on zeros. For the end."""
        self.reset()
        engine = self._engine
        with suppress(RuntimeError):
            engine.set_tensor(self._input, interpreter.zeros(self._details[self._input]))
            engine.invoke()

    def reset(self) -> None:
        """Forget all state, as if no frame had come yet."""
        self._engine.reset_all_variables()
        for before, _ in self._state:
            self._engine.set_tensor(before, interpreter.zeros(self._details[before]))


def opened(model: Model, file: str, kind: Kind, library: str = "", cpu_because: str = "") -> Network:
    """The network of ``file`` on one runtime, with the delegate ``library`` where one is named, run once on
    zeros.

    Raises ``RefusedError``, ``UnavailableError``.
    """
    plan = planned(model, file)
    # What a delegate says before it aborts the process must not be lost.
    with nullcontext() if library else interpreter.quiet():
        delegate = _delegate(kind, library) if library else None
        try:
            engine = interpreter.engine(kind, plan.given, model.threads, delegate)
            outputs = _tried(plan, engine)
        except (RuntimeError, ValueError) as error:
            raise _refusal(file, plan, error) from None
    decoder = chosen(outputs, model, plan.labels, plan.metadata.outputs)
    network = Network(engine, plan, decoder)
    network.decoder = getattr(decoder, "name", "") if model.decoder == "auto" else model.decoder
    network.runtime = interpreter.version(kind)
    network.delegate, network.cpu_because = "edgetpu" if library else "cpu", cpu_because
    network.reset()
    return network


def _tried(plan: Plan, engine: Engine) -> list[Output]:
    """Run once on zeros, so that what cannot run fails now; the outputs as they then are. RuntimeError,
    ValueError.
    """
    engine.allocate_tensors()
    for one in engine.get_input_details():
        engine.set_tensor(one["index"], interpreter.zeros(one))
    engine.invoke()
    for _, after in plan.state:
        engine.get_tensor(after)  # one that no operator makes has no data
    return _outputs(plan, engine)


def _delegate(kind: Kind, library: str) -> Any:
    try:
        return interpreter.load_delegate(kind, library)
    except OSError as error:
        raise UnavailableError(
            f"the delegate {library} cannot be loaded: {error}", 'install it, or set delegate = "cpu"'
        ) from None
    except ValueError as error:
        raise UnavailableError(
            f"the delegate refused: {words(error)}", "is the accelerator plugged in and free?"
        ) from None


def words(error: Exception) -> str:
    """What a runtime says, on one line."""
    return " ".join(str(error).split())[:300]


def _refusal(file: str, plan: Plan, error: Exception) -> RefusedError:
    said = str(error)
    if EDGETPU_OP in plan.anatomy.custom and "unresolved custom op" in said:
        return RefusedError(
            f"{file}: it is compiled for the Edge TPU (it holds {EDGETPU_OP}), and none took it over",
            "give it as edgetpu_file, and the model that it was compiled from as file",
        )
    if "unresolved custom op" in said:
        unknown = [one for one in plan.anatomy.custom if one in said] or list(plan.anatomy.custom)
        return RefusedError(
            f"{file}: it holds the custom operator {', '.join(unknown)}, which the runtime does not know",
            "take a model of built-in operators; `edged models show FILE` lists a model's operators",
        )
    return RefusedError(
        f"{file}: the runtime does not take it: {words(error)}", "`edged models show FILE` says what is in it"
    )


def _outputs(plan: Plan, engine: Engine) -> list[Output]:
    """The outputs as they are after a first run: only then the shape of some is known."""
    roles = {
        one.number: info.name for one, info in zip(plan.anatomy.outputs, plan.metadata.outputs, strict=False)
    }
    details = {one["index"]: one for one in engine.get_output_details()}
    made = []
    for name, tensor in plan.outputs:
        operator, place = maker(plan.anatomy, tensor.number)
        shape = tuple(int(one) for one in engine.get_tensor(tensor.number).shape)
        dtype = np.dtype(details[tensor.number]["dtype"]).name
        scale, zero = tensor.scale, tensor.zero_point
        made.append(
            Output(
                tensor.number, name, roles.get(tensor.number, ""), shape, dtype, scale, zero, operator, place
            )
        )
    return made
