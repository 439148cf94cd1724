"""The bundled model `activity`: what counts and what does not, on drawn scenes and on a real clip.

The scenes are drawn in linear light and go through a small camera: gain, exposure control, gamma, noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edged.models import activity

MODEL = Path(activity.__file__).with_suffix(".tflite")
SIZE = activity.PICTURE
VISITS = ((61, 196), (229, 445), (504, 695), (745, 865), (922, 1196), (1236, 1358))  # the shared README's

Plane = npt.NDArray[np.float64]


# -- the model, run as the runtime's contract says ------------------------------------------------------
class Runner:
    """Zeros at first, then every `next/NAME` becomes `state/NAME`."""

    def __init__(self, content: bytes) -> None:
        interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
        self.model: Any = interpreter(model_content=content, num_threads=1)
        self.model.allocate_tensors()
        self.inputs = {one["name"]: one for one in self.model.get_input_details()}
        self.outputs = {one["name"]: one for one in self.model.get_output_details()}
        self.state = {n: np.zeros(d["shape"], d["dtype"]) for n, d in self.inputs.items() if "/" in n}

    def step(self, picture: npt.NDArray[np.uint8], elapsed: float) -> tuple[Plane, Plane]:
        """Movement and presence, [12, 12]."""
        values = {"picture": picture.reshape(1, SIZE, SIZE, 1), "elapsed": np.array([elapsed], np.float32)}
        for name, value in (values | self.state).items():
            self.model.set_tensor(self.inputs[name]["index"], value)
        self.model.invoke()
        self.state = {name: self.get(name.replace("state/", "next/")) for name in self.state}
        return self.get("movement")[0, :, :, 0], self.get("presence")[0, :, :, 0]

    def get(self, name: str) -> Any:
        return self.model.get_tensor(self.outputs[name]["index"])


@pytest.fixture
def runner() -> Runner:
    return Runner(MODEL.read_bytes())


# -- scenes ---------------------------------------------------------------------------------------------
def room(seed: int = 0) -> Plane:
    """Reflectance of a wall with things on it and a striped floor."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    wall = 0.45 + 0.15 * x
    for _ in range(6):
        top, left, height, width = rng.integers((0, 0, 5, 5), (50, 80, 25, 25))
        wall[top : top + height, left : left + width] = rng.uniform(0.05, 0.7)
    floor = 0.22 + 0.06 * np.sin(30 * (x + 0.4 * y))
    return np.where(y < 0.62, wall, floor)


def figure(scene: Plane, x: float, height: float = 0.55, shade: float = 0.04) -> Plane:
    """A head, a body and legs, standing at `x` (share of the width), with soft edges."""
    down, across = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    up, side = (0.92 - down) / height, (across - x) / height

    def oval(centre: float, wide: float, tall: float) -> Plane:
        inside = 1 - np.hypot(side / wide, (up - centre) / tall)
        return np.clip(inside * wide * height * SIZE + 0.5, 0, 1)

    covered = np.maximum.reduce([oval(0.91, 0.06, 0.09), oval(0.62, 0.13, 0.22), oval(0.25, 0.09, 0.27)])
    return scene * (1 - covered) + covered * shade * np.where(up > 0.8, 5.0, np.where(up > 0.45, 1.0, 2.0))


@dataclass
class Camera:
    """Linear light to a grey picture; `control` is the time constant of its exposure, in seconds."""

    noise: float = 1.5  # grey levels
    control: float | None = None
    gain: float = 1.0
    seed: int = 7

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def shoot(self, light: Plane, elapsed: float) -> npt.NDArray[np.uint8]:
        if self.control:
            share = 1 - np.exp(-elapsed / self.control) if elapsed else 1.0
            self.gain *= float(0.35 / light.mean() / self.gain) ** share
        grey = 255 * np.clip(light * self.gain, 0, 1) ** (1 / 2.2)
        noisy = grey + self.noise * self.rng.normal(size=grey.shape)
        return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


@dataclass
class Seen:
    """Per frame: its time, and whether anything moved or was present."""

    time: npt.NDArray[np.float64]
    moved: npt.NDArray[np.bool_]
    present: npt.NDArray[np.bool_]

    def share(self, flags: npt.NDArray[np.bool_], start: float, end: float) -> float:
        return float(flags[(self.time >= start) & (self.time < end)].mean())

    def presence(self, start: float, end: float) -> float:
        return self.share(self.present, start, end)


