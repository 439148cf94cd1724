"""What is in a model file and whether edged can run it: ``python -m edged.worker.show FILE`` prints it as
JSON.

In a process of its own, because a runtime may end its process over a bad model; the command that asks must
not end with it.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from typing import Any

import msgspec

from edged.config.shape import Model
from edged.errors import EdgedError
from edged.worker import alone
from edged.worker.anatomy import EDGETPU_OP, Tensor, dissect
from edged.worker.flatbuffer import MalformedError
from edged.worker.metadata import TensorInfo, parse
from edged.worker.runtime import open_network
from edged.worker.runtime.plan import resolved
from edged.worker.shelf import shelf
from edged.worker.stopwatch import inference

RUNS = 9


def facts(file: str) -> dict[str, Any]:
    """Everything that `edged models show` says. Raises nothing for a bad model: ``refused`` and ``hint`` say
    what is wrong.
    """
    found: dict[str, Any] = {"file": file}
    try:
        path = resolved(file)
        data = shelf.content(path) if shelf.closed else path.read_bytes()
        found |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        found |= _inside(data)
    except (OSError, EdgedError, MalformedError):
        pass  # opening it says it better
    return found | _trial(file)


def _inside(data: bytes) -> dict[str, Any]:
    anatomy = dissect(data)
    metadata = parse(anatomy.metadata)
    return {
        "name": metadata.name,
        "description": metadata.description or anatomy.description,
        "author": metadata.author,
        "licence": metadata.license,
        "inputs": _tensors(anatomy.inputs, metadata.inputs, anatomy.names),
        "outputs": _tensors(anatomy.outputs, metadata.outputs, anatomy.names),
        "operators": dict(Counter(one.custom or one.name for one in anatomy.operations).most_common()),
        "custom": list(anatomy.custom),
        "edgetpu": EDGETPU_OP in anatomy.custom,
    }


def _tensors(
    tensors: tuple[Tensor, ...], infos: tuple[TensorInfo, ...], names: dict[int, str]
) -> list[dict[str, Any]]:
    made = []
    for place, one in enumerate(tensors):
        info = infos[place] if place < len(infos) else TensorInfo()
        made.append(
            {
                "name": names.get(one.number) or one.name,
                "dtype": one.dtype,
                "shape": list(one.shape),
                "scale": one.scale,
                "zero_point": one.zero_point,
                "role": info.name,
                "mean": list(info.mean),
                "std": list(info.std),
            }
        )
    return made


def _trial(file: str) -> dict[str, Any]:
    """Open it as a pipeline would, and time it."""
    try:
        network = open_network(Model(file=file))
        seconds = inference(network, RUNS)
    except EdgedError as error:
        return {"runs": False, "refused": error.message, "hint": error.hint}
    return {
        "runs": True,
        "decoder": network.decoder,
        "labels": list(network.labels),
        "runtime": network.runtime,
        "seconds": seconds,
    }


def main() -> int:
    """Print the facts of the file named."""
    file = sys.argv[1]
    try:
        lacking = alone.lock(Model(file=file))
    except EdgedError as error:
        found = {"file": file, "runs": False, "refused": error.message, "hint": error.hint}
    else:
        found = facts(file) | ({"lacking": lacking} if lacking else {})
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    os._exit(main())
