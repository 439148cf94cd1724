"""Sound: windows, resampling, recordings, and the microphone on ALSA's own library.

Where there is no sound card ALSA still has PCMs that need none: ``null``, which is silent, and one that reads
a file. A real driver is in ``hardware-tests/lab/sound.sh``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import media
import numpy as np
import pytest
import sounds
from command import edged
from hypothesis import given
from hypothesis import strategies as st
from stage import Stage

from edged.config import shape
from edged.errors import EdgedError, EndOfSource, RefusedError, UnavailableError
from edged.worker.source import WantWindow, alsa, microphone, opened
from edged.worker.source.hops import Hops, hop
from edged.worker.source.resampling import Resampler

WANT = WantWindow(4000, 1, 16000.0, 0.0)

# --- windows


@given(st.integers(1, 40), st.lists(st.integers(0, 100), max_size=30))
def test_windows_are_those_of_the_whole_stream_however_it_comes(length: int, parts: list[int]) -> None:
    stream = np.arange(1, sum(parts) + 1, dtype=np.float32)
    hops, at, found = Hops(length), 0, []
    for part in parts:
        found += [one[:, 0].copy() for one in hops.add(stream[at : at + part])]
        at += part
    step = hop(length)
    starts = range(0, max(0, stream.size - length + 1), step)
    assert [one.tolist() for one in found] == [stream[n : n + length].tolist() for n in starts]
    if found:
        assert hops.ended == starts[-1] + length


def test_what_is_left_at_the_end_is_filled_up_with_silence() -> None:
    hops = Hops(8)
    list(hops.add(np.ones(13, np.float32)))
    assert hops.padded()[:, 0].tolist() == [1.0] * 5 + [0.0] * 3
    assert hops.padded() is None


def test_a_recording_shorter_than_a_window_is_one(tmp_path: Path) -> None:
    path = media.sound(tmp_path / "a.wav", seconds=0.05)
    source = opened(shape.File(path=str(path), pace="fast"), WANT)
    window = source.read(1.0).data
    assert np.abs(window[:800]).max() > 0.4
    assert not window[800:].any()
    with pytest.raises(EndOfSource):
        source.read(1.0)


def test_nothing_of_the_sound_is_left_in_a_closed_one(tmp_path: Path) -> None:
    source = opened(shape.File(path=str(media.sound(tmp_path / "a.wav")), pace="fast"), WANT)
    window = source.read(1.0).data
    assert window.any()
    source.close()
    assert not window.any()


# --- resampling


def through(given: int, wanted: int, tone: float) -> np.ndarray:
    """What becomes of two seconds of a tone of amplitude 1, without the ends."""
    wave = np.sin(2 * np.pi * tone * np.arange(2 * given) / given).astype(np.float32)
    resample = Resampler(given, wanted)
    made = [resample(part) for part in np.array_split(wave, 17)] + [resample(wave[:0], last=True)]
    return np.concatenate(made)[wanted // 4 : -wanted // 4]


def decibel(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))) * 2**0.5 + 1e-12))


@pytest.mark.parametrize("rate", [22050, 32000, 44100, 48000, 96000])
def test_what_the_model_can_hear_passes_and_what_it_cannot_does_not_fold_into_it(rate: int) -> None:
    kept = [decibel(through(rate, 16000, tone)) for tone in (50.0, 1000.0, 5000.0, 7000.0, 7250.0)]
    assert max(map(abs, kept)) < 0.02
    gone = [decibel(through(rate, 16000, tone)) for tone in (8010.0, 8700.0, 9000.0, 10900.0)]
    assert max(gone) < -110.0


def test_a_resampled_tone_is_that_tone_and_nothing_else() -> None:
    made = through(44100, 16000, 1000.0)
    at = 2 * np.pi * 1000.0 * np.arange(made.size) / 16000
    basis = np.stack([np.sin(at), np.cos(at)], axis=1)
    amplitudes, *_ = np.linalg.lstsq(basis, made, rcond=None)
    assert decibel(made - basis @ amplitudes) < -110.0


def test_the_same_rate_costs_nothing() -> None:
    samples = np.ones(5, np.float32)
    assert Resampler(16000, 16000)(samples) is samples


def test_an_interrupted_stream_leaves_nothing_behind() -> None:
    resample = Resampler(48000, 16000)
    resample(np.ones(4800, np.float32))
    resample.clear()
    assert not resample(np.zeros(9600, np.float32)).any()


@pytest.mark.parametrize(("given", "wanted"), [(48000, 16000), (44100, 15600), (8000, 48000)])
def test_a_filter_that_was_wiped_holds_silence(given: int, wanted: int) -> None:
    resample = Resampler(given, wanted)
    noise = np.random.default_rng(1).uniform(-1, 1, given // 10).astype(np.float32)
    resample(noise)
    resample.wipe()
    assert np.abs(resample(np.zeros(0, np.float32), last=True)).max(initial=0.0) < 1e-9
    resample.wipe()  # nothing is held any more, and that is no error
    held = Resampler(given, wanted)
    held(noise)
    assert np.abs(held(np.zeros(0, np.float32), last=True)).max() > 0.1, "else nothing was held"


def test_a_microphone_that_is_closed_wipes_its_filter() -> None:
    from edged.worker.source.hops import Hops
    from edged.worker.source.microphone import MicrophoneSource

    source = MicrophoneSource.__new__(MicrophoneSource)
    source._hops, source._raw = Hops(100), np.ones(8, np.int16)
    source._resample = Resampler(48000, 16000)
    source._resample(np.ones(4800, np.float32))
    source.close()
    assert not source._raw.any()
    assert np.abs(source._resample(np.zeros(0, np.float32), last=True)).max(initial=0.0) < 1e-9


# --- recordings


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", 48000),
        ("a.wav", "pcm_u8", 16000),
        ("a.wav", "pcm_s24le", 44100),
        ("a.wav", "pcm_f32le", 16000),
        ("a.flac", "flac", 16000),
        ("a.mp3", "mp3", 44100),
        ("a.mp4", "aac", 48000),
        ("a.ogg", "libopus", 48000),
    ],
)
def test_a_recording_is_heard_as_it_was_made(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    try:
        path = media.sound(tmp_path / name, codec, rate, 2.0)
    except ValueError:
        pytest.skip(f"this FFmpeg does not write {codec}")
    source = opened(shape.File(path=str(path), pace="fast"), WANT)
    window = [source.read(1.0).data[:, 0].copy() for _ in range(4)][3]
    at = 2 * np.pi * 440.0 * np.arange(window.size) / 16000
    basis = np.stack([np.sin(at), np.cos(at)], axis=1)
    amplitudes, *_ = np.linalg.lstsq(basis, window, rcond=None)
    lossy = codec in ("mp3", "aac", "libopus")
    assert float(np.hypot(*amplitudes)) == pytest.approx(0.5, abs=0.05 if lossy else 0.005)
    assert float(np.std(window - basis @ amplitudes)) < (0.02 if lossy else 0.005)


def test_channels_are_mixed(tmp_path: Path) -> None:
    path = media.sound(tmp_path / "a.wav", rate=16000, seconds=1.0, tones=(1000.0, 2000.0))
    source = opened(shape.File(path=str(path), pace="fast"), WANT)
    power = np.abs(np.fft.rfft(source.read(1.0).data[:, 0])) / 2000.0
    assert {round(float(one), 2) for one in power[[250, 500]]} == {0.25}


def test_every_sample_of_a_recording_is_in_a_window(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    stream = (np.arange(16001) % 30000).astype("<i2")
    with wave.open(str(path), "w") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(stream.tobytes())
    source = opened(shape.File(path=str(path), pace="fast"), WANT)
    heard: list[int] = []
    with pytest.raises(EndOfSource):
        while True:
            heard[-2000:] = np.rint(source.read(1.0).data[:, 0] * 32768).astype(int).tolist()
    assert heard[:16001] == stream.tolist()
    assert not any(heard[16001:])


def refused(call: Callable[[], object], kind: type[EdgedError] = RefusedError) -> EdgedError:
    with pytest.raises(kind) as caught:
        call()
    return caught.value


def test_a_silent_film_is_refused(tmp_path: Path) -> None:
    path = media.movie(tmp_path / "a.avi")
    error = refused(lambda: opened(shape.File(path=str(path)), WANT))
    assert "holds no sound, only: video" in error.message


def test_a_text_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("Dear diary, " * 100)
    assert "is no sound" in refused(lambda: opened(shape.File(path=str(tmp_path / "a.wav")), WANT)).message


def test_sound_that_is_cut_off_plays_to_where_it_goes(tmp_path: Path) -> None:
    path = media.sound(tmp_path / "a.flac", "flac", seconds=3.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = opened(shape.File(path=str(path), pace="fast"), WANT)
    times = []
    with pytest.raises(EndOfSource):
        while True:
            times.append(source.read(1.0).time)
    assert 0.5 < times[-1] < 2.0


def test_damaged_sound_says_so(tmp_path: Path) -> None:
    path = media.sound(tmp_path / "a.mp4", "aac", seconds=1.0)
    data = bytearray(path.read_bytes())
    begin, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[begin:end] = b"\xff" * (end - begin)
    path.write_bytes(data)
    source = opened(shape.File(path=str(path), pace="fast"), WANT)
    assert "damaged or cut off" in refused(lambda: source.read(1.0)).message


def test_frames_per_second_are_for_pictures(tmp_path: Path) -> None:
    path = media.sound(tmp_path / "a.wav")
    assert "fps is 5" in refused(lambda: opened(shape.File(path=str(path), fps=5.0), WANT)).message


# --- the microphone: ALSA's own library without a card


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A PCM "tape" that reads this file (48 kHz, 16 bits) and has no clock: all of it is there at once."""
    if not os.path.exists("/usr/share/alsa/alsa.conf"):  # noqa: PTH110
        pytest.skip("ALSA is not installed")
    try:
        alsa.library()
    except RefusedError as error:
        pytest.skip(error.message)
    tape = tmp_path / "tape.raw"
    (tmp_path / "asound.conf").write_text(
        "</usr/share/alsa/alsa.conf>\n"
        'pcm.tape { type file slave.pcm "null" file "/dev/null" format "raw" '
        f'infile "{tape}" }}\n'
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / "asound.conf"))
    ctypes.CDLL(alsa.LIBRARY).snd_config_update_free_global()
    yield tape
    ctypes.CDLL(alsa.LIBRARY).snd_config_update_free_global()