def play(
    runner: Runner, scene: Callable[[float], Plane], times: Iterable[float], camera: Camera | None = None
) -> Seen:
    camera, last, rows = camera or Camera(), None, []
    for time in times:
        elapsed = 0.0 if last is None else time - last
        movement, presence = runner.step(camera.shoot(scene(time), elapsed), elapsed)
        rows.append((time, movement.max() >= 0.5, presence.max() >= 0.5))
        last = time
    columns = list(zip(*rows, strict=True))
    return Seen(np.array(columns[0]), np.array(columns[1]), np.array(columns[2]))


def every(fps: float, seconds: float) -> Plane:
    return np.arange(int(seconds * fps)) / fps


def where(time: float, come: float, go: float) -> float:
    """Walks in for 3 s, stands at the middle, walks out."""
    return float(np.interp(time, [come, come + 3, go, go + 3], [-0.3, 0.5, 0.5, 1.3]))


def sway(time: float) -> float:
    """Someone who stands still: three millimetres on a picture a metre wide."""
    return 0.003 * float(np.sin(0.9 * time) + 0.6 * np.sin(2.3 * time))


# -- the file -------------------------------------------------------------------------------------------
def test_the_committed_file_is_what_the_script_writes() -> None:
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("flatbuffers")
    assert activity.build() == MODEL.read_bytes()


def test_its_tensors_are_the_contract(runner: Runner) -> None:
    assert {"picture", "elapsed"} == {name for name in runner.inputs if "/" not in name}
    assert tuple(runner.inputs["picture"]["shape"]) == (1, SIZE, SIZE, 1)
    assert {"movement", "presence"} == {name for name in runner.outputs if "/" not in name}
    for name, value in runner.state.items():
        fed = runner.outputs[name.replace("state/", "next/")]
        assert (tuple(fed["shape"]), fed["dtype"]) == (value.shape, value.dtype)
    assert sum(value.nbytes for value in runner.state.values()) < 64 * 1024


def test_it_is_small() -> None:
    assert MODEL.stat().st_size < 128 * 1024


def test_extreme_pictures_and_times_leave_numbers(runner: Runner) -> None:
    for grey, elapsed in ((0, 0.0), (255, 0.0), (0, 1e6), (255, -1.0), (0, 1e-9)):
        cells = runner.step(np.full((SIZE, SIZE), grey, np.uint8), elapsed)
        assert all(np.isfinite(plane).all() and plane.min() >= 0 and plane.max() <= 1 for plane in cells)
    assert all(np.isfinite(value).all() for value in runner.state.values())


# -- what counts ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fps", [1, 5, 30])
def test_a_visit_counts_alike_at_every_rate(runner: Runner, fps: int) -> None:
    seen = play(
        runner, lambda t: figure(room(), where(t, 10, 25) + sway(t)), every(fps, 35), Camera(2.0, 1.0)
    )
    assert seen.presence(0, 10) == 0
    assert seen.presence(13, 25) == 1
    assert seen.presence(29, 35) == 0
    assert seen.share(seen.moved, 11, 13) > 0.9
    assert seen.share(seen.moved, 16, 25) < 0.1


def test_the_rate_may_change_on_the_way(runner: Runner) -> None:
    times = np.concatenate([every(10, 12), 12 + every(1, 10), 22 + every(30, 12)])
    seen = play(runner, lambda t: figure(room(1), where(t, 8, 24) + sway(t)), times)
    assert seen.presence(0, 8) == 0
    assert seen.presence(11, 24) == 1
    assert seen.presence(28, 34) == 0


@pytest.mark.parametrize("still", [False, True], ids=["who sways", "as rigid as a photograph"])
def test_someone_who_stands_for_five_minutes_still_counts(runner: Runner, still: bool) -> None:
    def scene(time: float) -> Plane:
        return figure(room(2), where(time, 10, 315) + (0 if still else sway(time)), shade=0.05)

    seen = play(runner, scene, every(4, 330))
    assert seen.presence(13, 315) == 1
    assert seen.presence(322, 330) == 0


def test_someone_who_paces_in_one_place_counts(runner: Runner) -> None:
    def scene(time: float) -> Plane:
        turning = 0.12 * np.sin(2 * time) if time > 14 else 0
        return figure(room(3), where(time, 10, 200) + float(turning))

    seen = play(runner, scene, every(5, 130))
    assert seen.presence(14, 130) > 0.98
    assert seen.share(seen.moved, 15, 60) > 0.9


