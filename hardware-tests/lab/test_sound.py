"""A real sound driver (snd-aloop) and its faults: what the microphone source must survive, and a whole daemon
that hears. What is played into one end of the loop comes out of the other. Runs as root in the VM of
``sound.sh``.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from stage import Stage

from edged import supervise, wall
from edged.config import shape
from edged.errors import RefusedError, UnavailableError
from edged.worker.source import Frame, WantWindow, alsa, microphone, opened
from edged.worker.source.microphone import MicrophoneSource

INTO, DEVICE = "hw:CARD=Loopback,DEV=0", "hw:CARD=Loopback,DEV=1"
DRIVER = Path("/sys/bus/platform/drivers/snd_aloop")
PATIENCE = 60.0  # seconds; the machine is emulated
STARTING = 180.0  # for a worker, which has a model to open
WANT = WantWindow(15600, 1, 16000.0, 0.0)
PLAYBACK, INTERLEAVED = 0, 3
LISTENING = 25.0  # seconds


class Player(threading.Thread):
    """Plays samples round and round, in a format, rate and number of channels of its own."""

    def __init__(self, shown: np.ndarray, rate: int, form: str, channels: int) -> None:
        super().__init__(daemon=True)
        self._library, self._pcm, self._stop = ctypes.CDLL(alsa.LIBRARY), ctypes.c_void_p(), threading.Event()
        self._bytes = packed(shown, form, channels)
        self._frame = alsa.FORMATS[form][1] * channels
        called(self._library.snd_pcm_open(ctypes.byref(self._pcm), INTO.encode(), PLAYBACK, 0))
        setting = (alsa.FORMATS[form][0], INTERLEAVED, channels, rate, 0, 1_000_000)
        called(self._library.snd_pcm_set_params(self._pcm, *setting))
        self._library.snd_pcm_writei.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_ulong)
        self._rate, self.gaps = rate, 0
        self.start()

    def run(self) -> None:
        at, step = 0, self._rate // 4 * self._frame
        while not self._stop.is_set():
            part = (self._bytes[at : at + step] + self._bytes)[:step]
            at = (at + step) % len(self._bytes)
            if self._library.snd_pcm_writei(self._pcm, part, step // self._frame) < 0:
                self.gaps += 1  # an emulated machine does not always come in time
                self._library.snd_pcm_prepare(self._pcm)

    def end(self) -> None:
        self._stop.set()
        self.join()
        self._library.snd_pcm_close(self._pcm)


def called(result: int) -> None:
    assert result >= 0, f"ALSA: {result}"


def packed(shown: np.ndarray, form: str, channels: int) -> bytes:
    """float [n] in -1..1 as interleaved bytes of a format, the same in every channel."""
    many = np.repeat(shown[:, None], channels, axis=1).ravel()
    whole = np.rint(many * (2**31 - 1)).astype("<i4")
    match form:
        case "FLOAT_LE":
            return many.astype("<f4").tobytes()
        case "S16_LE":
            return (whole >> 16).astype("<i2").tobytes()
        case "S24_LE":
            return (whole >> 8).tobytes()
        case "S24_3LE":
            return whole.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    return whole.tobytes()


def tone(rate: int, frequency: float = 1000.0) -> np.ndarray:
    """A second of it, at half of full scale."""
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(rate) / rate)


def start(**keys: object) -> MicrophoneSource:
    source = opened(shape.Microphone(**{"device": DEVICE, "timeout": PATIENCE, **keys}), WANT)
    assert isinstance(source, MicrophoneSource)
    return source


def following(source: MicrophoneSource) -> Frame:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (frame := source.read(1.0)) is not None:
            return frame
    raise AssertionError("no window came")


def heard(source: MicrophoneSource, frequency: float = 1000.0) -> tuple[float, float]:
    """Of a window in which the tone is at full strength: its amplitude, and what else there is (RMS)."""
    best = (0.0, 1.0)
    at = np.arange(WANT.length) / WANT.sample_rate * 2 * np.pi * frequency
    basis = np.stack([np.sin(at), np.cos(at)], axis=1)
    for _ in range(12):
        window = following(source).data[:, 0]
        amplitudes, *_ = np.linalg.lstsq(basis, window, rcond=None)
        found = float(np.hypot(*amplitudes)), float(np.std(window - basis @ amplitudes))
        best = min(best, found, key=lambda one: one[1] + abs(one[0] - 0.5))
    return best


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def source() -> Iterator[MicrophoneSource]:
    made = start()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("form", "rate", "channels"),
    [
        ("S16_LE", 16000, 1),
        ("S16_LE", 48000, 2),
        ("S32_LE", 44100, 2),
        ("S24_3LE", 48000, 1),
        ("FLOAT_LE", 96000, 4),
    ],
)
def test_a_tone_is_heard_as_it_was_played_in_any_format(form, rate, channels):
    player = Player(tone(rate), rate, form, channels)
    source = start()
    try:
        assert (source._set.rate, source._set.channels) == (rate, channels)
        amplitude, rest = heard(source)
    finally:
        source.close()
        player.end()
    print(f"{player.gaps} gaps")
    assert amplitude == pytest.approx(0.5, abs=0.01)
    assert rest < 0.002


def test_silence_is_sound_too(source):
    assert not following(source).data.any()


def test_a_channel_that_it_lacks_is_refused():
    player = Player(tone(48000), 48000, "S16_LE", 2)
    try:
        with pytest.raises(RefusedError) as refused:
            start(channel=3)
    finally:
        player.end()
    assert "has 2 channels" in refused.value.message


@contextmanager
def unplugged() -> Iterator[None]:
    """As long as it lasts the card is gone. The kernel takes it away only when the last one has closed it, so
    whoever has it open must let go of it meanwhile, or else neither unbind nor bind comes back.
    """
    away = threading.Thread(target=(DRIVER / "unbind").write_text, args=("snd_aloop.0",))
    away.start()
    try:
        yield
    finally:
        away.join(PATIENCE)
        (DRIVER / "bind").write_text("snd_aloop.0")
        subprocess.run(["udevadm", "settle"], check=True)


def gone() -> bool:
    return not any(one.device == DEVICE for one in alsa.listed())


def test_unplugged_and_plugged_in_again(source):
    following(source)
    with unplugged():
        try:
            with pytest.raises(UnavailableError) as lost:
                for _ in range(200):
                    source.read(1.0)
        finally:
            source.close()
        assert "was unplugged" in lost.value.message
        assert lost.value.hint == "plug it in again"
        eventually(gone)
        with pytest.raises(UnavailableError) as absent:
            start()
        assert "is it plugged in?" in absent.value.hint
        with pytest.raises(UnavailableError, match="no microphone"):
            start(device="default")
    again = start()
    following(again)
    again.close()


def test_samples_that_nobody_fetched_are_counted_as_dropped(source):
    following(source)
    counted = source.dropped
    time.sleep(microphone.HELD + 3.0)
    frame = following(source)
    assert source.dropped >= counted + 6  # of two a second
    assert frame.time > time.monotonic() - 2.0
    following(source)


def test_it_rests_and_wakes(source):
    following(source)
    source.rest()
    time.sleep(1.0)
    source.wake()
    before = time.monotonic()
    assert following(source).time >= before


def test_a_microphone_in_use_is_said_to_be(source):
    following(source)
    with pytest.raises(UnavailableError) as busy:
        start()
    assert "another program" in busy.value.message


def test_of_several_microphones_none_is_chosen():
    with pytest.raises(RefusedError) as refused:
        start(device="default")
    assert "2 microphones" in refused.value.message
    assert DEVICE in refused.value.hint


# --- real workers, and a whole daemon


@pytest.fixture
def yamnet() -> shape.Model:
    from os import environ

    file = Path(environ["EDGED_SHARED"]) / "models/yamnet_audio_classifier_with_metadata.tflite"
    if not file.exists():
        pytest.skip("the model of sound is not here")
    pytest.importorskip("ai_edge_litert")
    return shape.Model(file=str(file))


@pytest.fixture
def voice() -> Iterator[None]:
    from os import environ

    with wave.open(environ["EDGED_SHARED"] + "/media/speech.wav") as file:
        shown = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768.0
        player = Player(shown, file.getframerate(), "S16_LE", 1)
    yield
    player.end()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(supervise, "PROGRESS_DEADLINE", 60.0)
    made = Stage()
    yield made
    made.end()


def test_a_locked_worker_hears_rests_and_wakes(stage: Stage, yamnet: shape.Model) -> None:
    measure = shape.Measure(kind="presence", labels=("Speech", "Silence"))
    source = shape.Microphone(device=DEVICE, timeout=PATIENCE)
    keeper = stage.keep(source=source, model=yamnet, measure=measure, rate=0.0, blind_when=())
    stage.until(lambda: sum(tick.analysed for _, tick in stage.heard.ticks) >= 6, STARTING)
    keeper.direct(wall.Directive(rate=0.0, paused=True))
    stage.until(lambda: [tick.analysed for _, tick in stage.heard.ticks[-3:]] == [0, 0, 0], PATIENCE)
    keeper.direct(wall.Directive(rate=0.0, paused=False))
    seen = sum(tick.analysed for _, tick in stage.heard.ticks)
    stage.until(lambda: sum(tick.analysed for _, tick in stage.heard.ticks) >= seen + 4, STARTING)
    assert not stage.events("worker-broke-out")


def analysed(stage: Stage) -> int:
    return sum(tick.analysed for _, tick in stage.heard.ticks)


def test_a_locked_worker_loses_its_microphone_and_the_next_one_has_it(
    stage: Stage, yamnet: shape.Model
) -> None:
    """Three times: whatever counts as a worker's own fault is set aside after two."""
    measure = shape.Measure(kind="presence", labels=("Speech",))
    source = shape.Microphone(device=DEVICE, timeout=PATIENCE)
    keeper = stage.keep(source=source, model=yamnet, measure=measure, rate=0.0)
    told, lost = 0, 0.0
    for times in range(1, 5):
        seen = analysed(stage)
        stage.until(lambda seen=seen: analysed(stage) >= seen + 4, STARTING)
        assert all(tick.start >= lost for _, tick in stage.heard.ticks[told:])  # none goes over the gap
        if times == 4:
            break
        with unplugged():
            stage.until(lambda: keeper.state == "backoff", PATIENCE)
            reasons = [one for one in stage.events("replaced") if "was unplugged (plug it in again)" in one]
            assert len(reasons) == times, stage.events("replaced")
            lost, told = time.monotonic(), len(stage.heard.ticks)
            stage.until(lambda: "there is no microphone" in keeper.why, STARTING)
            assert len(stage.heard.ticks) == told  # nobody hears anything, and nobody says that he does
    assert {event for _, event, _ in stage.heard.events} <= {"started", "replaced", "sandbox-lacking"}