def microphone_(device: str, want: WantWindow = WANT, **keys: object) -> microphone.MicrophoneSource:
    source = opened(shape.Microphone(device=device, **keys), want)
    assert isinstance(source, microphone.MicrophoneSource)
    return source


def test_it_hears_what_is_there(card: Path) -> None:
    tone = np.sin(2 * np.pi * 1003.7 * np.arange(16000 * 10) / 16000)
    (16000 * tone).astype("<i2").tofile(card)
    source = microphone_("tape")
    window = source.read(5.0).data
    assert window.shape == (4000, 1)
    assert float(np.abs(window).max()) == pytest.approx(16000 / 32768, abs=1e-3)
    at = 2 * np.pi * 1003.7 * np.arange(4000) / 16000
    basis = np.stack([np.sin(at), np.cos(at)], axis=1)
    amplitudes, *_ = np.linalg.lstsq(basis, window[:, 0], rcond=None)
    assert float(np.std(window[:, 0] - basis @ amplitudes)) < 1e-3  # no seam in it
    source.close()
    source.close()
    assert not source._raw.any()


def test_a_silent_one_is_heard_as_silent(card: Path) -> None:
    source = microphone_("null")
    assert not source.read(5.0).data.any()


def test_windows_that_came_at_once_are_dropped_but_the_newest(card: Path) -> None:
    source = microphone_("null")
    before = time.monotonic()
    frame = source.read(5.0)
    assert before - 1.0 <= frame.time <= time.monotonic()
    assert source.dropped > 10  # of the four seconds that were there, eight windows a second


