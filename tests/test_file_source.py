"""The file source: the right frames, the right colours, and a sentence for every file that is none."""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import wave
from pathlib import Path

import av
import media
import numpy as np
import pytest

from edged.config import shape
from edged.errors import EndOfSource, RefusedError, UnavailableError
from edged.worker.source import Frame, Want, opened
from edged.worker.source.jpeg import orientation, photograph

WANT = Want(32, 24, 3, 0.0)
NOBODY = 65534


def frames(path: Path, want: Want = WANT, **keys: object) -> list[Frame]:
    """All frames of a recording, each a copy."""
    source = opened(shape.File(path=str(path), pace="fast", **keys), want)
    read = []
    try:
        while True:
            frame = source.read(1.0)
            assert frame is not None
            read.append(Frame(frame.data.copy(), frame.time))
    except EndOfSource:
        return read
    finally:
        source.close()


def numbers(read: list[Frame]) -> list[int]:
    return [media.number_of(frame.data) for frame in read]


def at_rate(rate: float) -> Want:
    return Want(32, 24, 3, rate)


MOVIES = {
    "h264.mp4": {"codec": "libx264"},
    "bframes.mkv": {"codec": "libx264", "bf": "3", "b_strategy": "0", "g": "10"},
    "mpeg4.avi": {"codec": "mpeg4"},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "mjpeg.mov": {"codec": "mjpeg", "form": "yuvj420p"},
    "picture.gif": {"codec": "gif", "form": "rgb8"},
    "picture.apng": {"codec": "apng", "form": "rgb24"},
}


EXACT = [name for name in MOVIES if name != "picture.gif"]  # whose palette does not blur the numbers


