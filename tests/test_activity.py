"""The bundled model `activity`: what it counts, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from edged.models import activity

MODEL = Path(activity.__file__).with_suffix(".tflite")


def test_the_committed_file_is_what_the_script_writes() -> None:
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("flatbuffers")
    assert activity.build() == MODEL.read_bytes()