def test_no_window_goes_over_a_rest(card: Path) -> None:
    np.full(16000 * 20, 8000, "<i2").tofile(card)
    source = microphone_("tape")
    source.read(5.0)
    source.rest()
    assert not source._hops._kept.any()
    source.wake()
    assert source.read(5.0).data.all()


def test_lost_samples_begin_a_new_window_and_are_counted(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = microphone_("null")
    source.read(5.0)
    counted, real = source.dropped, source._pcm.wait
    source._heard -= 2.0
    waits = iter([OSError(32, "overrun")])

    def overrun(seconds: float) -> bool:
        for error in waits:
            raise error
        return real(seconds)

    monkeypatch.setattr(source._pcm, "wait", overrun)
    monkeypatch.setattr(source._pcm, "start", lambda: None)
    assert source._next(1.0) is None
    assert source.dropped >= counted + 16
    assert source._hops.ended == 0


def test_one_that_gives_nothing_is_lost(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = microphone_("null", timeout=0.2)
    monkeypatch.setattr(source._pcm, "wait", lambda seconds: bool(time.sleep(seconds)))
    error = refused(lambda: [source.read(0.1) for _ in range(5)], UnavailableError)
    assert "gave no sound" in error.message


#: What opens nothing may say so: a microphone is lost behind the lock.
LOST = """
import os, sys
sys.path[:0] = {paths!r}
from edged.config import shape
from edged.errors import UnavailableError
from edged.worker import sandbox
from edged.worker.source import WantWindow, opened
source = opened(shape.Microphone(device="null"), WantWindow(4000, 1, 16000.0, 0.0))
source.read(5.0)

def raising(number):
    def call(*arguments):
        raise OSError(number, os.strerror(number))
    return call

source._pcm.wait = raising({first})
if {then}:
    source._pcm.behind = raising({then})
sandbox.shut(1, frozenset(("microphone",)))
try:
    source.read(1.0)
except UnavailableError as error:
    os.write(1, str(error.message + "; " + error.hint).encode())
os._exit(0)
"""


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        (errno.ENODEV, 0, "the microphone null was unplugged; plug it in again"),
        (errno.EIO, errno.ENODEV, "the microphone null was unplugged; plug it in again"),
        (errno.EBADFD, errno.ENODEV, "the microphone null was unplugged; plug it in again"),
        (errno.EIO, 0, "the microphone null gives nothing; plug it in anew"),
        (errno.ENOMEM, 0, "the microphone null failed: Cannot allocate memory; plug it in anew"),
    ],
)
@pytest.mark.usefixtures("card")
def test_a_locked_worker_says_how_it_lost_its_microphone(first: int, then: int, said: str) -> None:
    """Whoever opens a file behind the lock is ended for it, also who only looks what else is plugged in."""
    program = LOST.format(paths=[one for one in sys.path if one], first=first, then=then)
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, said), done.stderr