@pytest.fixture(params=MOVIES)
def movie(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return media.movie(tmp_path / request.param, frames=20, fps=10, **MOVIES[request.param])


def test_every_frame_comes_in_order_at_its_time(movie):
    read = frames(movie)
    assert numbers(read) == pytest.approx(range(20), abs=1 if movie.suffix == ".gif" else 0)
    assert [frame.time for frame in read] == pytest.approx(np.arange(20) / 10, abs=0.001)


@pytest.mark.parametrize("movie", EXACT, indirect=True)
@pytest.mark.parametrize(("rate", "expected"), [
    (5.0, range(0, 20, 2)), (4.0, [0, 3, 5, 8, 10, 13, 15, 18]), (2.5, range(0, 20, 4)), (1.0, [0, 10]),
    (30.0, range(20)),
])  # fmt: skip
def test_the_rate_picks_the_frames_on_its_grid_also_where_others_are_not_decoded(movie, rate, expected):
    assert numbers(frames(movie, at_rate(rate))) == list(expected)


def test_frames_that_no_other_needs_are_not_decoded_unless_they_are_due(tmp_path, monkeypatch):
    """Only the frames on the grid and those that others refer to leave the decoder."""
    path = media.movie(tmp_path / "b.mkv", "libx264", frames=30, bf="3", b_strategy="0", g="30")
    from edged.worker.source.movie import Movie

    decoded = []
    plain = Movie._decoded
    monkeypatch.setattr(
        Movie, "_decoded", lambda *args: (decoded.append(frame.pts) or frame for frame in plain(*args))
    )
    assert len(frames(path, at_rate(2.5))) == 8
    assert len(decoded) < 22


def test_a_variable_rate_is_read_by_the_times_of_its_frames(tmp_path):
    path = tmp_path / "v.mkv"
    times = [0, 100, 130, 160, 900, 1000, 1900, 2000, 2050]  # ms
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = stream.time_base = media.Fraction(1, 1000)
        for number, moment in enumerate(times):
            frame = av.VideoFrame.from_ndarray(media.picture(number), format="rgb24")
            frame.pts, frame.time_base = moment, media.Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert [frame.time for frame in frames(path)] == pytest.approx([t / 1000 for t in times], abs=0.002)
    assert numbers(frames(path, at_rate(1.0))) == [0, 5, 7]
    assert numbers(frames(path, at_rate(10.0))) == [0, 1, 4, 5, 6, 7]


def test_a_stream_without_times_has_those_of_the_config(tmp_path):
    path = media.movie(tmp_path / "raw.h264", "libx264", frames=10, bf="0")
    assert [frame.time for frame in frames(path, fps=5.0)] == pytest.approx(np.arange(10) / 5)
    assert numbers(frames(path, at_rate(2.5), fps=5.0)) == [0, 2, 4, 6, 8]


def test_the_config_can_space_frames_differently_than_the_file(tmp_path):
    path = media.movie(tmp_path / "a.mp4", "libx264")
    assert [frame.time for frame in frames(path, fps=2.0)] == pytest.approx(np.arange(20) / 2)


def test_a_loop_goes_on_where_the_end_meets_the_beginning(tmp_path):
    path = media.movie(tmp_path / "a.mp4", "libx264", frames=5)
    source = opened(shape.File(path=str(path), pace="fast", loop=True), WANT)
    read = [source.read(1.0) for _ in range(12)]
    assert [frame.time for frame in read] == pytest.approx(np.arange(12) / 10)
    assert media.number_of(read[11].data) == 1
    source.close()


def test_a_smaller_movie_keeps_its_size_for_the_workers_exact_resize(tmp_path):
    path = media.movie(tmp_path / "a.mp4", "libx264")
    assert frames(path, Want(300, 300, 3, 1.0))[0].data.shape == (48, 64, 3)


def test_grey_is_averaged_and_of_the_full_range(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv444p"
        checks = np.zeros((64, 64, 3), np.uint8)
        checks[::2, ::2] = checks[1::2, 1::2] = 255
        checks[:32] = 255
        container.mux(stream.encode(av.VideoFrame.from_ndarray(checks, format="rgb24")))
        container.mux(stream.encode(None))
    picture = frames(path, Want(16, 16, 1, 0.0))[0].data[..., 0]
    assert picture[:7].min() >= 253
    assert np.abs(picture[9:].astype(int) - 128).max() <= 2  # a resize that does not average sees checks


def test_a_movie_filmed_upright_is_shown_upright(tmp_path, monkeypatch):
    from av.video.frame import VideoFrame

    from edged.worker.source import movie as module

    path = media.movie(tmp_path / "a.mp4", "libx264", frames=1)

    class Turned:
        def __init__(self, frame: VideoFrame) -> None:
            self.frame, self.width, self.height, self.rotation = frame, frame.width, frame.height, 90

    plain = module.converted
    monkeypatch.setattr(module, "converted", lambda r, f, *rest: plain(r, getattr(f, "frame", f), *rest))
    with path.open("rb") as file:
        made = module.Movie(path, file, Want(24, 32, 3, 0.0), 0.0)
        (_, frame), *_ = made.frames(module.Due(0.0), 0.0)
        picture = made.picture(Turned(frame))
        assert picture.shape == (32, 24, 3)
        assert picture[:16].mean() < picture[16:].mean()  # the dark right half is now above


# Pictures at rest


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm"])
def test_a_picture_at_rest_comes_in_full_size_and_to_the_bit(tmp_path, suffix):
    shown = np.random.default_rng(1).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    codec = {"png": "png", "bmp": "bmp", "tiff": "tiff", "ppm": "ppm"}[suffix]
    path = media.still(tmp_path / f"a.{suffix}", shown, codec)
    (frame,) = frames(path)
    assert np.array_equal(frame.data, shown)


def test_jpeg_has_the_colours_that_libjpeg_gives(shared):
    """Full range, as JPEG is: blacks and whites of the picture reach both ends."""
    import simplejpeg

    path = shared / "media" / "burger.jpg"
    (frame,) = frames(path)
    assert np.array_equal(frame.data, simplejpeg.decode_jpeg(path.read_bytes()))
    assert (frame.data.min(), frame.data.max()) == (0, 255)


def test_jpeg_is_turned_as_its_exif_says():
    import simplejpeg

    shown = np.zeros((32, 64, 3), np.uint8)
    shown[:, 32:] = 255
    plain = simplejpeg.encode_jpeg(shown, 95, colorsubsampling="444")
    for order, mark in (("<", b"II*\0"), (">", b"MM\0*")):
        exif = b"Exif\0\0" + mark + struct.pack(f"{order}IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0)
        turned = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]
        assert orientation(turned) == 6
        picture = photograph(turned, 3)
        assert picture.shape == (64, 32, 3)
        assert picture[:28].mean() < 5  # the left half is above now
        assert picture[36:].mean() > 250
    assert orientation(plain) == 1
    assert orientation(plain[:2] + b"\xff\xe1\0\x10Exif\0\0II*\0\xff") == 1


def test_a_grey_model_gets_an_averaged_picture(tmp_path):
    checks = np.zeros((64, 64, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 255
    import simplejpeg

    (tmp_path / "a.jpg").write_bytes(simplejpeg.encode_jpeg(checks, 100))
    media.still(tmp_path / "b.png", checks)
    for frame in frames(tmp_path, Want(16, 16, 1, 0.0)):
        assert frame.data.shape == (16, 16, 1)
        assert np.abs(frame.data.astype(int) - 128).max() <= 3


def test_a_folder_is_read_as_people_count(tmp_path):
    path = media.folder(tmp_path / "f", 12)
    (path / "notes.txt").write_text("not a picture")
    read = frames(path, fps=4.0)
    assert numbers(read) == list(range(12))
    assert [frame.time for frame in read] == pytest.approx(np.arange(12) / 4)


def test_one_picture_over_and_over_is_decoded_once(tmp_path, monkeypatch):
    from edged.worker.source import album

    path = media.still(tmp_path / "a.png", media.picture(3))
    decoded = []
    plain = album.decoded
    monkeypatch.setattr(album, "decoded", lambda *args: decoded.append(args) or plain(*args))
    source = opened(shape.File(path=str(path), pace="fast", loop=True, fps=5.0), WANT)
    times = [source.read(1.0).time for _ in range(5)]
    assert times == pytest.approx(np.arange(5) / 5)
    assert len(decoded) == 1


# What is no recording


def refused(path: Path, kind: type[Exception] = RefusedError) -> str:
    """Reads until it is refused; the sentence names the file and there is a next step."""
    with pytest.raises(kind) as caught:
        frames(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value.message


def test_what_is_not_there_may_come(tmp_path):
    assert "there is no file" in refused(tmp_path / "absent.mp4", UnavailableError)


def test_an_empty_file(tmp_path):
    (tmp_path / "a.mp4").touch()
    assert "is empty" in refused(tmp_path / "a.mp4")


def test_a_text_is_no_video(tmp_path):
    (tmp_path / "a.mp4").write_text("Dear diary, " * 100)
    assert "no video and no picture" in refused(tmp_path / "a.mp4")


def test_noise_is_no_video(tmp_path):
    (tmp_path / "a.bin").write_bytes(np.random.default_rng(0).bytes(50_000))
    refused(tmp_path / "a.bin")


def test_sound_is_no_video(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    assert "audio" in refused(tmp_path / "a.wav")


def test_a_folder_without_pictures(tmp_path):
    assert "no picture in the folder" in refused(tmp_path)


@pytest.mark.parametrize("codec", ["jpeg", "png"])
def test_a_cut_off_picture(tmp_path, codec):
    import simplejpeg

    shown = np.random.default_rng(1).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    path = tmp_path / f"a.{codec}"
    if codec == "png":
        media.still(path, shown)
    else:
        path.write_bytes(simplejpeg.encode_jpeg(shown))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refused(path)


def test_an_mp4_cut_off_before_its_index(tmp_path):
    path = media.movie(tmp_path / "a.mp4", "libx264")
    path.write_bytes(path.read_bytes()[:2000])
    refused(path)


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [("a.mkv", "libx264", "yuv420p"), ("a.ts", "libx264", "yuv420p"), ("a.avi", "mjpeg", "yuvj420p")],
)
def test_a_cut_off_movie_plays_to_where_it_goes(tmp_path, name, codec, form):
    path = media.movie(tmp_path / name, codec, frames=30, form=form, g="5")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    read = numbers(frames(path))
    assert 5 < len(read) < 30
    whole_part = read[:-4]  # of the last frames those may lack that others were to complete
    assert whole_part == list(range(len(whole_part)))


def test_damage_in_the_middle_is_passed_over(tmp_path):
    path = media.movie(tmp_path / "a.avi", "mjpeg", frames=30, form="yuvj420p")
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 1500] = bytes(1500)
    path.write_bytes(whole)
    read = frames(path)
    assert 20 <= len(read) < 31
    assert media.number_of(read[-1].data) == 29


def test_a_playlist_cannot_open_other_files(tmp_path):
    media.movie(tmp_path / "secret.ts", "libx264")
    for name, text in (
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsecret.ts\n#EXT-X-ENDLIST\n"),
        ("a.ffconcat", f"ffconcat version 1.0\nfile {tmp_path}/secret.ts\n"),
    ):
        (tmp_path / name).write_text(text)
        refused(tmp_path / name)


def test_an_animated_webp_is_read_or_refused_with_the_reason(tmp_path):
    """FFmpeg 9 decodes it, 8 does not."""
    path = media.movie(tmp_path / "a.webp", "libwebp_anim")
    if av.library_versions["libavcodec"] >= (63,):
        assert len(frames(path)) == 20
    else:
        assert "animated WebP" in refused(path)


def test_a_name_that_looks_like_a_protocol_or_a_pattern_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:a.mp4", "concat:a|b.mp4", "p%03d.png"):
        if name.endswith("png"):
            media.still(tmp_path / name, media.picture(1))
        else:
            shutil.copy(media.movie(tmp_path / "plain.mp4", "libx264", frames=3), tmp_path / name)
        assert len(frames(Path(name))) in (1, 3)


@pytest.fixture
def anybodys(tmp_path):
    """A folder, of one who may not read everything: for root, nobody's."""
    if os.geteuid():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="edged-test-") as name:
        os.chown(name, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)


def test_a_file_in_somebodys_home(anybodys):
    home = anybodys / "home"
    home.mkdir(mode=0)
    assert "may not look" in refused(home / "street.mp4", UnavailableError)
    home.chmod(0o700)
    assert "there is no file" in refused(home / "street.mp4", UnavailableError)


def test_a_file_that_may_not_be_read(anybodys):
    path = media.movie(anybodys / "a.mp4", "libx264", frames=3)
    path.chmod(0)
    assert "cannot be read" in refused(path, UnavailableError)
    path.chmod(0o400)
    assert len(frames(path)) == 3


def test_the_shared_clip_at_5_fps_gives_every_second_frame(shared):
    path = shared / "media" / "one-by-one-person-detection.mp4"
    source = opened(shape.File(path=str(path), pace="fast"), Want(96, 96, 1, 5.0))
    times = []
    with pytest.raises(EndOfSource):
        while True:
            times.append(source.read(1.0).time)
    assert times == pytest.approx(np.arange(697) / 5)
    assert source.dropped == 0


def test_reading_pictures_does_not_load_ffmpeg(shared):
    """PyAV is 18 MB; a JPEG needs none of it."""
    import subprocess
    import sys

    script = (
        "import sys; from edged.config import shape; from edged.worker.source import Want, opened\n"
        f"opened(shape.File(path={str(shared / 'media' / 'burger.jpg')!r}), Want(96, 96, 3, 1)).read(1)\n"
        "print('av' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
    assert told.stderr == ""
