"""Whether a microphone hears: exactly zero for seconds is no quiet night, and no number is no sound."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import sounds
from command import edged
from numpy.typing import NDArray
from stage import Stage

from edged import supervise
from edged.config import shape
from edged.worker.intake import Window
from edged.worker.silence import PATIENCE, Silence
from edged.worker.source.hops import Hops
from edged.worker.source.resampling import Resampler
from edged.worker.window import WindowPreparation

RATE = sounds.RATE
HEARD = shape.Measure(kind="presence", labels=("song", "hum"))
DICE = np.random.default_rng(3)


def quiet(seconds: float) -> NDArray[np.float32]:
    """The least that 16 bits can say of noise: mostly zero, now and then one step."""
    steps = DICE.random(int(seconds * RATE)) < 0.001
    return (steps / 32768.0).astype(np.float32)


def zeros(seconds: float) -> NDArray[np.float32]:
    return np.zeros(int(seconds * RATE), np.float32)


def verdicts(samples: NDArray[np.float32]) -> list[tuple[float, str]]:
    hops, silence = Hops(sounds.WINDOW), Silence()
    windows = enumerate(hops.add(samples))
    return [
        (number * hops.hop / RATE, silence(window, number * hops.hop / RATE)) for number, window in windows
    ]


def blind(samples: NDArray[np.float32]) -> list[float]:
    return [at for at, verdict in verdicts(samples) if verdict == "silent"]


def test_the_quietest_night_of_a_living_microphone_is_heard() -> None:
    assert len(verdicts(quiet(600.0))) > 1000
    assert blind(quiet(600.0)) == []


def test_digital_silence_is_told_after_some_seconds_and_over_with_the_first_sound() -> None:
    found = blind(np.concatenate([quiet(10.0), zeros(20.0), quiet(10.0)]))
    assert found[0] == pytest.approx(10.0 + PATIENCE, abs=1.0)
    assert found[-1] == pytest.approx(29.0, abs=1.0)


def test_a_short_cut_is_none() -> None:
    pieces = [piece for _ in range(10) for piece in (quiet(2.0), zeros(4.0))]
    assert blind(np.concatenate(pieces)) == []


@pytest.mark.parametrize("none", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_never_counted(none: float) -> None:
    samples = quiet(10.0)
    samples[RATE * 4] = none
    assert [round(at) for at in blind(samples)] in ([3, 4], [3, 3], [4, 4])


@pytest.mark.parametrize("rate", [22050, 44100, 48000, 96000])
def test_zeros_stay_zeros_at_another_rate(rate: int) -> None:
    resample = Resampler(rate, float(RATE))
    loud = DICE.normal(0.0, 0.3, rate).astype(np.float32)
    pieces = [resample(loud), *(resample(np.zeros(rate, np.float32)) for _ in range(12))]
    found = blind(np.concatenate(pieces))
    assert found[0] == pytest.approx(1.0 + PATIENCE, abs=1.0)


def test_what_is_no_number_says_nothing_on_its_way_into_a_quantised_model(
    recwarn: pytest.WarningsRecorder,
) -> None:
    prepare = WindowPreparation(Window((1, 100), "int8", 0.01, 3, float(RATE)))
    assert prepare(np.full((100, 1), np.nan, np.float32)).shape == (1, 100)
    assert not recwarn.list


# --- real workers


def ear(folder: Path) -> shape.Model:
    file = folder / "ear.tflite"
    file.write_bytes(sounds.ear([(2000.0, 5000.0), (30.0, 400.0)]))
    return shape.Model(file=str(file), labels=("song", "hum"), sample_rate=float(RATE))


def recording(path: Path, samples: NDArray[np.float32]) -> shape.File:
    """As a WAV of floating point numbers (format 3), which can also hold what is none."""
    data = samples.astype("<f4").tobytes()
    about = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, RATE, RATE * 4, 4, 32)
    size = struct.pack("<I", 4 + len(about) + 8 + len(data))
    path.write_bytes(b"RIFF" + size + b"WAVE" + about + b"data" + struct.pack("<I", len(data)) + data)
    return shape.File(path=str(path), pace="fast")


def test_a_worker_hears_nothing_in_digital_silence_and_says_so(stage: Stage, tmp_path: Path) -> None:
    file = recording(tmp_path / "muted.wav", np.concatenate([quiet(20.0), zeros(20.0), quiet(20.0)]))
    keeper = stage.keep(source=file, model=ear(tmp_path), measure=HEARD, rate=0.0)
    stage.until(lambda: keeper.done)
    assert keeper.state == "ended"
    ticks = [tick for _, tick in stage.heard.ticks]
    silent = {tick.start for tick in ticks if tick.sight == "silent"}
    assert silent >= {float(second) for second in range(27, 38)}
    assert {tick.sight for tick in ticks if not 24.0 <= tick.start <= 41.0} == {""}
    assert sum(tick.blind for tick in ticks) == pytest.approx(20.0 - PATIENCE, abs=2.0)


#: A worker that goes no further than its lock unless it has tried its model before.
REHEARSED = """
import os, sys
sys.path[:0] = {paths!r}
from edged.worker import ladder, loop
done, rehearse, lock = [], ladder.Ladder.rehearse, loop.lock
ladder.Ladder.rehearse = lambda *given: (done.append(given), rehearse(*given))[1]
loop.lock = lambda *given: lock(*given) if done else os._exit(9)
os._exit(loop.main(sys.argv[1]))
"""


def test_what_is_no_number_from_the_first_sample_on_is_blind_and_never_asked_of_the_model(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first sound comes when the worker is locked: what its model opens must have been opened before."""
    program = REHEARSED.format(paths=[one for one in sys.path if one])
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, "-I", "-c", program))
    samples = np.concatenate([np.full(RATE * 8, np.nan, np.float32), quiet(8.0)])
    file = recording(tmp_path / "none.wav", samples)
    keeper = stage.keep(source=file, model=ear(tmp_path), measure=HEARD, rate=0.0)
    stage.until(lambda: keeper.done)
    assert (keeper.state, keeper.why) == ("ended", "")
    ticks = [tick for _, tick in stage.heard.ticks]
    assert sum(tick.observed for tick in ticks if tick.end <= 7.0) == 0.0
    assert sum(tick.observed for tick in ticks) == pytest.approx(8.0, abs=1.5)


