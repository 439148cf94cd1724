"""Whether a camera sees: judged on pictures of the scripted scene, spoilt one way at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import media
import numpy as np
import pytest
from numpy.typing import NDArray
from stage import Stage

from edged.config import shape
from edged.worker import sight
from edged.worker.sight import Watch, looked
from edged.worker.source import Want
from edged.worker.source.synthetic import SyntheticSource

Pictures = list[NDArray[np.uint8]]
ALL = ("dark", "covered", "blurred", "moved")
DICE = np.random.default_rng(5)


def street(seconds: int, size: int = 300, channels: int = 3, people: float = 4.0, seed: int = 1) -> Pictures:
    """One picture a second."""
    config = shape.Synthetic(pace="fast", fps=1.0, empty=0.0, people=people, cars=people / 2, seed=seed)
    source = SyntheticSource(config, Want(size, size, channels, 1.0))
    return [frame.data.copy() for frame in (source.read(1.0) for _ in range(seconds)) if frame is not None]


def verdicts(pictures: Pictures, heeded: tuple[str, ...] = ALL) -> list[str]:
    watch = Watch(heeded)
    return [watch(picture, float(second)) for second, picture in enumerate(pictures)]


def with_noise(picture: NDArray[np.float64], deviation: float) -> NDArray[np.uint8]:
    noisy = picture + DICE.normal(0.0, deviation, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def at_night(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return with_noise(picture * 0.03 + 4.0, 3.0)


def behind_a_hand(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shade = np.linspace(40.0, 60.0, picture.shape[1])[None, :, None]
    return with_noise(np.broadcast_to(shade, picture.shape), 3.0)


def out_of_focus(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A box of 4 % of the width, twice along both axes."""
    soft = picture.astype(np.float64)
    wide = max(2, picture.shape[1] // 25)
    for axis in (0, 1, 0, 1):
        edges = [(wide // 2 + 1, wide - wide // 2 - 1) if axis == a else (0, 0) for a in range(3)]
        summed = np.cumsum(np.pad(soft, edges, mode="edge"), axis=axis)
        summed = np.insert(summed, 0, 0.0, axis=axis)
        size = picture.shape[axis]
        soft = (
            np.take(summed, range(wide, wide + size), axis=axis) - np.take(summed, range(size), axis=axis)
        ) / wide
    return with_noise(soft, 1.0)


def turned(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """By a tenth of the view, downwards too: along the road one stretch looks like another. What comes in on
    the other side is as good as any.
    """
    height, width, _ = picture.shape
    return np.ascontiguousarray(np.roll(picture, (height // 10, width // 10), axis=(0, 1)))


SPOILT: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "dark": at_night,
    "covered": behind_a_hand,
    "blurred": out_of_focus,
    "moved": turned,
}


@pytest.mark.parametrize("people", [0, 4, 60])
@pytest.mark.parametrize(("size", "channels"), [(300, 3), (192, 3), (96, 1)])
def test_a_street_however_full_is_seen(people: float, size: int, channels: int) -> None:
    assert set(verdicts(street(90, size, channels, people))) == {""}


@pytest.mark.parametrize("trouble", SPOILT)
@pytest.mark.parametrize(("size", "channels"), [(300, 3), (192, 3), (96, 1)])
def test_each_trouble_is_told_by_its_name_and_is_over_when_it_is(
    trouble: str, size: int, channels: int
) -> None:
    pictures = street(140, size, channels)
    pictures[40:100] = [SPOILT[trouble](one) for one in pictures[40:100]]
    told = verdicts(pictures)
    patience = int(sight.PATIENCE[trouble])  # type: ignore[index]
    assert set(told[: 40 + patience]) == {""}
    assert told[40 + patience : 100] == [trouble] * (60 - patience)
    assert set(told[100 + int(sight.RECOVERY) :]) == {""}


@pytest.mark.parametrize("trouble", SPOILT)
def test_what_is_not_heeded_is_not_told(trouble: str) -> None:
    pictures = street(80, 192)
    pictures[30:] = [SPOILT[trouble](one) for one in pictures[30:]]
    assert set(verdicts(pictures, tuple(one for one in ALL if one != trouble))) <= {"", "blurred", "moved"}
    assert trouble not in verdicts(pictures, tuple(one for one in ALL if one != trouble))
    assert set(verdicts(pictures, ())) == {""}


def test_dark_and_covered_are_told_from_the_first_picture_on() -> None:
    pictures = street(20, 192)
    assert verdicts([at_night(one) for one in pictures])[-1] == "dark"
    assert verdicts([behind_a_hand(one) for one in pictures])[-1] == "covered"


def test_dimmer_and_brighter_light_moves_nothing() -> None:
    pictures = street(120, 192)
    for second, gain in ((40, 0.4), (70, 1.3), (100, 0.7)):
        pictures[second:] = [np.clip(one * gain, 0, 255).astype(np.uint8) for one in pictures[second:]]
    assert set(verdicts(pictures)) == {""}


def test_what_is_short_is_nothing() -> None:
    pictures = street(90, 192)
    for begin, trouble, long in ((30, "dark", 4), (45, "covered", 4), (60, "moved", 12)):
        pictures[begin : begin + long] = [SPOILT[trouble](one) for one in pictures[begin : begin + long]]
    assert set(verdicts(pictures)) == {""}


def test_a_view_that_stays_another_is_the_new_one() -> None:
    watch, pictures = Watch(ALL), street(60, 96, 1)
    for second, one in enumerate(pictures):
        watch(one, float(second))
    told = [watch(turned(pictures[second % 60]), 60.0 + second) for second in range(3700)]
    assert told[20] == told[3500] == "moved"
    assert told[3650:] == [""] * 50


def test_it_looks_once_a_second_at_any_rate() -> None:
    watch, picture = Watch(ALL), street(1, 96, 1)[0]
    night = at_night(picture)
    assert [watch(night, 0.1 * moment) for moment in range(60)].index("dark") == 50


def test_pictures_of_a_few_pixels_tell_nothing() -> None:
    assert looked(np.zeros((16, 16, 3), np.uint8)) is None
    assert Watch(ALL)(np.zeros((16, 16, 3), np.uint8), 0.0) == ""


def test_what_was_learnt_is_overwritten() -> None:
    watch = Watch(ALL)
    for second, one in enumerate(street(5, 96, 1)):
        watch(one, float(second))
    known = watch._known
    assert known is not None and known.any()
    watch.wipe()
    assert not known.any()


def film(path: Path, pictures: Pictures) -> Path:
    """One picture a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        stream.bit_rate = 4_000_000
        for one in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(one, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def test_a_worker_counts_nothing_in_the_dark_and_says_so(stage: Stage, tmp_path: Path) -> None:
    pictures = street(60, 192)
    pictures[20:40] = [at_night(one) for one in pictures[20:40]]
    path = film(tmp_path / "evening.avi", pictures)
    keeper = stage.keep(source=shape.File(path=str(path), pace="fast"), rate=0.0)
    stage.until(lambda: keeper.done)
    assert keeper.state == "ended"
    ticks = [tick for _, tick in stage.heard.ticks]
    dark = [tick for tick in ticks if tick.sight == "dark"]
    assert {tick.start for tick in dark if not tick.observed} >= {float(one) for one in range(27, 40)}
    assert {tick.analysed for tick in dark} <= {0, 1}
    seen = sum(tick.observed for tick in ticks)
    blind = sum(tick.blind for tick in ticks)
    assert (seen + blind, blind) == (60.0, pytest.approx(17.0, abs=2.0))
    assert sum(tick.analysed for tick in ticks) == 60 - 17


def test_a_folder_of_pictures_is_no_camera(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    for number, one in enumerate(street(20, 96)):
        media.still(folder / f"{number:03}.png", at_night(one))
    keeper = stage.keep(source=shape.File(path=str(folder), pace="fast"), rate=0.0)
    stage.until(lambda: keeper.done)
    assert {tick.sight for _, tick in stage.heard.ticks} == {""}
