"""State: outputs fed back to inputs, for any model whose names say so; more in the runtimes' contract."""

from __future__ import annotations

from pathlib import Path

import drafts
import numpy as np
import pytest

from edged.config.shape import Model
from edged.errors import RefusedError
from edged.worker.observation import Grid, Values
from edged.worker.prepare import Preparation
from edged.worker.runtime import Network, open_network


def opened(path: Path, content: bytes) -> Network:
    path.write_bytes(content)
    return open_network(Model(file=str(path), mean=(0.0,), std=(1.0,)))


def pair(before: tuple[str, list[int], str] | None, after: tuple[str, list[int], str] | None) -> bytes:
    """A model with these (name, shape, dtype) as its state's input and output."""
    draft = drafts.Draft()
    given, row = draft.tensor("picture", [1, 2, 2, 1]), draft.tensor("row", [1, 4])
    draft.reshape(given, row, [1, 4])
    inputs, outputs = [given], [row]
    if before:
        inputs.append(draft.tensor(before[0], before[1], before[2]))
    if after:
        outputs.append(draft.tensor(after[0], after[1], after[2], data=np.zeros(after[1])))
    return draft.packed(inputs, outputs)


def test_a_signatures_names_count_before_the_tensors(tmp_path: Path) -> None:
    draft = drafts.Draft()
    given, before = (
        draft.tensor("serving_default_a:0", [1, 2, 2, 1]),
        draft.tensor("serving_default_b:0", [1, 2, 2, 1]),
    )
    after, total = draft.tensor("PartitionedCall:0", [1, 2, 2, 1]), draft.tensor("PartitionedCall:1", [1, 4])
    draft.operator("ADD", [given, before], [after], "AddOptions")
    draft.reshape(after, total, [1, 4])
    names = {given: "picture", before: "state/sum", after: "next/sum", total: "total"}
    network = opened(tmp_path / "m.tflite", draft.packed([given, before], [after, total], names))
    for turn in (1, 2, 3):
        observation = network.infer(np.ones((1, 2, 2, 1), np.float32), 0.0)
        assert isinstance(observation, Values)
        assert observation.values.tolist() == [turn] * 4


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (("state/x", [1, 4], "float32"), None, "its state x has no output next/x"),
        (("state/x", [1, 4], "float32"), ("next/y", [1, 4], "float32"), "its state x has no output next/x"),
        (("state/x", [1, 4], "float32"), ("next/x", [1, 5], "float32"), "must be alike|next/x is float32"),
        (("state/x", [1, 4], "float32"), ("next/x", [1, 4], "int32"), "next/x is int32"),
        (("elapsed", [2], "float32"), None, "its input elapsed is float32 .2."),
        (("elapsed", [1], "int32"), None, "its input elapsed is int32 .1."),
        (("second", [1, 4], "float32"), None, "its inputs are picture .*, second"),
    ],
)
def test_a_state_that_cannot_be_fed_back_is_refused(
    tmp_path: Path, before: tuple[str, list[int], str], after: tuple[str, list[int], str] | None, said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        opened(tmp_path / "m.tflite", pair(before, after))


def test_an_output_named_next_without_a_state_is_plain(tmp_path: Path) -> None:
    network = opened(tmp_path / "m.tflite", pair(None, ("next/x", [1, 2], "float32")))
    observation = network.infer(np.ones((1, 2, 2, 1), np.float32), 0.0)
    assert isinstance(observation, Values)
    assert observation.values.tolist() == [1, 1, 1, 1, 0, 0]


def test_the_bundled_model_keeps_its_state() -> None:
    network = open_network(Model(file="builtin:activity"))
    prepare = Preparation(network.picture)
    still, other = np.full((96, 96, 1), 90, np.uint8), np.full((96, 96, 1), 90, np.uint8)
    other[30:70, 30:70] = 200
    for _ in range(60):
        network.infer(prepare(still), 0.2)
    changed = network.infer(prepare(other), 0.2)
    assert isinstance(changed, Grid)
    assert changed.movement.max() > 0.5
    assert (network.picture.height, network.picture.width, network.picture.channels) == (96, 96, 1)


def test_there_is_no_other_bundled_model() -> None:
    for name in ("builtin:nothing", "builtin:../errors", "builtin:"):
        with pytest.raises(RefusedError, match="edged brings no such model"):
            open_network(Model(file=name))