def test_who_believes_it_counts_it(stage: Stage, tmp_path: Path) -> None:
    file = recording(tmp_path / "muted.wav", zeros(30.0))
    keeper = stage.keep(source=file, model=ear(tmp_path), measure=HEARD, rate=0.0, blind_when=())
    stage.until(lambda: keeper.done)
    assert {tick.sight for _, tick in stage.heard.ticks} == {""}
    assert sum(tick.blind for _, tick in stage.heard.ticks) == 0.0


# --- what the config may say

PIPELINE = "[pipelines.a]\nsource = {}\nmodel = {!r}\nblind_when = {}\n"
EAR = '[models.ear]\nfile = "/a/ear.tflite"\n'
MICROPHONE, CAMERA = '{ kind = "microphone" }', '{ kind = "v4l2" }'
OF_PICTURES = '"dark", "covered", "blurred" or "moved"'
VIDEO, FEED = '{ kind = "file", path = "/a/b.wav" }', '{ kind = "feed", channels.level = {} }'


@pytest.mark.parametrize(
    ("source", "model", "states", "told"),
    [
        (MICROPHONE, "ear", '["silent"]', ()),
        (MICROPHONE, "ear", "[]", ()),
        (CAMERA, "activity", '["dark", "moved"]', ()),
        (VIDEO, "ear", '["dark", "silent"]', ()),
        (MICROPHONE, "ear", '["silent", "dark"]', ("[1]", '"dark"', "microphone", '"silent"')),
        (CAMERA, "activity", '["silent"]', ("[0]", '"silent"', "v4l2", OF_PICTURES)),
        (VIDEO, "activity", '["silent"]', ("[0]", '"silent"', "file", OF_PICTURES)),
        (FEED, "none", '["dark"]', ("[0]", '"dark"', "feed", "none: such a source is blind when")),
    ],
)
def test_a_state_that_cannot_be_is_refused(
    tmp_path: Path, source: str, model: str, states: str, told: tuple[str, ...]
) -> None:
    (tmp_path / "edged.toml").write_text(EAR + PIPELINE.format(source, model, states))
    done = edged("check", "--config", str(tmp_path / "edged.toml"))
    if not told:
        assert "blind_when" not in done.stdout
        return
    place, found, kind, allowed = told
    for one in (f"a.blind_when{place}", f'{found}, which a source of kind "{kind}" cannot be', allowed):
        assert one in done.stdout