def test_what_is_not_there_may_come(card: Path) -> None:
    assert "no microphone" in refused(lambda: microphone_("hw:CARD=Nobody"), UnavailableError).message


def test_a_model_that_takes_several_numbers_a_sample_hears_nothing() -> None:
    error = refused(lambda: microphone_("null", WantWindow(128, 3, 50.0, 0.0)))
    assert "takes 3 numbers a sample" in error.message


def test_a_model_that_does_not_say_its_rate_is_asked_for_it() -> None:
    error = refused(lambda: microphone_("null", WantWindow(144_000, 1, 0.0, 0.0)))
    assert "sample_rate" in error.hint


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alsa, "LIBRARY", "libnothing.so.2")
    alsa.library.cache_clear()
    try:
        assert "apt install libasound2" in refused(lambda: alsa.Pcm("null")).hint
    finally:
        alsa.library.cache_clear()


def listing(folder: Path, text: str) -> Path:
    (folder / "pcm").write_text(text)
    (folder / "card1").mkdir()
    (folder / "card1/id").write_text("Device\n")
    return folder


PLAYBACK = "00-00: bcm2835 Headphones : bcm2835 Headphones : playback 8\n"
USB = "01-00: USB Audio : USB Audio : capture 1\n"


def test_what_records_is_listed_by_names_that_stay(tmp_path: Path) -> None:
    found = alsa.listed(listing(tmp_path, PLAYBACK + USB + "02-03: X : Y : playback 1 : capture 1\n"))
    assert found == [("hw:CARD=Device,DEV=0", "USB Audio"), ("hw:CARD=2,DEV=3", "X")]


def test_the_default_is_the_only_one_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = listing(tmp_path, PLAYBACK + USB)
    monkeypatch.setattr(alsa.listed, "__defaults__", (root,))
    assert microphone.named("default") == "hw:CARD=Device,DEV=0"
    assert microphone.named("plughw:3") == "plughw:3"
    (root / "pcm").write_text(PLAYBACK)
    assert "no microphone" in refused(lambda: microphone.named("default"), UnavailableError).message
    (root / "pcm").write_text(USB * 2)
    error = refused(lambda: microphone.named("default"))
    assert "2 microphones" in error.message
    assert "hw:CARD=Device,DEV=0" in error.hint


def test_the_model_s_own_rate_is_asked_for_first() -> None:
    assert microphone._rates(16000) == [16000, 32000, 48000, 64000, 96000, 48000, 44100, 96000]
    assert microphone._rates(48000)[:3] == [48000, 96000, 144000]


@pytest.mark.parametrize("form", alsa.FORMATS)
@pytest.mark.parametrize(("channels", "channel"), [(1, 0), (1, 1), (2, 0), (2, 2), (3, 1)])
def test_every_format_becomes_numbers_between_minus_1_and_1(form: str, channels: int, channel: int) -> None:
    wanted = np.array([[-1.0, 0.0, 0.5, -0.25, 0.984375]] * channels).T
    wanted[:, 1:] *= 0.5
    raw = encoded(wanted, form)
    found = alsa.real(raw, form, channels, channel)
    expected = wanted[:, channel - 1] if channel else wanted.mean(axis=1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1 / 128 if form == "U8" else 1e-4)