def test_low_light_is_no_excuse(runner: Runner) -> None:
    seen = play(
        runner, lambda t: figure(room() * 0.04, where(t, 10, 25), shade=0.001), every(5, 35), Camera(4.0)
    )
    assert seen.presence(0, 10) == 0
    assert seen.presence(13, 25) > 0.95


# -- what does not ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("start", [12.0, 40.0])
def test_a_ghost_is_absorbed_at_once(runner: Runner, start: float) -> None:
    """Whoever stands there from the first frame is learned; the hole that stays behind is no presence."""
    seen = play(
        runner, lambda t: figure(room(4), where(t, -9, start)), every(5, start + 25), Camera(2.0, 1.0)
    )
    assert seen.presence(0, start) == 0
    assert seen.presence(start + 12, start + 25) == 0


@pytest.mark.parametrize("noise", [0.5, 3.0, 8.0])
def test_noise_does_not_count(runner: Runner, noise: float) -> None:
    seen = play(runner, lambda _: room(5), every(10, 40), Camera(noise))
    assert not seen.present.any()
    assert not seen.moved.any()


def test_aliased_subsampling_does_not_count(runner: Runner) -> None:
    def scene(time: float) -> Plane:
        fine = np.random.default_rng(5).random((SIZE, SIZE)) * 0.5 + 0.1
        return fine * (1 + 0.02 * np.random.default_rng(int(time * 10)).normal(size=fine.shape))

    assert not play(runner, scene, every(10, 30)).present.any()


def step(time: float) -> Plane:
    return room(6) * (1.0 if time < 12 else 0.55 if time < 20 else 1.6)


def drift(time: float) -> Plane:
    across = np.linspace(0, 1, SIZE)[None]
    return room(6) * (1 - 0.6 * time / 90) * (1 + 0.5 * np.exp(-((across - time / 90) ** 2) / 0.05))


def flicker(time: float) -> Plane:
    return room(6) * (1 + 0.15 * float(np.sin(17 * time)))


@pytest.mark.parametrize(
    ("scene", "seconds"),
    [(step, 30), (drift, 90), (flicker, 30)],
    ids=["exposure steps", "slow day light", "flicker"],
)
@pytest.mark.parametrize("control", [None, 1.5], ids=["fixed", "controlled"])
def test_light_does_not_count(
    runner: Runner, scene: Callable[[float], Plane], seconds: float, control: float | None
) -> None:
    assert not play(runner, scene, every(5, seconds), Camera(1.5, control)).present.any()


def test_a_tree_that_was_learned_does_not_count(runner: Runner) -> None:
    leaves = np.random.default_rng(8).random((40, SIZE)) * 0.4 + 0.1

    def scene(time: float) -> Plane:
        made = room(7)
        made[:40] = np.roll(leaves, round(2 * np.sin(4 * time) + np.sin(7.3 * time)), 1)
        return made

    assert play(runner, scene, every(10, 60)).presence(20, 60) < 0.02


def test_a_camera_that_was_moved_learns_anew(runner: Runner) -> None:
    seen = play(runner, lambda t: room(8) if t < 20 else room(9)[:, ::-1], every(5, 60))
    assert seen.presence(0, 20) == 0
    assert seen.presence(45, 60) == 0


def test_what_stays_behind_and_never_stirs_becomes_the_scene(runner: Runner) -> None:
    def scene(time: float) -> Plane:
        made = room(10)
        if time > 20:
            made[50:75, 35:60] = 0.02
        return made

    seen = play(runner, scene, every(1, 660))
    assert seen.presence(25, 500) == 1
    assert seen.presence(640, 660) == 0


# -- the real clip -------------------------------------------------------------------------------------------
def clip(path: Path) -> Iterable[npt.NDArray[np.uint8]]:
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            grey = frame.reformat(SIZE, SIZE, "gray", interpolation="AREA")
            yield grey.to_ndarray().astype(np.uint8)


def test_the_real_clip(runner: Runner, shared: Path) -> None:
    path = shared / "media/one-by-one-person-detection.mp4"
    shown = [runner.step(picture, 0.1 if i else 0.0)[1].max() >= 0.5 for i, picture in enumerate(clip(path))]
    present = np.array(shown)
    there = np.zeros(len(present), bool)
    for first, last in VISITS:
        there[first : last + 1] = True
    assert present[there].mean() >= 0.80
    assert present[~there].mean() <= 0.06
