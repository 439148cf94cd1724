"""``python -m edged.worker.source.truth``: a scripted scene's true numbers, for whoever may not import what
sees.

A pipeline as JSON on stdin (``config.shape.Pipeline`` on a synthetic source that ends); on stdout one JSON
object: ``presence``, per zone ("" is the whole picture) the true share of each second in which anything was
there, and how many of each kind came.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from edged.config.shape import Pipeline, Synthetic
from edged.worker.source.scene import Scene


def truth(pipeline: Pipeline) -> dict[str, Any]:
    """The numbers above."""
    source = pipeline.source
    assert isinstance(source, Synthetic)
    scene, whole = Scene(source), int(source.duration)
    zones = {"": None, **pipeline.zones}
    return {
        "presence": {
            name: [scene.occupancy("", second, second + 1, zone).share for second in range(whole)]
            for name, zone in zones.items()
        },
        **{kind: scene.entries(kind, 0, whole) for kind in ("person", "car")},
    }


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Pipeline)
    sys.stdout.buffer.write(msgspec.json.encode(truth(asked)))