def encoded(numbers: np.ndarray, form: str) -> np.ndarray:
    flat = numbers.ravel()
    match form:
        case "FLOAT_LE":
            data = flat.astype("<f4").tobytes()
        case "S16_LE":
            data = np.rint(flat * 2**15).astype("<i2").tobytes()
        case "S32_LE":
            data = np.rint(flat * 2**31).astype("<i4").tobytes()
        case "U8":
            data = np.rint(flat * 128 + 128).astype(np.uint8).tobytes()
        case _:
            words = np.rint(flat * 2**23).astype("<i4")
            data = words.tobytes()
            if form == "S24_3LE":
                data = words.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
            else:
                data = (words & 0xFFFFFF).tobytes()  # its upper byte may be anything
    return np.frombuffer(data, np.uint8).copy()


# --- real workers


def ear(folder: Path) -> shape.Model:
    file = folder / "ear.tflite"
    file.write_bytes(sounds.ear([(2000.0, 5000.0), (30.0, 400.0)]))
    return shape.Model(file=str(file), labels=("song", "hum"), sample_rate=16000.0)


def test_a_locked_worker_hears_a_microphone(card: Path, stage: Stage, tmp_path: Path) -> None:
    measure = shape.Measure(kind="presence", labels=("song", "hum"))
    null = shape.Microphone(device="null")
    stage.keep(source=null, model=ear(tmp_path), measure=measure, rate=4.0, blind_when=())
    stage.until(lambda: sum(tick.analysed for _, tick in stage.heard.ticks) >= 6)
    heard = [entry for _, tick in stage.heard.ticks for entry in tick.entries if entry.seconds]
    assert heard
    assert not any(entry.max for entry in heard)  # silence is neither
    assert {event for _, event, _ in stage.heard.events} <= {"started"}, stage.heard.events


def test_a_microphone_that_gives_only_zeros_is_blind(card: Path, stage: Stage, tmp_path: Path) -> None:
    measure = shape.Measure(kind="presence", labels=("song", "hum"))
    stage.keep(source=shape.Microphone(device="null"), model=ear(tmp_path), measure=measure, rate=4.0)
    stage.until(lambda: any(tick.sight == "silent" and tick.blind for _, tick in stage.heard.ticks))
    assert {event for _, event, _ in stage.heard.events} <= {"started"}, stage.heard.events


def test_a_worker_refuses_a_model_of_sound_for_a_camera(stage: Stage, tmp_path: Path) -> None:
    measure = shape.Measure(kind="presence", labels=("song",))
    stage.keep(model=ear(tmp_path), measure=measure)
    stage.until(lambda: any("gives pictures" in text for _, _, text in stage.heard.events))


# --- what the config may say


MICROPHONE = '[pipelines.a]\nsource = { kind = "microphone" }\n'
EAR = '[models.ear]\nfile = "/a/ear.tflite"\n'


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (MICROPHONE, 'pipelines.a.model found "activity", which looks at pictures'),
        (EAR + 'decoder = "detector"\n' + MICROPHONE + 'model = "ear"\n', 'whose decoder is "detector"'),
        (
            EAR + MICROPHONE + 'model = "ear"\nzones.door = [[0, 0], [1, 0], [1, 1]]\n',
            "pipelines.a.zones found places in a picture",
        ),
        (
            EAR
            + MICROPHONE
            + 'model = "ear"\n[pipelines.b]\nmodel = "ear"\nsource = { kind = "microphone" }\n',
            "pipelines.b.source.device found default, which a has already",
        ),
        (
            EAR
            + '[pipelines.a]\nmodel = "ear"\nsource = { kind = "microphone", device = "hw:1,0" }\n'
            + '[pipelines.b]\nmodel = "ear"\nsource = { kind = "microphone", device = "plughw:1,0" }\n',
            "pipelines.b.source.device found plughw:1,0, which a has already",
        ),
        (EAR + "sample_rate = -1\n" + MICROPHONE + 'model = "ear"\n', "models.ear.sample_rate"),
    ],
    ids=["no model", "a detector", "zones", "twice", "twice, converted", "rate"],
)
def test_what_does_not_go_together_is_told(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / "edged.toml").write_text(text)
    done = edged("check", "--config", str(tmp_path / "edged.toml"))
    assert done.returncode == 2
    assert wrong in " ".join((done.stdout + done.stderr).split())


def test_a_model_s_rate_is_the_owner_s_where_it_is_silent(tmp_path: Path) -> None:
    from edged.worker.runtime.plan import planned

    model = ear(tmp_path)
    assert planned(model, model.file).intake.rate == 16000.0