CONFIG = """
[daemon]
state_dir = "{folder}/state"
runtime_dir = "{folder}/run"
[clock]
trust = "always"
[governor]
enabled = false
[models.yamnet]
file = "{model}"
[pipelines.room]
model = "yamnet"
measures = [{{ kind = "presence", labels = ["Speech", "Music", "Silence", "Bird", "Vehicle", "Animal"] }}]
source = {{ kind = "microphone", device = "{device}", timeout = "60s" }}
"""


def edged(*arguments: str, **keys: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edged", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **keys)


@pytest.mark.usefixtures("voice")
def test_a_voice_is_reported_as_speech(tmp_path: Path, yamnet: shape.Model) -> None:
    config = tmp_path / "edged.toml"
    config.write_text(CONFIG.format(folder=tmp_path, model=yamnet.file, device=DEVICE))
    command = [sys.executable, "-m", "edged", "run", "--init-key", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        said = ""
        for line in daemon.stderr:
            said += line
            if "started" in line:
                break
        time.sleep(LISTENING)
        daemon.terminate()
        said += daemon.communicate()[1]
    report = edged("report", "--config", str(config), "--json")
    assert report.returncode == 0, report.stderr + said
    means = {
        one["label"]: (
            sum(row["mean"] * row["seconds"] for row in one["rows"] if row["mean"] is not None),
            sum(row["seconds"] for row in one["rows"]),
        )
        for one in json.loads(report.stdout)["series"]
    }
    shares = {label: total / seconds for label, (total, seconds) in means.items()}
    print(shares, {label: seconds for label, (_, seconds) in means.items()})
    assert max(shares, key=shares.__getitem__) == "Speech", said
    assert shares["Speech"] > 0.5
