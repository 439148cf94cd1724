"""From model to model while frames go on: real workers, real models, hundreds of times."""

from __future__ import annotations

from itertools import cycle, pairwise
from pathlib import Path

import ladders
import pytest
from stage import Stage

from edged import wall
from edged.config.shape import Measure, Model, Synthetic
from edged.supervise import Keeper

FPS = 30.0
SWITCHES = 200
SCENE = Synthetic(fps=FPS, held=30)
#: Rungs and threads in turn; the last two differ in threads alone.
WAYS = ((1, 1), (0, 2), (1, 2), (0, 1), (0, 2))


def own_mb(pid: int) -> float:
    """MB of a process's own memory, as anybody may read it: a locked worker's maps are root's alone."""
    told = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in told.splitlines() if line.startswith("RssAnon:")).split()[1]) / 1e3


def switched(stage: Stage, keeper: Keeper, way: tuple[int, int]) -> None:
    """Send the worker there: it says so with the first frame that it looks at from there."""
    keeper.direct(wall.Directive(FPS, rung=way[0], threads=way[1]))
    stage.until(lambda: keeper.directions.at == way)


def ticks_of(stage: Stage) -> list[wall.Tick]:
    return [tick for _, tick in stage.heard.ticks]


def check_whole(stage: Stage, keeper: Keeper) -> None:
    """No tick is missing, every second is in one, and every frame that was due was seen or is told of."""
    ticks = ticks_of(stage)
    assert [tick.number for tick in ticks] == list(range(1, len(ticks) + 1))
    assert all(before.end == after.start for before, after in pairwise(ticks))
    assert (keeper.restarts, keeper.state, stage.events("wall-broken")) == (0, "running", [])
    span = ticks[-1].end - ticks[0].start
    seen, dropped = sum(tick.analysed for tick in ticks), sum(tick.dropped for tick in ticks)
    assert seen + dropped == pytest.approx(FPS * span, abs=3)
    assert sum(tick.blind for tick in ticks) == pytest.approx(0.0, abs=0.5)


def run(stage: Stage, models: tuple[Model, ...], measure: Measure) -> tuple[Keeper, list[float]]:
    """Switch; the memory after each tenth of it."""
    keeper = stage.keep(source=SCENE, rate=FPS, ladder=models, measure=measure)
    stage.until(lambda: keeper.state == "running")
    held = []
    for number, way in zip(range(SWITCHES), cycle(WAYS), strict=False):
        switched(stage, keeper, way)
        if number % (SWITCHES // 10) == SWITCHES // 20:
            held.append(own_mb(keeper.pid))
    seen = stage.heard.count("p")
    stage.until(lambda: stage.heard.count("p") >= seen + 2)
    return keeper, held


def test_two_hundred_times_between_models_made_here(stage: Stage, tmp_path: Path) -> None:
    models = ladders.ladder(tmp_path, 224, 96)
    keeper, held = run(stage, models, Measure(kind="presence", labels=ladders.LABELS))
    check_whole(stage, keeper)
    ticks = ticks_of(stage)
    assert {(tick.rung, tick.threads) for tick in ticks} == {(0, 1), (0, 2), (1, 1), (1, 2)}
    # One of both is there at any time, and every rung says which.
    one, other = ticks[-1].entries
    assert {one.mean, other.mean} == {0.0, 1.0}
    for tick in ticks:
        assert [entry.mean for entry in tick.entries if entry.seconds] in ([one.mean, other.mean], [])
    assert held[-1] < held[1] + 4.0


def test_two_hundred_times_between_published_models(stage: Stage, shared: Path) -> None:
    folder = shared / "models"
    labels = str(folder / "imagenet_labels.txt")
    names = ("mobilenet_v1_0.25_224_quant", "mobilenet_v1_0.25_128_quant")
    models = tuple(
        Model(file=str(folder / f"{name}.tflite"), labels_file=labels, decoder="classifier", threads=2)
        for name in names
    )
    keeper, held = run(stage, models, Measure(kind="presence", min_score=0.0))
    check_whole(stage, keeper)
    assert all(tick.entries[0].mean == 1.0 for tick in ticks_of(stage) if tick.entries[0].seconds)
    assert held[-1] < held[1] + 4.0
