"""Models: opened, checked, run on the CPU or an Edge TPU, with their state fed back from frame to frame.

    network = open_network(model)
    observation = network.infer(prepared, elapsed)

Runtime and delegate are chosen together. The Edge TPU is tried when the config gives a model compiled for it;
whatever stops it (no library, a refusal, an operator nobody knows) leads back to the CPU model with the
reason kept in ``cpu_because``. A delegate can also abort the process: then the daemon starts the worker again
with ``cpu_because`` set, and it is not tried.
"""

from __future__ import annotations

from edged.config.shape import Model
from edged.errors import RefusedError, UnavailableError
from edged.worker.runtime.interpreter import Kind, installed
from edged.worker.runtime.network import Network, opened

__all__ = ["LIBRARY", "Network", "kind_of", "open_network"]

#: The Edge TPU's library, as Coral's packages install it.
LIBRARY = "libedgetpu.so.1"


def open_network(model: Model, cpu_because: str = "") -> Network:
    """Open, verify and try a model once. ``cpu_because`` (the reason) keeps the Edge TPU out of it.

    Raises ``RefusedError`` when the file can never work as configured, ``UnavailableError`` when file or
    runtime are not there now.
    """
    reason = cpu_because or _tpu_out_of_question(model)
    if not reason and model.edgetpu_file and model.delegate != "cpu":
        network, reason = _on_edgetpu(model)
        if network is not None:
            return network
    return opened(model, model.file, kind_of(model), cpu_because=reason)


def _tpu_out_of_question(model: Model) -> str:
    if model.delegate == "edgetpu" and not model.edgetpu_file:
        return "edgetpu_file names no model compiled for the Edge TPU"
    return ""


def _on_edgetpu(model: Model) -> tuple[Network | None, str]:
    """The network on the Edge TPU, or None and why not."""
    library = model.delegate_library or LIBRARY
    try:
        return opened(model, model.edgetpu_file, kind_of(model, "tflite-runtime"), library=library), ""
    except (RefusedError, UnavailableError) as error:
        return None, error.message


def kind_of(model: Model, preferred: Kind = "litert") -> Kind:
    """The runtime that the config names; else the preferred one if installed, else the other."""
    if model.runtime != "auto":
        return model.runtime
    there = installed()
    if not there:
        raise UnavailableError(
            "no TFLite runtime is installed", "run ./install.sh, or pip install ai-edge-litert"
        )
    return preferred if preferred in there else there[0]
